//! Promises that wait for the disk: on topics with a retention a vouch, a receipt and a delivery mean that the message
//! survives whatever happens next.
//!
//! What one input decides of a message is one order. If the disk refuses, the promises are made all the same: the node
//! goes on as if the topic kept nothing.

use std::collections::BTreeMap;

use forsooth_crypto::Verified;

use super::Core;
use crate::{
    Effect, Held, Standing,
    gossip::{self, Vouching},
    message::{Accepted, MessageId, Publication},
    network::TopicId,
    snapshot::Bound,
    sync,
};

/// Orders that the shell has not answered. It answers each, and refuses what it has no room for; so this is only
/// for a shell that does not.
const ORDERS_MAX: usize = 65_536;

/// Orders to the disk, and what is to be done when they are carried out.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    next: u64,
    /// Orders that were given, and are not answered.
    given: BTreeMap<u64, (Held, Vec<Promise>)>,
    /// Orders that the input at hand gives rise to.
    drafts: Vec<Draft>,
    /// Where a message's order is among those.
    places: BTreeMap<MessageId, usize>,
}

#[derive(Debug)]
struct Draft {
    message: Verified<Publication>,
    standing: Standing,
    promises: Vec<Promise>,
}

/// What waits for a message to be on disk.
#[derive(Debug)]
pub(super) enum Promise {
    /// To publish it, and to say so.
    Publish { request: u64, message: Verified<Publication> },
    /// To vouch for it.
    Vouch(MessageId),
    /// To hand it to the application.
    Deliver(Accepted),
}

impl Keeping {
    /// Has a message kept, and a promise made once it is.
    fn draft(
        &mut self,
        message: &Verified<Publication>,
        standing: Standing,
        promise: Option<Promise>,
    ) {
        let place = self.places.get(&message.id()).copied();
        match place.and_then(|place| self.drafts.get_mut(place)) {
            Some(draft) => {
                draft.standing = standing;
                draft.promises.extend(promise);
            }
            None => {
                self.places.insert(message.id(), self.drafts.len());
                let promises = promise.into_iter().collect();
                self.drafts.push(Draft { message: message.clone(), standing, promises });
            }
        }
    }

    /// How many orders are not answered.
    pub(super) fn bound(&self) -> Bound {
        Bound { name: "core.keeping", used: self.given.len(), max: ORDERS_MAX }
    }
}

impl Core {
    /// Whether a topic keeps its messages.
    pub(super) fn is_kept(&self, topic: TopicId) -> bool {
        self.network.topic(topic).retention.is_some()
    }

    /// How a message is passed on.
    pub(super) fn vouching(&self, message: &Publication) -> Vouching {
        if !self.is_kept(message.header().slot.topic) {
            Vouching::Now
        } else if self.is_pulling(message) {
            Vouching::Quietly
        } else {
            Vouching::OnceKept
        }
    }

    /// A message of ours is signed: it is published once it is on disk.
    pub(super) fn keep_own(&mut self, request: u64, message: &Verified<Publication>) {
        let promise = Promise::Publish { request, message: message.clone() };
        self.keeping.draft(message, Standing::Own, Some(promise));
    }

    /// A message is passed on: it is vouched for once it is on disk.
    pub(super) fn keep_held(&mut self, message: &Verified<Publication>) {
        let is_own = message.header().slot.author == self.me;
        let standing = if is_own { Standing::Own } else { Standing::Held };
        self.keeping.draft(message, standing, Some(Promise::Vouch(message.id())));
    }

    /// A message is accepted by its topic's policy: it is handed over once it is on disk.
    pub(super) fn keep_accepted(&mut self, accepted: Accepted, is_wanted: bool) {
        let standing = Standing::Accepted {
            vouchers: accepted.vouchers().to_vec(),
            attestors: accepted.attestors().to_vec(),
        };
        let message = accepted.message().clone();
        let promise = is_wanted.then_some(Promise::Deliver(accepted));
        self.keeping.draft(&message, standing, promise);
    }

    /// Gives the orders that the input at hand gave rise to.
    pub(super) fn order_keeping(&mut self) {
        self.keeping.places.clear();
        let mut all = Vec::new();
        for Draft { message, standing, promises } in std::mem::take(&mut self.keeping.drafts) {
            if self.keeping.given.len() >= ORDERS_MAX {
                promises.into_iter().for_each(|promise| self.fulfil(promise));
                continue;
            }
            let request = self.keeping.next;
            self.keeping.next = request.saturating_add(1);
            let held = Held::new(&message, &standing);
            all.push(held);
            self.keeping.given.insert(request, (held, promises));
            self.effects.push_back(Effect::Keep { request, message, standing });
        }
        if !all.is_empty() {
            self.tell_sync(sync::Event::Keeping(all));
        }
    }

    /// Messages are on disk.
    pub(super) fn kept(&mut self, requests: &[u64]) {
        let given = requests.iter().filter_map(|request| self.keeping.given.remove(request));
        let (mut all, promises): (Vec<_>, Vec<_>) = given.unzip();
        // Its author may have been exposed meanwhile.
        all.retain(|held| !self.ledger.exposed(&held.slot.author));
        self.tell_sync(sync::Event::Kept(all));
        promises.into_iter().flatten().for_each(|promise| self.fulfil(promise));
    }

    /// Messages are not on disk, and the node goes on without.
    pub(super) fn unkept(&mut self, requests: &[u64]) {
        for request in requests {
            let Some((held, promises)) = self.keeping.given.remove(request) else { continue };
            self.tell_sync(sync::Event::Unkept(held));
            promises.into_iter().for_each(|promise| self.fulfil(promise));
        }
    }

    /// A message that came after its lifetime is kept, and nobody is told of it but those who compare.
    pub(super) fn keep_late(&mut self, message: &Verified<Publication>) {
        let is_own = message.header().slot.author == self.me;
        let standing = if is_own { Standing::Own } else { Standing::Held };
        self.keeping.draft(message, standing, None);
    }

    fn fulfil(&mut self, promise: Promise) {
        match promise {
            Promise::Publish { request, message } => {
                let outcome = Ok(self.release(&message));
                self.effects.push_back(Effect::Published { request, outcome });
            }
            Promise::Vouch(id) => self.tell_gossip(gossip::Event::Kept { id }),
            Promise::Deliver(accepted) => self.effects.push_back(Effect::Deliver(accepted)),
        }
    }
}
