//! Each expression in several forms: over attributes and variables, which may be answered at sight, and over declared
//! names, which are always evaluated. All have the same value, the same error, and the same cost.

use proptest::prelude::*;

use crate::expr::ast::BinaryOp;
use crate::expr::{
    Bindings, Budget, Declarations, EvalErrorKind, FailedVariable, Frame, Inputs, Names, Program, Scope,
    Type, Typing, Val, compile, compile_with, ops,
};
use crate::model::{AuxData, Principal, Resource, Timestamp};
use crate::value::{Map, Value};

const NAMES: [&str; 3] = ["a", "b", "c"];

/// The attributes `a`, `b` and `c`, as far as they are there.
type Attributes = [Option<Value<'static>>; 3];

/// What an evaluation came to, and what is left of the budget.
type Outcome = (Result<String, EvalErrorKind>, u64, bool);

/// A name is written `$a`.
fn operand() -> impl Strategy<Value = String> {
    let constants = ["'x'", "'yy'", "1", "2.5", "true", "null", "9007199254740993", "['x', 1, true]", "1u"];
    let names = NAMES.map(|name| format!("${name}"));
    prop_oneof![4 => prop::sample::select(names.to_vec()), 3 => prop::sample::select(constants.map(String::from).to_vec())]
}

fn question() -> impl Strategy<Value = String> {
    let operators = vec![" == ", " != ", " < ", " <= ", " > ", " >= ", " in "];
    let compared = (operand(), prop::sample::select(operators), operand()).prop_map(|(a, op, b)| a + op + &b);
    let asked = prop::sample::select(vec![
        "[#, 'yy'].exists(i, i == $b)",
        "# in ['x', 'yy', 'zzz']",
        "#.inIPAddrRange('10.0.0.0/8')",
        "#.inIPAddrRange('nonsense')",
        "#.startsWith('1')",
        "#.matches('^1')",
        "size(#) < 3",
        "#",
    ]);
    let asked = (asked, operand()).prop_map(|(template, operand)| template.replace('#', &operand));
    prop_oneof![3 => compared, 1 => asked].prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || {b})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
            inner.prop_map(|a| format!("!({a})")),
        ]
    })
}

fn value() -> impl Strategy<Value = Value<'static>> {
    let texts = ["", "x", "yy", "zz", "10.1.2.3", "a text that costs more than one unit: it is long", "zzz"];
    let scalar = prop_oneof![
        3 => prop::sample::select(texts.to_vec()).prop_map(|text| Value::String(text.into())),
        2 => prop::sample::select(vec![0.0, 1.0, 2.5, -1.0, 9_007_199_254_740_992.0]).prop_map(Value::Number),
        1 => any::<bool>().prop_map(Value::Bool),
        1 => Just(Value::Null),
    ];
    let lists = prop::collection::vec(scalar.clone(), 0..4).prop_map(Value::List);
    let maps =
        scalar.clone().prop_map(|inner| Value::Map(Map::from_entries(vec![("x".into(), inner)]).unwrap()));
    prop_oneof![5 => scalar, 2 => lists, 1 => maps]
}

fn attributes() -> impl Strategy<Value = Attributes> {
    prop::array::uniform3(prop::option::weighted(0.85, value()))
}

/// Evaluates `program`, and asks it for a boolean, which comes to the same.
fn run<'r>(
    program: &'r Program,
    scope: impl Fn(&'r Budget) -> Scope<'r>,
    budgets: &'r [Budget; 2],
) -> Outcome {
    let [first, second] = budgets;
    let value = program.eval(&scope(first));
    let answer = program.holds(&scope(second));
    let as_bool = value.as_ref().map(Val::as_bool);
    assert_eq!(as_bool, answer.as_ref().map(|answer| *answer).map_err(|error| &**error), "{program:?}");
    assert_eq!((first.left(), first.is_exceeded()), (second.left(), second.is_exceeded()), "{program:?}");
    let shown = value.map(|value| format!("{value:?}")).map_err(|error| error.kind);
    (shown, first.left(), first.is_exceeded())
}

fn over_attributes(source: &str, frame: &Frame, attributes: &Attributes, units: u64) -> Option<Outcome> {
    let program = compile(source, Names { variables: &NAMES, ..Names::default() }).ok()?;
    let entries = NAMES.iter().zip(attributes.clone()).filter_map(|(name, v)| Some(((*name).into(), v?)));
    let principal = Principal {
        id: "ann".into(),
        roles: Vec::new().into(),
        attr: Map::default(),
        policy_version: "".into(),
        scope: "".into(),
    };
    let resource = Resource {
        kind: "doc".into(),
        id: "d1".into(),
        attr: Map::from_entries(entries.collect()).unwrap(),
        policy_version: "".into(),
        scope: "".into(),
    };
    let (aux_data, globals) = (AuxData::default(), Map::default());
    let inputs = Inputs {
        principal: &principal,
        resource: &resource,
        context: None,
        aux_data: &aux_data,
        globals: &globals,
        failed_variable: FailedVariable::Errs,
        now: Timestamp::UNIX_EPOCH,
        derived_roles: None,
        signals: None,
    };
    let budgets = [Budget::new(units, units), Budget::new(units, units)];
    Some(run(&program, |budget| Scope::new(inputs, frame, budget), &budgets))
}

fn over_declared(source: &str, attributes: &Attributes, units: u64) -> Outcome {
    let variables = NAMES.map(|name| (name, Type::Dyn));
    let declarations = Declarations { container: "", variables: &variables, typing: Typing::Dynamic };
    let program = compile_with(source, &declarations).unwrap();
    let values = attributes.each_ref().map(|value| value.as_ref().map(Val::from));
    let bindings = Bindings { values: &values, now: Timestamp::UNIX_EPOCH };
    let budgets = [Budget::new(units, units), Budget::new(units, units)];
    run(&program, |budget| Scope::of_bindings(bindings, budget), &budgets)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_answered_at_sight_is_what_evaluation_answers_at_the_same_cost(
        template in question(),
        attributes in attributes(),
        units in prop_oneof![0_u64..40, Just(1_000)],
    ) {
        let source = |place| template.replace('$', place);
        let Some(seen) = over_attributes(&source("R.attr."), &Frame::default(), &attributes, units) else {
            return Ok(());
        };
        prop_assert_eq!(&seen, &over_declared(&source(""), &attributes, units));

        let mut frame = Frame::default();
        for name in NAMES {
            let program = compile(&format!("R.attr.{name}"), Names::default()).unwrap();
            frame.variables.push((name.into(), program));
        }
        let (seen, ..) = over_attributes(&source("R.attr."), &frame, &attributes, 1_000).unwrap();
        let (remembered, ..) = over_attributes(&source("V."), &frame, &attributes, 1_000).unwrap();
        prop_assert_eq!(seen, remembered);
    }
}

#[test]
fn comparing_long_texts_by_order_is_paid_for() {
    let text = Val::string(&"a".repeat(16_000));
    for (units, is_enough) in [(999, false), (1_000, true)] {
        let answer = ops::test(BinaryOp::Less, &text, &text, &Budget::new(units, units));
        assert_eq!(answer.ok(), is_enough.then_some(false), "{units}");
    }
}
