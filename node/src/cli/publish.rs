//! `publish`: sends a payload to the running node.

use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

use anyhow::Context as _;
use forsooth::{config::DataDir, http::view::ReceiptView, network::PAYLOAD_BYTES_MAX};

use super::{
    args::PublishArgs,
    client::{Client, messages_page},
    output,
};

pub(super) fn publish(data: &DataDir, args: PublishArgs) -> anyhow::Result<()> {
    let client = Client::find(data)?;
    let payload = payload(args.text, args.file)?;
    let lifetime = args.lifetime.map(|lifetime| format!("?lifetime_ms={}", lifetime.as_millis()));
    let page = messages_page(&args.topic) + &lifetime.unwrap_or_default();
    let receipt: ReceiptView = client.post(&page, &payload)?;
    if args.output.json {
        return output::json(&receipt);
    }
    let ReceiptView { id, sent_to, queued, witnesses_lacking } = receipt;
    let fate = match (queued, sent_to) {
        (true, _) => "is queued: no peer is linked; the first that come will get it".to_owned(),
        (false, 1) => "sent to 1 peer".to_owned(),
        (false, peers) => format!("sent to {peers} peers"),
    };
    output::line(format_args!("{id} {fate}"))?;
    if witnesses_lacking > 0 {
        output::note(format_args!(
            "this node lacks {witnesses_lacking} witnesses to accept anything on {} itself",
            output::printable(&args.topic)
        ));
    }
    Ok(())
}

fn payload(text: Option<String>, file: Option<PathBuf>) -> anyhow::Result<Vec<u8>> {
    match (text, file) {
        (_, Some(path)) => {
            let file =
                File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
            read(file).with_context(|| format!("cannot read {}", path.display()))
        }
        (Some(text), None) if text != "-" => Ok(text.into_bytes()),
        (Some(_) | None, None) => read(io::stdin().lock()).context("cannot read standard input"),
    }
}

/// One byte more than any topic allows is enough for the node to say that it is too much.
fn read(source: impl Read) -> io::Result<Vec<u8>> {
    let mut payload = Vec::new();
    source.take(u64::from(PAYLOAD_BYTES_MAX) + 1).read_to_end(&mut payload)?;
    Ok(payload)
}
