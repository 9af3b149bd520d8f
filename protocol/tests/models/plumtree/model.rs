//! What may happen, and what must hold whatever happens.

use stateright::{Model, Property};

use super::{
    AUTHOR, Action, Frame, Network, Pace, Sent, State, Tells,
    node::{Node, Wanted},
};
use crate::set::NodeId;

/// What repair is for. What the liar kept to itself, and no honest node has, is owed to nobody.
pub(crate) const DELIVERY: &str = "at rest, all hold what the author published";
pub(crate) const CAPTURED: &str = "the liar becomes the parent of all in its reach";
pub(crate) const ALL: &str = "all messages arrive everywhere";

impl Model for Network {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let missing = vec![Wanted::default(); usize::from(self.messages)];
        let nodes = vec![Node { missing, ..Node::default() }; usize::from(self.nodes)];
        vec![State { nodes, flight: <_>::default(), published: 0 }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        // Once all hold everything it stays so.
        if state.published == self.messages && self.is_everywhere(state) {
            return;
        }
        actions.push(Action::Publish);
        for sent in state.flight.keys() {
            let deliver = |pace: &Pace| Action::Deliver(*sent, *pace);
            actions.extend(sent.frame.paces().iter().map(deliver));
        }
        for (node, of) in (0..).zip(&state.nodes) {
            for (message, wanted) in (0..).zip(&of.missing) {
                let ask = |voucher| Action::Ask { node, message, voucher };
                actions.extend(wanted.vouchers.iter().map(ask));
                let broken = |peer| Action::Break { node, message, peer };
                actions.extend(wanted.asked.iter().map(broken));
            }
        }
        self.lies(state, actions);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Publish => self.publish(&mut state)?,
            Action::Deliver(sent, pace) => {
                state.take(sent)?;
                self.receive(&mut state, sent, pace);
            }
            Action::Ask { node, message, voucher } => {
                self.ask(&mut state, node, message, voucher)?
            }
            Action::Break { node, message, peer } => {
                state.node_mut(node).wanted_mut(message).broken(peer)?;
            }
            Action::Lie { to, frame, pace } => {
                self.receive(&mut state, Sent { from: self.liar(), to, frame }, pace);
            }
        }
        match self.tells {
            Tells::All => {}
            Tells::Relevant => state.tidy(self.liar()),
        }
        let ends = matches!(action, Action::Lie { .. }) || state.work() < last.work();
        assert!(ends, "honest nodes come to rest: {action:?} in {last:?}");
        (state != *last).then_some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let delivery = Property::always(DELIVERY, |network: &Self, state: &State| {
            !state.is_at_rest() || network.is_everywhere(state)
        });
        let captured = Property::sometimes(CAPTURED, |network: &Self, state: &State| {
            let parent = |node: &Node| node.tree.as_ref().and_then(|tree| tree.parent);
            let mut nodes = (0..).zip(&state.nodes);
            nodes.all(|(node, of)| {
                node == AUTHOR || !network.reach.has(node) || parent(of) == Some(network.liar())
            })
        });
        let all = Property::sometimes(ALL, |network: &Self, state: &State| {
            state.published == network.messages && network.is_everywhere(state)
        });
        vec![delivery, captured, all]
    }
}

impl Network {
    fn is_everywhere(&self, state: &State) -> bool {
        state.nodes.iter().all(|node| (0..state.published).all(|message| node.holds.has(message)))
    }

    /// Whatever the liar may send.
    fn lies(&self, state: &State, actions: &mut Vec<Action>) {
        let news = |message| [Frame::Publication(message), Frame::Vouch(message)];
        let mut frames: Vec<_> = (0..state.published).flat_map(news).collect();
        match self.tells {
            Tells::All => {
                frames.extend((0..state.published).map(Frame::Graft));
                frames.extend([Frame::Adopt, Frame::PruneAuthor, Frame::PruneTopic]);
            }
            // The others change what the liar is sent, and nothing else.
            Tells::Relevant => {}
        }
        for to in self.reach.iter() {
            for frame in &frames {
                let lie = |pace: &Pace| Action::Lie { to, frame: *frame, pace: *pace };
                actions.extend(frame.paces().iter().map(lie));
            }
        }
    }
}

impl Frame {
    /// How much time may matter to its receiver.
    const fn paces(self) -> &'static [Pace] {
        match self {
            Self::Publication(_) => &[Pace::Short, Pace::Long],
            Self::Vouch(_)
            | Self::Graft(_)
            | Self::Adopt
            | Self::PruneAuthor
            | Self::PruneTopic => &[Pace::Short],
        }
    }

    /// The most steps of honest nodes that follow from it.
    const fn work(self) -> u32 {
        match self {
            Self::Publication(_) => 3,
            Self::Vouch(_) => 7,
            Self::Graft(_) => 4,
            Self::Adopt | Self::PruneAuthor | Self::PruneTopic => 1,
        }
    }
}

impl State {
    /// Takes a frame off its way.
    fn take(&mut self, sent: Sent) -> Option<()> {
        let count = self.flight.get_mut(&sent)?;
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.flight.remove(&sent);
        }
        Some(())
    }

    /// Drops what can matter no more, so that states which differ in it alone are one.
    fn tidy(&mut self, liar: NodeId) {
        let Self { nodes, flight, .. } = self;
        nodes.iter_mut().for_each(|node| node.tidy(liar));
        let is = |node: NodeId, test: &dyn Fn(&Node) -> bool| {
            nodes.get(usize::from(node)).is_some_and(test)
        };
        flight.retain(|Sent { from, to, frame }, _| match frame {
            Frame::Vouch(message) => !is(*to, &|node| node.holds.has(*message)),
            // They make a full node send something, which is the same to another full one.
            Frame::Publication(_) | Frame::Graft(_) => {
                !(is(*to, &Node::is_full) && is(*from, &Node::is_full))
            }
            Frame::Adopt | Frame::PruneAuthor | Frame::PruneTopic => !is(*to, &Node::is_full),
        });
    }

    /// More than the steps that honest nodes can still take unless the liar does something. Each of them makes it less, so they end.
    fn work(&self) -> u32 {
        let flight = self.flight.iter().map(|(sent, count)| sent.frame.work() * u32::from(*count));
        let lacks = self.nodes.iter().flat_map(|node| {
            let lacks = |message| if node.holds.has(message) { 0 } else { 40 };
            (0..).zip(&node.missing).map(move |(message, wanted)| {
                lacks(message) + 6 * wanted.vouchers.len() + wanted.asked.len()
            })
        });
        flight.sum::<u32>() + lacks.sum::<u32>()
    }
}
