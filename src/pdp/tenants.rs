//! What of the server a caller that is bound to tenants sees.

use std::borrow::Cow;

use procura_core::query::Facts;

use super::Caller;

impl Caller {
    /// The tenants that it is bound to, as filters over the log name them.
    #[must_use]
    pub fn tenants(&self) -> Option<Vec<Box<str>>> {
        let tenants = self.identity.tenants.as_ref()?;
        Some(tenants.iter().map(|tenant| tenant.as_str().into()).collect())
    }

    /// Whether there is the encoded record `payload` for it: one of a call that is about nothing but its tenants.
    #[must_use]
    pub fn sees(&self, payload: &[u8]) -> bool {
        let Some(tenants) = self.tenants() else { return true };
        Facts::decode(payload).is_ok_and(|facts| facts.is_within(&tenants))
    }

    /// The same tenants, as its requests name them.
    pub(super) fn asks_for(&self) -> Option<Vec<Cow<'static, str>>> {
        let tenants = self.identity.tenants.as_ref()?;
        Some(tenants.iter().cloned().map(Cow::Owned).collect())
    }
}
