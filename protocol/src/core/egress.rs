//! Publishing: from the application's bytes to a signed message on its way.

use core::time::Duration;
use std::collections::BTreeMap;

use bytes::Bytes;
use forsooth_crypto::{Untrusted, Verified, verify};

use super::{Core, Lent};
use crate::{
    Effect, Event, Receipt, Refusal, acceptance,
    gossip::Vouching,
    ledger::Entry,
    message::{Publication, Slot},
    network::{Network, RATE_WINDOW, TopicId},
    quota::{CoreClock, Rate},
    snapshot::Twin,
};

/// What this node has published, and how much more it may.
#[derive(Debug)]
pub(super) struct Outlet {
    topics: BTreeMap<TopicId, Channel>,
}

#[derive(Debug)]
struct Channel {
    next_seq: u64,
    rate: Rate,
}

impl Outlet {
    pub(super) fn new(network: &Network, clock: &CoreClock) -> Self {
        let minute = Duration::from_secs(60);
        let channel = |(id, topic): (TopicId, &crate::network::Topic)| {
            let rate = Rate::new(topic.rate_per_minute, minute, topic.burst, clock);
            (id, Channel { next_seq: 0, rate })
        };
        Self { topics: network.topics().map(channel).collect() }
    }
}

impl Core {
    /// Signs a payload and sends it; on topics with a retention, once it is on disk. On a refusal nothing was sent and no
    /// slot is taken.
    pub(super) fn publish(
        &mut self,
        request: u64,
        topic: TopicId,
        payload: Bytes,
        lifetime: Option<Duration>,
    ) {
        let outcome = match self.sign(topic, payload, lifetime) {
            Ok(message) if self.is_kept(topic) => return self.keep_own(request, &message),
            Ok(message) => Ok(self.release(&message)),
            Err(refusal) => Err(refusal),
        };
        self.effects.push_back(Effect::Published { request, outcome });
    }

    fn sign(
        &mut self,
        topic: TopicId,
        payload: Bytes,
        lifetime: Option<Duration>,
    ) -> Result<Verified<Publication>, Refusal> {
        let lifetime = self.publishable(topic, &payload, lifetime)?;
        let channel =
            self.outlet.topics.get_mut(&topic).expect("there is a channel for each topic");
        channel.rate.take(1).map_err(|retry_after| Refusal::OverRate { retry_after })?;
        let slot =
            Slot { author: self.me, topic, generation: self.generation, seq: channel.next_seq };
        let message =
            Publication::sign(slot, self.wall(), lifetime, payload, &self.keypair, &self.network);
        // Nothing is sent that was not verified, our own not excepted: it is the only way to the type.
        let message = verify(Untrusted::new(message)).expect("a key verifies what it signed");
        match self.ledger.record(&message, None) {
            Entry::New => {}
            // The wall clock was set back into windows that are full.
            Entry::OverRate | Entry::Full => {
                return Err(Refusal::OverRate { retry_after: RATE_WINDOW });
            }
            // The slot is taken, and not by us: to publish now would be to say two things.
            Entry::Known | Entry::Conflict(_) => {
                self.twin(Twin { generation: self.generation, is_newer: true });
                return Err(Refusal::Twin);
            }
        }
        if let Some(channel) = self.outlet.topics.get_mut(&topic) {
            channel.next_seq = channel.next_seq.saturating_add(1);
        }
        Ok(message)
    }

    /// Sends a message of ours.
    pub(super) fn release(&mut self, message: &Verified<Publication>) -> Receipt {
        let (id, topic) = (message.id(), message.header().slot.topic);
        let Lent { mut cx, gossip, .. } = self.lend();
        let spread = gossip.spread(message, None, Vouching::Now, &mut cx);
        let event =
            Event::Relayed { id, from: None, pushed: spread.pushed, vouched: spread.vouched };
        self.effects.push_back(Effect::Event(event));
        self.tell_acceptance(acceptance::Event::Published { topic });
        let witnesses_lacking = self.acceptance.witnesses_lacking(topic);
        Receipt { id, sent_to: spread.pushed, queued: spread.pushed == 0, witnesses_lacking }
    }

    fn publishable(
        &self,
        topic: TopicId,
        payload: &Bytes,
        lifetime: Option<Duration>,
    ) -> Result<Duration, Refusal> {
        let rules = self.network.topic(topic);
        if self.ledger.exposed(&self.me) {
            return Err(Refusal::Exposed);
        }
        self.twins.may_publish(self.now)?;
        let max = rules.payload_bytes_max;
        if u32::try_from(payload.len()).map_or(true, |bytes| bytes > max) {
            return Err(Refusal::Oversize { bytes: payload.len(), max });
        }
        let lifetime = lifetime.unwrap_or(rules.lifetime_max);
        if lifetime < Duration::from_millis(1) || lifetime > rules.lifetime_max {
            return Err(Refusal::Lifetime { lifetime, max: rules.lifetime_max });
        }
        Ok(lifetime)
    }
}
