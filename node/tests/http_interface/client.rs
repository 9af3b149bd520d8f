//! As little of an HTTP client as shows everything: HTTP/1.0, so that an answer ends with its connection.

use std::{net::SocketAddr, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::timeout,
};

/// No answer takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request, sent as it is written here.
pub(crate) struct Request {
    line: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// `GET /healthz`, to the right host.
    pub(crate) fn new(line: &str, to: SocketAddr) -> Self {
        Self {
            line: line.to_owned(),
            headers: vec![("Host".to_owned(), to.to_string())],
            body: Vec::new(),
        }
    }

    /// Without a header of this name.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(header, _)| !header.eq_ignore_ascii_case(name));
        self
    }

    /// With a header, besides others of its name.
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With a body of a length that it says.
    pub(crate) fn body(self, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self { body: body.clone(), ..self.with("Content-Length", body.len().to_string()) }
    }

    pub(crate) fn head(&self) -> String {
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{} HTTP/1.0\r\n{headers}\r\n", self.line)
    }

    /// The whole answer.
    pub(crate) async fn send(self, to: SocketAddr) -> Answer {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.write_all(self.head().as_bytes()).await.unwrap();
        // The server may have answered and closed before it has read everything.
        let _ = stream.write_all(&self.body).await;
        let mut bytes = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap().unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        Answer { head: head.to_owned(), body: body.to_owned() }
    }

    /// The answer's head, and then line by line.
    pub(crate) async fn open(self, to: SocketAddr) -> Lines {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream.write_all(self.head().as_bytes()).await.unwrap();
        let mut lines = Lines { stream: BufReader::new(stream), head: String::new() };
        while let Some(line) = lines.next().await.filter(|line| !line.is_empty()) {
            lines.head += &(line + "\n");
        }
        lines
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The code of an error.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }
}

/// An answer that does not end.
pub(crate) struct Lines {
    stream: BufReader<TcpStream>,
    pub(crate) head: String,
}

impl Lines {
    /// The next line, or `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<String> {
        let mut line = String::new();
        timeout(PATIENCE, self.stream.read_line(&mut line)).await.expect("a line in time").ok()?;
        line.ends_with('\n').then(|| line.trim_end().to_owned())
    }

    /// The fields of the next event, or `None` at the end.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        let mut event = Event::default();
        loop {
            let line = self.next().await?;
            match line.split_once(": ") {
                Some(("event", name)) => event.name = name.to_owned(),
                Some(("id", id)) => event.id = id.to_owned(),
                Some(("data", data)) => event.data = serde_json::from_str(data).unwrap(),
                _ if line.is_empty() && !event.name.is_empty() => return Some(event),
                _ => {}
            }
        }
    }
}

/// A server-sent event.
#[derive(Debug, Default)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}
