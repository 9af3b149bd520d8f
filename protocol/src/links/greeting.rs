//! What the two sides of a link tell each other that they want of it, and what it becomes by that.
//!
//! Each side's hello names its intent. Gossip begins when both want it; either may come to want it later, and
//! says hello again. Who needs a link no more says so as well, and it ends when neither side needs it.

use forsooth_crypto::NodeId;

use super::{
    ANSWERS_MAX, Address, Class, Config, Cx, Effect, Fault, Frame, Group, Hello, Intent, LINGER,
    Links, Purpose, Role, Signal, VERSION,
};

impl Links {
    pub(super) fn greet(&mut self, from: NodeId, hello: Hello, known: &[NodeId], cx: &mut Cx<'_>) {
        let Some(link) = self.links.get(&from) else { return };
        if hello.version != VERSION {
            return cx.fault(from, Fault::BadHello);
        }
        let before = link.hello.as_ref().map(|hello| hello.intent);
        if link.joined && !hello.intent.is_gossip() && link.role == Some(Role::Inbound) {
            // It needs the link no more, and we never did.
            return cx.signals.push_back(Signal::Close { peer: from });
        }
        let is_join = link.is_visit() && hello.intent.is_gossip();
        let is_admitted = is_join && self.admit_inbound(from, known, cx);
        let Some(link) = self.links.get_mut(&from) else { return };
        if is_admitted {
            link.role = Some(Role::Inbound);
        } else if is_join {
            // It stays the visitor that it was for a moment: a newcomer that knows nobody else is told of others.
            link.leave_at.get_or_insert(cx.now + LINGER);
        }
        let again = before == Some(hello.intent);
        let vouches = hello.intent == Intent::Witness;
        let changed = link.joined && !again;
        link.hello = Some(hello);
        // It lost a connection that we still have, and now waits to be greeted again. Counted, since two
        // who both answer would never end.
        if again && link.answers < ANSWERS_MAX {
            link.answers += 1;
            link.said = None;
        }
        self.say_hello(from, cx);
        if before.is_none() {
            cx.signals.push_back(Signal::Met { peer: from });
        }
        if changed {
            cx.signals.push_back(Signal::Wants { peer: from, vouches });
        }
        self.join(from, cx);
    }

    /// A peer says whether it is here to observe us. It has a place for that if it is drawn for it.
    pub(super) fn note_observer(&mut self, from: NodeId, hello: &Hello, may_observe: bool) {
        let (observers, max) = self.observer_usage();
        let Some(link) = self.links.get_mut(&from) else { return };
        let has_place = link.is_observer || observers < max;
        link.is_observer = hello.intent == Intent::Observe && may_observe && has_place;
    }

    /// We observe a peer no more. The link goes, unless it serves something else.
    pub(super) fn unobserve(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&peer).filter(|link| link.observes) else { return };
        link.observes = false;
        if link.is_visit() && !link.is_observer {
            return cx.signals.push_back(Signal::Close { peer });
        }
        self.say_hello(peer, cx);
    }

    /// Says what we want of a link, if that is not what we said last.
    pub(super) fn say_hello(&mut self, to: NodeId, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&to) else { return };
        let intent = match link.role {
            Some(Role::Witness | Role::Kept) => Intent::Witness,
            Some(Role::Inbound) => Intent::Gossip,
            None if link.observes => Intent::Observe,
            None => Intent::Visit,
        };
        if link.said.replace(intent) != Some(intent) {
            self.tell(to, intent, cx);
        }
    }

    fn tell(&self, to: NodeId, intent: Intent, cx: &mut Cx<'_>) {
        let Config { generation, agent, keys, .. } = &self.config;
        let hello = Hello {
            version: VERSION,
            generation: *generation,
            agent: agent.clone(),
            intent,
            vouch_key: keys.of(&to),
        };
        let frame = Frame::Hello(hello).encode();
        // Not behind the evidence, which is ignored until the hello is here.
        cx.order(Effect::Send { to, class: Class::Evidence, frame });
    }

    /// Begins gossip over a link on which both sides want it.
    fn join(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        let Some(link) = self.links.get_mut(&peer) else { return };
        if let (Some(role), Some(hello), false) = (link.role, &link.hello, link.joined)
            && hello.intent.is_gossip()
        {
            let (key, vouches) = (hello.vouch_key, hello.intent == Intent::Witness);
            link.joined = true;
            self.had_links = true;
            link.service = self.review.newcomer(cx.now);
            cx.signals.push_back(Signal::Joined { peer, role, key, vouches });
        }
    }

    pub(super) fn choose(
        &mut self,
        peer: NodeId,
        (address, group): (Address, Group),
        purpose: Purpose,
        cx: &mut Cx<'_>,
    ) {
        let Some(link) = self.links.get_mut(&peer) else {
            if self.dials.pending(&peer) {
                return self.dials.promote(&peer, purpose);
            }
            self.dials.begin(peer, purpose, group, cx.now);
            return cx.order(Effect::Dial { peer, address });
        };
        match purpose {
            // It came to us before we chose it; from now on it is chosen.
            Purpose::Witness => {
                link.role = Some(Role::Witness);
                link.chosen_at = cx.now;
            }
            Purpose::Kept => {
                link.kept = true;
                if link.role != Some(Role::Witness) {
                    link.role = Some(Role::Kept);
                    link.chosen_at = cx.now;
                }
            }
            Purpose::Observe => link.observes = true,
            Purpose::Visit => {}
        }
        self.say_hello(peer, cx);
        self.join(peer, cx);
    }

    /// A witness that was drawn long ago makes room. It is told that we need it no more, and leaves unless
    /// it has drawn us: then it stays as somebody who came to us, if there is room. Who is kept, stays as that.
    pub(super) fn release(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        let (inbound, inbound_max) = self.inbound_usage();
        let Some(link) = self.links.get_mut(&peer) else { return };
        if link.role != Some(Role::Witness) {
            return;
        }
        if link.kept {
            link.role = Some(Role::Kept);
            return;
        }
        let needs_us = link.hello.as_ref().is_some_and(|hello| hello.intent == Intent::Witness);
        if !needs_us || inbound >= inbound_max {
            return cx.signals.push_back(Signal::Close { peer });
        }
        link.role = Some(Role::Inbound);
        link.said = Some(Intent::Visit);
        self.tell(peer, Intent::Visit, cx);
    }
}
