//! Dials that were ordered and have not ended yet: each ends as a link or, exactly once, as a failure.

use std::{fmt, time::Duration};

use forsooth_crypto::NodeId;
use forsooth_protocol::Address;
use libp2p::{
    Multiaddr,
    swarm::{
        ConnectionId,
        dial_opts::{DialOpts, PeerCondition},
    },
};
use tokio::time::Instant;

use crate::net::{identity::peer_id, origin::names_two_hosts, swarm::NodeSwarm};

/// A connection that has not become a link by then never will: above the transport's time limit and the
/// links' together.
const ORDER_TIME_MAX: Duration = Duration::from_secs(25);

/// What a dial came to, if not to a link.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) peer: NodeId,
    pub(super) address: Address,
    pub(super) cause: String,
}

/// Dials under way. A handful: the core bounds them.
#[derive(Debug, Default)]
pub(super) struct Dials {
    orders: Vec<Order>,
}

#[derive(Debug)]
struct Order {
    peer: NodeId,
    address: Address,
    stage: Stage,
    until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// There is a connection that is no link: it is about to become one, or to close.
    Waiting,
    /// Under way, or connected and not a link yet.
    Dialing(ConnectionId),
}

impl Dials {
    /// Begins a dial.
    pub(super) fn begin(
        &mut self,
        peer: NodeId,
        address: Address,
        swarm: &mut NodeSwarm,
    ) -> Result<(), Failure> {
        let stage = if swarm.is_connected(&peer_id(&peer)) {
            Stage::Waiting
        } else {
            Stage::Dialing(
                dial(&peer, &address, swarm).map_err(|cause| failure(peer, &address, cause))?,
            )
        };
        self.orders.push(Order { peer, address, stage, until: Instant::now() + ORDER_TIME_MAX });
        Ok(())
    }

    /// The peer is linked, whoever dialled.
    pub(super) fn linked(&mut self, peer: &NodeId) {
        self.orders.retain(|order| order.peer != *peer);
    }

    /// A connection could not be made, or closed.
    pub(super) fn lost(&mut self, id: ConnectionId, cause: impl fmt::Display) -> Vec<Failure> {
        self.fail(|order| order.stage == Stage::Dialing(id), cause)
    }

    /// The last connection with a peer is closed: whoever waited for that may dial.
    pub(super) fn disconnected(&mut self, peer: &NodeId, swarm: &mut NodeSwarm) -> Vec<Failure> {
        let waiting = |order: &mut Order| order.peer == *peer && order.stage == Stage::Waiting;
        let waiting: Vec<_> = self.orders.extract_if(.., waiting).collect();
        waiting
            .into_iter()
            .filter_map(|order| self.begin(order.peer, order.address, swarm).err())
            .collect()
    }

    /// Gives up dials that take too long, and closes what they connected to.
    pub(super) fn expire(&mut self, now: Instant, swarm: &mut NodeSwarm) -> Vec<Failure> {
        for order in self.orders.iter().filter(|order| order.until <= now) {
            if let Stage::Dialing(id) = order.stage {
                swarm.close_connection(id);
            }
        }
        self.fail(
            |order| order.until <= now,
            "no link came about; it may belong to another network",
        )
    }

    fn fail(&mut self, which: impl Fn(&Order) -> bool, cause: impl fmt::Display) -> Vec<Failure> {
        let failed = self.orders.extract_if(.., |order| which(order));
        failed.map(|order| failure(order.peer, &order.address, cause.to_string())).collect()
    }
}

fn dial(peer: &NodeId, address: &Address, swarm: &mut NodeSwarm) -> Result<ConnectionId, String> {
    let address: Multiaddr =
        address.as_str().parse().map_err(|error| format!("no multiaddress: {error}"))?;
    // The core takes no such address from a record. Whoever passed for one host and was dialled at another would
    // count as many.
    if names_two_hosts(&address) {
        return Err("it names two hosts; give an address with one".to_owned());
    }
    let options = DialOpts::peer_id(peer_id(peer))
        .condition(PeerCondition::DisconnectedAndNotDialing)
        .addresses(vec![address])
        .build();
    let id = options.connection_id();
    swarm.dial(options).map_err(|error| error.to_string())?;
    Ok(id)
}

fn failure(peer: NodeId, address: &Address, cause: String) -> Failure {
    Failure { peer, address: address.clone(), cause }
}

#[cfg(test)]
mod tests {
    use forsooth_crypto::Keypair;

    use super::*;
    use crate::net::swarm::{Config, build};

    #[tokio::test]
    async fn an_address_that_names_two_hosts_is_not_dialled() {
        let mut swarm =
            build(&Keypair::from_seed([1; 32]), &Config::new("/forsooth/1/test")).unwrap();
        let peer = Keypair::from_seed([2; 32]).id();
        let mut dials = Dials::default();
        let mut begin = |text| dials.begin(peer, Address::new(text).unwrap(), &mut swarm);
        for address in
            ["/ip4/8.8.8.8/tcp/1/ip4/127.0.0.1/tcp/8650", "/ip4/8.8.8.8/tcp/1/dnsaddr/evil.example"]
        {
            assert!(begin(address).unwrap_err().cause.contains("two hosts"), "{address}");
        }
        begin("/ip4/127.0.0.1/tcp/1").unwrap();
        let dialling = swarm.network_info().connection_counters().num_pending_outgoing();
        assert_eq!(dialling, 1);
    }
}
