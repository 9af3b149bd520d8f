//! `junit.xml`: a test case for each check, assertion and invariant, for CI.

use super::Run;
use crate::verdict::Verdict;

/// What became of a test case.
enum Outcome {
    Held,
    Failed(String),
    Skipped(String),
}

/// Renders the whole file.
pub(super) fn render(run: &Run) -> String {
    let cases = cases(run);
    let failed = |outcome: &Outcome| matches!(outcome, Outcome::Failed(_));
    let skipped = |outcome: &Outcome| matches!(outcome, Outcome::Skipped(_));
    let failures = cases.iter().filter(|(_, _, outcome)| failed(outcome)).count();
    let skips = cases.iter().filter(|(_, _, outcome)| skipped(outcome)).count();
    let suite = format!(
        "name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skips}\" time=\"{:.3}\"",
        escape(&run.name),
        cases.len(),
        run.speed.elapsed_seconds.unwrap_or(0.0)
    );
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml.push_str(&format!("<testsuites>\n  <testsuite {suite}>\n    <properties>\n"));
    for (name, value) in [
        ("seed", run.seed.to_string()),
        ("engine", run.engine.clone()),
        ("verdict", run.verdict.name().to_owned()),
        ("repeat", run.repeat.clone()),
    ] {
        let value = escape(&value);
        xml.push_str(&format!("      <property name=\"{name}\" value=\"{value}\"/>\n"));
    }
    xml.push_str("    </properties>\n");
    for (class, name, outcome) in &cases {
        let (class, name) = (format!("{}.{class}", escape(&run.name)), escape(name));
        let head = format!("    <testcase classname=\"{class}\" name=\"{name}\"");
        let tail = match outcome {
            Outcome::Held => "/>".to_owned(),
            Outcome::Failed(why) => format!("><failure message=\"{}\"/></testcase>", escape(why)),
            Outcome::Skipped(why) => {
                format!("><skipped message=\"{}\"/></testcase>", escape(why))
            }
        };
        xml.push_str(&format!("{head}{tail}\n"));
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn cases(run: &Run) -> Vec<(&'static str, String, Outcome)> {
    let mut cases = vec![("verdict", "as expected".to_owned(), verdict(run))];
    for check in &run.checks {
        let outcome = if check.held { Outcome::Held } else { Outcome::Failed(check.seen.clone()) };
        cases.push(("check", check.name.clone(), outcome));
    }
    for assertion in &run.assertions {
        let outcome = match assertion.held {
            Some(true) => Outcome::Held,
            Some(false) => Outcome::Failed(assertion.sentence()),
            None => Outcome::Skipped(assertion.sentence()),
        };
        cases.push(("assert", assertion.wish(), outcome));
    }
    for promise in &run.invariants {
        let outcome = if promise.violations == 0 {
            Outcome::Held
        } else {
            let first = run.first_violation.as_ref();
            let first = first.filter(|first| first.invariant == promise.name);
            let first = first.map_or(String::new(), |first| format!("; first: {}", first.text));
            Outcome::Failed(format!("broken {} times{first}", promise.violations))
        };
        cases.push(("invariant", promise.promise.clone(), outcome));
    }
    cases
}

/// A run fails CI when its verdict is not the one that was expected.
fn verdict(run: &Run) -> Outcome {
    let expected = run.expected.unwrap_or(Verdict::Pass);
    if run.verdict == expected {
        Outcome::Held
    } else {
        let mut why = format!("expected {}, got {}", expected.name(), run.verdict.name());
        run.doubts.iter().for_each(|doubt| why.extend(["; ", doubt]));
        why.extend(["; repeat it with: ", &run.repeat]);
        Outcome::Failed(why)
    }
}

/// Text that is safe in an attribute of XML and HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML 1.0 has no way to say these at all.
            c if c.is_control() && !matches!(c, '\n' | '\t' | '\r') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
