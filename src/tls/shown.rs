//! The certificate that a client has shown, for as long as its connection lasts.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::pki_types::{CertificateDer, UnixTime};

use super::live::Live;
use super::trust::{Admitted, seconds};
use crate::ports::{ClientCertificate, Identity, NotTrusted};

/// A chain that was shown in a handshake, and what was last found of it.
pub(super) struct Shown {
    live: Arc<ArcSwap<Live>>,
    chain: Vec<CertificateDer<'static>>,
    found: Mutex<Option<Found>>,
}

/// That a chain is good, and how long this may be relied on.
struct Found {
    generation: u64,
    admitted: Admitted,
}

impl Shown {
    /// A chain that the handshake of `made_with` has verified just now if it `is_fresh`. One that comes from a ticket is
    /// verified when the first request asks.
    pub(super) fn new(
        live: &Arc<ArcSwap<Live>>,
        chain: Vec<CertificateDer<'static>>,
        made_with: &Live,
        is_fresh: bool,
    ) -> Self {
        let trust = made_with.trust.as_ref().filter(|_| is_fresh);
        let admitted = trust.and_then(|trust| trust.identify(&chain, UnixTime::now()).ok());
        let found = admitted.map(|admitted| Found { generation: made_with.generation, admitted });
        Self { live: Arc::clone(live), chain, found: Mutex::new(found) }
    }
}

impl ClientCertificate for Shown {
    fn holder(&self) -> Result<Arc<Identity>, NotTrusted> {
        let live = self.live.load();
        let now = UnixTime::now();
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let known = found.as_ref().filter(|found| found.generation == live.generation);
        if let Some(Found { admitted, .. }) = known.filter(|found| seconds(now) < found.admitted.until) {
            return Ok(Arc::clone(&admitted.identity));
        }
        *found = None;
        let trust = live.trust.as_ref().ok_or_else(|| NotTrusted("clients are asked for none".to_owned()))?;
        let admitted = trust.admit(&self.chain, now).map_err(|error| NotTrusted(error.to_string()))?;
        let Found { admitted, .. } = found.insert(Found { generation: live.generation, admitted });
        Ok(Arc::clone(&admitted.identity))
    }
}
