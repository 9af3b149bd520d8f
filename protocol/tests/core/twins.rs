//! Another machine with our key, told by what others hold that bears our signature.

use std::time::Duration;

use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Address, Effect, Event, Fault, Input, PeerRecord, Refusal, SignedRecord, Slot, Timestamp,
    snapshot::Twin, wire::Frame,
};

use crate::rig::{GENERATION, Rig, START, key, network, sent};

/// The seed of the core's own key.
const ME: u8 = 200;
const SECOND: Duration = Duration::from_secs(1);
/// Beyond what clocks may differ by.
const LATER: Duration = Duration::from_secs(3600);
/// Records of one generation.
const PER_LIFE: u64 = 1 << 20;

/// Knows of an earlier life, an hour ago.
fn reborn() -> Rig {
    Rig::with(network(), |config| config.former_generation = Some(GENERATION - 3600))
}

fn twins(effects: &[Effect]) -> Vec<Twin> {
    let twin = |effect: &Effect| match effect {
        Effect::Event(Event::Twin(twin)) => Some(*twin),
        _ => None,
    };
    effects.iter().filter_map(twin).collect()
}

/// A message of our own key's comes from somewhere.
fn hear(rig: &mut Rig, from: NodeId, generation: u64, at: Timestamp) -> Vec<Twin> {
    let slot = Slot { author: key(ME).id(), topic: rig.open(), generation, seq: at.as_secs() };
    let message = rig.sign(ME, slot, at, Duration::from_secs(60), "not mine");
    twins(&rig.relay(from, &message))
}

fn publish(rig: &mut Rig) -> Result<(), Refusal> {
    let topic = rig.open();
    let order = Input::Publish { request: 1, topic, payload: "mine".into(), lifetime: None };
    let outcome = |effect: &Effect| match effect {
        Effect::Published { outcome, .. } => Some(*outcome),
        _ => None,
    };
    rig.input(order).iter().find_map(outcome).unwrap().map(drop)
}

/// A record of our own key's, in what somebody tells unasked.
fn told(rig: &mut Rig, from: NodeId, number: u64, time: Timestamp, signer: u8) -> Vec<Twin> {
    let address = Address::new("/ip4/127.0.0.99/tcp/8650").unwrap();
    let record = PeerRecord {
        id: key(ME).id(),
        addresses: vec![address],
        number,
        time,
        work: bytes::Bytes::new(),
    };
    let mut record = SignedRecord::sign(record, &key(ME), &rig.network);
    if signer != ME {
        let forged = key(signer).sign(&forsooth_crypto::Preimage::new(
            forsooth_crypto::Purpose::Record,
            rig.network.digest(),
            record.digest(),
        ));
        record =
            SignedRecord::from_parts(&record.encoded().clone(), forged.as_bytes(), &rig.network)
                .unwrap();
    }
    twins(&rig.send(from, &Frame::Push(vec![record])))
}

#[test]
fn a_machine_that_started_later_keeps_us_from_publishing() {
    let mut rig = reborn();
    let peer = rig.witness(1);
    publish(&mut rig).unwrap();
    let newer = Twin { generation: GENERATION + 60, is_newer: true };
    assert_eq!(hear(&mut rig, peer, GENERATION + 60, START), [newer]);
    assert_eq!((publish(&mut rig), rig.snapshot().twin), (Err(Refusal::Twin), Some(newer)));
}

#[test]
fn a_machine_that_still_runs_in_an_earlier_life_is_told_once_and_stops_nothing() {
    let mut rig = reborn();
    let peer = rig.witness(1);
    let former = GENERATION - 3600;
    rig.wait(LATER);
    let (wall, alive) = (rig.wall(), Twin { generation: former, is_newer: false });
    assert_eq!(hear(&mut rig, peer, former, wall), [alive]);
    assert_eq!(hear(&mut rig, peer, former, wall.saturating_add(SECOND)), []);
    publish(&mut rig).unwrap();
    assert_eq!(hear(&mut rig, peer, GENERATION + 1, wall).len(), 1, "but worse is told again");
    assert_eq!(publish(&mut rig), Err(Refusal::Twin));
}

#[test]
fn what_we_said_in_an_earlier_life_alarms_nobody() {
    let mut rig = reborn();
    let peer = rig.witness(1);
    let (former, before) = (GENERATION - 3600, START.saturating_sub(SECOND));
    assert_eq!(hear(&mut rig, peer, former, before), []);
    assert_eq!(told(&mut rig, peer, former * PER_LIFE + 1, before, ME), []);
    publish(&mut rig).unwrap();
}

#[test]
fn a_generation_between_ours_and_the_last_that_our_disk_knows_is_another_machines() {
    let mut rig = reborn();
    let peer = rig.witness(1);
    let (between, before) = (GENERATION - 1800, START.saturating_sub(SECOND));
    let twin = Twin { generation: between, is_newer: false };
    assert_eq!(told(&mut rig, peer, between * PER_LIFE + 1, before, ME), [twin]);
    publish(&mut rig).unwrap();
    // Who has no disk cannot tell it from an earlier life.
    let mut rig = Rig::new();
    let peer = rig.witness(1);
    assert_eq!(told(&mut rig, peer, between * PER_LIFE + 1, before, ME), []);
}

#[test]
fn a_record_tells_as_much_as_a_message_and_a_forged_one_costs_its_teller() {
    let mut rig = Rig::new();
    let (liar, peer) = (rig.witness(1), rig.witness(2));
    assert_eq!(told(&mut rig, liar, (GENERATION + 9) * PER_LIFE, START, 1), []);
    assert_eq!((rig.faults(), rig.banned()), (vec![Fault::BadRecord], vec![liar]));
    let twin = Twin { generation: GENERATION + 9, is_newer: true };
    assert_eq!(told(&mut rig, peer, (GENERATION + 9) * PER_LIFE, START, ME), [twin]);
    assert_eq!(publish(&mut rig), Err(Refusal::Twin));
    assert!(rig.snapshot().overlay.view <= 2, "nobody dials itself");
}

#[test]
fn who_asks_is_told_of_its_own_record_too() {
    let mut rig = Rig::new();
    let here = Address::new("/ip4/127.0.0.200/tcp/8650").unwrap();
    rig.input(Input::Listening(vec![here]));
    let peer = rig.witness(3);
    let address = Address::new("/ip4/127.0.0.3/tcp/8650").unwrap();
    let record = PeerRecord {
        id: peer,
        addresses: vec![address],
        number: 5,
        time: START,
        work: bytes::Bytes::new(),
    };
    rig.send(peer, &Frame::Push(vec![SignedRecord::sign(record, &key(3), &rig.network)]));
    let effects = rig.send(peer, &Frame::Pull);
    let answers = sent(&rig, &effects, peer);
    let Some(Frame::Answer(records)) = answers.first() else { panic!("{answers:?}") };
    let own = records.iter().filter(|record| record.record().id == peer);
    assert_eq!(own.map(|record| record.record().number).collect::<Vec<_>>(), [5]);
}

#[test]
fn nothing_is_published_while_a_node_listens() {
    let mut rig = Rig::with(network(), |config| config.listen = 3 * SECOND);
    let peer = rig.witness(1);
    rig.wait(SECOND);
    assert_eq!(publish(&mut rig), Err(Refusal::Listening { retry_after: 2 * SECOND }));
    assert_eq!(hear(&mut rig, peer, GENERATION + 1, START).len(), 1);
    rig.wait(2 * SECOND);
    assert_eq!(publish(&mut rig), Err(Refusal::Twin), "it was noticed in time");
    let mut rig = Rig::with(network(), |config| config.listen = 3 * SECOND);
    rig.wait(3 * SECOND);
    assert_eq!(publish(&mut rig), Ok(()));
}
