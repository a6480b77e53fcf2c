//! The options that say which records are meant, the same for every subcommand that looks for some.

use std::fmt;

use clap::ValueEnum;
use procura_core::model::{Effect, Timestamp};
use procura_core::query::{Condition, Field};

use crate::ports::DecisionFilter;

/// Which records are meant: all that is given must hold for one and the same decision.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Wanted {
    /// Only decisions for which this filter holds, e.g. `effect == "deny" && role == "admin"`
    #[arg(long = "where", value_name = "FILTER", value_parser = filter)]
    condition: Option<Filter>,
    /// Only this principal
    #[arg(long, value_name = "ID")]
    principal: Option<String>,
    /// Only resources of this kind
    #[arg(long, value_name = "KIND")]
    resource_kind: Option<String>,
    /// Only resources with this id
    #[arg(long, value_name = "ID", visible_alias = "resource")]
    resource_id: Option<String>,
    /// Only this action
    #[arg(long)]
    action: Option<String>,
    /// Only this effect
    #[arg(long, value_enum)]
    effect: Option<EffectArg>,
    /// Only records at or after this instant, e.g. 2026-11-22T08:00:00Z; a date is its midnight in UTC
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub(super) since: Option<Timestamp>,
    /// Only records before this instant
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub(super) until: Option<Timestamp>,
}

/// A filter as it was written, and what it means.
#[derive(Clone, Debug)]
struct Filter {
    text: String,
    condition: Condition,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum EffectArg {
    #[value(alias = "EFFECT_ALLOW")]
    Allow,
    #[value(alias = "EFFECT_DENY")]
    Deny,
}

impl Wanted {
    /// The filter that asks for them.
    pub(super) fn filter(&self) -> DecisionFilter {
        let condition = self.condition();
        DecisionFilter { condition, since: self.since, until: self.until, ..DecisionFilter::default() }
    }

    /// Whether anything but time is asked for.
    pub(super) fn is_narrow(&self) -> bool {
        self.condition() != Condition::default()
    }

    fn condition(&self) -> Condition {
        let filter = self.condition.as_ref().map(|filter| filter.condition.clone());
        let given = self.given().filter_map(|(field, text)| Condition::is(field, text));
        given.fold(filter.unwrap_or_default(), Condition::and)
    }

    /// The fields that have an option of their own, as far as it is given.
    fn given(&self) -> impl Iterator<Item = (Field, &str)> {
        let effect = self.effect.map(|effect| match effect {
            EffectArg::Allow => Effect::Allow.wire_name(),
            EffectArg::Deny => Effect::Deny.wire_name(),
        });
        let given = [
            (Field::Principal, self.principal.as_deref()),
            (Field::ResourceKind, self.resource_kind.as_deref()),
            (Field::ResourceId, self.resource_id.as_deref()),
            (Field::Action, self.action.as_deref()),
            (Field::Effect, effect),
        ];
        given.into_iter().filter_map(|(field, text)| Some((field, text?)))
    }
}

/// What is asked for besides time, for people.
impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filter = self.condition.as_ref().map(|filter| format!("({})", filter.text));
        let given = self.given().map(|(field, text)| format!("{} == {text:?}", field.name()));
        let parts: Vec<String> = filter.into_iter().chain(given).collect();
        if parts.is_empty() { f.write_str("everything") } else { f.write_str(&parts.join(" && ")) }
    }
}

fn filter(text: &str) -> Result<Filter, String> {
    Ok(Filter { text: text.to_owned(), condition: condition(text)? })
}

pub(in crate::cli) fn condition(text: &str) -> Result<Condition, String> {
    Condition::parse(text).map_err(|error| error.to_string())
}

pub(in crate::cli) fn instant(text: &str) -> Result<Timestamp, &'static str> {
    let midnight = || format!("{text}T00:00:00Z").parse();
    let parsed = text.parse().or_else(|_| midnight());
    parsed.map_err(|_: jiff::Error| "expected an instant such as `2026-11-21T00:00:00Z` or a date")
}
