//! Two nodes find out in what their sets differ, without sending them.
//!
//! The *opener* asks, the other side answers from its [`Index`](super::Index) and keeps nothing: [`answer`]. All that a comparison
//! needs to go on is in the question, or with the opener. What comes out is a [`Difference`], for the opener.
//!
//! Equal sets cost one question and one reply. Else the other side sends symbols of its sketch, about as many as the
//! difference needs; the opener takes its own off and solves them, and asks for more if it must. What comes out are the
//! first 16 bytes of items; it asks for the rest of those that it lacks. What it then knows has
//! to give the digest that the other side told. If symbols lead nowhere, because there are too many differences, or because
//! somebody lies or has made up items, ranges are compared (Meyer, "Range-Based Set Reconciliation"): the digests of a range's 16 parts go there, those of the parts of the parts that differ come back, until a range
//! has few items on both sides, which are named. Digests travel as 8 bytes under a nonce that the opener draws for
//! each comparison, so nobody can choose items for which two of them agree.
//!
//! Nothing here knows a clock, a link, or what an item is. What it promises: whatever the other side says, a
//! comparison ends within its [`Limits`], with a difference or a [`Failure`].

mod answer;
mod claim;
mod codec;
mod opener;

pub use self::{
    answer::answer,
    claim::{Claim, Named, Part},
    opener::Opener,
};

use super::{
    item::{Bounds, Item, Stem, Tail},
    symbol::Symbol,
};
use crate::Fault;

/// Bytes of a [`Nonce`].
pub const NONCE_BYTES: usize = 16;
/// Bytes of a [`Root`].
pub const ROOT_BYTES: usize = 16;
/// Claims in one question, and in one reply.
pub const CLAIMS_MAX: usize = 2048;
/// Stems in one question.
pub const STEMS_MAX: usize = 1024;
/// Items of one stem in a reply. Two of one stem are no accident, and more are not told: ranges find them.
pub const TAILS_MAX: usize = 2;

/// What an opener draws for each comparison; digests are shortened under it.
pub type Nonce = [u8; NONCE_BYTES];
/// The digest of all that is compared, shortened under the nonce.
pub type Root = [u8; ROOT_BYTES];

/// What an opener asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Comes back with the reply.
    pub number: u32,
    /// The comparison's nonce.
    pub nonce: Nonce,
    /// What is compared.
    pub bounds: Bounds,
    /// What it wants to know.
    pub ask: Ask,
}

/// What an opener wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// "This is all that I have, in short. What have you?"
    Open {
        /// How many items.
        count: u64,
        /// Their digest.
        root: Root,
        /// The counts of some of their symbols, so that the other side can tell how many differences there are;
        /// none if symbols are not wanted.
        tallies: Option<Vec<u8>>,
    },
    /// "What are your symbols from this place on?"
    Symbols {
        /// The place.
        first: u32,
        /// How many.
        len: u32,
        /// If your set is still this one.
        root: Root,
    },
    /// "What are your items that begin so?" At most [`STEMS_MAX`], in order.
    Stems(Vec<Stem>),
    /// "This is what I have in these ranges." Ranges are disjoint and in order.
    Ranges(Vec<Claim>),
}

/// What the other side replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// From the question.
    pub number: u32,
    /// What it says.
    pub tell: Tell,
}

/// What the other side says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tell {
    /// "I have the same."
    Equal,
    /// "I can compare no more than this." Nothing, if the bounds are empty.
    Narrow(Bounds),
    /// "These are my symbols." None, if they cannot be had for little work.
    Symbols {
        /// How many items there are.
        count: u64,
        /// Their digest.
        root: Root,
        /// The place of the first symbol.
        first: u32,
        /// The symbols.
        symbols: Vec<Symbol>,
    },
    /// "My items go on so": for each stem of the question, at most [`TAILS_MAX`] tails.
    Tails(Vec<Vec<Tail>>),
    /// "This is what I have where we differ." Ranges are disjoint and in order.
    Ranges {
        /// What it has.
        claims: Vec<Claim>,
        /// How many of the last ranges of the question it did not look at, because the reply is full.
        unanswered: u32,
    },
}

/// How sets are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// By symbols, as long as they solve the difference; then by ranges.
    #[default]
    Auto,
    /// By ranges alone.
    Merkle,
    /// By symbols alone.
    Sketch,
}

/// What a comparison may cost whoever opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How sets are compared.
    pub method: Method,
    /// Questions that follow from each other's replies.
    pub rounds_max: u32,
    /// Bytes of questions and replies.
    pub bytes_max: usize,
    /// Items found to be lacking on either side.
    pub items_max: usize,
    /// Ranges that wait to be asked about.
    pub ranges_max: usize,
    /// Bytes of one question.
    pub question_bytes_max: usize,
    /// Questions that wait for their replies.
    pub in_flight_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            method: Method::Auto,
            rounds_max: 64,
            bytes_max: 16 << 20,
            items_max: 16_384,
            ranges_max: 16_384,
            question_bytes_max: 32 << 10,
            in_flight_max: 4,
        }
    }
}

/// What a comparison has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send these, which may be none: other replies are under way.
    Ask(Vec<Question>),
    /// It has ended.
    Done(Difference),
    /// It has ended without a result, by the other side's doing.
    Failed(Failure),
}

/// In what two sets differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What was compared in the end.
    pub bounds: Bounds,
    /// What the other side says that it has, and we lack. In order.
    pub theirs: Vec<Item>,
    /// What we have, and the other side says that it lacks. In order.
    pub ours: Vec<Item>,
    /// Whether that is all.
    pub ending: Ending,
    /// Why ranges were compared after symbols, if they were.
    pub fallback: Option<Fallback>,
}

/// Why symbols did not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// More would have been needed than there are, or than were guessed several times.
    Unsolved,
    /// They were those of no difference, or of items out of bounds.
    Garbage,
    /// What they said does not give the digest that the other side told.
    Mismatch,
    /// The other side's set changed meanwhile.
    Moved,
}

/// Why a comparison ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All is compared.
    Complete,
    /// A limit was reached; a later comparison may find more.
    Cut(Cut),
}

/// Which of the [`Limits`] was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Rounds.
    Rounds,
    /// Bytes.
    Bytes,
    /// Items.
    Items,
    /// Ranges.
    Ranges,
    /// Symbols were all that was wanted, and did not do.
    Symbols,
}

/// Why a comparison came to nothing: but for one, what no honest side does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Replied to what was not asked, or not with what was asked for.
    #[error("a reply to what was not asked")]
    Unasked,
    /// Spoke of ranges that were not asked about, out of order, or of items that are not in them.
    #[error("a reply about something else")]
    Misplaced,
    /// The other side can say less than when it was asked first: its oldest items went meanwhile. No fault.
    #[error("the other side has moved on")]
    Moved,
    /// Left all unanswered, or narrowed the bounds to what they were.
    #[error("a reply that leads nowhere")]
    Stuck,
}

impl Failure {
    /// What the other side has done wrong, if it has.
    pub(in crate::sync) const fn fault(self) -> Option<Fault> {
        match self {
            Self::Unasked => Some(Fault::Unsolicited),
            Self::Misplaced | Self::Stuck => Some(Fault::Contradicted),
            Self::Moved => None,
        }
    }
}
