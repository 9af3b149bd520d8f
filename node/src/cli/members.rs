//! `members`: who is a member of the network, and what becomes of them.

use anyhow::{Context as _, bail};
use forsooth::{
    config::DataDir,
    http::view::{MemberNewsView, MemberView, MembersView, MembershipView, MissedView},
};
use serde_json::json;

use super::{
    args::{MembersArgs, OutputArgs},
    client::Client,
    events::{ServerEvent, clock, next_event},
    output,
};

pub(super) fn members(data: &DataDir, args: MembersArgs) -> anyhow::Result<()> {
    let client = Client::find(data)?;
    if !args.watch {
        return list(&client, args.output);
    }
    // Before the list is asked for, so that nothing falls in between.
    let mut stream = client.stream("/v1/members/events")?;
    list(&client, args.output)?;
    while let Some(event) = next_event(&mut stream)? {
        tell(&event, args.output)?;
    }
    bail!("the node has ended the stream: it stopped, or was killed");
}

fn list(client: &Client<'_>, output: OutputArgs) -> anyhow::Result<()> {
    let view: MembersView = client.get("/v1/members")?;
    if output.json {
        return output::json(&view);
    }
    let rows: Vec<_> = view.members.iter().map(row).collect();
    output::line(output::table(
        ["MEMBER", "STATE", "EPOCH", "OBSERVED", "ADDRESS", "TAGS"],
        &rows,
    ))?;
    output::line(format_args!("\n{}", summary(&view.membership)))?;
    Ok(())
}

fn summary(view: &MembershipView) -> String {
    let MembershipView { members, suspected, observers, needed, subjects, doubtful, .. } = view;
    let own = match view.is_member {
        true => "",
        false => {
            "\nthis node is none: it has no address that others could be told of; see --external"
        }
    };
    format!(
        "{members} members, {suspected} suspected; each has {observers} observers, and {needed} must agree that it is dead\n\
         this node observes {subjects} of them, of which {doubtful} do not answer{own}"
    )
}

fn row(member: &MemberView) -> [String; 6] {
    let state = match (member.is_this_node, member.suspected) {
        (true, _) => "this node",
        (false, true) => "suspected",
        (false, false) => "alive",
    };
    // Others chose these words.
    let tag = |(key, value): (&String, &String)| output::printable(&format!("{key}={value}"));
    let address = member.addresses.first().map(|address| output::printable(address));
    [
        member.id.short().to_string(),
        state.to_owned(),
        format!("{}/{}", member.generation, member.incarnation),
        member.observed_on.map_or_else(|| "-".to_owned(), |ring| format!("on ring {ring}")),
        address.unwrap_or_else(|| "-".to_owned()),
        member.tags.iter().map(tag).collect::<Vec<_>>().join(" "),
    ]
}

fn tell(event: &ServerEvent, output: OutputArgs) -> anyhow::Result<()> {
    if event.name == "missed" {
        let MissedView { count } = read(&event.data)?;
        if output.json {
            return output::json(&json!({ "missed": count }));
        }
        output::note(format_args!("{count} changes are missing here: they were read too slowly"));
        return Ok(());
    }
    let news: MemberNewsView = read(&event.data)?;
    if output.json {
        return output::json(&news);
    }
    let epoch = match (news.generation, news.incarnation) {
        (Some(generation), Some(incarnation)) => format!("  {generation}/{incarnation}"),
        (_, _) => String::new(),
    };
    let accusers: Vec<_> =
        news.certificate.iter().map(|accusation| accusation.accuser.short().to_string()).collect();
    let by = match accusers.len() {
        0 => String::new(),
        count => format!("  by the word of {count}: {}", accusers.join(" ")),
    };
    let name = output::printable(&news.event);
    output::line(format_args!("{} {name:9} {}{epoch}{by}", clock(news.at), news.id.short()))?;
    Ok(())
}

fn read<T: serde::de::DeserializeOwned>(data: &str) -> anyhow::Result<T> {
    serde_json::from_str(data).context("the node sent news that make no sense")
}
