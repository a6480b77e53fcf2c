//! What a record says that can be asked for, read without the attributes: most of a record is skipped.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::Field;
use crate::model::Timestamp;
use crate::record::RecordError;

/// The facts of one record of any kind.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(deserialize_with = "instant")]
    at: Timestamp,
    #[serde(borrow, default)]
    call: Option<Call<'a>>,
    #[serde(borrow, default)]
    basis: Option<Basis<'a>>,
    #[serde(borrow, default)]
    principal: Option<Principal<'a>>,
    #[serde(borrow, default)]
    resources: Vec<Resource<'a>>,
    #[serde(borrow, default)]
    results: Vec<Outcome<'a>>,
    #[serde(borrow, default)]
    caller: Option<Caller<'a>>,
    #[serde(borrow, default)]
    to: Option<PolicySet<'a>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Call<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, default)]
    request_id: Text<'a>,
    #[serde(borrow)]
    api: Text<'a>,
    #[serde(borrow, default)]
    caller: Caller<'a>,
}

#[derive(Debug, Default, Deserialize)]
struct Caller<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    address: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Basis<'a> {
    #[serde(borrow)]
    policy_revision: Text<'a>,
}

#[derive(Debug, Deserialize)]
struct Principal<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    roles: Vec<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct Resource<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    #[serde(borrow)]
    policy: Text<'a>,
    #[serde(borrow, default)]
    derived_roles: Vec<Text<'a>>,
    #[serde(borrow)]
    decisions: Vec<Entry<'a>>,
}

#[derive(Debug, Deserialize)]
struct Entry<'a> {
    #[serde(borrow)]
    action: Text<'a>,
    #[serde(borrow)]
    effect: Text<'a>,
    #[serde(borrow)]
    reason: Text<'a>,
    #[serde(borrow, default)]
    policy: Option<Text<'a>>,
    #[serde(borrow, default)]
    scope: Text<'a>,
    #[serde(borrow, default)]
    rule: Text<'a>,
    #[serde(borrow, default)]
    problems: Vec<Problem<'a>>,
}

#[derive(Debug, Deserialize)]
struct Problem<'a> {
    #[serde(borrow)]
    code: Text<'a>,
}

#[derive(Debug, Deserialize)]
struct PolicySet<'a> {
    #[serde(borrow)]
    revision: Text<'a>,
}

impl<'a> Facts<'a> {
    /// The facts of an encoded record. Of a record whose members are not those of the kinds known here, only kind and
    /// instant are.
    ///
    /// # Errors
    /// If `payload` is no record.
    pub fn decode(payload: &'a [u8]) -> Result<Self, RecordError> {
        serde_json::from_slice(payload).or_else(|_| Self::decode_head(payload))
    }

    fn decode_head(payload: &'a [u8]) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Head<'a> {
            #[serde(borrow)]
            kind: Text<'a>,
            #[serde(deserialize_with = "instant")]
            at: Timestamp,
        }
        let Head { kind, at } = serde_json::from_slice(payload).map_err(RecordError::Malformed)?;
        let (resources, results) = (Vec::new(), Vec::new());
        Ok(Self {
            kind,
            at,
            call: None,
            basis: None,
            principal: None,
            resources,
            results,
            caller: None,
            to: None,
        })
    }

    /// The instant.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Kind of the record.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind.0
    }

    /// Id of the call, if it is the record of one.
    #[must_use]
    pub fn call_id(&self) -> Option<&str> {
        self.call.as_ref().map(|call| &*call.id.0)
    }

    /// The decisions in the order of their numbers; for a record that is not of a call, one row without any.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_, 'a>> {
        let pairs = self.resources.iter().zip(&self.results);
        let entries = pairs.flat_map(|(resource, outcome)| {
            outcome.decisions.iter().map(move |entry| Decided { resource, outcome, entry })
        });
        let numbered = (1..).zip(entries.map(Some));
        let other = self.call.is_none().then_some((0, None));
        other.into_iter().chain(numbered).map(|(number, decided)| Row { facts: self, decided, number })
    }
}

#[derive(Clone, Copy, Debug)]
struct Decided<'f, 'a> {
    resource: &'f Resource<'a>,
    outcome: &'f Outcome<'a>,
    entry: &'f Entry<'a>,
}

/// One decision of a record, or a record without any.
#[derive(Clone, Copy, Debug)]
pub struct Row<'f, 'a> {
    facts: &'f Facts<'a>,
    decided: Option<Decided<'f, 'a>>,
    /// Number of the decision within its call, from 1; 0 if the record is not of a call.
    pub number: u32,
}

impl Row<'_, '_> {
    /// The instant of the record.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        self.facts.at
    }

    /// Whether `holds` for one of the values of `field`; asked of one after the other until it does.
    pub fn any(&self, field: Field, mut holds: impl FnMut(&str) -> bool) -> bool {
        match field {
            Field::Role => {
                let roles = self.facts.principal.as_ref().map(|principal| &principal.roles);
                roles.into_iter().flatten().any(|role| holds(&role.0))
            }
            Field::DerivedRole => {
                let roles = self.decided.map(|decided| &decided.outcome.derived_roles);
                roles.into_iter().flatten().any(|role| holds(&role.0))
            }
            Field::Problem => {
                let problems = self.decided.map(|decided| &decided.entry.problems);
                problems.into_iter().flatten().any(|problem| holds(&problem.code.0))
            }
            _ => holds(self.only(field).unwrap_or_default()),
        }
    }

    /// The value of a field that has one at most.
    fn only(&self, field: Field) -> Option<&str> {
        let facts = self.facts;
        let (call, decided) = (facts.call.as_ref(), self.decided);
        let text = match field {
            Field::Kind => &facts.kind,
            Field::Principal => &facts.principal.as_ref()?.id,
            Field::ResourceKind => &decided?.resource.kind,
            Field::ResourceId => &decided?.resource.id,
            Field::Action => &decided?.entry.action,
            Field::Effect => &decided?.entry.effect,
            Field::Reason => &decided?.entry.reason,
            Field::Policy => decided.map(|d| d.entry.policy.as_ref().unwrap_or(&d.outcome.policy))?,
            Field::Rule => &decided?.entry.rule,
            Field::Scope => &decided?.entry.scope,
            Field::PolicyRevision => match &facts.basis {
                Some(basis) => &basis.policy_revision,
                None => &facts.to.as_ref()?.revision,
            },
            Field::Caller => return call.map(|call| &call.caller).or(facts.caller.as_ref())?.label(),
            Field::Api => &call?.api,
            Field::RequestId => &call?.request_id,
            Field::Role | Field::DerivedRole | Field::Problem => return None,
        };
        Some(&text.0)
    }
}

impl Caller<'_> {
    /// The name, or else the address without its port, which is another one for each connection.
    fn label(&self) -> Option<&str> {
        let address = || self.address.as_ref().map(|address| host(&address.0));
        self.name.as_ref().map(|name| &*name.0).or_else(address)
    }
}

fn host(address: &str) -> &str {
    let bare = address.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    bare.map_or(address, |(host, _)| host.trim_start_matches('[').trim_end_matches(']'))
}

fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    Text::deserialize(deserializer)?.0.parse().map_err(D::Error::custom)
}
