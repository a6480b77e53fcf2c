//! Which streams there are, and how patiently their transmitters are asked.

use std::sync::Arc;
use std::time::Duration;

use crate::discovery::TransmitterPlace;
use crate::secret::SecretSource;

/// A stream that this server connects to: one with a transmitter that is managed, or that is polled, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSettings {
    /// Its name, unique.
    pub name: Arc<str>,
    /// Its transmitter.
    pub place: TransmitterPlace,
    /// What names this receiver; the transmitter must say one of these.
    pub audiences: Vec<String>,
    /// How the stream is set up; `None` if somebody does that by hand.
    pub management: Option<ManagementSettings>,
    /// Who brings the events.
    pub delivery: DeliverySettings,
}

/// How a stream is set up at its transmitter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagementSettings {
    /// What shows who this receiver is.
    pub authorization: Option<Authorization>,
    /// Whether it is created if it is not there.
    pub create: bool,
    /// The types of events that are asked for, as URIs.
    pub events: Vec<String>,
    /// What the stream is called there.
    pub description: Option<String>,
    /// How often the transmitter is asked to show that it is there, besides at the start; never if `None`.
    pub verify_every: Option<Duration>,
}

/// Who brings the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliverySettings {
    /// The transmitter.
    Push {
        /// The URL that it is told.
        url: String,
        /// The value of `Authorization` that it is to send.
        authorization: Option<SecretSource>,
    },
    /// This server.
    Poll {
        /// Where they are asked for; `None` if the transmitter says it.
        url: Option<String>,
        /// What shows who this receiver is; `None` for the same as in the management.
        authorization: Option<Authorization>,
        /// Most events of one answer, at least one.
        max_events: usize,
    },
}

/// What shows a transmitter who this receiver is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// The value of `Authorization`.
    Header(SecretSource),
    /// A token, which the server of the transmitter gives to a client that it knows (RFC 6749, section 4.4).
    Client {
        /// Where tokens are given.
        token_url: String,
        /// The name of the client.
        id: String,
        /// What only the client knows.
        secret: SecretSource,
        /// What the token is to be for, such as `ssf.manage ssf.read`; may be empty.
        scope: String,
    },
}

/// How patiently transmitters are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamTiming {
    /// How long an answer may take that is due at once.
    pub answer: Duration,
    /// How long a poll may wait for events.
    pub long_poll: Duration,
    /// The first pause after a failure; each is twice as long as the one before. Also the shortest time between two polls
    /// that bring nothing.
    pub shortest_pause: Duration,
    /// The first pause after an answer that will hardly change by itself, such as 401.
    pub refused_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How often it is looked whether the stream is as it should be.
    pub refresh: Duration,
    /// How long a verification event may take.
    pub verification: Duration,
}

impl Default for StreamTiming {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(10),
            long_poll: Duration::from_secs(90),
            shortest_pause: Duration::from_secs(1),
            refused_pause: Duration::from_secs(60),
            longest_pause: Duration::from_secs(300),
            refresh: Duration::from_secs(3600),
            verification: Duration::from_secs(60),
        }
    }
}
