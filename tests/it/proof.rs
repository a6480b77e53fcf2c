//! The notary from outside: what it signs is on disk, what it finds it goes on with, and what does not fit it refuses.

use std::sync::Arc;
use std::time::Duration;

use procura::audit::proof::{
    Bundle, Finding, Notary, NotaryError, Office, Proof, SignedCheckpoint, SigningKeys, Trust, inspect, prove,
};
use procura::audit::{Dependent, Log, LogReader, LogSettings, Retention};
use procura::ports::{Clock, DecisionLog, Durability, LogFiles, LogProofs};
use procura::telemetry::Metrics;
use procura_core::model::Effect;
use procura_testkit::calls::MadeUpCall;
use procura_testkit::clock::SteppingClock;
use procura_testkit::rng::Rng;
use procura_testkit::sim_disk::SimDisk;
use procura_testkit::tamper;
use procura_testkit::temp_dir::TempDir;

/// A log on a simulated disk, and the keys of its notary.
struct Bench {
    disk: SimDisk,
    keys: Arc<SigningKeys>,
    clock: Arc<SteppingClock>,
    settings: LogSettings,
}

impl Bench {
    fn new() -> Self {
        let keys = TempDir::new("proof-keys");
        Self {
            disk: SimDisk::new(7),
            keys: Arc::new(SigningKeys::open(keys.path(), None, false).unwrap()),
            clock: Arc::default(),
            settings: LogSettings { segment_bytes: 8 * 1024, ..LogSettings::default() },
        }
    }

    fn log(&self) -> Arc<Log> {
        let metrics = Arc::new(Metrics::new().unwrap());
        Log::open(Arc::new(self.disk.clone()), &self.settings, self.clock.clone(), metrics).unwrap().0
    }

    fn reader(&self) -> LogReader {
        LogReader::open(Arc::new(self.disk.clone())).unwrap()
    }

    async fn write(&self, log: &Log, count: u64) {
        for number in 0..count {
            let at = self.clock.now();
            let (principal, action, effect) = ("alice", "view", Effect::Allow);
            let call = MadeUpCall { at, number, principal, action, resource: "a1", effect, padding: 100 };
            log.append(call.record()).await.unwrap();
        }
    }

    /// Signs for everything that the log holds.
    fn sign(&self) -> Result<Option<SignedCheckpoint>, NotaryError> {
        let reader = self.reader();
        let mut notary = Notary::open(&reader, Arc::clone(&self.keys))?;
        while notary.sign()?.is_some() {}
        Ok(notary.last().cloned())
    }

    fn trust(&self) -> Trust {
        Trust::in_all(self.keys.verifiers())
    }

    fn content(&self, name: &str) -> Vec<u8> {
        let len = self.disk.len(name).unwrap();
        self.disk.read_at(name, 0, usize::try_from(len).unwrap()).unwrap()
    }
}

#[tokio::test]
async fn every_record_is_proven_under_the_last_checkpoint_and_only_as_it_is() {
    let bench = Bench::new();
    let log = bench.log();
    bench.write(&log, 60).await;
    assert_eq!(prove(log.reader(), 1).unwrap(), Proof::Pending { signed: 0 });
    let signed = bench.sign().unwrap().unwrap();
    assert_eq!(signed.checkpoint.size, 60);
    bench.trust().check(&signed).unwrap();
    bench.write(&log, 5).await;
    for seq in 1..=60 {
        let Proof::Bundle(bundle) = prove(log.reader(), seq).unwrap() else { panic!("{seq} is not proven") };
        let read = Bundle::parse(&bundle.to_json()).unwrap();
        assert_eq!(read, *bundle);
        assert_eq!(read.verify(&bench.trust()).unwrap().signed, signed);
        let moved = Bundle { seq: seq % 60 + 1, ..read.clone() };
        assert!(moved.verify(&bench.trust()).is_err());
        let edited = Bundle { record: read.record.replace("alice", "mallory"), ..read.clone() };
        assert!(edited.verify(&bench.trust()).is_err());
        assert!(read.verify(&Bench::new().trust()).is_err(), "another log's key");
    }
    assert_eq!(prove(log.reader(), 61).unwrap(), Proof::Pending { signed: 60 });
    assert_eq!(prove(log.reader(), 66).unwrap(), Proof::Missing);
}

/// INVARIANT(signed_after_disk), in the modes that answer before the disk has the record.
#[tokio::test]
async fn no_power_cut_leaves_a_log_that_is_shorter_than_its_last_checkpoint() {
    let mut rng = Rng::new(11);
    let mut signed_lives = 0;
    for round in 0..200 {
        let mut bench = Bench::new();
        bench.settings.durability = if round % 2 == 0 { Durability::Os } else { Durability::Durable };
        bench.disk = SimDisk::new(rng.next());
        for _ in 0..3 {
            let log = bench.log();
            bench.disk.cut_after(1 + rng.below(60) as u64);
            let reader = log.reader().clone();
            if let Ok(mut notary) = Notary::open(&reader, Arc::clone(&bench.keys)) {
                for _ in 0..6 {
                    if bench.disk.is_off() {
                        break;
                    }
                    let count = rng.below(12) as u64;
                    for number in 0..count {
                        let at = bench.clock.now();
                        let (principal, action, effect) = ("bob", "edit", Effect::Deny);
                        let call =
                            MadeUpCall { at, number, principal, action, resource: "b", effect, padding: 9 };
                        let _ = log.append(call.record()).await;
                    }
                    signed_lives += u64::from(matches!(notary.sign(), Ok(Some(_))));
                }
            }
            log.close();
            bench.disk = bench.disk.reboot();
        }
        let log = bench.log();
        bench.write(&log, 3).await;
        log.close();
        let signed = bench.sign().unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert_eq!(signed.unwrap().checkpoint.size, bench.reader().reach().last);
    }
    assert!(signed_lives > 300, "{signed_lives}");
}

#[tokio::test]
async fn tree_that_is_damaged_or_gone_is_made_anew_and_the_same() {
    let bench = Bench::new();
    let log = bench.log();
    bench.write(&log, 40).await;
    log.close();
    let signed = bench.sign().unwrap();
    let tree = bench.content("TREE");
    assert_eq!(tree.len(), 32 * (2 * 40 - 2));
    let damages: [fn(&mut Vec<u8>); 4] =
        [|t| t[40 * 32] ^= 1, |t| t.truncate(100), Vec::clear, |t| t.extend([7; 99])];
    for damage in damages {
        bench.disk.tamper("TREE", damage);
        assert_eq!(bench.sign().unwrap(), signed);
        let found = bench.content("TREE");
        // Inner hashes that the root does not need at once may be wrong without notice here; `verify` looks at all.
        assert_eq!(found.len(), tree.len());
    }
    bench.disk.remove("TREE").unwrap();
    bench.disk.remove("CHECKPOINTS").unwrap();
    assert_eq!(bench.sign().unwrap(), signed, "Ed25519 signs the same text in the same way");
    assert_eq!(bench.content("TREE"), tree);
}

#[tokio::test]
async fn torn_checkpoint_is_cut_and_the_one_before_it_counts() {
    let bench = Bench::new();
    let log = bench.log();
    bench.write(&log, 10).await;
    bench.sign().unwrap();
    let first = bench.content("CHECKPOINTS");
    bench.write(&log, 10).await;
    log.close();
    bench.sign().unwrap();
    let both = bench.content("CHECKPOINTS");
    for cut in first.len() + 1..both.len() {
        bench.disk.tamper("CHECKPOINTS", |file| *file = both[..cut].to_vec());
        let signed = bench.sign().unwrap().unwrap();
        assert_eq!(signed.checkpoint.size, 20, "cut at {cut}");
        let found = bench.content("CHECKPOINTS");
        let found = String::from_utf8(found).unwrap().replace("\n\n\n", "\n\n");
        assert_eq!(found.trim_end(), String::from_utf8(both.clone()).unwrap().trim_end(), "cut at {cut}");
    }
}

#[tokio::test]
async fn nothing_is_signed_over_a_log_that_is_not_the_one_that_was_signed() {
    let mut bench = Bench::new();
    bench.settings.segment_bytes = 1024 * 1024;
    let log = bench.log();
    bench.write(&log, 10).await;
    log.close();
    let older = bench.content("log-00000000000000000001.seg");
    let log = bench.log();
    bench.write(&log, 10).await;
    log.close();
    bench.sign().unwrap();
    bench.disk.tamper("log-00000000000000000001.seg", |file| *file = older);
    bench.disk.remove("SYNCED").unwrap();
    let log = bench.log();
    assert!(matches!(bench.sign(), Err(NotaryError::Shorter { signed: 20, last: 10 })));
    bench.write(&log, 15).await;
    log.close();
    assert!(matches!(bench.sign(), Err(NotaryError::Other { signed: 20 })));
}

#[test]
fn keys_are_made_once_for_the_owner_alone_and_sign_with_both_algorithms() {
    use std::os::unix::fs::PermissionsExt;

    use procura::audit::proof::VerifierKey;
    use procura_core::proof::Hash;

    let dir = TempDir::new("proof-keys");
    let open = |origin, post_quantum| SigningKeys::open(&dir.path().join("keys"), origin, post_quantum);
    let keys = open(None, false).unwrap();
    assert_eq!(keys.verifiers(), open(None, false).unwrap().verifiers(), "stable");
    let both = open(Some("pdp.example.com/log"), true).unwrap();
    assert_eq!(both.verifiers(), open(Some("pdp.example.com/log"), true).unwrap().verifiers());
    assert!(open(Some("a b"), false).is_err());
    for file in std::fs::read_dir(dir.path().join("keys")).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    let note = both.sign(3, Hash::leaf(b"x")).unwrap();
    let signed = SignedCheckpoint::parse(note.to_string().as_bytes()).unwrap();
    let verifiers: Vec<_> =
        both.verifiers().iter().map(|key| VerifierKey::parse(&key.to_string()).unwrap()).collect();
    assert_eq!((verifiers.len(), &verifiers), (2, &both.verifiers()));
    Trust::in_all(verifiers.clone()).check(&signed).unwrap();
    let mut stripped = signed.clone();
    stripped.note.signatures.pop();
    Trust::in_all(verifiers[..1].to_vec()).check(&stripped).unwrap();
    Trust::in_any(verifiers.clone()).check(&stripped).unwrap();
    assert!(Trust::in_all(verifiers.clone()).check(&stripped).is_err(), "a signature was taken away");
    for at in 0..2 {
        let mut forged = signed.clone();
        forged.note.signatures[at].signature[5] ^= 1;
        assert!(Trust::in_any(verifiers.clone()).check(&forged).is_err());
    }
    for wrong in
        ["", "a", "a+b+c", &format!("{}x", verifiers[0]), &verifiers[0].to_string().replace("pdp", "qdp")]
    {
        assert!(VerifierKey::parse(wrong).is_err(), "{wrong}");
    }
    std::fs::write(dir.path().join("keys/ed25519.pem"), "no key").unwrap();
    assert!(open(None, false).unwrap_err().to_string().contains("holds no private key"));
}

#[tokio::test]
async fn changed_proof_proves_nothing_and_none_makes_verifying_panic() {
    let bench = Bench::new();
    let log = bench.log();
    bench.write(&log, 9).await;
    bench.sign().unwrap();
    let Proof::Bundle(bundle) = prove(log.reader(), 5).unwrap() else { panic!("not proven") };
    let (json, trust) = (bundle.to_json(), bench.trust());
    let is_proven = |bytes: &[u8]| Bundle::parse(bytes).and_then(|bundle| bundle.verify(&trust)).is_ok();
    assert!(is_proven(&json));
    for bit in 0..8 * json.len() {
        let mut changed = json.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(!is_proven(&changed), "bit {bit}: {}", String::from_utf8_lossy(&changed));
    }
    let mut rng = Rng::new(3);
    for _ in 0..2000 {
        let mut changed = json.clone();
        for _ in 0..1 + rng.below(4) {
            let (from, to) = (rng.below(changed.len()), rng.below(changed.len()));
            let piece = changed[from.min(to)..from.max(to)].to_vec();
            let at = rng.below(changed.len());
            match rng.below(3) {
                0 => drop(changed.splice(at..at, piece)),
                1 => drop(changed.drain(from.min(to)..from.max(to))),
                _ => changed[at] = u8::try_from(rng.below(256)).unwrap(),
            }
            if changed.is_empty() {
                break;
            }
        }
        assert!(changed == json || !is_proven(&changed), "{}", String::from_utf8_lossy(&changed));
    }
}

/// INVARIANT(found): the short form of `testkit tamper`.
#[test]
fn every_change_of_a_witnessed_record_is_found_and_named() {
    let outcome = tamper::run(300, 2, |_| ()).unwrap();
    assert!(outcome.found.len() >= 12, "{outcome:?}");
}

#[tokio::test]
async fn records_that_no_checkpoint_covers_yet_are_not_deleted() {
    let mut bench = Bench::new();
    bench.settings.retention = Retention { bytes: Some(1), ..Retention::default() };
    bench.settings.dependents = vec![Dependent::Notary];
    bench.settings.compress = true;
    let log = bench.log();
    bench.write(&log, 400).await;
    // What deletes also compresses, so it has looked at these segments.
    let compressed = || bench.disk.list().unwrap().iter().filter(|name| name.ends_with(".zst")).count();
    while compressed() < 3 {
        std::thread::yield_now();
    }
    assert_eq!(log.reader().first_seq(), 1);
    let keys = TempDir::new("keys");
    let keys = SigningKeys::open(keys.path(), None, false).unwrap();
    let metrics = Arc::new(Metrics::new().unwrap());
    let interval = Duration::from_millis(10);
    let office = Office::start(log.reader().clone(), keys, interval, Vec::new(), metrics).unwrap();
    while log.reader().first_seq() < 300 {
        bench.write(&log, 1).await;
    }
    assert_eq!(office.health(), Ok(()));
    office.close();
    log.close();
}

#[tokio::test]
async fn what_retention_deleted_leaves_a_log_that_is_proven_from_its_beginning_on() {
    let mut bench = Bench::new();
    let log = bench.log();
    let mut witnessed = Vec::new();
    for _ in 0..12 {
        bench.write(&log, 10).await;
        witnessed.extend(bench.sign().unwrap());
    }
    log.close();
    bench.settings.retention = Retention { bytes: Some(30 * 1024), ..Retention::default() };
    let log = bench.log();
    // Deleting is a segment at a time, each after its record.
    while log.reader().first_seq() < 40 {
        bench.write(&log, 1).await;
    }
    bench.settings.retention.hold = true;
    log.close();
    witnessed.extend(bench.sign().unwrap());
    let look = |witnessed: &[SignedCheckpoint]| {
        inspect(&bench.disk, &bench.trust(), Some(witnessed), |_, _| ()).unwrap()
    };
    let found = look(&witnessed);
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    let verified = found.verified.unwrap();
    assert_eq!((found.witnessed, found.signed), (verified.last_seq, verified.last_seq));
    assert!(verified.first_seq >= 40);
    assert_eq!(prove(&bench.reader(), 3).unwrap(), Proof::Missing);
    let Proof::Bundle(bundle) = prove(&bench.reader(), verified.first_seq).unwrap() else {
        panic!("not proven")
    };
    bundle.verify(&bench.trust()).unwrap();

    let mut other = witnessed.clone();
    other[0] = SignedCheckpoint::parse(
        bench.keys.sign(10, procura_core::proof::Hash::leaf(b"other")).unwrap().to_string().as_bytes(),
    )
    .unwrap();
    assert!(look(&other).findings.iter().any(|finding| matches!(finding, Finding::Rewritten { .. })));
    bench.disk.remove("TREE").unwrap();
    assert!(look(&witnessed).findings.iter().any(|finding| matches!(finding, Finding::Tree { .. })));
    assert!(matches!(bench.sign(), Err(NotaryError::TreeLost { .. })));
}

#[tokio::test]
async fn key_that_was_replaced_goes_on_where_the_old_one_ended_and_both_are_needed_to_verify() {
    let mut bench = Bench::new();
    let log = bench.log();
    bench.write(&log, 10).await;
    bench.sign().unwrap();
    let mut both = bench.keys.verifiers();
    bench.keys = Bench::new().keys;
    both.extend(bench.keys.verifiers());
    bench.write(&log, 10).await;
    log.close();
    assert_eq!(bench.sign().unwrap().unwrap().checkpoint.size, 20);
    let look = |trust: &Trust| inspect(&bench.disk, trust, None, |_, _| ()).unwrap();
    let found = look(&Trust::in_all(both));
    assert!(found.findings.is_empty() && found.checkpoints == 2, "{:?}", found.findings);
    let found = look(&bench.trust());
    assert!(matches!(found.findings[..], [Finding::Distrusted { count: 1, .. }]), "{:?}", found.findings);
    assert_eq!(found.signed, 20);
}
