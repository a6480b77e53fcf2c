//! What a caller asks for: exactly one of `tail`, `since`, `between` and `lookup`.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use axum::extract::Query;
use axum::http::Uri;
use jiff::SignedDuration;
use procura_core::model::Timestamp;

use crate::http::Invalid;
use crate::ports::DecisionFilter;

/// How many of the newest entries can be asked for; the limit of the peer.
const TAIL: RangeInclusive<usize> = 1..=1000;

/// What there is to ask for.
const PARAMETERS: &str = "`tail`, `since`, `between.start` with `between.end`, `lookup`";

/// What is asked for.
#[derive(Debug, PartialEq)]
pub(in crate::http) enum Wanted {
    /// One call, by its id.
    Call(String),
    /// So many of the records that match, newest first.
    Records {
        /// What they match.
        filter: DecisionFilter,
        /// Most of them.
        most: usize,
    },
}

impl Wanted {
    /// What the query of `uri` asks for at the instant `now`.
    pub(in crate::http) fn of(uri: &Uri, now: Timestamp) -> Result<Self, Invalid> {
        let Query(pairs): Query<Vec<(String, String)>> =
            Query::try_from_uri(uri).map_err(|refused| Invalid::at("query", refused.body_text()))?;
        let mut given = BTreeMap::new();
        for (name, value) in &pairs {
            if given.insert(name.as_str(), value.as_str()).is_some() {
                return Err(Invalid::at(name, "given more than once"));
            }
        }
        let given: Vec<_> = given.into_iter().collect();
        match given[..] {
            [("tail", count)] => tail(count),
            [("since", duration)] => since(duration, now),
            [("between.end", end), ("between.start", start)] => between(start, end),
            [("lookup", "")] => Err(Invalid::at("lookup", "the id of a call is required")),
            [("lookup", id)] => Ok(Self::Call(id.to_owned())),
            _ => Err(Invalid::at("query", format_args!("expected exactly one of {PARAMETERS}"))),
        }
    }
}

fn tail(count: &str) -> Result<Wanted, Invalid> {
    let most = count.parse().ok().filter(|count| TAIL.contains(count)).ok_or_else(|| {
        let (least, most) = (TAIL.start(), TAIL.end());
        Invalid::at("tail", format_args!("expected a number from {least} to {most}"))
    })?;
    Ok(Wanted::Records { filter: DecisionFilter::default(), most })
}

fn since(duration: &str, now: Timestamp) -> Result<Wanted, Invalid> {
    let parsed = duration.parse::<SignedDuration>().ok().filter(SignedDuration::is_positive);
    let since = parsed.and_then(|duration| now.checked_sub(duration).ok());
    let since = since.ok_or_else(|| Invalid::at("since", "expected a duration such as `30m` or `1h30m`"))?;
    Ok(all(DecisionFilter { since: Some(since), ..DecisionFilter::default() }))
}

fn between(start: &str, end: &str) -> Result<Wanted, Invalid> {
    let instant = |name: &str, text: &str| {
        let expected = "expected an instant such as `2026-01-31T12:00:00Z`";
        text.parse::<Timestamp>().map_err(|_| Invalid::at(name, expected))
    };
    let (start, end) = (instant("between.start", start)?, instant("between.end", end)?);
    if start >= end {
        return Err(Invalid::at("between.end", "must be after `between.start`"));
    }
    Ok(all(DecisionFilter { since: Some(start), until: Some(end), ..DecisionFilter::default() }))
}

fn all(filter: DecisionFilter) -> Wanted {
    Wanted::Records { filter, most: usize::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(query: &str) -> Result<Wanted, String> {
        let uri = format!("/admin/auditlog/list/KIND_DECISION?{query}").parse().unwrap();
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        Wanted::of(&uri, now).map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn each_way_to_ask_is_understood() {
        let records = |since: Option<&str>, until: Option<&str>, most| {
            let instant = |text: &str| text.parse().unwrap();
            let (since, until) = (since.map(instant), until.map(instant));
            Ok(Wanted::Records { filter: DecisionFilter { since, until, ..DecisionFilter::default() }, most })
        };
        for (query, expected) in [
            ("lookup=0193", Ok(Wanted::Call("0193".to_owned()))),
            ("tail=1000", records(None, None, 1000)),
            ("since=1h30m", records(Some("2026-03-01T10:30:00Z"), None, usize::MAX)),
            ("since=90s", records(Some("2026-03-01T11:58:30Z"), None, usize::MAX)),
            ("since=1.5h", records(Some("2026-03-01T10:30:00Z"), None, usize::MAX)),
            (
                "between.start=2026-01-01T00:00:00Z&between.end=2026-01-02T01:00:00%2B01:00",
                records(Some("2026-01-01T00:00:00Z"), Some("2026-01-02T00:00:00Z"), usize::MAX),
            ),
        ] {
            assert_eq!(wanted(query), expected, "{query}");
        }
    }

    #[test]
    fn everything_else_is_refused_and_named() {
        for (query, member) in [
            ("", "query"),
            ("tail=1&since=1h", "query"),
            ("between.start=2026-01-01T00:00:00Z", "query"),
            ("last=5", "query"),
            ("tail=1&tail=2", "tail"),
            ("tail=0", "tail"),
            ("tail=1001", "tail"),
            ("tail=-1", "tail"),
            ("since=yesterday", "since"),
            ("since=-1h", "since"),
            ("since=999999999h", "since"),
            ("lookup=", "lookup"),
            ("between.start=x&between.end=2026-01-02T00:00:00Z", "between.start"),
            ("between.start=2026-01-02T00:00:00Z&between.end=2026-01-01T00:00:00Z", "between.end"),
        ] {
            let refused = wanted(query).unwrap_err();
            assert!(refused.starts_with(&format!("`{member}`")), "{query}: {refused}");
        }
    }
}
