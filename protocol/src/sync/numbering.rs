//! Which comparison a reply is about.

/// Questions of one comparison have numbers of their own, so that a reply to an earlier one is not taken for one of this.
const NUMBERS: u32 = 4096;
const NUMBERINGS: u32 = 1 << 16;

/// What is added to a comparison's numbers on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Numbering(u32);

impl Numbering {
    /// Of the comparison that is the so-manieth.
    pub(super) const fn of(count: u32) -> Self {
        Self(count % NUMBERINGS * NUMBERS)
    }

    /// The number of a question on the wire.
    pub(super) const fn outer(self, number: u32) -> u32 {
        self.0.saturating_add(number)
    }

    /// The number of a reply, if it is to a question of this comparison.
    pub(super) fn inner(self, number: u32) -> Option<u32> {
        number.checked_sub(self.0).filter(|number| *number < NUMBERS)
    }
}
