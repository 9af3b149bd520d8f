//! What one peer has named and we have never seen.

use std::collections::{BTreeMap, VecDeque};

use forsooth_crypto::NodeId;

use super::{Index, PROMISE};
use crate::{
    agenda::Agenda,
    links::Role,
    message::MessageId,
    network::TopicId,
    short_id::{ShortId, VouchKey},
    time::Time,
    wire::IDS_MAX,
};

/// Names of one peer for messages that we do not have; its own oldest go first.
pub(super) const OPEN_MAX: usize = 2048;
/// Messages about which it was asked and has not answered; before there are more, all are forgotten.
const POLLED_MAX: usize = 4 * IDS_MAX;
/// Payloads that are asked for in one frame.
const GRAFTED_MAX: usize = 128;

/// A link as far as it is about names.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) role: Role,
    /// What it may yet name to us.
    pub(super) heard: Index,
    /// What we may have named to it; empty until it asks.
    pub(super) said: Index,
    /// What was announced, by anybody, and has yet to come, by what this peer calls it.
    expected: Vec<(ShortId, TopicId, MessageId)>,
    /// What it was asked about, and how many answers are to come.
    polled: BTreeMap<ShortId, (MessageId, u8)>,
    /// What it named and we do not have.
    open: BTreeMap<ShortId, Open>,
    /// When to ask what is meant; among these queues are names that no longer wait for what they are due.
    unclear: VecDeque<(Time, ShortId)>,
    /// When to ask for the payload, meant or not.
    late: VecDeque<(Time, ShortId)>,
    /// By when it has to answer.
    asked: VecDeque<(Time, ShortId)>,
    /// How often it was asked since it last answered.
    pub(super) in_vain: u8,
    timer: Option<Time>,
}

/// A name that waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    /// When it came.
    pub(super) since: Time,
    /// When the payload was asked for.
    pub(super) grafted: Option<Time>,
    /// By when it has to be answered, once anything is asked.
    pub(super) due: Option<Time>,
}

impl Link {
    pub(super) const fn new(ours: VouchKey, theirs: VouchKey) -> Self {
        Self {
            role: Role::Inbound,
            heard: Index::new(ours),
            said: Index::new(theirs),
            expected: Vec::new(),
            polled: BTreeMap::new(),
            open: BTreeMap::new(),
            unclear: VecDeque::new(),
            late: VecDeque::new(),
            asked: VecDeque::new(),
            in_vain: 0,
            timer: None,
        }
    }

    pub(super) const fn timer(&self) -> Option<Time> {
        self.timer
    }

    /// Names that wait.
    pub(super) fn waiting(&self) -> usize {
        self.open.len()
    }

    /// A message is announced.
    pub(super) fn expect(&mut self, topic: TopicId, id: MessageId) {
        self.expected.push((self.heard.key().name(&id), topic, id));
    }

    /// It is here, or will not come.
    pub(super) fn unexpect(&mut self, id: &MessageId) {
        self.expected.retain(|(.., expected)| expected != id);
    }

    /// What is called so, if it was announced.
    pub(super) fn expected(&self, name: ShortId) -> Option<(TopicId, MessageId)> {
        let found = self.expected.iter().find(|(expected, ..)| *expected == name);
        found.map(|(_, topic, id)| (*topic, *id))
    }

    /// It is asked about these. An answer may be on its way to an earlier question when the next is asked: each counts,
    /// or the last of them would pass for a message that we lack.
    pub(super) fn poll(&mut self, ids: &[MessageId]) -> Vec<ShortId> {
        let key = self.heard.key();
        let names: BTreeMap<_, _> =
            ids.iter().take(IDS_MAX).map(|id| (key.name(id), *id)).collect();
        if self.polled.len() + names.len() > POLLED_MAX {
            self.polled.clear();
        }
        for (name, id) in &names {
            let (_, answers) = self.polled.entry(*name).or_insert((*id, 0));
            *answers = answers.saturating_add(1);
        }
        names.into_keys().collect()
    }

    /// It answers a question about what it calls so: which message that is. Once for each question.
    pub(super) fn answered(&mut self, name: ShortId) -> Option<MessageId> {
        let (id, answers) = self.polled.get_mut(&name)?;
        let id = *id;
        *answers = answers.saturating_sub(1);
        if *answers == 0 {
            self.polled.remove(&name);
        }
        Some(id)
    }

    /// Whether this name waits.
    pub(super) fn waits_for(&self, name: ShortId) -> bool {
        self.open.contains_key(&name)
    }

    /// Notes a name, to be asked about and to be asked for at these times.
    pub(super) fn wait_for(&mut self, name: ShortId, now: Time, unclear: Time, late: Time) {
        if self.open.contains_key(&name) {
            return;
        }
        while self.open.len() >= OPEN_MAX {
            let oldest = self.asked.pop_front().or_else(|| self.late.pop_front());
            let Some((_, oldest)) = oldest else { break };
            self.open.remove(&oldest);
        }
        self.open.insert(name, Open { since: now, grafted: None, due: None });
        for (queue, due) in [(&mut self.unclear, unclear), (&mut self.late, late)] {
            // In order, though patience changes.
            let due = queue.back().map_or(due, |(last, _)| due.max(*last));
            queue.push_back((due, name));
            if queue.len() > 2 * OPEN_MAX {
                queue.retain(|(_, name)| self.open.contains_key(name));
            }
        }
    }

    /// What a name that waited is called need not be found out any more.
    pub(super) fn recognise(&mut self, name: ShortId) -> Option<Open> {
        self.open.remove(&name)
    }

    /// Forgets questions that were not answered in time. Whether there were any.
    pub(super) fn forget_broken(&mut self, now: Time) -> bool {
        let mut broken = false;
        while let Some((due, name)) = self.asked.front().copied()
            && due <= now
        {
            self.asked.pop_front();
            if self.open.get(&name).is_some_and(|open| open.due == Some(due)) {
                self.open.remove(&name);
                broken = true;
            }
        }
        broken
    }

    /// Whether to ask what it means.
    pub(super) fn is_unclear(&mut self, now: Time) -> bool {
        self.skip();
        self.unclear.front().is_some_and(|(due, _)| *due <= now)
    }

    /// Whether to ask for payloads, whatever they are.
    pub(super) fn is_late(&mut self, now: Time) -> bool {
        self.skip();
        self.late.front().is_some_and(|(due, _)| *due <= now)
    }

    /// What to ask the meaning of now, in one frame.
    pub(super) fn ask(&mut self, now: Time) -> Vec<ShortId> {
        self.in_vain = self.in_vain.saturating_add(1);
        let mut names = Vec::new();
        while names.len() < IDS_MAX
            && let Some(name) = pop_due(&mut self.unclear, now)
        {
            if let Some(open) = self.open.get_mut(&name).filter(|open| open.due.is_none()) {
                open.due = Some(now + PROMISE);
                self.asked.push_back((now + PROMISE, name));
                names.push(name);
            }
        }
        names
    }

    /// What to ask for now, at most so much.
    pub(super) fn graft(&mut self, room: usize, now: Time) -> Vec<ShortId> {
        let mut names = Vec::new();
        while names.len() < room.min(GRAFTED_MAX)
            && let Some(name) = pop_due(&mut self.late, now)
        {
            if let Some(open) = self.open.get_mut(&name).filter(|open| open.grafted.is_none()) {
                open.grafted = Some(now);
                if open.due.is_none() {
                    open.due = Some(now + PROMISE);
                    self.asked.push_back((now + PROMISE, name));
                }
                names.push(name);
            }
        }
        names
    }

    /// Drops what no longer waits from the heads of the queues.
    fn skip(&mut self) {
        let Self { open, unclear, late, asked, .. } = self;
        let open = |name: &ShortId| open.get(name).copied();
        drop_while(unclear, |_, name| open(name).is_none_or(|open| open.due.is_some()));
        drop_while(late, |_, name| open(name).is_none_or(|open| open.grafted.is_some()));
        drop_while(asked, |due, name| open(name).is_none_or(|open| open.due != Some(due)));
    }

    /// Sets its timer; nobody is asked for payloads before `graft_from`.
    pub(super) fn reschedule(
        &mut self,
        peer: NodeId,
        graft_from: Time,
        timers: &mut Agenda<Time, NodeId>,
    ) {
        self.skip();
        let first = |queue: &VecDeque<(Time, ShortId)>| queue.front().map(|(due, _)| *due);
        let next = [
            first(&self.unclear),
            first(&self.late).map(|due| due.max(graft_from)),
            first(&self.asked),
        ];
        let next = next.into_iter().flatten().min();
        if next == self.timer {
            return;
        }
        if let Some(timer) = self.timer {
            timers.remove(&(timer, peer));
        }
        self.timer = next;
        next.into_iter().for_each(|timer| timers.insert((timer, peer)));
    }

    /// Its timer has gone off.
    pub(super) const fn rang(&mut self) {
        self.timer = None;
    }
}

fn pop_due(queue: &mut VecDeque<(Time, ShortId)>, now: Time) -> Option<ShortId> {
    let (due, name) = queue.front().copied()?;
    if due > now {
        return None;
    }
    queue.pop_front();
    Some(name)
}

fn drop_while(queue: &mut VecDeque<(Time, ShortId)>, is_stale: impl Fn(Time, &ShortId) -> bool) {
    while queue.front().is_some_and(|(due, name)| is_stale(*due, name)) {
        queue.pop_front();
    }
}
