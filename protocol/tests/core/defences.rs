//! Each safeguard stops something, and no longer does when an experiment switches it off.

use std::time::Duration;

use bytes::Bytes;
use forsooth_protocol::{
    Address, Config, Defences, Direction, Effect, Fault, Input, Lane, PeerRecord, Role, Safeguard,
    SignedRecord, Slot,
    network::{Defence, Kind},
    wire::Frame,
};

use crate::{
    rig::{GENERATION, Rig, delivered, key, network_with, sent},
    sync::one_server_hides_what_others_keep,
};

/// What a liar gets through with, and tells whether it did.
fn attack(safeguard: Safeguard, defences: Defences, rig: &mut Rig) -> bool {
    let [liar, other] = [1, 2].map(|tag| rig.inbound(tag));
    let (open, news) = (rig.open(), rig.news());
    match safeguard {
        Safeguard::Quota => {
            for _ in 0..20_000 {
                rig.send(liar, &Frame::Prune { topic: open, author: None });
            }
            !rig.faults().contains(&Fault::OverQuota)
        }
        Safeguard::Bans => {
            rig.send_bytes(liar, Lane::Control, vec![0xff; 4].into());
            rig.banned().is_empty()
        }
        Safeguard::AuthorRate => {
            let mut heard = 0;
            for seq in 0..1000 {
                let message = rig.message(9, open, seq, "spam");
                heard += delivered(&rig.relay(liar, &message)).len();
            }
            heard == 1000
        }
        Safeguard::Proofs => {
            for text in ["yes", "no"] {
                let message = rig.message(9, open, 0, text);
                rig.relay(liar, &message);
            }
            rig.snapshot().exposed == 0
        }
        Safeguard::Witnesses => {
            let message = rig.message(9, news, 0, "unheard of");
            rig.relay(liar, &message);
            !delivered(&rig.vouch(other, &message)).is_empty()
        }
        Safeguard::Threshold => {
            let message = rig.message(9, news, 0, "unheard of");
            !delivered(&rig.relay(liar, &message)).is_empty()
        }
        Safeguard::Expiry => {
            let slot = Slot { author: key(9).id(), topic: open, generation: GENERATION, seq: 0 };
            let old = rig.sign(9, slot, rig.wall(), Duration::from_secs(1), "old");
            rig.wait(Duration::from_secs(5));
            !delivered(&rig.relay(liar, &old)).is_empty()
        }
        Safeguard::Repair => {
            let message = rig.message(9, open, 0, "withheld by the tree");
            rig.vouch(other, &message);
            let effects = rig.wait(Duration::from_secs(1));
            sent(rig, &effects, other).is_empty()
        }
        Safeguard::Promises => {
            let message = rig.message(9, open, 0, "promised and not served");
            rig.vouch(liar, &message);
            rig.wait(Duration::from_secs(5));
            rig.speak(liar);
            rig.wait(Duration::from_secs(15));
            !rig.faults().contains(&Fault::BrokenPromise)
        }
        Safeguard::ServeLimit => {
            let message = rig.message(9, open, 0, "asked for again and again");
            rig.relay(other, &message);
            let graft = Frame::Graft { topic: open, ids: vec![message.id()] };
            let served = |rig: &mut Rig| {
                let effects = rig.send(liar, &graft);
                effects.iter().filter(|effect| matches!(effect, Effect::Send { .. })).count()
            };
            (0..9).map(|_| served(rig)).sum::<usize>() == 9
        }
        Safeguard::Sampling => {
            let role = |peer| rig.snapshot().links.iter().find(|it| it.peer == peer).unwrap().role;
            role(liar) == Role::Witness
        }
        Safeguard::Networks => {
            let others = (3..11).map(|tag| (tag, [tag + 20, 0, 0, 1]));
            let crowd = (11..51).map(|tag| (tag, [99, 0, 0, 1]));
            others.chain(crowd).for_each(|(tag, ip)| meet(rig, tag, ip));
            // Places for one of nine networks, or for most of the view.
            rig.snapshot().overlay.view > 25
        }
        Safeguard::Memory => {
            let mut earlier = Rig::with((*rig.network).clone(), |_| {});
            (3..8).for_each(|tag| meet(&mut earlier, tag, [tag + 20, 0, 0, 1]));
            earlier.wait(Duration::from_secs(200));
            let stored = earlier.log.into_iter().filter_map(|effect| match effect {
                Effect::Store(record) => Some(record),
                _ => None,
            });
            let effects = rig.input(Input::Loaded(stored.collect()));
            !effects.iter().any(|effect| matches!(effect, Effect::Dial { .. }))
        }
        Safeguard::Service => {
            let witnesses: Vec<_> = (3..9).map(|tag| rig.witness(tag)).collect();
            for seq in 0..80 {
                let message = rig.message(9, open, seq, "told by all but one");
                let told = witnesses.iter().chain([&other]);
                told.for_each(|peer| drop(rig.relay(*peer, &message)));
                rig.wait(Duration::from_secs(10));
            }
            rig.linked(&liar)
        }
        Safeguard::CrossVerification => one_server_hides_what_others_keep(defences),
    }
}

/// A peer comes and says where it is.
fn meet(rig: &mut Rig, tag: u8, ip: [u8; 4]) {
    let peer = rig.link(tag, Direction::Inbound, Some(ip.into()));
    let [a, b, c, d] = ip;
    let address = Address::new(&format!("/ip4/{a}.{b}.{c}.{d}/tcp/8650")).unwrap();
    let (addresses, time, work) = (vec![address], rig.wall(), Bytes::new());
    let record = PeerRecord { id: peer, addresses, number: 1, time, work };
    let record = SignedRecord::sign(record, &key(tag), &rig.network);
    rig.send(peer, &Frame::Push(vec![record]));
}

#[test]
fn each_stops_an_attack_that_succeeds_without_it() {
    for safeguard in Safeguard::ALL {
        let few = Defence { control_frames_per_second: 1000, ..Defence::recommended(Kind::Local) };
        let succeeds = |defences: Defences| {
            let adjust = |config: &mut Config| config.defences = defences;
            attack(safeguard, defences, &mut Rig::with(network_with(few), adjust))
        };
        assert!(!succeeds(Defences::ALL), "{safeguard:?}");
        assert!(succeeds(Defences::ALL.without(safeguard)), "{safeguard:?} is off");
    }
}
