//! The thread of one destination.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{self, Runtime};

use super::bookmark::{Bookmark, BookmarkFile, Found};
use super::failure::Failure;
use super::feed::Feed;
use super::settings::DestinationSettings;
use super::standing::Standing;
use super::stop::StopSignal;
use super::target::Target;
use crate::audit::LogReader;
use crate::background::yield_to_others;
use crate::outgoing::jittered;

/// How often the bookmark is kept while records are sent without a break. A sync takes the disk from the log.
const KEEP_EVERY: Duration = Duration::from_secs(1);

/// How long the thread looks at the log before it looks whether it should stop.
const LOOK: Duration = Duration::from_millis(200);

/// The longest pause that a destination may ask for.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);

/// Ships records to one destination until it is told to stop.
pub(super) struct Shipper {
    settings: DestinationSettings,
    target: Target,
    bookmark: BookmarkFile,
    standing: Arc<Standing>,
    stop: StopSignal,
    runtime: Runtime,
    /// Where the destination is, if that is not on disk yet.
    unkept: Option<Bookmark>,
    kept_at: Instant,
    failures: u32,
}

impl Shipper {
    /// A thread that has not been started.
    pub(super) fn new(
        settings: DestinationSettings,
        target: Target,
        bookmark: BookmarkFile,
        standing: Arc<Standing>,
        stop: StopSignal,
    ) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let kept_at = Instant::now();
        Ok(Self { settings, target, bookmark, standing, stop, runtime, unkept: None, kept_at, failures: 0 })
    }

    /// The thread.
    pub(super) fn run(mut self) {
        yield_to_others();
        let reader = self.standing.reader().clone();
        let mut feed = None;
        while !self.stop.is_over() {
            match self.round(&reader, &mut feed) {
                Ok(at_end) => {
                    self.failures = 0;
                    if at_end && self.stop.is_asked() {
                        break;
                    }
                    if at_end {
                        self.wait_for_more(&reader);
                    }
                }
                Err(Failure::Stopped) => break,
                Err(failure) => {
                    if failure.sends_back() {
                        (feed, self.unkept) = (None, None);
                    }
                    self.failed(&failure);
                    if self.stop.is_asked() {
                        break;
                    }
                }
            }
        }
        // What is confirmed and not kept is sent once more after the next start.
        let _ = self.keep();
    }

    /// Sends one batch, if there is one. Returns whether that was all there is.
    fn round<'l>(&mut self, reader: &'l LogReader, feed: &mut Option<Feed<'l>>) -> Result<bool, Failure> {
        let feed = match feed {
            Some(feed) => feed,
            None => feed.insert(Feed::new(reader, self.begin(reader)?)),
        };
        let at_end = feed.gather(&self.settings.kinds, self.settings.batch)?;
        self.standing.waits(feed.oldest());
        let sent = if feed.is_empty() { 0 } else { self.send(feed)? };
        let at = feed.confirm(sent);
        self.standing.confirmed(sent, at, feed.oldest());
        self.unkept = at;
        if at_end || self.kept_at.elapsed() >= KEEP_EVERY {
            self.keep()?;
        }
        Ok(at_end && feed.is_empty())
    }

    /// Where the destination is: at its bookmark if that is a record of this log, or before the first record.
    fn begin(&self, reader: &LogReader) -> Result<Option<Bookmark>, Failure> {
        let at = match self.bookmark.read()? {
            Found::Nothing => None,
            Found::Damaged => {
                self.standing.restarted(0, "its bookmark is damaged");
                None
            }
            Found::Bookmark(bookmark) => match doubt(reader, bookmark)? {
                None => Some(bookmark),
                Some(reason) => {
                    self.standing.restarted(bookmark.seq, reason);
                    None
                }
            },
        };
        self.standing.begun(at);
        Ok(at)
    }

    /// Sends the next batch. Returns how many records it has.
    fn send(&mut self, feed: &mut Feed<'_>) -> Result<usize, Failure> {
        let batch = feed.batch(self.settings.batch);
        let Self { target, stop, standing, runtime, .. } = self;
        let sent = runtime.block_on(async {
            tokio::select! {
                sent = target.send(batch) => sent,
                () = stop.over() => Err(Failure::Stopped),
                never = standing.note_on() => match never {},
            }
        });
        if sent.as_ref().is_err_and(Failure::is_too_large) {
            // INVARIANT(smaller_batches): a batch that is too large for a destination is never tried for good.
            self.settings.batch.records = (batch.len() / 2).max(1);
        }
        sent.map(|()| batch.len())
    }

    /// Keeps the bookmark, once what it stands for cannot be lost by the destination's own files.
    fn keep(&mut self) -> Result<(), Failure> {
        if let Some(bookmark) = self.unkept {
            self.target.settle()?;
            if bookmark.seq > self.standing.kept() {
                self.bookmark.write(&bookmark)?;
                self.standing.keeps(bookmark);
            }
            self.unkept = None;
            self.kept_at = Instant::now();
        }
        Ok(())
    }

    /// Waits until there are more records, and then a little, so that they go together.
    fn wait_for_more(&self, reader: &LogReader) {
        let mut seen = reader.reach();
        let end = seen.last;
        if self.standing.status().behind == 0 {
            while seen.last == end && !self.stop.is_asked() {
                seen = reader.wait_beyond(seen, LOOK);
            }
        }
        self.pause(self.settings.interval);
    }

    /// Tells of the failure and waits until the next attempt.
    fn failed(&mut self, failure: &Failure) {
        self.standing.failed(failure);
        let retry = self.settings.retry;
        let doubled = retry.shortest.saturating_mul(2_u32.saturating_pow(self.failures));
        let asked = failure.retry_after().unwrap_or_default().min(LONGEST_RETRY_AFTER);
        self.failures = self.failures.saturating_add(1);
        self.pause(jittered(doubled.min(retry.longest)).max(asked));
    }

    /// Waits, unless the thread should stop.
    fn pause(&self, pause: Duration) {
        self.runtime.block_on(async {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = self.stop.asked() => {}
                never = self.standing.note_on() => match never {},
            }
        });
    }
}

/// Why `bookmark` is not a record of this log, if it is not.
fn doubt(reader: &LogReader, bookmark: Bookmark) -> Result<Option<&'static str>, Failure> {
    if bookmark.seq > reader.reach().last {
        return Ok(Some("the log ends before the record it was at: it was cut, or is another one"));
    }
    if bookmark.seq < reader.first_seq() {
        return Ok(Some("the record it was at is no longer in the log"));
    }
    let mut found = None;
    let read = reader.cursor(bookmark.seq).read(|entry| {
        found.get_or_insert(Bookmark { seq: entry.seq, hash: entry.hash });
    });
    read.map_err(Failure::Log)?;
    match found {
        Some(found) if found == bookmark => Ok(None),
        Some(_) => Ok(Some("the record it was at is another one: this is another log")),
        None => Err(Failure::Missing(bookmark.seq)),
    }
}
