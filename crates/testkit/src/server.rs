//! A handle on a real server process on a free port of loopback; killed when the handle is dropped.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::certificates::TlsClient;
use crate::http::Connection;

/// How long a server may take until it says that it listens.
const START: Duration = Duration::from_secs(60);

/// What the server prints, followed by the scheme and its address.
const LISTENING: &str = "listening on http";

/// Ticks in which the system counts CPU time, in a second (`sysconf(_SC_CLK_TCK)` on Linux).
const TICKS: f64 = 100.0;

/// How to start a server.
#[derive(Clone, Debug)]
pub struct ServerSpec {
    /// The `procura` binary.
    pub binary: PathBuf,
    /// Directory of policies.
    pub policies: PathBuf,
    /// Directory of the decision log and other state.
    pub data: PathBuf,
    /// More arguments of `procura serve`.
    pub args: Vec<String>,
    /// More of its environment.
    pub env: Vec<(String, String)>,
    /// The CPUs it may use, as `taskset` takes them; `None` for all.
    pub cpus: Option<String>,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    output: Arc<Mutex<String>>,
}

impl ServerSpec {
    /// A server of `binary` on these directories, with default settings.
    #[must_use]
    pub fn new(binary: impl AsRef<Path>, policies: impl AsRef<Path>, data: impl AsRef<Path>) -> Self {
        Self {
            binary: binary.as_ref().to_owned(),
            policies: policies.as_ref().to_owned(),
            data: data.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            cpus: None,
        }
    }

    /// Adds one argument, for example `--set=engine.onError=cerbos`.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds one variable of the environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Starts the server and waits until it listens.
    pub async fn start(&self) -> anyhow::Result<Server> {
        let mut command = match &self.cpus {
            None => Command::new(&self.binary),
            Some(cpus) => {
                let mut pinned = Command::new("taskset");
                pinned.args(["-c", cpus]).arg(&self.binary);
                pinned
            }
        };
        let mut child = command
            .arg("serve")
            .arg("--set=server.httpListenAddr=127.0.0.1:0")
            .arg(format!("--set=storage.disk.directory={}", self.policies.display()))
            .arg(format!("--data-dir={}", self.data.display()))
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.binary.display()))?;
        let output = Arc::new(Mutex::new(String::new()));
        let (found, mut address) = watch::channel(None);
        let found = Arc::new(found);
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(collect(stdout, Arc::clone(&output), Arc::clone(&found)));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(collect(stderr, Arc::clone(&output), found));
        }
        let listening = tokio::time::timeout(START, address.wait_for(Option::is_some)).await;
        let address = listening.ok().and_then(Result::ok).and_then(|address| *address);
        let Some(address) = address else {
            bail!("the server did not say that it listens:\n{}", text(&output));
        };
        Ok(Server { child, address, output })
    }
}

impl Server {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A new connection to it.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        Connection::open(self.address).await
    }

    /// A new encrypted connection to it.
    pub async fn connect_tls(&self, client: &TlsClient) -> anyhow::Result<Connection> {
        Connection::open_tls(self.address, client).await
    }

    /// Process id; `None` once it has ended.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Seconds of CPU that it has used, user and system.
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = self.of_system("stat")?;
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_whitespace();
        let ticks: Vec<f64> = fields.skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        Ok(ticks.iter().sum::<f64>() / TICKS)
    }

    /// Bytes of memory that it has.
    pub fn resident(&self) -> anyhow::Result<u64> {
        let status = self.of_system("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no `VmRSS`")?;
        Ok(1024 * line.trim().trim_end_matches(" kB").parse::<u64>()?)
    }

    /// What the system says of it in the file `name`.
    fn of_system(&self, name: &str) -> anyhow::Result<String> {
        let pid = self.pid().context("the server has ended")?;
        Ok(fs::read_to_string(format!("/proc/{pid}/{name}"))?)
    }

    /// Everything it has printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        text(&self.output)
    }

    /// Kills it at once, as `kill -9` does, and waits until it is gone.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().await.context("cannot kill the server")
    }

    /// Sends a signal by name, for example `TERM` or `HUP`.
    pub async fn signal(&self, name: &str) -> anyhow::Result<()> {
        let Some(pid) = self.pid() else { bail!("the server has ended") };
        let status = Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().await?;
        if !status.success() {
            bail!("cannot send {name} to the server");
        }
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub async fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        self.child.wait().await.context("cannot wait for the server")
    }
}

async fn collect(
    stream: impl AsyncRead + Unpin,
    output: Arc<Mutex<String>>,
    found: Arc<watch::Sender<Option<SocketAddr>>>,
) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(address) = listening_address(&line) {
            found.send_replace(Some(address));
        }
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        output.push_str(&line);
        output.push('\n');
    }
}

fn listening_address(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once(LISTENING)?.1.split_once("://")?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".:[]".contains(c))).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

fn text(output: &Mutex<String>) -> String {
    output.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_text_and_json_lines() {
        let lines = [
            "INFO listening on http://127.0.0.1:3592",
            r#"{"level":"INFO","message":"listening on http://127.0.0.1:3592","a":1}"#,
            "listening on https://127.0.0.1:3592/ (loopback only)",
        ];
        for line in lines {
            assert_eq!(listening_address(line), Some("127.0.0.1:3592".parse().unwrap()), "{line}");
        }
        assert_eq!(listening_address("listening on http://nowhere"), None);
    }
}
