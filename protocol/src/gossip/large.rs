//! Large payloads: announced before they are sent to who may have another parent, so that a redundant link costs ids.
//!
//! gossipsub 1.2 tells its neighbours what it has (IDONTWANT) once it has it, by when much of the rest is on its way. Here who
//! is about to send says so, with the size: to a child that has no other parent it then sends, and from all others it waits to be
//! asked. The receiver takes the payload from the first who says so and waits for as long as so many bytes take
//! ([`Missing`](super::missing::Missing)). An announcement is a vouch by full id and no less of a promise.

use bytes::Bytes;
use forsooth_crypto::NodeId;

use super::{
    Gossip, Known,
    missing::{Manner, Voucher},
    naming::Named,
    tree::Size,
};
use crate::{
    Class, Effect,
    links::Role,
    machine::Cx,
    message::MessageId,
    network::TopicId,
    wire::{Announce, Frame},
};

/// Payloads above this are announced. An announcement takes some 50 bytes, and may cost a round trip.
const LARGE_BYTES: usize = 4096;

/// Whether a message is announced, by its frame.
pub(super) const fn size(frame: &Bytes) -> Size {
    if frame.len() > LARGE_BYTES { Size::Large } else { Size::Small }
}

/// What a peer is told of a large message.
pub(super) fn announce(to: NodeId, known: Known, frame: &Bytes, manner: Manner) -> Effect {
    let Known { topic, id, .. } = known;
    // A little more than the payload: what is on its way is the frame.
    let bytes = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    let frame = Frame::Announce(Announce { topic, id, bytes, sent: manner == Manner::Sent });
    Effect::Send { to, class: Class::Vouch, frame: frame.encode() }
}

impl Gossip {
    /// Sends a payload; a large one is announced on the other lane, which it does not delay.
    pub(super) fn send(to: NodeId, class: Class, (known, frame): (Known, &Bytes), cx: &mut Cx<'_>) {
        if size(frame) == Size::Large {
            cx.order(announce(to, known, frame, Manner::Sent));
        }
        cx.order(Effect::Send { to, class, frame: frame.clone() });
    }

    /// A peer announces a message. Who had named it, that peer among them; its name is understood from now on.
    pub(crate) fn expect(&mut self, from: &NodeId, topic: TopicId, id: MessageId) -> Vec<Named> {
        if self.trees.knows(from) { self.naming.expect(*from, topic, id) } else { Vec::new() }
    }

    /// A peer announces a message that we lack. Whoever is first is asked, or waited for.
    pub(super) fn announced(
        &mut self,
        from: NodeId,
        role: Role,
        Announce { topic, id, bytes, sent }: Announce,
        cx: &mut Cx<'_>,
    ) {
        if !self.trees.knows(&from) || self.store.refused(&id) {
            return;
        }
        let voucher = Voucher { peer: from, role, topic };
        let manner = if sent { Manner::Sent } else { Manner::Offered };
        if self.missing.announced(id, voucher, bytes, manner, cx.now).is_some() {
            self.ask([((from, topic), vec![id])].into(), cx);
        }
    }
}
