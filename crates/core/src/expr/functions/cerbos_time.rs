//! The instant of the call: `now()` and `timeSince`, as the peer has them.

use jiff::SignedDuration;

use super::{CallCx, CallError, Function, Outcome, Overload, Ty};
use crate::expr::instant::Instant;
use crate::expr::val::Val;

pub(crate) const FUNCTIONS: &[Function] = &[
    Function { name: "now", overloads: &[Overload::function(&[], Ty::Timestamp)], call: now },
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
    Ok(Val::Timestamp(cx.now().into()))
}

/// Negative for an instant to come. Beyond 292 years it stays at the longest duration, as in the peer.
fn time_since<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::Timestamp(then)] = args else {
        return Err(CallError::no_overload());
    };
    let since = Instant::from(cx.now()).since(*then);
    let longest = SignedDuration::from_nanos(i64::MAX);
    Ok(Val::Duration(since.clamp(-longest, longest)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check, refuses, s};
    use super::*;

    fn at(text: &str) -> Val<'static> {
        Val::Timestamp(text.parse().unwrap())
    }

    #[test]
    fn time_is_measured_from_the_instant_of_the_call() {
        check("now", &[], &at("2026-01-01T00:00:00Z"));
        check("timeSince", &[at("2025-12-31T23:00:00Z")], &Val::Duration(SignedDuration::from_hours(1)));
        check("timeSince", &[at("2026-01-01T01:00:00Z")], &Val::Duration(SignedDuration::from_hours(-1)));
        refuses("timeSince", &[s("2025-12-31T23:00:00Z")]);
    }
}
