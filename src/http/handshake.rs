//! From an accepted connection to an encrypted one, with bounds on how long that takes and how many do so at a time.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::Capacity;
use crate::ports::{Encrypted, Encryption};
use crate::telemetry::HandshakeOutcome;
use crate::telemetry::Metrics;
use crate::telemetry::events::HandshakeEnded;

/// Shakes hands with whoever connects.
pub(super) struct Handshakes {
    encryption: Arc<dyn Encryption>,
    /// Room for those under way.
    room: Semaphore,
    limit: Duration,
    metrics: Arc<Metrics>,
}

impl Handshakes {
    /// Handshakes by `encryption` within `capacity`.
    pub(super) fn new(encryption: Arc<dyn Encryption>, capacity: &Capacity, metrics: Arc<Metrics>) -> Self {
        let room = Semaphore::new(capacity.handshakes);
        Self { encryption, room, limit: capacity.handshake_timeout, metrics }
    }

    /// The encrypted connection over `stream`; `None` if it did not come to one in time, which concerns nobody but the
    /// other end. The wait for room counts as well: what is silent for long leaves nothing to those behind it.
    pub(super) async fn shake(&self, stream: TcpStream) -> Option<Encrypted> {
        let ended = timeout(self.limit, async {
            let _room = self.room.acquire().await.map_err(io::Error::other)?;
            self.encryption.accept(stream).await
        });
        let (connection, outcome, error) = match ended.await {
            Ok(Ok(connection)) => (Some(connection), HandshakeOutcome::Completed, None),
            Ok(Err(error)) => (None, HandshakeOutcome::Failed, Some(error)),
            Err(_) => (None, HandshakeOutcome::TimedOut, None),
        };
        let error = error.as_ref().map(|error| error as _);
        HandshakeEnded { outcome, error }.emit(&self.metrics);
        connection
    }
}
