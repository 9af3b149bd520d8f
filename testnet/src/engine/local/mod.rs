//! The engine of real nodes: each its own swarm on an address of its own, in this process.
//!
//! Phases: all honest nodes get their witnesses; then there is load, and what the timeline says; then what is
//! on its way arrives, for a bounded time. Ctrl-C ends a phase early, and there is a verdict on what was seen;
//! what is on its way then has its time all the same, or until Ctrl-C is pressed again.

mod fleet;
mod island;
mod lag;
mod readers;
pub(crate) mod remote;
mod stall;
mod view;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use forsooth_protocol::Time;
use tokio::{
    signal,
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use self::{
    fleet::{Fleet, Mortals},
    view::View,
};
use super::{
    Options, Pace, Ran,
    active::{Active, Condition},
    is_ready,
    load::Load,
    seat,
    timeline::{Act, Blow, Timeline},
};
use crate::{
    plan::Plan,
    record::{Mark, Recovery, What},
    scenario::Scenario,
    strategy::Wire,
};

/// The longest time for nodes to shut down.
const SHUTDOWN_MAX: Duration = Duration::from_secs(10);
/// How often it is looked whether something is due, or a phase over, and the view is drawn.
const STEP: Duration = Duration::from_millis(100);
/// How often nodes are looked at from inside.
const SAMPLE_EVERY: Duration = Duration::from_secs(1);

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

/// Starts the nodes, attacks them, and says what happened.
///
/// # Errors
/// When a node cannot be started.
pub(crate) async fn run(scenario: &Scenario, options: Options) -> anyhow::Result<Ran> {
    let begun = std::time::Instant::now();
    let plan = super::check(scenario, super::Engine::Local)?;
    let timeline = Timeline::new(scenario, &plan);
    let mortals = Mortals::of(&timeline, scenario, options.program);
    let fleet = Fleet::start(scenario, &plan, mortals).await?;
    fleet.cast.recorder.follow(timeline.killed().into_iter().map(seat));
    let view = View::new(options.view);
    let mut run = Run {
        scenario,
        plan,
        fleet,
        timeline,
        view,
        origin: None,
        sample_at: Duration::ZERO,
        active: Active::default(),
        away: BTreeSet::new(),
        ready: BTreeSet::new(),
    };
    run.live().await?;
    run.view.clear();
    let recorder = Arc::clone(&run.fleet.cast.recorder);
    let findings = recorder.findings();
    let pace = Pace {
        nodes: run.plan.nodes(),
        trace_digest: None,
        virtual_seconds: None,
        elapsed_seconds: begun.elapsed().as_secs_f64(),
        frames: None,
        frames_per_second: None,
        peak_memory_bytes: super::memory::peak_bytes(),
    };
    if timeout(SHUTDOWN_MAX, run.fleet.shutdown()).await.is_err() {
        tracing::warn!("nodes did not shut down within {SHUTDOWN_MAX:?}");
    }
    Ok(Ran { recorder, findings, pace })
}

struct Run<'a> {
    scenario: &'a Scenario,
    plan: Plan,
    fleet: Fleet,
    timeline: Timeline,
    view: View,
    /// When the load began.
    origin: Option<Instant>,
    /// When nodes are looked at next, since the fleet started.
    sample_at: Duration,
    /// Faults that are on.
    active: Active,
    /// Honest nodes that do not answer at present.
    away: BTreeSet<usize>,
    /// Those that had their witnesses when they were last looked at, after the last attack or fault ended.
    ready: BTreeSet<usize>,
}

impl Run<'_> {
    async fn live(&mut self) -> anyhow::Result<()> {
        let phases = self.scenario.run;
        let warm = self.phase("warm-up", phases.warm_up, Until::Linked).await?;
        if warm == End::Interrupted {
            return Ok(());
        }
        if warm == End::Timeout {
            tracing::warn!(
                "some nodes lack witnesses after {:?}; going on all the same",
                phases.warm_up
            );
        }
        let origin = Instant::now();
        self.origin = Some(origin);
        let load = Load::new(self.scenario, &self.plan);
        let (handles, network) = (self.fleet.handles(), Arc::clone(&self.plan.network));
        let clock = self.fleet.cast.clock;
        let publisher = tokio::spawn(readers::publish_all(load, handles, network, clock, origin));
        if self.phase("load", phases.duration, Until::TimeIsUp).await? == End::Interrupted {
            self.timeline.call_off();
        }
        publisher.abort();
        self.relent_all();
        self.phase("cool-down", phases.cool_down, Until::Settled).await?;
        self.look_at(|_| true).await;
        Ok(())
    }

    /// Waits for something, for a bounded time; does meanwhile what is due and shows what happens.
    async fn phase(
        &mut self,
        name: &'static str,
        time_max: Duration,
        until: Until,
    ) -> anyhow::Result<End> {
        self.mark(Mark::new(What::Phase, name));
        let end = Instant::now() + time_max;
        let mut steps = interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut interrupt = std::pin::pin!(signal::ctrl_c());
        loop {
            tokio::select! {
                _ = steps.tick() => {}
                // No handler, no Ctrl-C: the process ends as it would anyway.
                Ok(()) = &mut interrupt => return Ok(End::Interrupted),
            }
            self.act().await?;
            self.sample().await;
            let recorder = &self.fleet.cast.recorder;
            self.view.draw(name, self.fleet.started.elapsed(), || recorder.findings());
            if self.is_over(until).await {
                return Ok(End::Done);
            }
            if Instant::now() >= end {
                return Ok(End::Timeout);
            }
        }
    }

    async fn is_over(&self, until: Until) -> bool {
        match until {
            Until::Linked => self.fleet.is_linked().await,
            Until::TimeIsUp => false,
            Until::Settled => {
                let findings = self.fleet.cast.recorder.findings();
                self.timeline.next_at().is_none()
                    && findings.is_settled()
                    && self.has_recovered(findings.recovery)
            }
        }
    }

    /// Whether every honest node that is there has its witnesses, if something is to be recovered from.
    fn has_recovered(&self, recovery: Recovery) -> bool {
        match recovery {
            Recovery::NotNeeded => true,
            Recovery::Within(_) | Recovery::Never => {
                let mut honest = 0..self.plan.honest;
                honest.all(|node| self.away.contains(&node) || self.ready.contains(&node))
            }
        }
    }

    /// Does what is due.
    async fn act(&mut self) -> anyhow::Result<()> {
        let Some(origin) = self.origin else { return Ok(()) };
        while let Some((_, act)) = self.timeline.pop_until(origin.elapsed()) {
            self.mark(act.mark(&self.plan));
            // What is ready now may not be for long.
            self.ready.clear();
            match act {
                Act::Attack(gang) => self.attack(gang).await,
                Act::Relent(gang) => self.relent(gang),
                Act::Strike(blow) => self.change(&blow, |active| active.strike(&blow)).await?,
                Act::Heal(blow) => {
                    self.change(&blow, |active| active.heal(&blow)).await?;
                    // What they lack now is to come back.
                    self.look_at(|node| blow.nodes.contains(&node)).await;
                }
            }
        }
        Ok(())
    }

    async fn attack(&mut self, gang: usize) {
        if let Some(gate) = self.fleet.cast.gate(gang) {
            gate.open();
        }
        let places = self.deaf(gang);
        // Whoever is linked to it will find that it takes nothing.
        for (place, snapshot) in self.fleet.snapshots(|node| places.contains(&node)).await {
            let links = snapshot.core.links.iter();
            let recorder = &self.fleet.cast.recorder;
            let victims = links.filter(|link| recorder.roster().is_honest(&link.peer)).count();
            (0..victims).for_each(|_| recorder.withheld(&self.plan.keypair(place).id()));
            self.fleet.pause(place);
        }
    }

    fn relent(&mut self, gang: usize) {
        if let Some(gate) = self.fleet.cast.gate(gang) {
            gate.close();
        }
        self.fleet.release(gang);
        for place in self.deaf(gang) {
            self.fleet.resume(place);
        }
    }

    fn relent_all(&mut self) {
        (0..self.plan.gangs.len()).for_each(|gang| self.relent(gang));
    }

    /// The adversaries of a gang, if it takes nothing that is sent to it.
    fn deaf(&self, gang: usize) -> BTreeSet<usize> {
        let band = self.plan.gangs.get(gang).filter(|band| band.of.kind.wire == Wire::Deaf);
        let band = band.filter(|band| band.of.intensity.is_some());
        band.map(|band| band.places.clone().collect()).unwrap_or_default()
    }

    /// Sees to it that the nodes of a fault are as all faults that are on want them.
    async fn change(
        &mut self,
        blow: &Blow,
        change: impl FnOnce(&mut Active),
    ) -> anyhow::Result<()> {
        let before = blow.nodes.iter().map(|node| (*node, self.active.condition(*node)));
        let before: Vec<_> = before.collect();
        change(&mut self.active);
        for (node, before) in before {
            self.bring(node, before, self.active.condition(node)).await?;
        }
        self.active.felt().for_each(|fault| self.fleet.cast.recorder.felt(fault));
        Ok(())
    }

    /// Brings a node from one condition into another. Of its clock and its disk nothing is known here: see
    /// [`super::REAL`].
    async fn bring(
        &mut self,
        node: usize,
        before: Condition,
        after: Condition,
    ) -> anyhow::Result<()> {
        if after.down && !before.down {
            self.fleet.kill(node).await?;
            self.fleet.cast.recorder.left(self.now(), seat(node));
        } else if before.down && !after.down {
            self.fleet.cast.recorder.returns(seat(node));
            self.fleet.revive(node).await?;
            self.fleet.cast.recorder.joined(self.now(), seat(node));
        }
        if after.paused && !before.paused {
            self.fleet.pause(node);
        } else if before.paused && !after.paused {
            self.fleet.resume(node);
        }
        if after.is_away() {
            self.away.insert(node);
        } else {
            self.away.remove(&node);
        }
        Ok(())
    }

    async fn sample(&mut self) {
        if self.fleet.started.elapsed() < self.sample_at {
            return;
        }
        self.sample_at = self.fleet.started.elapsed() + SAMPLE_EVERY;
        self.look_at(|_| true).await;
    }

    /// Looks at those of the honest nodes that are there.
    async fn look_at(&mut self, wanted: impl Fn(usize) -> bool) {
        let (honest, away) = (self.plan.honest, self.away.clone());
        let there = |node: usize| node < honest && !away.contains(&node);
        for (node, snapshot) in self.fleet.snapshots(|node| there(node) && wanted(node)).await {
            self.fleet.cast.recorder.sample(self.now(), seat(node), &snapshot.core);
            self.note_ready(node, is_ready(&snapshot.core));
        }
        for (node, remote) in self.fleet.remotes() {
            if there(node) && wanted(node) {
                self.note_ready(node, remote.is_ready());
            }
        }
    }

    fn note_ready(&mut self, node: usize, is_ready: bool) {
        if is_ready {
            self.ready.insert(node);
        } else {
            self.ready.remove(&node);
        }
    }

    fn mark(&self, mark: Mark) {
        self.fleet.cast.recorder.mark(self.now(), mark);
    }

    fn now(&self) -> Time {
        Time::from_duration(self.fleet.started.elapsed())
    }
}

/// What a phase waits for.
#[derive(Clone, Copy, Debug)]
enum Until {
    /// All honest nodes have their witnesses.
    Linked,
    /// Nothing but time.
    TimeIsUp,
    /// All that is due has arrived.
    Settled,
}
