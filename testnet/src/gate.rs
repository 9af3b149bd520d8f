//! When the attack is on.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

/// Shared by all adversaries of a run. Before it opens and after it closes they are honest nodes, so that
/// a network can form before it is attacked and settle after.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<AtomicBool>);

impl Gate {
    /// The attack begins.
    pub fn open(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// The attack ends.
    pub fn close(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// Whether the attack is on.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
