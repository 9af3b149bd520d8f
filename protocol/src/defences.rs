//! Which safeguards of a core are on. All are, always, except in experiments that show what each is for.
//!
//! Verification itself is no safeguard that could be switched off: the types do not allow it.

/// Something that keeps a liar from doing harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Safeguard {
    /// Peers pay for frames and bytes before they are decoded.
    Quota,
    /// Faults cost points, and points a ban.
    Bans,
    /// An author's messages beyond the topic's rate are not passed on.
    AuthorRate,
    /// Two messages for one slot are kept, told and held against their author.
    Proofs,
    /// Only peers that this node chose may vouch.
    Witnesses,
    /// k witnesses must vouch, where the topic's policy says so.
    Threshold,
    /// Old messages, and messages from the future, are refused.
    Expiry,
    /// A message that the tree does not bring is asked for.
    Repair,
    /// Whoever vouches and does not serve is blamed for it.
    Promises,
    /// A message is served to one peer a few times at most.
    ServeLimit,
    /// Links are drawn by lot, and not given to whoever comes.
    Sampling,
    /// Peers are drawn by their networks first, so that many addresses in one are few.
    Networks,
    /// Whom a node had found is known to its next life.
    Memory,
    /// A link over which nothing is told while others tell much is closed.
    Service,
    /// What one server says that there is, others are asked as well.
    CrossVerification,
}

impl Safeguard {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Quota,
        Self::Bans,
        Self::AuthorRate,
        Self::Proofs,
        Self::Witnesses,
        Self::Threshold,
        Self::Expiry,
        Self::Repair,
        Self::Promises,
        Self::ServeLimit,
        Self::Sampling,
        Self::Networks,
        Self::Memory,
        Self::Service,
        Self::CrossVerification,
    ];

    /// A short, stable name: `author-rate`. Used in scenarios.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Quota => "quota",
            Self::Bans => "bans",
            Self::AuthorRate => "author-rate",
            Self::Proofs => "proofs",
            Self::Witnesses => "witnesses",
            Self::Threshold => "threshold",
            Self::Expiry => "expiry",
            Self::Repair => "repair",
            Self::Promises => "promises",
            Self::ServeLimit => "serve-limit",
            Self::Sampling => "sampling",
            Self::Networks => "networks",
            Self::Memory => "memory",
            Self::Service => "service",
            Self::CrossVerification => "cross-verification",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// The safeguards that are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defences(u16);

impl Defences {
    /// All of them: what every node runs with.
    pub const ALL: Self = Self(u16::MAX);

    /// These, less one: for an experiment that shows what it is for.
    #[must_use]
    pub const fn without(self, safeguard: Safeguard) -> Self {
        Self(self.0 & !safeguard.bit())
    }

    /// Whether a safeguard is on.
    #[must_use]
    pub const fn has(self, safeguard: Safeguard) -> bool {
        self.0 & safeguard.bit() != 0
    }
}

impl Default for Defences {
    fn default() -> Self {
        Self::ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_off_leaves_the_others_on() {
        for off in Safeguard::ALL {
            let defences = Defences::ALL.without(off);
            assert!(
                Safeguard::ALL.iter().all(|one| defences.has(*one) == (*one != off)),
                "{off:?}"
            );
        }
    }
}
