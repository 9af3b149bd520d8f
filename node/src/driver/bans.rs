//! Who is refused below the core: a banned peer cannot even connect.
//!
//! Follows the records that the core has stored. The core knows when a ban is over and says nothing of it,
//! so this list looks at the clock by itself.

use std::collections::BTreeMap;

use forsooth_crypto::NodeId;
use forsooth_protocol::{Ban, Record, Timestamp, Whom};

use crate::{
    net::{identity::peer_id, swarm::Composed},
    store::BANS_MAX,
};

/// Bans in force, with their ends; for good if `None`.
#[derive(Debug, Default)]
pub(super) struct Bans(BTreeMap<NodeId, Option<Timestamp>>);

impl Bans {
    /// Follows a record. Beyond [`BANS_MAX`], a new ban holds in the core alone.
    pub(super) fn follow(&mut self, record: &Record, behaviour: &mut Composed) {
        match record {
            Record::Ban(Ban { whom: Whom::Peer(peer), until, .. }) => {
                if self.0.len() < BANS_MAX || self.0.contains_key(peer) {
                    self.0.insert(*peer, *until);
                    behaviour.bans.block_peer(peer_id(peer));
                }
            }
            Record::Pardon { whom: Whom::Peer(peer) } => {
                self.0.remove(peer);
                behaviour.bans.unblock_peer(peer_id(peer));
            }
            // Who may come from a network all the same, the core knows.
            Record::Ban(Ban { whom: Whom::Net(_), .. }) | Record::Pardon { whom: Whom::Net(_) } => {
            }
            Record::Proof { .. }
            | Record::Peer { .. }
            | Record::PeerGone { .. }
            | Record::BookKey { .. }
            | Record::Anchors { .. } => {}
        }
    }

    /// Lets those in whose ban is over.
    pub(super) fn expire(&mut self, now: Timestamp, behaviour: &mut Composed) {
        let over = self.0.extract_if(.., |_, until| until.is_some_and(|until| until <= now));
        for (peer, _) in over {
            behaviour.bans.unblock_peer(peer_id(&peer));
        }
    }
}

#[cfg(test)]
mod tests {
    use forsooth_crypto::Keypair;
    use forsooth_protocol::{BanCause, Fault};

    use super::*;
    use crate::net::swarm::{Config, build};

    #[tokio::test]
    async fn a_ban_holds_until_it_is_over_or_lifted() {
        let mut swarm =
            build(&Keypair::from_seed([1; 32]), &Config::new("/forsooth/1/test")).unwrap();
        let behaviour = swarm.behaviour_mut();
        let mut bans = Bans::default();
        let [brief, lifted, good] = [2, 3, 4].map(|seed| Keypair::from_seed([seed; 32]).id());
        let end = Timestamp::from_millis(100);
        for (peer, until) in [(brief, Some(end)), (lifted, None), (good, None)] {
            let cause = BanCause::Fault(Fault::Forged);
            bans.follow(&Record::Ban(Ban { whom: peer.into(), cause, until }), behaviour);
        }
        let refused = |behaviour: &Composed| {
            [brief, lifted, good]
                .map(|peer| behaviour.bans.blocked_peers().contains(&peer_id(&peer)))
        };
        bans.expire(Timestamp::from_millis(99), behaviour);
        assert_eq!(refused(behaviour), [true, true, true]);
        bans.expire(end, behaviour);
        assert_eq!(refused(behaviour), [false, true, true]);
        bans.follow(&Record::Pardon { whom: lifted.into() }, behaviour);
        assert_eq!(refused(behaviour), [false, false, true]);
    }
}
