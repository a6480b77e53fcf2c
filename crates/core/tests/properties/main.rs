//! Properties of decisions over random policies and requests.
//!
//! Policies are generated as text and compiled, so the whole core is exercised.
#![cfg(test)]

mod every_kind;
mod oracle;
mod replay;
mod spec;
mod standing;

use std::borrow::Cow;

use procura_core::engine::{Explanation, OnError, Settings, decide, explain};
use procura_core::limits::EXPLAINED_CHANGES;
use procura_core::model::{
    Effect, Evaluation, Item, OutputValue, Principal, Request, Resource, ResourceEvaluation, Timestamp,
};
use procura_core::policy::{Snapshot, compile};
use procura_core::value::{Map, Value};
use proptest::prelude::*;
use proptest::sample::Index;

use oracle::{Expected, Oracle};
use spec::{ACTIONS, Ask, Leaf, Spec, asks, shuffle, specs};

/// At most this many undecided conditions are resolved both ways.
const RESOLVED: usize = 6;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_engine_agrees_with_the_oracle(spec in specs(), ask in asks()) {
        let snapshot = compiled(&spec);
        for on_error in [OnError::Closed, OnError::Cerbos] {
            let evaluation = decided(&snapshot, &ask, on_error);
            let oracle = Oracle { spec: &spec, ask: &ask, closed: on_error == OnError::Closed };
            for action in ACTIONS {
                prop_assert_eq!(oracle.action(action), observed(&evaluation, action), "{:?} {}", on_error, action);
            }
            let held: Vec<_> = evaluation.effective_derived_roles.iter().map(ToString::to_string).collect();
            prop_assert_eq!(oracle.held(), held);
        }
    }

    #[test]
    fn the_order_of_files_rules_names_and_map_keys_changes_no_decision(
        spec in specs(),
        ask in asks(),
        keys in proptest::collection::vec(any::<Index>(), 32),
    ) {
        let snapshot = shuffled(&spec, &keys);
        let mut shuffled_ask = ask.clone();
        shuffle(&mut shuffled_ask.order, &mut keys.iter().cycle());
        for on_error in [OnError::Closed, OnError::Cerbos] {
            let one = decided(&compiled(&spec), &ask, on_error);
            let other = decided(&snapshot, &shuffled_ask, on_error);
            prop_assert_eq!(&one.effective_derived_roles, &other.effective_derived_roles);
            prop_assert_eq!(&one.policy, &other.policy);
            for (one, other) in one.actions.iter().zip(&other.actions) {
                prop_assert_eq!((one.effect, one.reason), (other.effect, other.reason));
                prop_assert_eq!(&one.own_policy, &other.own_policy);
            }
        }
    }

    #[test]
    fn explaining_changes_no_decision(spec in specs(), ask in asks()) {
        let snapshot = compiled(&spec);
        for on_error in [OnError::Closed, OnError::Cerbos] {
            let explanation = explained(&snapshot, &ask, on_error);
            prop_assert_eq!(&explanation.evaluation.resources[0], &decided(&snapshot, &ask, on_error));
            prop_assert!(!explanation.truncated);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn exactly_the_conditions_that_turn_a_decision_around_are_named(spec in specs(), ask in asks()) {
        for on_error in [OnError::Closed, OnError::Cerbos] {
            let explanation = explained(&compiled(&spec), &ask, on_error);
            let expected = turning(&spec, &ask, on_error);
            for (action, expected) in explanation.results[0].actions.iter().zip(expected) {
                let named = action.opposite.iter().filter(|change| change.expr.is_some()).count();
                prop_assert_eq!(named, expected.min(EXPLAINED_CHANGES), "{:?} {:#?}", on_error, action);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, max_global_rejects: 10_000, ..ProptestConfig::default() })]

    #[test]
    fn what_closed_mode_allows_is_allowed_however_errors_are_resolved(spec in specs(), ask in asks()) {
        let evaluation = decided(&compiled(&spec), &ask, OnError::Closed);
        let allowed: Vec<_> = ACTIONS.iter().zip(&evaluation.actions).filter(|(_, d)| d.effect == Effect::Allow).collect();
        let erring = erring_leaves(&spec, &ask);
        prop_assume!(!allowed.is_empty() && !erring.is_empty() && erring.len() <= RESOLVED);
        for resolution in 0..1_u32 << erring.len() {
            let resolved = decided(&compiled(&resolve(&spec, &erring, resolution)), &ask, OnError::Closed);
            for (action, _) in &allowed {
                prop_assert!(observed(&resolved, action).allowed, "{action} under resolution {resolution:b}");
            }
        }
    }
}

fn compiled(spec: &Spec) -> Snapshot {
    snapshot_of(&spec.files())
}

fn snapshot_of(files: &[procura_core::policy::SourceFile]) -> Snapshot {
    let compiled = compile(files);
    let messages: Vec<_> =
        compiled.diagnostics.iter().map(|d| format!("{}: {}", d.position, d.message)).collect();
    compiled.snapshot.unwrap_or_else(|| panic!("{messages:#?} in {files:#?}"))
}

fn decided(snapshot: &Snapshot, ask: &Ask, on_error: OnError) -> ResourceEvaluation {
    let settings = Settings { on_error, ..Settings::default() };
    let Evaluation { mut resources } = decide(snapshot, &request(ask), &settings, Timestamp::UNIX_EPOCH);
    resources.remove(0)
}

fn explained(snapshot: &Snapshot, ask: &Ask, on_error: OnError) -> Explanation {
    let settings = Settings { on_error, ..Settings::default() };
    explain(snapshot, &request(ask), &settings, Timestamp::UNIX_EPOCH)
}

fn request(ask: &Ask) -> Request<'static> {
    let text = ask.attr();
    let attr = serde_json::from_str::<Map<'_>>(&text).unwrap().into_owned();
    let principal = Principal {
        id: "alice".into(),
        roles: ask.roles.iter().map(|role| Cow::Borrowed(*role)).collect(),
        attr: Map::default(),
        policy_version: "".into(),
        scope: "".into(),
    };
    let resource =
        Resource { kind: "doc".into(), id: "1".into(), attr, policy_version: "".into(), scope: "".into() };
    let item = Item { resource, actions: ACTIONS.iter().map(|action| Cow::Borrowed(*action)).collect() };
    Request { principal, items: [item].into(), ..Request::default() }
}

/// How many leaves turn the decision of each action around if they alone come to the opposite. Constants come to
/// nothing else.
fn turning(spec: &Spec, ask: &Ask, on_error: OnError) -> Vec<usize> {
    let before = decided(&compiled(spec), ask, on_error);
    let mut turning = vec![0; before.actions.len()];
    let leaves: Vec<_> =
        spec.clone().trees_mut().flat_map(|tree| tree.leaves_mut()).map(|leaf| *leaf).collect();
    for (leaf, _) in leaves.iter().enumerate().filter(|(_, leaf)| !matches!(leaf, Leaf::Constant(_))) {
        let [one, other] =
            [0, 1].map(|resolution| decided(&compiled(&resolve(spec, &[leaf], resolution)), ask, on_error));
        for (index, before) in before.actions.iter().enumerate() {
            let turns = |after: &ResourceEvaluation| after.actions[index].effect != before.effect;
            turning[index] += usize::from(turns(&one) || turns(&other));
        }
    }
    turning
}

/// What the engine says about `action`, in the words of the oracle.
fn observed(evaluation: &ResourceEvaluation, action: &str) -> Expected {
    let index = ACTIONS.iter().position(|known| *known == action).unwrap();
    let decision = &evaluation.actions[index];
    let value = |value: &OutputValue| match value {
        OutputValue::Value(Value::String(text)) if text == "on" => "on",
        OutputValue::Value(Value::String(text)) if text == "off" => "off",
        other => panic!("unexpected output {other:?}"),
    };
    let outputs = evaluation.outputs.iter().filter(|entry| entry.action == action);
    Expected {
        allowed: decision.effect == Effect::Allow,
        reason: decision.reason.code(),
        outputs: outputs.map(|o| (o.src.rsplit('#').next().unwrap().to_owned(), value(&o.value))).collect(),
    }
}

/// The same set with everything in another order that may stand in any order.
fn shuffled(spec: &Spec, keys: &[Index]) -> Snapshot {
    let mut spec = Spec { map_order: keys.to_vec(), ..spec.clone() };
    let mut keys = keys.iter().cycle();
    shuffle(&mut spec.variables, &mut keys);
    shuffle(&mut spec.rules, &mut keys);
    shuffle(&mut spec.derived, &mut keys);
    for rule in &mut spec.rules {
        shuffle(&mut rule.patterns, &mut keys);
        shuffle(&mut rule.roles, &mut keys);
        shuffle(&mut rule.derived, &mut keys);
    }
    let mut files = spec.files();
    shuffle(&mut files, &mut keys);
    snapshot_of(&files)
}

/// The positions, among all leaves, of those that err for this request.
fn erring_leaves(spec: &Spec, ask: &Ask) -> Vec<usize> {
    let oracle = Oracle { spec, ask, closed: true };
    let mut copy = spec.clone();
    let leaves = copy.trees_mut().flat_map(|tree| tree.leaves_mut());
    leaves.enumerate().filter(|(_, leaf)| oracle.errs(**leaf)).map(|(index, _)| index).collect()
}

fn resolve(spec: &Spec, erring: &[usize], resolution: u32) -> Spec {
    let mut resolved = spec.clone();
    for (index, leaf) in resolved.trees_mut().flat_map(|tree| tree.leaves_mut()).enumerate() {
        if let Some(bit) = erring.iter().position(|erring| *erring == index) {
            *leaf = Leaf::Constant(resolution >> bit & 1 == 1);
        }
    }
    resolved
}
