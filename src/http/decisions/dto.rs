//! The query parameters and the JSON shapes of the decision log.

use std::collections::BTreeMap;

use axum::extract::Query;
use axum::http::Uri;
use procura_core::model::{Effect, Timestamp};
use procura_core::record::Record;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::http::Invalid;
use crate::http::error::Refusal;
use crate::ports::{DecisionFilter, DecisionPage, StoredRecord};

/// Records in a page if the caller does not say.
const DEFAULT_LIMIT: usize = 50;

/// Most records in a page.
const MAX_LIMIT: usize = 500;

/// What `GET /api/decisions` can be asked for.
const PARAMETERS: [&str; 10] = [
    "principal",
    "resourceKind",
    "resourceId",
    "action",
    "effect",
    "callId",
    "since",
    "until",
    "limit",
    "cursor",
];

/// What a request asks for, each parameter at most once; all that is given must match.
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    pub(super) fn of(uri: &Uri) -> Result<Self, Invalid> {
        if let Some(name) = uri.query().and_then(not_text) {
            return Err(Invalid::at(name, "the value is not UTF-8"));
        }
        let Query(pairs): Query<Vec<(String, String)>> =
            Query::try_from_uri(uri).map_err(|refused| Invalid::at("query", refused.body_text()))?;
        let mut given = BTreeMap::new();
        for (name, value) in pairs {
            if !PARAMETERS.contains(&name.as_str()) {
                let known = PARAMETERS.join("`, `");
                return Err(Invalid::at(name, format_args!("no such parameter; there are `{known}`")));
            }
            if given.contains_key(&name) {
                return Err(Invalid::at(name, "given more than once"));
            }
            given.insert(name, value);
        }
        Ok(Self(given))
    }

    pub(super) fn into_filter(self) -> Result<DecisionFilter, Invalid> {
        let given = |parameter: &str| self.0.get(parameter).map(String::as_str);
        let name = |parameter| given(parameter).map(|text| name(parameter, text)).transpose();
        let instant = |parameter| given(parameter).map(|text| instant(parameter, text)).transpose();
        Ok(DecisionFilter {
            effect: given("effect").map(effect).transpose()?,
            since: instant("since")?,
            until: instant("until")?,
            limit: given("limit").map_or(Ok(DEFAULT_LIMIT), limit)?,
            before_seq: given("cursor").map(cursor).transpose()?,
            principal: name("principal")?,
            resource_kind: name("resourceKind")?,
            resource_id: name("resourceId")?,
            action: name("action")?,
            call_id: name("callId")?,
        })
    }
}

/// The first parameter of `query` whose bytes are no text: as text with replacements it would match nothing.
fn not_text(query: &str) -> Option<&str> {
    let mut pairs = query.split('&');
    let pair = pairs.find(|pair| String::from_utf8(percent_decoded(pair)).is_err())?;
    pair.split('=').next()
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let escape = piece.split_at_checked(2);
        match escape.and_then(|(hex, rest)| Some((u8::from_str_radix(hex, 16).ok()?, rest))) {
            Some((byte, rest)) => {
                bytes.push(byte);
                bytes.extend_from_slice(rest.as_bytes());
            }
            None => bytes.extend_from_slice(piece.as_bytes()),
        }
    }
    bytes
}

/// A name to look for. No record has an empty one, so that asking for it is a mistake of the caller.
fn name(parameter: &str, text: &str) -> Result<String, Invalid> {
    if text.is_empty() { Err(Invalid::at(parameter, "a value is required")) } else { Ok(text.to_owned()) }
}

fn effect(text: &str) -> Result<Effect, Invalid> {
    match text {
        "EFFECT_ALLOW" | "allow" => Ok(Effect::Allow),
        "EFFECT_DENY" | "deny" => Ok(Effect::Deny),
        _ => Err(Invalid::at("effect", "expected `EFFECT_ALLOW` or `EFFECT_DENY`")),
    }
}

fn instant(name: &str, text: &str) -> Result<Timestamp, Invalid> {
    text.parse().map_err(|_| Invalid::at(name, "expected an instant such as `2026-01-31T12:00:00Z`"))
}

fn limit(text: &str) -> Result<usize, Invalid> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| Invalid::at("limit", format_args!("expected a number from 1 to {MAX_LIMIT}")))
}

/// A cursor is the sequence number below which the next page begins; callers are not to know.
fn cursor(text: &str) -> Result<u64, Invalid> {
    let seq = text.strip_prefix(CURSOR_PREFIX).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    seq.ok_or_else(|| Invalid::at("cursor", "expected the `nextCursor` of an earlier page"))
}

const CURSOR_PREFIX: &str = "c1-";

/// Body of `GET /api/decisions`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page<'p> {
    /// Newest first.
    decisions: Vec<Found<'p>>,
    /// Absent at the end of the log. A page may be empty and still have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

impl<'p> Page<'p> {
    pub(super) fn new(page: &'p DecisionPage) -> Result<Self, Refusal> {
        Ok(Self {
            decisions: page.records.iter().map(Found::new).collect::<Result<_, _>>()?,
            next_cursor: page.next_before_seq.map(|seq| format!("{CURSOR_PREFIX}{seq:x}")),
        })
    }
}

/// One record as it stands in the chain; also the body of `GET /api/decisions/{id}`.
#[derive(Serialize)]
pub(super) struct Found<'p> {
    seq: u64,
    hash: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<Box<RawValue>>,
    record: &'p RawValue,
}

impl<'p> Found<'p> {
    pub(super) fn new(stored: &'p StoredRecord) -> Result<Self, Refusal> {
        let record = serde_json::from_slice(&stored.payload).map_err(|_| Refusal::Internal)?;
        Ok(Self { seq: stored.seq, hash: &stored.hash, decision: None, record })
    }

    /// The same, with all that is said about decision `number` beside the record.
    pub(super) fn with_decision(self, number: u32) -> Result<Self, Refusal> {
        let Ok(Record::Decision(record)) = Record::decode(self.record.get().as_bytes()) else {
            return Err(Refusal::Internal);
        };
        let found = record.decisions().find(|decision| decision.id.number == number);
        let decision = to_raw_value(&found.ok_or(Refusal::NotFound)?).map_err(|_| Refusal::Internal)?;
        Ok(Self { decision: Some(decision), ..self })
    }
}
