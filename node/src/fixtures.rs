//! What several unit tests need: a network, and checks with tickets, which only a core gives out.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use forsooth_crypto::Keypair;
use forsooth_protocol::{
    Check, Config, Connection, Core, Direction, Effect, Input, Lane, Network, Participant as _,
    Publication, Slot, Ticket, Time, Timestamp, VouchKey,
    network::{Defence, Kind, Policy, Topic},
    wire::{Frame, Hello, Intent, VERSION},
};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A local network with one topic, `t`.
pub(crate) fn network(name: &str) -> Network {
    let topic = Topic { burst: 10_000, ..Topic::new("t", Policy::Verified) };
    Network::new(name, Kind::Local, vec![topic], Defence::recommended(Kind::Local)).unwrap()
}

/// Checks that a core orders for messages of which every third is forged; by ticket, whether it holds.
pub(crate) fn checks(count: u64) -> (Vec<(Ticket, Check)>, BTreeMap<Ticket, bool>) {
    let network = Arc::new(network("n"));
    let mut core =
        Core::new(Config::new(Arc::clone(&network), 1), Keypair::from_seed([1; 32]), [0; 32]);
    let author = Keypair::from_seed([2; 32]);
    let peer = author.id();
    let connection = Connection { direction: Direction::Outbound, remote: None };
    let hello = Frame::Hello(Hello {
        version: VERSION,
        generation: 1,
        agent: "test".to_owned(),
        intent: Intent::Gossip,
        vouch_key: VouchKey::from_bytes([0; 16]),
    })
    .encode();
    let mut now = Time::ZERO;
    let mut feed = |input| {
        now = now + Duration::from_millis(10);
        core.handle(now, input).collect::<Vec<_>>()
    };
    feed(Input::WallClock(NOW));
    feed(Input::Connected { peer, connection });
    feed(Input::Received { from: peer, lane: Lane::Control, frame: hello });

    let (mut ordered, mut expected) = (Vec::new(), BTreeMap::new());
    for seq in 0..count {
        let slot = Slot { author: peer, topic: network.topic_id("t").unwrap(), generation: 1, seq };
        // A signature of somebody else's.
        let holds = seq % 3 != 0;
        let signer = if holds { author.clone() } else { Keypair::from_seed([3; 32]) };
        let payload = Bytes::from(seq.to_le_bytes().to_vec());
        let message =
            Publication::sign(slot, NOW, Duration::from_secs(60), payload, &signer, &network);
        for effect in
            feed(Input::Received { from: peer, lane: Lane::Data, frame: message.frame().clone() })
        {
            if let Effect::Verify { ticket, check } = effect {
                expected.insert(ticket, holds);
                ordered.push((ticket, check));
            }
        }
    }
    assert_eq!(ordered.len() as u64, count);
    (ordered, expected)
}
