//! What a record says as a sentence for people, made from the record alone.
//!
//! Names come from requests and files, so control characters in them are escaped: a name cannot forge a second line.

mod signals;

use super::{
    Caller, Configuration, Decision, DecisionRecord, LogRepair, PolicyChange, PseudonymKey, QuarantineChange,
    Record, Retention, ShadowDifference, SignalRecord, SignalsRefused, Verdict,
};
use crate::model::{Effect, Reason};

/// One decision of `record` as a sentence.
#[must_use]
pub fn sentence(record: &DecisionRecord<'_>, decision: &Decision<'_, '_>) -> String {
    let principal = record.principal.id.escape_debug();
    let action = decision.action.escape_debug();
    let resource =
        format!("{}:{}", decision.resource.kind.escape_debug(), decision.resource.id.escape_debug());
    let outcome = outcome(decision.effect);
    let (with, because) = (signals::with_signals(record, decision), because(record, decision));
    format!(
        "principal `{principal}` attempted `{action}` on `{resource}`{with} and was {outcome} because {because}"
    )
}

/// What `record` says happened; `None` for a call, each decision of which has a [`sentence`] of its own.
#[must_use]
pub fn happening(record: &Record<'_>) -> Option<String> {
    Some(match record {
        Record::Decision(_) => return None,
        Record::PolicyChange(change) => policy_change(change),
        Record::Configuration(configuration) => configured(configuration),
        Record::LogRepair(repair) => log_repair(repair),
        Record::Retention(retention) => deletion(retention),
        Record::ShadowDifference(difference) => shadow_difference(difference),
        Record::PseudonymKey(key) => pseudonym_key(key),
        Record::Quarantine(change) => quarantine(change),
        Record::Signal(signal) => taken(signal),
        Record::SignalsRefused(refused) => signals_refused(refused),
    })
}

fn policy_change(change: &PolicyChange<'_>) -> String {
    let (revision, generation) = (change.to.revision.escape_debug(), change.to.generation);
    let (cause, files) = (change.cause.escape_debug(), counted(change.files as u64, "file"));
    let before = change.from.as_ref();
    let before = before.map_or(String::new(), |set| format!(" in place of {}", set.revision.escape_debug()));
    let by = change.caller.as_ref().and_then(caller).map_or(String::new(), |caller| format!(" by {caller}"));
    let forced = if change.forced { ", without being held against recorded calls" } else { "" };
    format!(
        "policy set {revision} of {files} went live as generation {generation}{before}, cause `{cause}`{by}{forced}"
    )
}

fn caller(caller: &Caller<'_>) -> Option<String> {
    let names = [&caller.name, &caller.address];
    let names: Vec<_> =
        names.into_iter().flatten().map(|name| format!("`{}`", name.escape_debug())).collect();
    (!names.is_empty()).then(|| names.join(" at "))
}

fn configured(configuration: &Configuration<'_>) -> String {
    let engine = configuration.engine.escape_debug();
    let settings = counted(configuration.settings.len() as u64, "setting");
    format!(
        "the server started with engine `{engine}` and {settings} that can change a decision or its record"
    )
}

fn log_repair(repair: &LogRepair<'_>) -> String {
    let (segment, offset, cause) =
        (repair.segment.escape_debug(), repair.offset, repair.cause.escape_debug());
    let mut text = match &*repair.cause {
        "torn_tail" => format!("at start the end of `{segment}` was no record and was cut at byte {offset}"),
        "empty_segment" => format!("at start `{segment}` had no content and was begun anew"),
        "log_missing" => "at start there was no log, though policy sets had been live".to_owned(),
        "write_failed" => {
            format!("the log could not be written, and was repaired: `{segment}` is good up to byte {offset}")
        }
        "segment_removed" => {
            format!("`{segment}` was removed or changed while it was written, and what it held is missing")
        }
        _ => format!("the log was repaired: `{cause}`, `{segment}` at byte {offset}"),
    };
    if let Some(bytes) = repair.dropped_bytes.filter(|bytes| *bytes > 0) {
        text.push_str(&format!("; {} dropped", counted_were(bytes, "byte")));
    }
    if let Some(gap) = &repair.gap {
        let refused = counted_were(gap.refused, "record");
        text.push_str(&format!("; from {} on {refused} refused", gap.since));
        if gap.lost > 0 {
            text.push_str(&format!(" and {} lost", counted_were(gap.lost, "record")));
        }
    }
    text
}

fn deletion(retention: &Retention<'_>) -> String {
    let Retention { first, last, earliest, latest, .. } = retention;
    let because = match &*retention.cause {
        "age" => "they were older than configured".to_owned(),
        "bytes" => "the log took more of the disk than configured".to_owned(),
        cause => format!("of cause `{}`", cause.escape_debug()),
    };
    let segment = retention.segment.escape_debug();
    format!(
        "records {first} to {last} in `{segment}`, from {earliest} to {latest}, were deleted because {because}"
    )
}

fn shadow_difference(difference: &ShadowDifference<'_>) -> String {
    let (call, candidate) = (difference.call.escape_debug(), difference.candidate.escape_debug());
    let changed = counted(difference.changed as u64, "decision");
    let first = difference.differences.first().map_or(String::new(), |first| {
        let (number, from, to) = (first.decision, verdict(&first.from), verdict(&first.to));
        format!(": decision {number} was {from} and would be {to}")
    });
    let more = match difference.changed.saturating_sub(1) {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("candidate set {candidate} would make {changed} of call `{call}` otherwise{first}{more}")
}

fn verdict(verdict: &Verdict) -> String {
    let (effect, policy) = (outcome(verdict.effect), verdict.policy.escape_debug());
    match &verdict.rule {
        Some(rule) => format!("{effect} by rule `{}` of `{policy}`", rule.escape_debug()),
        None => format!("{effect} with reason `{}`", verdict.reason.escape_debug()),
    }
}

fn pseudonym_key(key: &PseudonymKey<'_>) -> String {
    let PseudonymKey { from, until, .. } = key;
    let (name, event) = (key.key.escape_debug(), key.event.escape_debug());
    let after = if key.event == "destroyed" { ": nobody can tell any more who was behind them" } else { "" };
    format!("the key `{name}` of the pseudonyms from {from} until {until} was {event}{after}")
}

fn quarantine(change: &QuarantineChange<'_>) -> String {
    let named = [("issuer", &change.issuer), ("key set", &change.key_set), ("key", &change.key)];
    let named = named.into_iter().filter_map(|(what, text)| Some((what, text.as_ref()?)));
    let named: Vec<_> = named.map(|(what, text)| format!("{what} `{}`", text.escape_debug())).collect();
    let (id, event, since) = (change.id.escape_debug(), change.event.escape_debug(), change.since);
    let by = caller(&change.caller).map_or(String::new(), |caller| format!(" by {caller}"));
    let (named, reason) = (named.join(", "), change.reason.escape_debug());
    format!("quarantine `{id}` of {named}, suspect since {since}, was {event}{by}: {reason}")
}

fn taken(signal: &SignalRecord<'_>) -> String {
    let events: Vec<_> = signal.events.iter().map(|event| format!("`{}`", event.escape_debug())).collect();
    let (source, events, id) = (signal.source.escape_debug(), events.join(", "), signal.id.escape_debug());
    let became = match &signal.ignored {
        Some(code) => format!("nothing came of it: `{}`", code.escape_debug()),
        None => format!("it states {}", counted(signal.facts.len() as u64, "fact")),
    };
    format!("source `{source}` sent {events} as `{id}`, and {became}")
}

fn signals_refused(refused: &SignalsRefused<'_>) -> String {
    let source = refused.source.escape_debug();
    let codes: Vec<_> =
        refused.refused.iter().map(|(code, count)| format!("{count} as `{}`", code.escape_debug())).collect();
    let reason = refused.reason.as_ref().map_or(String::new(), |why| format!(": {}", why.escape_debug()));
    format!("signals sent to source `{source}` were refused, {}{reason}", codes.join(", "))
}

fn outcome(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allowed",
        Effect::Deny => "denied",
    }
}

fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn counted_were(number: u64, what: &str) -> String {
    let were = if number == 1 { "was" } else { "were" };
    format!("{} {were}", counted(number, what))
}

fn because(record: &DecisionRecord<'_>, decision: &Decision<'_, '_>) -> String {
    let policy = decision.policy.escape_debug();
    let rule = decision.rule.unwrap_or("unnamed").escape_debug();
    let reason = decision.reason;
    if reason == Reason::AllowRule.code() || reason == Reason::DenyRule.code() {
        format!("of policy `{policy}` rule `{rule}`")
    } else if reason == Reason::DenyRuleUndecided.code() {
        format!("policy `{policy}` rule `{rule}` could not be evaluated and counts as a denial")
    } else if reason == Reason::NoRuleMatched.code() {
        format!("no rule of policy `{policy}` applied")
    } else if reason == Reason::NoPolicy.code() {
        no_policy(record, decision)
    } else if reason == Reason::InvalidAttributes.code() {
        format!("attributes do not fit the schemas of policy `{policy}`{}", first_mismatch(decision))
    } else if reason == Reason::CostExceeded.code() {
        "the evaluation would have cost more than a call may spend".to_owned()
    } else if let Some(because) = signals::because(record, decision) {
        because
    } else {
        format!("of reason `{}`, policy `{policy}`", reason.escape_debug())
    }
}

fn first_mismatch(decision: &Decision<'_, '_>) -> String {
    let mut errors = decision.validation_errors.iter();
    let Some(error) = errors.next() else { return String::new() };
    let (path, message) = (error.path.escape_debug(), error.message.escape_debug());
    let more = match errors.count() {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!(": {} `{path}`: {message}{more}", error.source.escape_debug())
}

/// What was looked for in vain: the default version where the request names none; `.` is the empty scope.
fn no_policy(record: &DecisionRecord<'_>, decision: &Decision<'_, '_>) -> String {
    let resource = decision.resource;
    let version = match &*resource.policy_version {
        "" => &record.basis.default_policy_version,
        version => version,
    };
    let scope = match &*resource.scope {
        "" | "." => String::new(),
        scope => format!(", scope `{}`", scope.escape_debug()),
    };
    let (kind, version) = (resource.kind.escape_debug(), version.escape_debug());
    format!("no policy exists for kind `{kind}`, version `{version}`{scope}")
}
