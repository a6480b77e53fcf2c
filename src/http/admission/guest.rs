//! One connection as admission sees it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::account::Account;
use super::accounts::{Accounts, Network};
use crate::http::error::Refusal;
use crate::pdp::{Caller, Identity};
use crate::rate::Rate;

/// Who is at the other end of a connection, with the accounts of those that speak through it.
#[derive(Debug)]
pub(in crate::http) struct Guest {
    stranger: Arc<Account>,
    last: Mutex<Option<(Arc<Identity>, Arc<Account>)>>,
}

impl Guest {
    /// The guest at `address`.
    pub(in crate::http) fn new(address: SocketAddr, accounts: &Accounts) -> Self {
        let stranger = accounts.of_network(Network::of(address.ip()));
        Self { stranger, last: Mutex::default() }
    }

    /// The account of `caller`, which spoke through this connection, after one more request is charged to it.
    ///
    /// # Errors
    /// If it has made too many.
    pub(in crate::http) fn admit(
        &self,
        caller: &Caller,
        accounts: &Accounts,
    ) -> Result<Arc<Account>, Refusal> {
        let account = self.account(caller, accounts);
        match account.rate.as_ref().map_or(Ok(()), Rate::take) {
            Ok(()) => Ok(account),
            Err(wait) => Err(Refusal::TooOften { wait }),
        }
    }

    /// Whether a credential that it shows is judged.
    ///
    /// # Errors
    /// How long it is not, if its network has shown too many bad ones.
    pub(in crate::http) fn may_show_credential(&self) -> Result<(), Duration> {
        self.stranger.bad_credentials.look()
    }

    /// Charges its network with a bad credential.
    pub(in crate::http) fn has_shown_bad_credential(&self) {
        // There may be none left: then this one was judged beside others.
        let _ = self.stranger.bad_credentials.take();
    }

    /// The account of `caller`, which spoke through this connection.
    pub(in crate::http) fn account(&self, caller: &Caller, accounts: &Accounts) -> Arc<Account> {
        let identity = &caller.identity;
        if identity.name.is_none() {
            return Arc::clone(&self.stranger);
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, account)) = last.as_ref().filter(|(known, _)| Arc::ptr_eq(known, identity)) {
            return Arc::clone(account);
        }
        let account = accounts.of_identity(identity).unwrap_or_else(|| Arc::clone(&self.stranger));
        *last = Some((Arc::clone(identity), Arc::clone(&account)));
        account
    }
}
