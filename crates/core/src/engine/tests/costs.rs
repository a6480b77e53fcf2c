//! What decisions cost, beyond what they come to.

use super::*;
use crate::policy::Compiler;

#[test]
fn outputs_are_paid_for_by_their_number_and_bytes() {
    let patterns: Vec<_> = (0..30).map(|n| format!("'{}*'", "a".repeat(n))).collect();
    let cost = |output: &str| {
        let rule = format!("actions: [{}], roles: [r0], effect: EFFECT_ALLOW{output}", patterns.join(", "));
        let policy = format!("resourcePolicy: {{resource: doc, version: default, rules: [{{{rule}}}]}}");
        units(&set(&[policy]), 1, &["r0".to_owned()])
    };
    let entries = cost(", output: {when: {ruleActivated: R.id}}") - cost("");
    assert!(entries >= 30 * (1 + 100 / 16), "{entries} for 30 entries");
}

#[test]
fn decision_costs_the_same_whatever_was_compiled_before() {
    let file = |path: &str, text: String| SourceFile { path: path.into(), text: text.into() };
    let policy = |scope: &str, comment: &str| {
        let rules = "rules: [{actions: ['*'], derivedRoles: [d], effect: EFFECT_ALLOW}]";
        let what = format!("resource: doc, version: default, scope: '{scope}', importDerivedRoles: [roles]");
        let text = format!("apiVersion: api.cerbos.dev/v1\nresourcePolicy: {{{what}, {rules}}}{comment}");
        file(&format!("doc{scope}.yaml"), text)
    };
    let condition = "{match: {expr: \"[1, 2, 3].exists(x, R.id == string(x))\"}}";
    let role = format!("{{name: d, parentRoles: [r0], condition: {condition}}}");
    let text = format!("apiVersion: api.cerbos.dev/v1\nderivedRoles: {{name: roles, definitions: [{role}]}}");
    let roles = file("roles.yaml", text);
    let set = |comment| vec![roles.clone(), policy("", ""), policy("acme", comment)];
    let mut compiler = Compiler::default();
    assert!(compiler.compile(&set("")).snapshot.is_some());
    let remembering = compiler.compile_changes(&set(" # changed")).and_then(|compiled| compiled.snapshot);
    let anew = compile(&set(" # changed")).snapshot;
    let cost = |snapshot: Option<Snapshot>| {
        let mut request = request(Size { resources: 1, actions: 1, roles: 1 }, "");
        request.items[0].resource.scope = "acme".into();
        let budget = Budget::new(CALL_COST, EXPR_COST);
        let conduct = Conduct::new(Timestamp::UNIX_EPOCH, &budget);
        let _ = decide_as(&snapshot.unwrap(), &request, &settings(), &conduct);
        CALL_COST - budget.left()
    };
    assert_eq!(cost(remembering), cost(anew));
}

#[test]
fn explaining_costs_what_deciding_does() {
    let rules: Vec<_> = (0..20)
        .map(|n| format!("{{actions: ['{n}*', '*{n}'], roles: [r0], effect: EFFECT_ALLOW}}"))
        .collect();
    let policy =
        format!("resourcePolicy: {{resource: doc, version: default, rules: [{}]}}", rules.join(", "));
    let (snapshot, sightings) = (set(&[policy]), Sightings::default());
    let request = request(Size { resources: 10, actions: 5, roles: 1 }, "");
    let [unseen, seen] = [None, Some(&sightings)].map(|sightings| {
        let budget = Budget::new(CALL_COST, EXPR_COST);
        let conduct = Conduct::new(Timestamp::UNIX_EPOCH, &budget);
        let conduct = match sightings {
            Some(sightings) => conduct.seen_by(sightings),
            None => conduct,
        };
        let _ = decide_as(&snapshot, &request, &settings(), &conduct);
        budget.left()
    });
    assert_eq!(unseen, seen);
}
