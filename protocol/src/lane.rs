//! The two lanes of a link and the classes of traffic on them.
//!
//! A lane is a substream: a large payload on [`Lane::Data`] never delays a vouch on [`Lane::Control`].
//! Within a lane, what waits leaves in the order of its [`Class`], and in order of arrival in one class.

/// One of the two substreams that each side of a link opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Small frames that others wait for: proofs, hellos, vouches, grafts, prunes.
    Control,
    /// Messages with their payloads.
    Data,
}

impl Lane {
    /// Both lanes.
    pub const ALL: [Self; 2] = [Self::Control, Self::Data];

    /// `control` or `data`, as in the name of the substream's protocol.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Data => "data",
        }
    }
}

/// What a frame is for; the lower, the sooner it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Equivocation proofs, ahead of all other traffic; and the hello, because what overtakes it is ignored.
    Evidence,
    /// Probes, answers, and news of members: few bytes, with a share of their own, and late ones look like death.
    Members,
    /// The tree's repair: graft, prune.
    Tree,
    /// Ids that this node stands behind.
    Vouch,
    /// Records of peers, and requests for them.
    Peers,
    /// Comparisons of what is kept, and requests for what was missed.
    Sync,
    /// A payload that the receiver asked for.
    Requested,
    /// A payload pushed along the tree.
    Payload,
    /// Messages that were missed, many at a time.
    Haul,
}

impl Class {
    /// All classes, most urgent first.
    pub const ALL: [Self; 9] = [
        Self::Evidence,
        Self::Members,
        Self::Tree,
        Self::Vouch,
        Self::Peers,
        Self::Sync,
        Self::Requested,
        Self::Payload,
        Self::Haul,
    ];

    /// The lane that carries this class.
    #[must_use]
    pub const fn lane(self) -> Lane {
        match self {
            Self::Evidence
            | Self::Members
            | Self::Tree
            | Self::Vouch
            | Self::Peers
            | Self::Sync => Lane::Control,
            Self::Requested | Self::Payload | Self::Haul => Lane::Data,
        }
    }

    /// Whether it has the quota of what was missed.
    #[must_use]
    pub const fn is_sync(self) -> bool {
        match self {
            Self::Sync | Self::Haul => true,
            Self::Evidence
            | Self::Members
            | Self::Tree
            | Self::Vouch
            | Self::Peers
            | Self::Requested
            | Self::Payload => false,
        }
    }

    /// A short, stable name for logs, metrics and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Evidence => "evidence",
            Self::Members => "members",
            Self::Tree => "tree",
            Self::Vouch => "vouch",
            Self::Peers => "peers",
            Self::Sync => "sync",
            Self::Requested => "requested",
            Self::Payload => "payload",
            Self::Haul => "haul",
        }
    }
}
