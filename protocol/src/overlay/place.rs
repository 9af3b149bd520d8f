//! Where a peer is, as far as an attacker has to pay for being there.
//!
//! Keys cost nothing, addresses in many networks do. A [`Place`] is an address cut into [`LEVELS`] nested
//! prefixes, coarsest first: the autonomous system if it is known and else the /8, then the /16, the /24 and
//! the host; for IPv6 the /32, the /48, the /64 and the host. An IPv4 address written as IPv6 is IPv4.
//! Peers whose address nobody knows are together in one place, as if they all were on one host.
//!
//! The cut is the one of Basalt (Auvolat et al., Middleware 2023, on hierarchical rankings). It knows nothing of who is there.

use core::net::IpAddr;

/// Nested prefixes of one place.
pub const LEVELS: usize = 4;

/// Bits of an address in each prefix, coarsest first.
const V4_BITS: [u32; LEVELS] = [8, 16, 24, 32];
const V6_BITS: [u32; LEVELS] = [32, 48, 64, 128];

/// Where a peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    family: Family,
    /// The address, with its first bit the most significant.
    bits: u128,
    /// 0 if not known; nobody has that number (RFC 7607).
    asn: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Unknown,
    V4,
    V6,
}

/// The coarsest prefix of a place: who is in another one pays for another network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Region {
    /// The address is not known.
    Unknown,
    /// An autonomous system.
    System(u32),
    /// An IPv4 /8 or IPv6 /32, by its first address.
    Net(IpAddr),
}

impl Place {
    /// Where peers are whose address is not known.
    pub const UNKNOWN: Self = Self { family: Family::Unknown, bits: 0, asn: 0 };

    /// The place of an address, in an autonomous system if its number is known.
    #[must_use]
    pub fn of(ip: Option<IpAddr>, asn: Option<u32>) -> Self {
        let Some(ip) = ip else { return Self::UNKNOWN };
        let asn = asn.unwrap_or(0);
        match ip.to_canonical() {
            IpAddr::V4(ip) => {
                Self { family: Family::V4, bits: u128::from(ip.to_bits()) << 96, asn }
            }
            IpAddr::V6(ip) => Self { family: Family::V6, bits: ip.to_bits(), asn },
        }
    }

    /// The address.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.prefix(LEVELS - 1)
    }

    /// The autonomous system, if its number is known.
    #[must_use]
    pub const fn asn(&self) -> Option<u32> {
        if self.asn == 0 { None } else { Some(self.asn) }
    }

    /// The first address of the network that caps and votes go by: the IPv4 /24 or IPv6 /48.
    #[must_use]
    pub fn subnet(&self) -> Option<IpAddr> {
        match self.family {
            Family::Unknown => None,
            Family::V4 => self.prefix(2),
            Family::V6 => self.prefix(1),
        }
    }

    /// The coarsest prefix.
    #[must_use]
    pub fn region(&self) -> Region {
        match (self.prefix(0), self.asn()) {
            (None, _) => Region::Unknown,
            (Some(_), Some(asn)) => Region::System(asn),
            (Some(net), None) => Region::Net(net),
        }
    }

    /// How many prefixes two places share, from the coarsest on: 0 to [`LEVELS`].
    #[must_use]
    pub fn shared(&self, other: &Self) -> usize {
        if self == other {
            return LEVELS;
        }
        if self.asn != other.asn {
            return 0;
        }
        // Within one system, the first level is the system, whatever the address.
        let system = usize::from(self.asn != 0);
        if self.family != other.family {
            return system;
        }
        let bits = (self.bits ^ other.bits).leading_zeros();
        let shared = self.family.bits().iter().take_while(|level| bits >= **level).count();
        shared.max(system)
    }

    /// What tells the prefix at a level from others: which level of which family, and its bits. Those of the
    /// host are told apart within one IPv6 /64 only, where alone they are compared.
    pub(crate) fn token(&self, level: usize) -> [u64; 2] {
        let kind = match self.family {
            Family::Unknown => return [0, 0],
            Family::V4 => 1,
            Family::V6 => 2,
        };
        if level == 0 && self.asn != 0 {
            return [3, u64::from(self.asn)];
        }
        let kept = self.family.bits().get(level).copied().unwrap_or(128);
        // Of a prefix longer than 64 bits, the last 64; of a shorter one, all.
        let prefix = self.bits.checked_shr(128 - kept).unwrap_or(0);
        let [_, low] = halves(prefix);
        [kind | (level as u64) << 8, low]
    }

    /// All of it, so that no two places have the same words but by rare chance of IPv6 and a known system.
    pub(crate) fn words(&self) -> [u64; 2] {
        let [high, low] = halves(self.bits);
        let kind = (self.family as u64) << 62 | u64::from(self.asn) << 8;
        [high, low ^ kind.rotate_left(7)]
    }

    fn prefix(&self, level: usize) -> Option<IpAddr> {
        let kept = self.family.bits().get(level)?;
        let bits = self.bits & !u128::MAX.checked_shr(*kept).unwrap_or(0);
        match self.family {
            Family::Unknown => None,
            Family::V4 => u32::try_from(bits >> 96).ok().map(|bits| IpAddr::V4(bits.into())),
            Family::V6 => Some(IpAddr::V6(bits.into())),
        }
    }
}

impl Family {
    const fn bits(self) -> &'static [u32; LEVELS] {
        match self {
            Self::Unknown => &[0; LEVELS],
            Self::V4 => &V4_BITS,
            Self::V6 => &V6_BITS,
        }
    }
}

/// The upper and the lower half.
fn halves(bits: u128) -> [u64; 2] {
    let low = bits & u128::from(u64::MAX);
    [bits >> 64, low].map(|half| u64::try_from(half).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(ip: &str, asn: Option<u32>) -> Place {
        Place::of(Some(ip.parse().unwrap()), asn)
    }

    #[test]
    fn places_share_the_prefixes_that_their_addresses_share() {
        let cases = [
            ("10.1.2.3", "11.1.2.3", 0),
            ("10.1.2.3", "10.2.2.3", 1),
            ("10.1.2.3", "10.1.3.3", 2),
            ("10.1.2.3", "10.1.2.4", 3),
            ("10.1.2.3", "10.1.2.3", 4),
            ("10.1.2.3", "::ffff:10.1.2.3", 4),
            ("10.1.2.3", "2001:db8::1", 0),
            ("2001:db8::1", "2001:db9::1", 0),
            ("2001:db8:1::1", "2001:db8:2::1", 1),
            ("2001:db8:1:1::1", "2001:db8:1:2::1", 2),
            ("2001:db8:1:1::1", "2001:db8:1:1::2", 3),
        ];
        for (one, other, shared) in cases {
            let (one, other) = (place(one, None), place(other, None));
            assert_eq!(one.shared(&other), shared, "{one:?} {other:?}");
            assert_eq!(other.shared(&one), shared);
            for level in 0..LEVELS {
                let same = one.token(level) == other.token(level);
                // A host's token is compared among those of one /64 only.
                assert!(level >= shared || same, "{one:?} {other:?} {level}");
                assert!(level != shared || !same, "{one:?} {other:?} {level}");
            }
        }
    }

    #[test]
    fn a_known_system_stands_for_the_coarsest_prefix() {
        let one = place("10.1.2.3", Some(64_500));
        assert_eq!(one.shared(&place("11.1.2.3", Some(64_500))), 1);
        assert_eq!(one.shared(&place("10.1.2.3", Some(64_501))), 0);
        assert_eq!(one.shared(&place("10.1.2.3", None)), 0);
        let v6 = place("2001:db8::1", Some(64_500));
        assert_eq!((one.token(0), one.shared(&v6)), (v6.token(0), 1));
        assert_ne!(one.token(1), v6.token(1));
        assert_eq!(one.region(), Region::System(64_500));
        assert_eq!(one.asn(), Some(64_500));
    }

    #[test]
    fn unknown_addresses_are_one_place() {
        let unknown = Place::of(None, Some(7));
        assert_eq!(unknown, Place::UNKNOWN);
        assert_eq!(unknown.shared(&Place::UNKNOWN), LEVELS);
        assert_eq!(unknown.shared(&place("10.1.2.3", None)), 0);
        assert_eq!((unknown.ip(), unknown.subnet()), (None, None));
        assert_eq!(unknown.region(), Region::Unknown);
    }

    #[test]
    fn a_subnet_is_where_votes_and_caps_go_by() {
        assert_eq!(place("10.1.2.3", None).subnet(), Some("10.1.2.0".parse().unwrap()));
        let v6 = place("2001:db8:1:2::3", None);
        assert_eq!(v6.subnet(), Some("2001:db8:1::".parse().unwrap()));
        assert_eq!(v6.ip(), Some("2001:db8:1:2::3".parse().unwrap()));
        assert_eq!(v6.region(), Region::Net("2001:db8::".parse().unwrap()));
    }
}
