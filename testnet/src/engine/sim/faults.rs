//! What the timeline orders, as a world carries it out.

use std::time::Duration;

use forsooth_protocol::{Fault as Wrong, Input, Participant};

use super::{Scene, seat};
use crate::{
    engine::{
        active::{Active, Condition},
        timeline::Blow,
    },
    scenario::{Blocked, FaultKind},
    strategy::Wire,
    world::{Index, Place},
};

/// How long a node waits for the rest of a frame: what `node`'s transport has by default.
const READ_STALL: Duration = Duration::from_secs(20);

impl Scene<'_> {
    /// Adds a node to the world.
    pub(super) fn join(&mut self, node: usize, participant: Box<dyn Participant>) -> Index {
        let (group, gang) = (self.plan.group(node), self.plan.gang(node));
        let of_group = group.map(|(_, band)| (band.of.subnet, band.places.start));
        let of_gang = gang.map(|(_, band)| (band.of.subnet, band.places.start));
        let ip =
            of_group.or(of_gang).and_then(|(subnet, first)| Some(subnet?.address(node - first)));
        let place = Place { group: self.classes.of(node), ip: ip.map(Into::into) };
        self.world.add_at(place, self.plan.keypair(node).id(), participant)
    }

    pub(super) fn attack(&mut self, gang: usize) {
        if let Some(gate) = self.cast.gate(gang) {
            gate.open();
        }
        self.wire(gang, Some(0));
        if self.wire_of(gang) == Wire::Stalls {
            self.stalling.insert(gang, self.world.now());
        }
    }

    pub(super) fn relent(&mut self, gang: usize) {
        if let Some(gate) = self.cast.gate(gang) {
            gate.close();
        }
        self.wire(gang, None);
        self.stalling.remove(&gang);
    }

    /// What the adversaries of a gang do below the level of frames.
    fn wire_of(&self, gang: usize) -> Wire {
        let band = self.plan.gangs.get(gang).filter(|band| band.of.intensity.is_some());
        band.map_or(Wire::Sound, |band| band.of.kind.wire)
    }

    /// Those who take nothing stop reading, or begin again.
    fn wire(&mut self, gang: usize, bytes_per_second: Option<u64>) {
        if self.wire_of(gang) == Wire::Deaf {
            for index in self.gang_indices(gang) {
                self.world.reads_slowly(index, bytes_per_second);
            }
        }
    }

    fn gang_indices(&self, gang: usize) -> Vec<Index> {
        let places = self.plan.gangs.get(gang).map(|band| band.places.clone());
        self.indices(places.into_iter().flatten())
    }

    /// Honest nodes lose patience with those who have begun a frame and not finished it.
    pub(super) fn tire_of_stallers(&mut self) {
        let now = self.world.now();
        let patience_is_over =
            self.stalling.iter().filter(|(_, since)| now.since(**since) >= READ_STALL);
        let gangs: Vec<usize> = patience_is_over.map(|(gang, _)| *gang).collect();
        for node in gangs
            .into_iter()
            .flat_map(|gang| self.plan.gangs.get(gang))
            .flat_map(|band| band.places.clone())
        {
            let staller = self.plan.keypair(node).id();
            let Some(index) = self.nodes.get(node) else { continue };
            for link in self.world.snapshot(*index).links {
                let victim = self.cast.recorder.roster().seat(&link.peer);
                let victim = victim.and_then(|seat| self.nodes.get(seat.0 as usize));
                if let Some(victim) = victim.filter(|_| link.age >= READ_STALL) {
                    let input = Input::Misbehaved { peer: staller, fault: Wrong::Stalled };
                    self.world.tell(now, *victim, input);
                }
            }
        }
    }

    pub(super) fn strike(&mut self, blow: &Blow) {
        self.change(blow, |active| active.strike(blow));
    }

    pub(super) fn heal(&mut self, blow: &Blow) {
        self.change(blow, |active| active.heal(blow));
        // They notice before anything else happens, and are looked at: what they lack now is to come back.
        self.world.run_until(self.world.now());
        blow.nodes.iter().for_each(|node| self.look_at(*node));
    }

    /// Sees to it that the nodes of a fault, and the links, are as all faults that are on want them.
    fn change(&mut self, blow: &Blow, change: impl FnOnce(&mut Active)) {
        let before = |(node, index)| (node, index, self.active.condition(node));
        let before: Vec<_> = self.struck(blow).into_iter().map(before).collect();
        change(&mut self.active);
        for (node, index, before) in before {
            self.bring(node, index, before, self.active.condition(node));
        }
        self.cut(blow.kind);
        self.active.felt().for_each(|fault| self.cast.recorder.felt(fault));
    }

    /// Brings a node from one condition into another.
    fn bring(&mut self, node: usize, index: Index, before: Condition, after: Condition) {
        if after.down && !before.down {
            self.world.crash(index);
            self.down.insert(node);
            self.cast.recorder.left(self.world.now(), seat(node));
        } else if before.down && !after.down {
            self.revive(node, index);
        }
        if after.paused && !before.paused {
            self.world.pause(index);
        } else if before.paused && !after.paused {
            self.world.resume(index);
        }
        if after.ahead_ms != before.ahead_ms {
            self.world.skew(index, after.ahead_ms);
        }
        if after.disk_full != before.disk_full {
            self.world.disk_full(index, after.disk_full);
        }
    }

    /// A node begins another life.
    fn revive(&mut self, node: usize, index: Index) {
        if let Some(life) = self.lives.get_mut(node) {
            *life += 1;
        }
        let participant = self.participant(node);
        self.world.restart(index, participant);
        self.down.remove(&node);
        self.cast.recorder.joined(self.world.now(), seat(node));
        self.introduce(node, self.world.now());
    }

    /// Sees to it that the links are as all faults that are on want them.
    fn cut(&mut self, changed: FaultKind) {
        match changed {
            FaultKind::Loss(_) => {
                let losses = self.active.blows().iter().filter_map(|blow| match blow.kind {
                    FaultKind::Loss(loss) => Some((blow.number, loss)),
                    FaultKind::Kill
                    | FaultKind::Restart
                    | FaultKind::Pause
                    | FaultKind::Partition
                    | FaultKind::OneWay(_)
                    | FaultKind::Skew(_)
                    | FaultKind::Churn { .. }
                    | FaultKind::DiskFull => None,
                });
                let links = self.classes.links(&losses.collect());
                self.world.set_conditions(links);
            }
            FaultKind::Partition | FaultKind::OneWay(_) => {
                self.world.heal();
                self.divide();
                self.block();
            }
            FaultKind::Kill
            | FaultKind::Restart
            | FaultKind::Pause
            | FaultKind::Skew(_)
            | FaultKind::Churn { .. }
            | FaultKind::DiskFull => {}
        }
    }

    /// Cuts off each set of nodes that a partition befalls.
    fn divide(&mut self) {
        let cut_off = self.active.blows().iter().filter(|blow| blow.kind == FaultKind::Partition);
        let mut sides: Vec<Vec<Index>> = vec![Vec::new()];
        sides.extend(cut_off.map(|blow| self.indices(blow.nodes.iter().copied())));
        if sides.len() > 1 {
            self.world.partition(&sides);
        }
    }

    /// Blocks one direction between the nodes that this befalls and all others.
    fn block(&mut self) {
        for blow in self.active.blows().to_vec() {
            let FaultKind::OneWay(blocked) = blow.kind else { continue };
            for node in self.indices(blow.nodes.iter().copied()) {
                let others = (0..self.nodes.len()).filter(|other| !blow.nodes.contains(other));
                for other in self.indices(others) {
                    match blocked {
                        Blocked::Outward => self.world.one_way(node, other, true),
                        Blocked::Inward => self.world.one_way(other, node, true),
                    }
                }
            }
        }
    }

    fn struck(&self, blow: &Blow) -> Vec<(usize, Index)> {
        let index = |node: &usize| Some((*node, *self.nodes.get(*node)?));
        blow.nodes.iter().filter_map(index).collect()
    }

    fn indices(&self, nodes: impl IntoIterator<Item = usize>) -> Vec<Index> {
        nodes.into_iter().filter_map(|node| self.nodes.get(node).copied()).collect()
    }
}
