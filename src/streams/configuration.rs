//! The configuration of a stream as its transmitter has it, and as it is wanted (Shared Signals Framework 1.0, section 8.1.1).

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::ask::object;
use super::settings::{ManagementSettings, StreamSettings};
use crate::ports::Delivery;

/// Most of a text of a transmitter that is shown, in characters.
const SHOWN: usize = 200;

/// The configuration of a stream, of which what is not looked at here is ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Configuration {
    pub(super) stream_id: String,
    iss: Option<String>,
    aud: Option<Audiences>,
    events_requested: Option<Vec<String>>,
    events_delivered: Option<Vec<String>>,
    #[serde(default)]
    pub(super) delivery: DeliveryConfiguration,
    pub(super) min_verification_interval: Option<u64>,
    description: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Several(Vec<String>),
}

/// Who brings the events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct DeliveryConfiguration {
    method: Option<String>,
    pub(super) endpoint_url: Option<String>,
    authorization_header: Option<String>,
}

/// Every stream of a receiver. There are transmitters that tell of the only one without a list.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Configurations {
    Several(Vec<Configuration>),
    One(Box<Configuration>),
}

/// What a stream is to be like.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) settings: &'a StreamSettings,
    pub(super) management: &'a ManagementSettings,
    pub(super) delivery: Delivery,
    /// Where events are pushed to.
    pub(super) url: Option<&'a str>,
    /// What they come with.
    pub(super) header: Option<String>,
}

impl From<Configurations> for Vec<Configuration> {
    fn from(configurations: Configurations) -> Self {
        match configurations {
            Configurations::Several(several) => several,
            Configurations::One(one) => vec![*one],
        }
    }
}

impl Configuration {
    /// The types of events that are delivered, as far as the transmitter says so.
    pub(super) fn delivered(&self) -> Vec<String> {
        self.events_delivered.clone().unwrap_or_default()
    }

    fn audiences(&self) -> &[String] {
        match &self.aud {
            Some(Audiences::One(one)) => std::slice::from_ref(one),
            Some(Audiences::Several(several)) => several,
            None => &[],
        }
    }
}

impl Wanted<'_> {
    /// Whether `found` is this stream: its events go to us.
    pub(super) fn is(&self, found: &Configuration) -> bool {
        found.delivery.method.as_deref() == Some(self.delivery.method())
            && match self.url {
                Some(url) => found.delivery.endpoint_url.as_deref() == Some(url),
                None => self.is_audience(found),
            }
    }

    /// What a new stream is asked for with.
    pub(super) fn creation(&self) -> Value {
        Value::Object(self.members())
    }

    /// What takes the place of all that we say of the stream `id`.
    pub(super) fn replacement(&self, id: &str) -> Value {
        let mut members = self.members();
        members.insert("stream_id".to_owned(), id.into());
        Value::Object(members)
    }

    /// What must change of `found`, if anything must. `told` is the `Authorization` that the transmitter was last told.
    pub(super) fn changes(&self, found: &Configuration, told: Option<&str>) -> Option<Value> {
        let delivery = &found.delivery;
        let header = delivery.authorization_header.as_deref().or(told);
        let fits = delivery.method.as_deref() == Some(self.delivery.method())
            && self.url.is_none_or(|url| delivery.endpoint_url.as_deref() == Some(url))
            && self.header.as_deref().is_none_or(|wanted| header == Some(wanted));
        let mut members = self.members();
        if fits {
            members.remove("delivery");
        }
        if found
            .events_requested
            .as_ref()
            .is_some_and(|asked| as_set(asked) == as_set(&self.management.events))
        {
            members.remove("events_requested");
        }
        if found.description == self.management.description {
            members.remove("description");
        }
        if members.is_empty() {
            return None;
        }
        members.insert("stream_id".to_owned(), found.stream_id.as_str().into());
        Some(Value::Object(members))
    }

    /// Why events of `found` would be refused, if they would.
    pub(super) fn mismatch(&self, found: &Configuration) -> Option<String> {
        let issuer = &self.settings.place.issuer;
        if found.iss.as_ref().is_some_and(|iss| iss != issuer) {
            return Some(format!(
                "the events of the stream are not from `{issuer}`, as the transmitter says"
            ));
        }
        if found.delivery.method.as_deref() != Some(self.delivery.method()) {
            return Some(format!("the transmitter does not deliver by {}", self.delivery.as_str()));
        }
        if !self.is_audience(found) {
            let told = found.audiences().first().map(String::as_str).unwrap_or_default();
            let told: String = told.escape_debug().take(SHOWN).collect();
            return Some(format!(
                "the events of the stream are for `{told}`, which is none of the `audiences`"
            ));
        }
        None
    }

    /// The events that were asked for and are not delivered.
    pub(super) fn missing(&self, found: &Configuration) -> Option<String> {
        let delivered = as_set(found.events_delivered.as_ref()?);
        let missing = as_set(&self.management.events).difference(&delivered).copied().collect::<Vec<_>>();
        let some = missing.iter().take(3).copied().collect::<Vec<_>>().join("`, `");
        let more =
            if missing.len() > 3 { format!(" and {} others", missing.len() - 3) } else { String::new() };
        (!missing.is_empty()).then(|| format!("the transmitter does not deliver `{some}`{more}"))
    }

    fn is_audience(&self, found: &Configuration) -> bool {
        found.audiences().iter().any(|aud| self.settings.audiences.contains(aud))
    }

    /// What a receiver says of a stream.
    fn members(&self) -> Map<String, Value> {
        let delivery = object([
            ("method", Some(self.delivery.method().into())),
            ("endpoint_url", self.url.map(Into::into)),
            ("authorization_header", self.header.as_deref().map(Into::into)),
        ]);
        let mut members = Map::new();
        members.insert("delivery".to_owned(), delivery);
        members.insert("events_requested".to_owned(), self.management.events.as_slice().into());
        if let Some(description) = &self.management.description {
            members.insert("description".to_owned(), description.as_str().into());
        }
        members
    }
}

fn as_set(events: &[String]) -> BTreeSet<&str> {
    events.iter().map(String::as_str).collect()
}
