//! Witnesses: they get every checkpoint that matters, hold nobody up, and tell afterwards what the log was.

use std::sync::Arc;
use std::time::{Duration, Instant};

use procura::audit::proof::{
    FileWitness, Office, ServerWitness, SigningKeys, Trust, VerifierKey, Witness, inspect,
};
use procura::audit::{DirFiles, Log, LogReader, LogSettings};
use procura::ports::{Clock, DecisionLog, LogProofs, RecordProof};
use procura::telemetry::Metrics;
use procura_core::model::Effect;
use procura_testkit::calls::MadeUpCall;
use procura_testkit::clock::SteppingClock;
use procura_testkit::temp_dir::TempDir;
use procura_testkit::witness::WitnessServer;

const INTERVAL: Duration = Duration::from_millis(100);

/// A log with its notary at work.
struct Place {
    dir: TempDir,
    clock: Arc<SteppingClock>,
    metrics: Arc<Metrics>,
}

impl Place {
    fn new() -> Self {
        let (dir, metrics) = (TempDir::new("witness"), Arc::new(Metrics::new().unwrap()));
        Self { dir, clock: Arc::default(), metrics }
    }

    fn start(&self, witnesses: Vec<Box<dyn Witness>>) -> (Arc<Log>, Arc<Office>) {
        let files = Arc::new(DirFiles::open(&self.dir.path().join("log")).unwrap());
        let metrics = Arc::clone(&self.metrics);
        let (log, _) = Log::open(files, &LogSettings::default(), self.clock.clone(), metrics).unwrap();
        let metrics = Arc::clone(&self.metrics);
        let office = Office::start(log.reader().clone(), self.keys(), INTERVAL, witnesses, metrics);
        (log, office.unwrap())
    }

    fn keys(&self) -> SigningKeys {
        SigningKeys::open(&self.dir.path().join("keys"), None, false).unwrap()
    }

    fn trust(&self) -> Trust {
        Trust::in_all(self.keys().verifiers())
    }

    async fn write(&self, log: &Log, count: u64) -> String {
        let mut last = String::new();
        for number in 0..count {
            let (at, principal, effect) = (self.clock.now(), "alice", Effect::Allow);
            let call =
                MadeUpCall { at, number, principal, action: "view", resource: "a1", effect, padding: 0 };
            log.append(call.record()).await.unwrap();
            last = call.id();
        }
        last
    }

    fn metric(&self, line: &str) -> bool {
        self.metrics.render().lines().any(|found| found == line)
    }
}

/// Ends both, so that the log can be opened again.
fn close(log: Arc<Log>, office: Arc<Office>) {
    log.close();
    office.close();
    drop((log, office));
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_checkpoints_are_signed_than_intervals_go_by_however_much_is_written() {
    let (place, begun) = (Place::new(), Instant::now());
    let (log, office) = place.start(Vec::new());
    while begun.elapsed() < 8 * INTERVAL {
        place.write(&log, 1).await;
    }
    close(log, office);
    // One for each interval, and one at the end.
    let most = (begun.elapsed().as_secs_f64() / INTERVAL.as_secs_f64()) + 1.0;
    let signed = std::fs::read_to_string(place.dir.path().join("log/CHECKPOINTS")).unwrap();
    let signed = signed.matches("\n\u{2014} ").count();
    assert!(signed > 0 && signed as f64 <= most, "{signed} checkpoints in {most} intervals");
}

#[tokio::test(flavor = "multi_thread")]
async fn witness_at_a_url_gets_each_checkpoint_with_its_proof_and_what_it_signs_is_kept() {
    let (place, server) = (Place::new(), WitnessServer::start().await);
    let key = VerifierKey::parse(&server.key()).unwrap();
    let witness =
        || -> Box<dyn Witness> { Box::new(ServerWitness::new(&server.url(), Some(key.clone())).unwrap()) };
    let (log, office) = place.start(vec![witness()]);
    for size in [3, 10, 11] {
        place.write(&log, size - server.size()).await;
        until("the witness keeps it", || server.size() == size).await;
    }
    // Another process begins without knowing how far the witness is.
    close(log, office);
    let (log, office) = place.start(vec![witness()]);
    let id = place.write(&log, 7).await;
    until("the witness keeps it", || server.size() == 18).await;
    until("no lag", || place.metric(r#"procura_log_witness_lag_records{witness="url"} 0"#)).await;
    let Some(RecordProof::Proven(bundle)) = office.prove(&id).unwrap() else { panic!("not proven") };
    assert!(
        String::from_utf8(bundle).unwrap().contains("witness.example/w1"),
        "the proof says who else signed"
    );
    close(log, office);

    let files = DirFiles::open_to_read(&place.dir.path().join("log")).unwrap();
    let kept = |files| {
        let (mut witness, trust) = (ServerWitness::new(&server.url(), None).unwrap(), place.trust());
        std::thread::scope(|scope| scope.spawn(move || witness.kept(files, &trust)).join().unwrap())
    };
    let witnessed = kept(&files).unwrap().unwrap();
    assert_eq!(witnessed.checkpoint.size, 18);
    let found = inspect(&files, &place.trust(), Some(&[witnessed]), |_, _| ()).unwrap();
    assert!(found.findings.is_empty() && found.witnessed == 18, "{:?}", found.findings);

    // The log is written anew, and its key signs.
    std::fs::remove_dir_all(place.dir.path().join("log")).unwrap();
    let (log, office) = place.start(vec![witness()]);
    place.write(&log, 20).await;
    until("it fails", || !place.metric(r#"procura_log_witness_errors_total{witness="url"} 0"#)).await;
    assert_eq!(server.size(), 18, "the witness takes no other history");
    close(log, office);
    let refused = kept(&files).unwrap_err().to_string();
    assert!(refused.contains("keeps a checkpoint over 18 records, which the log has not"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn witness_that_is_away_holds_nobody_up_and_gets_the_newest_when_it_is_back() {
    let place = Place::new();
    let mount = place.dir.path().join("mount");
    let file = mount.join("checkpoints");
    let (log, office) = place.start(vec![Box::new(FileWitness::new(file.clone()))]);
    place.write(&log, 5).await;
    until("it fails", || !place.metric(r#"procura_log_witness_errors_total{witness="file"} 0"#)).await;
    assert!(place.metric(r#"procura_log_witness_lag_records{witness="file"} 5"#));
    place.write(&log, 5).await;
    until("it is signed", || place.metric("procura_log_checkpoint_records 10")).await;
    office.health().unwrap();
    std::fs::create_dir(&mount).unwrap();
    until("no lag", || place.metric(r#"procura_log_witness_lag_records{witness="file"} 0"#)).await;
    let sizes = |path| -> Vec<u64> {
        let (kept, other) = FileWitness::read(path).unwrap();
        assert_eq!(other, 0);
        kept.iter().map(|signed| signed.checkpoint.size).collect()
    };
    assert_eq!(sizes(&file), [10]);
    place.write(&log, 1).await;
    close(log, office);
    assert_eq!(sizes(&file), [10, 11], "the end of the log is signed and witnessed when it is closed");

    // What an interrupted write left does not spoil what follows.
    let whole = std::fs::read(&file).unwrap();
    for cut in (0..whole.len()).step_by(7) {
        std::fs::write(&file, &whole[..cut]).unwrap();
        let signed = FileWitness::read(&file).unwrap().0;
        let reader =
            LogReader::open(Arc::new(DirFiles::open_to_read(&place.dir.path().join("log")).unwrap()));
        assert_eq!(reader.unwrap().reach().last, 11);
        let (log, office) = place.start(vec![Box::new(FileWitness::new(file.clone()))]);
        close(log, office);
        let (kept, _) = FileWitness::read(&file).unwrap();
        assert_eq!(kept.last().unwrap().checkpoint.size, 11, "cut at {cut} of {}", whole.len());
        assert!(kept.starts_with(&signed));
        let files = DirFiles::open_to_read(&place.dir.path().join("log")).unwrap();
        let found = inspect(&files, &place.trust(), Some(&kept), |_, _| ()).unwrap();
        assert!(found.findings.is_empty(), "{:?}", found.findings);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn notary_that_fails_says_so_and_the_log_goes_on() {
    let place = Place::new();
    let (log, office) = place.start(Vec::new());
    place.write(&log, 5).await;
    until("it is signed", || place.metric("procura_log_checkpoint_records 5")).await;
    std::fs::remove_file(place.dir.path().join("log/CHECKPOINTS")).unwrap();
    std::fs::create_dir(place.dir.path().join("log/CHECKPOINTS")).unwrap();
    place.write(&log, 5).await;
    until("it fails", || office.health().is_err()).await;
    assert!(place.metric("procura_log_checkpoints_failing 1"));
    place.write(&log, 5).await;
    log.health().unwrap();
    std::fs::remove_dir(place.dir.path().join("log/CHECKPOINTS")).unwrap();
    until("it goes on", || office.health().is_ok()).await;
    until("it is signed", || place.metric("procura_log_checkpoint_records 15")).await;
    assert!(place.metric("procura_log_checkpoints_failing 0"));
}
