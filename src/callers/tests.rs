use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use procura_core::model::Timestamp;
use procura_testkit::temp_dir::TempDir;

use super::*;
use crate::ports::{ApiKeys, KeyFault};
use crate::telemetry::Metrics;

fn entry(name: &str) -> (String, KeyEntry) {
    let NewKey { id, text, hash } = NewKey::generate().unwrap();
    let roles = vec!["decide".to_owned()];
    (text, KeyEntry { id, name: name.to_owned(), hash, roles, ..KeyEntry::default() })
}

fn file(top: &TempDir) -> PathBuf {
    top.path().join("keys.yaml")
}

fn start(path: &Path) -> Arc<KeyFile> {
    KeyFile::start(path, Arc::new(Metrics::new().unwrap())).unwrap()
}

async fn until(mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.expect("it never came true");
}

#[test]
fn only_the_whole_key_is_accepted_and_the_file_does_not_hold_it() {
    let top = TempDir::new("keys");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _context = runtime.enter();
    let (text, mut shop) = entry("shop \"1\"");
    shop.tenants = Some(vec!["acme".to_owned()]);
    let (other, desk) = entry("desk");
    add(&file(&top), &shop).unwrap();
    add(&file(&top), &desk).unwrap();

    let written = fs::read_to_string(file(&top)).unwrap();
    let secret = text.rsplit_once('_').unwrap().1;
    assert_eq!(secret.len(), 64, "256 bits");
    assert!(!written.contains(secret), "{written}");
    assert_eq!(fs::metadata(file(&top)).unwrap().permissions().mode() & 0o777, 0o600);

    let keys = start(&file(&top));
    let held = keys.holder(&text).unwrap();
    assert_eq!(held.identity.name.as_deref(), Some("shop \"1\""));
    assert_eq!(held.identity.key.as_deref(), Some(shop.id.as_str()));
    assert_eq!(held.identity.tenants.as_deref(), Some(["acme".to_owned()].as_slice()));
    let other_secret = other.rsplit_once('_').unwrap().1;
    let hash = shop.hash.trim_start_matches("sha256:");
    for wrong in [
        format!("procura_{}_{other_secret}", shop.id),
        format!("procura_{}_{hash}", shop.id),
        format!("{text}0"),
        text.get(..text.len() - 1).unwrap().to_owned(),
        text.to_uppercase(),
        format!("procura_{}_", shop.id),
        format!("procura_nobody_{secret}"),
        secret.to_owned(),
        "procura_".to_owned(),
        String::new(),
        format!("procura_{}_{}", shop.id, "a".repeat(10_000)),
    ] {
        assert_eq!(keys.holder(&wrong).unwrap_err(), KeyFault::Unknown, "{wrong}");
    }
}

#[test]
fn keys_are_revoked_in_a_file_however_it_was_written_and_nothing_else_changes() {
    let top = TempDir::new("keys");
    let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let hash = entry("a").1.hash;
    for (text, works) in [
        (
            format!(
                "# ours\n- id: k1\n  name: a # his\n  hash: {hash}\n- id: k2\n  name: b\n  hash: {hash}\n"
            ),
            true,
        ),
        (format!("- name: a\n  id: \"k1\"\n  hash: {hash}\n"), true),
        (format!("-   hash: {hash}\n    name: a\n    id: 'k1'\n"), true),
        (format!("- {{id: k1, name: a, hash: '{hash}'}}\n- {{id: k12, name: a, hash: '{hash}'}}\n"), true),
        (format!("[{{\"id\": \"k1\", \"name\": \"a\", \"hash\": \"{hash}\"}}]"), false),
        (format!("- id:\n    k1\n  name: a\n  hash: {hash}\n"), false),
    ] {
        fs::write(file(&top), &text).unwrap();
        fs::set_permissions(file(&top), fs::Permissions::from_mode(0o640)).unwrap();
        let before = list(&file(&top)).unwrap();
        let revoked = revoke(&file(&top), "k1", now);
        let after = list(&file(&top)).unwrap();
        assert_eq!(revoked.is_ok(), works, "{text}");
        assert_eq!(after[0].revoked.is_some(), works, "{text}");
        assert_eq!(after[1..], before[1..]);
        assert_eq!(fs::metadata(file(&top)).unwrap().permissions().mode() & 0o777, 0o640);
        let later = fs::read_to_string(file(&top)).unwrap();
        assert!(works || later == text);
        assert!(text.lines().all(|line| later.contains(line.split('{').next().unwrap())), "{later}");
    }
    assert!(matches!(revoke(&file(&top), "k9", now), Err(EditError::Missing(_))));
}

#[test]
fn wrong_files_say_where_and_how_to_mend_it() {
    let hash = entry("a").1.hash;
    let good = format!("id: k1, name: a, hash: \"{hash}\"");
    for (text, part) in [
        ("a: b".to_owned(), "line 1"),
        (format!("- {{{good}, role: [x]}}"), "unknown field"),
        ("- {id: k1, name: a, hash: abc}".to_owned(), "key 1: `hash`"),
        (format!("- {{id: k_1, name: a, hash: \"{hash}\"}}"), "key 1: `id`"),
        (format!("- {{id: k1, name: \"\", hash: \"{hash}\"}}"), "key 1: `name`"),
        (format!("- {{{good}}}\n- {{{good}}}"), "key 2: the id `k1` is there twice"),
        (format!("- {{{good}, roles: [local]}}"), "`local`"),
        (format!("- {{{good}, roles: [anonymous]}}"), "`anonymous`"),
        (format!("- {{{good}, tenants: []}}"), "`tenants`"),
        (format!("- {{{good}, tenants: [a.b]}}"), "`a.b` is no tenant"),
        (format!("- {{{good}, expires: tomorrow}}"), "no instant"),
    ] {
        let error = KeyEntry::read(&text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    assert_eq!(KeyEntry::read(""), Ok(vec![]));
}

#[tokio::test]
async fn file_is_read_again_and_a_bad_one_replaces_nothing() {
    let top = TempDir::new("keys");
    let (text, shop) = entry("shop");
    add(&file(&top), &shop).unwrap();
    let keys = start(&file(&top));
    let first = keys.epoch();

    fs::write(file(&top), "- nonsense").unwrap();
    until(|| {
        keys.look();
        keys.trouble().is_some()
    })
    .await;
    assert!(keys.holder(&text).is_ok());
    assert_eq!(keys.epoch(), first);

    fs::remove_file(file(&top)).unwrap();
    until(|| {
        keys.look();
        keys.trouble().is_some_and(|reason| reason.contains("cannot read"))
    })
    .await;
    assert!(keys.holder(&text).is_ok());

    add(&file(&top), &shop).unwrap();
    revoke(&file(&top), &shop.id, Timestamp::now()).unwrap();
    until(|| {
        keys.look();
        keys.epoch() > first
    })
    .await;
    assert_eq!(keys.holder(&text).unwrap_err(), KeyFault::Revoked);
    assert_eq!(keys.trouble(), None);
}
