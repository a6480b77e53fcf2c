//! Trial: a real server is killed in the middle of its work again and again. Every call that was answered must be in
//! the log afterwards, and the chain must verify.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use procura::audit::{DirFiles, LogReader, verify};
use procura::ports::{DecisionFilter, DecisionQuery, LogError, LogFiles};
use procura_core::model::Timestamp;
use procura_core::record::Record;
use serde_json::json;
use tokio::task::JoinSet;

use crate::http::Connection;
use crate::rng::Rng;
use crate::server::{Server, ServerSpec};
use crate::temp_dir::TempDir;

/// How many connections call at once.
const CONNECTIONS: u64 = 16;

/// Bytes of the header of a segment.
const SEGMENT_HEADER: usize = 80;

/// Bytes of the log beyond which the oldest records are deleted in every second round.
const RETAINED: u64 = 8 * 1024 * 1024;

/// Longest time that a server lives, in milliseconds.
const LIFE: usize = 400;

/// The policy that the calls are about.
pub(crate) const POLICY: &str = "\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  rules:
    - actions: [view]
      effect: EFFECT_ALLOW
      roles: [user]
      condition:
        match:
          expr: R.attr.public == true
";

/// What came of the rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many times the server was killed.
    pub kills: u64,
    /// How many calls were answered.
    pub acknowledged: u64,
    /// How many of them are not in the log.
    pub missing: u64,
    /// How many of them retention had deleted.
    pub deleted: u64,
    /// How many compressed segments there were in the end.
    pub compressed: u64,
    /// How many torn ends were left for the next start.
    pub torn: u64,
    /// How many torn ends were repaired, as the log itself records.
    pub repaired: u64,
}

/// Kills servers of `binary` `rounds` times. An error means that a server did not start or a log did not verify.
pub async fn run(
    binary: &Path,
    rounds: u64,
    seed: u64,
    mut progress: impl FnMut(&Outcome),
) -> anyhow::Result<Outcome> {
    let mut trial = Trial::new(binary, seed);
    let mut outcome = Outcome::default();
    let mut all = BTreeSet::new();
    for round in 0..rounds {
        let place = || format!("round {round} of seed {seed}");
        let begun = Timestamp::now();
        let answered = trial.round(round % 2 == 1).await.with_context(place)?;
        outcome.kills += 1;
        outcome.acknowledged += answered.len() as u64;
        outcome.torn += u64::from(trial.tear().with_context(place)?);
        verify(&*trial.files()?, |_, _| ()).with_context(place)?;
        let recorded = trial.recorded(Some(begun)).with_context(place)?;
        outcome.missing += trial.lost(&answered, &recorded).with_context(place)?;
        all.extend(answered);
        progress(&outcome);
    }
    trial.ask_a_last_server(&all).await?;
    let verified = verify(&*trial.files()?, |_, _| ())?;
    outcome.repaired = verified.kinds.get("log_repair").copied().unwrap_or(0);
    // The records of some repairs may be deleted as well.
    let all_told = verified.first_seq > 1 || outcome.repaired >= outcome.torn;
    ensure!(all_told, "seed {seed}: torn ends were not repaired: {outcome:?}");
    let recorded = trial.recorded(None)?;
    outcome.missing = outcome.missing.max(trial.lost(&all, &recorded)?);
    outcome.deleted = all.difference(&recorded).count() as u64 - outcome.missing;
    let names = trial.files()?.list()?;
    outcome.compressed = names.iter().filter(|name| name.ends_with(".zst")).count() as u64;
    Ok(outcome)
}

struct Trial {
    spec: ServerSpec,
    dir: TempDir,
    rng: Rng,
}

impl Trial {
    fn new(binary: &Path, seed: u64) -> Self {
        let dir = TempDir::new("kill");
        dir.write("policies/album.yaml", POLICY);
        let spec = ServerSpec::new(binary, dir.path().join("policies"), dir.path().join("data"))
            .arg("--set=audit.segmentBytes=262144")
            .arg("--set=audit.segmentAge=1s");
        Self { spec, dir, rng: Rng::new(seed) }
    }

    /// Starts a server, which `deletes` what is too much, calls it from all sides, kills it; returns the ids of the calls
    /// that were answered.
    async fn round(&mut self, deletes: bool) -> anyhow::Result<BTreeSet<String>> {
        let retention = if deletes { RETAINED } else { 0 };
        let spec = self.spec.clone().arg(format!("--set=audit.retention.bytes={retention}"));
        let mut server = spec.start().await?;
        let mut callers = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let connection = server.connect().await?;
            callers.spawn(call_until_it_dies(connection, Rng::new(self.rng.next())));
        }
        tokio::time::sleep(Duration::from_millis(1 + self.rng.below(LIFE) as u64)).await;
        server.kill().await?;
        let mut answered = BTreeSet::new();
        while let Some(ids) = callers.join_next().await {
            answered.extend(ids??);
        }
        Ok(answered)
    }

    /// A kill seldom interrupts a write in the middle, so now and then this leaves what such a write would: the
    /// beginning of a frame. Whether it did.
    fn tear(&mut self) -> anyhow::Result<bool> {
        let files = self.files()?;
        let Some(segment) = files.list()?.into_iter().filter(|name| name.ends_with(".seg")).max() else {
            return Ok(false);
        };
        let len = usize::try_from(files.len(&segment)?)?;
        if len <= SEGMENT_HEADER || self.rng.below(3) > 0 {
            return Ok(false);
        }
        let frame = files.read_at(&segment, SEGMENT_HEADER as u64, len - SEGMENT_HEADER)?;
        let piece = frame.get(..1 + self.rng.below(200)).context("a frame is longer than that")?;
        files.open_append(&segment)?.append(piece)?;
        Ok(true)
    }

    /// The last server repairs what the last kill left, and finds calls by their ids.
    async fn ask_a_last_server(&self, answered: &BTreeSet<String>) -> anyhow::Result<()> {
        let mut server: Server = self.spec.start().await?;
        let mut connection = server.connect().await?;
        for id in answered.iter().rev().take(50) {
            let found = connection.get(&format!("/api/decisions/{id}")).await?;
            let is_told = found.status == 200 || found.status == 410;
            ensure!(is_told, "`/api/decisions/{id}` answers {}", found.status);
        }
        server.signal("TERM").await?;
        let ended = server.wait().await?;
        ensure!(ended.success(), "the server ended with {ended}:\n{}", server.output());
        Ok(())
    }

    /// How many of the calls that were `answered` and are not `recorded` the log does not know to be deleted either.
    fn lost(&self, answered: &BTreeSet<String>, recorded: &BTreeSet<String>) -> anyhow::Result<u64> {
        let reader = LogReader::open(self.files()?)?;
        let is_lost = |id: &&String| !matches!(reader.get(id), Err(LogError::Deleted { .. }));
        Ok(answered.difference(recorded).filter(is_lost).count() as u64)
    }

    /// The ids of all calls in the log at or after `since`.
    fn recorded(&self, since: Option<Timestamp>) -> anyhow::Result<BTreeSet<String>> {
        let reader = LogReader::open(self.files()?)?;
        let mut filter = DecisionFilter { since, limit: 1000, ..DecisionFilter::default() };
        let mut ids = BTreeSet::new();
        loop {
            let page = reader.find(&filter)?;
            for stored in &page.records {
                if let Record::Decision(record) = Record::decode(&stored.payload)? {
                    ids.insert(record.call.id.into_owned());
                }
            }
            filter.before_seq = page.next_before_seq;
            if filter.before_seq.is_none() {
                return Ok(ids);
            }
        }
    }

    fn files(&self) -> anyhow::Result<Arc<DirFiles>> {
        let log: PathBuf = self.dir.path().join("data/log");
        Ok(Arc::new(DirFiles::open_to_read(&log)?))
    }
}

/// Calls until the connection breaks. An answer that is not a decision is an error.
pub(crate) async fn call_until_it_dies(
    mut connection: Connection,
    mut rng: Rng,
) -> anyhow::Result<Vec<String>> {
    let mut answered = Vec::new();
    loop {
        // Mostly small records, now and then one that takes several pages.
        let padding = if rng.below(50) == 0 { rng.below(100_000) } else { rng.below(500) };
        // Nothing that could be compressed much, so that what is kept comes near its limit.
        let padding: String = (0..padding).map(|_| char::from(b'!' + rng.below(80) as u8)).collect();
        let body = json!({
            "principal": { "id": "alice", "roles": ["user"], "attr": { "padding": padding } },
            "resources": [{
                "actions": ["view", "edit"],
                "resource": { "kind": "album", "id": "a1", "attr": { "public": true } },
            }],
        });
        let sent = connection.post_json("/api/check/resources", body.to_string().as_bytes()).await;
        let Ok(response) = sent else { return Ok(answered) };
        // A slow disk may meet the deadline of the log: such a call is refused, and nobody relies on it.
        if response.status == 503 {
            continue;
        }
        ensure!(response.status == 200, "{} {}", response.status, String::from_utf8_lossy(&response.body));
        let answer = response.json()?;
        let id = answer["cerbosCallId"].as_str().context("an answer without `cerbosCallId`")?;
        answered.push(id.to_owned());
    }
}
