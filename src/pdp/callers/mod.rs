//! Who sends a request, found out from what it shows, and what that caller may do.

mod tokens;

pub use tokens::{TokenCallers, TokenIssuer};

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use procura_core::model::Timestamp;

use super::access::Access;
use super::{Caller, Quarantines};
use crate::ports::{ANONYMOUS, ApiKeys, Clock, Identity, KeyFault, LOCAL, Method, Origin, Quarantine};
use crate::telemetry::events::CallerRefused;
use crate::telemetry::{Metrics, Refused};

/// How long what was found out about a caller is believed: policies about callers may ask what time it is.
const BELIEVED: Duration = Duration::from_secs(1);

/// Refused callers that are logged in one second; the others are counted only.
const LOGGED: u64 = 10;

/// How every API key begins.
const KEY_PREFIX: &str = "procura_";

/// What becomes of requests without a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anonymous {
    /// They are refused.
    Refuse,
    /// Those made on this machine have the role `local`, all others are refused.
    Local,
    /// Those made on this machine have the role `local`, all others `anonymous`.
    Allow,
}

/// What a request shows of who sent it. It holds secrets, so there is no way to print it.
#[derive(Clone, Copy, Default)]
pub struct Shown<'r> {
    /// Who the client certificate of its connection stands for.
    pub certificate: Option<&'r Arc<Identity>>,
    /// The value of `Authorization`.
    pub authorization: Option<&'r str>,
    /// The value of `X-API-Key`.
    pub key: Option<&'r str>,
    /// Whether it shows more than one of either, or something that is no text.
    pub garbled: bool,
    /// Whether it was made on this machine.
    pub local: bool,
    /// Whether it asks for what everybody is told, so that a credential is not missed.
    pub open: bool,
}

/// Who sends a request.
#[derive(Clone, Debug)]
pub struct Found {
    /// The caller.
    pub caller: Caller,
    /// Until when that is so, unless [`Callers::epoch`] changes before.
    pub until: Timestamp,
}

/// Why a request has no caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// It shows no credential, and needs one.
    #[error("no credential")]
    NoCredential,
    /// A credential that it shows is not good.
    #[error("a bad credential")]
    BadCredential,
    /// Nobody can say yet: the keys of the issuer of its token could not be fetched.
    #[error("a credential that cannot be judged")]
    Unjudged,
    /// It shows a credential at which nobody looks: too many bad ones came from where it comes from.
    #[error("a credential after too many bad ones")]
    Unheard {
        /// Until when it has to wait.
        wait: Duration,
    },
}

/// Knows callers and their rights.
pub struct Callers {
    access: Arc<Access>,
    anonymous: Anonymous,
    keys: Option<Arc<dyn ApiKeys>>,
    tokens: Option<TokenCallers>,
    quarantine: Arc<dyn Quarantine>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    logged: Throttle,
}

/// Why nobody vouches for a request.
struct Reason {
    refused: Refused,
    /// More for whoever looks after the server; nothing of what was shown is in it.
    detail: Option<Cow<'static, str>>,
}

impl From<Refused> for Reason {
    fn from(refused: Refused) -> Self {
        Self { refused, detail: None }
    }
}

impl Reason {
    fn of_token(detail: impl Into<Cow<'static, str>>) -> Self {
        Self { refused: Refused::BadToken, detail: Some(detail.into()) }
    }
}

/// Who a credential stands for, and when it ends.
struct Holder {
    identity: Arc<Identity>,
    expires: Option<Timestamp>,
}

impl Callers {
    /// Callers without credentials only.
    #[must_use]
    pub fn new(
        access: Arc<Access>,
        anonymous: Anonymous,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            access,
            anonymous,
            keys: None,
            tokens: None,
            quarantine: Arc::new(Quarantines::default()),
            clock,
            metrics,
            logged: Throttle::default(),
        }
    }

    /// The same, which also knows the holders of `keys`.
    #[must_use]
    pub fn with_keys(self, keys: Option<Arc<dyn ApiKeys>>) -> Self {
        Self { keys, ..self }
    }

    /// The same, which also knows whom `tokens` name.
    #[must_use]
    pub fn with_tokens(self, tokens: Option<TokenCallers>) -> Self {
        Self { tokens, ..self }
    }

    /// The same, which relies on nothing that is under `quarantine`.
    #[must_use]
    pub fn with_quarantine(self, quarantine: Arc<dyn Quarantine>) -> Self {
        Self { quarantine, ..self }
    }

    /// What time it is for credentials.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Changes whenever a caller may have become another, or may do something else than before. Cheap.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        let keys = self.keys.as_ref().map_or(0, |keys| keys.epoch());
        self.access.epoch().wrapping_add(keys).wrapping_add(self.quarantine.epoch())
    }

    /// Why keys or policies about callers are not those of their sources, if they are not.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let keys = self.keys.as_ref().and_then(|keys| keys.trouble());
        keys.or_else(|| self.access.trouble())
    }

    /// Who calls from `address` and shows `shown`. One credential that is not good spoils the whole request; of several good
    /// ones the most particular counts: token or key before certificate.
    ///
    /// # Errors
    /// If nobody vouches for the request; that is counted, and logged without what was shown.
    pub async fn identify(&self, shown: &Shown<'_>, address: Option<SocketAddr>) -> Result<Found, Unknown> {
        let now = self.now();
        let holder = self.holder(shown, now).await;
        match holder.and_then(|holder| self.relied_on(holder, shown.certificate)) {
            Ok(Holder { identity, expires }) => {
                let rights = self.access.rights(&identity, address.map(|address| address.ip()), now);
                let believed = now.saturating_add(BELIEVED).unwrap_or(now);
                let until = expires.map_or(believed, |expires| expires.min(believed));
                Ok(Found { caller: Caller { identity, address, rights }, until })
            }
            Err(reason) if shown.open && reason.refused == Refused::NoCredential => {
                Err(Unknown::NoCredential)
            }
            Err(reason) => Err(self.refuse(reason, address, now)),
        }
    }

    /// Refuses a caller from `address` whose certificate is not good any more.
    pub fn distrust(&self, address: SocketAddr) -> Unknown {
        self.refuse(Refused::BadCertificate.into(), Some(address), self.now())
    }

    fn refuse(&self, reason: Reason, address: Option<SocketAddr>, now: Timestamp) -> Unknown {
        let is_logged = self.logged.takes(now);
        let Reason { refused, detail } = reason;
        CallerRefused { refused, detail: detail.as_deref(), address }.emit(&self.metrics, is_logged);
        match refused {
            Refused::NoCredential => Unknown::NoCredential,
            Refused::KeysUnavailable => Unknown::Unjudged,
            _ => Unknown::BadCredential,
        }
    }

    async fn holder(&self, shown: &Shown<'_>, now: Timestamp) -> Result<Holder, Reason> {
        // Where nobody can be authenticated, what looks like a credential is somebody else's business.
        if self.keys.is_none() && self.tokens.is_none() && shown.certificate.is_none() {
            return Ok(self.without_credential(shown.local)?);
        }
        if shown.garbled || (shown.authorization.is_some() && shown.key.is_some()) {
            return Err(Refused::Garbled.into());
        }
        let of_request = match (shown.authorization, shown.key) {
            (Some(authorization), _) => Some(self.bearer(authorization, now).await?),
            (None, Some(key)) => Some(self.key(key, now)?),
            (None, None) => None,
        };
        match (of_request, shown.certificate) {
            (Some(holder), _) => Ok(holder),
            (None, Some(identity)) => Ok(Holder { identity: Arc::clone(identity), expires: None }),
            (None, None) => Ok(self.without_credential(shown.local)?),
        }
    }

    /// `holder`, if neither its credential nor the `certificate` beside it is under quarantine.
    fn relied_on(&self, holder: Holder, certificate: Option<&Arc<Identity>>) -> Result<Holder, Reason> {
        let is_quarantined = |identity: &Arc<Identity>| {
            let Identity { issuer, key, method, .. } = &**identity;
            // The key set of an issuer has its name.
            let key_set = issuer.as_deref().filter(|_| *method == Some(Method::Token));
            let origin = Origin { issuer: issuer.as_deref(), key_set, key: key.as_deref() };
            method.is_some() && self.quarantine.is_quarantined(&origin)
        };
        match is_quarantined(&holder.identity) || certificate.is_some_and(is_quarantined) {
            true => Err(Refused::Quarantined.into()),
            false => Ok(holder),
        }
    }

    fn without_credential(&self, local: bool) -> Result<Holder, Refused> {
        static HERE: LazyLock<Arc<Identity>> = LazyLock::new(|| of_role(LOCAL));
        static ELSEWHERE: LazyLock<Arc<Identity>> = LazyLock::new(|| of_role(ANONYMOUS));
        let identity = match self.anonymous {
            Anonymous::Local | Anonymous::Allow if local => Arc::clone(&HERE),
            Anonymous::Allow => Arc::clone(&ELSEWHERE),
            Anonymous::Local | Anonymous::Refuse => return Err(Refused::NoCredential),
        };
        Ok(Holder { identity, expires: None })
    }

    /// `Authorization: Bearer …` (RFC 6750): a key of ours, or else a token.
    async fn bearer(&self, authorization: &str, now: Timestamp) -> Result<Holder, Reason> {
        let (scheme, text) = authorization.split_once(' ').ok_or(Refused::Garbled)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Refused::Garbled.into());
        }
        let text = text.trim_matches(' ');
        match &self.tokens {
            _ if text.starts_with(KEY_PREFIX) => Ok(self.key(text, now)?),
            Some(tokens) => tokens.holder(Cow::Borrowed(text), now).await,
            None => Err(Reason::of_token("`callers.tokens` names no issuer")),
        }
    }

    fn key(&self, text: &str, now: Timestamp) -> Result<Holder, Refused> {
        let keys = self.keys.as_ref().ok_or(Refused::UnknownKey)?;
        let held = keys.holder(text).map_err(|fault| match fault {
            KeyFault::Unknown => Refused::UnknownKey,
            KeyFault::Revoked => Refused::RevokedKey,
        })?;
        match held.expires {
            Some(expires) if now >= expires => Err(Refused::ExpiredKey),
            expires => Ok(Holder { identity: held.identity, expires }),
        }
    }
}

fn of_role(role: &str) -> Arc<Identity> {
    Arc::new(Identity { roles: vec![role.to_owned()], ..Identity::default() })
}

/// Lets a few occurrences of each second through.
#[derive(Default)]
struct Throttle(AtomicU64);

impl Throttle {
    /// Whether one more may pass at `now`. Two that come at the same moment may both.
    fn takes(&self, now: Timestamp) -> bool {
        let second = now.as_second().max(0).unsigned_abs() << 8;
        let seen = self.0.load(Ordering::Relaxed);
        let next = if seen >> 8 == second >> 8 { seen + 1 } else { second + 1 };
        let takes = next & 0xff <= LOGGED;
        if takes {
            self.0.store(next, Ordering::Relaxed);
        }
        takes
    }
}

#[cfg(test)]
mod tests;
