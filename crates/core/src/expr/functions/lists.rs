//! Lists: new lists from old ones.
//!
//! Source: the lists extension of CEL; `first` and `last` answer an optional.

use std::cmp::Ordering;
use std::mem::discriminant;
use std::sync::Arc;

use super::{CallCx, CallError, Function, Outcome, Overload, Ty, strings};
use crate::expr::val::{List, Val};
use crate::limits;

const T: Ty = Ty::Param('T');
const LIST_OF_T: Ty = Ty::List(&T);
const LIST_OF_DYN: Ty = Ty::List(&Ty::Dyn);

pub(crate) const FUNCTIONS: &[Function] = &[
    Function { name: "@sortByAssociatedKeys", overloads: SORT_BY_KEYS, call: sort_by_keys },
    Function { name: "distinct", overloads: &[Overload::method(&[LIST_OF_T], LIST_OF_T)], call: distinct },
    Function { name: "first", overloads: &[Overload::method(&[LIST_OF_T], Ty::Optional(&T))], call: first },
    Function {
        name: "flatten",
        overloads: &[
            Overload::method(&[Ty::List(&LIST_OF_T)], LIST_OF_T),
            Overload::method(&[LIST_OF_DYN, Ty::Int], LIST_OF_DYN),
        ],
        call: flatten,
    },
    Function { name: "last", overloads: &[Overload::method(&[LIST_OF_T], Ty::Optional(&T))], call: last },
    Function {
        name: "lists.range",
        overloads: &[Overload::function(&[Ty::Int], Ty::List(&Ty::Int))],
        call: range,
    },
    Function {
        name: "reverse",
        overloads: &[Overload::method(&[LIST_OF_T], LIST_OF_T), Overload::method(&[Ty::String], Ty::String)],
        call: reverse,
    },
    Function {
        name: "slice",
        overloads: &[Overload::method(&[LIST_OF_T, Ty::Int, Ty::Int], LIST_OF_T)],
        call: slice,
    },
    Function { name: "sort", overloads: SORT, call: sort },
];

/// Of the types that have an order.
const SORT: &[Overload] = &[
    Overload::method(&[Ty::List(&Ty::Bool)], Ty::List(&Ty::Bool)),
    Overload::method(&[Ty::List(&Ty::Bytes)], Ty::List(&Ty::Bytes)),
    Overload::method(&[Ty::List(&Ty::Double)], Ty::List(&Ty::Double)),
    Overload::method(&[Ty::List(&Ty::Duration)], Ty::List(&Ty::Duration)),
    Overload::method(&[Ty::List(&Ty::Int)], Ty::List(&Ty::Int)),
    Overload::method(&[Ty::List(&Ty::String)], Ty::List(&Ty::String)),
    Overload::method(&[Ty::List(&Ty::Timestamp)], Ty::List(&Ty::Timestamp)),
    Overload::method(&[Ty::List(&Ty::Uint)], Ty::List(&Ty::Uint)),
];

const SORT_BY_KEYS: &[Overload] = &[
    Overload::method(&[LIST_OF_T, Ty::List(&Ty::Bool)], LIST_OF_T),
    Overload::method(&[LIST_OF_T, Ty::List(&Ty::Bytes)], LIST_OF_T),
    Overload::method(&[LIST_OF_T, Ty::List(&Ty::Double)], LIST_OF_T),
    Overload::method(&[LIST_OF_T, Ty::List(&Ty::Duration)], LIST_OF_T),
    Overload::method(&[LIST_OF_T, Ty::List(&Ty::Int)], LIST_OF_T),
    Overload::method(&[LIST_OF_T, Ty::List(&Ty::String)], LIST_OF_T),
    Overload::method(&[LIST_OF_T, Ty::List(&Ty::Timestamp)], LIST_OF_T),
    Overload::method(&[LIST_OF_T, Ty::List(&Ty::Uint)], LIST_OF_T),
];

/// Items in the order of their first occurrence.
fn distinct<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let list = only_list(args)?;
    let mut kept: Vec<Val<'r>> = Vec::new();
    for item in list.iter() {
        if !contains(cx, &kept, &item)? {
            kept.push(item);
        }
    }
    Ok(Val::list(kept))
}

/// Whether an item equals `sought`; pays for every comparison.
pub(super) fn contains(cx: &CallCx<'_>, items: &[Val<'_>], sought: &Val<'_>) -> Result<bool, CallError> {
    for item in items {
        cx.charge(1)?;
        if sought.equals(item, cx.budget)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn first<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    Ok(Val::Optional(only_list(args)?.get(0).map(Arc::new)))
}

fn last<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let list = only_list(args)?;
    Ok(Val::Optional(list.len().checked_sub(1).and_then(|at| list.get(at)).map(Arc::new)))
}

fn flatten<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let (list, levels) = match args {
        [Val::List(list)] => (list, 1),
        [Val::List(list), Val::Int(levels)] => (list, *levels),
        _ => return Err(CallError::no_overload()),
    };
    let Ok(levels) = usize::try_from(levels) else {
        return Err(CallError::invalid("level must be non-negative"));
    };
    let mut flat = Vec::new();
    flatten_into(cx, &mut flat, list, levels.min(limits::COMPUTED_DEPTH))?;
    Ok(Val::list(flat))
}

fn flatten_into<'r>(
    cx: &CallCx<'_>,
    flat: &mut Vec<Val<'r>>,
    list: &List<'r>,
    levels: usize,
) -> Result<(), CallError> {
    cx.charge(list.len())?;
    for item in list.iter() {
        match item {
            Val::List(inner) if levels > 0 => flatten_into(cx, flat, &inner, levels - 1)?,
            other => flat.push(other),
        }
    }
    Ok(())
}

fn range<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::Int(end)] = args else {
        return Err(CallError::no_overload());
    };
    let Ok(length) = usize::try_from(*end) else {
        return Err(CallError::invalid(format!("lists.range: size must be non-negative, got {end}")));
    };
    cx.charge(length)?;
    Ok(Val::list((0..*end).map(Val::Int).collect()))
}

fn reverse<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    if let [Val::String(text)] = args {
        return strings::reversed(cx, text.as_str());
    }
    let list = only_list(args)?;
    cx.charge(list.len())?;
    let mut items: Vec<_> = list.iter().collect();
    items.reverse();
    Ok(Val::list(items))
}

fn slice<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::List(list), Val::Int(start), Val::Int(end)] = args else {
        return Err(CallError::no_overload());
    };
    let refuse = |why: &str| CallError::range(format!("cannot slice({start}, {end}), {why}"));
    let (Ok(from), Ok(to)) = (usize::try_from(*start), usize::try_from(*end)) else {
        return Err(refuse("negative indexes not supported"));
    };
    if from > to {
        return Err(refuse("start index must be less than or equal to end index"));
    }
    if to > list.len() {
        return Err(refuse(&format!("list is length {}", list.len())));
    }
    cx.charge(to - from)?;
    Ok(Val::list((from..to).filter_map(|at| list.get(at)).collect()))
}

fn sort<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let list = only_list(args)?;
    sorted(cx, list, list)
}

/// What `list.sortBy(x, key)` becomes: `list.@sortByAssociatedKeys(list.map(x, key))`.
fn sort_by_keys<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::List(list), Val::List(keys)] = args else {
        return Err(CallError::no_overload());
    };
    if list.len() != keys.len() {
        return Err(CallError::invalid(format!(
            "{} items cannot be sorted by {} keys",
            list.len(),
            keys.len()
        )));
    }
    sorted(cx, list, keys)
}

/// Sorts by keys of one ordered type; equal keys keep their order.
fn sorted<'r>(cx: &CallCx<'_>, list: &List<'r>, keys: &List<'r>) -> Outcome<'r> {
    let mut pairs: Vec<(Val<'r>, Val<'r>)> = Vec::new();
    cx.charge(list.len())?;
    pairs.extend(keys.iter().zip(list.iter()));
    check_keys(&pairs)?;
    // Merge sort visits every key about log2(n) times.
    let rounds = list.len().checked_ilog2().unwrap_or(0) as usize;
    let text: usize = pairs.iter().map(|(key, _)| text_bytes(key)).sum();
    cx.charge(list.len().saturating_mul(rounds))?;
    cx.charge_bytes(text.saturating_mul(rounds))?;
    pairs.sort_by(|(a, _), (b, _)| a.compare(b).unwrap_or(Ordering::Equal));
    Ok(Val::list(pairs.into_iter().map(|(_, item)| item).collect()))
}

/// Keys that cannot be ordered among themselves are refused before sorting.
fn check_keys(pairs: &[(Val<'_>, Val<'_>)]) -> Result<(), CallError> {
    let Some((first, _)) = pairs.first() else {
        return Ok(());
    };
    for (key, _) in pairs {
        if discriminant(key) != discriminant(first) {
            return Err(CallError::invalid("list elements must have the same type"));
        }
        if key.compare(key).is_none() {
            return Err(CallError::invalid("list elements must be comparable"));
        }
    }
    Ok(())
}

fn text_bytes(value: &Val<'_>) -> usize {
    match value {
        Val::String(text) => text.as_str().len(),
        Val::Bytes(bytes) => bytes.len(),
        _ => 0,
    }
}

fn only_list<'a, 'r>(args: &'a [Val<'r>]) -> Result<&'a List<'r>, CallError> {
    let [Val::List(list)] = args else {
        return Err(CallError::no_overload());
    };
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, call_within, check, ints, refuses, s, texts};
    use super::*;
    use crate::expr::EvalErrorKind;
    use Val::{Double, Int, Uint};

    #[test]
    fn lists_are_cut_and_turned() {
        check("slice", &[ints(&[1, 2, 3, 4]), Int(1), Int(3)], &ints(&[2, 3]));
        check("slice", &[ints(&[1]), Int(1), Int(1)], &ints(&[]));
        check("reverse", &[ints(&[5, 3, 1])], &ints(&[1, 3, 5]));
        for (start, end) in [(-1, 1), (1, -1), (2, 1), (0, 5)] {
            refuses("slice", &[ints(&[1, 2, 3, 4]), Int(start), Int(end)]);
        }
    }

    #[test]
    fn the_ends_of_a_list_are_optional() {
        check("first", &[ints(&[1, 2])], &Val::Optional(Some(Arc::new(Int(1)))));
        check("last", &[ints(&[1, 2])], &Val::Optional(Some(Arc::new(Int(2)))));
        check("first", &[ints(&[])], &Val::Optional(None));
        check("last", &[ints(&[])], &Val::Optional(None));
    }

    #[test]
    fn distinct_keeps_the_first_of_equal_items() {
        check(
            "distinct",
            &[Val::list(vec![Int(1), s("b"), Double(1.0), s("b")])],
            &Val::list(vec![Int(1), s("b")]),
        );
    }

    #[test]
    fn flatten_opens_as_many_levels_as_asked() {
        let nested = || Val::list(vec![Int(1), Val::list(vec![Int(2), ints(&[3])])]);
        check("flatten", &[nested()], &Val::list(vec![Int(1), Int(2), ints(&[3])]));
        check("flatten", &[nested(), Int(2)], &ints(&[1, 2, 3]));
        check("flatten", &[nested(), Int(i64::MAX)], &ints(&[1, 2, 3]));
        check("flatten", &[nested(), Int(0)], &nested());
        refuses("flatten", &[nested(), Int(-1)]);
    }

    #[test]
    fn sorting_wants_keys_of_one_ordered_type() {
        check("sort", &[ints(&[3, -1, 2])], &ints(&[-1, 2, 3]));
        check("sort", &[texts(&["b", "a"])], &texts(&["a", "b"]));
        check("sort", &[ints(&[])], &ints(&[]));
        check(
            "@sortByAssociatedKeys",
            &[texts(&["x", "y", "z"]), ints(&[2, 1, 2])],
            &texts(&["y", "x", "z"]),
        );
        refuses("@sortByAssociatedKeys", &[texts(&["x"]), ints(&[1, 2])]);
        refuses("sort", &[Val::list(vec![Int(1), Uint(1)])]);
        refuses("sort", &[Val::list(vec![ints(&[1])])]);
        refuses("sort", &[Val::list(vec![Double(f64::NAN)])]);
    }

    #[test]
    fn a_range_is_paid_for_before_it_is_built() {
        check("lists.range", &[Int(3)], &ints(&[0, 1, 2]));
        refuses("lists.range", &[Int(-1)]);
        for length in [1_000_001, i64::MAX] {
            let error = call("lists.range", &[Int(length)]).unwrap_err();
            assert_eq!(error.kind, EvalErrorKind::CostExceeded, "{length}");
        }
    }

    #[test]
    fn quadratic_work_is_paid_for() {
        let many: Vec<i64> = (0..1000).collect();
        let error = call_within(10_000, "distinct", &[ints(&many)]).unwrap_err();
        assert_eq!(error.kind, EvalErrorKind::CostExceeded);
    }
}
