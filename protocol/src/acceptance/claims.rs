//! What several authors have signed alike: a claim is a payload's digest on a topic, and each author who signs it attests it once.
//!
//! An attestation counts until its message expires, or its author is exposed. That authors are independent cannot be known: keys are counted,
//! and on a network where they are free they mean little.

use std::collections::BTreeSet;

use forsooth_crypto::{Digest, NodeId};

use crate::{
    agenda::Agenda,
    bounded::FairMap,
    message::{Header, MessageId, Slot},
    network::{Policy, TopicId},
    tally::Tally,
    time::Time,
};

/// Open attestations, each charged to the link that brought it.
const ATTESTATIONS_MAX: usize = 65_536;
/// Open claims of one author; its own oldest count no more.
const CLAIMS_PER_AUTHOR_MAX: usize = 1024;
/// Claims that the application has got, each charged to the link that brought the last attestation.
const TOLD_MAX: usize = 65_536;

/// A claim, and the policy that it is measured by.
pub(super) type Claim = (TopicId, Policy, Digest);

/// Claims, open and told.
#[derive(Debug)]
pub(super) struct Claims {
    tally: Tally<Claim, NodeId, NodeId>,
    open: FairMap<(Claim, NodeId), NodeId, Attestation>,
    expiry: Agenda<Time, (Claim, NodeId)>,
    authors: BTreeSet<(NodeId, Claim)>,
    told: FairMap<Claim, NodeId, ()>,
}

/// A message that attests a claim.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attestation {
    pub(super) id: MessageId,
    pub(super) slot: Slot,
    pub(super) policy: Policy,
    pub(super) from: NodeId,
    /// Until when it counts.
    pub(super) expires: Time,
    digest: Digest,
}

/// What one more attestation leads to.
#[derive(Debug, Default)]
pub(super) struct Attested {
    /// Those who attested the claim, if there are enough now; the latest is among them.
    pub(super) enough: Vec<Attestation>,
    /// Others that had to go for it, with how many attested the claim besides.
    pub(super) evicted: Vec<(Attestation, usize)>,
}

impl Attestation {
    pub(super) const fn new(
        id: MessageId,
        header: &Header,
        policy: Policy,
        from: NodeId,
        expires: Time,
    ) -> Self {
        Self { id, slot: header.slot, policy, from, expires, digest: header.payload_digest }
    }

    const fn claim(&self) -> Claim {
        (self.slot.topic, self.policy, self.digest)
    }

    const fn key(&self) -> (Claim, NodeId) {
        (self.claim(), self.slot.author)
    }
}

impl Claims {
    pub(super) const fn new() -> Self {
        Self {
            tally: Tally::new(CLAIMS_PER_AUTHOR_MAX),
            open: FairMap::new(ATTESTATIONS_MAX),
            expiry: Agenda::new(),
            authors: BTreeSet::new(),
            told: FairMap::new(TOLD_MAX),
        }
    }

    /// An author has signed a claim. Of its own attestations of one claim the one that lasts longest counts.
    pub(super) fn attest(&mut self, one: Attestation) -> Attested {
        let (claim, author) = one.key();
        let lasts = |held: &Attestation| held.expires >= one.expires;
        if self.told.contains(&claim) || self.open.get(&one.key()).is_some_and(lasts) {
            return Attested::default();
        }
        self.remove(&one.key());
        self.tally.support(claim, author, author);
        self.expiry.insert((one.expires, one.key()));
        self.authors.insert((author, claim));
        let evicted = self.open.insert(one.key(), one.from, 1, one);
        let evicted = evicted.into_iter().map(|(_, evicted)| (evicted, self.forget(&evicted)));
        let evicted = evicted.collect();
        let attestors = self.tally.independent(&claim);
        if attestors.len() < usize::from(one.policy.attestors()) {
            return Attested { enough: Vec::new(), evicted };
        }
        let enough = attestors.into_iter().filter_map(|author| self.remove(&(claim, author)));
        let enough = enough.collect();
        self.told.insert(claim, one.from, 1, ());
        Attested { enough, evicted }
    }

    fn remove(&mut self, key: &(Claim, NodeId)) -> Option<Attestation> {
        let one = self.open.remove(key)?;
        self.forget(&one);
        Some(one)
    }

    /// An attestation counts no more. Returns how many others attest the claim.
    fn forget(&mut self, one: &Attestation) -> usize {
        let (claim, author) = one.key();
        self.tally.retract(&claim, &author);
        self.expiry.remove(&(one.expires, one.key()));
        self.authors.remove(&(author, claim));
        self.tally.count(&claim)
    }

    /// Takes out the first attestation whose time is over, with how many others attest the claim.
    pub(super) fn expire(&mut self, now: Time) -> Option<(Attestation, usize)> {
        let (_, key) = self.expiry.first().copied().filter(|(expires, _)| *expires <= now)?;
        let one = self.remove(&key)?;
        Some((one, self.tally.count(&one.claim())))
    }

    /// Takes back all that an author attests, with how many others attest each claim.
    pub(super) fn withdraw(&mut self, author: NodeId) -> Vec<(Attestation, usize)> {
        let mut withdrawn = Vec::new();
        while let Some(claim) = self.first_of(author)
            && let Some(one) = self.remove(&(claim, author))
        {
            withdrawn.push((one, self.tally.count(&claim)));
        }
        withdrawn
    }

    fn first_of(&self, author: NodeId) -> Option<Claim> {
        let lowest = Digest::from_bytes([0; 32]);
        let from = (author, (TopicId::FIRST, Policy::FIRST, lowest));
        let (of, claim) = self.authors.range(from..).next()?;
        (*of == author).then_some(*claim)
    }

    /// When an attestation expires first.
    pub(super) fn first_due(&self) -> Option<Time> {
        self.expiry.first().map(|(expires, _)| *expires)
    }

    /// The topics of all open attestations.
    pub(super) fn topics(&self) -> impl Iterator<Item = TopicId> {
        self.open.iter().map(|(_, one)| one.slot.topic)
    }

    /// Open attestations, and claims told, with the most there may be of each.
    pub(super) fn usage(&self) -> [(usize, usize); 2] {
        [(self.open.len(), ATTESTATIONS_MAX), (self.told.len(), TOLD_MAX)]
    }
}
