//! What all requests together may occupy: memory is bounded however many callers send or read slowly.
//!
//! Arriving bytes, leaving bytes and the work on calls draw on separate pools, so that callers who dawdle cannot keep
//! complete calls from being decided.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Capacity;
use super::admission::{Account, Accounts, FairPool, Share};
use super::error::Refusal;

/// Bytes that are no more than this take part without being counted: the limit on connections bounds the sum of them.
pub(super) const UNCOUNTED: usize = 64 * 1024;

/// Memory that counts as one call.
const CALL_BYTES: usize = 64 * 1024;

/// Memory that one structural character of a call stands for: its value or name, and its part of the record.
const STRUCTURE_BYTES: usize = 256;

/// Listeners to changes at a time: each instance of an enforcement point is one, and takes no thread.
const WATCHERS: u32 = 256;

/// A call has each byte of its text in the body, in the record and in the answer.
const TEXT_COPIES: usize = 3;

/// The room that is left, and who may have how much of it.
#[derive(Debug)]
pub struct Budget {
    accounts: Accounts,
    arriving: Arc<FairPool>,
    leaving: Arc<FairPool>,
    work: Arc<FairPool>,
    log_readers: Pool,
    listeners: Pool,
    watchers: Pool,
}

impl Budget {
    /// All the room of `capacity`.
    #[must_use]
    pub fn new(capacity: &Capacity) -> Self {
        let patience = capacity.patience;
        let bytes = capacity.in_flight_bytes;
        Self {
            accounts: Accounts::new(capacity.caller),
            arriving: FairPool::new(bytes, patience, |account| &account.arriving),
            leaving: FairPool::new(bytes, patience, |account| &account.leaving),
            work: FairPool::new(capacity.concurrent, patience, |account| &account.work),
            log_readers: Pool::new(capacity.log_readers, patience),
            listeners: Pool::new(capacity.listeners, patience),
            watchers: Pool::new(WATCHERS, patience),
        }
    }

    /// The accounts of those who ask.
    pub(super) const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Room for the bytes of a body of `account`, none yet.
    pub(super) fn arriving(&self, account: &Arc<Account>) -> Share {
        self.arriving.share_of(account)
    }

    /// Room for `bytes` of an answer to `account`.
    pub(super) async fn leaving(&self, account: &Arc<Account>, bytes: usize) -> Result<Share, Refusal> {
        let mut share = self.leaving.share_of(account);
        share.grow(u32::try_from(bytes).unwrap_or(u32::MAX)).await?;
        Ok(share)
    }

    /// Room to decide a call of `account` of `bytes` with `structure` structural characters.
    pub(super) async fn work(
        &self,
        account: &Arc<Account>,
        bytes: usize,
        structure: usize,
    ) -> Result<Share, Refusal> {
        let text = bytes.saturating_mul(TEXT_COPIES);
        let memory = structure.saturating_mul(STRUCTURE_BYTES).saturating_add(text);
        let mut share = self.work.share_of(account);
        share.grow(u32::try_from(memory / CALL_BYTES).unwrap_or(u32::MAX).max(1)).await?;
        Ok(share)
    }

    /// How many calls are being decided, as they count.
    pub(super) fn calls(&self) -> u32 {
        self.work.taken()
    }

    /// Room to read the decision log and to render what was found.
    pub(super) async fn log_reader(&self) -> Result<Room, Refusal> {
        self.log_readers.take().await
    }

    /// Room to follow the decision log.
    pub(super) async fn listener(&self) -> Result<Room, Refusal> {
        self.listeners.take().await
    }

    /// Room to be told of changes.
    pub(super) async fn watcher(&self) -> Result<Room, Refusal> {
        self.watchers.take().await
    }
}

/// Room for one that is occupied until it is dropped.
#[derive(Debug)]
pub(super) struct Room(#[expect(dead_code, reason = "held, never read")] OwnedSemaphorePermit);

#[derive(Debug)]
struct Pool {
    free: Arc<Semaphore>,
    patience: Duration,
}

impl Pool {
    fn new(size: u32, patience: Duration) -> Self {
        Self { free: Arc::new(Semaphore::new(size as usize)), patience }
    }

    async fn take(&self) -> Result<Room, Refusal> {
        match timeout(self.patience, Arc::clone(&self.free).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Room(permit)),
            _ => Err(Refusal::Overloaded),
        }
    }
}
