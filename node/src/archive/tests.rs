use std::time::Duration;

use super::*;
use bytes::Bytes;
use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::{
    Publication, Slot, Standing,
    network::{Defence, Kind, Policy, Topic},
};

mod damage;
mod keeping;

const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn network(retention: Retention) -> Arc<Network> {
    let kept =
        |name: &str| Topic { retention: Some(retention), ..Topic::new(name, Policy::Verified) };
    let topics = vec![kept("a"), kept("b"), Topic::new("gone", Policy::Verified)];
    Arc::new(Network::new("n", Kind::Local, topics, Defence::recommended(Kind::Local)).unwrap())
}

fn hour() -> Arc<Network> {
    network(Retention::of(Duration::from_secs(3600)))
}

fn at(s: u64) -> Timestamp {
    BEGIN.saturating_add(Duration::from_secs(s))
}

/// The message of a number on a topic, published so many seconds after the beginning.
fn publication(network: &Network, topic: &str, seq: u64, s: u64) -> Publication {
    let key = Keypair::from_seed([7; 32]);
    let topic = network.topic_id(topic).unwrap();
    let slot = Slot { author: key.id(), topic, generation: 1, seq };
    let payload = Bytes::from(vec![1; 1000]);
    let lifetime = Duration::from_secs(60);
    Publication::sign(slot, at(s), lifetime, payload, &key, network)
}

/// The same, accepted when it was published.
fn kept(network: &Network, topic: &str, seq: u64, s: u64) -> Kept {
    let vouchers = vec![NodeId::from_bytes([3; 32]), NodeId::from_bytes([4; 32])];
    let standing = Standing::Accepted { vouchers, attestors: Vec::new() };
    Kept { publication: publication(network, topic, seq, s), standing, at: at(s) }
}

fn held(network: &Network, topic: &str, seq: u64, s: u64) -> Kept {
    Kept { standing: Standing::Held, ..kept(network, topic, seq, s) }
}

fn own(network: &Network, topic: &str, seq: u64, s: u64) -> Kept {
    Kept { standing: Standing::Own, ..kept(network, topic, seq, s) }
}

fn seqs(archive: &Archive, topic: &str) -> Vec<u64> {
    let topic = archive.network.topic_id(topic).unwrap();
    let read = archive.read(topic, 0).unwrap();
    read.iter().map(|(_, message)| message.seq).collect()
}

fn holding(archive: &Archive, topic: &str) -> Holding {
    let topic = archive.network.topic_id(topic).unwrap();
    archive.holdings().unwrap().into_iter().find(|(of, _)| *of == topic).unwrap().1
}

#[test]
fn what_is_kept_is_there_after_a_restart_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let network = hour();
    let archive = Archive::open(Some(folder.path()), &network).unwrap();
    let messages = [0, 1, 2].map(|seq| kept(&network, "a", seq, seq));
    archive.write(&messages, at(3)).unwrap();
    archive.write(&messages[1..], at(3)).unwrap();
    archive.write(&[kept(&network, "b", 9, 3)], at(3)).unwrap();
    drop(archive);

    let archive = Archive::open(Some(folder.path()), &network).unwrap();
    assert_eq!((seqs(&archive, "a"), seqs(&archive, "b")), (vec![0, 1, 2], vec![9]));
    let topic = messages[0].topic();
    let (place, second) = archive.read(topic, 1).unwrap().swap_remove(0);
    assert_eq!((place, second.accepted, second.id), (1, at(1), messages[1].id()));
    assert_eq!(second.payload, messages[1].publication.payload());
    let standing = Standing::Accepted { vouchers: second.vouchers, attestors: Vec::new() };
    assert_eq!(standing, messages[1].standing);
    assert_eq!(archive.place(topic, &messages[2].id()).unwrap(), Some(2));
    assert_eq!(holding(&archive, "a").messages, 3);
}

#[test]
fn what_is_over_goes_first_in_first_out() {
    let network = hour();
    let archive = Archive::open(None, &network).unwrap();
    let messages = [0, 100, 200].map(|s| kept(&network, "a", s, s));
    archive.write(&messages, at(3599)).unwrap();
    assert_eq!(seqs(&archive, "a"), [0, 100, 200]);
    let removed = archive.write(&[], at(3600)).unwrap().removed;
    assert_eq!(removed, [Held::new(&messages[0].publication, &messages[0].standing)]);
    assert_eq!(seqs(&archive, "a"), [100, 200]);
    assert_eq!(archive.write(&[], at(3800)).unwrap().removed.len(), 2);
    let empty = holding(&archive, "a");
    assert_eq!((empty.first, empty.next, empty.bytes), (3, 3, 0));
    assert_eq!(archive.place(messages[0].topic(), &messages[0].id()).unwrap(), None);
}

#[test]
fn a_topic_holds_no_more_messages_and_bytes_than_it_may() {
    let few = Retention { messages: 5, ..Retention::of(Duration::from_secs(3600)) };
    let small = Retention { bytes: 1 << 20, ..Retention::of(Duration::from_secs(3600)) };
    for (retention, messages_max) in [(few, 5), (small, (1 << 20) / 1000)] {
        let network = network(retention);
        let archive = Archive::open(None, &network).unwrap();
        for lot in 0..6 {
            let lot: Vec<_> = (0..200).map(|seq| kept(&network, "a", lot * 200 + seq, 0)).collect();
            archive.write(&lot, at(1)).unwrap();
        }
        let holding = holding(&archive, "a");
        assert!(holding.messages <= messages_max, "{holding:?}");
        assert!(holding.messages >= 5 && holding.bytes <= retention.bytes, "{holding:?}");
        assert_eq!(holding.next, 1200);
    }
}

#[test]
fn what_was_published_first_goes_first_whenever_it_came() {
    let few = Retention { messages: 3, ..Retention::of(Duration::from_secs(3600)) };
    let network = network(few);
    let archive = Archive::open(None, &network).unwrap();
    let all = [kept(&network, "a", 9, 9), held(&network, "a", 5, 5), own(&network, "a", 7, 7)];
    archive.write(&all, at(9)).unwrap();
    let late = kept(&network, "a", 1, 1);
    let written = archive.write([&late], at(9)).unwrap();
    assert_eq!(written.removed, [Held::new(&late.publication, &late.standing)]);
    let written = archive.write(&[kept(&network, "a", 10, 10)], at(10)).unwrap();
    assert_eq!(written.removed, [Held::new(&all[1].publication, &Standing::Held)]);
    assert!(written.removed[0].is_open && !written.is_more);
    assert_eq!(seqs(&archive, "a"), [9, 10]);
    let holding = holding(&archive, "a");
    assert_eq!((holding.first, holding.next, holding.accepted, holding.messages), (0, 3, 2, 3));
    assert_eq!(holding.empty(), 1, "of what came late");
}

#[test]
fn readers_see_what_is_accepted_and_each_once() {
    let network = hour();
    let archive = Archive::open(None, &network).unwrap();
    let messages = [held(&network, "a", 0, 0), held(&network, "a", 1, 1), own(&network, "a", 2, 2)];
    archive.write(&messages, at(3)).unwrap();
    assert_eq!(seqs(&archive, "a"), [0; 0]);
    // Accepted in another order; once more; and our own, which we do not accept.
    for seq in [1, 0, 1, 2] {
        archive.write(&[kept(&network, "a", seq, seq)], at(3)).unwrap();
    }
    archive.write(&messages, at(3)).unwrap();
    assert_eq!(seqs(&archive, "a"), [1, 0]);
    let holding = holding(&archive, "a");
    assert_eq!((holding.accepted, holding.messages), (2, 3));
}

#[test]
fn what_is_known_of_each_message_is_told_in_pieces_and_without_reading_them() {
    let network = hour();
    let archive = Archive::open(None, &network).unwrap();
    let mut messages: Vec<_> = (0..10).map(|seq| held(&network, "a", seq, seq)).collect();
    messages.extend((10..20).map(|seq| kept(&network, "a", seq, seq)));
    messages.extend((20..25).map(|seq| own(&network, "a", seq, seq)));
    archive.write(&messages, at(30)).unwrap();
    archive.write(&[kept(&network, "b", 99, 1)], at(30)).unwrap();
    let topic = network.topic_id("a").unwrap();
    let mut told = Vec::new();
    loop {
        let after = told.last().map(|head: &Head| head.id);
        let heads = archive.heads(topic, after, 7).unwrap();
        assert!(heads.len() <= 7);
        if heads.is_empty() {
            break;
        }
        told.extend(heads);
    }
    let mut expected: Vec<_> =
        messages.iter().map(|kept| Held::new(&kept.publication, &kept.standing)).collect();
    expected.sort_by_key(|held| held.id);
    assert_eq!(told.iter().map(Head::held).collect::<Vec<_>>(), expected);
    // Of what was accepted, only what has not expired could come again.
    let again = told.iter().filter(|head| head.could_come_again(at(75)));
    let mut again: Vec<_> = again.map(|head| head.slot.seq).collect();
    again.sort_unstable();
    assert_eq!(again, [16, 17, 18, 19]);
}

#[test]
fn frames_are_read_by_id_as_many_as_fit() {
    let network = hour();
    let archive = Archive::open(None, &network).unwrap();
    let messages: Vec<_> = (0..4).map(|seq| held(&network, "a", seq, seq)).collect();
    archive.write(&messages, at(4)).unwrap();
    let (topic, unknown) = (messages[0].topic(), MessageId::from_bytes([9; 32]));
    let ids = [messages[2].id(), unknown, messages[0].id(), messages[3].id()];
    let frame = |kept: &Kept| Some(kept.publication.frame().clone());
    let read = |bytes_max| archive.frames(topic, &ids, bytes_max).unwrap();
    let two = [
        (ids[0], frame(&messages[2])),
        (unknown, None),
        (ids[2], frame(&messages[0])),
        (ids[3], None),
    ];
    assert_eq!(read(2500), two);
    let first = [(ids[0], frame(&messages[2])), (unknown, None), (ids[2], None), (ids[3], None)];
    assert_eq!(read(1), first, "a single one always fits");
}

#[test]
fn a_frame_that_is_not_the_one_that_was_kept_is_given_to_nobody() {
    let network = hour();
    let archive = Archive::open(None, &network).unwrap();
    let good = kept(&network, "a", 0, 0);
    archive.write([&good], at(1)).unwrap();
    let mut bytes = good.publication.frame().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let key = (good.topic().index(), at(0).as_millis(), *good.id().as_bytes());
    archive
        .change(|transaction| {
            transaction.open_table(FRAMES)?.insert(key, bytes.as_slice())?;
            Ok(())
        })
        .unwrap();
    let read = archive.frames(good.topic(), &[good.id()], usize::MAX).unwrap();
    assert_eq!(read, [(good.id(), None)]);
    let refused = archive.read(good.topic(), 0).unwrap_err();
    assert!(matches!(refused, StoreError::DamagedMessages { .. }), "{refused}");
}

#[test]
fn another_networks_file_and_a_damaged_one_are_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    drop(Archive::open(Some(folder.path()), &hour()).unwrap());
    let other = network(Retention::of(Duration::from_secs(7200)));
    let refused = Archive::open(Some(folder.path()), &other).unwrap_err();
    assert!(matches!(refused, StoreError::OtherNetwork { .. }), "{refused}");
    std::fs::write(folder.path().join(FILE), b"what is this?").unwrap();
    let refused = Archive::open(Some(folder.path()), &hour()).unwrap_err();
    assert!(matches!(refused, StoreError::DamagedMessages { .. }), "{refused:?}");
    assert!(refused.to_string().contains("move it away"), "{refused}");
}
