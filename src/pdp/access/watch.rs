//! Policies about callers that an operator wrote: loaded at start, and again when they change.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use procura_core::policy::{Revision, Snapshot};

use super::{Access, KIND, compile};
use crate::pdp::settle::settle;
use crate::ports::{Extent, PolicySource};
use crate::telemetry::events::{AccessPoliciesLoaded, AccessPoliciesRefused};

/// How often the policies are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long they must not change before they are taken.
const QUIET: Duration = Duration::from_millis(100);

/// Why policies about callers are not in use.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// They cannot be read.
    #[error("{0}")]
    Source(String),
    /// They have errors; each is rendered.
    #[error("the policies about callers have errors:\n{}", .0.join("\n"))]
    Policies(Vec<String>),
    /// None of them is about what callers may do, so nobody could ask: a directory that is empty for a moment, perhaps.
    #[error("no policy is about the resource `{KIND}`, so no caller could do anything")]
    Missing,
    /// There is nothing to compile them with.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// Compiling them failed.
    #[error("compiling the policies about callers failed: this is a defect, please report it")]
    Defect,
}

/// Looks at the policies of an operator for as long as it lives.
pub struct AccessWatch {
    stopped: Arc<AtomicBool>,
}

impl AccessWatch {
    /// What the policies at `source` allow, kept up with them from now on.
    ///
    /// # Errors
    /// If they cannot be used as they are.
    pub fn start(source: Arc<dyn PolicySource>) -> Result<(Arc<Access>, Self), AccessError> {
        let (snapshot, revision) = load(&*source, None)?.ok_or(AccessError::Defect)?;
        let access = Arc::new(Access::of(snapshot));
        let stopped = Arc::new(AtomicBool::new(false));
        let (kept, ended) = (Arc::clone(&access), Arc::clone(&stopped));
        let watch = move || watch(&*source, revision, &kept, &ended);
        thread::Builder::new().name("access-watch".into()).spawn(watch).map_err(AccessError::Thread)?;
        Ok((access, Self { stopped }))
    }
}

impl Drop for AccessWatch {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
    }
}

/// INVARIANT(good_access_stays): policies that cannot be used replace none, and `Access::trouble` says why.
fn watch(source: &dyn PolicySource, mut live: Revision, access: &Access, stopped: &AtomicBool) {
    while !stopped.load(Ordering::Acquire) {
        thread::sleep(INTERVAL);
        match load(source, Some(&live)) {
            Ok(found) => {
                if let Some((snapshot, revision)) = found {
                    AccessPoliciesLoaded { revision: revision.as_str() }.emit();
                    access.replace(snapshot);
                    live = revision;
                }
                access.trouble.store(None);
            }
            Err(error) => {
                let reason = error.to_string();
                if access.trouble().as_ref() != Some(&reason) {
                    AccessPoliciesRefused { reason: &reason }.emit();
                    access.trouble.store(Some(Arc::new(reason)));
                }
            }
        }
    }
}

/// The policies at `source`; nothing if they are those that are `live`.
fn load(
    source: &dyn PolicySource,
    live: Option<&Revision>,
) -> Result<Option<(Snapshot, Revision)>, AccessError> {
    let known = |revision: &Revision| Some(revision) == live;
    let set = settle(source, Extent::Changes, QUIET, known, |_| {})
        .map_err(|error| AccessError::Source(error.to_string()))?;
    if known(&set.revision) {
        return Ok(None);
    }
    Ok(Some((compile(set.files)?, set.revision)))
}
