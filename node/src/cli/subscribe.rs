//! `subscribe`: prints messages as the node accepts them.

use anyhow::{Context as _, bail};
use forsooth::{
    config::DataDir,
    http::view::{ContestedView, MessageView, MissedView, UnacceptedView},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use super::{
    args::SubscribeArgs,
    client::{Client, messages_page},
    events::{clock, next_event},
    output,
};

pub(super) fn subscribe(data: &DataDir, args: &SubscribeArgs) -> anyhow::Result<()> {
    let from = args.from.as_deref().map(|from| query("from", from));
    let policy = args.policy.map(|policy| query("policy", &policy.to_text()));
    let asked = policy.or(from).unwrap_or_default();
    let mut stream = Client::find(data)?.stream(&(messages_page(&args.topic) + &asked))?;
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
            "error" => {
                bail!("the node cannot read what it keeps: {}", output::printable(&event.data))
            }
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

/// A parameter of the page.
fn query(name: &str, value: &str) -> String {
    format!("?{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
}
