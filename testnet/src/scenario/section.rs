//! A table of a scenario file, read key by key. Whatever does not fit is a [`Flaw`] at its place that names
//! the key, says what was expected, and, for a name, which known one is nearest.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use super::{
    tree::{Entry, Flaw, Node, Place, Value},
    values,
};

/// Names that are less alike than this are not suggested.
const LIKENESS_MIN: f64 = 0.45;

/// The least that a rate or factor may be, if it is anything: once in eleven days.
const RATE_MIN: f64 = 1e-6;

/// The known name that is most like this one, if any is.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |known: &str| strsim::normalized_damerau_levenshtein(known, name);
    known
        .into_iter()
        .map(|known| (likeness(known), known))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, known)| known)
}

/// `unknown WHAT "NAME"; did you mean "KNOWN"?`, or all known names if none is like it.
pub(crate) fn unknown<'a>(
    what: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match nearest(name, known.iter().copied()) {
        Some(nearest) => format!("unknown {what} {name:?}; did you mean {nearest:?}?"),
        None if known.is_empty() => format!("unknown {what} {name:?}; there is none"),
        None => format!("unknown {what} {name:?}; known are {}", known.join(", ")),
    }
}

/// One table.
pub(crate) struct Section<'a> {
    /// As it is written: `[run]`, `[[faults]]`.
    name: &'a str,
    place: &'a Place,
    entries: &'a BTreeMap<String, Entry>,
}

impl<'a> Section<'a> {
    /// Reads a table that may have these keys and no others.
    pub(crate) fn new(node: &'a Node, name: &'a str, keys: &[&str]) -> Result<Self, Flaw> {
        let Value::Table(entries) = &node.value else {
            let text = format!("{name} must be a table, not {}", node.value.what());
            return Err(Flaw::new(&node.place, text));
        };
        let this = Self { name, place: &node.place, entries };
        this.only(keys)?;
        Ok(this)
    }

    /// Complains about keys other than these.
    pub(crate) fn only(&self, keys: &[&str]) -> Result<(), Flaw> {
        let stranger = self.entries.iter().find(|(key, _)| !keys.contains(&key.as_str()));
        stranger.map_or(Ok(()), |(key, entry)| {
            let text = unknown(&format!("key in {}", self.name), key, keys.iter().copied());
            Err(Flaw::new(&entry.key, text))
        })
    }

    /// Where a key's value was written, or the table if it was not.
    pub(crate) fn place(&self, key: &str) -> &'a Place {
        self.entries.get(key).map_or(self.place, |entry| &entry.node.place)
    }

    /// A complaint about a key's value.
    pub(crate) fn flaw(&self, key: &str, text: impl AsRef<str>) -> Flaw {
        Flaw::new(self.place(key), format!("{key} {}", text.as_ref()))
    }

    pub(crate) fn node(&self, key: &str) -> Option<&'a Node> {
        self.entries.get(key).map(|entry| &entry.node)
    }

    /// What must be there.
    pub(crate) fn need<T>(&self, key: &str, value: Option<T>) -> Result<T, Flaw> {
        value.ok_or_else(|| Flaw::new(self.place, format!("{} needs the key {key:?}", self.name)))
    }

    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, Flaw> {
        self.typed(key, "a text in quotes", |value| match value {
            Value::Text(text) => Some(text.as_str()),
            Value::Integer(_)
            | Value::Number(_)
            | Value::Flag(_)
            | Value::List(_)
            | Value::Table(_) => None,
        })
    }

    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, Flaw> {
        self.typed(key, "true or false", |value| match value {
            Value::Flag(flag) => Some(*flag),
            Value::Text(_)
            | Value::Integer(_)
            | Value::Number(_)
            | Value::List(_)
            | Value::Table(_) => None,
        })
    }

    pub(crate) fn list(&self, key: &str) -> Result<Option<&'a [Node]>, Flaw> {
        self.typed(key, "a list", |value| match value {
            Value::List(items) => Some(items.as_slice()),
            Value::Text(_)
            | Value::Integer(_)
            | Value::Number(_)
            | Value::Flag(_)
            | Value::Table(_) => None,
        })
    }

    /// A whole number within a range.
    pub(crate) fn count(&self, key: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, Flaw> {
        let number = self.typed(key, "a whole number", |value| match value {
            Value::Integer(number) => Some(*number),
            Value::Text(_)
            | Value::Number(_)
            | Value::Flag(_)
            | Value::List(_)
            | Value::Table(_) => None,
        })?;
        let Some(number) = number else { return Ok(None) };
        match u64::try_from(number) {
            Ok(count) if range.contains(&count) => Ok(Some(count)),
            Ok(_) | Err(_) => {
                let (min, max) = (range.start(), range.end());
                Err(self.flaw(key, format!("must be from {min} to {max}, not {number}")))
            }
        }
    }

    /// A number within a range.
    pub(crate) fn number(
        &self,
        key: &str,
        range: RangeInclusive<f64>,
    ) -> Result<Option<f64>, Flaw> {
        let number = self.typed(key, "a number", |value| match value {
            Value::Integer(number) => Some(*number as f64),
            Value::Number(number) => Some(*number),
            Value::Text(_) | Value::Flag(_) | Value::List(_) | Value::Table(_) => None,
        })?;
        match number {
            Some(number) if !range.contains(&number) => {
                let (min, max) = (range.start(), range.end());
                Err(self.flaw(key, format!("must be from {min} to {max}, not {number}")))
            }
            Some(_) | None => Ok(number),
        }
    }

    /// A rate or a factor up to `max`: nothing, or so much that time can be divided by it.
    pub(crate) fn rate(&self, key: &str, max: f64) -> Result<Option<f64>, Flaw> {
        let number = self.number(key, 0.0..=max)?;
        match number.filter(|number| *number > 0.0 && *number < RATE_MIN) {
            Some(tiny) => {
                let text = format!("must be 0, or from {RATE_MIN} to {max}, not {tiny}");
                Err(self.flaw(key, text))
            }
            None => Ok(number),
        }
    }

    /// A length of time, possibly none.
    pub(crate) fn time(&self, key: &str) -> Result<Option<Duration>, Flaw> {
        let parse = |text| values::time(text).map_err(|error| self.flaw(key, error));
        match self.node(key).map(|node| &node.value) {
            Some(value @ (Value::Integer(_) | Value::Number(_))) => {
                Err(self.flaw(key, format!("needs a unit: write it as \"{value}s\"")))
            }
            Some(Value::Text(_) | Value::Flag(_) | Value::List(_) | Value::Table(_)) | None => {
                self.text(key)?.map(parse).transpose()
            }
        }
    }

    /// A text that is parsed.
    pub(crate) fn parsed<T>(
        &self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Flaw> {
        let parse =
            |text| parse(text).map_err(|error| self.flaw(key, format!("is wrong: {error}")));
        self.text(key)?.map(parse).transpose()
    }

    /// One of some names.
    pub(crate) fn one_of<T: Copy>(
        &self,
        key: &str,
        what: &str,
        known: impl IntoIterator<Item = (&'static str, T)>,
    ) -> Result<Option<T>, Flaw> {
        let Some(name) = self.text(key)? else { return Ok(None) };
        let known: Vec<_> = known.into_iter().collect();
        let found = known.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        found.map(Some).ok_or_else(|| {
            let names = known.iter().map(|(known, _)| *known);
            Flaw::new(self.place(key), unknown(what, name, names))
        })
    }

    fn typed<T>(
        &self,
        key: &str,
        wanted: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Flaw> {
        let Some(node) = self.node(key) else { return Ok(None) };
        let found = node.value.what();
        read(&node.value)
            .map(Some)
            .ok_or_else(|| self.flaw(key, format!("must be {wanted}, not {found}")))
    }
}
