//! What all requests together may occupy: memory is bounded however many callers send or read slowly.
//!
//! Arriving and leaving bytes and the work on calls draw on separate pools, so that callers who dawdle cannot keep
//! complete calls from being decided.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Capacity;
use super::error::Refusal;

/// What is no larger takes part without being counted: the limit on connections bounds the sum of it.
const UNCOUNTED: usize = 64 * 1024;

/// Memory that one structural character of a call stands for: its value or name, and its part of the record.
const STRUCTURE_BYTES: usize = 256;

/// A call has each byte of its text in the body, in the record and in the answer.
const TEXT_COPIES: usize = 3;

/// The room that is left.
#[derive(Debug)]
pub struct Budget {
    in_flight: Pool,
    work: Pool,
    log_readers: Pool,
    listeners: Pool,
}

impl Budget {
    /// All the room of `capacity`.
    #[must_use]
    pub fn new(capacity: &Capacity) -> Self {
        let pool = |size| Pool::new(size, capacity.patience);
        Self {
            in_flight: pool(capacity.in_flight_bytes),
            work: pool(capacity.work_bytes),
            log_readers: pool(capacity.log_readers),
            listeners: pool(capacity.listeners),
        }
    }

    /// Makes `room` large enough for `bytes` of a body.
    pub(super) async fn grow(&self, room: &mut Room, bytes: usize) -> Result<(), Refusal> {
        if bytes <= UNCOUNTED { Ok(()) } else { self.in_flight.grow(room, bytes).await }
    }

    /// Room to decide a call of `bytes` with `structure` structural characters.
    pub(super) async fn work(&self, bytes: usize, structure: usize) -> Result<Room, Refusal> {
        let text = bytes.saturating_mul(TEXT_COPIES);
        let weight = structure.saturating_mul(STRUCTURE_BYTES).saturating_add(text);
        let mut room = Room::default();
        if weight > UNCOUNTED {
            self.work.grow(&mut room, weight).await?;
        }
        Ok(room)
    }

    /// Room to read the decision log and to render what was found.
    pub(super) async fn log_reader(&self) -> Result<Room, Refusal> {
        let mut room = Room::default();
        self.log_readers.grow(&mut room, 1).await?;
        Ok(room)
    }

    /// Room to follow the decision log.
    pub(super) async fn listener(&self) -> Result<Room, Refusal> {
        let mut room = Room::default();
        self.listeners.grow(&mut room, 1).await?;
        Ok(room)
    }

    /// An answer that occupies its room until the connection has written it.
    pub(super) async fn answer(&self, bytes: Vec<u8>) -> Result<Bytes, Refusal> {
        if bytes.len() <= UNCOUNTED {
            return Ok(bytes.into());
        }
        let mut room = Room::default();
        self.in_flight.grow(&mut room, bytes.len()).await?;
        Ok(Bytes::from_owner(Leaving { bytes, _room: room }))
    }
}

/// Room that is occupied until it is dropped.
#[derive(Debug, Default)]
pub(super) struct Room(Option<OwnedSemaphorePermit>);

struct Leaving {
    bytes: Vec<u8>,
    _room: Room,
}

impl AsRef<[u8]> for Leaving {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[derive(Debug)]
struct Pool {
    free: Arc<Semaphore>,
    size: u32,
    patience: Duration,
}

impl Pool {
    fn new(size: u32, patience: Duration) -> Self {
        Self { free: Arc::new(Semaphore::new(size as usize)), size, patience }
    }

    /// Makes `room` as large as `wanted`. Whatever wants more than there is takes all of it, and so is alone.
    async fn grow(&self, room: &mut Room, wanted: usize) -> Result<(), Refusal> {
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX).min(self.size);
        let held = room.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = wanted.saturating_sub(u32::try_from(held).unwrap_or(u32::MAX));
        // Whoever waits already is served first: what is free belongs to nobody.
        let more = match Arc::clone(&self.free).try_acquire_many_owned(missing) {
            Ok(more) => more,
            Err(_) => self.wait_for(missing).await?,
        };
        match &mut room.0 {
            Some(held) => held.merge(more),
            None => room.0 = Some(more),
        }
        Ok(())
    }

    async fn wait_for(&self, missing: u32) -> Result<OwnedSemaphorePermit, Refusal> {
        match timeout(self.patience, Arc::clone(&self.free).acquire_many_owned(missing)).await {
            Ok(Ok(more)) => Ok(more),
            _ => Err(Refusal::Overloaded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small() -> Budget {
        let patience = Duration::from_millis(10);
        let (in_flight_bytes, work_bytes, log_readers) = (100_000, 100_000, 1);
        let capacity = Capacity { in_flight_bytes, work_bytes, log_readers, patience, ..Capacity::default() };
        Budget::new(&capacity)
    }

    #[tokio::test]
    async fn room_is_free_again_once_dropped() {
        let budget = small();
        let mut body = Room::default();
        budget.grow(&mut body, 70_000).await.unwrap();
        budget.grow(&mut body, 90_000).await.unwrap();
        assert!(matches!(budget.answer(vec![0; 70_000]).await, Err(Refusal::Overloaded)));
        assert_eq!(budget.answer(vec![0; UNCOUNTED]).await.unwrap().len(), UNCOUNTED);
        drop(body);
        let answer = budget.answer(vec![0; 70_000]).await.unwrap();
        let rest = answer.slice(1..);
        drop(answer);
        assert!(matches!(budget.grow(&mut Room::default(), 70_000).await, Err(Refusal::Overloaded)));
        drop(rest);
        budget.grow(&mut Room::default(), 70_000).await.unwrap();
    }

    #[tokio::test]
    async fn readers_of_the_log_are_few() {
        let budget = small();
        let reader = budget.log_reader().await.unwrap();
        assert!(matches!(budget.log_reader().await, Err(Refusal::Overloaded)));
        drop(reader);
        budget.log_reader().await.unwrap();
    }

    #[tokio::test]
    async fn more_than_there_is_runs_alone() {
        let budget = small();
        let heavy = budget.work(1_000_000, 200_000).await.unwrap();
        assert!(matches!(budget.work(30_000, 0).await, Err(Refusal::Overloaded)));
        budget.work(500, 40).await.unwrap();
        drop(heavy);
        budget.work(30_000, 0).await.unwrap();
    }
}
