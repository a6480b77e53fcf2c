//! What becomes of closed segments: they are compressed, and everything reads on as before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use procura::audit::{AuditError, Log, LogReader, LogSettings, RecoveryReport, Verified, verify};
use procura::ports::{Clock, DecisionFilter, DecisionLog, DecisionQuery, LogFiles};
use procura::telemetry::Metrics;
use procura_core::model::Effect;
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
            let (at, effect, padding) = (self.clock.now(), Effect::Allow, 3000);
            let (principal, action, resource) = ("alice", "view", "a1");
            let call = MadeUpCall { at, number, principal, action, resource, effect, padding };
            let record = call.record();
            written.push((call.id(), record.payload.clone()));
            log.append(record).await.unwrap();
        }
        written
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
    bench.disk.set_free_bytes(1000);
    let (log, _) = bench.open();
    bench.write(&log, 300).await;
    assert_eq!(bench.names(".zst"), [""; 0]);
    bench.disk.set_free_bytes(1001);
    bench.wait_until(|bench| bench.names(".seg").len() == 1);
    log.close();
    bench.verify().unwrap();
}
