//! Every rule of Forsooth, as state machines without IO.
//!
//! A [`Core`] takes [`Input`]s, which are past facts, and answers with [`Effect`]s, which are orders. It
//! owns no socket, file, clock or entropy: the same configuration, seed and inputs give the same effects,
//! bit for bit. The shell in `node` drives it over libp2p, the simulator in `testnet` in virtual time.
//!
//! Trust is a type: bytes become [`Untrusted`](forsooth_crypto::Untrusted), then
//! [`Verified`](forsooth_crypto::Verified), then [`Accepted`], and each step has one constructor.
//!
//! A panic here is a bug of ours. No bytes of a peer may cause one.

mod acceptance;
mod agenda;
mod ban;
mod bounded;
mod budget;
mod core;
mod defences;
mod effect;
mod fault;
mod gossip;
mod group;
mod held;
mod input;
mod lane;
mod ledger;
mod links;
mod machine;
pub mod membership;
mod message;
pub mod network;
pub mod overlay;
pub mod params;
mod peer_map;
mod peers;
mod quota;
mod short_id;
pub mod snapshot;
pub mod sync;
mod tally;
mod time;
mod verify;
pub mod wire;

pub use crate::{
    ban::{BadNet, Ban, BanCause, Net, Whom},
    core::{Config, Core, LinksMax, Validator},
    defences::{Defences, Safeguard},
    effect::{Drain, Effect, Event, Receipt, Record, Refusal, Shortfall},
    fault::{Blame, Fault},
    held::{Held, Standing},
    input::{Address, Candidate, Connection, Direction, Input, Judgement},
    lane::{Class, Lane},
    links::Role,
    machine::Participant,
    message::{Accepted, Header, MessageId, Proof, Publication, SignedHeader, Slot},
    network::{Network, TopicId},
    overlay::record::{PeerRecord, SignedRecord},
    short_id::{SHORT_ID_BYTES, ShortId, VOUCH_KEY_BYTES, VouchKey},
    snapshot::Snapshot,
    time::{Time, Timestamp},
    verify::{
        Check, Outcome, Subject, Ticket, Verdict, check_all, check_one, member_outcome,
        record_outcome,
    },
};
