//! One connection: opens our two outbound substreams, accepts the other side's two, and moves
//! frames.
//!
//! Each side writes only to the substreams that it opened and reads only from those that it
//! accepted. The link is up once both of ours are negotiated and the other's control substream is
//! here; nothing is read before, so that a frame is never reported ahead of its link. A remote that
//! does not speak the protocol is no wrongdoer: the behaviour is told when its time is up, as of one
//! that is not up by then.
//!
//! The handler knows neither what a frame means nor that other connections exist. After it has
//! reported an end, it has let go of its substreams and does nothing more.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use forsooth_protocol::{Fault, Lane};
use libp2p::PeerId;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{
    ConnectionEvent, ConnectionHandlerEvent, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{ConnectionHandler, Stream, StreamProtocol, SubstreamProtocol};
use tokio::time::Instant;

use super::outbox::Outbox;
use super::outgoing::{BoxOutgoing, Wrap};
use super::protocols::Protocols;
use super::reader::{End, Reader};
use super::stall::Alarm;
use super::stats::PerLane;
use super::writer::Writer;

/// What the handler tells the behaviour.
#[derive(Debug)]
pub enum ToBehaviour {
    /// Both sides have opened what they need.
    Up,
    /// Frames of one lane in their order.
    Received(Lane, Vec<Bytes>),
    /// The time to become a link is over.
    Late,
    /// The remote did wrong; the handler has stopped reading.
    Misbehaved(Fault),
    /// The remote takes nothing although something waits.
    Wedged,
    /// The remote closed a substream, or the connection is failing.
    Closed,
}

/// The limits of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) frame_bytes_max: PerLane<usize>,
    pub(super) read_stall: Duration,
    pub(super) write_stall: Duration,
    pub(super) setup: Duration,
}

/// Drives one connection. See the module's documentation.
#[derive(Debug)]
pub struct Handler {
    peer: PeerId,
    limits: Limits,
    protocols: Protocols,
    outbox: Arc<Outbox>,
    wrap: Wrap,
    phase: Phase,
    unopened: Vec<Lane>,
    writers: PerLane<Option<Writer<BoxOutgoing>>>,
    readers: PerLane<Option<Reader<Stream>>>,
    alarm: Alarm,
    setup_deadline: Instant,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Substreams are being negotiated.
    Opening,
    /// Frames flow.
    Up,
    /// It will be no link; what time it has left is the remote's, for identify and ping.
    Useless,
    /// Something ended the link; to be told.
    Ending(End),
    /// Told: nothing is done any more.
    Over,
}

type Event = ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, Lane, ToBehaviour>;

impl Handler {
    pub(super) fn new(
        peer: PeerId,
        limits: Limits,
        protocols: Protocols,
        outbox: Arc<Outbox>,
        wrap: Wrap,
    ) -> Self {
        let now = Instant::now();
        Self {
            peer,
            limits,
            protocols,
            outbox,
            wrap,
            phase: Phase::Opening,
            unopened: Lane::ALL.to_vec(),
            writers: PerLane::default(),
            readers: PerLane::default(),
            alarm: Alarm::default(),
            setup_deadline: now.checked_add(limits.setup).unwrap_or(now),
        }
    }

    fn poll_opening(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(lane) = self.unopened.pop() {
            let upgrade = ReadyUpgrade::new(self.protocols.of(lane));
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(upgrade, lane),
            });
        }
        if self.writers.control.is_some()
            && self.writers.data.is_some()
            && self.readers.control.is_some()
        {
            self.phase = Phase::Up;
            return tell(ToBehaviour::Up);
        }
        if self.alarm.poll(Some(self.setup_deadline), cx).is_ready() {
            // No fault: it may not speak our protocol, or be slow.
            return self.end(ToBehaviour::Late);
        }
        Poll::Pending
    }

    fn poll_up(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let now = Instant::now();
        // Written first: a remote that sends without pause must not keep our answers from leaving.
        for lane in Lane::ALL {
            if let Some(writer) = self.writers.of_mut(lane)
                && let Poll::Ready(Err(_)) = writer.poll(&self.outbox, now, cx)
            {
                return self.end(ToBehaviour::Closed);
            }
        }
        for lane in Lane::ALL {
            match self.readers.of_mut(lane).as_mut().map(|reader| reader.poll(now, cx)) {
                Some(Poll::Ready(Ok(frames))) => return tell(ToBehaviour::Received(lane, frames)),
                Some(Poll::Ready(Err(end))) => return self.end(end.into()),
                Some(Poll::Pending) | None => {}
            }
        }
        self.poll_stalls(cx)
    }

    /// Reached only when all that could be read and written was.
    fn poll_stalls(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            match self.earliest_stall(Instant::now()) {
                Ok(deadline) => futures::ready!(self.alarm.poll(deadline, cx)),
                Err(wrong) => return self.end(wrong),
            }
        }
    }

    /// When the next wait for the other side is too long, or what is wrong because one already is.
    fn earliest_stall(&mut self, now: Instant) -> Result<Option<Instant>, ToBehaviour> {
        let mut earliest = None;
        for lane in Lane::ALL {
            let reading = self.readers.of_mut(lane).as_mut().map(Reader::stall);
            let writing = self.writers.of_mut(lane).as_mut().map(Writer::stall);
            for (stall, wrong) in
                [(reading, ToBehaviour::Misbehaved(Fault::Stalled)), (writing, ToBehaviour::Wedged)]
            {
                let Some(stall) = stall else { continue };
                if stall.is_over(now) {
                    return Err(wrong);
                }
                earliest = earliest.into_iter().chain(stall.deadline()).min();
            }
        }
        Ok(earliest)
    }

    fn accept(&mut self, lane: Lane, stream: Stream) {
        if matches!(self.phase, Phase::Useless | Phase::Ending(_) | Phase::Over) {
            return;
        }
        let reader = self.readers.of_mut(lane);
        if reader.is_some() {
            // Each lane is opened once. More substreams would be more buffers than we bound.
            return self.let_go(Phase::Ending(End::Fault(Fault::Malformed)));
        }
        *reader = Some(Reader::new(
            stream,
            *self.limits.frame_bytes_max.of(lane),
            self.limits.read_stall,
        ));
    }

    fn opened(&mut self, lane: Lane, stream: Stream) {
        if matches!(self.phase, Phase::Opening) {
            let stream = self.wrap.put_around(&self.peer, lane, stream);
            *self.writers.of_mut(lane) = Some(Writer::new(stream, lane, self.limits.write_stall));
        }
    }

    fn end(&mut self, last: ToBehaviour) -> Poll<Event> {
        self.let_go(Phase::Over);
        tell(last)
    }

    fn let_go(&mut self, phase: Phase) {
        self.writers = PerLane::default();
        self.readers = PerLane::default();
        self.phase = phase;
    }
}

fn tell(event: ToBehaviour) -> Poll<Event> {
    Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event))
}

impl From<End> for ToBehaviour {
    fn from(end: End) -> Self {
        match end {
            End::Closed => Self::Closed,
            End::Fault(fault) => Self::Misbehaved(fault),
        }
    }
}

impl ConnectionHandler for Handler {
    /// Frames go by the outbox, and there is nothing else to say.
    type FromBehaviour = Infallible;
    type ToBehaviour = ToBehaviour;
    type InboundProtocol = Protocols;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Lane;

    fn listen_protocol(&self) -> SubstreamProtocol<Protocols> {
        SubstreamProtocol::new(self.protocols.clone(), ())
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        match self.phase {
            Phase::Opening => self.poll_opening(cx),
            Phase::Up => self.poll_up(cx),
            Phase::Useless => {
                futures::ready!(self.alarm.poll(Some(self.setup_deadline), cx));
                self.end(ToBehaviour::Late)
            }
            Phase::Ending(end) => self.end(end.into()),
            Phase::Over => Poll::Pending,
        }
    }

    fn on_behaviour_event(&mut self, event: Infallible) {
        match event {}
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "libp2p's enum is non-exhaustive")]
    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Protocols, Self::OutboundProtocol, (), Lane>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (lane, stream),
                ..
            }) => {
                self.accept(lane, stream);
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol,
                info: lane,
            }) => {
                self.opened(lane, protocol);
            }
            ConnectionEvent::DialUpgradeError(error) => {
                let (lane, error) = (error.info.name(), error.error);
                tracing::debug!(lane, %error, "substream refused");
                if matches!(self.phase, Phase::Opening) {
                    self.let_go(Phase::Useless);
                }
            }
            _ => {}
        }
    }
}
