//! `events.ndjson`: what happened, an object a line, and at last how much of it was left out.

use std::io;

use crate::record::history::{Event, History};

/// The name of the last line.
const END: &str = "end";

pub(super) fn write(out: &mut impl io::Write, history: &History) -> io::Result<()> {
    let end = Event {
        t: history.end_s,
        what: END.to_owned(),
        text: format!(
            "{} events written, {} left out",
            history.events.len(),
            history.events_left_out
        ),
        ..Event::default()
    };
    for event in history.events.iter().chain([&end]) {
        serde_json::to_writer(&mut *out, event)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}
