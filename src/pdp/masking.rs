//! What must not stand in the records of calls.

use std::sync::Arc;

use procura_core::record::{CallRecord, Masks, SignalRecord, SignalsRefused};

use super::DecideError;
use crate::ports::{LogError, MaskKeySource};

/// What is masked, and with which keys.
#[derive(Clone)]
pub struct Masking {
    /// What is masked.
    pub masks: Masks,
    /// The keys.
    pub keys: Arc<dyn MaskKeySource>,
}

impl Masking {
    /// `record` encoded without what is masked.
    pub(super) async fn encode(&self, record: &CallRecord<'_>) -> Result<Vec<u8>, DecideError> {
        let keys = self.keys.keys(record.at).await?;
        Ok(record.encode_masked(&self.masks, &keys)?)
    }

    /// `record` of a signal without what is masked.
    ///
    /// # Errors
    /// If there is no key for its instant.
    pub async fn signal(&self, record: &SignalRecord<'_>) -> Result<SignalRecord<'static>, LogError> {
        Ok(record.masked(&self.masks, &*self.keys.keys(record.at).await?))
    }

    /// `record` of refused signals without what is masked.
    ///
    /// # Errors
    /// If there is no key for its instant.
    pub async fn refused<'r>(&self, record: &'r SignalsRefused<'_>) -> Result<SignalsRefused<'r>, LogError> {
        Ok(record.masked(&self.masks, &*self.keys.keys(record.at).await?))
    }
}
