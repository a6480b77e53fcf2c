use std::fmt::Write as _;

use super::*;
use crate::expr::{FailedVariable, Frame, Inputs, Names, compile};
use crate::limits::EXPR_COST;
use crate::model::{AuxData, Principal, Resource, Timestamp};
use crate::value::Map;

/// Calls `with` with the program of `source` and a scope for it: `V.large` and `V.both` are variables.
fn explained<T>(source: &str, attr: &str, with: impl Fn(&Program, &Scope<'_>, &Budget) -> T) -> T {
    let names = ["large", "both"];
    let names = |known: usize| Names { variables: &names[..known], ..Names::default() };
    let variable = |source, known| compile(source, names(known)).unwrap();
    let variables = vec![
        ("large".into(), variable("R.attr.amount > 1000", 0)),
        ("both".into(), variable("V.large && R.attr.tags.size() > 1", 1)),
    ];
    let frame = Frame { variables };
    let program = compile(source, names(2)).unwrap_or_else(|findings| panic!("{source}: {findings:?}"));
    let attr: Map<'_> = serde_json::from_str(attr).unwrap();
    let (empty, aux_data) = (Map::default(), AuxData::default());
    let principal = Principal {
        id: "ada".into(),
        roles: ["user".into()].into(),
        attr: Map::default(),
        policy_version: "".into(),
        scope: "".into(),
    };
    let resource =
        Resource { kind: "doc".into(), id: "1".into(), attr, policy_version: "".into(), scope: "".into() };
    let inputs = Inputs {
        principal: &principal,
        resource: &resource,
        context: None,
        aux_data: &aux_data,
        globals: &empty,
        failed_variable: FailedVariable::IsAbsent,
        now: Timestamp::UNIX_EPOCH,
        derived_roles: Some(&[]),
        signals: None,
    };
    let budget = Budget::new(EXPR_COST, EXPR_COST);
    with(&program, &Scope::new(inputs, &frame, &budget), &budget)
}

/// The readings as lines, indented by depth.
fn lines(readings: &[Reading], depth: usize, out: &mut String) {
    for Reading { expression, value, definition, readings } in readings {
        let value = match value {
            ReadValue::Value(value) => format!("= {value}"),
            ReadValue::Error(error) => format!("error: {error}"),
        };
        let definition = definition.as_ref().map_or_else(String::new, |text| format!(" := {text}"));
        writeln!(out, "{}{expression}{definition} {value}", "  ".repeat(depth)).unwrap();
        lines(readings, depth + 1, out);
    }
}

fn read(source: &str, attr: &str) -> String {
    let readings = explained(source, attr, Program::readings);
    let mut out = String::new();
    lines(&readings, 0, &mut out);
    out
}

#[test]
fn everything_that_is_read_is_listed_once_with_its_value() {
    let attr = r#"{"amount": 1200, "owner": "ada", "tags": ["a"], "on": true}"#;
    for (source, expected) in [
        ("R.attr.amount < 1000", "R.attr.amount = 1200\n"),
        ("R.attr.owner == P.id", "R.attr.owner = \"ada\"\nP.id = \"ada\"\n"),
        ("R.attr.on", "R.attr.on = true\n"),
        ("!R.attr.on", "R.attr.on = true\n"),
        (
            "R.attr.amount > 1 + 1 && R.attr.amount < 9",
            "R.attr.amount > 1 + 1 = true\n  R.attr.amount = 1200\nR.attr.amount < 9 = false\n",
        ),
        ("has(R.attr.gone)", ""),
        (
            "R.attr.tags.exists(t, t == P.id)",
            "R.attr.tags.exists(t, t == P.id) = false\n  R.attr.tags = [\"a\"]\n",
        ),
        ("R.attr.tags[0] == 'b'", "R.attr.tags[0] = \"a\"\n  R.attr.tags = [\"a\"]\n"),
        ("R.attr.owner.startsWith('b')", "R.attr.owner = \"ada\"\n"),
        (
            "V.both",
            "V.both := V.large && R.attr.tags.size() > 1 = false\n  V.large := R.attr.amount > 1000 = true\n    R.attr.amount = 1200\n  R.attr.tags.size() > 1 = false\n    R.attr.tags.size() = 1\n      R.attr.tags = [\"a\"]\n",
        ),
        ("true", ""),
    ] {
        assert_eq!(read(source, attr), expected, "{source}");
    }
    assert!(read("R.attr.gone == 1", "{}").starts_with("R.attr.gone error: "), "what is absent is said");
}

#[test]
fn values_are_cut_and_hold_no_control_characters() {
    let list: Vec<String> = (0..1_000).map(|n| n.to_string()).collect();
    let attr =
        format!("{{\"list\": [{}], \"text\": \"\\u001b[2J\\n{}\"}}", list.join(","), "x".repeat(5_000));
    for source in ["R.attr.list == 1", "R.attr.text == 1", "R.attr == {}"] {
        let text = read(source, &attr);
        assert!(text.len() < EXPLAINED_VALUE_BYTES_AND_NAMES && text.contains('…'), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}

const EXPLAINED_VALUE_BYTES_AND_NAMES: usize = crate::limits::EXPLAINED_VALUE_BYTES + 60;

#[test]
fn what_is_listed_is_bounded_in_number_and_in_depth() {
    let many: Vec<String> = (0..200).map(|n| format!("R.attr.a{n}")).collect();
    let text = read(&format!("size([{}]) == 0", many.join(", ")), "{}");
    assert_eq!(text.lines().count(), EXPLAINED_READINGS, "{text}");
    let deep = (0..20).fold("R.attr.a".to_owned(), |inner, _| format!("string({inner})"));
    let depth =
        read(&format!("{deep} == ''"), "{}").lines().map(|line| line.len() - line.trim_start().len()).max();
    assert_eq!(depth, Some(2 * (EXPLAINED_DEPTH - 1)));
}

#[test]
fn what_cannot_be_paid_for_is_said_to_be_an_error() {
    let value = explained("R.attr.on", "{\"on\": true}", |program, scope, _| {
        program.readings(scope, &Budget::new(0, 0)).pop().map(|reading| reading.value)
    });
    assert!(matches!(value, Some(ReadValue::Error(_))), "{value:?}");
}

#[test]
fn comparison_with_a_constant_says_what_would_do() {
    let attr = r#"{"amount": 1200, "on": true, "tags": ["a"], "owner": "ada"}"#;
    for (source, attribute, actual, when_true, when_false) in [
        ("R.attr.amount < 1000", "R.attr.amount", "1200", "< 1000", ">= 1000"),
        ("1000 >= R.attr.amount", "R.attr.amount", "1200", "<= 1000", "> 1000"),
        ("!(R.attr.amount == 3.0)", "R.attr.amount", "1200", "!= 3", "== 3"),
        ("R.attr.owner != 'bob'", "R.attr.owner", "\"ada\"", "!= \"bob\"", "== \"bob\""),
        (
            "R.attr.owner in ['b', 'a']",
            "R.attr.owner",
            "\"ada\"",
            "in [\"b\", \"a\"]",
            "not in [\"b\", \"a\"]",
        ),
        ("'b' in R.attr.tags", "R.attr.tags", "[\"a\"]", "contains \"b\"", "does not contain \"b\""),
        ("R.attr.on", "R.attr.on", "true", "== true", "== false"),
        ("has(R.attr.gone)", "R.attr.gone", "absent", "present", "absent"),
        ("!has(P.attr.gone)", "P.attr.gone", "absent", "absent", "present"),
        ("R.attr.gone > 1", "R.attr.gone", "absent", "> 1", "<= 1"),
        ("P.id == 'bob'", "P.id", "\"ada\"", "== \"bob\"", "!= \"bob\""),
    ] {
        let found = explained(source, attr, Program::comparison);
        let text = str::to_owned;
        let [attribute, actual, when_true, when_false] = [attribute, actual, when_true, when_false].map(text);
        assert_eq!(found, Some(Comparison { attribute, actual, when_true, when_false }), "{source}");
    }
    for source in
        ["R.attr.amount < R.attr.limit", "R.attr.amount + 1 < 3", "V.large", "R.attr.on && R.attr.on", "true"]
    {
        assert_eq!(explained(source, attr, Program::comparison), None, "{source}");
    }
}
