use proptest::prelude::*;

use super::*;
use crate::limits::SUITE_STEPS;
use crate::policy::compile;

const POLICY: &str = r#"
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: doc
  version: default
  rules:
    - {actions: [claim], roles: [user], effect: EFFECT_ALLOW, condition: {match: {expr: "request.auxData.jwt.iss == 'x'"}}}
    - {actions: [claims], roles: [user], effect: EFFECT_ALLOW, condition: {match: {expr: "request.auxData.jwts.a.claims.sub == P.id"}}}
    - {actions: [context], roles: [user], effect: EFFECT_ALLOW, condition: {match: {expr: "request.context.mfa"}}}
    - {actions: [globals], roles: [user], effect: EFFECT_ALLOW, condition: {match: {expr: "G.on"}}}
    - {actions: [costly], roles: [user], effect: EFFECT_ALLOW, condition: {match: {expr: "R.attr.list.all(a, R.attr.list.all(b, a + b >= 0))"}}}
"#;

const SUITE: &str = r#"
name: S
options: {globals: {on: true}}
principals: {u: {id: u, roles: [user]}, v: {id: v, roles: [user]}}
resources: {d: {id: d, kind: doc}}
auxData: {one: {jwt: {iss: x}}, two: {jwts: {a: {claims: {sub: u}}}}}
tests:
  - name: claim
    input: {principals: [u, v], resources: [d], actions: [claim, claims], auxData: one}
    expected:
      - {principals: [u, v], resource: d, actions: {claim: EFFECT_ALLOW}}
  - name: claims
    input: {principals: [u, v], resources: [d], actions: [claim, claims], auxData: two}
    expected:
      - {principal: u, resource: d, actions: {claims: EFFECT_ALLOW}}
  - name: context
    input: {principals: [u], resources: [d], actions: [context, globals], context: {mfa: true}}
    expected:
      - {principal: u, resource: d, actions: {context: EFFECT_ALLOW, globals: EFFECT_ALLOW}}
  - name: options replace those of the suite
    options: {}
    input: {principals: [u], resources: [d], actions: [globals]}
    expected:
      - {principal: u, resource: d, actions: {globals: EFFECT_DENY}}
"#;

fn play(suites: &[(&str, &str)], observe: &mut dyn FnMut(&Observed<'_>)) -> Report {
    play_within(SUITE_COST, suites, observe)
}

fn play_within(units: u64, suites: &[(&str, &str)], observe: &mut dyn FnMut(&Observed<'_>)) -> Report {
    let file = |(path, text): &(&str, &str)| SourceFile { path: (*path).into(), text: (*text).into() };
    let mut files: Vec<SourceFile> = suites.iter().map(file).collect();
    files.push(file(&("doc.yaml", POLICY)));
    let compiled = compile(&files);
    let snapshot = compiled.snapshot.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
    let (settings, filter) = (Settings::default(), Filter::default());
    let mut context = Context { units, ..Context::new(&snapshot, &settings, &filter, observe) };
    run_all(&files, &mut context)
}

#[test]
fn tests_go_on_for_as_long_as_somebody_wants_them_to() {
    let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
    let files = [file("a_test.yaml", SUITE), file("doc.yaml", POLICY)];
    let snapshot = compile(&files).snapshot.unwrap();
    for (wanted, ends) in [(6, true), (5, false), (0, false)] {
        let mut asked = 0;
        let report = run_while(&files, &snapshot, &Settings::default(), &Filter::default(), &mut || {
            asked += 1;
            asked <= wanted
        });
        assert_eq!((report.is_some(), asked), (ends, 6.min(wanted + 1)), "{wanted}");
    }
}

#[test]
fn claims_context_and_globals_reach_the_conditions_and_every_call_is_observed() {
    let mut calls = Vec::new();
    let report = play(&[("a_test.yaml", SUITE)], &mut |call| {
        let answers = call.evaluation.resources[0].actions.len();
        assert_eq!(answers, call.request.items[0].actions.len());
        calls.push(format!("{}/{}/{}/{}", call.file, call.test, call.principal, call.resource));
    });
    assert_eq!(report.failed().collect::<Vec<_>>(), []);
    assert_eq!(report.summary.tests_count, 11);
    assert_eq!(calls.len(), 6);
    assert_eq!(calls[1], "a_test.yaml/claim/v/d");
}

#[test]
fn failed_tests_say_where_and_what() {
    let wrong = SUITE.replace("mfa: true", "mfa: false");
    let report = play(&[("a_test.yaml", &wrong), ("b_test.yaml", "name: T\n")], &mut |_| {});
    let failed: Vec<String> = report.failed().map(|test| test.to_string()).collect();
    let expected = [
        "a_test.yaml:19:56: S / context / u / d / context: expected EFFECT_ALLOW, got EFFECT_DENY",
        "b_test.yaml:1:1: Unknown: failed to load test suite: tests: value is required",
    ];
    assert_eq!(failed, expected);
    assert!(!report.is_success());
}

#[test]
fn what_a_set_may_ask_for_is_bounded() {
    let names = |count: usize| (0..count).map(|n| format!("n{n}")).collect::<Vec<_>>().join(", ");
    let fixtures = |of: &str, count: usize| {
        let one = |n| format!("  n{n}: {of}\n");
        (0..count).map(one).collect::<String>()
    };
    let (principals, resources) = (fixtures("{id: x, roles: [r]}", 500), fixtures("{id: x, kind: doc}", 500));
    let all = names(500);
    let large = format!(
        "name: S\nprincipals:\n{principals}resources:\n{resources}tests:\n  - name: t\n    input: {{principals: \
         [{all}], resources: [{all}], actions: [a]}}\n    expected:\n      - {{principal: n0, resource: n0, actions: \
         {{a: EFFECT_DENY}}}}\n"
    );
    let report = play(&[("a_test.yaml", &large)], &mut |_| {});
    let error = report.suites[0].error.as_ref().unwrap();
    assert!(error.contains(&format!("more than {SUITE_STEPS} decisions and expectations")), "{error}");

    let list = vec!["1"; 30].join(", ");
    let costly = SUITE
        .replace("{id: d, kind: doc}", &format!("{{id: d, kind: doc, attr: {{list: [{list}]}}}}"))
        .replace("[claim, claims]", "[claim, claims, costly]");
    let results = |units| {
        let report = play_within(units, &[("a_test.yaml", &costly)], &mut |_| {});
        report.summary.result_counts.iter().map(|tally| (tally.result, tally.count)).collect::<Vec<_>>()
    };
    assert_eq!(results(SUITE_COST), [(TestResult::Passed, 11), (TestResult::Failed, 4)]);
    assert_eq!(results(10), [(TestResult::Errored, 15)]);
}

#[test]
fn hostile_suites_are_refused() {
    let deep = format!("name: {}", "[".repeat(10_000));
    let bomb = format!(
        "a: &a [{0}]\nb: &b [{1}]\nc: [{2}]\n",
        "x, ".repeat(1000),
        "*a, ".repeat(1000),
        "*b, ".repeat(1000)
    );
    let long = format!("name: {}", "x".repeat(2_000_000));
    for text in [deep, bomb, long, "name: \u{fffd}".to_owned(), "? [a]\n: b\n".to_owned()] {
        let report = play(&[("a_test.yaml", &text)], &mut |_| {});
        assert_eq!(report.summary.overall_result, TestResult::Errored);
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_runner_panic(
        from in 0..SUITE.len(), length in 0_usize..40, insert in "[\\[\\]{}:,&*<a-z0-9\n -]{0,12}",
    ) {
        let mut text: Vec<char> = SUITE.chars().collect();
        let from = from.min(text.len());
        let to = (from + length).min(text.len());
        text.splice(from..to, insert.chars());
        let text: String = text.into_iter().collect();
        let report = play(&[("a_test.yaml", &text), ("testdata/principals.yaml", &text)], &mut |_| {});
        prop_assert_eq!(report.suites.len(), 1);
    }
}

#[test]
fn facts_of_a_test_are_in_force() {
    let suite = |signal: &str| {
        format!(
            "name: S\noptions: {{now: '2026-01-01T00:01:00Z', globals: {{on: true}}}}\n\
             principals: {{u: {{id: u, roles: [user]}}}}\nresources: {{d: {{id: d, kind: doc}}}}\ntests:\n  - name: t\n    \
             input: {{principals: [u], resources: [d], actions: [globals], signals: [{signal}]}}\n    \
             expected: [{{principal: u, resource: d, actions: {{globals: EFFECT_ALLOW}}}}]\n"
        )
    };
    let at = "at: '2026-01-01T00:00:00Z'";
    for (signal, reason) in [
        (format!("{{type: risk, {at}, about: {{principal: u}}, data: {{level: 1}}}}"), Some("allow_rule")),
        (format!("{{type: session-revoked, {at}, about: {{principal: u}}}}"), Some("session_revoked")),
        (format!("{{type: session-revoked, {at}, about: {{resource: doc x}}}}"), Some("allow_rule")),
        (format!("{{type: session-revoked, {at}, about: {{resource: doc d}}}}"), Some("session_revoked")),
        (format!("{{type: x, {at}, about: {{resource: doc}}}}"), None),
        (format!("{{type: x, {at}, about: {{}}}}"), None),
        (format!("{{type: x, {at}, about: {{who: u}}}}"), None),
        ("{type: x, about: {principal: u}}".to_owned(), None),
        ("{type: x, at: soon, about: {principal: u}}".to_owned(), None),
    ] {
        let text = suite(&signal);
        let mut seen = Vec::new();
        let mut observe =
            |call: &Observed<'_>| seen.push(call.evaluation.resources[0].actions[0].reason.code());
        let report = play(&[("a_test.yaml", &text)], &mut observe);
        assert_eq!(report.suites[0].error.is_some(), reason.is_none(), "{signal}");
        assert_eq!(seen.first().copied(), reason, "{signal}");
    }
}
