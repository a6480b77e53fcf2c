//! What one caller may have, and what it has now.

use std::sync::atomic::AtomicU32;

use super::super::limits::CallerLimits;
use crate::rate::Rate;

/// Bad credentials in a second, in the long run, after which no more are judged: a forged signature takes about as long to
/// refute as ten small calls to decide. And how many at once, for a fleet whose credential has just ended.
const BAD_CREDENTIALS: u32 = 100;
const BAD_CREDENTIALS_AT_ONCE: u32 = 1000;

/// The account of one caller, or of all that share one.
#[derive(Debug)]
pub(in crate::http) struct Account {
    /// How often it asks.
    pub(super) rate: Option<Rate>,
    /// How often it shows a bad credential.
    pub(super) bad_credentials: Rate,
    /// Its part of the work on calls.
    pub(in crate::http) work: Holding,
    /// Its part of the bytes of bodies on their way in.
    pub(in crate::http) arriving: Holding,
    /// Its part of the bytes of answers on their way out.
    pub(in crate::http) leaving: Holding,
}

/// What an account holds of a pool. Only the pool changes it.
#[derive(Debug)]
pub(in crate::http) struct Holding {
    /// Units now.
    pub(super) units: AtomicU32,
    /// How many of its calls wait for some.
    pub(super) waiting: AtomicU32,
    /// Most units, whatever is free.
    pub(super) most: u32,
}

impl Account {
    /// A new account within `limits`.
    pub(in crate::http) fn new(limits: &CallerLimits) -> Self {
        let holding = |most| Holding { units: AtomicU32::new(0), waiting: AtomicU32::new(0), most };
        Self {
            rate: limits.requests_per_second.map(|per_second| Rate::new(per_second.get(), limits.burst)),
            bad_credentials: Rate::new(BAD_CREDENTIALS, BAD_CREDENTIALS_AT_ONCE),
            work: holding(limits.concurrent),
            arriving: holding(u32::MAX),
            leaving: holding(u32::MAX),
        }
    }

    /// Whether it has been still for so long that a new account would be the same.
    pub(super) fn is_as_new(&self) -> bool {
        self.rate.as_ref().is_none_or(Rate::is_full) && self.bad_credentials.is_full()
    }
}
