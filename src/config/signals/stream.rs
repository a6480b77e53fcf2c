//! `signals.streams`: the transmitters of security event tokens.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::header::HeaderValue;
use procura_core::signal::SubjectRules;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::subject::{self, SubjectEntry};
use super::{bounded, known_patterns};
use crate::config::aux_data::{KeySet, KeySetList};
use crate::config::callers::tenants_problem;
use crate::config::entry::{Problem, duration, name, number};
use crate::config::url;
use crate::secret::SecretSource;

/// Most streams; each may have a connection.
const MAX_STREAMS: usize = 64;

/// The type of a security event token (RFC 8417, section 2.3).
const SET: &str = "secevent+jwt";

/// What could happen without encryption.
const DANGER: &str = "whoever stands between could read and drop events";

const DAY: u64 = 24 * 3600 * 1000;

/// A stream of security events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Its name: the source of the facts that it states.
    pub name: String,
    /// Who signs its events: their `iss`.
    pub issuer: String,
    /// What names this receiver: their `aud`.
    pub audiences: Vec<String>,
    /// The keys, and what is demanded of the tokens; if `None`, the metadata of the transmitter say where the keys are.
    pub keys: Option<KeySet>,
    /// The algorithms that events may be signed with.
    pub algorithms: Vec<String>,
    /// The base URL of the metadata of the transmitter, where they are needed.
    pub metadata: String,
    /// Whether the transmitter may be reached without encryption, also elsewhere than on this machine.
    pub plain_http: bool,
    /// How the stream is set up; `None` if somebody does that by hand.
    pub transmitter: Option<Transmitter>,
    /// How events are taken that the transmitter sends.
    pub push: Option<Push>,
    /// How events are fetched.
    pub poll: Option<Poll>,
    /// The names of the facts that it may state, `*` at the end for anything; `None` for all that are known.
    pub facts: Option<Vec<String>>,
    /// What its subjects stand for.
    pub subjects: SubjectRules,
    /// Whether the types of SCIM events count that the drafts before RFC 9967 had.
    pub scim_drafts: bool,
    /// The tenants whose callers see its facts; `None` if only those do who are bound to none.
    pub tenants: Option<Vec<String>>,
    /// How long facts of a name are true.
    pub ttl: BTreeMap<String, Duration>,
    /// How long it may be silent.
    pub max_silence: Option<Duration>,
    /// Events that it may send in a second.
    pub max_rate: u32,
}

/// The management API of a transmitter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmitter {
    /// What shows who this receiver is.
    pub authorization: Option<SecretSource>,
    /// Who asks for tokens that show it, instead.
    pub oauth: Option<OauthClient>,
    /// Whether the stream is created if it is not there.
    pub create: bool,
    /// The events that are asked for, as URIs; all that are known if `None`.
    pub events: Option<Vec<String>>,
    /// What the stream is called there.
    pub description: Option<String>,
    /// How often the transmitter is asked to show that it is there.
    pub verify_every: Option<Duration>,
}

/// A client of an authorization server (RFC 6749, section 4.4).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OauthClient {
    /// Where tokens are given.
    pub token_url: String,
    /// The name of the client.
    pub client_id: String,
    /// What only the client knows.
    pub secret: SecretSource,
    /// What the tokens are to be for, such as `ssf.manage`.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// What is demanded of whoever pushes events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// The value of `Authorization` that each request must have.
    pub authorization: Option<SecretSource>,
    /// The caller that it must be.
    pub caller: Option<String>,
    /// The URL that transmitters are told; `None` for `server.publicUrl` with the path of the stream.
    pub url: Option<String>,
}

/// Where events are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poll {
    /// The URL; `None` if the configuration of the stream says it.
    pub url: Option<String>,
    /// What shows who this receiver is; `None` for the same as in the management API.
    pub authorization: Option<SecretSource>,
    /// Most events of one answer.
    pub max_events: u32,
}

/// The streams as they are written.
#[derive(Deserialize)]
#[serde(transparent)]
pub(in crate::config) struct StreamList(Option<Vec<StreamEntry>>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StreamEntry {
    name: String,
    issuer: String,
    #[serde(default)]
    audiences: Vec<String>,
    keys: Option<Map<String, Value>>,
    algorithms: Option<Vec<String>>,
    transmitter: Option<TransmitterEntry>,
    push: Option<PushEntry>,
    poll: Option<PollEntry>,
    facts: Option<Vec<String>>,
    subjects: Option<Vec<SubjectEntry>>,
    #[serde(default)]
    scim_drafts: bool,
    tenants: Option<Vec<String>>,
    #[serde(default)]
    ttl: BTreeMap<String, String>,
    max_silence: Option<String>,
    max_rate: Option<u64>,
    #[serde(default)]
    insecure: InsecureEntry,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TransmitterEntry {
    url: Option<String>,
    authorization: Option<SecretSource>,
    oauth: Option<OauthClient>,
    #[serde(default)]
    create: bool,
    events: Option<Vec<String>>,
    description: Option<String>,
    verify_every: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PushEntry {
    authorization: Option<SecretSource>,
    caller: Option<String>,
    url: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PollEntry {
    url: Option<String>,
    authorization: Option<SecretSource>,
    max_events: Option<u64>,
}

/// What makes a stream less safe, each to be asked for by name.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InsecureEntry {
    #[serde(default)]
    plain_http: bool,
}

impl StreamList {
    /// The streams, or what is wrong with them.
    pub(in crate::config) fn check(self) -> Result<Vec<Stream>, Vec<Problem>> {
        let entries = self.0.unwrap_or_default();
        if entries.len() > MAX_STREAMS {
            return Err(vec![(String::new(), format!("must have at most {MAX_STREAMS} entries"))]);
        }
        let (mut streams, mut problems) = (Vec::new(), Vec::new());
        for (i, entry) in entries.into_iter().enumerate() {
            match entry.check() {
                Ok(stream) => streams.push(stream),
                Err((member, advice)) => problems.push((format!("[{i}]{member}"), advice)),
            }
        }
        if problems.is_empty() { Ok(streams) } else { Err(problems) }
    }
}

impl StreamEntry {
    fn check(mut self) -> Result<Stream, Problem> {
        name(".name", &self.name)?;
        if self.issuer.is_empty() {
            return Err((".issuer".into(), "must say who signs the events".into()));
        }
        if self.audiences.is_empty() {
            let why = "must say what names this receiver: else events for any other would be good here too";
            return Err((".audiences".into(), why.into()));
        }
        if self.push.is_some() == self.poll.is_some() {
            return Err((String::new(), "must have either `push` or `poll`".into()));
        }
        known_patterns(".facts", self.facts.as_deref().unwrap_or_default())?;
        if let Some(advice) = tenants_problem(self.tenants.as_deref()) {
            return Err((".tenants".into(), advice));
        }
        let algorithms = self.algorithms.take().unwrap_or_else(|| vec!["RS256".to_owned()]);
        let keys = self.keys.take().map(|keys| self.key_set(keys, &algorithms)).transpose()?;
        let subjects = match self.subjects.take() {
            Some(entries) => subject::rules(entries, &self.issuer)?,
            None => SubjectRules::defaults(&self.issuer),
        };
        let plain_http = self.insecure.plain_http;
        let metadata = self.metadata(keys.is_none())?;
        let ttl = self.ttl.iter().map(|(name, text)| lifetime(name, text)).collect::<Result<_, _>>()?;
        let silence = self.max_silence.as_deref();
        let max_silence = silence.map(|text| duration(".maxSilence", Some(text), 0, 1000..=366 * DAY));
        let max_rate = number(".maxRate", self.max_rate, 1000, 1..=1_000_000)?;
        Ok(Stream {
            keys,
            algorithms,
            metadata,
            plain_http,
            transmitter: self.transmitter.map(|entry| entry.check(plain_http)).transpose()?,
            push: self.push.map(|push| push.check(plain_http)).transpose()?,
            poll: self.poll.map(|poll| poll.check(plain_http)).transpose()?,
            subjects,
            scim_drafts: self.scim_drafts,
            max_silence: max_silence.transpose()?,
            max_rate: u32::try_from(max_rate).unwrap_or(u32::MAX),
            name: self.name,
            issuer: self.issuer,
            audiences: self.audiences,
            facts: self.facts,
            tenants: self.tenants,
            ttl,
        })
    }

    /// The key set that `keys` describe: as in `auxData.jwt.keySets`, where the rules of the tokens are those of the stream.
    fn key_set(&self, mut keys: Map<String, Value>, algorithms: &[String]) -> Result<KeySet, Problem> {
        for member in keys.keys() {
            if !["remote", "local", "insecure"].contains(&member.as_str()) {
                let advice = "is not known here: keys have `remote` or `local`, and `insecure`";
                return Err((format!(".keys.{}", member.escape_debug()), advice.into()));
            }
        }
        let rules = [
            ("id", json!(self.name)),
            ("issuer", json!(self.issuer)),
            ("audiences", json!(self.audiences)),
            ("types", json!([SET])),
            ("algorithms", json!(algorithms)),
        ];
        keys.extend(rules.map(|(name, value)| (name.to_owned(), value)));
        let list: KeySetList = serde_path_to_error::deserialize(json!([keys])).map_err(|error| {
            let path = error.path().to_string();
            let member = path.trim_start_matches("[0]").to_owned();
            (format!(".keys{member}"), format!("is not valid: {}", error.inner()))
        })?;
        let within = |(path, advice): Problem| {
            let member = path.trim_start_matches("[0]");
            let of_stream = [".issuer", ".audiences", ".algorithms"].contains(&member);
            (if of_stream { member.to_owned() } else { format!(".keys{member}") }, advice)
        };
        let sets = list.check().map_err(|problems| problems.into_iter().next().map(within));
        match sets.map(|sets| sets.into_iter().next()) {
            Ok(Some(set)) => Ok(set),
            Ok(None) | Err(None) => Err((".keys".into(), "must have either `remote` or `local`".into())),
            Err(Some(problem)) => Err(problem),
        }
    }

    /// Where the metadata of the transmitter are; it must be a good URL if they are `needed`.
    fn metadata(&self, keys_are_there: bool) -> Result<String, Problem> {
        let plain_http = self.insecure.plain_http;
        let given = self.transmitter.as_ref().and_then(|transmitter| transmitter.url.as_deref());
        if let Some(url) = given {
            url::check(url, plain_http, DANGER).map_err(|advice| (".transmitter.url".into(), advice))?;
        } else if keys_are_there || self.transmitter.is_some() {
            let advice = |advice| {
                let instead = "name its URL in `transmitter.url`, or its keys in `keys`";
                (
                    ".issuer".to_owned(),
                    format!("{advice}, as the metadata of the transmitter are there; else {instead}"),
                )
            };
            url::check(&self.issuer, plain_http, DANGER).map_err(advice)?;
        }
        Ok(given.unwrap_or(&self.issuer).to_owned())
    }
}

impl TransmitterEntry {
    fn check(self, plain_http: bool) -> Result<Transmitter, Problem> {
        authorization(".transmitter.authorization", self.authorization.as_ref())?;
        if let Some(client) = &self.oauth {
            if self.authorization.is_some() {
                return Err((
                    ".transmitter".into(),
                    "must have at most one of `authorization` and `oauth`".into(),
                ));
            }
            client.check(plain_http)?;
        }
        bounded(".transmitter.events", self.events.as_deref().unwrap_or_default())?;
        let every = self.verify_every.as_deref();
        let every = every.map(|text| duration(".transmitter.verifyEvery", Some(text), 0, 1000..=366 * DAY));
        Ok(Transmitter {
            authorization: self.authorization,
            oauth: self.oauth,
            create: self.create,
            events: self.events,
            description: self.description,
            verify_every: every.transpose()?,
        })
    }
}

impl OauthClient {
    fn check(&self, plain_http: bool) -> Result<(), Problem> {
        let member = |name: &str| format!(".transmitter.oauth.{name}");
        let exposed = "whoever stands between could read the secret and the tokens";
        url::check(&self.token_url, plain_http, exposed).map_err(|advice| (member("tokenUrl"), advice))?;
        let empty = |text: &String| text.is_empty();
        if empty(&self.client_id) {
            return Err((member("clientId"), "must not be empty".into()));
        }
        if matches!(&self.secret, SecretSource::Text(text) if text.is_empty()) {
            return Err((member("secret"), "must not be empty".into()));
        }
        // RFC 6749, section 3.3: a list of scopes is told with spaces between.
        if self.scopes.iter().any(|scope| empty(scope) || scope.contains(char::is_whitespace)) {
            return Err((member("scopes"), "must be names without spaces, one an entry".into()));
        }
        Ok(())
    }
}

impl PushEntry {
    fn check(self, plain_http: bool) -> Result<Push, Problem> {
        authorization(".push.authorization", self.authorization.as_ref())?;
        if self.caller.as_ref().is_some_and(String::is_empty) {
            return Err((".push.caller".into(), "must not be empty".into()));
        }
        if let Some(url) = &self.url {
            url::check(url, plain_http, DANGER).map_err(|advice| (".push.url".into(), advice))?;
        }
        Ok(Push { authorization: self.authorization, caller: self.caller, url: self.url })
    }
}

impl PollEntry {
    fn check(self, plain_http: bool) -> Result<Poll, Problem> {
        authorization(".poll.authorization", self.authorization.as_ref())?;
        if let Some(url) = &self.url {
            url::check(url, plain_http, DANGER).map_err(|advice| (".poll.url".into(), advice))?;
        }
        let max_events = number(".poll.maxEvents", self.max_events, 100, 1..=1000)?;
        let max_events = u32::try_from(max_events).unwrap_or(u32::MAX);
        Ok(Poll { url: self.url, authorization: self.authorization, max_events })
    }
}

/// Fails if a value of `Authorization` that stands in the configuration is none; it is not repeated.
fn authorization(member: &str, source: Option<&SecretSource>) -> Result<(), Problem> {
    match source {
        Some(SecretSource::Text(text)) if text.is_empty() || HeaderValue::try_from(text).is_err() => {
            let advice = "must be the whole value of the header, such as `Bearer …`, or `file: PATH`";
            Err((member.to_owned(), advice.into()))
        }
        _ => Ok(()),
    }
}

fn lifetime(name: &str, text: &str) -> Result<(String, Duration), Problem> {
    let member = format!(".ttl.{}", name.escape_debug());
    known_patterns(&member, &[name.to_owned()])?;
    Ok((name.to_owned(), duration(&member, Some(text), 0, 1000..=3660 * DAY)?))
}
