//! What honest applications do: they publish at random moments. From the seed, the same in both engines.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use bytes::Bytes;
use forsooth_protocol::TopicId;
use rand::{Rng as _, RngExt as _};
use rand_chacha::ChaCha8Rng;

use crate::{
    plan::{Plan, Purpose},
    scenario::{Group, Scenario},
};

/// A message to be published.
#[derive(Clone, Debug)]
pub struct Publication {
    /// How long after the beginning of the load.
    pub at: Duration,
    /// By which honest node.
    pub node: usize,
    /// Where.
    pub topic: TopicId,
    /// What.
    pub payload: Bytes,
}

/// All that honest nodes publish in a run, in order.
pub struct Load {
    sources: Vec<Source>,
    /// When each source publishes next.
    due: BinaryHeap<Reverse<(Duration, usize)>>,
    end: Duration,
}

/// Somebody who publishes again and again: a node, or a whole group when it shares a number of messages.
struct Source {
    first: usize,
    nodes: usize,
    group: Group,
    topics: Vec<TopicId>,
    gap: Duration,
    /// Messages still to come; without end if `None`.
    left: Option<usize>,
    published: usize,
    rng: ChaCha8Rng,
}

impl Load {
    /// The load of a scenario.
    #[must_use]
    pub fn new(scenario: &Scenario, plan: &Plan) -> Self {
        let mut load =
            Self { sources: Vec::new(), due: BinaryHeap::new(), end: scenario.run.duration };
        for band in &plan.groups {
            let group = &band.of;
            if group.rate <= 0.0 || group.messages == Some(0) {
                continue;
            }
            if group.messages.is_some() {
                load.add(plan, group, band.places.start, band.places.len());
            } else {
                band.places.clone().for_each(|node| load.add(plan, group, node, 1));
            }
        }
        load
    }

    fn add(&mut self, plan: &Plan, group: &Group, first: usize, nodes: usize) {
        let mut rng = plan.stream(Purpose::Load, first);
        let gap = Duration::from_secs_f64(1.0 / (group.rate * nodes as f64));
        // Not all at once in the beginning.
        let begin = gap.mul_f64(rng.random());
        let topics = group.topics.iter().filter_map(|name| plan.network.topic_id(name)).collect();
        self.due.push(Reverse((begin, self.sources.len())));
        let (group, left) = (group.clone(), group.messages);
        self.sources.push(Source { first, nodes, group, topics, gap, left, published: 0, rng });
    }

    /// When the next message is due.
    #[must_use]
    pub fn next_at(&self) -> Option<Duration> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }

    /// The next message, if it is due by then.
    pub fn pop_until(&mut self, until: Duration) -> Option<Publication> {
        loop {
            let Reverse((at, number)) = *self.due.peek().filter(|due| due.0.0 <= until)?;
            self.due.pop();
            let Some(source) = self.sources.get_mut(number) else { continue };
            let next = at + source.gap.mul_f64(source.rng.random_range(0.5..1.5));
            if source.group.quiet.as_ref().is_some_and(|quiet| quiet.contains(&at)) {
                // Nothing is made up for afterwards.
                self.due.push(Reverse((next, number)));
                continue;
            }
            let publication = source.publish(at);
            // A number of messages is published however long it takes.
            if source.left.map_or(next < self.end, |left| left > 0) {
                self.due.push(Reverse((next, number)));
            }
            if let Some(publication) = publication {
                return Some(publication);
            }
        }
    }
}

impl Source {
    fn publish(&mut self, at: Duration) -> Option<Publication> {
        let mut payload = vec![0; self.group.payload_bytes as usize];
        self.rng.fill_bytes(&mut payload);
        let node = self.first + self.rng.random_range(0..self.nodes);
        let topic = *self.topics.get(self.published % self.topics.len().max(1))?;
        self.published += 1;
        self.left = self.left.map(|left| left.saturating_sub(1));
        Some(Publication { at, node, topic, payload: payload.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(groups: Vec<Group>) -> Vec<Publication> {
        let scenario = Scenario::of("x", groups);
        let plan = Plan::of(&scenario).unwrap();
        let mut load = Load::new(&scenario, &plan);
        std::iter::from_fn(|| load.pop_until(Duration::MAX)).collect()
    }

    #[test]
    fn a_rate_is_kept_by_every_node_until_the_end() {
        let all = published(vec![Group::of("a", 10)]);
        assert!(all.is_sorted_by_key(|one| one.at));
        assert!((380..=420).contains(&all.len()), "{}", all.len());
        assert!((0..10).all(|node| all.iter().any(|one| one.node == node)));
        assert!(all.iter().all(|one| one.at < Duration::from_secs(20) && one.payload.len() == 256));
    }

    #[test]
    fn a_number_of_messages_is_kept_by_the_group() {
        let group = Group { messages: Some(33), ..Group::of("a", 10) };
        assert_eq!(published(vec![group]).len(), 33);
        let none = Group { messages: Some(0), ..Group::of("a", 10) };
        assert!(published(vec![none]).is_empty());
    }

    #[test]
    fn nobody_publishes_in_a_quiet_time_and_some_have_several_topics() {
        let quiet = Duration::from_secs(5)..Duration::from_secs(15);
        let topics = vec!["news".to_owned(), "weather".to_owned()];
        let group = Group { quiet: Some(quiet.clone()), topics, ..Group::of("a", 10) };
        let silent = Group { rate: 0.0, ..Group::of("b", 3) };
        let all = published(vec![group, silent]);
        assert!(all.iter().all(|one| !quiet.contains(&one.at) && one.node < 10));
        assert!(all.iter().any(|one| one.at >= quiet.end));
        let second = all.iter().filter(|one| one.topic.index() == 1).count();
        assert!(second.abs_diff(all.len() / 2) <= 10, "{second}");
    }
}
