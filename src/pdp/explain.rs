//! Why a call is decided as it is.

use std::sync::Arc;

use procura_core::engine::{self, Explanation};

use super::{Active, Call, Caller, DecideError, Pdp};

/// A call that was explained, not answered: it has no id and no record.
#[derive(Debug)]
pub struct Explained {
    /// The policy set that was asked.
    pub active: Arc<Active>,
    /// What it says.
    pub explanation: Explanation,
}

impl Pdp {
    /// Explains what `call` of `caller` would be answered now. It counts as a large call whatever it asks, since an explanation
    /// decides again and again.
    pub async fn explain(&self, caller: &Caller, call: &mut Call<'_>) -> Result<Explained, DecideError> {
        let now = self.clock.now();
        let evidence = self.rely(call, now).await?;
        call.request.tenants = caller.asks_for();
        let active = self.active.load_full().ok_or(DecideError::NoPolicySet)?;
        self.sense(call, &evidence.vouchers, now);
        // The semaphore is never closed; without a permit the call is explained all the same.
        let _permit = self.large_calls.acquire().await.ok();
        let explain = || engine::explain(&active.snapshot, &call.request, &self.settings, now);
        let explanation = tokio::task::block_in_place(explain);
        Ok(Explained { active, explanation })
    }
}
