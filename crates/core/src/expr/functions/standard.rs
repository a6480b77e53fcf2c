//! The standard functions on strings, lists, maps and bytes; `dyn` and `type`.
//!
//! Source: CEL language definition, "List of Standard Definitions".

use std::sync::Arc;

use super::opaque::HIERARCHY;
use super::regex;
use super::{CallCx, CallError, Function, Outcome, Overload, Ty};
use crate::expr::Budget;
use crate::expr::val::{Opaque, Val};
use crate::limits;

const A: Ty = Ty::Param('A');
const B: Ty = Ty::Param('B');

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        name: "size",
        overloads: &[
            Overload::function(&[Ty::String], Ty::Int),
            Overload::function(&[Ty::Bytes], Ty::Int),
            Overload::function(&[Ty::List(&A)], Ty::Int),
            Overload::function(&[Ty::Map(&A, &B)], Ty::Int),
            Overload::method(&[Ty::String], Ty::Int),
            Overload::method(&[Ty::Bytes], Ty::Int),
            Overload::method(&[Ty::List(&A)], Ty::Int),
            Overload::method(&[Ty::Map(&A, &B)], Ty::Int),
            Overload::method(&[HIERARCHY], Ty::Int),
        ],
        call: size,
    },
    Function {
        name: "contains",
        overloads: &[Overload::method(&[Ty::String, Ty::String], Ty::Bool)],
        call: contains,
    },
    Function {
        name: "startsWith",
        overloads: &[Overload::method(&[Ty::String, Ty::String], Ty::Bool)],
        call: starts_with,
    },
    Function {
        name: "endsWith",
        overloads: &[Overload::method(&[Ty::String, Ty::String], Ty::Bool)],
        call: ends_with,
    },
    Function {
        name: "matches",
        overloads: &[
            Overload::method(&[Ty::String, Ty::String], Ty::Bool),
            Overload::function(&[Ty::String, Ty::String], Ty::Bool),
        ],
        call: matches,
    },
    Function { name: "dyn", overloads: &[Overload::function(&[A], Ty::Dyn)], call: dynamic },
    Function { name: "type", overloads: &[Overload::function(&[A], Ty::Type)], call: type_of },
];

/// Characters, bytes, items or entries.
fn size<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let count = match args {
        [Val::String(text)] => {
            cx.charge_bytes(text.as_str().len())?;
            text.as_str().chars().count()
        }
        [Val::Bytes(bytes)] => bytes.len(),
        [Val::List(items)] => items.len(),
        [Val::Map(map)] => map.len(),
        [Val::Opaque(opaque)] => match &**opaque {
            Opaque::Hierarchy(segments) => segments.len(),
            _ => return Err(CallError::no_overload()),
        },
        _ => return Err(CallError::no_overload()),
    };
    i64::try_from(count).map(Val::Int).map_err(|_| CallError::range("the size is out of range"))
}

fn contains<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    TextTest::Contains.ask(cx, args).map(Val::Bool)
}

fn starts_with<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    TextTest::StartsWith.ask(cx, args).map(Val::Bool)
}

fn ends_with<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    TextTest::EndsWith.ask(cx, args).map(Val::Bool)
}

/// What is asked about a text and another one that may be part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TextTest {
    Contains,
    StartsWith,
    EndsWith,
}

impl TextTest {
    /// What the function called `name` asks, if it asks such a thing.
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name {
            "contains" => Some(TextTest::Contains),
            "startsWith" => Some(TextTest::StartsWith),
            "endsWith" => Some(TextTest::EndsWith),
            _ => None,
        }
    }

    /// The answer for texts; other arguments are refused.
    pub(crate) fn ask(self, cx: &CallCx<'_>, args: &[Val<'_>]) -> Result<bool, CallError> {
        let [Val::String(text), Val::String(part)] = args else {
            return Err(CallError::no_overload());
        };
        cx.charge(Self::cost(text.as_str(), part.as_str()))?;
        Ok(self.holds(text.as_str(), part.as_str()))
    }

    /// Cost units that the answer takes.
    pub(crate) fn cost(text: &str, part: &str) -> usize {
        (text.len() + part.len()) / limits::BYTES_PER_COST_UNIT
    }

    /// The answer, which has been paid for.
    pub(crate) fn holds(self, text: &str, part: &str) -> bool {
        match self {
            TextTest::Contains => text.contains(part),
            TextTest::StartsWith => text.starts_with(part),
            TextTest::EndsWith => text.ends_with(part),
        }
    }
}

/// Whether the pattern is found anywhere in the text.
fn matches<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::String(text), Val::String(pattern)] = args else {
        return Err(CallError::no_overload());
    };
    let regex = regex::compile_paid(cx, pattern.as_str(), text.as_str())?;
    is_match(cx, &regex, text.as_str()).map(Val::Bool)
}

/// As `matches` does, with the pattern compiled.
pub(crate) fn is_match(cx: &CallCx<'_>, regex: &::regex::Regex, text: &str) -> Result<bool, CallError> {
    // A hard expression may build a state at every byte, so each byte costs.
    cx.charge(text.len())?;
    Ok(regex.is_match(text))
}

fn dynamic<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [value] = args else {
        return Err(CallError::no_overload());
    };
    Ok(value.clone())
}

fn type_of<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [value] = args else {
        return Err(CallError::no_overload());
    };
    Ok(Val::Type(value.type_name()))
}

/// The type that a name denotes, when it is used as a value.
pub(crate) fn type_value(name: &str) -> Option<Val<'static>> {
    const NAMES: &[&str] = &[
        "bool",
        "int",
        "uint",
        "double",
        "string",
        "bytes",
        "list",
        "map",
        "null_type",
        "type",
        "optional_type",
        "google.protobuf.Timestamp",
        "google.protobuf.Duration",
        "net.IP",
        "net.CIDR",
    ];
    NAMES.iter().find(|known| **known == name).map(|known| Val::Type(known))
}

/// An optional that holds `value`, unless values would nest too deep.
pub(crate) fn some<'r>(value: Val<'r>, budget: &Budget) -> Outcome<'r> {
    bounded(Val::Optional(Some(Arc::new(value))), budget)
}

/// INVARIANT(value-depth): computed values nest at most [`limits::COMPUTED_DEPTH`] levels, so walks over values
/// may recurse. Everything that puts values into new lists, maps or optionals passes here.
pub(crate) fn bounded<'r>(value: Val<'r>, budget: &Budget) -> Outcome<'r> {
    if value.nests_within(limits::COMPUTED_DEPTH, budget)? {
        return Ok(value);
    }
    Err(CallError::invalid(format!("values nest deeper than {}", limits::COMPUTED_DEPTH)))
}
