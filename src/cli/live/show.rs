//! Signals, sources and facts as people read them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use procura_core::record::{Record, happening};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// What `GET /api/signals` answers.
#[derive(Deserialize)]
pub(super) struct Status {
    facts: Held,
    trouble: Option<String>,
    sources: Vec<Source>,
}

#[derive(Deserialize)]
struct Held {
    held: u64,
    limit: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Source {
    name: String,
    kind: String,
    taken: u64,
    ignored: u64,
    repeated: u64,
    refused: BTreeMap<String, u64>,
    last: Option<String>,
    lag: Option<f64>,
    trouble: Option<String>,
    stream: Option<Stream>,
}

#[derive(Deserialize)]
struct Stream {
    status: Option<String>,
    delivery: Option<String>,
    troubles: Vec<String>,
}

impl Status {
    /// A line for the facts, and some for each source.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{} of {} facts are held\n", self.facts.held, self.facts.limit);
        if let Some(trouble) = &self.trouble {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {}", trouble.escape_debug());
        }
        self.sources.iter().for_each(|source| text.push_str(&source.text()));
        text
    }
}

impl Source {
    fn text(&self) -> String {
        let refused: u64 = self.refused.values().sum();
        let last = self.last.as_deref().map_or("nothing heard yet".to_owned(), |last| format!("last {last}"));
        let lag = self.lag.map(|lag| format!(", {lag:.1} s late")).unwrap_or_default();
        let mut text = format!(
            "{} ({}): {last}{lag}; {} taken, {} ignored, {} repeated, {refused} refused\n",
            self.name.escape_debug(),
            self.kind.escape_debug(),
            self.taken,
            self.ignored,
            self.repeated
        );
        let mut line = |what: &str| {
            let _ = writeln!(text, "  {}", what.escape_debug());
        };
        for (code, count) in &self.refused {
            line(&format!("refused {count} times: {code}"));
        }
        if let Some(Stream { status, delivery, troubles }) = &self.stream {
            let said = [delivery, status].into_iter().flatten().map(String::as_str);
            let said: Vec<_> = said.collect();
            if !said.is_empty() {
                line(&said.join(", "));
            }
            troubles.iter().for_each(|trouble| line(trouble));
        }
        self.trouble.iter().for_each(|trouble| line(trouble));
        text
    }
}

/// What `/api/facts` answers.
#[derive(Deserialize)]
pub(super) struct Facts {
    pub(super) facts: Vec<Fact>,
}

/// One fact.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fact {
    r#type: String,
    subject: BTreeMap<String, Value>,
    source: String,
    at: String,
    expires: Option<String>,
    age: i64,
    in_force: bool,
    data: Value,
}

impl Fact {
    /// In one line.
    pub(super) fn text(&self) -> String {
        let about: Vec<_> = self.subject.iter().map(|(kind, id)| format!("{kind} {}", named(id))).collect();
        let ended = if self.in_force { "" } else { ", not in force" };
        let expires = self.expires.as_deref().map(|at| format!(", until {at}")).unwrap_or_default();
        format!(
            "{} about {} since {} ({} s){expires}{ended}, says {}: {}",
            self.r#type.escape_debug(),
            about.join(" with "),
            self.at,
            self.age,
            self.source.escape_debug(),
            self.data
        )
    }
}

/// An id, or the kind and the id of a resource.
fn named(id: &Value) -> String {
    match id {
        Value::String(id) => format!("`{}`", id.escape_debug()),
        other => other.to_string(),
    }
}

/// An event of `GET /api/signals/events`.
#[derive(Deserialize)]
pub(super) struct Found<'a> {
    #[serde(borrow)]
    record: &'a RawValue,
}

impl Found<'_> {
    /// In one line.
    pub(super) fn text(data: &str) -> anyhow::Result<String> {
        let Ok(found) = serde_json::from_str::<Found<'_>>(data) else {
            anyhow::bail!("{}", data.escape_debug());
        };
        let record = Record::decode(found.record.get().as_bytes())?;
        let at = match &record {
            Record::Signal(signal) => signal.at.to_string(),
            Record::SignalsRefused(refused) => refused.at.to_string(),
            _ => String::new(),
        };
        Ok(happening(&record).map(|what| format!("{at} {what}\n")).unwrap_or_default())
    }
}
