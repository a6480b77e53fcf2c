//! Trial: a real server ships its log to a file, to an HTTP server and to an OTLP collector, which fail at random, and is
//! killed again and again. Each destination must get every record of the log, in order, at least once.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use procura::audit::{DirFiles, LogReader};
use serde_json::json;
use tokio::task::JoinSet;

use crate::kill::{POLICY, call_until_it_dies};
use crate::receiver::{Arrival, Conduct, Receiver, compare, lines};
use crate::rng::Rng;
use crate::server::{Server, ServerSpec};
use crate::temp_dir::TempDir;

/// How many connections call at once.
const CONNECTIONS: usize = 4;

/// How often the receivers change their conduct in a round, and the longest time between, in milliseconds.
const CHANGES: usize = 4;
const LONGEST: usize = 60;

/// What a receiver may do besides taking records and being down.
const CONDUCTS: [Conduct; 9] = [
    Conduct::Accept,
    Conduct::Accept,
    Conduct::AtMost(3),
    Conduct::Refuse(500),
    Conduct::Refuse(429),
    Conduct::Refuse(401),
    Conduct::Hang,
    Conduct::Close,
    Conduct::TakeAndClose,
];

/// What came of the rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many times the server was killed.
    pub kills: u64,
    /// How often a receiver changed its conduct or went down.
    pub changes: u64,
    /// How many records the log has at the end.
    pub records: u64,
    /// How many records came more than once, at all destinations together.
    pub repeats: u64,
}

/// Kills servers of `binary` `rounds` times. An error means that a destination did not get what it should.
pub async fn run(
    binary: &Path,
    rounds: u64,
    seed: u64,
    mut progress: impl FnMut(&Outcome),
) -> anyhow::Result<Outcome> {
    let mut trial = Trial::new(binary, seed).await?;
    let mut outcome = Outcome::default();
    for round in 0..rounds {
        trial.round(&mut outcome).await.with_context(|| format!("round {round} of seed {seed}"))?;
        outcome.kills += 1;
        progress(&outcome);
    }
    trial.settle(&mut outcome).await.with_context(|| format!("seed {seed}"))?;
    Ok(outcome)
}

struct Trial {
    spec: ServerSpec,
    dir: TempDir,
    rng: Rng,
    receivers: [Receiver; 2],
}

impl Trial {
    async fn new(binary: &Path, seed: u64) -> anyhow::Result<Self> {
        let dir = TempDir::new("ship");
        dir.write("policies/album.yaml", POLICY);
        let receivers = [Receiver::start(Conduct::Accept).await, Receiver::start(Conduct::Accept).await];
        let [http, otlp] = &receivers;
        let common = |name: &str, kind: &str, target: serde_json::Value| json!({ "name": name, kind: target, "interval": "5ms", "longestPause": "100ms", "batchRecords": 50 });
        let path = dir.path().join("shipped.ndjson");
        let config = json!({ "audit": { "segmentBytes": 65536, "ship": [
            common("file", "file", json!({ "path": path, "maxBytes": 65536, "keep": 10_000 })),
            common("http", "http", json!({ "url": http.url("/in"), "timeout": "100ms" })),
            common("otlp", "otlp", json!({ "url": otlp.url("/v1/logs"), "timeout": "100ms", "gzip": true })),
        ] } });
        dir.write("config.json", serde_json::to_vec(&config)?);
        let spec = ServerSpec::new(binary, dir.path().join("policies"), dir.path().join("data"))
            .arg(format!("--config={}", dir.path().join("config.json").display()));
        Ok(Self { spec, dir, rng: Rng::new(seed), receivers })
    }

    /// Starts a server, calls it while the receivers do what they like, and kills it.
    async fn round(&mut self, outcome: &mut Outcome) -> anyhow::Result<()> {
        let mut server = self.spec.start().await?;
        let mut callers = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let connection = server.connect().await?;
            callers.spawn(call_until_it_dies(connection, Rng::new(self.rng.next())));
        }
        for _ in 0..CHANGES {
            let receiver = &mut self.receivers[self.rng.below(2)];
            if self.rng.below(4) == 0 {
                receiver.go_down().await;
            } else {
                receiver.come_up().await;
                receiver.set(CONDUCTS[self.rng.below(CONDUCTS.len())]);
            }
            outcome.changes += 1;
            tokio::time::sleep(Duration::from_millis(self.rng.below(LONGEST) as u64)).await;
        }
        server.kill().await?;
        while let Some(ids) = callers.join_next().await {
            ids??;
        }
        Ok(())
    }

    /// Lets everything arrive, ends the server in peace, and compares.
    async fn settle(&mut self, outcome: &mut Outcome) -> anyhow::Result<()> {
        for receiver in &mut self.receivers {
            receiver.come_up().await;
            receiver.set(Conduct::Accept);
        }
        let mut server: Server = self.spec.start().await?;
        let last = self.log()?.reach().last;
        for receiver in &self.receivers {
            receiver.until_seq(last).await.with_context(|| server.output())?;
        }
        server.signal("TERM").await?;
        let ended = server.wait().await?;
        ensure!(ended.success(), "the server ended with {ended}:\n{}", server.output());
        let log = self.log()?;
        outcome.records = log.reach().last;
        let [http, otlp] = &self.receivers;
        let arrivals = [
            ("file", self.written()?),
            ("http", http.received().arrivals),
            ("otlp", otlp.received().arrivals),
        ];
        for (name, arrivals) in arrivals {
            outcome.repeats +=
                compare(&arrivals, &log).with_context(|| format!("destination `{name}`"))? as u64;
        }
        Ok(())
    }

    /// What is in the files, oldest first.
    fn written(&self) -> anyhow::Result<Vec<Arrival>> {
        let path = |number: u64| match number {
            0 => self.dir.path().join("shipped.ndjson"),
            _ => self.dir.path().join(format!("shipped.ndjson.{number}")),
        };
        let count = (0..).take_while(|number| path(*number).exists()).count() as u64;
        let texts = (0..count).rev().map(|number| Ok(fs::read_to_string(path(number))?));
        lines(&texts.collect::<anyhow::Result<String>>()?)
    }

    fn log(&self) -> anyhow::Result<LogReader> {
        let log: PathBuf = self.dir.path().join("data/log");
        Ok(LogReader::open(Arc::new(DirFiles::open_to_read(&log)?))?)
    }
}
