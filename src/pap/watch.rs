//! Notices that the policies may have changed: events of the file system at once, a repeated scan as the fallback.
//! The only module that knows the watcher library.
//!
//! An event means "look again", nothing more: what changed, if anything, is decided by reading the set. The watch is
//! on directories, never on files, because a file that is replaced takes its watch with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use super::scan::{Inode, Scan, inode_of};
use crate::background::yield_to_others;
use crate::ports::{Notice, WatchError};

/// How long after a failure the watcher is tried again.
const RETRY: Duration = Duration::from_secs(30);

/// Wakes that may wait; more are dropped, since one that waits stands for all of them.
const WAKES: usize = 64;

/// A running watch; it ends when this is dropped.
#[derive(Debug)]
pub struct Watch {
    wakes: SyncSender<Wake>,
    stopped: Arc<AtomicBool>,
}

impl Watch {
    /// Watches `directory` and reports to `report`, which must not block. The directory is scanned every `interval`
    /// besides, so that a change is noticed where events are lost or do not exist.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn start(
        directory: PathBuf,
        interval: Duration,
        report: impl Fn(Notice) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (wakes, woken) = sync_channel(WAKES);
        let stopped = Arc::new(AtomicBool::new(false));
        let watching = Watching {
            directory: std::path::absolute(directory)?,
            seen: Some(Scan::default()),
            events: Events::new(wakes.clone()),
            down: false,
            report: Box::new(report),
            stopped: Arc::clone(&stopped),
        };
        thread::Builder::new().name("policy-watch".into()).spawn(move || watching.run(&woken, interval))?;
        Ok(Self { wakes, stopped })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // A full queue wakes the thread too.
        let _ = self.wakes.try_send(Wake::Event);
    }
}

enum Wake {
    /// About files alone.
    File,
    /// About anything else, such as a directory.
    Event,
    Lost(String),
}

struct Watching {
    directory: PathBuf,
    /// What the last scan found; `None` if it failed. At first a scan that no directory yields, so that the first look
    /// reports whatever it finds: the set may have changed since it was loaded.
    seen: Option<Scan>,
    events: Events,
    down: bool,
    report: Box<dyn Fn(Notice) + Send>,
    stopped: Arc<AtomicBool>,
}

impl Watching {
    fn run(mut self, woken: &Receiver<Wake>, interval: Duration) {
        yield_to_others();
        let mut look_at = Instant::now();
        while !self.stopped.load(Ordering::Acquire) {
            if look_at <= Instant::now() {
                self.look();
                look_at = Instant::now() + interval;
            }
            match woken.recv_timeout(look_at.saturating_duration_since(Instant::now())) {
                // The directories are as they were: to look at thousands of files can wait.
                Ok(Wake::File) => (self.report)(Notice::Changed),
                Ok(Wake::Event) => {
                    (self.report)(Notice::Changed);
                    look_at = Instant::now();
                }
                Ok(Wake::Lost(reason)) => {
                    self.events_lost(&reason);
                    look_at = Instant::now();
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    /// Scans, watches the directories that the scan found, and reports a difference.
    fn look(&mut self) {
        let mut scan = Scan::of(&self.directory).ok();
        if scan.as_ref().is_some_and(|scan| self.follow(scan)) {
            // What happened in a directory before the watch on it began made no event.
            scan = Scan::of(&self.directory).ok();
        }
        if scan != self.seen {
            (self.report)(Notice::Changed);
        }
        self.seen = scan;
    }

    /// Whether the watch on some directory has only begun now.
    fn follow(&mut self, scan: &Scan) -> bool {
        match self.events.follow(&self.directory, scan) {
            Ok(began) => {
                if began && std::mem::take(&mut self.down) {
                    (self.report)(Notice::WatchUp);
                }
                began
            }
            Err(reason) => {
                self.events_lost(&reason);
                false
            }
        }
    }

    fn events_lost(&mut self, reason: &str) {
        let path = self.directory.display().to_string();
        self.events.stop();
        self.down = true;
        (self.report)(Notice::WatchDown(WatchError { path, reason: reason.to_owned() }));
    }
}

/// Events of the file system for a set of directories that changes over time.
struct Events {
    wakes: SyncSender<Wake>,
    watcher: Option<RecommendedWatcher>,
    watched: BTreeMap<PathBuf, Inode>,
    retry_at: Option<Instant>,
}

impl Events {
    fn new(wakes: SyncSender<Wake>) -> Self {
        Self { wakes, watcher: None, watched: BTreeMap::new(), retry_at: None }
    }

    /// Watches exactly the directories of `scan`, and the link that leads to them if `directory` is one. Tells
    /// whether the watch on some directory has only begun now.
    fn follow(&mut self, directory: &Path, scan: &Scan) -> Result<bool, String> {
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return Ok(false);
        }
        let mut wanted = scan.directories.clone();
        wanted.extend(place_of_link(directory));
        if self.watcher.is_some() && wanted == self.watched {
            return Ok(false);
        }
        let watcher = match &mut self.watcher {
            Some(watcher) => watcher,
            none => none.insert(start_watcher(directory.to_owned(), self.wakes.clone())?),
        };
        // A path with another inode is another directory: its old watch is gone or is about something else.
        for (path, _) in self.watched.iter().filter(|(path, inode)| wanted.get(*path) != Some(inode)) {
            // A directory that was deleted has lost its watch already.
            let _ = watcher.unwatch(path);
        }
        for (path, _) in wanted.iter().filter(|(path, inode)| self.watched.get(*path) != Some(inode)) {
            watcher.watch(path, RecursiveMode::NonRecursive).map_err(|error| error.to_string())?;
        }
        self.watched = wanted;
        self.retry_at = None;
        Ok(true)
    }

    fn stop(&mut self) {
        self.watcher = None;
        self.watched.clear();
        self.retry_at = Some(Instant::now() + RETRY);
    }
}

/// The directory in which `directory` is a link, if it is one: swapping the link is an event there.
fn place_of_link(directory: &Path) -> Option<(PathBuf, Inode)> {
    let is_link = fs::symlink_metadata(directory).is_ok_and(|meta| meta.is_symlink());
    let parent = directory.parent().filter(|_| is_link)?;
    let meta = fs::metadata(parent).ok()?;
    Some((parent.to_owned(), inode_of(&meta)))
}

fn start_watcher(directory: PathBuf, wakes: SyncSender<Wake>) -> Result<RecommendedWatcher, String> {
    let wake = move |event: notify::Result<Event>| {
        let wake = match event {
            Ok(event) if !may_matter(&event, &directory) => return,
            Ok(event) if !event.need_rescan() && event.paths.iter().all(|path| is_named_as_file(path)) => {
                Wake::File
            }
            Ok(_) => Wake::Event,
            Err(error) => Wake::Lost(error.to_string()),
        };
        // When the queue is full, a wake that waits stands for this one.
        let _ = wakes.try_send(wake);
    };
    notify::recommended_watcher(wake).map_err(|error| error.to_string())
}

/// Whether `event` can be about the set. Reading the set causes events too, which must not lead to reading it again.
fn may_matter(event: &Event, directory: &Path) -> bool {
    let reads_only = match event.kind {
        EventKind::Access(kind) => kind != AccessKind::Close(AccessMode::Write),
        _ => false,
    };
    if reads_only {
        return false;
    }
    event.need_rescan() || event.paths.iter().any(|path| path_may_matter(path, directory))
}

/// Whether `path` can be a policy file, a directory, a link to one, or the `..data` link of a `ConfigMap` mount.
fn path_may_matter(path: &Path, directory: &Path) -> bool {
    if path == directory {
        return true;
    }
    if path.parent() == directory.parent() {
        return false;
    }
    let is_version = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."));
    is_version || path.extension().is_none() || is_named_as_file(path)
}

fn is_named_as_file(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("yaml" | "yml" | "json"))
}
