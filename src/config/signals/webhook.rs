//! `signals.webhooks`: sources that send JSON of their own.

use std::time::Duration;

use hyper::header::HeaderName;
use procura_core::model::EntityKind;
use serde::Deserialize;

use super::patterns;
use super::subject::entity_kind;
use crate::config::callers::tenants_problem;
use crate::config::entry::{Problem, duration, name, number};
use crate::secret::SecretSource;

/// Most webhooks.
const MAX_WEBHOOKS: usize = 64;

/// Longest expression, in bytes.
const MAX_EXPRESSION_BYTES: usize = 64 * 1024;

/// A source that sends JSON of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its name: the source of the facts that it states.
    pub name: String,
    /// What shows that a request comes from it.
    pub sender: WebhookSender,
    /// CEL: whether a request says anything; always if `None`.
    pub when: Option<String>,
    /// CEL: the facts that a request states.
    pub facts: String,
    /// CEL: the name of the event; a digest of the body if `None`.
    pub id: Option<String>,
    /// The names of the facts that it may state, `*` at the end for anything.
    pub states: Vec<String>,
    /// What they may be about.
    pub kinds: Vec<EntityKind>,
    /// The tenants whose callers see its facts; `None` if only those do who are bound to none.
    pub tenants: Option<Vec<String>>,
    /// Requests that it may send in a second.
    pub max_rate: u32,
}

/// What shows that a request comes from a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebhookSender {
    /// A code that only whoever knows a secret can make.
    Hmac(Hmac),
    /// A caller of this name, with the right `signals`.
    Caller(String),
}

/// A code over the body: HMAC with SHA-256, in hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hmac {
    /// The header with the code, in lower case.
    pub header: String,
    /// What stands before it; the name of a member such as `v1=` if the header has several, separated by commas.
    pub prefix: String,
    /// The secret.
    pub secret: SecretSource,
    /// How requests say when they were made; `None` if they do not.
    pub timestamp: Option<Timestamped>,
    /// What is signed, if that is not the usual: text with `{body}`, `{timestamp}` and headers in it.
    pub signed: Option<String>,
}

/// When a request was made, in seconds since 1970. What is signed is then `TIMESTAMP.BODY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamped {
    /// The header with it, in lower case: that of the code, or another.
    pub header: String,
    /// What stands before it, such as `t=`.
    pub prefix: String,
    /// How old a request may be.
    pub max_age: Duration,
}

/// The webhooks as they are written.
#[derive(Deserialize)]
#[serde(transparent)]
pub(in crate::config) struct WebhookList(Option<Vec<WebhookEntry>>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WebhookEntry {
    name: String,
    hmac: Option<HmacEntry>,
    caller: Option<String>,
    when: Option<String>,
    facts: String,
    id: Option<String>,
    states: Vec<String>,
    kinds: Vec<String>,
    tenants: Option<Vec<String>>,
    max_rate: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HmacEntry {
    header: String,
    #[serde(default)]
    prefix: String,
    secret: SecretSource,
    timestamp: Option<TimestampEntry>,
    signed: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TimestampEntry {
    header: Option<String>,
    #[serde(default)]
    prefix: String,
    max_age: Option<String>,
}

impl WebhookList {
    /// The webhooks, or what is wrong with them.
    pub(in crate::config) fn check(self) -> Result<Vec<Webhook>, Vec<Problem>> {
        let entries = self.0.unwrap_or_default();
        if entries.len() > MAX_WEBHOOKS {
            return Err(vec![(String::new(), format!("must have at most {MAX_WEBHOOKS} entries"))]);
        }
        let (mut webhooks, mut problems) = (Vec::new(), Vec::new());
        for (i, entry) in entries.into_iter().enumerate() {
            match entry.check() {
                Ok(webhook) => webhooks.push(webhook),
                Err((member, advice)) => problems.push((format!("[{i}]{member}"), advice)),
            }
        }
        if problems.is_empty() { Ok(webhooks) } else { Err(problems) }
    }
}

impl WebhookEntry {
    fn check(self) -> Result<Webhook, Problem> {
        name(".name", &self.name)?;
        let sender = match (self.hmac, self.caller) {
            (Some(hmac), None) => WebhookSender::Hmac(hmac.check()?),
            (None, Some(caller)) if !caller.is_empty() => WebhookSender::Caller(caller),
            _ => return Err((String::new(), "must have either `hmac` or `caller`".into())),
        };
        let expressions =
            [(".when", self.when.as_ref()), (".facts", Some(&self.facts)), (".id", self.id.as_ref())];
        for (member, text) in expressions {
            if text.is_some_and(|text| text.trim().is_empty() || text.len() > MAX_EXPRESSION_BYTES) {
                let advice = format!("must be a CEL expression of at most {MAX_EXPRESSION_BYTES} bytes");
                return Err((member.into(), advice));
            }
        }
        if self.states.is_empty() {
            return Err((".states".into(), "must name the facts that it may state".into()));
        }
        patterns(".states", &self.states)?;
        if self.kinds.is_empty() || self.kinds.len() > EntityKind::ALL.len() {
            return Err((".kinds".into(), "must name each kind once that its facts may be about".into()));
        }
        if let Some(advice) = tenants_problem(self.tenants.as_deref()) {
            return Err((".tenants".into(), advice));
        }
        let kinds = self.kinds.iter().map(|kind| entity_kind(".kinds", kind)).collect::<Result<_, _>>()?;
        let max_rate = number(".maxRate", self.max_rate, 100, 1..=1_000_000)?;
        Ok(Webhook {
            name: self.name,
            sender,
            when: self.when,
            facts: self.facts,
            id: self.id,
            states: self.states,
            kinds,
            tenants: self.tenants,
            max_rate: u32::try_from(max_rate).unwrap_or(u32::MAX),
        })
    }
}

impl HmacEntry {
    fn check(self) -> Result<Hmac, Problem> {
        let header = header_name(".hmac.header", &self.header)?;
        if matches!(&self.secret, SecretSource::Text(text) if text.is_empty()) {
            return Err((".hmac.secret".into(), "must be the secret, or `file: PATH`".into()));
        }
        let timestamp = self.timestamp.map(|entry| entry.check(&header)).transpose()?;
        Ok(Hmac { header, prefix: self.prefix, secret: self.secret, timestamp, signed: self.signed })
    }
}

impl TimestampEntry {
    fn check(self, code: &str) -> Result<Timestamped, Problem> {
        let header = self.header.as_deref().map(|header| header_name(".hmac.timestamp.header", header));
        let header = header.transpose()?.unwrap_or_else(|| code.to_owned());
        if header == code && self.prefix.is_empty() {
            let advice = "must be there, such as `t=`, if the header of the code has the timestamp too";
            return Err((".hmac.timestamp.prefix".into(), advice.into()));
        }
        let age = self.max_age.as_deref();
        let max_age = duration(".hmac.timestamp.maxAge", age, 300_000, 1000..=86_400_000)?;
        Ok(Timestamped { header, prefix: self.prefix, max_age })
    }
}

fn header_name(member: &str, text: &str) -> Result<String, Problem> {
    HeaderName::try_from(text)
        .map(|name| name.as_str().to_owned())
        .map_err(|_| (member.to_owned(), format!("`{}` is not the name of a header", text.escape_debug())))
}
