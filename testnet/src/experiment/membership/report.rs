//! What came out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use forsooth_protocol::Time;
use serde::Serialize;

use super::scene::Scene;
use crate::{engine::memory, experiment::broadcast::Tail};

/// What a run gave.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names say it, and `docs/testnets.md`")]
pub struct Report {
    pub nodes: usize,
    pub seed: u64,
    /// `t`, and observers of each member.
    pub tolerated: usize,
    pub observers: usize,
    /// Virtual seconds until all knew all; null if they never did.
    pub join_converge_s: Option<f64>,
    /// Virtual seconds from when all began to restart until all knew all in their new lives.
    pub restart_converge_s: Option<f64>,
    pub crashed: usize,
    /// Virtual seconds from the crash to the first certificate of each, and to each other's node's.
    pub detect_first_s: Option<Tail>,
    pub detect_all_s: Option<Tail>,
    /// Of the certificates that are due, those that came.
    pub detected_ratio: Option<f64>,
    /// Of the nodes that certified any crash, those at which all came at one moment, as one change.
    pub one_change_ratio: Option<f64>,
    /// Members in good order that somebody certified as dead, each epoch once; and how many said so.
    pub false_deaths: usize,
    pub false_death_reports: usize,
    /// The same of slow members.
    pub slow_deaths: usize,
    /// Members in good order that somebody suspected, each epoch once.
    pub false_suspicions_per_1000_s: f64,
    /// Members with bad links; those that somebody certified as dead, and at how many nodes they are gone in the end.
    pub faulty: usize,
    pub faulty_removed: usize,
    pub faulty_gone_ratio: Option<f64>,
    /// Certificates of them beyond the first of each node, for each of them.
    pub oscillations: f64,
    /// Members without trouble that some node without trouble lacks in the end.
    pub missing_in_the_end: usize,
    pub bytes_per_member_per_s: f64,
    pub all_bytes_per_member_per_s: f64,
    pub cpu_ms_per_member_s: f64,
    pub faults: BTreeMap<&'static str, u64>,
    pub banned: u64,
    pub peak_memory_bytes: Option<u64>,
}

impl Report {
    pub(super) fn of(scene: &Scene<'_>, took: Duration) -> Self {
        let setting = scene.setting;
        let sheet = scene.sheet.lock();
        let band = |id| scene.ids.get(id).map_or(6, |place| scene.bands.band(*place));
        let seconds = setting.duration.as_secs_f64();
        let watched = |place: &usize| matches!(scene.bands.band(*place), 1 | 6);
        let sane: Vec<usize> =
            (0..setting.nodes).filter(|place| scene.bands.band(*place) == 6).collect();
        // When each node certified each that crashed.
        let mut first: BTreeMap<_, Time> = BTreeMap::new();
        let mut all: BTreeMap<_, Time> = BTreeMap::new();
        for (at, by, id, _) in
            sheet.died.iter().filter(|(_, by, id, _)| band(id) == 0 && watched(by))
        {
            let since = Time::from_duration(at.since(scene.begun));
            first.entry(*id).or_insert(since);
            all.entry((*id, *by)).or_insert(since);
        }
        let mut moments: BTreeMap<usize, BTreeSet<Time>> = BTreeMap::new();
        for (at, by, ..) in sheet.died.iter().filter(|(_, by, id, _)| band(id) == 0 && watched(by))
        {
            moments.entry(*by).or_default().insert(*at);
        }
        let as_one = moments.values().filter(|moments| moments.len() == 1).count();
        let due = setting.crash * (0..setting.nodes).filter(watched).count();
        let detected = all.len();
        let (first, all) = (to_micros(first.into_values()), to_micros(all.into_values()));
        let is_false = |id| band(id) == 6;
        let false_deaths: BTreeSet<_> = sheet
            .died
            .iter()
            .filter(|(_, by, id, _)| is_false(id) && watched(by))
            .map(|(_, _, id, epoch)| (*id, *epoch))
            .collect();
        let reports =
            sheet.died.iter().filter(|(_, by, id, _)| is_false(id) && watched(by)).count();
        let slow: BTreeSet<_> = sheet
            .died
            .iter()
            .filter(|(_, _, id, _)| band(id) == 1)
            .map(|(_, _, id, epoch)| (*id, *epoch))
            .collect();
        let suspicions: BTreeSet<_> = sheet
            .suspected
            .iter()
            .filter(|(_, by, id, _)| is_false(id) && watched(by))
            .map(|(_, _, id, epoch)| (*id, *epoch))
            .collect();
        let is_faulty = |id| matches!(band(id), 2 | 3);
        let faulty = scene.bands.lossy + scene.bands.one_way;
        let removals: Vec<_> = sheet
            .died
            .iter()
            .filter(|(_, by, id, _)| is_faulty(id) && watched(by))
            .map(|(_, by, id, _)| (*id, *by))
            .collect();
        let pairs: BTreeSet<_> = removals.iter().collect();
        let removed: BTreeSet<_> = removals.iter().map(|(id, _)| id).collect();
        let (mut gone, mut missing) = (0, 0);
        let sane_ids: BTreeSet<_> =
            scene.ids.iter().filter(|(_, place)| sane.contains(place)).map(|(id, _)| *id).collect();
        for place in &sane {
            let Some(index) = scene.nodes.get(*place) else { continue };
            let known: BTreeSet<_> =
                scene.world.members(*index).iter().map(|state| state.record.content().id).collect();
            gone += scene.ids.keys().filter(|id| is_faulty(id) && !known.contains(id)).count();
            // It is not in its own table.
            missing += sane_ids.difference(&known).count() - 1;
        }
        let state = sane.last().and_then(|place| scene.nodes.get(*place));
        let state =
            state.and_then(|index| scene.world.snapshot(*index).membership).unwrap_or_default();
        let senders = (0..setting.nodes)
            .filter(|place| scene.bands.band(*place) < 4 || scene.bands.band(*place) == 6)
            .count();
        let per_member = |bytes: u64| bytes as f64 / senders as f64 / seconds;
        Self {
            nodes: setting.nodes,
            seed: setting.seed,
            tolerated: state.tolerated,
            observers: state.observers,
            join_converge_s: scene.gathered.map(|at| at.as_duration().as_secs_f64()),
            restart_converge_s: scene.regathered.and_then(|at| {
                let began = scene.begun + setting.restart_all?;
                Some(at.since(began).as_secs_f64())
            }),
            crashed: setting.crash,
            detect_first_s: in_seconds(Tail::of_micros(first.into_iter())),
            detect_all_s: in_seconds(Tail::of_micros(all.into_iter())),
            detected_ratio: (due > 0).then(|| detected as f64 / due as f64),
            one_change_ratio: (!moments.is_empty()).then(|| as_one as f64 / moments.len() as f64),
            false_deaths: false_deaths.len(),
            false_death_reports: reports,
            slow_deaths: slow.len(),
            false_suspicions_per_1000_s: suspicions.len() as f64 * 1000.0 / seconds,
            faulty,
            faulty_removed: removed.len(),
            faulty_gone_ratio: (faulty > 0).then(|| gone as f64 / (faulty * sane.len()) as f64),
            oscillations: if faulty == 0 {
                0.0
            } else {
                (removals.len() - pairs.len()) as f64 / (faulty * sane.len()) as f64
            },
            missing_in_the_end: missing,
            bytes_per_member_per_s: per_member(sheet.member_bytes),
            all_bytes_per_member_per_s: per_member(sheet.all_bytes),
            cpu_ms_per_member_s: took.as_secs_f64() * 1000.0 / setting.nodes as f64 / seconds,
            faults: sheet.faults.clone(),
            banned: sheet.banned,
            peak_memory_bytes: memory::peak_bytes(),
        }
    }
}

fn to_micros(times: impl Iterator<Item = Time>) -> Vec<u32> {
    times.map(|time| u32::try_from(time.as_duration().as_micros()).unwrap_or(u32::MAX)).collect()
}

fn in_seconds(tail: Option<Tail>) -> Option<Tail> {
    let second = |ms: f64| ms / 1000.0;
    tail.map(|Tail { p50, p99, max }| Tail { p50: second(p50), p99: second(p99), max: second(max) })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string_pretty(self).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}
