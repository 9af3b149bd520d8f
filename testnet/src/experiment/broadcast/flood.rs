//! The fastest that any protocol could be on the same links: every node sends at once to all that it is linked
//! with.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

/// A network as it is at one moment.
pub(super) struct Graph {
    /// Whom each node is linked with, and how far away that is.
    links: Vec<Vec<(usize, Duration)>>,
    /// The first so many nodes pass on what they get; the others get it and keep it.
    honest: usize,
}

impl Graph {
    /// A network of these links, listed for each node; the first `honest` pass on what they get.
    pub(super) const fn new(links: Vec<Vec<(usize, Duration)>>, honest: usize) -> Self {
        Self { links, honest }
    }

    /// When each honest node but the author has what the author floods; who cannot be reached is left out.
    pub(super) fn flood(&self, author: usize) -> impl Iterator<Item = Duration> {
        let mut reached: Vec<Option<Duration>> = vec![None; self.links.len()];
        let mut next = BinaryHeap::from([Reverse((Duration::ZERO, author))]);
        while let Some(Reverse((at, node))) = next.pop() {
            let Some(first @ None) = reached.get_mut(node) else { continue };
            *first = Some(at);
            if node < self.honest {
                let links = self.links.get(node).into_iter().flatten();
                next.extend(links.map(|(peer, takes)| Reverse((at + *takes, *peer))));
            }
        }
        let honest = reached.into_iter().take(self.honest).enumerate();
        honest.filter(move |(node, _)| *node != author).filter_map(|(_, at)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_takes_the_fastest_way_and_none_through_those_who_withhold() {
        let ms = Duration::from_millis;
        let mut links = vec![Vec::new(); 5];
        for (one, other, takes) in [(0, 1, 10), (1, 2, 10), (0, 2, 50), (0, 4, 1), (4, 2, 1)] {
            links[one].push((other, ms(takes)));
            links[other].push((one, ms(takes)));
        }
        let honest = Graph::new(links.clone(), 5);
        assert_eq!(honest.flood(0).collect::<Vec<_>>(), [ms(10), ms(2), ms(1)]);
        let withheld = Graph::new(links, 4);
        assert_eq!(withheld.flood(0).collect::<Vec<_>>(), [ms(10), ms(20)], "nobody reaches 3");
    }
}
