//! The traits through which the application services reach the outside world, each said once.

mod api_keys;
mod encryption;
mod facts;
mod identity;
mod quarantine;
mod secrets;
mod sets;
mod streams;

pub use api_keys::{ApiKeys, KeyFault, KeyHolder};
pub use encryption::{ClientCertificate, Duplex, Encrypted, Encryption, Handshake, NotTrusted};
pub use facts::{
    Applied, Applying, Change, FactStore, Facts, NotTaken, SetFault, SetIntake, Statements, StoreError,
    Taking,
};
pub use identity::{ANONYMOUS, Identity, LOCAL, Method, is_reserved_role};
pub use quarantine::{Origin, Quarantine, QuarantineStore, QuarantineStoreError, Quarantined, Suspect};
pub use secrets::Secret;
pub use sets::{Refreshing, SetError, SetVerifier, VouchedSet};
pub use streams::{Asking, ControlError, Delivery, StreamConnection, StreamControl, StreamStatus};

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use procura_core::model::Timestamp;
use procura_core::policy::{Revision, SourceFile};
use procura_core::query::{Condition, Field};
use procura_core::record::MaskKeys;
use procura_core::value::Map;

/// The only source of time. Called once per request; never blocks.
pub trait Clock: Send + Sync + 'static {
    /// The current instant.
    fn now(&self) -> Timestamp;
}

/// A token as it came with a call: untrusted text. It is never logged, recorded or repeated.
#[derive(Clone, PartialEq, Eq)]
pub struct Token<'a> {
    /// The token.
    pub text: Cow<'a, str>,
    /// The key set that the call names for it, empty for the only one.
    pub key_set: Cow<'a, str>,
}

impl std::fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("key_set", &self.key_set).finish_non_exhaustive()
    }
}

/// What shows that whoever used a token holds the key that it is bound to: untrusted text as well.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof<'a> {
    /// A DPoP proof (RFC 9449, section 4), with what it was made for.
    Dpop {
        /// The proof.
        text: Cow<'a, str>,
        /// The HTTP method of the request that it came with.
        method: Cow<'a, str>,
        /// The URL of that request.
        url: Cow<'a, str>,
    },
    /// The client certificate that the enforcement point saw, in PEM (RFC 8705, section 3).
    Certificate(Cow<'a, str>),
}

impl std::fmt::Debug for Proof<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Dpop { .. } => "Dpop",
            Self::Certificate(_) => "Certificate",
        })
    }
}

/// What a token says.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedToken {
    /// Its claims.
    pub claims: Arc<Map<'static>>,
    /// The key set that vouches for it; `None` if verification is turned off.
    pub key_set: Option<Arc<str>>,
    /// The key of that set that made its signature, if the key has a name.
    pub key: Option<Arc<str>>,
    /// When it ends, with the skew that is allowed; `None` if it does not say.
    pub expires: Option<Timestamp>,
}

/// Why a token is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is something wrong with it, or with the key set that was named for it.
    #[error("{0}")]
    Invalid(Cow<'static, str>),
    /// Nobody can say: the keys of the set could not be fetched yet.
    #[error("the keys of the key set `{key_set}` could not be fetched yet")]
    KeysUnavailable {
        /// The key set.
        key_set: String,
    },
}

/// Resolves to what a token says, after at most a few seconds.
pub type Verification<'a> = Pin<Box<dyn Future<Output = Result<VerifiedToken, TokenError>> + Send + 'a>>;

/// Verifies tokens. Called for every token of every call; may wait for keys that are being fetched.
pub trait TokenVerifier: Send + Sync + 'static {
    /// What `token` says at the instant `now`.
    fn verify<'a>(&'a self, token: &'a Token<'_>, now: Timestamp) -> Verification<'a>;
    /// Whether `proof` shows at `now` that whoever used `token` holds the key that it is bound to, in what the request
    /// with this id asks about; `false` if it is bound to no key, or to one that such a proof says nothing of.
    ///
    /// # Errors
    /// If the proof is wrong, or for another key or token: somebody tried. The text says why.
    fn proves(
        &self,
        proof: &Proof<'_>,
        token: &Token<'_>,
        told: &VerifiedToken,
        request_id: &str,
        now: Timestamp,
    ) -> Result<bool, Cow<'static, str>>;
}

/// How much of a set is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every file.
    Whole,
    /// The files that seem to have changed since the last reading; of the others the text is known.
    Changes,
}

/// Where policy text comes from. Called by the reload task on a blocking thread.
pub trait PolicySource: Send + Sync + 'static {
    /// The whole set, of which as much is read as `extent` says; a failure keeps the snapshot that is live.
    fn read(&self, extent: Extent) -> Result<Vec<SourceFile>, SourceError>;
    /// Where the policies are, for people.
    fn location(&self) -> String;
}

/// Why a policy set could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file or directory could not be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file or directory.
        path: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The set changed while it was read; the next scan tries again.
    #[error("`{path}` changed while it was read")]
    Torn {
        /// The file that changed.
        path: String,
    },
    /// Something in the directory cannot be part of a policy set.
    #[error("`{path}` {reason}")]
    Refused {
        /// The file or directory.
        path: String,
        /// What it is and how to mend it.
        reason: String,
    },
    /// The set exceeds a limit.
    #[error("{0}")]
    TooLarge(String),
}

/// What a watch over the policy source reports.
#[derive(Debug)]
pub enum Notice {
    /// The policies may have changed.
    Changed,
    /// Changes are noticed only by looking again and again.
    WatchDown(WatchError),
    /// Changes are noticed at once again.
    WatchUp,
}

/// Why the policy source cannot be watched.
#[derive(Clone, Debug, thiserror::Error)]
#[error("cannot watch `{path}`: {reason}")]
pub struct WatchError {
    /// The directory.
    pub path: String,
    /// The cause.
    pub reason: String,
}

/// Keeps policy sets for as long as records name them. Called by the reload task on a blocking thread.
pub trait PolicyArchive: Send + Sync + 'static {
    /// Keeps `files` under their `revision`, durably; does nothing if they are kept already, undamaged.
    fn keep(&self, revision: &Revision, files: &[SourceFile]) -> io::Result<()>;
    /// The files of `revision`, which are those that were kept: their hash is the revision.
    fn load(&self, revision: &Revision) -> Result<Vec<SourceFile>, ArchiveError>;
}

/// Why a set cannot be had from the archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It was never kept, or is gone.
    #[error("no policy set of revision `{0}` is in the archive")]
    Missing(Revision),
    /// What is kept is not that set.
    #[error("the policy set of revision `{revision}` is damaged in the archive: {reason}")]
    Damaged {
        /// The set.
        revision: Revision,
        /// What is wrong.
        reason: String,
    },
    /// The file could not be read.
    #[error("the policy set of revision `{revision}` cannot be read from the archive")]
    Unreadable {
        /// The set.
        revision: Revision,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// A record ready for the log: encoded once by the caller, chained and written by the log's one writer.
#[derive(Debug)]
pub struct NewRecord {
    /// When the record was made.
    pub at: Timestamp,
    /// The encoded record (see `procura_core::record`).
    pub payload: Vec<u8>,
}

/// Resolves when the record is as durable as the log's mode promises.
pub enum Receipt {
    /// At once.
    Ready(Result<(), LogError>),
    /// When the log has come to it.
    Waiting(Pin<Box<dyn Future<Output = Result<(), LogError>> + Send>>),
}

impl Future for Receipt {
    type Output = Result<(), LogError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Receipt::Ready(outcome) => Poll::Ready(outcome.clone()),
            Receipt::Waiting(outcome) => outcome.as_mut().poll(context),
        }
    }
}

/// What a receipt waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The record is on disk.
    #[default]
    Durable,
    /// The operating system has the record: it survives the process, not the machine.
    Os,
    /// Nothing: the record is in the queue.
    Async,
}

impl Durability {
    /// Every durability, each at its [`Durability::index`].
    pub const ALL: [Self; 3] = [Self::Durable, Self::Os, Self::Async];

    /// Its position among [`Durability::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name in configuration and in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Durability::Durable => "durable",
            Durability::Os => "os",
            Durability::Async => "async",
        }
    }
}

/// The write side of the decision log. Called by every decision; enqueues without blocking.
pub trait DecisionLog: Send + Sync + 'static {
    /// Enqueues `record`; the answer to the caller waits for the receipt, which waits for `durability`.
    fn append_as(&self, record: NewRecord, durability: Durability) -> Receipt;
    /// Enqueues `record` with the usual durability.
    fn append(&self, record: NewRecord) -> Receipt {
        self.append_as(record, self.durability())
    }
    /// What a receipt usually waits for. What it waited for is in every record.
    fn durability(&self) -> Durability;
    /// Whether the log accepts records, with the reason if not.
    fn health(&self) -> Result<(), LogError>;
    /// How much of its disk is left; `None` if nobody has looked.
    fn room(&self) -> Option<Room> {
        None
    }
}

/// How much of the disk of the decision log is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Bytes that may still be written.
    pub free: u64,
    /// Bytes that are kept for records.
    pub reserved: u64,
}

impl Room {
    /// Whether work that can wait has to: only records may be written.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.free < self.reserved
    }
}

/// Resolves to the keys for the records of an instant.
pub type MaskKeysFor<'a> = Pin<Box<dyn Future<Output = Result<Arc<MaskKeys>, LogError>> + Send + 'a>>;

/// Where the keys of masking come from. Called for every call if anything is masked; waits only where a new key has to be
/// recorded first.
pub trait MaskKeySource: Send + Sync + 'static {
    /// The keys for records of the instant `at`.
    fn keys(&self, at: Timestamp) -> MaskKeysFor<'_>;
}

/// Why a record was not written, so that the call it belongs to must not be answered, or why the log was not read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// The queue of the writer is full.
    #[error("the decision log cannot keep up: its queue is full")]
    Overloaded,
    /// The deadline passed before the record was durable.
    #[error("the decision log did not confirm within the deadline")]
    Deadline,
    /// The record is larger than the log accepts.
    #[error("the record has {bytes} bytes; the decision log accepts at most {limit}")]
    TooLarge {
        /// Size of the record.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The writer has failed or stopped.
    #[error("the decision log cannot be written: {0}")]
    Unavailable(String),
    /// The record would be among those that were deleted as configured.
    #[error(
        "the call is older than the decision log keeps: the records before {before} were deleted by retention"
    )]
    Deleted {
        /// The first record that is left.
        before: u64,
    },
    /// Stored records cannot be read.
    #[error("the decision log cannot be read: {0}")]
    Unreadable(String),
    /// There are more groups than can be counted.
    #[error("more than {limit} groups: narrow the filter, or count by fewer fields")]
    TooManyGroups {
        /// The limit.
        limit: usize,
    },
}

/// The read side of the decision log. Blocking: call it on a blocking thread.
pub trait DecisionQuery: Send + Sync + 'static {
    /// One page of stored records that match `filter`, newest first. Bounded in time: a page may be short, even empty,
    /// and still say where the next one begins.
    fn find(&self, filter: &DecisionFilter) -> Result<DecisionPage, LogError>;
    /// The stored call with this id, if there is one.
    fn get(&self, call_id: &str) -> Result<Option<StoredRecord>, LogError>;
    /// How many decisions match `filter`, by the values of these fields; of the newest ones if there are too many to
    /// count in a bounded time.
    fn count(&self, filter: &DecisionFilter, by: &[Field]) -> Result<DecisionCounts, LogError>;
    /// Shows `each` the records after number `after` that match, oldest first, as they are acknowledged, until it says
    /// [`ControlFlow::Break`]. It is told at least every second how far that is, so that it can.
    fn follow(&self, filter: &DecisionFilter, after: u64, each: Follower<'_>) -> Result<(), LogError>;
    /// How far the log reaches.
    fn last_seq(&self) -> u64;
    /// Records that no index knows yet, so that they are found by reading them.
    fn unindexed(&self) -> u64;
}

/// What proves records of the decision log to somebody else.
pub trait LogProofs: Send + Sync + 'static {
    /// The proof of the record of the call with this id, if there is such a call. Blocking.
    fn prove(&self, call_id: &str) -> Result<Option<RecordProof>, LogError>;
    /// Whether checkpoints are signed, with the reason if not.
    fn health(&self) -> Result<(), String>;
}

/// What becomes of asking for the proof of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordProof {
    /// The bundle, JSON as `docs/reference/proof.md` describes it.
    Proven(Vec<u8>),
    /// No checkpoint covers the record yet.
    Pending {
        /// The record.
        seq: u64,
    },
}

/// The records of the log in the order of the chain, for what works through them. Blocking.
pub trait RecordSource: Send + Sync + 'static {
    /// The last record that is acknowledged; 0 before the first.
    fn last(&self) -> u64;
    /// Waits until there is a record beyond `seen`, at most about `timeout`; the last one then.
    fn wait_beyond(&self, seen: u64, timeout: Duration) -> u64;
    /// A cursor before record `next_seq`, or before the first one that is still there.
    fn cursor(&self, next_seq: u64) -> Box<dyn RecordCursor + '_>;
}

/// A place between two records of the log.
pub trait RecordCursor {
    /// The next record that will be read.
    fn next_seq(&self) -> u64;
    /// Shows the next records to `each`, in order, about a mebibyte of them: number and encoded record. How many there
    /// were, 0 at the end of what is acknowledged.
    fn read(&mut self, each: &mut dyn FnMut(u64, &[u8])) -> Result<usize, LogError>;
}

/// Is shown what is followed.
pub type Follower<'f> = &'f mut dyn FnMut(Followed) -> ControlFlow<()>;

/// What is shown to one who follows the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// A record that matches.
    Record(StoredRecord),
    /// Every record up to this number was looked at.
    Reached(u64),
}

/// What a query asks for; all that is given must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DecisionFilter {
    /// What is asked of one decision. Unless it names the kind of record, it is asked of decisions only.
    pub condition: Condition,
    /// The tenants that whoever asks is bound to: only calls that are about nothing else are found. `None` for all.
    pub tenants: Option<Vec<Box<str>>>,
    /// Call id.
    pub call_id: Option<String>,
    /// At or after.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Continue below this sequence number.
    pub before_seq: Option<u64>,
    /// At most this many records.
    pub limit: usize,
}

impl DecisionFilter {
    /// All that is asked of one decision, in one condition.
    #[must_use]
    pub fn whole_condition(&self) -> Condition {
        let mut whole = self.condition.clone();
        if !whole.names(Field::Kind) {
            whole = whole.and(Condition::Is(Field::Kind, "decision".into()));
        }
        if let Some(tenants) = &self.tenants {
            whole = whole.and(Condition::Within(tenants.clone()));
        }
        if let Some(since) = self.since {
            whole = whole.and(Condition::Since(since));
        }
        match self.until {
            Some(until) => whole.and(Condition::Not(Box::new(Condition::Since(until)))),
            None => whole,
        }
    }
}

/// How many decisions there are of each kind that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecisionCounts {
    /// How many decisions match.
    pub total: u64,
    /// How many of them have these values of the fields, in the order in which they were asked for. A decision counts
    /// once for each value that it has.
    pub groups: BTreeMap<Vec<Box<str>>, u64>,
    /// Where to go on counting; `None` if all are counted.
    pub next_before_seq: Option<u64>,
}

/// One page of a query.
#[derive(Debug, Default)]
pub struct DecisionPage {
    /// Matching records, newest first.
    pub records: Vec<StoredRecord>,
    /// Where the next page begins; `None` at the end of the log.
    pub next_before_seq: Option<u64>,
}

/// A record as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// Position in the chain, from 1.
    pub seq: u64,
    /// Chain hash after this record, hexadecimal.
    pub hash: String,
    /// The encoded record.
    pub payload: Vec<u8>,
}

/// The files of the decision log: the few operations the log needs, so that a test can lose power between
/// any two of them. Names are plain names within one directory.
pub trait LogFiles: Send + Sync {
    /// The names in the directory, in any order.
    fn list(&self) -> io::Result<Vec<String>>;
    /// The length of a file in bytes.
    fn len(&self, name: &str) -> io::Result<u64>;
    /// Reads exactly `len` bytes from `offset`.
    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>>;
    /// Opens a file for appending, creating it if absent; the name is durable only after [`LogFiles::sync_dir`].
    fn open_append(&self, name: &str) -> io::Result<Box<dyn LogFile>>;
    /// Opens a file for appending that is there already; fails with [`io::ErrorKind::NotFound`] and creates nothing if it is
    /// not.
    fn reopen(&self, name: &str) -> io::Result<Box<dyn LogFile>>;
    /// Gives a file another name, in one step, in place of the file that has it; durable after [`LogFiles::sync_dir`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; durable after [`LogFiles::sync_dir`].
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes names created, changed and removed so far durable.
    fn sync_dir(&self) -> io::Result<()>;
    /// How many bytes may still be written to the disk.
    fn free_bytes(&self) -> io::Result<u64>;
    /// Fails unless the directory is still there and still this writer's. Cheap.
    fn check(&self) -> io::Result<()>;
}

/// One open file of the decision log.
pub trait LogFile: Send {
    /// Appends all of `bytes`; after an error an unknown part of them may stand in the file.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes everything appended so far durable. After an error nothing may be assumed about it.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file to `len` bytes and makes that durable.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
    /// Fails unless this file still stands under its name, with `len` bytes. Cheap.
    fn check(&self, len: u64) -> io::Result<()>;
}

/// What sends the records of the log to destinations elsewhere.
pub trait Shipping: Send + Sync + 'static {
    /// How each destination fares, in the order of the configuration.
    fn destinations(&self) -> Vec<DestinationStatus>;
}

/// How far a destination is, and why it is not further.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DestinationStatus {
    /// Its name.
    pub name: String,
    /// The last record that it has; 0 before the first.
    pub shipped: u64,
    /// The last record that it is known to have after a restart as well.
    pub kept: u64,
    /// How many records of the log it has not been sent yet.
    pub behind: u64,
    /// How long the oldest of them has waited.
    pub behind_for: Duration,
    /// Why nothing can be sent to it at present.
    pub outage: Option<String>,
}
