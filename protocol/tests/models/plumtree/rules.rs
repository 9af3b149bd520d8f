//! What a node does with a frame.

use super::{
    AUTHOR, Frame, Network, Pace, Publishes, Sent, State, Without,
    node::{Node, Wanted},
};
use crate::set::{NodeId, Set};

impl Network {
    /// The liar.
    pub(super) const fn liar(&self) -> NodeId {
        self.nodes
    }

    fn neighbours(&self, node: NodeId) -> Set {
        let linked = self.chosen.iter().filter_map(|link| match *link {
            (one, other) if one == node => Some(other),
            (one, other) if other == node => Some(one),
            (_, _) => None,
        });
        let liar = self.reach.has(node).then_some(self.liar());
        linked.chain(liar).collect()
    }

    fn chose(&self, node: NodeId, peer: NodeId) -> bool {
        peer == self.liar() || self.chosen.contains(&(node, peer))
    }

    fn send(&self, state: &mut State, from: NodeId, to: NodeId, frame: Frame) {
        // What the liar is sent tells it nothing that it does not know.
        if to != self.liar() {
            let count = state.flight.entry(Sent { from, to, frame }).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// The author's next message.
    pub(super) fn publish(&self, state: &mut State) -> Option<()> {
        let message = state.published;
        let is_time = match self.publishes {
            Publishes::AtRest => state.is_at_rest(),
            Publishes::Always => true,
        };
        if message >= self.messages || !is_time {
            return None;
        }
        state.published += 1;
        self.hold(state, AUTHOR, message, None, Pace::Short);
        Some(())
    }

    /// A frame arrives.
    pub(super) fn receive(&self, state: &mut State, sent: Sent, pace: Pace) {
        let Sent { from, to, frame } = sent;
        let node = state.node_mut(to);
        match frame {
            Frame::Publication(message) if node.holds.has(message) => {
                let [author, topic] = node.duplicate(from, pace);
                let author = author.then_some(Frame::PruneAuthor);
                let topic = topic.then_some(Frame::PruneTopic);
                author.into_iter().chain(topic).for_each(|frame| self.send(state, to, from, frame));
            }
            Frame::Publication(message) => self.hold(state, to, message, Some(from), pace),
            Frame::Vouch(message) => {
                if !node.holds.has(message) && self.without != Without::Repair {
                    node.wanted_mut(message).vouched(from, self.chose(to, from).then_some(from));
                }
            }
            Frame::Graft(message) => {
                if node.holds.has(message) {
                    node.graft(from);
                    self.send(state, to, from, Frame::Publication(message));
                }
            }
            Frame::Adopt => {
                if let Some(tree) = node.tree.as_mut() {
                    tree.children.insert(from);
                }
            }
            Frame::PruneAuthor => {
                if let Some(tree) = node.tree.as_mut() {
                    tree.children.remove(from);
                }
                self.pruned(node, from);
            }
            Frame::PruneTopic => {
                node.lazy.insert(from);
                self.pruned(node, from);
            }
        }
    }

    fn pruned(&self, node: &mut Node, peer: NodeId) {
        if self.without == Without::VouchesToPruned {
            node.unvouched.insert(peer);
        }
    }

    /// A message is new here: push it to the children, vouch to the others that chose us, and see whether somebody had it
    /// before the parent.
    fn hold(&self, state: &mut State, at: NodeId, message: u8, from: Option<NodeId>, pace: Pace) {
        let node = state.node_mut(at);
        node.holds.insert(message);
        let Wanted { first, vouchers, asked } = core::mem::take(node.wanted_mut(message));
        let was_asked = from.is_some_and(|from| asked.has(from));
        node.carry(from, self.neighbours(at));
        let children = node.tree.as_ref().map(|tree| tree.children).unwrap_or_default();
        let unvouched = node.unvouched;
        let better = first.filter(|first| {
            Some(*first) != from && from.is_some() && !was_asked && pace == Pace::Long
        });
        let adoption = better.and_then(|first| Some((first, node.adopt(first)?)));
        for peer in self.neighbours(at).iter() {
            let has = vouchers.has(peer) || asked.has(peer) || Some(peer) == from;
            if children.has(peer) && !has {
                self.send(state, at, peer, Frame::Publication(message));
            } else if self.chose(peer, at) && !unvouched.has(peer) {
                self.send(state, at, peer, Frame::Vouch(message));
            }
        }
        if let Some((parent, old)) = adoption {
            self.send(state, at, parent, Frame::Adopt);
            old.into_iter().for_each(|old| self.send(state, at, old, Frame::PruneAuthor));
        }
    }

    /// A timer has run out.
    pub(super) fn ask(
        &self,
        state: &mut State,
        node: NodeId,
        message: u8,
        voucher: NodeId,
    ) -> Option<()> {
        let wanted = state.node_mut(node).wanted_mut(message);
        if !wanted.vouchers.remove(voucher) {
            return None;
        }
        wanted.asked.insert(voucher);
        if self.without == Without::Others {
            wanted.vouchers = Set::default();
        }
        self.send(state, node, voucher, Frame::Graft(message));
        Some(())
    }
}

impl State {
    pub(super) fn node_mut(&mut self, node: NodeId) -> &mut Node {
        self.nodes.get_mut(usize::from(node)).expect("nodes are numbered")
    }

    /// Whether no frame and no timer is under way: nothing happens any more but by the author or the liar.
    pub(super) fn is_at_rest(&self) -> bool {
        let mut missing = self.nodes.iter().flat_map(|node| &node.missing);
        self.flight.is_empty() && missing.all(|wanted| wanted.vouchers.is_empty())
    }
}

impl Node {
    pub(super) fn wanted_mut(&mut self, message: u8) -> &mut Wanted {
        self.missing.get_mut(usize::from(message)).expect("messages are numbered")
    }
}
