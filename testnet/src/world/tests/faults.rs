//! Partitions, pauses, crashes, clocks and disks.

use super::*;

fn say(word: &'static str) -> Vec<Effect> {
    vec![send(2, Class::Vouch, word)]
}

fn ban(peer: u8) -> Effect {
    let cause = BanCause::Fault(Fault::Forged);
    Effect::Store(Record::Ban(Ban { whom: id(peer).into(), cause, until: None }))
}

#[test]
fn across_a_partition_words_wait_and_dials_fail_until_it_heals() {
    let orders = vec![say("before"), say("across"), vec![dial(3, 2)]];
    let mut stage = linked(CONDITIONS, orders, vec![vec![send(1, Class::Vouch, "back")]]);
    let c = stage.world.add(id(3), puppet("c", &stage.diary, Vec::new()));
    stage.pull(1000, stage.a);
    stage.world.run_until(at(1000));
    let (a, b) = (stage.a, stage.b);
    stage.world.partition(&[vec![a], vec![b, c]]);
    stage.pull(2000, a);
    stage.pull(2000, b);
    stage.pull(2000, a);
    assert_eq!(stage.until(20_000), ["b before", "a dial failed"], "what was on its way arrives");
    stage.world.heal();
    let mut told = stage.until(60_000);
    told.sort();
    assert_eq!(told, ["a back", "b across"], "the link has survived");
}

#[test]
fn a_partition_that_lasts_ends_the_links_across_it_at_both_ends() {
    let mut stage = linked(CONDITIONS, vec![say("lost"), vec![dial(2, 1)]], vec![]);
    let (a, b) = (stage.a, stage.b);
    stage.world.partition(&[vec![a], vec![b]]);
    stage.pull(2000, a);
    stage.world.run_until(at(40_000));
    let when = |entry: &str| (31_000, entry.to_owned());
    assert_eq!(stage.told_when(), [when("a disconnected"), when("b disconnected")]);
    stage.world.heal();
    stage.pull(41_000, a);
    assert_eq!(stage.until(50_000), ["b connected Inbound", "a connected Outbound"]);
}

#[test]
fn links_within_one_side_know_nothing_of_a_partition() {
    let mut stage = linked(CONDITIONS, vec![say("hear")], vec![]);
    let c = stage.world.add(id(3), puppet("c", &stage.diary, Vec::new()));
    stage.world.partition(&[vec![c]]);
    assert_eq!(stage.until(100_000), [""; 0]);
    let (a, b) = (stage.a, stage.b);
    stage.world.partition(&[vec![c], vec![a, b]]);
    stage.pull(100_000, a);
    assert_eq!(stage.until(200_000), ["b hear"]);
}

#[test]
fn a_partition_that_comes_back_gives_links_their_whole_time_again() {
    let mut stage = linked(CONDITIONS, vec![], vec![]);
    let sides = [vec![stage.a], vec![stage.b]];
    stage.world.partition(&sides);
    stage.world.run_until(at(20_000));
    stage.world.heal();
    stage.world.run_until(at(21_000));
    stage.world.partition(&sides);
    assert_eq!(stage.until(50_000), [""; 0]);
    assert_eq!(stage.until(51_000).len(), 2);
}

#[test]
fn a_blocked_direction_leaves_the_other_open() {
    let back = vec![send(1, Class::Vouch, "back")];
    let mut stage = linked(CONDITIONS, vec![say("forth")], vec![back]);
    let (a, b) = (stage.a, stage.b);
    stage.world.one_way(a, b, true);
    stage.pull(2000, a);
    stage.pull(2000, b);
    assert_eq!(stage.until(10_000), ["a back"]);
    stage.world.one_way(a, b, false);
    assert_eq!(stage.until(50_000), ["b forth"]);
}

#[test]
fn a_paused_node_learns_everything_at_once_when_it_goes_on() {
    let orders = vec![say("one"), say("two"), say("three")];
    let mut stage =
        linked(CONDITIONS, orders, vec![say("never"), vec![send(1, Class::Vouch, "here")]]);
    let (a, b) = (stage.a, stage.b);
    stage.world.pause(b);
    (0..3).for_each(|second| stage.pull(2000 + second * 1000, a));
    stage.pull(5000, b);
    stage.pull(5000, b);
    assert_eq!(stage.until(20_000), [""; 0]);
    stage.world.resume(b);
    stage.world.run_until(at(20_000));
    let when = |entry: &str| (20_000, entry.to_owned());
    let mut told = stage.told_when();
    told.retain(|(_, entry)| !entry.contains("tick"));
    assert_eq!(told, [when("b one"), when("b two"), when("b three")]);
    assert_eq!(stage.until(100_000), ["a here"]);
}

#[test]
fn a_node_that_is_paused_for_long_finds_its_links_gone() {
    let mut stage = linked(CONDITIONS, vec![say("unheard"), vec![dial(2, 1)]], vec![]);
    let (a, b) = (stage.a, stage.b);
    stage.world.pause(b);
    stage.world.run_until(at(60_000));
    assert_eq!(stage.told_when(), [(31_000, "a disconnected".to_owned())]);
    stage.pull(60_000, a);
    stage.world.run_until(at(60_000));
    stage.pull(61_000, a);
    assert_eq!(stage.until(70_000), [""; 0], "a dial waits for an answer");
    stage.world.resume(b);
    let expected =
        ["b disconnected", "b connected Inbound", "b tick 70.000s", "a connected Outbound"];
    assert_eq!(stage.until(80_000), expected);
}

#[test]
fn what_a_paused_node_has_no_room_for_waits_with_its_sender() {
    let frame =
        |_| Effect::Send { to: id(2), class: Class::Payload, frame: vec![b'x'; 100_000].into() };
    let mut stage = linked(CONDITIONS, vec![(0..10).map(frame).collect()], vec![]);
    let b = stage.b;
    stage.world.pause(b);
    stage.pull(1000, stage.a);
    assert_eq!(stage.until(10_000), [""; 0]);
    stage.world.resume(b);
    stage.world.run_until(at(10_000));
    assert_eq!(stage.told().iter().filter(|entry| entry.starts_with("b x")).count(), 3);
    assert_eq!(stage.until(20_000).iter().filter(|entry| entry.starts_with("b x")).count(), 7);
}

#[test]
fn a_clock_may_be_ahead_or_behind_and_is_set_right_again() {
    let mut stage = linked(CONDITIONS, vec![], vec![]);
    let (a, b) = (stage.a, stage.b);
    stage.world.skew(a, 5_000);
    stage.world.skew(b, -7_000);
    assert_eq!(stage.until(1000), ["a clock 5000", "b clock -7000"]);
    // Every minute they look again.
    assert_eq!(stage.until(61_000), ["a clock 5000", "b clock -7000"]);
    stage.world.skew(a, 0);
    assert_eq!(stage.until(130_000), ["b clock -7000"]);
}

#[test]
fn a_crash_is_noticed_by_peers_and_loses_what_was_not_stored() {
    let orders = vec![say("lost"), vec![dial(2, 1)]];
    let life = vec![vec![ban(7), ban(8), Effect::Store(Record::Pardon { whom: id(8).into() })]];
    let mut stage = linked(CONDITIONS, orders, life);
    let (a, b) = (stage.a, stage.b);
    stage.pull(1000, b);
    stage.world.run_until(at(2000));
    stage.pull(2000, a);
    stage.world.run_until(at(2000));
    stage.world.crash(b);
    assert!(!stage.world.is_up(b));
    assert_eq!(stage.until(3000), ["a disconnected"]);
    stage.pull(3000, b);
    stage.pull(3000, a);
    assert_eq!(stage.until(4000), ["a dial failed"]);
    let diary = Arc::clone(&stage.diary);
    stage.world.restart(b, puppet("b again", &diary, vec![vec![dial(1, 0)]]));
    stage.pull(4000, b);
    assert_eq!(
        stage.until(5000),
        ["b again loaded 1", "a connected Inbound", "b again connected Outbound"]
    );
}

#[test]
fn a_ban_outlives_a_crash_and_a_full_disk_forgets_it() {
    for (full, expected) in [(false, "a dial failed"), (true, "b connected Inbound")] {
        let mut stage = stage(1, vec![vec![dial(2, 1)]], vec![vec![ban(1)]]);
        let (b, diary) = (stage.b, Arc::clone(&stage.diary));
        stage.world.disk_full(b, full);
        stage.pull(0, b);
        stage.world.run_until(at(100));
        stage.world.restart(b, puppet("b", &diary, Vec::new()));
        stage.pull(200, stage.a);
        assert_eq!(stage.until(1000).get(1).map(String::as_str), Some(expected), "{full}");
    }
}

#[test]
fn an_answer_to_a_dial_of_an_earlier_life_is_nobodys() {
    let mut stage = stage(1, vec![vec![dial(2, 1)]], vec![]);
    let (a, diary) = (stage.a, Arc::clone(&stage.diary));
    stage.pull(0, a);
    stage.world.run_until(at(0));
    stage.world.restart(a, puppet("a again", &diary, Vec::new()));
    assert_eq!(stage.end(), ["a again loaded 0", "b connected Inbound", "b disconnected"]);
}

#[test]
fn nodes_come_and_go_while_the_world_runs() {
    let mut stage = linked(CONDITIONS, vec![vec![dial(3, 2)], vec![dial(3, 2)]], vec![]);
    stage.pull(2000, stage.a);
    assert_eq!(stage.until(3000), ["a dial failed"], "it is not there yet");
    let c = stage.world.add(id(3), puppet("c", &stage.diary, Vec::new()));
    stage.pull(4000, stage.a);
    assert_eq!(stage.until(5000), ["c connected Inbound", "a connected Outbound"]);
    stage.world.crash(c);
    assert_eq!(stage.until(6000), ["a disconnected"]);
    assert_eq!(stage.world.len(), 3);
}
