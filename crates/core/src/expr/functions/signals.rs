//! Facts in force: the newest of a type, and how old one is. An addition of ours.

use super::standard::some;
use super::{CallCx, CallError, Function, Outcome, Overload, Ty};
use crate::expr::instant::Instant;
use crate::expr::val::{MapVal, Val};

const A: Ty = Ty::Param('A');
const LIST_A: Ty = Ty::List(&A);
const OPTIONAL_A: Ty = Ty::Optional(&A);

pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        name: "latest",
        overloads: &[
            Overload::function(&[LIST_A, Ty::String], OPTIONAL_A),
            Overload::method(&[LIST_A, Ty::String], OPTIONAL_A),
        ],
        call: latest,
    },
    Function {
        name: "age",
        overloads: &[
            Overload::function(&[Ty::Dyn], Ty::Duration),
            Overload::method(&[Ty::Dyn], Ty::Duration),
        ],
        call: age,
    },
];

/// `latest(signals, type)`: the newest of this type, the first of those of one instant.
fn latest<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::List(signals), Val::String(name)] = args else { return Err(CallError::no_overload()) };
    let mut newest: Option<(Instant, Val<'r>)> = None;
    for signal in signals.iter() {
        cx.charge(1)?;
        let Val::Map(members) = &signal else { return Err(CallError::no_overload()) };
        let Some(Val::String(of)) = members.field("type", cx.budget)? else {
            return Err(CallError::no_overload());
        };
        cx.charge_bytes(of.as_str().len())?;
        if of.as_str() == name.as_str() {
            let at = instant(cx, members)?;
            if newest.as_ref().is_none_or(|(known, _)| at > *known) {
                newest = Some((at, signal));
            }
        }
    }
    match newest {
        Some((_, signal)) => some(signal, cx.budget),
        None => Ok(Val::Optional(None)),
    }
}

/// `age(signal)`: how long ago it became true.
fn age<'r>(cx: &CallCx<'_>, args: &[Val<'r>]) -> Outcome<'r> {
    let [Val::Map(members)] = args else { return Err(CallError::no_overload()) };
    let at = instant(cx, members)?;
    let now = Instant::from(cx.now());
    Ok(Val::Duration(now.since(at)))
}

/// Since when it is true.
fn instant(cx: &CallCx<'_>, members: &MapVal<'_>) -> Result<Instant, CallError> {
    match members.field("at", cx.budget)? {
        Some(Val::Timestamp(at)) => Ok(at),
        _ => Err(CallError::no_overload()),
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::super::testing::{check, refuses, s};
    use super::*;

    fn signal(name: &str, at: &str) -> Val<'static> {
        let members = [(s("type"), s(name)), (s("at"), Val::Timestamp(at.parse().unwrap()))];
        Val::Map(MapVal::Owned(members.into()))
    }

    #[test]
    fn newest_of_a_type_is_found_and_its_age_is_told() {
        let [old, new, other] = [
            signal("risk", "2025-12-31T22:00:00Z"),
            signal("risk", "2025-12-31T23:00:00Z"),
            signal("posture", "2025-12-31T23:59:00Z"),
        ];
        let all = Val::list(vec![other, old, new.clone()]);
        check("latest", &[all.clone(), s("risk")], &Val::Optional(Some(new.clone().into())));
        check("latest", &[all, s("none")], &Val::Optional(None));
        check("age", &[new], &Val::Duration(SignedDuration::from_hours(1)));
    }

    #[test]
    fn what_is_no_signal_is_refused() {
        refuses("latest", &[Val::list(vec![Val::Int(1)]), s("risk")]);
        refuses("latest", &[Val::list(vec![Val::Map(MapVal::Owned([].into()))]), s("risk")]);
        refuses("age", &[s("risk")]);
        refuses("age", &[Val::Map(MapVal::Owned([].into()))]);
    }
}
