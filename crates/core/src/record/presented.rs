//! What a record says of facts besides the facts: what the call presented, and what a capability asked for.

use std::borrow::Cow;
use std::ops::Not;

use serde::{Deserialize, Serialize};

use super::wire;
use crate::model::{Demand, Presented, Signals, Timestamp};

/// What whoever acts presents, as far as facts can be about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PresentedInput<'a> {
    /// The session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Cow<'a, str>>,
    /// The device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Cow<'a, str>>,
    /// When the session began, if somebody vouches for that.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "wire::maybe_instant")]
    pub began: Option<Timestamp>,
    /// How the principal showed who it is, if somebody vouches for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub methods: Option<Vec<Cow<'a, str>>>,
    /// Whether more facts were in force than a call is decided by, so that everything was denied; then none of them is in the
    /// record.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub too_many_signals: bool,
}

/// What a capability asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DemandRecord<'a> {
    /// The type of the fact.
    pub signal: Cow<'a, str>,
    /// How old it may be, in seconds.
    pub max_age: u64,
    /// Where the capability is declared, `file:line:column`.
    pub capability: Cow<'a, str>,
}

impl<'a> PresentedInput<'a> {
    /// What is recorded of `signals` besides the facts; `None` if there is nothing.
    #[must_use]
    pub fn new(signals: &'a Signals<'_>) -> Option<Self> {
        let Presented { session, device, began, methods } = &signals.presented;
        let is_there = session.is_some() || device.is_some() || began.is_some() || methods.is_some();
        (is_there || signals.too_many).then(|| Self {
            session: session.as_deref().map(Cow::Borrowed),
            device: device.as_deref().map(Cow::Borrowed),
            began: *began,
            methods: methods
                .as_ref()
                .map(|methods| methods.iter().map(|name| Cow::Borrowed(&**name)).collect()),
            too_many_signals: signals.too_many,
        })
    }

    /// What was presented, again.
    #[must_use]
    pub fn presented(&self) -> Presented<'_> {
        Presented {
            session: self.session.as_deref().map(Cow::Borrowed),
            device: self.device.as_deref().map(Cow::Borrowed),
            began: self.began,
            methods: self
                .methods
                .as_ref()
                .map(|methods| methods.iter().map(|name| Cow::Borrowed(&**name)).collect()),
        }
    }
}

impl<'a> DemandRecord<'a> {
    /// What is recorded of `demand`.
    #[must_use]
    pub fn new(demand: &'a Demand) -> Self {
        Self {
            signal: Cow::Borrowed(&demand.signal),
            max_age: demand.max_age,
            capability: Cow::Borrowed(&demand.capability),
        }
    }

    /// The same, owning its texts.
    #[must_use]
    pub fn into_owned(self) -> DemandRecord<'static> {
        DemandRecord {
            signal: Cow::Owned(self.signal.into_owned()),
            max_age: self.max_age,
            capability: Cow::Owned(self.capability.into_owned()),
        }
    }
}
