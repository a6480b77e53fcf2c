//! Equality and order of values, across the numeric types.
//!
//! Values of different kinds are unequal, never an error; `1`, `1u` and `1.0` are equal.
//! Source: CEL language definition, "Equality" and "Ordering".

use std::cmp::Ordering;

use super::Budget;
use super::functions::{CallError, spiffe};
use super::val::{List, MapVal, Opaque, Str, Val};
use crate::limits;
use crate::value::Map;

impl Val<'_> {
    /// Whether both are the same value.
    /// Charges `budget` for every element and longer text compared; fails when that runs out.
    pub(crate) fn equals(&self, other: &Val<'_>, budget: &Budget) -> Result<bool, CallError> {
        equal(self, other, &mut Walk { budget, depth: 0 })
    }

    /// How the two compare; `None` when values of their types, or NaN, have no order.
    pub(crate) fn compare(&self, other: &Val<'_>) -> Option<Ordering> {
        match (self, other) {
            (Val::Bool(a), Val::Bool(b)) => Some(a.cmp(b)),
            (Val::String(a), Val::String(b)) => Some(a.as_str().cmp(b.as_str())),
            (Val::Bytes(a), Val::Bytes(b)) => Some(a.cmp(b)),
            (Val::Timestamp(a), Val::Timestamp(b)) => Some(a.cmp(b)),
            (Val::Duration(a), Val::Duration(b)) => Some(a.cmp(b)),
            _ => compare_numbers(self, other),
        }
    }
}

/// Compares int and uint exactly, and both with a double as doubles, as CEL does: beyond 2^53 neighbouring ints
/// compare equal to one double.
fn compare_numbers(a: &Val<'_>, b: &Val<'_>) -> Option<Ordering> {
    match (integer(a), integer(b)) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => double(a)?.partial_cmp(&double(b)?),
    }
}

fn integer(value: &Val<'_>) -> Option<i128> {
    match value {
        Val::Int(n) => Some(i128::from(*n)),
        Val::Uint(n) => Some(i128::from(*n)),
        _ => None,
    }
}

fn double(value: &Val<'_>) -> Option<f64> {
    match value {
        Val::Int(n) => Some(*n as f64),
        Val::Uint(n) => Some(*n as f64),
        Val::Double(n) => Some(*n),
        _ => None,
    }
}

struct Walk<'b> {
    budget: &'b Budget,
    depth: usize,
}

impl Walk<'_> {
    fn charge_bytes(&self, bytes: usize) -> Result<(), CallError> {
        self.budget.charge(bytes / limits::BYTES_PER_COST_UNIT)
    }

    fn descend<T>(&mut self, step: impl FnOnce(&mut Self) -> Result<T, CallError>) -> Result<T, CallError> {
        if self.depth == limits::COMPUTED_DEPTH {
            return Err(CallError::invalid(format!("values nest deeper than {}", limits::COMPUTED_DEPTH)));
        }
        self.depth += 1;
        let result = step(self);
        self.depth -= 1;
        result
    }
}

fn equal(a: &Val<'_>, b: &Val<'_>, walk: &mut Walk<'_>) -> Result<bool, CallError> {
    match (a, b) {
        (Val::Null, Val::Null) => Ok(true),
        (Val::Bool(a), Val::Bool(b)) => Ok(a == b),
        (Val::String(a), Val::String(b)) => equal_bytes(a.as_str().as_bytes(), b.as_str().as_bytes(), walk),
        (Val::Bytes(a), Val::Bytes(b)) => equal_bytes(a, b, walk),
        (Val::Timestamp(a), Val::Timestamp(b)) => Ok(a == b),
        (Val::Duration(a), Val::Duration(b)) => Ok(a == b),
        (Val::Type(a), Val::Type(b)) => Ok(a == b),
        (Val::List(a), Val::List(b)) => walk.descend(|walk| equal_lists(a, b, walk)),
        (Val::Map(a), Val::Map(b)) => walk.descend(|walk| equal_maps(a, b, walk)),
        (Val::Optional(a), Val::Optional(b)) => match (a, b) {
            (Some(a), Some(b)) => walk.descend(|walk| equal(a, b, walk)),
            _ => Ok(a.is_none() && b.is_none()),
        },
        (Val::Opaque(a), Val::Opaque(b)) => {
            walk.charge_bytes(a.bytes())?;
            Ok(a == b)
        }
        (Val::Opaque(opaque), other) => equal_opaque(opaque, other),
        _ => Ok(compare_numbers(a, b) == Some(Ordering::Equal)),
    }
}

/// As in the peer, an opaque value decides only where it stands on the left: `spiffeID(x) == "spiffe://d/x"` holds,
/// and the other way round it does not.
fn equal_opaque(opaque: &Opaque, other: &Val<'_>) -> Result<bool, CallError> {
    match (opaque, other) {
        (Opaque::Ip(_) | Opaque::Cidr(..) | Opaque::SpiffeMatcher(_), _) | (_, Val::Null) => Ok(false),
        (Opaque::SpiffeId { .. } | Opaque::SpiffeTrustDomain(_), Val::String(text)) => {
            Ok(spiffe::is_spelled(opaque, text.as_str()))
        }
        _ => Err(CallError::no_overload()),
    }
}

fn equal_bytes(a: &[u8], b: &[u8], walk: &Walk<'_>) -> Result<bool, CallError> {
    if a.len() != b.len() {
        return Ok(false);
    }
    walk.charge_bytes(a.len())?;
    Ok(a == b)
}

fn equal_lists(a: &List<'_>, b: &List<'_>, walk: &mut Walk<'_>) -> Result<bool, CallError> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (a, b) in a.iter().zip(b.iter()) {
        walk.budget.charge(1)?;
        if !equal(&a, &b, walk)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn equal_maps(a: &MapVal<'_>, b: &MapVal<'_>, walk: &mut Walk<'_>) -> Result<bool, CallError> {
    if entry_count(a) != entry_count(b) {
        return Ok(false);
    }
    if let (MapVal::Values(a), MapVal::Values(b)) = (a, b) {
        return equal_attributes(a, b, walk);
    }
    let same = |key: &Val<'_>, value: &Val<'_>, walk: &mut Walk<'_>| match find(b, key, walk)? {
        Some(other) => equal(value, &other, walk),
        None => Ok(false),
    };
    match a {
        MapVal::Values(map) => {
            for (key, value) in map.iter() {
                if !same(&Val::String(Str::Borrowed(key)), &Val::from(value), walk)? {
                    return Ok(false);
                }
            }
        }
        MapVal::Owned(entries) => {
            for (key, value) in entries.iter() {
                if !same(key, value, walk)? {
                    return Ok(false);
                }
            }
        }
    }
    Ok(true)
}

/// Both are sorted by their keys, so equal maps hold equal entries side by side.
fn equal_attributes(a: &Map<'_>, b: &Map<'_>, walk: &mut Walk<'_>) -> Result<bool, CallError> {
    for ((key, value), (other_key, other)) in a.iter().zip(b.iter()) {
        walk.budget.charge(1)?;
        let same = equal_bytes(key.as_bytes(), other_key.as_bytes(), walk)?
            && equal(&Val::from(value), &Val::from(other), walk)?;
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

fn entry_count(map: &MapVal<'_>) -> usize {
    match map {
        MapVal::Values(map) => map.len(),
        MapVal::Owned(entries) => entries.len(),
    }
}

fn find<'r>(map: &MapVal<'r>, key: &Val<'_>, walk: &mut Walk<'_>) -> Result<Option<Val<'r>>, CallError> {
    match map {
        MapVal::Values(map) => {
            let Val::String(key) = key else { return Ok(None) };
            walk.budget.charge(search_cost(map.len()))?;
            Ok(map.get(key.as_str()).map(Val::from))
        }
        MapVal::Owned(entries) => {
            for (candidate, value) in entries.iter() {
                walk.budget.charge(1)?;
                if equal(candidate, key, walk)? {
                    return Ok(Some(value.clone()));
                }
            }
            Ok(None)
        }
    }
}

/// Cost units of a lookup among `entries` sorted keys.
pub(super) fn search_cost(entries: usize) -> usize {
    1 + entries.checked_ilog2().unwrap_or(0) as usize / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::functions::testing::{call, ints, s};
    use crate::value::Value;
    use proptest::prelude::*;

    fn equal(a: &Val<'_>, b: &Val<'_>) -> bool {
        let budget = Budget::new(limits::EXPR_COST, limits::EXPR_COST);
        let same = a.equals(b, &budget).unwrap();
        assert_eq!(same, b.equals(a, &budget).unwrap(), "equality of {a:?} and {b:?} depends on the side");
        same
    }

    #[test]
    fn numbers_are_equal_by_value() {
        assert!(equal(&Val::Int(1), &Val::Double(1.0)));
        assert!(equal(&Val::Uint(1), &Val::Int(1)));
        assert!(!equal(&Val::Int(-1), &Val::Uint(u64::MAX)));
        assert!(!equal(&Val::Double(f64::NAN), &Val::Double(f64::NAN)));
        assert!(!equal(&Val::Int(i64::MAX), &Val::Uint(1 << 63)));
        assert!(equal(&Val::Int(i64::MAX), &Val::Double(2f64.powi(63))));
    }

    #[test]
    fn values_of_different_kinds_are_unequal() {
        let kinds = [
            Val::Null,
            Val::Bool(false),
            Val::Int(0),
            s(""),
            Val::Bytes([].into()),
            ints(&[]),
            Val::Map(MapVal::Owned([].into())),
            Val::Type("int"),
            Val::Optional(None),
        ];
        for (i, a) in kinds.iter().enumerate() {
            for (j, b) in kinds.iter().enumerate() {
                assert_eq!(equal(a, b), i == j, "{a:?} == {b:?}");
            }
        }
    }

    #[test]
    fn maps_are_equal_whatever_their_order_and_origin() {
        let entries = vec![("a".into(), Value::Number(1.0)), ("b".into(), Value::Null)];
        let request = Value::Map(Map::from_entries(entries).unwrap());
        let owned = Val::Map(MapVal::Owned([(s("b"), Val::Null), (s("a"), Val::Int(1))].into()));
        assert!(equal(&Val::from(&request), &owned));
        let numbered = |key| Val::Map(MapVal::Owned([(key, Val::Null)].into()));
        assert!(equal(&numbered(Val::Int(1)), &numbered(Val::Uint(1))));
        assert!(!equal(&numbered(s("b")), &Val::from(&request)));
    }

    #[test]
    fn a_spiffe_id_on_the_left_is_equal_to_its_text() {
        let budget = Budget::new(limits::EXPR_COST, limits::EXPR_COST);
        let id = call("spiffeID", &[s("spiffe://d/x")]).unwrap();
        let domain = call("spiffeTrustDomain", &[s("d")]).unwrap();
        let cases = [
            (&id, s("spiffe://d/x"), Some(true)),
            (&id, s("spiffe://d/y"), Some(false)),
            (&id, Val::Null, Some(false)),
            (&id, Val::Int(1), None),
            (&domain, s("spiffe://d"), Some(true)),
            (&domain, s("d"), Some(true)),
        ];
        for (opaque, other, expected) in cases {
            assert_eq!(opaque.equals(&other, &budget).ok(), expected, "{opaque:?} == {other:?}");
            assert!(!other.equals(opaque, &budget).unwrap(), "{other:?} == {opaque:?}");
        }
    }

    #[test]
    fn comparing_shared_values_is_bounded() {
        let wide = || (0..40).fold(ints(&[]), |inner, _| Val::list(vec![inner.clone(), inner]));
        assert!(wide().equals(&wide(), &Budget::new(10_000, 10_000)).is_err());
        let deep = || (0..1_000).fold(ints(&[]), |inner, _| Val::list(vec![inner]));
        assert!(deep().equals(&deep(), &Budget::new(10_000, 10_000)).is_err());
    }

    #[test]
    fn equal_attributes_cost_one_unit_for_each_entry() {
        let map = |last: bool| {
            let entries = (0..1_000).map(|n| (format!("{n:04}").into(), Value::Bool(last || n < 999)));
            Value::Map(Map::from_entries(entries.collect()).unwrap())
        };
        let (a, b) = (map(true), map(false));
        let budget = || Budget::new(1_000, 1_000);
        assert!(Val::from(&a).equals(&Val::from(&a), &budget()).unwrap());
        assert!(!Val::from(&a).equals(&Val::from(&b), &budget()).unwrap());
        assert!(Val::from(&a).equals(&Val::from(&a), &Budget::new(999, 999)).is_err());
    }

    fn number() -> impl Strategy<Value = Val<'static>> {
        prop_oneof![
            any::<i64>().prop_map(Val::Int),
            any::<u64>().prop_map(Val::Uint),
            any::<f64>().prop_map(Val::Double),
            (-3i64..3).prop_map(Val::Int),
            (0u64..3).prop_map(Val::Uint),
            (-6i32..6).prop_map(|half| Val::Double(f64::from(half) / 2.0)),
        ]
    }

    proptest! {
        #[test]
        fn the_order_of_numbers_does_not_depend_on_the_side(a in number(), b in number()) {
            prop_assert_eq!(a.compare(&b), b.compare(&a).map(Ordering::reverse));
            prop_assert_eq!(equal(&a, &b), a.compare(&b) == Some(Ordering::Equal));
        }
    }
}
