//! What the participant orders of the archive, and what comes back.

use forsooth_protocol::{Input, MessageId, Publication, Standing, TopicId};

use super::shell::Shell;
use crate::{
    StoreError,
    archive::{Answer, Head, Kept, Reply, nothing},
};

impl Shell {
    /// Has a message kept, which is answered; at once, if it cannot be.
    pub(super) fn keep(&mut self, request: u64, message: &Publication, standing: Standing) {
        let at = self.clock.wall_at(self.clock.now());
        let kept = Kept { publication: message.clone(), standing, at };
        let is_taken = self.outside.shelf.as_ref().is_some_and(|it| it.keeper.keep(request, kept));
        if !is_taken {
            self.facts.push_back(Input::Unkept { requests: vec![request] });
        }
    }

    /// Has messages read, which is answered; at once with nothing, if they cannot be.
    pub(super) fn load(&mut self, request: u64, topic: TopicId, ids: Vec<MessageId>) {
        let begun = match &mut self.outside.shelf {
            Some(shelf) => shelf.reader.begin(request, topic, ids),
            None => Err(nothing(ids)),
        };
        if let Err(frames) = begun {
            self.facts.push_back(Input::Read { request, frames });
        }
    }

    pub(super) fn on_reply(&mut self, reply: Reply) {
        self.facts.push_back(match reply {
            Reply::Answer(Answer::Kept(requests)) => Input::Kept { requests },
            Reply::Answer(Answer::Unkept(requests)) => Input::Unkept { requests },
            Reply::Answer(Answer::Late(held)) => Input::Holds(held),
            Reply::Answer(Answer::Forgotten(held)) => Input::Forgotten(held),
            Reply::Read(request, frames) => Input::Read { request, frames },
        });
    }

    /// The next of what was kept in earlier lives, for the participant; nothing once it was told of all.
    pub(super) async fn recall(&mut self, at: &mut Recall) -> Result<Option<Input>, StoreError> {
        let wall = self.clock.wall_at(self.clock.now());
        while let Some(topic) = at.topics.last() {
            let Some(shelf) = &self.outside.shelf else { return Ok(None) };
            let read = shelf.heads(*topic, at.after);
            let heads = read.await?;
            at.after = heads.last().map(|head| head.id);
            if heads.is_empty() {
                at.topics.pop();
                continue;
            }
            at.told += heads.len();
            let again = heads.iter().filter(|head| head.could_come_again(wall));
            self.earlier.extend(again.map(|head| head.id));
            return Ok(Some(Input::Holds(heads.iter().map(Head::held).collect())));
        }
        Ok(None)
    }

    /// From the beginning.
    pub(super) fn recall_all(&self) -> Recall {
        let topics = self.network.topics().filter(|(_, topic)| topic.retention.is_some());
        Recall { topics: topics.map(|(topic, _)| topic).collect(), after: None, told: 0 }
    }
}

/// How far the participant was told of what is kept.
pub(super) struct Recall {
    /// Those that are left; the last is under way.
    topics: Vec<TopicId>,
    after: Option<MessageId>,
    /// Messages.
    pub(super) told: usize,
}
