//! Secrets that somebody else shows.

/// A secret, which may become another while the server runs.
pub trait Secret: Send + Sync + 'static {
    /// Whether `shown` is it, byte by byte; that takes equally long wherever they differ. Nothing is it while it cannot be
    /// read.
    fn is(&self, shown: &[u8]) -> bool;
}
