//! One record as a `DecisionLogEntry` of the peer.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use procura_core::engine::{Failure, Trail};
use procura_core::model::{Effect, Timestamp};
use procura_core::record::{
    AuxDataInput, DecisionEntry, DecisionRecord, OutputRecord, PrincipalInput, ProblemRecord, ResourceInput,
    ResultRecord, ValidationRecord,
};
use procura_core::value::{Map, Value};
use serde::{Serialize, Serializer};

/// Most bytes of one entry. The peer repeats the principal for each resource, so an entry can be many times as large as
/// its record; a larger one comes without inputs and outputs and says so.
const ENTRY_BYTES: usize = 16 * 1024 * 1024;

/// What the peer calls policies that are read from a directory.
const DRIVER: &str = "disk";

/// What stands for a policy in decisions that none made.
const NO_MATCH: &str = "NO_MATCH";

/// Writes `record` as the entry of a result. `trail` is what its call met on its way, if that is known.
pub(super) fn write_entry(out: &mut Vec<u8>, record: &DecisionRecord<'_>, trail: Option<&Trail>) {
    let start = out.len();
    let entry = Entry::new(record, trail);
    let mut bounded = Bounded { out, most: start + ENTRY_BYTES };
    if serde_json::to_writer(&mut bounded, &Answer { decision_log_entry: &entry }).is_err() {
        out.truncate(start);
        let oversized = Entry { check_resources: None, oversized: true, ..entry };
        // Writing into memory does not fail.
        let _ = serde_json::to_writer(out, &Answer { decision_log_entry: &oversized });
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'e> {
    decision_log_entry: &'e Entry<'e>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'e> {
    call_id: &'e str,
    #[serde(serialize_with = "as_text")]
    timestamp: Timestamp,
    peer: Peer<'e>,
    #[serde(skip_serializing_if = "Option::is_none")]
    check_resources: Option<CheckResources<'e>>,
    audit_trail: AuditTrail<'e>,
    #[serde(skip_serializing_if = "is_false")]
    oversized: bool,
}

impl<'e> Entry<'e> {
    fn new(record: &'e DecisionRecord<'_>, trail: Option<&'e Trail>) -> Self {
        let caller = &record.call.caller;
        Self {
            call_id: &record.call.id,
            timestamp: record.at,
            peer: Peer { address: caller.address.as_deref() },
            check_resources: Some(CheckResources::new(record, trail)),
            audit_trail: AuditTrail::new(record, trail),
            oversized: false,
        }
    }
}

#[derive(Serialize)]
struct Peer<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'e str>,
}

#[derive(Serialize)]
struct CheckResources<'e> {
    inputs: Vec<Input<'e>>,
    outputs: Vec<Output<'e>>,
}

impl<'e> CheckResources<'e> {
    fn new(record: &'e DecisionRecord<'_>, trail: Option<&'e Trail>) -> Self {
        let pairs = || record.resources.iter().zip(&record.results);
        let failures = |index: usize| trail.and_then(|trail| trail.failures.get(index));
        Self {
            inputs: pairs().map(|(resource, result)| Input::new(record, resource, result)).collect(),
            outputs: (0..)
                .zip(pairs())
                .map(|(index, (resource, result))| Output::new(record, resource, result, failures(index)))
                .collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Input<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'e str>,
    resource: Resource<'e>,
    principal: Principal<'e>,
    actions: Vec<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aux_data: Option<AuxData<'e>>,
}

impl<'e> Input<'e> {
    fn new(
        record: &'e DecisionRecord<'_>,
        resource: &'e ResourceInput<'_>,
        result: &'e ResultRecord<'_>,
    ) -> Self {
        Self {
            request_id: record.call.request_id.as_deref(),
            resource: Resource::new(resource),
            principal: Principal::new(&record.principal),
            actions: result.decisions.iter().map(|decision| &*decision.action).collect(),
            aux_data: record.aux_data.as_ref().map(AuxData::new),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resource<'e> {
    kind: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    policy_version: &'e str,
    id: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attr: Option<&'e Map<'e>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'e str,
}

impl<'e> Resource<'e> {
    fn new(recorded: &'e ResourceInput<'_>) -> Self {
        let ResourceInput { kind, id, attr, policy_version, scope } = recorded;
        Self { kind, policy_version, id, attr: unless_empty(attr), scope }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Principal<'e> {
    id: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    policy_version: &'e str,
    roles: Vec<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attr: Option<&'e Map<'e>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'e str,
}

impl<'e> Principal<'e> {
    fn new(recorded: &'e PrincipalInput<'_>) -> Self {
        let PrincipalInput { id, roles, attr, policy_version, scope } = recorded;
        let roles = roles.iter().map(AsRef::as_ref).collect();
        Self { id, policy_version, roles, attr: unless_empty(attr), scope }
    }
}

/// The claims alone, as conditions see them.
#[derive(Serialize)]
struct AuxData<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    jwt: Option<&'e Map<'e>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    jwts: BTreeMap<&'e str, &'e Map<'e>>,
}

impl<'e> AuxData<'e> {
    fn new(recorded: &'e AuxDataInput<'_>) -> Self {
        Self {
            jwt: recorded.jwt.as_ref().map(|token| &*token.claims),
            jwts: recorded.jwts.iter().map(|(name, token)| (&**name, &*token.claims)).collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Output<'e> {
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'e str>,
    resource_id: &'e str,
    actions: Actions<'e>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    effective_derived_roles: Vec<&'e str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    validation_errors: Vec<Mismatch<'e>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    outputs: Vec<PutOut<'e>>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    evaluation_errors: BTreeSet<EvaluationError<'e>>,
}

impl<'e> Output<'e> {
    fn new(
        record: &'e DecisionRecord<'_>,
        resource: &'e ResourceInput<'_>,
        result: &'e ResultRecord<'_>,
        failures: Option<&'e BTreeSet<Failure>>,
    ) -> Self {
        let outputs = result
            .decisions
            .iter()
            .flat_map(|decision| decision.outputs.iter().map(|output| PutOut::new(&decision.action, output)));
        let problems = || result.decisions.iter().flat_map(|decision| &decision.problems);
        Self {
            request_id: record.call.request_id.as_deref(),
            resource_id: &resource.id,
            actions: Actions::new(result),
            effective_derived_roles: result.derived_roles.iter().map(AsRef::as_ref).collect(),
            validation_errors: result.validation_errors.iter().map(Mismatch::new).collect(),
            outputs: outputs.collect(),
            evaluation_errors: match failures {
                Some(failures) => failures.iter().map(EvaluationError::of_failure).collect(),
                None => problems().map(EvaluationError::of_problem).collect(),
            },
        }
    }
}

/// A map from action to what was decided.
struct Actions<'e>(Vec<(&'e str, Decided<'e>)>);

impl<'e> Actions<'e> {
    fn new(result: &'e ResultRecord<'_>) -> Self {
        let decided = |decision: &'e DecisionEntry<'_>| {
            let DecisionEntry { action, effect, policy, scope, .. } = decision;
            let policy = policy.as_ref().unwrap_or(&result.policy);
            (&**action, Decided { effect: *effect, policy, scope })
        };
        Self(result.decisions.iter().map(decided).collect())
    }
}

impl Serialize for Actions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(action, decided)| (action, decided)))
    }
}

#[derive(Serialize)]
struct Decided<'e> {
    #[serde(serialize_with = "wire_name")]
    effect: Effect,
    policy: &'e str,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'e str,
}

#[derive(Serialize)]
struct Mismatch<'e> {
    #[serde(skip_serializing_if = "str::is_empty")]
    path: &'e str,
    message: &'e str,
    source: &'static str,
}

impl<'e> Mismatch<'e> {
    fn new(recorded: &'e ValidationRecord<'_>) -> Self {
        let ValidationRecord { source, path, message } = recorded;
        let source = if source == "principal" { "SOURCE_PRINCIPAL" } else { "SOURCE_RESOURCE" };
        Self { path, message, source }
    }
}

#[derive(Serialize)]
struct PutOut<'e> {
    src: &'e str,
    action: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    val: Option<&'e Value<'e>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'e str>,
}

impl<'e> PutOut<'e> {
    fn new(action: &'e str, recorded: &'e OutputRecord<'_>) -> Self {
        let OutputRecord { rule, value, error } = recorded;
        Self { src: rule, action, val: value.as_deref(), error: error.as_deref() }
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
struct EvaluationError<'e> {
    cel_error: CelError<'e>,
}

#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct CelError<'e> {
    expression: &'e str,
    message: &'e str,
}

impl<'e> EvaluationError<'e> {
    fn of_failure(Failure { expression, message }: &'e Failure) -> Self {
        Self { cel_error: CelError { expression, message } }
    }

    fn of_problem(ProblemRecord { expression, message, .. }: &'e ProblemRecord<'_>) -> Self {
        Self { cel_error: CelError { expression, message } }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuditTrail<'e> {
    effective_policies: BTreeMap<&'e str, EffectivePolicy<'e>>,
}

impl<'e> AuditTrail<'e> {
    /// The policies with a rule that was looked at, with their files; without a trail those that decided.
    fn new(record: &'e DecisionRecord<'_>, trail: Option<&'e Trail>) -> Self {
        let looked_at = trail.into_iter().flat_map(|trail| &trail.policies);
        let looked_at = looked_at.map(|(policy, file)| (policy.as_str(), Some(file.as_str())));
        let named = record.decisions().filter(|_| trail.is_none()).map(|decision| (decision.policy, None));
        let policies = looked_at.chain(named.filter(|(policy, _)| *policy != NO_MATCH));
        Self { effective_policies: policies.map(|(name, file)| (name, EffectivePolicy::of(file))).collect() }
    }
}

#[derive(Serialize)]
struct EffectivePolicy<'e> {
    attributes: Attributes<'e>,
}

#[derive(Serialize)]
struct Attributes<'e> {
    driver: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'e str>,
}

impl<'e> EffectivePolicy<'e> {
    fn of(source: Option<&'e str>) -> Self {
        Self { attributes: Attributes { driver: DRIVER, source } }
    }
}

/// A buffer that refuses to grow past a length.
struct Bounded<'o> {
    out: &'o mut Vec<u8>,
    most: usize,
}

impl io::Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.out.len() + bytes.len() > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.out.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn unless_empty<'e>(attr: &'e Map<'_>) -> Option<&'e Map<'e>> {
    Some(attr).filter(|attr| !attr.is_empty())
}

fn as_text<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn wire_name<S: Serializer>(effect: &Effect, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(effect.wire_name())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}
