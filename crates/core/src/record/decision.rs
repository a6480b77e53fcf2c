//! What stands in the record of one call: every input of its decisions once, then for each resource what was decided.
//! [`CallRecord`](super::CallRecord) writes it.

use std::borrow::Cow;
use std::ops::Not;

use serde::{Deserialize, Serialize};

use super::{AuxDataInput, DecisionId, DemandRecord, FactRecord, PresentedInput, wire};
use crate::model::{Effect, Standing, Timestamp};
use crate::value::{Map, Value};

/// The default policy version of records that do not name one.
pub(super) const USUAL_VERSION: &str = "default";

/// The schema enforcement of records that do not name one.
pub(super) const NO_ENFORCEMENT: &str = "none";

/// How a record says that its decisions cannot be made again from it.
pub(super) const PARTIAL: &str = "partial";

/// The record of one call. Members are written in the order of the fields; empty ones are left out.
///
/// It holds every input of the decisions, so that they can be made again, bit for bit, from the record and the
/// policy set of its revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecord<'a> {
    /// The instant of the call: `now()` in conditions, the same for all its decisions.
    #[serde(with = "wire::instant")]
    pub at: Timestamp,
    /// Which call, and who made it.
    #[serde(borrow)]
    pub call: Call<'a>,
    /// What the decisions rest on besides the request.
    #[serde(borrow)]
    pub basis: Basis<'a>,
    /// The principal, as in the request.
    #[serde(borrow)]
    pub principal: PrincipalInput<'a>,
    /// `request.context`; absent if the request had none.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Cow<'a, Map<'a>>>,
    /// What the tokens of the call said; absent if it had none.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub aux_data: Option<AuxDataInput<'a>>,
    /// Who acts for the principal, as a verified token says: `request.actor`; absent if nobody does.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Cow<'a, Map<'a>>>,
    /// What whoever acts presents, as far as facts can be about it; absent if it is nothing, or if no facts were held at all.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub presented: Option<PresentedInput<'a>>,
    /// The facts in force about the call, newest first: `signals` in conditions. One about a resource is in force only for
    /// the results of that resource, one about a tenant for those in it.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<FactRecord<'a>>,
    /// The resources, in request order.
    #[serde(borrow)]
    pub resources: Vec<ResourceInput<'a>>,
    /// What was decided about each of them, in the same order.
    #[serde(borrow)]
    pub results: Vec<ResultRecord<'a>>,
    /// `partial` if something is masked that decisions rest on, or that they say; absent if they can be made again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Cow<'a, str>>,
    /// The paths of `audit.mask` by which something in this record is masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<Cow<'a, str>>,
}

/// Which call, and who made it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call<'a> {
    /// Unique id, minted by the server: a UUIDv7 of the record's instant.
    pub id: Cow<'a, str>,
    /// The id that the request itself carried, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Cow<'a, str>>,
    /// The trace of its caller that it belongs to, 32 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<Cow<'a, str>>,
    /// The surface that was called, for example `check_resources` or `access_evaluation`.
    pub api: Cow<'a, str>,
    /// The transaction that it belongs to, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub txn: Option<Cow<'a, str>>,
    /// Whether only the caller says so (`context.txn`), and no verified transaction token.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub txn_stated: bool,
    /// The enforcement point that called.
    pub caller: Caller<'a>,
}

/// Who talked to the server. Not the principal: that is whom the call is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Caller<'a> {
    /// The authenticated name, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'a, str>>,
    /// How it showed who it is: `certificate`, `token` or `key`; absent if it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Cow<'a, str>>,
    /// Who vouches for it: the issuer of its token, the trust domain of its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Cow<'a, str>>,
    /// By which key: the `kid` of its token, the id of its API key, the fingerprint of its certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Cow<'a, str>>,
    /// The tenants that it is bound to: for its calls there are no others. Absent if it is bound to none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenants: Option<Vec<Cow<'a, str>>>,
    /// Network address and port, if the call came over the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Cow<'a, str>>,
}

impl Caller<'_> {
    /// The same, owning its texts.
    #[must_use]
    pub fn into_owned(self) -> Caller<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Caller {
            name: self.name.map(owned),
            method: self.method.map(owned),
            issuer: self.issuer.map(owned),
            key: self.key.map(owned),
            tenants: self.tenants.map(|tenants| tenants.into_iter().map(owned).collect()),
            address: self.address.map(owned),
        }
    }
}

/// What the decisions rest on besides the request: the policy set and every setting that can change a decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Basis<'a> {
    /// Version of the engine that decided.
    pub engine: Cow<'a, str>,
    /// Content hash of the policy set, 64 hexadecimal digits.
    pub policy_revision: Cow<'a, str>,
    /// Running number of the policy set in the process that decided, from 1.
    pub policy_generation: u64,
    /// What an erroring condition does: `closed` or `cerbos`.
    pub on_error: Cow<'a, str>,
    /// Policy version used where the request names none.
    #[serde(default = "usual_version", skip_serializing_if = "is_usual_version")]
    pub default_policy_version: Cow<'a, str>,
    /// Scope used where the request names none; empty for the root.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub default_scope: Cow<'a, str>,
    /// Whether a request for a scope without a policy is decided by the nearest scope above that has one.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub lenient_scope_search: bool,
    /// Whether an error met on the way to a decision denies the action, whatever the rules say.
    #[serde(default, skip_serializing_if = "Not::not")]
    pub strict_evaluation: bool,
    /// What attributes that do not fit their schema do: `none`, `warn` or `reject`.
    #[serde(default = "no_enforcement", skip_serializing_if = "is_no_enforcement")]
    pub schema_enforcement: Cow<'a, str>,
    /// `globals` in conditions.
    #[serde(borrow, default, skip_serializing_if = "is_empty_map")]
    pub globals: Cow<'a, Map<'a>>,
    /// Which rules stand without a policy; absent if all of them do.
    #[serde(default, skip_serializing_if = "Standing::is_usual")]
    pub standing: Standing,
    /// What the answer waited for: `durable`, `os` or `async`.
    pub durability: Cow<'a, str>,
}

/// The principal, as in the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrincipalInput<'a> {
    /// Unique name.
    pub id: Cow<'a, str>,
    /// Roles, in request order.
    pub roles: Cow<'a, [Cow<'a, str>]>,
    /// Attributes, sorted by key.
    #[serde(borrow, default, skip_serializing_if = "is_empty_map")]
    pub attr: Cow<'a, Map<'a>>,
    /// Requested policy version, empty for the default.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub policy_version: Cow<'a, str>,
    /// Requested scope, empty for the default.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub scope: Cow<'a, str>,
}

/// A resource, as in the request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResourceInput<'a> {
    /// Kind, which selects the policy.
    pub kind: Cow<'a, str>,
    /// Name, unique within its kind.
    pub id: Cow<'a, str>,
    /// Attributes, sorted by key.
    #[serde(borrow, default, skip_serializing_if = "is_empty_map")]
    pub attr: Cow<'a, Map<'a>>,
    /// Requested policy version, empty for the default.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub policy_version: Cow<'a, str>,
    /// Requested scope, empty for the default.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub scope: Cow<'a, str>,
}

/// What was decided about one resource.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultRecord<'a> {
    /// The policy that decided, or `NO_MATCH`, unless a decision names another one.
    pub policy: Cow<'a, str>,
    /// Derived roles that hold for the principal and this resource, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived_roles: Vec<Cow<'a, str>>,
    /// One decision for each action, in request order.
    #[serde(borrow)]
    pub decisions: Vec<DecisionEntry<'a>>,
    /// What in the attributes does not fit their schemas.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation_errors: Vec<ValidationRecord<'a>>,
}

/// One decision: one action on one resource. Complete together with the [`ResultRecord`] in which it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionEntry<'a> {
    /// The action that was asked for.
    pub action: Cow<'a, str>,
    /// `EFFECT_ALLOW` or `EFFECT_DENY`.
    #[serde(with = "wire::effect")]
    pub effect: Effect,
    /// Why, as a stable code: see [`crate::model::Reason::code`].
    pub reason: Cow<'a, str>,
    /// The policy that decided, if it is not that of the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Cow<'a, str>>,
    /// The scope whose rules decided, empty for the root.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub scope: Cow<'a, str>,
    /// The rule that decided, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Cow<'a, str>>,
    /// The fact that the decision rests on, by its place in `signals`, from 0. With `demand`, the newest one that is too old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<usize>,
    /// The fact that a capability asks for and that is not there or too old.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub demand: Option<DemandRecord<'a>>,
    /// What the visited rules put out for this action.
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputRecord<'a>>,
    /// What went wrong on the way to this decision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<ProblemRecord<'a>>,
}

/// What one rule put out: a value, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputRecord<'a> {
    /// The rule: `<policy>#<rule name>`.
    pub rule: Cow<'a, str>,
    /// The value; absent if there is an error.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none", deserialize_with = "wire::present")]
    pub value: Option<Cow<'a, Value<'a>>>,
    /// Why there is no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Cow<'a, str>>,
}

/// Something that went wrong while evaluating.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProblemRecord<'a> {
    /// A stable code: see [`crate::model::ProblemCode::code`].
    pub code: Cow<'a, str>,
    /// The rule or derived role.
    pub source: Cow<'a, str>,
    /// The expression, as written.
    pub expression: Cow<'a, str>,
    /// `file:line:column` of the part that failed.
    pub position: Cow<'a, str>,
    /// What happened.
    pub message: Cow<'a, str>,
}

/// Something in the attributes that does not fit their schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ValidationRecord<'a> {
    /// Whose attributes: `principal` or `resource`.
    pub source: Cow<'a, str>,
    /// JSON pointer into the attributes; empty if the schema itself cannot be used.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub path: Cow<'a, str>,
    /// What does not fit.
    pub message: Cow<'a, str>,
}

/// One decision of a record with everything that the record says about it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision<'r, 'a> {
    /// `<call id>/<n>`, `n` from 1: resources in request order, within each its actions in request order.
    pub id: DecisionId<'r>,
    /// What it is about.
    pub resource: &'r ResourceInput<'a>,
    /// The action that was asked for.
    pub action: &'r str,
    /// `EFFECT_ALLOW` or `EFFECT_DENY`.
    #[serde(with = "wire::effect")]
    pub effect: Effect,
    /// Why, as a stable code.
    pub reason: &'r str,
    /// The policy that decided, or `NO_MATCH`.
    pub policy: &'r str,
    /// The scope whose rules decided, empty for the root.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub scope: &'r str,
    /// The rule that decided, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'r str>,
    /// The fact that the decision rests on, by its place in the `signals` of the record, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<usize>,
    /// The fact that a capability asks for and that is not there or too old.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub demand: Option<&'r DemandRecord<'a>>,
    /// Derived roles that hold for the principal and this resource, sorted.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub derived_roles: &'r [Cow<'a, str>],
    /// What the visited rules put out for this action.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub outputs: &'r [OutputRecord<'a>],
    /// What went wrong on the way to this decision.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub problems: &'r [ProblemRecord<'a>],
    /// What in the attributes does not fit their schemas.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub validation_errors: &'r [ValidationRecord<'a>],
}

impl<'a> DecisionRecord<'a> {
    /// Whether the record holds every input of its decisions, so that they can be made again.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.replay.is_none()
    }

    /// The decisions, in the order of their numbers.
    pub fn decisions(&self) -> impl Iterator<Item = Decision<'_, 'a>> {
        self.decisions_of(&self.results)
    }

    /// The decisions of `results`, which are about the resources of this record, in the order of their numbers.
    pub fn decisions_of<'r>(
        &'r self,
        results: &'r [ResultRecord<'a>],
    ) -> impl Iterator<Item = Decision<'r, 'a>> {
        let results = self.resources.iter().zip(results);
        let entries = results.flat_map(|(resource, result)| {
            result.decisions.iter().map(move |entry| (resource, result, entry))
        });
        (1..).zip(entries).map(|(number, (resource, result, entry))| Decision {
            id: DecisionId { call: Cow::Borrowed(&self.call.id), number },
            resource,
            action: &entry.action,
            effect: entry.effect,
            reason: &entry.reason,
            policy: entry.policy.as_deref().unwrap_or(&result.policy),
            scope: &entry.scope,
            rule: entry.rule.as_deref(),
            signal: entry.signal,
            demand: entry.demand.as_ref(),
            derived_roles: &result.derived_roles,
            outputs: &entry.outputs,
            problems: &entry.problems,
            validation_errors: &result.validation_errors,
        })
    }
}

fn is_empty(text: &str) -> bool {
    text.is_empty()
}

fn usual_version() -> Cow<'static, str> {
    Cow::Borrowed(USUAL_VERSION)
}

fn is_usual_version(version: &str) -> bool {
    version == USUAL_VERSION
}

fn no_enforcement() -> Cow<'static, str> {
    Cow::Borrowed(NO_ENFORCEMENT)
}

fn is_no_enforcement(enforcement: &str) -> bool {
    enforcement == NO_ENFORCEMENT
}

fn is_empty_map(map: &Map<'_>) -> bool {
    map.is_empty()
}
