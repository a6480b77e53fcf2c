//! Which connections there are: bounded in all and for each address, and idle ones give way when there are too many.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Capacity;
use super::admission::Network;

/// How many idle connections are closed at once when there is no room for another. One by one would let a flood set the
/// pace; all of them would hit callers who do no harm.
const MADE_WAY: usize = 64;

/// How often it is looked for connections that have become idle while somebody waits for a place.
const LOOK: Duration = Duration::from_millis(50);

/// The connections there are.
#[derive(Debug)]
pub(super) struct Connections {
    places: Arc<Semaphore>,
    most_per_address: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    lines: HashMap<u64, Arc<Line>>,
    of_network: HashMap<Network, usize>,
    next: u64,
}

/// One connection, as long as it stands.
#[derive(Debug)]
pub(super) struct Slot {
    line: Arc<Line>,
    number: u64,
    connections: Arc<Connections>,
    _place: OwnedSemaphorePermit,
}

/// How far a connection has come, and whether it has to end.
#[derive(Debug)]
pub(super) struct Line {
    network: Network,
    steps: AtomicU64,
    /// Tells the connection to end if it is idle.
    pub(super) make_way: Notify,
}

impl Line {
    /// A request begins, or has its response.
    pub(super) fn step(&self) {
        // Only the task of the connection writes.
        self.steps.store(self.steps().wrapping_add(1), Ordering::Relaxed);
    }

    /// How many requests began and how many have their response, together.
    pub(super) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Whether no request is being answered.
    pub(super) fn is_idle(&self) -> bool {
        self.steps().is_multiple_of(2)
    }
}

impl Connections {
    /// Room for the connections of `capacity`.
    pub(super) fn new(capacity: &Capacity) -> Arc<Self> {
        Arc::new(Self {
            places: Arc::new(Semaphore::new(capacity.connections)),
            most_per_address: capacity.connections_per_address,
            open: Mutex::default(),
        })
    }

    /// A place for one more connection, as soon as there is one: idle connections make way for it.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place);
        }
        loop {
            self.open().make_way();
            if let Ok(place) = timeout(LOOK, Arc::clone(&self.places).acquire_owned()).await {
                return place.ok();
            }
        }
    }

    /// Takes `place` for a connection from `address`; `None` if that has as many as it may.
    pub(super) fn open_from(
        self: &Arc<Self>,
        address: SocketAddr,
        place: OwnedSemaphorePermit,
    ) -> Option<Slot> {
        let network = Network::of(address.ip());
        let mut open = self.open();
        let count = open.of_network.entry(network).or_default();
        if *count >= self.most_per_address {
            return None;
        }
        *count += 1;
        let number = open.next;
        open.next += 1;
        let line = Arc::new(Line { network, steps: AtomicU64::new(0), make_way: Notify::new() });
        open.lines.insert(number, Arc::clone(&line));
        Some(Slot { line, number, connections: Arc::clone(self), _place: place })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Asks idle connections to end: those of the address with the most, the oldest first.
    fn make_way(&self) {
        let idle = self.lines.iter().filter(|(_, line)| line.is_idle());
        let mut idle: Vec<_> = idle
            .map(|(number, line)| {
                let count = self.of_network.get(&line.network).copied().unwrap_or_default();
                (std::cmp::Reverse(count), *number, line)
            })
            .collect();
        idle.sort_unstable_by_key(|(count, number, _)| (*count, *number));
        let crowd = idle.first().map(|(_, _, line)| line.network);
        for (_, _, line) in idle.iter().filter(|(_, _, line)| Some(line.network) == crowd).take(MADE_WAY) {
            line.make_way.notify_one();
        }
    }
}

impl Slot {
    /// The connection of this place.
    pub(super) fn line(&self) -> &Line {
        &self.line
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        open.lines.remove(&self.number);
        if let Some(count) = open.of_network.get_mut(&self.line.network) {
            *count -= 1;
            if *count == 0 {
                open.of_network.remove(&self.line.network);
            }
        }
    }
}
