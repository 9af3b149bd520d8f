//! What waits for room in a bounded channel, for a task that must not wait.

use std::collections::VecDeque;

use tokio::sync::mpsc;

/// The sending side of a bounded channel, and a bounded queue in front of it.
#[derive(Debug)]
pub(crate) struct Backlog<T> {
    channel: mpsc::Sender<T>,
    waiting: VecDeque<T>,
    waiting_max: usize,
}

impl<T> Backlog<T> {
    /// Nothing waits yet; at most `waiting_max` items ever do, besides those in the channel.
    pub(crate) const fn new(channel: mpsc::Sender<T>, waiting_max: usize) -> Self {
        Self { channel, waiting: VecDeque::new(), waiting_max }
    }

    /// Sends an item, now or when there is room. Gives the oldest one back if too many wait.
    pub(crate) fn push(&mut self, item: T) -> Option<T> {
        self.waiting.push_back(item);
        while !self.waiting.is_empty()
            && let Ok(permit) = self.channel.try_reserve()
        {
            send_first(permit, &mut self.waiting);
        }
        if self.waiting.len() > self.waiting_max { self.waiting.pop_front() } else { None }
    }

    /// Completes when one waiting item was sent; never, if none waits or the receiver is gone. May be
    /// dropped at any point without loss.
    pub(crate) async fn flush(&mut self) {
        if !self.waiting.is_empty()
            && let Ok(permit) = self.channel.reserve().await
        {
            return send_first(permit, &mut self.waiting);
        }
        std::future::pending().await
    }

    /// Sends all that waits, then closes the channel. Ends early if the receiver is gone.
    pub(crate) async fn close(mut self) {
        self.drain().await;
    }

    /// Sends all that waits. Ends early if the receiver is gone.
    pub(crate) async fn drain(&mut self) {
        while !self.waiting.is_empty()
            && let Ok(permit) = self.channel.reserve().await
        {
            send_first(permit, &mut self.waiting);
        }
    }
}

fn send_first<T>(permit: mpsc::Permit<'_, T>, waiting: &mut VecDeque<T>) {
    if let Some(item) = waiting.pop_front() {
        permit.send(item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_fit_waits_in_order_and_the_oldest_is_given_back() {
        let (tx, mut rx) = mpsc::channel(1);
        let mut backlog = Backlog::new(tx, 2);
        assert_eq!(
            (0..4).map(|item| backlog.push(item)).collect::<Vec<_>>(),
            [None, None, None, Some(1)]
        );
        assert_eq!(rx.recv().await, Some(0));
        backlog.flush().await;
        assert_eq!(rx.recv().await, Some(2));
        let (received, ()) = tokio::join!(rx.recv(), backlog.close());
        assert_eq!(received, Some(3));
        assert_eq!(rx.recv().await, None);
    }
}
