//! The tables of the archive, as one transaction changes them.

use forsooth_protocol::{Held, MessageId, Timestamp, TopicId, network::Retention};
use redb::{ReadableTable as _, Table, TableDefinition, WriteTransaction};

use super::{
    Holding,
    head::{Head, Mark, Row},
    kept::Kept,
};
use crate::store::Cause;

/// First place, next place, messages that have one, all messages, bytes of their frames.
pub(super) type HoldingRow = (u64, u64, u64, u64, u64);
/// Topic, when it was published, id: in this order messages grow too old.
pub(super) type FrameKey = (u16, u64, [u8; 32]);

pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
pub(super) const HOLDINGS: TableDefinition<'_, u16, HoldingRow> = TableDefinition::new("holdings");
pub(super) const HEADS: TableDefinition<'_, (u16, [u8; 32]), Row> = TableDefinition::new("heads");
pub(super) const FRAMES: TableDefinition<'_, FrameKey, &[u8]> = TableDefinition::new("frames");
pub(super) const ACCEPTED: TableDefinition<'_, (u16, u64), &[u8]> =
    TableDefinition::new("accepted");

/// In `meta`.
pub(super) const OWN_GENERATION: &str = "own_generation";

/// The tables, open for one transaction.
pub(super) struct Tables<'a> {
    meta: Table<'a, &'static str, u64>,
    holdings: Table<'a, u16, HoldingRow>,
    heads: Table<'a, (u16, [u8; 32]), Row>,
    frames: Table<'a, FrameKey, &'static [u8]>,
    accepted: Table<'a, (u16, u64), &'static [u8]>,
}

/// What a topic may hold at a moment, and what was removed so that it holds no more.
pub(super) struct Clearing {
    pub(super) now: Timestamp,
    /// Messages that may still be removed in this transaction.
    pub(super) left: usize,
    pub(super) removed: Vec<Held>,
}

impl<'a> Tables<'a> {
    /// Opens all, and makes those that are not there.
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self, Cause> {
        Ok(Self {
            meta: transaction.open_table(META)?,
            holdings: transaction.open_table(HOLDINGS)?,
            heads: transaction.open_table(HEADS)?,
            frames: transaction.open_table(FRAMES)?,
            accepted: transaction.open_table(ACCEPTED)?,
        })
    }

    /// Keeps a message once, and gives it a place when it is accepted. What has been accepted stays so, and our own is never
    /// accepted by ourselves.
    pub(super) fn keep(&mut self, kept: &Kept) -> Result<(), Cause> {
        let (topic, new) = (kept.topic(), kept.head());
        let key = (topic.index(), *new.id.as_bytes());
        let known = self.head(topic, &new.id)?;
        let rises = |known: Head| known.mark == Mark::Held && new.mark == Mark::Accepted;
        if known.is_some_and(|known| !rises(known)) {
            return Ok(());
        }
        let mut holding = self.holding(topic)?;
        let mut head = known.map_or(new, |known| Head { mark: new.mark, ..known });
        if known.is_none() {
            let at = (topic.index(), head.published.as_millis(), *head.id.as_bytes());
            self.frames.insert(at, kept.publication.frame().as_ref())?;
            holding.messages = holding.messages.saturating_add(1);
            holding.bytes = holding.bytes.saturating_add(head.bytes.into());
        }
        if let Some(word) = kept.word() {
            self.accepted.insert((topic.index(), holding.next), word.encode().as_slice())?;
            head.place = Some(holding.next);
            holding.next = holding.next.saturating_add(1);
            holding.accepted = holding.accepted.saturating_add(1);
        }
        if head.mark == Mark::Own {
            self.note_generation(head.slot.generation)?;
        }
        self.heads.insert(key, head.row())?;
        self.holdings.insert(topic.index(), holding.row())?;
        Ok(())
    }

    /// So that this generation is never used again, whatever becomes of the state file and of the clock.
    fn note_generation(&mut self, generation: u64) -> Result<(), Cause> {
        let noted = self.meta.get(OWN_GENERATION)?.map(|noted| noted.value());
        if noted.is_none_or(|noted| noted < generation) {
            self.meta.insert(OWN_GENERATION, generation)?;
        }
        Ok(())
    }

    /// Removes what was published first while it is over, or there is too much of it. Returns what is left.
    pub(super) fn clear(
        &mut self,
        topic: TopicId,
        retention: Retention,
        clearing: &mut Clearing,
    ) -> Result<Holding, Cause> {
        let before = self.holding(topic)?;
        let mut holding = before;
        while clearing.left > 0
            && let Some((published, id)) = self.oldest(topic)?
        {
            let is_over = published.saturating_add(retention.time) <= clearing.now;
            let is_excess =
                holding.messages > retention.messages || holding.bytes > retention.bytes;
            if !is_over && !is_excess {
                break;
            }
            let removed = self.remove(topic, published, &id, &mut holding)?;
            clearing.left -= 1;
            clearing.removed.push(removed.held());
        }
        if holding != before {
            holding.first = self.first_place(topic)?.unwrap_or(holding.next);
            self.holdings.insert(topic.index(), holding.row())?;
        }
        Ok(holding)
    }

    fn remove(
        &mut self,
        topic: TopicId,
        published: Timestamp,
        id: &MessageId,
        holding: &mut Holding,
    ) -> Result<Head, Cause> {
        let (index, bytes) = (topic.index(), *id.as_bytes());
        let head = self.head(topic, id)?;
        let head = head.ok_or_else(|| Cause::Content(format!("message {id} has no head")))?;
        self.frames.remove((index, published.as_millis(), bytes))?;
        self.heads.remove((index, bytes))?;
        if let Some(place) = head.place {
            self.accepted.remove((index, place))?;
            holding.accepted = holding.accepted.saturating_sub(1);
        }
        holding.messages = holding.messages.saturating_sub(1);
        holding.bytes = holding.bytes.saturating_sub(head.bytes.into());
        Ok(head)
    }

    fn holding(&self, topic: TopicId) -> Result<Holding, Cause> {
        let stored = self.holdings.get(topic.index())?;
        Ok(stored.map(|stored| Holding::from_row(stored.value())).unwrap_or_default())
    }

    fn head(&self, topic: TopicId, id: &MessageId) -> Result<Option<Head>, Cause> {
        let stored = self.heads.get((topic.index(), *id.as_bytes()))?;
        stored.map(|stored| head(topic, *id.as_bytes(), stored.value())).transpose()
    }

    /// What was published before all others of the topic.
    fn oldest(&self, topic: TopicId) -> Result<Option<(Timestamp, MessageId)>, Cause> {
        let index = topic.index();
        let all = (index, 0, [0; 32])..=(index, u64::MAX, [u8::MAX; 32]);
        let Some(oldest) = self.frames.range(all)?.next() else { return Ok(None) };
        let (key, _) = oldest?;
        let (_, published, id) = key.value();
        Ok(Some((Timestamp::from_millis(published), MessageId::from_bytes(id))))
    }

    fn first_place(&self, topic: TopicId) -> Result<Option<u64>, Cause> {
        let all = (topic.index(), 0)..=(topic.index(), u64::MAX);
        let first = self.accepted.range(all)?.next().transpose()?;
        Ok(first.map(|(key, _)| key.value().1))
    }
}

/// A row as this version understands it.
pub(super) fn head(topic: TopicId, id: [u8; 32], row: Row) -> Result<Head, Cause> {
    let head = Head::from_row(topic, id, row);
    head.ok_or_else(|| {
        Cause::Content(format!("message {} stands as nothing known", MessageId::from_bytes(id)))
    })
}

impl Holding {
    pub(super) const fn from_row((first, next, accepted, messages, bytes): HoldingRow) -> Self {
        Self { first, next, accepted, messages, bytes }
    }

    const fn row(self) -> HoldingRow {
        (self.first, self.next, self.accepted, self.messages, self.bytes)
    }
}
