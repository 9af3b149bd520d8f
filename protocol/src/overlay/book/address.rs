//! Which addresses a node keeps of another, and why it refuses the rest.
//!
//! A signed record says what its signer likes, so an address in it may be anybody's: a multicast group, a
//! printer in the reader's own house, a name that an attacker's server resolves. Only numeric addresses are
//! kept, and on a public network only those that the whole network can reach. Nothing here dials or resolves.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{input::Address, network::Kind};

/// Why a record or an address is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Refused {
    /// It is this node's own.
    #[error("it is our own")]
    Own,
    /// It says neither a numeric address nor a port: a name to resolve, a relay, or another notation.
    #[error("it is not of the form /ip4/../tcp/.., /ip4/../udp/../quic-v1, or the same with /ip6")]
    NotNumeric,
    /// Nobody listens on port 0.
    #[error("it has port 0")]
    PortZero,
    /// Another service is likely to be there, and may take dials for an attack.
    #[error("it has a port of another service")]
    PortReserved,
    /// It is `0.0.0.0` or `::`.
    #[error("it is unspecified")]
    Unspecified,
    /// It is a group of hosts, or all of them.
    #[error("it is multicast or broadcast")]
    Multicast,
    /// It is set aside for examples, so nobody has it.
    #[error("it is for documentation")]
    Documentation,
    /// It is one machine's, one link's, one house's or one provider's, and the network is a public one.
    #[error("it is private, and the network is public")]
    Private,
    /// It is not in use on the public internet.
    #[error("it is reserved")]
    Reserved,
    /// No address of the record may be kept, or it has none.
    #[error("it has no address")]
    NoAddress,
    /// The record has more addresses than are kept.
    #[error("it has too many addresses")]
    ManyAddresses,
    /// The record has more bytes than are kept.
    #[error("it has too many bytes")]
    Oversized,
    /// The record is dated further ahead than clocks may differ.
    #[error("it is from the future")]
    FromFuture,
    /// The record is older than the horizon: its signer has long been silent.
    #[error("it is out of date")]
    Outdated,
}

impl Refused {
    /// A short, stable name: `port_zero`. Used in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::NotNumeric => "not_numeric",
            Self::PortZero => "port_zero",
            Self::PortReserved => "port_reserved",
            Self::Unspecified => "unspecified",
            Self::Multicast => "multicast",
            Self::Documentation => "documentation",
            Self::Private => "private",
            Self::Reserved => "reserved",
            Self::NoAddress => "no_address",
            Self::ManyAddresses => "many_addresses",
            Self::Oversized => "oversized",
            Self::FromFuture => "from_future",
            Self::Outdated => "outdated",
        }
    }
}

/// Where somebody listens, read from an [`Address`]; IPv4-mapped IPv6 is IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// The host.
    pub ip: IpAddr,
    /// The TCP or UDP port.
    pub port: u16,
}

impl Endpoint {
    /// Reads `/ip4/203.0.113.7/tcp/8650` or `/ip6/2001:db8::7/udp/8650/quic-v1`, and nothing around it: what a
    /// transport dials may be at the end of a longer address, and then would not be what is checked here.
    ///
    /// # Errors
    /// [`Refused::NotNumeric`] for anything else.
    pub fn parse(address: &Address) -> Result<Self, Refused> {
        let mut parts = address.as_str().split('/');
        let (Some(""), Some(family), Some(host), Some(transport), Some(port)) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refused::NotNumeric);
        };
        match (transport, parts.next(), parts.next()) {
            ("tcp", None, None) | ("udp", Some("quic-v1"), None) => {}
            _ => return Err(Refused::NotNumeric),
        }
        let ip = match family {
            "ip4" => host.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "ip6" => host.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        };
        let ip = ip.ok_or(Refused::NotNumeric)?.to_canonical();
        let port = port.parse().map_err(|_| Refused::NotNumeric)?;
        Ok(Self { ip, port })
    }

    /// Whether nodes of a network of this kind may keep and dial it.
    ///
    /// # Errors
    /// Names the first reason against it.
    pub fn check(&self, kind: Kind) -> Result<(), Refused> {
        if self.port == 0 {
            return Err(Refused::PortZero);
        }
        let public = match kind {
            Kind::Local => false,
            Kind::Testnet | Kind::Production => true,
        };
        // Those of the web are what a strict firewall lets through.
        if public && self.port < 1024 && !matches!(self.port, 80 | 443) {
            return Err(Refused::PortReserved);
        }
        match (self.ip, public) {
            (IpAddr::V4(ip), _) => check_v4(ip, public),
            (IpAddr::V6(ip), _) => check_v6(ip, public),
        }
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(socket: SocketAddr) -> Self {
        Self { ip: socket.ip().to_canonical(), port: socket.port() }
    }
}

/// The registry of special IPv4 addresses: RFC 6890 and what IANA has added since.
fn check_v4(ip: Ipv4Addr, public: bool) -> Result<(), Refused> {
    let [a, b, c, _] = ip.octets();
    if ip.is_unspecified() {
        return Err(Refused::Unspecified);
    }
    if ip.is_multicast() || ip.is_broadcast() {
        return Err(Refused::Multicast);
    }
    if ip.is_documentation() {
        return Err(Refused::Documentation);
    }
    let shared = a == 100 && b & 0xc0 == 64;
    if public && (ip.is_private() || ip.is_loopback() || ip.is_link_local() || shared) {
        return Err(Refused::Private);
    }
    let protocols = (a, b, c) == (192, 0, 0);
    let benchmark = a == 198 && b & 0xfe == 18;
    if public && (a == 0 || a >= 240 || protocols || benchmark) {
        return Err(Refused::Reserved);
    }
    Ok(())
}

/// Only `2000::/3` is given out for use on the internet (RFC 4291, section 2.4; IANA's registry).
fn check_v6(ip: Ipv6Addr, public: bool) -> Result<(), Refused> {
    let [first, second, ..] = ip.segments();
    if ip.is_unspecified() {
        return Err(Refused::Unspecified);
    }
    if ip.is_multicast() {
        return Err(Refused::Multicast);
    }
    // RFC 3849 and RFC 9637.
    if (first, second) == (0x2001, 0xdb8) || (first == 0x3fff && second & 0xf000 == 0) {
        return Err(Refused::Documentation);
    }
    let site_local = first & 0xffc0 == 0xfec0;
    let private = ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local();
    if public && (private || site_local) {
        return Err(Refused::Private);
    }
    // 6to4 and Teredo (RFC 3056, RFC 4380): whoever has an IPv4 address has many prefixes of these.
    let tunnel = first == 0x2002 || (first, second) == (0x2001, 0);
    if public && (tunnel || first & 0xe000 != 0x2000) {
        return Err(Refused::Reserved);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, kind: Kind) -> Result<(), Refused> {
        Endpoint::parse(&Address::new(text).unwrap())?.check(kind)
    }

    #[test]
    fn what_nobody_can_be_reached_at_is_refused_with_its_reason() {
        let cases = [
            ("/ip4/8.8.8.8/tcp/0", Refused::PortZero),
            ("/ip4/0.0.0.0/tcp/8650", Refused::Unspecified),
            ("/ip6/::/udp/8650/quic-v1", Refused::Unspecified),
            ("/ip4/224.0.0.1/tcp/8650", Refused::Multicast),
            ("/ip4/255.255.255.255/tcp/8650", Refused::Multicast),
            ("/ip6/ff02::1/tcp/8650", Refused::Multicast),
            ("/ip4/192.0.2.1/tcp/8650", Refused::Documentation),
            ("/ip4/198.51.100.1/tcp/8650", Refused::Documentation),
            ("/ip4/203.0.113.1/tcp/8650", Refused::Documentation),
            ("/ip6/2001:db8::1/tcp/8650", Refused::Documentation),
            ("/ip6/3fff:fff::1/tcp/8650", Refused::Documentation),
            ("/dns4/example.org/tcp/8650", Refused::NotNumeric),
            ("/ip4/8.8.8.8/tcp/8650/p2p/Qm/p2p-circuit", Refused::NotNumeric),
            ("/ip4/8.8.8.8/sctp/1", Refused::NotNumeric),
            ("/ip4/8.8.8.8/tcp/65536", Refused::NotNumeric),
            ("/ip4/8.8.8.8", Refused::NotNumeric),
            // The transport would dial what is at the end.
            ("/ip4/8.8.8.8/tcp/8650/ip4/9.9.9.9/tcp/8650", Refused::NotNumeric),
            ("/ip4/8.8.8.8/tcp/8650/dnsaddr/evil.example", Refused::NotNumeric),
            ("/ip4/8.8.8.8/tcp/8650/ws", Refused::NotNumeric),
            ("/ip4/8.8.8.8/udp/8650", Refused::NotNumeric),
            ("/ip4/8.8.8.8/udp/8650/quic-v1/webtransport", Refused::NotNumeric),
            ("ip4/8.8.8.8/tcp/8650", Refused::NotNumeric),
            ("/ip4/::1/tcp/8650", Refused::NotNumeric),
            ("", Refused::NotNumeric),
        ];
        for (text, reason) in cases {
            for kind in [Kind::Local, Kind::Testnet, Kind::Production] {
                assert_eq!(check(text, kind), Err(reason), "{text}");
            }
        }
    }

    #[test]
    fn private_and_reserved_addresses_are_for_local_networks_alone() {
        let cases = [
            ("/ip4/127.0.0.1/tcp/8650", Refused::Private),
            ("/ip4/10.1.2.3/tcp/8650", Refused::Private),
            ("/ip4/172.16.0.1/tcp/8650", Refused::Private),
            ("/ip4/192.168.1.1/tcp/8650", Refused::Private),
            ("/ip4/169.254.1.1/tcp/8650", Refused::Private),
            ("/ip4/100.64.0.1/tcp/8650", Refused::Private),
            ("/ip6/::1/tcp/8650", Refused::Private),
            ("/ip6/fe80::1/tcp/8650", Refused::Private),
            ("/ip6/fd00::1/tcp/8650", Refused::Private),
            ("/ip6/fec0::1/tcp/8650", Refused::Private),
            ("/ip6/::ffff:10.0.0.1/tcp/8650", Refused::Private),
            ("/ip4/0.1.2.3/tcp/8650", Refused::Reserved),
            ("/ip4/240.0.0.1/tcp/8650", Refused::Reserved),
            ("/ip4/192.0.0.1/tcp/8650", Refused::Reserved),
            ("/ip4/198.19.0.1/tcp/8650", Refused::Reserved),
            ("/ip6/64:ff9b::808:808/tcp/8650", Refused::Reserved),
            ("/ip6/100::1/tcp/8650", Refused::Reserved),
            ("/ip6/2002:808:808::1/tcp/8650", Refused::Reserved),
            ("/ip6/2001:0:4136::1/tcp/8650", Refused::Reserved),
            ("/ip4/8.8.8.8/tcp/22", Refused::PortReserved),
            ("/ip6/2a00::1/udp/53/quic-v1", Refused::PortReserved),
        ];
        for (text, reason) in cases {
            assert_eq!(check(text, Kind::Production), Err(reason), "{text}");
            assert_eq!(check(text, Kind::Testnet), Err(reason), "{text}");
            assert_eq!(check(text, Kind::Local), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_lies_just_outside_of_the_special_ranges_is_kept() {
        for host in
            ["100.63.0.1", "100.128.0.1", "198.17.0.1", "198.20.0.1", "172.32.0.1", "223.1.1.1"]
        {
            assert_eq!(check(&format!("/ip4/{host}/tcp/8650"), Kind::Production), Ok(()), "{host}");
        }
        for host in
            ["2001:db7::1", "2001:db9::1", "2001:1::1", "3fff:1000::1", "2a00::1", "2003::1"]
        {
            assert_eq!(
                check(&format!("/ip6/{host}/udp/8650/quic-v1"), Kind::Production),
                Ok(()),
                "{host}"
            );
        }
    }

    #[test]
    fn a_mapped_address_is_the_ipv4_address_that_it_maps() {
        let mapped = Address::new("/ip6/::ffff:8.8.4.4/tcp/9").unwrap();
        let plain = Address::new("/ip4/8.8.4.4/tcp/9").unwrap();
        assert_eq!(Endpoint::parse(&mapped), Endpoint::parse(&plain));
    }
}
