//! Who sends a request: the enforcement point, not the principal it asks about.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use procura_core::record;

/// The sender of one request, as far as it is known. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub identity: Arc<Identity>,
    /// The address it connects from; `None` for a call that came through no connection.
    pub address: Option<SocketAddr>,
}

/// Who a caller is, and what it brings with it. One value serves all requests that show the same credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its authenticated name; `None` if it showed none.
    pub name: Option<String>,
    /// How it showed who it is; `None` if it did not.
    pub method: Option<Method>,
    /// Who vouches for it: the issuer of its token, the trust domain of its certificate.
    pub issuer: Option<String>,
    /// By which key: the `kid` of its token, the id of its API key, the fingerprint of its certificate.
    pub key: Option<String>,
    /// Its roles, as the configuration gives them.
    pub roles: Vec<String>,
    /// The tenants it is bound to; `None` if it is bound to none.
    pub tenants: Option<Vec<String>>,
    /// Whether it is configured as an agent.
    pub agent: bool,
}

/// How a caller shows who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// By a client certificate.
    Certificate,
    /// By a token of a configured issuer.
    Token,
    /// By an API key.
    Key,
}

impl Method {
    /// The name in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Certificate => "certificate",
            Method::Token => "token",
            Method::Key => "key",
        }
    }
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

/// The tenants that there are for requests of `caller`.
pub(super) fn tenants_of(caller: &Caller) -> Option<Vec<Cow<'static, str>>> {
    let tenants = caller.identity.tenants.as_ref()?;
    Some(tenants.iter().cloned().map(Cow::Owned).collect())
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
