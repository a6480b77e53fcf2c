//! What must not stand in the records of calls.

use std::sync::Arc;

use procura_core::record::{CallRecord, Masks};

use super::DecideError;
use crate::ports::MaskKeySource;

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
}
