//! Room that callers share: who holds the most of it gives way first.
//!
//! While there is room, anyone takes it. Where there is none, a caller may still take its fair share, which is the room
//! divided by those who hold some, itself among them, until all together hold twice the room. So nobody below it is
//! refused because of one other, or of a few. Who wants more waits a moment, whoever holds the least goes first, and the
//! line is short: to wait longer than the work takes helps nobody.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::account::{Account, Holding};
use crate::http::error::Refusal;

/// Room of some kind.
#[derive(Debug)]
pub(in crate::http) struct FairPool {
    size: u32,
    patience: Duration,
    holding: fn(&Account) -> &Holding,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: u32,
    /// Accounts that hold some or wait for some.
    holders: u32,
    line: Vec<Waiter>,
    /// What those in the line want.
    wanted: u32,
    arrivals: u64,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    account: Arc<Account>,
    more: u32,
    granted: oneshot::Sender<Share>,
}

/// Room that an account holds until this is dropped.
#[derive(Debug)]
pub(in crate::http) struct Share {
    pool: Arc<FairPool>,
    account: Arc<Account>,
    units: u32,
}

impl FairPool {
    /// Free room of `size` units, of which an account holds what `holding` says.
    pub(in crate::http) fn new(
        size: u32,
        patience: Duration,
        holding: fn(&Account) -> &Holding,
    ) -> Arc<Self> {
        Arc::new(Self { size, patience, holding, state: Mutex::default() })
    }

    /// A share without room.
    pub(in crate::http) fn share_of(self: &Arc<Self>, account: &Arc<Account>) -> Share {
        Share { pool: Arc::clone(self), account: Arc::clone(account), units: 0 }
    }

    /// Units that are held now.
    pub(in crate::http) fn taken(&self) -> u32 {
        self.state().taken
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.state().line.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn held(&self, account: &Account) -> u32 {
        (self.holding)(account).units.load(Ordering::Relaxed)
    }

    /// Whether `account` holds some or waits for some.
    fn takes_part(&self, account: &Account) -> bool {
        let holding = (self.holding)(account);
        holding.units.load(Ordering::Relaxed) > 0 || holding.waiting.load(Ordering::Relaxed) > 0
    }

    /// Does to what `account` holds what `change` does, and counts who takes part.
    fn change(&self, state: &mut State, account: &Account, change: impl FnOnce(&mut State, &Holding)) {
        let before = self.takes_part(account);
        change(state, (self.holding)(account));
        match (before, self.takes_part(account)) {
            (false, true) => state.holders += 1,
            (true, false) => state.holders -= 1,
            _ => {}
        }
    }

    /// Whether `account` may take `more` while `reserved` belongs to others.
    fn has_room(&self, state: &State, account: &Account, more: u32, reserved: u32) -> bool {
        let held = self.held(account);
        let after = state.taken.saturating_add(more);
        let fits = after.saturating_add(reserved) <= self.size;
        let holders = state.holders + u32::from(!self.takes_part(account));
        let is_fair = held.saturating_add(more) <= self.size / holders.max(1);
        fits || (is_fair && after <= self.size.saturating_mul(2))
    }

    fn take(&self, state: &mut State, account: &Account, more: u32) {
        self.change(state, account, |state, holding| {
            state.taken = state.taken.saturating_add(more);
            holding.units.fetch_add(more, Ordering::Relaxed);
        });
    }

    fn give_back(self: &Arc<Self>, account: &Account, units: u32) {
        let mut state = self.state();
        self.change(&mut state, account, |state, holding| {
            state.taken = state.taken.saturating_sub(units);
            holding.units.fetch_sub(units, Ordering::Relaxed);
        });
        if !state.line.is_empty() {
            self.admit(state);
        }
    }

    /// Gives what is free to those in the line, as long as the first of them has room.
    fn admit<'p>(self: &'p Arc<Self>, mut state: MutexGuard<'p, State>) {
        loop {
            let waiting = state.line.iter().enumerate();
            let first = waiting.min_by_key(|(_, waiter)| (self.held(&waiter.account), waiter.number));
            let Some((place, waiter)) = first else { return };
            if !self.has_room(&state, &waiter.account, waiter.more, 0) {
                return;
            }
            let Waiter { account, more, granted, .. } = self.call_up(&mut state, place);
            self.take(&mut state, &account, more);
            // Whoever gave up meanwhile gives the share back, for which the state must be free.
            drop(state);
            let _ = granted.send(Share { pool: Arc::clone(self), account, units: more });
            state = self.state();
        }
    }

    /// A place in the line, if it is short enough or `account` has nothing yet.
    fn line_up(self: &Arc<Self>, account: &Arc<Account>, more: u32) -> Option<Place> {
        let mut state = self.state();
        let is_short = state.wanted.saturating_add(more) <= self.size / 2;
        if !is_short && !state.line.is_empty() && self.takes_part(account) {
            return None;
        }
        let number = state.arrivals;
        state.arrivals += 1;
        let (granted, grant) = oneshot::channel();
        self.change(&mut state, account, |state, holding| {
            state.line.push(Waiter { number, account: Arc::clone(account), more, granted });
            state.wanted = state.wanted.saturating_add(more);
            holding.waiting.fetch_add(1, Ordering::Relaxed);
        });
        Some(Place { pool: Arc::clone(self), number, grant })
    }

    /// Whoever stands at `place` of the line, no longer in it.
    fn call_up(&self, state: &mut State, place: usize) -> Waiter {
        let waiter = state.line.swap_remove(place);
        let account = Arc::clone(&waiter.account);
        self.change(state, &account, |state, holding| {
            state.wanted = state.wanted.saturating_sub(waiter.more);
            holding.waiting.fetch_sub(1, Ordering::Relaxed);
        });
        waiter
    }
}

impl Share {
    /// Makes the share at least `units` large. What wants more than there is takes all of it, and so is alone.
    ///
    /// # Errors
    /// If the caller would have more than it may, or there is no room for a while.
    pub(in crate::http) async fn grow(&mut self, units: u32) -> Result<(), Refusal> {
        let most = (self.pool.holding)(&self.account).most;
        let more = units.min(self.pool.size).min(most).saturating_sub(self.units);
        if more == 0 || self.try_grow(more, most)? {
            return Ok(());
        }
        let place = self.pool.line_up(&self.account, more).ok_or(Refusal::Overloaded)?;
        let granted = place.wait().await.ok_or(Refusal::Overloaded)?;
        self.merge(granted);
        Ok(())
    }

    /// Gives back everything.
    pub(in crate::http) fn clear(&mut self) {
        match std::mem::take(&mut self.units) {
            0 => {}
            units => self.pool.give_back(&self.account, units),
        }
    }

    /// Whether there was room for `more`, which the share has now.
    pub(super) fn try_grow(&mut self, more: u32, most: u32) -> Result<bool, Refusal> {
        let mut state = self.pool.state();
        if self.pool.held(&self.account).saturating_add(more) > most {
            return Err(Refusal::TooManyAtOnce);
        }
        let has_room = self.pool.has_room(&state, &self.account, more, state.wanted);
        if has_room {
            self.pool.take(&mut state, &self.account, more);
            drop(state);
            self.units += more;
        }
        Ok(has_room)
    }

    fn merge(&mut self, mut other: Share) {
        self.units += std::mem::take(&mut other.units);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A place in the line, which is left when this is dropped.
struct Place {
    pool: Arc<FairPool>,
    number: u64,
    grant: oneshot::Receiver<Share>,
}

impl Place {
    /// The share that was waited for, if it comes in time.
    async fn wait(mut self) -> Option<Share> {
        timeout(self.pool.patience, &mut self.grant).await.ok()?.ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.pool.state();
        if let Some(place) = state.line.iter().position(|waiter| waiter.number == self.number) {
            self.pool.call_up(&mut state, place);
            // What was kept for it may be room for the next.
            self.pool.admit(state);
        }
    }
}
