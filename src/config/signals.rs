//! `signals`: who may say what about principals, sessions, devices and resources, and what a call presents of them.

mod stream;
mod subject;
mod webhook;

use std::collections::BTreeSet;

use procura_core::policy::Glob;
use procura_core::signal::EVENT_TYPES;

use super::entry::Problem;

pub(super) use stream::StreamList;
pub use stream::{Poll, Push, Stream, Transmitter};
pub(super) use webhook::WebhookList;
pub use webhook::{Hmac, Timestamped, Webhook, WebhookSender};

/// Most entries of any list within a source.
const MAX_ENTRIES: usize = 100;

/// The source that stands for the facts API: nothing else may have its name.
const OPERATOR: &str = "operator";

/// Who may say what, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signals {
    /// How many facts there may be.
    pub max_facts: usize,
    /// What a call presents that facts can be about.
    pub presented: PresentedRules,
    /// The transmitters of security events; each name occurs once, also among the webhooks.
    pub streams: Vec<Stream>,
    /// What else may state facts.
    pub webhooks: Vec<Webhook>,
}

/// Where the entities and the circumstances of a call are found: of each list, the first that is there counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresentedRules {
    /// The session.
    pub session: Vec<PresentedSource>,
    /// The device.
    pub device: Vec<PresentedSource>,
    /// The groups of the principal.
    pub groups: Vec<PresentedSource>,
    /// The client that acts.
    pub application: Vec<PresentedSource>,
    /// When the session began; only claims count.
    pub began: Vec<PresentedSource>,
    /// How the principal showed who it is; only claims count.
    pub methods: Vec<PresentedSource>,
}

/// One place where something is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PresentedSource {
    /// A verified claim: `jwt:NAME` of the one token, `jwts.TOKEN:NAME` of the token of that name.
    Claim {
        /// The name of the token among `auxData.jwts`; `None` for `auxData.jwt`.
        token: Option<String>,
        /// The claim.
        claim: String,
    },
    /// An attribute of the principal: `attr:NAME`.
    Attribute(String),
}

impl PresentedSource {
    /// The places that `texts` name, or what is wrong with one of them. Attributes count only if `attributes`.
    pub(super) fn list(texts: &[String], attributes: bool) -> Result<Vec<Self>, Vec<Problem>> {
        if texts.len() > MAX_ENTRIES {
            return Err(vec![(String::new(), too_many())]);
        }
        let read = |(i, text): (usize, &String)| {
            let found = Self::parse(text).filter(|found| attributes || !matches!(found, Self::Attribute(_)));
            found.ok_or_else(|| {
                let or = if attributes { ", `attr:NAME`" } else { "" };
                let advice =
                    format!("must be `jwt:CLAIM`{or} or `jwts.TOKEN:CLAIM`, not `{}`", text.escape_debug());
                vec![(format!("[{i}]"), advice)]
            })
        };
        texts.iter().enumerate().map(read).collect()
    }

    fn parse(text: &str) -> Option<Self> {
        let (place, name) = text.split_once(':').filter(|(_, name)| !name.is_empty())?;
        let name = name.to_owned();
        match place {
            "jwt" => Some(Self::Claim { token: None, claim: name }),
            "attr" => Some(Self::Attribute(name)),
            _ => {
                let token = place.strip_prefix("jwts.").filter(|token| !token.is_empty())?;
                Some(Self::Claim { token: Some(token.to_owned()), claim: name })
            }
        }
    }
}

/// What is wrong with the names of sources, besides the form of each.
pub(super) fn names_problem(streams: &[Stream], webhooks: &[Webhook]) -> Vec<(&'static str, Problem)> {
    let streams = streams.iter().enumerate().map(|(i, stream)| ("signals.streams", i, &stream.name));
    let webhooks = webhooks.iter().enumerate().map(|(i, webhook)| ("signals.webhooks", i, &webhook.name));
    let mut known = BTreeSet::from([OPERATOR]);
    let mut problems = Vec::new();
    for (key, i, name) in streams.chain(webhooks) {
        if name == OPERATOR {
            let advice = format!("must not be `{OPERATOR}`, which stands for the facts API");
            problems.push((key, (format!("[{i}].name"), advice)));
        } else if !known.insert(name) {
            problems.push((key, (format!("[{i}].name"), format!("`{name}` is there twice"))));
        }
    }
    problems
}

/// What whoever starts the server should know of `streams`, besides that they can be used.
pub(super) fn notices(streams: &[Stream]) -> impl Iterator<Item = String> {
    let is_open = |stream: &&Stream| {
        stream.push.as_ref().is_some_and(|push| push.authorization.is_none() && push.caller.is_none())
    };
    streams.iter().filter(is_open).map(|stream| {
        format!(
            "`signals.streams`: whoever reaches the server can use up `maxRate` of `{}`, so that its events come late: \
             set `push.authorization` or `push.caller`",
            stream.name
        )
    })
}

fn too_many() -> String {
    format!("must have at most {MAX_ENTRIES} entries")
}

/// Fails if a list is too long, or has an empty entry.
fn bounded(member: &str, list: &[String]) -> Result<(), Problem> {
    if list.len() > MAX_ENTRIES || list.iter().any(String::is_empty) {
        return Err((member.to_owned(), format!("{}, none of them empty", too_many())));
    }
    Ok(())
}

/// Fails unless `patterns` are names of facts, where `*` at the end stands for anything.
fn patterns(member: &str, patterns: &[String]) -> Result<(), Problem> {
    bounded(member, patterns)?;
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let wrong = patterns.iter().find(|pattern| {
        let name = pattern.strip_suffix('*').unwrap_or(pattern);
        name.len() > MAX_PATTERN_BYTES || !name.chars().all(fits)
    });
    let Some(wrong) = wrong else { return Ok(()) };
    let advice = format!(
        "must be names such as `session-revoked`, or beginnings such as `risk-*`, not `{}`",
        wrong.escape_debug()
    );
    Err((member.to_owned(), advice))
}

/// The same of names that some event states.
fn known_patterns(member: &str, list: &[String]) -> Result<(), Problem> {
    patterns(member, list)?;
    let names = || EVENT_TYPES.iter().flat_map(|event| event.facts);
    let states =
        |pattern: &String| Glob::parse(pattern).is_ok_and(|glob| names().any(|name| glob.matches(name)));
    match list.iter().find(|pattern| !states(pattern)) {
        None => Ok(()),
        Some(unknown) => {
            Err((member.to_owned(), format!("names `{unknown}`, which no event that is known states")))
        }
    }
}

/// Longest pattern of names, in bytes.
const MAX_PATTERN_BYTES: usize = 128;

#[cfg(test)]
mod tests;
