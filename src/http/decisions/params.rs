//! The query parameters of the decision log.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::Query;
use axum::http::Uri;
use procura_core::model::Timestamp;
use procura_core::query::{Condition, Field};

use crate::http::Invalid;
use crate::pdp::Caller;
use crate::ports::DecisionFilter;

/// Records in a page, or groups, if the caller does not say.
const DEFAULT_LIMIT: usize = 50;

/// Most records in a page.
const MAX_PAGE: usize = 500;

/// Most groups.
const MAX_GROUPS: usize = 10_000;

/// Most fields to count by.
const MAX_BY: usize = 4;

/// What can be asked for besides the fields of a decision, each by its own name.
const PAGE_PARAMETERS: [&str; 6] = ["filter", "callId", "since", "until", "limit", "cursor"];
const STATS_PARAMETERS: [&str; 6] = ["filter", "since", "until", "limit", "cursor", "by"];
const NARROWING_PARAMETERS: [&str; 3] = ["filter", "limit", "cursor"];
const TAIL_PARAMETERS: [&str; 1] = ["filter"];

/// What a request asks for, each parameter at most once; all that is given must match.
pub(in crate::http) struct Params(BTreeMap<String, String>);

impl Params {
    /// A page.
    pub(in crate::http) fn page(uri: &Uri, caller: &Caller) -> Result<DecisionFilter, Invalid> {
        Self::of(uri, &PAGE_PARAMETERS)?.filter(caller, MAX_PAGE)
    }

    /// What to count, and by what.
    pub(in crate::http) fn stats(
        uri: &Uri,
        caller: &Caller,
    ) -> Result<(DecisionFilter, Vec<Field>), Invalid> {
        let params = Self::of(uri, &STATS_PARAMETERS)?;
        let by = params.given("by").map_or(Ok(Vec::new()), fields)?;
        Ok((params.filter(caller, MAX_GROUPS)?, by))
    }

    /// What to follow.
    pub(super) fn tail(uri: &Uri, caller: &Caller) -> Result<DecisionFilter, Invalid> {
        Self::of(uri, &TAIL_PARAMETERS)?.filter(caller, MAX_PAGE)
    }

    /// A page of what `condition` and what else is asked for hold of.
    pub(in crate::http) fn narrowing(
        uri: &Uri,
        caller: &Caller,
        condition: Condition,
    ) -> Result<DecisionFilter, Invalid> {
        let filter = Self::of(uri, &NARROWING_PARAMETERS)?.filter(caller, MAX_PAGE)?;
        Ok(DecisionFilter { condition: filter.condition.and(condition), ..filter })
    }

    fn of(uri: &Uri, known: &[&str]) -> Result<Self, Invalid> {
        let mut given = BTreeMap::new();
        for (name, value) in pairs(uri)? {
            if !known.contains(&name.as_str()) && Field::named(&name).is_none() {
                let known = [known, &Field::ALL.map(Field::name)].concat().join("`, `");
                return Err(Invalid::at(name, format_args!("no such parameter; there are `{known}`")));
            }
            if given.contains_key(&name) {
                return Err(Invalid::at(name, "given more than once"));
            }
            given.insert(name, value);
        }
        Ok(Self(given))
    }

    fn filter(&self, caller: &Caller, max_limit: usize) -> Result<DecisionFilter, Invalid> {
        let instant = |parameter| self.given(parameter).map(|text| instant(parameter, text)).transpose();
        let call_id = self.given("callId").map(|text| name("callId", text)).transpose()?;
        Ok(DecisionFilter {
            condition: self.condition()?,
            tenants: caller.tenants(),
            call_id: call_id.map(str::to_owned),
            since: instant("since")?,
            until: instant("until")?,
            limit: self.given("limit").map_or(Ok(DEFAULT_LIMIT), |text| limit(text, max_limit))?,
            before_seq: self.given("cursor").map(cursor).transpose()?,
        })
    }

    /// The filter, and every field that is given.
    fn condition(&self) -> Result<Condition, Invalid> {
        let filter = self.given("filter").map(Condition::parse).transpose();
        let mut condition = filter.map_err(|error| Invalid::at("filter", error))?.unwrap_or_default();
        for field in Field::ALL {
            if let Some(text) = self.given(field.name()) {
                let is = Condition::is(field, name(field.name(), text)?);
                let is =
                    is.ok_or_else(|| Invalid::at("effect", "expected `EFFECT_ALLOW` or `EFFECT_DENY`"))?;
                condition = condition.and(is);
            }
        }
        Ok(condition)
    }

    fn given(&self, parameter: &str) -> Option<&str> {
        self.0.get(parameter).map(String::as_str)
    }
}

/// The parameters of `uri`, as they stand there.
pub(in crate::http) fn pairs(uri: &Uri) -> Result<Vec<(String, String)>, Invalid> {
    if let Some(name) = uri.query().and_then(not_text) {
        return Err(Invalid::at(name, "the value is not UTF-8"));
    }
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri);
    pairs.map(|Query(pairs)| pairs).map_err(|refused| Invalid::at("query", refused.body_text()))
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

/// Something to look for. That it is empty is more likely a mistake; `filter` can ask for what is absent.
fn name<'t>(parameter: &str, text: &'t str) -> Result<&'t str, Invalid> {
    if text.is_empty() { Err(Invalid::at(parameter, "a value is required")) } else { Ok(text) }
}

fn instant(name: &str, text: &str) -> Result<Timestamp, Invalid> {
    text.parse().map_err(|_| Invalid::at(name, "expected an instant such as `2026-01-31T12:00:00Z`"))
}

fn limit(text: &str, max: usize) -> Result<usize, Invalid> {
    let limit = text.parse().ok().filter(|limit| (1..=max).contains(limit));
    limit.ok_or_else(|| Invalid::at("limit", format_args!("expected a number from 1 to {max}")))
}

/// Names of fields with commas between them.
fn fields(text: &str) -> Result<Vec<Field>, Invalid> {
    let named = text.split(',').map(|name| Field::named(name.trim())).collect::<Option<Vec<_>>>();
    let is_once = |fields: &[Field]| fields.iter().collect::<BTreeSet<_>>().len() == fields.len();
    let few = named.filter(|fields| fields.len() <= MAX_BY && is_once(fields));
    let known = || Field::ALL.map(Field::name).join("`, `");
    few.ok_or_else(|| {
        Invalid::at("by", format_args!("expected at most {MAX_BY} of `{}`, each once", known()))
    })
}

/// A cursor is the sequence number below which the next page begins; callers are not to know.
fn cursor(text: &str) -> Result<u64, Invalid> {
    let seq = text.strip_prefix(CURSOR_PREFIX).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    seq.ok_or_else(|| Invalid::at("cursor", "expected the `nextCursor` of an earlier page"))
}

/// The cursor of the records below `seq`.
pub(super) fn cursor_of(seq: u64) -> String {
    format!("{CURSOR_PREFIX}{seq:x}")
}

const CURSOR_PREFIX: &str = "c1-";
