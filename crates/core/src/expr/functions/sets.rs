//! Lists as sets: `sets.*` of CEL and the peer's `intersect`, `except`, `hasIntersection`, `isSubset`.

use super::lists::contains;
use super::{CallCx, CallError, Function, Outcome, Overload, Ty};
use crate::expr::val::{List, Val};

const LIST_OF_T: Ty = Ty::List(&Ty::Param('T'));

pub(crate) const FUNCTIONS: &[Function] = &[
    Function { name: "except", overloads: TO_LIST, call: except },
    Function { name: "hasIntersection", overloads: TO_BOOL, call: has_intersection },
    Function { name: "has_intersection", overloads: TO_BOOL, call: has_intersection },
    Function { name: "intersect", overloads: TO_LIST, call: intersect },
    Function { name: "isSubset", overloads: TO_BOOL, call: is_subset },
    Function { name: "is_subset", overloads: TO_BOOL, call: is_subset },
    Function { name: "sets.contains", overloads: SETS, call: sets_contains },
    Function { name: "sets.equivalent", overloads: SETS, call: sets_equivalent },
    Function { name: "sets.intersects", overloads: SETS, call: has_intersection },
];

const TO_LIST: &[Overload] = &[
    Overload::function(&[LIST_OF_T, LIST_OF_T], LIST_OF_T),
    Overload::method(&[LIST_OF_T, LIST_OF_T], LIST_OF_T),
];

const TO_BOOL: &[Overload] = &[
    Overload::function(&[LIST_OF_T, LIST_OF_T], Ty::Bool),
    Overload::method(&[LIST_OF_T, LIST_OF_T], Ty::Bool),
];

const SETS: &[Overload] = &[Overload::function(&[LIST_OF_T, LIST_OF_T], Ty::Bool)];

/// The items of the first list that are not in the second.
fn except<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (a, b) = two_lists(args)?;
    select(cx, a, b, false)
}

/// The items of the shorter list that are in the other one; of two lists of one length, the items of the first.
fn intersect<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (a, b) = two_lists(args)?;
    if a.len() > b.len() { select(cx, b, a, true) } else { select(cx, a, b, true) }
}

fn has_intersection<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (a, b) = two_lists(args)?;
    let b = items(cx, b)?;
    for item in a.iter() {
        if contains(cx, &b, &item)? {
            return Ok(Val::Bool(true));
        }
    }
    Ok(Val::Bool(false))
}

fn is_subset<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (subset, of) = two_lists(args)?;
    subset_of(cx, subset, of).map(Val::Bool)
}

fn sets_contains<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (of, subset) = two_lists(args)?;
    subset_of(cx, subset, of).map(Val::Bool)
}

fn sets_equivalent<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (a, b) = two_lists(args)?;
    Ok(Val::Bool(subset_of(cx, a, b)? && subset_of(cx, b, a)?))
}

fn subset_of(cx: &CallCx<'_>, subset: &List<'_>, of: &List<'_>) -> Result<bool, CallError> {
    let of = items(cx, of)?;
    for item in subset.iter() {
        if !contains(cx, &of, &item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The items of `list` whose presence in `other` is `wanted`, in order.
fn select<'r>(cx: &CallCx<'_>, list: &List<'r>, other: &List<'r>, wanted: bool) -> Outcome<'r> {
    let other = items(cx, other)?;
    let mut selected = Vec::new();
    cx.charge(list.len())?;
    for item in list.iter() {
        if contains(cx, &other, &item)? == wanted {
            selected.push(item);
        }
    }
    Ok(Val::list(selected))
}

fn items<'r>(cx: &CallCx<'_>, list: &List<'r>) -> Result<Vec<Val<'r>>, CallError> {
    cx.charge(list.len())?;
    Ok(list.iter().collect())
}

fn two_lists<'a, 'r>(args: &'a [Val<'r>]) -> Result<(&'a List<'r>, &'a List<'r>), CallError> {
    let [Val::List(a), Val::List(b)] = args else {
        return Err(CallError::no_overload());
    };
    Ok((a, b))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call_within, check, ints, refuses, s, texts};
    use super::*;
    use crate::expr::EvalErrorKind;
    use Val::{Bool, Double};

    #[test]
    fn sets_relate_by_equality_across_numeric_types() {
        let doubles = || Val::list(vec![Double(2.0), Double(1.0)]);
        check("sets.equivalent", &[ints(&[1, 1, 2]), doubles()], &Bool(true));
        check("sets.contains", &[ints(&[1, 2, 3]), doubles()], &Bool(true));
        check("sets.contains", &[doubles(), ints(&[3])], &Bool(false));
        check("sets.intersects", &[ints(&[3, 2]), doubles()], &Bool(true));
        check("isSubset", &[doubles(), ints(&[1, 2, 3])], &Bool(true));
        check("is_subset", &[ints(&[4]), doubles()], &Bool(false));
        check("hasIntersection", &[texts(&["a"]), texts(&["b", "a"])], &Bool(true));
        check("has_intersection", &[texts(&["a"]), texts(&[])], &Bool(false));
    }

    #[test]
    fn the_empty_set_is_a_subset_of_all() {
        check("isSubset", &[ints(&[]), ints(&[])], &Bool(true));
        check("sets.contains", &[ints(&[1]), ints(&[])], &Bool(true));
        check("sets.intersects", &[ints(&[]), ints(&[])], &Bool(false));
    }

    #[test]
    fn selections_keep_their_order() {
        check("except", &[texts(&["c", "a", "b"]), texts(&["a"])], &texts(&["c", "b"]));
        check("intersect", &[texts(&["x", "b", "a"]), texts(&["a", "b"])], &texts(&["a", "b"]));
        check("intersect", &[texts(&["b", "a"]), texts(&["a", "b"])], &texts(&["b", "a"]));
        refuses("except", &[s("a"), texts(&["a"])]);
    }

    #[test]
    fn the_work_of_both_lists_is_paid_for() {
        let many: Vec<i64> = (0..1000).collect();
        let error = call_within(10_000, "isSubset", &[ints(&many), ints(&many)]).unwrap_err();
        assert_eq!(error.kind, EvalErrorKind::CostExceeded);
    }
}
