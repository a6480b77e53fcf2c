//! The instant of the call: `now()` and `timeSince`, as the peer has them.

use super::{CallCx, CallError, Function, Outcome, Overload, Ty};
use crate::expr::val::Val;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        name: "now",
        overloads: &[Overload::function(&[], Ty::Timestamp)],
        call: now,
    },
    Function {
        name: "timeSince",
        overloads: &[
            Overload::function(&[Ty::Timestamp], Ty::Duration),
            Overload::method(&[Ty::Timestamp], Ty::Duration),
        ],
        call: time_since,
    },
];

/// The same instant wherever one call asks.
fn now<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [] = args else {
        return Err(CallError::no_overload());
    };
    Ok(Val::Timestamp(cx.now))
}

/// Negative for an instant to come.
fn time_since<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::Timestamp(then)] = args else {
        return Err(CallError::no_overload());
    };
    Ok(Val::Duration(cx.now.duration_since(*then)))
}
