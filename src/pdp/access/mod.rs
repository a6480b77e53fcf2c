//! What callers may do: decided by the engine, from policies about the resource `procura:api` that ship with the program
//! or that an operator has put in their place.

mod watch;

pub use watch::{AccessError, AccessWatch};

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use arc_swap::{ArcSwap, ArcSwapOption};
use procura_core::engine::{self, Settings};
use procura_core::limits::COMPILE_STACK_BYTES;
use procura_core::model::{Effect, Item, Principal, Request, Resource, Timestamp};
use procura_core::policy::{self, Severity, Snapshot, SourceFile};
use procura_core::value::{Map, Value};

use crate::ports::Identity;

/// The resource of the policies.
const KIND: &str = "procura:api";

/// The policies that ship.
const SHIPPED: &str = include_str!("policies/api.yaml");

/// What a caller asks the server to do. Each path needs one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A decision about one resource.
    Decide,
    /// Decisions about several resources in one call.
    Batch,
    /// To explain decisions.
    Explain,
    /// To read the decision log.
    Audit,
    /// To take signals from the caller.
    Signals,
    /// To show, state and withdraw facts, and to show where signals come from.
    Facts,
    /// To tell the caller what decisions may have changed about.
    Changes,
    /// To issue and revoke mandates.
    Mandates,
    /// To show metrics and the details of readiness.
    Metrics,
    /// To be administrated.
    Admin,
}

impl Action {
    /// Every action, each at its place.
    pub const ALL: [Self; 10] = [
        Self::Decide,
        Self::Batch,
        Self::Explain,
        Self::Audit,
        Self::Signals,
        Self::Facts,
        Self::Changes,
        Self::Mandates,
        Self::Metrics,
        Self::Admin,
    ];

    /// The name in policies; the shipped ones have a role of the same name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decide => "decide",
            Self::Batch => "batch",
            Self::Explain => "explain",
            Self::Audit => "audit",
            Self::Signals => "signals",
            Self::Facts => "facts",
            Self::Changes => "changes",
            Self::Mandates => "mandates",
            Self::Metrics => "metrics",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u8
    }
}

/// The actions that a caller may do; none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights(u16);

impl Rights {
    /// That to do `action`, and no other.
    #[must_use]
    pub const fn to(action: Action) -> Self {
        Self(action.bit())
    }

    /// Whether `action` is one of them.
    #[must_use]
    pub const fn include(self, action: Action) -> bool {
        self.0 & action.bit() != 0
    }
}

/// The policies about callers that are live.
#[derive(Debug)]
pub struct Access {
    snapshot: ArcSwap<Snapshot>,
    epoch: AtomicU64,
    trouble: ArcSwapOption<String>,
}

impl Access {
    /// What the policies that ship allow.
    ///
    /// # Errors
    /// If no thread can be started to compile them.
    pub fn shipped() -> Result<Self, AccessError> {
        let file = SourceFile { path: "api.yaml".into(), text: SHIPPED.into() };
        Ok(Self::of(compile(vec![file])?))
    }

    fn of(snapshot: Snapshot) -> Self {
        let (snapshot, trouble) = (ArcSwap::from_pointee(snapshot), ArcSwapOption::empty());
        Self { snapshot, epoch: AtomicU64::new(0), trouble }
    }

    fn replace(&self, snapshot: Snapshot) {
        self.snapshot.store(Arc::new(snapshot));
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// Rises whenever callers may have other rights than before.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Why the policies are not those of their source, if they are not.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.load().as_deref().cloned()
    }

    /// What `identity` may do when it calls from `address` at the instant `now`. Who has no role may do nothing.
    #[must_use]
    pub fn rights(&self, identity: &Identity, address: Option<IpAddr>, now: Timestamp) -> Rights {
        if identity.roles.is_empty() {
            return Rights::default();
        }
        let request = request(identity, address);
        let evaluation = engine::decide(&self.snapshot.load(), &request, &Settings::default(), now);
        let decided = evaluation.resources.first().map(|resource| &*resource.actions).unwrap_or_default();
        let allowed =
            Action::ALL.iter().zip(decided).filter(|(_, decision)| decision.effect == Effect::Allow);
        Rights(allowed.fold(0, |rights, (action, _)| rights | action.bit()))
    }
}

/// Asks whether the caller may do each of [`Action::ALL`].
fn request<'a>(identity: &'a Identity, address: Option<IpAddr>) -> Request<'a> {
    let text = |text: &'a str| Value::String(Cow::Borrowed(text));
    let mut attr = Map::default();
    let mut add = |name: &'static str, value: Option<Value<'a>>| {
        if let Some(value) = value {
            attr.insert(Cow::Borrowed(name), value);
        }
    };
    add("method", identity.method.map(|method| text(method.as_str())));
    add("issuer", identity.issuer.as_deref().map(text));
    add("key", identity.key.as_deref().map(text));
    let tenants = |tenants: &'a Vec<String>| Value::List(tenants.iter().map(|tenant| text(tenant)).collect());
    add("tenants", identity.tenants.as_ref().map(tenants));
    add("agent", Some(Value::Bool(identity.agent)));
    add("address", address.map(|address| Value::String(Cow::Owned(address.to_canonical().to_string()))));
    let first_role = identity.roles.first().map(String::as_str).unwrap_or_default();
    let principal = Principal {
        // Who showed no credential has the name of its one role.
        id: Cow::Borrowed(identity.name.as_deref().unwrap_or(first_role)),
        roles: identity.roles.iter().map(|role| Cow::Borrowed(role.as_str())).collect(),
        attr,
        policy_version: Cow::Borrowed(""),
        scope: Cow::Borrowed(""),
    };
    let resource = Resource { kind: Cow::Borrowed(KIND), id: Cow::Borrowed("api"), ..Resource::default() };
    let actions = Action::ALL.iter().map(|action| Cow::Borrowed(action.as_str())).collect();
    let item = Item { resource, actions };
    Request { principal, items: [item].into_iter().collect(), ..Request::default() }
}

/// Compiles `files` on a thread with the stack that it takes.
fn compile(files: Vec<SourceFile>) -> Result<Snapshot, AccessError> {
    let builder = thread::Builder::new().name("access-compile".into()).stack_size(COMPILE_STACK_BYTES);
    let compiling = builder.spawn(move || policy::compile(&files)).map_err(AccessError::Thread)?;
    let compiled = compiling.join().map_err(|_| AccessError::Defect)?;
    let Some(snapshot) = compiled.snapshot else {
        let errors = compiled.diagnostics.iter().filter(|found| found.severity == Severity::Error);
        return Err(AccessError::Policies(errors.map(policy::render).collect()));
    };
    let is_about_callers = snapshot.resource_policies.iter().any(|policy| &*policy.subject == KIND);
    if is_about_callers { Ok(snapshot) } else { Err(AccessError::Missing) }
}

#[cfg(test)]
mod tests;
