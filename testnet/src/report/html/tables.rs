//! Cells of tables.

use crate::{
    output::{Assertion, Metrics, Run, escape},
    report::words,
    verdict::{Verdict, plural},
};

/// Whether something held, for a cell.
pub(super) fn held(held: Option<bool>) -> String {
    match held {
        Some(true) => "<span class=\"yes\">✓ held</span>",
        Some(false) => "<span class=\"no\">✗ broken</span>",
        None => "<span class=\"none\">? not measured</span>",
    }
    .to_owned()
}

/// A share as a bar.
pub(super) fn bar(share: f64) -> String {
    let width = (share * 100.0).clamp(0.0, 100.0);
    let class = if share > 1.0 { "bar full" } else { "bar" };
    format!("<span class=\"{class}\"><i style=\"width:{width:.2}%\"></i></span>")
}

/// Checks and assertions, with what was seen and how far from the bar.
pub(super) fn proof(run: &Run) -> Vec<Vec<String>> {
    let check = |it: &crate::output::Kept| {
        vec![escape(&it.name), escape(&it.seen), String::new(), String::new(), held(Some(it.held))]
    };
    run.checks.iter().map(check).chain(run.assertions.iter().map(assertion)).collect()
}

fn assertion(it: &Assertion) -> Vec<String> {
    let bar = match (it.min, it.max) {
        (Some(min), Some(max)) => format!("{} to {}", words::plain(min), words::plain(max)),
        (Some(min), None) => format!("at least {}", words::plain(min)),
        (None, Some(max)) => format!("at most {}", words::plain(max)),
        (None, None) => String::new(),
    };
    let seen = it.seen.map_or_else(|| "nothing to measure".to_owned(), number);
    let seen = match it.baseline {
        Some(baseline) => format!("{seen}; {} without the attack", number(baseline)),
        None => seen,
    };
    let margin = it.margin().map_or_else(String::new, |margin| {
        let sign = if margin >= 0.0 { "+" } else { "" };
        format!("{sign}{}", number(margin))
    });
    vec![format!("<code>{}</code>", escape(&it.metric)), seen, bar, margin, held(it.held)]
}

/// Enough digits to see how close it was.
fn number(value: f64) -> String {
    let text = words::plain(value);
    // 0.99996 must not read as 1.
    if value != 1.0 && text == "1" { format!("{value:.6}") } else { text }
}

/// Invariants with how often they were broken.
pub(super) fn invariants(run: &Run) -> Vec<Vec<String>> {
    let row = |it: &crate::output::Promise| {
        let broken = match it.violations {
            0 => "never".to_owned(),
            count => plural(usize::try_from(count).unwrap_or(usize::MAX), "time"),
        };
        vec![escape(&it.promise), broken, held(Some(it.violations == 0))]
    };
    run.invariants.iter().map(row).collect()
}

/// Bytes by class, with those of the baseline if there was one.
pub(super) fn bytes(run: &Run) -> Vec<Vec<String>> {
    let total: u64 = run.bytes_sent.values().sum();
    let baseline = run.baseline.as_ref();
    let mut rows = Vec::new();
    let mut row = |name: &str, bytes: u64, before: Option<u64>| {
        let share = bytes as f64 / total.max(1) as f64;
        let mut cells =
            vec![escape(name), words::bytes(bytes as f64), words::percent(share), bar(share)];
        if baseline.is_some() {
            cells.push(before.map_or_else(|| "0 B".to_owned(), |it| words::bytes(it as f64)));
        }
        rows.push(cells);
    };
    for (class, bytes) in &run.bytes_sent {
        row(class, *bytes, baseline.and_then(|it| it.bytes_sent.get(class).copied()));
    }
    let before = baseline.map(|it| it.bytes_sent.values().sum());
    row("all", total, before);
    rows
}

/// What became of the adversaries of each strategy.
pub(super) fn adversaries(run: &Run) -> Vec<Vec<String>> {
    let honest = run.honest.max(1) as f64;
    let row = |(kind, count): (&String, &u64)| {
        let theirs = || run.history.adversaries.iter().filter(|it| it.kind == *kind);
        let banned = theirs().filter(|it| it.banned_by > 0).count();
        let by: u64 = theirs().map(|it| it.banned_by).sum();
        let by = by as f64 / (*count).max(1) as f64;
        vec![
            format!("<code>{}</code>", escape(kind)),
            count.to_string(),
            words::plain(run.hostile_actions.get(kind).copied().unwrap_or(0) as f64),
            banned.to_string(),
            format!("{} of {}", words::plain(by), run.honest),
            bar(by / honest),
        ]
    };
    run.adversaries.iter().map(row).collect()
}

/// The measures that the run with all defences and those with one off are compared by.
pub(super) fn compared_by(run: &Run) -> Vec<&str> {
    let asserted: Vec<_> = run.assertions.iter().map(|it| it.metric.as_str()).collect();
    if asserted.is_empty() {
        vec!["delivery_ratio", "latency_p99_ms", "upload_bytes"]
    } else {
        asserted
    }
}

/// The same run with defences switched off, beside the run itself.
pub(super) fn compared(run: &Run) -> Vec<Vec<String>> {
    let cells = |name: String, verdict: Verdict, metrics: &Metrics, why: &[String]| {
        let mut cells = vec![name, verdict.name().to_owned()];
        for metric in compared_by(run) {
            let value = metrics.get(metric).copied().flatten();
            cells.push(value.map_or_else(|| "–".to_owned(), number));
        }
        cells.push(escape(&why.join("; ")));
        cells
    };
    let own = cells("all on".to_owned(), run.verdict, &run.metrics, &[]);
    let off = run.compared.iter().map(|it| {
        let name = format!("without <code>{}</code>", escape(&it.without));
        cells(name, it.verdict, &it.metrics, &it.failed)
    });
    std::iter::once(own).chain(off).collect()
}

/// How full collections were at most.
pub(super) fn bounds(run: &Run) -> Vec<Vec<String>> {
    let row = |it: &crate::record::history::Peak| {
        vec![
            escape(&it.name),
            words::plain(it.used as f64),
            words::plain(it.max as f64),
            words::percent(it.share),
            bar(it.share),
            it.node.to_string(),
            words::seconds(it.at_s),
        ]
    };
    run.history.bounds.iter().map(row).collect()
}

/// Faults that honest nodes noticed.
pub(super) fn faults(run: &Run) -> Vec<Vec<String>> {
    let row = |(name, count): (&String, &u64)| {
        let honest = run.false_blame.get(name).copied().unwrap_or(0);
        vec![
            format!("<code>{}</code>", escape(name)),
            words::plain(*count as f64),
            words::plain(honest as f64),
        ]
    };
    run.faults.iter().map(row).collect()
}
