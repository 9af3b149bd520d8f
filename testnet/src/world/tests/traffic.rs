//! Bandwidth, queues, slow readers, duplicates, and links that differ.

use super::*;

/// A frame of so many bytes that begins with a letter, so that it can be told apart.
fn bulk(to: u8, class: Class, letter: u8, bytes: usize) -> Effect {
    let mut frame = vec![b'.'; bytes];
    frame[0] = letter;
    Effect::Send { to: id(to), class, frame: frame.into() }
}

/// When frames arrived at `b`, and the letters that they begin with.
fn arrivals(stage: &mut Stage) -> (Vec<u128>, String) {
    let told = stage.told_when().into_iter();
    let frames =
        told.filter_map(|(when, entry)| Some((when, entry.strip_prefix("b ")?.chars().next()?)));
    frames.unzip()
}

fn fixed(ms: u32) -> Conditions {
    Conditions::uniform(MS * ms, MS * ms)
}

#[test]
fn a_sender_needs_time_for_its_bytes_however_many_links_it_has() {
    let slow = Conditions { bandwidth: Some(1_000_000), ..fixed(10) };
    let talk = (0..50).flat_map(|_| {
        [bulk(2, Class::Payload, b'x', 10_000), bulk(3, Class::Payload, b'x', 10_000)]
    });
    let mut stage = linked(slow, vec![vec![dial(3, 2)], talk.collect()], vec![]);
    stage.world.add(id(3), puppet("b", &stage.diary, Vec::new()));
    stage.pull(1000, stage.a);
    stage.world.run_until(at(2000));
    stage.told();
    stage.pull(2000, stage.a);
    stage.world.run_until(at(5000));
    let (when, letters) = arrivals(&mut stage);
    assert_eq!(letters.len(), 100);
    // A megabyte, and 60 bytes more for each frame on the wire.
    assert_eq!((when[0], when[49], when[99]), (2020, 2513, 3016));
}

#[test]
fn what_is_urgent_overtakes_what_waits_and_not_what_is_on_the_wire() {
    let slow = Conditions { bandwidth: Some(100_000), ..fixed(1) };
    let mut talk: Vec<_> = (0..20).map(|_| bulk(2, Class::Payload, b'p', 10_000)).collect();
    talk.push(bulk(2, Class::Requested, b'r', 10_000));
    talk.push(bulk(2, Class::Vouch, b'v', 100));
    talk.push(bulk(2, Class::Evidence, b'e', 100));
    let mut stage = linked(slow, vec![talk], vec![]);
    stage.pull(1000, stage.a);
    stage.world.run_until(at(9000));
    // The socket has taken 64 KiB.
    assert_eq!(arrivals(&mut stage).1, "ppppppp".to_owned() + "evr" + &"p".repeat(13));
}

#[test]
fn a_full_queue_drops_the_least_urgent_first() {
    let slow = Conditions { bandwidth: Some(1_000_000), ..fixed(1) };
    let mut talk: Vec<_> = (0..6).map(|_| bulk(2, Class::Payload, b'p', 1_000_000)).collect();
    talk.push(bulk(2, Class::Requested, b'r', 1_000_000));
    talk.extend((0..4).map(|_| bulk(2, Class::Vouch, b'v', 100_000)));
    talk.push(bulk(2, Class::Evidence, b'e', 100_000));
    let mut stage = linked(slow, vec![talk], vec![]);
    stage.pull(1000, stage.a);
    stage.world.run_until(at(20_000));
    // Of the payloads one was on the wire and four waited, the last of which went for the request. Of the
    // vouches two waited, one of which went for the evidence.
    assert_eq!(arrivals(&mut stage).1, "pevrppp");
    assert_eq!(stage.world.dropped(), 5);
}

#[test]
fn who_reads_slowly_delays_nobody_else() {
    let to = |to| (0..40).map(move |_| bulk(to, Class::Payload, b'x', 50_000));
    let mut stage = linked(fixed(10), vec![vec![dial(3, 2)], to(2).chain(to(3)).collect()], vec![]);
    stage.world.add(id(3), puppet("c", &stage.diary, Vec::new()));
    stage.pull(1000, stage.a);
    stage.world.run_until(at(2000));
    stage.world.reads_slowly(stage.b, Some(100_000));
    stage.told();
    stage.pull(2000, stage.a);
    stage.world.run_until(at(2010));
    assert_eq!(stage.told().iter().filter(|entry| entry.starts_with("c x")).count(), 40);
    stage.world.run_until(at(60_000));
    let (when, letters) = arrivals(&mut stage);
    assert_eq!((letters.len(), when[0], when[39]), (40, 2510, 22_010), "half a second for each");
    assert_eq!(stage.told(), [""; 0], "it took something all the time, so it is not stalled");
}

#[test]
fn who_reads_nothing_has_stalled_after_half_a_minute() {
    let talk = (0..40).map(|_| bulk(2, Class::Payload, b'x', 50_000)).collect();
    let mut stage = linked(fixed(10), vec![talk], vec![]);
    stage.world.reads_slowly(stage.b, Some(0));
    stage.pull(2000, stage.a);
    stage.world.run_until(at(31_999));
    assert_eq!(stage.told(), [""; 0]);
    stage.world.run_until(at(40_000));
    assert_eq!(stage.told_when(), [(32_000, "a stalled".to_owned())]);
    // What it left unread is gone, the rest waited.
    stage.world.reads_slowly(stage.b, None);
    stage.world.run_until(at(50_000));
    assert_eq!(arrivals(&mut stage).1.len(), 34);
}

#[test]
fn a_little_that_is_left_unread_is_no_stall() {
    let talk = vec![bulk(2, Class::Payload, b'x', 50_000)];
    let mut stage = linked(fixed(10), vec![talk], vec![]);
    stage.world.reads_slowly(stage.b, Some(0));
    stage.pull(2000, stage.a);
    assert_eq!(stage.until(100_000), [""; 0]);
}

#[test]
fn duplicates_come_twice() {
    let twice = Conditions { duplicate: 1.0, ..fixed(10) };
    let mut stage = linked(twice, vec![vec![send(2, Class::Vouch, "hear")]], vec![]);
    stage.pull(1000, stage.a);
    stage.world.run_until(at(2000));
    let heard = |when| (when, "b hear".to_owned());
    assert_eq!(stage.told_when(), [heard(1010), heard(1020)]);
}

#[test]
fn links_take_the_time_of_their_groups() {
    let (near, far) = (Place::default(), Place { group: Group(1), ip: None });
    let links = Links { by_group: [(Group(1), fixed(100))].into(), ..fixed(1).into() };
    let (mut world, diary) = (World::new(1, links), Diary::default());
    let orders = |peer, address| vec![vec![dial(peer, address)]];
    let a = world.add_at(near, id(1), puppet("a", &diary, orders(3, 2)));
    let b = world.add_at(far, id(2), puppet("b", &diary, orders(1, 0)));
    world.add_at(near, id(3), puppet("c", &diary, Vec::new()));
    let mut stage = Stage { world, diary, a, b };
    stage.pull(0, a);
    stage.pull(1000, b);
    stage.world.run_until(at(2000));
    let expected = [
        (1, "c connected Inbound"),
        (2, "a connected Outbound"),
        (1100, "a connected Inbound"),
        (1200, "b connected Outbound"),
    ];
    assert_eq!(stage.told_when(), expected.map(|(when, entry)| (when, entry.to_owned())));
}

#[test]
fn a_node_shows_the_address_that_it_is_given() {
    /// Remembers where its peers are.
    struct Observer(Arc<Mutex<Vec<Option<IpAddr>>>>, VecDeque<Effect>);

    impl Participant for Observer {
        fn handle(&mut self, _: Time, input: Input) -> Drain<'_> {
            if let Input::Connected { connection, .. } = input {
                self.0.lock().unwrap().push(connection.remote);
            }
            Drain::new(&mut self.1)
        }

        fn deadline(&self) -> Option<Time> {
            None
        }

        fn snapshot(&self) -> Snapshot {
            Snapshot::default()
        }
    }

    let seen = Arc::default();
    let (mut world, diary) = (World::new(1, CONDITIONS), Diary::default());
    world.add(id(1), Box::new(Observer(Arc::clone(&seen), VecDeque::new())));
    let ips: [IpAddr; 2] = [[10, 9, 8, 7].into(), [10, 9, 8, 6].into()];
    for (tag, ip) in [2, 3].into_iter().zip(ips) {
        let place = Place { ip: Some(ip), ..Place::default() };
        let caller = puppet("x", &diary, vec![vec![dial(1, 0)]]);
        let node = world.add_at(place, id(tag), caller);
        world.tell(at(u64::from(tag) * 100), node, Input::Known(Vec::new()));
    }
    world.run_until(at(1000));
    assert_eq!(*seen.lock().unwrap(), ips.map(Some));
}
