//! `bans`: who is banned, and the operator's own word on it.

use std::time::{Duration, SystemTime};

use forsooth::{config::DataDir, http::view::BanView};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    args::{BanArgs, BansArgs, BansCommand, OutputArgs, UnbanArgs},
    client::Client,
    output,
};

pub(super) fn bans(data: &DataDir, args: BansArgs) -> anyhow::Result<()> {
    match args.command {
        None => list(data, args.output),
        Some(BansCommand::Add(ban)) => add(data, &ban),
        Some(BansCommand::Remove(unban)) => remove(data, &unban),
    }
}

fn list(data: &DataDir, output: OutputArgs) -> anyhow::Result<()> {
    let bans: Vec<BanView> = Client::find(data)?.get("/v1/bans")?;
    if output.json {
        return output::json(&bans);
    }
    if bans.is_empty() {
        output::note(format_args!("nobody is banned"));
        return Ok(());
    }
    let row = |ban: &BanView| [ban.whom.clone(), lasts(ban), ban.cause.clone(), ban.reason.clone()];
    let rows: Vec<_> = bans.iter().map(row).collect();
    output::line(output::table(["WHOM", "LASTS", "CAUSE", "REASON"], &rows))?;
    Ok(())
}

fn add(data: &DataDir, args: &BanArgs) -> anyhow::Result<()> {
    let query = args.length.map(|length| format!("?for_ms={}", length.as_millis()));
    let page = page(&args.whom) + &query.unwrap_or_default();
    let ban: BanView = Client::find(data)?.put(&page)?;
    if args.output.json {
        return output::json(&ban);
    }
    output::line(format_args!("{} is banned {}", ban.whom, lasts(&ban)))?;
    Ok(())
}

fn remove(data: &DataDir, args: &UnbanArgs) -> anyhow::Result<()> {
    let lifted: BanView = Client::find(data)?.delete(&page(&args.whom))?;
    if args.output.json {
        return output::json(&lifted);
    }
    output::line(format_args!(
        "{} is no longer banned (it was for: {})",
        lifted.whom, lifted.reason
    ))?;
    Ok(())
}

fn page(whom: &str) -> String {
    format!("/v1/bans/{}", utf8_percent_encode(whom, NON_ALPHANUMERIC))
}

/// For how long yet.
fn lasts(ban: &BanView) -> String {
    let Some(until) = ban.until else { return "for good".to_owned() };
    let end = SystemTime::UNIX_EPOCH + Duration::from_millis(until);
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    // Of 48 hours, a second after they began, 48 are left.
    let seconds = left.as_millis().div_ceil(1000);
    format!("for {}", output::span(u64::try_from(seconds).unwrap_or(u64::MAX)))
}
