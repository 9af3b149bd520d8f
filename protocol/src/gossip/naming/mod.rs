//! What short ids stand for on each link, and whom to ask when we do not know.
//!
//! A short id that comes after its message is looked up among those that the messages verified here have on this link.
//! One that comes before waits, and is recognised when the message comes. If that takes a fifth as long as we are
//! patient with the tree, who named it is asked for the full id; what one answers is recognised on all other links too.
//! If patience is over before that, some are asked for the payload by their name: no more at a time than there are
//! messages missing, since nobody can tell yet whether another means the same. So a vouch costs 8 bytes, and 32 more
//! only where something is late, which costs no time. What a peer announces by its full id has a name on each link at once.

mod index;
mod link;

use core::time::Duration;

use forsooth_crypto::NodeId;
use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

use self::{
    index::{Index, Log},
    link::{Link, OPEN_MAX},
};
use super::PROMISE;
use crate::{
    agenda::Agenda,
    bounded::FairMap,
    links::Role,
    message::MessageId,
    network::TopicId,
    peer_map::PeerMap,
    short_id::{ShortId, VouchKey, VouchKeys},
    snapshot::Bound,
    time::Time,
};

/// Announced messages that are on their way, each charged to who announced it first.
const EXPECTED_MAX: usize = 64;
/// How long to wait when no more payloads may be asked for by name.
const GRAFT_EVERY: Duration = Duration::from_millis(20);

/// Names on all links.
#[derive(Debug)]
pub(super) struct Naming {
    keys: VouchKeys,
    /// Messages verified here lately.
    log: Log,
    links: PeerMap<Link>,
    timers: Agenda<Time, NodeId>,
    /// What was asked for lately by name.
    grafted: Flight,
    /// What was announced and is not here.
    expected: FairMap<MessageId, NodeId, ()>,
}

/// What a peer named that we know.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// It is held.
    pub(crate) held: Vec<MessageId>,
    /// It was announced, and has yet to come.
    pub(crate) expected: Vec<(TopicId, MessageId)>,
}

/// Names that somebody was asked about a moment ago.
#[derive(Debug, Default)]
struct Flight {
    /// Until when each counts.
    names: Vec<(Time, NodeId, ShortId)>,
    /// Nobody is asked before then.
    from: Time,
}

/// A message that was verified here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) topic: TopicId,
    pub(super) id: MessageId,
    /// It is held, so we vouch for it; else it was refused.
    pub(super) is_held: bool,
}

/// Who had named a message before we knew what was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// Who.
    pub(crate) peer: NodeId,
    /// Since when.
    pub(crate) since: Time,
    /// When it was asked for the payload, if it was.
    pub(crate) grafted: Option<Time>,
}

/// Whom to ask for what, and who did not answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// What these mean.
    pub(super) unclear: Vec<(NodeId, Vec<ShortId>)>,
    /// For the payloads of these.
    pub(super) late: Vec<(NodeId, Vec<ShortId>)>,
    /// Once for each question.
    pub(super) broken: Vec<NodeId>,
}

impl Naming {
    pub(super) fn new(keys: VouchKeys) -> Self {
        let (links, timers) = (PeerMap::new(), Agenda::new());
        let (log, grafted) = (Log::default(), Flight::default());
        Self { keys, log, links, timers, grafted, expected: FairMap::new(EXPECTED_MAX) }
    }

    /// A peer takes part from now on, and wants messages named under this key.
    pub(super) fn join(&mut self, peer: NodeId, theirs: VouchKey) {
        if !self.links.contains_key(&peer) {
            self.links.insert(peer, Link::new(self.keys.of(&peer), theirs));
        }
    }

    pub(super) fn leave(&mut self, peer: &NodeId) {
        let timer = self.links.remove(peer).and_then(|link| link.timer());
        timer.into_iter().for_each(|timer| self.timers.remove(&(timer, *peer)));
    }

    /// What a message is called when we tell this peer of it.
    pub(super) fn name(&self, to: &NodeId, id: &MessageId) -> Option<ShortId> {
        self.links.get(to).map(|link| link.said.key().name(id))
    }

    /// A message was verified here.
    pub(super) fn note(&mut self, known: Known) {
        self.unexpect(&known.id);
        self.log.push(known);
    }

    /// A peer announces a message that we lack. Who had named it; who names it from now on is understood.
    pub(super) fn expect(&mut self, from: NodeId, topic: TopicId, id: MessageId) -> Vec<Named> {
        if !self.expected.contains(&id) {
            for (forgotten, ()) in self.expected.insert(id, from, 1, ()) {
                self.links.iter_mut().for_each(|(_, link)| link.unexpect(&forgotten));
            }
            self.links.iter_mut().for_each(|(_, link)| link.expect(topic, id));
        }
        self.recognise(&id)
    }

    /// What was announced is here, or will not come.
    pub(super) fn unexpect(&mut self, id: &MessageId) {
        if self.expected.remove(id).is_some() {
            self.links.iter_mut().for_each(|(_, link)| link.unexpect(id));
        }
    }

    /// A peer says that it has what is called so. Returns what we know of it; what we never saw waits, and is asked for
    /// after `patience`.
    pub(super) fn told(
        &mut self,
        from: &NodeId,
        role: Role,
        names: &[ShortId],
        (now, patience): (Time, Duration),
    ) -> Heard {
        let mut heard = Heard::default();
        let Some(link) = self.links.get_mut(from) else { return heard };
        link.role = role;
        for name in names {
            if let Some(known) = link.heard.take(*name, &self.log) {
                heard.held.extend(known.is_held.then_some(known.id));
            } else if let Some(id) = link.answered(*name) {
                heard.held.push(id);
            } else if let Some(expected) = link.expected(*name) {
                heard.expected.push(expected);
            } else {
                link.wait_for(*name, now, now + patience / 5, now + patience);
            }
        }
        link.reschedule(*from, self.grafted.from, &mut self.timers);
        heard
    }

    /// A message is known by its full id now. Who had named it.
    pub(super) fn recognise(&mut self, id: &MessageId) -> Vec<Named> {
        let mut named = Vec::new();
        for (peer, link) in self.links.iter_mut().filter(|(_, link)| link.waiting() > 0) {
            if let Some(open) = link.recognise(link.heard.key().name(id)) {
                named.push(Named { peer: *peer, since: open.since, grafted: open.grafted });
                link.reschedule(*peer, self.grafted.from, &mut self.timers);
            }
        }
        named
    }

    /// A peer says in full that it has a message. Who had named it, that peer among them: others only if it was asked
    /// about a name of its own.
    pub(super) fn answered(&mut self, from: &NodeId, id: &MessageId) -> Vec<Named> {
        let Some(link) = self.links.get_mut(from) else { return Vec::new() };
        let Some(open) = link.recognise(link.heard.key().name(id)) else { return Vec::new() };
        link.reschedule(*from, self.grafted.from, &mut self.timers);
        let mut named = vec![Named { peer: *from, since: open.since, grafted: open.grafted }];
        if open.due.is_some() {
            link.in_vain = 0;
            named.extend(self.recognise(id));
        }
        named
    }

    /// Messages about which a peer is asked, all of which are held here. Returns what it calls them.
    pub(super) fn poll(&mut self, to: &NodeId, ids: &[MessageId]) -> Vec<ShortId> {
        self.links.get_mut(to).map_or_else(Vec::new, |link| link.poll(ids))
    }

    /// Of what a peer was asked about, it does not know these.
    pub(super) fn unknown(&mut self, from: &NodeId, names: &[ShortId]) -> Vec<MessageId> {
        let Some(link) = self.links.get_mut(from) else { return Vec::new() };
        names.iter().filter_map(|name| link.answered(*name)).collect()
    }

    /// What we hold and would call so.
    pub(super) fn held(&mut self, to: &NodeId, name: ShortId) -> Option<MessageId> {
        let Self { links, log, .. } = self;
        let found = links.get_mut(to).and_then(|link| link.said.find(name, log));
        found.filter(|known| known.is_held).map(|known| known.id)
    }

    /// The messages that we vouched for to this peer by these names.
    pub(super) fn meant<'a>(
        &'a mut self,
        to: &NodeId,
        names: &'a [ShortId],
    ) -> impl Iterator<Item = (TopicId, MessageId)> + use<'a> {
        let Self { links, log, .. } = self;
        let mut link = links.get_mut(to);
        let known = move |name: &ShortId| link.as_mut()?.said.find(*name, log);
        let known = names.iter().filter_map(known).filter(|known| known.is_held);
        known.map(|known| (known.topic, known.id))
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.timers.first().map(|(timer, _)| *timer)
    }

    /// What is due by `now`. Whoever is not asked now is asked after `wait` if it is still needed. `in_vain` says how
    /// often a peer was asked for payloads in vain.
    pub(super) fn due(
        &mut self,
        now: Time,
        wait: Duration,
        in_vain: impl Fn(&NodeId) -> u8,
        rng: &mut ChaCha8Rng,
    ) -> Due {
        let (mut due, mut ready) = (Due::default(), Vec::new());
        while let Some((timer, peer)) = self.timers.first().copied()
            && timer <= now
        {
            self.timers.pop_first();
            let Some(link) = self.links.get_mut(&peer) else { continue };
            link.rang();
            due.broken.extend(link.forget_broken(now).then_some(peer));
            let in_vain = link.in_vain.saturating_add(in_vain(&peer));
            ready.push((link.role, in_vain, rng.next_u64(), peer));
        }
        ready.sort_unstable();
        let missing = self.missing();
        let mut payloads = self.grafted.room(missing, now, &self.links);
        for (.., peer) in &ready {
            let Some(link) = self.links.get_mut(peer) else { continue };
            if payloads > 0 && link.is_late(now) {
                let names = link.graft(payloads, now);
                payloads -= names.len();
                self.grafted.note(*peer, &names, now + wait);
                due.late.push((*peer, names));
            }
            while link.is_unclear(now) {
                due.unclear.push((*peer, link.ask(now)));
            }
        }
        // What is due still has to wait.
        let ready = ready.into_iter().map(|(.., peer)| peer);
        let mut is_late =
            |peer: NodeId| self.links.get_mut(&peer).is_some_and(|link| link.is_late(now));
        if ready.clone().any(&mut is_late) {
            self.grafted.from = self.grafted.from.max(now + GRAFT_EVERY);
        }
        for peer in ready {
            if let Some(link) = self.links.get_mut(&peer) {
                link.reschedule(peer, self.grafted.from, &mut self.timers);
            }
        }
        due
    }

    /// How many messages are missing of which we have but names. A link calls no two messages the same, so as many are
    /// missing as one link has names that wait. Liars make names up, so it is the median of the witnesses
    /// that have any, who tell of everything, or of the others.
    fn missing(&self) -> usize {
        let waiting = |is_drawn: bool| -> Vec<_> {
            let links = self.links.iter().map(|(_, link)| (link.role, link.waiting()));
            let some =
                links.filter(|(role, names)| (*role == Role::Witness) == is_drawn && *names > 0);
            some.map(|(_, names)| names).collect()
        };
        let witnesses = waiting(true);
        let mut waiting = if witnesses.is_empty() { waiting(false) } else { witnesses };
        waiting.sort_unstable();
        waiting.get(waiting.len().saturating_sub(1) / 2).copied().unwrap_or(0)
    }

    /// How many peers take part.
    pub(super) fn links(&self) -> usize {
        self.links.len()
    }

    /// Names that wait, of all peers; each has [`OPEN_MAX`] at most.
    pub(super) fn bound(&self) -> Bound {
        let used = self.links.iter().map(|(_, link)| link.waiting()).sum();
        Bound { name: "gossip.names", used, max: self.links.len().max(1) * OPEN_MAX }
    }
}

impl Flight {
    /// How many more names may be asked about, if so many may in all.
    fn room(&mut self, most: usize, now: Time, links: &PeerMap<Link>) -> usize {
        if now < self.from {
            return 0;
        }
        self.names.retain(|(until, peer, name)| {
            *until > now && links.get(peer).is_some_and(|link| link.waits_for(*name))
        });
        most.saturating_sub(self.names.len())
    }

    fn note(&mut self, peer: NodeId, names: &[ShortId], until: Time) {
        self.names.extend(names.iter().map(|name| (until, peer, *name)));
    }
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng as _;

    use super::*;

    const fn at(millis: u64) -> Time {
        Time::from_duration(Duration::from_millis(millis))
    }

    fn peer(tag: u8) -> NodeId {
        NodeId::from_bytes([tag; 32])
    }

    /// A naming with so many links, each of which has named one message at the start, and whom it names.
    fn named(links: u8) -> (Naming, MessageId) {
        let mut naming = Naming::new(VouchKeys::draw(&mut ChaCha8Rng::from_seed([1; 32])));
        let id = MessageId::from_bytes([9; 32]);
        for tag in 0..links {
            naming.join(peer(tag), VouchKey::from_bytes([tag; 16]));
            let name = naming.keys.of(&peer(tag)).name(&id);
            let patience = (at(0), Duration::from_millis(100));
            let held = naming.told(&peer(tag), Role::Inbound, &[name], patience);
            assert_eq!(held, Heard::default());
        }
        (naming, id)
    }

    fn due(naming: &mut Naming, millis: u64) -> Due {
        let wait = Duration::from_millis(200);
        naming.due(at(millis), wait, |_| 0, &mut ChaCha8Rng::from_seed([2; 32]))
    }

    #[test]
    fn they_are_asked_what_they_mean_and_then_one_for_the_payload() {
        let (mut naming, id) = named(8);
        assert_eq!(naming.deadline(), Some(at(20)));
        let first = due(&mut naming, 20);
        assert_eq!((first.unclear.len(), first.late.len(), first.broken.len()), (8, 0, 0));
        assert_eq!(due(&mut naming, 50), Due::default());
        let second = due(&mut naming, 100);
        assert_eq!((second.unclear.len(), second.late.len()), (0, 1), "whatever the others mean");
        assert_eq!(due(&mut naming, 150), Due::default());
        // The next ones have their turn when the first have had time to answer.
        let late = due(&mut naming, 320).late;
        assert!(late.len() == 1 && late[0].0 != second.late[0].0);
        let answered = naming.answered(&first.unclear[0].0, &id);
        assert_eq!(answered.len(), 8, "all meant the same");
        assert_eq!(answered.iter().filter(|named| named.grafted.is_some()).count(), 2);
        assert_eq!((naming.bound().used, naming.deadline()), (0, None));
    }

    #[test]
    fn as_much_is_asked_at_a_time_as_most_peers_say_there_is() {
        let (mut naming, _) = named(9);
        for tag in 0..9 {
            let made_up = if tag < 4 { 1000 } else { 1 };
            let names: Vec<_> =
                (0..made_up).map(|n: u64| ShortId::from_bytes(n.to_le_bytes())).collect();
            naming.told(&peer(tag), Role::Inbound, &names, (at(0), Duration::from_millis(100)));
        }
        let asked = |due: Vec<(NodeId, Vec<ShortId>)>| -> usize {
            due.iter().map(|(_, names)| names.len()).sum()
        };
        let due = due(&mut naming, 100);
        assert_eq!(asked(due.late), 2, "five of nine have two names");
        assert!(asked(due.unclear) > 4000);
    }

    #[test]
    fn who_was_not_asked_explains_nothing_but_its_own_name() {
        let (mut naming, id) = named(4);
        let named = naming.answered(&peer(2), &id);
        assert_eq!(named.iter().map(|named| named.peer).collect::<Vec<_>>(), [peer(2)]);
        assert_eq!(naming.bound().used, 3);
        assert_eq!(naming.answered(&peer(2), &id), [], "once");
        assert_eq!(naming.recognise(&id).len(), 3);
    }

    #[test]
    fn who_leaves_is_asked_nothing_and_owes_nothing() {
        let (mut naming, _) = named(2);
        due(&mut naming, 50);
        (0..2).for_each(|tag| naming.leave(&peer(tag)));
        assert_eq!((naming.deadline(), naming.bound().used), (None, 0));
        assert_eq!(due(&mut naming, 10_000), Due::default());
    }
}
