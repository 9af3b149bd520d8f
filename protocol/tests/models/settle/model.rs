//! What may happen, and what must hold whatever happens.

use stateright::{Model, Property};

use super::{Accepted, Action, Network, Node, Slot, State};

/// What settling is for.
pub(crate) const AGREEMENT: &str = "no two honest nodes accept different messages for one slot";
/// What twice the time gives.
pub(crate) const ALONE: &str = "no honest node holds another message than any of them accepted";
pub(crate) const ACCEPTED: &str = "a message is accepted";
/// Of an honest author, when nothing is on its way any more.
pub(crate) const ACCEPTED_BY_ALL: &str = "at rest, all have accepted what one holds";

impl Model for Network {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        let node = Node { slots: vec![Slot::default(); usize::from(self.slots)], exposed: false };
        let nodes = vec![node; usize::from(self.nodes)];
        vec![State { nodes, flight: <_>::default() }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend(state.flight.keys().map(|frame| Action::Deliver(*frame)));
        actions.extend(self.each_slot().map(|(node, slot)| Action::Accept { node, slot }));
        let show = |to| self.headers().map(move |header| Action::Show { to, header });
        actions.extend((0..self.nodes).flat_map(show));
        let forgets = self.each_slot().filter(|(node, _)| self.forgetful.has(*node));
        actions.extend(forgets.map(|(node, slot)| Action::Forget { node, slot }));
        actions.push(Action::Tick);
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = last.clone();
        match action {
            Action::Show { to, header } => self.receive(&mut state, to, header, None),
            Action::Deliver(frame) => self.deliver(&mut state, frame),
            Action::Accept { node, slot } => self.accept(&mut state, node, slot),
            Action::Forget { node, slot } => state.node_mut(node).slot_mut(slot).forget(),
            Action::Tick => state.tick(),
        }?;
        state.tidy(self);
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let agreement = Property::always(AGREEMENT, |_, state: &State| state.agrees());
        let alone = Property::always(ALONE, |_, state: &State| state.is_alone());
        let accepted = Property::sometimes(ACCEPTED, |_, state: &State| {
            state.slots().any(|slot| slot.accepted != Accepted::default())
        });
        let by_all = Property::always(ACCEPTED_BY_ALL, |network: &Self, state: &State| {
            let is_said = state.slots().any(|slot| slot.recorded.is_some());
            !(is_said && network.is_at_rest(state))
                || state.slots().all(|slot| slot.accepted != Accepted::default())
        });
        vec![agreement, alone, accepted, by_all]
    }
}

impl Network {
    /// Whether nothing will happen unless the author does something.
    fn is_at_rest(&self, state: &State) -> bool {
        let settles = |slot: &Slot| slot.waits.is_some_and(|left| left > 0) || self.meets(slot);
        state.flight.is_empty() && !state.slots().any(settles)
    }
}

impl State {
    fn slots(&self) -> impl Iterator<Item = &Slot> {
        self.nodes.iter().flat_map(|node| &node.slots)
    }

    /// Each pair of views of one slot.
    fn pairs(&self) -> impl Iterator<Item = (&Slot, &Slot)> {
        self.nodes.iter().flat_map(|node| {
            self.nodes.iter().flat_map(|other| node.slots.iter().zip(&other.slots))
        })
    }

    fn agrees(&self) -> bool {
        !self.pairs().any(|(one, other)| one.accepted.first && other.accepted.twin)
    }

    fn is_alone(&self) -> bool {
        !self.pairs().any(|(one, other)| {
            other.recorded.is_some_and(|recorded| {
                if recorded.twin { one.accepted.first } else { one.accepted.twin }
            })
        })
    }
}
