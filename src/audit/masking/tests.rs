use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Mutex as StdMutex;
use std::{fs, io};

use procura_core::record::{MaskRule, Masks};
use procura_core::value::Value;
use procura_testkit::temp_dir::TempDir;

use super::*;
use crate::ports::{Durability, Receipt};

/// Keeps what is appended.
#[derive(Default)]
struct Kept(StdMutex<Vec<Vec<u8>>>);

impl DecisionLog for Kept {
    fn append_as(&self, record: NewRecord, _: Durability) -> Receipt {
        self.0.lock().unwrap().push(record.payload);
        Receipt::Ready(Ok(()))
    }

    fn durability(&self) -> Durability {
        Durability::Durable
    }

    fn health(&self) -> Result<(), LogError> {
        Ok(())
    }
}

impl Kept {
    /// Event and key of each record.
    fn events(&self) -> Vec<(String, String)> {
        let kept = self.0.lock().unwrap();
        let event = |payload: &Vec<u8>| match Record::decode(payload).unwrap() {
            Record::PseudonymKey(record) => (record.event.into_owned(), record.key.into_owned()),
            other => panic!("{other:?}"),
        };
        kept.iter().map(event).collect()
    }
}

fn open(directory: &Path, treatment: Treatment) -> (Keyring, Arc<Kept>) {
    let rule = MaskRule { path: "principal.id".to_owned(), treatment, kinds: Vec::new() };
    let (masks, log) = (Masks::new(vec![rule]).unwrap(), Arc::new(Kept::default()));
    let writer: Arc<dyn DecisionLog> = log.clone();
    (Keyring::open(KeyStore::of(directory), &masks, Duration::from_secs(3600), writer).unwrap(), log)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn pseudonym(keyring: &Keyring, instant: &str) -> String {
    let keys = keyring.keys(at(instant)).await.unwrap();
    keys.pseudonym.as_ref().unwrap().digest(&Value::String("alice".into()))
}

#[tokio::test]
async fn each_period_has_a_key_of_its_own_which_is_recorded_before_its_use_and_found_again() {
    let directory = TempDir::new("masking");
    let (keyring, log) = open(directory.path(), Treatment::Pseudonym);
    let first = pseudonym(&keyring, "2026-11-22T10:00:00Z").await;
    assert_eq!(pseudonym(&keyring, "2026-11-22T10:59:59.999Z").await, first);
    let second = pseudonym(&keyring, "2026-11-22T11:00:00Z").await;
    assert_ne!(first, second);
    assert_eq!(pseudonym(&keyring, "2026-11-22T10:30:00Z").await, first, "a call that is late");
    let events = log.events();
    assert_eq!(events.iter().map(|(event, _)| event.as_str()).collect::<Vec<_>>(), ["created", "created"]);
    assert!(first.contains(&events[0].1) && second.contains(&events[1].1), "{events:?}");

    let (again, log) = open(directory.path(), Treatment::Pseudonym);
    assert_eq!(pseudonym(&again, "2026-11-22T11:30:00Z").await, second);
    assert!(log.events().is_empty());
}

#[tokio::test]
async fn forgotten_key_is_gone_and_its_end_is_recorded_once() {
    let directory = TempDir::new("masking");
    let (keyring, log) = open(directory.path(), Treatment::Pseudonym);
    let first = pseudonym(&keyring, "2026-11-22T10:00:00Z").await;
    let second = pseudonym(&keyring, "2026-11-22T11:00:00Z").await;
    let store = KeyStore::of(directory.path());
    assert!(store.ended_by(at("2026-11-22T10:59:59Z")).unwrap().is_empty());
    let ended = store.ended_by(at("2026-11-22T11:59:59Z")).unwrap();
    assert_eq!(ended.len(), 1);
    store.forget(&ended[0]).unwrap();

    keyring.record_forgotten(at("2026-11-22T11:30:00Z")).await.unwrap();
    keyring.record_forgotten(at("2026-11-22T11:30:00Z")).await.unwrap();
    let key = ended[0].key.id().to_owned();
    assert_eq!(log.events()[2..], [("destroyed".to_owned(), key)]);
    assert!(store.key_at(at("2026-11-22T10:00:00Z")).unwrap().is_none());
    assert_eq!(pseudonym(&keyring, "2026-11-22T11:59:00Z").await, second);
    assert_ne!(pseudonym(&keyring, "2026-11-22T10:00:00Z").await, first, "its secret is nowhere");
    let names = fs::read_dir(store.directory()).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| name.to_str().unwrap().ends_with(".key")));
}

#[tokio::test]
async fn destruction_that_was_interrupted_is_brought_to_its_end() {
    let directory = TempDir::new("masking");
    let (keyring, log) = open(directory.path(), Treatment::Pseudonym);
    pseudonym(&keyring, "2026-11-22T10:00:00Z").await;
    let store = KeyStore::of(directory.path());
    let ended = store.ended_by(at("2026-11-22T11:00:00Z")).unwrap();
    let path = store.directory().join(ended[0].key.id()).with_extension("key");
    let len = fs::read(&path).unwrap().len();
    store.forget(&ended[0]).unwrap();
    fs::write(&path, vec![0; len]).unwrap();

    assert!(store.key_at(at("2026-11-22T10:00:00Z")).unwrap().is_none());
    keyring.record_forgotten(at("2026-11-22T11:30:00Z")).await.unwrap();
    assert!(!path.exists());
    assert_eq!(log.events()[1].0, "destroyed");
}

#[tokio::test]
async fn key_that_was_not_recorded_is_not_used() {
    let directory = TempDir::new("masking");
    let store = KeyStore::of(directory.path());
    let prepared = store.prepare(at("2026-11-22T10:00:00Z"), at("2026-11-22T11:00:00Z")).unwrap();
    let (keyring, log) = open(directory.path(), Treatment::Pseudonym);
    assert!(!pseudonym(&keyring, "2026-11-22T10:00:00Z").await.contains(prepared.key.id()));
    assert_eq!(log.events().len(), 1);
}

#[tokio::test]
async fn hashes_keep_their_key_and_make_no_record() {
    let directory = TempDir::new("masking");
    let (keyring, log) = open(directory.path(), Treatment::Hash);
    let keys = keyring.keys(at("2026-11-22T10:00:00Z")).await.unwrap();
    let (again, _) = open(directory.path(), Treatment::Hash);
    assert_eq!(again.keys(at("2027-11-22T10:00:00Z")).await.unwrap(), keys);
    assert!(keys.hash.is_some() && keys.pseudonym.is_none() && log.events().is_empty());
    let mode = |path: &str| fs::metadata(directory.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("keys"), mode("keys/mask.key")), (0o700, 0o600));
}

#[tokio::test]
async fn broken_key_refuses_the_call_instead_of_being_replaced() {
    let directory = TempDir::new("masking");
    let (keyring, _) = open(directory.path(), Treatment::Pseudonym);
    pseudonym(&keyring, "2026-11-22T10:00:00Z").await;
    let store = KeyStore::of(directory.path());
    let path = fs::read_dir(store.directory()).unwrap().next().unwrap().unwrap().path();
    for text in ["", "{}", "\0\0\0", r#"{"v":1,"id":"../../x","from":"2026-11-22T10:00:00Z"}"#] {
        fs::write(&path, text).unwrap();
        let (again, _) = open(directory.path(), Treatment::Pseudonym);
        let refused = again.keys(at("2026-11-22T10:00:00Z")).await.unwrap_err();
        assert!(refused.to_string().contains("holds no key"), "{refused}");
    }
    fs::write(directory.path().join("keys/mask.key"), "x").unwrap();
    let error = KeyStore::of(directory.path()).hash_key().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}
