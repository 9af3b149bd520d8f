//! Messages by what they are called on one link.

mod table;

use std::collections::VecDeque;

use self::table::Table;
use super::Known;
use crate::short_id::{ShortId, VouchKey};

/// Messages whose names can be told. What is named is seldom older than a few seconds.
const LOG_MAX: usize = 16_384;

/// Messages in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Log {
    messages: VecDeque<Known>,
    /// The number of the first that is remembered.
    first: u64,
}

/// Numbers of messages by what they are called. It is brought up to date when it is asked, and forgets half at a time.
#[derive(Debug)]
pub(super) struct Index {
    key: VouchKey,
    /// The next number to be looked at.
    next: u64,
    young: Table,
    old: Table,
}

impl Log {
    pub(super) fn push(&mut self, known: Known) {
        self.messages.push_back(known);
        if self.messages.len() > LOG_MAX {
            self.messages.pop_front();
            self.first = self.first.saturating_add(1);
        }
    }

    fn get(&self, number: u64) -> Option<Known> {
        let place = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.messages.get(place).copied()
    }

    /// The message with this lower half of its number.
    fn near(&self, number: u32) -> Option<Known> {
        let place = usize::try_from(number.wrapping_sub(short(self.first))).ok()?;
        self.messages.get(place).copied()
    }
}

impl Index {
    pub(super) const fn new(key: VouchKey) -> Self {
        Self { key, next: 0, young: Table::new(), old: Table::new() }
    }

    /// The key under which messages have these names.
    pub(super) const fn key(&self) -> &VouchKey {
        &self.key
    }

    /// What is called so.
    pub(super) fn find(&mut self, name: ShortId, log: &Log) -> Option<Known> {
        self.update(log);
        let means = |number| self.means(number, name, log);
        self.young.find(name, means).or_else(|| self.old.find(name, means))
    }

    /// As [`Self::find`], and forgets it: nobody names one message twice.
    pub(super) fn take(&mut self, name: ShortId, log: &Log) -> Option<Known> {
        let known = self.find(name, log)?;
        let key = self.key;
        let is_it = |number| log.near(number).is_some_and(|known| key.name(&known.id) == name);
        if !self.young.remove(name, is_it) {
            self.old.remove(name, is_it);
        }
        Some(known)
    }

    /// The message of this number, if it is called so.
    fn means(&self, number: u32, name: ShortId, log: &Log) -> Option<Known> {
        log.near(number).filter(|known| self.key.name(&known.id) == name)
    }

    fn update(&mut self, log: &Log) {
        self.next = self.next.max(log.first);
        while let Some(Known { id, .. }) = log.get(self.next) {
            if self.young.is_full() {
                let key = self.key;
                self.young.grow(|number| log.near(number).map(|known| key.name(&known.id)));
            }
            self.young.insert(self.key.name(&id), short(self.next));
            self.next = self.next.saturating_add(1);
            if self.young.len() >= LOG_MAX / 2 {
                self.old = std::mem::replace(&mut self.young, Table::new());
            }
        }
    }
}

/// The lower half of a message's number, which tells all that are remembered apart.
fn short(number: u64) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        message::MessageId,
        network::{Defence, Kind, Network, Policy, Topic},
    };

    fn known(number: u64) -> Known {
        let topics = vec![Topic::new("a", Policy::Verified)];
        let network =
            Network::new("index", Kind::Local, topics, Defence::recommended(Kind::Local)).unwrap();
        let mut id = [0; 32];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let (topic, id) = (network.topic_id("a").unwrap(), MessageId::from_bytes(id));
        Known { topic, id, is_held: true }
    }

    #[test]
    fn the_latest_are_found_the_oldest_forgotten_and_nothing_grows() {
        let (mut log, key) = (Log::default(), VouchKey::from_bytes([5; 16]));
        let (mut eager, mut lazy) = (Index::new(key), Index::new(key));
        let template = known(0);
        let count = 3 * u64::try_from(LOG_MAX).unwrap();
        let id = |number: u64| {
            let mut id = [0; 32];
            id[..8].copy_from_slice(&number.to_be_bytes());
            MessageId::from_bytes(id)
        };
        for number in 0..count {
            log.push(Known { id: id(number), ..template });
            let name = key.name(&id(number));
            assert_eq!(eager.find(name, &log).map(|known| known.id), Some(id(number)));
        }
        assert!(eager.young.len() + eager.old.len() <= LOG_MAX);
        assert_eq!(log.messages.len(), LOG_MAX);
        // Asked for the first time only now, it has all that is remembered, and each is taken once.
        let [last, gone] = [count - 1, count / 2].map(|number| key.name(&id(number)));
        assert_eq!(lazy.find(gone, &log).map(|known| known.id), None);
        assert_eq!(lazy.take(last, &log).map(|known| known.id), Some(id(count - 1)));
        assert_eq!(lazy.take(last, &log).map(|known| known.id), None);
        assert!(lazy.young.len() + lazy.old.len() < LOG_MAX);
    }
}
