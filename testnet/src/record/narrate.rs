//! From what the recorder keeps to what is written down.

use std::collections::BTreeMap;

use forsooth_protocol::{Class, MessageId, Time};

use super::{
    Mark, Recorder, Seat, State, What,
    history::{
        Adversary, Delivery, Distributions, Event, History, Hop, Linked, Moment, Peak, Scores,
        Sort, Span, Tree, Victim,
    },
    log::{Entry, Happening},
    samples::{self, Samples},
    spread::{Number, Spread},
};

/// Collections whose fill is shown over time: the fullest.
const FILLS: usize = 6;

impl Recorder {
    /// The run over time. Costly: for the end of a run.
    #[must_use]
    pub fn history(&self) -> History {
        let state = self.state();
        let State { spread, traffic, evidence, samples, timeline, log, broken, .. } = &*state;
        let moments = moments(&state);
        let events = events(&state);
        let [all, calm, disturbed] = spread.latencies.distributions();
        let banned = evidence.bans_by_adversary();
        let adversary = |(node, kind): (u32, &str)| Adversary {
            node,
            kind: kind.to_owned(),
            banned_by: banned.get(&node).map_or(0, |by| *by as u64),
        };
        let width = traffic.over_time.width().as_secs_f64();
        let last = events.last().map_or(0.0, |event| event.t);
        History {
            end_s: last.max(moments.last().map_or(0.0, |moment| moment.from_s + width)),
            timeline: spans(&timeline.marks),
            moments,
            delivery: delivery(spread),
            latency: Distributions { all, calm, disturbed },
            scores: scores(samples),
            victim: victim(samples, &timeline.marks, self.roster().honest_count()),
            tree: tree(&state),
            bounds: bounds(samples),
            fill: fill(samples),
            adversaries: self.roster().adversaries().into_iter().map(adversary).collect(),
            events,
            events_left_out: log.left_out() + timeline.left_out + broken.left_out(),
        }
    }
}

fn moments(state: &State) -> Vec<Moment> {
    let mut before = [0; Class::ALL.len()];
    let mut moments = Vec::new();
    for (from_s, moment) in state.traffic.over_time.iter() {
        let mut bytes = BTreeMap::new();
        for ((class, sent), before) in Class::ALL.iter().zip(moment.bytes).zip(&mut before) {
            bytes.insert(class.name().to_owned(), sent.saturating_sub(*before));
            *before = sent.max(*before);
        }
        moments.push(Moment {
            from_s,
            published: moment.published,
            accepted: moment.accepted,
            hostile: moment.hostile,
            faults: moment.faults,
            bans: moment.bans,
            false_bans: moment.false_bans,
            bytes,
        });
    }
    moments
}

fn delivery(spread: &Spread) -> Vec<Delivery> {
    let width = spread.latencies.width().as_secs_f64();
    let mut rows: Vec<Delivery> = Vec::new();
    for (from_s, p50_ms, p99_ms) in spread.latencies.over_time() {
        rows.push(Delivery { from_s, p50_ms, p99_ms, ..Delivery::default() });
    }
    for message in spread.messages() {
        let Some(published) = message.published else { continue };
        let at = published.at.as_duration().as_secs_f64();
        // Half a nanosecond of rounding must not move a message out of its row.
        let place = rows.partition_point(|row| row.from_s <= at + 1e-9);
        let fits = |row: &&mut Delivery| at < row.from_s + width + 1e-9;
        let row = place.checked_sub(1).and_then(|place| rows.get_mut(place)).filter(fits);
        let Some(row) = row else {
            // A message that nobody accepted has no latency, and so no row yet.
            let from_s = (at / width).floor() * width;
            let new = Delivery {
                from_s,
                published: 1,
                wanted: message.wanted,
                accepted: message.accepted,
                ..Delivery::default()
            };
            rows.insert(place, new);
            continue;
        };
        row.published += 1;
        row.wanted += message.wanted;
        row.accepted += message.accepted;
    }
    rows
}

fn scores(samples: &Samples) -> Vec<Scores> {
    let row = |(from_s, scores): (f64, &samples::Scores)| Scores {
        from_s,
        honest: scores.honest.summary(),
        hostile: scores.hostile.summary(),
    };
    samples.scores.iter().map(row).collect()
}

/// The node that an attack names, or else the one that had the largest share of hostile links.
fn victim(samples: &Samples, marks: &[(Time, Mark)], honest: usize) -> Option<Victim> {
    let attacks = marks.iter().filter(|(_, mark)| mark.what == What::AttackBegins);
    let is_honest = |node: &&u32| usize::try_from(**node).is_ok_and(|node| node < honest);
    let targets = attacks.flat_map(|(_, mark)| &mark.nodes).filter(is_honest);
    let targeted = targets.map(|node| Seat(*node)).find(|seat| samples.links.contains_key(seat));
    let most = |links: &super::buckets::Buckets<samples::Linked>| {
        let share = |linked: &samples::Linked| {
            u64::from(linked.hostile()) * 1000 / u64::from(linked.total()).max(1)
        };
        links.iter().map(|(_, linked)| share(linked)).max()
    };
    let worst = || samples.links.iter().max_by_key(|(_, links)| most(links)).map(|(seat, _)| *seat);
    let seat = targeted.or_else(worst)?;
    let sampled = samples.links.get(&seat)?.iter().filter(|(_, linked)| linked.sampled);
    let row = |(at_s, linked): (f64, &samples::Linked)| Linked {
        at_s,
        honest_witnesses: linked.honest_witnesses,
        hostile_witnesses: linked.hostile_witnesses,
        honest_inbound: linked.honest_inbound,
        hostile_inbound: linked.hostile_inbound,
    };
    Some(Victim { node: seat.0, targeted: targeted.is_some(), links: sampled.map(row).collect() })
}

fn tree(state: &State) -> Option<Tree> {
    let (number, tree) = state.trees.telling()?;
    let after = |at: Time| at.since(tree.published).as_secs_f64() * 1000.0;
    let hops = tree.hops.iter().map(|(seat, hop)| Hop {
        node: seat.0,
        from: hop.from,
        relayed_ms: hop.relayed.map(after),
        accepted_ms: hop.accepted.map(after),
    });
    Some(Tree {
        message: short(state.spread.id(number)?),
        author: tree.author.0,
        published_s: seconds(tree.published),
        disturbed: tree.disturbed,
        hops: hops.collect(),
    })
}

fn bounds(samples: &Samples) -> Vec<Peak> {
    let row = |(name, peak): (&&str, &samples::Peak)| Peak {
        name: (*name).to_owned(),
        used: peak.used as u64,
        max: peak.max as u64,
        share: peak.share(),
        node: peak.seat.0,
        at_s: seconds(peak.at),
    };
    let mut bounds: Vec<_> = samples.peaks.iter().map(row).collect();
    bounds.sort_by(|one, other| other.share.total_cmp(&one.share));
    bounds
}

fn fill(samples: &Samples) -> BTreeMap<String, Vec<(f64, f64)>> {
    let mut fill = BTreeMap::<String, Vec<_>>::new();
    for peak in bounds(samples).into_iter().take(FILLS) {
        let at = |(from_s, shares): (f64, &samples::Fill)| {
            shares.0.get(peak.name.as_str()).map(|share| (from_s, *share))
        };
        let shares = samples.fill.iter().filter_map(at).collect();
        fill.insert(peak.name.clone(), shares);
    }
    fill
}

/// Pairs each begin with its end.
fn spans(marks: &[(Time, Mark)]) -> Vec<Span> {
    let mut open: Vec<(&Mark, usize)> = Vec::new();
    let mut spans: Vec<Span> = Vec::new();
    for (at, mark) in marks {
        let ends = |(begun, _): &&(&Mark, usize)| begun.is_ended_by(mark);
        let same = open.iter().position(|it| ends(&it) && it.0.nodes == mark.nodes);
        if let Some(place) = same.or_else(|| open.iter().rposition(|it| ends(&it))) {
            let (_, span) = open.remove(place);
            if let Some(span) = spans.get_mut(span) {
                span.to_s = Some(seconds(*at));
            }
        }
        let sort = match mark.what {
            What::Phase => Sort::Phase,
            What::AttackBegins => Sort::Attack,
            What::FaultBegins => Sort::Fault,
            What::AttackEnds | What::FaultEnds => continue,
        };
        open.push((mark, spans.len()));
        spans.push(Span {
            sort,
            name: mark.name.clone(),
            text: mark.text.clone(),
            nodes: mark.nodes.clone(),
            from_s: seconds(*at),
            to_s: None,
        });
    }
    spans
}

fn events(state: &State) -> Vec<Event> {
    let marks = state.timeline.marks.iter().map(|(at, mark)| Event {
        t: seconds(*at),
        what: mark.what.name().to_owned(),
        text: join(&mark.name, &mark.text),
        ..Event::default()
    });
    let broken = state.broken.kept().iter().map(|violation| Event {
        t: seconds(violation.at),
        what: "violation".to_owned(),
        node: Some(violation.seat.0),
        message: violation.message.map(short),
        text: join(violation.invariant.name(), &violation.text),
        ..Event::default()
    });
    let logged = state.log.entries();
    let logged = logged.iter().map(|entry| event(entry, &state.spread));
    let mut events: Vec<_> = marks.chain(logged).chain(broken).collect();
    // Stable: what happened at one moment stays in its order.
    events.sort_by(|one, other| one.t.total_cmp(&other.t));
    events
}

fn event(entry: &Entry, spread: &Spread) -> Event {
    let text = match entry.what {
        Happening::Fault(fault) | Happening::Banned(fault) => fault.name().to_owned(),
        Happening::LinkUp(role) => role.name().to_owned(),
        Happening::Unaccepted(why) => why.name().to_owned(),
        Happening::Published
        | Happening::Relayed
        | Happening::Accepted
        | Happening::Contested
        | Happening::Exposed
        | Happening::Suspected
        | Happening::Recovered
        | Happening::Died
        | Happening::Parted
        | Happening::LinkDown
        | Happening::Hostile
        | Happening::Left
        | Happening::Joined => String::new(),
    };
    Event {
        t: seconds(entry.at),
        what: entry.what.name().to_owned(),
        node: Some(entry.seat.0),
        peer: entry.peer,
        message: entry.message.and_then(|number: Number| spread.id(number)).map(short),
        text,
    }
}

fn join(name: &str, text: &str) -> String {
    if text.is_empty() { name.to_owned() } else { format!("{name}: {text}") }
}

/// Enough of an id to tell messages of a run apart.
fn short(id: MessageId) -> String {
    let mut hex = id.to_string();
    hex.truncate(16);
    hex
}

/// To the microsecond, which is what is written down.
fn seconds(at: Time) -> f64 {
    (at.as_duration().as_secs_f64() * 1e6).round() / 1e6
}
