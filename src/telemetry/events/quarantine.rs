//! What happens to quarantines.

use tracing::warn;

/// A quarantine is begun or lifted.
#[derive(Debug)]
pub struct QuarantineChanged<'a> {
    /// `begun` or `lifted`.
    pub event: &'a str,
    /// Its id.
    pub id: &'a str,
    /// Why it was begun.
    pub reason: &'a str,
}

impl QuarantineChanged<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        warn!(
            event = "quarantine_changed",
            change = self.event,
            id = self.id,
            reason = self.reason,
            "quarantine changed"
        );
    }
}
