//! Which autonomous system an address belongs to, as far as the operator has a table of them.
//!
//! A network's operator has many prefixes, and prefixes of many operators share a /8: where the table tells
//! them apart, ranks and buckets go by who runs the network, which an attacker pays for more dearly than
//! for one more prefix. A table is text, a prefix or a range a line, as routing data is commonly published;
//! it is read once, flattened into sorted ranges, and asked by binary search. Whose table it is, and how old,
//! is the operator's business; without one, nobody's system is known and nothing is lost but this.

mod parse;
mod ranges;

use core::net::IpAddr;

pub use self::parse::{AsnError, Reason};
use self::ranges::Ranges;

/// Lines of a table that are read. All routes of today's internet are about 1.3 million.
pub const ENTRIES_MAX: usize = 4_000_000;

/// Who runs which network. Empty by default: nobody's system is known.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AsnMap {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl AsnMap {
    /// Reads a table: a network and the number of its autonomous system a line, in one of the forms
    ///
    /// ```text
    /// 1.0.0.0/24 13335                   # prefix; the number may be written AS13335
    /// 2606:4700::/32 AS13335
    /// 1.0.0.0  1.0.0.255  13335  US  …   # range, as iptoasn.com has it; what follows is ignored
    /// 1.0.0.0  24  13335                 # prefix and length, as CAIDA has it
    /// ```
    ///
    /// Fields are separated by blanks, tabs or a comma. What follows `#` is a comment, and empty lines
    /// are ignored. Where networks overlap, the one that begins last counts, which of nested prefixes is the
    /// longest; of two lines for one network, the later. Number 0 means that nobody's is known there (RFC 7607).
    ///
    /// # Errors
    /// Names the first line that makes no sense, and what was expected there.
    pub fn parse(text: &str) -> Result<Self, AsnError> {
        let (v4, v6) = parse::parse(text)?;
        Ok(Self { v4: Ranges::new(v4), v6: Ranges::new(v6) })
    }

    /// The number of the system that an address belongs to. An IPv4 address written as IPv6 is IPv4.
    #[must_use]
    pub fn lookup(&self, ip: IpAddr) -> Option<u32> {
        match ip.to_canonical() {
            IpAddr::V4(ip) => self.v4.lookup(ip.to_bits()),
            IpAddr::V6(ip) => self.v6.lookup(ip.to_bits()),
        }
    }

    /// Ranges of addresses whose system is known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.v4.len().saturating_add(self.v6.len())
    }

    /// Whether nobody's system is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl core::fmt::Debug for AsnMap {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("AsnMap").field("ranges", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(map: &AsnMap, ip: &str) -> Option<u32> {
        map.lookup(ip.parse().unwrap())
    }

    #[test]
    fn all_common_forms_of_a_table_are_read() {
        let map = AsnMap::parse(
            "# a comment\n\
             1.0.0.0/24 13335\n\
             \t 1.0.4.0/22\tAS38803 # and another\r\n\
             \n\
             2606:4700::/32 as13335\n\
             8.8.8.0\t8.8.8.255\t15169\tUS\tGOOGLE # 1\n\
             2001:4860::\t2001:4860:ffff:ffff:ffff:ffff:ffff:ffff\t15169\tUS\tGOOGLE\n\
             9.9.9.0,9.9.9.255,19281,\"Quad9\"\n\
             5.5.0.0\t16\t6805_6806\n",
        )
        .unwrap();
        for (ip, asn) in [
            ("1.0.0.0", Some(13_335)),
            ("1.0.0.255", Some(13_335)),
            ("1.0.1.0", None),
            ("0.255.255.255", None),
            ("1.0.7.9", Some(38_803)),
            ("::ffff:1.0.7.9", Some(38_803)),
            ("2606:4700:ffff::1", Some(13_335)),
            ("2606:4701::", None),
            ("8.8.8.8", Some(15_169)),
            ("2001:4860:4860::8888", Some(15_169)),
            ("9.9.9.9", Some(19_281)),
            ("5.5.255.255", Some(6805)),
            ("::1", None),
        ] {
            assert_eq!(ask(&map, ip), asn, "{ip}");
        }
        assert_eq!(map.len(), 7);
    }

    #[test]
    fn the_longest_prefix_counts_in_whatever_order_lines_come() {
        let lines = [
            "0.0.0.0/0 1",
            "10.0.0.0/8 2",
            "10.1.0.0/16 3",
            "10.1.1.0/24 4",
            "10.1.2.0/24 0",
            "255.255.255.255/32 5",
            "::/0 6",
            "ffff:ffff:ffff:ffff::/64 7",
        ];
        let forward = AsnMap::parse(&lines.join("\n")).unwrap();
        let backward: Vec<_> = lines.iter().rev().copied().collect();
        assert_eq!(forward, AsnMap::parse(&backward.join("\n")).unwrap());
        for (ip, asn) in [
            ("9.255.255.255", Some(1)),
            ("10.0.255.255", Some(2)),
            ("10.1.0.255", Some(3)),
            ("10.1.1.7", Some(4)),
            ("10.1.2.7", None),
            ("10.1.3.0", Some(3)),
            ("10.2.0.0", Some(2)),
            ("11.0.0.0", Some(1)),
            ("255.255.255.254", Some(1)),
            ("255.255.255.255", Some(5)),
            ("::", Some(6)),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Some(7)),
        ] {
            assert_eq!(ask(&forward, ip), asn, "{ip}");
        }
    }

    #[test]
    fn of_two_lines_for_one_network_the_later_counts() {
        let map = AsnMap::parse("1.0.0.0/8 1\n1.0.0.0/8 2").unwrap();
        assert_eq!((ask(&map, "1.2.3.4"), map.len()), (Some(2), 1));
    }

    #[test]
    fn ranges_that_overlap_in_part_are_told_apart_by_where_they_begin() {
        let map = AsnMap::parse("1.0.0.0 1.0.0.9 1\n1.0.0.5 1.0.0.20 2").unwrap();
        assert_eq!(
            [4, 5, 9, 20].map(|host| ask(&map, &format!("1.0.0.{host}"))),
            [1, 2, 2, 2].map(Some)
        );
        assert_eq!(ask(&map, "1.0.0.21"), None);
    }

    #[test]
    fn what_makes_no_sense_is_named_with_its_line_and_what_to_write() {
        for (bad, reason) in [
            ("hello", Reason::NoNetwork),
            ("1.0.0.0/24", Reason::NoNumber),
            ("1.0.0.0/24 Cloudflare", Reason::NoNumber),
            ("1.0.0.0/24 4294967296", Reason::NoNumber),
            ("1.0.0.0 13335", Reason::NoNetwork),
            ("1.0.0.0/33 1", Reason::Length),
            ("::/129 1", Reason::Length),
            ("1.0.0.0/ 1", Reason::Length),
            ("1.0.0.0 1.0.0.255", Reason::NoNumber),
            ("1.0.0.9 1.0.0.1 1", Reason::Backwards),
            ("1.0.0.0 ::1 1", Reason::Backwards),
            ("1.0.0.0 40 1", Reason::Length),
        ] {
            let error = AsnMap::parse(&format!("1.0.0.0/24 1\n\n{bad}\n")).unwrap_err();
            assert_eq!((error.line, error.reason), (3, reason), "{bad}");
            assert!(error.to_string().starts_with("line 3: "), "{error}");
        }
    }

    #[test]
    fn an_empty_map_knows_nobody() {
        let map = AsnMap::parse("# nothing\n").unwrap();
        assert!(map.is_empty());
        assert_eq!(map, AsnMap::default());
        assert_eq!(ask(&map, "1.2.3.4"), None);
    }
}
