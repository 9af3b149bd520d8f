//! What an opener does with claims about ranges.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{
    Cut, Failure, Nonce,
    claim::{self, Claim, Named, each_part, names, shortened},
};
use crate::sync::{
    index::{LEAF_MAX, View},
    item::Item,
    prefix::Prefix,
};

/// Ranges that are still to be asked about, and what is found.
#[derive(Clone, Debug)]
pub(super) struct Ranges {
    nonce: Nonce,
    items_max: usize,
    todo: BTreeMap<Prefix, Told>,
    pub(super) theirs: BTreeSet<Item>,
    pub(super) ours: BTreeSet<Item>,
    /// There were more than there may be.
    pub(super) cut: Option<Cut>,
}

/// The names of the other side's items in a range, if it has told them.
type Told = Option<Vec<Named>>;

/// A range that was asked about.
#[derive(Clone, Debug)]
pub(super) struct AskedRange {
    range: Prefix,
    told: Told,
    /// Those that were named, if that was asked.
    named: Option<Vec<Item>>,
}

impl Ranges {
    pub(super) const fn new(nonce: Nonce, items_max: usize) -> Self {
        Self {
            nonce,
            items_max,
            todo: BTreeMap::new(),
            theirs: BTreeSet::new(),
            ours: BTreeSet::new(),
            cut: None,
        }
    }

    /// Ranges that are to be asked about.
    pub(super) fn waiting(&self) -> usize {
        self.todo.len()
    }

    /// How many more items may be found.
    pub(super) fn room(&self) -> usize {
        self.items_max.saturating_sub(self.theirs.len()).saturating_sub(self.ours.len())
    }

    /// Everything is to be asked about.
    pub(super) fn begin(&mut self) {
        self.todo.insert(Prefix::ALL, None);
    }

    /// What is to be asked about next, from the first range on.
    pub(super) fn next(&mut self, view: &View<'_>) -> Option<(Claim, AskedRange)> {
        let (range, told) = self.todo.pop_first()?;
        let items = match &told {
            // What they have not named is known to be ours alone, and need not be named to them.
            Some(told) => view.items(range, self.items_max.max(LEAF_MAX)).map(|mut items| {
                items.retain(|item| told.contains(&claim::name(item, &self.nonce)));
                items
            }),
            None => view.items(range, LEAF_MAX),
        };
        let items = items.filter(|items| items.len() <= LEAF_MAX);
        let claim = match &items {
            Some(items) => Claim::Few { range, names: names(items, &self.nonce) },
            None => Claim::about(view, range, &self.nonce),
        };
        Some((claim, AskedRange { range, told, named: items }))
    }

    /// Hears what is said in reply to the first question: one claim about everything.
    pub(super) fn hear_first(&mut self, claims: &[Claim], view: &View<'_>) -> Result<(), Failure> {
        let [claim] = claims else { return Err(Failure::Misplaced) };
        if claim.range() != Prefix::ALL || !claim.is_sound() {
            return Err(Failure::Misplaced);
        }
        self.hear_claim(claim, None, view)
    }

    /// Hears what is said about the ranges that were asked about. The last of them may be left out.
    pub(super) fn hear(
        &mut self,
        claims: &[Claim],
        unanswered: u32,
        asked: &[AskedRange],
        view: &View<'_>,
    ) -> Result<(), Failure> {
        let unanswered = usize::try_from(unanswered).unwrap_or(usize::MAX);
        let answered = asked.len().checked_sub(unanswered).filter(|answered| *answered > 0);
        let (answered, again) =
            answered.and_then(|at| asked.split_at_checked(at)).ok_or(Failure::Stuck)?;
        if !claim::are_in_order(claims) || !claims.iter().all(Claim::is_sound) {
            return Err(Failure::Misplaced);
        }
        for claim in claims {
            let first = claim.range();
            let after = answered.partition_point(|it| it.range.first() <= first.first());
            let asked = after.checked_sub(1).and_then(|at| answered.get(at));
            let asked = asked.filter(|asked| is_reply(claim, asked)).ok_or(Failure::Misplaced)?;
            self.hear_claim(claim, asked.named.as_deref(), view)?;
        }
        for asked in again {
            self.todo.insert(asked.range, asked.told.clone());
        }
        Ok(())
    }

    fn hear_claim(
        &mut self,
        claim: &Claim,
        named: Option<&[Item]>,
        view: &View<'_>,
    ) -> Result<(), Failure> {
        match claim {
            Claim::Split { range, within, parts } => {
                for (beside, _) in view.around(*range, *within) {
                    self.they_lack_all(view, beside);
                }
                for (part, theirs) in each_part(*within, parts) {
                    self.hear_part(view, part, theirs);
                }
            }
            Claim::Few { range, names } => self.hear_few(view, *range, names),
            Claim::Items { items, lacking, .. } => {
                if items.iter().any(|item| !view.bounds().contains(item.at())) {
                    return Err(Failure::Misplaced);
                }
                self.theirs.extend(items.iter().filter(|item| !view.contains(item)));
                let named = named.unwrap_or_default();
                let lacks = |place| lacking.checked_shr(place).is_some_and(|bits| bits & 1 == 1);
                self.ours.extend((0..).zip(named).filter(|(at, _)| lacks(*at)).map(|(_, it)| *it));
            }
        }
        Ok(())
    }

    fn hear_part(&mut self, view: &View<'_>, part: Prefix, theirs: Option<Named>) {
        let summary = view.summary(part);
        let ours = (summary.count() > 0).then(|| shortened(&summary.print(), &self.nonce));
        match (theirs, ours) {
            (None, None) => {}
            (None, Some(_)) => self.they_lack_all(view, part),
            (Some(theirs), ours) if ours == Some(theirs) => {}
            (Some(_), _) => _ = self.todo.insert(part, None),
        }
    }

    /// They have a few items in a range, and these are their names.
    fn hear_few(&mut self, view: &View<'_>, range: Prefix, theirs: &[Named]) {
        let Some(items) = view.items(range, self.room().saturating_add(theirs.len())) else {
            self.cut = Some(Cut::Items);
            return;
        };
        let ours = names(&items, &self.nonce);
        let unknown = theirs.iter().any(|name| !ours.contains(name));
        let mine = items.iter().zip(&ours).filter(|(_, name)| !theirs.contains(name));
        self.ours.extend(mine.map(|(item, _)| *item));
        if unknown {
            self.todo.insert(range, Some(theirs.to_vec()));
        }
    }

    fn they_lack_all(&mut self, view: &View<'_>, range: Prefix) {
        match view.items(range, self.room()) {
            Some(items) => self.ours.extend(items),
            None => self.cut = Some(Cut::Items),
        }
    }
}

/// Whether a claim replies to what was asked about a range: it is about less, or, if a few were named, says what the
/// others are or that they are many. So each range leads to smaller ones, and to an end.
fn is_reply(claim: &Claim, asked: &AskedRange) -> bool {
    let range = claim.range();
    if asked.named.is_none() {
        return asked.range.covers(&range) && asked.range != range;
    }
    asked.range == range && !matches!(claim, Claim::Few { .. })
}
