//! `math.*`: extremes, rounding, classes of doubles, bits.
//!
//! Source: the math extension of CEL.

use std::cmp::Ordering;

use super::{CallCx, CallError, Function, Outcome, Overload, Ty};
use crate::expr::ops::overflow;
use crate::expr::val::Val;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function { name: "math.abs", overloads: SAME_NUMBER, call: abs },
    Function { name: "math.bitAnd", overloads: TWO_INTEGERS, call: bit_and },
    Function { name: "math.bitNot", overloads: ONE_INTEGER, call: bit_not },
    Function { name: "math.bitOr", overloads: TWO_INTEGERS, call: bit_or },
    Function { name: "math.bitShiftLeft", overloads: SHIFT, call: bit_shift_left },
    Function { name: "math.bitShiftRight", overloads: SHIFT, call: bit_shift_right },
    Function { name: "math.bitXor", overloads: TWO_INTEGERS, call: bit_xor },
    Function { name: "math.ceil", overloads: ROUNDING, call: ceil },
    Function { name: "math.floor", overloads: ROUNDING, call: floor },
    Function { name: "math.greatest", overloads: EXTREME, call: greatest },
    Function { name: "math.isFinite", overloads: DOUBLE_CLASS, call: is_finite },
    Function { name: "math.isInf", overloads: DOUBLE_CLASS, call: is_inf },
    Function { name: "math.isNaN", overloads: DOUBLE_CLASS, call: is_nan },
    Function { name: "math.least", overloads: EXTREME, call: least },
    Function { name: "math.round", overloads: ROUNDING, call: round },
    Function { name: "math.sign", overloads: SAME_NUMBER, call: sign },
    Function { name: "math.sqrt", overloads: SQUARE_ROOT, call: sqrt },
    Function { name: "math.trunc", overloads: ROUNDING, call: trunc },
];

const SAME_NUMBER: &[Overload] = &[
    Overload::function(&[Ty::Double], Ty::Double),
    Overload::function(&[Ty::Int], Ty::Int),
    Overload::function(&[Ty::Uint], Ty::Uint),
];

const ONE_INTEGER: &[Overload] =
    &[Overload::function(&[Ty::Int], Ty::Int), Overload::function(&[Ty::Uint], Ty::Uint)];

const TWO_INTEGERS: &[Overload] =
    &[Overload::function(&[Ty::Int, Ty::Int], Ty::Int), Overload::function(&[Ty::Uint, Ty::Uint], Ty::Uint)];

const SHIFT: &[Overload] =
    &[Overload::function(&[Ty::Int, Ty::Int], Ty::Int), Overload::function(&[Ty::Uint, Ty::Int], Ty::Uint)];

const ROUNDING: &[Overload] = &[Overload::function(&[Ty::Double], Ty::Double)];

const DOUBLE_CLASS: &[Overload] = &[Overload::function(&[Ty::Double], Ty::Bool)];

const SQUARE_ROOT: &[Overload] = &[
    Overload::function(&[Ty::Double], Ty::Double),
    Overload::function(&[Ty::Int], Ty::Double),
    Overload::function(&[Ty::Uint], Ty::Double),
];

/// Numbers of one type keep it; mixed types and lists of them are decided at run time.
const EXTREME: &[Overload] = &[
    Overload::function(&[Ty::Int], Ty::Int),
    Overload::function(&[Ty::Uint], Ty::Uint),
    Overload::function(&[Ty::Double], Ty::Double),
    Overload::function(&[Ty::List(&Ty::Int)], Ty::Int),
    Overload::function(&[Ty::List(&Ty::Uint)], Ty::Uint),
    Overload::function(&[Ty::List(&Ty::Double)], Ty::Double),
    Overload::function(&[Ty::Int, Ty::Int], Ty::Int),
    Overload::function(&[Ty::Int, Ty::Uint], Ty::Dyn),
    Overload::function(&[Ty::Int, Ty::Double], Ty::Dyn),
    Overload::function(&[Ty::Uint, Ty::Uint], Ty::Uint),
    Overload::function(&[Ty::Uint, Ty::Int], Ty::Dyn),
    Overload::function(&[Ty::Uint, Ty::Double], Ty::Dyn),
    Overload::function(&[Ty::Double, Ty::Double], Ty::Double),
    Overload::function(&[Ty::Double, Ty::Int], Ty::Dyn),
    Overload::function(&[Ty::Double, Ty::Uint], Ty::Dyn),
    Overload::variadic(&[Ty::Dyn, Ty::Dyn, Ty::Dyn], Ty::Dyn),
];

fn greatest<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    extreme(cx, args, Ordering::Greater)
}

fn least<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    extreme(cx, args, Ordering::Less)
}

/// The number that compares as `wanted` to all others, of equal ones the first.
fn extreme<'r>(cx: &CallCx<'_>, args: &[Val<'r>], wanted: Ordering) -> Outcome<'r> {
    let listed: Vec<Val<'r>>;
    let numbers = match args {
        [Val::List(list)] => {
            cx.charge(list.len())?;
            listed = list.iter().collect();
            &listed
        }
        numbers => numbers,
    };
    if numbers.is_empty() {
        let name = if wanted == Ordering::Greater { "math.@max" } else { "math.@min" };
        return Err(CallError::invalid(format!("{name}(list) argument must not be empty")));
    }
    let mut best: Option<&Val<'r>> = None;
    for number in numbers {
        if !matches!(number, Val::Int(_) | Val::Uint(_) | Val::Double(_)) {
            return Err(CallError::no_overload());
        }
        let order = best.map(|best| number.compare(best).ok_or_else(nan)).transpose()?;
        if order.is_none_or(|order| order == wanted) {
            best = Some(number);
        }
    }
    best.cloned().ok_or_else(CallError::no_overload)
}

fn abs<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::Int(n)] => n.checked_abs().map(Val::Int).ok_or_else(overflow),
        [Val::Uint(n)] => Ok(Val::Uint(*n)),
        [Val::Double(n)] => Ok(Val::Double(n.abs())),
        _ => Err(CallError::no_overload()),
    }
}

fn sign<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::Int(n)] => Ok(Val::Int(n.signum())),
        [Val::Uint(n)] => Ok(Val::Uint((*n).min(1))),
        // Unlike `signum`, zero stays zero.
        [Val::Double(n)] if *n == 0.0 => Ok(Val::Double(0.0)),
        [Val::Double(n)] => Ok(Val::Double(n.signum())),
        _ => Err(CallError::no_overload()),
    }
}

fn sqrt<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::Int(n)] => Ok(Val::Double((*n as f64).sqrt())),
        [Val::Uint(n)] => Ok(Val::Double((*n as f64).sqrt())),
        [Val::Double(n)] => Ok(Val::Double(n.sqrt())),
        _ => Err(CallError::no_overload()),
    }
}

fn ceil<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    double(args).map(|n| Val::Double(n.ceil()))
}

fn floor<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    double(args).map(|n| Val::Double(n.floor()))
}

/// To the nearest whole number, halves away from zero.
fn round<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    double(args).map(|n| Val::Double(n.round()))
}

fn trunc<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    double(args).map(|n| Val::Double(n.trunc()))
}

fn is_finite<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    double(args).map(|n| Val::Bool(n.is_finite()))
}

fn is_inf<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    double(args).map(|n| Val::Bool(n.is_infinite()))
}

fn is_nan<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    double(args).map(|n| Val::Bool(n.is_nan()))
}

fn double(args: &[Val<'_>]) -> Result<f64, CallError> {
    let [Val::Double(n)] = args else {
        return Err(CallError::no_overload());
    };
    Ok(*n)
}

fn bit_and<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::Int(a), Val::Int(b)] => Ok(Val::Int(a & b)),
        [Val::Uint(a), Val::Uint(b)] => Ok(Val::Uint(a & b)),
        _ => Err(CallError::no_overload()),
    }
}

fn bit_or<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::Int(a), Val::Int(b)] => Ok(Val::Int(a | b)),
        [Val::Uint(a), Val::Uint(b)] => Ok(Val::Uint(a | b)),
        _ => Err(CallError::no_overload()),
    }
}

fn bit_xor<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::Int(a), Val::Int(b)] => Ok(Val::Int(a ^ b)),
        [Val::Uint(a), Val::Uint(b)] => Ok(Val::Uint(a ^ b)),
        _ => Err(CallError::no_overload()),
    }
}

fn bit_not<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::Int(n)] => Ok(Val::Int(!n)),
        [Val::Uint(n)] => Ok(Val::Uint(!n)),
        _ => Err(CallError::no_overload()),
    }
}

/// Shifting by 64 or more leaves zero.
fn bit_shift_left<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::Int(n), Val::Int(by)] => {
            Ok(Val::Int(n.checked_shl(distance("math.bitShiftLeft", *by)?).unwrap_or(0)))
        }
        [Val::Uint(n), Val::Int(by)] => {
            Ok(Val::Uint(n.checked_shl(distance("math.bitShiftLeft", *by)?).unwrap_or(0)))
        }
        _ => Err(CallError::no_overload()),
    }
}

/// Fills with zeros from the left, also for negative numbers: `math.bitShiftRight(-1024, 3)` is
/// `2305843009213693824`.
fn bit_shift_right<'r>(_: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    match args {
        [Val::Int(n), Val::Int(by)] => Ok(Val::Int(
            n.cast_unsigned().checked_shr(distance("math.bitShiftRight", *by)?).unwrap_or(0).cast_signed(),
        )),
        [Val::Uint(n), Val::Int(by)] => {
            Ok(Val::Uint(n.checked_shr(distance("math.bitShiftRight", *by)?).unwrap_or(0)))
        }
        _ => Err(CallError::no_overload()),
    }
}

fn distance(name: &str, by: i64) -> Result<u32, CallError> {
    if by < 0 {
        return Err(CallError::invalid(format!("{name}() negative offset: {by}")));
    }
    Ok(u32::try_from(by).unwrap_or(u32::MAX))
}

fn nan() -> CallError {
    CallError::invalid("NaN has no order: it is neither greater nor less than a number")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, ints, refuses, s};
    use super::*;
    use Val::{Bool, Double, Int, Uint};

    #[test]
    fn extremes_compare_across_types_and_keep_the_first_of_equals() {
        check("math.greatest", &[Double(5.4), Int(10), Uint(3)], &Int(10));
        check("math.least", &[Double(5.4), Int(10), Double(-5.0), Int(i64::MAX)], &Double(-5.0));
        check("math.greatest", &[ints(&[1, 3, 2])], &Int(3));
        check("math.least", &[Uint(u64::MAX), Int(-1)], &Int(-1));
        check("math.greatest", &[Int(i64::MAX), Double(9_223_372_036_854_775_808.0)], &Double(2f64.powi(63)));
        assert!(matches!(super::super::testing::call("math.greatest", &[Uint(1), Int(1)]), Ok(Uint(1))));
        refuses("math.greatest", &[Val::list(vec![])]);
        refuses("math.least", &[Int(1), s("2")]);
        refuses("math.least", &[]);
        refuses("math.greatest", &[Double(f64::NAN), Double(1.0)]);
        refuses("math.greatest", &[Double(1.0), Double(f64::NAN)]);
    }

    #[test]
    fn rounding_takes_doubles_only() {
        for (name, input, expected) in [
            ("math.ceil", -1.2, -1.0),
            ("math.floor", -1.2, -2.0),
            ("math.round", -1.5, -2.0),
            ("math.round", 2.5, 3.0),
            ("math.trunc", -1.9, -1.0),
        ] {
            check(name, &[Double(input)], &Double(expected));
            refuses(name, &[Int(1)]);
        }
    }

    #[test]
    fn sign_and_magnitude_keep_the_type() {
        check("math.abs", &[Int(-11)], &Int(11));
        check("math.abs", &[Uint(1)], &Uint(1));
        refuses("math.abs", &[Int(i64::MIN)]);
        check("math.sign", &[Int(-7)], &Int(-1));
        check("math.sign", &[Double(-0.0)], &Double(0.0));
        check("math.sign", &[Uint(9)], &Uint(1));
        check("math.sqrt", &[Int(16)], &Double(4.0));
    }

    #[test]
    fn classes_of_doubles() {
        check("math.isNaN", &[Double(f64::NAN)], &Bool(true));
        check("math.isInf", &[Double(f64::NEG_INFINITY)], &Bool(true));
        check("math.isFinite", &[Double(f64::INFINITY)], &Bool(false));
        refuses("math.isNaN", &[Bool(true)]);
    }

    #[test]
    fn bits_shift_out_of_the_word() {
        check("math.bitAnd", &[Int(-3), Int(-5)], &Int(-7));
        check("math.bitOr", &[Uint(1), Uint(4)], &Uint(5));
        check("math.bitXor", &[Int(4), Int(-2)], &Int(-6));
        check("math.bitNot", &[Uint(0)], &Uint(u64::MAX));
        check("math.bitShiftLeft", &[Int(-1), Int(2)], &Int(-4));
        check("math.bitShiftLeft", &[Int(-1), Int(200)], &Int(0));
        check("math.bitShiftRight", &[Int(-1024), Int(3)], &Int(2_305_843_009_213_693_824));
        check("math.bitShiftRight", &[Int(-1024), Int(64)], &Int(0));
        check("math.bitShiftRight", &[Uint(1024), Int(i64::MAX)], &Uint(0));
        refuses("math.bitShiftRight", &[Uint(1), Int(-1)]);
        refuses("math.bitAnd", &[Uint(2), Int(1)]);
    }
}
