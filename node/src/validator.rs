//! The application's say about a message, asked before it is relayed and vouched for.
//!
//! Validators run in tasks of their own, a bounded number at a time and for a bounded time: a slow one
//! delays messages, never the node. One that panics or takes too long has ignored its message.

use std::{
    collections::VecDeque, fmt, future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration,
};

use bytes::Bytes;
use forsooth_crypto::{NodeId, Verified};
use forsooth_protocol::{Judgement, MessageId, Network, Publication, Ticket, Timestamp};
use futures::{FutureExt as _, future::BoxFuture};
use tokio::task::JoinSet;

/// Validations that run at once.
const RUNNING_MAX: usize = 64;
/// Validations that wait for one of those to end. The core bounds what each peer may have pending; messages
/// over this are ignored.
const WAITING_MAX: usize = 8 * 1024;
/// How long one may take. Far longer than a look into a database, shorter than any lifetime.
const TIME_MAX: Duration = Duration::from_secs(5);

/// An application's rule for what is valid beyond a good signature.
///
/// It must be a pure function of the message and of what all nodes agree on: a node vouches for what its
/// validator accepts, and an author whose message is rejected is to blame for it.
///
/// Functions are validators too:
///
/// ```
/// use forsooth::{Judgement, Submission, Validator};
///
/// fn is_text(submission: Submission) -> impl Future<Output = Judgement> + Send {
///     let valid = std::str::from_utf8(&submission.payload).is_ok();
///     std::future::ready(if valid { Judgement::Accept } else { Judgement::Reject })
/// }
/// # fn check(_: impl Validator) {}
/// # check(is_text);
/// ```
pub trait Validator: Send + Sync + 'static {
    /// Judges one message. May wait for something, but should not compute for long between waits: it runs
    /// on the runtime's threads. After 5 seconds, the message counts as ignored.
    fn validate(&self, submission: Submission) -> impl Future<Output = Judgement> + Send;
}

impl<F, R> Validator for F
where
    F: Fn(Submission) -> R + Send + Sync + 'static,
    R: Future<Output = Judgement> + Send,
{
    fn validate(&self, submission: Submission) -> impl Future<Output = Judgement> + Send {
        self(submission)
    }
}

/// A message whose signature is good, for the application to judge.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Name of the topic.
    pub topic: String,
    /// The author's bytes.
    pub payload: Bytes,
    /// Who signed.
    pub author: NodeId,
    /// The message's id.
    pub id: MessageId,
    /// When the author says that it was made.
    pub published: Timestamp,
    /// In which life of the author's node.
    pub generation: u64,
    /// Which message of that life on that topic.
    pub seq: u64,
}

impl Submission {
    fn new(message: &Verified<Publication>, network: &Network) -> Self {
        let header = message.header();
        Self {
            topic: network.topic(header.slot.topic).name.clone(),
            payload: message.payload().clone(),
            author: header.slot.author,
            id: message.id(),
            published: header.timestamp,
            generation: header.slot.generation,
            seq: header.slot.seq,
        }
    }
}

/// A [`Validator`] whose type is forgotten.
#[derive(Clone)]
pub(crate) struct Judge(Arc<dyn Fn(Submission) -> BoxFuture<'static, Judgement> + Send + Sync>);

impl Judge {
    pub(crate) fn new(validator: impl Validator) -> Self {
        let validator = Arc::new(validator);
        Self(Arc::new(move |submission| {
            let validator = Arc::clone(&validator);
            async move { validator.validate(submission).await }.boxed()
        }))
    }

    /// Its judgement, whatever it does.
    async fn judgement(self, submission: Submission) -> Judgement {
        let id = submission.id;
        // The call itself may panic too, before there is a future.
        let judging = AssertUnwindSafe(async move { (self.0)(submission).await }).catch_unwind();
        match tokio::time::timeout(TIME_MAX, judging).await {
            Ok(Ok(judgement)) => judgement,
            Ok(Err(_panic)) => {
                tracing::error!(%id, "the validator panicked; the message is ignored");
                Judgement::Ignore
            }
            Err(_elapsed) => {
                tracing::warn!(%id, "the validator took too long; the message is ignored");
                Judgement::Ignore
            }
        }
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge")
    }
}

/// The validations of one node.
#[derive(Debug)]
pub(crate) struct Panel {
    judge: Option<Judge>,
    network: Arc<Network>,
    running: JoinSet<(Ticket, Judgement)>,
    waiting: VecDeque<(Ticket, Verified<Publication>)>,
    ignored: VecDeque<Ticket>,
}

impl Panel {
    pub(crate) fn new(judge: Option<Judge>, network: Arc<Network>) -> Self {
        Self {
            judge,
            network,
            running: JoinSet::new(),
            waiting: VecDeque::new(),
            ignored: VecDeque::new(),
        }
    }

    /// Asks for a judgement; it comes from [`Self::judgement`].
    pub(crate) fn ask(&mut self, ticket: Ticket, message: Verified<Publication>) {
        if self.waiting.len() >= WAITING_MAX {
            self.ignored.push_back(ticket);
        } else {
            self.waiting.push_back((ticket, message));
            self.run();
        }
    }

    /// The next judgement. May be dropped at any point without loss.
    pub(crate) async fn judgement(&mut self) -> (Ticket, Judgement) {
        if let Some(ticket) = self.ignored.pop_front() {
            return (ticket, Judgement::Ignore);
        }
        loop {
            match self.running.join_next().await {
                Some(Ok(judged)) => {
                    self.run();
                    return judged;
                }
                // Only a runtime that is shutting down ends such a task early.
                Some(Err(_cancelled)) => {}
                None => return std::future::pending().await,
            }
        }
    }

    /// Validations that are not done.
    pub(crate) fn pending(&self) -> usize {
        self.running.len() + self.waiting.len()
    }

    fn run(&mut self) {
        while self.running.len() < RUNNING_MAX
            && let Some((ticket, message)) = self.waiting.pop_front()
        {
            let judging = self
                .judge
                .clone()
                .map(|judge| judge.judgement(Submission::new(&message, &self.network)));
            self.running.spawn(async move {
                match judging {
                    Some(judging) => (ticket, judging.await),
                    // Nobody has an objection.
                    None => (ticket, Judgement::Accept),
                }
            });
        }
    }
}

#[cfg(test)]
mod tests;
