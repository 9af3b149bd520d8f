//! The plots over time, all on one axis, and the distribution of latencies.

use std::ops::Range;

use super::{
    canvas::{self, Canvas, Drawn, Error, ticks},
    palette::{
        BASELINE, FAINT, FAULT, FIFTH, FOURTH, HONEST, HONEST_SOFT, HOSTILE, HOSTILE_SOFT, PHASE,
        THIRD, Tone,
    },
    words,
};
use crate::{
    output::Run,
    record::history::{Band, Linked, Moment, Scores, Sort, Span},
};

/// The last share of a distribution that is drawn; the very last has endlessly many nines.
const SHARE_MAX: f64 = 0.9995;
/// Pixels of a lane of the timeline.
const LANE: i32 = 22;

/// What a colour stands for.
pub(crate) type Legend = Vec<(Tone, String)>;

/// Links of a node of one sort: their colour, what they are, and how many.
type Links = (Tone, &'static str, fn(&Linked) -> u32);
/// How one side is scored: its colour, and the scores it has.
type Side = (Tone, fn(&Scores) -> Option<Band>);

/// A drawing and what its colours stand for.
pub(crate) struct Plot {
    pub(crate) svg: Result<String, Error>,
    pub(crate) legend: Legend,
}

/// Phases, attacks and faults.
pub(crate) fn timeline(run: &Run) -> Plot {
    let mut lanes: Vec<(&Sort, &str)> = Vec::new();
    let lane_of = |span: &Span| match span.sort {
        Sort::Phase => "phases".to_owned(),
        Sort::Attack | Sort::Fault => span.name.clone(),
    };
    let names: Vec<String> = run.history.timeline.iter().map(lane_of).collect();
    for (span, name) in run.history.timeline.iter().zip(&names) {
        if !lanes.iter().any(|(sort, lane)| **sort == span.sort && lane == name) {
            lanes.push((&span.sort, name));
        }
    }
    let count = lanes.len() as f64;
    let x = 0.0..run.history.end_s;
    let y = 0.0..count.max(1.0);
    let height = 36 + LANE * i32::try_from(lanes.len().max(1)).unwrap_or(1);
    let svg = canvas::draw(height, x.clone(), y.clone(), |canvas| {
        canvas.grid(&x, &y, ticks(&x, 10.0, words::seconds), Vec::new())?;
        for (place, (_, name)) in lanes.iter().enumerate() {
            canvas.left_label(count - place as f64 - 0.5, &words::shorten(name, 12))?;
        }
        for (span, name) in run.history.timeline.iter().zip(&names) {
            let same = |(sort, lane): &(&Sort, &str)| **sort == span.sort && lane == name;
            let Some(place) = lanes.iter().position(same) else { continue };
            let top = count - place as f64;
            // What was over at once is a stroke.
            let to = span.to_s.unwrap_or(x.end).max(span.from_s + x.end / 400.0);
            if span.sort == Sort::Phase {
                let begins = [(span.from_s, top - 0.9), (span.from_s, top - 0.1)];
                canvas.rect((span.from_s, top - 0.85), (to, top - 0.15), PHASE, 0.35)?;
                canvas.line(&begins, FAINT, 3)?;
                if canvas.has_room(span.from_s, to, &span.name) {
                    canvas.label_at((span.from_s, top - 0.5), &span.name)?;
                }
            } else {
                canvas.rect((span.from_s, top - 0.85), (to, top - 0.15), tone(&span.sort), 0.75)?;
            }
        }
        Ok(())
    });
    let has = |sort| run.history.timeline.iter().any(|span| span.sort == sort);
    let mut legend = Vec::new();
    legend.extend(has(Sort::Attack).then(|| (HOSTILE, "attack".to_owned())));
    legend.extend(has(Sort::Fault).then(|| (FAULT, "fault".to_owned())));
    Plot { svg, legend }
}

/// The share of due acceptances that came, by the time of publishing.
pub(crate) fn delivery(run: &Run) -> Plot {
    let due = run.history.delivery.iter().filter(|row| row.wanted > 0);
    let share: Vec<_> =
        due.map(|row| (row.from_s, row.accepted as f64 / row.wanted as f64)).collect();
    let svg =
        over_time(run, 150, 1.04, 4.0, &words::percent, |canvas| canvas.line(&share, HONEST, 4));
    Plot { svg, legend: Vec::new() }
}

/// Latency by the time of publishing.
pub(crate) fn latency_over_time(run: &Run) -> Plot {
    let rows = || run.history.delivery.iter().filter(|row| row.accepted > 0);
    let median: Vec<_> = rows().map(|row| (row.from_s, row.p50_ms)).collect();
    let tail: Vec<_> = rows().map(|row| (row.from_s, row.p99_ms)).collect();
    let svg = over_time(run, 150, top(&tail) * 1.08, 4.0, &words::millis, |canvas| {
        canvas.line(&tail, HONEST_SOFT, 4)?;
        canvas.line(&median, HONEST, 4)
    });
    let legend = vec![(HONEST, "median".to_owned()), (HONEST_SOFT, "99th percentile".to_owned())];
    Plot { svg, legend }
}

/// Latency by percentile, with as much room for each further nine: what matters is in the tail.
pub(crate) fn distributions(run: &Run) -> Plot {
    let latency = &run.history.latency;
    let mut lines = vec![
        (&latency.calm, HONEST, "published in calm"),
        (&latency.disturbed, HOSTILE, "published under attack or faults"),
    ];
    lines.retain(|(line, _, _)| !line.is_empty());
    if lines.len() < 2 {
        lines = vec![(&latency.all, HONEST, "whole run")];
    }
    if let Some(baseline) = &run.baseline {
        lines.push((&baseline.latency, BASELINE, "the same seed without the attack"));
    }
    let bend = |line: &[(f64, f64)]| -> Vec<(f64, f64)> {
        let shown = line.iter().filter(|(_, share)| *share <= SHARE_MAX);
        shown.map(|(ms, share)| (nines(*share), *ms)).collect()
    };
    let points: Vec<Vec<(f64, f64)>> = lines.iter().map(|(line, _, _)| bend(line)).collect();
    let highest = points.iter().map(|line| top(line)).fold(0.0, f64::max);
    let x = 0.0..nines(SHARE_MAX);
    let y = 0.0..if highest > 0.0 { highest * 1.06 } else { 1.0 };
    let across = [0.0, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999];
    let across = across.map(|share| (nines(share), words::percent(share))).to_vec();
    let svg = canvas::draw(230, x.clone(), y.clone(), |canvas| {
        canvas.grid(&x, &y, across, ticks(&y, 5.0, words::millis))?;
        // The first is drawn last, on top.
        let lines = lines.iter().zip(&points).rev();
        lines.into_iter().try_for_each(|((_, tone, _), line)| canvas.line(line, *tone, 4))
    });
    let legend = lines.iter().map(|(_, tone, name)| (*tone, (*name).to_owned())).collect();
    Plot { svg, legend }
}

/// How many nines a share has: 1 for 90 %, 2 for 99 %.
fn nines(share: f64) -> f64 {
    -(1.0 - share.min(SHARE_MAX)).log10()
}

/// Bytes a second by class, stacked.
pub(crate) fn traffic(run: &Run) -> Plot {
    let classes = [
        ("payload", HONEST),
        ("requested", HONEST_SOFT),
        ("vouch", THIRD),
        ("tree", FOURTH),
        ("evidence", FIFTH),
    ];
    let moments = &run.history.moments;
    let mut bounds: Vec<Vec<(f64, f64)>> = vec![ground_of(moments.iter().map(|m| m.from_s))];
    for (class, _) in classes {
        let below = bounds.last().cloned().unwrap_or_default();
        let rates = moments.iter().enumerate().map(|(place, moment)| {
            let bytes = moment.bytes.get(class).copied().unwrap_or(0) as f64;
            bytes / width(run, place)
        });
        bounds.push(below.iter().zip(rates).map(|((at, low), rate)| (*at, low + rate)).collect());
    }
    let highest = bounds.last().map_or(0.0, |line| top(line));
    let svg = over_time(run, 190, highest * 1.05, 4.0, &words::bytes_per_second, |canvas| {
        for ((_, tone), pair) in classes.iter().zip(bounds.windows(2)) {
            if let [low, high] = pair {
                canvas.area(high, low, *tone, 0.85)?;
            }
        }
        Ok(())
    });
    let used = classes.iter().filter(|(class, _)| run.bytes_sent.contains_key(*class));
    Plot { svg, legend: used.map(|(class, tone)| (*tone, (*class).to_owned())).collect() }
}

/// Hostile frames that arrived and faults that were noticed, a second.
pub(crate) fn hostility(run: &Run) -> Plot {
    let rate = |count: fn(&Moment) -> u64| -> Vec<(f64, f64)> {
        let moments = run.history.moments.iter().enumerate();
        moments.map(|(place, it)| (it.from_s, count(it) as f64 / width(run, place))).collect()
    };
    let (hostile, faults) = (rate(|it| it.hostile), rate(|it| it.faults));
    let highest = top(&hostile).max(top(&faults)) * 1.08;
    let svg = over_time(run, 130, highest, 3.0, &words::per_second, |canvas| {
        canvas.area(&hostile, &ground(&hostile), HOSTILE, 0.25)?;
        canvas.line(&hostile, HOSTILE, 3)?;
        canvas.line(&faults, HONEST, 3)
    });
    let legend = vec![
        (HOSTILE, "hostile frames that arrived".to_owned()),
        (HONEST, "faults that honest nodes noticed".to_owned()),
    ];
    Plot { svg, legend }
}

/// How honest nodes score their peers.
pub(crate) fn scores(run: &Run) -> Plot {
    let x = 0.0..run.history.end_s;
    let y = -105.0..5.0;
    let svg = canvas::draw(170, x.clone(), y.clone(), |canvas| {
        shade(canvas, run, &y)?;
        canvas.grid(&x, &y, ticks(&x, 10.0, words::seconds), ticks(&y, 4.0, words::plain))?;
        let sides: [Side; 2] = [(HONEST, |it| it.honest), (HOSTILE, |it| it.hostile)];
        for (tone, side) in sides {
            let given: Vec<_> = run
                .history
                .scores
                .iter()
                .filter_map(|it| side(it).map(|band| (it.from_s, band)))
                .collect();
            let line = |pick: fn(&Band) -> f64| -> Vec<(f64, f64)> {
                given.iter().map(|(at, band)| (*at, pick(band))).collect()
            };
            canvas.area(&line(|band| band.p95), &line(|band| band.p05), tone, 0.2)?;
            canvas.line(&line(|band| band.p50), tone, 4)?;
        }
        Ok(())
    });
    let legend =
        vec![(HONEST, "honest peers".to_owned()), (HOSTILE, "adversaries still linked".to_owned())];
    Plot { svg, legend }
}

/// Bans so far.
pub(crate) fn bans(run: &Run) -> Plot {
    let so_far = |count: fn(&Moment) -> u64| -> Vec<(f64, f64)> {
        let mut sum = 0;
        let mut step = |it: &Moment| {
            sum += count(it);
            (it.from_s, sum as f64)
        };
        run.history.moments.iter().map(&mut step).collect()
    };
    let (hostile, honest) = (so_far(|it| it.bans), so_far(|it| it.false_bans));
    let highest = top(&hostile).max(top(&honest)) * 1.08;
    let svg = over_time(run, 120, highest, 3.0, &words::plain, |canvas| {
        canvas.line(&hostile, HOSTILE, 4)?;
        canvas.line(&honest, HONEST, 4)
    });
    let legend = vec![
        (HOSTILE, "adversaries banned by honest nodes".to_owned()),
        (HONEST, "honest nodes banned by honest nodes".to_owned()),
    ];
    Plot { svg, legend }
}

/// The links of one node, stacked.
pub(crate) fn links(run: &Run) -> Option<Plot> {
    let victim = run.history.victim.as_ref()?;
    let kinds: [Links; 4] = [
        (HONEST, "honest witnesses", |it| it.honest_witnesses),
        (HONEST_SOFT, "honest, came to it", |it| it.honest_inbound),
        (HOSTILE_SOFT, "adversaries, came to it", |it| it.hostile_inbound),
        (HOSTILE, "adversaries as witnesses", |it| it.hostile_witnesses),
    ];
    let has = |(_, _, count): &Links| victim.links.iter().any(|it| count(it) > 0);
    let kinds: Vec<Links> = kinds.into_iter().filter(has).collect();
    let mut bounds = vec![ground_of(victim.links.iter().map(|it| it.at_s))];
    for (_, _, count) in &kinds {
        let below = bounds.last().cloned().unwrap_or_default();
        let pairs = below.iter().zip(&victim.links);
        bounds.push(pairs.map(|((at, low), it)| (*at, low + f64::from(count(it)))).collect());
    }
    let highest = bounds.last().map_or(0.0, |line| top(line));
    let svg = over_time(run, 150, highest * 1.05, 4.0, &words::plain, |canvas| {
        for ((tone, _, _), pair) in kinds.iter().zip(bounds.windows(2)) {
            if let [low, high] = pair {
                canvas.area(high, low, *tone, 0.85)?;
            }
        }
        Ok(())
    });
    let legend = kinds.iter().map(|(tone, name, _)| (*tone, (*name).to_owned())).collect();
    Some(Plot { svg, legend })
}

/// How full the fullest collections were.
pub(crate) fn fill(run: &Run) -> Plot {
    let tones = [HONEST, HOSTILE, THIRD, FOURTH, FIFTH, FAINT];
    // The fullest first, as in the table.
    let order = run.history.bounds.iter().filter_map(|bound| {
        run.history.fill.get_key_value(&bound.name).filter(|_| bound.share > 0.0)
    });
    let lines: Vec<_> = order.zip(tones).collect();
    let highest = lines.iter().map(|((_, line), _)| top(line)).fold(0.0, f64::max);
    let svg = over_time(run, 150, (highest * 1.1).max(0.01), 4.0, &words::percent, |canvas| {
        lines.iter().rev().try_for_each(|((_, line), tone)| canvas.line(line, *tone, 3))
    });
    let legend = lines.iter().map(|((name, _), tone)| (*tone, (*name).clone())).collect();
    Plot { svg, legend }
}

/// A plot on the shared axis of time, with attacks and faults behind it.
fn over_time(
    run: &Run,
    height: i32,
    y_max: f64,
    y_ticks: f64,
    y_text: &dyn Fn(f64) -> String,
    paint: impl FnOnce(&Canvas<'_>) -> Drawn,
) -> Result<String, Error> {
    let x = 0.0..run.history.end_s;
    let y = 0.0..if y_max > 0.0 { y_max } else { 1.0 };
    canvas::draw(height, x.clone(), y.clone(), |canvas| {
        shade(canvas, run, &y)?;
        canvas.grid(&x, &y, ticks(&x, 10.0, words::seconds), ticks(&y, y_ticks, y_text))?;
        paint(canvas)
    })
}

/// Attacks and faults as bands behind a plot.
fn shade(canvas: &Canvas<'_>, run: &Run, y: &Range<f64>) -> Drawn {
    for span in run.history.timeline.iter().filter(|span| span.sort != Sort::Phase) {
        let to =
            span.to_s.unwrap_or(run.history.end_s).max(span.from_s + run.history.end_s / 400.0);
        canvas.rect((span.from_s, y.start), (to, y.end), tone(&span.sort), 0.07)?;
    }
    Ok(())
}

const fn tone(sort: &Sort) -> Tone {
    match sort {
        Sort::Phase => PHASE,
        Sort::Attack => HOSTILE,
        Sort::Fault => FAULT,
    }
}

/// Seconds that a moment lasts.
fn width(run: &Run, place: usize) -> f64 {
    let at = |place: usize| run.history.moments.get(place).map(|moment| moment.from_s);
    let lasts = match (at(place), at(place + 1), place.checked_sub(1).and_then(at)) {
        (Some(from), Some(next), _) => next - from,
        (Some(from), None, Some(before)) => from - before,
        (Some(_), None, None) | (None, _, _) => 1.0,
    };
    lasts.max(1e-9)
}

fn top(line: &[(f64, f64)]) -> f64 {
    line.iter().map(|(_, y)| *y).fold(0.0, f64::max)
}

fn ground(line: &[(f64, f64)]) -> Vec<(f64, f64)> {
    ground_of(line.iter().map(|(x, _)| *x))
}

fn ground_of(xs: impl Iterator<Item = f64>) -> Vec<(f64, f64)> {
    xs.map(|x| (x, 0.0)).collect()
}
