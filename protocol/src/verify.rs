//! Signature checks that leave the core as effects and come back as verdicts.
//!
//! The core does not know who checks, where, or in what company. [`check_all`] is the one function that
//! turns a [`Check`] into a [`Verdict`], a batch at a time.

use forsooth_crypto::{Rejected, Rejection, Untrusted, Verifiable, Verified, verify, verify_all};
use rand_core::CryptoRng;

use crate::{
    membership::{SignedAccusation, SignedAnswer, SignedMember},
    message::{Proof, Publication},
    overlay::record::SignedRecord,
};

/// Hashing a payload up to this takes less time than checking its message's signature.
const BRIEF_BYTES_MAX: usize = 16 << 10;

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
    /// A member's record of itself: its signature, and its proof of work if the network asks for one.
    Member(Untrusted<SignedMember>),
    /// An observer's accusation.
    Accusation(Untrusted<SignedAccusation>),
    /// A member's answer to a probe that came through somebody else.
    Answer(Untrusted<SignedAnswer>),
}

impl Check {
    /// Whether it is a single signature and little else, so that it need not wait for a thread.
    #[must_use]
    pub fn is_brief(&self) -> bool {
        match self {
            Self::Publication(message) => message.unverified().payload().len() <= BRIEF_BYTES_MAX,
            // Two signatures, or a proof of work; or what is seldom.
            Self::Proof(_)
            | Self::Record(_)
            | Self::Member(_)
            | Self::Accusation(_)
            | Self::Answer(_) => false,
        }
    }
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
    /// The record is its member's.
    Member(Verified<SignedMember>),
    /// The accusation is its accuser's.
    Accusation(Verified<SignedAccusation>),
    /// The answer is its subject's.
    Answer(Verified<SignedAnswer>),
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
    /// A member's record.
    Member,
    /// An accusation.
    Accusation,
    /// An answer.
    Answer,
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
    let (mut member_tickets, mut members) = (Vec::new(), Vec::new());
    let (mut accusation_tickets, mut accusations) = (Vec::new(), Vec::new());
    let (mut answer_tickets, mut answers) = (Vec::new(), Vec::new());
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
            Check::Member(member) => {
                member_tickets.push(ticket);
                members.push(member);
            }
            Check::Accusation(accusation) => {
                accusation_tickets.push(ticket);
                accusations.push(accusation);
            }
            Check::Answer(answer) => {
                answer_tickets.push(ticket);
                answers.push(answer);
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
    let records = record_tickets.into_iter().zip(check_some(records, rng));
    verdicts.extend(
        records.map(|(ticket, result)| Verdict { ticket, outcome: record_outcome(result) }),
    );
    let members = member_tickets.into_iter().zip(check_some(members, rng));
    verdicts.extend(
        members.map(|(ticket, result)| Verdict { ticket, outcome: member_outcome(result) }),
    );
    let accusations = accusation_tickets.into_iter().zip(check_some(accusations, rng));
    verdicts.extend(accusations.map(|(ticket, result)| Verdict {
        ticket,
        outcome: outcome(result, Outcome::Accusation, Subject::Accusation),
    }));
    let answers = answer_tickets.into_iter().zip(check_some(answers, rng));
    verdicts.extend(answers.map(|(ticket, result)| Verdict {
        ticket,
        outcome: outcome(result, Outcome::Answer, Subject::Answer),
    }));
    verdicts
}

/// Checks one by itself, as [`check_all`] would.
#[must_use]
pub fn check_one((ticket, check): (Ticket, Check)) -> Verdict {
    let outcome = match check {
        Check::Publication(message) => {
            outcome(verify(message), Outcome::Publication, Subject::Publication)
        }
        Check::Proof(proof) => outcome(verify(proof), Outcome::Proof, Subject::Proof),
        Check::Record(record) => record_outcome(verify(record)),
        Check::Member(member) => member_outcome(verify(member)),
        Check::Accusation(accusation) => {
            outcome(verify(accusation), Outcome::Accusation, Subject::Accusation)
        }
        Check::Answer(answer) => outcome(verify(answer), Outcome::Answer, Subject::Answer),
    };
    Verdict { ticket, outcome }
}

/// No randomness is taken where there is nothing to check.
fn check_some<T: Verifiable>(
    items: Vec<Untrusted<T>>,
    rng: &mut impl CryptoRng,
) -> Vec<Result<Verified<T>, Rejected<T>>> {
    if items.is_empty() { Vec::new() } else { verify_all(items, rng) }
}

/// What becomes of a member's record whose signature was looked at; as of a peer's, see [`record_outcome`].
#[must_use]
pub fn member_outcome(result: Result<Verified<SignedMember>, Rejected<SignedMember>>) -> Outcome {
    match result {
        Ok(member) if member.is_paid() => Outcome::Member(member),
        Ok(_) => Outcome::Rejected(Subject::Member, Rejection::Content),
        Err(rejected) => Outcome::Rejected(Subject::Member, rejected.reason),
    }
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
