//! Expressions made to exhaust stack, time or memory: each ends in a clean finding or a bounded evaluation, on a
//! stack of 2 MiB, without optimisation.
#![cfg(test)]
#![allow(clippy::disallowed_methods, reason = "the tests measure time and run on small stacks of their own")]

use std::fmt::Write;
use std::time::{Duration, Instant};

use procura_core::expr::{
    Bindings, Budget, Declarations, EvalErrorKind, FailedVariable, Frame, Inputs, Names, Program, Scope,
    Type, Typing, Val, compile, compile_with,
};
use procura_core::limits;
use procura_core::model::{AuxData, Principal, Resource, Timestamp};
use procura_core::value::Map;

/// Far beyond what any of these needs, even on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Builds a chain of so many links.
type Chain = fn(usize) -> String;

/// What an expression may end in.
#[derive(Debug, PartialEq)]
enum End {
    Refused,
    Value,
    Failed(EvalErrorKind),
}

#[test]
fn nesting_is_refused_and_never_overflows_the_stack() {
    for count in [33, 200, 5_000, 10_000] {
        for (open, close) in
            [("(", ")"), ("[", "]"), ("{1:", "}"), ("f(", ")"), ("[1].map(x,", ")"), ("cel.bind(x,1,", ")")]
        {
            let source = format!("{}1{}", open.repeat(count), close.repeat(count));
            assert_eq!(end_of(&source), End::Refused, "{open} x {count}");
        }
        let unclosed = ["(", "[", "{", "f(", "has(", "a[", "{1:["].map(|open| open.repeat(count));
        for source in unclosed {
            assert_eq!(end_of(&source), End::Refused, "{count} x {source:.2}");
        }
    }
}

#[test]
fn chains_are_refused_or_evaluated_and_never_overflow_the_stack() {
    let chains: [(&str, Chain); 12] = [
        ("+", |n| vec!["1"; n].join("+")),
        ("==", |n| vec!["true"; n].join("==")),
        ("in", |n| vec!["[]"; n].join(" in ")),
        (".b", |n| format!("R.attr{}", ".b".repeat(n))),
        ("[0]", |n| format!("R.attr{}", "[0]".repeat(n))),
        (".trim()", |n| format!("'a'{}", ".trim()".repeat(n))),
        ("!", |n| format!("{}true", "!".repeat(n))),
        ("-", |n| format!("{}R.attr.x", "-".repeat(n))),
        ("?:", |n| format!("{}1", "true?1:".repeat(n))),
        ("&&", |n| vec!["true"; n].join("&&")),
        (".?b", |n| format!("R.attr{}", ".?b".repeat(n))),
        (".map", |n| format!("[1]{}", ".map(x,[x])".repeat(n))),
    ];
    for (name, chain) in chains {
        for count in [100, limits::EXPR_HEIGHT - 5, limits::EXPR_HEIGHT, 600, 1_250, 4_100, 32_000, 100_000] {
            let end = end_of(&chain(count));
            assert!(count < 4_000 || end == End::Refused, "{name} x {count}: {end:?}");
        }
    }
}

#[test]
fn long_conditions_are_not_refused() {
    let source = vec!["P.id == 'a'"; 300].join(" || ");
    assert_eq!(end_of(&source), End::Value);
}

#[test]
fn long_sources_are_refused_at_once() {
    let cases = [
        format!("[{}1]", "1,".repeat(200_000)),
        format!("'{}", "a".repeat(70_000)),
        format!("'{}'", "a".repeat(70_000)),
        "\u{0}".repeat(20_000),
        "é".repeat(8_000),
        format!("{}true", "true && ".repeat(100_000)),
        "([!".repeat(42),
        format!("//{}", "x".repeat(16_000)),
        "'".repeat(15_999),
        "`".repeat(15_999),
    ];
    for source in cases {
        assert_eq!(end_of(&source), End::Refused, "{} bytes: {:.20}", source.len(), source);
    }
}

#[test]
fn costly_expressions_end_at_the_cost_limit() {
    let range = "[1,2,3,4,5,6,7,8,9,10]";
    let nest = |call: &str, depth: usize| {
        let open: String = (0..depth).fold(String::new(), |mut text, i| {
            write!(text, "{range}.{call}(x{i}, ").unwrap();
            text
        });
        format!("{open}{}{}", if call == "map" { "1" } else { "false" }, ")".repeat(depth))
    };
    let doubling = (0..30)
        .fold("'aaaaaaaaaaaaaaaa'".to_owned(), |text, i| format!("[{text}].map(x{i}, x{i} + x{i})[0]"));
    let shared = (1..30).rev().fold("a29.size() > 0".to_owned(), |body, i| {
        format!("cel.bind(a{i}, [a{before}, a{before}], {body})", before = i - 1)
    });
    let shared = format!("cel.bind(a0, [R.id], {shared})");
    let cases = [
        nest("exists", 7),
        nest("map", 7),
        nest("transformList", 7).replace("(x", "(i, x"),
        doubling,
        shared,
        "lists.range(1000000)".to_owned(),
        "lists.range(9223372036854775807)".to_owned(),
        "lists.range(2000).map(x, lists.range(2000)).size() > 0".to_owned(),
        "lists.range(1900).map(x, lists.range(x)).size() > 0".to_owned(),
        "lists.range(1100).map(x, lists.range(1100)) == lists.range(1100).map(x, lists.range(1100))"
            .to_owned(),
        "lists.range(5000).all(x, x in lists.range(5000))".to_owned(),
        "lists.range(50000).transformMapEntry(i, x, {x: x}).size() > 0".to_owned(),
    ];
    for source in cases {
        assert_eq!(end_of(&source), End::Failed(EvalErrorKind::CostExceeded), "{source}");
        let absorbed = format!("true || ({source}) == 1");
        assert_ne!(end_of(&absorbed), End::Failed(EvalErrorKind::CostExceeded), "decided before: {source}");
        let kept = format!("dyn({source}) == 1 || true");
        let end = end_of(&kept);
        assert!(matches!(end, End::Failed(EvalErrorKind::CostExceeded) | End::Refused), "{end:?}: {kept}");
    }
}

#[test]
fn the_budget_of_the_call_bounds_many_expressions() {
    let program = compile("lists.range(1000).all(x, x >= 0 && now() == now())", Names::default()).unwrap();
    let budget = Budget::new(100_000, limits::EXPR_COST);
    let scope = Scope::of_bindings(Bindings { values: &[], now: Timestamp::UNIX_EPOCH }, &budget);
    let paid = (0..1_000).take_while(|_| program.eval(&scope).is_ok()).count();
    assert!((1..100).contains(&paid), "{paid}");
}

#[test]
fn regular_expressions_are_bounded() {
    for pattern in [
        "(a*)*b",
        "(a|a)*$",
        "(x+x+)+y",
        "a{1000}{1000}",
        "((a{100}){100}){100}",
        "(?i)ſ{500}",
        "\\\\pL{999}",
    ] {
        for source in [
            format!("'{}'.matches('{pattern}')", "a".repeat(5_000)),
            format!("R.id.matches('{pattern}' + R.id)"),
        ] {
            let end = end_of(&source);
            assert!(
                matches!(end, End::Refused | End::Value | End::Failed(EvalErrorKind::InvalidArgument)),
                "{end:?}: {source:.60}"
            );
        }
    }
}

#[test]
fn edge_cases_end_cleanly() {
    let cases = [
        "-9223372036854775808 / -1",
        "-9223372036854775808 % -1",
        "-(-9223372036854775808)",
        "9223372036854775807 + 1",
        "18446744073709551615u + 1u",
        "0u - 1u",
        "1 / 0",
        "1u % 0u",
        "int(0.0/0.0)",
        "int(1e300)",
        "uint(-1.0)",
        "double('1e999')",
        "[1][9223372036854775807]",
        "[1][-1]",
        "[1][0.5]",
        "'abc'.substring(-1)",
        "'é'.charAt(1)",
        "'%d'.format([])",
        "timestamp('9999-12-31T23:59:59Z') + duration('1s')",
        "timestamp('0001-01-01T00:00:00Z') - duration('1ns')",
        "timestamp(9223372036854775807)",
        "duration('9223372036s') + duration('9223372036s')",
        "duration('1e9h')",
        "timestamp('2026-01-01T00:00:00Z').getHours('../../etc/passwd')",
        "timestamp('2026-01-01T00:00:00Z').getHours('+99:99')",
        "timestamp('2026-13-01T00:00:00Z')",
        "timestamp('é')",
        "duration('')",
        "duration('-')",
        "duration('9999999999999999999999999s')",
        "'\\ud800'",
        "'\\U00110000'",
        "b'\\u0041'",
        "'\\x'",
        "1e999",
        "0x",
        "1.e",
        "99999999999999999999",
        "has(R)",
        "{1:1,1:2}",
        "{[1]:1}",
        "[].map()",
        "all(x, y)",
        "x.all(x.y, true)",
        "''.all(x, true)",
        "R.attr.all(1, true)",
        "cel.bind(a.b, 1, 2)",
        "optional.none().value()",
        "optional.of(1).optMap(x, optional.none()).value().value()",
        "P.roles[?-1]",
        "R.?nosuch",
        "V",
        "V.x",
        "C",
        "G.x",
        "request.auxData.jwt.x",
        "runtime",
        "request",
        "string(R)",
        "{}.a.b.c",
        "{?'a': 1}",
        "[?1]",
        ".",
        "..",
        "a..b",
        "a.?",
        "a[?]",
        "1 2",
        "1 +",
        "+1",
        "&& true",
        "true &&",
        "? :",
        "true ? 1",
        "true ? 1 :",
        "in",
        "1 in",
        "(",
        ")",
        "()",
        "`a`",
        "a.`",
        "a.``",
        "",
        " ",
        "//",
        "\u{feff}1",
        "1\u{0}",
        "💥",
        "'💥'.size() == 1 ? 1/0 : 0",
    ];
    for source in cases {
        end_of(source);
    }
}

#[test]
fn chained_variables_of_any_number_fit_the_stack() {
    let count = 20_000;
    on_small_stack(move || {
        let names: Vec<String> = (0..count).map(|i| format!("v{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut frame = Frame::default();
        for slot in 0..count {
            let source = if slot == 0 { "[1]".to_owned() } else { format!("[V.v{}]", slot - 1) };
            let program = compile(&source, Names { variables: &names[..slot], ..Names::default() }).unwrap();
            frame.variables.push((names[slot].into(), program));
        }
        let last =
            compile(&format!("V.v{}", count - 1), Names { variables: &names, ..Names::default() }).unwrap();
        let error = run(&last, &frame).unwrap_err();
        assert_eq!(error, EvalErrorKind::NoSuchKey, "values nest too deep, so the variable has none");
        let shallow = compile("V.v100 == V.v100", Names { variables: &names, ..Names::default() }).unwrap();
        assert_eq!(run(&shallow, &frame), Ok(()));
    });
}

#[test]
fn dynamic_typing_is_bounded_too() {
    let source = format!("{}a{}", "f(".repeat(32), ")".repeat(32));
    let declarations =
        Declarations { container: "a.b.c", variables: &[("x", Type::Dyn)], typing: Typing::Dynamic };
    let program = compile_with(&source, &declarations).unwrap();
    let budget = Budget::new(1_000, 1_000);
    let scope =
        Scope::of_bindings(Bindings { values: &[Some(Val::Null)], now: Timestamp::UNIX_EPOCH }, &budget);
    assert!(program.eval(&scope).is_err());
}

fn end_of(source: &str) -> End {
    let started = Instant::now();
    let owned = source.to_owned();
    let end = on_small_stack(move || match compile(&owned, Names::default()) {
        Err(findings) => {
            assert!(!findings.is_empty());
            for finding in findings {
                assert!(owned.get(finding.range.clone()).is_some(), "{finding:?}");
            }
            End::Refused
        }
        Ok(program) => match run(&program, &Frame::default()) {
            Ok(()) => End::Value,
            Err(kind) => End::Failed(kind),
        },
    });
    assert!(started.elapsed() < PATIENCE, "{:?} for {source:.80}", started.elapsed());
    end
}

fn run(program: &Program, frame: &Frame) -> Result<(), EvalErrorKind> {
    let principal = Principal {
        id: "a".into(),
        roles: ["user".into()].into(),
        attr: Map::default(),
        policy_version: "".into(),
        scope: "".into(),
    };
    let resource = Resource {
        kind: "k".into(),
        id: "1".into(),
        attr: Map::default(),
        policy_version: "".into(),
        scope: "".into(),
    };
    let now = Timestamp::UNIX_EPOCH;
    let inputs = Inputs {
        principal: &principal,
        resource: &resource,
        context: None,
        aux_data: &AuxData::default(),
        globals: &Map::default(),
        failed_variable: FailedVariable::IsAbsent,
        now,
        derived_roles: None,
        signals: None,
    };
    let budget = Budget::new(limits::CALL_COST, limits::EXPR_COST);
    let result = program.eval(&Scope::new(inputs, frame, &budget));
    result.map(|_| ()).map_err(|error| error.kind)
}

fn on_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::Builder::new().stack_size(2 * 1024 * 1024).spawn(work).unwrap();
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
