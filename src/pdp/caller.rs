//! Who sends a request: the enforcement point, not the principal it asks about.

use std::borrow::Cow;
use std::net::SocketAddr;

use procura_core::record;

/// The sender of one request, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its authenticated name; `None` until callers authenticate.
    pub name: Option<String>,
    /// The address it connects from; `None` for a call that came through no connection.
    pub address: Option<SocketAddr>,
}

/// How records name `caller`.
pub(super) fn sender(caller: &Caller) -> record::Caller<'_> {
    record::Caller {
        name: caller.name.as_deref().map(Cow::Borrowed),
        address: caller.address.map(|address| Cow::Owned(address.to_string())),
    }
}
