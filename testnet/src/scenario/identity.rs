//! What nodes are called, where they are, and whom they know at first: what an attacker may have chosen, and
//! what an honest node is given.

use std::{fmt, net::Ipv4Addr};

use super::{section::Section, tree::Flaw};

/// The most nodes that a node is told of when it starts.
const CONTACTS_MAX: u64 = 1000;

/// IPv4 addresses that have their first bits in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The first address.
    pub base: Ipv4Addr,
    /// How many bits they have in common.
    pub bits: u8,
}

/// Whom nodes are told of when they start, as a manifest or an operator would.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Contacts {
    /// How many.
    pub nodes: usize,
    /// The share of adversaries among them.
    pub hostile: f64,
    /// The same when a node starts again; as at first, if not said.
    pub hostile_later: Option<f64>,
}

/// Ids that were not drawn at random: their keys were searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// As near as possible to that of the first target, by XOR.
    Near,
    /// As low as possible.
    Low,
}

impl Subnet {
    /// The address of a group's node, counted from the first. Each is in another /24, as far as there are any;
    /// begins anew when there are no more addresses.
    #[must_use]
    pub fn address(self, number: usize) -> Ipv4Addr {
        let nets = 1_u64 << 24_u8.saturating_sub(self.bits);
        let hosts = (1_u64 << (32 - u32::from(self.bits.max(24)))) - 2;
        let number = number as u64;
        let (net, host) = (number % nets, number / nets % hosts + 1);
        let mask = u32::MAX << (32 - u32::from(self.bits));
        let low = u32::try_from((net << 8) | host).unwrap_or(1);
        Ipv4Addr::from((u32::from(self.base) & mask) | low)
    }
}

impl Contacts {
    /// The share of adversaries among those that a node is told of at the beginning of a life.
    #[must_use]
    pub fn hostile_in(&self, life: u64) -> f64 {
        self.hostile_later.filter(|_| life > 1).unwrap_or(self.hostile)
    }
}

impl Ids {
    /// Every choice, by name.
    pub const NAMES: [(&'static str, Self); 2] = [("near", Self::Near), ("low", Self::Low)];

    /// As in a scenario file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Near => "near",
            Self::Low => "low",
        }
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

impl fmt::Display for Contacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{ nodes = {}, hostile = {:?}", self.nodes, self.hostile)?;
        if let Some(later) = self.hostile_later {
            write!(f, ", hostile_later = {later:?}")?;
        }
        f.write_str(" }")
    }
}

pub(super) fn subnet(section: &Section<'_>) -> Result<Option<Subnet>, Flaw> {
    section.parsed("subnet", |text| {
        let example = "write it as 10.1.0.0/16, from /8 to /30";
        let (base, bits) = text.split_once('/').ok_or(example)?;
        let base = base.parse().map_err(|_| example)?;
        let bits: u8 = bits.parse().map_err(|_| example)?;
        if (8..=30).contains(&bits) { Ok(Subnet { base, bits }) } else { Err(example.to_owned()) }
    })
}

pub(super) fn contacts(group: &Section<'_>) -> Result<Option<Contacts>, Flaw> {
    let Some(node) = group.node("contacts") else { return Ok(None) };
    let section = Section::new(node, "contacts", &["nodes", "hostile", "hostile_later"])?;
    let nodes = section.need("nodes", section.count("nodes", 1..=CONTACTS_MAX)?)?;
    Ok(Some(Contacts {
        nodes: usize::try_from(nodes).unwrap_or(usize::MAX),
        hostile: section.number("hostile", 0.0..=1.0)?.unwrap_or(0.0),
        hostile_later: section.number("hostile_later", 0.0..=1.0)?,
    }))
}

pub(super) fn ids(gang: &Section<'_>) -> Result<Option<Ids>, Flaw> {
    gang.one_of("ids", "choice of ids", Ids::NAMES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_a_subnet_have_its_first_bits_and_differ() {
        let subnet = Subnet { base: Ipv4Addr::new(10, 1, 2, 3), bits: 16 };
        assert_eq!(subnet.address(0), Ipv4Addr::new(10, 1, 0, 1));
        assert_eq!(subnet.address(300), Ipv4Addr::new(10, 1, 44, 2));
        let one = Subnet { base: Ipv4Addr::new(10, 9, 8, 0), bits: 24 };
        assert_eq!(one.address(99), Ipv4Addr::new(10, 9, 8, 100));
        let small = Subnet { bits: 30, ..one };
        assert_eq!(small.address(0), small.address(2));
    }
}
