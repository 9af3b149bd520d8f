//! Accusations that are open, and when they are enough.
//!
//! A case is one epoch of one member. Who accuses it, counts once, and once for all of its group ([`Tally`]); each accusation
//! counts from when this node learned of it, whatever time it claims, until its subject has had its time to rebut. That time
//! shrinks with what more accuse than are needed (Lifeguard's suspicion timeout: Dadgar, Phillips, Currey, section 4.B). Who accused a
//! member that then showed that it lives, twice, is not heard about that member again in this shift. What comes to nothing is heard
//! ever more rarely, and whoever accuses several in vain is heard only about those whom others suspect: or else a few liars
//! would have everybody pass on what they say, over and over.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use forsooth_crypto::{NodeId, Verified};

use super::{
    accusation::{Accusation, Certificate, SignedAccusation},
    record::Epoch,
    settings::Settings,
};
use crate::{agenda::Agenda, group::Group, tally::Tally, time::Time};

/// Cases at most; the one that began first goes.
pub(super) const CASES_MAX: usize = 1_024;
/// Open accusations of one accuser; an observer has some 15 subjects. Its own oldest goes.
const PER_ACCUSER_MAX: usize = 64;
/// Accusations of one case: more than there are rings are somebody's invention.
pub(super) const PER_CASE_MAX: usize = 32;
/// What is remembered of accusers who were rebutted.
pub(super) const REBUTTED_MAX: usize = 4_096;
/// Who was rebutted by one member so often is not heard about it again.
const REBUTTED_PER_SHIFT_MAX: u32 = 2;
/// Members that one accuser may accuse in vain in a shift. About others it is heard if they are suspected without its word.
const VAIN_MAX: usize = 3;
/// What is remembered of accusers that were heard; when there are more, all is forgotten.
pub(super) const VOICES_MAX: usize = 8_192;
/// Accusers beyond those needed that shorten the time to rebut as far as it goes.
const CONFIRMATIONS: u32 = 3;

/// All cases.
#[derive(Debug)]
pub(super) struct Court {
    cases: BTreeMap<NodeId, Case>,
    tally: Tally<NodeId, NodeId, Group>,
    /// How often a subject has rebutted an accuser in this shift.
    rebutted: BTreeMap<(NodeId, NodeId), u32>,
    /// How an accuser was heard about a subject in this shift.
    voices: BTreeMap<(NodeId, NodeId), Voice>,
    rules: Rules,
    /// When an accusation expires, or others are to be asked about a case.
    agenda: Agenda<Time, NodeId>,
    /// Cases that enough accuse, by when each has had its time to rebut.
    ripe: BTreeSet<(Time, NodeId)>,
    /// When those of them are certified for whom it is time.
    verdict: Option<Time>,
}

/// How an accuser was heard about a subject.
#[derive(Clone, Copy, Debug)]
struct Voice {
    epoch: Epoch,
    first: Time,
    last: Time,
    times: u32,
}

#[derive(Debug)]
struct Case {
    epoch: Epoch,
    since: Time,
    by: BTreeMap<NodeId, Charge>,
    suspected: bool,
    /// Others have been asked what they know.
    asked: bool,
    /// And once more, before it is certified.
    confirmed: bool,
    /// Under what it stands in the agenda.
    next: Option<Time>,
    /// When it has had its time to rebut, if enough accuse it.
    due: Option<Time>,
}

#[derive(Debug)]
struct Charge {
    accusation: Verified<SignedAccusation>,
    /// When this node first heard of it.
    heard: Time,
    until: Time,
}

/// What a case needs, and how long it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    /// So many accusers may lie.
    pub(super) t: u8,
    pub(super) rebut_min: Duration,
    pub(super) rebut_max: Duration,
    pub(super) lifetime: Duration,
}

impl Rules {
    /// Those for the smallest network.
    pub(super) const fn of(settings: &Settings) -> Self {
        Self {
            t: 0,
            rebut_min: settings.rebut_min,
            rebut_max: settings.rebut_max,
            lifetime: settings.accusation_lifetime,
        }
    }

    /// Accusers whose word is enough.
    pub(super) fn needed(self) -> usize {
        usize::from(self.t) + 1
    }

    /// Accusers by whose word a member is suspected, and says that it is alive.
    pub(super) fn suspects(self) -> usize {
        self.needed().div_ceil(2)
    }

    /// The time to rebut, if so many accuse.
    fn rebut(self, accusers: usize) -> Duration {
        let beyond = u32::try_from(accusers.saturating_sub(self.needed())).unwrap_or(CONFIRMATIONS);
        // 1, 0.5, 0.21, 0 of what lies between, for 0 to 3: 1 - log(c + 1) / log(4).
        let share = 1.0 - f64::from(beyond.min(CONFIRMATIONS) + 1).log2() / 2.0;
        self.rebut_min
            + self.rebut_max.saturating_sub(self.rebut_min).mul_f64(share.clamp(0.0, 1.0))
    }
}

impl Case {
    /// When others are first asked what they know: late enough for a rebuttal to have spread, early enough to hear of it.
    fn asks_at(&self, rules: Rules) -> Option<Time> {
        (!self.asked).then(|| self.since + rules.rebut_min.mul_f64(0.75))
    }

    /// When they are asked once more, if it is to be certified then: its rebuttal may have missed us.
    fn confirms_at(&self, due: Option<Time>, rules: Rules) -> Option<Time> {
        let due = due.filter(|_| !self.confirmed)?;
        Some(Time::ZERO + due.since(Time::ZERO).saturating_sub(rules.rebut_min / 4))
    }
}

impl Court {
    pub(super) const fn new(rules: Rules) -> Self {
        Self {
            rules,
            agenda: Agenda::new(),
            ripe: BTreeSet::new(),
            verdict: None,
            cases: BTreeMap::new(),
            tally: Tally::new(PER_ACCUSER_MAX),
            rebutted: BTreeMap::new(),
            voices: BTreeMap::new(),
        }
    }

    pub(super) const fn rules(&self) -> Rules {
        self.rules
    }

    /// The network has another size, and other rules with it.
    pub(super) fn govern(&mut self, rules: Rules) {
        if core::mem::replace(&mut self.rules, rules) != rules {
            let subjects: Vec<NodeId> = self.cases.keys().copied().collect();
            subjects.iter().for_each(|subject| self.review(subject));
        }
    }

    /// Finds out anew when something is due in a case, after a change to it.
    fn review(&mut self, subject: &NodeId) {
        let Some((next, due)) = self.cases.get(subject).map(|case| self.when(subject, case)) else {
            return;
        };
        let Some(case) = self.cases.get_mut(subject) else { return };
        let before = (case.next, case.due);
        (case.next, case.due) = (next, due);
        self.schedule(subject, (before.0, next), (before.1, due));
    }

    /// When an accusation of a case expires or others are to be asked about it, and when it has had its time to rebut.
    fn when(&self, subject: &NodeId, case: &Case) -> (Option<Time>, Option<Time>) {
        let expires = case.by.values().map(|charge| charge.until).min();
        let due = self.due(subject, case);
        let asks = [case.asks_at(self.rules), case.confirms_at(due, self.rules)];
        (asks.into_iter().flatten().chain(expires).min(), due)
    }

    /// Moves a case in the agenda and among those that are ripe, from where it was before.
    fn schedule(
        &mut self,
        subject: &NodeId,
        (next_before, next): (Option<Time>, Option<Time>),
        (due_before, due): (Option<Time>, Option<Time>),
    ) {
        if next_before != next {
            next_before.into_iter().for_each(|at| self.agenda.remove(&(at, *subject)));
            next.into_iter().for_each(|at| self.agenda.insert((at, *subject)));
        }
        if due_before != due {
            if let Some(at) = due_before {
                self.ripe.remove(&(at, *subject));
            }
            self.ripe.extend(due.map(|at| (at, *subject)));
        }
        if due_before != due || !self.ripe.is_empty() {
            self.verdict = self.verdict_at();
        }
    }

    /// Whether an accuser is worth hearing about a subject: not if it accuses others in vain, nor again and again.
    fn is_worth(&self, accuser: &NodeId, (subject, epoch): (&NodeId, Epoch), now: Time) -> bool {
        if self.suspects(subject) {
            return true;
        }
        let before = self.voices.get(&(*accuser, *subject));
        let again = before.filter(|voice| voice.epoch == epoch).is_none_or(|voice| {
            let doubled = self.rules.lifetime / 2 * (1 << voice.times.saturating_sub(1).min(16));
            now.since(voice.last) > doubled
        });
        let (first, last) = (NodeId::from_bytes([0; 32]), NodeId::from_bytes([255; 32]));
        let voices = self.voices.range((*accuser, first)..=(*accuser, last));
        let vain = voices.filter(|((_, other), voice)| {
            other != subject
                && !self.suspects(other)
                && now.since(voice.first) > self.rules.rebut_max
        });
        again && vain.take(VAIN_MAX).count() < VAIN_MAX
    }

    /// An accuser was heard.
    fn note_voice(&mut self, said: &Accusation, now: Time) {
        let Accusation { accuser, subject, epoch, .. } = *said;
        if self.voices.len() >= VOICES_MAX {
            self.voices.clear();
        }
        let new = Voice { epoch, first: now, last: now, times: 0 };
        let voice = self.voices.entry((accuser, subject)).or_insert(new);
        let times = if voice.epoch == epoch { voice.times } else { 0 };
        *voice = Voice { epoch, last: now, times: times.saturating_add(1), ..*voice };
    }

    /// Whether an accuser may be heard about a subject, and its last accusation is old enough for another.
    pub(super) fn hears(
        &self,
        accuser: &NodeId,
        subject: &NodeId,
        epoch: Epoch,
        now: Time,
    ) -> bool {
        // Most of what comes is known already: that first.
        let case = self.cases.get(subject).filter(|case| case.epoch == epoch);
        let has_place = case.is_none_or(|case| match case.by.get(accuser) {
            Some(charge) => charge.until.since(now) < self.rules.lifetime / 2,
            None => case.by.len() < PER_CASE_MAX,
        });
        let rebutted = || self.rebutted.get(&(*accuser, *subject)).copied().unwrap_or(0);
        has_place
            && rebutted() < REBUTTED_PER_SHIFT_MAX
            && self.is_worth(accuser, (subject, epoch), now)
    }

    /// Hears an accusation. Whether it is an accuser's first in this case.
    pub(super) fn hear(
        &mut self,
        accusation: Verified<SignedAccusation>,
        group: Group,
        now: Time,
    ) -> bool {
        let said = *accusation.content();
        if self.cases.get(&said.subject).is_some_and(|case| case.epoch < said.epoch) {
            self.drop_case(&said.subject);
        }
        self.note_voice(&said, now);
        if !self.cases.contains_key(&said.subject) && self.cases.len() >= CASES_MAX {
            let oldest = self.cases.iter().min_by_key(|(_, case)| case.since).map(|(id, _)| *id);
            oldest.into_iter().for_each(|id| self.drop_case(&id));
        }
        let case = self.cases.entry(said.subject).or_insert_with(|| Case {
            epoch: said.epoch,
            since: now,
            by: BTreeMap::new(),
            suspected: false,
            asked: false,
            confirmed: false,
            next: None,
            due: None,
        });
        if case.epoch != said.epoch {
            return false;
        }
        let until = now + self.rules.lifetime;
        let is_first = match case.by.get_mut(&said.accuser) {
            Some(charge) => {
                charge.accusation = accusation;
                charge.until = until;
                false
            }
            None => {
                case.by.insert(said.accuser, Charge { accusation, heard: now, until });
                true
            }
        };
        if let Some(other) = self.tally.support(said.subject, said.accuser, group) {
            self.review(&other);
        }
        self.review(&said.subject);
        is_first
    }

    /// Independent accusers of a member.
    pub(super) fn count(&self, subject: &NodeId) -> usize {
        self.tally.count(subject)
    }

    /// Whether a member is suspected.
    pub(super) fn suspects(&self, subject: &NodeId) -> bool {
        self.cases.get(subject).is_some_and(|case| case.suspected)
    }

    /// As many independent accusations of a member as make it rebut them.
    pub(super) fn reasons(&self, subject: &NodeId) -> Vec<Verified<SignedAccusation>> {
        let case = self.cases.get(subject);
        let mut accusations = case.map_or_else(Vec::new, |case| self.accusations(subject, case));
        accusations.truncate(self.rules.suspects());
        accusations
    }

    /// The accusations of a case that count.
    fn accusations(&self, subject: &NodeId, case: &Case) -> Vec<Verified<SignedAccusation>> {
        let by = self.tally.independent(subject).into_iter();
        by.filter_map(|id| Some(case.by.get(&id)?.accusation.clone())).collect()
    }

    /// Whether anybody accuses a member.
    pub(super) fn is_accused(&self, subject: &NodeId) -> bool {
        self.cases.contains_key(subject)
    }

    /// Members that are suspected.
    pub(super) fn suspected(&self) -> usize {
        self.cases.values().filter(|case| case.suspected).count()
    }

    pub(super) fn len(&self) -> usize {
        self.cases.len()
    }

    pub(super) fn rebutted_len(&self) -> usize {
        self.rebutted.len()
    }

    pub(super) fn voices_len(&self) -> usize {
        self.voices.len()
    }

    /// Whether enough accuse a member for it to be suspected, and it was not.
    pub(super) fn begins_to_suspect(&mut self, subject: &NodeId) -> bool {
        let enough = self.tally.count(subject) >= self.rules.suspects();
        let case = self.cases.get_mut(subject).filter(|case| enough && !case.suspected);
        case.is_some_and(|case| !core::mem::replace(&mut case.suspected, true))
    }

    /// A member has shown that it lives: its case is over, and its accusers were wrong. Whether it was suspected.
    pub(super) fn acquit(&mut self, subject: &NodeId) -> bool {
        let accusers: Vec<_> =
            self.cases.get(subject).into_iter().flat_map(|case| case.by.keys().copied()).collect();
        for accuser in accusers {
            if self.rebutted.len() < REBUTTED_MAX
                || self.rebutted.contains_key(&(accuser, *subject))
            {
                let times = self.rebutted.entry((accuser, *subject)).or_default();
                *times = times.saturating_add(1);
            }
        }
        let suspected = self.suspects(subject);
        self.drop_case(subject);
        suspected
    }

    /// A member is one no more, or its case is over for other reasons.
    pub(super) fn drop_case(&mut self, subject: &NodeId) {
        self.tally.close(subject);
        if let Some(case) = self.cases.remove(subject) {
            self.schedule(subject, (case.next, None), (case.due, None));
        }
    }

    /// A new shift: everybody is heard again.
    pub(super) fn forgive(&mut self) {
        self.rebutted.clear();
        self.voices.clear();
    }

    /// When the next case may be decided, others are to be asked about one, or an accusation expires.
    pub(super) fn deadline(&self) -> Option<Time> {
        let next = self.agenda.first().map(|(at, _)| *at);
        next.into_iter().chain(self.verdict).min()
    }

    /// When those are certified for whom it is time. If others are suspected as well, they are waited for, but not for long: those
    /// who die together are one change to whoever acts on it (Suresh et al., "Rapid", section 4.2).
    fn verdict_at(&self) -> Option<Time> {
        let (first, _) = *self.ripe.first()?;
        let latest = first + self.rules.rebut_min;
        let others = self.cases.iter().filter(|(subject, case)| {
            // Who is suspected for longer than that is not on its way to be certified.
            first < case.since + self.rules.rebut_max * 2
                && case.by.len() >= self.rules.suspects()
                && self.tally.count(subject) >= self.rules.suspects()
        });
        // Its time may yet become shorter.
        let last = others.map(|(_, case)| case.due.unwrap_or(latest).min(latest)).max();
        Some(last.unwrap_or(first))
    }

    /// When enough independent accusers have waited for long enough.
    fn due(&self, subject: &NodeId, case: &Case) -> Option<Time> {
        if case.by.len() < self.rules.needed() {
            return None;
        }
        let independent = self.tally.independent(subject);
        let heard = independent.iter().filter_map(|accuser| case.by.get(accuser));
        let mut heard: Vec<Time> = heard.map(|charge| charge.heard).collect();
        heard.sort_unstable();
        let last = heard.get(self.rules.needed().saturating_sub(1))?;
        Some(*last + self.rules.rebut(heard.len()))
    }

    /// Cases of which the agenda says that something is due.
    fn on_agenda(&self, now: Time) -> Vec<NodeId> {
        self.agenda.iter().take_while(|(at, _)| *at <= now).map(|(_, subject)| *subject).collect()
    }

    /// Members about whom others are to be asked: each once in a case, and once more before it is certified.
    pub(super) fn doubted(&mut self, now: Time) -> Vec<NodeId> {
        let mut doubted = self.on_agenda(now);
        doubted.retain(|subject| {
            let Some(case) = self.cases.get_mut(subject) else { return false };
            let asks = case.asks_at(self.rules).is_some_and(|at| at <= now);
            let confirms = case.confirms_at(case.due, self.rules).is_some_and(|at| at <= now);
            case.asked |= asks;
            case.confirmed |= confirms;
            asks || confirms
        });
        doubted.iter().for_each(|subject| self.review(subject));
        doubted.sort_unstable();
        doubted
    }

    /// Expires what is old, and decides what is due: who is dead, and by whose word. Those who die together come together.
    pub(super) fn decide(&mut self, now: Time) -> Vec<Certificate> {
        for subject in self.on_agenda(now) {
            let Some(case) = self.cases.get_mut(&subject) else { continue };
            let expired = case.by.extract_if(.., |_, charge| charge.until <= now);
            let expired: Vec<_> = expired.map(|(accuser, _)| accuser).collect();
            let is_over = case.by.is_empty();
            expired.iter().for_each(|accuser| self.tally.retract(&subject, accuser));
            if is_over {
                self.drop_case(&subject);
            } else {
                self.review(&subject);
            }
        }
        if self.verdict.is_none_or(|at| now < at) {
            return Vec::new();
        }
        let is_due = |(_, case): &(&NodeId, &Case)| case.due.is_some_and(|due| due <= now);
        let certify = |(subject, case): (&NodeId, &Case)| Certificate {
            subject: *subject,
            epoch: case.epoch,
            accusations: self.accusations(subject, case),
        };
        let decided: Vec<_> = self.cases.iter().filter(is_due).map(certify).collect();
        for Certificate { subject, .. } in &decided {
            self.drop_case(subject);
            // They were right.
            self.voices.retain(|(_, other), _| other != subject);
        }
        decided
    }

    /// Whether all that is remembered of when something is due is what the cases say.
    #[cfg(test)]
    pub(super) fn is_consistent(&self) -> bool {
        let is_right = |(subject, case): (&NodeId, &Case)| {
            (case.next, case.due) == self.when(subject, case)
                && case.next.is_none_or(|at| self.agenda.iter().any(|it| *it == (at, *subject)))
                && case.due.is_none_or(|at| self.ripe.contains(&(at, *subject)))
        };
        let count = |of: fn(&Case) -> bool| self.cases.values().filter(|case| of(case)).count();
        self.cases.iter().all(is_right)
            && count(|case| case.next.is_some()) == self.agenda.len()
            && count(|case| case.due.is_some()) == self.ripe.len()
            && self.verdict == self.verdict_at()
    }
}
