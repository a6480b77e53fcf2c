//! Who sends a request: the enforcement point, not the principal it asks about.

use std::net::SocketAddr;

/// The sender of one request, as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Its authenticated name; `None` until callers authenticate.
    pub name: Option<String>,
    /// The address it connects from; `None` for a call that came through no connection.
    pub address: Option<SocketAddr>,
}
