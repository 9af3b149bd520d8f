//! Proof of work over a key: what an identity costs, where the network asks for it.
//!
//! The puzzle is Argon2d (RFC 9106) with [`MEMORY_KIB`] of memory over key, network and nonce; its solution is
//! a nonce under which the digest begins with as many zero bits as the network's effort says. It is bound to
//! the key and the network, so it can be neither stolen nor reused, and it holds for ever: it makes keys
//! dear by the thousand, not rare. To check one costs as much as one attempt at one, which is why
//! signatures are checked first. `docs/identity.md` has what an hour of one core buys.
//!
//! Equi-X, the puzzle of Tor's onion services, would be cheaper to check, but its crate is under the LGPL, which
//! those who embed this one could not all accept.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use forsooth_crypto::{Digest, NodeId};

/// Memory that one attempt fills and reads, in KiB: about a core's share of the second-level cache, so that
/// a check takes a fraction of a millisecond and many cores at once still wait for memory.
pub const MEMORY_KIB: u32 = 1024;
/// The most bits of effort that a network may ask for: years of one core.
pub const EFFORT_MAX: u8 = 40;
/// Tells these digests from all others made with Argon2.
const CONTEXT: &[u8] = b"forsooth/1 work";

/// A solution: the nonce that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Work(u64);

impl Work {
    /// Bytes of a solution.
    pub const LEN: usize = 8;

    /// The solution that somebody claims; `None` if it has another length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(u64::from_be_bytes).map(Self)
    }

    /// The solution's bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; Self::LEN] {
        self.0.to_be_bytes()
    }
}

/// What one key has to solve for one network. Holds the memory that an attempt needs, so make one and keep
/// it while many nonces are tried.
#[derive(Debug)]
pub struct Puzzle {
    salt: [u8; 32],
    peer: NodeId,
    effort: u8,
    memory: Vec<Block>,
}

impl Puzzle {
    /// The puzzle of a key in the network of this digest.
    #[must_use]
    pub fn new(peer: &NodeId, network: &Digest, effort: u8) -> Self {
        let memory = vec![Block::default(); params().block_count()];
        Self { salt: *network.as_bytes(), peer: *peer, effort, memory }
    }

    /// Whether this nonce is a solution. Takes `2^effort` attempts on average.
    #[must_use]
    pub fn attempt(&mut self, nonce: u64) -> Option<Work> {
        let work = Work(nonce);
        self.check(&work).then_some(work)
    }

    /// Whether a claimed solution is one. Costs as much as one attempt.
    #[must_use]
    pub fn check(&mut self, work: &Work) -> bool {
        if self.effort == 0 {
            return true;
        }
        let argon = Argon2::new(Algorithm::Argon2d, Version::V0x13, params());
        let input = [CONTEXT, self.peer.as_bytes(), &work.to_bytes()].concat();
        let mut digest = [0; 8];
        argon
            .hash_password_into_with_memory(&input, &self.salt, &mut digest, &mut self.memory)
            .expect("the lengths are constants that Argon2 allows");
        u64::from_be_bytes(digest).leading_zeros() >= self.effort.into()
    }
}

fn params() -> Params {
    Params::new(MEMORY_KIB, 1, 1, Some(8)).expect("these are parameters that Argon2 allows")
}

#[cfg(test)]
mod tests {
    use forsooth_crypto::Domain;

    use super::*;

    fn puzzle(peer: u8, network: &[u8], effort: u8) -> Puzzle {
        let digest = Digest::of(Domain::Network, network);
        Puzzle::new(&NodeId::from_bytes([peer; 32]), &digest, effort)
    }

    fn solve(puzzle: &mut Puzzle) -> (u64, Work) {
        (0..).find_map(|nonce| puzzle.attempt(nonce).map(|work| (nonce, work))).unwrap()
    }

    #[test]
    fn a_solution_holds_for_one_key_in_one_network() {
        let (_, work) = solve(&mut puzzle(1, b"one", 6));
        assert!(puzzle(1, b"one", 6).check(&work));
        // By chance another puzzle has the same solution once in 64: not each of these eight.
        assert!((2..10).any(|peer| !puzzle(peer, b"one", 6).check(&work)));
        assert!((2..10_u8).any(|other| !puzzle(1, &[other], 6).check(&work)));
    }

    #[test]
    fn each_bit_of_effort_doubles_the_attempts() {
        let attempts = |effort| -> u64 {
            (0..40).map(|peer| 1 + solve(&mut puzzle(peer, b"n", effort)).0).sum()
        };
        let ratio = attempts(5) as f64 / attempts(2) as f64;
        assert!((4.0..16.0).contains(&ratio), "three bits more took {ratio:.1} times as long");
    }

    #[test]
    fn no_effort_is_no_work() {
        assert!(puzzle(1, b"n", 0).check(&Work(0)));
    }

    #[test]
    fn a_solution_is_read_back_from_its_eight_bytes() {
        let work = Work(0x0102_0304_0506_0708);
        assert_eq!(Work::from_bytes(&work.to_bytes()), Some(work));
        assert_eq!(Work::from_bytes(&[0; 7]), None);
        assert_eq!(Work::from_bytes(&[0; 9]), None);
    }

    /// Other implementations must find the same.
    #[test]
    fn a_known_solution_stays_one() {
        let (nonce, _) = solve(&mut puzzle(7, b"known", 8));
        assert_eq!(nonce, 132);
    }
}
