//! Whom the core hears of, whom it draws, and what those can do who want to be drawn.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Address, Connection, Direction, Effect, Fault, Input, Lane, PeerRecord, Role, SignedRecord,
    network::{Defence, Grouping, Kind},
    wire::{Frame, Intent, RECORDS_MAX},
};

use crate::rig::{GENERATION, Rig, candidate, greeting, hello, key, network_with, sent};

/// What a peer that the test plays says of itself.
pub(crate) fn record(rig: &Rig, tag: u8, host: u8) -> SignedRecord {
    let address = Address::new(&format!("/ip4/127.0.0.{host}/tcp/8650")).unwrap();
    said(rig, tag, vec![address])
}

pub(crate) fn said(rig: &Rig, tag: u8, addresses: Vec<Address>) -> SignedRecord {
    let (id, time, work) = (key(tag).id(), rig.wall(), Bytes::new());
    let record = PeerRecord { id, addresses, number: 1, time, work };
    SignedRecord::sign(record, &key(tag), &rig.network)
}

/// A peer's record, signed by somebody else.
pub(crate) fn forged(rig: &Rig) -> SignedRecord {
    let honest = record(rig, 9, 9);
    SignedRecord::sign(honest.record().clone(), &key(8), &rig.network)
}

pub(crate) fn dialled(effects: &[Effect]) -> Vec<NodeId> {
    let peer = |effect: &Effect| match effect {
        Effect::Dial { peer, .. } => Some(*peer),
        _ => None,
    };
    effects.iter().filter_map(peer).collect()
}

pub(crate) fn roles(rig: &Rig) -> BTreeMap<NodeId, Role> {
    rig.snapshot().links.iter().map(|link| (link.peer, link.role)).collect()
}

pub(crate) fn ids(frames: &[Frame]) -> Vec<NodeId> {
    let records = |frame: &Frame| match frame {
        Frame::Answer(records) | Frame::Push(records) => records.clone(),
        _ => Vec::new(),
    };
    frames.iter().flat_map(records).map(|record| record.record().id).collect()
}

#[test]
fn a_list_may_be_as_long_as_the_bound_and_no_longer() {
    for (extra, faults) in [(0, vec![]), (1, vec![Fault::Malformed])] {
        let mut rig = Rig::new();
        let peer = rig.inbound(1);
        let records = vec![record(&rig, 2, 2); RECORDS_MAX + extra];
        rig.send(peer, &Frame::Push(records));
        assert_eq!(rig.faults(), faults);
    }
}

#[test]
fn a_record_that_its_peer_did_not_sign_is_its_bringers_fault() {
    for (good, faults) in [(true, vec![]), (false, vec![Fault::BadRecord])] {
        let mut rig = Rig::new();
        let peer = rig.inbound(1);
        let record = if good { record(&rig, 9, 9) } else { forged(&rig) };
        rig.send(peer, &Frame::Push(vec![record]));
        assert_eq!(rig.faults(), faults);
        assert_eq!(rig.banned().contains(&peer), !good);
        assert_eq!(rig.snapshot().candidates, usize::from(good));
    }
}

#[test]
fn an_answer_is_welcome_if_it_was_asked_for_and_once() {
    let mut rig = Rig::new();
    let stranger = rig.inbound(1);
    rig.send(stranger, &Frame::Answer(vec![]));
    assert_eq!(rig.faults(), [Fault::Unsolicited]);
    let asked = rig.witness(2);
    let log = rig.log.clone();
    assert!(
        sent(&rig, &log, asked).contains(&Frame::Pull),
        "whom we dialled because we know nobody is asked"
    );
    rig.send(asked, &Frame::Answer(vec![]));
    assert_eq!(rig.faults().len(), 1);
    rig.send(asked, &Frame::Answer(vec![]));
    assert_eq!(rig.faults(), [Fault::Unsolicited; 2]);
}

#[test]
fn absurd_records_are_refused_and_their_bringer_is_blamed() {
    let text = |text: &str| Address::new(text).unwrap();
    let absurd = [
        vec![],
        vec![text("/dns4/example.org/tcp/1")],
        // A transport would dial what comes last.
        vec![text("/ip4/127.0.0.9/tcp/8650/ip4/127.0.0.8/tcp/8650")],
        vec![text("/ip4/127.0.0.1/tcp/0")],
        vec![text("/ip4/127.0.0.1/tcp/1"), text("/ip4/127.0.0.1/tcp/1")],
    ];
    for addresses in absurd {
        let mut rig = Rig::new();
        let peer = rig.inbound(1);
        let record = said(&rig, 9, addresses);
        rig.send(peer, &Frame::Push(vec![record]));
        assert_eq!(rig.faults(), [Fault::AbsurdRecord]);
        assert_eq!(rig.snapshot().candidates, 0);
    }
}

#[test]
fn records_from_another_time_are_dropped_and_nobody_is_blamed() {
    for (ahead_s, candidates) in [(14, 1), (3600, 0)] {
        let mut rig = Rig::new();
        let peer = rig.inbound(1);
        let mut late = record(&rig, 9, 9).record().clone();
        late.time = late.time.saturating_add(Duration::from_secs(ahead_s));
        let late = SignedRecord::sign(late, &key(9), &rig.network);
        rig.send(peer, &Frame::Push(vec![late]));
        assert_eq!((rig.faults(), rig.snapshot().candidates), (vec![], candidates));
    }
}

#[test]
fn who_pushes_and_asks_without_end_is_not_heard_and_not_banned() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    let lists = 50;
    for _ in 0..lists {
        let records = vec![record(&rig, 2, 2); RECORDS_MAX];
        rig.send(peer, &Frame::Push(records));
    }
    assert_eq!(rig.faults(), vec![Fault::Pushy; lists - 2], "two lists at once are fine");
    let answers = (0..50).filter(|_| {
        let effects = rig.send(peer, &Frame::Pull);
        sent(&rig, &effects, peer).iter().any(|frame| matches!(frame, Frame::Answer(_)))
    });
    assert_eq!(answers.count(), 8);
    assert!(rig.banned().is_empty());
}

#[test]
fn who_asks_is_told_of_us_and_of_our_members() {
    let mut rig = Rig::new();
    let own = Address::new("/ip4/127.0.0.200/tcp/8650").unwrap();
    rig.input(Input::Listening(vec![own]));
    let member = rig.witness(2);
    let said = record(&rig, 2, 2);
    rig.send(member, &Frame::Push(vec![said]));
    let asker = rig.inbound(1);
    let effects = rig.send(asker, &Frame::Pull);
    assert_eq!(ids(&sent(&rig, &effects, asker)), [key(200).id(), member]);
    assert_eq!(rig.snapshot().overlay.record, Some((GENERATION << 20) + 1));
}

#[test]
fn nobody_is_drawn_who_was_not_found_where_it_says() {
    let mut rig = Rig::new();
    let peer = rig.witness(1);
    let pushed = record(&rig, 9, 9);
    rig.send(peer, &Frame::Push(vec![pushed]));
    assert_eq!(rig.snapshot().overlay.view, 1, "it has yet to be tried");
    let mut effects = Vec::new();
    while dialled(&effects).is_empty() {
        effects = rig.wait(Duration::from_secs(1));
    }
    assert_eq!(dialled(&effects), [key(9).id()]);
    rig.input(Input::DialFailed { peer: key(9).id() });
    assert_eq!(rig.snapshot().overlay.view, 1);
}

#[test]
fn who_comes_and_is_where_it_says_may_be_drawn() {
    for (host, role) in [(1, Role::Witness), (2, Role::Inbound)] {
        let mut rig = Rig::new();
        let peer = rig.inbound(1);
        let record = record(&rig, 1, host);
        rig.send(peer, &Frame::Push(vec![record]));
        assert_eq!(roles(&rig)[&peer], role, "seen at 127.0.0.1, said 127.0.0.{host}");
    }
}

#[test]
fn a_visitor_takes_no_part_in_gossip() {
    let mut rig = Rig::new();
    let peer = key(1).id();
    let connection =
        Connection { direction: Direction::Inbound, remote: Some([127, 0, 0, 1].into()) };
    rig.input(Input::Connected { peer, connection });
    let effects = rig.send(peer, &greeting(Intent::Visit));
    assert_eq!(sent(&rig, &effects, peer).len(), 1, "a hello, and no vouches");
    let message = rig.message(9, rig.open(), 0, "hi");
    rig.send(peer, &Frame::Publication(message));
    assert!(rig.snapshot().links.is_empty());
    assert_eq!(rig.snapshot().topics[&rig.open()].verified, 0);
    let effects = rig.wait(Duration::from_secs(30));
    let closed =
        |effect: &Effect| matches!(effect, Effect::Disconnect { fault: None, banned: false, .. });
    assert!(effects.iter().any(closed), "a visit ends");
    assert!(rig.faults().is_empty());
}

#[test]
fn a_kept_peer_is_no_witness_until_it_is_drawn() {
    let mut rig = Rig::new();
    for tag in 1..=8 {
        rig.witness(tag);
    }
    let effects = rig.input(Input::Keep(vec![candidate(20)]));
    let kept = key(20).id();
    assert_eq!(dialled(&effects), [kept], "kept beside all the others");
    rig.link(20, Direction::Outbound, Some([127, 0, 0, 20].into()));
    assert_eq!(roles(&rig)[&kept], Role::Kept);
    assert_eq!(rig.snapshot().witnesses, 8);
    rig.input(Input::Disconnected { peer: key(1).id() });
    assert_eq!(roles(&rig)[&kept], Role::Witness, "a member like others, and drawn");
}

/// A core whose voters and caps go by subnet, with eight witnesses.
pub(crate) fn settled() -> Rig {
    let defence = Defence { grouping: Grouping::Subnet, ..Defence::recommended(Kind::Local) };
    let mut rig = Rig::with(network_with(defence), |_| {});
    for tag in 1..=8 {
        let address = Address::new(&format!("/ip4/20.{tag}.0.1/tcp/1")).unwrap();
        let peer = key(tag).id();
        rig.input(Input::Known(vec![forsooth_protocol::Candidate { peer, address }]));
        let remote = Some([20, tag, 0, 1].into());
        let connection = Connection { direction: Direction::Outbound, remote };
        rig.input(Input::Connected { peer, connection });
        rig.send(peer, &hello());
    }
    assert_eq!(rig.snapshot().witnesses, 8);
    rig
}

pub(crate) fn witnesses(rig: &Rig) -> Vec<NodeId> {
    let links = roles(rig).into_iter();
    links.filter(|(_, role)| *role == Role::Witness).map(|(peer, _)| peer).collect()
}

#[test]
fn fifty_who_come_unasked_displace_no_link_that_was_chosen() {
    let mut rig = settled();
    let before = witnesses(&rig);
    for tag in 100..150 {
        let remote = Some([30, tag, 0, 1].into());
        rig.link(tag, Direction::Inbound, remote);
        let address = Address::new(&format!("/ip4/30.{tag}.0.1/tcp/1")).unwrap();
        let record = said(&rig, tag, vec![address]);
        rig.send(key(tag).id(), &Frame::Push(vec![record]));
        rig.wait(Duration::from_millis(100));
    }
    rig.wait(Duration::from_secs(20));
    assert_eq!(witnesses(&rig), before);
    let inbound = rig.snapshot().links.len() - before.len();
    assert!(inbound <= 48, "{inbound} inbound links");
    assert!(rig.faults().is_empty());
}

#[test]
fn one_subnet_gets_its_share_of_the_inbound_links() {
    let mut rig = settled();
    for tag in 100..150 {
        rig.link(tag, Direction::Inbound, Some([30, 0, 0, tag].into()));
    }
    assert_eq!(rig.snapshot().links.len(), 8 + 8);
    rig.link(200 - 1, Direction::Inbound, Some([31, 0, 0, 1].into()));
    assert_eq!(rig.snapshot().links.len(), 8 + 9, "others still come in");
}

#[test]
fn links_are_drawn_anew_now_and_then_and_never_by_request() {
    let mut rig = settled();
    let before = witnesses(&rig);
    let visitor = rig.link(90, Direction::Inbound, Some([30, 0, 0, 1].into()));
    for _ in 0..20 {
        rig.send(visitor, &hello());
        rig.send(visitor, &Frame::Pull);
    }
    assert_eq!(witnesses(&rig), before);
    // Twelve others, all found: nothing changes while the view has not settled, and few things later.
    let mut replaced = 0;
    for tag in 20..32 {
        let address = Address::new(&format!("/ip4/20.{tag}.0.1/tcp/1")).unwrap();
        let peer = key(tag).id();
        rig.input(Input::Known(vec![forsooth_protocol::Candidate { peer, address }]));
    }
    let mut known = before.clone();
    for _ in 0..2000 {
        for peer in dialled(&rig.wait(Duration::from_secs(1))) {
            let tag = (1..=40).find(|tag| key(*tag).id() == peer).unwrap();
            let remote = Some([20, tag, 0, 1].into());
            let connection = Connection { direction: Direction::Outbound, remote };
            rig.input(Input::Connected { peer, connection });
            rig.send(peer, &hello());
        }
        let now = witnesses(&rig);
        assert!(now.len() <= 9, "one too many at most, for as long as the new one needs");
        replaced += now.iter().filter(|peer| !known.contains(peer)).count();
        known = now;
    }
    assert!((4..60).contains(&replaced), "{replaced} replaced in half an hour");
    let rude = rig.faults();
    assert_eq!(rude, vec![Fault::Pushy; 12], "twenty questions at once are twelve too many");
}

#[test]
fn nobody_fills_the_control_lane_with_records_of_its_own() {
    let mut rig = Rig::new();
    let peer = rig.inbound(1);
    for turn in 0..300u32 {
        let mut id = [3; 32];
        id[..4].copy_from_slice(&turn.to_be_bytes());
        let seed = forsooth_crypto::Keypair::from_seed(id);
        let address = Address::new(&format!("/ip4/20.{}.{}.1/tcp/1", turn / 250, turn % 250));
        let record = PeerRecord {
            id: seed.id(),
            addresses: vec![address.unwrap()],
            number: 1,
            time: rig.wall(),
            work: Bytes::new(),
        };
        let record = SignedRecord::sign(record, &seed, &rig.network);
        rig.send_bytes(peer, Lane::Control, Frame::Push(vec![record]).encode());
    }
    for bound in rig.snapshot().bounds {
        assert!(bound.used <= bound.max, "{bound:?}");
    }
    assert!(rig.snapshot().candidates <= 200, "no more than the budget");
    assert_eq!(rig.snapshot().overlay.view, 0);
}
