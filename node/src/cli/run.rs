//! `run`: starts the node and its HTTP interface, and stops both when told to.

use std::{io::IsTerminal as _, sync::Arc, time::Duration};

use anyhow::{Context as _, bail};
use forsooth::{
    Node, StartError, asn_map,
    config::{DataDir, Layer, Settings},
    http::{self, Limits, Server, Token},
    manifest::{self, Manifest},
    net::identity::peer_id,
};
use libp2p::multiaddr::Protocol;
use tracing_subscriber::EnvFilter;

use super::{
    Place, args::RunArgs, client::reachable, commands::load_key, output, signals::Signals,
};

/// How long the parts may take to stop before we stop waiting for them.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// What is left of a node when it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trace {
    /// Its key, and what is in its data folder.
    DataFolder,
    /// Nothing.
    None,
}

pub(super) fn run(place: &Place, args: RunArgs) -> anyhow::Result<()> {
    let trace = if args.ephemeral { Trace::None } else { Trace::DataFolder };
    let settings = place.settings(Layer::from(args.settings))?;
    log_to_stderr(&settings.log.value)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(&place.data, &settings, trace));
    // What is still busy then has had its time.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

fn log_to_stderr(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).with_context(|| {
        format!("the log filter {filter:?} makes no sense; try `info` or `forsooth=debug`")
    })?;
    // https://no-color.org
    let colours = std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .init();
    Ok(())
}

async fn serve(data: &DataDir, settings: &Settings, trace: Trace) -> anyhow::Result<()> {
    // From here on a signal is heard, however long the start takes.
    let mut signals = Signals::new().context("cannot listen for signals")?;
    let node = start_node(data, settings, trace).await?;
    let server = match start_http(&node, data, settings).await {
        Ok(server) => server,
        Err(error) => {
            node.shutdown().await?;
            return Err(error);
        }
    };
    let outcome = match announce(&node, &server, (data, trace), settings) {
        Ok(()) => attend(&node, &mut signals).await,
        Err(error) => Err(error),
    };
    data.retract();
    stop(node, server, &mut signals).await?;
    outcome
}

/// Waits until the node is to stop, or stops by itself.
async fn attend(node: &Node, signals: &mut Signals) -> anyhow::Result<()> {
    tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, "stopping; a second signal stops at once");
            Ok(())
        }
        // More peers than can be: this ends when the node does.
        _ = node.ready(usize::MAX) => bail!("the node has stopped by itself; its log says why"),
    }
}

async fn start_node(data: &DataDir, settings: &Settings, trace: Trace) -> anyhow::Result<Node> {
    let manifest =
        Manifest::load(&settings.network.value).map_err(|error| missing_manifest(error, data))?;
    let asns = settings.asn_map.value.as_deref().map(asn_map::load).transpose()?;
    let (peers, keep) = (manifest.bootnodes().to_vec(), settings.peers.value.clone());
    let mut builder = Node::builder(manifest.network().clone());
    match trace {
        Trace::DataFolder => {
            builder = builder.keypair(load_key(data, settings)?).data_dir(data.path())
        }
        // A key that is used again without its generation might use a slot twice: so it is a new one.
        Trace::None => data.create()?,
    }
    let mut builder = builder
        .listen(settings.listen.value.clone())
        .external(settings.external.value.clone())
        .peers(peers)
        .keep(keep);
    if let Some(asns) = asns {
        tracing::info!(ranges = asns.len(), "read the table of autonomous systems");
        builder = builder.asn_map(Arc::new(asns));
    }
    if let Some(links) = settings.outbound_target.value {
        builder = builder.outbound_target(links);
    }
    builder.start().await.map_err(start_failed)
}

fn missing_manifest(error: manifest::Error, data: &DataDir) -> anyhow::Error {
    if matches!(error, manifest::Error::Missing { .. }) {
        let here = data.network();
        return anyhow::anyhow!(
            "{error}\nCopy it to {}, or name it with --network",
            here.display()
        );
    }
    error.into()
}

fn start_failed(error: StartError) -> anyhow::Error {
    if matches!(error, StartError::PortInUse { .. }) {
        return anyhow::anyhow!("{error}\nElsewhere is, for instance, --listen /ip4/0.0.0.0/tcp/0");
    }
    error.into()
}

async fn start_http(node: &Node, data: &DataDir, settings: &Settings) -> anyhow::Result<Server> {
    let config = http::Config {
        listen: settings.http.value,
        hosts: settings.http_hosts.value.clone(),
        token: Token::load_or_create(&data.http_token())?,
        limits: Limits::default(),
    };
    if !config.listen.ip().is_loopback() {
        tracing::warn!(http = %config.listen, "others can reach the HTTP interface; reading needs no token");
    }
    Ok(Server::start(node.clone(), config).await?)
}

/// Tells the operator and the other commands that the node runs, and where.
fn announce(
    node: &Node,
    server: &Server,
    (data, trace): (&DataDir, Trace),
    settings: &Settings,
) -> anyhow::Result<()> {
    let http = reachable(server.address());
    data.announce(http)?;
    let network = node.network();
    let protocol =
        format!("{} ({}), {}", network.name(), network.kind().name(), network.protocol_name());
    let mut rows = vec![
        ("node", node.id().to_string()),
        ("peer id", peer_id(&node.id()).to_string()),
        ("network", protocol),
    ];
    rows.extend(node.addresses().iter().map(|address| ("listening", address.to_string())));
    let me = Protocol::P2p(peer_id(&node.id()));
    let external = settings.external.value.iter().map(|at| at.clone().with(me.clone()));
    rows.extend(external.map(|address| ("external", address.to_string())));
    rows.push(("http", format!("http://{http}")));
    rows.push((
        "data",
        match trace {
            Trace::DataFolder => data.path().display().to_string(),
            Trace::None => "in memory, and gone with this process".to_owned(),
        },
    ));
    output::line(format_args!(
        "forsooth {} is running. Stop it with Ctrl-C.\n{}",
        env!("CARGO_PKG_VERSION"),
        output::pairs(rows)
    ))?;
    Ok(())
}

async fn stop(node: Node, server: Server, signals: &mut Signals) -> anyhow::Result<()> {
    let orderly = async {
        server.shutdown().await;
        node.shutdown().await
    };
    tokio::select! {
        outcome = tokio::time::timeout(STOP_TIMEOUT, orderly) => {
            Ok(outcome.with_context(|| format!("the node did not stop within {STOP_TIMEOUT:?}"))??)
        }
        signal = signals.next() => bail!("{signal} again: stopped at once"),
    }
}
