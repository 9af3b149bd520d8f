//! The table and the plot of `docs/sampling.md`, each row by the command that gives it alone.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Parser};

use super::{SamplingArgs, sample};
use crate::{
    cli::{Failure, complain, print},
    experiment::sampling::Summary,
    report::{
        canvas,
        palette::{BASELINE, FIFTH, FOURTH, HONEST, HOSTILE, THIRD, Tone},
    },
};

/// What is measured, and what is expected of it.
const ROWS: [Row; 24] = [
    row("--byzantine 0.1", "view 10.5", Some((HONEST, "F = 0.1"))),
    row("--byzantine 0.2", "view 21.5", Some((THIRD, "F = 0.2"))),
    row("--byzantine 0.3", "view 32.1", Some((FOURTH, "F = 0.3"))),
    row("--byzantine 0.4", "view 42.7", Some((HOSTILE, "F = 0.4"))),
    row("--byzantine 0.5", "nobody isolated", Some((FIFTH, "F = 0.5"))),
    row("--byzantine 0.1 --algorithm paper", "view 10.5", None),
    row("--byzantine 0.2 --algorithm paper", "view 21.5", None),
    row("--byzantine 0.3 --algorithm paper", "view 32.1", None),
    row("--byzantine 0.4 --algorithm paper", "view 42.7", None),
    row("--byzantine 0.3 --algorithm brahms", "", Some((BASELINE, "Brahms, F = 0.3"))),
    row("--byzantine 0.3 --algorithm shuffle", "", None),
    row("--byzantine 0.3 --view 50 --batch 10", "view about 40", None),
    row("--byzantine 0.3 --view 50 --batch 10 --algorithm paper", "view about 40", None),
    row("--byzantine 0.3 --view 50 --batch 10 --algorithm brahms", "nearly all isolated", None),
    row("--byzantine 0.3 --ground scattered", "", None),
    row("--byzantine 0.2 --lies 0.9 --rounds 300", "nobody isolated", None),
    row("--byzantine 0.2 --lies 0.9 --rounds 300 --algorithm paper", "", None),
    row("--byzantine 0.2 --victims 10 --rounds 20 --seeds 10", "victims below 30", None),
    row("--nodes 1100 --byzantine 100 --ground slash24", "samples at most 1", None),
    row("--nodes 11000 --byzantine 10000 --ground slash16 --seeds 1", "samples at most 1", None),
    row("--nodes 1250 --byzantine 250 --ground scattered", "", None),
    row("--nodes 1250 --byzantine 250 --ground scattered --blocks 50", "", None),
    row("--byzantine 0.3 --view 32 --follow 256 --rounds 400 --seeds 3", "", None),
    row(
        "--nodes 10000 --byzantine 0.3 --view 160 --rho 0.25 --rounds 300 --seeds 1",
        "view about 34",
        None,
    ),
];

#[derive(Args, Debug)]
pub(crate) struct TableArgs {
    /// Where to write the plot, as SVG
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

type Line = (Tone, &'static str);

/// A row by its command's arguments.
#[derive(Clone, Copy)]
struct Row {
    args: &'static str,
    expected: &'static str,
    /// The colour and the name of its line in the plot.
    line: Option<Line>,
}

const fn row(args: &'static str, expected: &'static str, line: Option<Line>) -> Row {
    Row { args, expected, line }
}

#[derive(Parser)]
struct Parsed {
    #[command(flatten)]
    args: SamplingArgs,
}

/// Measures all rows, prints them, and draws the plot.
pub(super) fn table(args: &TableArgs) -> Result<(), Failure> {
    let mut measured = Vec::new();
    print(
        "| `experiment sampling` with | expected | seeds | view % | samples % | isolated | C | other |",
    )?;
    print("|---|---|---|---|---|---|---|---|")?;
    for row in ROWS {
        complain(&format!("measuring {}", row.args));
        let parsed = Parsed::try_parse_from([""].into_iter().chain(row.args.split_whitespace()));
        let summary = sample(&parsed.context("the arguments of a row")?.args)?;
        print(&line(&row, &summary))?;
        measured.push((row, summary));
    }
    if let Some(path) = &args.plot {
        let svg = plot(&measured).context("drawing the plot")?;
        std::fs::write(path, svg).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

fn line(row: &Row, summary: &Summary) -> String {
    let range = |name: &str| summary.spread.get(name).copied().unwrap_or_default();
    let share = |name: &str| {
        let Some(median) = summary.median(name) else { return "-".to_owned() };
        let [least, most] = range(name).map(|share| format!("{:.1}", share * 100.0));
        let spread = if least == most { String::new() } else { format!(" ({least} to {most})") };
        format!("**{:.1}**{spread}", median * 100.0)
    };
    // Some tens of samples, drawn while most are still joining, tell nothing.
    let samples = match summary.median("samples") {
        Some(count) if count >= 1000.0 => share("sample_byzantine_share"),
        Some(_) | None => "-".to_owned(),
    };
    let number =
        |name| summary.median(name).map_or("-".to_owned(), |number| format!("{number:.0}"));
    let isolated = match range("isolated").map(|count| format!("{count:.0}")) {
        [least, most] if least == most => most,
        [least, most] => format!("{} ({least} to {most})", number("isolated")),
    };
    let mut other = Vec::new();
    if summary.median("victims_byzantine_share").is_some() {
        other.push(format!("victims {}", share("victims_byzantine_share")));
    }
    if summary.median("nodes_estimated").is_some() {
        other.push(format!("N taken for {}", number("nodes_estimated")));
    }
    format!(
        "| `{}` | {} | {} | {} | {} | {isolated} of {} | {} | {} |",
        row.args,
        row.expected,
        summary.seeds,
        share("view_byzantine_share"),
        samples,
        summary.setting.nodes - summary.setting.byzantine,
        number("capacity"),
        other.join(", "),
    )
}

/// The Byzantine share of views over the rounds.
fn plot(measured: &[(Row, Summary)]) -> Result<String, canvas::Error> {
    // Names have room on the right.
    let (x, y) = (0.0..260.0, 0.0..1.0);
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let svg = canvas::draw(300, x.clone(), y.clone(), |canvas| {
        let across = canvas::ticks(&x, 10.0, |round| format!("{round:.0}"));
        canvas.grid(&x, &y, across, canvas::ticks(&y, 5.0, percent))?;
        for (row, summary) in measured {
            let Some((tone, name)) = row.line else { continue };
            let points: Vec<_> = (1..).map(f64::from).zip(summary.course.iter().copied()).collect();
            canvas.line(&points, tone, 4)?;
            if let Some(last) = points.last() {
                canvas.label_at((last.0 + 1.0, last.1), &format!("{name}: {}", percent(last.1)))?;
            }
        }
        Ok(())
    })?;
    // A file of its own names its language, unlike a drawing in a page.
    Ok(svg.replacen("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" ", 1))
}
