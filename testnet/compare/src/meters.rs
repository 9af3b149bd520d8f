//! What a run costs: processor time, resident memory, and bytes that cross the loopback interface.
//!
//! The last are counted by the kernel, the same way for every system: IP packets with all headers,
//! acknowledgements included. A batch that the kernel hands over in one piece counts as one packet.

use std::{fs, time::Duration};

use anyhow::Context as _;
use nix::sys::resource::{UsageWho, getrusage};

/// What this process and its loopback interface have used so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) cpu: Duration,
    pub(crate) wire_bytes: u64,
    pub(crate) wire_packets: u64,
}

impl Reading {
    /// Reads all meters.
    ///
    /// # Errors
    /// When the system does not tell.
    pub(crate) fn now() -> anyhow::Result<Self> {
        let usage = getrusage(UsageWho::RUSAGE_SELF).context("reading processor time")?;
        let time = |value: nix::sys::time::TimeVal| {
            let whole = u64::try_from(value.tv_sec()).unwrap_or(0);
            let micros = u64::try_from(value.tv_usec()).unwrap_or(0);
            Duration::from_secs(whole) + Duration::from_micros(micros)
        };
        let devices = fs::read_to_string("/proc/self/net/dev")
            .context("counting bytes on loopback needs Linux's /proc")?;
        let (wire_bytes, wire_packets) = loopback(&devices).context("no loopback interface")?;
        let cpu = time(usage.user_time()) + time(usage.system_time());
        Ok(Self { cpu, wire_bytes, wire_packets })
    }

    /// What was used from then to now.
    pub(crate) const fn since(self, then: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(then.cpu),
            wire_bytes: self.wire_bytes.saturating_sub(then.wire_bytes),
            wire_packets: self.wire_packets.saturating_sub(then.wire_packets),
        }
    }
}

/// Bytes and packets received on loopback.
fn loopback(devices: &str) -> Option<(u64, u64)> {
    let line = devices.lines().find_map(|line| line.trim_start().strip_prefix("lo:"))?;
    let mut numbers = line.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Resident memory of this process, in bytes.
///
/// # Errors
/// When the system does not tell.
pub(crate) fn resident_bytes() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("reading memory needs /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.context("/proc/self/status has no VmRSS")? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_packets_are_read_from_the_kernels_table() {
        let table = "Inter-| Receive\n face |bytes packets\n  eth0: 1 2 3\n    lo: 1234  56 0 0 0 0 0 0 1234 56\n";
        assert_eq!(loopback(table), Some((1234, 56)));
        assert_eq!(loopback("eth0: 1 2\n"), None);
    }
}
