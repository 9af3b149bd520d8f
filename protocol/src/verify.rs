//! Signature checks that leave the core as effects and come back as verdicts.
//!
//! The core does not know who checks, where, or in what company. [`check_all`] is the one function that
//! turns a [`Check`] into a [`Verdict`], a batch at a time.

use forsooth_crypto::{Rejected, Rejection, Untrusted, Verified, verify_all};
use rand_core::CryptoRng;

use crate::message::{Proof, Publication};

/// Ties an answer to its question. Unique in one core's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub(crate) u64);

/// Something to be verified.
#[derive(Clone, Debug)]
pub enum Check {
    /// A message: its signature, and that its payload is the one it names.
    Publication(Untrusted<Publication>),
    /// An equivocation proof: both signatures, one slot, two ids.
    Proof(Untrusted<Proof>),
}

/// What the check found.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The message is its author's.
    Publication(Verified<Publication>),
    /// The proof proves.
    Proof(Verified<Proof>),
    /// It does not hold.
    Rejected(Subject, Rejection),
}

/// What a check was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A message.
    Publication,
    /// An equivocation proof.
    Proof,
}

/// The answer to an [`Effect::Verify`](crate::Effect::Verify).
#[derive(Clone, Debug)]
pub struct Verdict {
    /// From the effect.
    pub ticket: Ticket,
    /// What the check found.
    pub outcome: Outcome,
}

/// Checks all, in one batch for each kind; the verdicts come in no particular order of kinds.
#[must_use]
pub fn check_all(checks: Vec<(Ticket, Check)>, rng: &mut impl CryptoRng) -> Vec<Verdict> {
    let mut verdicts = Vec::with_capacity(checks.len());
    let (mut message_tickets, mut messages) =
        (Vec::with_capacity(checks.len()), Vec::with_capacity(checks.len()));
    let (mut proof_tickets, mut proofs) = (Vec::new(), Vec::new());
    for (ticket, check) in checks {
        match check {
            Check::Publication(message) => {
                message_tickets.push(ticket);
                messages.push(message);
            }
            Check::Proof(proof) => {
                proof_tickets.push(ticket);
                proofs.push(proof);
            }
        }
    }
    let messages = verify_all(messages, rng);
    verdicts.extend(message_tickets.into_iter().zip(messages).map(|(ticket, result)| Verdict {
        ticket,
        outcome: outcome(result, Outcome::Publication, Subject::Publication),
    }));
    let proofs = verify_all(proofs, rng);
    verdicts.extend(proof_tickets.into_iter().zip(proofs).map(|(ticket, result)| Verdict {
        ticket,
        outcome: outcome(result, Outcome::Proof, Subject::Proof),
    }));
    verdicts
}

fn outcome<T>(
    result: Result<Verified<T>, Rejected<T>>,
    good: fn(Verified<T>) -> Outcome,
    subject: Subject,
) -> Outcome {
    match result {
        Ok(verified) => good(verified),
        Err(rejected) => Outcome::Rejected(subject, rejected.reason),
    }
}
