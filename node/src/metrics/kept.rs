//! What is kept, and how it stands to what others keep.

use forsooth_protocol::snapshot::SyncState;
use prometheus_client::registry::Registry;

use super::{count, counter, counters, gauge, gauges, labels};
use crate::NodeSnapshot;

/// What is on disk.
pub(super) fn keeping(snapshot: &NodeSnapshot, registry: &mut Registry) {
    if let Some(keeping) = &snapshot.keeping {
        let rows = |of: fn(&crate::Holding) -> u64| {
            let row = |(topic, holding): (&_, &crate::Holding)| {
                let name = snapshot.network.topic(*topic).name.as_str();
                (labels([("topic", name)]), of(holding))
            };
            keeping.holdings.iter().map(row).collect::<Vec<_>>()
        };
        let kept = rows(|holding| holding.messages);
        gauges(registry, "messages_kept", "Messages that are kept", kept);
        gauges(registry, "messages_kept_bytes", "Bytes of those", rows(|holding| holding.bytes));
        counter(registry, "disk_syncs", "Transactions synced to disk", keeping.syncs);
        let help = "Messages that the disk did not take";
        counter(registry, "messages_unkept", help, keeping.lost);
        let refuses = u64::from(keeping.refusal.is_some());
        gauge(registry, "disk_refuses", "Whether the disk refuses messages", refuses);
    }
}

/// How what is kept stands to what others keep.
pub(super) fn synchronisation(snapshot: &NodeSnapshot, registry: &mut Registry) {
    let rows = |of: fn(&SyncState) -> u64| {
        let row = |(topic, state): (&_, &SyncState)| {
            let name = snapshot.network.topic(*topic).name.as_str();
            (labels([("topic", name)]), of(state))
        };
        snapshot.core.sync.iter().map(row).collect::<Vec<_>>()
    };
    if snapshot.core.sync.is_empty() {
        return;
    }
    let behind = rows(|state| state.is_behind.into());
    gauges(registry, "sync_catching_up", "Whether something may be lacking", behind);
    let wanted = rows(|state| count(state.wanted));
    gauges(registry, "sync_wanted", "Messages that others have and this node lacks", wanted);
    let pending = rows(|state| count(state.pending));
    gauges(registry, "sync_pending", "Messages fetched that wait for vouches", pending);
    let comparisons = rows(|state| state.comparisons);
    counters(registry, "sync_comparisons", "Comparisons with others", comparisons);
    counters(registry, "sync_fetched", "Messages fetched", rows(|state| state.pulled));
    let hidden = rows(|state| state.hidden);
    counters(registry, "sync_hidden", "Messages found that a peer hid", hidden);
}
