//! A server that takes OTLP logs: `ExportLogsServiceRequest` in the JSON mapping of OTLP/HTTP 1.x, where 64-bit numbers
//! are texts and enums are numbers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;

use hyper::header::HeaderMap;
use procura_core::model::Effect;
use procura_core::record::{DecisionRecord, Record, kind_of};
use serde::{Deserialize, Serialize};

use super::endpoint::Endpoint;
use crate::ship::failure::Failure;
use crate::ship::feed::Parcel;
use crate::ship::settings::EndpointSettings;

/// Longest text of an attribute, in bytes. The body has all of it.
const MAX_TEXT: usize = 256;

/// Most values of an attribute that has several.
const MAX_VALUES: usize = 16;

/// Posts batches as logs, one log record for each record.
pub(in crate::ship) struct OtlpTarget {
    endpoint: Endpoint,
    resource: BTreeMap<String, String>,
}

impl OtlpTarget {
    pub(super) fn new(settings: &EndpointSettings, resource: &BTreeMap<String, String>) -> io::Result<Self> {
        Ok(Self { endpoint: Endpoint::new(settings)?, resource: resource.clone() })
    }

    /// Posts `batch`. An answer that a part of it is rejected is a failure: nothing is skipped.
    pub(super) async fn send(&self, batch: &[Parcel]) -> Result<(), Failure> {
        let body = serde_json::to_vec(&self.request(batch)).unwrap_or_default();
        let answer = self.endpoint.post("application/json", HeaderMap::new(), body).await?;
        match rejected(&answer) {
            0 => Ok(()),
            count => Err(Failure::Rejected(count)),
        }
    }

    fn request<'b>(&'b self, batch: &'b [Parcel]) -> Request<'b> {
        let version = env!("CARGO_PKG_VERSION");
        let mut attributes =
            vec![attribute("service.name", text("procura")), attribute("service.version", text(version))];
        for (key, value) in &self.resource {
            attributes.retain(|attribute| attribute.key != key.as_str());
            attributes.push(attribute(key, text(value)));
        }
        let scope = Scope { name: "procura.decision_log", version };
        let logs = ScopeLogs { scope, log_records: batch.iter().map(LogRecord::of).collect() };
        Request { resource_logs: [ResourceLogs { resource: Resource { attributes }, scope_logs: [logs] }] }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'b> {
    resource_logs: [ResourceLogs<'b>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceLogs<'b> {
    resource: Resource<'b>,
    scope_logs: [ScopeLogs<'b>; 1],
}

#[derive(Serialize)]
struct Resource<'b> {
    attributes: Vec<Attribute<'b>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeLogs<'b> {
    scope: Scope,
    log_records: Vec<LogRecord<'b>>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogRecord<'b> {
    time_unix_nano: String,
    observed_time_unix_nano: String,
    severity_number: u8,
    severity_text: &'static str,
    event_name: String,
    body: AnyValue<'b>,
    attributes: Vec<Attribute<'b>>,
}

#[derive(Serialize)]
struct Attribute<'b> {
    key: &'b str,
    value: AnyValue<'b>,
}

#[derive(Serialize)]
enum AnyValue<'b> {
    #[serde(rename = "stringValue")]
    Text(Cow<'b, str>),
    #[serde(rename = "intValue")]
    Number(String),
    #[serde(rename = "arrayValue")]
    Array { values: Vec<AnyValue<'b>> },
}

impl<'b> LogRecord<'b> {
    /// The body is the record as it stands in the log, so that its hash can be computed from it.
    fn of(parcel: &'b Parcel) -> Self {
        let nanos = (i128::from(parcel.at.max(0)) * 1000).to_string();
        let kind = kind_of(&parcel.payload).unwrap_or_else(|_| "unknown".to_owned());
        let mut attributes = vec![
            attribute("procura.seq", number(parcel.seq)),
            attribute("procura.hash", AnyValue::Text(Cow::Owned(parcel.hash.to_string()))),
            attribute("procura.kind", AnyValue::Text(Cow::Owned(short(&kind).to_owned()))),
        ];
        if let Ok(Record::Decision(record)) = Record::decode(&parcel.payload) {
            attributes.extend(about(&record));
        }
        Self {
            time_unix_nano: nanos.clone(),
            observed_time_unix_nano: nanos,
            // `SEVERITY_NUMBER_INFO`.
            severity_number: 9,
            severity_text: "INFO",
            event_name: format!("procura.{}", short(&kind)),
            body: AnyValue::Text(String::from_utf8_lossy(&parcel.payload)),
            attributes,
        }
    }
}

/// What is worth finding a call by.
fn about(record: &DecisionRecord<'_>) -> Vec<Attribute<'static>> {
    let effect = |effect| match effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    };
    let decisions = || record.decisions();
    let resources = record.resources.iter().map(|resource| format!("{}:{}", resource.kind, resource.id));
    vec![
        attribute("procura.call.id", owned(&record.call.id)),
        attribute("procura.decisions", number(decisions().count() as u64)),
        attribute("procura.principal", owned(&record.principal.id)),
        attribute("procura.actions", several(decisions().map(|decision| decision.action.to_owned()))),
        attribute("procura.resources", several(resources)),
        attribute("procura.effects", several(decisions().map(|decision| effect(decision.effect).to_owned()))),
        attribute("procura.reasons", several(decisions().map(|decision| decision.reason.to_owned()))),
        attribute("procura.policies", several(decisions().map(|decision| decision.policy.to_owned()))),
    ]
}

fn attribute<'b>(key: &'b str, value: AnyValue<'b>) -> Attribute<'b> {
    Attribute { key, value }
}

fn number<'b>(number: u64) -> AnyValue<'b> {
    AnyValue::Number(number.to_string())
}

fn text(text: &str) -> AnyValue<'_> {
    AnyValue::Text(Cow::Borrowed(text))
}

fn owned(text: &str) -> AnyValue<'static> {
    AnyValue::Text(Cow::Owned(short(text).to_owned()))
}

/// The texts, each once, in the order of their first.
fn several(texts: impl Iterator<Item = String>) -> AnyValue<'static> {
    let mut found: Vec<String> = Vec::new();
    for text in texts {
        let text = short(&text);
        if found.len() < MAX_VALUES && !found.iter().any(|known| known == text) {
            found.push(text.to_owned());
        }
    }
    AnyValue::Array { values: found.iter().map(|text| owned(text)).collect() }
}

fn short(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or(text)
}

/// How many log records the answer says are rejected. An answer that is not understood rejects none: it has the status of
/// success.
fn rejected(answer: &[u8]) -> u64 {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        partial_success: Option<PartialSuccess>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct PartialSuccess {
        #[serde(default)]
        rejected_log_records: serde_json::Value,
    }
    let answer: Option<Answer> = serde_json::from_slice(answer).ok();
    let rejected =
        answer.and_then(|answer| answer.partial_success).map(|partial| partial.rejected_log_records);
    match rejected {
        Some(serde_json::Value::String(text)) => text.parse().unwrap_or(0),
        Some(value) => value.as_u64().unwrap_or(0),
        None => 0,
    }
}

#[cfg(test)]
mod tests;
