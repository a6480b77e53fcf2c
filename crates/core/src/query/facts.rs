//! What a record says that can be asked for, read without the attributes: most of a record is skipped.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Field, is_beyond};
use crate::model::{Timestamp, tenant_of};
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
    aux_data: Option<AuxData<'a>>,
    #[serde(borrow, default)]
    presented: Option<Presented<'a>>,
    #[serde(borrow, default)]
    signals: Vec<Signal<'a>>,
    /// What a signal states.
    #[serde(borrow, default)]
    facts: Vec<Signal<'a>>,
    #[serde(borrow, default)]
    resources: Vec<Resource<'a>>,
    #[serde(borrow, default)]
    results: Vec<Outcome<'a>>,
    #[serde(borrow, default)]
    caller: Option<Caller<'a>>,
    #[serde(borrow, default)]
    to: Option<PolicySet<'a>>,
}

#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
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
    #[serde(borrow, default)]
    txn: Text<'a>,
}

#[derive(Debug, Default, Deserialize)]
struct Caller<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    method: Option<Text<'a>>,
    #[serde(borrow, default)]
    issuer: Option<Text<'a>>,
    #[serde(borrow, default)]
    key: Option<Text<'a>>,
    #[serde(borrow, default)]
    address: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Basis<'a> {
    #[serde(borrow)]
    policy_revision: Text<'a>,
    #[serde(borrow, default)]
    default_scope: Text<'a>,
}

#[derive(Debug, Deserialize)]
struct Principal<'a> {
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow)]
    roles: Vec<Text<'a>>,
    #[serde(borrow, default)]
    scope: Text<'a>,
}

#[derive(Debug, Deserialize)]
struct AuxData<'a> {
    #[serde(borrow, default)]
    jwt: Option<Token<'a>>,
    #[serde(borrow, default)]
    jwts: BTreeMap<Text<'a>, Token<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token<'a> {
    #[serde(borrow, default)]
    key_set: Option<Text<'a>>,
    #[serde(borrow, default)]
    key: Option<Text<'a>>,
    #[serde(borrow)]
    claims: Claims<'a>,
}

#[derive(Debug, Deserialize)]
struct Claims<'a> {
    #[serde(borrow, default, deserialize_with = "text_if_it_is")]
    iss: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct Presented<'a> {
    #[serde(borrow, default)]
    session: Text<'a>,
    #[serde(borrow, default)]
    device: Text<'a>,
}

/// A fact in force, or one that a signal states.
#[derive(Debug, Deserialize)]
struct Signal<'a> {
    #[serde(borrow, rename = "type")]
    name: Text<'a>,
}

#[derive(Debug, Deserialize)]
struct Resource<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    #[serde(borrow)]
    id: Text<'a>,
    #[serde(borrow, default)]
    scope: Text<'a>,
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
            aux_data: None,
            presented: None,
            signals: Vec::new(),
            facts: Vec::new(),
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

    /// Who sent the call, or asked for what happened.
    fn caller(&self) -> Option<&Caller<'a>> {
        self.call.as_ref().map(|call| &call.caller).or(self.caller.as_ref())
    }

    /// Id of the call, if it is the record of one.
    #[must_use]
    pub fn call_id(&self) -> Option<&str> {
        self.call.as_ref().map(|call| &*call.id.0)
    }

    /// Whether all that the record is about is of these tenants. A record that is not of a call is of none.
    #[must_use]
    pub fn is_within(&self, tenants: &[Box<str>]) -> bool {
        !self.any_tenant(|tenant| is_beyond(tenant, tenants))
    }

    /// Whether `holds` for one of the tenants; the root is the one without a name.
    fn any_tenant(&self, holds: impl FnMut(&str) -> bool) -> bool {
        let default = self.basis.as_ref().map_or("", |basis| &basis.default_scope.0);
        let of_principal = self.principal.as_ref().and_then(|principal| principal.scope.tenant(default));
        let of_resources = self.resources.iter().map(|of| of.scope.tenant(default).unwrap_or_default());
        let nothing = self.resources.is_empty().then_some("");
        of_resources.chain(of_principal).chain(nothing).any(holds)
    }

    /// Whether `holds` for one of the credentials of the call, that of its caller or a token: who issued it, which key set
    /// vouches for it, and which key was used.
    pub fn any_credential(
        &self,
        mut holds: impl FnMut(Option<&str>, Option<&str>, Option<&str>) -> bool,
    ) -> bool {
        fn text<'t>(text: &'t Option<Text<'_>>) -> Option<&'t str> {
            text.as_ref().map(|text| &*text.0)
        }
        let caller = self.call.as_ref().map(|call| &call.caller);
        caller.is_some_and(|caller| holds(text(&caller.issuer), text(caller.key_set()), text(&caller.key)))
            || self.tokens().any(|of| holds(text(&of.claims.iss), text(&of.key_set), text(&of.key)))
    }

    /// The tokens of the call.
    fn tokens(&self) -> impl Iterator<Item = &Token<'a>> {
        self.aux_data.iter().flat_map(|aux_data| aux_data.jwt.iter().chain(aux_data.jwts.values()))
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
            Field::Tenant => self.facts.any_tenant(holds),
            Field::Issuer => {
                let of_tokens = self.facts.tokens().map(|token| &token.claims.iss);
                any_or_none(of_tokens.chain(self.facts.caller().map(|caller| &caller.issuer)), holds)
            }
            Field::KeySet => {
                let of_tokens = self.facts.tokens().map(|token| &token.key_set);
                any_or_none(of_tokens.chain(self.facts.caller().map(Caller::key_set)), holds)
            }
            Field::Key => {
                let of_tokens = self.facts.tokens().map(|token| &token.key);
                any_or_none(of_tokens.chain(self.facts.caller().map(|caller| &caller.key)), holds)
            }
            Field::Signal => {
                self.facts.signals.iter().chain(&self.facts.facts).any(|signal| holds(&signal.name.0))
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
            Field::Caller => return facts.caller()?.label(),
            Field::Api => &call?.api,
            Field::RequestId => &call?.request_id,
            Field::Txn => &call?.txn,
            Field::Session => &facts.presented.as_ref()?.session,
            Field::Device => &facts.presented.as_ref()?.device,
            Field::Role
            | Field::DerivedRole
            | Field::Problem
            | Field::Tenant
            | Field::Issuer
            | Field::KeySet
            | Field::Key
            | Field::Signal => return None,
        };
        Some(&text.0)
    }
}

impl Text<'_> {
    /// The tenant of this scope, or of the default one if none is written.
    fn tenant<'t>(&'t self, default: &'t str) -> Option<&'t str> {
        tenant_of(if self.0.is_empty() { default } else { &self.0 })
    }
}

impl<'a> Caller<'a> {
    /// The key set that vouches for it: the one of the issuer of its token, by whose name it is known.
    fn key_set(&self) -> &Option<Text<'a>> {
        let has_token = self.method.as_ref().is_some_and(|method| method.0 == "token");
        if has_token { &self.issuer } else { &None }
    }

    /// The name, or else the address without its port, which is another one for each connection.
    fn label(&self) -> Option<&str> {
        let address = || self.address.as_ref().map(|address| host(&address.0));
        self.name.as_ref().map(|name| &*name.0).or_else(address)
    }
}

/// Whether `holds` for one of the texts that are there, or for the empty one if none is.
fn any_or_none<'f>(
    texts: impl Iterator<Item = &'f Option<Text<'f>>>,
    mut holds: impl FnMut(&str) -> bool,
) -> bool {
    let mut texts = texts.flatten().peekable();
    if texts.peek().is_none() {
        return holds("");
    }
    texts.any(|text| holds(&text.0))
}

fn host(address: &str) -> &str {
    let bare = address.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    bare.map_or(address, |(host, _)| host.trim_start_matches('[').trim_end_matches(']'))
}

fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    Text::deserialize(deserializer)?.0.parse().map_err(D::Error::custom)
}

/// The text, or nothing if it is something else: the claims of a token are what its issuer likes.
fn text_if_it_is<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text<'a>>, D::Error> {
    struct IfText;
    impl<'de> Visitor<'de> for IfText {
        type Value = Option<Cow<'de, str>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("anything")
        }
        fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
            Ok(Some(Cow::Borrowed(text)))
        }
        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Some(Cow::Owned(text.to_owned())))
        }
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
            IgnoredAny.visit_seq(seq).map(|_| None)
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            IgnoredAny.visit_map(map).map(|_| None)
        }
    }
    Ok(deserializer.deserialize_any(IfText)?.map(Text))
}
