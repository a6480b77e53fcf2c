//! `procura audit prove`, `verify` and `key` as an auditor uses them, on this machine and on another.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use procura::audit::proof::{FileWitness, Lineage, Notary, SigningKeys, Witness};
use procura::audit::{AuditError, DirFiles, Log, LogReader, LogSettings};
use procura::ports::{Clock, DecisionLog};
use procura::telemetry::Metrics;
use procura_core::model::Effect;
use procura_core::proof::Hash;
use procura_testkit::calls::MadeUpCall;
use procura_testkit::clock::SteppingClock;
use procura_testkit::server::ServerSpec;
use procura_testkit::temp_dir::TempDir;
use serde_json::Value;

const BINARY: &str = env!("CARGO_BIN_EXE_procura");

/// A data directory with 20 records under two witnessed checkpoints, 5 under one of the log's own, and 2 more.
struct Place {
    dir: TempDir,
    elsewhere: TempDir,
    ids: Vec<String>,
}

struct NoTree;

impl Lineage for NoTree {
    fn consistency(&self, _: u64, _: u64) -> Result<Vec<Hash>, AuditError> {
        Ok(Vec::new())
    }
}

impl Place {
    async fn new() -> Self {
        let (dir, elsewhere, mut ids) = (TempDir::new("proof-cli"), TempDir::new("elsewhere"), Vec::new());
        let files = Arc::new(DirFiles::open(&dir.path().join("log")).unwrap());
        let (clock, metrics) = (Arc::new(SteppingClock::default()), Arc::new(Metrics::new().unwrap()));
        let (log, _) = Log::open(files, &LogSettings::default(), clock.clone(), metrics).unwrap();
        let keys = Arc::new(SigningKeys::open(&dir.path().join("keys"), None, false).unwrap());
        let reader = log.reader().clone();
        let mut notary = Notary::open(&reader, keys).unwrap();
        let mut witness = FileWitness::new(elsewhere.path().join("checkpoints"));
        for (count, is_signed, is_witnessed) in
            [(12, true, true), (8, true, true), (5, true, false), (2, false, false)]
        {
            for number in 0..count {
                let (at, principal, effect) = (clock.now(), "alice", Effect::Allow);
                let call =
                    MadeUpCall { at, number, principal, action: "view", resource: "a1", effect, padding: 0 };
                log.append(call.record()).await.unwrap();
                ids.push(call.id());
            }
            let signed = if is_signed { notary.sign().unwrap() } else { None };
            if let Some(signed) = signed.filter(|_| is_witnessed) {
                witness.keep(&signed, &NoTree).unwrap();
            }
        }
        log.close();
        Self { dir, elsewhere, ids }
    }

    fn witness(&self) -> String {
        self.elsewhere.path().join("checkpoints").display().to_string()
    }

    fn audit(&self, args: &[&str]) -> Output {
        let mut command = Command::new(BINARY);
        command.arg("audit").args(args).arg("--data-dir").arg(self.dir.path()).output().unwrap()
    }

    fn change(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.dir.path().join("log/log-00000000000000000001.seg");
        let mut bytes = fs::read(&path).unwrap();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
    }
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn failed(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[tokio::test]
async fn verify_says_how_far_the_log_is_proven_and_by_whom() {
    let place = Place::new().await;
    let alone = said(&place.audit(&["verify"]));
    assert!(alone.contains("complete up to record 25, says the last of 3 checkpoints"), "{alone}");
    let witness = place.witness();
    let witnessed = said(&place.audit(&["verify", "--witness", &witness]));
    assert!(witnessed.contains("complete up to record 20: the witness keeps"), "{witnessed}");
    assert!(witnessed.contains("record 21 is the first that is not yet witnessed"), "{witnessed}");
    let json = said(&place.audit(&["verify", "--witness", &witness, "--format", "json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["records"], &json["signed"]), (&27.into(), &25.into()));
    assert_eq!((&json["witnessed"], &json["firstUnwitnessed"]), (&20.into(), &21.into()));

    for (args, covered) in [
        (&["report"][..], "| signed | up to number 25, "),
        (&["report", "--witness", &witness], "| witnessed | up to number 20: "),
    ] {
        let report = said(&place.audit(args));
        assert!(report.contains(covered), "{report}");
    }

    let part = said(&place.audit(&["verify", "--from", "5", "--to", "9", "--witness", &witness]));
    assert!(part.contains("records 5 to 9\nall of them are under a checkpoint of the witness"), "{part}");
    let part = said(&place.audit(&["verify", "--from", "18", "--witness", &witness]));
    assert!(
        part.contains("up to record 20 they are under a checkpoint of the witness, from record 21"),
        "{part}"
    );
    let part = said(&place.audit(&["verify", "--from", "26"]));
    assert!(part.contains("no checkpoint covers them"), "{part}");
}

#[tokio::test]
async fn report_shows_up_to_where_the_log_is_signed_and_witnessed() {
    let place = Place::new().await;
    let alone = said(&place.audit(&["report"]));
    for part in [
        "| proof | verified: records 1 to 27, hash ",
        "| signed | up to number 25, by 3 checkpoints beside the log |",
        "| witnessed | not asked",
    ] {
        assert!(alone.contains(part), "`{part}` is not in\n{alone}");
    }
    let witness = place.witness();
    let witnessed = said(&place.audit(&["report", "--witness", &witness]));
    assert!(witnessed.contains("| witnessed | up to number 20: the witness keeps"), "{witnessed}");

    // The log of somebody else is a whole one, only signed with another key.
    fs::remove_dir_all(place.dir.path().join("log")).unwrap();
    let other = Place::new().await;
    fs::rename(other.dir.path().join("log"), place.dir.path().join("log")).unwrap();
    let output = place.audit(&["report", "--witness", &witness]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("| proof | NOT VERIFIED: "), "{text}");
}

#[tokio::test]
async fn verify_names_what_was_done_to_the_log() {
    let place = Place::new().await;
    let witness = place.witness();
    let whole = fs::read(place.dir.path().join("log/log-00000000000000000001.seg")).unwrap();
    place.change(|log| {
        let at = log.windows(5).position(|word| word == b"alice").unwrap();
        log[at] ^= 1;
    });
    for args in [&["verify"][..], &["verify", "--from", "1", "--to", "4"], &["verify", "--witness", &witness]]
    {
        let said = failed(&place.audit(args));
        assert!(said.contains("record 1: the checksum of the record does not match"), "{said}");
    }
    place.change(|log| log.clone_from(&whole));
    // Cut to ten records, with everything that would tell but the witness.
    let files = DirFiles::open_to_read(&place.dir.path().join("log")).unwrap();
    let reader = LogReader::open(Arc::new(files)).unwrap();
    let mut end = 0;
    reader.cursor(11).read(|entry| end = if entry.seq == 11 { entry.place.offset } else { end }).unwrap();
    place.change(|log| log.truncate(usize::try_from(end).unwrap()));
    for file in ["SYNCED", "TREE", "CHECKPOINTS"] {
        fs::remove_file(place.dir.path().join("log").join(file)).unwrap();
    }
    let alone = said(&place.audit(&["verify"]));
    assert!(alone.contains("no checkpoint covers the log"), "{alone}");
    let report = said(&place.audit(&["report"]));
    assert!(report.contains("verified: records 1 to 10, hash"), "{report}");
    assert!(report.contains("no checkpoint covers the log"), "{report}");
    let report = place.audit(&["report", "--witness", &witness]);
    assert_eq!(report.status.code(), Some(1));
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.contains("NOT VERIFIED: records 11 to 20 are missing"), "{report}");
    let cut = failed(&place.audit(&["verify", "--witness", &witness]));
    assert!(cut.contains("records 11 to 20 are missing: the log ends with record 10"), "{cut}");
}

#[tokio::test]
async fn exported_record_is_verified_where_there_is_only_the_program_and_the_public_key() {
    let place = Place::new().await;
    let proof = said(&place.audit(&["prove", &place.ids[6]]));
    assert_eq!(proof, said(&place.audit(&["prove", "7"])));
    let late = failed(&place.audit(&["prove", &place.ids[25]]));
    assert!(late.contains("record 26 is not proven yet: the last checkpoint covers 25 records"), "{late}");
    assert!(failed(&place.audit(&["prove", "28"])).contains("no record 28"));
    let key = said(&place.audit(&["key"]));

    let empty = TempDir::new("empty");
    empty.write("bin", fs::read(BINARY).unwrap());
    let program = empty.path().join("bin");
    make_executable(&program);
    empty.write("proof.json", &proof);
    empty.write("log.pub", &key);
    let verify = |args: &[&str]| {
        let mut command = Command::new(&program);
        command.args(["audit", "verify"]).args(args).env_clear().current_dir(empty.path());
        command.output().unwrap()
    };
    let text = said(&verify(&["--proof", "proof.json", "--key", "log.pub"]));
    assert!(text.starts_with("verified: record 7 of the log `procura/"), "{text}");
    assert!(text.contains(&place.ids[6]), "{text}");
    let json = said(&verify(&["--proof", "proof.json", "--key", key.trim(), "--format", "json"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["seq"], &json["record"]["call"]["id"]), (&7.into(), &place.ids[6].as_str().into()));
    let no_key = failed(&verify(&["--proof", "proof.json"]));
    assert!(no_key.contains("give the public key of the log with `--key`"), "{no_key}");
    empty.write("proof.json", proof.replace("alice", "carol"));
    let edited = failed(&verify(&["--proof", "proof.json", "--key", "log.pub"]));
    assert!(edited.contains("is not the one that is under the checkpoint"), "{edited}");
    let files: Vec<_> = fs::read_dir(empty.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files.len(), 3, "nothing is left behind: {files:?}");
}

fn make_executable(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn server_proves_what_it_answered_and_everything_is_witnessed_when_it_has_stopped() {
    let (policies, data, elsewhere) =
        (TempDir::new("policies"), TempDir::new("data"), TempDir::new("elsewhere"));
    let rule = "{actions: [view], roles: [user], effect: EFFECT_ALLOW}";
    let policy = format!(
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: album\n  version: default\n  rules: [{rule}]\n"
    );
    policies.write("album.yaml", policy);
    let witness = elsewhere.path().join("checkpoints").display().to_string();
    let mut server = ServerSpec::new(BINARY, policies.path(), data.path())
        .arg(format!("--set=audit.witness.file={witness}"))
        .arg("--set=audit.checkpoint.interval=100ms")
        .arg("--set=audit.checkpoint.postQuantum=true")
        .start()
        .await
        .unwrap();
    let mut connection = server.connect().await.unwrap();
    let body = br#"{"principal":{"id":"ann","roles":["user"]},"resources":[{"actions":["view"],"resource":
        {"kind":"album","id":"1"}}]}"#;
    let answer = connection.post_json("/api/check/resources", body).await.unwrap();
    let id = answer.header("procura-call-id").unwrap().to_owned();
    let begun = Instant::now();
    let proof = loop {
        let proof = connection.get(&format!("/api/decisions/{id}/proof")).await.unwrap();
        if proof.status == 200 {
            break proof;
        }
        assert_eq!((proof.status, proof.header("retry-after")), (503, Some("1")));
        assert_eq!(proof.json().unwrap()["code"], "not_yet_proven");
        assert!(begun.elapsed() < Duration::from_secs(30));
    };
    assert_eq!(connection.get("/api/decisions/none/proof").await.unwrap().status, 404);
    let ready = connection.get("/readyz").await.unwrap().json().unwrap();
    let checks = ready["checks"].as_array().unwrap();
    assert!(checks.iter().any(|check| check["name"] == "checkpoints" && check["state"] == "good"), "{ready}");
    elsewhere.write("proof.json", &proof.body);
    server.signal("TERM").await.unwrap();
    assert!(server.wait().await.unwrap().success(), "{}", server.output());

    let audit = |args: &[&str]| {
        Command::new(BINARY).arg("audit").args(args).arg("--data-dir").arg(data.path()).output().unwrap()
    };
    let keys = said(&audit(&["key", "--set", "audit.checkpoint.postQuantum=true"]));
    assert_eq!(keys.lines().count(), 2, "{keys}");
    elsewhere.write("log.pub", &keys);
    let (proof, keys) = (elsewhere.path().join("proof.json"), elsewhere.path().join("log.pub"));
    let (proof, keys) = (proof.to_str().unwrap(), keys.to_str().unwrap());
    let one = said(&audit(&["verify", "--proof", proof, "--key", keys, "--witness", &witness]));
    assert!(one.contains("which the witness keeps"), "{one}");
    let whole = said(&audit(&["verify", "--witness", &witness, "--key", keys, "--format", "json"]));
    let whole: Value = serde_json::from_str(&whole).unwrap();
    assert_eq!(
        (&whole["witnessed"], &whole["findings"]),
        (&whole["records"], &Value::Array(Vec::new())),
        "{whole}"
    );
}

#[test]
fn witness_within_the_data_directory_is_refused() {
    let (policies, data) = (TempDir::new("policies"), TempDir::new("data"));
    let set = |key: &str, path: &Path| format!("--set={key}={}", path.display());
    let output = Command::new(BINARY)
        .args(["serve", "--listen=127.0.0.1:0", &set("server.dataDir", data.path())])
        .arg(set("storage.disk.directory", policies.path()))
        .arg(set("audit.witness.file", &data.path().join("checkpoints")))
        .output()
        .unwrap();
    assert!(failed(&output).contains("name a file on another disk or machine"));
}
