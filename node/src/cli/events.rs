//! The events that a running node streams, as the command line reads them.

use std::{
    io::{BufRead, Read as _},
    time::Duration,
};

use anyhow::bail;

/// Bytes of a line of the stream: a payload of 1 MiB, once in base64 and once as text with every
/// character escaped, and what is around them.
const LINE_BYTES_MAX: u64 = 16 << 20;

/// The time of day in UTC: `12:34:56.789`.
pub(super) fn clock(ms: u64) -> String {
    let since = Duration::from_millis(ms);
    let (s, ms) = (since.as_secs() % 86_400, since.subsec_millis());
    format!("{:02}:{:02}:{:02}.{ms:03}", s / 3600, s / 60 % 60, s % 60)
}

/// An event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ServerEvent {
    pub(super) name: String,
    pub(super) data: String,
}

/// The next event of a stream as the HTML standard has it (section 9.2.6), of which our server uses the
/// fields `event`, `data` and `id`, and comments. `None` at the end.
pub(super) fn next_event(stream: &mut impl BufRead) -> anyhow::Result<Option<ServerEvent>> {
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
