//! What happens while it happens: a few lines that are drawn again on a terminal, a line now and then
//! elsewhere. On stderr, so that stdout is for results.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::Duration,
};

use crate::{engine, record::Findings};

/// Where there is no terminal, a line is printed this often.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// How often a terminal is drawn again.
const PAGE_EVERY: Duration = Duration::from_millis(250);

/// The view of a run.
pub(super) struct View {
    shown: bool,
    terminal: bool,
    /// Lines of the last drawing, which the next one replaces.
    drawn: usize,
    next_line: Duration,
    next_page: Duration,
}

impl View {
    pub(super) fn new(view: engine::View) -> Self {
        let (shown, terminal) = (view == engine::View::Shown, stderr().is_terminal());
        Self { shown, terminal, drawn: 0, next_line: Duration::ZERO, next_page: Duration::ZERO }
    }

    /// Shows how it stands. A view that cannot be drawn is no reason to stop.
    pub(super) fn draw(
        &mut self,
        phase: &str,
        elapsed: Duration,
        findings: impl FnOnce() -> Findings,
    ) {
        if !self.shown {
            return;
        }
        if self.terminal && elapsed >= self.next_page {
            self.next_page = elapsed + PAGE_EVERY;
            let lines = page(phase, elapsed, &findings());
            self.clear();
            lines.iter().for_each(|line| drop(writeln!(stderr(), "{line}")));
            self.drawn = lines.len();
        } else if !self.terminal && elapsed >= self.next_line {
            self.next_line = elapsed + LINE_EVERY;
            drop(writeln!(stderr(), "{}", line(phase, elapsed, &findings())));
        }
    }

    /// Takes the drawing away.
    pub(super) fn clear(&mut self) {
        if self.drawn > 0 {
            drop(write!(stderr(), "\x1b[{}A\x1b[J", self.drawn));
            self.drawn = 0;
        }
    }
}

fn line(phase: &str, elapsed: Duration, f: &Findings) -> String {
    format!(
        "{:5.1} s  {phase}: {} published, {} of {} accepted, {} hostile frames, {} bans, {} of {} proofs, p99 {:.1} ms",
        elapsed.as_secs_f64(),
        f.published,
        f.accepted,
        f.wanted,
        f.hostile_actions(),
        f.bans,
        f.proofs_held,
        f.proofs_wanted(),
        ms(f.latency.p99),
    )
}

fn page(phase: &str, elapsed: Duration, f: &Findings) -> [String; 5] {
    let hostile: Vec<_> = f.hostile.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    [
        format!("  {:6.1} s    {phase}", elapsed.as_secs_f64()),
        format!(
            "  messages    {} published, {} of {} accepted ({:.2} %)",
            f.published,
            f.accepted,
            f.wanted,
            f.delivery_ratio() * 100.0
        ),
        format!("  latency     p50 {:.1} ms, p99 {:.1} ms", ms(f.latency.p50), ms(f.latency.p99)),
        format!(
            "  attack      {} hostile frames arrived   {}",
            f.hostile_actions(),
            hostile.join(", ")
        ),
        format!(
            "  defence     {} bans ({} of honest nodes), {} of {} proofs held, {} forged relayed",
            f.bans,
            f.false_bans,
            f.proofs_held,
            f.proofs_wanted(),
            f.forged_relayed
        ),
    ]
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
