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
const ROWS: [Row; 18] = [
    row("--byzantine 0.1", "view 10.5", Some(HONEST)),
    row("--byzantine 0.2", "view 21.5", Some(THIRD)),
    row("--byzantine 0.3", "view 32.1", Some(FOURTH)),
    row("--byzantine 0.4", "view 42.7", Some(HOSTILE)),
    row("--byzantine 0.5", "nobody isolated", Some(FIFTH)),
    row("--byzantine 0.3 --algorithm brahms", "", Some(BASELINE)),
    row("--byzantine 0.3 --algorithm shuffle", "", None),
    row("--byzantine 0.3 --view 50 --batch 10", "view about 40", None),
    row("--byzantine 0.3 --view 50 --batch 10 --algorithm brahms", "nearly all isolated", None),
    row("--byzantine 0.3 --ground scattered", "", None),
    row("--byzantine 0.2 --lies 0.9 --rounds 300 --seeds 10", "nobody isolated", None),
    row("--byzantine 0.2 --victims 10 --rounds 20 --seeds 10", "victims below 30", None),
    row("--nodes 1100 --byzantine 100 --ground slash24", "samples at most 1", None),
    row("--nodes 11000 --byzantine 10000 --ground slash16 --seeds 1", "samples at most 1", None),
    row("--nodes 1250 --byzantine 250 --ground scattered", "", None),
    row("--nodes 1250 --byzantine 250 --ground scattered --blocks 50", "", None),
    row("--byzantine 0.3 --view 32 --follow 256 --rounds 400", "", None),
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

/// A row by its command's arguments.
#[derive(Clone, Copy)]
struct Row {
    args: &'static str,
    expected: &'static str,
    /// The colour of its line in the plot.
    tone: Option<Tone>,
}

const fn row(args: &'static str, expected: &'static str, tone: Option<Tone>) -> Row {
    Row { args, expected, tone }
}

#[derive(Parser)]
struct Parsed {
    #[command(flatten)]
    args: SamplingArgs,
}

/// Measures all rows, prints them, and draws the plot.
pub(super) fn table(args: &TableArgs) -> Result<(), Failure> {
    let mut measured = Vec::new();
    print("| `experiment sampling` with | expected | view % | samples % | isolated | C | other |")?;
    print("|---|---|---|---|---|---|---|")?;
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
    let share = |name: &str| {
        let Some(median) = summary.median(name) else { return "-".to_owned() };
        let [least, most] = summary.spread.get(name).copied().unwrap_or([median; 2]);
        format!("**{:.1}** ({:.1} to {:.1})", median * 100.0, least * 100.0, most * 100.0)
    };
    let number =
        |name| summary.median(name).map_or("-".to_owned(), |number| format!("{number:.0}"));
    let worst = summary.spread.get("isolated").map_or(0.0, |[_, most]| *most);
    let mut other = Vec::new();
    if summary.median("victims_byzantine_share").is_some() {
        other.push(format!("victims {}", share("victims_byzantine_share")));
    }
    if summary.median("nodes_estimated").is_some() {
        other.push(format!("N taken for {}", number("nodes_estimated")));
    }
    format!(
        "| `{}` | {} | {} | {} | {} (at most {worst:.0}) | {} | {} |",
        row.args,
        row.expected,
        share("view_byzantine_share"),
        share("sample_byzantine_share"),
        number("isolated"),
        number("capacity"),
        other.join(", "),
    )
}

/// The Byzantine share of views over the rounds.
fn plot(measured: &[(Row, Summary)]) -> Result<String, canvas::Error> {
    let (x, y) = (0.0..215.0, 0.0..1.0);
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let svg = canvas::draw(300, x.clone(), y.clone(), |canvas| {
        let across = canvas::ticks(&x, 10.0, |round| format!("{round:.0}"));
        canvas.grid(&x, &y, across, canvas::ticks(&y, 5.0, percent))?;
        for (row, summary) in measured {
            let Some(tone) = row.tone else { continue };
            let points: Vec<_> = (1..).map(f64::from).zip(summary.course.iter().copied()).collect();
            canvas.line(&points, tone, 4)?;
            if let Some(last) = points.last() {
                canvas.label_at((last.0 + 1.0, last.1), &percent(last.1))?;
            }
        }
        Ok(())
    })?;
    // A file of its own names its language, unlike a drawing in a page.
    Ok(svg.replacen("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" ", 1))
}
