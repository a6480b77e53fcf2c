//! Sends the records of the decision log elsewhere: in order, each at least once.
//!
//! Every destination has a thread of its own, which steps back for the answering of calls, and holds a few mebibytes
//! at most. Its round:
//!
//! 1. `feed.rs` reads what is acknowledged, until a batch is full or the log ends.
//! 2. `target/` sends the batch, which must be confirmed. What fails is tried again and never skipped.
//! 3. `bookmark.rs` keeps the last confirmed record on disk, once in a while and at the end of the log.
//! 4. At the end of the log the thread waits for more, and then a little longer, so that records go together.

mod bookmark;
mod failure;
mod feed;
mod needs;
mod settings;
mod shipper;
mod standing;
mod stop;
mod target;

pub use settings::{BatchLimits, DestinationSettings, EndpointSettings, FileSettings, Retry, TargetSettings};

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use self::bookmark::BookmarkFile;
use self::needs::Needs;
use self::shipper::Shipper;
use self::standing::{Parts, Standing};
use self::stop::{Stop, StopSignal};
use self::target::Target;
use crate::audit::LogReader;
use crate::durable;
use crate::ports::{Clock, DestinationStatus, Shipping};
use crate::telemetry::Metrics;

/// Why shipping cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    /// The directory of the bookmarks.
    #[error("cannot create `{0}`")]
    Directory(String, #[source] io::Error),
    /// A destination cannot work as it is set up.
    #[error("`audit.ship`: the destination `{0}` cannot be set up")]
    Destination(String, #[source] io::Error),
}

/// What ships records to all destinations. Stops at once when dropped.
pub struct Ship {
    destinations: Vec<Running>,
    needs: Arc<Needs>,
    stop: Stop,
}

struct Running {
    standing: Arc<Standing>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Ship {
    /// Starts to ship what `reader` reads. Bookmarks are kept in `directory`, one file for each destination.
    ///
    /// # Errors
    /// If a destination cannot work: certificate authorities that cannot be read, no directory, no thread.
    pub fn start(
        destinations: Vec<DestinationSettings>,
        directory: &Path,
        reader: &LogReader,
        clock: &Arc<dyn Clock>,
        metrics: &Metrics,
    ) -> Result<Self, ShipError> {
        let shown = directory.display().to_string();
        durable::create_dir(directory).map_err(|error| ShipError::Directory(shown, error))?;
        let (stop, signal) = Stop::new();
        let needs = Arc::new(Needs::new(reader.clone(), destinations.len()));
        let mut ship = Self { destinations: Vec::new(), needs, stop };
        for (place, settings) in destinations.into_iter().enumerate() {
            let name = settings.name.clone();
            let parts = Parts {
                name: name.clone(),
                reader: reader.clone(),
                clock: Arc::clone(clock),
                metrics: metrics.ship(&name),
                needs: Arc::clone(&ship.needs),
                place,
            };
            let standing = Arc::new(Standing::new(parts));
            let bookmark = BookmarkFile::new(directory, &name);
            let thread = start(settings, bookmark, &standing, signal.clone())
                .map_err(|error| ShipError::Destination(name, error))?;
            ship.destinations.push(Running { standing, thread: Mutex::new(Some(thread)) });
        }
        Ok(ship)
    }

    /// The oldest record that a destination still needs, which retention keeps: the last one that it has, or the first
    /// one of the log. `None` if there are no destinations.
    #[must_use]
    pub fn needed_from(&self) -> Option<u64> {
        self.needs.lowest()
    }

    /// Sends what the log still holds for each destination, for at most `patience`, and ends. Blocking.
    pub fn stop(&self, patience: Duration) {
        self.stop.within(patience);
        for running in &self.destinations {
            let thread = running.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(thread) = thread {
                // A thread that panicked has been logged.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Ship {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

impl Shipping for Ship {
    fn destinations(&self) -> Vec<DestinationStatus> {
        self.destinations.iter().map(Running::status).collect()
    }
}

impl Running {
    fn status(&self) -> DestinationStatus {
        let mut status = self.standing.status();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.as_ref().is_none_or(JoinHandle::is_finished) {
            status.outage = Some("its thread has ended".to_owned());
        }
        status
    }
}

fn start(
    settings: DestinationSettings,
    bookmark: BookmarkFile,
    standing: &Arc<Standing>,
    stop: StopSignal,
) -> io::Result<JoinHandle<()>> {
    let target = Target::new(&settings.target)?;
    let shipper = Shipper::new(settings, target, bookmark, Arc::clone(standing), stop)?;
    std::thread::Builder::new().name("ship".to_owned()).spawn(move || shipper.run())
}
