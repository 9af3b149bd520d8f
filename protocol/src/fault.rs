//! Every way in which a peer or an author can be wrong, by name.
//!
//! A fault is a value: it becomes an effect and a score, never an `Err` that unwinds. [`Fault::blame`]
//! decides who answers for it. It has no `_` arm, so a new fault does not compile until somebody has
//! decided whether an honest node could commit it by relaying what a liar sent.

use core::fmt;

/// A wrong that was done to this node. Named after the deed, not after the check that found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// Bytes that are not a frame of this protocol.
    Malformed,
    /// A frame whose announced length is over the lane's maximum.
    Oversized,
    /// A frame begun and not finished in time.
    Stalled,
    /// Connected, opened our protocol, and never said hello.
    Silent,
    /// A hello that names a version we do not speak.
    BadHello,
    /// More bytes or frames than the quota of the lane allows.
    OverQuota,
    /// A message on a topic that the network's manifest does not have.
    UnknownTopic,
    /// A payload over the topic's maximum, or not of the length that its header signs.
    BadPayload,
    /// A signature that does not verify, or a payload that its header does not name.
    Forged,
    /// An equivocation proof that proves nothing.
    FalseProof,
    /// Vouched for a message and did not serve it when asked.
    BrokenPromise,
    /// Told of nothing while most of the witnesses told of much.
    Withheld,
    /// Asked for what was already sent, again and again.
    Greedy,
    /// A message whose lifetime is over.
    Expired,
    /// A message dated further ahead than clocks may differ.
    FromFuture,
    /// A generation more than a year ahead of the clock.
    AbsurdGeneration,
    /// A lifetime longer than the topic allows.
    LongLifetime,
    /// More messages than the topic's rate allows one author.
    OverRate,
    /// Two signed messages for one slot.
    Equivocation,
    /// The application's validator rejected the message.
    Invalid,
    /// A peer record whose signature does not verify.
    BadRecord,
    /// A peer record that no honest node passes on, such as one without an address.
    AbsurdRecord,
    /// An answer to what was not asked.
    Unsolicited,
    /// More peer records pushed, or asked for, than one peer or one address group may.
    Pushy,
    /// A member's record, an accusation or an answer whose signature does not verify.
    BadStatement,
    /// A member's record that no honest node passes on, such as one without an address.
    AbsurdMember,
    /// A reply in a comparison that contradicts an earlier one, or speaks of something else.
    Contradicted,
    /// Lacks, in comparisons long after it was told, messages that several others have.
    Hid,
}

/// Who answers for a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blame {
    /// The peer that sent it: an honest node checks this before it sends or relays.
    Forwarder,
    /// The author who signed it: an honest node may have relayed it in good faith.
    Author,
    /// Nobody: clocks and delays do this without anybody's ill will.
    Nobody,
}

impl Fault {
    /// Every fault, for tables, metrics and tests.
    pub const ALL: [Self; 28] = [
        Self::Malformed,
        Self::Oversized,
        Self::Stalled,
        Self::Silent,
        Self::BadHello,
        Self::OverQuota,
        Self::UnknownTopic,
        Self::BadPayload,
        Self::Forged,
        Self::FalseProof,
        Self::BrokenPromise,
        Self::Withheld,
        Self::Greedy,
        Self::Expired,
        Self::FromFuture,
        Self::AbsurdGeneration,
        Self::LongLifetime,
        Self::OverRate,
        Self::Equivocation,
        Self::Invalid,
        Self::BadRecord,
        Self::AbsurdRecord,
        Self::Unsolicited,
        Self::Pushy,
        Self::BadStatement,
        Self::AbsurdMember,
        Self::Contradicted,
        Self::Hid,
    ];

    /// Who answers for it.
    #[must_use]
    pub const fn blame(self) -> Blame {
        match self {
            Self::Malformed
            | Self::Oversized
            | Self::Stalled
            | Self::Silent
            | Self::BadHello
            | Self::OverQuota
            | Self::UnknownTopic
            | Self::BadPayload
            | Self::Forged
            | Self::FalseProof
            | Self::BrokenPromise
            | Self::Withheld
            | Self::Greedy
            | Self::LongLifetime
            | Self::BadRecord
            | Self::AbsurdRecord
            | Self::Unsolicited
            | Self::Pushy
            | Self::BadStatement
            | Self::AbsurdMember
            | Self::Contradicted
            | Self::Hid => Blame::Forwarder,
            Self::OverRate | Self::Equivocation | Self::Invalid => Blame::Author,
            // A relay's clock may be ahead of ours by all that the protocol allows.
            Self::Expired | Self::FromFuture | Self::AbsurdGeneration => Blame::Nobody,
        }
    }

    /// A short, stable name: `over_quota`. Used in logs, metrics and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Oversized => "oversized",
            Self::Stalled => "stalled",
            Self::Silent => "silent",
            Self::BadHello => "bad_hello",
            Self::OverQuota => "over_quota",
            Self::UnknownTopic => "unknown_topic",
            Self::BadPayload => "bad_payload",
            Self::Forged => "forged",
            Self::FalseProof => "false_proof",
            Self::BrokenPromise => "broken_promise",
            Self::Withheld => "withheld",
            Self::Greedy => "greedy",
            Self::Expired => "expired",
            Self::FromFuture => "from_future",
            Self::AbsurdGeneration => "absurd_generation",
            Self::LongLifetime => "long_lifetime",
            Self::OverRate => "over_rate",
            Self::Equivocation => "equivocation",
            Self::Invalid => "invalid",
            Self::BadRecord => "bad_record",
            Self::AbsurdRecord => "absurd_record",
            Self::Unsolicited => "unsolicited",
            Self::Pushy => "pushy",
            Self::BadStatement => "bad_statement",
            Self::AbsurdMember => "absurd_member",
            Self::Contradicted => "contradicted",
            Self::Hid => "hid",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
