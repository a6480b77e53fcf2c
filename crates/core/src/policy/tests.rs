#![expect(clippy::disallowed_methods, reason = "a test compiles on a small stack of its own")]

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::limits::{CONDITION_DEPTH, POLICY_DIAGNOSTICS, SCOPE_SEGMENTS};
use crate::model::Effect;

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.into(), text: text.into() }
}

fn live(files: &[SourceFile]) -> Snapshot {
    let Compiled { snapshot, diagnostics, .. } = compile(files);
    snapshot.unwrap_or_else(|| panic!("{}", diagnostics.iter().map(render).collect::<String>()))
}

const ALBUM: &str = "
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album:private/x
  version: default
  importDerivedRoles: [roles]
  variables: {import: [shared], local: {b: V.a + 1, a: C.one, z: V.c}}
  constants: {local: {one: 1, deep: {list: [1, null, x]}}}
  rules:
    - {actions: ['*'], roles: ['*', admin], effect: EFFECT_DENY}
    - name: named
      actions: ['view:*', edit]
      roles: [user, admin]
      derivedRoles: [owner]
      effect: EFFECT_ALLOW
      condition: {match: {none: {of: [{expr: V.b > 0}, {all: {of: [{expr: 'true'}]}}]}}}
      output: {when: {ruleActivated: '1', conditionNotMet: '2'}}
    - {actions: [edit], derivedRoles: [owner, friend], effect: EFFECT_ALLOW}
";

const SHARED: &str = "
apiVersion: api.cerbos.dev/v1
derivedRoles:
  name: roles
  definitions:
    - {name: unused, parentRoles: [user]}
    - {name: owner, parentRoles: [user], condition: {match: {expr: V.own}}}
    - {name: friend, parentRoles: ['*']}
  variables: {local: {own: R.attr.owner == P.id}}
";

const EXPORTED: &str = "
apiVersion: api.cerbos.dev/v1
exportVariables: {name: shared, definitions: {c: V.b * 2}}
---
";

const DISABLED: &str = "
apiVersion: api.cerbos.dev/v1
disabled: true
resourcePolicy: {resource: off, version: default, rules: [{actions: [a], roles: [b], effect: EFFECT_ALLOW}]}
";

/// A set that compiles.
fn album() -> Vec<SourceFile> {
    vec![
        file("album.yaml", ALBUM),
        file("disabled.yaml", DISABLED),
        file("exported.yaml", EXPORTED),
        file("shared.yml", SHARED),
        file("x_test.yaml", ": wat"),
    ]
}

#[test]
fn a_policy_compiles_to_what_it_says() {
    let snapshot = live(&album());
    assert_eq!(snapshot.files, 4);
    assert_eq!(snapshot.resource_policies.len(), 1);
    let policy = snapshot.resource_policies.get("", "default", "album:private/x").unwrap();
    assert_eq!(&*policy.name, "resource.album_private_x.vdefault");
    let order: Vec<_> = policy.frame.variables.iter().map(|(name, _)| &**name).collect();
    assert_eq!(order, ["a", "b", "c", "z"]);
    let roles: Vec<_> = policy.derived_roles.iter().map(|role| &*role.name).collect();
    assert_eq!(roles, ["friend", "owner"]);
    assert_eq!(policy.derived_roles[0].parent_roles, Roles::Any);
    assert_eq!(policy.derived_roles[1].frame.variables.len(), 1);
    let names: Vec<_> = policy.rules.iter().map(|rule| &*rule.name).collect();
    assert_eq!(names, ["rule-001", "named", "rule-003"]);
    let [deny, named, last] = policy.rules.as_slice() else { panic!("three rules") };
    assert_eq!((deny.effect, &deny.roles), (Effect::Deny, &Some(Roles::Any)));
    assert_eq!(deny.actions, [ActionPattern::Any]);
    assert_eq!(named.roles, Some(Roles::Named(vec!["admin".into(), "user".into()])));
    assert_eq!(named.position.to_string(), "album.yaml:11:7");
    assert!(matches!(&named.condition, Some(Condition::None(items)) if items.len() == 2));
    assert!(named.output.rule_activated.is_some() && named.output.condition_not_met.is_some());
    assert_eq!((&last.roles, last.derived_roles.as_slice()), (&None, &[0, 1][..]));
}

const EXCEPTIONS: &str = "
apiVersion: api.cerbos.dev/v1
principalPolicy:
  principal: daisy:duck
  version: v2
  scope: acme.hr
  scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS
  rules:
    - resource: album
      actions:
        - {action: view, effect: EFFECT_ALLOW, output: {when: {ruleActivated: '1'}}}
        - {name: named, action: 'edit:*', effect: EFFECT_DENY, condition: {match: {expr: 'true'}}}
    - resource: '*'
      actions: [{action: '*', effect: EFFECT_ALLOW, output: {when: {conditionNotMet: '1'}}}]
";

const CONFINED: &str = "
apiVersion: api.cerbos.dev/v1
rolePolicy:
  role: clerk/1
  parentRoles: [user, auditor]
  scope: .
  scopePermissions: SCOPE_PERMISSIONS_REQUIRE_PARENTAL_CONSENT_FOR_ALLOWS
  rules:
    - {resource: 'al*', allowActions: [view, '*'], output: {when: {ruleActivated: '1'}}}
    - {name: named, resource: album, allowActions: [edit], output: {when: {ruleActivated: '1'}}}
";

#[test]
fn principal_and_role_policies_compile_to_what_they_say() {
    let scope = |scope: &str| {
        let text = format!(
            "apiVersion: api.cerbos.dev/v1\nprincipalPolicy: {{principal: 'daisy:duck', version: v2, scope: '{scope}'}}"
        );
        file(&format!("p{scope}.yaml"), &text)
    };
    let files = [file("a.yaml", EXCEPTIONS), file("b.yaml", CONFINED), scope(""), scope("acme")];
    let snapshot = live(&files);
    let policy = snapshot.principal_policies.get("acme.hr", "v2", "daisy:duck").unwrap();
    assert_eq!(&*policy.name, "principal.daisy_duck.vv2/acme.hr");
    assert_eq!((policy.kind, policy.position.to_string()), (PolicyKind::Principal, "a.yaml:3:1".to_owned()));
    let rules: Vec<_> = policy.rules.iter().map(|rule| (&*rule.name, &*rule.output_source)).collect();
    let source = |name: &str| format!("principal.daisy_duck.vv2/acme.hr#{name}");
    let (first, last) = (source("album_rule-001"), source("*_rule-001"));
    assert_eq!(rules, [("album_rule-001", &*first), ("named", ""), ("*_rule-001", &*last)]);
    let stances: Vec<_> = policy.rules.iter().map(|rule| policy.stance(rule)).collect();
    assert_eq!(stances, [Stance::Confine, Stance::Deny, Stance::Confine]);
    assert_eq!(policy.rules[1].position.to_string(), "a.yaml:12:11");
    assert!(policy.rules[1].condition.is_some() && policy.rules[1].roles.is_none());

    let policy = snapshot.role_policies.get("", "default", "clerk/1").unwrap();
    assert_eq!((&*policy.name, policy.parent_roles.len()), ("role.clerk_1.vdefault", 2));
    let rules: Vec<_> = policy.rules.iter().map(|rule| (&*rule.name, &*rule.output_source)).collect();
    assert_eq!(rules, [("rule-001", "role.clerk_1.vdefault#"), ("named", "role.clerk_1.vdefault#named")]);
    assert!(policy.rules.iter().all(|rule| policy.stance(rule) == Stance::Confine));
    assert_eq!(policy.rules[0].actions.len(), 2);
}

#[test]
fn policies_are_found_by_scope_version_and_name() {
    let empty = "apiVersion: api.cerbos.dev/v1\nrolePolicy: {role: idle, version: v2, scope: acme}";
    let album = "{apiVersion: api.cerbos.dev/v1, resourcePolicy: {resource: album, version: default}}";
    let snapshot = live(&[file("a.yaml", album), file("b.yaml", CONFINED), file("c.yaml", empty)]);
    let names: Vec<_> = snapshot.policies().map(|policy| &*policy.name).collect();
    let expected = ["resource.album.vdefault", "role.clerk_1.vdefault", "role.idle.vv2/acme"];
    assert_eq!(names, expected);
    let roles = &snapshot.role_policies;
    assert_eq!((roles.len(), roles.is_empty(), snapshot.principal_policies.is_empty()), (2, false, true));
    assert!(roles.get("acme", "v2", "idle").is_some() && roles.get("", "v2", "idle").is_none());
    assert!(
        roles.get("acme", "default", "idle").is_none()
            && roles.of_scope("acme").unwrap().of_version("v2").is_some()
    );
    assert!(roles.of_scope("").unwrap().is_in_effect() && !roles.of_scope("acme").unwrap().is_in_effect());
}

#[test]
fn names_print_as_the_peer_prints_them() {
    let cases = [
        ("album", "album"),
        ("kind:sub/x", "kind_sub_x"),
        ("a@b.c--d", "a_b.c_d"),
        ("arn:aws:sns:us-east-1:123:topic-a", "arn:aws:sns:us-east-1:123:topic-a"),
        ("1st/kind", "1st/kind"),
        ("two words", "two words"),
    ];
    for (kind, printed) in cases {
        let text =
            format!("{{apiVersion: api.cerbos.dev/v1, resourcePolicy: {{resource: '{kind}', version: v}}}}");
        let snapshot = live(&[file("a.yaml", &text)]);
        let policy = snapshot.resource_policies.get("", "v", kind).unwrap();
        assert_eq!(&*policy.name, format!("resource.{printed}.vv"));
    }
}

#[test]
fn policies_that_print_alike_stay_apart() {
    let text = |kind: &str| {
        format!("{{apiVersion: api.cerbos.dev/v1, resourcePolicy: {{resource: '{kind}', version: v}}}}")
    };
    let snapshot = live(&[file("a.yaml", &text("album:a/b")), file("b.yaml", &text("album:a-b"))]);
    let names: Vec<_> = snapshot.policies().map(|policy| &*policy.name).collect();
    assert_eq!(names, ["resource.album_a_b.vv"; 2]);
}

#[test]
fn anchors_and_merges_are_resolved() {
    let text = "
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  rules:
    - &base {actions: [view], roles: [user], effect: EFFECT_ALLOW}
    - {<<: *base, actions: [edit]}
";
    for text in [text.to_owned(), text.replace('\n', "\r\n"), format!("\u{feff}{}", text.trim_start())] {
        let snapshot = live(&[file("a.yaml", &text)]);
        let rules = &snapshot.resource_policies.get("", "default", "album").unwrap().rules;
        assert_eq!(rules[1].actions, [ActionPattern::Exact("edit".into())]);
        assert_eq!(rules[1].roles, rules[0].roles);
    }
}

#[test]
fn a_file_with_countless_problems_is_reported_in_brief() {
    let fields: String = (0..5_000).map(|n| format!("field{n}: 1\n")).collect();
    let compiled = compile(&[file("a.yaml", &fields), file("b.yaml", "wat")]);
    let first = compiled.diagnostics.iter().filter(|found| &*found.position.file == "a.yaml").count();
    assert_eq!(first, POLICY_DIAGNOSTICS + 1);
    assert!(compiled.diagnostics.iter().any(|found| &*found.position.file == "b.yaml"));
}

#[test]
fn hostile_files_are_refused_at_once() {
    let bomb: String =
        (1..12).map(|n| format!("l{n}: &l{n} [{}]\n", vec![format!("*l{}", n - 1); 20].join(", "))).collect();
    let head = "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: a\n  version: v\n";
    let chain: String = (0..20_000).map(|n| format!("      v{n}: V.v{}\n", (n + 1) % 20_000)).collect();
    let texts = [
        "[".repeat(500_000),
        "{a: ".repeat(200_000),
        "- ".repeat(300_000),
        format!("l0: &l0 [x, x]\n{bomb}"),
        format!("a: &a [{}]\n", "*a, ".repeat(1_000)),
        "a\0b: c".to_owned(),
        "\u{feff}\u{feff}".to_owned(),
        "\tx: y".to_owned(),
        "x: \"\\ud800\"".to_owned(),
        "? {a: b}\n: c".to_owned(),
        format!("x: {}", "9".repeat(900_000)),
        format!("\"{}\": 1", "k".repeat(900_000)),
        format!("{}: 1", "\u{1b}[31m\u{202e}".repeat(100)),
        format!("{head}  variables:\n    local:\n{chain}"),
        "a".repeat(2 * 1024 * 1024),
        "---\n".repeat(250_000),
        format!("x: {}", "&a ".repeat(300_000)),
        format!("x: {}", "!!str ".repeat(100_000)),
    ];
    for text in texts {
        let begin: String = text.chars().take(30).collect();
        let compiled = std::thread::Builder::new()
            .stack_size(2 * 1024 * 1024)
            .spawn(move || compile(&[file("a.yaml", &text)]))
            .unwrap()
            .join()
            .unwrap();
        let refused = compiled.snapshot.is_none();
        assert!(refused || begin.starts_with("---") || begin.starts_with('\u{feff}'), "{begin:?}");
        for found in &compiled.diagnostics {
            assert!(render(found).len() < 4_000, "{begin:?}: a long diagnostic");
            assert!(!render(found).contains('\u{1b}'), "{begin:?}: a control character");
        }
    }
}

#[test]
fn regular_expressions_of_a_set_are_bounded_together_in_space_and_time() {
    let head = "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  version: default\n  rules:\n  - {actions: ['*'], \
                roles: ['*'], effect: EFFECT_DENY, condition: {match: {any: {of: [";
    let expr = |pattern: &str| format!("{{expr: 'R.id.matches(\"{pattern}\")'}},");
    let set = |pattern: fn(usize) -> String| -> Vec<SourceFile> {
        let policy = |n: usize| {
            let exprs: String = (0..2_000).map(|m| expr(&pattern(2_000 * n + m))).collect();
            file(&format!("{n}.yaml"), &format!("{head}{exprs}]}}}}}}}}\n  resource: kind{n}\n"))
        };
        (0..3).map(policy).collect()
    };
    let large = compile(&set(|n| format!("a{{1,900}}b{{1,{}}}", 200 + n % 700)));
    assert!(large.snapshot.is_none());
    assert!(large.diagnostics.iter().any(|found| found.message.contains("more than 67108864 bytes")));
    let too_large = compile(&set(|n| format!("(a{{1,{}}}){{1,500}}", 200 + n % 700)));
    assert!(
        too_large
            .diagnostics
            .iter()
            .all(|found| found.code == Code::InvalidExpression || found.code == Code::TooLarge)
    );
    assert_eq!(too_large.diagnostics.len(), 3 * (POLICY_DIAGNOSTICS + 1));
    live(&set(|n| format!("^team-{}/[a-z]+$", n % 10)));
}

#[test]
fn variable_that_a_macro_hides_is_no_cycle() {
    let text = "{apiVersion: api.cerbos.dev/v1, resourcePolicy: {resource: a, version: v, variables: {local: \
                {x: '[{\"x\": 1}].exists(V, V.x == 1)'}}}}";
    live(&[file("a.yaml", text)]);
}

#[test]
fn role_that_looks_like_a_pattern_is_taken_literally_with_a_warning() {
    let policy = "
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  rules: [{actions: [view], roles: ['*', 'ad*', user], effect: EFFECT_ALLOW}]
";
    let roles = "
apiVersion: api.cerbos.dev/v1
derivedRoles: {name: roles, definitions: [{name: owner, parentRoles: ['us?r', '*']}]}
";
    let Compiled { snapshot, diagnostics, .. } = compile(&[file("a.yaml", policy), file("b.yaml", roles)]);
    assert!(snapshot.is_some());
    let roles = diagnostics.iter().filter(|found| found.code == Code::PatternAsRole);
    let found: Vec<_> = roles.map(|found| (found.code, found.position.to_string())).collect();
    let expected =
        [(Code::PatternAsRole, "a.yaml:6:42".to_owned()), (Code::PatternAsRole, "b.yaml:3:71".to_owned())];
    assert_eq!(found, expected);
}

#[test]
fn scopes_are_bounded_and_checked_in_little_time() {
    let policy = |scope: String| {
        let text = format!(
            "{{apiVersion: api.cerbos.dev/v1, resourcePolicy: {{resource: a, version: v, scope: {scope}}}}}"
        );
        compile(&[file("a.yaml", &text)]).diagnostics
    };
    let codes = |segments: usize| -> Vec<_> {
        policy(vec!["a"; segments].join(".")).iter().map(|found| found.code).collect()
    };
    assert_eq!(codes(3), [Code::MissingScope; 3]);
    assert!(!codes(SCOPE_SEGMENTS).contains(&Code::TooLarge));
    assert!(codes(SCOPE_SEGMENTS + 1).contains(&Code::TooLarge));
    assert!(codes(500_000).contains(&Code::TooLarge));
    assert_eq!(ancestors("a.b.c").collect::<Vec<_>>(), ["a.b", "a", ""]);
    assert_eq!(ancestors("").count(), 0);
}

#[test]
fn refusal_of_a_document_that_is_too_large_names_the_limit() {
    let bomb: String =
        (1..12).map(|n| format!("l{n}: &l{n} [{}]\n", vec![format!("*l{}", n - 1); 9].join(", "))).collect();
    let merges: String =
        (1..40).map(|n| format!("l{n}: &l{n} {{<<: [*l{}, *l{}]}}\n", n - 1, n - 1)).collect();
    let cases = [
        ("[".repeat(500_000), "deeper than 48 levels"),
        ("{a: ".repeat(100_000), "deeper than 48 levels"),
        ("- ".repeat(1_000), "deeper than 48 levels"),
        (format!("l0: &l0 [x, x]\n{bomb}"), "more than 100000 values"),
        (format!("l0: &l0 {{k: 1}}\n{merges}"), "more than 100000 values"),
        (format!("- &a {}\n{}", "x".repeat(100_000), "- *a\n".repeat(1_000)), "more than 16777216 bytes"),
    ];
    for (text, expected) in cases {
        let compiled = compile(&[file("a.yaml", &text)]);
        let [found] = compiled.diagnostics.as_slice() else { panic!("{expected}: {compiled:?}") };
        assert_eq!(found.code, Code::TooLarge, "{expected}: {}", found.message);
        assert!(found.message.contains(expected), "{expected}: {}", found.message);
    }
}

#[test]
fn deep_conditions_fit_the_stack() {
    let nest = |depth: usize| {
        let condition = format!("{}{{expr: 'true'}}{}", "{all: {of: [".repeat(depth), "]}}".repeat(depth));
        file(
            "a.yaml",
            &format!(
                "{{apiVersion: api.cerbos.dev/v1, resourcePolicy: {{resource: a, version: v, rules: [{{actions: [a], \
                 roles: [b], effect: EFFECT_DENY, condition: {{match: {condition}}}}}]}}}}"
            ),
        )
    };
    assert!(compile(&[nest(CONDITION_DEPTH - 1)]).snapshot.is_some());
    for depth in [CONDITION_DEPTH, 13, 14, 40] {
        let codes: Vec<_> = compile(&[nest(depth)]).diagnostics.iter().map(|found| found.code).collect();
        assert_eq!(codes, [Code::TooLarge], "{depth}");
    }
}

proptest! {
    #[test]
    fn the_order_of_files_is_irrelevant(order in Just(texts()).prop_shuffle()) {
        let expected = compile(&texts());
        let compiled = compile(&order);
        prop_assert_eq!(&compiled.diagnostics, &expected.diagnostics);
        prop_assert_eq!(format!("{:?}", compiled.snapshot), format!("{:?}", expected.snapshot));
    }

    #[test]
    fn no_text_makes_the_compiler_panic(text in "[-:{}\\[\\]\"'|>&*!? \\n\\t\\\\a-c\\PC]{0,80}") {
        let compiled = compile(&[file("a.yaml", &text)]);
        compiled.diagnostics.iter().for_each(|found| drop(render(found)));
    }
}

fn texts() -> Vec<SourceFile> {
    let broken = "apiVersion: api.cerbos.dev/v1\nexportVariables: {name: shared, definitions: {x: 'y'}}\n";
    let mut files = album();
    files.extend([
        file("c.yaml", broken),
        file("d.yaml", "wat"),
        file("e.json", "{}"),
        file("README.md", "text"),
    ]);
    files
}

/// The identity of a set is in its revision, also where a file holds no policy.
#[test]
fn the_revision_covers_every_file_given() {
    let one = Revision::of(&[file("a.yaml", ALBUM), file("x_test.yaml", "a")]);
    let two = Revision::of(&[file("a.yaml", ALBUM), file("x_test.yaml", "b")]);
    assert_ne!(one, two);
    assert_eq!(Arc::from(one.as_str()), Arc::<str>::from(one.to_string()));
}
