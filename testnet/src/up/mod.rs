//! The engine of real nodes: each its own swarm on an address of its own, in this process.
//!
//! Phases: all honest nodes get their witnesses; then the attack is on and they publish; then what is on its
//! way arrives, for a bounded time. Ctrl-C ends a phase early, and there is a verdict on what was seen; what is
//! on its way then has its time all the same, or until Ctrl-C is pressed again.

mod fleet;
mod load;
mod view;

use std::time::Duration;

use tokio::{
    signal,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use self::{fleet::Fleet, load::Publishers, view::View};
use crate::{plan::Plan, report::Report};

/// The longest time in which nodes link up.
const WARM_UP_MAX: Duration = Duration::from_secs(60);
/// The longest time for what is on its way to arrive.
const SETTLE_MAX: Duration = Duration::from_secs(30);
/// The longest time for nodes to shut down.
const SHUTDOWN_MAX: Duration = Duration::from_secs(10);
/// How often the view is drawn and it is looked whether a phase is over.
const STEP: Duration = Duration::from_millis(250);

/// What to do with the nodes.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// For how long they are attacked and publish.
    pub duration: Duration,
    /// Messages that each honest node publishes in a second, on average.
    pub rate: f64,
    /// Bytes of a payload.
    pub payload_bytes: u32,
}

/// How a phase ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// What it waited for has come.
    Done,
    /// Its time was up.
    Timeout,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

/// Starts the nodes, attacks them, and judges what happened.
///
/// # Errors
/// When a node cannot be started.
pub async fn run(plan: &Plan, options: Options, repeat: String) -> anyhow::Result<Report> {
    let fleet = Fleet::start(plan).await?;
    let mut view = View::new();
    let warm =
        phase(&fleet, &mut view, "linking up", WARM_UP_MAX, async || fleet.is_linked(plan).await)
            .await;
    if warm == End::Timeout {
        tracing::warn!("some nodes lack witnesses after {WARM_UP_MAX:?}; attacking all the same");
    }
    if warm != End::Interrupted {
        fleet.cast.gate.open();
        let publishers = Publishers::start(plan, &fleet, options);
        phase(&fleet, &mut view, "under attack", options.duration, async || false).await;
        publishers.stop().await;
        fleet.cast.gate.close();
        let settled = async || fleet.cast.recorder.findings().is_settled();
        phase(&fleet, &mut view, "settling", SETTLE_MAX, settled).await;
    }
    view.clear();
    let report = Report::new(&fleet.cast.recorder.findings(), plan.seed, repeat);
    if timeout(SHUTDOWN_MAX, fleet.shutdown()).await.is_err() {
        tracing::warn!("nodes did not shut down within {SHUTDOWN_MAX:?}");
    }
    Ok(report)
}

/// Waits for something, for a bounded time, and shows meanwhile what happens.
async fn phase(
    fleet: &Fleet,
    view: &mut View,
    name: &'static str,
    time_max: Duration,
    over: impl AsyncFn() -> bool,
) -> End {
    let end = Instant::now() + time_max;
    let mut steps = interval(STEP);
    steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut interrupt = std::pin::pin!(signal::ctrl_c());
    loop {
        tokio::select! {
            _ = steps.tick() => {}
            // No handler, no Ctrl-C: the process ends as it would anyway.
            Ok(()) = &mut interrupt => return End::Interrupted,
        }
        view.draw(name, fleet.started.elapsed(), || fleet.cast.recorder.findings());
        if over().await {
            return End::Done;
        }
        if Instant::now() >= end {
            return End::Timeout;
        }
    }
}
