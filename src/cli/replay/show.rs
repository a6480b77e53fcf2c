//! A report of replayed calls as sentences for people.

use procura_core::model::Effect;
use procura_core::record::Verdict;
use procura_core::replay::{Aspect, Ranked, Report, Weight};

use crate::cli::policies::counted;

/// `report` with at most so many groups.
pub(super) fn text(report: &Report, groups: usize) -> String {
    let compared =
        format!("{} with {}", counted(report.calls, "call"), counted(report.decisions, "decision"));
    let mut text = format!("replayed: {compared}\n");
    let changed = report.changed_decisions();
    if changed == 0 {
        text.push_str("no decision changes\n");
    } else {
        let weights = report.changed.iter().rev().map(|(weight, count)| match weight {
            Weight::Effect => format!("{count} in effect"),
            Weight::Answer => format!("{count} in what is answered with it"),
            Weight::Reason => format!("{count} in how it comes about"),
        });
        let weights: Vec<_> = weights.collect();
        let decisions = counted(changed, "decision");
        let calls = counted(report.changed_calls, "call");
        text.push_str(&format!("changed: {decisions} of {calls}: {}\n", weights.join(", ")));
    }
    text.push_str(&not_compared(report));
    let ranked = report.ranked();
    let shown: u64 = ranked.iter().take(groups).map(|(.., group)| group.count).sum();
    text.extend(ranked.into_iter().take(groups).map(group));
    if shown < changed {
        let more = counted(changed - shown, "change");
        text.push_str(&format!("\n{more} in groups that are not shown: raise `--limit`\n"));
    }
    text
}

fn not_compared(report: &Report) -> String {
    let mut text = String::new();
    if report.partial > 0 {
        let calls = counted(report.partial, "masked call");
        text.push_str(&format!("not compared: {calls}\n"));
    }
    for (revision, count) in &report.missing {
        let calls = counted(*count, "call");
        text.push_str(&format!("not compared: {calls} of revision {revision}, which cannot be had\n"));
    }
    if let Some((seq, why)) = &report.first_unreplayable {
        let records = counted(report.unreplayable, "record");
        let why = why.escape_debug();
        text.push_str(&format!(
            "not compared: {records} that cannot be decided again; record {seq}: {why}\n"
        ));
    }
    for (version, count) in &report.other_engines {
        let (calls, version) = (counted(*count, "call"), version.escape_debug());
        text.push_str(&format!("compared though another engine decided: {calls} of version {version}\n"));
    }
    text
}

fn group((_, from, to, differs, group): Ranked<'_>) -> String {
    let differs: Vec<_> = differs.iter().copied().map(Aspect::as_str).collect();
    let mut text = format!(
        "\n{}: {} -> {}\n  from  {}\n  to    {}\n  differs in {}\n",
        counted(group.count, "decision"),
        effect(from.effect),
        effect(to.effect),
        rule(from),
        rule(to),
        differs.join(", "),
    );
    for example in &group.examples {
        let id = example.decision.escape_debug();
        text.push_str(&format!("  {id}\n    was   {}\n    now   {}\n", example.before, example.after));
    }
    text
}

fn rule(verdict: &Verdict) -> String {
    let policy = verdict.policy.escape_debug();
    let scope = match verdict.scope.as_str() {
        "" => String::new(),
        scope => format!(" of scope `{}`", scope.escape_debug()),
    };
    match &verdict.rule {
        Some(rule) => format!("rule `{}` of `{policy}`{scope}", rule.escape_debug()),
        None => format!("no rule of `{policy}`{scope} ({})", verdict.reason.escape_debug()),
    }
}

const fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    }
}
