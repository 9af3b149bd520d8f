//! Signatures, checked once for the whole world.
//!
//! A thousand nodes would check each message a thousand times, and all find the same. The key is a digest of
//! everything that the check looks at, so a tampered copy is checked for itself.

use forsooth_crypto::{Digest, Domain, Hasher, Rejected, Verifiable, Verified, verify};
use forsooth_protocol::{
    Check, Outcome, SignedHeader, Subject, member_outcome,
    membership::signed::{Content, Signed},
    record_outcome,
};

use super::index::ByRandom;

/// Outcomes that are remembered; when there are more, all are forgotten and found again.
const OUTCOMES_MAX: usize = 1 << 17;

/// Remembers the outcome of every check.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    outcomes: ByRandom<Digest, Outcome>,
}

impl Judge {
    pub(crate) fn judge(&mut self, check: Check) -> Outcome {
        let key = key(&check);
        if let Some(outcome) = self.outcomes.get(&key) {
            return outcome.clone();
        }
        let outcome = match check {
            Check::Publication(message) => {
                conclude(verify(message), Outcome::Publication, Subject::Publication)
            }
            Check::Proof(proof) => conclude(verify(proof), Outcome::Proof, Subject::Proof),
            Check::Record(record) => record_outcome(verify(record)),
            Check::Member(record) => member_outcome(verify(record)),
            Check::Accusation(accusation) => {
                conclude(verify(accusation), Outcome::Accusation, Subject::Accusation)
            }
            Check::Answer(answer) => conclude(verify(answer), Outcome::Answer, Subject::Answer),
        };
        if self.outcomes.len() >= OUTCOMES_MAX {
            self.outcomes.clear();
        }
        self.outcomes.insert(key, outcome.clone());
        outcome
    }
}

fn conclude<T: Verifiable>(
    result: Result<Verified<T>, Rejected<T>>,
    good: fn(Verified<T>) -> Outcome,
    subject: Subject,
) -> Outcome {
    result.map_or_else(|rejected| Outcome::Rejected(subject, rejected.reason), good)
}

fn key(check: &Check) -> Digest {
    match check {
        // The frame has header, signature and payload.
        Check::Publication(message) => Digest::of(Domain::Received, message.unverified().frame()),
        Check::Member(record) => of_signed(record.unverified()),
        Check::Accusation(accusation) => of_signed(accusation.unverified()),
        Check::Answer(answer) => of_signed(answer.unverified()),
        Check::Record(record) => {
            let mut hasher = Hasher::new(Domain::Received);
            hasher.update(record.unverified().digest().as_bytes());
            hasher.update(record.unverified().signature().as_bytes());
            hasher.finish()
        }
        Check::Proof(proof) => {
            let (first, second) = proof.unverified().headers();
            let mut hasher = Hasher::new(Domain::Received);
            add(&mut hasher, first);
            add(&mut hasher, second);
            hasher.finish()
        }
    }
}

/// The digest covers what was signed and for what.
fn of_signed<T: Content>(signed: &Signed<T>) -> Digest {
    let mut hasher = Hasher::new(Domain::Received);
    hasher.update(signed.digest().as_bytes()).update(signed.signature().as_bytes());
    hasher.finish()
}

fn add(hasher: &mut Hasher, header: &SignedHeader) {
    let encoded = header.encoded();
    hasher.update(&(encoded.len() as u64).to_le_bytes()).update(encoded);
    hasher.update(header.signature().as_bytes());
}
