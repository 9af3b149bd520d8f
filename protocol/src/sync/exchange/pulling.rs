//! What is lacking is fetched, and what others lack is served.

use bytes::Bytes;
use forsooth_crypto::NodeId;

use super::{
    FETCH, READ_KIB, REFUSAL, REQUEST_BYTES, Read, Sync,
    rounds::{HURRY, Haste},
    serving::{For, Order},
    shelf::item,
    wants::Request,
};
use crate::{
    Fault,
    machine::{Cx, Signal},
    message::MessageId,
    network::TopicId,
    sync::Item,
    wire::Frame,
};

impl Sync {
    /// Asks for what is lacking, and has the next comparison begin in time.
    pub(super) fn pursue(&mut self, id: TopicId, cx: &mut Cx<'_>) {
        let Some(topic) = self.topics.get_mut(&id) else { return };
        if !topic.is_refusing(cx.now) {
            for peer in topic.askable(&self.witnesses, cx.rng) {
                if !topic.has_room_for(&peer, &self.witnesses) {
                    continue;
                }
                if let Some(Request { number, items }) = topic.wants.ask(peer, FETCH, cx.now) {
                    Self::send(peer, &Frame::Fetch { topic: id, number, items }, cx);
                }
            }
        }
        if topic.haste(&self.witnesses, cx.now) == Haste::Now {
            topic.rounds.hurry(cx.now + HURRY);
        }
    }

    pub(super) fn hauled(
        &mut self,
        For { peer: from, topic: id, number }: For,
        (frames, is_last): (Vec<Bytes>, bool),
        cx: &mut Cx<'_>,
    ) {
        let Self { topics, network, .. } = self;
        let Some(topic) = topics.get_mut(&id) else {
            return cx.fault(from, Fault::Unsolicited);
        };
        if !topic.wants.expects(&from, number) {
            // What comes too late was asked for, and is asked of others by now.
            if !topic.late.contains_key(&from) {
                cx.fault(from, Fault::Unsolicited);
            }
            return;
        }
        let mut fault = None;
        for frame in frames {
            let Ok(Frame::Publication(message)) = Frame::decode(&frame, network) else {
                fault = Some(Fault::Malformed);
                continue;
            };
            let item = item(message.header().timestamp, &message.id());
            if message.header().slot.topic == id
                && topic.wants.came(&from, &item, frame.len(), cx.now)
            {
                topic.counts.pulled = topic.counts.pulled.saturating_add(1);
                cx.signals.push_back(Signal::Pulled { from, message });
            } else {
                fault = fault.or(Some(Fault::Unsolicited));
            }
        }
        // An honest side sends what fits into one read.
        if topic.wants.bytes(&from) > REQUEST_BYTES.saturating_add(network.data_frame_bytes_max()) {
            topic.wants.sent(&from);
            fault = fault.or(Some(Fault::Unsolicited));
        }
        if is_last && topic.wants.sent(&from) > 0 {
            fault = fault.or(Some(Fault::BrokenPromise));
        }
        if let Some(fault) = fault {
            cx.fault(from, fault);
        }
        self.pursue(id, cx);
    }

    pub(super) fn offered(&mut self, from: NodeId, id: TopicId, items: &[Item], cx: &mut Cx<'_>) {
        let Self { topics, refused, .. } = self;
        let Some(topic) = topics.get_mut(&id) else {
            return cx.fault(from, Fault::Contradicted);
        };
        let bounds = topic.bounds(cx.wall);
        for item in items {
            let is_refused = refused.get(item).is_some_and(|until| *until > cx.now);
            if bounds.contains(item.at()) && !is_refused && !topic.shelf.contains(item) {
                topic.wants.add(*item, from);
            }
        }
        self.pursue(id, cx);
    }

    pub(super) fn fetched(&mut self, to: For, items: &[Item], cx: &mut Cx<'_>) {
        let Some(topic) = self.topics.get(&to.topic) else {
            return cx.fault(to.peer, Fault::Contradicted);
        };
        // Only what this node stands behind leaves it.
        let ids = items.iter().filter(|item| topic.shelf.stands(item));
        let ids = ids.map(|item| MessageId::from_bytes(*item.id())).collect();
        self.serving.add(Order { to, ids });
        self.serve(cx);
    }

    pub(super) fn serve(&mut self, cx: &mut Cx<'_>) {
        loop {
            let Self { serving, served, .. } = self;
            let next = serving.next(|peer| served.left(peer, cx.now) >= READ_KIB);
            let Some(Order { to, ids }) = next else { break };
            self.read(Read::Serve(to), to.topic, ids, cx);
        }
    }

    pub(super) fn settle(&mut self, id: TopicId, item: &Item, is_refused: bool, cx: &mut Cx<'_>) {
        let Some(topic) = self.topics.get_mut(&id) else { return };
        let holders = topic.wants.settle(item);
        let Some(holder) = holders.first() else { return };
        if is_refused {
            topic.refuses_until = cx.now + REFUSAL;
            self.refused.insert(*item, *holder, 1, cx.now + REFUSAL);
        } else {
            topic.rounds.lacked(cx.now);
            topic.rounds.hurry(cx.now + HURRY);
        }
    }
}
