//! Who may push events: a transmitter is known by the secret of its stream, as a caller, or by its signature alone.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Intake;
use crate::pdp::{Action, Caller};
use crate::ports::Secret;

/// What is demanded of whoever pushes events over a stream, besides the signature of each.
#[derive(Clone, Default)]
pub struct Door {
    /// The value of `Authorization`; any, or none, if there is none.
    pub secret: Option<Arc<dyn Secret>>,
    /// The caller that it must be; anyone if `None`.
    pub caller: Option<String>,
}

/// Who pushes, as far as the stream itself knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pusher {
    /// Its transmitter, which need not be known as a caller.
    Transmitter(Caller),
    /// Somebody who has to be known as a caller. `shown` says whether what the stream demands was in `Authorization`, so
    /// that it is no credential of a caller.
    Caller {
        /// Whether the secret of the stream was shown.
        shown: bool,
    },
    /// Somebody of whom the stream knows nothing.
    Stranger,
}

impl Intake {
    /// Who pushes over `stream` from `address` and shows `authorization`.
    #[must_use]
    pub fn pusher(&self, stream: &str, authorization: Option<&[u8]>, address: SocketAddr) -> Pusher {
        let Some(door) = self.doors.get(stream) else { return Pusher::Stranger };
        let shown = match &door.secret {
            Some(secret) if !authorization.is_some_and(|shown| secret.is(shown)) => return Pusher::Stranger,
            Some(_) => true,
            None => false,
        };
        match door.caller {
            Some(_) => Pusher::Caller { shown },
            None => Pusher::Transmitter(Caller::allowed(Action::Signals, Some(address))),
        }
    }

    /// Whether `caller` may push over `stream`, once the stream has recognised it.
    #[must_use]
    pub fn may_push(&self, stream: &str, caller: &Caller) -> bool {
        let Some(door) = self.doors.get(stream) else { return false };
        let is_it = |name: &String| caller.identity.name.as_ref() == Some(name);
        caller.may(Action::Signals) && door.caller.as_ref().is_none_or(is_it)
    }
}
