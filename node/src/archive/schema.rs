//! Whose file it is, and of which version; what an older version wrote is taken over.
//!
//! | schema | what changed |
//! |---|---|
//! | 1 | accepted messages of others alone: `topics`, `messages` by place, `places` by id |
//! | 2 | what this node vouches for and its own messages too: `holdings`, `heads`, `frames`, `accepted` |

use forsooth_protocol::{Network, Standing, Timestamp, TopicId};
use redb::{ReadableTable as _, TableDefinition, WriteTransaction};

use super::{
    head::nodes,
    kept::{Kept, publication},
    tables::{META, Tables},
};
use crate::store::{Cause, Disk, StoreError};

/// Of the tables of [`super`].
pub(super) const SCHEMA: u64 = 2;

const IDENTITY: TableDefinition<'_, &str, [u8; 32]> = TableDefinition::new("identity");

/// Checks that the file is of a schema that we know and of our network; a new one becomes so, an older one is taken over.
pub(super) fn claim(disk: &Disk, network: &Network) -> Result<(), StoreError> {
    let ours = *network.digest().as_bytes();
    let (schema, owner) = disk.change(|transaction| {
        let mut meta = transaction.open_table(META)?;
        let mut identity = transaction.open_table(IDENTITY)?;
        let schema = meta.get("schema")?.map_or(SCHEMA, |schema| schema.value());
        let owner = identity.get("network")?.map_or(ours, |digest| digest.value());
        // A newer file is left as it is found.
        if schema <= SCHEMA && owner == ours {
            meta.insert("schema", SCHEMA)?;
            identity.insert("network", ours)?;
            // A table is open once at a time; those that are not there are made.
            drop(meta);
            drop(Tables::open(transaction)?);
            if schema == 1 {
                take_over(transaction, network)?;
            }
        }
        Ok((schema, owner))
    })?;
    let path = disk.path().to_owned();
    if schema > SCHEMA {
        return Err(StoreError::NewerSchema { path, found: schema, known: SCHEMA });
    }
    if owner != ours {
        return Err(StoreError::OtherNetwork { path, wanted: network.name().to_owned() });
    }
    Ok(())
}

/// What schema 1 had.
mod first {
    use redb::TableDefinition;

    pub(super) const TOPICS: TableDefinition<'_, u16, (u64, u64, u64)> =
        TableDefinition::new("topics");
    pub(super) const MESSAGES: TableDefinition<'_, (u16, u64), &[u8]> =
        TableDefinition::new("messages");
    pub(super) const PLACES: TableDefinition<'_, (u16, [u8; 32]), u64> =
        TableDefinition::new("places");
}

/// Moves all messages of schema 1, in the order of their places, which they do not keep: each begins at 0.
fn take_over(transaction: &WriteTransaction, network: &Network) -> Result<(), Cause> {
    {
        let mut tables = Tables::open(transaction)?;
        let messages = transaction.open_table(first::MESSAGES)?;
        for entry in messages.iter()? {
            let (key, value) = entry?;
            let (index, place) = key.value();
            let topic = network.topics().map(|(topic, _)| topic).find(|it| it.index() == index);
            let kept = topic.and_then(|topic| old(topic, value.value(), network));
            let damaged = || Cause::Content(format!("message {place} is no message"));
            tables.keep(&kept.ok_or_else(damaged)?)?;
        }
    }
    transaction.delete_table(first::TOPICS)?;
    transaction.delete_table(first::MESSAGES)?;
    transaction.delete_table(first::PLACES)?;
    Ok(())
}

/// A message as schema 1 had it:
///
/// ```text
/// id 32 | published 8 | accepted 8 | vouchers 2 | attestors 2 | 32 each | the frame
/// ```
fn old(topic: TopicId, bytes: &[u8], network: &Network) -> Option<Kept> {
    let (id, rest) = bytes.split_first_chunk::<32>()?;
    let (_published, rest) = rest.split_first_chunk::<8>()?;
    let (accepted, rest) = rest.split_first_chunk::<8>()?;
    let ([vouchers, attestors], frame) = nodes(rest)?;
    let publication = publication(frame, topic, id, network)?;
    let at = Timestamp::from_millis(u64::from_le_bytes(*accepted));
    let standing = Standing::Accepted { vouchers, attestors };
    Some(Kept { publication, standing, at })
}

#[cfg(test)]
mod tests;
