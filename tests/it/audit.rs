//! The decision log from outside: what is acknowledged is found, what is damaged is named, what fails is refused.

use std::sync::Arc;
use std::time::Duration;

use procura::audit::{AuditError, DirFiles, Log, LogReader, LogSettings, RecoveryReport, verify};
use procura::ports::{Clock, DecisionFilter, DecisionLog, DecisionQuery, Durability, LogError, LogFiles};
use procura::telemetry::Metrics;
use procura_core::model::{Effect, Timestamp};
use procura_core::query::{Condition, Field};
use procura_testkit::calls::MadeUpCall;
use procura_testkit::clock::SteppingClock;
use procura_testkit::rng::Rng;
use procura_testkit::sim_disk::SimDisk;
use procura_testkit::temp_dir::TempDir;

const SEED: u64 = 7;

/// A log on a simulated disk, and the clock it is written by.
struct Bench {
    disk: SimDisk,
    clock: Arc<SteppingClock>,
    settings: LogSettings,
}

impl Bench {
    fn new() -> Self {
        let settings = LogSettings { segment_bytes: 8 * 1024, ..LogSettings::default() };
        Self { disk: SimDisk::new(SEED), clock: Arc::default(), settings }
    }

    fn open(&self) -> Result<(Arc<Log>, RecoveryReport), AuditError> {
        let metrics = Arc::new(Metrics::new().unwrap());
        Log::open(Arc::new(self.disk.clone()), &self.settings, self.clock.clone(), metrics)
    }

    fn call(&self, number: u64) -> MadeUpCall<'static> {
        let at = self.clock.now();
        let effect = Effect::Allow;
        MadeUpCall { at, number, principal: "alice", action: "view", resource: "a1", effect, padding: 100 }
    }

    /// Writes `count` records one after another; returns their ids.
    async fn write(&self, log: &Log, count: u64) -> Vec<String> {
        let mut ids = Vec::new();
        for number in 0..count {
            let call = self.call(number);
            log.append(call.record()).await.unwrap();
            ids.push(call.id());
        }
        ids
    }

    /// A log of `count` records that has been closed.
    async fn written(count: u64) -> (Self, Vec<String>) {
        let bench = Self::new();
        let (log, _) = bench.open().unwrap();
        let ids = bench.write(&log, count).await;
        log.close();
        (bench, ids)
    }

    fn segments(&self) -> Vec<String> {
        self.disk.list().unwrap().into_iter().filter(|name| name.ends_with(".seg")).collect()
    }
}

fn everything(limit: usize) -> DecisionFilter {
    DecisionFilter { limit, ..DecisionFilter::default() }
}

// === Found ===

#[tokio::test]
async fn a_record_is_found_once_it_is_acknowledged_and_after_a_restart() {
    let dir = TempDir::new("audit");
    let metrics = Arc::new(Metrics::new().unwrap());
    let bench = Bench::new();
    let open = || {
        let files = Arc::new(DirFiles::open(&dir.path().join("log")).unwrap());
        Log::open(files, &bench.settings, bench.clock.clone(), metrics.clone()).unwrap()
    };
    let mut ids = Vec::new();
    for life in 0..3 {
        let (log, report) = open();
        assert_eq!((report.last_seq, report.repair), (life * 100, None));
        for number in 0..100 {
            let call = bench.call(number);
            let record = call.record();
            let payload = record.payload.clone();
            log.append(record).await.unwrap();
            assert_eq!(log.get(&call.id()).unwrap().unwrap().payload, payload);
            ids.push(call.id());
        }
        for id in &ids {
            assert!(log.get(id).unwrap().is_some(), "{id}");
        }
    }
    let files = DirFiles::open_to_read(&dir.path().join("log")).unwrap();
    let verified = verify(&files, |_, _| ()).unwrap();
    assert_eq!((verified.last_seq, verified.kinds["decision"], verified.torn_bytes), (300, 300, 0));
    assert!(verified.segments > 5);
}

#[tokio::test]
async fn a_cursor_meets_every_record_once_in_order_from_wherever_it_begins() {
    let (bench, ids) = Bench::written(300).await;
    let (log, _) = bench.open().unwrap();
    let reader = log.reader();
    for first in [0, 1, 2, 3, 40, 41, 42, 43, 44, 150, 299, 300, 301, 400] {
        let mut cursor = reader.cursor(first);
        let (mut seen, mut places) = (Vec::new(), Vec::new());
        while cursor
            .read(|entry| {
                seen.push(entry.seq);
                places.push((entry.place, entry.payload.to_vec()));
            })
            .unwrap()
            > 0
        {}
        assert_eq!(seen, (first.max(1)..=300).collect::<Vec<_>>(), "from {first}");
        for ((place, payload), seq) in places.into_iter().zip(seen) {
            let stored = reader.at(place).unwrap();
            assert_eq!((stored.seq, stored.payload), (seq, payload));
        }
        if first == 301 {
            let call = bench.call(300);
            assert!(!ids.contains(&call.id()));
            let reach = reader.reach();
            log.append(call.record()).await.unwrap();
            assert_eq!(reader.wait_beyond(reach, Duration::from_secs(60)).last, 301);
            assert_eq!(cursor.read(|entry| assert_eq!(entry.seq, 301)).unwrap(), 1);
        }
    }
}

#[test]
fn file_that_is_reopened_must_be_there_and_is_not_created() {
    let dir = TempDir::new("audit");
    let on_disk = DirFiles::open(dir.path()).unwrap();
    for files in [&on_disk as &dyn LogFiles, &SimDisk::new(SEED)] {
        let before = files.list().unwrap();
        let error = files.reopen("log-1.seg").err().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
        assert_eq!(files.list().unwrap(), before);
        files.open_append("log-1.seg").unwrap();
        files.reopen("log-1.seg").unwrap().sync().unwrap();
    }
}

#[tokio::test]
async fn unknown_ids_are_not_found() {
    let (bench, _) = Bench::written(20).await;
    let reader = LogReader::open(Arc::new(bench.disk.clone())).unwrap();
    for id in ["", "nothing", "00000000-0000-7000-8000-000000000000", "019ab3f2-6c1e-4d3a-9b52-0f4e1c2d3a4b"]
    {
        assert_eq!(reader.get(id).unwrap(), None, "{id}");
    }
}

#[tokio::test]
async fn every_filter_equals_a_look_at_each_record() {
    let bench = Bench::new();
    let (log, _) = bench.open().unwrap();
    let mut rng = Rng::new(SEED);
    let names = ["alice", "bob", "a\"quoted\\ name", "ünïcode"];
    let effects = [Effect::Allow, Effect::Deny];
    let mut calls = Vec::new();
    for number in 0..300 {
        let call = MadeUpCall {
            at: bench.clock.now(),
            number,
            principal: names[rng.below(4)],
            action: ["view", "edit"][rng.below(2)],
            resource: ["a1", "a2", "alice"][rng.below(3)],
            effect: effects[rng.below(2)],
            padding: rng.below(300),
        };
        log.append(call.record()).await.unwrap();
        calls.push(call);
    }
    for round in 0..200 {
        let mut maybe = |of: &[&str]| Some(of[rng.below(of.len())].to_owned()).filter(|_| rng.below(2) == 0);
        let mut filter = everything(1 + round % 40);
        let (principal, action) = (maybe(&names), maybe(&["view", "edit", "delete"]));
        let (resource, kind) = (maybe(&["a1", "a2", "alice"]), maybe(&["album"]));
        let effect = Some(effects[rng.below(2)]).filter(|_| rng.below(2) == 0);
        let asked = [
            (Field::Principal, &principal),
            (Field::Action, &action),
            (Field::ResourceId, &resource),
            (Field::ResourceKind, &kind),
            (Field::Effect, &effect.map(|effect| effect.wire_name().to_owned())),
        ];
        let asked = asked.into_iter().filter_map(|(field, text)| Condition::is(field, text.as_deref()?));
        filter.condition = asked.fold(Condition::default(), Condition::and);
        filter.since = Some(calls[rng.below(300)].at).filter(|_| rng.below(2) == 0);
        filter.until = Some(calls[rng.below(300)].at).filter(|_| rng.below(2) == 0);
        let is =
            |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        let expected = calls.iter().rev().filter(|call| {
            is(&principal, call.principal)
                && is(&action, call.action)
                && is(&resource, call.resource)
                && effect.is_none_or(|effect| effect == call.effect)
                && filter.since.is_none_or(|since| call.at >= since)
                && filter.until.is_none_or(|until| call.at < until)
        });
        let expected: Vec<_> = expected.map(|call| call.record().payload).collect();
        assert_eq!(pages(&*log, filter.clone()), expected, "{filter:?}");
    }
}

/// All pages of a query, one after another.
fn pages(log: &dyn DecisionQuery, mut filter: DecisionFilter) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    loop {
        let page = log.find(&filter).unwrap();
        assert!(page.records.len() <= filter.limit);
        found.extend(page.records.into_iter().map(|record| record.payload));
        let Some(next) = page.next_before_seq else {
            return found;
        };
        assert!(filter.before_seq.is_none_or(|before| next < before), "a cursor that does not move");
        filter.before_seq = Some(next);
    }
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat_while_records_are_written() {
    let bench = Bench::new();
    let (log, _) = bench.open().unwrap();
    bench.write(&log, 100).await;
    let mut filter = everything(7);
    let mut seen = Vec::new();
    loop {
        let page = log.find(&filter).unwrap();
        seen.extend(page.records.iter().map(|record| record.seq));
        bench.write(&log, 5).await;
        let Some(next) = page.next_before_seq else { break };
        filter.before_seq = Some(next);
    }
    assert_eq!(seen, (1..=100).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn calls_are_found_by_id_though_the_clock_went_back() {
    let bench = Bench::new();
    let (log, _) = bench.open().unwrap();
    let mut calls = Vec::new();
    for number in 0..200 {
        let mut call = bench.call(number);
        if number % 3 == 0 {
            call.at = call.at.checked_sub(Duration::from_secs(number * 3600)).unwrap();
        }
        log.append(call.record()).await.unwrap();
        calls.push(call.id());
    }
    log.close();
    let reader = LogReader::open(Arc::new(bench.disk.clone())).unwrap();
    assert!(calls.iter().all(|id| log.get(id).unwrap().is_some() && reader.get(id).unwrap().is_some()));
}

// === Damaged ===

#[tokio::test]
async fn a_log_has_one_writer_and_any_number_of_readers() {
    let dir = TempDir::new("audit-lock");
    let first = DirFiles::open(dir.path()).unwrap();
    assert!(matches!(DirFiles::open(dir.path()), Err(AuditError::Locked(_))));
    assert!(DirFiles::open_to_read(dir.path()).is_ok());
    drop(first);
    assert!(DirFiles::open(dir.path()).is_ok());
}

#[tokio::test]
async fn a_torn_end_is_cut_reported_and_recorded() {
    let (bench, ids) = Bench::written(3).await;
    let segment = bench.segments().pop().unwrap();
    bench.disk.tamper(&segment, |bytes| bytes.extend_from_slice(&[7; 1000]));
    let before = verify(&bench.disk, |_, _| ()).unwrap();
    assert_eq!((before.last_seq, before.torn_bytes), (3, 1000));

    let (log, report) = bench.open().unwrap();
    let repair = report.repair.unwrap();
    assert_eq!((report.last_seq, repair.dropped_bytes, repair.segment), (3, 1000, segment));
    log.close();
    let after = verify(&bench.disk, |_, _| ()).unwrap();
    assert_eq!((after.last_seq, after.kinds["log_repair"], after.torn_bytes), (4, 1, 0));
    assert!(ids.iter().all(|id| log.get(id).unwrap().is_some()));
}

#[tokio::test]
async fn a_record_that_was_on_disk_is_never_cut_as_torn() {
    let (bench, _) = Bench::written(10).await;
    let segment = bench.segments().pop().unwrap();
    // The third record: others follow it that say that it was on disk.
    let offset = 80 + 2 * ((bench.disk.len(&segment).unwrap() as usize - 80) / 10) + 100;
    bench.disk.tamper(&segment, |bytes| bytes[offset] ^= 1);
    for error in [bench.open().err().unwrap(), verify(&bench.disk, |_, _| ()).unwrap_err()] {
        let AuditError::Damaged { segment: named, seq, .. } = error else { panic!("{error}") };
        assert_eq!((named, seq), (segment.clone(), 3));
    }
}

#[tokio::test]
async fn verify_notices_any_changed_byte_and_any_missing_segment() {
    let (bench, _) = Bench::written(120).await;
    let segments = bench.segments();
    let mut rng = Rng::new(SEED);
    for _ in 0..300 {
        let segment = &segments[rng.below(segments.len() - 1)];
        let at = rng.below(bench.disk.len(segment).unwrap() as usize);
        let flip = 1 << rng.below(8);
        bench.disk.tamper(segment, |bytes| bytes[at] ^= flip);
        let error = verify(&bench.disk, |_, _| ()).unwrap_err();
        let AuditError::Damaged { segment: named, .. } = &error else { panic!("{error}") };
        assert_eq!(named, segment, "byte {at}");
        bench.disk.tamper(segment, |bytes| bytes[at] ^= flip);
    }
    verify(&bench.disk, |_, _| ()).unwrap();
    for segment in &segments[..segments.len() - 1] {
        let content = bench.disk.read_at(segment, 0, bench.disk.len(segment).unwrap() as usize).unwrap();
        bench.disk.snatch(segment);
        assert!(matches!(verify(&bench.disk, |_, _| ()), Err(AuditError::Damaged { .. })));
        assert!(bench.open().is_err(), "{segment} is missing");
        bench.disk.open_append(segment).unwrap().append(&content).unwrap();
    }
    verify(&bench.disk, |_, _| ()).unwrap();
}

#[tokio::test]
async fn a_segment_of_a_later_format_is_not_taken_for_a_torn_one() {
    let (bench, _) = Bench::written(5).await;
    let segment = bench.segments().pop().unwrap();
    bench.disk.tamper(&segment, |bytes| bytes[8] = 2);
    let error = bench.open().err().unwrap();
    assert!(matches!(error, AuditError::Damaged { .. }), "{error}");
}

// === Failing ===

#[tokio::test]
async fn a_failing_disk_refuses_records_until_the_log_is_mended() {
    let mut rng = Rng::new(SEED);
    for round in 0..25 {
        let bench = Bench::new();
        let (log, _) = bench.open().unwrap();
        let mut acknowledged = bench.write(&log, 20).await;
        bench.disk.fail_next(1 + rng.below(4) as u64);
        let mut refused = Vec::new();
        for number in 0..40 {
            let call = bench.call(number);
            match log.append(call.record()).await {
                Ok(()) => acknowledged.push(call.id()),
                Err(error) => {
                    assert!(matches!(error, LogError::Unavailable(_)), "{error}");
                    refused.push(call.id());
                    healed(&log).await;
                }
            }
        }
        acknowledged.extend(bench.write(&log, 20).await);
        log.close();
        assert!(!refused.is_empty(), "round {round}");
        // What is on the medium now, and not what memory still shows.
        let disk = bench.disk.reboot();
        let verified = verify(&disk, |_, _| ()).unwrap();
        assert_eq!(verified.kinds["decision"], acknowledged.len() as u64, "round {round}");
        assert!(verified.kinds["log_repair"] >= 1);
        let reader = LogReader::open(Arc::new(disk)).unwrap();
        assert!(acknowledged.iter().all(|id| reader.get(id).unwrap().is_some()), "round {round}");
        assert!(refused.iter().all(|id| reader.get(id).unwrap().is_none()), "round {round}");
    }
}

async fn healed(log: &Log) {
    let healed = async {
        while log.health().is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), healed).await.expect("the log accepts records again");
}

#[tokio::test]
async fn a_hanging_disk_meets_the_deadline_and_a_full_queue() {
    let mut bench = Bench::new();
    bench.settings.deadline = Duration::from_millis(20);
    bench.settings.queue_records = 3;
    let (log, _) = bench.open().unwrap();
    bench.disk.stall(true);
    let mut outcomes = Vec::new();
    for number in 0..10 {
        outcomes.push(log.append(bench.call(number).record()).await.unwrap_err());
    }
    assert!(matches!(outcomes[0], LogError::Deadline), "{:?}", outcomes[0]);
    assert!(matches!(outcomes[9], LogError::Overloaded), "{:?}", outcomes[9]);
    bench.disk.stall(false);
    log.close();
    assert!(matches!(log.append(bench.call(11).record()).await, Err(LogError::Unavailable(_))));
}

#[tokio::test]
async fn async_records_are_acknowledged_before_the_disk_and_written_on_close() {
    let mut bench = Bench::new();
    bench.settings.durability = Durability::Async;
    let (log, _) = bench.open().unwrap();
    bench.disk.stall(true);
    let ids = bench.write(&log, 50).await;
    assert_eq!(log.find(&everything(1)).unwrap().records.len(), 0, "not written, so not visible");
    bench.disk.stall(false);
    log.close();
    let reader = LogReader::open(Arc::new(bench.disk.reboot())).unwrap();
    assert!(ids.iter().all(|id| reader.get(id).unwrap().is_some()));
}

#[tokio::test]
async fn records_that_wait_together_share_one_sync() {
    // Segments of the usual size: what is counted must not be a change of segment.
    let bench = Bench { settings: LogSettings::default(), ..Bench::new() };
    let (log, _) = bench.open().unwrap();
    // The mark of the segment is set with the second write.
    bench.write(&log, 2).await;
    bench.disk.stall(true);
    let before = bench.disk.operations();
    let receipts: Vec<_> = (0..20).map(|number| log.append(bench.call(number).record())).collect();
    bench.disk.stall(false);
    for receipt in receipts {
        receipt.await.unwrap();
    }
    let operations = bench.disk.operations() - before;
    assert!(operations <= 6, "20 records took {operations} operations");
}

#[tokio::test]
async fn a_record_over_the_limit_is_refused_and_named() {
    let bench = Bench::new();
    let (log, _) = bench.open().unwrap();
    let mut record = bench.call(1).record();
    record.payload = vec![b' '; procura_core::limits::RECORD_BYTES + 1];
    assert!(matches!(log.append(record).await, Err(LogError::TooLarge { .. })));
    bench.write(&log, 1).await;
}

#[test]
fn instants_outside_the_range_of_microseconds_do_not_exist() {
    // Frames hold microseconds in 64 bits: every instant that there is fits.
    assert!(Timestamp::MAX.as_microsecond() < i64::MAX && Timestamp::MIN.as_microsecond() > i64::MIN);
}
