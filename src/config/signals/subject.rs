//! `subjects` of a stream: which entity an RFC 9493 subject identifier stands for.

use procura_core::model::EntityKind;
use procura_core::signal::{Format, RuleFault, SubjectRule, SubjectRules};
use serde::Deserialize;

use crate::config::entry::Problem;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SubjectEntry {
    format: String,
    issuer: Option<String>,
    member: Option<String>,
    #[serde(rename = "as")]
    kind: String,
    of: Option<String>,
    id: String,
}

/// The rules that `entries` describe for a stream with this issuer.
pub(super) fn rules(entries: Vec<SubjectEntry>, issuer: &str) -> Result<SubjectRules, Problem> {
    let entries = entries.into_iter().enumerate();
    let rules: Vec<SubjectRule> =
        entries.map(|(i, entry)| entry.rule(&format!(".subjects[{i}]"))).collect::<Result<_, _>>()?;
    SubjectRules::new(&rules, issuer)
        .map_err(|RuleFault { index, field, reason }| (format!(".subjects[{index}].{field}"), reason))
}

impl SubjectEntry {
    fn rule(self, at: &str) -> Result<SubjectRule, Problem> {
        let Self { format, issuer, member, kind, of, id } = self;
        let format = Format::of(&format).ok_or_else(|| {
            let names = Format::ALL.map(Format::as_str).join("`, `");
            (format!("{at}.format"), format!("must be one of `{names}`, not `{}`", format.escape_debug()))
        })?;
        Ok(SubjectRule { format, issuer, member, kind: entity_kind(&format!("{at}.as"), &kind)?, of, id })
    }
}

/// The kind of entity of this name.
pub(super) fn entity_kind(member: &str, name: &str) -> Result<EntityKind, Problem> {
    EntityKind::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| {
        let names = EntityKind::ALL.map(EntityKind::as_str).join("`, `");
        (member.to_owned(), format!("must be one of `{names}`, not `{}`", name.escape_debug()))
    })
}
