//! Tables of autonomous systems as text.

use core::net::IpAddr;

use super::{ENTRIES_MAX, ranges::Range};

/// Characters of a wrong line that are shown.
const SHOWN_MAX: usize = 60;

/// A table that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}, in {text:?}")]
pub struct AsnError {
    /// The line, from 1 on.
    pub line: usize,
    /// What is wrong.
    pub reason: Reason,
    /// The line, or its beginning.
    pub text: String,
}

/// What is wrong with a line of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// It begins with no network.
    #[error(
        "expected a network first: a prefix such as 1.0.0.0/24, or the first and the last address of a range"
    )]
    NoNetwork,
    /// No number of a system follows the network.
    #[error(
        "expected the number of an autonomous system after the network, such as 13335 or AS13335"
    )]
    NoNumber,
    /// A prefix is longer than an address, or its length is no number.
    #[error("expected a prefix length of at most 32 for IPv4, or 128 for IPv6")]
    Length,
    /// A range ends before it begins, or in the other family.
    #[error("expected a range from a lower to a higher address of one family")]
    Backwards,
    /// There are too many lines.
    #[error("there are more than {ENTRIES_MAX} networks; leave out what nobody needs")]
    TooMany,
}

/// The ranges of both families, as they were written.
type Parsed = (Vec<Range<u32>>, Vec<Range<u128>>);

/// Reads a whole table.
pub(super) fn parse(text: &str) -> Result<Parsed, AsnError> {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for (line, number) in text.lines().zip(1..) {
        let entry = line.split('#').next().unwrap_or_default();
        let fields = entry.split([' ', '\t', ',', '\r']).filter(|field| !field.is_empty());
        let wrong = |reason| AsnError {
            line: number,
            reason,
            text: line.chars().take(SHOWN_MAX).collect(),
        };
        match network(fields).map_err(wrong)? {
            None => {}
            Some(_) if v4.len() + v6.len() >= ENTRIES_MAX => return Err(wrong(Reason::TooMany)),
            Some(Network::V4(range)) => v4.push(range),
            Some(Network::V6(range)) => v6.push(range),
        }
    }
    Ok((v4, v6))
}

/// A network and its system.
enum Network {
    V4(Range<u32>),
    V6(Range<u128>),
}

/// Reads the fields of one line; none if there are no fields.
fn network<'a>(mut fields: impl Iterator<Item = &'a str>) -> Result<Option<Network>, Reason> {
    let Some(first) = fields.next() else { return Ok(None) };
    let mut next = || fields.next().ok_or(Reason::NoNumber);
    if let Some((ip, length)) = first.split_once('/') {
        return prefix(address(ip)?, length, asn(next()?)?).map(Some);
    }
    let ip = address(first)?;
    let second = next().map_err(|_| Reason::NoNetwork)?;
    match second.parse() {
        Ok(last) => range(ip, last, asn(next()?)?).map(Some),
        // Not an address: the length of a prefix, if there is a number after it.
        Err(_) => {
            let number = next().map_err(|_| Reason::NoNetwork)?;
            prefix(ip, second, asn(number)?).map(Some)
        }
    }
}

fn address(text: &str) -> Result<IpAddr, Reason> {
    text.parse().map_err(|_| Reason::NoNetwork)
}

/// Where a prefix has several systems, the first.
fn asn(text: &str) -> Result<u32, Reason> {
    let first = text.split('_').next().unwrap_or_default();
    let tagged = first.get(..2).is_some_and(|tag| tag.eq_ignore_ascii_case("as"));
    let digits = if tagged { first.get(2..).unwrap_or_default() } else { first };
    digits.parse().map_err(|_| Reason::NoNumber)
}

/// Bits after the prefix are ignored.
fn prefix(ip: IpAddr, length: &str, asn: u32) -> Result<Network, Reason> {
    let length: u32 = length.parse().map_err(|_| Reason::Length)?;
    Ok(match ip {
        IpAddr::V4(ip) => {
            let host = 32_u32.checked_sub(length).ok_or(Reason::Length)?;
            let mask = u32::MAX.checked_shr(32 - host).unwrap_or(0);
            Network::V4(Range { first: ip.to_bits() & !mask, last: ip.to_bits() | mask, asn })
        }
        IpAddr::V6(ip) => {
            let host = 128_u32.checked_sub(length).ok_or(Reason::Length)?;
            let mask = u128::MAX.checked_shr(128 - host).unwrap_or(0);
            Network::V6(Range { first: ip.to_bits() & !mask, last: ip.to_bits() | mask, asn })
        }
    })
}

fn range(first: IpAddr, last: IpAddr, asn: u32) -> Result<Network, Reason> {
    let network = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
            Network::V4(Range { first: first.to_bits(), last: last.to_bits(), asn })
        }
        (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
            Network::V6(Range { first: first.to_bits(), last: last.to_bits(), asn })
        }
        _ => return Err(Reason::Backwards),
    };
    Ok(network)
}
