//! What is asked in the trial, and what the core alone answers to it.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, bail, ensure};
use procura_core::engine::{Settings, decide};
use procura_core::model::{Item, Principal, Request, Resource, Timestamp};
use procura_core::policy::{Snapshot, SourceFile, compile};
use procura_core::value::{Map, Value};
use serde_json::json;

use crate::http::Response;
use crate::rng::Rng;

/// Resources in a call and actions for each: the most that servers take unless told otherwise.
const SIDE: usize = 50;

/// Different calls.
const CALLS: usize = 16;

/// The policy that the calls are about: who asks, what for, and of what size decides.
pub(super) const POLICY: &str = r#"
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  rules:
    - actions: ["*"]
      effect: EFFECT_ALLOW
      roles: [user]
      condition:
        match:
          expr: R.attr.owner == P.id
    - actions: ["read:*"]
      effect: EFFECT_ALLOW
      roles: [user]
      condition:
        match:
          expr: R.attr.public == true && R.attr.size < 500
    - actions: ["read:7*"]
      effect: EFFECT_DENY
      roles: [user]
      condition:
        match:
          expr: R.attr.size > 900
"#;

/// A call and its right answer.
pub(super) struct Call {
    /// The body of the request.
    pub(super) body: Vec<u8>,
    effects: Vec<Vec<(String, &'static str)>>,
    /// The part of an answer that was found to be right, up to the id of the call: others are compared with it.
    right: Mutex<Option<Arc<[u8]>>>,
}

/// The calls of the trial.
pub(super) fn calls(rng: &mut Rng) -> anyhow::Result<Vec<Call>> {
    let compiled = compile(&[SourceFile { path: "album.yaml".into(), text: POLICY.into() }]);
    let snapshot = compiled.snapshot.context("the policy of the trial does not compile")?;
    (0..CALLS).map(|number| call(&snapshot, number, rng)).collect()
}

fn call(snapshot: &Snapshot, number: usize, rng: &mut Rng) -> anyhow::Result<Call> {
    let actions: Vec<String> =
        (0..SIDE).map(|n| format!("{}:{n}", if n % 2 == 0 { "read" } else { "write" })).collect();
    let owner = format!("user{number}");
    let resources: Vec<(String, bool, u32)> = (0..SIDE)
        .map(|_| {
            let owner = if rng.below(4) == 0 { owner.clone() } else { "somebody".to_owned() };
            (owner, rng.below(2) == 0, u32::try_from(rng.below(1000)).unwrap_or_default())
        })
        .collect();
    let body = json!({
        "requestId": "overload",
        "principal": {"id": owner, "roles": ["user"]},
        "resources": resources.iter().enumerate().map(|(n, (owner, public, size))| json!({
            "actions": actions,
            "resource": {"kind": "album", "id": n.to_string(),
                         "attr": {"owner": owner, "public": public, "size": size}},
        })).collect::<Vec<_>>(),
    });
    let items = resources.iter().enumerate().map(|(n, (owner, public, size))| {
        let attr = vec![
            ("owner".into(), Value::String(owner.into())),
            ("public".into(), Value::Bool(*public)),
            ("size".into(), Value::Number(f64::from(*size))),
        ];
        let resource = Resource {
            kind: "album".into(),
            id: n.to_string().into(),
            attr: Map::from_entries(attr).map_err(anyhow::Error::msg)?,
            policy_version: "".into(),
            scope: "".into(),
        };
        Ok(Item { resource, actions: actions.iter().map(|action| action.as_str().into()).collect() })
    });
    let principal =
        Principal { id: owner.as_str().into(), roles: ["user".into()].into(), ..Principal::default() };
    let items = items.collect::<anyhow::Result<Vec<_>>>()?.into();
    let request = Request {
        principal,
        items,
        context: None,
        aux_data: Default::default(),
        tenants: None,
        signals: Default::default(),
    };
    let evaluation = decide(snapshot, &request, &Settings::default(), Timestamp::now());
    let effects = evaluation.resources.iter().map(|resource| {
        let decided = actions.iter().zip(&resource.actions);
        decided.map(|(action, decision)| (action.clone(), decision.effect.wire_name())).collect()
    });
    Ok(Call { body: serde_json::to_vec(&body)?, effects: effects.collect(), right: Mutex::default() })
}

impl Call {
    /// Whether `response` is the right answer, and all of it.
    pub(super) fn judge(&self, response: &Response) -> anyhow::Result<()> {
        let end = response.body.windows(END.len()).rposition(|window| window == END.as_bytes());
        let part = end.and_then(|end| response.body.get(..end)).context("the answer has no end")?;
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        match &*right {
            Some(right) if **right == *part => Ok(()),
            Some(_) => bail!("the answer differs from a right one"),
            None => {
                self.judge_whole(response)?;
                *right = Some(part.into());
                Ok(())
            }
        }
    }

    fn judge_whole(&self, response: &Response) -> anyhow::Result<()> {
        let body = response.json()?;
        let results = body["results"].as_array().context("the answer has no results")?;
        ensure!(results.len() == self.effects.len(), "{} results", results.len());
        for (result, effects) in results.iter().zip(&self.effects) {
            let actions = result["actions"].as_object().context("a result has no actions")?;
            ensure!(actions.len() == effects.len(), "{} actions in a result", actions.len());
            for (action, effect) in effects {
                ensure!(actions[action] == *effect, "`{action}` is {}, not {effect}", actions[action]);
            }
        }
        Ok(())
    }
}

/// Where the part of an answer ends that is always the same.
const END: &str = ",\"cerbosCallId\":";
