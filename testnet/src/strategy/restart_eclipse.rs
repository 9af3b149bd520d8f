//! Fills the address book, and waits for a restart.

use std::{net::Ipv4Addr, time::Duration};

use bytes::Bytes;
use forsooth_protocol::{
    Address, Class, Effect, Time,
    overlay::record::{PeerRecord, SignedRecord},
    wire::Frame,
};
use rand::RngExt as _;

use super::{Brief, Cx, Intensity, Kind, Onset, Strategy, Wire, craft, eclipse::Eclipse};

/// Usual time between two lists of lies.
const PACE: Duration = Duration::from_secs(1);
/// Identities in a list: as many as a book takes from one.
const LIES: usize = 8;

/// The strategy's entry.
pub const RESTART_ECLIPSE: Kind = Kind {
    name: "restart-eclipse",
    row: 16,
    sentence: "Fills its victims' address books with identities that are nowhere, and surrounds them as `eclipse` \
               does, which pays when they start again.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| Box::new(RestartEclipse::new(brief)),
};

struct RestartEclipse {
    intensity: Intensity,
    eclipse: Eclipse,
    /// When the next list of lies is due.
    lie_at: Time,
}

impl RestartEclipse {
    fn new(brief: &Brief) -> Self {
        Self { intensity: brief.intensity, eclipse: Eclipse::new(brief), lie_at: Time::ZERO }
    }
}

impl Strategy for RestartEclipse {
    fn on_effect(&mut self, effect: Effect, cx: &mut Cx<'_>) -> Option<Effect> {
        self.eclipse.on_effect(effect, cx)
    }

    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        let next = self.eclipse.act(cx)?;
        if self.lie_at <= cx.now {
            self.lie_at = cx.now + pace;
            for victim in cx.victims() {
                let lies = (0..LIES).map(|_| nobody(cx)).collect();
                cx.attack(victim, Class::Peers, Frame::Push(lies).encode());
            }
        }
        Some(next.min(self.lie_at))
    }
}

/// The record of somebody who is nowhere, as its key signs it.
fn nobody(cx: &mut Cx<'_>) -> SignedRecord {
    let key = craft::throwaway(cx);
    // What a victim on a loopback address believes must not lead it out into the world.
    let is_local =
        cx.own_addresses().iter().any(|address| address.as_str().starts_with("/ip4/127."));
    let [high, middle, low] = cx.rng.random();
    let ip = if is_local {
        Ipv4Addr::new(127, 251, middle, low)
    } else {
        Ipv4Addr::new(high % 64 + 32, middle, low, 1)
    };
    let port: u16 = cx.rng.random_range(1024..u16::MAX);
    let address = Address::new(&format!("/ip4/{ip}/tcp/{port}"));
    let record = PeerRecord {
        id: key.id(),
        addresses: address.into_iter().collect(),
        number: 1,
        time: cx.wall,
        work: Bytes::new(),
    };
    SignedRecord::sign(record, &key, cx.network)
}
