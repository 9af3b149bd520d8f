//! What peers get that ask: payloads, what a name means, and whether we vouch.

use std::collections::BTreeMap;

use forsooth_crypto::NodeId;

use super::{Gossip, Known, store::Serve};
use crate::{
    Class, Effect, Fault, defences::Safeguard, machine::Cx, message::MessageId, network::TopicId,
    short_id::ShortId, wire::Frame,
};

impl Gossip {
    /// A peer asks for messages, and for what their authors say from now on.
    pub(super) fn serve(
        &mut self,
        from: NodeId,
        topic: TopicId,
        ids: &[MessageId],
        cx: &mut Cx<'_>,
    ) {
        if !self.trees.knows(&from) {
            return;
        }
        let is_limited = self.defences.has(Safeguard::ServeLimit);
        for id in ids {
            let frame = match self.store.ask(id, &from, cx.now) {
                Serve::Unknown => continue,
                // Its graft and our push have crossed: it has been served, and is no child because of it.
                Serve::Crossed(_) if is_limited => {
                    self.store.served(id, from);
                    continue;
                }
                Serve::Greedy(_) if is_limited => {
                    self.refuse_to_serve(from, cx);
                    continue;
                }
                // It stays to be asked for, here later or elsewhere now.
                Serve::Frame(frame, since)
                    if is_limited && !self.thrift.take(&from, frame.len(), since) =>
                {
                    self.refuse_to_serve(from, cx);
                    continue;
                }
                Serve::Frame(frame, _)
                | Serve::Offered(frame)
                | Serve::Crossed(frame)
                | Serve::Greedy(frame) => frame,
            };
            self.store.served(id, from);
            if let Some(author) = self.store.author(id) {
                self.trees.graft(from, &author, topic);
            }
            let known = Known { topic, id: *id, is_held: true };
            Self::send(from, Class::Requested, (known, &frame), cx);
        }
    }

    fn refuse_to_serve(&mut self, peer: NodeId, cx: &mut Cx<'_>) {
        if self.thrift.refuse(&peer, cx.now) {
            cx.fault(peer, Fault::Greedy);
        }
    }

    /// Says in full what was named.
    pub(super) fn describe(&mut self, to: NodeId, names: &[ShortId], cx: &mut Cx<'_>) {
        let mut full: BTreeMap<TopicId, Vec<MessageId>> = BTreeMap::new();
        for (topic, id) in self.naming.meant(&to, names) {
            full.entry(topic).or_default().push(id);
        }
        for (topic, ids) in full {
            let frame = Frame::Vouch { topic, ids }.encode();
            cx.order(Effect::Send { to, class: Class::Vouch, frame });
        }
    }

    /// Says which of these we hold. Only who chose us is told, who would have been told anyway.
    pub(super) fn testify(&mut self, to: NodeId, names: &[ShortId], cx: &mut Cx<'_>) {
        if !self.trees.wants(&to) {
            return;
        }
        let (mut held, mut unknown) = (Vec::new(), Vec::new());
        for name in names {
            match self.naming.held(&to, *name) {
                // It is vouched for in a moment.
                Some(id) if self.unkept.wait(&id, to) => {}
                Some(_) => held.push(*name),
                None => unknown.push(*name),
            }
        }
        let frames = [
            (!held.is_empty()).then_some(Frame::ShortVouch { names: held }),
            (!unknown.is_empty()).then_some(Frame::Unknown { names: unknown }),
        ];
        for frame in frames.into_iter().flatten() {
            cx.order(Effect::Send { to, class: Class::Vouch, frame: frame.encode() });
        }
    }
}
