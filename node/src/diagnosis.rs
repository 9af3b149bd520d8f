//! What is wrong with a TOML file, and where: for the manifest and the configuration file.
//!
//! The text may be a stranger's, so control characters never reach the terminal.

use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

/// Characters of a line that is shown; a longer one is not.
const LINE_CHARS_MAX: usize = 160;

/// Something wrong at a place of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// Which bytes of the text.
    pub(crate) span: Range<usize>,
    /// What is wrong with them.
    pub(crate) message: String,
}

impl Flaw {
    pub(crate) fn new(span: Range<usize>, message: impl fmt::Display) -> Self {
        Self { span, message: message.to_string() }
    }
}

impl From<toml::de::Error> for Flaw {
    fn from(error: toml::de::Error) -> Self {
        Self { span: error.span().unwrap_or(0..0), message: advise(error.message()) }
    }
}

/// What is wrong with a file, in the form `path:line:column: message` with the line below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnosis {
    path: PathBuf,
    line: usize,
    column: usize,
    width: usize,
    source: Option<String>,
    message: String,
}

impl Diagnosis {
    pub(crate) fn new(path: &Path, text: &str, flaw: Flaw) -> Self {
        let start = floor_boundary(text, flaw.span.start);
        let (before, after) = text.split_at(start);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let (_, indent) = before.split_at(line_start);
        let rest = after.lines().next().unwrap_or_default();
        let width = rest.chars().count().min(flaw.span.len()).max(1);
        let source = printable(&format!("{indent}{rest}"));
        Self {
            path: path.into(),
            line: before.matches('\n').count() + 1,
            column: indent.chars().count() + 1,
            width,
            source: (source.chars().count() <= LINE_CHARS_MAX).then_some(source),
            message: printable(&flaw.message),
        }
    }

    /// The line, counted from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.line
    }

    /// The character within the line, counted from 1.
    #[must_use]
    pub const fn column(&self) -> usize {
        self.column
    }

    /// What is wrong, without the place.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, width, source, message } = self;
        write!(f, "{}:{line}:{column}: {message}", path.display())?;
        let Some(source) = source else { return Ok(()) };
        let gutter = line.to_string().len();
        write!(f, "\n{:gutter$} |\n{line} | {source}\n{:gutter$} | ", "", "")?;
        write!(f, "{:indent$}{:^<width$}", "", "", indent = column - 1)
    }
}

impl std::error::Error for Diagnosis {}

fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// The text with its control characters replaced, so that it cannot steer a terminal.
fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.chars().map(shown).collect()
}

/// Turns serde's "unknown field `x`, expected one of `a`, `b`" into a suggestion.
fn advise(message: &str) -> String {
    let is_unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (true, Some(found)) = (is_unknown, quoted.next()) else { return message.to_owned() };
    let (what, _) = message.split_once('`').unwrap_or((message, ""));
    let known: Vec<&str> = quoted.collect();
    suggest(&format!("{what}`{found}`"), found, &known)
}

/// `complaint`, and the nearest of the `known` names if one is near, or else all of them.
pub(crate) fn suggest(complaint: &str, found: &str, known: &[&str]) -> String {
    match nearest(found, known) {
        Some(name) => format!("{complaint}, did you mean `{name}`?"),
        None if known.is_empty() => complaint.to_owned(),
        None => format!("{complaint}, expected one of: {}", known.join(", ")),
    }
}

/// The name that `found` most likely is a slip of the pen for.
fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance =
        |name: &&str| strsim::damerau_levenshtein(&found.to_lowercase(), &name.to_lowercase());
    // One slip in three letters, but a single letter is no slip of another.
    let letters = found.chars().count();
    let slips_max = (letters / 3).max(1).min(letters.saturating_sub(1));
    known
        .iter()
        .copied()
        .map(|name| (distance(&name), name))
        .min()
        .filter(|(d, _)| *d <= slips_max)
        .map(|(_, n)| n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_counted_in_characters_and_shown() {
        let text = "a = 1\n\"ü\" = \"naïve\"\n";
        let start = text.find("\"naïve\"").unwrap();
        let diagnosis =
            Diagnosis::new(Path::new("f.toml"), text, Flaw::new(start..start + 8, "no"));
        assert_eq!((diagnosis.line(), diagnosis.column()), (2, 7));
        let shown = "f.toml:2:7: no\n  |\n2 | \"ü\" = \"naïve\"\n  |       ^^^^^^^";
        assert_eq!(diagnosis.to_string(), shown);
    }

    #[test]
    fn a_place_beyond_the_text_or_within_a_character_is_no_panic() {
        for span in [0..0, 1..1, 1..2, 3..3, 9..12] {
            Diagnosis::new(Path::new("f"), "ü\n", Flaw::new(span, "no"));
            Diagnosis::new(Path::new("f"), "", Flaw::new(0..1, "no"));
        }
    }

    #[test]
    fn control_characters_and_endless_lines_are_not_shown() {
        let diagnosis = Diagnosis::new(Path::new("f"), "\u{1b}[2J", Flaw::new(0..1, "no \u{7}"));
        assert!(!diagnosis.to_string().chars().any(|c| c.is_control() && c != '\n'));
        let long = Diagnosis::new(Path::new("f"), &"x".repeat(10_000), Flaw::new(0..1, "no"));
        assert_eq!(long.to_string(), "f:1:1: no");
    }

    #[test]
    fn an_unknown_name_gets_the_nearest_or_the_list() {
        let cases = [
            (
                "unknown field `topcis`, expected one of `name`, `topics`",
                "unknown field `topcis`, did you mean `topics`?",
            ),
            (
                "unknown field `zz`, expected `name` or `topics`",
                "unknown field `zz`, expected one of: name, topics",
            ),
            (
                "unknown variant `Verified`, expected `verified` or `vouched`",
                "unknown variant `Verified`, did you mean `verified`?",
            ),
            ("unknown field `x`, there are no fields", "unknown field `x`"),
            ("invalid type: string `a`, expected u32", "invalid type: string `a`, expected u32"),
        ];
        for (message, advice) in cases {
            assert_eq!(advise(message), advice);
        }
    }
}
