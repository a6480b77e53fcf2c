//! Parts of timestamps and durations: `getFullYear`, `getHours`, ...
//!
//! On a timestamp the part is that of the date, in UTC or a named zone; on a duration it is the whole duration
//! in that unit. Months, days of the month, of the week and of the year count from 0, `getDate` from 1.
//! Source: CEL language definition, "Timestamps and Durations". `getMilliseconds` of a duration is the whole
//! duration, as the peer answers, where the definition has the part below a second.

use jiff::civil::DateTime;

use super::{CallCx, CallError, Function, Native, Outcome, Overload, Ty};
use crate::expr::val::Val;
use crate::limits;

const OF_DATE: &[Overload] =
    &[Overload::method(&[Ty::Timestamp], Ty::Int), Overload::method(&[Ty::Timestamp, Ty::String], Ty::Int)];

const OF_BOTH: &[Overload] = &[
    Overload::method(&[Ty::Timestamp], Ty::Int),
    Overload::method(&[Ty::Timestamp, Ty::String], Ty::Int),
    Overload::method(&[Ty::Duration], Ty::Int),
];

pub(crate) const FUNCTIONS: &[Function] = &[
    part("getFullYear", OF_DATE, |cx, args| date(cx, args, |t| t.year().into())),
    part("getMonth", OF_DATE, |cx, args| date(cx, args, |t| i64::from(t.month()) - 1)),
    part("getDate", OF_DATE, |cx, args| date(cx, args, |t| t.day().into())),
    part("getDayOfMonth", OF_DATE, |cx, args| date(cx, args, |t| i64::from(t.day()) - 1)),
    part("getDayOfWeek", OF_DATE, |cx, args| date(cx, args, |t| t.weekday().to_sunday_zero_offset().into())),
    part("getDayOfYear", OF_DATE, |cx, args| date(cx, args, |t| i64::from(t.day_of_year()) - 1)),
    part("getHours", OF_BOTH, |cx, args| both(cx, args, |t| t.hour().into(), 3_600_000)),
    part("getMinutes", OF_BOTH, |cx, args| both(cx, args, |t| t.minute().into(), 60_000)),
    part("getSeconds", OF_BOTH, |cx, args| both(cx, args, |t| t.second().into(), 1_000)),
    part("getMilliseconds", OF_BOTH, |cx, args| both(cx, args, |t| t.millisecond().into(), 1)),
];

const fn part(name: &'static str, overloads: &'static [Overload], call: Native) -> Function {
    Function { name, overloads, call }
}

fn date<'r>(cx: &CallCx<'_>, args: &[Val<'r>], part: fn(&DateTime) -> i64) -> Outcome<'r> {
    let (t, zone) = match args {
        [Val::Timestamp(t)] => (t, "UTC"),
        [Val::Timestamp(t), Val::String(zone)] => {
            cx.charge(limits::TIME_ZONE_COST)?;
            (t, zone.as_str())
        }
        _ => return Err(CallError::no_overload()),
    };
    t.in_zone(zone).map(|local| Val::Int(part(&local))).map_err(CallError::invalid)
}

fn both<'r>(
    cx: &CallCx<'_>,
    args: &[Val<'r>],
    part: fn(&DateTime) -> i64,
    unit_in_milliseconds: i128,
) -> Outcome<'r> {
    let [Val::Duration(d)] = args else {
        return date(cx, args, part);
    };
    let count = i64::try_from(d.as_millis() / unit_in_milliseconds);
    count.map(Val::Int).map_err(|_| CallError::range("integer overflow"))
}
