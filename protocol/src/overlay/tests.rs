use core::net::IpAddr;

use forsooth_crypto::Keypair;
use rand_core::SeedableRng as _;

use super::*;
use crate::{
    network::{Defence, Grouping, Kind, Policy, Topic},
    time::Timestamp,
};

/// An overlay, and what its machine is lent.
struct Stage {
    overlay: Overlay,
    rng: ChaCha8Rng,
    effects: VecDeque<Effect>,
    signals: VecDeque<Signal>,
}

fn peer(n: u8) -> NodeId {
    Keypair::from_seed([n; 32]).id()
}

/// Everybody is in a /8 of its own.
fn ip(n: u8) -> IpAddr {
    [20 + n, 1, 1, 1].into()
}

impl Stage {
    fn new(table: &str) -> Self {
        let defence = Defence { grouping: Grouping::Subnet, ..Defence::recommended(Kind::Local) };
        let topic = Topic::new("open", Policy::Verified);
        let network = Network::new("stage", Kind::Local, vec![topic], defence).unwrap();
        let asns = Arc::new(AsnMap::parse(table).unwrap());
        let config =
            Config { me: peer(200), network: Arc::new(network), asns, defences: Defences::ALL };
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let overlay = Overlay::new(config, &mut rng);
        Self { overlay, rng, effects: VecDeque::new(), signals: VecDeque::new() }
    }

    fn tell(&mut self, event: Event) {
        let mut cx = Cx {
            now: Time::ZERO,
            wall: Timestamp::from_millis(1_800_000_000_000),
            rng: &mut self.rng,
            effects: &mut self.effects,
            signals: &mut self.signals,
        };
        self.overlay.handle(event, &mut cx);
    }

    /// A dial of ours has found a peer.
    fn find(&mut self, n: u8) {
        let address = Address::new(&format!("/ip4/{}/tcp/8650", ip(n))).unwrap();
        self.tell(Event::Known(vec![Candidate { peer: peer(n), address }]));
        let direction = Direction::Outbound;
        self.tell(Event::Met { peer: peer(n), direction, remote: Some(ip(n)) });
    }
}

/// The first 20 are all of one operator; the others are of nobody known.
fn one_operator() -> String {
    (1..=20).map(|n| format!("{}/8 AS64500\n", ip(n))).collect()
}

#[test]
fn peers_of_one_system_rank_as_peers_of_one_network() {
    for (table, held) in [(one_operator(), 20..45), (String::new(), 0..12)] {
        let mut stage = Stage::new(&table);
        (1..=21).for_each(|n| stage.find(n));
        // One slot of two, or one of 21: of 64 in all.
        let others = stage.overlay.sampler.view().filter(|(held, _)| *held == peer(21)).count();
        assert!(held.contains(&others), "{others}");
    }
}

#[test]
fn a_link_is_drawn_in_another_system_first_and_then_in_another_group() {
    for (table, is_other) in [(one_operator(), true), (String::new(), false)] {
        let mut stage = Stage::new(&table);
        (1..=21).for_each(|n| stage.find(n));
        let Stage { overlay, rng, .. } = &mut stage;
        let group = |n: u8| Group::of(peer(n), Some(ip(n)), Grouping::Subnet);
        let taken = overlay.taken([(group(1), 1)].into(), [ip(1)].into_iter());
        let mut draws = |is_free: &dyn Fn(&NodeId) -> bool| -> Vec<Target> {
            (0..20).filter_map(|_| overlay.draw(is_free, &taken, rng)).collect()
        };
        let first = draws(&|_| true);
        assert_eq!(first.len(), 20);
        assert_eq!(first.iter().all(|target| target.peer == peer(21)), is_other);
        let second = draws(&|drawn| *drawn != peer(21));
        assert_eq!(second.len(), 20);
        assert!(second.iter().all(|target| target.peer != peer(1)));
        let last = draws(&|drawn| *drawn == peer(1));
        assert!(last.iter().all(|target| target.peer == peer(1)) && last.len() == 20);
    }
}
