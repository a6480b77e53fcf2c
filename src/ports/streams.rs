//! Streams of events: how the connections to their transmitters fare, and what transmitters can be asked to do.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use procura_core::model::Timestamp;
use serde_json::Value;

/// Who brings the SETs of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The transmitter (RFC 8935).
    Push,
    /// This server, which asks for them (RFC 8936).
    Poll,
}

impl Delivery {
    /// The name in configuration and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Poll => "poll",
        }
    }

    /// The name in the configuration of a stream (Shared Signals Framework 1.0, section 8.1.1).
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Push => "urn:ietf:rfc:8935",
            Self::Poll => "urn:ietf:rfc:8936",
        }
    }
}

/// Whether a transmitter sends the events of a stream (Shared Signals Framework 1.0, section 8.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamStatus {
    /// It sends them.
    Enabled,
    /// It keeps them, perhaps not all, until the stream is enabled again.
    Paused,
    /// It forgets them.
    Disabled,
}

impl StreamStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Enabled, Self::Paused, Self::Disabled];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }

    /// The status of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

/// What is known of a stream and of its transmitter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamConnection {
    /// The stream, by the name in the configuration.
    pub name: Arc<str>,
    /// Who brings its SETs.
    pub delivery: Delivery,
    /// Whether its transmitter can be asked by [`StreamControl`].
    pub is_managed: bool,
    /// How the transmitter names it; `None` as long as it has not said so.
    pub id: Option<String>,
    /// What the transmitter last said of it.
    pub status: Option<StreamStatus>,
    /// The types of events that the transmitter delivers, as it says itself.
    pub events: Vec<String>,
    /// When the transmitter last answered as it should.
    pub last_answer: Option<Timestamp>,
    /// When a verification was last asked for.
    pub last_verification: Option<Timestamp>,
    /// What is wrong, one sentence for each thing; nothing that is secret.
    pub troubles: Vec<String>,
}

/// Why a transmitter did not do what it was asked. No text repeats what it answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// There is no such stream.
    #[error("there is no stream `{0}` that this server connects to")]
    UnknownStream(String),
    /// Its transmitter is not told to us.
    #[error("the stream `{0}` is set up by hand: name its `transmitter` to manage it from here")]
    Unmanaged(String),
    /// Nothing is known of the stream yet.
    #[error("the transmitter of the stream `{stream}` has not told of it yet: {trouble}")]
    NotReady {
        /// The stream.
        stream: String,
        /// Why.
        trouble: String,
    },
    /// The transmitter has no such endpoint.
    #[error("the transmitter offers no `{0}`")]
    NotOffered(&'static str),
    /// The transmitter says no.
    #[error("the transmitter answers {status}{hint}")]
    Refused {
        /// The status of its answer.
        status: u16,
        /// What it may mean, after a comma; may be empty.
        hint: &'static str,
    },
    /// There is no answer, or none that can be read.
    #[error("{0}")]
    Failed(String),
}

/// Resolves to what a transmitter answers.
pub type Asking<'a, T> = Pin<Box<dyn Future<Output = Result<T, ControlError>> + Send + 'a>>;

/// Shows the streams that this server connects to, and asks their transmitters.
pub trait StreamControl: Send + Sync + 'static {
    /// Every stream with a transmitter that is managed, or that is polled, in the order of the configuration.
    fn connections(&self) -> Vec<StreamConnection>;
    /// Asks for a verification event now.
    fn verify<'a>(&'a self, stream: &'a str) -> Asking<'a, ()>;
    /// Asks for another status, and resolves to the one that the transmitter then tells.
    fn set_status<'a>(
        &'a self,
        stream: &'a str,
        status: StreamStatus,
        reason: Option<&'a str>,
    ) -> Asking<'a, StreamStatus>;
    /// Asks for the events about `subject`, an identifier as in RFC 9493; `verified` says whether it is known to be right.
    fn add_subject<'a>(
        &'a self,
        stream: &'a str,
        subject: &'a Value,
        verified: Option<bool>,
    ) -> Asking<'a, ()>;
    /// Asks for no more events about `subject`.
    fn remove_subject<'a>(&'a self, stream: &'a str, subject: &'a Value) -> Asking<'a, ()>;
    /// Deletes the stream at the transmitter. It is not made again before the server starts anew.
    fn delete<'a>(&'a self, stream: &'a str) -> Asking<'a, ()>;
}
