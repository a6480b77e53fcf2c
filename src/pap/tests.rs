use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use procura_core::limits::POLICY_FILE_BYTES;
use procura_testkit::temp_dir::TempDir;

use super::scan::{DEPTH, Scan};
use super::{Disk, Watch};
use crate::ports::{Extent, Notice, PolicySource, SourceError};

// === Reading ===

#[test]
fn only_files_of_the_set_are_read_in_order_of_their_path() {
    let dir = TempDir::new("disk");
    let files = [
        "_schemas/leave.json",
        "a.json",
        "a_test.yaml",
        "b/c/three.yaml",
        "b/testdata/principals.yaml",
        "b/two.yml",
    ];
    for path in files.iter().rev() {
        dir.write(path, path);
    }
    for path in
        [".hidden.yaml", ".git/a.yaml", "b/testdata/notes.txt", "_schemas/leave.yaml", "README.md", "a.yaml~"]
    {
        dir.write(path, path);
    }
    assert_eq!(paths(dir.path()), files);
}

#[test]
fn config_map_mount_shows_each_file_once() {
    let dir = TempDir::new("disk");
    config_map(&dir, "..2026_01", "old");
    dir.write("..2026_00/leave.yaml", "older");

    let files = Disk::new(dir.path()).read(Extent::Whole).unwrap();
    assert_eq!(files.len(), 1);
    assert_eq!((&*files[0].path, &*files[0].text), ("leave.yaml", "old"));
}

#[test]
fn links_inside_are_followed_and_links_that_lead_astray_are_refused() {
    let cases: [(&str, Change, &str); 5] = [
        ("loop", |dir| symlink(dir.path(), dir.path().join("again")).unwrap(), "directory that contains it"),
        ("escape", |dir| symlink("/etc/hostname", dir.path().join("host.yaml")).unwrap(), "leads out of"),
        ("escape up", |dir| symlink("..", dir.path().join("up")).unwrap(), "leads out of"),
        (
            "dangling",
            |dir| symlink("missing", dir.path().join("later.yaml")).unwrap(),
            "is a link to nothing",
        ),
        ("deep", |dir| dir.write(&format!("{}a.yaml", "d/".repeat(DEPTH + 1)), "x"), "directories deep"),
    ];
    for (name, prepare, expected) in cases {
        let dir = TempDir::new("disk");
        dir.write("teams/hr/leave.yaml", "x");
        symlink("teams/hr", dir.path().join("hr")).unwrap();
        assert_eq!(paths(dir.path()), ["hr/leave.yaml", "teams/hr/leave.yaml"]);

        prepare(&dir);
        let error = Disk::new(dir.path()).read(Extent::Whole).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
    }
}

#[test]
fn links_that_are_no_part_of_the_set_may_lead_anywhere_but_to_a_directory() {
    let dir = TempDir::new("disk");
    dir.write("a.yaml", "x");
    for (name, target) in [
        ("notes.txt", "missing"),
        ("below", "a.yaml/b"),
        ("a.yaml~", "missing"),
        ("hostname", "/etc/hostname"),
        ("null", "/dev/null"),
    ] {
        symlink(target, dir.path().join(name)).unwrap();
        assert_eq!(paths(dir.path()), ["a.yaml"], "{name}");
    }
    symlink("/etc", dir.path().join("etc.txt")).unwrap();
    let error = Disk::new(dir.path()).read(Extent::Whole).unwrap_err().to_string();
    assert!(error.contains("leads out of"), "{error}");
}

#[test]
fn pipes_and_sockets_are_never_opened() {
    let makes: [(&str, Change); 3] = [
        ("pipe", |dir| pipe(&dir.path().join("b.yaml"))),
        ("socket", |dir| drop(UnixListener::bind(dir.path().join("b.yaml")).unwrap())),
        ("link to a pipe", |dir| {
            pipe(&dir.path().join("pipe"));
            symlink("pipe", dir.path().join("b.yaml")).unwrap();
        }),
    ];
    for (name, make) in makes {
        let dir = TempDir::new("disk");
        dir.write("a.yaml", "x");
        make(&dir);
        let error = Disk::new(dir.path()).read(Extent::Whole).unwrap_err().to_string();
        assert!(error.contains("b.yaml") && error.contains("is not a regular file"), "{name}: {error}");
        fs::rename(dir.path().join("b.yaml"), dir.path().join("b.txt")).unwrap();
        assert_eq!(paths(dir.path()), ["a.yaml"], "{name}");
    }
}

#[test]
fn text_that_is_not_utf8_and_files_that_are_too_large_reach_the_compiler() {
    let dir = TempDir::new("disk");
    dir.write("a.yaml", b"name: \xff\n");
    dir.write("b.yaml", vec![b'#'; POLICY_FILE_BYTES + 1000]);
    let files = Disk::new(dir.path()).read(Extent::Whole).unwrap();
    assert_eq!(&*files[0].text, "name: \u{fffd}\n");
    assert_eq!(files[1].text.len(), POLICY_FILE_BYTES + 1);
}

#[test]
fn missing_directory_is_an_error_that_names_it() {
    let dir = TempDir::new("disk");
    let missing = dir.path().join("policies");
    let error = Disk::new(&missing).read(Extent::Whole).unwrap_err();
    assert!(
        matches!(&error, SourceError::Read { path, .. } if *path == missing.display().to_string()),
        "{error}"
    );
}

#[test]
fn file_that_changes_between_scan_and_reading_is_torn() {
    let dir = TempDir::new("disk");
    dir.write("a.yaml", "one");
    let Scan { root, mut files, .. } = Scan::of(dir.path()).unwrap();
    let found = files.remove(0);
    assert_eq!(super::disk::read_whole(&root, &found).unwrap(), "one");

    dir.write("new.yaml", "two");
    fs::rename(dir.path().join("new.yaml"), dir.path().join("a.yaml")).unwrap();
    assert!(matches!(super::disk::read_whole(&root, &found), Err(SourceError::Torn { .. })));
    fs::remove_file(dir.path().join("a.yaml")).unwrap();
    assert!(matches!(super::disk::read_whole(&root, &found), Err(SourceError::Torn { .. })));
}

#[test]
fn pipe_in_the_place_of_a_file_after_the_scan_is_torn_and_nobody_waits_for_its_writer() {
    let dir = TempDir::new("disk");
    dir.write("a.yaml", "one");
    let Scan { root, mut files, .. } = Scan::of(dir.path()).unwrap();
    let found = files.remove(0);
    let real = root.join(&*found.path);
    fs::remove_file(&real).unwrap();
    pipe(&real);

    let (read, result) = channel();
    thread::spawn(move || read.send(super::disk::read_whole(&root, &found)));
    let result =
        result.recv_timeout(Duration::from_secs(10)).expect("reading waits for the writer of a pipe");
    assert!(matches!(result, Err(SourceError::Torn { .. })), "{result:?}");
}

#[test]
fn replacement_of_the_same_size_and_age_changes_the_scan() {
    let dir = TempDir::new("scan");
    dir.write("a.yaml", "one");
    let before = Scan::of(dir.path()).unwrap();
    let age = fs::metadata(dir.path().join("a.yaml")).unwrap().modified().unwrap();
    assert_eq!(Scan::of(dir.path()).unwrap(), before);

    dir.write("b", "two");
    fs::File::options().write(true).open(dir.path().join("b")).unwrap().set_modified(age).unwrap();
    fs::rename(dir.path().join("b"), dir.path().join("a.yaml")).unwrap();
    assert_ne!(Scan::of(dir.path()).unwrap(), before);
}

#[test]
fn a_scan_stays_in_the_tree_it_began_in_when_the_link_to_it_is_swapped() {
    let dir = TempDir::new("scan");
    dir.write("v1/a.yaml", "one");
    dir.write("v2/a.yaml", "two");
    let link = dir.path().join("policies");
    symlink("v1", &link).unwrap();
    let scan = Scan::of(&link).unwrap();
    swap(&link, "v2");
    assert_eq!(super::disk::read_whole(&scan.root, &scan.files[0]).unwrap(), "one");
    assert_eq!(&*Disk::new(&link).read(Extent::Whole).unwrap()[0].text, "two");
}

#[test]
fn any_reading_sees_every_change_and_shares_the_text_of_what_did_not_change() {
    let dir = TempDir::new("disk");
    let disk = Disk::new(dir.path());
    dir.write("a.yaml", "one");
    dir.write("b.yaml", "old");
    let mut before = disk.read(Extent::Whole).unwrap();
    for (extent, text) in [(Extent::Changes, "two"), (Extent::Whole, "six"), (Extent::Changes, "ten")] {
        // Of the same size, at once, and with the time of the old one.
        let age = fs::metadata(dir.path().join("a.yaml")).unwrap().modified().unwrap();
        dir.write("a.yaml", text);
        fs::File::options().write(true).open(dir.path().join("a.yaml")).unwrap().set_modified(age).unwrap();
        let after = disk.read(extent).unwrap();
        assert_eq!((&*after[0].text, &*after[1].text), (text, "old"), "{extent:?}");
        assert!(std::ptr::eq(&*after[1].text, &*before[1].text));
        before = after;
    }
    fs::remove_file(dir.path().join("a.yaml")).unwrap();
    dir.write("c.yaml", "new");
    let after = disk.read(Extent::Changes).unwrap();
    assert_eq!(after.iter().map(|file| &*file.path).collect::<Vec<_>>(), ["b.yaml", "c.yaml"]);
}

#[test]
fn stamp_is_believed_only_when_no_later_write_can_leave_it_as_it_is() {
    let dir = TempDir::new("disk");
    dir.write("a.yaml", "one");
    let stamp = Scan::of(dir.path()).unwrap().files.remove(0).stamp;
    let written = fs::metadata(dir.path().join("a.yaml")).unwrap().modified().unwrap();
    for (after, expected) in [(-3600, false), (0, false), (1500, false), (3000, true), (3_600_000, true)] {
        let offset = Duration::from_millis(u64::try_from(i64::abs(after)).unwrap());
        let now = if after < 0 { written - offset } else { written + offset };
        assert_eq!(stamp.is_settled(now), expected, "{after} ms");
    }
}

// === Watching ===

/// Long enough that only an event can be the cause of a notice.
const NEVER: Duration = Duration::from_secs(3600);

#[test]
fn each_way_to_change_a_set_is_an_event() {
    let changes: [(&str, Change); 7] = [
        ("write", |dir| dir.write("teams/a.yaml", "new")),
        ("add", |dir| dir.write("teams/b.yaml", "new")),
        ("remove", |dir| {
            fs::remove_file(dir.path().join("teams/a.yaml")).unwrap();
        }),
        ("replace", |dir| {
            dir.write("teams/.new", "new");
            fs::rename(dir.path().join("teams/.new"), dir.path().join("teams/a.yaml")).unwrap();
        }),
        ("new directory", |dir| {
            fs::create_dir(dir.path().join("it")).unwrap();
        }),
        ("removed directory", |dir| {
            fs::remove_dir_all(dir.path().join("teams")).unwrap();
        }),
        ("config map", |dir| {
            dir.write("..2026_02/leave.yaml", "new");
            symlink("..2026_02", dir.path().join("..data_tmp")).unwrap();
            fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).unwrap();
        }),
    ];
    for (name, change) in changes {
        let dir = TempDir::new("watch");
        dir.write("teams/a.yaml", "old");
        config_map(&dir, "..2026_01", "old");
        let (_watch, notices) = watch(dir.path(), NEVER);
        change(&dir);
        assert!(changed(&notices), "{name}");
    }
}

#[test]
fn swap_of_the_link_to_the_directory_is_an_event() {
    let dir = TempDir::new("watch");
    dir.write("v1/a.yaml", "one");
    dir.write("v2/a.yaml", "two");
    let link = dir.path().join("policies");
    symlink("v1", &link).unwrap();
    let (_watch, notices) = watch(&link, NEVER);
    for target in ["v2", "v1", "v2"] {
        swap(&link, target);
        assert!(changed(&notices), "{target}");
        all_taken(&notices);
    }
}

#[test]
fn directory_that_is_made_again_is_watched_again() {
    let dir = TempDir::new("watch");
    dir.write("teams/a.yaml", "old");
    let (_watch, notices) = watch(dir.path(), NEVER);
    for _ in 0..5 {
        fs::remove_dir_all(dir.path().join("teams")).unwrap();
        fs::create_dir(dir.path().join("teams")).unwrap();
        all_taken(&notices);
        dir.write("teams/a.yaml", "new");
        assert!(changed(&notices));
        all_taken(&notices);
    }
}

#[test]
fn directory_that_is_gone_before_the_first_look_is_reported() {
    let dir = TempDir::new("watch");
    let (_watch, _) = watch(&dir.path().join("policies"), NEVER);
}

#[test]
fn repeated_scan_notices_what_events_miss() {
    let dir = TempDir::new("watch");
    dir.write("releases/1/policies/a.yaml", "one");
    dir.write("releases/2/policies/a.yaml", "two");
    let current = dir.path().join("current");
    symlink("releases/1", &current).unwrap();
    // The link that is swapped is above the directory, where nothing is watched.
    let (_watch, notices) = watch(&current.join("policies"), Duration::from_millis(20));
    swap(&current, "releases/2");
    assert!(changed(&notices));
}

#[test]
fn reading_the_set_is_not_an_event() {
    let dir = TempDir::new("watch");
    dir.write("a.yaml", "one");
    let (_watch, notices) = watch(dir.path(), NEVER);
    Disk::new(dir.path()).read(Extent::Whole).unwrap();
    dir.write("log.seg", "not a policy");
    assert!(notices.recv_timeout(Duration::from_millis(300)).is_err());
}

// === Helpers ===

/// Does something to a directory.
type Change = fn(&TempDir);

fn paths(dir: &Path) -> Vec<String> {
    let files = Disk::new(dir).read(Extent::Whole).unwrap();
    files.iter().map(|file| file.path.to_string()).collect()
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// The directory of a `ConfigMap` volume: files are links through `..data` to a directory with a version.
fn config_map(dir: &TempDir, version: &str, text: &str) {
    dir.write(&format!("{version}/leave.yaml"), text);
    symlink(version, dir.path().join("..data")).unwrap();
    symlink("..data/leave.yaml", dir.path().join("leave.yaml")).unwrap();
}

fn swap(link: &Path, target: &str) {
    let next = link.with_extension("next");
    symlink(target, &next).unwrap();
    fs::rename(&next, link).unwrap();
}

/// A watch that has begun to look: its first notice, which it gives for what it found at first, is taken.
fn watch(directory: &Path, interval: Duration) -> (Watch, Receiver<Notice>) {
    let (sender, notices) = channel();
    let report = move |notice| {
        let _ = sender.send(notice);
    };
    let watch = Watch::start(directory.to_owned(), interval, report).unwrap();
    assert!(changed(&notices));
    (watch, notices)
}

/// Takes what one change leads to besides the first notice.
fn all_taken(notices: &Receiver<Notice>) {
    while notices.recv_timeout(Duration::from_millis(100)).is_ok() {}
}

fn changed(notices: &Receiver<Notice>) -> bool {
    matches!(notices.recv_timeout(Duration::from_secs(10)), Ok(Notice::Changed))
}
