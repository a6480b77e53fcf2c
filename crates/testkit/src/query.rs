//! The index at size: how fast it is built, and how fast it answers.
//!
//! The log is written by the log's own writer, without waiting for the disk. Who asks for what is made up so that there
//! are common and rare values: one principal in a thousand does half of everything, some resources are asked for once.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use procura::audit::{DirFiles, Index, IndexSettings, IndexedLog, Log, LogSettings};
use procura::ports::{Clock, DecisionFilter, DecisionLog, DecisionQuery, Durability, LogError, NewRecord};
use procura::telemetry::Metrics;
use procura_core::model::Timestamp;
use procura_core::query::{Condition, Field};

use crate::rng::Rng;

/// Records in a trial.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'t> {
    /// Where the log and its index are kept; taken away at the end.
    pub dir: &'t Path,
    /// How many records.
    pub records: u64,
    /// Names the whole trial.
    pub seed: u64,
}

/// What was measured.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Bytes of the log and of the index.
    pub bytes: (u64, u64),
    /// Records per second: written, indexed.
    pub rates: (f64, f64),
    /// How long the index took from a restart until it may be asked for everything.
    pub reopened: Duration,
    /// How long each question took: its name, the median and the 99th of a hundred, and how many pages were short.
    pub asked: Vec<Asked>,
}

/// What a question took.
#[derive(Debug)]
pub struct Asked {
    /// What was asked.
    pub what: String,
    /// The median.
    pub p50: Duration,
    /// The 99th of a hundred.
    pub p99: Duration,
    /// How often.
    pub times: usize,
    /// How many answers were pages that ended early.
    pub short: usize,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = |bytes: u64| bytes / (1024 * 1024);
        writeln!(f, "log {} MiB, index {} MiB", mebibytes(self.bytes.0), mebibytes(self.bytes.1))?;
        writeln!(f, "written {:.0} records/s, indexed {:.0} records/s", self.rates.0, self.rates.1)?;
        writeln!(f, "opened and checked again in {:.2?}", self.reopened)?;
        writeln!(f, "{:<64} {:>10} {:>10} {:>6} {:>6}", "question", "p50", "p99", "times", "short")?;
        for Asked { what, p50, p99, times, short } in &self.asked {
            writeln!(f, "{what:<64} {p50:>10.2?} {p99:>10.2?} {times:>6} {short:>6}")?;
        }
        Ok(())
    }
}

/// Runs the trial; `progress` is told what goes on.
///
/// # Errors
/// If the log or the index fails.
pub fn run(trial: Trial<'_>, progress: impl Fn(&str)) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    let metrics = Arc::new(Metrics::new()?);
    let log_dir = trial.dir.join("log");
    let files = Arc::new(DirFiles::open(&log_dir)?);
    let settings = LogSettings {
        durability: Durability::Async,
        queue_bytes: 32 * 1024 * 1024,
        ..LogSettings::default()
    };
    let (log, _) = Log::open(files, &settings, Arc::new(Past), Arc::clone(&metrics))?;
    let begun = Instant::now();
    write(&log, trial, &progress)?;
    wait(&progress, "written", trial.records, || log.reader().reach().last);
    outcome.rates.0 = trial.records as f64 / begun.elapsed().as_secs_f64();

    let reader = log.reader().clone();
    let (max_lag, block_rows) = (1, IndexSettings::BLOCK_ROWS);
    let settings = IndexSettings { dir: trial.dir.join("index"), max_lag, block_rows, reserved_bytes: 0 };
    let begun = Instant::now();
    let (index, thread) = Index::start(&settings, reader.clone(), Arc::clone(&metrics))?;
    let indexed = IndexedLog::new(reader.clone(), index);
    wait(&progress, "indexed", trial.records, || trial.records - indexed.unindexed());
    outcome.rates.1 = trial.records as f64 / begun.elapsed().as_secs_f64();
    drop(thread);

    let begun = Instant::now();
    let (index, _thread) = Index::start(&settings, reader.clone(), metrics)?;
    let indexed = IndexedLog::new(reader, index);
    wait(&progress, "opened", trial.records, || trial.records - indexed.unindexed());
    let everything = DecisionFilter {
        condition: Condition::parse("principal == 'nobody'")?,
        limit: 100,
        ..DecisionFilter::default()
    };
    while indexed.find(&everything)?.next_before_seq.is_some() {}
    outcome.reopened = begun.elapsed();
    outcome.bytes = (bytes_in(&log_dir)?, bytes_in(&settings.dir)?);

    let mut rng = Rng::new(trial.seed);
    outcome.asked.push(by_id(&indexed, trial, &mut rng)?);
    for filter in FILTERS {
        progress(filter);
        outcome.asked.push(page(&indexed, filter, trial)?);
    }
    for (filter, by) in GROUPS {
        progress(filter);
        outcome.asked.push(count(&indexed, filter, by)?);
    }
    Ok(outcome)
}

/// Rare, common, none, several that exclude one another, either, neither, prefixes, times.
const FILTERS: &[&str] = &[
    "effect == 'deny'",
    "principal == 'user-7'",
    "principal == 'service'",
    "resourceId == 'doc-4711'",
    "requestId == 'req-4711'",
    "principal == 'nobody'",
    "principal == 'service' && effect == 'deny' && action == 'view'",
    "principal == 'service' && role == 'guest'",
    "action == 'purge'",
    "action == 'purge' && resourceKind == 'invoice'",
    "principal == 'user-7' || principal == 'user-8' || resourceId == 'doc-1'",
    "(role == 'admin' || role == 'auditor') && (action == 'delete' || action == 'purge')",
    "effect == 'deny' && !(reason == 'deny_rule') && role == 'admin'",
    "policy.startsWith('resource.inv') && rule == 'rule-9'",
    "at >= '2026-11-22T00:10:00Z' && at < '2026-11-22T00:11:00Z' && principal == 'user-9'",
    "kind == 'policy_change'",
];

const GROUPS: &[(&str, &[Field])] = &[
    ("effect == 'deny'", &[Field::Principal]),
    ("action == 'purge'", &[Field::Principal, Field::ResourceKind]),
    ("principal == 'service'", &[Field::Action, Field::Effect]),
    ("!(principal == 'nobody')", &[Field::Policy, Field::Rule]),
];

/// Begins with the first record, so that each next record is a millisecond later.
struct Past;

const BEGIN: i64 = 1_795_305_600_000;

impl Clock for Past {
    fn now(&self) -> Timestamp {
        at(0)
    }
}

fn at(seq: u64) -> Timestamp {
    Timestamp::from_millisecond(BEGIN + i64::try_from(seq).unwrap_or(0)).unwrap_or(Timestamp::MAX)
}

fn id(seq: u64) -> String {
    let millis = at(seq).as_millisecond().cast_unsigned();
    format!("{:08x}-{:04x}-7000-8000-{seq:012x}", millis >> 16, millis & 0xffff)
}

fn write(log: &Log, trial: Trial<'_>, progress: &impl Fn(&str)) -> anyhow::Result<()> {
    let mut rng = Rng::new(trial.seed);
    for seq in 1..=trial.records {
        let payload = record(&mut rng, seq);
        loop {
            let record = NewRecord { at: at(seq), payload: payload.clone() };
            match log.append(record) {
                procura::ports::Receipt::Ready(Err(LogError::Overloaded)) => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                procura::ports::Receipt::Ready(outcome) => break outcome?,
                procura::ports::Receipt::Waiting(_) => anyhow::bail!("the log waits for the disk"),
            }
        }
        if seq % 100_000 == 0 {
            progress(&format!("{seq} of {} records written", trial.records));
        }
    }
    Ok(())
}

/// A record of some 520 bytes.
fn record(rng: &mut Rng, seq: u64) -> Vec<u8> {
    let principal = match rng.below(2) {
        0 => "service".to_owned(),
        _ => format!("user-{}", rng.below(100_000)),
    };
    let role = match rng.below(200) {
        0 => "auditor",
        1..=9 => "admin",
        10..=19 if principal != "service" => "guest",
        _ => "user",
    };
    let kind = ["document", "invoice", "album", "project"][rng.below(4)];
    let (action, effect) = match rng.below(100_000) {
        0 => ("purge", "EFFECT_DENY"),
        1..=5_000 => ("delete", "EFFECT_DENY"),
        5_001..=30_000 => ("edit", "EFFECT_ALLOW"),
        30_001..=32_000 => ("view", "EFFECT_DENY"),
        _ => ("view", "EFFECT_ALLOW"),
    };
    let reason = match effect {
        "EFFECT_ALLOW" => "allow_rule",
        _ if rng.below(3) == 0 => "no_rule_matched",
        _ => "deny_rule",
    };
    let (rule, resource) = (rng.below(12), rng.below(500_000));
    format!(
        r#"{{"v":1,"kind":"decision","at":"{}","call":{{"id":"{}","requestId":"req-{seq}","api":"check_resources","caller":{{"address":"10.0.0.{}:{}"}}}},"basis":{{"engine":"0.1.0","policyRevision":"c0ffee","policyGeneration":1,"onError":"closed","durability":"async"}},"principal":{{"id":"{principal}","roles":["{role}"]}},"resources":[{{"kind":"{kind}","id":"doc-{resource}"}}],"results":[{{"policy":"resource.{kind}.vdefault","decisions":[{{"action":"{action}","effect":"{effect}","reason":"{reason}","rule":"rule-{rule}"}}]}}]}}"#,
        at(seq),
        id(seq),
        rng.below(8),
        rng.below(60_000),
    )
    .into_bytes()
}

fn wait(progress: &impl Fn(&str), what: &str, records: u64, mut reached: impl FnMut() -> u64) {
    loop {
        let now = reached();
        progress(&format!("{now} of {records} records {what}"));
        if now >= records {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn by_id(log: &IndexedLog, trial: Trial<'_>, rng: &mut Rng) -> anyhow::Result<Asked> {
    let mut took = Vec::new();
    for _ in 0..1000 {
        let seq = 1 + rng.next() % trial.records;
        let begun = Instant::now();
        let found = log.get(&id(seq))?.context("a record is not found by its id")?;
        took.push(begun.elapsed());
        ensure!(found.seq == seq, "record {} was found instead of {seq}", found.seq);
    }
    Ok(asked("a call by its id".to_owned(), took, 0))
}

/// Pages from different places on, so that caches help no more than they would.
fn page(log: &IndexedLog, filter: &str, trial: Trial<'_>) -> anyhow::Result<Asked> {
    let condition = Condition::parse(filter)?;
    let (mut took, mut short) = (Vec::new(), 0);
    for round in 0..20 {
        let before_seq = Some(trial.records + 1 - trial.records / 40 * round);
        let asked = DecisionFilter {
            condition: condition.clone(),
            limit: 100,
            before_seq,
            ..DecisionFilter::default()
        };
        let begun = Instant::now();
        let page = log.find(&asked)?;
        took.push(begun.elapsed());
        short += usize::from(page.records.len() < 100 && page.next_before_seq.is_some());
    }
    Ok(asked(filter.to_owned(), took, short))
}

fn count(log: &IndexedLog, filter: &str, by: &[Field]) -> anyhow::Result<Asked> {
    let asked_for = DecisionFilter { condition: Condition::parse(filter)?, ..DecisionFilter::default() };
    let names = by.iter().map(|field| field.name()).collect::<Vec<_>>().join(",");
    let (mut took, mut short) = (Vec::new(), 0);
    for _ in 0..3 {
        let mut filter = asked_for.clone();
        let begun = Instant::now();
        loop {
            filter.before_seq = log.count(&filter, by)?.next_before_seq;
            if filter.before_seq.is_none() {
                break;
            }
            short += 1;
        }
        took.push(begun.elapsed());
    }
    Ok(asked(format!("count {filter} by {names}"), took, short))
}

fn asked(what: String, mut took: Vec<Duration>, short: usize) -> Asked {
    took.sort_unstable();
    let times = took.len();
    Asked { what, p50: took[times / 2], p99: took[(times * 99 / 100).min(times - 1)], times, short }
}

fn bytes_in(dir: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(dir)? {
        sum += entry?.metadata()?.len();
    }
    Ok(sum)
}
