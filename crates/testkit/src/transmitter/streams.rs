//! What a transmitter knows.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::serve::{Misconduct, Place};
use crate::issuer::SigningKey;

/// All that a transmitter knows. Tests may change any of it.
pub struct State {
    /// Its keys; the last one signs.
    pub keys: Vec<SigningKey>,
    /// Its streams, by their ids.
    pub streams: BTreeMap<String, Stream>,
    /// What requests must have as `Authorization`; anything if `None`.
    pub authorization: Option<String>,
    /// Id and secret of the client that is given tokens, which then are what requests must have.
    pub client: Option<(String, String)>,
    /// How long a poll waits for events.
    pub hold: Duration,
    /// Members of the metadata that are otherwise; `null` removes one.
    pub metadata: Value,
    /// Members of every configuration that it gives out that are otherwise.
    pub configuration: Value,
    /// Whether it has one stream for each receiver, and answers 409 to whoever wants another.
    pub one_stream: bool,
    /// Whether configurations can be replaced, and not changed in part.
    pub only_replaces: bool,
    /// A method that is refused for configurations, and the status that says so.
    pub refuses: Option<(&'static str, u16)>,
    /// How requests are treated next: place, how, how many times.
    pub misconduct: Vec<(Place, Misconduct, usize)>,
    /// How many requests have come to each place.
    pub requests: BTreeMap<Place, usize>,
    names: u64,
}

/// One stream.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Its configuration, as the receiver sees it.
    pub config: Value,
    /// `enabled`, `paused` or `disabled`.
    pub status: String,
    /// Why, if somebody said so.
    pub reason: Option<String>,
    /// The subjects that were added, and not removed since.
    pub subjects: Vec<Value>,
    /// What waits for the receiver: `jti` and SET, oldest first.
    pub pending: Vec<(String, String)>,
    /// The `jti` of every SET that was given out, as often as it was.
    pub given: Vec<String>,
    /// The `jti` of every SET that was acknowledged, once.
    pub acknowledged: Vec<String>,
    /// What the receiver said of SETs that it refuses.
    pub errors: BTreeMap<String, Value>,
    /// The requests for events, as they came.
    pub polls: Vec<Value>,
    /// The states that verifications were asked for with.
    pub verifications: Vec<Option<String>>,
}

impl State {
    /// One with this key and no stream.
    pub(super) fn new(key: SigningKey) -> Self {
        Self {
            keys: vec![key],
            streams: BTreeMap::new(),
            authorization: None,
            client: None,
            hold: Duration::from_secs(20),
            metadata: json!({}),
            configuration: json!({}),
            one_stream: true,
            only_replaces: false,
            refuses: None,
            misconduct: Vec::new(),
            requests: BTreeMap::new(),
            names: 0,
        }
    }

    /// The stream `id`, which there is.
    pub fn stream(&mut self, id: &str) -> &mut Stream {
        self.streams.get_mut(id).unwrap_or_else(|| panic!("there is no stream `{id}`"))
    }

    /// The key that signs.
    pub(super) fn key(&self) -> &SigningKey {
        self.keys.last().expect("there is a key")
    }

    /// A SET with these claims.
    pub(super) fn sign(&self, claims: &Value) -> String {
        let key = self.key();
        let header = json!({"alg": key.alg, "kid": key.kid, "typ": "secevent+jwt"});
        key.sign(&header, claims.to_string().as_bytes())
    }

    /// A name that was never given.
    pub(super) fn next_name(&mut self, kind: &str) -> String {
        self.names += 1;
        format!("{kind}-{}", self.names)
    }

    /// How the next request to `place` is to be mistreated.
    pub(super) fn next_misconduct(&mut self, place: Place) -> Option<Misconduct> {
        let at = self.misconduct.iter().position(|(at, _, times)| *at == place && *times > 0)?;
        let (_, conduct, times) = &mut self.misconduct[at];
        *times -= 1;
        Some(conduct.clone())
    }
}

impl Stream {
    /// One that is enabled and empty.
    #[must_use]
    pub fn new(config: Value) -> Self {
        Self {
            config,
            status: "enabled".to_owned(),
            reason: None,
            subjects: Vec::new(),
            pending: Vec::new(),
            given: Vec::new(),
            acknowledged: Vec::new(),
            errors: BTreeMap::new(),
            polls: Vec::new(),
            verifications: Vec::new(),
        }
    }

    /// Whether the receiver asks for its events.
    #[must_use]
    pub fn is_polled(&self) -> bool {
        self.config["delivery"]["method"] == "urn:ietf:rfc:8936"
    }
}
