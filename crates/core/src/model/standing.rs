//! Which rules hold without any policy.

use serde::{Deserialize, Serialize};

/// Which of the standing rules hold: those that need no policy. All of them, unless configured otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// A revoked session denies.
    pub sessions: bool,
    /// A disabled account denies.
    pub accounts: bool,
    /// A compromised credential denies.
    pub credentials: bool,
}

impl Default for Standing {
    fn default() -> Self {
        Self { sessions: true, accounts: true, credentials: true }
    }
}

impl Standing {
    /// Whether all of them hold.
    #[must_use]
    pub fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}
