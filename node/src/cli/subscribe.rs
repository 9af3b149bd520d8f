//! `subscribe`: prints messages as the node accepts them.

use std::{
    io::{BufRead, Read as _},
    time::Duration,
};

use anyhow::{Context as _, bail};
use forsooth::{
    config::DataDir,
    http::view::{ContestedView, MessageView, MissedView, UnacceptedView},
    network::Policy,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::{
    args::SubscribeArgs,
    client::{Client, messages_page},
    output,
};

/// Bytes of a line of the stream: a payload of 1 MiB, once in base64 and once as text with every
/// character escaped, and what is around them.
const LINE_BYTES_MAX: u64 = 16 << 20;

pub(super) fn subscribe(data: &DataDir, args: &SubscribeArgs) -> anyhow::Result<()> {
    let policy = args.policy.map(written).unwrap_or_default();
    let mut stream = Client::find(data)?.stream(&(messages_page(&args.topic) + &policy))?;
    output::note(format_args!("subscribed to {}", output::printable(&args.topic)));
    let mut left = args.limit;
    while left != Some(0) {
        let Some(event) = next_event(&mut stream)? else {
            bail!("the node has ended the subscription: it stopped, or was killed");
        };
        match event.name.as_str() {
            "message" => {
                print(&event.data, args.output.json)?;
                left = left.map(|left| left - 1);
            }
            "missed" => missed(&event.data, args.output.json)?,
            "unaccepted" => unaccepted(&event.data, args.output.json)?,
            "contested" => contested(&event.data, args.output.json)?,
            // A later version may have more to say.
            _ => {}
        }
    }
    Ok(())
}

fn print(data: &str, json: bool) -> anyhow::Result<()> {
    let message: MessageView =
        serde_json::from_str(data).context("the node sent a message that makes no sense")?;
    if json {
        return output::json(&message);
    }
    let MessageView { author, generation, seq, accepted, text, payload, .. } = message;
    let words = text.map_or_else(|| format!("(base64) {payload}"), |text| output::printable(&text));
    output::line(format_args!(
        "{} {} {generation}/{seq}  {words}",
        clock(accepted),
        author.short()
    ))?;
    Ok(())
}

fn missed(data: &str, json: bool) -> anyhow::Result<()> {
    let MissedView { count } =
        serde_json::from_str(data).context("the node sent a count that makes no sense")?;
    if json {
        return output::json(&json!({ "missed": count }));
    }
    output::note(format_args!("{count} messages are missing here: they were read too slowly"));
    Ok(())
}

fn unaccepted(data: &str, json: bool) -> anyhow::Result<()> {
    let view: UnacceptedView =
        serde_json::from_str(data).context("the node sent a notice that makes no sense")?;
    if json {
        return output::json(&json!({ "unaccepted": view }));
    }
    let UnacceptedView { id, reason, vouched, threshold } = view;
    let [id, reason] = [id, reason].map(|text| output::printable(&text));
    output::note(format_args!("dropped {id}: {reason}, {vouched} of {threshold} vouched"));
    Ok(())
}

fn contested(data: &str, json: bool) -> anyhow::Result<()> {
    let view: ContestedView =
        serde_json::from_str(data).context("the node sent a notice that makes no sense")?;
    if json {
        return output::json(&json!({ "contested": view }));
    }
    let ContestedView { id, author, generation, seq } = view;
    let id = output::printable(&id);
    output::note(format_args!(
        "contested: {} has said another thing at {generation}/{seq}, where {id} was accepted",
        author.short()
    ));
    Ok(())
}

/// A policy as a parameter of the page.
fn written(policy: Policy) -> String {
    format!("?policy={}", utf8_percent_encode(&policy.to_text(), NON_ALPHANUMERIC))
}

/// The time of day in UTC: `12:34:56.789`.
fn clock(ms: u64) -> String {
    let since = Duration::from_millis(ms);
    let (s, ms) = (since.as_secs() % 86_400, since.subsec_millis());
    format!("{:02}:{:02}:{:02}.{ms:03}", s / 3600, s / 60 % 60, s % 60)
}

#[derive(Debug, Default, PartialEq, Eq)]
struct ServerEvent {
    name: String,
    data: String,
}

/// The next event of a stream as the HTML standard has it (section 9.2.6), of which our server uses the
/// fields `event`, `data` and `id`, and comments. `None` at the end.
fn next_event(stream: &mut impl BufRead) -> anyhow::Result<Option<ServerEvent>> {
    let mut event = ServerEvent::default();
    loop {
        let Some(line) = next_line(stream)? else { return Ok(None) };
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => event.name = value.to_owned(),
            "data" if event.data.is_empty() => event.data = value.to_owned(),
            "data" => event.data = format!("{}\n{value}", event.data),
            "" if line.is_empty() && !event.data.is_empty() => return Ok(Some(event)),
            // Comments that keep the connection alive, ids, and events without data.
            _ => {}
        }
    }
}

fn next_line(stream: &mut impl BufRead) -> anyhow::Result<Option<String>> {
    let mut line = String::new();
    // A node that is killed cuts the stream off in the middle, which is the end all the same.
    let Ok(length) = stream.by_ref().take(LINE_BYTES_MAX).read_line(&mut line) else {
        return Ok(None);
    };
    if length > 0
        && !line.ends_with('\n')
        && u64::try_from(length).is_ok_and(|length| length == LINE_BYTES_MAX)
    {
        bail!("the node sent a line of more than {LINE_BYTES_MAX} bytes");
    }
    Ok(line.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_event_by_event() {
        let text = ": alive\n\nevent: missed\ndata: {\"count\":3}\n\nid: 7\nevent:message\r\ndata: a\ndata: b\n\n: x\n\nevent: cut\nda";
        let mut stream = text.as_bytes();
        let event =
            |name: &str, data: &str| Some(ServerEvent { name: name.into(), data: data.into() });
        assert_eq!(next_event(&mut stream).unwrap(), event("missed", "{\"count\":3}"));
        assert_eq!(next_event(&mut stream).unwrap(), event("message", "a\nb"));
        assert_eq!(next_event(&mut stream).unwrap(), None);
    }

    #[test]
    fn the_time_of_day_is_in_utc() {
        assert_eq!(clock(0), "00:00:00.000");
        assert_eq!(clock(1_795_417_199_042), "06:59:59.042");
    }
}
