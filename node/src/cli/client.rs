//! Asks the running node over its HTTP interface.

use std::{
    io::{BufRead, BufReader},
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::Context as _;
use forsooth::{
    config::DataDir,
    http::{
        Token,
        view::{FailureView, ReadinessView},
    },
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use ureq::{Agent, Body, http::Response};

/// How long the node may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(45);
/// Bytes of an answer; with all links and topics there are a few hundred kilobytes.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// Speaks with the node that runs on a data folder.
pub(super) struct Client<'a> {
    agent: Agent,
    address: SocketAddr,
    data: &'a DataDir,
}

impl<'a> Client<'a> {
    /// Finds the node through the data folder.
    pub(super) fn find(data: &'a DataDir) -> anyhow::Result<Self> {
        let address = data.announced().with_context(|| no_node(data))?;
        let config = Agent::config_builder()
            // The node is on this machine; a proxy from the environment would not reach it.
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_connect(Some(Duration::from_secs(5)))
            .timeout_recv_response(Some(ANSWER_TIMEOUT));
        Ok(Self { agent: config.build().new_agent(), address, data })
    }

    /// What a page says.
    pub(super) fn get<T: DeserializeOwned>(&self, page: &str) -> anyhow::Result<T> {
        read(self.send(|| self.agent.get(self.url(page)).call())?)
    }

    /// Whether the node is ready; an answer either way.
    pub(super) fn readiness(&self) -> anyhow::Result<ReadinessView> {
        let mut response = self.send(|| self.agent.get(self.url("/readyz")).call())?;
        let text = text(&mut response)?;
        serde_json::from_str(&text)
            .with_context(|| format!("the node answered {}", response.status()))
    }

    /// What publishing a payload comes to.
    pub(super) fn post<T: DeserializeOwned>(
        &self,
        page: &str,
        payload: &[u8],
    ) -> anyhow::Result<T> {
        let token = self.token()?;
        let request =
            self.agent.post(self.url(page)).header("authorization", token.authorization());
        read(self.send(|| request.content_type("application/octet-stream").send(payload))?)
    }

    /// What putting something to a page comes to.
    pub(super) fn put<T: DeserializeOwned>(&self, page: &str) -> anyhow::Result<T> {
        let token = self.token()?;
        let request = self.agent.put(self.url(page)).header("authorization", token.authorization());
        read(self.send(|| request.send_empty())?)
    }

    /// What deleting a page comes to.
    pub(super) fn delete<T: DeserializeOwned>(&self, page: &str) -> anyhow::Result<T> {
        let token = self.token()?;
        let request =
            self.agent.delete(self.url(page)).header("authorization", token.authorization());
        read(self.send(|| request.call())?)
    }

    /// A page that does not end.
    pub(super) fn stream(&self, page: &str) -> anyhow::Result<impl BufRead + use<>> {
        let mut response = self.send(|| self.agent.get(self.url(page)).call())?;
        if !response.status().is_success() {
            return Err(refusal(&mut response));
        }
        Ok(BufReader::new(response.into_body().into_reader()))
    }

    fn token(&self) -> anyhow::Result<Token> {
        Ok(Token::load(&self.data.http_token())?)
    }

    fn url(&self, page: &str) -> String {
        format!("http://{}{page}", self.address)
    }

    fn send(
        &self,
        call: impl FnOnce() -> Result<Response<Body>, ureq::Error>,
    ) -> anyhow::Result<Response<Body>> {
        let Self { address, data, .. } = self;
        call().with_context(|| {
            format!(
                "no node answers at {address}, as http.addr has it; perhaps it was killed. {}",
                no_node(data)
            )
        })
    }
}

fn no_node(data: &DataDir) -> String {
    let path = data.path().display();
    format!("No node runs on the data folder {path}: start it with `forsooth --data {path} run`")
}

fn read<T: DeserializeOwned>(mut response: Response<Body>) -> anyhow::Result<T> {
    if !response.status().is_success() {
        return Err(refusal(&mut response));
    }
    let text = text(&mut response)?;
    serde_json::from_str(&text)
        .context("the node's answer makes no sense; is it another version of forsooth?")
}

fn text(response: &mut Response<Body>) -> anyhow::Result<String> {
    let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX);
    body.read_to_string().context("the node's answer was cut off")
}

fn refusal(response: &mut Response<Body>) -> anyhow::Error {
    let status = response.status();
    let failure = text(response).and_then(|text| Ok(serde_json::from_str::<FailureView>(&text)?));
    match failure {
        Ok(FailureView { error }) => anyhow::Error::msg(super::output::printable(&error.message)),
        Err(_) => {
            anyhow::anyhow!("the node answered {status}; is it another program that listens there?")
        }
    }
}

/// The page with a topic's messages. A topic's name may have slashes in it.
pub(super) fn messages_page(topic: &str) -> String {
    format!("/v1/topics/{}/messages", utf8_percent_encode(topic, NON_ALPHANUMERIC))
}

/// Where a client on this machine reaches what listens at `address`.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip().is_unspecified() {
        true => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        false => address,
    }
}
