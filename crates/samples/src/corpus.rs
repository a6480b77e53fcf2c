//! The decision corpus: one file per behaviour in `tests/corpus/decisions`, played against the core, and by
//! whoever else answers requests.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use procura_core::engine::{OnError, SchemaEnforcement, Settings, Standing};
use procura_core::model::{
    self, ActionDecision, Entity, EntityKind, Evaluation, Fact, OutputValue, Presented, Request, Signals,
    Subject, Timestamp,
};
use procura_core::policy::SourceFile;
use procura_core::value::{Map, Value};
use serde::Deserialize;
use serde_json::json;

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
    /// Policy files, and schemas below `_schemas/`: text by path.
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
    /// The tenants that the caller is bound to; none if absent.
    pub tenants: Option<Vec<String>>,
    /// The body of `POST /api/check/resources`, without `auxData`.
    pub request: serde_json::Value,
    /// What the tokens of the request say.
    #[serde(default)]
    pub claims: Claims,
    /// The facts in force, newest first; only the core is told.
    #[serde(default)]
    pub signals: Vec<CaseSignal>,
    /// What is presented; only the core is told.
    #[serde(default)]
    pub presented: CasePresented,
    /// One entry per resource of the request.
    pub expect: Vec<Answer>,
}

/// Engine settings of a case, by their configuration keys.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CaseSettings {
    /// `engine.onError`; `closed` if absent.
    pub on_error: Option<String>,
    /// `engine.defaultPolicyVersion`; `default` if absent.
    pub default_policy_version: Option<String>,
    /// `engine.defaultScope`; the root if absent.
    #[serde(default)]
    pub default_scope: String,
    /// `engine.lenientScopeSearch`.
    #[serde(default)]
    pub lenient_scope_search: bool,
    /// `engine.strictEvaluation`.
    #[serde(default)]
    pub strict_evaluation: bool,
    /// `schema.enforcement`; `none` if absent.
    pub schema_enforcement: Option<String>,
    /// `engine.globals`.
    #[serde(default)]
    pub globals: serde_json::Map<String, serde_json::Value>,
    /// `signals.standing`; only the core is told.
    pub standing: Option<Standing>,
}

/// A fact in force.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaseSignal {
    /// What is said.
    #[serde(rename = "type")]
    pub name: String,
    /// What it takes the place of; its type if absent.
    pub slot: Option<String>,
    /// Ids by kind; a resource is `kind/id`, a token `issuer/id`.
    pub about: BTreeMap<String, String>,
    /// Who said so.
    pub source: String,
    /// How many seconds before 1970 it became true, the instant of the case.
    pub age: i64,
    /// Its content.
    #[serde(default)]
    pub data: serde_json::Map<String, serde_json::Value>,
}

/// What is presented.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CasePresented {
    /// The session.
    pub session: Option<String>,
    /// How many seconds before 1970 it began.
    pub began: Option<i64>,
    /// How the principal showed who it is.
    pub methods: Option<Vec<String>>,
}

impl CaseSignal {
    fn fact(&self) -> Arc<Fact> {
        let entity = |(kind, id): (&String, &String)| {
            let kind = EntityKind::ALL.into_iter().find(|known| known.as_str() == kind).unwrap();
            let entity = match (kind, id.rsplit_once('/')) {
                (EntityKind::Resource | EntityKind::Token, Some((of, id))) => Entity::within(kind, of, id),
                _ => Entity::new(kind, id.as_str()),
            };
            entity.into_owned()
        };
        let at = Timestamp::from_second(-self.age).unwrap();
        Arc::new(Fact {
            subject: Subject::new(self.about.iter().map(entity).collect()).unwrap(),
            name: self.name.as_str().into(),
            slot: self.slot.as_ref().unwrap_or(&self.name).as_str().into(),
            value: Some(Value::Map(map_of(&self.data))),
            source: self.source.as_str().into(),
            id: "e".into(),
            at,
            received: at,
            expires: None,
            rank: 0,
        })
    }
}

impl CasePresented {
    fn presented(&self) -> Presented<'static> {
        let methods = self.methods.as_ref();
        Presented {
            session: self.session.clone().map(Cow::Owned),
            device: None,
            began: self.began.map(|ago| Timestamp::from_second(-ago).unwrap()),
            methods: methods.map(|methods| methods.iter().cloned().map(Cow::Owned).collect()),
        }
    }
}

/// The claims of the tokens of a request. The core takes them as they are; whoever takes tokens gets them in tokens
/// that nobody signed, and must be told to believe them.
#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Of the one token.
    pub jwt: Option<serde_json::Value>,
    /// By the name of the token.
    #[serde(default)]
    pub jwts: serde_json::Map<String, serde_json::Value>,
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
    /// Attributes that do not fit their schema as `part path: message`, or as `part path` where the text does not
    /// matter, sorted; `part` is `principal` or `resource`.
    #[serde(default)]
    pub validation_errors: Vec<String>,
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
    /// The scope whose rules decided, empty for the root; not compared where a case does not name it.
    pub scope: Option<String>,
    /// Problems as `code source file:line:column`, or as `code source` where the place does not matter.
    #[serde(default)]
    pub problems: Vec<String>,
}

impl Decision {
    fn forget_what_is_left_open(&mut self, expected: &Decision) {
        if expected.policy.is_none() {
            self.policy = None;
        }
        if expected.scope.is_none() {
            self.scope = None;
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

/// The same with those cases only that can be put to whoever answers as the server does.
#[must_use]
pub fn behaviours_for_the_wire() -> Vec<Behaviour> {
    let mut behaviours = behaviours();
    behaviours.iter_mut().for_each(|behaviour| behaviour.cases.retain(Case::is_for_the_wire));
    behaviours
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
        let CaseSettings { on_error, default_policy_version, schema_enforcement, .. } = &self.settings;
        let modes = [OnError::Closed, OnError::Cerbos].map(|mode| (mode.as_str(), mode));
        let enforcements = [SchemaEnforcement::None, SchemaEnforcement::Warn, SchemaEnforcement::Reject];
        let enforcements = enforcements.map(|enforcement| (enforcement.as_str(), enforcement));
        Settings {
            default_policy_version: default_policy_version.clone().unwrap_or("default".to_owned()),
            default_scope: self.settings.default_scope.clone(),
            lenient_scope_search: self.settings.lenient_scope_search,
            on_error: named(&modes, on_error.as_deref().unwrap_or("closed")),
            strict_evaluation: self.settings.strict_evaluation,
            schema_enforcement: named(&enforcements, schema_enforcement.as_deref().unwrap_or("none")),
            globals: map_of(&self.settings.globals),
            standing: self.settings.standing.unwrap_or_default(),
        }
    }

    /// The arguments with which a command of the server has the settings of this case.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let Settings {
            default_policy_version,
            default_scope,
            lenient_scope_search,
            on_error,
            strict_evaluation,
            schema_enforcement,
            globals,
            standing: _,
        } = self.settings();
        let mut arguments = vec![
            format!("--set=engine.defaultPolicyVersion={default_policy_version}"),
            format!("--set=engine.defaultScope={default_scope}"),
            format!("--set=engine.lenientScopeSearch={lenient_scope_search}"),
            format!("--set=engine.onError={}", on_error.as_str()),
            format!("--set=engine.strictEvaluation={strict_evaluation}"),
            format!("--set=schema.enforcement={}", schema_enforcement.as_str()),
            format!("--set=engine.globals={}", serde_json::to_string(&globals).unwrap()),
        ];
        if self.claims != Claims::default() {
            arguments.push("--set=auxData.jwt.disableVerification=true".to_owned());
        }
        arguments
    }

    /// The request as the core takes it; borrows from `body`, which is [`Case::body`].
    #[must_use]
    pub fn core_request<'b>(&self, body: &'b str) -> Request<'b> {
        let jwt = self.claims.jwt.as_ref().and_then(serde_json::Value::as_object).map(map_of);
        let aux_data = model::AuxData {
            jwt: jwt.unwrap_or_default(),
            jwts: map_of(&self.claims.jwts),
            ..model::AuxData::default()
        };
        let owned = |tenants: &Vec<String>| tenants.iter().cloned().map(Cow::Owned).collect();
        let signals = Signals {
            too_many: false,
            facts: self.signals.iter().map(CaseSignal::fact).collect(),
            presented: self.presented.presented(),
        };
        Request { aux_data, tenants: self.tenants.as_ref().map(owned), signals, ..core_request(body) }
    }

    /// Whether it can be put to whoever answers as the server does: facts are not in requests.
    fn is_for_the_wire(&self) -> bool {
        self.signals.is_empty() && self.settings.standing.is_none()
    }

    /// The body for the core.
    #[must_use]
    pub fn body(&self) -> String {
        self.request.to_string()
    }

    /// The body for whoever answers as the server does: the claims in tokens, and asking also for what decided.
    #[must_use]
    pub fn wire_body(&self) -> String {
        let mut request = self.request.clone();
        request["includeMeta"] = true.into();
        if let Some(claims) = &self.claims.jwt {
            request["auxData"] = json!({"jwt": {"token": token(claims)}});
        }
        if !self.claims.jwts.is_empty() {
            let tokens =
                self.claims.jwts.iter().map(|(name, claims)| (name, json!({"token": token(claims)})));
            request["auxData"] = json!({"jwts": tokens.collect::<BTreeMap<_, _>>()});
        }
        request.to_string()
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
            for (error, expected) in answer.validation_errors.iter_mut().zip(&expected.validation_errors) {
                if let Some((place, _)) = error.split_once(": ").filter(|(place, _)| place == expected) {
                    *error = place.to_owned();
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
            .zip(resource.actions.iter().map(|one| decision(resource, one)))
            .collect(),
        derived_roles: resource.effective_derived_roles.iter().map(ToString::to_string).collect(),
        outputs: resource.outputs.iter().map(output).collect(),
        validation_errors: validation_errors(resource),
    };
    request.items.iter().zip(&evaluation.resources).map(answer).collect()
}

fn decision(resource: &model::ResourceEvaluation, decision: &ActionDecision) -> Decision {
    let problem = |p: &model::Problem| format!("{} {} {}", p.code.code(), p.source, p.position);
    Decision {
        effect: decision.effect.wire_name().trim_start_matches("EFFECT_").to_owned(),
        reason: decision.reason.code().to_owned(),
        rule: decision.rule.as_deref().map(str::to_owned),
        policy: Some(resource.policy_of(decision).to_owned()),
        scope: Some(decision.scope().to_owned()),
        problems: decision.problems.iter().map(problem).collect(),
    }
}

fn validation_errors(resource: &model::ResourceEvaluation) -> Vec<String> {
    let line = |error: &model::ValidationError| {
        let part = match error.part {
            model::ValidatedPart::Principal => "principal",
            model::ValidatedPart::Resource => "resource",
        };
        format!("{part} {}: {}", error.path, error.message)
    };
    let mut lines: Vec<_> = resource.validation_errors.iter().map(line).collect();
    lines.sort();
    lines
}

fn output(entry: &model::OutputEntry) -> Output {
    let (val, error) = match &entry.value {
        OutputValue::Value(value) => (serde_json::to_value(value).unwrap(), false),
        OutputValue::Error(_) => (serde_json::Value::Null, true),
    };
    Output { src: entry.src.to_string(), action: entry.action.clone(), val, error }
}

/// The choice with this name.
#[must_use]
pub fn named<T: Copy>(choices: &[(&str, T)], name: &str) -> T {
    let choice = choices.iter().find(|(known, _)| *known == name);
    choice.unwrap_or_else(|| panic!("no such setting: {name}")).1
}

fn map_of(members: &serde_json::Map<String, serde_json::Value>) -> Map<'static> {
    serde_json::from_str::<Map<'_>>(&serde_json::to_string(members).unwrap()).unwrap().into_owned()
}

/// A token with `claims` that nobody signed.
fn token(claims: &serde_json::Value) -> String {
    let part = |json: String| URL_SAFE_NO_PAD.encode(json);
    let header = json!({"alg": "HS256", "typ": "JWT"});
    format!("{}.{}.{}", part(header.to_string()), part(claims.to_string()), part("unsigned".into()))
}

/// Reads the body of a case as the core takes it. The core has no wire form of its own, and the corpus must not
/// depend on that of the server.
fn core_request(body: &str) -> Request<'_> {
    let wire: WireRequest<'_> = serde_json::from_str(body).unwrap();
    Request {
        principal: wire.principal.into(),
        items: wire.resources.into_iter().map(Into::into).collect(),
        context: wire.context,
        ..Request::default()
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
        Self { id, roles: roles.into(), attr, policy_version, scope }
    }
}

impl<'a> From<WireItem<'a>> for model::Item<'a> {
    fn from(wire: WireItem<'a>) -> Self {
        Self { resource: wire.resource.into(), actions: wire.actions.into() }
    }
}

impl<'a> From<WireResource<'a>> for model::Resource<'a> {
    fn from(wire: WireResource<'a>) -> Self {
        let WireResource { kind, id, attr, policy_version, scope } = wire;
        Self { kind, id, attr, policy_version, scope }
    }
}
