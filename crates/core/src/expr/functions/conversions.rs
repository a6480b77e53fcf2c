//! Conversions between types: `int`, `uint`, `double`, `string`, `bytes`, `bool`, `timestamp`, `duration`.
//!
//! Source: CEL language definition, "List of Standard Definitions"; texts of numbers are those of Go.

use super::opaque::{CIDR, IP, SPIFFE_ID, SPIFFE_TRUST_DOMAIN};
use super::{CallCx, CallError, Function, Outcome, Overload, Ty};
use crate::expr::ops::{overflow, unsigned_overflow};
use crate::expr::val::Val;
use crate::expr::{time, wording};
use crate::limits;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        name: "int",
        overloads: &[
            Overload::function(&[Ty::Int], Ty::Int),
            Overload::function(&[Ty::Uint], Ty::Int),
            Overload::function(&[Ty::Double], Ty::Int),
            Overload::function(&[Ty::String], Ty::Int),
            Overload::function(&[Ty::Timestamp], Ty::Int),
            Overload::function(&[Ty::Duration], Ty::Int),
        ],
        call: int,
    },
    Function {
        name: "uint",
        overloads: &[
            Overload::function(&[Ty::Uint], Ty::Uint),
            Overload::function(&[Ty::Int], Ty::Uint),
            Overload::function(&[Ty::Double], Ty::Uint),
            Overload::function(&[Ty::String], Ty::Uint),
        ],
        call: uint,
    },
    Function {
        name: "double",
        overloads: &[
            Overload::function(&[Ty::Double], Ty::Double),
            Overload::function(&[Ty::Int], Ty::Double),
            Overload::function(&[Ty::Uint], Ty::Double),
            Overload::function(&[Ty::String], Ty::Double),
        ],
        call: double,
    },
    Function {
        name: "string",
        overloads: &[
            Overload::function(&[Ty::String], Ty::String),
            Overload::function(&[Ty::Bool], Ty::String),
            Overload::function(&[Ty::Int], Ty::String),
            Overload::function(&[Ty::Uint], Ty::String),
            Overload::function(&[Ty::Double], Ty::String),
            Overload::function(&[Ty::Bytes], Ty::String),
            Overload::function(&[Ty::Timestamp], Ty::String),
            Overload::function(&[Ty::Duration], Ty::String),
            Overload::function(&[IP], Ty::String),
            Overload::function(&[CIDR], Ty::String),
            Overload::function(&[SPIFFE_ID], Ty::String),
            Overload::function(&[SPIFFE_TRUST_DOMAIN], Ty::String),
        ],
        call: string,
    },
    Function {
        name: "bytes",
        overloads: &[
            Overload::function(&[Ty::Bytes], Ty::Bytes),
            Overload::function(&[Ty::String], Ty::Bytes),
        ],
        call: bytes,
    },
    Function {
        name: "bool",
        overloads: &[Overload::function(&[Ty::Bool], Ty::Bool), Overload::function(&[Ty::String], Ty::Bool)],
        call: bool,
    },
    Function {
        name: "timestamp",
        overloads: &[
            Overload::function(&[Ty::Timestamp], Ty::Timestamp),
            Overload::function(&[Ty::String], Ty::Timestamp),
            Overload::function(&[Ty::Int], Ty::Timestamp),
        ],
        call: timestamp,
    },
    Function {
        name: "duration",
        overloads: &[
            Overload::function(&[Ty::Duration], Ty::Duration),
            Overload::function(&[Ty::String], Ty::Duration),
        ],
        call: duration,
    },
];

const TWO_TO_63: f64 = 9_223_372_036_854_775_808.0;
const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

fn int<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::Int(n)] => Ok(Val::Int(*n)),
        [Val::Uint(n)] => i64::try_from(*n).map(Val::Int).map_err(|_| overflow()),
        [Val::Double(n)] if n.abs() < TWO_TO_63 => Ok(Val::Int(*n as i64)),
        [Val::Double(_)] => Err(overflow()),
        [Val::String(text)] => text.as_str().parse().map(Val::Int).map_err(|_| no_conversion("int")),
        [Val::Timestamp(t)] => Ok(Val::Int(t.second())),
        [Val::Duration(d)] => i64::try_from(d.as_nanos()).map(Val::Int).map_err(|_| overflow()),
        _ => Err(CallError::no_overload()),
    }
}

fn uint<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::Uint(n)] => Ok(Val::Uint(*n)),
        [Val::Int(n)] => u64::try_from(*n).map(Val::Uint).map_err(|_| unsigned_overflow()),
        [Val::Double(n)] if (0.0..TWO_TO_64).contains(n) => Ok(Val::Uint(*n as u64)),
        [Val::Double(_)] => Err(unsigned_overflow()),
        [Val::String(text)] if text.as_str().starts_with('+') => Err(no_conversion("uint")),
        [Val::String(text)] => text.as_str().parse().map(Val::Uint).map_err(|_| no_conversion("uint")),
        _ => Err(CallError::no_overload()),
    }
}

fn double<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::Double(n)] => Ok(Val::Double(*n)),
        [Val::Int(n)] => Ok(Val::Double(*n as f64)),
        [Val::Uint(n)] => Ok(Val::Double(*n as f64)),
        [Val::String(text)] => {
            let n: f64 = text.as_str().parse().map_err(|_| no_conversion("double"))?;
            let overflow = n.is_infinite() && text.as_str().bytes().any(|b| b.is_ascii_digit());
            if overflow { Err(no_conversion("double")) } else { Ok(Val::Double(n)) }
        }
        _ => Err(CallError::no_overload()),
    }
}

fn string<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    if let [Val::Int(_) | Val::Uint(_) | Val::Double(_) | Val::Timestamp(_) | Val::Duration(_)] = args {
        cx.charge(limits::PRINT_COST)?;
    }
    Ok(match args {
        [Val::String(text)] => Val::String(text.clone()),
        [Val::Bool(b)] => Val::string(if *b { "true" } else { "false" }),
        [Val::Int(n)] => Val::string(&n.to_string()),
        [Val::Uint(n)] => Val::string(&n.to_string()),
        [Val::Double(n)] => Val::string(&double_text(*n)),
        [Val::Bytes(bytes)] => {
            cx.charge_bytes(bytes.len())?;
            Val::string(
                std::str::from_utf8(bytes)
                    .map_err(|_| CallError::invalid("invalid UTF-8 in bytes, cannot convert to string"))?,
            )
        }
        [Val::Timestamp(t)] => Val::string(&t.to_string()),
        [Val::Duration(d)] => Val::string(&time::duration_text(*d)),
        [Val::Opaque(opaque)] => {
            cx.charge_bytes(opaque.bytes())?;
            Val::string(&opaque.text().ok_or_else(CallError::no_overload)?)
        }
        _ => return Err(CallError::no_overload()),
    })
}

fn bytes<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::Bytes(bytes)] => Ok(Val::Bytes(bytes.clone())),
        [Val::String(text)] => {
            cx.charge_bytes(text.as_str().len())?;
            Ok(Val::Bytes(text.as_str().as_bytes().into()))
        }
        _ => Err(CallError::no_overload()),
    }
}

fn bool<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::Bool(b)] => Ok(Val::Bool(*b)),
        [Val::String(text)] => match text.as_str() {
            "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Val::Bool(true)),
            "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Val::Bool(false)),
            _ => Err(no_conversion("bool")),
        },
        _ => Err(CallError::no_overload()),
    }
}

fn timestamp<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::Timestamp(t)] => Ok(Val::Timestamp(*t)),
        [Val::String(text)] => time::parse_timestamp(text.as_str()),
        [Val::Int(seconds)] => time::timestamp(*seconds),
        _ => Err(CallError::no_overload()),
    }
}

fn duration<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::Duration(d)] => Ok(Val::Duration(*d)),
        [Val::String(text)] => time::parse_duration(text.as_str()),
        _ => Err(CallError::no_overload()),
    }
}

fn no_conversion(to: &str) -> CallError {
    CallError::invalid(wording::no_conversion("string", to))
}

/// The shortest text that reads back as `n`, with an exponent below 1e-4 and from 1e6 on: Go's `%g`.
pub(crate) fn double_text(n: f64) -> String {
    if n.is_nan() {
        return "NaN".to_owned();
    }
    if n.is_infinite() {
        return if n > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() };
    }
    let scientific = format!("{n:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..6).contains(&exponent) {
        return n.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}
