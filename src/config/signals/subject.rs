//! `subjects` of a stream: which entity an RFC 9493 subject identifier stands for.

use procura_core::model::EntityKind;
use serde::Deserialize;

use crate::config::entry::Problem;

/// What identifiers of one format stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectRule {
    /// The format of the identifiers that it is about.
    pub format: String,
    /// The `iss` that they must have, if any.
    pub issuer: Option<String>,
    /// The member of a complex subject that they must be, `subject` for a simple one; any if `None`.
    pub member: Option<String>,
    /// What they stand for.
    pub kind: EntityKind,
    /// The kind of a resource, the issuer of a token; `{member}` as in `id`.
    pub of: Option<String>,
    /// The name of that: `{member}` stands for a member of the identifier.
    pub id: String,
}

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

impl SubjectEntry {
    pub(super) fn check(self, at: &str) -> Result<SubjectRule, Problem> {
        let wrong = |member: &str, advice: &str| (format!("{at}.{member}"), advice.to_owned());
        let Self { format, issuer, member, kind, of, id } = self;
        for (name, text) in [
            ("format", Some(&format)),
            ("issuer", issuer.as_ref()),
            ("member", member.as_ref()),
            ("of", of.as_ref()),
            ("id", Some(&id)),
        ] {
            if text.is_some_and(String::is_empty) {
                return Err(wrong(name, "must not be empty"));
            }
        }
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
