//! Lies about epochs, its own and others', and about who has answered.

use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use forsooth_crypto::NodeId;
use forsooth_protocol::{
    Class, Input, Lane, Time, Timestamp,
    membership::{
        Answer, Epoch, Member, SignedMember, Tags, record::INCARNATION_MAX, signed::Signed,
    },
    wire::{Ack, Frame},
};
use rand::RngExt as _;

use super::{Cx, Intensity, Kind, Onset, Strategy, Wire};

/// Usual time between two lies.
const PACE: Duration = Duration::from_millis(500);
/// Frames about members that it keeps to send again; the oldest go first.
const KEPT_MAX: usize = 64;

/// The strategy's entry.
pub const EPOCH_JUMP: Kind = Kind {
    name: "epoch-jump",
    row: 20,
    sentence: "Signs records of others with raised epochs and its own with impossible ones, answers probes that \
               nobody sent, and repeats old answers and records; each adversary has one manner of these.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| {
        let manner = match brief.seat % 4 {
            0 => Manner::Raise,
            1 => Manner::Jump,
            2 => Manner::Answer,
            _ => Manner::Repeat,
        };
        Box::new(EpochJump { intensity: brief.intensity, manner, kept: VecDeque::new() })
    },
};

struct EpochJump {
    intensity: Intensity,
    manner: Manner,
    /// What was sent to it, whoever sent it.
    kept: VecDeque<Bytes>,
}

/// In which way it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// Raises the epochs of others, with its own key.
    Raise,
    /// Says that it has come as far as numbers go.
    Jump,
    /// Answers what was not asked, in others' names.
    Answer,
    /// Repeats what was true once.
    Repeat,
}

impl EpochJump {
    fn lie(&self, to: NodeId, cx: &mut Cx<'_>) -> Option<Bytes> {
        let members = |member: Member, cx: &Cx<'_>| {
            let member: SignedMember = Signed::sign(member, cx.keypair, cx.network);
            Frame::Rumours { members: vec![member], accusations: Vec::new(), asked: false }.encode()
        };
        match self.manner {
            Manner::Raise => {
                let mut known = cx.members();
                known.retain(|state| cx.is_victim(&state.record.content().id));
                let at = (!known.is_empty()).then(|| cx.rng.random_range(0..known.len()))?;
                let mut member = known.swap_remove(at).record.content().clone();
                member.epoch.incarnation = member.epoch.incarnation.saturating_add(1);
                member.left = cx.rng.random();
                Some(members(member, cx))
            }
            Manner::Jump => {
                let (id, addresses) = (cx.keypair.id(), cx.own_addresses().to_vec());
                let epoch = match cx.rng.random() {
                    true => Epoch { generation: u64::MAX, incarnation: 0 },
                    false => Epoch { generation: cx.generation, incarnation: INCARNATION_MAX + 1 },
                };
                let (time, nonce) = (Timestamp::from_millis(cx.wall.as_millis()), cx.rng.random());
                let (tags, work) = (Tags::default(), Bytes::new());
                let member = Member {
                    id,
                    addresses,
                    epoch,
                    version: u64::MAX,
                    time,
                    nonce,
                    left: false,
                    tags,
                    work,
                };
                Some(members(member, cx))
            }
            Manner::Answer => {
                let nonce = cx.rng.random();
                if cx.rng.random() {
                    return Some(Frame::Ack(Ack::Direct { nonce }).encode());
                }
                let subject = cx.known_victims().into_iter().find(|victim| *victim != to)?;
                let answer = Answer { subject, observer: to, nonce };
                let answer = Signed::sign(answer, cx.keypair, cx.network);
                Some(Frame::Ack(Ack::Through(answer)).encode())
            }
            Manner::Repeat => {
                let at =
                    (!self.kept.is_empty()).then(|| cx.rng.random_range(0..self.kept.len()))?;
                self.kept.get(at).cloned()
            }
        }
    }
}

impl Strategy for EpochJump {
    fn on_input(&mut self, input: Input, cx: &mut Cx<'_>) -> Option<Input> {
        if let Input::Received { lane: Lane::Control, frame, .. } = &input
            && self.manner == Manner::Repeat
            && let Ok(Frame::Rumours { .. } | Frame::Ack(_)) = Frame::decode(frame, cx.network)
        {
            if self.kept.len() >= KEPT_MAX {
                self.kept.pop_front();
            }
            self.kept.push_back(frame.clone());
        }
        Some(input)
    }

    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        for to in cx.victims() {
            if let Some(frame) = self.lie(to, cx) {
                cx.attack(to, Class::Members, frame);
            }
        }
        Some(cx.now + pace)
    }
}
