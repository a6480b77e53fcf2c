//! Optional values. Source: cel-go extension "Optional".

use super::standard::some;
use super::{CallCx, CallError, Function, Outcome, Overload, Ty};
use crate::expr::ops::is_zero;
use crate::expr::val::Val;

const A: Ty = Ty::Param('A');
const OPTIONAL_A: Ty = Ty::Optional(&A);

pub(crate) const FUNCTIONS: &[Function] = &[
    Function { name: "optional.of", overloads: &[Overload::function(&[A], OPTIONAL_A)], call: of },
    Function {
        name: "optional.ofNonZeroValue",
        overloads: &[Overload::function(&[A], OPTIONAL_A)],
        call: of_non_zero_value,
    },
    Function { name: "optional.none", overloads: &[Overload::function(&[], OPTIONAL_A)], call: none },
    Function { name: "hasValue", overloads: &[Overload::method(&[OPTIONAL_A], Ty::Bool)], call: has_value },
    Function { name: "value", overloads: &[Overload::method(&[OPTIONAL_A], A)], call: value },
    Function { name: "or", overloads: &[Overload::method(&[OPTIONAL_A, OPTIONAL_A], OPTIONAL_A)], call: or },
    Function { name: "orValue", overloads: &[Overload::method(&[OPTIONAL_A, A], A)], call: or_value },
];

fn of<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [value] = args else {
        return Err(CallError::no_overload());
    };
    some(value.clone(), cx.budget)
}

fn of_non_zero_value<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [value] = args else {
        return Err(CallError::no_overload());
    };
    if is_zero(value) { Ok(Val::Optional(None)) } else { some(value.clone(), cx.budget) }
}

fn none<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    if args.is_empty() { Ok(Val::Optional(None)) } else { Err(CallError::no_overload()) }
}

fn has_value<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::Optional(inner)] = args else {
        return Err(CallError::no_overload());
    };
    Ok(Val::Bool(inner.is_some()))
}

fn value<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::Optional(inner)] = args else {
        return Err(CallError::no_overload());
    };
    match inner {
        Some(inner) => Ok((**inner).clone()),
        None => Err(CallError::absent("optional.none() dereference")),
    }
}

/// The second argument is only there where it is needed.
fn or<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [chosen @ Val::Optional(Some(_))] | [Val::Optional(None), chosen] => Ok(chosen.clone()),
        _ => Err(CallError::no_overload()),
    }
}

/// As for [`or`].
fn or_value<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::Optional(Some(inner))] => Ok((**inner).clone()),
        [Val::Optional(None), otherwise] => Ok(otherwise.clone()),
        _ => Err(CallError::no_overload()),
    }
}
