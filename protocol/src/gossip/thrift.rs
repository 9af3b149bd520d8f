//! What each peer may ask to be sent, in proportion to what there is.
//!
//! In peace nobody asks for anything, and under attack an honest node asks for what its parents withhold, of one voucher
//! among many. So a peer that asks for much of what passes by lets others upload, and is given an eighth of it, after a few
//! to begin with. What was there before the peer came is free: a newcomer lacks it all, and is served each message once.
//! Whoever leaves and comes back finds its account as it left it; but what it missed meanwhile is free too, once in a while.

use core::time::Duration;
use std::collections::BTreeMap;

use forsooth_crypto::NodeId;

use crate::{agenda::Agenda, snapshot::Bound, time::Time};

/// A peer may ask for one in so many of the messages that are passed on, and of their bytes.
const SHARE: u64 = 8;
/// What it may ask for at once: more than an honest node ever lacks of what one neighbour has, if others have it too.
const BURST_MESSAGES: u64 = 32;
const BURST_BYTES: u64 = 4 << 20;
/// Requests in vain that are nobody's fault, and come back as a share does: whoever was cut off lacks much, and cannot know what its
/// neighbours have counted.
const FORGIVEN: u64 = 256;
/// Whoever comes back again within this time after it was given what it had missed is not given it.
const RETURN_EVERY: Duration = Duration::from_secs(600);
/// Accounts of peers that left; who left first goes.
const ABSENT_MAX: usize = 1024;

/// The accounts of all peers.
#[derive(Debug)]
pub(super) struct Thrift {
    accounts: BTreeMap<NodeId, Account>,
    /// Peers that left, by when.
    absent: Agenda<Time, NodeId>,
    /// All that was passed on here.
    passed: Sum,
}

/// Messages, and their bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    messages: u64,
    bytes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Account {
    /// What was here then is free: when the peer came first, or came back.
    since: Time,
    /// When it last came back and was given what it had missed.
    returned: Option<Time>,
    /// When it last came back.
    back: Option<Time>,
    left: Option<Time>,
    /// What it was served, as far as its share has not paid for it: an eighth counts one.
    owed: Sum,
    /// Messages that it asked for and was not sent, counted in the same way.
    refused: u64,
    /// All that had been passed on when that was computed.
    at: Sum,
}

impl Account {
    /// Its share of what was passed on since pays for what it owes.
    fn pay(&mut self, passed: Sum) {
        let messages = passed.messages - self.at.messages;
        self.owed.messages = self.owed.messages.saturating_sub(messages);
        self.owed.bytes = self.owed.bytes.saturating_sub(passed.bytes - self.at.bytes);
        self.refused = self.refused.saturating_sub(messages);
        self.at = passed;
    }
}

impl Thrift {
    pub(super) const fn new() -> Self {
        let passed = Sum { messages: 0, bytes: 0 };
        Self { accounts: BTreeMap::new(), absent: Agenda::new(), passed }
    }

    /// A peer takes part.
    pub(super) fn join(&mut self, peer: NodeId, now: Time) {
        let owed = Sum::default();
        let new = Account {
            since: now,
            returned: None,
            back: None,
            left: None,
            owed,
            refused: 0,
            at: self.passed,
        };
        let account = self.accounts.entry(peer).or_insert(new);
        if let Some(left) = account.left.take() {
            self.absent.remove(&(left, peer));
            account.back = Some(now);
            if account.returned.is_none_or(|returned| returned + RETURN_EVERY <= now) {
                account.returned = Some(now);
                account.since = now;
            }
        }
    }

    /// A peer is gone.
    pub(super) fn leave(&mut self, peer: NodeId, now: Time) {
        let Some(account) = self.accounts.get_mut(&peer).filter(|account| account.left.is_none())
        else {
            return;
        };
        account.left = Some(now);
        self.absent.insert((now, peer));
        if self.absent.len() > ABSENT_MAX
            && let Some((_, first)) = self.absent.pop_first()
        {
            self.accounts.remove(&first);
        }
    }

    /// A message was passed on.
    pub(super) fn note(&mut self, bytes: usize) {
        self.passed.messages = self.passed.messages.saturating_add(1);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.passed.bytes = self.passed.bytes.saturating_add(bytes);
    }

    /// Whether a peer may be sent a message of so many bytes because it asks, and be pushed what follows. What has been
    /// here for longer than the peer costs it nothing.
    pub(super) fn take(&mut self, peer: &NodeId, bytes: usize, here_since: Time) -> bool {
        let Some(account) = self.accounts.get_mut(peer) else { return false };
        if here_since <= account.since {
            return true;
        }
        account.pay(self.passed);
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(SHARE);
        let owed = &mut account.owed;
        if owed.messages >= SHARE * BURST_MESSAGES || owed.bytes >= SHARE * BURST_BYTES {
            return false;
        }
        owed.messages = owed.messages.saturating_add(SHARE);
        owed.bytes = owed.bytes.saturating_add(bytes);
        true
    }

    /// A peer asked for a message that it is not sent. Whether it is to blame: who was away a moment ago may have lost what it was sent.
    pub(super) fn refuse(&mut self, peer: &NodeId, now: Time) -> bool {
        let Some(account) = self.accounts.get_mut(peer) else { return false };
        account.pay(self.passed);
        account.refused = account.refused.saturating_add(SHARE).min(SHARE * (FORGIVEN + 1));
        let is_back = account.back.is_some_and(|back| back + RETURN_EVERY > now);
        account.refused > SHARE * FORGIVEN && !is_back
    }

    pub(super) fn bound(&self) -> Bound {
        let linked = self.accounts.len() - self.absent.len();
        Bound { name: "gossip.accounts", used: self.accounts.len(), max: linked + ABSENT_MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_duration(Duration::from_secs(seconds))
    }

    fn peer(tag: u32) -> NodeId {
        let mut id = [0; 32];
        id[..4].copy_from_slice(&tag.to_be_bytes());
        NodeId::from_bytes(id)
    }

    /// How many of so many messages a peer gets that asks for all.
    fn drained(thrift: &mut Thrift, messages: usize, now: Time) -> usize {
        let ask = |_: usize| {
            thrift.note(1000);
            thrift.take(&peer(1), 1000, now)
        };
        (0..messages).map(ask).filter(|served| *served).count()
    }

    #[test]
    fn who_asks_for_all_gets_an_eighth_and_who_asks_for_some_gets_it() {
        let mut thrift = Thrift::new();
        thrift.join(peer(1), at(0));
        assert_eq!(drained(&mut thrift, 8000, at(1)), 1000 + 32);
        thrift.join(peer(2), at(0));
        (0..1000).for_each(|_| {
            (0..10).for_each(|_| thrift.note(1000));
            assert!(thrift.take(&peer(2), 1000, at(1)));
        });
    }

    #[test]
    fn what_was_here_before_is_free_and_to_who_comes_back_once_in_a_while() {
        let mut thrift = Thrift::new();
        thrift.join(peer(1), at(10));
        assert_eq!(drained(&mut thrift, 500, at(10)), 500);
        thrift.leave(peer(1), at(20));
        thrift.join(peer(1), at(30));
        assert_eq!(drained(&mut thrift, 500, at(25)), 500, "what it missed");
        assert!(drained(&mut thrift, 500, at(31)) < 100, "what comes is not");
        thrift.leave(peer(1), at(40));
        thrift.join(peer(1), at(50));
        assert!(drained(&mut thrift, 500, at(45)) < 100, "it has come back before");
        (0..1000).for_each(|_| assert!(!thrift.refuse(&peer(1), at(649))));
        assert!(thrift.refuse(&peer(1), at(650)));
        thrift.leave(peer(1), at(60));
        thrift.join(peer(1), at(630));
        assert_eq!(drained(&mut thrift, 500, at(610)), 500);
        thrift.leave(peer(1), at(640));
        for tag in 2..2000 {
            thrift.join(peer(tag), at(650));
            thrift.leave(peer(tag), at(650 + u64::from(tag)));
        }
        assert_eq!((thrift.accounts.len(), thrift.absent.len()), (ABSENT_MAX, ABSENT_MAX));
    }

    #[test]
    fn who_asks_in_vain_again_and_again_is_to_blame() {
        let mut thrift = Thrift::new();
        thrift.join(peer(1), at(0));
        let blamed = |thrift: &mut Thrift, times: usize| {
            (0..times).filter(|_| thrift.refuse(&peer(1), at(1))).count()
        };
        assert_eq!(blamed(&mut thrift, 256), 0);
        assert_eq!(blamed(&mut thrift, 100), 100);
        (0..8 * 11).for_each(|_| thrift.note(1000));
        assert_eq!(blamed(&mut thrift, 100), 90, "what passes pays for ten and the last");
        assert!(!thrift.refuse(&peer(2), at(1)), "a stranger");
    }

    #[test]
    fn bytes_count_as_well() {
        let mut thrift = Thrift::new();
        thrift.join(peer(1), at(0));
        (0..100).for_each(|_| thrift.note(1000));
        let megabyte = 1 << 20;
        let served = (0..10).filter(|_| thrift.take(&peer(1), megabyte, at(1))).count();
        assert_eq!(served, 4);
        assert!(!thrift.take(&peer(2), 1, at(1)), "a stranger");
    }
}
