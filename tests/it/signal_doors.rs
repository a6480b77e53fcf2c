//! Signals at the door of a real server: the caller that a stream names, a disk that is short, refusals that are masked.

use std::fs;
use std::path::Path;
use std::time::Duration;

use procura::callers::{KeyEntry, NewKey, add};
use procura_testkit::http::{Connection, Response};
use procura_testkit::live::{AUTHORIZATION, House, STREAM, may_open, push};
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};

/// Where strangers seem to come from.
const ELSEWHERE: &str = "10.1.2.3";

/// Whatever is free, it is less than this.
const MORE_THAN_ANY_DISK: &str = "--set=audit.reservedBytes=1099511627776";

async fn house(change: impl FnOnce(&mut Value), arguments: &[String]) -> House {
    House::open(Path::new(env!("CARGO_BIN_EXE_procura")), change, arguments).await.unwrap()
}

/// Arguments for a file of keys within the directory, and the key of each of these callers, who have these roles. Whoever
/// asks on the same machine needs none.
fn keys(callers: &[(&str, &str)]) -> (TempDir, [String; 2], Vec<String>) {
    let top = TempDir::new("doors");
    top.write("keys.yaml", "");
    let key = |(name, role): &(&str, &str)| {
        let NewKey { id, text, hash } = NewKey::generate().unwrap();
        let (name, roles) = ((*name).to_owned(), vec![(*role).to_owned()]);
        add(&top.path().join("keys.yaml"), &KeyEntry { id, name, hash, roles, ..KeyEntry::default() })
            .unwrap();
        text
    };
    let texts = callers.iter().map(key).collect();
    let file = format!("--set=callers.keys.file={}", top.path().join("keys.yaml").display());
    (top, [file, "--set=callers.anonymous=local".to_owned()], texts)
}

/// Pushes `set` from elsewhere, with `shown` in the head.
async fn push_from_elsewhere(
    connection: &mut Connection,
    path: &str,
    shown: &[(&str, &str)],
    set: &str,
) -> Response {
    let headers = [("content-type", "application/secevent+jwt"), ("x-forwarded-for", ELSEWHERE)];
    connection.send("POST", path, &[&headers, shown].concat(), set.as_bytes()).await.unwrap()
}

/// INVARIANT: `push.caller` comes on top of the signature, and of `push.authorization` if that is there.
#[tokio::test(flavor = "multi_thread")]
async fn stream_that_names_its_caller_hears_nobody_else() {
    let callers = [("idp", "signals"), ("other", "signals"), ("idp", "decide")];
    for with_secret in [false, true] {
        let (_top, arguments, keys) = keys(&callers);
        let named = |stream: &mut Value| {
            stream["push"] = json!({"caller": "idp"});
            if with_secret {
                stream["push"]["authorization"] = json!(AUTHORIZATION);
            }
        };
        let house = house(named, &arguments).await;
        let mut connection = house.server.connect().await.unwrap();
        let set = house.revoked("alice", "s-1");
        let secret = ("authorization", AUTHORIZATION);
        let nowhere = "/api/signals/streams/nowhere";
        let unknown = push_from_elsewhere(&mut connection, nowhere, &[], &set).await;
        assert_eq!(unknown.json().unwrap()["err"], "authentication_failed");
        let with_key = |place: usize| {
            let key = [("x-api-key", &*keys[place])];
            if with_secret { [&key[..], &[secret]].concat() } else { key.to_vec() }
        };
        let mut refused = vec![vec![], vec![secret], vec![("x-api-key", "nonsense"), secret], with_key(1)];
        if with_secret {
            refused.push(vec![("x-api-key", &keys[0])]);
            refused.push(vec![("x-api-key", &keys[0]), ("authorization", "Bearer another")]);
        }
        for shown in &refused {
            let answer = push_from_elsewhere(&mut connection, STREAM, shown, &set).await;
            assert_eq!((answer.status, &answer.body), (400, &unknown.body), "{shown:?}");
            assert!(may_open(&mut connection, "alice", "s-1").await.unwrap(), "{shown:?}");
        }
        let here = push(&mut connection, &set).await.unwrap();
        assert_eq!((here.status, &here.body), (400, &unknown.body), "this machine is not the caller");
        let without_right = push_from_elsewhere(&mut connection, STREAM, &with_key(2), &set).await;
        assert_eq!(without_right.status, 404, "as at every path that its roles do not open");
        let good = with_key(0);
        let (signed, _) = set.rsplit_once('.').unwrap();
        let forged = format!("{signed}.{}", "A".repeat(342));
        let answer = push_from_elsewhere(&mut connection, STREAM, &good, &forged).await;
        assert_eq!(answer.json().unwrap()["err"], "invalid_key", "the signature is asked for as well");
        assert!(may_open(&mut connection, "alice", "s-1").await.unwrap());
        let answer = push_from_elsewhere(&mut connection, STREAM, &good, &set).await;
        assert_eq!(answer.status, 202, "{}", String::from_utf8_lossy(&answer.body));
        assert!(!may_open(&mut connection, "alice", "s-1").await.unwrap());
        let records = house.records("signal").await.unwrap();
        assert_eq!(records[0]["caller"]["name"], "idp", "{records:?}");
    }
}

/// What is left of the disk is for decisions: their records are written, signals come again later.
#[tokio::test(flavor = "multi_thread")]
async fn while_the_disk_is_short_signals_wait_and_decisions_go_on() {
    let house = house(|_| (), &[MORE_THAN_ANY_DISK.to_owned()]).await;
    let mut connection = house.server.connect().await.unwrap();
    let looked = async {
        // The disk is looked at within a moment of the start.
        while push(&mut connection, "x").await.unwrap().status != 503 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), looked).await.expect("nobody looks at the disk");
    let records = async |kind: &str| house.records(kind).await.unwrap().len();
    let (refusals, decisions) = (records("signals_refused").await, records("decision").await);

    let answer = push(&mut connection, &house.revoked("alice", "s-1")).await.unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(answer.json().unwrap()["description"].as_str().unwrap().contains("disk"));
    assert_eq!(push(&mut connection, "forged").await.unwrap().status, 503);
    let fact = "/api/facts/principal/alice/account-disabled";
    let answer = connection.send("PUT", fact, &[], b"").await.unwrap();
    assert_eq!(answer.status, 503, "{}", String::from_utf8_lossy(&answer.body));

    assert!(may_open(&mut connection, "alice", "s-1").await.unwrap(), "nothing of it is true");
    assert_eq!(records("decision").await, decisions + 1);
    assert_eq!((records("signal").await, records("signals_refused").await), (0, refusals));
    let ready = connection.get("/readyz").await.unwrap();
    assert_eq!(ready.status, 200, "decisions go on");
    assert!(String::from_utf8_lossy(&ready.body).contains("degraded"));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_is_recorded_without_what_is_masked_of_its_sender() {
    let callers = [("clearvalue-idp", "signals")];
    let (_top, arguments, keys) = keys(&callers);
    for (masks, name, address) in [
        ("{path: call.caller, do: remove}", None, None),
        ("{path: call.caller.address, do: hash}", Some("clearvalue-idp"), Some("hmac:")),
        ("{path: call.caller.name, do: pseudonym}", Some("hmac:p"), Some("127.0.0.1")),
    ] {
        let named = |stream: &mut Value| stream["push"] = json!({"caller": "clearvalue-idp"});
        let mut house =
            house(named, &[&arguments[..], &[format!("--set=audit.mask=[{masks}]")]].concat()).await;
        let mut connection = house.server.connect().await.unwrap();
        for set in ["clearvalue", &format!("{}x", house.revoked("clearvalue-alice", "s-1"))] {
            let shown = [("content-type", "application/secevent+jwt"), ("x-api-key", &*keys[0])];
            let answer = connection.send("POST", STREAM, &shown, set.as_bytes()).await.unwrap();
            assert_eq!(answer.status, 400, "{masks}");
        }
        let refused = house.records("signals_refused").await.unwrap();
        assert_eq!(refused.len(), 2, "{masks}: {refused:?}");
        for record in &refused {
            assert!(record["reason"].is_string() && record["source"] == "idp", "{masks}: {record}");
            for (member, expected) in [("name", name), ("address", address)] {
                let shown = record["caller"][member].as_str();
                let fits = match (shown, expected) {
                    (Some(shown), Some(expected)) => shown.starts_with(expected),
                    (shown, expected) => shown == expected,
                };
                assert!(fits, "{masks}, {member}: {record}");
            }
        }
        house.server.kill().await.unwrap();
        let in_clear = name == Some("clearvalue-idp");
        assert_eq!(is_on_disk(&house.dir.path().join("data/log"), "clearvalue"), in_clear, "{masks}");
    }
}

/// Whether `text` stands in some file below `directory`.
fn is_on_disk(directory: &Path, text: &str) -> bool {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.into_iter().any(|path| {
        if path.is_dir() {
            return is_on_disk(&path, text);
        }
        let bytes = fs::read(&path).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}
