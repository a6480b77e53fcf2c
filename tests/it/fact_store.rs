//! Facts on disk and in memory, as those who bring and read them see it; the long form of the trials is
//! `cargo run -p procura-testkit -- signals disk`.

use std::sync::Arc;

use procura::facts::{FactsError, Limits, Store};
use procura::ports::{Applied, FactStore, Facts, LogFiles, Statements, StoreError};
use procura_core::model::{Entity, EntityKind, Fact, Subject, Timestamp};
use procura_testkit::rng::Rng;
use procura_testkit::signals::disk::{self, Life, Outcome};
use procura_testkit::signals::made_up::MadeUp;
use procura_testkit::signals::oracle::{Oracle, fact_about};
use procura_testkit::sim_disk::SimDisk;

const DAY: i64 = 24 * 60 * 60;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_305_600 + second).unwrap()
}

fn open(disk: &SimDisk, limits: Limits) -> Store {
    Store::open(Arc::new(disk.clone()), limits).unwrap()
}

fn event(id: &str, received: Timestamp, facts: Vec<Fact>) -> Statements {
    Statements { source: "okta".into(), id: id.into(), received, facts }
}

/// Brings events one after the other.
fn bring(store: &Store, events: impl IntoIterator<Item = Statements>) -> Vec<Result<Applied, StoreError>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    events.into_iter().map(|event| runtime.block_on(store.apply(event))).collect()
}

#[test]
fn store_holds_what_the_plain_reading_of_the_events_says_across_restarts_and_snapshots() {
    for seed in 0..12 {
        let (disk, mut made_up, mut oracle) = (SimDisk::new(seed), MadeUp::new(seed), Oracle::default());
        let mut rng = Rng::new(seed);
        for life in 0..6 {
            let limits = Limits { journal_bytes: 300 << rng.below(8), ..Limits::default() };
            let store = open(&disk, limits);
            oracle.compare(&store).unwrap_or_else(|error| panic!("seed {seed}, life {life}: {error}"));
            for _ in 0..rng.below(120) {
                let event = made_up.event();
                let expected = oracle.apply(&event);
                assert_eq!(bring(&store, [event]).pop().unwrap().unwrap(), expected, "seed {seed}");
                let presented = made_up.presented();
                oracle.compare_about(&store, &presented, made_up.now()).unwrap();
            }
            oracle.compare(&store).unwrap();
        }
        let snapshots = disk.list().unwrap().iter().filter(|name| name.ends_with(".snapshot")).count();
        assert!(snapshots <= 1, "space is bounded");
    }
}

#[test]
fn any_order_and_any_duplication_of_events_comes_to_the_same_facts() {
    for seed in 0..8 {
        let mut made_up = MadeUp::new(seed);
        let mut events: Vec<_> = (0..60).map(|_| made_up.event()).collect();
        let mut rng = Rng::new(seed);
        let mut all = Vec::new();
        for _ in 0..3 {
            let store = open(&SimDisk::new(seed), Limits::default());
            bring(&store, events.clone()).into_iter().for_each(|result| assert!(result.is_ok()));
            let mut facts: Vec<_> = EntityKind::ALL
                .into_iter()
                .flat_map(|kind| (0..8).map(move |n| Entity::new(kind, format!("{}-{n}", kind.as_str()))))
                .flat_map(|entity| store.of(&entity))
                .map(|fact| format!("{fact:?}"))
                .collect();
            facts.sort();
            all.push(facts);
            for at in 0..events.len() {
                let other = rng.below(events.len());
                events.swap(at, other);
            }
            let again = events.iter().take(20).cloned().collect::<Vec<_>>();
            events.extend(again);
        }
        assert!(all.windows(2).all(|pair| pair[0] == pair[1]), "seed {seed}");
    }
}

#[test]
fn no_acknowledged_event_is_lost_at_a_power_cut_or_a_failure_of_the_disk() {
    let outcome = disk::run(60, 3, |_| ()).unwrap();
    assert!(outcome.acknowledged > 500 && outcome.refused > 50, "a trial that tries nothing: {outcome:?}");
}

#[test]
fn power_may_go_at_any_operation_of_a_life_with_snapshots() {
    let mut outcome = Outcome::default();
    for cut_after in 1..140 {
        let mut facts = disk::Facts::new(cut_after);
        let life = Life { cut_after: 1000, fails_one_in: 0, journal_bytes: 600 };
        facts.live(life, &mut outcome).unwrap();
        let life = Life { cut_after, ..life };
        facts.live(life, &mut outcome).unwrap_or_else(|error| panic!("{life:?}: {error:#}"));
    }
}

#[test]
fn fact_is_about_whoever_presents_all_of_its_subject_while_it_is_in_force() {
    let store = open(&SimDisk::new(1), Limits::default());
    let (alice, laptop) =
        (Entity::new(EntityKind::Principal, "alice"), Entity::new(EntityKind::Device, "laptop"));
    let both = Fact {
        subject: Subject::new(vec![alice.clone(), laptop.clone()]).unwrap(),
        expires: Some(at(60)),
        ..fact_about("alice", "device-compliance-change", at(0))
    };
    assert!(store.is_empty());
    bring(&store, [event("1", at(0), vec![both, fact_about("alice", "risk-level-change", at(0))])]);
    assert!(!store.is_empty());
    let about = |presented: &[Entity<'_>], second| store.about(presented, at(second)).len();
    assert_eq!(about(std::slice::from_ref(&alice), 1), 1);
    assert_eq!(about(std::slice::from_ref(&laptop), 1), 0);
    assert_eq!(about(&[laptop.clone(), alice.clone(), alice.clone()], 1), 2, "each once");
    assert_eq!(about(&[laptop.clone(), alice.clone()], 60), 1, "one has expired");
    assert_eq!((store.of(&alice).len(), store.of(&laptop).len()), (2, 1), "also those that expired");
}

#[test]
fn event_beyond_a_bound_is_refused_whole_and_what_supersedes_has_room() {
    let limits = Limits { facts: 5, about_one: 3, ..Limits::default() };
    let disk = SimDisk::new(1);
    let store = open(&disk, limits);
    let of = |who: &str, name: &str, second| fact_about(who, name, at(second));
    let told = bring(
        &store,
        [
            event("1", at(0), vec![of("a", "x", 0), of("a", "y", 0), of("a", "z", 0)]),
            event("2", at(1), vec![of("b", "x", 1), of("a", "more", 1)]),
            event("3", at(1), vec![of("a", "x", 1)]),
            event("4", at(1), vec![of("b", "x", 1), of("b", "y", 1), of("b", "z", 1)]),
            event("4", at(1), vec![of("b", "x", 1), of("b", "y", 1)]),
            event("5", at(1), vec![of("c", "x", 1)]),
            event("6", at(2), vec![Fact { value: None, ..of("b", "x", 2) }]),
        ],
    );
    assert!(matches!(told[1], Err(StoreError::Crowded { limit: 3 })), "{told:?}");
    assert!(matches!(told[3], Err(StoreError::Full { limit: 5 })), "{told:?}");
    assert!(matches!(told[5], Err(StoreError::Full { .. })), "{told:?}");
    let changed: Vec<_> = told.iter().filter_map(|told| told.clone().ok()).collect();
    assert_eq!(changed, [3, 4, 6, 7].map(|seq| Applied::Changed { seq }));
    assert!(!store.has_taken("okta", "2"), "what was refused may come again");
    assert_eq!((store.count(), store.limit()), (4, 5));
    drop(store);
    let store = open(&disk, Limits { facts: 1, ..limits });
    assert_eq!((store.count(), store.last_change()), (4, 7), "a smaller limit drops nothing");
}

#[test]
fn what_was_withdrawn_or_has_expired_outweighs_what_comes_late_for_30_days() {
    for days in [29, 31] {
        let disk = SimDisk::new(1);
        let limits = Limits { journal_bytes: 1, ..Limits::default() };
        let store = open(&disk, limits);
        let withdrawn = Fact { value: None, ..fact_about("alice", "ticket", at(10)) };
        let expired = Fact { expires: Some(at(20)), ..fact_about("alice", "shift", at(10)) };
        bring(&store, [event("1", at(10), vec![withdrawn, expired])]);
        let kept = fact_about("bob", "risk", at(0));
        bring(&store, [event("2", at(days * DAY + 10), vec![kept])]);
        drop(store);
        let store = open(&disk, limits);
        let late = vec![fact_about("alice", "ticket", at(9)), fact_about("alice", "shift", at(9))];
        let told = bring(&store, [event("4", at(days * DAY + 20), late)]).pop().unwrap().unwrap();
        assert_eq!(told == Applied::Unchanged, days < 30, "after {days} days: {told:?}");
        assert_eq!(store.about(&[Entity::new(EntityKind::Principal, "bob")], at(days * DAY)).len(), 1);
    }
}

#[test]
fn names_of_events_are_kept_for_seven_days_as_many_as_there_is_room_for() {
    let disk = SimDisk::new(1);
    let limits = Limits { names: 3, journal_bytes: 1, ..Limits::default() };
    for restarts in [false, true] {
        let mut store = open(&disk, limits);
        let base = if restarts { 100 * DAY } else { 0 };
        let id = |n: i64| format!("{}", base + n);
        bring(&store, (0..5).map(|n| event(&id(n), at(base + n), Vec::new())));
        if restarts {
            drop(store);
            store = open(&disk, limits);
        }
        let taken = |n| store.has_taken("okta", &id(n));
        assert_eq!((0..5).map(taken).collect::<Vec<_>>(), [false, false, true, true, true]);
        assert!(!store.has_taken("edr", &id(4)), "the name of an event is that of its source");
        bring(&store, [event(&id(9), at(base + 7 * DAY + 4), Vec::new())]);
        assert_eq!([2, 3, 4, 9].map(|n| store.has_taken("okta", &id(n))), [false, false, true, true]);
    }
}

#[test]
fn changes_are_remembered_from_a_number_on_and_awaited() {
    let disk = SimDisk::new(1);
    let store = open(&disk, Limits::default());
    let fact = |n: i64| fact_about(&format!("p{n}"), "risk", at(n));
    bring(&store, (1..=5).map(|n| event(&n.to_string(), at(n), vec![fact(n)])));
    let seqs = |after, most| {
        store.changes_after(after, most).map(|some| some.iter().map(|change| change.seq).collect::<Vec<_>>())
    };
    assert_eq!(seqs(2, 2), Some(vec![3, 4]));
    assert_eq!((seqs(5, 9), seqs(6, 9)), (Some(vec![]), None), "there never was a sixth");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(store.wait_beyond(4)), 5);
    let both = async { tokio::join!(store.wait_beyond(5), store.apply(event("6", at(6), vec![fact(6)]))) };
    assert_eq!(runtime.block_on(both).0, 6);
    bring(
        &store,
        (0..170).map(|n| {
            let facts = (0..100).map(|m| fact_about(&format!("p{m}"), "risk", at(10 + n))).collect();
            event(&format!("many-{n}"), at(10 + n), facts)
        }),
    );
    let last = store.last_change();
    assert_eq!(store.changes_after(last - 16_384, usize::MAX).map(|all| all.len()), Some(16_384));
    assert_eq!(store.changes_after(last - 16_385, 1), None, "not remembered any more");
    drop(store);
    let store = open(&disk, Limits::default());
    assert_eq!(store.last_change(), last);
    assert_eq!(store.changes_after(last - 1, 9).map(|some| some[0].seq), Some(last));
}

#[test]
fn full_or_broken_disk_refuses_events_until_it_works_again() {
    let disk = SimDisk::new(1);
    let store = open(&disk, Limits::default());
    bring(&store, [event("1", at(0), vec![fact_about("alice", "risk", at(0))])]);
    disk.fail_next(3);
    let told = bring(&store, [event("2", at(1), vec![fact_about("bob", "risk", at(1))])]);
    assert!(matches!(told[0], Err(StoreError::Unavailable(_))), "{told:?}");
    assert!(!store.has_taken("okta", "2"));
    assert_eq!(store.about(&[Entity::new(EntityKind::Principal, "alice")], at(1)).len(), 1, "reads go on");
    while store.health().is_err() {
        std::thread::yield_now();
    }
    let told = bring(&store, [event("2", at(1), vec![fact_about("bob", "risk", at(1))])]);
    assert_eq!(told[0].as_ref().unwrap(), &Applied::Changed { seq: 2 });
    drop(store);
    assert_eq!(open(&disk, Limits::default()).count(), 2);
}

/// A disk with a snapshot and a journal behind it, closed as it should be, and the plain reading of what it holds.
///
/// Every `reboot` of it is the same disk again.
fn closed_disk() -> (SimDisk, Oracle) {
    let (disk, mut made_up, mut oracle) = (SimDisk::new(5), MadeUp::new(5), Oracle::default());
    let mut brought = |limits, count| {
        let store = open(&disk, limits);
        for _ in 0..count {
            let event = made_up.event();
            oracle.apply(&event);
            bring(&store, [event]);
        }
        let has_snapshot = |name: &String| name.ends_with(".snapshot");
        while !disk.list().unwrap().iter().any(has_snapshot) {
            std::thread::yield_now();
        }
    };
    brought(Limits { journal_bytes: 1500, ..Limits::default() }, 12);
    brought(Limits::default(), 4);
    disk.sync_dir().unwrap();
    (disk, oracle)
}

fn files(disk: &SimDisk) -> Vec<(String, usize)> {
    let len = |name: &String| usize::try_from(disk.len(name).unwrap()).unwrap();
    disk.list().unwrap().into_iter().map(|name| (name.clone(), len(&name))).collect()
}

#[test]
fn any_changed_byte_stops_the_start_or_changes_nothing() {
    let (disk, oracle) = closed_disk();
    for (name, bytes) in &files(&disk) {
        let (mut stopped, bytes) = (0, *bytes);
        for at in 0..bytes {
            let copy = disk.reboot();
            copy.tamper(name, |content| content[at] ^= 1 << (at % 8));
            match Store::open(Arc::new(copy), Limits::default()) {
                Ok(store) => oracle.compare(&store).unwrap_or_else(|error| panic!("{name} at {at}: {error}")),
                Err(FactsError::Damaged { name: damaged, .. }) => {
                    assert!(damaged == *name, "{damaged} is blamed, not {name}");
                    stopped += 1;
                }
                Err(error) => panic!("{name} at {at}: {error}"),
            }
        }
        assert!(stopped + 12 >= bytes, "only the end of a journal may be cut: {stopped} of {bytes}");
    }
}

#[test]
fn file_that_is_missing_or_too_short_stops_the_start() {
    let (disk, oracle) = closed_disk();
    for (name, bytes) in files(&disk) {
        let copy = disk.reboot();
        copy.snatch(&name);
        let opened = Store::open(Arc::new(copy), Limits::default()).map(|_| ());
        assert!(opened.is_err(), "{name} is not missed");
        if name.ends_with(".snapshot") {
            for len in 0..bytes {
                let copy = disk.reboot();
                copy.tamper(&name, |content| content.truncate(len));
                let opened = Store::open(Arc::new(copy), Limits::default()).map(|_| ());
                assert!(matches!(opened, Err(FactsError::Damaged { .. })), "{name} cut to {len}: {opened:?}");
            }
        }
    }
    oracle.compare(&open(&disk.reboot(), Limits::default())).unwrap();
}
