//! What every request may use.

use std::sync::Arc;

use forsooth_protocol::TopicId;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{Limits, Token, failure::Failure, guard::Hosts};
use crate::{Node, NodeSnapshot, PublishError};

#[derive(Debug)]
pub(super) struct State {
    pub(super) node: Node,
    pub(super) token: Token,
    pub(super) hosts: Hosts,
    pub(super) streams: Arc<Semaphore>,
    pub(super) stop: CancellationToken,
    pub(super) limits: Limits,
}

impl State {
    /// The node's state, or why there is none: the driver answers at once or not at all.
    pub(super) async fn snapshot(&self) -> Result<NodeSnapshot, Failure> {
        match tokio::time::timeout(self.limits.head_timeout, self.node.snapshot()).await {
            Ok(Ok(snapshot)) => Ok(snapshot),
            Ok(Err(_closed)) => Err(Failure::closed()),
            Err(_elapsed) => Err(Failure::stuck()),
        }
    }

    /// Why the node does not publish, as a refusal.
    pub(super) fn refuse(&self, error: PublishError) -> Failure {
        match error {
            PublishError::UnknownTopic { topic, .. } => {
                Failure::unknown_topic(&topic, self.node.network())
            }
            PublishError::Closed => Failure::closed(),
            PublishError::Refused(refusal) => Failure::from(refusal),
        }
    }

    /// The topic of this name.
    pub(super) fn topic(&self, name: &str) -> Result<TopicId, Failure> {
        let network = self.node.network();
        network.topic_id(name).ok_or_else(|| Failure::unknown_topic(name, network))
    }
}
