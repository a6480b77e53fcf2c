//! Who a caller is: what the adapters that know credentials say about whoever shows one.

/// The role of requests without a credential that are made on this machine.
pub const LOCAL: &str = "local";

/// The role of all other requests without a credential.
pub const ANONYMOUS: &str = "anonymous";

/// Whether only requests without a credential have `role`, so that no credential may give it.
#[must_use]
pub fn is_reserved_role(role: &str) -> bool {
    [LOCAL, ANONYMOUS].contains(&role)
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
