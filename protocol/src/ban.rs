//! Who may be banned, and what for.

use core::{fmt, net::IpAddr, str::FromStr};

use forsooth_crypto::NodeId;

use crate::{Fault, time::Timestamp};

/// A ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Of whom.
    pub whom: Whom,
    /// What for.
    pub cause: BanCause,
    /// Until when; for good if `None`.
    pub until: Option<Timestamp>,
}

/// Whom a ban is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whom {
    /// A peer or an author.
    Peer(NodeId),
    /// All that comes from there.
    Net(Net),
}

/// What a ban is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanCause {
    /// The fault that was one too many.
    Fault(Fault),
    /// Several peers from there are banned.
    Company,
    /// The operator says so.
    Operator,
}

/// Addresses that begin alike: one host, or a network in CIDR notation (RFC 4632).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Net {
    first: IpAddr,
    bits: u8,
}

/// Why a text is no [`Net`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write an IP address or a network, such as 192.0.2.7, 192.0.2.0/24 or 2001:db8::/48")]
pub struct BadNet;

impl BanCause {
    /// Short and stable: `forged`, `company`, `operator`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.name(),
            Self::Company => "company",
            Self::Operator => "operator",
        }
    }

    /// The cause of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let fault = || Fault::ALL.into_iter().find(|fault| fault.name() == name).map(Self::Fault);
        match name {
            "company" => Some(Self::Company),
            "operator" => Some(Self::Operator),
            _ => fault(),
        }
    }
}

impl fmt::Display for BanCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Company => f.write_str("several of its peers are banned"),
            Self::Operator => f.write_str("the operator says so"),
        }
    }
}

impl From<NodeId> for Whom {
    fn from(peer: NodeId) -> Self {
        Self::Peer(peer)
    }
}

impl From<Net> for Whom {
    fn from(net: Net) -> Self {
        Self::Net(net)
    }
}

impl fmt::Display for Whom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(peer) => peer.fmt(f),
            Self::Net(net) => net.fmt(f),
        }
    }
}

impl Net {
    /// The network of `bits` bits that an address is in. IPv4 addresses mapped into IPv6 are IPv4 addresses.
    /// More bits than an address has are all of them.
    #[must_use]
    pub fn of(ip: IpAddr, bits: u8) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                let bits = bits.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                Self { first: IpAddr::V4((ip.to_bits() & mask).into()), bits }
            }
            IpAddr::V6(ip) => {
                let bits = bits.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                Self { first: IpAddr::V6((ip.to_bits() & mask).into()), bits }
            }
        }
    }

    /// One host.
    #[must_use]
    pub fn host(ip: IpAddr) -> Self {
        Self::of(ip, u8::MAX)
    }

    /// All networks that an address is in, largest first: 33 or 129.
    pub fn all_of(ip: IpAddr) -> impl Iterator<Item = Self> {
        let bits = Self::host(ip).bits;
        (0..=bits).map(move |bits| Self::of(ip, bits))
    }

    /// Whether an address is in it.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        Self::of(ip, self.bits) == *self
    }
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, bits } = self;
        if Self::host(*first).bits == *bits { first.fmt(f) } else { write!(f, "{first}/{bits}") }
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Net {
    type Err = BadNet;

    /// An address, or a network; what is beyond its bits is left out.
    fn from_str(text: &str) -> Result<Self, BadNet> {
        let Some((ip, bits)) = text.split_once('/') else {
            return text.parse().map(Self::host).map_err(|_| BadNet);
        };
        let ip: IpAddr = ip.parse().map_err(|_| BadNet)?;
        let bits: u8 = bits.parse().map_err(|_| BadNet)?;
        // Of a mapped address, the bits count from where IPv4 begins: better none than a wrong network.
        let is_mapped = ip.to_canonical() != ip;
        if is_mapped || bits > Self::host(ip).bits {
            return Err(BadNet);
        }
        Ok(Self::of(ip, bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn net(text: &str) -> Net {
        text.parse().unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn networks_are_written_as_they_are_read_without_what_is_beyond_their_bits() {
        for (read, written) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("192.0.2.7/0", "0.0.0.0/0"),
            ("2001:db8:1:2::3/48", "2001:db8:1::/48"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(net(read).to_string(), written);
            assert_eq!(net(written), net(read));
        }
        for bad in [
            "",
            "/",
            "192.0.2",
            "192.0.2.7/33",
            "::/129",
            "192.0.2.7/-1",
            "::ffff:1.2.3.4/100",
            "a/8",
        ] {
            assert_eq!(bad.parse::<Net>(), Err(BadNet), "{bad}");
        }
    }

    #[test]
    fn a_network_contains_the_addresses_that_begin_alike() {
        assert!(net("192.0.2.0/24").contains(ip("192.0.2.255")));
        assert!(net("192.0.2.0/24").contains(ip("::ffff:192.0.2.255")));
        assert!(!net("192.0.2.0/24").contains(ip("192.0.3.0")));
        assert!(!net("0.0.0.0/0").contains(ip("::1")));
        assert!(Net::all_of(ip("192.0.2.7")).any(|one| one == net("192.0.2.0/24")));
        assert_eq!((Net::all_of(ip("1.2.3.4")).count(), Net::all_of(ip("::1")).count()), (33, 129));
    }

    #[test]
    fn each_cause_is_found_by_its_name() {
        let faults = Fault::ALL.into_iter().map(BanCause::Fault);
        for cause in faults.chain([BanCause::Company, BanCause::Operator]) {
            assert_eq!(BanCause::from_name(cause.name()), Some(cause));
        }
        assert_eq!(BanCause::from_name("none"), None);
    }
}
