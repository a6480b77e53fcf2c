//! Who sends a request: the enforcement point, not the principal it asks about.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use procura_core::record;

use crate::ports::Identity;

/// The sender of one request, as far as it is known. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub identity: Arc<Identity>,
    /// The address it connects from; `None` for a call that came through no connection.
    pub address: Option<SocketAddr>,
}

impl Caller {
    /// A caller that showed no credential and is bound to these tenants.
    #[must_use]
    pub fn bound_to(tenants: Vec<String>) -> Self {
        let identity = Identity { tenants: Some(tenants), ..Identity::default() };
        Self { identity: Arc::new(identity), address: None }
    }

    /// A caller that showed no credential.
    #[must_use]
    pub fn unknown(address: Option<SocketAddr>) -> Self {
        static NOBODY: LazyLock<Arc<Identity>> = LazyLock::new(Arc::default);
        Self { identity: Arc::clone(&NOBODY), address }
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
