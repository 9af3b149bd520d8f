//! What every link is held to.

use std::time::Duration;

use crate::net::{outgoing::Wrap, stats::PerLane, strangers};

/// The bounds of every link.
#[derive(Clone, Debug)]
pub struct Config {
    /// The name of the network's protocol, `/forsooth/1/` and 16 hex digits. Peers that differ in
    /// it do not link up.
    pub protocol: String,
    /// The largest frame per lane, both ways. All nodes of a network must agree: a larger one is a
    /// fault. From 1 KiB to 16 MiB; recommended 64 KiB for control, and the largest payload plus 4
    /// KiB for data.
    pub frame_bytes_max: PerLane<usize>,
    /// What may wait for one peer per lane. At least four of the largest frames; recommended 256
    /// KiB and 4 MiB.
    pub queued_bytes_max: PerLane<usize>,
    /// How long a frame may take from its first byte to its last. 1 s to 60 s; recommended 20 s.
    pub read_stall: Duration,
    /// How long a peer may take nothing while something waits for it. 1 s to 120 s; recommended 30
    /// s.
    pub write_stall: Duration,
    /// How long a connection may take to become a link, and how far apart two dials still count as
    /// simultaneous. Not below the transport's timeout for a connection; recommended 10 s.
    pub setup: Duration,
    /// The same for connections that come in, which cost whoever makes them nothing. Not above `setup`;
    /// recommended 5 s.
    pub setup_inbound: Duration,
    /// How many connections that came in may be no links yet.
    pub strangers: strangers::Config,
    /// What is put around the substreams that lanes are written to. Recommended nothing.
    pub wrap: Wrap,
}

impl Config {
    /// The recommended values, for the network with this protocol name.
    #[must_use]
    pub fn new(protocol: impl Into<String>) -> Self {
        Self {
            protocol: protocol.into(),
            frame_bytes_max: PerLane { control: 64 * 1024, data: 1024 * 1024 + 4096 },
            queued_bytes_max: PerLane { control: 256 * 1024, data: 4 * (1024 * 1024 + 8192) },
            read_stall: Duration::from_secs(20),
            write_stall: Duration::from_secs(30),
            setup: Duration::from_secs(10),
            setup_inbound: Duration::from_secs(5),
            strangers: strangers::Config::default(),
            wrap: Wrap::default(),
        }
    }
}
