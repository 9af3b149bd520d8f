//! What can be typed.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use forsooth::{
    config::{
        Layer, Passphrase, parse_external, parse_http, parse_listen, parse_outbound_target,
        parse_peer,
    },
    membership::Preset,
    network::{Kind, Policy, Topic},
};
use libp2p::Multiaddr;

use super::{
    params::ParamsArgs,
    parse::{parse_duration, parse_topic},
};

const EXAMPLES: &str = "\
Examples:
  forsooth network new --name demo --topic chat=verified --output demo.toml
  forsooth init --network demo.toml
  forsooth run
  forsooth subscribe chat
  forsooth publish chat 'hello'

Exit codes: 0 done, 1 failed, 2 wrong usage.";

/// A Byzantine-robust gossip node: gossip you can believe.
#[derive(Debug, Parser)]
#[command(name = "forsooth", version, about, after_help = EXAMPLES)]
pub(super) struct Cli {
    /// The data folder [env: FORSOOTH_DATA] [default: ~/.local/share/forsooth, or as XDG_DATA_HOME says]
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a data folder with a new key
    Init(InitArgs),
    /// Run the node until it is told to stop (Ctrl-C or SIGTERM; a second one stops it at once)
    Run(RunArgs),
    /// Show how the running node stands
    Status(ShowArgs),
    /// Show the peers that the running node is linked with
    Peers(ShowArgs),
    /// Show, add and lift bans
    Bans(BansArgs),
    /// Show the members of the network, and what becomes of them
    Members(MembersArgs),
    /// Publish a message through the running node
    Publish(PublishArgs),
    /// Print the messages that the running node accepts on a topic
    Subscribe(SubscribeArgs),
    /// The node's key
    #[command(subcommand)]
    Key(KeyCommand),
    /// The network's manifest
    #[command(subcommand)]
    Network(NetworkCommand),
    /// The node's configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Compute how many witnesses are enough against a share of liars
    Params(ParamsArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Show the node's id, which others know it by
    Show(ShowSettingsArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum NetworkCommand {
    /// Write a manifest for a new network
    New(NewNetworkArgs),
    /// Show what a manifest says and which protocol it stands for
    Show(ShowNetworkArgs),
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Show every setting and where its value came from
    Show(ShowSettingsArgs),
}

/// How a result is printed.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct OutputArgs {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Debug)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(super) struct ShowSettingsArgs {
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

const BANS_HELP: &str = "\
WHOM is a node id as `peers --json` shows it, a peer id (12D3KooW...), an IP address, or a network such as
192.0.2.0/24. With a ban, links are closed; it holds over a restart. What others are banned for is under CAUSE: the
name of a fault, `company` for a network whose newcomers are refused because several peers from there are
banned, or `operator`.

Examples:
  forsooth bans
  forsooth bans add 192.0.2.0/24 --for 48h
  forsooth bans remove 192.0.2.0/24";

#[derive(Args, Debug)]
#[command(after_help = BANS_HELP, args_conflicts_with_subcommands = true)]
pub(super) struct BansArgs {
    #[command(subcommand)]
    pub(super) command: Option<BansCommand>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum BansCommand {
    /// Ban a peer, an address or a network
    #[command(after_help = BANS_HELP)]
    Add(BanArgs),
    /// Lift a ban
    Remove(UnbanArgs),
}

#[derive(Args, Debug)]
pub(super) struct BanArgs {
    /// Whom
    pub(super) whom: String,
    /// For how long: 30m, 48h [default: for good]
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    pub(super) length: Option<Duration>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Args, Debug)]
pub(super) struct UnbanArgs {
    /// Whose ban
    pub(super) whom: String,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

const MEMBERS_HELP: &str = "\
A member is a node with an address that others can be told of, on a network whose manifest has a table [membership].
Each is observed by several others, which are drawn anew now and then. It is SUSPECTED when some of them
say that it does not answer, and dead only by a certificate: signed accusations by more of them than may lie. EPOCH is the
generation of its present life, and how often it had to say that it lives.

--watch goes on with a line for each change: joined, suspected, recovered, died (and by whose word), left, evicted
(it has signed two things). Ends with exit code 1 when the node stops.

Examples:
  forsooth members
  forsooth members --watch
  forsooth members --watch --json | jq 'select(.event == \"died\")'";

#[derive(Args, Clone, Copy, Debug)]
#[command(after_help = MEMBERS_HELP)]
pub(super) struct MembersArgs {
    /// Go on with a line for each change
    #[arg(long)]
    pub(super) watch: bool,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

const INIT_HELP: &str = "\
Makes the folder (0700), key.pem (0600), forsooth.toml with the settings given here, and network.toml, a
copy of the manifest. Overwrites nothing. The key is encrypted if there is a passphrase, in the variable
FORSOOTH_PASSPHRASE or in a file named by --passphrase-file.

Examples:
  forsooth init --network demo.toml
  forsooth --data b init --network demo.toml --listen /ip4/127.0.0.1/tcp/0 --http 127.0.0.1:0";

#[derive(Args, Debug)]
#[command(after_help = INIT_HELP)]
pub(super) struct InitArgs {
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

const RUN_HELP: &str = "\
Each setting may also be an environment variable (FORSOOTH_LISTEN, ...) or be in forsooth.toml in the data
folder; `forsooth config show` says what is in force and why.

Examples:
  forsooth run
  forsooth run --http 127.0.0.1:0 --log debug
  forsooth run --peer /ip4/192.0.2.1/tcp/8650/p2p/12D3KooW...";

#[derive(Args, Debug)]
#[command(after_help = RUN_HELP)]
pub(super) struct RunArgs {
    /// Take part under a new key, and keep nothing but in memory: neither messages, nor bans, nor peers
    #[arg(long)]
    pub(super) ephemeral: bool,
    #[command(flatten)]
    pub(super) settings: SettingsArgs,
}

/// What a flag may set.
#[derive(Args, Debug)]
pub(super) struct SettingsArgs {
    /// The network's manifest [default: network.toml in the data folder]
    #[arg(long, value_name = "FILE")]
    network: Option<PathBuf>,
    /// Where peers reach this node; may be repeated [default: port 8650, TCP and QUIC]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_listen)]
    listen: Vec<Multiaddr>,
    /// Where others reach this node, if not where it listens, as behind a NAT; may be repeated
    #[arg(long, value_name = "ADDRESS", value_parser = parse_external)]
    external: Vec<Multiaddr>,
    /// A peer to dial besides the bootnodes; may be repeated
    #[arg(long, value_name = "ADDRESS", value_parser = parse_peer)]
    peer: Vec<Multiaddr>,
    /// Where the HTTP interface listens; port 0 takes a free one [default: 127.0.0.1:8651]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_http)]
    http: Option<SocketAddr>,
    /// A name that HTTP clients may call this node, besides localhost; may be repeated
    #[arg(long, value_name = "HOST")]
    http_host: Vec<String>,
    /// Links that this node chooses itself [default: what the network's policies need, at least 8]
    #[arg(long, value_name = "N", value_parser = parse_outbound_target)]
    outbound_target: Option<usize>,
    /// A table of autonomous systems, by which peers count as of one network [default: none]
    #[arg(long, value_name = "FILE")]
    asn_map: Option<PathBuf>,
    /// What is logged: error, warn, info, debug, trace, or a filter such as forsooth=debug
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// A file whose first line is the key's passphrase
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl From<SettingsArgs> for Layer {
    fn from(args: SettingsArgs) -> Self {
        Self {
            network: args.network,
            listen: some(args.listen),
            external: some(args.external),
            peers: some(args.peer),
            http: args.http,
            http_hosts: some(args.http_host),
            outbound_target: args.outbound_target,
            asn_map: args.asn_map,
            log: args.log,
            passphrase: args.passphrase_file.map(Passphrase::File),
        }
    }
}

/// A flag that was never given sets nothing.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

const PUBLISH_HELP: &str = "\
Examples:
  forsooth publish chat 'hello'
  date | forsooth publish chat -
  forsooth publish news/world --file story.txt --lifetime 30s";

#[derive(Args, Debug)]
#[command(after_help = PUBLISH_HELP)]
pub(super) struct PublishArgs {
    /// The topic
    pub(super) topic: String,
    /// The payload as text, or - to read it from standard input
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub(super) text: Option<String>,
    /// A file with the payload
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
    /// For how long the message is worth relaying: 500ms, 30s, 2m [default: the topic's maximum]
    #[arg(long, value_parser = parse_duration)]
    pub(super) lifetime: Option<Duration>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

const SUBSCRIBE_HELP: &str = "\
Prints a line for each message from now on: when it was accepted, its author, its place (generation and
number), its text. Control characters are escaped, and what is no text is printed in base64. With --json
each line is an object; one with `missed` says how many messages were lost because they were read too
slowly, one with `unaccepted` that a message was dropped and why, one with `contested` that the author of a message
that was accepted has said another thing in its place. Without --json these go to stderr. Ends with exit code 1 when the node stops.

Examples:
  forsooth subscribe chat
  forsooth subscribe chat --json --limit 10
  forsooth subscribe news --policy 7/8
  forsooth subscribe news --from start --json";

#[derive(Args, Debug)]
#[command(after_help = SUBSCRIBE_HELP)]
pub(super) struct SubscribeArgs {
    /// The topic
    pub(super) topic: String,
    /// A policy that is stricter than the topic's, such as 7/8 or 5/8,settle=2s [default: the topic's]
    #[arg(long)]
    pub(super) policy: Option<Policy>,
    /// Of a topic that is kept: begin with the oldest message (start), or after one (its id, as --json shows it), and
    /// get each once; and then what comes [default: what comes]
    #[arg(long, value_name = "start|ID", conflicts_with = "policy")]
    pub(super) from: Option<String>,
    /// Stop after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) limit: Option<u64>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

const NEW_NETWORK_HELP: &str = "\
A topic's policy is `verified` (accepted once its signature is good), K/N (accepted once K of the N
witnesses that a node chose vouch for it), K/N,settle=TIME (and no other message for its place has come to
light for so long), or attested=K (accepted once K authors have signed the same). `forsooth params` computes K and N. The limits are the recommended ones; change them in the file
before the first node uses it, since they are part of the network's identity.

Examples:
  forsooth network new --name demo --topic chat=verified --topic news=5/8
  forsooth network new --name open --kind testnet --topic chat=5/8 --output open.toml \\
      --bootnode /ip4/192.0.2.1/tcp/8650/p2p/12D3KooW...";

#[derive(Args, Debug)]
#[command(after_help = NEW_NETWORK_HELP)]
pub(super) struct NewNetworkArgs {
    /// The network's name
    #[arg(long)]
    pub(super) name: String,
    /// What the network is for
    #[arg(long, value_enum, default_value_t = KindArg::Local)]
    pub(super) kind: KindArg,
    /// Keep accepted messages of all topics for those who come later, for so long: 10m, 24h [default: they are not kept]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(super) retention: Option<Duration>,
    /// A topic and its policy; may be repeated
    #[arg(long = "topic", value_name = "NAME=POLICY", required = true, value_parser = parse_topic)]
    pub(super) topics: Vec<Topic>,
    /// Whether all nodes know who is a member, and how quickly [default: local for a local network, else wan]
    #[arg(long, value_enum)]
    pub(super) membership: Option<MembershipArg>,
    /// A node that newcomers find the network through, as `run` prints it; may be repeated
    #[arg(long = "bootnode", value_name = "ADDRESS", value_parser = parse_peer)]
    pub(super) bootnodes: Vec<Multiaddr>,
    /// Where to write it, instead of standard output; never overwritten
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct ShowNetworkArgs {
    /// The manifest [default: this node's]
    pub(super) file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum MembershipArg {
    /// They do not
    Off,
    /// One machine: a dead member is known after some 5 s
    Local,
    /// One site: after some 10 s
    Lan,
    /// The Internet: after some 30 s
    Wan,
}

impl MembershipArg {
    pub(super) const fn preset(self) -> Option<Preset> {
        match self {
            Self::Off => None,
            Self::Local => Some(Preset::Local),
            Self::Lan => Some(Preset::Lan),
            Self::Wan => Some(Preset::Wan),
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum KindArg {
    /// One machine, or one bench of machines
    Local,
    /// An open network for experiments
    Testnet,
    /// An open network that people rely on
    Production,
}

impl From<KindArg> for Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Local => Self::Local,
            KindArg::Testnet => Self::Testnet,
            KindArg::Production => Self::Production,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
