//! What a sentence says of facts: those in force, and the one that a decision rests on.

use super::counted;
use crate::model::{EntityKind, Reason, Timestamp};
use crate::record::{Decision, DecisionRecord, FactRecord};

/// Most facts that a sentence names.
const NAMED: usize = 3;

/// ` with signals ...`, if facts are in force for the resource of `decision`.
pub(super) fn with_signals(record: &DecisionRecord<'_>, decision: &Decision<'_, '_>) -> String {
    let facts: Vec<_> = record.signals.iter().filter(|fact| is_for(fact, decision)).collect();
    let named = facts.iter().take(NAMED).map(|fact| {
        let (name, source) = (fact.name.escape_debug(), fact.source.escape_debug());
        format!("`{name}` of `{source}` {} before", age(record.at, fact.since))
    });
    let mut named: Vec<_> = named.collect();
    if facts.len() > NAMED {
        named.push(format!("{} more", facts.len() - NAMED));
    }
    let Some((last, others)) = named.split_last() else { return String::new() };
    let signals = if facts.len() == 1 { "signal" } else { "signals" };
    match others {
        [] => format!(" with {signals} {last}"),
        others => format!(" with {signals} {} and {last}", others.join(", ")),
    }
}

/// Why, if the decision rests on what is held true.
pub(super) fn because(record: &DecisionRecord<'_>, decision: &Decision<'_, '_>) -> Option<String> {
    let fact = decision.signal.and_then(|place| record.signals.get(place));
    let reason = decision.reason;
    let said = |what: &str| {
        let Some(fact) = fact else { return format!("a signal says that {what}") };
        let (name, source) = (fact.name.escape_debug(), fact.source.escape_debug());
        format!("`{name}` of `{source}` says that {what} at {}: it is about {}", fact.since, about(fact))
    };
    if reason == Reason::SessionRevoked.code() {
        Some(said("the session was revoked"))
    } else if reason == Reason::AccountDisabled.code() {
        Some(said("the account was disabled"))
    } else if reason == Reason::CredentialCompromised.code() {
        Some(said("the credential was compromised"))
    } else if reason == Reason::StaleState.code() {
        Some(stale(record, decision, fact))
    } else if reason == Reason::TooManySignals.code() {
        Some("more signals were in force than a call is decided by".to_owned())
    } else {
        None
    }
}

fn stale(
    record: &DecisionRecord<'_>,
    decision: &Decision<'_, '_>,
    newest: Option<&FactRecord<'_>>,
) -> String {
    let Some(demand) = decision.demand else { return "a signal that it takes is not fresh".to_owned() };
    let (signal, capability) = (demand.signal.escape_debug(), demand.capability.escape_debug());
    let most = counted(demand.max_age, "second");
    let found = match newest {
        Some(fact) => format!(
            "the newest, of `{}`, is from {} before",
            fact.source.escape_debug(),
            age(record.at, fact.since)
        ),
        None => "there is none".to_owned(),
    };
    format!("the capability at `{capability}` asks for a `{signal}` that is at most {most} old, and {found}")
}

/// Whether `fact` is not about another resource than `decision`.
fn is_for(fact: &FactRecord<'_>, decision: &Decision<'_, '_>) -> bool {
    let resource = &decision.resource;
    let about = fact.subject.get(EntityKind::Resource.as_str());
    about.is_none_or(|about| about.split_once('\n') == Some((&*resource.kind, &*resource.id)))
}

/// What a fact is about, all of it together: `session` `x` and so on.
fn about(fact: &FactRecord<'_>) -> String {
    let one = |(kind, id): (&_, &std::borrow::Cow<'_, str>)| {
        format!("{kind} `{}`", id.replacen('\n', ":", 1).escape_debug())
    };
    let entities: Vec<_> = fact.subject.iter().map(one).collect();
    entities.join(" and ")
}

/// How long before `at` it was since.
fn age(at: Timestamp, since: Timestamp) -> String {
    let seconds = at.duration_since(since).as_secs().max(0).unsigned_abs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}
