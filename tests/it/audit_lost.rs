//! The decision log when somebody removes or changes its files: nothing is acknowledged that cannot be found again, and
//! nothing is forgotten without a word.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use procura::audit::{AuditError, DirFiles, Log, LogSettings, RecoveryReport, Verified, verify};
use procura::ports::{Clock, DecisionFilter, DecisionLog, DecisionQuery, Durability, LogError};
use procura::telemetry::Metrics;
use procura_core::model::Effect;
use procura_core::query::Condition;
use procura_core::record::Record;
use procura_testkit::calls::MadeUpCall;
use procura_testkit::clock::SteppingClock;
use procura_testkit::sim_disk::SimDisk;
use procura_testkit::temp_dir::TempDir;

/// A log in a real directory.
struct Place {
    dir: TempDir,
    clock: Arc<SteppingClock>,
    settings: LogSettings,
}

impl Place {
    fn new() -> Self {
        let settings = LogSettings { segment_bytes: 8 * 1024, ..LogSettings::default() };
        Self { dir: TempDir::new("audit-lost"), clock: Arc::default(), settings }
    }

    /// A log of `count` records that has been closed.
    async fn written(count: u64) -> Self {
        Self::written_with_ids(count).await.0
    }

    async fn written_with_ids(count: u64) -> (Self, Vec<String>) {
        let place = Self::new();
        let (log, _) = place.open().unwrap();
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(place.write(&log).await.unwrap());
        }
        log.close();
        (place, ids)
    }

    fn log_dir(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn open(&self) -> Result<(Arc<Log>, RecoveryReport), AuditError> {
        let files = Arc::new(DirFiles::open(&self.log_dir())?);
        Log::open(files, &self.settings, self.clock.clone(), Arc::new(Metrics::new().unwrap()))
    }

    fn verify(&self) -> Result<Verified, AuditError> {
        verify(&DirFiles::open_to_read(&self.log_dir()).unwrap(), |_, _| ())
    }

    async fn write(&self, log: &Log) -> Result<String, LogError> {
        write(&self.clock, log).await
    }

    /// The segments, oldest first.
    fn segments(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.log_dir()).unwrap().map(|entry| entry.unwrap().path());
        let mut segments: Vec<_> =
            entries.filter(|path| path.extension().is_some_and(|e| e == "seg")).collect();
        segments.sort();
        segments
    }

    fn last_segment(&self) -> PathBuf {
        self.segments().pop().unwrap()
    }
}

/// Writes one record; returns its id.
async fn write(clock: &SteppingClock, log: &Log) -> Result<String, LogError> {
    let (at, effect) = (clock.now(), Effect::Allow);
    let call = MadeUpCall {
        at,
        number: 1,
        principal: "alice",
        action: "view",
        resource: "a1",
        effect,
        padding: 100,
    };
    log.append(call.record()).await.map(|()| call.id())
}

fn truncate(path: &Path, len: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(len).unwrap();
}

async fn healed(log: &Log) {
    let healed = async {
        while log.health().is_err() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), healed).await.unwrap();
}

// === While the server runs ===

#[tokio::test]
async fn record_in_a_removed_or_changed_segment_is_not_acknowledged_and_the_next_segment_is_begun() {
    type Attack = fn(&Path);
    let attacks: [(&str, Attack); 4] = [
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("truncated", |path| truncate(path, 300)),
        ("emptied", |path| truncate(path, 0)),
        ("replaced", |path| {
            fs::remove_file(path).unwrap();
            fs::write(path, [7; 5000]).unwrap();
        }),
    ];
    for (name, attack) in attacks {
        let place = Place::new();
        let (log, _) = place.open().unwrap();
        for _ in 0..5 {
            place.write(&log).await.unwrap();
        }
        attack(&place.last_segment());
        assert!(matches!(place.write(&log).await, Err(LogError::Unavailable(_))), "{name}");

        healed(&log).await;
        let id = place.write(&log).await.unwrap();
        assert!(log.get(&id).unwrap().is_some(), "{name}");
        let newest = fs::read(place.last_segment()).unwrap();
        let cause = b"segment_removed";
        assert!(newest.windows(cause.len()).any(|part| part == cause), "{name}: the loss is recorded");
        drop(log);
        for error in [place.verify().unwrap_err(), place.open().err().unwrap()] {
            assert!(matches!(error, AuditError::Damaged { .. }), "{name}: {error}");
        }
    }
}

#[tokio::test]
async fn copy_of_the_segment_in_its_place_is_written_on() {
    let place = Place::new();
    let (log, _) = place.open().unwrap();
    let first = place.write(&log).await.unwrap();
    let (path, aside) = (place.last_segment(), place.dir.path().join("aside"));
    fs::copy(&path, &aside).unwrap();
    fs::rename(&aside, &path).unwrap();
    assert!(place.write(&log).await.is_err());
    healed(&log).await;
    let second = place.write(&log).await.unwrap();
    assert!([first, second].iter().all(|id| log.get(id).unwrap().is_some()));
    log.close();
    assert_eq!(place.verify().unwrap().repairs["write_failed"], 1);
}

#[tokio::test]
async fn log_whose_directory_or_lock_is_gone_refuses_records_for_good() {
    for remade in [false, true] {
        let place = Place::new();
        let (log, _) = place.open().unwrap();
        place.write(&log).await.unwrap();
        fs::remove_dir_all(place.log_dir()).unwrap();
        let other = remade.then(|| place.open().unwrap());
        for _ in 0..20 {
            assert!(matches!(place.write(&log).await, Err(LogError::Unavailable(_))));
        }
        assert!(log.health().is_err());
        if let Some((other, _)) = other {
            place.write(&other).await.unwrap();
            log.close();
            other.close();
            assert_eq!(place.verify().unwrap().last_seq, 1, "nobody else wrote into the new log");
        }
    }
}

#[tokio::test]
async fn directory_taken_by_another_writer_on_a_simulated_disk_is_noticed() {
    let (disk, clock) = (SimDisk::new(7), Arc::<SteppingClock>::default());
    let metrics = Arc::new(Metrics::new().unwrap());
    let (log, _) =
        Log::open(Arc::new(disk.clone()), &LogSettings::default(), clock.clone(), metrics).unwrap();
    write(&clock, &log).await.unwrap();
    disk.take_over();
    assert!(write(&clock, &log).await.is_err());
    assert!(log.health().is_err());
}

#[tokio::test]
async fn repair_says_how_many_records_the_log_did_not_take_and_since_when() {
    let (disk, clock) = (SimDisk::new(11), Arc::<SteppingClock>::default());
    let metrics = Arc::new(Metrics::new().unwrap());
    let (log, _) =
        Log::open(Arc::new(disk.clone()), &LogSettings::default(), clock.clone(), metrics).unwrap();
    write(&clock, &log).await.unwrap();
    let before = clock.now();
    disk.fail_next(u64::MAX);
    // Nobody waits for this one, and its call is answered before it is lost.
    let at = clock.now();
    let call = MadeUpCall {
        at,
        number: 1,
        principal: "bob",
        action: "view",
        resource: "a1",
        effect: Effect::Allow,
        padding: 0,
    };
    log.append_as(call.record(), Durability::Async).await.unwrap();
    while log.health().is_ok() {
        tokio::task::yield_now().await;
    }
    for _ in 0..7 {
        assert!(matches!(write(&clock, &log).await, Err(LogError::Unavailable(_))));
    }
    disk.fail_next(0);
    healed(&log).await;
    let repair = log.reader().find(&repairs()).unwrap().records;
    let Ok(Record::LogRepair(repair)) = Record::decode(&repair[0].payload) else { panic!("a repair") };
    let gap = repair.gap.unwrap();
    assert_eq!((&*repair.cause, gap.refused, gap.lost), ("write_failed", 7, 1));
    assert!(before < gap.since && gap.since < repair.at);
}

fn repairs() -> DecisionFilter {
    let condition = Condition::parse("kind == 'log_repair'").unwrap();
    DecisionFilter { condition, limit: 1, ..DecisionFilter::default() }
}

// === Between two runs ===

#[tokio::test]
async fn any_changed_byte_of_the_last_record_after_a_clean_stop_is_damage_and_not_a_torn_write() {
    let place = Place::written(3).await;
    let segment = place.last_segment();
    let content = fs::read(&segment).unwrap();
    let record = (content.len() - 80) / 3;
    for at in (content.len() - record + 1..content.len()).step_by(7) {
        let mut changed = content.clone();
        changed[at] ^= 1;
        fs::write(&segment, changed).unwrap();
        for error in [place.verify().unwrap_err(), place.open().err().unwrap()] {
            assert!(matches!(error, AuditError::Damaged { seq: 3, .. }), "byte {at}: {error}");
        }
    }
}

#[tokio::test]
async fn missing_end_of_the_log_after_a_clean_stop_stops_the_start() {
    type Attack = fn(&[PathBuf]);
    let attacks: [(&str, Attack); 5] = [
        ("last segment removed", |all| fs::remove_file(all.last().unwrap()).unwrap()),
        ("last segment emptied", |all| truncate(all.last().unwrap(), 0)),
        ("last segment without records", |all| truncate(all.last().unwrap(), 80)),
        ("last two segments removed", |all| {
            all[all.len() - 2..].iter().for_each(|path| fs::remove_file(path).unwrap());
        }),
        ("all segments removed", |all| all.iter().for_each(|path| fs::remove_file(path).unwrap())),
    ];
    for (name, attack) in attacks {
        let place = Place::written(60).await;
        assert!(place.segments().len() > 2);
        attack(&place.segments());
        for error in [place.verify().unwrap_err(), place.open().err().unwrap()] {
            assert!(matches!(error, AuditError::Lost { marked: 60, .. }), "{name}: {error}");
        }
    }
}

#[tokio::test]
async fn emptied_segment_is_reported_and_recorded_even_without_a_mark() {
    let place = Place::written(60).await;
    fs::remove_file(place.log_dir().join("SYNCED")).unwrap();
    let last = place.last_segment();
    truncate(&last, 0);
    let name = last.file_name().unwrap().to_str().unwrap();
    assert_eq!(place.verify().unwrap().empty_segment.as_deref(), Some(name));
    let (log, report) = place.open().unwrap();
    assert_eq!(report.repair.unwrap().cause, "empty_segment");
    log.close();
    assert_eq!(place.verify().unwrap().repairs["empty_segment"], 1);
}

#[tokio::test]
async fn log_that_begins_anew_though_there_was_one_says_so() {
    let mut place = Place::new();
    place.settings.has_past = true;
    for (cause, repairs) in [(Some("log_missing"), 1), (None, 1)] {
        let (log, report) = place.open().unwrap();
        assert_eq!(report.repair.map(|repair| repair.cause), cause);
        log.close();
        assert_eq!(place.verify().unwrap().repairs["log_missing"], repairs);
    }
}

#[tokio::test]
async fn records_on_both_sides_of_damage_in_a_closed_segment_are_found_by_id() {
    let (place, ids) = Place::written_with_ids(60).await;
    let first = &place.segments()[0];
    let mut content = fs::read(first).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(first, content).unwrap();
    let (log, _) = place.open().unwrap();
    let damaged: Vec<_> = ids.iter().filter(|id| log.get(id).is_err()).collect();
    assert_eq!(damaged.len(), 1, "the damaged record is not said to be absent");
    assert!(ids.iter().filter(|id| !damaged.contains(id)).all(|id| log.get(id).unwrap().is_some()));
}
