//! What may be spent on each lane: frames and bytes a second, for gossip and for what was missed apart.

use std::time::Duration;

use super::rate::{CoreClock, Rate};
use crate::{lane::Lane, network::Defence};

/// Of what a lane allows, so much is there besides for comparing what is kept, and for what was missed: its frames are few and large.
const SYNC_FRAMES_DIVISOR: u32 = 64;

/// Bytes of the largest frame on each lane. A burst is never less.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Largest {
    pub(crate) control: usize,
    pub(crate) data: usize,
}

/// What may be spent on each lane, for gossip and for what was missed.
#[derive(Debug)]
pub(super) struct Lanes {
    gossip: [LaneAllowance; 2],
    sync: [LaneAllowance; 2],
}

#[derive(Debug)]
struct LaneAllowance {
    frames: Rate,
    bytes: Rate,
}

impl Defence {
    /// The quotas of so many peers together.
    pub(super) fn times(&self, shares: u32) -> Self {
        self.each(|quota| quota.saturating_mul(shares))
    }

    /// That part of the quotas of one.
    pub(super) fn over(&self, divisor: u32) -> Self {
        self.each(|quota| quota / divisor)
    }

    fn each(&self, change: impl Fn(u32) -> u32) -> Self {
        Self {
            control_frames_per_second: change(self.control_frames_per_second),
            control_bytes_per_second: change(self.control_bytes_per_second),
            data_frames_per_second: change(self.data_frames_per_second),
            data_bytes_per_second: change(self.data_bytes_per_second),
            ..*self
        }
    }
}

impl Lanes {
    /// As much as a peer may under these rules.
    pub(super) fn new(defence: &Defence, largest: Largest, clock: &CoreClock) -> Self {
        let control_frames_per_second = defence.control_frames_per_second / SYNC_FRAMES_DIVISOR;
        let few = Defence { control_frames_per_second, ..*defence };
        let both = |defence: &Defence| {
            [Lane::Control, Lane::Data]
                .map(|lane| LaneAllowance::new(lane, defence, largest, clock))
        };
        Self { gossip: both(defence), sync: both(&few) }
    }

    /// Charges a frame; whether there was room for it.
    pub(super) fn take(&self, lane: Lane, is_sync: bool, bytes: u32) -> bool {
        self.of(lane, is_sync).take(bytes)
    }

    const fn of(&self, lane: Lane, is_sync: bool) -> &LaneAllowance {
        let [control, data] = if is_sync { &self.sync } else { &self.gossip };
        match lane {
            Lane::Control => control,
            Lane::Data => data,
        }
    }
}

impl LaneAllowance {
    fn new(lane: Lane, defence: &Defence, largest: Largest, clock: &CoreClock) -> Self {
        let (frames, bytes, largest) = match lane {
            Lane::Control => (
                defence.control_frames_per_second,
                defence.control_bytes_per_second,
                largest.control,
            ),
            Lane::Data => {
                (defence.data_frames_per_second, defence.data_bytes_per_second, largest.data)
            }
        };
        let largest = u32::try_from(largest).unwrap_or(u32::MAX);
        let rate = |per_second: u32, least: u32| {
            let burst = per_second.saturating_mul(defence.burst_seconds).max(least);
            Rate::new(per_second, Duration::from_secs(1), burst, clock)
        };
        Self { frames: rate(frames, 1), bytes: rate(bytes, largest) }
    }

    fn take(&self, bytes: u32) -> bool {
        self.frames.take(1).is_ok() && self.bytes.take(bytes).is_ok()
    }
}
