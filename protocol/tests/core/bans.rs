//! Who is refused: bans by the operator, and of networks from which one bad peer comes after another.

use std::{net::IpAddr, time::Duration};

use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Ban, BanCause, Candidate, Direction, Effect, Event, Input, Lane, Net, Record, Whom,
    network::{Defence, Grouping, Kind},
};

use crate::rig::{Rig, START, candidate, key, network_with};

const HOUR: Duration = Duration::from_secs(3600);

fn net(text: &str) -> Net {
    text.parse().unwrap()
}

fn ip(last: u8) -> Option<IpAddr> {
    Some([192, 0, 2, last].into())
}

/// Where a subnet counts as one.
fn on_the_internet() -> Rig {
    let defence = Defence { grouping: Grouping::Subnet, ..Defence::recommended(Kind::Production) };
    Rig::with(network_with(defence), |_| {})
}

/// Somebody comes from a host and talks nonsense.
fn misbehave(rig: &mut Rig, tag: u8) -> Vec<Effect> {
    let peer = rig.link(tag, Direction::Inbound, ip(tag));
    rig.send_bytes(peer, Lane::Control, vec![0xff; 4].into())
}

fn bans(effects: &[Effect]) -> Vec<Ban> {
    let ban = |effect: &Effect| match effect {
        Effect::Event(Event::Banned(ban)) => Some(*ban),
        _ => None,
    };
    effects.iter().filter_map(ban).collect()
}

fn stored(effects: &[Effect]) -> Vec<Record> {
    let record = |effect: &Effect| match effect {
        Effect::Store(record @ (Record::Ban(_) | Record::Pardon { .. })) => Some(record.clone()),
        _ => None,
    };
    effects.iter().filter_map(record).collect()
}

fn is_let_in(rig: &mut Rig, tag: u8, direction: Direction, remote: Option<IpAddr>) -> bool {
    let peer: NodeId = rig.link(tag, direction, remote);
    rig.linked(&peer)
}

#[test]
fn where_four_peers_are_banned_newcomers_are_refused_for_an_hour() {
    let mut rig = on_the_internet();
    for tag in 1..=3 {
        assert_eq!(bans(&misbehave(&mut rig, tag)).len(), 1);
    }
    assert!(is_let_in(&mut rig, 50, Direction::Inbound, ip(50)));
    let effects = misbehave(&mut rig, 4);
    let until = Some(START.saturating_add(HOUR));
    let company = Ban { whom: net("192.0.2.0/24").into(), cause: BanCause::Company, until };
    assert!(bans(&effects).contains(&company) && stored(&effects).contains(&Record::Ban(company)));

    assert!(!is_let_in(&mut rig, 5, Direction::Inbound, ip(5)));
    assert!(is_let_in(&mut rig, 6, Direction::Inbound, Some([198, 51, 100, 6].into())));
    assert!(is_let_in(&mut rig, 7, Direction::Outbound, ip(7)), "whom we drew is no newcomer");
    assert!(rig.linked(&key(50).id()), "who was here stays");
    rig.wait(HOUR);
    assert!(is_let_in(&mut rig, 8, Direction::Inbound, ip(8)));
}

#[test]
fn a_kept_peer_is_let_in_whatever_its_neighbours_do() {
    let mut rig = on_the_internet();
    rig.input(Input::Keep(vec![Candidate { peer: key(9).id(), ..candidate(9) }]));
    for tag in 1..=4 {
        misbehave(&mut rig, tag);
    }
    assert!(!is_let_in(&mut rig, 5, Direction::Inbound, ip(5)));
    assert!(is_let_in(&mut rig, 9, Direction::Inbound, ip(9)));
}

#[test]
fn on_one_machine_nobody_answers_for_others() {
    let mut rig = Rig::new();
    for tag in 1..=20 {
        let peer = rig.inbound(tag);
        rig.send_bytes(peer, Lane::Control, vec![0xff; 4].into());
    }
    assert_eq!(rig.banned().len(), 20);
    let peer = rig.inbound(21);
    assert!(rig.linked(&peer));
}

#[test]
fn the_operator_bans_a_peer_for_a_time_and_lifts_it() {
    let mut rig = Rig::new();
    let peer = rig.witness(1);
    let effects = rig.input(Input::Ban { whom: peer.into(), length: Some(HOUR) });
    let ban = Ban {
        whom: peer.into(),
        cause: BanCause::Operator,
        until: Some(START.saturating_add(HOUR)),
    };
    assert_eq!((bans(&effects), stored(&effects)), (vec![ban], vec![Record::Ban(ban)]));
    let closed = |effect: &Effect| matches!(effect, Effect::Disconnect { peer: closed, banned: true, .. } if *closed == peer);
    assert!(effects.iter().any(closed));
    assert!(!is_let_in(&mut rig, 1, Direction::Inbound, None));
    let effects = rig.input(Input::Pardon { whom: peer.into() });
    assert_eq!(stored(&effects), [Record::Pardon { whom: peer.into() }]);
    assert!(is_let_in(&mut rig, 1, Direction::Inbound, None));
    assert_eq!(stored(&rig.input(Input::Pardon { whom: peer.into() })), [], "there is none");
}

#[test]
fn nobody_is_linked_from_a_network_that_the_operator_bans() {
    let mut rig = on_the_internet();
    assert!(is_let_in(&mut rig, 1, Direction::Inbound, ip(1)));
    assert!(is_let_in(&mut rig, 2, Direction::Outbound, ip(2)));
    assert!(is_let_in(&mut rig, 3, Direction::Inbound, Some([198, 51, 100, 3].into())));
    let whom = Whom::Net(net("192.0.2.0/25"));
    rig.input(Input::Ban { whom, length: None });
    let linked: Vec<_> = rig.snapshot().links.iter().map(|link| link.peer).collect();
    assert_eq!(linked, [key(3).id()]);
    assert!(!is_let_in(&mut rig, 4, Direction::Inbound, ip(4)));
    assert!(!is_let_in(&mut rig, 5, Direction::Outbound, ip(5)));
    assert!(is_let_in(&mut rig, 6, Direction::Inbound, ip(128)), "beyond its bits");
    rig.input(Input::Pardon { whom });
    assert!(is_let_in(&mut rig, 4, Direction::Inbound, ip(4)));
}

#[test]
fn bans_of_networks_survive_a_restart() {
    let mut rig = on_the_internet();
    let ban = |bits, cause| Ban { whom: net(bits).into(), cause, until: None };
    let bans = [ban("192.0.2.0/24", BanCause::Operator), ban("198.51.100.0/24", BanCause::Company)];
    rig.input(Input::Loaded(bans.map(Record::Ban).to_vec()));
    assert_eq!(rig.snapshot().bans, bans);
    assert!(!is_let_in(&mut rig, 1, Direction::Outbound, ip(1)));
}

#[test]
fn a_node_does_not_ban_itself() {
    let mut rig = Rig::new();
    let me = rig.core.id();
    assert_eq!(stored(&rig.input(Input::Ban { whom: me.into(), length: None })), []);
    assert!(rig.banned().is_empty());
}
