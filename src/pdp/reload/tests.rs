use std::collections::VecDeque;
use std::fs;
use std::sync::Mutex;
use std::time::Instant;

use procura_core::model::Timestamp;
use procura_core::policy::{Code, Diagnostic, Position, Revision, Severity, Snapshot};
use procura_core::record::Record;
use procura_testkit::temp_dir::TempDir;

use super::*;
use crate::pap::Archive;
use crate::pdp::{CheckState, FewerTests, Health, Running};
use crate::ports::{
    Durability, Extent, LogError, NewRecord, Receipt, RecordCursor, RecordSource, SourceError, WatchError,
};

#[tokio::test]
async fn set_goes_live_only_when_two_readings_agree() {
    let cases: [(&str, Vec<Reading>); 4] = [
        ("still", vec![set("a"), set("a")]),
        ("half written", vec![set("b"), set("ba"), set("a"), set("a")]),
        ("torn", vec![torn(), torn(), set("a"), torn(), set("a"), set("a")]),
        ("links before their targets", vec![unreadable(), set("a"), set("a")]),
    ];
    for (name, readings) in cases {
        let server = Server::start(readings, None);
        assert_eq!(server.reload().await, "activated", "{name}");
        assert_eq!(server.live(), Some((revision("a"), 1)), "{name}");
        assert_eq!(server.source.left(), 1, "{name}");
    }
}

#[tokio::test]
async fn whatever_goes_wrong_the_live_set_stays_and_the_status_says_why() {
    let cases: [(&str, Vec<Reading>, &str, &str); 4] = [
        ("errors", vec![set("bad"), set("bad")], "rejected", "1 errors"),
        ("panic", vec![set("panic")], "failed", "defect"),
        (
            "unreadable",
            vec![unreadable(), unreadable()],
            "failed",
            "cannot read `policies`: permission denied",
        ),
        ("both", vec![set("bad"), unreadable(), unreadable()], "failed", "cannot read"),
    ];
    for (name, readings, outcome, why) in cases {
        let server = Server::start(
            [vec![set("a"), set("a")], readings, vec![set("a")]].into_iter().flatten().collect(),
            None,
        );
        assert_eq!(server.reload().await, "activated", "{name}");
        assert_eq!(server.reload().await, outcome, "{name}");
        assert_eq!(server.live(), Some((revision("a"), 1)), "{name}");
        let stale = server.handle.status().why_stale().unwrap();
        assert!(stale.contains(why), "{name}: {stale}");
        let readiness = server.health().readiness();
        assert!(readiness.ready, "{name}");
        assert_eq!(readiness.checks[1].state, CheckState::Degraded, "{name}");

        assert_eq!(server.reload().await, "unchanged", "{name}");
        assert!(!server.handle.status().is_stale(), "{name}");
        let history: Vec<_> = server.handle.status().history.iter().map(|a| a.outcome.as_str()).collect();
        assert_eq!(history, ["unchanged", outcome, "activated"], "{name}");
    }
}

#[tokio::test]
async fn set_whose_tests_fail_goes_live_only_when_they_pass_or_need_not() {
    let failing = || Ok([files("b"), vec![test("EFFECT_ALLOW")]].concat());
    let broken = || Ok([files("b"), vec![SourceFile { text: "x".into(), ..test("") }]].concat());
    let passing = || Ok([files("b"), vec![test("EFFECT_DENY")]].concat());
    let readings = || {
        let bad = vec![failing(), failing(), failing(), failing(), broken(), broken()];
        [vec![set("a"), set("a")], bad, vec![passing(), passing()]].into_iter().flatten().collect()
    };
    let server = Server::start_with(readings(), None, Some(Settings::default()));
    assert_eq!(server.reload().await, "activated");
    // The second time the set is known and its tests are not run again.
    for _ in 0..2 {
        assert_eq!(server.reload().await, "tests_failed");
        assert_eq!(server.live(), Some((revision("a"), 1)));
    }
    let status = server.handle.status();
    let ReloadOutcome::TestsFailed { count, first } = &status.last.as_ref().unwrap().outcome else {
        panic!("{status:?}")
    };
    let reason = "b_test.yaml:7:60: Docs / open / u / d / view: expected EFFECT_ALLOW, got EFFECT_DENY";
    assert_eq!((*count, first[0].to_string().as_str()), (1, reason));
    assert!(status.why_stale().unwrap().contains(reason));
    assert_eq!(status.history.len(), 2);
    assert_eq!(server.health().readiness().checks[1].state, CheckState::Degraded);

    assert_eq!(server.reload().await, "tests_failed");
    let why = server.handle.status().why_stale().unwrap();
    assert!(
        why.contains("b_test.yaml:1:1: Unknown: failed to load test suite: 1:1 invalid document"),
        "{why}"
    );
    assert_eq!(server.reload().await, "activated");
    assert!(!server.handle.status().is_stale());

    let server = Server::start(readings(), None);
    server.reload().await;
    assert_eq!(server.reload().await, "activated");
}

#[tokio::test]
async fn tests_that_were_deleted_are_told_until_the_next_change() {
    let with_test = |text| Ok([files(text), vec![test("EFFECT_DENY")]].concat());
    let readings = vec![with_test("a"), with_test("a"), set("b"), set("b"), set("c"), set("c")];
    let server = Server::start_with(readings, None, Some(Settings::default()));
    for fewer in [None, Some(FewerTests { before: 1, now: 0 }), None] {
        assert_eq!(server.reload().await, "activated");
        assert_eq!(server.handle.status().fewer_tests, fewer);
    }
}

#[tokio::test]
async fn tests_that_take_too_long_keep_the_live_set_and_are_not_tried_again() {
    let dir = TempDir::new("reload");
    let tested = || Ok([files("b"), vec![test("EFFECT_DENY")]].concat());
    let readings = vec![set("a"), set("a"), tested(), tested(), tested(), tested(), set("c")];
    let mut parts = ReloadParts { tests: Some(Settings::default()), ..parts(readings, None, &dir) };
    parts.timing.tests = Duration::ZERO;
    let handle =
        ReloadHandle::start_with(parts, Arc::new(ArcSwapOption::empty()), Box::new(Scripted)).unwrap();
    assert_eq!(handle.reload(Cause::Start).await.as_str(), "activated");
    for _ in 0..2 {
        assert_eq!(handle.reload(Cause::Admin).await.as_str(), "failed");
        let why = handle.status().why_stale().unwrap();
        assert!(why.contains("the tests beside the policies were stopped after 0 seconds"), "{why}");
        assert_eq!(handle.status().live.as_ref().unwrap().generation, 1);
    }
    assert_eq!(handle.reload(Cause::Admin).await.as_str(), "activated");
}

#[tokio::test]
async fn replay_that_takes_too_long_or_fails_keeps_the_live_set_until_it_is_forced() {
    for (limit, fails, why) in [
        (Duration::ZERO, false, "was stopped after 0 seconds"),
        (
            Duration::from_secs(20),
            true,
            "recorded calls cannot be replayed: the decision log cannot be read: gone",
        ),
    ] {
        let dir = TempDir::new("reload");
        let (most, records) = (MaxChanged::Percent(100.0), Arc::new(Records { fails }));
        let gate = ChangeGate { records, most, newest: 10, age: Duration::from_secs(60), limit };
        let readings = vec![set("a"), set("a"), set("b")];
        let parts = ReloadParts { gate: Some(gate), ..parts(readings, None, &dir) };
        let active = Arc::new(ArcSwapOption::empty());
        let handle = ReloadHandle::start_with(parts, Arc::clone(&active), Box::new(Scripted)).unwrap();
        // At start there is nothing that could change.
        assert_eq!(handle.reload(Cause::Start).await.as_str(), "activated");
        for _ in 0..2 {
            assert_eq!(handle.reload(Cause::Admin).await.as_str(), "failed");
            let told = handle.status().why_stale().unwrap();
            assert!(told.contains(why), "{told}");
            assert_eq!(handle.status().live.as_ref().unwrap().generation, 1);
        }
        let force = |force| Ask { force: Some(force), ..Ask::from(Cause::Admin) };
        assert_eq!(handle.reload(force(Force::Only(revision("a")))).await.as_str(), "failed");
        assert_eq!(handle.reload(force(Force::Only(revision("b")))).await.as_str(), "activated");
    }
}

#[test]
fn parts_of_decisions_are_counted_exactly() {
    for (most, changed, all, allowed) in [
        (MaxChanged::Decisions(0), 0, 0, true),
        (MaxChanged::Decisions(2), 2, 2, true),
        (MaxChanged::Decisions(2), 3, 1000, false),
        (MaxChanged::Percent(0.0), 0, 0, true),
        (MaxChanged::Percent(0.0), 1, 1_000_000, false),
        (MaxChanged::Percent(1.0), 10, 1000, true),
        (MaxChanged::Percent(1.0), 11, 1000, false),
        (MaxChanged::Percent(100.0), 7, 7, true),
    ] {
        assert_eq!(most.allows(changed, all), allowed, "{most:?}: {changed} of {all}");
    }
}

#[tokio::test]
async fn set_that_is_still_read_is_freed_by_the_reload_thread() {
    let server = Server::start(vec![set("a"), set("a"), set("b")], None);
    server.reload().await;
    let read = server.active.load_full().unwrap();
    let old = Arc::downgrade(&read);
    assert_eq!(server.reload().await, "activated");
    assert!(Arc::strong_count(&read) > 1, "the thread that reads it last would have to free it");
    drop(read);
    let began = Instant::now();
    while old.strong_count() > 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "it is never freed");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn change_of_policies_is_recorded_before_the_set_answers() {
    let log = Arc::new(Log::default());
    let readings = vec![set("a"), set("a"), set("b"), set("b")];
    let server = Server::start(readings, Some(Arc::clone(&log)));
    log.active.store(Some(Arc::new(Arc::clone(&server.active))));
    server.reload().await;
    server.reload().await;
    assert_eq!(server.live(), Some((revision("b"), 2)));

    let written = log.written.lock().unwrap();
    let seen: Vec<_> = written
        .iter()
        .map(|(payload, live)| {
            let Record::PolicyChange(change) = Record::decode(payload).unwrap() else {
                panic!("{payload:?}")
            };
            let from = change.from.map(|set| set.revision.into_owned());
            (from, change.to.revision.into_owned(), change.cause.into_owned(), live.clone())
        })
        .collect();
    let (a, b) = (revision("a").to_string(), revision("b").to_string());
    let admin = "admin".to_owned();
    assert_eq!(seen[0], (None, a.clone(), admin.clone(), None));
    assert_eq!(seen[1], (Some(a.clone()), b, admin, Some(a)));
}

#[tokio::test]
async fn change_that_cannot_be_recorded_does_not_go_live() {
    let log = Arc::new(Log { refuses: true, ..Log::default() });
    let server = Server::start(vec![set("a")], Some(log));
    assert_eq!(server.reload().await, "failed");
    assert_eq!(server.live(), None);
    let readiness = server.health().readiness();
    assert!(!readiness.ready);
    let states: Vec<_> = readiness.checks.iter().map(|check| check.state).collect();
    assert_eq!(states, [CheckState::Failed, CheckState::Degraded, CheckState::Failed]);
}

#[tokio::test]
async fn change_that_cannot_be_archived_does_not_go_live() {
    let server = Server::start(vec![set("a")], None);
    server.dir.write("archive", "a file where the directory should be");
    assert_eq!(server.reload().await, "failed");
    assert_eq!(server.live(), None);
    assert!(server.handle.status().why_stale().unwrap().contains("archive"));
}

#[tokio::test]
async fn each_set_that_went_live_is_in_the_archive() {
    let readings = vec![set("a"), set("a"), set("bad"), set("bad"), set("b"), set("b")];
    let server = Server::start(readings, None);
    for _ in 0..3 {
        server.reload().await;
    }
    let kept = |text: &str| fs::exists(server.dir.path().join(format!("archive/{}.json", revision(text))));
    assert!(kept("a").unwrap() && kept("b").unwrap() && !kept("bad").unwrap());
}

#[tokio::test]
async fn poll_brings_a_change_live_that_nobody_noticed() {
    let dir = TempDir::new("reload");
    let mut parts = parts(vec![set("a"), set("a"), set("b")], None, &dir);
    parts.timing.poll = Some(Duration::from_millis(5));
    let active = Arc::new(ArcSwapOption::empty());
    let handle = ReloadHandle::start_with(parts, Arc::clone(&active), Box::new(Scripted)).unwrap();
    handle.reload(Cause::Start).await;
    let began = Instant::now();
    while handle.status().live.as_ref().is_none_or(|live| live.revision != revision("b")) {
        assert!(began.elapsed() < Duration::from_secs(10));
        tokio::task::yield_now().await;
    }
    assert_eq!(handle.status().last.as_ref().unwrap().cause, Cause::Poll);
}

#[tokio::test]
async fn watch_that_is_down_is_told_and_is_no_reason_to_stop_answering() {
    let server = Server::start(vec![set("a")], None);
    server.reload().await;
    let error = WatchError { path: "policies".into(), reason: "no inotify watches left".into() };
    for (notice, state) in
        [(Notice::WatchDown(error), CheckState::Degraded), (Notice::WatchUp, CheckState::Good)]
    {
        server.handle.notice(notice);
        // An answer to a later message shows that the notice was taken.
        assert_eq!(server.reload().await, "unchanged");
        let readiness = server.health().readiness();
        assert!(readiness.ready);
        assert_eq!(readiness.checks[1].state, state);
    }
}

#[tokio::test]
async fn attempt_that_does_not_end_is_seen_while_it_goes_on_and_makes_the_status_stale() {
    let server = Server::start(vec![set("a")], None);
    server.reload().await;
    let readings = server.source.0.lock().unwrap();
    server.handle.notice(Notice::Changed);
    let asked = Instant::now();
    let running = loop {
        if let Some(running) = server.handle.status().running {
            break running;
        }
        assert!(asked.elapsed() < Duration::from_secs(10), "the attempt does not show");
        thread::yield_now();
    };
    assert_eq!(running.cause, Cause::Watch);
    assert!(!server.handle.status().is_stale());

    let mut status = ReloadStatus::clone(&server.handle.status());
    status.running =
        running.began.checked_sub(Duration::from_secs(31)).map(|began| Running { began, ..running });
    server.handle.status.store(Arc::new(status));
    let check = &server.health().readiness().checks[1];
    assert_eq!(check.state, CheckState::Degraded);
    assert!(check.detail.contains("has not ended"), "{}", check.detail);

    drop(readings);
    assert_eq!(server.reload().await, "unchanged");
    assert!(server.handle.status().running.is_none() && !server.handle.status().is_stale());
}

#[tokio::test]
async fn notices_of_changes_never_crowd_out_who_asks_for_a_reload() {
    let server = Server::start(vec![set("a"), set("b"), set("c"), set("d"), set("d")], None);
    for _ in 0..10 * MESSAGES {
        server.handle.notice(Notice::Changed);
    }
    assert!(["activated", "unchanged"].contains(&server.reload().await));
    assert_eq!(server.live().map(|(revision, _)| revision), Some(revision("d")));
}

// === Helpers ===

type Reading = Result<Vec<SourceFile>, SourceError>;

struct Server {
    handle: ReloadHandle,
    active: Arc<ArcSwapOption<Active>>,
    source: Arc<Script>,
    log: Option<Arc<dyn DecisionLog>>,
    dir: TempDir,
}

impl Server {
    fn start(readings: Vec<Reading>, log: Option<Arc<Log>>) -> Self {
        Self::start_with(readings, log, None)
    }

    fn start_with(readings: Vec<Reading>, log: Option<Arc<Log>>, tests: Option<Settings>) -> Self {
        let dir = TempDir::new("reload");
        let source = Arc::new(Script(Mutex::new(readings.into())));
        let log = log.map(|log| log as Arc<dyn DecisionLog>);
        let parts =
            ReloadParts { source: Arc::clone(&source) as _, tests, ..parts(Vec::new(), log.clone(), &dir) };
        let active = Arc::new(ArcSwapOption::empty());
        let handle = ReloadHandle::start_with(parts, Arc::clone(&active), Box::new(Scripted)).unwrap();
        Self { handle, active, source, log, dir }
    }

    async fn reload(&self) -> &'static str {
        self.handle.reload(Cause::Admin).await.as_str()
    }

    fn live(&self) -> Option<(Revision, u64)> {
        self.active.load().as_ref().map(|active| (active.snapshot.revision.clone(), active.generation))
    }

    fn health(&self) -> Health {
        Health::new(Arc::clone(&self.active), self.log.clone(), self.handle.clone())
    }
}

fn parts(readings: Vec<Reading>, log: Option<Arc<dyn DecisionLog>>, dir: &TempDir) -> ReloadParts {
    ReloadParts {
        source: Arc::new(Script(Mutex::new(readings.into()))),
        archive: Arc::new(Archive::new(dir.path().join("archive"))),
        log,
        clock: Arc::new(Epoch),
        metrics: Arc::new(Metrics::new().unwrap()),
        timing: ReloadTiming { quiet: Duration::from_millis(1), poll: None, ..ReloadTiming::default() },
        tests: None,
        gate: None,
        give_back: || {},
    }
}

struct Scripted;

impl Compile for Scripted {
    fn whole(&mut self, files: &[SourceFile]) -> Compiled {
        compile(files)
    }

    fn changes(&mut self, files: &[SourceFile]) -> Option<Compiled> {
        Some(compile(files)).filter(|compiled| compiled.snapshot.is_some())
    }
}

/// Compiles `bad` to an error, fails on `panic`, and takes everything else for a good set.
fn compile(files: &[SourceFile]) -> Compiled {
    let text = &*files[0].text;
    assert_ne!(text, "panic");
    if text != "bad" {
        let revision = Revision::of(files);
        let snapshot = Snapshot { revision, files: files.len(), ..Snapshot::default() };
        return Compiled { snapshot: Some(snapshot), diagnostics: Vec::new(), policies: Vec::new() };
    }
    let found = Diagnostic {
        code: Code::Syntax,
        severity: Severity::Error,
        position: Position { file: "a.yaml".into(), line: 1, column: 1 },
        message: "bad".into(),
        hint: None,
        frame: String::new(),
        subject: None,
    };
    Compiled { snapshot: None, diagnostics: vec![found], policies: Vec::new() }
}

fn set(text: &str) -> Reading {
    Ok(files(text))
}

/// A suite with one test, which expects `effect` where there is no policy.
fn test(effect: &str) -> SourceFile {
    let text = format!(
        "name: Docs
principals: {{u: {{id: u, roles: [r]}}}}
resources: {{d: {{id: d, kind: doc}}}}
tests:
  - name: open
    input: {{principals: [u], resources: [d], actions: [view]}}
    expected: [{{principal: u, resource: d, actions: {{view: {effect}}}}}]
"
    );
    SourceFile { path: "b_test.yaml".into(), text: text.into() }
}

fn torn() -> Reading {
    Err(SourceError::Torn { path: "a.yaml".into() })
}

fn unreadable() -> Reading {
    Err(SourceError::Read { path: "policies".into(), source: io::ErrorKind::PermissionDenied.into() })
}

fn files(text: &str) -> Vec<SourceFile> {
    vec![SourceFile { path: "a.yaml".into(), text: text.into() }]
}

fn revision(text: &str) -> Revision {
    Revision::of(&files(text))
}

/// A source that gives one reading after the other and repeats the last.
struct Script(Mutex<VecDeque<Reading>>);

impl Script {
    fn left(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl PolicySource for Script {
    fn read(&self, _: Extent) -> Reading {
        let mut readings = self.0.lock().unwrap();
        if readings.len() > 1 {
            return readings.pop_front().unwrap();
        }
        match &readings[0] {
            Ok(files) => Ok(files.clone()),
            Err(error) => Err(SourceError::TooLarge(error.to_string())),
        }
    }

    fn location(&self) -> String {
        "policies".into()
    }
}

/// A log with one record that is no call, or that cannot be read.
struct Records {
    fails: bool,
}

impl RecordSource for Records {
    fn last(&self) -> u64 {
        1
    }

    fn wait_beyond(&self, _: u64, _: Duration) -> u64 {
        1
    }

    fn cursor(&self, next_seq: u64) -> Box<dyn RecordCursor + '_> {
        Box::new(OneRecord { next_seq, fails: self.fails })
    }
}

struct OneRecord {
    next_seq: u64,
    fails: bool,
}

impl RecordCursor for OneRecord {
    fn next_seq(&self) -> u64 {
        self.next_seq
    }

    fn read(&mut self, each: &mut dyn FnMut(u64, &[u8])) -> Result<usize, LogError> {
        if self.fails {
            return Err(LogError::Unreadable("gone".into()));
        }
        self.next_seq += 1;
        each(1, b"{}");
        Ok(1)
    }
}

struct Epoch;

impl Clock for Epoch {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

/// A log in memory that also notes which set was live when a record came.
#[derive(Default)]
struct Log {
    refuses: bool,
    active: ArcSwapOption<Arc<ArcSwapOption<Active>>>,
    written: Mutex<Vec<(Vec<u8>, Option<String>)>>,
}

impl DecisionLog for Log {
    fn durability(&self) -> Durability {
        Durability::Durable
    }

    fn append_as(&self, record: NewRecord, _: Durability) -> Receipt {
        if self.refuses {
            return Receipt::Ready(Err(LogError::Overloaded));
        }
        let active = self.active.load_full().and_then(|active| active.load_full());
        let live = active.map(|active| active.snapshot.revision.to_string());
        self.written.lock().unwrap().push((record.payload, live));
        Receipt::Ready(Ok(()))
    }

    fn health(&self) -> Result<(), LogError> {
        if self.refuses { Err(LogError::Overloaded) } else { Ok(()) }
    }
}
