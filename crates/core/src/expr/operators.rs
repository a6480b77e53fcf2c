//! The overloads of the operators, for the static checker.
//!
//! Order holds across the numeric types, equality only between values of one type; both hold for dynamic
//! values of any type. Source: CEL language definition, "List of Standard Definitions".

use super::ast::{BinaryOp, UnaryOp};
use super::functions::opaque::HIERARCHY;
use super::functions::{Overload, Ty};

const A: Ty = Ty::Param('A');
const B: Ty = Ty::Param('B');
const LIST_A: Ty = Ty::List(&A);
const MAP_AB: Ty = Ty::Map(&A, &B);

/// The overloads of a binary operator.
pub(crate) const fn binary(op: BinaryOp) -> &'static [Overload] {
    match op {
        BinaryOp::Equal | BinaryOp::NotEqual => EQUALITY,
        BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual => ORDER,
        BinaryOp::In => IN,
        BinaryOp::Add => ADD,
        BinaryOp::Subtract => SUBTRACT,
        BinaryOp::Multiply | BinaryOp::Divide => PRODUCT,
        BinaryOp::Modulo => MODULO,
    }
}

/// The overloads of a unary operator.
pub(crate) const fn unary(op: UnaryOp) -> &'static [Overload] {
    match op {
        UnaryOp::Not => NOT,
        UnaryOp::Negate => NEGATE,
    }
}

const fn of(params: &'static [Ty], result: Ty) -> Overload {
    Overload::function(params, result)
}

const EQUALITY: &[Overload] = &[of(&[A, A], Ty::Bool)];

const ORDER: &[Overload] = &[
    of(&[Ty::Bool, Ty::Bool], Ty::Bool),
    of(&[Ty::Int, Ty::Int], Ty::Bool),
    of(&[Ty::Int, Ty::Uint], Ty::Bool),
    of(&[Ty::Int, Ty::Double], Ty::Bool),
    of(&[Ty::Uint, Ty::Uint], Ty::Bool),
    of(&[Ty::Uint, Ty::Int], Ty::Bool),
    of(&[Ty::Uint, Ty::Double], Ty::Bool),
    of(&[Ty::Double, Ty::Double], Ty::Bool),
    of(&[Ty::Double, Ty::Int], Ty::Bool),
    of(&[Ty::Double, Ty::Uint], Ty::Bool),
    of(&[Ty::String, Ty::String], Ty::Bool),
    of(&[Ty::Bytes, Ty::Bytes], Ty::Bool),
    of(&[Ty::Timestamp, Ty::Timestamp], Ty::Bool),
    of(&[Ty::Duration, Ty::Duration], Ty::Bool),
];

const IN: &[Overload] = &[of(&[A, LIST_A], Ty::Bool), of(&[A, MAP_AB], Ty::Bool)];

const ADD: &[Overload] = &[
    of(&[Ty::Int, Ty::Int], Ty::Int),
    of(&[Ty::Uint, Ty::Uint], Ty::Uint),
    of(&[Ty::Double, Ty::Double], Ty::Double),
    of(&[Ty::String, Ty::String], Ty::String),
    of(&[Ty::Bytes, Ty::Bytes], Ty::Bytes),
    of(&[LIST_A, LIST_A], LIST_A),
    of(&[Ty::Timestamp, Ty::Duration], Ty::Timestamp),
    of(&[Ty::Duration, Ty::Timestamp], Ty::Timestamp),
    of(&[Ty::Duration, Ty::Duration], Ty::Duration),
];

const SUBTRACT: &[Overload] = &[
    of(&[Ty::Int, Ty::Int], Ty::Int),
    of(&[Ty::Uint, Ty::Uint], Ty::Uint),
    of(&[Ty::Double, Ty::Double], Ty::Double),
    of(&[Ty::Timestamp, Ty::Timestamp], Ty::Duration),
    of(&[Ty::Timestamp, Ty::Duration], Ty::Timestamp),
    of(&[Ty::Duration, Ty::Duration], Ty::Duration),
];

const PRODUCT: &[Overload] = &[
    of(&[Ty::Int, Ty::Int], Ty::Int),
    of(&[Ty::Uint, Ty::Uint], Ty::Uint),
    of(&[Ty::Double, Ty::Double], Ty::Double),
];

const MODULO: &[Overload] = &[of(&[Ty::Int, Ty::Int], Ty::Int), of(&[Ty::Uint, Ty::Uint], Ty::Uint)];

const NOT: &[Overload] = &[of(&[Ty::Bool], Ty::Bool)];

const NEGATE: &[Overload] = &[of(&[Ty::Int], Ty::Int), of(&[Ty::Double], Ty::Double)];

/// The overloads of `a[b]`; on an optional the result is optional.
pub(crate) const INDEX: &[Overload] = &[
    of(&[LIST_A, Ty::Int], A),
    of(&[MAP_AB, A], B),
    of(&[Ty::Optional(&LIST_A), Ty::Int], Ty::Optional(&A)),
    of(&[Ty::Optional(&MAP_AB), A], Ty::Optional(&B)),
    of(&[HIERARCHY, Ty::Int], Ty::String),
];

/// The overloads of `a[?b]`.
pub(crate) const OPTIONAL_INDEX: &[Overload] = &[
    of(&[LIST_A, Ty::Int], Ty::Optional(&A)),
    of(&[MAP_AB, A], Ty::Optional(&B)),
    of(&[Ty::Optional(&LIST_A), Ty::Int], Ty::Optional(&A)),
    of(&[Ty::Optional(&MAP_AB), A], Ty::Optional(&B)),
];

/// The overloads of `test ? then : otherwise`.
pub(crate) const CONDITIONAL: &[Overload] = &[of(&[Ty::Bool, A, A], A)];
