//! Accuses the living.

use std::time::Duration;

use forsooth_protocol::{
    Class, Time,
    membership::{Accusation, signed::Signed},
    snapshot::MemberState,
    wire::Frame,
};

use super::{Cx, Intensity, Kind, Onset, Strategy, Wire};

/// Usual time between two rounds of accusations. Honest observers repeat theirs far less often.
const PACE: Duration = Duration::from_secs(2);

/// The strategy's entry.
pub const ACCUSE: Kind = Kind {
    name: "accuse",
    row: 18,
    sentence: "As an observer accuses all of its honest subjects, again and again, whatever they answer.",
    onset: Onset::Attack,
    wire: Wire::Sound,
    build: |brief| Box::new(Accuse { intensity: brief.intensity }),
};

struct Accuse {
    intensity: Intensity,
}

impl Strategy for Accuse {
    fn act(&mut self, cx: &mut Cx<'_>) -> Option<Time> {
        let pace = self.intensity.pace(PACE)?;
        let (accuser, time) = (cx.keypair.id(), cx.wall);
        let accuse = |state: MemberState| {
            let ring = state.observed_on?;
            let member = state.record.content();
            let (subject, epoch) = (member.id, member.epoch);
            let accusation = Accusation { accuser, subject, epoch, ring, time };
            cx.is_victim(&subject).then(|| Signed::sign(accusation, cx.keypair, cx.network))
        };
        let accusations: Vec<_> = cx.members().into_iter().filter_map(accuse).collect();
        if !accusations.is_empty() {
            let frame = Frame::Rumours { members: Vec::new(), accusations, asked: false }.encode();
            let told: Vec<_> = cx.peers.iter().filter(|peer| cx.is_honest(peer)).copied().collect();
            for to in told {
                cx.attack(to, Class::Members, frame.clone());
            }
        }
        Some(cx.now + pace)
    }
}
