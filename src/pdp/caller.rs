//! Who sends a request: the enforcement point, not the principal it asks about.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use procura_core::record;

use super::access::{Action, Rights};
use crate::ports::Identity;

/// The sender of one request, as far as it is known. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub identity: Arc<Identity>,
    /// The address it connects from; `None` for a call that came through no connection.
    pub address: Option<SocketAddr>,
    /// What it may do.
    pub rights: Rights,
}

impl Caller {
    /// A caller that showed no credential and is bound to these tenants.
    #[must_use]
    pub fn bound_to(tenants: Vec<String>) -> Self {
        let identity = Identity { tenants: Some(tenants), ..Identity::default() };
        Self { identity: Arc::new(identity), address: None, rights: Rights::default() }
    }

    /// A caller that showed no credential and has no rights over HTTP.
    #[must_use]
    pub fn unknown(address: Option<SocketAddr>) -> Self {
        static NOBODY: LazyLock<Arc<Identity>> = LazyLock::new(Arc::default);
        Self { identity: Arc::clone(&NOBODY), address, rights: Rights::default() }
    }

    /// One that showed no credential of a caller, and may do `action` for another reason.
    #[must_use]
    pub fn allowed(action: Action, address: Option<SocketAddr>) -> Self {
        Self { rights: Rights::to(action), ..Self::unknown(address) }
    }

    /// Whether it may do `action`.
    #[must_use]
    pub fn may(&self, action: Action) -> bool {
        self.rights.include(action)
    }
}

/// How records name `caller`.
pub(super) fn sender(caller: &Caller) -> record::Caller<'_> {
    let Identity { name, method, issuer, key, tenants, .. } = &*caller.identity;
    record::Caller {
        name: name.as_deref().map(Cow::Borrowed),
        method: method.map(|method| Cow::Borrowed(method.as_str())),
        issuer: issuer.as_deref().map(Cow::Borrowed),
        key: key.as_deref().map(Cow::Borrowed),
        tenants: tenants
            .as_ref()
            .map(|tenants| tenants.iter().map(|tenant| Cow::Borrowed(tenant.as_str())).collect()),
        address: caller.address.map(|address| Cow::Owned(address.to_string())),
    }
}
