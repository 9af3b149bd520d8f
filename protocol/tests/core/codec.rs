//! Frames survive the way there and back, and no bytes make the decoder panic or allocate much.

use std::time::Duration;

use bytes::Bytes;
use forsooth_protocol::{
    Address, Fault, MessageId, PeerRecord, Proof, Publication, ShortId, SignedRecord, Slot,
    Timestamp, VouchKey,
    membership::{Accusation, Answer, Epoch, Member, Tags, signed::Signed},
    sync::{
        Bounds, Item, Set,
        reconcile::{Ask, Question, Reply, Tell},
    },
    wire::{Ack, Announce, Frame, Hello, Intent, Probe},
};
use proptest::prelude::*;

use crate::rig::{START, key, network};

fn publication(author: u8, seq: u64, payload: &[u8]) -> Publication {
    let network = network();
    let topic = network.topic_id("open").unwrap();
    let slot = Slot { author: key(author).id(), topic, generation: 1, seq };
    let payload = Bytes::copy_from_slice(payload);
    Publication::sign(slot, START, Duration::from_secs(9), payload, &key(author), &network)
}

fn record() -> impl Strategy<Value = SignedRecord> {
    let addresses = prop::collection::vec("[ -~]{0,90}", 0..5);
    (any::<u8>(), any::<u64>(), addresses).prop_map(|(tag, number, addresses)| {
        let addresses = addresses.iter().map(|text| Address::new(text).unwrap()).collect();
        let (id, time, work) = (key(tag).id(), START, Bytes::new());
        let record = PeerRecord { id, addresses, number, time, work };
        SignedRecord::sign(record, &key(tag), &network())
    })
}

fn epoch() -> impl Strategy<Value = Epoch> {
    any::<(u64, u64)>().prop_map(|(generation, incarnation)| Epoch { generation, incarnation })
}

fn rumours() -> impl Strategy<Value = Frame> {
    let tags = prop::collection::btree_map("[a-z]{1,9}", "[ -~]{0,20}", 0..5);
    let member = (any::<(u8, u64, u64, bool)>(), epoch(), tags).prop_map(|(some, epoch, tags)| {
        let (tag, version, nonce, left) = some;
        let addresses = vec![Address::new("/ip4/127.0.0.1/tcp/1").unwrap()];
        let (id, time, work) = (key(tag).id(), START, Bytes::new());
        let tags = Tags::new(tags).unwrap();
        let member = Member { id, addresses, epoch, version, time, nonce, left, tags, work };
        Signed::sign(member, &key(tag), &network())
    });
    let accusation = (any::<(u8, u8)>(), epoch()).prop_map(|((tag, ring), epoch)| {
        let (accuser, subject) = (key(tag).id(), key(tag.wrapping_add(1)).id());
        let accusation = Accusation { accuser, subject, epoch, ring, time: START };
        Signed::sign(accusation, &key(tag), &network())
    });
    let members = prop::collection::vec(member, 0..5);
    (members, prop::collection::vec(accusation, 0..5), any::<bool>())
        .prop_map(|(members, accusations, asked)| Frame::Rumours { members, accusations, asked })
}

fn probes() -> impl Strategy<Value = Frame> {
    any::<(u8, u8, u64)>().prop_map(|(kind, tag, nonce)| {
        let (subject, observer) = (key(tag).id(), key(tag.wrapping_add(1)).id());
        let answer = Answer { subject, observer, nonce };
        match kind % 6 {
            0 => Frame::Probe(Probe::Direct { nonce }),
            1 => Frame::Probe(Probe::For { nonce, observer }),
            2 => Frame::Probe(Probe::Through { nonce, subject }),
            3 => Frame::Ack(Ack::Direct { nonce }),
            4 => Frame::Ack(Ack::Unreached { nonce, subject }),
            _ => Frame::Ack(Ack::Through(Signed::sign(answer, &key(tag), &network()))),
        }
    })
}

fn tables() -> impl Strategy<Value = Frame> {
    let words = || prop::collection::vec(any::<u64>(), 0..70);
    let ids = || prop::collection::vec(any::<u8>().prop_map(|tag| key(tag).id()), 0..4);
    let reconcile = (any::<bool>(), any::<u32>(), any::<[u8; 16]>(), any::<u64>()).prop_map(
        |(is_members, number, root, count)| {
            let set = if is_members { Set::Members } else { Set::Proofs };
            let ask = Ask::Open { count, root, tallies: None };
            let question = Question { number, nonce: root, bounds: Bounds::ALL, ask };
            Frame::Reconcile { set, question }
        },
    );
    let reconciled = (any::<bool>(), any::<u32>()).prop_map(|(is_members, number)| {
        let set = if is_members { Set::Members } else { Set::Proofs };
        Frame::Reconciled { set, reply: Reply { number, tell: Tell::Equal } }
    });
    prop_oneof![
        reconcile,
        reconciled,
        (words(), ids()).prop_map(|(names, members)| Frame::Want { names, members }),
        ids().prop_map(|authors| Frame::WantProofs { authors }),
    ]
}

fn announcements() -> impl Strategy<Value = Frame> {
    (any::<[u8; 32]>(), any::<u32>(), any::<bool>()).prop_map(|(id, bytes, sent)| {
        let (topic, id) = (network().topic_id("news").unwrap(), MessageId::from_bytes(id));
        Frame::Announce(Announce { topic, id, bytes, sent })
    })
}

fn frames() -> impl Strategy<Value = Frame> {
    let topic = || network().topic_id("news").unwrap();
    let ids = prop::collection::vec(any::<[u8; 32]>().prop_map(MessageId::from_bytes), 1..50);
    let names = prop::collection::vec(any::<[u8; 8]>().prop_map(ShortId::from_bytes), 1..50);
    let hello =
        (any::<u32>(), any::<u64>(), "[ -~]{0,64}").prop_map(|(version, generation, agent)| {
            let intent = match version % 4 {
                0 => Intent::Gossip,
                1 => Intent::Visit,
                2 => Intent::Observe,
                _ => Intent::Witness,
            };
            let vouch_key = VouchKey::from_bytes([intent as u8; 16]);
            Frame::Hello(Hello { version, generation, agent, intent, vouch_key })
        });
    let message = (any::<u8>(), any::<u64>(), prop::collection::vec(any::<u8>(), 0..2000))
        .prop_map(|(author, seq, payload)| Frame::Publication(publication(author, seq, &payload)));
    let proof = (any::<u8>(), any::<u64>()).prop_map(|(author, seq)| {
        let (one, two) = (publication(author, seq, b"a"), publication(author, seq, b"b"));
        Frame::Proof(Proof::new(one.signed().clone(), two.signed().clone()).unwrap())
    });
    let records = || prop::collection::vec(record(), 0..20);
    prop_oneof![
        hello,
        message,
        proof,
        ids.clone().prop_map(move |ids| Frame::Vouch { topic: topic(), ids }),
        names.clone().prop_map(|names| Frame::ShortVouch { names }),
        names.clone().prop_map(|names| Frame::Ask { names }),
        names.clone().prop_map(|names| Frame::Unknown { names }),
        (names, any::<bool>()).prop_map(|(names, payloads)| Frame::Inquire { names, payloads }),
        announcements(),
        ids.prop_map(move |ids| Frame::Graft { topic: topic(), ids }),
        Just(Frame::Prune { topic: topic(), author: None }),
        any::<u8>().prop_map(|tag| Frame::Adopt { author: key(tag).id() }),
        any::<u8>()
            .prop_map(move |tag| Frame::Prune { topic: topic(), author: Some(key(tag).id()) }),
        Just(Frame::Pull),
        records().prop_map(Frame::Answer),
        records().prop_map(Frame::Push),
        rumours(),
        probes(),
        tables(),
        missed(),
    ]
}

/// What is fetched, offered and hauled.
fn missed() -> impl Strategy<Value = Frame> {
    let topic = network().topic_id("open").unwrap();
    let item = (0..1_u64 << 48, any::<[u8; 32]>()).prop_map(|(at, id)| Item::new(at, id));
    let items = prop::collection::vec(item, 1..50);
    let frames = prop::collection::vec(prop::collection::vec(any::<u8>(), 0..500), 0..5);
    prop_oneof![
        (items.clone(), any::<u32>()).prop_map(move |(items, number)| Frame::Fetch {
            topic,
            number,
            items
        }),
        items.prop_map(move |items| Frame::Offer { topic, items }),
        (frames, any::<u32>(), any::<bool>()).prop_map(move |(frames, number, is_last)| {
            let frames = frames.into_iter().map(Bytes::from).collect();
            Frame::Haul { topic, number, frames, is_last }
        }),
    ]
}

proptest! {
    #[test]
    fn a_frame_comes_back_as_it_went(frame in frames()) {
        let decoded = Frame::decode(&frame.encode(), &network());
        prop_assert_eq!(decoded.as_ref(), Ok(&frame));
        prop_assert_eq!(decoded.unwrap().encode(), frame.encode());
    }

    #[test]
    fn arbitrary_bytes_are_a_frame_or_a_fault(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Frame::decode(&bytes.into(), &network());
    }

    #[test]
    fn a_damaged_frame_is_a_frame_or_a_fault(
        frame in frames(), at in any::<prop::sample::Index>(), to in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut bytes = frame.encode().to_vec();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = to }
        let _ = Frame::decode(&bytes.into(), &network());
    }
}

#[test]
fn more_ids_than_the_bound_are_malformed() {
    let network = network();
    let topic = network.topic_id("open").unwrap();
    let frame = |n: usize| Frame::Vouch { topic, ids: vec![MessageId::from_bytes([1; 32]); n] };
    assert!(Frame::decode(&frame(1024).encode(), &network).is_ok());
    assert_eq!(Frame::decode(&frame(1025).encode(), &network), Err(Fault::Malformed));
    assert_eq!(Frame::decode(&frame(0).encode(), &network), Err(Fault::Malformed));
}

#[test]
fn the_largest_frames_fit_their_lanes() {
    use forsooth_protocol::wire::{CONTROL_FRAME_BYTES_MAX, DATA_FRAME_OVERHEAD_MAX, IDS_MAX};
    let network = network();
    let topic = network.topic_id("open").unwrap();
    let vouch = Frame::Vouch { topic, ids: vec![MessageId::from_bytes([1; 32]); IDS_MAX] };
    assert!(vouch.encode().len() <= CONTROL_FRAME_BYTES_MAX);
    let slot = Slot { author: key(1).id(), topic, generation: u64::MAX, seq: u64::MAX };
    let (at, long) = (Timestamp::from_millis(u64::MAX), Duration::from_secs(u64::MAX));
    let payload = Bytes::from(vec![0; 1 << 20]);
    let largest = Publication::sign(slot, at, long, payload, &key(1), &network);
    assert!(largest.frame().len() <= (1 << 20) + DATA_FRAME_OVERHEAD_MAX);
    let decoded = Frame::decode(largest.frame(), &network);
    assert_eq!(decoded, Ok(Frame::Publication(largest)));
}
