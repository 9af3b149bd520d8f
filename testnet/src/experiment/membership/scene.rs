//! The run: nodes gather, and then trouble begins.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use forsooth_crypto::{Keypair, NodeId};
use forsooth_protocol::{
    Config, Core, Input, Network, Participant, Time,
    membership::Settings,
    network::{Defence, Kind, Policy, Topic},
};
use rand::{Rng as _, RngExt as _, seq::index};

use super::{
    Error, Progress, Setting,
    restart::Restarts,
    schemer::{Scheme, Schemer},
    watch::Shared,
};
use crate::{
    plan::{Purpose, stream},
    world::{Conditions, Group, Index, Links, Place, World},
};

/// What the wall of the world shows when it begins.
pub(super) const GENERATION: u64 = 1_767_225_600;
/// Nodes start at random within this time.
const START_WITHIN: Duration = Duration::from_secs(1);
/// The longest that is waited until all know all; and how long is waited after that.
const GATHERED_WITHIN: Duration = Duration::from_secs(180);
const REST: Duration = Duration::from_secs(90);
/// How often is looked.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long one-way links are cut, and whole, in turn.
const FLAP: Duration = Duration::from_secs(20);
/// How often slow nodes are paused.
const PAUSE_EVERY: Duration = Duration::from_secs(10);
/// Losses of nodes with bad links.
const LOSS: f64 = 0.8;
const LOSSY: Group = Group(1);

/// A world and who is in it.
pub(super) struct Scene<'a> {
    pub(super) setting: &'a Setting,
    pub(super) world: World,
    pub(super) sheet: Shared,
    pub(super) nodes: Vec<Index>,
    pub(super) ids: BTreeMap<NodeId, usize>,
    /// Those that crash, in the first places; then the slow, the lossy, the one-way, the liars, the silent.
    pub(super) bands: Bands,
    pub(super) network: Arc<Network>,
    /// When all knew all anew, after all had restarted.
    pub(super) regathered: Option<Time>,
    /// When all knew all, if they did.
    pub(super) gathered: Option<Time>,
    /// When measuring began.
    pub(super) begun: Time,
}

/// How many of each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bands {
    pub(super) crash: usize,
    pub(super) slow: usize,
    pub(super) lossy: usize,
    pub(super) one_way: usize,
    pub(super) liars: usize,
    pub(super) silent: usize,
}

impl Bands {
    fn of(setting: &Setting) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a share of a number of nodes")]
        #[expect(clippy::cast_sign_loss, reason = "a share is not negative")]
        let share = |share: f64| (share * setting.nodes as f64).round() as usize;
        Self {
            crash: setting.crash,
            slow: share(setting.slow),
            lossy: share(setting.lossy),
            one_way: share(setting.one_way),
            liars: share(setting.liars),
            silent: share(setting.silent),
        }
    }

    fn ends(self) -> [usize; 6] {
        let mut end = 0;
        [self.crash, self.slow, self.lossy, self.one_way, self.liars, self.silent].map(|count| {
            end += count;
            end
        })
    }

    /// Which band a place is in: 0 to 5, and 6 without trouble.
    pub(super) fn band(self, place: usize) -> usize {
        self.ends().iter().position(|end| place < *end).unwrap_or(6)
    }

    /// The places of a band.
    fn places(self, band: usize) -> std::ops::Range<usize> {
        let ends = self.ends();
        let first = band.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
        first..ends.get(band).copied().unwrap_or(first)
    }
}

impl<'a> Scene<'a> {
    pub(super) fn new(setting: &'a Setting) -> Result<Self, Error> {
        let bands = Bands::of(setting);
        let troubled = bands.ends()[5];
        if troubled * 2 > setting.nodes || setting.nodes < troubled + 2 {
            return Err(Error::TooMuchTrouble { nodes: setting.nodes, troubled });
        }
        let topics = vec![Topic::new("news", Policy::Verified)];
        let network =
            Network::new("membership", Kind::Local, topics, Defence::recommended(Kind::Local))?;
        let network = network.with_membership(Some(Settings::preset(setting.preset)))?;
        let conditions = Conditions { loss: setting.loss, ..Conditions::default() };
        let mut links = Links::from(conditions);
        if bands.lossy > 0 {
            links.by_group.insert(LOSSY, Conditions { loss: LOSS, ..Conditions::default() });
            // Groups that nobody names are like the highest that somebody does.
            links.by_group.insert(Group(2), conditions);
        }
        let network = Arc::new(network);
        let mut scene = Self {
            setting,
            network: Arc::clone(&network),
            regathered: None,
            world: World::new(setting.seed, links),
            sheet: Shared::default(),
            nodes: Vec::new(),
            ids: BTreeMap::new(),
            bands,
            gathered: None,
            begun: Time::ZERO,
        };
        (0..setting.nodes).for_each(|node| scene.join(node, &network));
        (0..setting.nodes).for_each(|node| scene.introduce(node));
        Ok(scene)
    }

    fn join(&mut self, node: usize, network: &Arc<Network>) {
        let (id, participant) = self.participant(node, network, Duration::ZERO);
        let group = if self.bands.band(node) == 2 { LOSSY } else { Group(0) };
        let index = self.world.add_at(Place { group, ip: None }, id, participant);
        // What nobody will read: with it, each node's book would be held twice.
        self.world.disk_full(index, self.setting.restart_all.is_none());
        self.nodes.push(index);
        self.ids.insert(id, node);
    }

    /// A node of this world, in a life that begins then.
    pub(super) fn participant(
        &self,
        node: usize,
        network: &Arc<Network>,
        begins: Duration,
    ) -> (NodeId, Box<dyn Participant>) {
        let mut seed = [0; 32];
        stream(self.setting.seed, Purpose::Key, node).fill_bytes(&mut seed);
        let keypair = Keypair::from_seed(seed);
        stream(self.setting.seed, Purpose::Core, node).fill_bytes(&mut seed);
        let life = begins.as_secs();
        seed.iter_mut().zip(life.to_le_bytes()).for_each(|(byte, more)| *byte ^= more);
        let id = keypair.id();
        let config = Config::new(Arc::clone(network), GENERATION + life);
        let core = Box::new(Core::new(config, keypair.clone(), seed));
        let scheme = match self.bands.band(node) {
            4 => Some(Scheme::Accuse),
            5 => Some(Scheme::Silence),
            _ => None,
        };
        let participant: Box<dyn Participant> = match scheme {
            Some(scheme) => Box::new(Schemer::new(core, scheme, keypair, Arc::clone(network))),
            None => self.sheet.watch(node, core),
        };
        (id, participant)
    }

    pub(super) fn introduce(&mut self, node: usize) {
        let mut rng = stream(self.setting.seed, Purpose::Graph, node);
        let at = self.world.now() + START_WITHIN.mul_f64(rng.random::<f64>());
        let last = self.nodes.len() - 1;
        let told = match self.setting.contacts {
            // One that will stay.
            0 => vec![last],
            contacts => index::sample(&mut rng, self.nodes.len(), contacts.min(last)).into_vec(),
        };
        let others = told.into_iter().filter(|other| *other != node);
        let others = others.filter_map(|other| self.nodes.get(other));
        let known = others.map(|other| self.world.candidate(*other)).collect();
        if let Some(index) = self.nodes.get(node) {
            self.world.tell(at, *index, Input::Known(known));
        }
    }

    /// Whether all who run know all.
    pub(super) fn know_all(&self) -> bool {
        let all = |index: &Index| {
            let state = self.world.snapshot(*index).membership;
            state.is_some_and(|state| state.members == self.nodes.len())
        };
        self.nodes.iter().all(all)
    }

    /// Runs until all know all.
    pub(super) fn gather(&mut self, progress: &mut impl FnMut(Progress)) {
        while self.world.now() < Time::ZERO + GATHERED_WITHIN && self.gathered.is_none() {
            let done = self.world.now().since(Time::ZERO);
            progress(Progress::Gathering { done, of: GATHERED_WITHIN });
            self.world.run_until(self.world.now() + LOOK_EVERY);
            self.gathered = self.know_all().then(|| self.world.now());
        }
        let rests = self.world.now();
        while self.world.now() < rests + REST {
            progress(Progress::Resting { done: self.world.now().since(rests), of: REST });
            self.world.run_until((self.world.now() + LOOK_EVERY).min(rests + REST));
        }
        // Liars and bad links were there from the start; what they did before is no part of it.
        *self.sheet.lock() = super::watch::Sheet::default();
        self.begun = self.world.now();
    }

    /// Runs for as long as is measured, in steps in which faults come and go.
    pub(super) fn measure(&mut self, progress: &mut impl FnMut(Progress)) {
        let of = |band| -> Vec<Index> {
            let places = self.bands.places(band);
            places.filter_map(|place| self.nodes.get(place)).copied().collect()
        };
        let (crash, slow, one_way) = (of(0), of(1), of(3));
        for index in crash {
            if self.setting.vanish {
                self.world.pause(index);
            } else {
                self.world.crash(index);
            }
        }
        let end = self.begun + self.setting.duration;
        let mut rng = stream(self.setting.seed, Purpose::Faults, 0);
        let mut wakes: Vec<(Time, Index)> = Vec::new();
        let mut sleeps: Vec<(Time, Index)> = Vec::new();
        for index in slow {
            sleeps.push((self.begun + PAUSE_EVERY.mul_f64(rng.random::<f64>()), index));
        }
        let mut is_cut = false;
        let mut flap_at = self.begun;
        let mut restarts = Restarts::of(self);
        while self.world.now() < end {
            let now = self.world.now();
            let (done, of) = (now.since(self.begun), self.setting.duration);
            progress(Progress::Measuring { done, of });
            if !one_way.is_empty() && flap_at <= now {
                is_cut = !is_cut;
                flap_at = now + FLAP;
                for to in &one_way {
                    for from in self.nodes.iter().filter(|from| *from != to) {
                        self.world.one_way(*from, *to, is_cut);
                    }
                }
            }
            for (_, index) in wakes.extract_if(.., |(at, _)| *at <= now) {
                self.world.resume(index);
            }
            for (at, index) in sleeps.iter_mut().filter(|(at, _)| *at <= now) {
                self.world.pause(*index);
                let pause = Duration::from_millis(rng.random_range(500..2500));
                wakes.push((now + pause, *index));
                *at = now + PAUSE_EVERY;
            }
            restarts.act(self);
            let next = wakes.iter().chain(&sleeps).map(|(at, _)| *at).min();
            let flap = (!one_way.is_empty()).then_some(flap_at);
            let next = next
                .into_iter()
                .chain(flap)
                .chain(restarts.next())
                .chain([end, now + LOOK_EVERY])
                .min()
                .unwrap_or(end);
            self.world.run_until(next.max(now + Duration::from_millis(1)));
        }
    }
}
