//! What becomes of closed segments: they are compressed, and everything reads on as before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use procura::audit::{AuditError, Log, LogReader, LogSettings, RecoveryReport, Retention, Verified, verify};
use procura::ports::{
    Clock, DecisionFilter, DecisionLog, DecisionQuery, Durability, LogError, LogFiles, NewRecord,
};
use procura::telemetry::Metrics;
use procura_core::model::Effect;
use procura_core::record::Record;
use procura_testkit::calls::MadeUpCall;
use procura_testkit::clock::SteppingClock;
use procura_testkit::sim_disk::SimDisk;

const SEED: u64 = 13;

/// A log on a simulated disk whose closed segments are compressed.
struct Bench {
    disk: SimDisk,
    clock: Arc<SteppingClock>,
    settings: LogSettings,
}

impl Bench {
    fn new() -> Self {
        let settings = LogSettings { segment_bytes: 300 * 1024, compress: true, ..LogSettings::default() };
        Self { disk: SimDisk::new(SEED), clock: Arc::default(), settings }
    }

    fn open(&self) -> (Arc<Log>, RecoveryReport) {
        let metrics = Arc::new(Metrics::new().unwrap());
        Log::open(Arc::new(self.disk.clone()), &self.settings, self.clock.clone(), metrics).unwrap()
    }

    /// Writes `count` records one after another; returns id and bytes of each.
    async fn write(&self, log: &Log, count: u64) -> Vec<(String, Vec<u8>)> {
        let mut written = Vec::new();
        for number in 0..count {
            let (id, record) = self.record(number);
            written.push((id, record.payload.clone()));
            log.append(record).await.unwrap();
        }
        written
    }

    /// A record and its id.
    fn record(&self, number: u64) -> (String, NewRecord) {
        let (at, effect, padding) = (self.clock.now(), Effect::Allow, 3000);
        let (principal, action, resource) = ("alice", "view", "a1");
        let call = MadeUpCall { at, number, principal, action, resource, effect, padding };
        (call.id(), call.record())
    }

    fn names(&self, suffix: &str) -> Vec<String> {
        self.disk.list().unwrap().into_iter().filter(|name| name.ends_with(suffix)).collect()
    }

    /// Waits until `holds`.
    fn wait_until(&self, holds: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", self.disk.list());
            std::thread::yield_now();
        }
    }

    /// A log of `count` records whose closed segments are compressed, closed in peace.
    async fn compressed(count: u64) -> (Self, Vec<(String, Vec<u8>)>) {
        let bench = Self::new();
        let (log, _) = bench.open();
        let written = bench.write(&log, count).await;
        bench.wait_until(|bench| bench.names(".seg").len() == 1);
        log.close();
        (bench, written)
    }

    fn verify(&self) -> Result<Verified, AuditError> {
        verify(&self.disk, |_, _| ())
    }
}

#[tokio::test]
async fn compressed_segments_are_read_verified_and_continued_like_others() {
    let (bench, mut written) = Bench::compressed(500).await;
    assert!(bench.names(".seg.zst").len() > 4, "{:?}", bench.disk.list());
    let (log, report) = bench.open();
    assert_eq!((report.last_seq, report.repair), (500, None));
    written.extend(bench.write(&log, 100).await);
    for (id, payload) in &written {
        assert_eq!(log.get(id).unwrap().unwrap().payload, *payload);
    }
    let mut cursor = log.reader().cursor(1);
    let mut read = Vec::new();
    let mut places = Vec::new();
    while cursor
        .read(|entry| {
            read.push(entry.payload.to_vec());
            places.push(entry.place);
        })
        .unwrap()
        > 0
    {}
    let payloads: Vec<_> = written.iter().map(|(_, payload)| payload.clone()).collect();
    assert_eq!(read, payloads);
    for (place, payload) in places.iter().zip(&payloads) {
        assert_eq!(log.reader().at(*place).unwrap().payload, *payload);
    }
    let page = log.find(&DecisionFilter { limit: 1000, ..DecisionFilter::default() }).unwrap();
    assert!(page.records.iter().rev().map(|record| &record.payload).eq(&payloads));
    log.close();
    assert_eq!(bench.verify().unwrap().last_seq, 600);
}

#[tokio::test]
async fn original_counts_until_the_compressed_segment_is_proven_whole() {
    let (bench, written) = Bench::compressed(200).await;
    let (plain, _) = {
        let mut bench = Bench::new();
        bench.settings.compress = false;
        let (log, _) = bench.open();
        let written = bench.write(&log, 200).await;
        log.close();
        (bench, written)
    };
    // As after a crash between the two names: and the compressed file is of no use.
    let name = plain.names(".seg")[0].clone();
    let original = plain.disk.read_at(&name, 0, plain.disk.len(&name).unwrap() as usize).unwrap();
    bench.disk.open_append(&name).unwrap().append(&original).unwrap();
    bench.disk.tamper(&format!("{name}.zst"), |bytes| bytes.truncate(1000));
    bench.verify().unwrap();
    let (log, _) = bench.open();
    bench.wait_until(|bench| bench.names(".seg").len() == 1);
    for (id, payload) in &written {
        assert_eq!(log.get(id).unwrap().unwrap().payload, *payload);
    }
    log.close();
    assert_eq!(bench.verify().unwrap().last_seq, 200);
}

#[tokio::test]
async fn damaged_block_is_named_with_its_place_and_hides_nothing_else() {
    let (bench, written) = Bench::compressed(300).await;
    let name = bench.names(".seg.zst")[1].clone();
    let len = bench.disk.len(&name).unwrap() as usize;
    for at in [0, len / 2, len - 30, len - 20, len - 10, len - 1] {
        bench.disk.tamper(&name, |bytes| bytes[at] ^= 1);
        let error = bench.verify().unwrap_err().to_string();
        assert!(error.contains(name.strip_suffix(".zst").unwrap()) && error.contains("byte"), "{error}");
        bench.disk.tamper(&name, |bytes| bytes[at] ^= 1);
    }
    // The second of three blocks.
    bench.disk.tamper(&name, |bytes| bytes[len / 2] ^= 1);
    let reader = LogReader::open(Arc::new(bench.disk.clone())).unwrap();
    let outcomes: Vec<_> = written.iter().map(|(id, _)| reader.get(id)).collect();
    let lost = outcomes.iter().filter(|outcome| outcome.is_err()).count();
    assert!(outcomes.iter().all(|outcome| !matches!(outcome, Ok(None))), "what may be there is not absent");
    assert!((1..=50).contains(&lost), "{lost} of {}", written.len());
}

#[tokio::test]
async fn end_that_is_missing_behind_a_compressed_segment_is_noticed() {
    let (bench, _) = Bench::compressed(200).await;
    bench.disk.snatch(&bench.names(".seg")[0]);
    bench.disk.snatch("SYNCED");
    let error = bench.verify().unwrap_err().to_string();
    assert!(error.contains("the segment that followed it is missing"), "{error}");
    let metrics = Arc::new(Metrics::new().unwrap());
    let opened = Log::open(Arc::new(bench.disk.clone()), &bench.settings, bench.clock.clone(), metrics);
    assert!(opened.is_err(), "nothing is appended to a compressed segment");
}

#[tokio::test]
async fn segment_is_closed_when_it_is_old_also_while_nothing_is_written() {
    let mut bench = Bench::new();
    // The clock steps by a millisecond whenever it is looked at.
    bench.settings.segment_age = Some(Duration::from_millis(100));
    let (log, _) = bench.open();
    bench.write(&log, 1).await;
    bench.wait_until(|bench| bench.names(".seg.zst").len() == 1);
    bench.write(&log, 400).await;
    log.close();
    assert!(bench.names(".seg.zst").len() + bench.names(".seg").len() > 4, "{:?}", bench.disk.list());
    bench.verify().unwrap();
}

#[tokio::test]
async fn compression_waits_while_the_disk_is_short_of_space() {
    let mut bench = Bench::new();
    bench.settings.reserved_bytes = 1000;
    bench.disk.set_free_bytes(999);
    let (log, _) = bench.open();
    bench.write(&log, 300).await;
    assert_eq!(bench.names(".zst"), [""; 0]);
    bench.wait_until(|_| log.room().is_some_and(|room| room.is_short()));
    bench.disk.set_free_bytes(1000);
    bench.wait_until(|bench| bench.names(".seg").len() == 1);
    log.close();
    bench.verify().unwrap();
}

// === Durability ===

#[tokio::test]
async fn record_that_asks_for_the_disk_is_on_it_in_a_log_that_does_not_wait_for_it() {
    for usual in [Durability::Os, Durability::Async] {
        let mut bench = Bench::new();
        bench.settings.durability = usual;
        let (log, _) = bench.open();
        let mut written = bench.write(&log, 10).await;
        let (id, record) = bench.record(10);
        written.push((id, record.payload.clone()));
        log.append_as(record, Durability::Durable).await.unwrap();
        bench.disk = bench.disk.reboot();
        let reader = LogReader::open(Arc::new(bench.disk.clone())).unwrap();
        for (id, payload) in &written {
            assert_eq!(reader.get(id).unwrap().unwrap().payload, *payload, "{usual:?}");
        }
    }
}

// === Retention ===

/// A log of `count` records that keeps about so many bytes, and every record that was written.
async fn retained(count: u64, bytes: u64) -> (Bench, Vec<(String, Vec<u8>)>) {
    let mut bench = Bench::new();
    bench.settings = LogSettings { compress: false, segment_bytes: 32 * 1024, ..bench.settings };
    bench.settings.retention = Retention { bytes: Some(bytes), ..Retention::default() };
    let (log, _) = bench.open();
    let written = bench.write(&log, count).await;
    let size = |bench: &Bench| {
        let sizes = bench.names(".seg").into_iter().map(|name| bench.disk.len(&name));
        sizes.map(Result::unwrap_or_default).sum::<u64>()
    };
    bench.wait_until(|bench| size(bench) <= bytes);
    log.close();
    (bench, written)
}

#[tokio::test]
async fn deleted_records_are_known_to_be_deleted_and_the_rest_is_whole() {
    let (bench, written) = retained(300, 200_000).await;
    let verified = bench.verify().unwrap();
    assert!(verified.first_seq > 100 && verified.kinds["retention"] > 3, "{verified:?}");
    let (log, report) = bench.open();
    assert_eq!(report.repair, None);
    let offline = LogReader::open(Arc::new(bench.disk.clone())).unwrap();
    let mut deleted = 0;
    for (id, payload) in &written {
        let (found, again) = (log.get(id), offline.get(id));
        match found {
            Ok(found) => assert_eq!(found.unwrap().payload, *payload),
            Err(LogError::Deleted { before }) => {
                deleted += 1;
                assert_eq!(before, log.reader().first_seq());
                assert!(matches!(again, Err(LogError::Deleted { .. })), "{again:?}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!((100..280).contains(&deleted), "{deleted}");
    let mut first = None;
    log.reader().cursor(1).read(|entry| first = first.or(Some(entry.seq))).unwrap();
    assert_eq!(first, Some(log.reader().first_seq()));
    let mut last = None;
    let mut cursor = log.reader().cursor(1);
    while cursor
        .read(|entry| {
            if let Ok(Record::Retention(record)) = Record::decode(entry.payload) {
                last = Some((record.last, record.records, record.cause.into_owned()));
            }
        })
        .unwrap()
        > 0
    {}
    let (last, records, cause) = last.unwrap();
    assert_eq!((last + 1, cause.as_str()), (log.reader().first_seq(), "bytes"));
    assert!(records > 1);
}

#[tokio::test]
async fn segment_missing_beyond_what_was_deleted_is_damage() {
    let (bench, _) = retained(300, 200_000).await;
    let names = bench.names(".seg");
    bench.disk.snatch(&names[0]);
    let error = bench.verify().unwrap_err();
    assert!(matches!(&error, AuditError::Damaged { segment, .. } if *segment == names[1]), "{error}");
    let metrics = Arc::new(Metrics::new().unwrap());
    let opened = Log::open(Arc::new(bench.disk.clone()), &bench.settings, bench.clock.clone(), metrics);
    assert!(opened.is_err());
}

#[tokio::test]
async fn deletion_that_was_recorded_is_done_at_the_next_start_also_under_a_hold() {
    let (mut bench, _) = retained(60, u64::MAX).await;
    let name = bench.names(".seg")[0].clone();
    bench.settings.retention = Retention { age: Some(Duration::from_millis(1)), ..Retention::default() };
    let (log, _) = bench.open();
    bench.wait_until(|bench| bench.names(".seg").len() == 1);
    log.close();
    let left = bench.verify().unwrap().first_seq;
    assert!(left > 40, "{left}");

    // A log whose first segment alone was about to go.
    let (mut bench, _) = retained(60, u64::MAX).await;
    let all = bench.names(".seg").len();
    bench.settings.retention = Retention { age: Some(Duration::from_millis(1)), hold: true, bytes: Some(1) };
    let (log, _) = bench.open();
    bench.write(&log, 20).await;
    log.close();
    assert!(bench.names(".seg").len() >= all, "a hold suspends deletion");
    bench.settings.retention.hold = false;
    bench.disk.keep_names(true);
    let (log, _) = bench.open();
    bench.wait_until(|bench| bench.disk.refused_removals() > 0);
    log.close();
    let verified = bench.verify().unwrap();
    assert_eq!((verified.first_seq, verified.kinds["retention"]), (1, 1));
    bench.disk.keep_names(false);
    bench.settings.retention.hold = true;
    let (log, _) = bench.open();
    bench.wait_until(|bench| !bench.names(".seg").contains(&name));
    log.close();
    let verified = bench.verify().unwrap();
    assert!(verified.first_seq > 1 && verified.kinds["retention"] == 1, "{verified:?}");
}
