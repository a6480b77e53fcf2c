use std::borrow::Cow;

use super::*;
use crate::engine::{OnError, decide};
use crate::expr::ReadValue;
use crate::limits::EXPLANATION_TRIAL_COST;
use crate::model::{Effect, Item, Principal, Resource};
use crate::policy::{SourceFile, compile};
use crate::value::Map;

const ROLES: &str = "\
apiVersion: api.cerbos.dev/v1
derivedRoles:
  name: all
  definitions:
    - {name: owner, parentRoles: [user], condition: {match: {expr: R.attr.owner == P.id}}}
    - {name: vip, parentRoles: [customer]}
";

const POLICY: &str = "\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: order
  version: default
  importDerivedRoles: [all]
  variables: {local: {large: R.attr.amount > 1000}}
  rules:
    - {name: admins, actions: ['*'], roles: [admin], effect: EFFECT_ALLOW}
    - {name: owners, actions: [edit], derivedRoles: [owner, vip], effect: EFFECT_ALLOW,
       condition: {match: {all: {of: [{expr: R.attr.status == 'open'}, {none: {of: [{expr: V.large}]}}]}}}}
    - {name: limit, actions: [pay], roles: [user], effect: EFFECT_ALLOW, condition: {match: {expr: R.attr.amount < 1000}}}
    - {name: frozen, actions: [pay], roles: ['*'], effect: EFFECT_DENY, condition: {match: {expr: R.attr.frozen}}}
    - {name: two, actions: [ship], roles: [user], effect: EFFECT_ALLOW,
       condition: {match: {all: {of: [{expr: R.attr.paid}, {expr: R.attr.packed}]}}}}
";

fn snapshot() -> Snapshot {
    let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
    let compiled = compile(&[file("roles.yaml", ROLES), file("order.yaml", POLICY)]);
    compiled.snapshot.unwrap_or_else(|| panic!("{:#?}", compiled.diagnostics))
}

fn request<'a>(roles: &[&'a str], action: &'a str, attr: &'a str) -> Request<'a> {
    let principal = Principal {
        id: "ada".into(),
        roles: roles.iter().map(|role| Cow::Borrowed(*role)).collect(),
        attr: Map::default(),
        policy_version: "".into(),
        scope: "".into(),
    };
    let attr = serde_json::from_str(attr).unwrap();
    let resource =
        Resource { kind: "order".into(), id: "1".into(), attr, policy_version: "".into(), scope: "".into() };
    let items = [Item { resource, actions: [action.into()].into() }].into();
    Request { principal, items, ..Request::default() }
}

/// The explanation of one action, and of its resource.
fn explained(roles: &[&str], action: &str, attr: &str) -> (ExplainedAction, ExplainedResource) {
    let (snapshot, request, settings) = (snapshot(), request(roles, action, attr), Settings::default());
    let explanation = explain(&snapshot, &request, &settings, Timestamp::UNIX_EPOCH);
    assert_eq!(explanation.evaluation, decide(&snapshot, &request, &settings, Timestamp::UNIX_EPOCH));
    assert!(!explanation.truncated);
    let mut resource = explanation.results.into_iter().next().unwrap();
    (resource.actions.remove(0), resource)
}

fn outcomes(action: &ExplainedAction) -> Vec<(&str, Outcome)> {
    action.rules.iter().map(|rule| (rule.rule.as_deref().unwrap_or("-"), rule.outcome)).collect()
}

/// What would turn the answer around, one line each.
fn changes(action: &ExplainedAction) -> Vec<String> {
    let line = |change: &Change| {
        let owner = change.rule.as_ref().or(change.derived_role.as_ref()).unwrap();
        let expr = change.expr.as_deref().unwrap_or("as a whole");
        let wanted = change.wanted.as_ref().map_or_else(String::new, |wanted| {
            format!(
                ": {} is {}, {wanted}",
                change.attribute.as_ref().unwrap(),
                change.actual.as_ref().unwrap()
            )
        });
        format!("{owner}: {expr} {}{wanted}", change.needed)
    };
    action.opposite.iter().map(line).collect()
}

#[test]
fn rules_are_listed_in_order_with_what_they_said_or_why_nothing() {
    use Outcome::{ActionDiffers, ConditionNotMet, NotAsked, RoleNotHeld};
    let (action, resource) =
        explained(&["user"], "pay", r#"{"amount": 1200, "frozen": false, "owner": "bob"}"#);
    assert_eq!(
        outcomes(&action),
        [
            ("admins", RoleNotHeld),
            ("owners", ActionDiffers),
            ("limit", ConditionNotMet),
            ("frozen", ConditionNotMet),
            ("two", ActionDiffers)
        ]
    );
    assert_eq!((action.effect, action.reason), (Effect::Deny, "no_rule_matched"));
    assert_eq!(action.decided_by, None);
    let limit = &action.rules[2];
    assert_eq!(
        (limit.policy.as_str(), limit.position.as_str()),
        ("resource.order.vdefault", "order.yaml:11:7")
    );
    assert_eq!(limit.speaks_to, [SpokenTo { role: "user".into(), through: vec!["user".into()] }]);
    let Some(ExplainedCondition {
        truth: ExplainedTruth::False,
        block: Block::Expr { expr, position, error: None, readings },
    }) = &limit.condition
    else {
        panic!("{limit:#?}");
    };
    assert_eq!((expr.as_str(), position.as_str()), ("R.attr.amount < 1000", "order.yaml:11:100"));
    assert_eq!(
        (readings[0].expression.as_str(), &readings[0].value),
        ("R.attr.amount", &ReadValue::Value("1200".into()))
    );
    let held: Vec<_> = resource
        .derived_roles
        .iter()
        .map(|role| (role.name.as_str(), role.holds, role.parent_role_held))
        .collect();
    assert_eq!(held, [("owner", ExplainedTruth::False, true), ("vip", ExplainedTruth::False, false)]);
    assert_eq!(resource.derived_roles[0].position, "roles.yaml:5:14");
    assert_eq!(
        (resource.resource_scopes, resource.policy_version.as_str()),
        (vec![String::new()], "default")
    );

    let (action, _) = explained(&["admin", "user"], "pay", r#"{"amount": 1200, "frozen": false}"#);
    assert_eq!(outcomes(&action)[2], ("limit", NotAsked), "the first role is allowed already");
    let decider = action.decided_by.unwrap();
    assert_eq!((decider.rule.as_deref(), decider.position.as_str()), (Some("admins"), "order.yaml:8:7"));
}

#[test]
fn condition_is_a_tree_with_the_truth_of_every_part() {
    let attr = r#"{"amount": 1200, "status": "open", "owner": "ada"}"#;
    let (action, _) = explained(&["user"], "edit", attr);
    let owners = &action.rules[1];
    assert_eq!(owners.outcome, Outcome::ConditionNotMet);
    assert_eq!(owners.speaks_to[0].through, ["owner"]);
    let tree = serde_json::to_value(owners.condition.as_ref().unwrap()).unwrap();
    let expected = serde_json::json!({"truth": "false", "all": [
        {"truth": "true", "expr": "R.attr.status == 'open'", "position": "order.yaml:10:46",
         "readings": [{"expression": "R.attr.status", "value": "\"open\""}]},
        {"truth": "false", "none": [
            {"truth": "true", "expr": "V.large", "position": "order.yaml:10:92", "readings": [
                {"expression": "V.large", "value": "true", "definition": "R.attr.amount > 1000",
                 "readings": [{"expression": "R.attr.amount", "value": "1200"}]}]}]},
    ]});
    assert_eq!(tree, expected);

    let (action, _) = explained(&["user"], "edit", r#"{"amount": 1200, "status": "done", "owner": "ada"}"#);
    let Some(ExplainedCondition { block: Block::All(items), .. }) = &action.rules[1].condition else {
        panic!()
    };
    assert_eq!(items[1].truth, ExplainedTruth::NotEvaluated, "what was not needed is said not to be known");
}

#[test]
fn error_is_told_with_the_part_that_has_it() {
    let (action, _) = explained(&["user"], "pay", r#"{"amount": "many"}"#);
    let frozen = &action.rules[3];
    assert_eq!(frozen.outcome, Outcome::DeniesUndecided);
    let Some(ExplainedCondition {
        truth: ExplainedTruth::Undecided,
        block: Block::Expr { error: Some(error), .. },
    }) = &frozen.condition
    else {
        panic!("{frozen:#?}");
    };
    assert!(error.contains("frozen"), "{error}");
    assert!(!action.problems.is_empty());
    assert_eq!(action.rules[2].outcome, Outcome::Undecided);
}

#[test]
fn single_condition_that_would_turn_the_answer_around_is_named() {
    let changes_for = |roles: &[&str], action, attr| changes(&explained(roles, action, attr).0);
    assert_eq!(
        changes_for(&["user"], "pay", r#"{"amount": 1200, "frozen": false}"#),
        ["limit: R.attr.amount < 1000 true: R.attr.amount is 1200, < 1000"]
    );
    assert_eq!(
        changes_for(&["user"], "pay", r#"{"amount": 900, "frozen": false}"#),
        [
            "limit: R.attr.amount < 1000 false: R.attr.amount is 900, >= 1000",
            "frozen: R.attr.frozen true: R.attr.frozen is false, == true"
        ]
    );
    assert_eq!(
        changes_for(&["user"], "pay", r#"{"amount": 1200, "frozen": true}"#),
        [""; 0],
        "two would have to differ"
    );
    assert_eq!(
        changes_for(&["user"], "edit", r#"{"amount": 1, "status": "open", "owner": "bob"}"#),
        ["owner: R.attr.owner == P.id true"]
    );
    assert_eq!(
        changes_for(&["user"], "edit", r#"{"amount": 1200, "status": "open", "owner": "ada"}"#),
        ["owners: V.large false"]
    );
    assert_eq!(
        changes_for(&["user"], "ship", r#"{"paid": false, "packed": false}"#),
        ["two: as a whole true"]
    );
    assert_eq!(
        changes_for(&["guest"], "pay", r#"{"amount": 1, "frozen": false}"#),
        [""; 0],
        "no condition gives a role"
    );
}

#[test]
fn actions_without_a_single_expression_are_told_of_whole_conditions() {
    let attr = r#"{"amount": 1200, "frozen": false, "paid": false, "packed": false}"#;
    let mut request = request(&["user"], "pay", attr);
    request.items[0].actions.push("ship".into());
    let explanation = explain(&snapshot(), &request, &Settings::default(), Timestamp::UNIX_EPOCH);
    let told: Vec<_> = explanation.results[0].actions.iter().map(changes).collect();
    assert_eq!(
        told,
        [["limit: R.attr.amount < 1000 true: R.attr.amount is 1200, < 1000"], ["two: as a whole true"]]
    );
    assert_eq!(
        explanation.results[0].actions[1].opposite[0].position, "order.yaml:14:46",
        "where its first expression is"
    );
}

#[test]
fn every_trial_is_paid_for() {
    let (snapshot, settings, now) = (snapshot(), Settings::default(), Timestamp::UNIX_EPOCH);
    let request = request(&["user"], "pay", r#"{"amount": 900, "frozen": false, "owner": "bob"}"#);
    let ample = Budget::new(CALL_COST, EXPR_COST);
    let recorder = Recorder::new(&ample);
    let evaluation =
        decide_as(&snapshot, &request, &settings, &Conduct::new(now, &ample).observed(&recorder));
    let (drafts, _) = recorder.into_drafts();
    let budget = Budget::new(CALL_COST, EXPR_COST);
    let _ = decide_as(&snapshot, &request, &settings, &Conduct::new(now, &budget));
    let one_decision = CALL_COST - budget.left();
    let named = |trials: usize, units: u64| {
        let trials = u64::try_from(trials * EXPLANATION_TRIAL_COST).unwrap();
        let budget = Budget::new(trials + units, EXPR_COST);
        let trials = Trials { snapshot: &snapshot, settings: &settings, now, budget: &budget };
        trials.changes(&request, &evaluation.resources[0], &drafts[0].leads)[0].len()
    };
    assert_eq!((named(0, 900), named(1, 900), named(2, 900), named(10, 900)), (0, 1, 2, 2));
    assert_eq!(named(2, one_decision * 3 / 2), 1, "what deciding again costs is paid for, too");
}

#[test]
fn what_is_claimed_holds_when_the_attribute_is_changed() {
    let (settings, snapshot) = (Settings::default(), snapshot());
    for (before, after) in [
        (r#"{"amount": 1200, "frozen": false}"#, r#"{"amount": 999, "frozen": false}"#),
        (r#"{"amount": 900, "frozen": false}"#, r#"{"amount": 1000, "frozen": false}"#),
        (r#"{"amount": 900, "frozen": false}"#, r#"{"amount": 900, "frozen": true}"#),
    ] {
        let effect = |attr| {
            let request = request(&["user"], "pay", attr);
            decide(&snapshot, &request, &settings, Timestamp::UNIX_EPOCH).resources[0].actions[0].effect
        };
        assert_ne!(effect(before), effect(after), "{before} and {after}");
    }
}

#[test]
fn errors_that_count_as_false_are_told_all_the_same() {
    let (snapshot, request) = (snapshot(), request(&["user"], "pay", "{}"));
    let settings = Settings { on_error: OnError::Cerbos, ..Settings::default() };
    let explanation = explain(&snapshot, &request, &settings, Timestamp::UNIX_EPOCH);
    let rule = &explanation.results[0].actions[0].rules[3];
    let condition = rule.condition.as_ref().unwrap();
    assert_eq!((rule.outcome, condition.truth), (Outcome::ConditionNotMet, ExplainedTruth::False));
    assert!(matches!(&condition.block, Block::Expr { error: Some(_), .. }));
}

#[test]
fn explanation_is_bounded_and_leaves_the_decisions_alone() {
    let snapshot = snapshot();
    let mut request = request(&["user"], "pay", r#"{"amount": 1200, "frozen": false}"#);
    request.items[0].actions = (0..2_000).map(|n| Cow::Owned(format!("pay{n}"))).collect();
    request.items = vec![request.items[0].clone(); 3].into();
    let settings = Settings::default();
    let explanation = explain(&snapshot, &request, &settings, Timestamp::UNIX_EPOCH);
    assert_eq!(explanation.evaluation, decide(&snapshot, &request, &settings, Timestamp::UNIX_EPOCH));
    assert!(explanation.truncated);
    let actions: usize = explanation.results.iter().map(|resource| resource.actions.len()).sum();
    assert_eq!(actions, 6_000, "every decision is named");
    let bytes = serde_json::to_vec(&explanation).unwrap().len();
    assert!(bytes < crate::limits::EXPLANATION_BYTES + actions * 200, "{bytes}");
}
