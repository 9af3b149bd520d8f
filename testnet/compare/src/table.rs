//! What was found, for people.

use crate::task::{Found, Load, Quantiles};

/// A Markdown table of runs at one load, one system a line.
pub(crate) fn render(runs: &[Found]) -> String {
    let mut lines = Vec::new();
    lines.push(
        "| system | deliveries/s | delivered | latency, ms | verified, ms | CPU, us a delivery | cores | wire bytes \
         a payload byte | packets a delivery | idle memory a node | loaded |"
            .to_owned(),
    );
    lines.push("|---|---|---|---|---|---|---|---|---|---|---|".to_owned());
    lines.extend(runs.iter().map(line));
    lines.join("\n") + "\n"
}

/// The load of a run, in a few words.
pub(crate) fn heading(run: &Found) -> String {
    let task = &run.task;
    let load = match task.load {
        Load::Saturated { .. } => "saturated".to_owned(),
        Load::Steady { per_second } => format!("{per_second} messages a second"),
    };
    format!("{} nodes, {} B, {load}", task.nodes, task.payload_bytes)
}

fn line(run: &Found) -> String {
    let in_flight = match run.task.load {
        Load::Saturated { in_flight } => format!(" ({in_flight} in flight)"),
        Load::Steady { .. } => String::new(),
    };
    format!(
        "| {}{in_flight} | {:.0} | {:.4} | {} | {} | {:.0} | {:.2} | {:.2} | {:.1} | {} | {} |",
        run.task.system.name(),
        run.deliveries_per_second,
        run.delivery_ratio,
        times(&run.latency_ms),
        run.verified_ms.as_ref().map_or_else(|| "-".to_owned(), times),
        run.cpu_us_per_delivery,
        run.cpu_cores,
        run.wire_bytes_per_payload_byte,
        run.wire_packets_per_delivery,
        mebibytes(run.idle_bytes_per_node),
        mebibytes(run.loaded_bytes_per_node),
    )
}

fn times(ms: &Quantiles) -> String {
    format!("{:.1} / {:.1} / {:.0}", ms.p50, ms.p99, ms.max)
}

#[expect(clippy::cast_precision_loss, reason = "for people to read")]
fn mebibytes(bytes: u64) -> String {
    format!("{:.2} MiB", bytes as f64 / f64::from(1 << 20))
}
