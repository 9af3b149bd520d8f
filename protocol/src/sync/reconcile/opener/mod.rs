//! The side that asks, and learns the difference.

mod ranges;
mod solver;

pub(super) use self::solver::{SYMBOLS_PER_REPLY, Whole};

use core::ops::Range;
use std::collections::BTreeMap;

use self::{
    ranges::{AskedRange, Ranges},
    solver::{Progress, Solver},
};
use super::{
    Ask, Cut, Difference, Ending, Failure, Fallback, Limits, Method, Nonce, Question, Reply,
    STEMS_MAX, Step, Tell, claim::root,
};
use crate::sync::{
    estimate::{TALLIED, tallies},
    index::{Index, View},
    item::{Bounds, Stem, Tail},
};

/// Claims in one question.
pub(super) const ASKED_MAX: usize = 512;

/// A comparison that this side has opened. Bounded by its [`Limits`], whatever the other side says.
#[derive(Clone, Debug)]
pub struct Opener {
    nonce: Nonce,
    bounds: Bounds,
    limits: Limits,
    narrowed: bool,
    next_number: u32,
    in_flight: BTreeMap<u32, Asked>,
    solver: Option<Box<Solver>>,
    /// Places of the symbols that are still to be asked for.
    wanted: Range<usize>,
    /// Stems of their items that are still to be asked for, in order.
    unnamed: Vec<Stem>,
    fallback: Option<Fallback>,
    ranges: Ranges,
    bytes: usize,
    rounds: u32,
    cut: Option<Cut>,
}

/// A question that waits for its reply.
#[derive(Clone, Debug)]
struct Asked {
    round: u32,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Everything,
    Symbols {
        first: usize,
        len: usize,
    },
    Stems(Vec<Stem>),
    /// In order.
    Ranges(Vec<AskedRange>),
}

impl Opener {
    /// Opens a comparison. The nonce is random, and drawn for this comparison alone.
    #[must_use]
    pub fn open(index: &Index, bounds: Bounds, limits: Limits, nonce: Nonce) -> (Self, Question) {
        let mut opener = Self {
            nonce,
            bounds,
            limits,
            narrowed: false,
            next_number: 0,
            in_flight: BTreeMap::new(),
            solver: None,
            wanted: 0..0,
            unnamed: Vec::new(),
            fallback: None,
            ranges: Ranges::new(nonce, limits.items_max),
            bytes: 0,
            rounds: 0,
            cut: None,
        };
        let question = opener.first(index, 1);
        (opener, question)
    }

    /// Hears a reply. After [`Step::Done`] there is nothing more to hear; after [`Step::Failed`], nothing worth it.
    pub fn hear(&mut self, reply: &Reply, index: &Index) -> Step {
        self.bytes = self.bytes.saturating_add(reply.encoded_len());
        let Some(Asked { round, what }) = self.in_flight.remove(&reply.number) else {
            return Step::Failed(Failure::Unasked);
        };
        let view = index.within(self.bounds);
        let heard = match (&reply.tell, &what) {
            (Tell::Equal, What::Everything) => Ok(()),
            (Tell::Narrow(bounds), What::Everything) if !self.narrowed => {
                return self.narrow(*bounds, index, round);
            }
            (Tell::Narrow(_), _) => Err(Failure::Moved),
            (Tell::Ranges { claims, unanswered: 0 }, What::Everything) => {
                self.ranges.hear_first(claims, &view)
            }
            (Tell::Ranges { claims, unanswered }, What::Ranges(asked)) => {
                self.ranges.hear(claims, *unanswered, asked, &view)
            }
            (Tell::Symbols { .. }, What::Everything) if self.limits.method != Method::Merkle => {
                self.hear_symbols(&reply.tell, 0..SYMBOLS_PER_REPLY, &view)
            }
            (Tell::Symbols { .. }, What::Symbols { first, len }) => {
                self.hear_symbols(&reply.tell, *first..first.saturating_add(*len), &view)
            }
            (Tell::Tails(tails), What::Stems(stems)) => self.hear_tails(stems, tails),
            (
                Tell::Equal | Tell::Ranges { .. } | Tell::Symbols { .. } | Tell::Tails(_),
                What::Everything | What::Symbols { .. } | What::Stems(_) | What::Ranges(_),
            ) => Err(Failure::Unasked),
        };
        match heard {
            Ok(()) => self.go_on(index, round),
            Err(failure) => Step::Failed(failure),
        }
    }

    /// Bytes of questions and replies so far, about.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Questions so far that followed from each other's replies: round trips.
    #[must_use]
    pub const fn rounds(&self) -> u32 {
        self.rounds
    }

    fn first(&mut self, index: &Index, round: u32) -> Question {
        let view = index.within(self.bounds);
        let count = u64::try_from(view.count()).unwrap_or(u64::MAX);
        let sketch = match self.limits.method {
            Method::Auto | Method::Sketch => view.sketch(TALLIED.end),
            Method::Merkle => None,
        };
        let tallies = sketch.map(|sketch| tallies(sketch.symbols()));
        let ask = Ask::Open { count, root: root(&view, &self.nonce), tallies };
        self.ask(ask, round, What::Everything)
    }

    fn ask(&mut self, ask: Ask, round: u32, what: What) -> Question {
        let number = self.next_number;
        self.next_number = number.saturating_add(1);
        self.rounds = self.rounds.max(round);
        self.in_flight.insert(number, Asked { round, what });
        let question = Question { number, nonce: self.nonce, bounds: self.bounds, ask };
        self.bytes = self.bytes.saturating_add(question.encoded_len());
        question
    }

    /// The other side compares less than was asked.
    fn narrow(&mut self, bounds: Bounds, index: &Index, round: u32) -> Step {
        let is_less = bounds.and(self.bounds) == bounds && bounds != self.bounds;
        // Where nothing can be, nothing differs.
        if !is_less && !self.bounds.is_empty() {
            return Step::Failed(Failure::Stuck);
        }
        self.bounds = bounds;
        self.narrowed = true;
        if bounds.is_empty() {
            return self.go_on(index, round);
        }
        Step::Ask(vec![self.first(index, round.saturating_add(1))])
    }

    /// Hears symbols; if they lead nowhere, ranges are compared instead.
    fn hear_symbols(
        &mut self,
        tell: &Tell,
        asked: Range<usize>,
        view: &View<'_>,
    ) -> Result<(), Failure> {
        let Tell::Symbols { count, root, first, symbols } = tell else {
            return Err(Failure::Unasked);
        };
        if usize::try_from(*first) != Ok(asked.start) || symbols.len() > asked.len() {
            return Err(Failure::Misplaced);
        }
        let whole = Whole { count: *count, root: *root };
        if self.solver.is_none() && self.fallback.is_none() {
            self.solver = Solver::new(view, whole).map(Box::new);
        }
        let heard = match &mut self.solver {
            Some(solver) => solver.hear(asked.start, symbols, whole, view),
            None => Err(Fallback::Unsolved),
        };
        if let Err(why) = heard {
            self.fall_back(why);
        }
        Ok(())
    }

    fn hear_tails(&mut self, stems: &[Stem], tails: &[Vec<Tail>]) -> Result<(), Failure> {
        if stems.len() != tails.len() {
            return Err(Failure::Misplaced);
        }
        if let Some(solver) = &mut self.solver {
            solver.name(stems, tails);
        }
        Ok(())
    }

    fn fall_back(&mut self, why: Fallback) {
        self.solver = None;
        self.wanted = 0..0;
        self.unnamed = Vec::new();
        if self.fallback.is_some() {
            return;
        }
        self.fallback = Some(why);
        match self.limits.method {
            Method::Auto | Method::Merkle => self.ranges.begin(),
            Method::Sketch => self.cut = Some(Cut::Symbols),
        }
    }

    fn go_on(&mut self, index: &Index, round: u32) -> Step {
        let view = index.within(self.bounds);
        self.go_on_solving(&view);
        self.cut = self.cut.or(self.ranges.cut);
        if self.ranges.room() == 0 {
            self.cut = Some(Cut::Items);
        } else if self.ranges.waiting() > self.limits.ranges_max {
            self.cut = Some(Cut::Ranges);
        }
        let mut questions = Vec::new();
        while self.in_flight.len() < self.limits.in_flight_max.max(1) {
            let question = self.next_symbols(round).or_else(|| self.next_stems(round));
            let question = question.or_else(|| self.next_ranges(&view, round));
            let Some(question) = question else { break };
            questions.push(question);
        }
        if self.in_flight.is_empty() {
            return Step::Done(self.done(index));
        }
        Step::Ask(questions)
    }

    /// Once all that was wanted is there, it is solved, or more is needed.
    fn go_on_solving(&mut self, view: &View<'_>) {
        let Some(solver) = &mut self.solver else { return };
        if !self.in_flight.is_empty() || !self.wanted.is_empty() || !self.unnamed.is_empty() {
            return;
        }
        match solver.progress(view, &self.nonce) {
            Progress::Solved { theirs, ours } => {
                self.ranges.theirs.extend(theirs);
                self.ranges.ours.extend(ours);
                self.solver = None;
            }
            Progress::Hopeless(why) => self.fall_back(why),
            Progress::Lacks(places) => self.wanted = places,
            Progress::Unnamed(stems) => self.unnamed = stems,
        }
    }

    /// The next question about symbols.
    fn next_symbols(&mut self, round: u32) -> Option<Question> {
        let root = self.solver.as_ref()?.root();
        if self.wanted.is_empty() || !self.may_ask(round) {
            return None;
        }
        let first = self.wanted.start;
        let len = self.wanted.len().min(SYMBOLS_PER_REPLY);
        self.wanted.start = first.saturating_add(len);
        let ask = Ask::Symbols { first: small(first), len: small(len), root };
        Some(self.ask(ask, round.saturating_add(1), What::Symbols { first, len }))
    }

    /// The next question about the items with some stems.
    fn next_stems(&mut self, round: u32) -> Option<Question> {
        if self.unnamed.is_empty() || !self.may_ask(round) {
            return None;
        }
        let rest = self.unnamed.split_off(self.unnamed.len().min(STEMS_MAX));
        let stems = core::mem::replace(&mut self.unnamed, rest);
        Some(self.ask(Ask::Stems(stems.clone()), round.saturating_add(1), What::Stems(stems)))
    }

    /// The next question about ranges.
    fn next_ranges(&mut self, view: &View<'_>, round: u32) -> Option<Question> {
        if self.ranges.waiting() == 0 || !self.may_ask(round) {
            return None;
        }
        let (mut claims, mut ranges, mut bytes) = (Vec::new(), Vec::new(), 0_usize);
        while bytes < self.limits.question_bytes_max && claims.len() < ASKED_MAX {
            let Some((claim, asked)) = self.ranges.next(view) else { break };
            bytes = bytes.saturating_add(claim.weight());
            claims.push(claim);
            ranges.push(asked);
        }
        Some(self.ask(Ask::Ranges(claims), round.saturating_add(1), What::Ranges(ranges)))
    }

    /// Whether a question that follows from a reply of this round is within the limits.
    fn may_ask(&mut self, round: u32) -> bool {
        if self.bytes >= self.limits.bytes_max {
            self.cut = Some(Cut::Bytes);
        } else if round >= self.limits.rounds_max {
            self.cut = Some(Cut::Rounds);
        }
        self.cut.is_none()
    }

    fn done(&mut self, index: &Index) -> Difference {
        let Ranges { theirs, ours, .. } = &mut self.ranges;
        // The set may have changed meanwhile.
        theirs.retain(|item| !index.contains(item));
        ours.retain(|item| index.contains(item));
        Difference {
            bounds: self.bounds,
            theirs: core::mem::take(theirs).into_iter().collect(),
            ours: core::mem::take(ours).into_iter().collect(),
            ending: self.cut.map_or(Ending::Complete, Ending::Cut),
            fallback: self.fallback,
        }
    }
}

/// Places are below the most symbols that are kept.
fn small(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
