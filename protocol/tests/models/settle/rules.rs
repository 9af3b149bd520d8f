//! The rules, one by one.

use super::{Author, Body, Frame, HOP, Header, Loses, Network, Node, Slot, State};
use crate::set::NodeId;

impl Network {
    pub(super) fn neighbours(&self, node: NodeId) -> impl Iterator<Item = NodeId> {
        self.links.iter().filter_map(move |link| match *link {
            (one, other) if one == node => Some(other),
            (one, other) if other == node => Some(one),
            (_, _) => None,
        })
    }

    pub(super) fn send(&self, state: &mut State, from: NodeId, body: Body, except: Option<NodeId>) {
        for to in self.neighbours(from).filter(|to| Some(*to) != except) {
            state.flight.entry(Frame { from, to, body }).or_insert(HOP);
        }
    }

    /// A message comes: sections 5 (steps 6, 9 to 11) and 7. `None` if it changes nothing.
    pub(super) fn receive(
        &self,
        state: &mut State,
        to: NodeId,
        header: Header,
        from: Option<NodeId>,
    ) -> Option<()> {
        let node = state.node_mut(to);
        if node.exposed || self.banned.has(to) {
            return None;
        }
        let slot = node.slot_mut(header.slot);
        match slot.recorded {
            None => {
                slot.recorded = Some(header);
                // The ledger records before the application judges.
                if !self.rejecting.has(to) {
                    slot.waits = Some(self.settle);
                    // To the bringer too: it may count our vouch.
                    self.send(state, to, Body::Message(header), None);
                    self.vouched(state, to, header.slot, from);
                }
                Some(())
            }
            Some(recorded) if recorded == header => self.vouched(state, to, header.slot, from),
            Some(_) => self.expose(state, to, header.slot, None),
        }
    }

    /// Section 6: an honest neighbour vouches for what is recorded. Where one vouch is enough, the liar's is.
    pub(super) fn vouched(
        &self,
        state: &mut State,
        to: NodeId,
        slot: u8,
        from: Option<NodeId>,
    ) -> Option<()> {
        let (from, slot) = (from?, state.node_mut(to).slot_mut(slot));
        (self.counts(slot, from) && slot.vouchers.insert(from)).then_some(())
    }

    /// Whether somebody's vouch for what is recorded can matter still.
    pub(super) fn counts(&self, slot: &Slot, from: NodeId) -> bool {
        self.k > self.liars() && slot.waits.is_some() && !slot.vouchers.has(from)
    }

    /// Section 7: keep the proof, pass it on to all but who brought it, and drop what waits of its author.
    pub(super) fn expose(
        &self,
        state: &mut State,
        to: NodeId,
        slot: u8,
        from: Option<NodeId>,
    ) -> Option<()> {
        let node = state.node_mut(to);
        if node.exposed {
            return None;
        }
        node.exposed = true;
        for (index, of) in (0..).zip(node.slots.iter_mut()) {
            let loses = match self.loses {
                Loses::All => true,
                Loses::Slot => index == slot,
                Loses::Nothing => false,
            };
            if loses {
                (of.waits, of.vouchers) = (None, <_>::default());
            }
        }
        self.send(state, to, Body::Proof { slot }, from);
        Some(())
    }

    /// Section 6: k vouches, and settled.
    pub(super) fn meets(&self, slot: &Slot) -> bool {
        slot.waits == Some(0) && slot.vouchers.len() + self.liars() >= self.k
    }

    /// Liars whose vouches count.
    pub(super) const fn liars(&self) -> u32 {
        match self.author {
            Author::Honest => 0,
            Author::Equivocates => 1,
        }
    }

    pub(super) fn headers(&self) -> impl Iterator<Item = Header> {
        let twins: &[bool] = match self.author {
            Author::Honest => &[false],
            Author::Equivocates => &[false, true],
        };
        (0..self.slots).flat_map(|slot| twins.iter().map(move |twin| Header { slot, twin: *twin }))
    }

    pub(super) fn each_slot(&self) -> impl Iterator<Item = (NodeId, u8)> {
        (0..self.nodes).flat_map(|node| (0..self.slots).map(move |slot| (node, slot)))
    }

    pub(super) fn deliver(&self, state: &mut State, frame: Frame) -> Option<()> {
        state.flight.remove(&frame)?;
        let Frame { from, to, body } = frame;
        // Whether it is news or not, it is no longer on its way.
        let _ = match body {
            Body::Message(header) => self.receive(state, to, header, Some(from)),
            Body::Proof { slot } => self.expose(state, to, slot, Some(from)),
        };
        Some(())
    }

    pub(super) fn accept(&self, state: &mut State, node: NodeId, slot: u8) -> Option<()> {
        let slot = state.node_mut(node).slot_mut(slot);
        if !self.meets(slot) {
            return None;
        }
        (slot.waits, slot.vouchers) = (None, <_>::default());
        match slot.recorded?.twin {
            false => slot.accepted.first = true,
            true => slot.accepted.twin = true,
        }
        Some(())
    }
}

impl State {
    pub(super) fn node_mut(&mut self, node: NodeId) -> &mut Node {
        self.nodes.get_mut(usize::from(node)).expect("nodes are numbered")
    }

    /// Drops frames that can change nothing any more, so that states which differ in them alone are one.
    pub(super) fn tidy(&mut self, network: &Network) {
        let Self { nodes, flight } = self;
        flight.retain(|Frame { from, to, body }, _| {
            let Some(node) = nodes.get(usize::from(*to)) else { return false };
            match body {
                Body::Proof { .. } => !node.exposed,
                Body::Message(_) if node.exposed || network.banned.has(*to) => false,
                Body::Message(_) if network.forgetful.has(*to) => true,
                Body::Message(header) => node
                    .slots
                    .iter()
                    .all(|slot| slot.recorded != Some(*header) || network.counts(slot, *from)),
            }
        });
    }

    /// A tick, unless a frame is due.
    pub(super) fn tick(&mut self) -> Option<()> {
        if self.flight.values().any(|left| *left == 0) {
            return None;
        }
        let mut changes = !self.flight.is_empty();
        self.flight.values_mut().for_each(|left| *left -= 1);
        for slot in self.nodes.iter_mut().flat_map(|node| &mut node.slots) {
            if let Some(left) = slot.waits.as_mut().filter(|left| **left > 0) {
                *left -= 1;
                changes = true;
            }
        }
        changes.then_some(())
    }
}

impl Node {
    pub(super) fn slot_mut(&mut self, slot: u8) -> &mut Slot {
        self.slots.get_mut(usize::from(slot)).expect("slots are numbered")
    }
}

impl Slot {
    /// A restart, or a bound of section 14.
    pub(super) fn forget(&mut self) -> Option<()> {
        self.recorded.take()?;
        (self.waits, self.vouchers) = (None, <_>::default());
        Some(())
    }
}
