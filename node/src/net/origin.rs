//! Where a connection comes from or leads to, and which addresses count as one place.
//!
//! libp2p's transports read a multiaddress from its end and dial what they find there first. So does this: an
//! address that names two hosts counts as the one that is dialled, and `names_two_hosts` tells it from honest
//! ones.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// How addresses are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counting {
    /// The leading bits that make an IPv4 subnet. 0 to 32; recommended 24.
    pub ipv4_prefix: u8,
    /// The leading bits that make an IPv6 subnet. 0 to 128; recommended 48, which is what one site
    /// is given.
    pub ipv6_prefix: u8,
    /// Addresses that are not counted at all, such as the operator's own monitor.
    pub exempt: BTreeSet<IpAddr>,
    /// What applies to 127.0.0.0/8 and ::1.
    pub loopback: Loopback,
}

impl Default for Counting {
    fn default() -> Self {
        Self {
            ipv4_prefix: 24,
            ipv6_prefix: 48,
            exempt: BTreeSet::new(),
            loopback: Loopback::Counted,
        }
    }
}

/// How connections from this machine count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loopback {
    /// Like others: each 127.x.y.z is an address, each 127.x.y.0/24 a subnet. A local testnet has
    /// its groups that way.
    Counted,
    /// Not at all.
    Exempt,
}

/// An IP address and the leading bits of it that are the subnet's.
pub(super) type Subnet = (IpAddr, u8);

/// An address that is counted, with its subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) address: IpAddr,
    pub(super) subnet: Subnet,
}

impl Counting {
    /// How an address counts; `None` if it does not.
    pub(super) fn origin(&self, remote: &Multiaddr) -> Option<Origin> {
        let address = ip_address(remote)?;
        let is_exempt = match self.loopback {
            Loopback::Counted => false,
            Loopback::Exempt => address.is_loopback(),
        };
        if is_exempt || self.exempt.contains(&address) {
            return None;
        }
        // A shift by the whole width is what `checked_shl` refuses: no bits are kept then.
        let subnet = match address {
            IpAddr::V4(v4) => {
                let bits = self.ipv4_prefix.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                (Ipv4Addr::from_bits(v4.to_bits() & mask).into(), bits)
            }
            IpAddr::V6(v6) => {
                let bits = self.ipv6_prefix.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                (Ipv6Addr::from_bits(v6.to_bits() & mask).into(), bits)
            }
        };
        Some(Origin { address, subnet })
    }
}

/// The last IP address of a multiaddress, the one that is dialled; an IPv4 address that was mapped into IPv6 is
/// unmapped.
#[must_use]
pub fn ip_address(address: &Multiaddr) -> Option<IpAddr> {
    address.iter().filter_map(|part| ip_part(&part)).last()
}

/// The same, of one part of a multiaddress.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only two of libp2p's many protocols are IP addresses"
)]
pub(super) fn ip_part(part: &Protocol<'_>) -> Option<IpAddr> {
    match *part {
        Protocol::Ip4(v4) => Some(v4.into()),
        Protocol::Ip6(v6) => Some(IpAddr::from(v6).to_canonical()),
        _ => None,
    }
}

/// Whether an address names more than one host, by number or by name: then it is not plain where it leads.
pub(crate) fn names_two_hosts(address: &Multiaddr) -> bool {
    let is_host = |part: &Protocol<'_>| {
        matches!(
            part,
            Protocol::Ip4(_)
                | Protocol::Ip6(_)
                | Protocol::Dns(_)
                | Protocol::Dns4(_)
                | Protocol::Dns6(_)
                | Protocol::Dnsaddr(_)
        )
    };
    address.iter().filter(is_host).count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_is_where_its_end_leads() {
        for (text, ip) in [
            ("/ip4/8.8.8.8/tcp/1", Some("8.8.8.8")),
            ("/ip4/8.8.8.8/tcp/1/ip4/6.6.6.6/tcp/8650", Some("6.6.6.6")),
            ("/ip6/::ffff:1.2.3.4/udp/1/quic-v1", Some("1.2.3.4")),
            ("/dns4/a.example/tcp/1", None),
            ("/memory/1", None),
        ] {
            let expected = ip.map(|ip| ip.parse::<IpAddr>().unwrap());
            assert_eq!(ip_address(&address(text)), expected, "{text}");
        }
    }

    #[test]
    fn an_address_of_two_hosts_is_told_from_one_of_one() {
        for (text, expected) in [
            ("/ip4/8.8.8.8/tcp/1", false),
            ("/dns4/a.example/udp/1/quic-v1", false),
            ("/memory/1", false),
            ("/ip4/8.8.8.8/tcp/1/ip4/6.6.6.6/tcp/8650", true),
            ("/ip4/8.8.8.8/tcp/1/dnsaddr/evil.example", true),
            ("/ip6/::1/tcp/1/ip4/6.6.6.6/udp/1/quic-v1", true),
        ] {
            assert_eq!(names_two_hosts(&address(text)), expected, "{text}");
        }
    }

    #[test]
    fn every_prefix_length_makes_a_subnet() {
        for (bits, a, b, together) in [
            (0, "1.2.3.4", "200.0.0.1", true),
            (1, "1.2.3.4", "200.0.0.1", false),
            (32, "1.2.3.4", "1.2.3.5", false),
            (255, "1.2.3.4", "1.2.3.4", true),
        ] {
            let counting = Counting { ipv4_prefix: bits, ..Counting::default() };
            let subnet = |ip| counting.origin(&address(&format!("/ip4/{ip}"))).unwrap().subnet;
            assert_eq!(subnet(a) == subnet(b), together, "{bits}");
        }
    }
}
