//! What is held true, kept and found; and where the statements come in that change it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use procura_core::model::{Entity, Fact, Subject, Timestamp};

/// The facts that decisions read. Called for every call; never waits for a disk.
pub trait Facts: Send + Sync + 'static {
    /// Whether there is none at all: then nobody has to say what a call presents.
    fn is_empty(&self) -> bool;
    /// The facts in force at `now` that are about nothing but what is `presented`, which is sorted and names nothing twice:
    /// all of one moment, in any order.
    fn about(&self, presented: &[Entity<'_>], now: Timestamp) -> Vec<Arc<Fact>>;
}

/// What one event says.
#[derive(Clone, Debug, PartialEq)]
pub struct Statements {
    /// Who says it, by the name in the configuration.
    pub source: Arc<str>,
    /// The name of the event, unique for its source: the `jti` of a SET.
    pub id: Arc<str>,
    /// When it was received.
    pub received: Timestamp,
    /// The facts that it states or withdraws; there may be none.
    pub facts: Vec<Fact>,
}

/// What became of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Facts are others now, as the change of this number says.
    Changed {
        /// The last change that it made.
        seq: u64,
    },
    /// It says nothing that is newer than what was known.
    Unchanged,
    /// It was taken before.
    Repeated,
}

/// Why an event was not taken.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no room for another fact.
    #[error("there are {limit} facts, the most there may be (`signals.maxFacts`)")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// There is no room for another fact about one of its subjects.
    #[error("there are {limit} facts about one subject, the most there may be")]
    Crowded {
        /// The limit.
        limit: usize,
    },
    /// Too many events wait for the disk.
    #[error("facts cannot be kept as fast as events come in")]
    Overloaded,
    /// It cannot be kept.
    #[error("facts cannot be kept: {0}")]
    Unavailable(String),
}

/// Resolves once the event is on disk and every later question is answered from it. To drop it changes nothing.
pub type Applying = Pin<Box<dyn Future<Output = Result<Applied, StoreError>> + Send>>;

/// Keeps facts, durably.
pub trait FactStore: Facts {
    /// Takes `event`, unless it was taken before. It is taken whole or not at all.
    fn apply(&self, event: Statements) -> Applying;
    /// Whether an event of this source and name was taken before.
    fn has_taken(&self, source: &str, id: &str) -> bool;
    /// Every fact about something with `entity` in it, in force or not, but for those that were withdrawn.
    fn of(&self, entity: &Entity<'_>) -> Vec<Arc<Fact>>;
    /// How many facts there are.
    fn count(&self) -> usize;
    /// How many facts there may be.
    fn limit(&self) -> usize;
    /// The number of the last change; 0 before the first.
    fn last_change(&self) -> u64;
    /// At most `most` changes after number `after`, oldest first; `None` if some of them are not remembered any more.
    fn changes_after(&self, after: u64, most: usize) -> Option<Vec<Change>>;
    /// Resolves once there is a change after number `after`.
    fn wait_beyond(&self, after: u64) -> Pin<Box<dyn Future<Output = u64> + Send + '_>>;
    /// Whether events can be taken, with the reason if not.
    fn health(&self) -> Result<(), String>;
}

/// A fact came, went or became another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its number: one more than that of the change before, also across restarts.
    pub seq: u64,
    /// What the fact is about.
    pub subject: Subject,
    /// What it says.
    pub name: Arc<str>,
    /// Who said so.
    pub source: Arc<str>,
    /// Since when it is true, as the source says.
    pub at: Timestamp,
}

/// Why a SET is refused, as transmitters are told (RFC 8935, section 2.4, and Shared Signals Framework 1.0, section 8.1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetFault {
    /// It cannot be read, or says what no SET may say.
    InvalidRequest,
    /// No key of the transmitter has signed it, or it is signed in a way that is not taken.
    InvalidKey,
    /// It is from another issuer.
    InvalidIssuer,
    /// It is for somebody else.
    InvalidAudience,
    /// Who sends it has not shown who that is.
    AuthenticationFailed,
    /// Who sends it may not.
    AccessDenied,
    /// It answers a question that nobody has asked.
    InvalidState,
}

impl SetFault {
    /// The code on the wire, in records and in metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidKey => "invalid_key",
            Self::InvalidIssuer => "invalid_issuer",
            Self::InvalidAudience => "invalid_audience",
            Self::AuthenticationFailed => "authentication_failed",
            Self::AccessDenied => "access_denied",
            Self::InvalidState => "invalid_state",
        }
    }
}

/// Why a SET is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Because of what it is: it would be refused again.
    #[error("{reason}")]
    Refused {
        /// As transmitters are told.
        fault: SetFault,
        /// What is wrong with it, without repeating anything of it.
        reason: String,
    },
    /// Because of what is wrong here, or because there are too many: it may come again.
    #[error("{0}")]
    NotNow(String),
}

/// Resolves to what becomes of a SET: once it is taken, it is on disk and every later decision knows it.
pub type Taking<'a> = Pin<Box<dyn Future<Output = Result<(), NotTaken>> + Send + 'a>>;

/// Takes what transmitters send, however it comes.
pub trait SetIntake: Send + Sync + 'static {
    /// Takes `set`, which came over the stream of this name, or refuses it. Taken again, it is taken and changes nothing.
    fn take<'a>(&'a self, stream: &'a str, set: &'a str) -> Taking<'a>;
    /// Expects that a verification event with this `state` comes over the stream.
    fn expect_verification(&self, stream: &str, state: String);
    /// Whether the verification event with this `state` is expected still: it has not come.
    fn awaits_verification(&self, stream: &str, state: &str) -> bool;
    /// What the transmitter calls a stream: events about the stream itself have to name it. `None` if nobody knows.
    fn named(&self, stream: &str, id: Option<&str>);
    /// What is known of the connection to the transmitter of a stream: nothing if it is good, else why it is not.
    fn connection(&self, stream: &str, trouble: Option<String>);
}
