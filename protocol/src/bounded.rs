//! The one container for what peers feed us: bounded in weight, and fair.
//!
//! Every entry is charged to an owner, the peer that caused it. When the map is over its bound, the owner
//! that holds the most loses its oldest entry. So an owner that holds no more than its fair share (the bound
//! divided by the owners) never loses an entry to another's flood, and a flooder evicts only itself.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use slab::Slab;

/// An ordered map with a total weight and an owner for each entry.
#[derive(Debug)]
pub(crate) struct FairMap<K, O, V> {
    entries: BTreeMap<K, Entry<V>>,
    owners: BTreeMap<O, usize>,
    accounts: Slab<Account<K, O>>,
    /// Owners by what they hold; the last is the heaviest.
    ranking: BTreeSet<(usize, O)>,
    weight: usize,
    weight_max: usize,
    next_order: u64,
}

#[derive(Debug)]
struct Entry<V> {
    /// Whose it is, by its account: owners have names of 32 bytes, and there may be many entries.
    account: usize,
    weight: usize,
    order: u64,
    value: V,
}

#[derive(Debug)]
struct Account<K, O> {
    owner: O,
    weight: usize,
    queue: Queue<K>,
}

/// Keys by age, oldest first. What goes out of turn leaves a gap; gaps go when there are more of them than keys.
#[derive(Debug)]
struct Queue<K> {
    places: VecDeque<(u64, Option<K>)>,
    len: usize,
}

impl<K: Copy> Queue<K> {
    const fn new() -> Self {
        Self { places: VecDeque::new(), len: 0 }
    }

    /// Adds the youngest: its order is above all others.
    fn push(&mut self, order: u64, key: K) {
        self.places.push_back((order, Some(key)));
        self.len = self.len.saturating_add(1);
    }

    fn remove(&mut self, order: u64) {
        let place = match self.places.front() {
            Some((oldest, _)) if *oldest == order => Ok(0),
            _ => self.places.binary_search_by_key(&order, |(order, _)| *order),
        };
        let Some((_, key)) = place.ok().and_then(|place| self.places.get_mut(place)) else {
            return;
        };
        if key.take().is_some() {
            self.len = self.len.saturating_sub(1);
        }
        while self.places.pop_front_if(|(_, key)| key.is_none()).is_some() {}
        if self.places.len() > self.len.saturating_mul(2) {
            self.places.retain(|(_, key)| key.is_some());
        }
    }

    fn oldest(&self) -> Option<K> {
        self.places.front().and_then(|(_, key)| *key)
    }
}

impl<K: Ord + Copy, O: Ord + Copy, V> FairMap<K, O, V> {
    /// An empty map that holds at most `weight_max`.
    pub(crate) const fn new(weight_max: usize) -> Self {
        Self {
            entries: BTreeMap::new(),
            owners: BTreeMap::new(),
            accounts: Slab::new(),
            ranking: BTreeSet::new(),
            weight: 0,
            weight_max,
            next_order: 0,
        }
    }

    /// Inserts at the owner's expense and returns what had to go: entries of whoever holds the most, which
    /// may be this one. An entry under the same key is replaced first, and is not among the evicted.
    pub(crate) fn insert(&mut self, key: K, owner: O, weight: usize, value: V) -> Vec<(K, V)> {
        let order = self.next_order;
        self.next_order = self.next_order.saturating_add(1);
        self.weight = self.weight.saturating_add(weight);
        let accounts = &mut self.accounts;
        let open = || accounts.insert(Account { owner, weight: 0, queue: Queue::new() });
        let account = *self.owners.entry(owner).or_insert_with(open);
        if let Some(account) = self.accounts.get_mut(account) {
            account.queue.push(order, key);
            self.ranking.remove(&(account.weight, owner));
            account.weight = account.weight.saturating_add(weight);
            self.ranking.insert((account.weight, owner));
        }
        if let Some(replaced) = self.entries.insert(key, Entry { account, weight, order, value }) {
            self.discharge(&replaced);
        }
        let mut evicted = Vec::new();
        while self.weight > self.weight_max {
            let Some(entry) = self.evict() else { break };
            evicted.push(entry);
        }
        evicted
    }

    /// Removes the oldest entry of the heaviest owner.
    fn evict(&mut self) -> Option<(K, V)> {
        let (_, heaviest) = self.ranking.last()?;
        let account = self.accounts.get(*self.owners.get(heaviest)?)?;
        let key = account.queue.oldest()?;
        self.remove(&key).map(|value| (key, value))
    }

    /// Removes an entry.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.discharge(&entry);
        Some(entry.value)
    }

    /// An entry is gone: its owner is charged for it no more.
    fn discharge(&mut self, Entry { account: place, weight, order, .. }: &Entry<V>) {
        self.weight = self.weight.saturating_sub(*weight);
        let Some(account) = self.accounts.get_mut(*place) else { return };
        let owner = account.owner;
        self.ranking.remove(&(account.weight, owner));
        account.queue.remove(*order);
        account.weight = account.weight.saturating_sub(*weight);
        if account.queue.len == 0 {
            self.owners.remove(&owner);
            self.accounts.try_remove(*place);
        } else {
            self.ranking.insert((account.weight, owner));
        }
    }

    /// The value under a key.
    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// The value under a key, to be changed. Its weight stays what it was.
    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    /// Whether there is a value under a key.
    pub(crate) fn contains(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }

    /// All entries, by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> + Clone {
        self.entries.iter().map(|(key, entry)| (key, &entry.value))
    }

    /// All entries, by key, from this key on and round to it.
    pub(crate) fn iter_from(&self, key: K) -> impl Iterator<Item = (&K, &V)> {
        let both = self.entries.range(key..).chain(self.entries.range(..key));
        both.map(|(key, entry)| (key, &entry.value))
    }

    /// Entries held.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Weight held, at most [`Self::weight_max`].
    pub(crate) const fn weight(&self) -> usize {
        self.weight
    }

    /// The bound.
    pub(crate) const fn weight_max(&self) -> usize {
        self.weight_max
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_flood_evicts_only_the_flooder() {
        let mut map = FairMap::new(100);
        for key in 0..10 {
            assert!(map.insert(key, "honest", 1, ()).is_empty());
        }
        for key in 100..10_000 {
            for (evicted, ()) in map.insert(key, "flooder", 1, ()) {
                assert!(evicted >= 100, "an honest entry was evicted");
            }
        }
        assert_eq!(map.weight(), 100);
        assert!((0..10).all(|key| map.contains(&key)));
    }

    #[test]
    fn an_entry_heavier_than_the_bound_evicts_itself_alone() {
        let mut map = FairMap::new(10);
        map.insert(1, "a", 4, "kept");
        let evicted = map.insert(2, "b", 11, "too heavy");
        assert_eq!(evicted, [(2, "too heavy")]);
        assert_eq!(map.get(&1), Some(&"kept"));
    }

    #[test]
    fn replacing_an_entry_recharges_it() {
        let mut map = FairMap::new(10);
        map.insert(1, "a", 4, 'x');
        assert!(map.insert(1, "b", 6, 'y').is_empty());
        assert_eq!((map.len(), map.weight()), (1, 6));
        assert_eq!(map.remove(&1), Some('y'));
        assert_eq!((map.len(), map.weight(), map.owners.len(), map.ranking.len()), (0, 0, 0, 0));
    }

    proptest! {
        #[test]
        fn the_books_always_balance(steps in prop::collection::vec((0u8..40, 0u8..5, 0usize..30, any::<bool>()), 1..200)) {
            let mut map = FairMap::new(64);
            for (key, owner, weight, remove) in steps {
                if remove {
                    map.remove(&key);
                } else {
                    map.insert(key, owner, weight, ());
                }
                let total: usize = map.entries.values().map(|entry| entry.weight).sum();
                prop_assert_eq!(total, map.weight());
                prop_assert!(map.weight() <= 64);
                let queued: usize = map.accounts.iter().map(|(_, account)| account.queue.len).sum();
                prop_assert_eq!(queued, map.len());
                for (place, Account { owner, queue: Queue { places, len }, .. }) in &map.accounts {
                    prop_assert_eq!(map.owners.get(owner), Some(&place));
                    prop_assert_eq!(places.iter().filter(|(_, key)| key.is_some()).count(), *len);
                    prop_assert!(places.iter().is_sorted_by_key(|(order, _)| *order));
                    prop_assert!(places.len() <= 2 * len);
                    prop_assert!(places.front().is_none_or(|(_, key)| key.is_some()));
                }
                prop_assert_eq!(map.ranking.len(), map.owners.len());
                prop_assert_eq!(map.accounts.len(), map.owners.len());
                for (_, account) in &map.accounts {
                    prop_assert!(map.ranking.contains(&(account.weight, account.owner)));
                }
            }
        }
    }
}
