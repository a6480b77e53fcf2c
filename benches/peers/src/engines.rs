//! The engines, each prepared for all questions.

use std::str::FromStr;

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet};
use procura_core::engine::{OnError, Settings, decide};
use procura_core::model::{Effect, Item, Principal, Request, Resource, Timestamp};
use procura_core::policy::{Snapshot, SourceFile, compile};
use procura_core::value::{self, Map};
use serde_json::{Value, json};

use crate::questions::{QUESTIONS, Question, principal, resource};

/// Answers the questions by their number.
pub(crate) trait Engine {
    fn is_allowed(&mut self, question: usize) -> bool;
}

pub(crate) struct Ours {
    snapshot: Snapshot,
    settings: Settings,
    requests: Vec<Request<'static>>,
}

impl Ours {
    pub(crate) fn new() -> Self {
        let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
        let compiled = compile(&[
            file("derived_roles.yaml", include_str!("../../store/derived_roles.yaml")),
            file("leave_request.yaml", include_str!("../../store/leave_request.yaml")),
        ]);
        let request = |question: &Question| Request {
            principal: Principal {
                id: "ada".into(),
                roles: question.roles.iter().map(|role| (*role).into()).collect(),
                attr: map(&principal()),
                policy_version: "default".into(),
                scope: "".into(),
            },
            items: [Item {
                resource: Resource {
                    kind: "leave_request".into(),
                    id: "LR-0".into(),
                    attr: map(&resource(question.status)),
                    policy_version: "default".into(),
                    scope: "".into(),
                },
                actions: [question.action.into()].into(),
            }]
            .into(),
            ..Request::default()
        };
        Self {
            snapshot: compiled.snapshot.expect("the policies have no errors"),
            settings: Settings { on_error: OnError::Closed, ..Settings::default() },
            requests: QUESTIONS.iter().map(request).collect(),
        }
    }
}

impl Engine for Ours {
    fn is_allowed(&mut self, question: usize) -> bool {
        let request = &self.requests[question];
        let evaluation = decide(&self.snapshot, request, &self.settings, Timestamp::UNIX_EPOCH);
        evaluation.resources[0].actions[0].effect == Effect::Allow
    }
}

fn map(json: &Value) -> Map<'static> {
    let text: &'static str = json.to_string().leak();
    match serde_json::from_str(text).expect("attributes are JSON") {
        value::Value::Map(map) => map,
        _ => panic!("attributes are a map"),
    }
}

pub(crate) struct Cedar {
    policies: PolicySet,
    authorizer: Authorizer,
    requests: Vec<(cedar_policy::Request, Entities)>,
}

impl Cedar {
    pub(crate) fn new() -> Self {
        let uid = |text: &str| EntityUid::from_str(text).expect("an entity");
        let request = |question: &Question| {
            let action = uid(&format!("Action::\"{}\"", question.action));
            let (who, what) = (uid("User::\"ada\""), uid("LeaveRequest::\"LR-0\""));
            let request = cedar_policy::Request::new(who, action, what, Context::empty(), None);
            (request.expect("a request"), entities(question))
        };
        Self {
            policies: PolicySet::from_str(include_str!("../policies/leave_request.cedar")).expect("policies"),
            authorizer: Authorizer::new(),
            requests: QUESTIONS.iter().map(request).collect(),
        }
    }
}

impl Engine for Cedar {
    fn is_allowed(&mut self, question: usize) -> bool {
        let (request, entities) = &self.requests[question];
        self.authorizer.is_authorized(request, &self.policies, entities).decision() == Decision::Allow
    }
}

fn entities(question: &Question) -> Entities {
    let (mut who, mut what) = (principal(), resource(question.status));
    who["name"] = "ada".into();
    who["address"] = json!({"__extn": {"fn": "ip", "arg": who["address"]}});
    what["tagCount"] = 0.into();
    let entity = |kind: &str, id: &str, attrs: Value, parents: Vec<Value>| json!({"uid": {"type": kind, "id": id}, "attrs": attrs, "parents": parents});
    let roles = question.roles.iter().map(|role| json!({"type": "Role", "id": role})).collect();
    let mut all = vec![entity("User", "ada", who, roles), entity("LeaveRequest", "LR-0", what, Vec::new())];
    all.extend(question.roles.iter().map(|role| entity("Role", role, json!({}), Vec::new())));
    Entities::from_json_value(Value::Array(all), None).expect("entities")
}

pub(crate) struct Rego {
    engine: regorus::Engine,
    inputs: Vec<regorus::Value>,
}

impl Rego {
    pub(crate) fn new() -> Self {
        let mut engine = regorus::Engine::new();
        let text = include_str!("../policies/leave_request.rego");
        engine.add_policy("leave_request.rego".into(), text.into()).expect("a policy");
        let input = |question: &Question| {
            let input = json!({
                "action": question.action,
                "principal": {"id": "ada", "roles": question.roles, "attr": principal()},
                "resource": {"kind": "leave_request", "id": "LR-0", "attr": resource(question.status)},
            });
            regorus::Value::from_json_str(&input.to_string()).expect("an input")
        };
        Self { engine, inputs: QUESTIONS.iter().map(input).collect() }
    }
}

impl Engine for Rego {
    fn is_allowed(&mut self, question: usize) -> bool {
        self.engine.set_input(self.inputs[question].clone());
        let answer = self.engine.eval_rule("data.leave_request.allow".into()).expect("an answer");
        answer == regorus::Value::from(true)
    }
}
