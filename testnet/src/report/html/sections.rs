//! The parts of the page, in the order in which a reader wants to know them.

use super::{Page, tables};
use crate::{
    output::{Run, escape},
    report::{plots, tree as drawing, words},
    verdict::{Verdict, plural},
};

/// What it is and what came out, with the numbers that matter most.
pub(super) fn head(page: &mut Page, run: &Run) {
    let engine = match run.engine.as_str() {
        "local" => "real nodes on loopback",
        "sim" => "simulated network",
        other => other,
    };
    let verdict = run.verdict.name();
    page.raw(&format!(
        "<header>\n<p class=\"kicker\">Forsooth testnet · {} · seed {}</p>\n\
         <h1>{} <span class=\"badge {verdict}\">{}</span></h1>\n<p>{}</p>\n</header>",
        escape(engine),
        run.seed,
        escape(&run.name),
        verdict.to_uppercase(),
        escape(&run.about)
    ));
    page.paragraph(&sentence(run));
    if let Some(first) = &run.first_violation {
        page.raw(&format!(
            "<div class=\"alarm\"><p><b>First violation</b> of <code>{}</code>: {}</p></div>",
            escape(&first.invariant),
            escape(&first.text)
        ));
    }
    let doubts: String =
        run.doubts.iter().map(|doubt| format!("<li>{}</li>", escape(doubt))).collect();
    if !doubts.is_empty() {
        let title = "Why this run proves nothing, or less than it could";
        page.raw(&format!("<div class=\"doubt\"><p><b>{title}</b></p><ul>{doubts}</ul></div>"));
    }
    let tiles: String = tiles(run)
        .into_iter()
        .map(|(value, label)| {
            format!("<div class=\"tile\"><b>{value}</b><span>{label}</span></div>")
        })
        .collect();
    page.raw(&format!("<div class=\"tiles\">{tiles}</div>"));
    page.raw(&format!("<p>Repeat it with:</p><pre>{}</pre>", escape(&run.repeat)));
}

/// What the verdict means.
fn sentence(run: &Run) -> String {
    let attackers: Vec<_> =
        run.adversaries.iter().map(|(kind, count)| format!("{count} × {kind}")).collect();
    let hostile = run.adversaries.values().sum::<u64>();
    let honest = plural(usize::try_from(run.honest).unwrap_or(usize::MAX), "honest node");
    let against = if attackers.is_empty() {
        "with no adversaries".to_owned()
    } else {
        let them =
            if hostile == 1 { "1 adversary".to_owned() } else { format!("{hostile} adversaries") };
        format!("against {them} ({})", attackers.join(", "))
    };
    let meaning = match run.verdict {
        Verdict::Pass if attackers.is_empty() => "everything that had to hold held",
        Verdict::Pass => "the attack happened and everything that had to hold held",
        Verdict::Fail => "something that had to hold did not",
        Verdict::Inconclusive => "nothing broke, but what was to be withstood did not happen",
    };
    let expected = match run.expected {
        Some(expected) if expected != run.verdict => {
            format!(" The scenario expects the verdict {}.", expected.name())
        }
        Some(Verdict::Fail | Verdict::Inconclusive) => {
            " That is the verdict that the scenario expects.".to_owned()
        }
        Some(Verdict::Pass) | None => String::new(),
    };
    format!("{honest} {against}: {meaning}.{expected}")
}

fn tiles(run: &Run) -> Vec<(String, String)> {
    let get = |name: &str| run.metrics.get(name).copied().flatten();
    let mut tiles = Vec::new();
    let mut tile = |value: Option<String>, label: &str| {
        tiles.extend(value.map(|value| (value, label.to_owned())));
    };
    tile(get("delivery_ratio").map(words::percent), "of due messages delivered");
    tile(get("latency_p50_ms").map(words::millis), "median from publishing to acceptance");
    let ratio = get("latency_p99_ratio")
        .map_or_else(String::new, |ratio| format!(", {} × baseline", words::plain(ratio)));
    tile(get("latency_p99_ms").map(words::millis), &format!("99th percentile{ratio}"));
    if !run.adversaries.is_empty() {
        tile(get("hostile_actions").map(words::plain), "hostile acts reached honest nodes");
        tile(get("banned_adversaries").map(words::percent), "of adversaries banned by someone");
    }
    tile(get("false_bans").map(words::plain), "honest nodes banned by honest nodes");
    tile(
        get("bytes_per_delivered_byte").map(words::plain),
        "bytes sent for each payload byte accepted",
    );
    tile(recovery(run), "to recover after the last attack or fault");
    tiles
}

fn recovery(run: &Run) -> Option<String> {
    let recovery = run.metrics.get("recovery_s")?;
    Some(recovery.map_or_else(|| "not yet".to_owned(), words::seconds))
}

/// Assertions with their margins, invariants, and the comparison with defences off.
pub(super) fn proof(page: &mut Page, run: &Run) {
    page.heading("What had to hold");
    let columns = [("what", "name"), ("seen", ""), ("bar", "name"), ("margin", "n"), ("", "name")];
    page.table(&columns, &tables::proof(run));
    page.raw("<h3>Invariants, checked after every event at every honest node</h3>");
    page.table(&[("promise", ""), ("broken", "n"), ("", "name")], &tables::invariants(run));
    if !run.compared.is_empty() {
        page.heading("Without one defence at a time");
        page.paragraph(
            "The same scenario and seed with a defence of honest nodes switched off. A defence that is \
             needed makes the run fail without it.",
        );
        let mut columns = vec![("defences", "name"), ("verdict", "")];
        columns.extend(tables::compared_by(run).into_iter().map(|metric| (metric, "n")));
        columns.push(("what broke", ""));
        page.table(&columns, &tables::compared(run));
    }
}

/// What was done to the network.
pub(super) fn timeline(page: &mut Page, run: &Run) {
    if run.history.timeline.is_empty() {
        return;
    }
    page.heading("What was done to the network");
    page.figure(
        "Timeline",
        plots::timeline(run),
        "Phases, attacks and faults. All plots over time below share this axis; attacks and faults are the \
         shaded bands behind them.",
    );
}

/// How messages fared.
pub(super) fn delivery(page: &mut Page, run: &Run) {
    page.heading("Delivery and latency");
    page.figure(
        "Delivered, by time of publishing",
        plots::delivery(run),
        "Share of acceptances that came, of those due: each message of an honest author at each other honest \
         node that was there when it was published and stayed.",
    );
    page.figure(
        "Latency, by time of publishing",
        plots::latency_over_time(run),
        "From publishing to acceptance by the policy's threshold of witnesses.",
    );
    page.figure(
        "Latency by percentile",
        plots::distributions(run),
        "So many acceptances took no longer. Each further nine has as much room as the one before, so that \
         the slowest are seen.",
    );
}

/// What it cost.
pub(super) fn cost(page: &mut Page, run: &Run) {
    page.heading("Cost");
    page.figure(
        "Bytes that honest nodes sent, by class of traffic",
        plots::traffic(run),
        "In frames, without the transport's own; all honest nodes together.",
    );
    let mut columns = vec![("class", "name"), ("sent", "n"), ("share", "n"), ("", "")];
    if run.baseline.is_some() {
        columns.push(("without the attack", "n"));
    }
    page.table(&columns, &tables::bytes(run));
    let get = |name: &str| run.metrics.get(name).copied().flatten();
    if let (Some(bytes), Some(copies)) = (get("bytes_per_delivered_byte"), get("redundancy")) {
        page.paragraph(&format!(
            "{} bytes were sent for each payload byte accepted, and {} copies too many of each payload.",
            words::plain(bytes),
            words::plain(copies)
        ));
    }
}

/// What of the attack arrived, and what was noticed of it.
pub(super) fn attack(page: &mut Page, run: &Run) {
    let acts: u64 = run.hostile_actions.values().sum();
    if acts == 0 && run.faults.is_empty() {
        return;
    }
    page.heading("The attack, as honest nodes met it");
    page.figure(
        "Hostile frames and noticed faults",
        plots::hostility(run),
        "Frames that an honest node would not have sent, counted where they arrive. What an adversary \
         withholds cannot be seen here.",
    );
    if !run.faults.is_empty() {
        let columns = [("fault", "name"), ("noticed", "n"), ("blamed on honest nodes", "n")];
        page.table(&columns, &tables::faults(run));
    }
}

/// Scores, bans and links.
pub(super) fn peers(page: &mut Page, run: &Run) {
    page.heading("Peers");
    if run.history.scores.iter().any(|it| it.honest.is_some() || it.hostile.is_some()) {
        page.figure(
            "Scores that honest nodes give",
            plots::scores(run),
            "0 is spotless, −100 a ban. The line is the median, the band holds nine in ten. Who is banned is \
             linked no longer and leaves the plot.",
        );
    }
    if run.history.moments.iter().any(|it| it.bans + it.false_bans > 0) {
        page.figure(
            "Bans so far",
            plots::bans(run),
            "Each pair of a node and the peer it banned counts once per ban.",
        );
    }
    if !run.adversaries.is_empty() {
        let columns = [
            ("strategy", "name"),
            ("adversaries", "n"),
            ("acts that arrived", "n"),
            ("banned by anyone", "n"),
            ("banned on average by", "n"),
            ("", ""),
        ];
        page.table(&columns, &tables::adversaries(run));
    }
    if let Some((plot, victim)) = plots::links(run).zip(run.history.victim.as_ref()) {
        let why = if victim.targeted {
            "the node that the attack is aimed at"
        } else if run.adversaries.is_empty() {
            "one honest node"
        } else {
            "the honest node with the largest share of adversaries among its links"
        };
        page.figure(
            &format!("Links of node {}", victim.node),
            plot,
            &format!("Links of {why}. Only witnesses, which it chose itself, can vouch to it."),
        );
    }
}

/// The way of one message.
pub(super) fn tree(page: &mut Page, run: &Run) {
    let Some(tree) = &run.history.tree else { return };
    page.heading("The way of one message");
    let when = if tree.disturbed {
        "the slowest of those followed under attack or faults"
    } else {
        "the slowest of those followed"
    };
    let what = format!(
        "Message {} of node {}, published at {}, {when}.",
        tree.message,
        tree.author,
        words::seconds(tree.published_s)
    );
    let honest = u32::try_from(run.honest).unwrap_or(u32::MAX);
    match drawing::plot(tree, honest) {
        Some(plot) => page.figure(
            "Who had it first from whom",
            plot,
            &format!("{what} Time runs from publishing; numbers are nodes."),
        ),
        None => page.paragraph(&format!("{what} It has too many hops, or none, to draw.")),
    }
}

/// How full the bounded collections were.
pub(super) fn memory(page: &mut Page, run: &Run) {
    if run.history.bounds.is_empty() && run.speed.peak_memory_bytes.is_none() {
        return;
    }
    page.heading("Memory");
    if !run.history.bounds.is_empty() {
        page.figure(
            "The fullest collections, as shares of their bounds",
            plots::fill(run),
            "Every collection that a peer can feed has a bound. Shown is the fullest honest node at each time.",
        );
        let columns = [
            ("collection", "name"),
            ("at most", "n"),
            ("bound", "n"),
            ("share", "n"),
            ("", ""),
            ("node", "n"),
            ("at", "n"),
        ];
        page.table(&columns, &tables::bounds(run));
    }
    if let Some(bytes) = run.speed.peak_memory_bytes {
        let bytes = words::bytes(bytes as f64);
        page.paragraph(&format!("The whole process held at most {bytes} of memory."));
    }
}

/// All that is needed to do it again.
pub(super) fn repeat(page: &mut Page, run: &Run) {
    page.heading("Reproduction");
    let speed = &run.speed;
    let mut facts = vec![format!("forsooth-testnet {}", run.version), format!("seed {}", run.seed)];
    facts.extend(speed.virtual_seconds.map(|it| format!("{} of network life", words::seconds(it))));
    facts.extend(speed.elapsed_seconds.map(|it| format!("{} on this machine", words::seconds(it))));
    facts.extend(speed.frames.map(|it| format!("{} frames", words::plain(it as f64))));
    facts.extend(speed.frames_per_second.map(|it| format!("{} frames a second", words::plain(it))));
    page.paragraph(&facts.join(" · "));
    if let Some(digest) = &run.trace_digest {
        page.raw(&format!("<p class=\"hash\">Trace digest <code>{}</code></p>", escape(digest)));
    }
    page.raw(&format!(
        "<details><summary>The scenario as it was run</summary><pre>{}</pre></details>",
        escape(&run.scenario)
    ));
    page.raw(
        "<footer>Beside this page: <code>run.json</code> has every number in it, \
         <code>events.ndjson</code> what happened line by line, <code>junit.xml</code> the results for CI. \
         <code>forsooth-testnet replay</code> tells what one node or one message lived through.</footer>",
    );
}
