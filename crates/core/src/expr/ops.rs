//! The operators on values: arithmetic, order, membership, indexing.
//!
//! Source: CEL language definition, "List of Standard Definitions". Arithmetic that leaves the range of its
//! type is an error; doubles follow IEEE 754.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::SignedDuration;

use super::ast::BinaryOp;
use super::equality::search_cost;
use super::functions::{CallError, Outcome};
use super::val::{List, MapVal, Opaque, Str, Val};
use super::{Budget, time, wording};
use crate::limits;
use crate::value::Value;

/// Applies an operator that asks something.
pub(crate) fn test(op: BinaryOp, a: &Val<'_>, b: &Val<'_>, budget: &Budget) -> Result<bool, CallError> {
    match op {
        BinaryOp::Equal => a.equals(b, budget),
        BinaryOp::NotEqual => a.equals(b, budget).map(|same| !same),
        BinaryOp::Less => ordered(a, b, budget, Ordering::is_lt),
        BinaryOp::LessEqual => ordered(a, b, budget, Ordering::is_le),
        BinaryOp::Greater => ordered(a, b, budget, Ordering::is_gt),
        BinaryOp::GreaterEqual => ordered(a, b, budget, Ordering::is_ge),
        BinaryOp::In => contains(b, a, budget),
        _ => Err(CallError::no_overload()),
    }
}

/// Applies an operator that computes something.
pub(crate) fn arithmetic<'r>(op: BinaryOp, a: &Val<'r>, b: &Val<'r>, budget: &Budget) -> Outcome<'r> {
    match op {
        BinaryOp::Add => add(a, b, budget),
        BinaryOp::Subtract => subtract(a, b),
        BinaryOp::Multiply => multiply(a, b),
        BinaryOp::Divide => divide(a, b),
        BinaryOp::Modulo => modulo(a, b),
        _ => test(op, a, b, budget).map(Val::Bool),
    }
}

/// `-operand`.
pub(crate) fn negate<'r>(operand: &Val<'r>) -> Outcome<'r> {
    match operand {
        Val::Int(n) => n.checked_neg().map(Val::Int).ok_or_else(overflow),
        Val::Double(n) => Ok(Val::Double(-n)),
        Val::Duration(d) => time::duration(d.checked_neg()),
        _ => Err(CallError::no_overload()),
    }
}

/// Whether `text` is one of the sorted `texts`. Of a few of them, mostly the length tells that it is another.
pub(crate) fn is_among(texts: &[Arc<str>], text: &str) -> bool {
    const FEW: usize = 8;
    if texts.len() <= FEW {
        return texts.iter().any(|known| **known == *text);
    }
    texts.binary_search_by(|known| (**known).cmp(text)).is_ok()
}

/// That `operand` holds nothing under `index`.
pub(crate) fn missing(operand: &Val<'_>, index: &Val<'_>) -> CallError {
    match operand {
        Val::List(_) => CallError::range(format!("index out of bounds: {}", wording::shown(index))),
        Val::Opaque(opaque) if matches!(**opaque, Opaque::Hierarchy(_)) => {
            CallError::range("index out of range")
        }
        _ => CallError::absent(wording::no_such_key(&wording::shown(index))),
    }
}

/// What `operand` holds under `index`.
pub(crate) fn element<'r>(
    operand: &Val<'r>,
    index: &Val<'_>,
    budget: &Budget,
) -> Result<Option<Val<'r>>, CallError> {
    match operand {
        Val::Opaque(opaque) if matches!(**opaque, Opaque::Hierarchy(_)) => match (&**opaque, index) {
            (Opaque::Hierarchy(segments), Val::Int(at)) => {
                let segment = usize::try_from(*at).ok().and_then(|at| segments.get(at));
                Ok(segment.map(|segment| Val::string(segment)))
            }
            _ => Err(no_index(operand, index)),
        },
        _ if !is_key(index) => {
            let found = wording::native_type(index);
            Err(CallError::invalid(format!("invalid qualifier type: {found}")))
        }
        Val::List(items) => Ok(position(index)?.and_then(|at| items.get(at))),
        Val::Map(map) => map.find(index, budget),
        _ => Err(CallError::no_overload()),
    }
}

/// Whether a value can be a key or an index.
pub(crate) fn is_key(value: &Val<'_>) -> bool {
    matches!(value, Val::Bool(_) | Val::Int(_) | Val::Uint(_) | Val::Double(_) | Val::String(_))
}

/// Whether a value holds others under keys or indices.
pub(crate) fn is_container(value: &Val<'_>) -> bool {
    match value {
        Val::List(_) | Val::Map(_) | Val::Optional(_) => true,
        Val::Opaque(opaque) => matches!(**opaque, Opaque::Hierarchy(_)),
        _ => false,
    }
}

/// A list index from any number that is whole; `None` if it lies outside every list.
fn position(index: &Val<'_>) -> Result<Option<usize>, CallError> {
    match index {
        Val::Int(n) => Ok(usize::try_from(*n).ok()),
        Val::Uint(n) => Ok(usize::try_from(*n).ok()),
        Val::Double(n) if n.fract() == 0.0 && n.abs() < EXACT => {
            Ok(if *n < 0.0 { None } else { Some(*n as usize) })
        }
        Val::Double(_) => {
            let message = format!("unsupported index value {} in list", wording::shown(index));
            Err(CallError::invalid(message))
        }
        _ => Err(no_index(&Val::list(Vec::new()), index)),
    }
}

/// Whole doubles below this are exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// That a list or hierarchy takes no index of this type.
pub(crate) fn no_index(operand: &Val<'_>, index: &Val<'_>) -> CallError {
    let place = if matches!(operand, Val::List(_)) { " in list" } else { "" };
    CallError::invalid(format!("unsupported index type '{}'{place}", index.type_name()))
}

impl<'r> MapVal<'r> {
    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            MapVal::Values(map) => map.len(),
            MapVal::Owned(entries) => entries.len(),
        }
    }

    /// The value under `key`.
    pub(crate) fn find(&self, key: &Val<'_>, budget: &Budget) -> Result<Option<Val<'r>>, CallError> {
        match self {
            MapVal::Values(map) => match key {
                Val::String(key) => {
                    budget.charge(search_cost(map.len()))?;
                    Ok(map.get(key.as_str()).map(Val::from))
                }
                _ => Ok(None),
            },
            MapVal::Owned(entries) => {
                for (candidate, value) in entries.iter() {
                    budget.charge(1)?;
                    if candidate.equals(key, budget)? {
                        return Ok(Some(value.clone()));
                    }
                }
                Ok(None)
            }
        }
    }

    /// The value under the field `name`.
    pub(crate) fn field(&self, name: &str, budget: &Budget) -> Result<Option<Val<'r>>, CallError> {
        match self {
            MapVal::Values(map) => Ok(map.get(name).map(Val::from)),
            MapVal::Owned(_) => self.find(&Val::String(Str::Borrowed(name)), budget),
        }
    }

    /// Key and value at `at`, in the order of the map.
    pub(crate) fn entry(&self, at: usize) -> Option<(Val<'r>, Val<'r>)> {
        match self {
            MapVal::Values(map) => {
                map.entry(at).map(|(key, value)| (Val::String(Str::Borrowed(key)), Val::from(value)))
            }
            MapVal::Owned(entries) => entries.get(at).cloned(),
        }
    }
}

/// `item in container`; the item stands on the left of each comparison.
pub(crate) fn contains(container: &Val<'_>, item: &Val<'_>, budget: &Budget) -> Result<bool, CallError> {
    match (container, item) {
        (Val::List(List::Values(values)), Val::String(text)) => is_text_among(values, text.as_str(), budget),
        (Val::List(items), _) => {
            for candidate in items.iter() {
                budget.charge(1)?;
                if item.equals(&candidate, budget)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        (Val::Map(map), _) => Ok(map.find(item, budget)?.is_some()),
        _ => Err(CallError::no_overload()),
    }
}

/// As [`contains`] for a list of the request, without making a value of each item.
fn is_text_among(values: &[Value<'_>], text: &str, budget: &Budget) -> Result<bool, CallError> {
    for value in values {
        budget.charge(1)?;
        let Value::String(candidate) = value else { continue };
        if candidate.len() == text.len() {
            budget.charge(text.len() / limits::BYTES_PER_COST_UNIT)?;
            if candidate == text {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn ordered(
    a: &Val<'_>,
    b: &Val<'_>,
    budget: &Budget,
    holds: fn(Ordering) -> bool,
) -> Result<bool, CallError> {
    let common = match (a, b) {
        (Val::String(a), Val::String(b)) => a.as_str().len().min(b.as_str().len()),
        (Val::Bytes(a), Val::Bytes(b)) => a.len().min(b.len()),
        _ => 0,
    };
    budget.charge(common / limits::BYTES_PER_COST_UNIT)?;
    let number = |v: &Val<'_>| matches!(v, Val::Int(_) | Val::Uint(_) | Val::Double(_));
    match a.compare(b) {
        Some(order) => Ok(holds(order)),
        // NaN has no order: every comparison with it is false.
        None if number(a) && number(b) => Ok(false),
        None => Err(CallError::no_overload()),
    }
}

fn add<'r>(a: &Val<'r>, b: &Val<'r>, budget: &Budget) -> Outcome<'r> {
    match (a, b) {
        (Val::Int(a), Val::Int(b)) => a.checked_add(*b).map(Val::Int).ok_or_else(overflow),
        (Val::Uint(a), Val::Uint(b)) => a.checked_add(*b).map(Val::Uint).ok_or_else(unsigned_overflow),
        (Val::Double(a), Val::Double(b)) => Ok(Val::Double(a + b)),
        (Val::String(a), Val::String(b)) => {
            // Besides the bytes there is memory to be found for them.
            budget.charge(2 + (a.as_str().len() + b.as_str().len()) / limits::BYTES_PER_COST_UNIT)?;
            Ok(Val::String(Str::Owned([a.as_str(), b.as_str()].concat().into())))
        }
        (Val::Bytes(a), Val::Bytes(b)) => {
            budget.charge((a.len() + b.len()) / limits::BYTES_PER_COST_UNIT)?;
            Ok(Val::Bytes([&**a, &**b].concat().into()))
        }
        (Val::List(a), Val::List(b)) => {
            budget.charge(a.len() + b.len())?;
            Ok(Val::List(List::Owned(a.iter().chain(b.iter()).collect())))
        }
        (Val::Timestamp(t), Val::Duration(d)) | (Val::Duration(d), Val::Timestamp(t)) => time::later(*t, *d),
        (Val::Duration(a), Val::Duration(b)) => time::duration(a.checked_add(*b)),
        _ => Err(CallError::no_overload()),
    }
}

fn subtract<'r>(a: &Val<'r>, b: &Val<'r>) -> Outcome<'r> {
    match (a, b) {
        (Val::Int(a), Val::Int(b)) => a.checked_sub(*b).map(Val::Int).ok_or_else(overflow),
        (Val::Uint(a), Val::Uint(b)) => a.checked_sub(*b).map(Val::Uint).ok_or_else(unsigned_overflow),
        (Val::Double(a), Val::Double(b)) => Ok(Val::Double(a - b)),
        (Val::Timestamp(a), Val::Timestamp(b)) => time::duration(Some(a.since(*b))),
        (Val::Timestamp(t), Val::Duration(d)) => match d.checked_neg() {
            Some(back) => time::later(*t, back),
            None => Err(overflow()),
        },
        (Val::Duration(a), Val::Duration(b)) => time::duration(a.checked_sub(*b)),
        _ => Err(CallError::no_overload()),
    }
}

fn multiply<'r>(a: &Val<'r>, b: &Val<'r>) -> Outcome<'r> {
    match (a, b) {
        (Val::Int(a), Val::Int(b)) => a.checked_mul(*b).map(Val::Int).ok_or_else(overflow),
        (Val::Uint(a), Val::Uint(b)) => a.checked_mul(*b).map(Val::Uint).ok_or_else(unsigned_overflow),
        (Val::Double(a), Val::Double(b)) => Ok(Val::Double(a * b)),
        _ => Err(CallError::no_overload()),
    }
}

fn divide<'r>(a: &Val<'r>, b: &Val<'r>) -> Outcome<'r> {
    match (a, b) {
        (Val::Int(_), Val::Int(0)) | (Val::Uint(_), Val::Uint(0)) => {
            Err(CallError::range("division by zero"))
        }
        (Val::Int(a), Val::Int(b)) => a.checked_div(*b).map(Val::Int).ok_or_else(overflow),
        (Val::Uint(a), Val::Uint(b)) => a.checked_div(*b).map(Val::Uint).ok_or_else(overflow),
        (Val::Double(a), Val::Double(b)) => Ok(Val::Double(a / b)),
        _ => Err(CallError::no_overload()),
    }
}

fn modulo<'r>(a: &Val<'r>, b: &Val<'r>) -> Outcome<'r> {
    match (a, b) {
        (Val::Int(_), Val::Int(0)) | (Val::Uint(_), Val::Uint(0)) => Err(CallError::range("modulus by zero")),
        (Val::Int(a), Val::Int(b)) => a.checked_rem(*b).map(Val::Int).ok_or_else(overflow),
        (Val::Uint(a), Val::Uint(b)) => a.checked_rem(*b).map(Val::Uint).ok_or_else(overflow),
        _ => Err(CallError::no_overload()),
    }
}

pub(crate) fn unsigned_overflow() -> CallError {
    CallError::range("unsigned integer overflow")
}

pub(crate) fn overflow() -> CallError {
    CallError::range("integer overflow")
}

/// The zero value of its type, for `optional.ofNonZeroValue`.
pub(crate) fn is_zero(value: &Val<'_>) -> bool {
    match value {
        Val::Null | Val::Bool(false) | Val::Int(0) | Val::Uint(0) | Val::Optional(None) => true,
        Val::Double(n) => *n == 0.0,
        Val::String(text) => text.as_str().is_empty(),
        Val::Bytes(bytes) => bytes.is_empty(),
        Val::List(items) => items.is_empty(),
        Val::Map(map) => map.len() == 0,
        Val::Duration(d) => *d == SignedDuration::ZERO,
        _ => false,
    }
}
