//! What is read from disk: for others, for proofs, and of an earlier life.

use bytes::Bytes;

use super::{
    CONFLICTS_MAX, FETCH, REMEMBERED_MAX, Read, Sync,
    serving::{HAUL_BYTES, hauls},
};
use crate::{
    Class, Effect,
    held::Held,
    machine::{Cx, Signal},
    message::{MessageId, Proof, SignedHeader},
    network::TopicId,
    sync::Item,
    wire::Frame,
};

impl Sync {
    pub(super) fn read(
        &mut self,
        read: Read,
        topic: TopicId,
        ids: Vec<MessageId>,
        cx: &mut Cx<'_>,
    ) {
        let request = self.next_read;
        self.next_read = request.saturating_add(1);
        self.reads.insert(request, read);
        cx.order(Effect::Load { request, topic, ids });
    }

    pub(super) fn has_read(
        &mut self,
        request: u64,
        frames: Vec<(MessageId, Option<Bytes>)>,
        cx: &mut Cx<'_>,
    ) {
        match self.reads.remove(&request) {
            None => {}
            Some(Read::Serve(to)) => {
                if self.serving.read(&to) {
                    let messages = frames.into_iter().filter_map(|(_, frame)| frame).collect();
                    let bytes_max = HAUL_BYTES.min(self.network.data_frame_bytes_max() - 64);
                    for haul in hauls(&to, messages, bytes_max) {
                        let (to, frame) = (to.peer, haul.encode());
                        let kib = u32::try_from(frame.len().div_ceil(1024)).unwrap_or(u32::MAX);
                        self.served.take(to, kib, cx.now);
                        cx.order(Effect::Send { to, class: Class::Haul, frame });
                    }
                }
                self.serve(cx);
            }
            Some(Read::Conflict(header)) => {
                let frame = frames.into_iter().find_map(|(_, frame)| frame);
                let taken = frame.and_then(|frame| Frame::decode(&frame, &self.network).ok());
                if let Some(Frame::Publication(taken)) = taken
                    && let Some(proof) = Proof::new(taken.signed().clone(), *header)
                {
                    cx.signals.push_back(Signal::Conflicting(proof));
                }
            }
            Some(Read::Restore { topic }) => self.restored(topic, frames, cx),
        }
    }

    /// Messages of an earlier life that were not accepted in it are looked at again, as many at a time as are checked soon.
    pub(super) fn restore(&mut self, cx: &mut Cx<'_>) {
        let is_busy = self.reads.values().any(|read| matches!(read, Read::Restore { .. }));
        let is_busy = is_busy || self.restoring.len() >= FETCH;
        let Some((topic, _)) = self.open.front().copied().filter(|_| !is_busy) else { return };
        let mut ids = Vec::new();
        while let Some((_, id)) =
            self.open.pop_front_if(|(of, _)| *of == topic && ids.len() < FETCH)
        {
            ids.push(id);
        }
        self.read(Read::Restore { topic }, topic, ids, cx);
    }

    pub(super) fn restored(
        &mut self,
        topic: TopicId,
        frames: Vec<(MessageId, Option<Bytes>)>,
        cx: &mut Cx<'_>,
    ) {
        let is_some = frames.iter().any(|(_, frame)| frame.is_some());
        for (id, frame) in frames {
            match frame.map(|frame| Frame::decode(&frame, &self.network)) {
                Some(Ok(Frame::Publication(message))) => {
                    self.restoring.insert(id);
                    cx.signals.push_back(Signal::Restored { message });
                }
                // It did not fit into the answer, or is gone.
                None if is_some => self.open.push_front((topic, id)),
                Some(_) | None => {}
            }
        }
        self.restore(cx);
    }

    pub(super) fn take_stock(&mut self, held: Vec<Held>, cx: &mut Cx<'_>) {
        for held in held {
            let Some(topic) = self.topics.get_mut(&held.slot.topic) else { continue };
            topic.shelf.insert(&held);
            let lifetime = self.network.topic(held.slot.topic).lifetime_max;
            if held.timestamp.saturating_add(lifetime) > cx.wall
                && self.remembered.len() < REMEMBERED_MAX
            {
                self.remembered.insert(held.id);
            }
            if held.is_open {
                self.open.push_back((held.slot.topic, held.id));
            }
        }
        self.restore(cx);
    }

    /// A verified message has the slot of another: the two headers are a proof.
    pub(super) fn conflicts(&mut self, taken: &Item, header: SignedHeader, cx: &mut Cx<'_>) {
        let id = header.header().slot.topic;
        let Some(topic) = self.topics.get(&id) else { return };
        if let Some(held) = topic.shelf.header(taken) {
            if let Some(proof) = Proof::new(held.clone(), header) {
                cx.signals.push_back(Signal::Conflicting(proof));
            }
            return;
        }
        let conflicts = self.reads.values().filter(|read| matches!(read, Read::Conflict(_)));
        if conflicts.count() < CONFLICTS_MAX {
            let ids = vec![MessageId::from_bytes(*taken.id())];
            self.read(Read::Conflict(Box::new(header)), id, ids, cx);
        }
    }
}
