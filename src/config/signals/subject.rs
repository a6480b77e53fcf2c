//! `subjects` of a stream: which entity an RFC 9493 subject identifier stands for.

use procura_core::limits::SUBJECT_RULES;
use procura_core::model::EntityKind;
use procura_core::signal::{Format, RuleFault, SubjectRule, SubjectRules};
use serde::Deserialize;

use super::too_many;
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

/// The rules for what identifiers stand for that come from `issuer`; the usual ones if none are written.
pub(super) fn subject_rules(
    entries: Option<Vec<SubjectEntry>>,
    issuer: &str,
) -> Result<SubjectRules, Problem> {
    let Some(entries) = entries else {
        return Ok(SubjectRules::defaults(issuer));
    };
    if entries.len() > SUBJECT_RULES {
        return Err((".subjects".into(), too_many()));
    }
    let entries = entries.into_iter().enumerate();
    let rules = entries.map(|(i, entry)| entry.check(&format!(".subjects[{i}]")));
    let rules: Vec<SubjectRule> = rules.collect::<Result<_, _>>()?;
    SubjectRules::new(&rules, issuer)
        .map_err(|RuleFault { index, field, reason }| (format!(".subjects[{index}].{field}"), reason))
}

impl SubjectEntry {
    fn check(self, at: &str) -> Result<SubjectRule, Problem> {
        let wrong = |member: &str, advice: &str| (format!("{at}.{member}"), advice.to_owned());
        let Self { format, issuer, member, kind, of, id } = self;
        for (name, text) in
            [("issuer", issuer.as_ref()), ("member", member.as_ref()), ("of", of.as_ref()), ("id", Some(&id))]
        {
            if text.is_some_and(String::is_empty) {
                return Err(wrong(name, "must not be empty"));
            }
        }
        let format = Format::of(&format).ok_or_else(|| {
            let names = Format::ALL.map(Format::as_str).join("`, `");
            wrong("format", &format!("must be one of `{names}`, not `{}`", format.escape_debug()))
        })?;
        let kind = entity_kind(&format!("{at}.as"), &kind)?;
        Ok(SubjectRule { format, issuer, member, kind, of, id })
    }
}

/// The kind of entity of this name.
pub(super) fn entity_kind(member: &str, name: &str) -> Result<EntityKind, Problem> {
    EntityKind::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| {
        let names = EntityKind::ALL.map(EntityKind::as_str).join("`, `");
        (member.to_owned(), format!("must be one of `{names}`, not `{}`", name.escape_debug()))
    })
}
