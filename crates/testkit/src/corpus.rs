//! The decision corpus: one file per behaviour in `tests/corpus/decisions`, played against the core, and by
//! whoever else answers requests.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use procura_core::engine::{OnError, Settings};
use procura_core::model::{self, ActionDecision, Evaluation, OutputValue, Request};
use procura_core::policy::SourceFile;
use procura_core::value::Map;
use serde::Deserialize;

use crate::yaml;

/// One behaviour: policies, and what they answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// The name of its file.
    #[serde(skip)]
    pub name: String,
    /// What it is, in a sentence or two.
    pub about: String,
    /// Policy files: text by path.
    pub policies: BTreeMap<String, String>,
    /// Requests, and how each is answered.
    pub cases: Vec<Case>,
}

/// One request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What is special about it.
    pub name: String,
    /// Settings that differ from the default.
    #[serde(default)]
    pub settings: CaseSettings,
    /// The body of `POST /api/check/resources`.
    pub request: serde_json::Value,
    /// One entry per resource of the request.
    pub expect: Vec<Answer>,
}

/// Engine settings of a case, by their configuration keys.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CaseSettings {
    /// `engine.onError`; `closed` if absent.
    pub on_error: Option<String>,
    /// `engine.defaultPolicyVersion`; `default` if absent.
    pub default_policy_version: Option<String>,
}

/// What is answered about one resource.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Answer {
    /// The decision for each action.
    pub actions: BTreeMap<String, Decision>,
    /// The derived roles that hold, sorted.
    #[serde(default)]
    pub derived_roles: Vec<String>,
    /// Outputs in the order of the answer.
    #[serde(default)]
    pub outputs: Vec<Output>,
}

/// What is answered about one action.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// `ALLOW` or `DENY`.
    pub effect: String,
    /// Reason code.
    pub reason: String,
    /// The rule that decided.
    pub rule: Option<String>,
    /// The policy that decided; not compared where a case does not name it.
    pub policy: Option<String>,
    /// Problems as `code source file:line:column`, or as `code source` where the place does not matter.
    #[serde(default)]
    pub problems: Vec<String>,
}

impl Decision {
    fn forget_what_is_left_open(&mut self, expected: &Decision) {
        if expected.policy.is_none() {
            self.policy = None;
        }
        for (problem, expected) in self.problems.iter_mut().zip(&expected.problems) {
            if let Some(at) = problem.rfind(' ').filter(|at| problem.get(..*at) == Some(expected)) {
                problem.truncate(at);
            }
        }
    }
}

/// One output.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// `<policy>#<rule>`.
    pub src: String,
    /// The action.
    pub action: String,
    /// The value.
    #[serde(default)]
    pub val: serde_json::Value,
    /// Whether there is an error in place of a value.
    #[serde(default)]
    pub error: bool,
}

/// Every behaviour of the corpus, by name.
#[must_use]
pub fn behaviours() -> Vec<Behaviour> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/decisions");
    let mut paths: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: &Path| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let behaviour: Behaviour = yaml::parse(&name, &fs::read_to_string(path).unwrap());
        Behaviour { name, ..behaviour }
    };
    paths.iter().map(|path| read(path)).collect()
}

impl Behaviour {
    /// The policy set.
    #[must_use]
    pub fn files(&self) -> Vec<SourceFile> {
        let file = |(path, text): (&String, &String)| SourceFile {
            path: path.as_str().into(),
            text: text.as_str().into(),
        };
        self.policies.iter().map(file).collect()
    }
}

impl Case {
    /// The settings to decide with.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let on_error = match self.settings.on_error.as_deref() {
            None | Some("closed") => OnError::Closed,
            Some("cerbos") => OnError::Cerbos,
            Some(other) => panic!("{}: no such mode: {other}", self.name),
        };
        let version = self.settings.default_policy_version.as_deref().unwrap_or("default");
        Settings { default_policy_version: version.to_owned(), on_error, ..Settings::default() }
    }

    /// The body to send.
    #[must_use]
    pub fn body(&self) -> String {
        self.request.to_string()
    }

    /// Fails unless `answers` are the expected ones.
    pub fn assert(&self, behaviour: &Behaviour, answers: &[Answer]) {
        let mut answers = answers.to_vec();
        for (answer, expected) in answers.iter_mut().zip(&self.expect) {
            for (action, decision) in &mut answer.actions {
                if let Some(expected) = expected.actions.get(action) {
                    decision.forget_what_is_left_open(expected);
                }
            }
        }
        assert_eq!(self.expect, answers, "{}: {}", behaviour.name, self.name);
    }
}

/// The answers of an evaluation, in the form of the corpus.
#[must_use]
pub fn answers(request: &Request<'_>, evaluation: &Evaluation) -> Vec<Answer> {
    let answer = |(item, resource): (&model::Item<'_>, &model::ResourceEvaluation)| Answer {
        actions: item
            .actions
            .iter()
            .map(ToString::to_string)
            .zip(resource.actions.iter().map(decision))
            .collect(),
        derived_roles: resource.effective_derived_roles.iter().map(ToString::to_string).collect(),
        outputs: resource.outputs.iter().map(output).collect(),
    };
    request.items.iter().zip(&evaluation.resources).map(answer).collect()
}

fn decision(decision: &ActionDecision) -> Decision {
    let problem = |p: &model::Problem| format!("{} {} {}", p.code.code(), p.source, p.position);
    Decision {
        effect: decision.effect.wire_name().trim_start_matches("EFFECT_").to_owned(),
        reason: decision.reason.code().to_owned(),
        rule: decision.rule.as_deref().map(str::to_owned),
        policy: Some(decision.matched_policy.to_string()),
        problems: decision.problems.iter().map(problem).collect(),
    }
}

fn output(entry: &model::OutputEntry) -> Output {
    let (val, error) = match &entry.value {
        OutputValue::Value(value) => (serde_json::to_value(value).unwrap(), false),
        OutputValue::Error(_) => (serde_json::Value::Null, true),
    };
    Output { src: entry.src.to_string(), action: entry.action.clone(), val, error }
}

/// Reads the body of a case as the core takes it. The core has no wire form of its own, and the corpus must not
/// depend on that of the server.
#[must_use]
pub fn core_request(body: &str) -> Request<'_> {
    let wire: WireRequest<'_> = serde_json::from_str(body).unwrap();
    Request {
        principal: wire.principal.into(),
        items: wire.resources.into_iter().map(Into::into).collect(),
        context: wire.context,
        aux_data: model::AuxData::default(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireRequest<'a> {
    #[serde(borrow)]
    principal: WirePrincipal<'a>,
    #[serde(borrow)]
    resources: Vec<WireItem<'a>>,
    #[serde(borrow)]
    context: Option<Map<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WirePrincipal<'a> {
    id: Cow<'a, str>,
    roles: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    attr: Map<'a>,
    #[serde(default)]
    policy_version: Cow<'a, str>,
    #[serde(default)]
    scope: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireItem<'a> {
    actions: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    resource: WireResource<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WireResource<'a> {
    kind: Cow<'a, str>,
    id: Cow<'a, str>,
    #[serde(borrow, default)]
    attr: Map<'a>,
    #[serde(default)]
    policy_version: Cow<'a, str>,
    #[serde(default)]
    scope: Cow<'a, str>,
}

impl<'a> From<WirePrincipal<'a>> for model::Principal<'a> {
    fn from(wire: WirePrincipal<'a>) -> Self {
        let WirePrincipal { id, roles, attr, policy_version, scope } = wire;
        Self { id, roles, attr, policy_version, scope }
    }
}

impl<'a> From<WireItem<'a>> for model::Item<'a> {
    fn from(wire: WireItem<'a>) -> Self {
        Self { resource: wire.resource.into(), actions: wire.actions }
    }
}

impl<'a> From<WireResource<'a>> for model::Resource<'a> {
    fn from(wire: WireResource<'a>) -> Self {
        let WireResource { kind, id, attr, policy_version, scope } = wire;
        Self { kind, id, attr, policy_version, scope }
    }
}
