//! Who gets room when there is not enough for all: each caller has an account, and the accounts share what there is.
//!
//! Two things are counted for each caller: how often it asks (`src/rate.rs`), and how much of the server it has in hand
//! (`fair.rs`). A caller that showed who it is has an account of its own, everyone else shares one with its network
//! (`accounts.rs`). A connection keeps the account it used last, so that a call costs no lookup (`guest.rs`).

mod account;
mod accounts;
mod fair;
mod guest;

pub(super) use account::Account;
pub(super) use accounts::{Accounts, Network};
pub(super) use fair::{FairPool, Share};
pub(super) use guest::Guest;

#[cfg(test)]
mod tests;
