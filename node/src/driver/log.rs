//! The core's events, in the log: links and bans for the operator, faults for whoever looks closer.
//! Never payloads.

use forsooth_protocol::{Ban, Event, Timestamp, snapshot::Twin};

pub(super) fn log(event: &Event) {
    match event {
        Event::LinkUp { peer, role } => tracing::info!(%peer, role = role.name(), "link up"),
        Event::LinkDown { peer } => tracing::info!(%peer, "link down"),
        Event::Fault { from, blamed, blame, fault } => {
            tracing::debug!(from = ?from, blamed = ?blamed, ?blame, %fault, "fault");
        }
        Event::Banned(Ban { whom, cause, until }) => {
            let until_ms = until.map(Timestamp::as_millis);
            tracing::info!(%whom, %cause, until_ms, "banned");
        }
        Event::Exposed { proof } => {
            let slot = proof.slot();
            tracing::info!(author = %slot.author, generation = slot.generation, seq = slot.seq, "exposed: two messages for one slot");
        }
        Event::Relayed { id, from, pushed, vouched } => {
            tracing::trace!(%id, ?from, pushed, vouched, "relayed");
        }
        Event::Duplicate { id, from } => tracing::trace!(%id, %from, "duplicate"),
        Event::Unaccepted { id, topic, policy, vouched, threshold, why } => {
            tracing::debug!(%id, topic = topic.index(), %policy, vouched, threshold, why = why.name(), "unaccepted");
        }
        Event::Contested { id, slot } => {
            tracing::warn!(%id, author = %slot.author, generation = slot.generation, seq = slot.seq, "contested: it was accepted, and its author said another thing too");
        }
        Event::Membership(news) => tracing::debug!(?news, "membership"),
        Event::Twin(Twin { generation, is_newer }) => {
            tracing::error!(
                generation,
                is_newer,
                "another machine signs with this node's key: if both publish, the key is banned for good; stop one of the two"
            );
        }
    }
}
