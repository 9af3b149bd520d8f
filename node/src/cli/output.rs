//! How results are printed: tables, pairs and JSON on stdout, notes on stderr.

use std::{
    fmt,
    io::{self, Write as _},
};

use serde::Serialize;

/// Prints a line on stdout. A closed pipe is an error that ends the command, not a panic.
pub(super) fn line(text: impl fmt::Display) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// Prints a value as one line of JSON on stdout.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(serde_json::to_string(value)?)?;
    Ok(())
}

/// Tells the person at the terminal something that is not the result.
pub(super) fn note(text: fmt::Arguments<'_>) {
    // If stderr is gone, there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Columns as wide as their widest cell, with a head.
pub(super) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let rows: Vec<[String; N]> =
        std::iter::once(head.map(ToOwned::to_owned)).chain(rows.iter().cloned()).collect();
    let width = |cell: &String| cell.chars().count();
    let mut widths = [0; N];
    for row in &rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = width(cell).max(*widest);
        }
    }
    let line = |row: &[String; N]| {
        let cells: String =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}  ")).collect();
        cells.trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Names and values below each other.
pub(super) fn pairs<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let rows: Vec<_> = rows.into_iter().collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line =
        |(name, value): &(&str, String)| format!("{name:width$}  {value}").trim_end().to_owned();
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The text with control characters escaped, so that a stranger's words cannot steer the terminal or
/// pass for several lines.
pub(super) fn printable(text: &str) -> String {
    let shown = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(shown).collect()
}

/// A time in its two largest units: `1d 2h`, `3m 4s`.
pub(super) fn span(s: u64) -> String {
    match s {
        0..60 => format!("{s}s"),
        60..3600 => format!("{}m {}s", s / 60, s % 60),
        3600..86_400 => format!("{}h {}m", s / 3600, s / 60 % 60),
        86_400.. => format!("{}d {}h", s / 86_400, s / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["ü".to_owned(), "1".to_owned()], ["long".to_owned(), String::new()]];
        assert_eq!(table(["a", "b"], &rows), "a     b\nü     1\nlong");
        assert_eq!(pairs([("a", "1".to_owned()), ("long", String::new())]), "a     1\nlong");
    }

    #[test]
    fn a_strangers_words_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[2J\nb\u{9b}ü"), "a\\u{1b}[2J\\nb\\u{9b}ü");
    }

    #[test]
    fn a_time_is_shown_in_its_two_largest_units() {
        let cases = [(59, "59s"), (60, "1m 0s"), (3_661, "1h 1m"), (90_000, "1d 1h")];
        for (s, shown) in cases {
            assert_eq!(span(s), shown);
        }
    }
}
