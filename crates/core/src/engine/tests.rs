use std::borrow::Cow;
use std::fmt::Write as _;

use super::*;
use crate::limits::{ACTION_PROBLEMS, CALL_OUTPUT_BYTES, CALL_OUTPUTS};
use crate::model::{Effect, Item, Principal, ProblemCode, Reason};
use crate::policy::{SourceFile, compile};
use crate::value::{Map, Value};

mod costs;

/// How large a call is.
#[derive(Clone, Copy)]
struct Size {
    resources: usize,
    actions: usize,
    roles: usize,
}

const LARGEST: Size = Size { resources: 50, actions: 50, roles: 500 };

/// A policy of `rules` rules, each with the lines of `body`, that imports `derived` derived roles.
fn policy(rules: usize, derived: usize, body: &str) -> Snapshot {
    let head = "apiVersion: api.cerbos.dev/v1\n";
    let mut roles = format!("{head}derivedRoles:\n  name: all\n  definitions:\n");
    let mut policy = format!("{head}resourcePolicy:\n  resource: doc\n  version: default\n");
    for n in 0..derived {
        writeln!(roles, "    - {{name: d{n}, parentRoles: [p{n}, q]}}").unwrap();
    }
    let mut files = Vec::new();
    if derived > 0 {
        policy.push_str("  importDerivedRoles: [all]\n");
        files.push(SourceFile { path: "roles.yaml".into(), text: roles.into() });
    }
    policy.push_str("  rules:\n");
    for _ in 0..rules {
        writeln!(policy, "    - {body}").unwrap();
    }
    files.push(SourceFile { path: "policy.yaml".into(), text: policy.into() });
    let compiled = compile(&files);
    compiled.snapshot.unwrap_or_else(|| panic!("{:#?}", compiled.diagnostics))
}

fn request(size: Size, text: &str) -> Request<'static> {
    let attr = || {
        let text = (Cow::Borrowed("text"), Value::String(Cow::Owned(text.to_owned())));
        let many = Value::List((0..300).map(|n| Value::Number(f64::from(n))).collect());
        Map::from_entries(vec![text, ("many".into(), many)]).unwrap()
    };
    let actions = || (0..size.actions).map(|n| Cow::Owned(format!("{}{n}", "a".repeat(40)))).collect();
    let resource = |n: usize| Resource {
        kind: "doc".into(),
        id: n.to_string().into(),
        attr: attr(),
        policy_version: "".into(),
        scope: "".into(),
    };
    let principal = Principal {
        id: "alice".into(),
        roles: (0..size.roles).map(|n| Cow::Owned(format!("r{n}"))).collect(),
        attr: Map::default(),
        policy_version: "".into(),
        scope: "".into(),
    };
    let items = (0..size.resources).map(|n| Item { resource: resource(n), actions: actions() });
    Request { principal, items: items.collect(), ..Request::default() }
}

fn settings() -> Settings {
    Settings::default()
}

fn decided(snapshot: &Snapshot, request: &Request<'_>) -> Evaluation {
    decide(snapshot, request, &settings(), Timestamp::UNIX_EPOCH)
}

fn reasons(evaluation: &Evaluation) -> Vec<Reason> {
    let actions = evaluation.resources.iter().flat_map(|resource| &resource.actions);
    actions.map(|decision| decision.reason).collect()
}

#[test]
fn rules_for_derived_roles_that_nobody_holds_cost_nothing_for_each_role() {
    let names: Vec<_> = (0..60).map(|n| format!("d{n}")).collect();
    let body = format!("{{actions: ['*'], derivedRoles: [{}], effect: EFFECT_DENY}}", names.join(","));
    let snapshot = policy(60, 60, &body);
    let request = request(LARGEST, "");
    let units = 60 * 560 * 50 + 60 * 2_500 + 60 * 500 * 50;
    let evaluation =
        decide_within(&snapshot, &request, &settings(), Timestamp::UNIX_EPOCH, units + 10_000).unwrap();
    assert!(reasons(&evaluation).iter().all(|reason| *reason == Reason::NoRuleMatched));
}

#[test]
fn rules_that_speak_to_every_role_are_paid_for() {
    let never = "condition: {match: {expr: 'R.attr.text == \"x\"'}}";
    let snapshot = policy(60, 0, &format!("{{actions: ['*'], roles: ['*'], effect: EFFECT_ALLOW, {never}}}"));
    let reasons = reasons(&decided(&snapshot, &request(LARGEST, "")));
    assert_eq!(reasons.first(), Some(&Reason::NoRuleMatched));
    assert_eq!(reasons.last(), Some(&Reason::CostExceeded));
}

#[test]
fn patterns_of_actions_are_paid_for() {
    let patterns: Vec<_> = (0..20).map(|n| format!("'{}b{n}'", "*a".repeat(250))).collect();
    let rule = format!("{{actions: [{}], roles: ['*'], effect: EFFECT_ALLOW}}", patterns.join(", "));
    let snapshot = policy(1, 0, &rule);
    let size = Size { resources: 1, actions: 1_000, roles: 1 };
    let evaluation = decided(&snapshot, &request(size, ""));
    assert_eq!(reasons(&evaluation).last(), Some(&Reason::CostExceeded));
}

#[test]
fn regular_expressions_of_requests_are_paid_for() {
    let expr = "R.attr.many.exists(x, R.attr.text.matches(\"a{1,200}b{1,50}\" + string(x)))";
    let body = format!(
        "{{actions: ['*'], roles: ['*'], effect: EFFECT_ALLOW, condition: {{match: {{expr: '{expr}'}}}}}}"
    );
    let size = Size { resources: 1, actions: 1, roles: 1 };
    let evaluation = decided(&policy(1, 0, &body), &request(size, &"a".repeat(20_000)));
    assert_eq!(reasons(&evaluation), [Reason::CostExceeded]);
    assert_eq!(evaluation.resources[0].actions[0].problems[0].code, ProblemCode::CostExceeded);
}

#[test]
fn outputs_of_a_call_are_bounded_and_what_does_not_fit_denies() {
    let output = "output: {when: {ruleActivated: 'R.attr.text'}}";
    let rule = format!("{{actions: ['*'], roles: ['*'], effect: EFFECT_ALLOW, {output}}}");
    for (size, text) in [
        (Size { resources: 450, actions: 50, roles: 1 }, String::new()),
        (Size { resources: 1, actions: 50, roles: 1 }, "\"".repeat(100_000)),
    ] {
        let evaluation = decided(&policy(1, 0, &rule), &request(size, &text));
        let entries: usize = evaluation.resources.iter().map(|resource| resource.outputs.len()).sum();
        assert!((1..=CALL_OUTPUTS).contains(&entries) && entries * text.len() < CALL_OUTPUT_BYTES);
        let reasons = reasons(&evaluation);
        assert_eq!(reasons.first(), Some(&Reason::AllowRule));
        assert_eq!(reasons.last(), Some(&Reason::CostExceeded));
        let last = evaluation.resources.last().and_then(|resource| resource.actions.last()).unwrap();
        assert_eq!(last.effect, Effect::Deny);
        assert!(last.problems[0].message.starts_with("a call puts out at most"), "{:?}", last.problems);
    }
}

#[test]
fn outputs_of_rules_that_do_not_apply_are_bounded_too() {
    let output = "output: {when: {conditionNotMet: '\"no\"'}}";
    let never = "condition: {match: {expr: 'R.attr.text == \"x\"'}}";
    let rule = format!("{{actions: ['*'], roles: ['*'], effect: EFFECT_ALLOW, {never}, {output}}}");
    let evaluation = decided(&policy(20, 0, &rule), &request(LARGEST, ""));
    let entries: usize = evaluation.resources.iter().map(|resource| resource.outputs.len()).sum();
    assert!(entries <= CALL_OUTPUTS);
    assert_eq!(reasons(&evaluation).last(), Some(&Reason::CostExceeded));
}

#[test]
fn a_call_within_its_units_is_decided_as_any_other() {
    let snapshot = policy(3, 0, "{actions: ['*'], roles: ['*'], effect: EFFECT_ALLOW}");
    let request = request(Size { resources: 2, actions: 2, roles: 2 }, "");
    let within = |units| decide_within(&snapshot, &request, &settings(), Timestamp::UNIX_EPOCH, units);
    assert_eq!(within(1_000), Some(decided(&snapshot, &request)));
    assert_eq!(within(10), None);
}

/// A set of one policy for each text, all of the same version.
fn set(policies: &[String]) -> Snapshot {
    let file = |(n, text): (usize, &String)| SourceFile {
        path: format!("{n}.yaml").into(),
        text: format!("apiVersion: api.cerbos.dev/v1\n{text}\n").into(),
    };
    let compiled = compile(&policies.iter().enumerate().map(file).collect::<Vec<_>>());
    compiled.snapshot.unwrap_or_else(|| panic!("{:#?}", compiled.diagnostics))
}

fn role_policy(role: &str, version: &str, parents: &str) -> String {
    format!(
        "rolePolicy: {{role: {role}, version: {version}, parentRoles: [{parents}], \
         rules: [{{resource: doc, allowActions: ['*']}}]}}"
    )
}

/// A rule for each of `roles`, about the action of that name.
fn policy_for(roles: &[&str], version: &str) -> String {
    let rule = |role: &&str| format!("{{actions: [{role}], roles: [{role}], effect: EFFECT_ALLOW}}");
    let rules: Vec<_> = roles.iter().map(rule).collect();
    format!("resourcePolicy: {{resource: doc, version: {version}, rules: [{}]}}", rules.join(", "))
}

/// Which of `actions` the role is allowed.
fn allowed<'a>(snapshot: &Snapshot, role: &str, version: &str, actions: &[&'a str]) -> Vec<&'a str> {
    let mut request = request(Size { resources: 1, actions: 0, roles: 0 }, "");
    request.principal.roles = [Cow::Owned(role.to_owned())].into();
    request.items[0].actions = actions.iter().map(|action| Cow::Owned((*action).to_owned())).collect();
    request.items[0].resource.policy_version = Cow::Owned(version.to_owned());
    let evaluation = decided(snapshot, &request);
    let decisions = actions.iter().zip(&evaluation.resources[0].actions);
    decisions.filter(|(_, decision)| decision.effect == Effect::Allow).map(|(action, _)| *action).collect()
}

#[test]
fn chains_of_parent_roles_may_be_long_and_are_paid_for() {
    const LONG: usize = 5_000;
    let mut policies = vec![policy_for(&["r0", "last"], "default")];
    policies.extend((0..LONG).map(|n| role_policy(&format!("r{n}"), "default", &format!("r{}", n + 1))));
    policies.push(role_policy(&format!("r{LONG}"), "default", "r0, last"));
    let snapshot = set(&policies);
    assert_eq!(allowed(&snapshot, "r0", "", &["r0", "last"]), ["r0", "last"]);
    assert_eq!(allowed(&snapshot, "r4999", "", &["r0", "last"]), ["r0", "last"]);
    let mut request = request(Size { resources: 50, actions: 1, roles: 50 }, "");
    for item in request.items.iter_mut().step_by(2) {
        // What is found for one resource is used for the next only if it is of the same version.
        item.resource.policy_version = "v2".into();
    }
    let reasons = reasons(&decided(&snapshot, &request));
    assert_eq!(reasons.get(1), Some(&Reason::NoRuleMatched));
    assert_eq!(reasons.last(), Some(&Reason::CostExceeded));
}

#[test]
fn parent_roles_are_those_of_the_version_or_of_all_others() {
    let mut policies: Vec<_> =
        ["default", "v2", "v3"].iter().map(|version| policy_for(&["a", "b", "c"], version)).collect();
    policies.push(role_policy("one", "v2", "a"));
    policies.push(role_policy("two", "default", "a, b"));
    policies.push(role_policy("two", "v2", "b, c"));
    let snapshot = set(&policies);
    let all = ["a", "b", "c"];
    assert_eq!(allowed(&snapshot, "one", "v2", &all), ["a"]);
    assert_eq!(allowed(&snapshot, "one", "v3", &all), ["a"]);
    assert_eq!(allowed(&snapshot, "two", "", &all), ["a", "b"]);
    assert_eq!(allowed(&snapshot, "two", "v2", &all), ["b", "c"]);
    assert_eq!(allowed(&snapshot, "two", "v3", &all), ["b"]);
    assert!(allowed(&snapshot, "none", "", &all).is_empty());
}

#[test]
fn scopes_of_requests_are_paid_for_by_their_length() {
    let snapshot = set(&[policy_for(&["r0"], "default")]);
    let mut request = request(Size { resources: 1, actions: 1, roles: 1 }, "");
    request.items[0].actions = ["r0".into()].into();
    request.items[0].resource.scope = Cow::Owned(vec!["a"; 10_000].join("."));
    let settings = Settings { lenient_scope_search: true, ..settings() };
    let within = |units| decide_within(&snapshot, &request, &settings, Timestamp::UNIX_EPOCH, units);
    assert_eq!(within(10_000), None);
    assert_eq!(reasons(&within(10_100).unwrap()), [Reason::AllowRule]);
    let budget = Budget::new(10_000, EXPR_COST);
    let conduct = Conduct::new(Timestamp::UNIX_EPOCH, &budget);
    let evaluation = decide_as(&snapshot, &request, &settings, &conduct);
    assert_eq!(reasons(&evaluation), [Reason::CostExceeded]);
}

#[test]
fn patterns_of_resources_are_paid_for() {
    let rule = |n| format!("{{resource: '{}b{n}', allowActions: ['*']}}", "*a".repeat(250));
    let rules = (0..100).map(rule).collect::<Vec<_>>().join(", ");
    let snapshot = set(&[format!("rolePolicy: {{role: r0, version: default, rules: [{rules}]}}")]);
    let mut request = request(Size { resources: 50, actions: 1, roles: 1 }, "");
    for (n, item) in request.items.iter_mut().enumerate() {
        item.resource.kind = Cow::Owned(format!("{}{}", "a".repeat(400), n));
    }
    let reasons = reasons(&decided(&snapshot, &request));
    assert_eq!(reasons.first(), Some(&Reason::NoPolicy));
    assert_eq!(reasons.last(), Some(&Reason::CostExceeded));
}

#[test]
fn problem_is_reported_once_for_an_action_and_again_for_the_next() {
    let errs = "condition: {match: {expr: R.attr.missing}}";
    let rule = format!("{{actions: ['*'], roles: [r0, r1], effect: EFFECT_DENY, {errs}}}");
    let snapshot = policy(1, 0, &rule);
    let evaluation = decided(&snapshot, &request(Size { resources: 1, actions: 2, roles: 2 }, ""));
    let problems: Vec<_> =
        evaluation.resources[0].actions.iter().map(|decision| decision.problems.len()).collect();
    assert_eq!(problems, [1, 1]);
    let many = policy(ACTION_PROBLEMS + 1, 0, &rule);
    let evaluation = decided(&many, &request(Size { resources: 1, actions: 1, roles: 1 }, ""));
    assert_eq!(evaluation.resources[0].actions[0].problems.len(), ACTION_PROBLEMS);
}

/// What deciding one action for the principal with these roles costs.
fn units(snapshot: &Snapshot, actions: usize, roles: &[String]) -> u64 {
    let mut request = request(Size { resources: 1, actions, roles: 0 }, "");
    request.principal.roles = roles.iter().map(|role| Cow::Owned(role.clone())).collect();
    let budget = Budget::new(CALL_COST, EXPR_COST);
    let _ = decide_as(snapshot, &request, &settings(), &Conduct::new(Timestamp::UNIX_EPOCH, &budget));
    assert!(!budget.is_exceeded());
    CALL_COST - budget.left()
}

fn numbered(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{name}{n}")).collect()
}

/// Role policies without rules that put `r1` above `r0`, `r2` above `r1`, and so on.
fn chain(length: usize) -> Vec<String> {
    let link = |n| format!("rolePolicy: {{role: r{n}, version: default, parentRoles: [r{}]}}", n + 1);
    (0..length).map(link).collect()
}

/// A policy of `rules` equal rules for derived roles with one parent role and condition.
fn derived_policy(rules: usize, derived: usize, parent: &str, condition: &str) -> Vec<String> {
    let names = numbered("d", derived);
    let definition = |name: &String| {
        format!("{{name: {name}, parentRoles: [{parent}], condition: {{match: {{expr: \"{condition}\"}}}}}}")
    };
    let definitions: Vec<_> = names.iter().map(definition).collect();
    let rule = format!("{{actions: ['*'], derivedRoles: [{}], effect: EFFECT_DENY}}", names.join(", "));
    vec![
        format!(
            "derivedRoles: {{name: all, variables: {{local: {{long: 'R.attr.many.all(x, x >= 0.0)'}}}}, definitions: [{}]}}",
            definitions.join(", ")
        ),
        format!(
            "resourcePolicy: {{resource: doc, version: default, importDerivedRoles: [all], rules: [{}]}}",
            vec![rule; rules].join(", ")
        ),
    ]
}

#[test]
fn roles_are_paid_for_by_their_names_and_by_the_words_of_rules() {
    let nobody = |rules: usize| {
        let rule = "{actions: ['*'], roles: [nobody], effect: EFFECT_ALLOW}";
        format!(
            "resourcePolicy: {{resource: doc, version: default, rules: [{}]}}",
            vec![rule; rules].join(", ")
        )
    };
    let snapshot = set(&[nobody(100)]);
    let cost = |roles| units(&snapshot, 1, &numbered("r", roles));
    assert!(cost(200) - cost(100) >= 100 * 2 * 2);

    let cost = |policies: Vec<String>| units(&set(&policies), 50, &["r0".to_owned()]);
    let long_chain = [chain(100), vec![nobody(1)]].concat();
    assert!(cost(long_chain.clone()) - cost(vec![nobody(1)]) >= 50 * 100, "role policies are looked for");
}

#[test]
fn derived_roles_that_err_are_paid_for_and_what_they_share_only_once() {
    let cost = |rules, derived, expr: &str| {
        units(&set(&derived_policy(rules, derived, "r0", expr)), 1, &["r0".to_owned()])
    };
    let met = |expr| cost(50, 50, expr) - cost(1, 50, expr);
    assert!(met("R.attr.missing == 1") >= met("R.id == 'nobody'") + 49 * 50);
    let (one, many) = (cost(1, 1, "V.long"), cost(1, 50, "V.long"));
    assert!(one > 300 && many < 4 * one, "{one} for one, {many} for many");
    let named = |derived| cost(51, derived, "R.id == 'nobody'") - cost(1, derived, "R.id == 'nobody'");
    assert!(named(64) >= named(1) + 50 * 4, "by each rule that names them");
}

#[test]
fn outputs_are_paid_for_by_the_ways_to_the_role() {
    let output = "output: {when: {conditionNotMet: 'R.id'}}";
    let rule = format!(
        "{{actions: ['*'], roles: ['*'], effect: EFFECT_ALLOW, condition: {{match: {{expr: 'false'}}}}, {output}}}"
    );
    let policy = format!("resourcePolicy: {{resource: doc, version: default, rules: [{rule}]}}");
    let cost = |length, actions| {
        units(&set(&[chain(length), vec![policy.clone()]].concat()), actions, &["r0".to_owned()])
    };
    let of_action = |length| cost(length, 11) - cost(length, 1);
    assert!(of_action(100) >= of_action(1) + 10 * 2 * 99, "once for its name, and once for the ways");
}

#[test]
fn conditions_of_role_policies_are_evaluated_once_for_a_resource() {
    let condition = "condition: {match: {expr: 'R.attr.many.all(x, x >= 0.0)'}}";
    let rules = format!("[{{resource: doc, allowActions: ['*'], {condition}}}]");
    let snapshot = set(&[format!("rolePolicy: {{role: r0, version: default, rules: {rules}}}")]);
    let cost = |actions| units(&snapshot, actions, &["r0".to_owned()]);
    let (one, many) = (cost(1), cost(30));
    assert!(one > 300 && many < 4 * one, "{one} for one, {many} for many");
}

#[test]
fn rules_of_role_policies_are_paid_for_by_their_words() {
    let cost = |rules: usize| {
        let rules = vec!["{resource: doc, allowActions: [a]}"; rules].join(", ");
        units(
            &set(&[format!("rolePolicy: {{role: r0, version: default, rules: [{rules}]}}")]),
            1,
            &["r0".to_owned()],
        )
    };
    assert!(cost(6_400) - cost(1) >= 100);
}

#[test]
fn what_ends_an_action_comes_first_among_its_problems_and_leaves_no_more_of_them() {
    let rule = |rest: &str| format!("{{actions: ['*'], roles: ['*'], {rest}}}");
    let errs = rule("effect: EFFECT_DENY, condition: {match: {expr: R.attr.missing}}");
    let puts_out = rule("effect: EFFECT_ALLOW, output: {when: {ruleActivated: R.attr.text}}");
    let rules = [vec![errs; ACTION_PROBLEMS], vec![puts_out]].concat().join(", ");
    let snapshot = set(&[format!("resourcePolicy: {{resource: doc, version: default, rules: [{rules}]}}")]);
    let size = Size { resources: 1, actions: 1, roles: 1 };
    let evaluation = decided(&snapshot, &request(size, &"\"".repeat(CALL_OUTPUT_BYTES / 2)));
    let problems = &evaluation.resources[0].actions[0].problems;
    assert_eq!(problems.len(), ACTION_PROBLEMS);
    assert_eq!(problems[0].code, ProblemCode::CostExceeded);
}

#[test]
fn roles_are_paid_for_by_the_versions_of_their_policies() {
    let versions = |count: usize| {
        let policy = |version: &String| role_policy("other", version, "");
        set(&[vec![policy_for(&["a"], "default")], numbered("v", count).iter().map(policy).collect()]
            .concat())
    };
    let cost = |count| units(&versions(count), 1, &numbered("r", 100));
    assert!(cost(20) - cost(1) >= 19 * 100);
    let parents = |count| set(&[role_policy("r0", "default", &numbered("p", count).join(", "))]);
    let cost = |count| units(&parents(count), 1, &["r0".to_owned()]);
    assert!(cost(20) - cost(1) >= 19 * 2, "by the parent roles that they name");
}

#[test]
fn sightings_tell_which_rules_applied_and_what_conditions_came_to() {
    let snapshot = policy(
        1,
        0,
        "{actions: ['*'], roles: [r0], effect: EFFECT_DENY, condition: {match: {expr: R.id == '1'}}}",
    );
    let rule = &snapshot.resource_policies.get("", "default", "doc").unwrap().rules[0];
    let condition = rule.condition.as_ref().unwrap();
    let sightings = Sightings::default();
    let met = || {
        let met = sightings.of_condition(condition);
        (sightings.of_rule(rule), met.true_once, met.false_once)
    };
    assert_eq!(met(), (None, false, false));
    for (id, expected) in
        [("0", (Some(false), false, true)), ("1", (Some(true), true, true)), ("2", (Some(true), true, true))]
    {
        let mut request = request(Size { resources: 1, actions: 1, roles: 1 }, "");
        request.items[0].resource.id = id.into();
        let budget = Budget::new(CALL_COST, EXPR_COST);
        let conduct = Conduct::new(Timestamp::UNIX_EPOCH, &budget).seen_by(&sightings);
        let _ = decide_as(&snapshot, &request, &settings(), &conduct);
        assert_eq!(met(), expected, "after {id}");
    }
}
