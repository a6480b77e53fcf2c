//! The index of the decision log: whatever is asked, it answers what reading every record answers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use procura::audit::{DirFiles, Index, IndexSettings, IndexThread, IndexedLog, Log, LogSettings};
use procura::ports::{DecisionFilter, DecisionLog, DecisionQuery, Durability, LogError, NewRecord};
use procura::telemetry::Metrics;
use procura_core::model::Timestamp;
use procura_core::query::{Condition, Field};
use procura_testkit::clock::SteppingClock;
use procura_testkit::rng::Rng;
use procura_testkit::temp_dir::TempDir;
use serde_json::json;

/// The instant of the first record, in milliseconds since 1970.
const BEGIN: i64 = 1_795_305_600_000;

/// A record as the oracle knows it: the values of the fields of each decision.
#[derive(Clone)]
struct Plain {
    seq: u64,
    at: i64,
    id: String,
    rows: Vec<BTreeMap<&'static str, Vec<String>>>,
}

/// A filter that the oracle understands.
enum Ask {
    All(Vec<Ask>),
    Any(Vec<Ask>),
    Not(Box<Ask>),
    Is(&'static str, String),
    StartsWith(&'static str, String),
    Since(i64),
}

impl Ask {
    fn random(rng: &mut Rng, depth: u32) -> Self {
        let parts = |rng: &mut Rng| (0..2 + rng.below(2)).map(|_| Self::random(rng, depth - 1)).collect();
        match rng.below(if depth == 0 { 5 } else { 8 }) {
            0..=2 => {
                let (field, values) = VALUES[rng.below(VALUES.len())];
                Ask::Is(field, values[rng.below(values.len())].to_owned())
            }
            3 => Ask::StartsWith(
                "policy",
                ["resource.", "role.", "resource.album", ""][rng.below(4)].to_owned(),
            ),
            4 => Ask::Since(BEGIN + i64::try_from(rng.below(900)).unwrap()),
            5 => Ask::All(parts(rng)),
            6 => Ask::Any(parts(rng)),
            _ => Ask::Not(Box::new(Self::random(rng, depth - 1))),
        }
    }

    fn text(&self) -> String {
        let joined = |parts: &[Ask], with: &str| {
            format!("({})", parts.iter().map(Self::text).collect::<Vec<_>>().join(with))
        };
        match self {
            Ask::All(parts) => joined(parts, " && "),
            Ask::Any(parts) => joined(parts, " || "),
            Ask::Not(part) => format!("!{}", part.text()),
            Ask::Is(field, value) => format!("{field} == {value:?}"),
            Ask::StartsWith(field, value) => format!("{field}.startsWith({value:?})"),
            Ask::Since(at) => format!("at >= \"{}\"", Timestamp::from_millisecond(*at).unwrap()),
        }
    }

    fn holds(&self, at: i64, row: &BTreeMap<&'static str, Vec<String>>) -> bool {
        match self {
            Ask::All(parts) => parts.iter().all(|part| part.holds(at, row)),
            Ask::Any(parts) => parts.iter().any(|part| part.holds(at, row)),
            Ask::Not(part) => !part.holds(at, row),
            Ask::Is(field, value) => row[field].contains(value),
            Ask::StartsWith(field, value) => row[field].iter().any(|found| found.starts_with(value)),
            Ask::Since(since) => at >= *since,
        }
    }
}

/// What stands in the fields: common and rare values, the empty one, and one that no record has.
const VALUES: &[(&str, &[&str])] = &[
    ("principal", &["alice", "bob", "x\"y\\z", "nobody"]),
    ("role", &["user", "admin", "auditor"]),
    ("resourceKind", &["album", "photo"]),
    ("resourceId", &["a1", "a2", "ü/3"]),
    ("action", &["view", "delete", "share"]),
    ("effect", &["EFFECT_ALLOW", "EFFECT_DENY"]),
    ("reason", &["allow_rule", "deny_rule"]),
    ("policy", &["resource.album.vdefault", "role.admin", "NO_MATCH"]),
    ("rule", &["r1", "r2", ""]),
    ("scope", &["", "acme", "acme.hr"]),
    ("derivedRole", &["owner", "viewer"]),
    ("problem", &["condition_error", "not_boolean"]),
    ("policyRevision", &["rev1", "rev2"]),
    ("caller", &["10.0.0.1", "gateway", ""]),
    ("api", &["check_resources", "access_evaluation"]),
    ("requestId", &["", "req-1", "req-2"]),
    ("txn", &["", "t-1"]),
    ("tenant", &["", "acme", "umbrella", "initech"]),
    ("issuer", &["", "https://id.example", "mesh.example"]),
    ("keySet", &["", "staff", "https://id.example"]),
    ("key", &["", "k1", "k2"]),
];

fn one(rng: &mut Rng, field: &str) -> String {
    let values = VALUES.iter().find(|(name, _)| *name == field).unwrap().1;
    // The last value of most fields is rare.
    let at = if rng.below(20) == 0 { values.len() - 1 } else { rng.below(values.len().max(2) - 1) };
    values[at].to_owned()
}

/// Scopes, and whose they are.
const SCOPES: &[(&str, &str)] = &[
    ("acme", "acme"),
    ("acme.hr", "acme"),
    ("umbrella", "umbrella"),
    ("initech.x", "initech"),
    ("", ""),
    (".", ""),
];

/// The scope of something whose record names `default` as the default one, and the tenant of it.
fn scope(rng: &mut Rng, default: usize) -> (&'static str, &'static str) {
    let (scope, tenant) = SCOPES[[0, 0, 0, 1, 1, 2, 3, 4, 5][rng.below(9)]];
    (scope, if scope.is_empty() { SCOPES[default].1 } else { tenant })
}

/// Tokens in a record, and what they say of issuers, key sets and keys.
fn tokens(rng: &mut Rng, row: &mut BTreeMap<&'static str, Vec<String>>) -> serde_json::Value {
    let mut token = |rng: &mut Rng| {
        let odd = [json!(7), json!(["x"]), json!({"y": null}), json!(null)][rng.below(4)].clone();
        let mut token = json!({"claims": {"sub": "alice", "iss": odd}});
        for (field, member) in [("issuer", "/claims/iss"), ("keySet", ""), ("key", "")] {
            let value = one(rng, field);
            if value.is_empty() {
                continue;
            }
            match token.pointer_mut(member) {
                Some(iss) if !member.is_empty() => *iss = json!(value),
                _ => token[field] = json!(value),
            }
            row.get_mut(field).unwrap().push(value);
        }
        token
    };
    match rng.below(4) {
        0 => json!({"jwt": token(rng)}),
        1 => json!({"jwts": {"first": token(rng), "second": token(rng)}}),
        _ => json!({}),
    }
}

/// A call with up to three decisions on each of up to two resources, and what the oracle knows of it.
fn call(rng: &mut Rng, seq: u64) -> (NewRecord, Plain) {
    let at = BEGIN + seq as i64;
    let id = format!("{:08x}-{:04x}-7000-8000-{:012x}", at >> 16, at & 0xffff, rng.below(1 << 47));
    let mut shared: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    shared.insert("kind", vec!["decision".to_owned()]);
    shared.insert("role", vec![one(rng, "role"), one(rng, "role")]);
    for field in ["principal", "policyRevision", "caller", "api", "requestId", "txn"] {
        shared.insert(field, vec![one(rng, field)]);
    }
    for field in ["issuer", "keySet", "key"] {
        shared.insert(field, Vec::new());
    }
    let aux_data = tokens(rng, &mut shared);
    let default = [4, 4, 4, 2][rng.below(4)];
    let (principal_scope, principal_tenant) = if rng.below(3) == 0 { scope(rng, default) } else { (".", "") };
    let mut tenants: Vec<String> =
        [principal_tenant].into_iter().filter(|of| !of.is_empty()).map(str::to_owned).collect();
    let (mut rows, mut resources, mut results) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..1 + rng.below(2) {
        let (kind, resource, policy) = (one(rng, "resourceKind"), one(rng, "resourceId"), one(rng, "policy"));
        let derived: Vec<String> = (0..rng.below(2)).map(|_| one(rng, "derivedRole")).collect();
        let mut decisions = Vec::new();
        for _ in 0..1 + rng.below(3) {
            let own = (rng.below(4) == 0).then(|| one(rng, "policy"));
            let problems: Vec<String> = (0..rng.below(2)).map(|_| one(rng, "problem")).collect();
            let mut row = shared.clone();
            for field in ["action", "effect", "reason", "rule", "scope"] {
                row.insert(field, vec![one(rng, field)]);
            }
            let mut entry =
                json!({"action": row["action"][0], "effect": row["effect"][0], "reason": row["reason"][0]});
            for (member, value) in [("rule", &row["rule"][0]), ("scope", &row["scope"][0])] {
                if !value.is_empty() {
                    entry[member] = json!(value);
                }
            }
            if let Some(own) = &own {
                entry["policy"] = json!(own);
            }
            let problem =
                |code| json!({"code": code, "source": "", "expression": "", "position": "", "message": ""});
            entry["problems"] = problems.iter().map(problem).collect();
            decisions.push(entry);
            row.insert("policy", vec![own.unwrap_or(policy.clone())]);
            row.insert("resourceKind", vec![kind.clone()]);
            row.insert("resourceId", vec![resource.clone()]);
            row.insert("derivedRole", derived.clone());
            row.insert("problem", problems);
            rows.push(row);
        }
        let (scope, tenant) = scope(rng, default);
        tenants.push(tenant.to_owned());
        resources.push(
            json!({"kind": kind, "id": resource, "scope": scope, "attr": {"note": "alice req-1 admin"}}),
        );
        results.push(json!({"policy": policy, "derivedRoles": derived, "decisions": decisions}));
    }
    let mut caller = match shared["caller"][0].as_str() {
        "" => json!({}),
        "gateway" => json!({"name": "gateway", "address": "10.0.0.9:1"}),
        address => json!({"address": format!("{address}:{seq}")}),
    };
    for field in ["issuer", "key"] {
        let value = one(rng, field);
        if !value.is_empty() {
            caller[field] = json!(value);
            shared.get_mut(field).unwrap().push(value);
        }
    }
    let method = ["token", "certificate", "key"][rng.below(3)];
    caller["method"] = json!(method);
    if let Some(issuer) = caller["issuer"].as_str().filter(|_| method == "token") {
        shared.get_mut("keySet").unwrap().push(issuer.to_owned());
    }
    for field in ["issuer", "keySet", "key"] {
        if shared[field].is_empty() {
            shared.insert(field, vec![String::new()]);
        }
    }
    shared.insert("tenant", tenants);
    for row in &mut rows {
        row.extend(["issuer", "keySet", "key", "tenant"].map(|field| (field, shared[field].clone())));
    }
    let mut about = json!({"id": id, "api": shared["api"][0], "caller": caller});
    if !shared["requestId"][0].is_empty() {
        about["requestId"] = json!(shared["requestId"][0]);
    }
    if !shared["txn"][0].is_empty() {
        about["txn"] = json!(shared["txn"][0]);
    }
    let instant = Timestamp::from_millisecond(at).unwrap();
    let record = json!({
        "v": 1, "kind": "decision", "at": instant.to_string(), "call": about,
        "basis": {"engine": "0", "policyRevision": shared["policyRevision"][0], "policyGeneration": 1,
            "defaultScope": SCOPES[default].0, "onError": "closed", "durability": "async"},
        "principal": {"id": shared["principal"][0], "roles": shared["role"], "scope": principal_scope},
        "auxData": aux_data, "resources": resources, "results": results,
    });
    let payload = serde_json::to_vec(&record).unwrap();
    (NewRecord { at: instant, payload }, Plain { seq, at, id, rows })
}

/// A log with its index, and all that the oracle knows of it.
struct Bench {
    dir: TempDir,
    log: Arc<Log>,
    rng: Rng,
    written: Vec<Plain>,
}

impl Bench {
    fn new(name: &str, seed: u64) -> Self {
        let dir = TempDir::new(name);
        let files = Arc::new(DirFiles::open(&dir.path().join("log")).unwrap());
        let settings =
            LogSettings { segment_bytes: 64 * 1024, durability: Durability::Os, ..LogSettings::default() };
        let metrics = Arc::new(Metrics::new().unwrap());
        let clock = Arc::new(SteppingClock::default());
        let (log, _) = Log::open(files, &settings, clock, metrics).unwrap();
        Self { dir, log, rng: Rng::new(seed), written: Vec::new() }
    }

    async fn write(&mut self, count: usize) {
        let mut receipts = Vec::new();
        for _ in 0..count {
            let (record, plain) = call(&mut self.rng, self.written.len() as u64 + 1);
            receipts.push(self.log.append(record));
            self.written.push(plain);
        }
        for receipt in receipts {
            receipt.await.unwrap();
        }
    }

    fn index(&self) -> (IndexedLog, IndexThread) {
        let settings =
            IndexSettings { dir: self.index_dir(), max_lag: 1, block_rows: 150, reserved_bytes: 0 };
        let metrics = Arc::new(Metrics::new().unwrap());
        let (index, thread) = Index::start(&settings, self.log.reader().clone(), metrics).unwrap();
        (IndexedLog::new(self.log.reader().clone(), index), thread)
    }

    fn index_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("index")
    }

    /// Random questions, each answered by the log and by the oracle.
    fn ask(&mut self, log: &dyn DecisionQuery, questions: usize) {
        for _ in 0..questions {
            let ask = Ask::random(&mut self.rng, 2);
            let condition = Condition::parse(&ask.text()).unwrap_or_else(|e| panic!("{}: {e}", ask.text()));
            let limit = 1 + self.rng.below(120);
            let tenants = (self.rng.below(2) == 0).then(|| self.tenants());
            let within = tenants.clone();
            let filter = DecisionFilter { condition, limit, tenants, ..DecisionFilter::default() };
            let matching = |plain: &&Plain| {
                plain.rows.iter().any(|row| ask.holds(plain.at, row) && is_within(row, within.as_deref()))
            };
            let expected: Vec<u64> =
                self.written.iter().rev().filter(matching).map(|plain| plain.seq).collect();
            assert_eq!(pages(log, &filter), expected, "{}", ask.text());
            self.ask_how_many(log, &ask, &filter);
        }
        let plain = &self.written[self.rng.below(self.written.len())];
        assert_eq!(log.get(&plain.id).unwrap().unwrap().seq, plain.seq);
        let other = format!("{}fff", plain.id.get(..plain.id.len() - 3).unwrap());
        assert_eq!(log.get(&other).unwrap().map(|found| found.seq), None);
    }

    /// What some caller is bound to: none, one or more.
    fn tenants(&mut self) -> Vec<Box<str>> {
        let all = ["acme", "umbrella", "initech", ""];
        all.into_iter().filter(|_| self.rng.below(2) == 0).map(Into::into).collect()
    }

    fn ask_how_many(&mut self, log: &dyn DecisionQuery, ask: &Ask, filter: &DecisionFilter) {
        let by = [Field::Role, Field::Tenant, Field::Issuer, Field::Caller];
        let by = &by[..self.rng.below(5)];
        let mut expected: BTreeMap<Vec<Box<str>>, u64> = BTreeMap::new();
        let mut total = 0;
        for (row, _) in self
            .written
            .iter()
            .flat_map(|plain| plain.rows.iter().map(|row| (row, plain.at)))
            .filter(|(row, at)| ask.holds(*at, row) && is_within(row, filter.tenants.as_deref()))
        {
            total += 1;
            let mut keys = vec![Vec::new()];
            for field in by {
                let mut values = row[field.name()].clone();
                values.sort();
                values.dedup();
                let extend = |key: Vec<Box<str>>| {
                    values
                        .iter()
                        .map(move |value| [key.clone(), vec![value.as_str().into()]].concat())
                        .collect::<Vec<_>>()
                };
                keys = keys.into_iter().flat_map(extend).collect();
            }
            if !by.is_empty() {
                keys.into_iter().for_each(|key| *expected.entry(key).or_default() += 1);
            }
        }
        let counts = log.count(filter, by).unwrap();
        assert_eq!((counts.total, counts.next_before_seq), (total, None), "{}", ask.text());
        assert_eq!(counts.groups, expected, "{} by {by:?}", ask.text());
    }
}

/// Whether a caller that is bound to `tenants` sees the call of a decision.
fn is_within(row: &BTreeMap<&'static str, Vec<String>>, tenants: Option<&[Box<str>]>) -> bool {
    let Some(tenants) = tenants else { return true };
    row["tenant"].iter().all(|tenant| !tenant.is_empty() && tenants.iter().any(|known| **known == **tenant))
}

/// All that matches, page after page.
fn pages(log: &dyn DecisionQuery, filter: &DecisionFilter) -> Vec<u64> {
    let (mut filter, mut found) = (filter.clone(), Vec::new());
    loop {
        let page = log.find(&filter).unwrap();
        assert!(page.records.len() <= filter.limit);
        found.extend(page.records.iter().map(|record| record.seq));
        match page.next_before_seq {
            Some(before) => filter.before_seq = Some(before),
            None => return found,
        }
    }
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what} did not happen");
        std::thread::yield_now();
    }
}

/// It once spun instead, and the server with a full disk did not stop.
#[tokio::test]
async fn index_that_cannot_be_kept_ends_when_it_is_told_to() {
    let mut bench = Bench::new("index-hopeless", 6);
    fs::write(bench.index_dir(), "a file where its directory should be").unwrap();
    let (log, thread) = bench.index();
    bench.write(20).await;
    bench.ask(&log, 5);
    drop(thread);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_filter_and_count_equals_a_scan_of_every_record() {
    let mut bench = Bench::new("index-oracle", 1);
    let (indexed, thread) = bench.index();
    for round in 0..6 {
        bench.write(40 + 31 * round).await;
        // Some of it is indexed already, and some is not.
        bench.ask(&indexed, 15);
    }
    let scanned = bench.log.reader().clone();
    bench.ask(&scanned, 30);
    wait_until("catching up", || indexed.unindexed() == 0);
    bench.ask(&indexed, 60);
    drop(thread);

    let (indexed, _thread) = bench.index();
    bench.ask(&indexed, 15);
    bench.write(200).await;
    bench.ask(&indexed, 15);
    wait_until("catching up", || indexed.unindexed() == 0);
    bench.ask(&indexed, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn index_that_is_deleted_damaged_or_of_another_log_changes_no_answer() {
    let mut bench = Bench::new("index-damage", 2);
    bench.write(400).await;
    let mut other = Bench::new("index-other", 3);
    other.write(400).await;
    let (foreign, foreign_thread) = other.index();
    wait_until("catching up", || foreign.unindexed() == 0);
    drop(foreign_thread);

    let damages: [(&str, Damage); 6] = [
        ("deleted", &|dir| fs::remove_dir_all(dir).unwrap()),
        ("no database", &|dir| fs::write(dir.join("decisions.sqlite"), "hello").unwrap()),
        ("empty", &|dir| fs::write(dir.join("decisions.sqlite"), "").unwrap()),
        ("cut", &|dir| change(dir, |bytes| bytes.truncate(bytes.len() / 2))),
        ("changed", &|dir| {
            change(dir, |bytes| bytes.iter_mut().skip(40_000).step_by(501).for_each(|b| *b ^= 1));
        }),
        ("zeros", &|dir| change(dir, |bytes| bytes.iter_mut().skip(70_000).for_each(|b| *b = 0))),
    ];
    for (name, damage) in damages {
        let (indexed, thread) = bench.index();
        wait_until("catching up", || indexed.unindexed() == 0);
        drop(thread);
        damage(&bench.index_dir());
        let (indexed, thread) = bench.index();
        bench.ask(&indexed, 6);
        wait_until(name, || indexed.unindexed() == 0);
        bench.ask(&indexed, 6);
        // And while it is being used.
        damage(&bench.index_dir());
        bench.write(100).await;
        if matches!(name, "deleted" | "no database" | "empty") {
            bench.ask(&indexed, 6);
        }
        drop(thread);
    }

    fs::remove_dir_all(bench.index_dir()).unwrap();
    fs::rename(other.index_dir(), bench.index_dir()).unwrap();
    let (indexed, _thread) = bench.index();
    bench.ask(&indexed, 6);
    wait_until("beginning anew", || indexed.unindexed() == 0);
    bench.ask(&indexed, 6);
}

/// Does something to the files of an index.
type Damage<'d> = &'d dyn Fn(&Path);

fn change(dir: &Path, how: impl Fn(&mut Vec<u8>)) {
    let path = dir.join("decisions.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    how(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_neither_skip_nor_repeat_while_records_come_in() {
    let mut bench = Bench::new("index-cursors", 4);
    let (indexed, _thread) = bench.index();
    bench.write(300).await;
    let filter = DecisionFilter { limit: 7, ..DecisionFilter::default() };
    let (mut asked, mut found) = (filter, Vec::new());
    loop {
        let page = indexed.find(&asked).unwrap();
        found.extend(page.records.iter().map(|record| record.seq));
        bench.write(11).await;
        match page.next_before_seq {
            Some(before) => asked.before_seq = Some(before),
            None => break,
        }
    }
    assert_eq!(found, (1..=300).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn counting_by_more_combinations_than_can_be_held_is_refused_at_once() {
    let bench = Bench::new("index-beyond", 5);
    let roles: Vec<String> = (0..500).map(|number| format!("role-{number}")).collect();
    let at = Timestamp::from_millisecond(BEGIN).unwrap();
    let record = json!({
        "v": 1, "kind": "decision", "at": at.to_string(), "call": {"id": "c", "api": "check_resources"},
        "principal": {"id": "alice", "roles": roles}, "resources": [{"kind": "album", "id": "a1"}],
        "results": [{"policy": "NO_MATCH", "derivedRoles": roles, "decisions": [
            {"action": "view", "effect": "EFFECT_DENY", "reason": "no_policy"},
        ]}],
    });
    bench.log.append(NewRecord { at, payload: record.to_string().into_bytes() }).await.unwrap();
    let (indexed, _thread) = bench.index();
    wait_until("the index has caught up", || indexed.unindexed() == 0);
    // Each alone is fine; together they would take a hundred gigabytes.
    let by = [Field::Role, Field::DerivedRole, Field::Role, Field::DerivedRole];
    for log in [&*bench.log as &dyn DecisionQuery, &indexed] {
        let filter = DecisionFilter::default();
        assert_eq!(log.count(&filter, &by[..1]).unwrap().groups.len(), 500);
        let refused = log.count(&filter, &by).unwrap_err();
        assert!(matches!(refused, LogError::TooManyGroups { .. }), "{refused}");
    }
}

#[test]
fn trial_of_a_large_log_finds_every_call_it_asks_for() {
    let dir = TempDir::new("index-trial");
    let trial = procura_testkit::query::Trial { dir: dir.path(), records: 2000, seed: 1 };
    let outcome = procura_testkit::query::run(trial, |_| {}).unwrap();
    assert_eq!(outcome.asked.iter().map(|asked| asked.short).sum::<usize>(), 0, "{outcome}");
}
