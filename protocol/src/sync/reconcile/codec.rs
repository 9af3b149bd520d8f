//! Questions and replies as parts of frames. Decoding checks form and order; no bytes make it panic.

use bytes::Bytes;

use super::{
    Ask, CLAIMS_MAX, Question, Reply, Root, STEMS_MAX, TAILS_MAX, Tell,
    claim::{Claim, Part, are_in_order},
    opener::{ASKED_MAX, SYMBOLS_PER_REPLY},
};
use crate::{
    Fault,
    sync::{
        estimate::TALLIES_BYTES,
        item::{Bounds, ITEM_BYTES, Item, STEM_BYTES, Stem, TAIL_BYTES, Tail},
        prefix::Prefix,
        symbol::Symbol,
    },
    wire::schema::{self, compare, compared},
};

/// Bytes of a symbol, without its count.
const SYMBOL_BYTES: usize = STEM_BYTES + 8;
const SPLIT: u32 = 0;
const FEW: u32 = 1;
const ITEMS: u32 = 2;

impl Question {
    /// Bytes on the wire, about.
    pub(super) fn encoded_len(&self) -> usize {
        let ask = match &self.ask {
            Ask::Open { tallies, .. } => {
                30 + tallies.as_ref().map_or(0, |tallies| 2 + tallies.len())
            }
            Ask::Symbols { .. } => 30,
            Ask::Stems(stems) => 4 + stems.len().saturating_mul(STEM_BYTES),
            Ask::Ranges(claims) => claims.iter().map(Claim::weight).sum(),
        };
        50 + ask
    }

    /// Of which set, is up to the frame.
    pub(crate) fn to_wire(&self, topic: u32) -> schema::Compare {
        let ask = match &self.ask {
            Ask::Open { count, root, tallies } => compare::Ask::Open(schema::Open {
                count: *count,
                root: copied(root),
                tallies: tallies.as_deref().map(copied).unwrap_or_default(),
            }),
            Ask::Symbols { first, len, root } => compare::Ask::Symbols(schema::SymbolsWanted {
                first: *first,
                len: *len,
                root: copied(root),
            }),
            Ask::Stems(stems) => {
                compare::Ask::Stems(stems.iter().flat_map(|stem| stem.to_bytes()).collect())
            }
            Ask::Ranges(claims) => compare::Ask::Ranges(wire_claims(claims, 0)),
        };
        schema::Compare {
            topic,
            number: self.number,
            nonce: copied(&self.nonce),
            from: self.bounds.from,
            until: self.bounds.until,
            ask: Some(ask),
        }
    }

    pub(crate) fn from_wire(wire: &schema::Compare) -> Result<Self, Fault> {
        let ask = match wire.ask.as_ref().ok_or(Fault::Malformed)? {
            compare::Ask::Open(schema::Open { count, root, tallies }) => {
                let tallies = match tallies.len() {
                    0 => None,
                    TALLIES_BYTES => Some(tallies.to_vec()),
                    _ => return Err(Fault::Malformed),
                };
                Ask::Open { count: *count, root: root_from(root)?, tallies }
            }
            compare::Ask::Symbols(schema::SymbolsWanted { first, len, root }) => {
                Ask::Symbols { first: *first, len: *len, root: root_from(root)? }
            }
            compare::Ask::Stems(stems) => Ask::Stems(stems_from(stems)?),
            compare::Ask::Ranges(schema::Claims { claims, unanswered }) => {
                let claims = claims_from(claims, ASKED_MAX)?;
                let lists = claims.iter().any(|claim| matches!(claim, Claim::Items { .. }));
                if lists || claims.is_empty() || *unanswered != 0 {
                    return Err(Fault::Malformed);
                }
                Ask::Ranges(claims)
            }
        };
        Ok(Self {
            number: wire.number,
            nonce: wire.nonce.as_ref().try_into().map_err(|_| Fault::Malformed)?,
            bounds: Bounds { from: wire.from, until: wire.until },
            ask,
        })
    }
}

impl Reply {
    /// Bytes on the wire, about.
    pub(super) fn encoded_len(&self) -> usize {
        let tell = match &self.tell {
            Tell::Equal => 2,
            Tell::Narrow(_) => 20,
            Tell::Ranges { claims, .. } => claims.iter().map(Claim::weight).sum(),
            Tell::Tails(tails) => {
                let all = tails.iter().map(Vec::len).fold(0, usize::saturating_add);
                6 + tails.len() + all.saturating_mul(TAIL_BYTES)
            }
            Tell::Symbols { symbols, .. } => 40 + symbols.len().saturating_mul(SYMBOL_BYTES + 2),
        };
        12 + tell
    }

    /// Of which set, is up to the frame.
    pub(crate) fn to_wire(&self, topic: u32) -> schema::Compared {
        let tell = match &self.tell {
            Tell::Equal => compared::Tell::Equal(schema::Equal {}),
            Tell::Narrow(Bounds { from, until }) => {
                compared::Tell::Narrow(schema::Narrow { from: *from, until: *until })
            }
            Tell::Ranges { claims, unanswered } => {
                compared::Tell::Ranges(wire_claims(claims, *unanswered))
            }
            Tell::Tails(tails) => compared::Tell::Tails(wire_tails(tails)),
            Tell::Symbols { count, root, first, symbols } => {
                compared::Tell::Symbols(schema::Symbols {
                    count: *count,
                    root: copied(root),
                    first: *first,
                    excess: places(*first)
                        .zip(symbols)
                        .map(|(place, it)| it.count.wrapping_sub(expected(*count, place)))
                        .collect(),
                    sums: symbols.iter().flat_map(symbol_bytes).collect(),
                })
            }
        };
        schema::Compared { topic, number: self.number, tell: Some(tell), is_behind: false }
    }

    pub(crate) fn from_wire(wire: &schema::Compared) -> Result<Self, Fault> {
        let tell = match wire.tell.as_ref().ok_or(Fault::Malformed)? {
            compared::Tell::Equal(schema::Equal {}) => Tell::Equal,
            compared::Tell::Narrow(schema::Narrow { from, until }) => {
                Tell::Narrow(Bounds { from: *from, until: *until })
            }
            compared::Tell::Ranges(schema::Claims { claims, unanswered }) => {
                Tell::Ranges { claims: claims_from(claims, CLAIMS_MAX)?, unanswered: *unanswered }
            }
            compared::Tell::Symbols(symbols) => symbols_from(symbols)?,
            compared::Tell::Tails(tails) => tails_from(tails)?,
        };
        Ok(Self { number: wire.number, tell })
    }
}

/// How many of so many items are in the symbol at a place, on average: what is sent is how far it is from that.
fn expected(count: u64, place: u64) -> i64 {
    let among = u128::from(place) + 2;
    let rounded = (2 * u128::from(count) + among / 2) / among;
    i64::try_from(rounded).unwrap_or(i64::MAX)
}

fn places(first: u32) -> impl Iterator<Item = u64> {
    u64::from(first)..
}

fn symbol_bytes(symbol: &Symbol) -> [u8; SYMBOL_BYTES] {
    let mut bytes = [0; SYMBOL_BYTES];
    let (stem, check) = bytes.split_at_mut(STEM_BYTES);
    stem.copy_from_slice(&symbol.stem.to_bytes());
    check.copy_from_slice(&symbol.check.to_le_bytes());
    bytes
}

fn symbols_from(wire: &schema::Symbols) -> Result<Tell, Fault> {
    let schema::Symbols { count, root, first, excess, sums } = wire;
    let (sums, rest) = sums.as_chunks::<SYMBOL_BYTES>();
    if !rest.is_empty() || sums.len() != excess.len() || sums.len() > SYMBOLS_PER_REPLY {
        return Err(Fault::Malformed);
    }
    let symbols = places(*first).zip(sums.iter().zip(excess)).map(|(place, (sums, excess))| {
        let (stem, check) = sums.split_at(STEM_BYTES);
        Symbol {
            stem: Stem::from_bytes(stem.try_into().expect("the first 16 of 24 bytes")),
            check: u64::from_le_bytes(check.try_into().expect("the last 8 of 24 bytes")),
            count: excess.wrapping_add(expected(*count, place)),
        }
    });
    let symbols = symbols.collect();
    Ok(Tell::Symbols { count: *count, root: root_from(root)?, first: *first, symbols })
}

/// One way to write each question: in order, and no stem twice.
fn stems_from(bytes: &[u8]) -> Result<Vec<Stem>, Fault> {
    let (stems, rest) = bytes.as_chunks::<STEM_BYTES>();
    let stems: Vec<Stem> = stems.iter().copied().map(Stem::from_bytes).collect();
    let fine = rest.is_empty() && (1..=STEMS_MAX).contains(&stems.len());
    (fine && stems.is_sorted_by(|one, next| one < next)).then_some(stems).ok_or(Fault::Malformed)
}

fn wire_tails(tails: &[Vec<Tail>]) -> schema::Tails {
    let counts = tails.iter().map(|of| u8::try_from(of.len()).unwrap_or(u8::MAX));
    let ordinary = tails.iter().all(|of| of.len() == 1);
    schema::Tails {
        counts: if ordinary { Bytes::new() } else { counts.collect() },
        tails: tails.iter().flatten().flatten().copied().collect(),
    }
}

fn tails_from(wire: &schema::Tails) -> Result<Tell, Fault> {
    let (tails, rest) = wire.tails.as_chunks::<TAIL_BYTES>();
    let counts: Vec<usize> = match wire.counts.len() {
        0 => vec![1; tails.len().min(STEMS_MAX)],
        _ => wire.counts.iter().take(STEMS_MAX + 1).copied().map(usize::from).collect(),
    };
    let told = counts.iter().copied().fold(0, usize::saturating_add);
    let fine = rest.is_empty() && told == tails.len() && counts.len() <= STEMS_MAX;
    // One way to write each reply.
    let plain = !wire.counts.is_empty() && counts.iter().all(|count| *count == 1);
    if !fine || plain || counts.iter().any(|count| *count > TAILS_MAX) {
        return Err(Fault::Malformed);
    }
    let mut tails = tails.iter().copied();
    Ok(Tell::Tails(counts.into_iter().map(|count| tails.by_ref().take(count).collect()).collect()))
}

fn root_from(bytes: &[u8]) -> Result<Root, Fault> {
    bytes.try_into().map_err(|_| Fault::Malformed)
}

fn wire_claims(claims: &[Claim], unanswered: u32) -> schema::Claims {
    schema::Claims { claims: claims.iter().map(wire_claim).collect(), unanswered }
}

fn claims_from(wire: &[schema::Claim], max: usize) -> Result<Vec<Claim>, Fault> {
    if wire.len() > max {
        return Err(Fault::Malformed);
    }
    let claims: Option<Vec<Claim>> = wire.iter().map(claim_from).collect();
    claims
        .filter(|claims| are_in_order(claims) && claims.iter().all(Claim::is_sound))
        .ok_or(Fault::Malformed)
}

fn wire_claim(claim: &Claim) -> schema::Claim {
    let range = claim.range();
    let named = |form, names: &mut dyn Iterator<Item = u64>| schema::Claim {
        form,
        bits: range.len().into(),
        prefix: range.to_bytes().into(),
        within_bits: 0,
        parts: 0,
        names: names.flat_map(u64::to_le_bytes).collect(),
        items: Bytes::new(),
    };
    match claim {
        Claim::Split { within, parts, .. } => schema::Claim {
            prefix: within.to_bytes().into(),
            within_bits: if *within == range { 0 } else { within.len().into() },
            parts: parts.iter().fold(0, |bits, part| bits | 1 << part.number),
            ..named(SPLIT, &mut parts.iter().map(|part| part.print))
        },
        Claim::Few { names, .. } => named(FEW, &mut names.iter().copied()),
        Claim::Items { items, lacking, .. } => schema::Claim {
            parts: (*lacking).into(),
            items: items.iter().flat_map(Item::to_bytes).collect(),
            ..named(ITEMS, &mut core::iter::empty())
        },
    }
}

fn claim_from(wire: &schema::Claim) -> Option<Claim> {
    let schema::Claim { form, bits, prefix, within_bits, parts, names, items } = wire;
    let within = Prefix::from_bytes(prefix, *bits.max(within_bits))?;
    let range = Prefix::new(within.first(), u16::try_from(*bits).ok()?);
    let (names, odd) = names.as_chunks::<8>();
    let (items, odd_items) = items.as_chunks::<ITEM_BYTES>();
    if !odd.is_empty() || !odd_items.is_empty() {
        return None;
    }
    let names = || names.iter().map(|name| u64::from_le_bytes(*name));
    let whole = range == within;
    match *form {
        SPLIT if items.is_empty() && u32::from(u16::MAX) >= *parts => {
            let places = (0..16_u8).filter(|place| parts >> place & 1 == 1);
            let whole = places.clone().count() == names().len();
            let part = |(number, print)| Part { number, print };
            let parts = places.zip(names()).map(part).collect();
            whole.then_some(Claim::Split { range, within, parts })
        }
        FEW if items.is_empty() && *parts == 0 && whole => {
            Some(Claim::Few { range, names: names().collect() })
        }
        ITEMS if names().len() == 0 && whole => Some(Claim::Items {
            range,
            items: items.iter().map(Item::from_bytes).collect(),
            lacking: u16::try_from(*parts).ok()?,
        }),
        _ => None,
    }
}

fn copied(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
