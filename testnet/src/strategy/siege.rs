//! Joins victims unasked, and comes back whenever it is sent away.

use std::collections::BTreeSet;

use forsooth_crypto::NodeId;
use forsooth_protocol::{Candidate, Class, Effect, Input, wire::Frame};

use super::Cx;

/// Peers that a core keeps because somebody wants it to.
const KEPT_MAX: usize = 64;

/// Whom an adversary is at the doors of.
#[derive(Debug, Default)]
pub(super) struct Siege {
    kept: BTreeSet<NodeId>,
}

impl Siege {
    /// Comes to these, if it is not there: the core keeps them from then on, and does not wait as long as it
    /// should before it dials again.
    pub(super) fn press(&mut self, victims: impl IntoIterator<Item = NodeId>, cx: &mut Cx<'_>) {
        for victim in victims.into_iter().take(KEPT_MAX) {
            let Some(there) = cx.whereabouts(&victim) else { continue };
            if self.kept.insert(victim) {
                cx.tell(Input::Keep(vec![there]));
            } else if !cx.peers.contains(&victim) {
                let Candidate { peer, address } = there;
                cx.order(Effect::Dial { peer, address });
            }
        }
    }

    /// To greet a victim is part of the attack, if it was not for the victim to choose.
    pub(super) fn note(&self, effect: &Effect, cx: &mut Cx<'_>) {
        if let Effect::Send { to, class: Class::Evidence, frame } = effect
            && self.kept.contains(to)
            && matches!(Frame::decode(frame, cx.network), Ok(Frame::Hello(_)))
        {
            cx.mark(frame);
        }
    }
}
