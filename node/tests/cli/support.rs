//! Runs the real binary. Every process that a test starts dies with it.

#![allow(dead_code, reason = "each test program uses a part of this")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take. Nothing should take a tenth of it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// A folder for one test, with data folders in it.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The command, with nothing in its environment that could be the developer's.
    pub(crate) fn command(&self, data: &str) -> Command {
        self.dress(Command::new(env!("CARGO_BIN_EXE_forsooth")), data)
    }

    fn dress(&self, mut command: Command, data: &str) -> Command {
        command.env_clear().env("HOME", self.0.path()).current_dir(self.0.path());
        // A proxy must not come between a command and its node.
        command.env("http_proxy", "http://127.0.0.1:1").env("HTTP_PROXY", "http://127.0.0.1:1");
        command.stdin(Stdio::null()).arg("--data").arg(self.path(data));
        command
    }

    /// Runs a command that ends by itself.
    pub(crate) fn run(&self, data: &str, args: &[&str]) -> Ended {
        Ended::from(self.command(data).args(args).output().unwrap())
    }

    /// As [`Self::run`], with standard input.
    pub(crate) fn run_with_input(&self, data: &str, args: &[&str], input: &[u8]) -> Ended {
        let mut command = self.command(data);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ended::from(child.wait_with_output().unwrap())
    }

    /// Writes a manifest of two topics to `file`.
    pub(crate) fn network(&self, file: &str, name: &str, bootnodes: &[&str]) {
        let mut args = vec!["network", "new", "--name", name, "--topic", "chat=verified"];
        args.extend(["--topic", "news/world=1/2", "--output", file]);
        args.extend(bootnodes.iter().flat_map(|address| ["--bootnode", address]));
        self.run("none", &args).succeeded();
    }

    /// Makes a data folder whose node listens on a free port, or the one given, and returns the node's id.
    pub(crate) fn init(&self, data: &str, manifest: &str, port: u16) -> String {
        let listen = format!("/ip4/127.0.0.1/tcp/{port}");
        let args =
            ["init", "--network", manifest, "--listen", &listen, "--http", "127.0.0.1:0", "--json"];
        self.run(data, &args).succeeded().json()["id"].as_str().unwrap().to_owned()
    }

    /// Starts a node and waits until it says that it runs.
    pub(crate) fn node(&self, data: &str) -> Running {
        self.spawn(data, &["run"]).up()
    }

    /// As [`Self::node`], one whose files can be limited in size: it is told that they are too large, and not killed for it.
    pub(crate) fn limitable_node(&self, data: &str) -> Running {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_forsooth")]);
        self.start(self.dress(shell, data), &["run"]).up()
    }

    /// Starts a subscription and waits until it stands.
    pub(crate) fn subscribe(&self, data: &str, args: &[&str]) -> Running {
        let subscriber = self.spawn(data, &[&["subscribe"], args].concat());
        subscriber.wait_for_note("subscribed to");
        subscriber
    }

    /// Starts a command that goes on until it is told to stop.
    pub(crate) fn spawn(&self, data: &str, args: &[&str]) -> Running {
        self.start(self.command(data), args)
    }

    fn start(&self, mut command: Command, args: &[&str]) -> Running {
        let notes = tempfile::NamedTempFile::new_in(self.0.path())
            .unwrap()
            .into_temp_path()
            .keep()
            .unwrap();
        let mut child = command
            .args(args)
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&notes).unwrap())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Running { child, stdout: Some(stdout), notes, seen: Vec::new() }
    }

    /// Asks the node for its status until it is as wanted.
    pub(crate) fn wait_for_status(
        &self,
        data: &str,
        what: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut last = String::new();
        poll(|| {
            let answer = self.run(data, &["status", "--json"]);
            last = format!("{}{}", answer.stdout, answer.stderr);
            serde_json::from_str(&answer.stdout).ok().filter(&wanted)
        })
        .unwrap_or_else(|| panic!("{data} is never as wanted: {what}; last seen: {last}"))
    }

    /// Waits until a node has so many links.
    pub(crate) fn wait_for_links(&self, data: &str, links: u64) -> Value {
        self.wait_for_status(data, &format!("{links} links"), |status| {
            status["node"]["links"] == links
        })
    }
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// It failed as a command fails, and said all this.
    #[track_caller]
    pub(crate) fn failed_with(self, said: &[&str]) -> Self {
        assert_eq!(self.code, Some(1), "{self:?}");
        for words in said {
            assert!(self.stderr.contains(words), "{words:?} is not in: {}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A command that goes on. Killed when dropped.
pub(crate) struct Running {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    notes: PathBuf,
    seen: Vec<String>,
}

impl Running {
    /// Waits until a node says that it runs.
    fn up(mut self) -> Self {
        while !self.line().starts_with("data") {}
        self
    }

    /// From now on no file that it writes grows beyond so many bytes, as on a full disk.
    pub(crate) fn limit_files(&self, bytes: &str) {
        let pid = self.child.id().to_string();
        let limit = format!("--fsize={bytes}:");
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    }

    /// The next line of its output.
    #[track_caller]
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.as_mut().unwrap().read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "it has ended: {}", self.notes());
        self.seen.push(line.trim_end().to_owned());
        line.trim_end().to_owned()
    }

    /// The first address that the node said it listens on.
    pub(crate) fn address(&self) -> &str {
        let line = self.seen.iter().find(|line| line.starts_with("listening")).unwrap();
        line.split_whitespace().nth(1).unwrap()
    }

    /// What it has written to stderr.
    pub(crate) fn notes(&self) -> String {
        fs::read_to_string(&self.notes).unwrap()
    }

    #[track_caller]
    pub(crate) fn wait_for_note(&self, words: &str) {
        let found = poll(|| self.notes().contains(words).then_some(()));
        assert!(found.is_some(), "{words:?} is never in: {}", self.notes());
    }

    /// Stops reading what it writes.
    pub(crate) fn close_output(&mut self) {
        self.stdout = None;
    }

    /// As `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// As `kill -SIGNAL`.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        let status = poll(|| self.child.try_wait().unwrap()).expect("it ends");
        let mut stdout = String::new();
        if let Some(mut rest) = self.stdout.take() {
            rest.read_to_string(&mut stdout).unwrap();
        }
        Ended { code: status.code(), stdout, stderr: self.notes() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again, as is the only way with another process, until there is an answer or no hope.
pub(crate) fn poll<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() > deadline {
            return None;
        }
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// A TCP port that nobody uses now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Sets a file's permissions.
pub(crate) fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
