//! The one task that owns the swarm and the participant.
//!
//! It turns what happens (frames, links, commands, verdicts, time) into inputs, and carries out the effects
//! of each before the next. No locks: everything else talks to it through bounded channels. It decides
//! nothing itself: whom to dial, what to send and whom to ban is the participant's business.

mod bans;
mod bootnodes;
mod closing;
mod company;
mod dials;
mod inward;
mod keeping;
mod log;
mod reach;
mod shell;
mod snapshot;
mod view;

use std::time::Duration;

use bytes::Bytes;
use forsooth_protocol::{
    Candidate, Effect, Input, Judgement, Participant, Receipt, Record, Refusal, Ticket, Time,
    TopicId, Whom, membership::Tags, network::Policy, snapshot::MemberState,
};
use futures::{FutureExt as _, StreamExt as _};
use libp2p::swarm::SwarmEvent;
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout},
};

use self::company::Word;
pub(crate) use self::{
    bootnodes::Bootnodes,
    reach::Reach,
    shell::{Outside, Shell},
    view::{View, Window},
};
use crate::{
    archive::{Reply, Shelf},
    net::swarm::Event,
    status::NodeSnapshot,
    store::{StoreError, Writer},
    subscription::Registration,
    verifier::Batch,
};

/// Swarm events that are taken together. More would make commands and verdicts wait; fewer would
/// make smaller batches, here and in the sockets.
const EVENTS_MAX: usize = 64;
/// Clocks and dials are looked at this often.
const PULSE: Duration = Duration::from_secs(5);
/// How long the disk has to take what was learned last, at the end.
const SAVE_TIME_MAX: Duration = Duration::from_secs(2);

/// What a [`Node`](crate::Node) asks of its driver.
#[derive(Debug)]
pub(crate) enum Command {
    /// Publish a message.
    Publish {
        topic: TopicId,
        payload: Bytes,
        lifetime: Option<Duration>,
        reply: oneshot::Sender<Result<Receipt, Refusal>>,
    },
    /// Tell what it looks like inside.
    Snapshot(oneshot::Sender<NodeSnapshot>),
    /// Tell who is a member.
    Members(oneshot::Sender<Vec<MemberState>>),
    /// Say this of ourselves as a member.
    Tag(Tags),
    /// Remember where peers may be reached.
    Know(Vec<Candidate>),
    /// Ban a peer or a network, for a time or for good.
    Ban(Whom, Option<Duration>),
    /// Lift a ban.
    Pardon(Whom),
    /// End.
    Shutdown,
}

/// Owns the swarm and the participant. See the module's documentation.
pub(crate) struct Driver {
    participant: Box<dyn Participant>,
    shell: Shell,
    commands: mpsc::Receiver<Command>,
    registrations: mpsc::Receiver<Registration>,
    pulse: Interval,
}

/// Why the driver woke up.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is taken apart at once"
)]
enum Wake {
    Swarm(SwarmEvent<Event>),
    /// `None`: the last handle of the node was dropped.
    Command(Option<Command>),
    Registration(Registration),
    Checked(Batch),
    Judged(Ticket, Judgement),
    Abandoned(TopicId, Policy),
    /// Messages are on disk, or were read.
    Replied(Reply),
    Pulse,
    /// The participant's deadline has come, or a record found its way to the disk.
    Nothing,
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Flow {
    Continue,
    End,
}

impl Driver {
    pub(crate) fn new(
        participant: Box<dyn Participant>,
        shell: Shell,
        commands: mpsc::Receiver<Command>,
        registrations: mpsc::Receiver<Registration>,
    ) -> Self {
        let mut pulse = interval(PULSE);
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { participant, shell, commands, registrations, pulse }
    }

    /// Tells the participant how the world stands, all that is kept included, before it takes part in anything.
    ///
    /// # Errors
    /// When what is kept cannot be read.
    pub(crate) async fn begin(
        &mut self,
        records: Vec<Record>,
        known: Vec<Candidate>,
        kept: Vec<Candidate>,
    ) -> Result<(), StoreError> {
        self.shell.remember(&records);
        let wall = self.shell.clock.wall_at(Time::ZERO);
        self.shell.facts.extend([Input::WallClock(wall), Input::Loaded(records)]);
        self.settle();
        let (mut recall, begun) = (self.shell.recall_all(), Instant::now());
        while let Some(holds) = self.shell.recall(&mut recall).await? {
            self.shell.facts.push_back(holds);
            self.settle();
        }
        if recall.told > 0 {
            let (messages, ms) = (recall.told, begun.elapsed().as_millis());
            tracing::info!(messages, ms, "read what is kept");
        }
        self.shell.keep_topics();
        self.shell.facts.extend([Input::Known(known), Input::Keep(kept)]);
        self.settle();
        Ok(())
    }

    /// Serves until it is told to end.
    pub(crate) async fn run(mut self) -> Result<(), StoreError> {
        loop {
            let wake = self.wake().await;
            if self.handle(wake) == Flow::End {
                break;
            }
            self.settle();
        }
        self.commands.close();
        self.save().await;
        self.shell.close().await
    }

    /// Has the participant store what it has learned since the last time. Some of it at a time: a record that
    /// found no room on its way to the disk would be lost.
    async fn save(&mut self) {
        let save = async {
            loop {
                let mut is_saved = true;
                for effect in self.participant.handle(self.shell.clock.now(), Input::Stopping) {
                    is_saved &= !matches!(effect, Effect::Store(_));
                    self.shell.carry_out(effect);
                }
                if is_saved {
                    break;
                }
                if let Some(writer) = &mut self.shell.outside.writer {
                    writer.drain().await;
                }
            }
        };
        if timeout(SAVE_TIME_MAX, save).await.is_err() {
            tracing::warn!("the disk does not keep up: some of what was learned is not kept");
        }
    }

    async fn wake(&mut self) -> Wake {
        let deadline = self.participant.deadline().map(|time| self.shell.clock.instant(time));
        let Outside { swarm, checks, panel, subscribers, writer, shelf } = &mut self.shell.outside;
        // In random order, so that no source can starve another.
        tokio::select! {
            event = swarm.select_next_some() => Wake::Swarm(event),
            command = self.commands.recv() => Wake::Command(command),
            Some(registration) = self.registrations.recv() => Wake::Registration(registration),
            batch = checks.batch() => Wake::Checked(batch),
            (ticket, judgement) = panel.judgement() => Wake::Judged(ticket, judgement),
            (topic, policy) = subscribers.abandoned() => Wake::Abandoned(topic, policy),
            reply = replied(shelf.as_mut()) => Wake::Replied(reply),
            _ = self.pulse.tick() => Wake::Pulse,
            () = until(deadline) => Wake::Nothing,
            () = flushed(writer.as_mut()) => Wake::Nothing,
        }
    }

    fn handle(&mut self, wake: Wake) -> Flow {
        // First, whatever woke us: who subscribes and then publishes, or hears of a message, wants both to
        // count in this order.
        while let Ok(registration) = self.registrations.try_recv() {
            self.shell.on_registration(registration);
        }
        match wake {
            Wake::Swarm(event) => self.on_swarm(event),
            Wake::Command(Some(command)) => return self.on_command(command),
            Wake::Command(None) => return Flow::End,
            Wake::Registration(registration) => self.shell.on_registration(registration),
            Wake::Checked(batch) => self.shell.on_checked(batch),
            Wake::Judged(ticket, judgement) => {
                self.shell.facts.push_back(Input::Validated { ticket, judgement })
            }
            Wake::Abandoned(topic, policy) => {
                if !self.shell.keeps(topic, policy) {
                    let policy = Some(policy);
                    self.shell.facts.push_back(Input::Unsubscribe { topic, policy });
                }
            }
            Wake::Replied(reply) => self.shell.on_reply(reply),
            Wake::Pulse => {
                self.shell.on_pulse();
                self.look_for_company();
            }
            Wake::Nothing => {}
        }
        Flow::Continue
    }

    /// Tells the operator that nobody is linked, what is done about it, and when it is over.
    fn look_for_company(&mut self) {
        match self.shell.company() {
            Some(Word::Alone(time)) => {
                let snapshot = self.participant.snapshot();
                let book = snapshot.overlay.book;
                let (contacts, known) = (snapshot.overlay.contacts, snapshot.candidates);
                let seconds = time.as_secs();
                tracing::warn!(
                    seconds,
                    contacts,
                    book,
                    known,
                    "no peer is linked: dialling bootnodes and named peers (contacts), those that were linked before, and others of \
                     the address book (book), again and again"
                );
                if known == 0 && contacts == 0 {
                    tracing::warn!(
                        "and nobody is known: name a peer with --peer, or wait until somebody comes"
                    );
                }
            }
            Some(Word::Back(time)) => {
                tracing::info!(seconds = time.as_secs(), "linked again, after being alone");
            }
            None => {}
        }
    }

    /// Takes this event and those that are ready too: frames that are handled together are verified
    /// together, and what they cause to be sent leaves together.
    fn on_swarm(&mut self, event: SwarmEvent<Event>) {
        self.shell.on_swarm(event);
        for _ in 1..EVENTS_MAX {
            let Some(Some(event)) = self.shell.outside.swarm.next().now_or_never() else { break };
            self.shell.on_swarm(event);
        }
    }

    fn on_command(&mut self, command: Command) -> Flow {
        match command {
            Command::Publish { topic, payload, lifetime, reply } => {
                self.shell.on_publish(topic, payload, lifetime, reply);
            }
            Command::Snapshot(reply) => {
                // Whoever asked may be gone.
                let _ = reply.send(self.shell.snapshot(self.participant.snapshot()));
            }
            Command::Members(reply) => {
                let _ = reply.send(self.participant.members());
            }
            Command::Tag(tags) => self.shell.facts.push_back(Input::Tagged(tags)),
            Command::Know(candidates) => self.shell.facts.push_back(Input::Known(candidates)),
            Command::Ban(whom, length) => self.shell.facts.push_back(Input::Ban { whom, length }),
            Command::Pardon(whom) => self.shell.facts.push_back(Input::Pardon { whom }),
            Command::Shutdown => return Flow::End,
        }
        Flow::Continue
    }

    /// Tells the participant all new facts and, if its deadline has come, that.
    fn settle(&mut self) {
        self.tell_facts();
        if self.participant.deadline().is_some_and(|deadline| deadline <= self.shell.clock.now()) {
            self.shell.facts.push_back(Input::Tick);
            self.tell_facts();
        }
        while let Some(batch) = self.shell.outside.checks.check_alone() {
            self.shell.on_checked(batch);
            self.tell_facts();
        }
        self.shell.outside.checks.dispatch();
    }

    /// Orders may lead to facts at once, such as a dial to a failure.
    fn tell_facts(&mut self) {
        while let Some(fact) = self.shell.facts.pop_front() {
            for effect in self.participant.handle(self.shell.clock.now(), fact) {
                self.shell.carry_out(effect);
            }
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

async fn replied(shelf: Option<&mut Shelf>) -> Reply {
    match shelf {
        Some(shelf) => shelf.reply().await,
        None => std::future::pending().await,
    }
}

async fn flushed(writer: Option<&mut Writer>) {
    match writer {
        Some(writer) => writer.flush().await,
        None => std::future::pending().await,
    }
}
