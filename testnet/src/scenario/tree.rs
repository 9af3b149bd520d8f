//! A TOML file as a tree in which each value knows where it was written, so that whatever is wrong with
//! it can be shown there.
//!
//! `--set key=value` changes the tree before anything is read from it; what it put there is from the
//! command line, and a complaint about it says so.

use std::{collections::BTreeMap, fmt, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Where a value was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the file.
    Line {
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
    },
    /// On the command line, by this `--set`.
    Set(String),
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// What a scenario file may have.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Integer(i64),
    Number(f64),
    Flag(bool),
    List(Vec<Node>),
    Table(BTreeMap<String, Entry>),
}

/// A key's value, and where the key was written.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Place,
    pub(crate) node: Node,
}

/// Something wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    pub(crate) place: Place,
    pub(crate) text: String,
}

impl Flaw {
    pub(crate) fn new(place: &Place, text: impl Into<String>) -> Self {
        Self { place: place.clone(), text: text.into() }
    }
}

impl Value {
    /// What it is, for a complaint that it should be something else.
    pub(crate) const fn what(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Integer(_) => "a whole number",
            Self::Number(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Integer(number) => number.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::List(_) | Self::Table(_) => f.write_str(self.what()),
        }
    }
}

/// Reads a file.
pub(crate) fn parse(text: &str) -> Result<Node, Flaw> {
    let lines = Lines(text);
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        Flaw { place: lines.place(at), text: error.message().to_owned() }
    })?;
    let span = table.span();
    lines.table(table.into_inner(), span)
}

/// Carries out a `--set`: `key=value` with dots and list indices in the key. A value that is no TOML is a
/// text.
pub(crate) fn set(root: &mut Node, argument: &str) -> Result<(), Flaw> {
    let place = Place::Set(argument.to_owned());
    let flaw = |text: String| Flaw::new(&place, text);
    let Some((path, value)) = argument.split_once('=') else {
        return Err(flaw("write it as key=value, for example run.duration=30s".to_owned()));
    };
    let value = value.trim();
    let node = match parse(&format!("value = {value}")) {
        Ok(Node { value: Value::Table(mut entries), .. }) => match entries.remove("value") {
            Some(entry) => entry.node.value,
            None => Value::Text(value.to_owned()),
        },
        Ok(_) | Err(_) => Value::Text(value.to_owned()),
    };
    let node = placed(node, &place);
    let keys: Vec<&str> = path.trim().split('.').collect();
    put(root, &keys, node, &place)
}

fn put(at: &mut Node, keys: &[&str], node: Node, place: &Place) -> Result<(), Flaw> {
    let Some((key, rest)) = keys.split_first() else {
        *at = node;
        return Ok(());
    };
    if key.is_empty() {
        return Err(Flaw::new(place, "a part of the key is empty"));
    }
    match &mut at.value {
        Value::Table(entries) => {
            let entry = entries.entry((*key).to_owned()).or_insert_with(|| Entry {
                key: place.clone(),
                node: Node { place: place.clone(), value: Value::Table(BTreeMap::new()) },
            });
            put(&mut entry.node, rest, node, place)
        }
        Value::List(items) => {
            let count = items.len();
            let item = key.parse::<usize>().ok().and_then(|index| items.get_mut(index));
            let Some(item) = item else {
                let text = format!("{key:?} is no place in a list of {count}, which begins with 0");
                return Err(Flaw::new(place, text));
            };
            put(item, rest, node, place)
        }
        value @ (Value::Text(_) | Value::Integer(_) | Value::Number(_) | Value::Flag(_)) => {
            Err(Flaw::new(place, format!("there is no {key:?} in {}", value.what())))
        }
    }
}

/// The same value, as if all of it had been written there.
fn placed(value: Value, place: &Place) -> Node {
    let value = match value {
        Value::List(items) => {
            Value::List(items.into_iter().map(|item| placed(item.value, place)).collect())
        }
        Value::Table(entries) => {
            let entry = |(key, entry): (String, Entry)| {
                (key, Entry { key: place.clone(), node: placed(entry.node.value, place) })
            };
            Value::Table(entries.into_iter().map(entry).collect())
        }
        plain @ (Value::Text(_) | Value::Integer(_) | Value::Number(_) | Value::Flag(_)) => plain,
    };
    Node { place: place.clone(), value }
}

/// A text in which places are looked up.
struct Lines<'a>(&'a str);

impl Lines<'_> {
    fn place(&self, at: usize) -> Place {
        let before = self.0.get(..at).unwrap_or(self.0);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before.get(line_start..).unwrap_or("").chars().count() + 1;
        Place::Line { line: before.matches('\n').count() + 1, column }
    }

    fn table(&self, table: DeTable<'_>, span: Range<usize>) -> Result<Node, Flaw> {
        let mut entries = BTreeMap::new();
        for (key, value) in table {
            let place = self.place(key.span().start);
            let mut node = self.node(value)?;
            // A table begins where its name is written, also if that is in its header.
            if matches!(node.value, Value::Table(_)) {
                node.place = place.clone();
            }
            entries.insert(key.into_inner().into_owned(), Entry { key: place, node });
        }
        Ok(Node { place: self.place(span.start), value: Value::Table(entries) })
    }

    fn node(&self, value: Spanned<DeValue<'_>>) -> Result<Node, Flaw> {
        let span = value.span();
        let place = self.place(span.start);
        let flaw = |text: &str| Flaw::new(&place, text);
        let value = match value.into_inner() {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(digits) => Value::Integer(
                i64::from_str_radix(digits.as_str(), digits.radix())
                    .map_err(|_| flaw("a whole number that is too large"))?,
            ),
            DeValue::Float(digits) => {
                Value::Number(digits.as_str().parse().map_err(|_| flaw("not a number"))?)
            }
            DeValue::Boolean(flag) => Value::Flag(flag),
            DeValue::Datetime(_) => return Err(flaw("a scenario has no dates")),
            DeValue::Array(items) => {
                let items: Result<_, _> = items.into_iter().map(|item| self.node(item)).collect();
                Value::List(items?)
            }
            DeValue::Table(table) => return self.table(table, span),
        };
        Ok(Node { place, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "seed = 1\n\n[[adversaries]]\nkind = \"forge\"\nintensity = 1.0\n";

    fn find<'a>(node: &'a Node, path: &[&str]) -> &'a Node {
        let Some((key, rest)) = path.split_first() else { return node };
        if let Value::Table(entries) = &node.value {
            return find(&entries[*key].node, rest);
        }
        let Value::List(items) = &node.value else { panic!("{:?}", node.value) };
        find(&items[key.parse::<usize>().unwrap()], rest)
    }

    #[test]
    fn each_value_knows_its_line() {
        let root = parse(TEXT).unwrap();
        let kind = find(&root, &["adversaries", "0", "kind"]);
        assert_eq!(kind.place, Place::Line { line: 4, column: 8 });
        assert_eq!(kind.value.to_string(), "\"forge\"");
        let flaw = parse("seed = \n").unwrap_err();
        assert!(matches!(flaw.place, Place::Line { line: 1, .. }), "{flaw:?}");
    }

    #[test]
    fn a_set_reaches_into_lists_and_makes_what_is_not_there() {
        let mut root = parse(TEXT).unwrap();
        for argument in ["adversaries.0.intensity=0", "run.duration=30s", "network.kind=\"local\""]
        {
            set(&mut root, argument).unwrap();
        }
        let intensity = find(&root, &["adversaries", "0", "intensity"]);
        assert_eq!(intensity.place, Place::Set("adversaries.0.intensity=0".to_owned()));
        assert_eq!(intensity.value.to_string(), "0");
        assert_eq!(find(&root, &["run", "duration"]).value.to_string(), "\"30s\"");
        assert_eq!(find(&root, &["network", "kind"]).value.to_string(), "\"local\"");
    }

    #[test]
    fn a_set_that_leads_nowhere_says_where_it_ends() {
        let mut root = parse(TEXT).unwrap();
        for (argument, hint) in [
            ("seed", "key=value"),
            ("adversaries.1.intensity=0", "\"1\" is no place in a list of 1"),
            ("adversaries.intensity=0", "\"intensity\" is no place"),
            ("seed.x=1", "no \"x\" in a whole number"),
            ("run..duration=1", "empty"),
        ] {
            let flaw = set(&mut root, argument).unwrap_err();
            assert!(flaw.text.contains(hint), "{argument}: {}", flaw.text);
        }
    }
}
