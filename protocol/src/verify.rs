//! Signature checks that leave the core as effects and come back as verdicts.
//!
//! The core does not know who checks, where, or in what company. [`check_all`] is the one function that
//! turns a [`Check`] into a [`Verdict`], a batch at a time.

use forsooth_crypto::{Rejected, Rejection, Untrusted, Verified, verify_all};
use rand_core::CryptoRng;

use crate::{
    message::{Proof, Publication},
    overlay::record::SignedRecord,
};

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
    /// A peer's record: its signature, and its proof of work if the network asks for one.
    Record(Untrusted<SignedRecord>),
}

/// What the check found.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The message is its author's.
    Publication(Verified<Publication>),
    /// The proof proves.
    Proof(Verified<Proof>),
    /// The record is its peer's.
    Record(Verified<SignedRecord>),
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
    /// A peer's record.
    Record,
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
    let (mut record_tickets, mut records) = (Vec::new(), Vec::new());
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
            Check::Record(record) => {
                record_tickets.push(ticket);
                records.push(record);
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
    // No randomness is taken where there is nothing to check.
    let records = if records.is_empty() { Vec::new() } else { verify_all(records, rng) };
    let records = record_tickets.into_iter().zip(records);
    verdicts.extend(
        records.map(|(ticket, result)| Verdict { ticket, outcome: record_outcome(result) }),
    );
    verdicts
}

/// What becomes of a record whose signature was looked at: its work is worth a look only if that is good.
#[must_use]
pub fn record_outcome(result: Result<Verified<SignedRecord>, Rejected<SignedRecord>>) -> Outcome {
    match result {
        Ok(record) if record.is_paid() => Outcome::Record(record),
        Ok(_) => Outcome::Rejected(Subject::Record, Rejection::Content),
        Err(rejected) => Outcome::Rejected(Subject::Record, rejected.reason),
    }
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
