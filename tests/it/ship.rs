//! Records shipped to receivers that fail in every way: each arrives, in order, at least once.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use procura::audit::{Dependent, DirFiles, Log, LogSettings, Retention};
use procura::ports::{Clock, DecisionLog, DestinationStatus, NewRecord, Shipping};
use procura::secret::SecretSource;
use procura::ship::{
    BatchLimits, DestinationSettings, EndpointSettings, FileSettings, Retry, Ship, TargetSettings,
};
use procura::telemetry::Metrics;
use procura_core::model::Effect;
use procura_core::record::{LogRepair, Record};
use procura_testkit::calls::MadeUpCall;
use procura_testkit::clock::SteppingClock;
use procura_testkit::receiver::{Conduct, Receiver, compare, lines};
use procura_testkit::server::ServerSpec;
use procura_testkit::temp_dir::TempDir;

/// More than any test takes.
const LONG: Duration = Duration::from_secs(60);

/// A log in a directory, and what ships it.
struct Bench {
    dir: TempDir,
    log: Arc<Log>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

impl Bench {
    fn new() -> Self {
        Self::within(TempDir::new("ship"), "log")
    }

    /// With the log `name` of `dir`.
    fn within(dir: TempDir, name: &str) -> Self {
        Self::retaining(dir, name, Retention::default())
    }

    /// With a log that deletes old records.
    fn retaining(dir: TempDir, name: &str, retention: Retention) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SteppingClock::default());
        let metrics = Arc::new(Metrics::new().unwrap());
        let files = Arc::new(DirFiles::open(&dir.path().join(name)).unwrap());
        let settings = LogSettings { segment_bytes: 8 * 1024, retention, ..LogSettings::default() };
        let (log, _) = Log::open(files, &settings, Arc::clone(&clock), Arc::clone(&metrics)).unwrap();
        Self { dir, log, clock, metrics }
    }

    async fn write(&self, count: u64) {
        for number in 0..count {
            let (at, effect) = (self.clock.now(), Effect::Allow);
            let call = MadeUpCall {
                at,
                number,
                principal: "alice",
                action: "view",
                resource: "a1",
                effect,
                padding: 100,
            };
            self.log.append(call.record()).await.unwrap();
        }
    }

    /// A record that is no decision.
    async fn write_repair(&self) {
        let at = self.clock.now();
        let (cause, segment) = ("c".into(), "s".into());
        let repair = LogRepair { at, cause, segment, offset: 0, dropped_bytes: None, gap: None };
        let payload = Record::LogRepair(repair).encode().unwrap();
        self.log.append(NewRecord { at, payload }).await.unwrap();
    }

    fn ship(&self, target: TargetSettings) -> Ship {
        self.ship_with(settings(target))
    }

    fn ship_with(&self, settings: DestinationSettings) -> Ship {
        let directory = self.dir.path().join("ship");
        Ship::start(vec![settings], &directory, self.log.reader(), &self.clock, &self.metrics).unwrap()
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("shipped.ndjson")
    }

    fn file(&self) -> TargetSettings {
        TargetSettings::File(FileSettings { path: self.path(), max_bytes: 1 << 30, keep: 1 })
    }
}

fn settings(target: TargetSettings) -> DestinationSettings {
    DestinationSettings {
        name: "there".into(),
        target,
        kinds: Vec::new(),
        batch: BatchLimits { records: 16, bytes: 1 << 20 },
        interval: Duration::from_millis(1),
        retry: Retry { shortest: Duration::from_millis(1), longest: Duration::from_millis(10) },
    }
}

fn endpoint(url: String) -> EndpointSettings {
    EndpointSettings {
        url,
        headers: Vec::new(),
        gzip: false,
        timeout: Duration::from_millis(200),
        ca_file: None,
    }
}

fn http(receiver: &Receiver) -> TargetSettings {
    TargetSettings::Http(endpoint(receiver.url("/in")))
}

fn otlp(receiver: &Receiver) -> TargetSettings {
    let endpoint = EndpointSettings { gzip: true, ..endpoint(receiver.url("/v1/logs")) };
    TargetSettings::Otlp { endpoint, resource: [("service.instance.id".to_owned(), "a".to_owned())].into() }
}

/// Waits until the one destination stands as asked for.
fn until(ship: &Ship, is_enough: impl Fn(&DestinationStatus) -> bool) -> DestinationStatus {
    let begun = std::time::Instant::now();
    loop {
        let status = ship.destinations().remove(0);
        if is_enough(&status) {
            return status;
        }
        assert!(begun.elapsed() < LONG, "{status:?}");
        std::thread::yield_now();
    }
}

// === Failing receivers ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_arrives_in_order_whatever_the_receiver_does() {
    for conduct in [
        Conduct::Refuse(500),
        Conduct::Refuse(429),
        Conduct::Refuse(408),
        Conduct::Refuse(401),
        Conduct::Refuse(302),
        Conduct::Hang,
        Conduct::Close,
        Conduct::TakeAndClose,
    ] {
        for target in [http, otlp] {
            let (bench, receiver) = (Bench::new(), Receiver::start(Conduct::Accept).await);
            bench.write(20).await;
            let ship = bench.ship(target(&receiver));
            receiver.until_seq(20).await.unwrap();
            receiver.set(conduct);
            let before = receiver.received().requests;
            bench.write(30).await;
            receiver.until(|received| received.requests > before + 2).await.unwrap();
            let status = until(&ship, |status| status.outage.is_some());
            assert_eq!((status.shipped, status.behind), (20, 30), "{conduct:?}");
            receiver.set(Conduct::Accept);
            receiver.until_seq(50).await.unwrap();
            let status = until(&ship, |status| status.kept == 50);
            assert_eq!((status.behind, status.behind_for, status.outage), (0, Duration::ZERO, None));
            let repeats = compare(&receiver.received().arrivals, bench.log.reader()).unwrap();
            assert_eq!(repeats > 0, conduct == Conduct::TakeAndClose, "{conduct:?}: {repeats} repeated");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn record_that_a_collector_rejects_is_not_skipped() {
    let (bench, receiver) = (Bench::new(), Receiver::start(Conduct::Reject).await);
    bench.write(10).await;
    let ship = bench.ship(otlp(&receiver));
    receiver.until(|received| received.requests > 2).await.unwrap();
    let status = until(&ship, |status| status.outage.is_some());
    assert_eq!(status.outage.as_deref(), Some("the destination rejects 1 of the records"));
    assert_eq!((status.shipped, status.behind), (0, 10));
    receiver.set(Conduct::Accept);
    until(&ship, |status| status.shipped == 10);
    compare(&receiver.received().arrivals, bench.log.reader()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receiver_that_is_down_for_long_gets_everything_once_it_is_back() {
    let (bench, mut receiver) = (Bench::new(), Receiver::start(Conduct::Accept).await);
    let ship = bench.ship(http(&receiver));
    receiver.go_down().await;
    bench.write(200).await;
    let metric = |name: &str| metric(&bench.metrics, name);
    until(&ship, |_| metric("procura_ship_failures_total") > 10 && metric("procura_ship_lag_records") == 200);
    drop(ship);
    receiver.come_up().await;
    let ship = bench.ship(http(&receiver));
    receiver.until_seq(200).await.unwrap();
    assert_eq!(compare(&receiver.received().arrivals, bench.log.reader()).unwrap(), 0);
    until(&ship, |status| status.shipped == 200 && status.outage.is_none());
    assert_eq!(metric("procura_ship_records_total"), 200);
}

/// The metric `name` of the one destination.
fn metric(metrics: &Metrics, name: &str) -> u64 {
    let (text, sample) = (metrics.render(), format!("{name}{{destination=\"there\"}} "));
    let value = text.lines().find_map(|line| line.strip_prefix(&sample));
    value.map_or(0, |value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batch_that_is_too_large_is_sent_in_parts() {
    let (bench, receiver) = (Bench::new(), Receiver::start(Conduct::AtMost(3)).await);
    bench.write(40).await;
    let _ship = bench.ship(http(&receiver));
    receiver.until_seq(40).await.unwrap();
    assert_eq!(compare(&receiver.received().arrivals, bench.log.reader()).unwrap(), 0);
}

// === What is sent ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_say_which_records_a_batch_holds_and_secrets_come_from_files() {
    let (bench, receiver) = (Bench::new(), Receiver::start(Conduct::Accept).await);
    bench.dir.write("secret", "Bearer hidden\n");
    bench.write(5).await;
    let headers = vec![
        ("authorization".to_owned(), SecretSource::file(bench.dir.path().join("secret"))),
        ("x-tenant".to_owned(), SecretSource::Text("acme".into())),
    ];
    let target = TargetSettings::Http(EndpointSettings { headers, ..endpoint(receiver.url("/in")) });
    assert!(!format!("{target:?}").contains("acme"), "{target:?}");
    let _ship = bench.ship(target);
    receiver.until_seq(5).await.unwrap();
    let received = receiver.received();
    let header = |name: &str| {
        received.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    };
    assert_eq!(header("authorization"), Some("Bearer hidden"));
    assert_eq!(header("x-tenant"), Some("acme"));
    assert_eq!(header("content-type"), Some("application/x-ndjson"));
    assert_eq!(header("procura-records"), Some("5"));
    assert_eq!((header("procura-first-seq"), header("procura-last-seq")), (Some("1"), Some("5")));
    assert_eq!(header("procura-last-hash"), Some(received.arrivals[4].hash.as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn header_whose_file_is_missing_stops_shipping_until_it_is_there() {
    let (bench, receiver) = (Bench::new(), Receiver::start(Conduct::Accept).await);
    bench.write(1).await;
    let source = SecretSource::file(bench.dir.path().join("secret"));
    let headers = vec![("x-key".to_owned(), source)];
    let ship =
        bench.ship(TargetSettings::Http(EndpointSettings { headers, ..endpoint(receiver.url("/in")) }));
    let status = until(&ship, |status| status.outage.is_some());
    assert_eq!(status.outage.as_deref(), Some("the header `x-key` has no valid value"));
    bench.dir.write("secret", "s");
    receiver.until_seq(1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_kinds_that_are_asked_for_are_sent_and_the_rest_is_passed_by() {
    let bench = Bench::new();
    let kinds = vec!["log_repair".to_owned()];
    let ship = bench.ship_with(DestinationSettings { kinds, ..settings(bench.file()) });
    bench.write(30).await;
    bench.write_repair().await;
    bench.write(30).await;
    until(&ship, |status| status.shipped == 61 && status.kept == 61 && status.behind == 0);
    let sent = lines(&fs::read_to_string(bench.path()).unwrap()).unwrap();
    assert_eq!(sent.iter().map(|arrival| arrival.seq).collect::<Vec<_>>(), [31]);
}

// === Files ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn full_disk_delays_records_and_loses_none() {
    let bench = Bench::new();
    symlink("/dev/full", bench.path()).unwrap();
    let ship = bench.ship(bench.file());
    bench.write(100).await;
    let status = until(&ship, |status| status.outage.is_some());
    assert!(status.outage.as_deref().unwrap().contains("No space left on device"), "{status:?}");
    fs::remove_file(bench.path()).unwrap();
    until(&ship, |status| status.kept == 100);
    let written = lines(&fs::read_to_string(bench.path()).unwrap()).unwrap();
    assert_eq!(compare(&written, bench.log.reader()).unwrap(), 0);
}

// === Bookmarks ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stop_sends_what_is_left_and_the_next_start_goes_on_behind_it() {
    let bench = Bench::new();
    let long = || DestinationSettings { interval: LONG, ..settings(bench.file()) };
    for life in 1..=3 {
        let ship = bench.ship_with(long());
        bench.write(50).await;
        ship.stop(LONG);
        let status = ship.destinations().remove(0);
        assert_eq!((status.shipped, status.kept), (50 * life, 50 * life));
        assert_eq!(
            ship.needed_from(),
            Some(50 * life),
            "the record by which the log is recognised is needed"
        );
    }
    let written = lines(&fs::read_to_string(bench.path()).unwrap()).unwrap();
    assert_eq!(compare(&written, bench.log.reader()).unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn destination_that_knows_another_log_begins_again() {
    let first = Bench::new();
    let ship = first.ship(first.file());
    first.write(100).await;
    until(&ship, |status| status.kept == 100);
    drop(ship);
    first.log.close();
    let Bench { dir, .. } = first;
    // One that ends before record 100; then its own bookmark, damaged.
    let other = Bench::within(dir, "other");
    other.write_repair().await;
    for last in [40, 141] {
        let _ = fs::remove_file(other.path());
        other.write(last - other.log.reader().reach().last).await;
        if last == 141 {
            fs::write(other.dir.path().join("ship/there"), "v1 40 00 00\n").unwrap();
        }
        let ship = other.ship(other.file());
        until(&ship, |status| status.kept == last);
        let written = lines(&fs::read_to_string(other.path()).unwrap()).unwrap();
        assert_eq!(compare(&written, other.log.reader()).unwrap(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn destination_whose_record_has_another_hash_begins_again() {
    let first = Bench::new();
    let ship = first.ship(first.file());
    first.write(10).await;
    until(&ship, |status| status.kept == 10);
    drop(ship);
    first.log.close();
    let Bench { dir, .. } = first;
    let other = Bench::within(dir, "other");
    fs::remove_file(other.path()).unwrap();
    other.write_repair().await;
    other.write(19).await;
    let ship = other.ship(other.file());
    until(&ship, |status| status.kept == 20);
    let written = lines(&fs::read_to_string(other.path()).unwrap()).unwrap();
    assert_eq!(compare(&written, other.log.reader()).unwrap(), 0);
}

#[tokio::test]
async fn records_are_needed_until_every_destination_has_them() {
    let (bench, receiver) = (Bench::new(), Receiver::start(Conduct::Refuse(503)).await);
    bench.write(10).await;
    let slow = DestinationSettings { name: "slow".into(), ..settings(http(&receiver)) };
    let fast = settings(bench.file());
    let directory = bench.dir.path().join("ship");
    let start = |destinations| {
        Ship::start(destinations, &directory, bench.log.reader(), &bench.clock, &bench.metrics).unwrap()
    };
    assert_eq!(start(Vec::new()).needed_from(), None);
    let ship = start(vec![fast, slow]);
    until(&ship, |status| status.kept == 10);
    assert_eq!(ship.needed_from(), Some(1));
    ship.stop(Duration::ZERO);
}

// === Retention ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_a_destination_has_not_got_yet_are_not_deleted() {
    let retention = Retention { bytes: Some(1), ..Retention::default() };
    let bench = Bench::retaining(TempDir::new("ship"), "log", retention);
    let receiver = Receiver::start(Conduct::Accept).await;
    let ship = bench.ship(http(&receiver));
    bench.write(100).await;
    let kept = until(&ship, |status| status.kept >= 100).kept;
    receiver.set(Conduct::Refuse(500));
    bench.write(300).await;
    let first = || bench.log.reader().first_seq();
    until(&ship, |status| status.outage.is_some() && first() > 50);
    assert!((51..=kept).contains(&first()), "{} of {kept}", first());
    receiver.set(Conduct::Accept);
    receiver.until_seq(400).await.unwrap();
    until(&ship, |_| first() > 300);
    let mut seqs: Vec<u64> = receiver.received().arrivals.iter().map(|arrival| arrival.seq).collect();
    seqs.dedup();
    assert_eq!(seqs, (1..=*seqs.last().unwrap()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn destination_whose_records_were_deleted_begins_with_the_first_that_is_left() {
    let retention = Retention { bytes: Some(1), ..Retention::default() };
    let bench = Bench::retaining(TempDir::new("ship"), "log", retention);
    let ship = bench.ship(bench.file());
    bench.write(10).await;
    until(&ship, |status| status.kept == 10);
    drop(ship);
    let reader = bench.log.reader();
    reader.need_from(Dependent::Shipping, None);
    while reader.first_seq() < 100 {
        bench.write(10).await;
    }
    fs::remove_file(bench.path()).unwrap();
    let first = reader.first_seq();
    reader.need_from(Dependent::Shipping, Some(first));
    let ship = bench.ship(bench.file());
    until(&ship, |status| status.behind == 0 && status.kept >= 100);
    let written = lines(&fs::read_to_string(bench.path()).unwrap()).unwrap();
    assert!(written[0].seq >= first);
    assert!(written.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1));
}

// === A real server ===

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_destination_gets_every_record_though_receivers_fail_and_the_server_is_killed() {
    const SEED: u64 = 5;
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_procura"));
    let outcome = procura_testkit::ship::run(binary, 3, SEED, |_| ()).await.unwrap();
    assert!(outcome.records > 10 && outcome.changes > 0, "a trial that tries nothing: {outcome:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn server_whose_destination_is_down_is_ready_and_says_so_and_stops_without_waiting_for_it() {
    let (dir, mut receiver) = (TempDir::new("ship"), Receiver::start(Conduct::Accept).await);
    receiver.go_down().await;
    fs::create_dir(dir.path().join("policies")).unwrap();
    let destination = serde_json::json!([{ "name": "siem", "interval": "0s", "http": {
        "url": receiver.url("/in"), "headers": { "authorization": "Bearer hidden" },
    } }]);
    let binary = env!("CARGO_BIN_EXE_procura");
    let spec = ServerSpec::new(binary, dir.path().join("policies"), dir.path().join("data"))
        .arg(format!("--set=audit.ship={destination}"));
    let mut server = spec.start().await.unwrap();
    let mut connection = server.connect().await.unwrap();
    let ready = loop {
        let ready = connection.get("/readyz").await.unwrap();
        assert_eq!(ready.status, 200);
        let text = String::from_utf8(ready.body).unwrap();
        if text.contains("degraded") {
            break text;
        }
    };
    assert!(ready.contains("`siem` is at record 0"), "{ready}");
    assert!(ready.contains("the destination cannot be reached: no answer"), "{ready}");
    server.signal("TERM").await.unwrap();
    let ended = server.wait().await.unwrap();
    assert!(ended.success(), "{}", server.output());
    let output = server.output();
    assert!(output.contains("shipping_stopped"), "{output}");
    assert!(!output.contains("hidden") && !ready.contains("hidden"), "{output}");
}
