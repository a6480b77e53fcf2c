//! Waits until the policies at the source hold still, so that a change that goes on is not taken for a set.

use std::thread;
use std::time::{Duration, Instant};

use procura_core::policy::{Revision, SourceFile};

use crate::ports::{Extent, PolicySource, SourceError};

/// How long a source may keep changing before the attempt is given up. The next notice or poll tries again.
const PATIENCE: Duration = Duration::from_secs(10);

/// A set that two readings agree on.
#[derive(Debug)]
pub(super) struct Settled {
    /// Content hash of the set.
    pub revision: Revision,
    /// Its files.
    pub files: Vec<SourceFile>,
}

/// Why there is no set to compile.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettleError {
    /// Two readings agree that it cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The source did not hold still.
    #[error("the policies at `{location}` did not stop changing for {} seconds", PATIENCE.as_secs())]
    Changing {
        /// Where they are.
        location: String,
    },
}

/// Reads `source` until two readings, `quiet` apart, agree on the set or on why it cannot be read. The first one has
/// this `extent`; those after it read only what seems to have changed since. A set that is `known` to answer already
/// needs no second reading. A set that has to be read again is shown to `look` before, which may take its time: that
/// counts as part of the pause.
///
/// INVARIANT(settled): a set of which some file was written between the two readings never goes live.
pub(super) fn settle(
    source: &dyn PolicySource,
    extent: Extent,
    quiet: Duration,
    known: impl Fn(&Revision) -> bool,
    mut look: impl FnMut(&Settled),
) -> Result<Settled, SettleError> {
    let started = Instant::now();
    let mut before = read(source, extent);
    loop {
        if before.as_ref().is_ok_and(|set| known(&set.revision)) {
            return Ok(before?);
        }
        let quiet_from = Instant::now();
        if let Ok(set) = &before {
            look(set);
        }
        thread::sleep(quiet.saturating_sub(quiet_from.elapsed()));
        let after = read(source, Extent::Changes);
        if agree(&before, &after) {
            return Ok(after?);
        }
        if started.elapsed() > PATIENCE {
            return Err(SettleError::Changing { location: source.location() });
        }
        before = after;
    }
}

fn read(source: &dyn PolicySource, extent: Extent) -> Result<Settled, SourceError> {
    let files = source.read(extent)?;
    Ok(Settled { revision: Revision::of(&files), files })
}

fn agree(before: &Result<Settled, SourceError>, after: &Result<Settled, SourceError>) -> bool {
    match (before, after) {
        (Ok(before), Ok(after)) => before.revision == after.revision,
        (_, Err(SourceError::Torn { .. })) => false,
        (Err(before), Err(after)) => before.to_string() == after.to_string(),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    }
}
