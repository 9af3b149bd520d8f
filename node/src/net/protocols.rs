//! The names of the two substreams, and how libp2p is told that we accept them.

use std::convert::Infallible;
use std::future::{Ready, ready};

use forsooth_protocol::Lane;
use libp2p::core::upgrade::{InboundUpgrade, UpgradeInfo};
use libp2p::swarm::{InvalidProtocol, Stream, StreamProtocol};

use super::stats::PerLane;

/// `<base>/control` and `<base>/data`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Protocols(PerLane<StreamProtocol>);

impl Protocols {
    /// The names under a base such as `/forsooth/1/0123456789abcdef`.
    ///
    /// # Errors
    ///
    /// If the base does not begin with a slash.
    pub(super) fn new(base: &str) -> Result<Self, InvalidProtocol> {
        let named = |lane: Lane| StreamProtocol::try_from_owned(format!("{base}/{}", lane.name()));
        Ok(Self(PerLane { control: named(Lane::Control)?, data: named(Lane::Data)? }))
    }

    pub(super) fn of(&self, lane: Lane) -> StreamProtocol {
        self.0.of(lane).clone()
    }
}

/// A protocol's name that remembers its lane.
#[derive(Clone, Debug)]
pub struct LaneProtocol {
    name: StreamProtocol,
    lane: Lane,
}

impl AsRef<str> for LaneProtocol {
    fn as_ref(&self) -> &str {
        self.name.as_ref()
    }
}

impl UpgradeInfo for Protocols {
    type Info = LaneProtocol;
    type InfoIter = std::array::IntoIter<LaneProtocol, 2>;

    fn protocol_info(&self) -> Self::InfoIter {
        Lane::ALL.map(|lane| LaneProtocol { name: self.of(lane), lane }).into_iter()
    }
}

impl InboundUpgrade<Stream> for Protocols {
    type Output = (Lane, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: LaneProtocol) -> Self::Future {
        ready(Ok((protocol.lane, stream)))
    }
}
