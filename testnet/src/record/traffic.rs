//! What was sent and what arrived, in numbers.

use std::collections::BTreeMap;

use forsooth_protocol::{Class, Fault};

/// Counters of a run.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Bytes that honest nodes sent, by class; without the transport's own.
    pub(crate) bytes_sent: BTreeMap<Class, u64>,
    /// Frames that honest nodes sent.
    pub(crate) frames_sent: u64,
    /// Payloads of honest authors that arrived at honest nodes, duplicates too.
    pub(crate) copies: u64,
    /// Hostile frames that arrived at honest nodes, by strategy.
    pub(crate) hostile: BTreeMap<&'static str, u64>,
    /// Faults that honest nodes noticed.
    pub(crate) faults: BTreeMap<Fault, u64>,
    /// Those among them that honest nodes blamed on honest nodes.
    pub(crate) false_blame: BTreeMap<Fault, u64>,
}

impl Traffic {
    pub(crate) fn sent(&mut self, class: Class, bytes: usize) {
        *self.bytes_sent.entry(class).or_default() += u64::try_from(bytes).unwrap_or(u64::MAX);
        self.frames_sent += 1;
    }

    pub(crate) fn hostile(&mut self, kind: &'static str) {
        *self.hostile.entry(kind).or_default() += 1;
    }

    pub(crate) fn fault(&mut self, fault: Fault, blames_honest: bool) {
        *self.faults.entry(fault).or_default() += 1;
        if blames_honest {
            *self.false_blame.entry(fault).or_default() += 1;
        }
    }
}
