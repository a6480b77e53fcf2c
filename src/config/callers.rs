//! Who may call the server, as configured.

use std::collections::BTreeMap;
use std::path::PathBuf;

use procura_core::model::is_tenant;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::aux_data::{KeySet, KeySetList};
use crate::ports::is_reserved_role;

/// Most entries of `callers.tokens`.
const MAX_ISSUERS: usize = 100;

/// Who may call the server, and how callers show who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callers {
    /// What becomes of requests without a credential.
    pub anonymous: Anonymous,
    /// The file of API keys; `None` if there are none.
    pub keys: Option<PathBuf>,
    /// The issuers whose tokens name callers.
    pub tokens: Vec<CallerIssuer>,
    /// Directory of the policies that say what callers may do; `None` for those that ship.
    pub policies: Option<PathBuf>,
}

/// What becomes of requests without a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anonymous {
    /// [`Anonymous::Local`] if callers cannot authenticate, else [`Anonymous::Refuse`].
    Auto,
    /// They are refused.
    Refuse,
    /// Only those made on this machine are answered.
    Local,
    /// All are answered, those made elsewhere with the role `anonymous`.
    Allow,
}

/// An issuer whose tokens name callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIssuer {
    /// Its keys, and what its tokens must say; the id is its name.
    pub keys: KeySet,
    /// What its callers are given.
    pub grant: TokenGrant,
}

/// What callers with a token of an issuer are given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TokenGrant {
    /// The claim that names the caller; `sub` if none is given.
    pub name_claim: Option<String>,
    /// Roles of all of them.
    pub roles: Vec<String>,
    /// The claim with more roles.
    pub roles_claim: Option<String>,
    /// The roles that a value of that claim stands for; `None` if each stands for itself.
    pub roles_map: Option<BTreeMap<String, Vec<String>>>,
    /// The tenants that they are bound to; `None` if they are bound to none.
    pub tenants: Option<Vec<String>>,
    /// The claim with the tenants of a caller.
    pub tenants_claim: Option<String>,
    /// Whether they are agents.
    pub agent: bool,
}

/// The issuers as they are written.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct IssuerList(Option<Vec<IssuerEntry>>);

#[derive(Deserialize)]
struct IssuerEntry {
    #[serde(flatten)]
    grant: TokenGrant,
    /// What a key set has as well; what neither knows is refused there.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl IssuerList {
    /// The issuers, or what is wrong with them: the path of the member below the list, and how to mend it.
    pub(super) fn check(self) -> Result<Vec<CallerIssuer>, Vec<(String, String)>> {
        let entries = self.0.unwrap_or_default();
        if entries.len() > MAX_ISSUERS {
            return Err(vec![(String::new(), format!("must have at most {MAX_ISSUERS} entries"))]);
        }
        let (mut grants, mut sets, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for (i, IssuerEntry { grant, mut rest }) in entries.into_iter().enumerate() {
            let mut wrong = |member: &str, advice: String| problems.push((format!("[{i}]{member}"), advice));
            for name in ["issuer", "audiences"] {
                if rest.get(name).is_none_or(|value| value.as_array().is_some_and(Vec::is_empty)) {
                    wrong(&format!(".{name}"), format!("must be there: {}", why_needed(name)));
                }
            }
            if rest.contains_key("id") {
                wrong(".id", "is not known here: an issuer is known by its name".to_owned());
            }
            if let Some((member, advice)) = grant.problem() {
                wrong(member, advice);
            }
            rest.insert("id".to_owned(), rest.get("issuer").cloned().unwrap_or_default());
            grants.push(grant);
            sets.push(Value::Object(rest));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let sets: KeySetList = serde_path_to_error::deserialize(Value::Array(sets))
            .map_err(|error| vec![(error.path().to_string(), format!("is not valid: {}", error.inner()))])?;
        let with_grant = |(keys, grant)| CallerIssuer { keys, grant };
        sets.check().map(|sets| sets.into_iter().zip(grants).map(with_grant).collect())
    }
}

fn why_needed(member: &str) -> &'static str {
    match member {
        "issuer" => "it says which tokens these are",
        _ => "without what names this server, tokens for any other would be good here too",
    }
}

impl TokenGrant {
    fn problem(&self) -> Option<(&'static str, String)> {
        let mapped = self.roles_map.iter().flat_map(BTreeMap::values).flatten();
        if let Some(advice) = self.roles.iter().chain(mapped).find_map(|role| role_problem(role)) {
            return Some((".roles", advice));
        }
        if self.roles_map.is_some() && self.roles_claim.is_none() {
            return Some((".rolesMap", "needs `rolesClaim`, whose values it maps".to_owned()));
        }
        tenants_problem(self.tenants.as_deref()).map(|advice| (".tenants", advice))
    }
}

/// Why callers with a credential cannot have `role`.
pub(super) fn role_problem(role: &str) -> Option<String> {
    if role.is_empty() {
        return Some("must not hold an empty role".to_owned());
    }
    is_reserved_role(role).then(|| format!("must not hold `{role}`, which is for those without a credential"))
}

/// What is wrong with the tenants that callers are bound to.
pub(super) fn tenants_problem(tenants: Option<&[String]>) -> Option<String> {
    let tenants = tenants?;
    if tenants.is_empty() {
        return Some("must name a tenant: leave it out if callers are bound to none".to_owned());
    }
    let wrong = tenants.iter().find(|name| !is_tenant(name))?;
    Some(format!("`{wrong}` is no tenant: a tenant is a scope of one segment"))
}

impl Callers {
    /// What becomes of requests without a credential, given whether callers can show one.
    #[must_use]
    pub fn anonymous(&self, can_authenticate: bool) -> Anonymous {
        match self.anonymous {
            Anonymous::Auto if can_authenticate => Anonymous::Refuse,
            Anonymous::Auto => Anonymous::Local,
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<Vec<CallerIssuer>, Vec<(String, String)>> {
        serde_json::from_str::<IssuerList>(json).unwrap().check()
    }

    #[test]
    fn issuers_are_read_with_their_keys_and_what_they_give() {
        let issuers = check(
            r#"[{"issuer": "https://idp", "audiences": ["procura"], "types": ["at+jwt"], "algorithms": ["ES256"],
                 "remote": {"url": "https://idp/keys"}, "roles": ["decide"], "rolesClaim": "scope",
                 "rolesMap": {"pdp": ["batch"]}, "tenantsClaim": "org", "nameClaim": "azp", "agent": true}]"#,
        )
        .unwrap();
        let [CallerIssuer { keys, grant }] = issuers.as_slice() else { panic!("{issuers:?}") };
        assert_eq!((keys.id.as_str(), keys.tokens.issuer.as_deref()), ("https://idp", Some("https://idp")));
        assert_eq!(keys.tokens.audiences, ["procura"]);
        assert_eq!((grant.roles.as_slice(), grant.agent), (["decide".to_owned()].as_slice(), true));
        assert_eq!(grant.roles_map.as_ref().unwrap()["pdp"], ["batch"]);
        assert_eq!(check("null"), Ok(vec![]));
    }

    #[test]
    fn wrong_issuers_name_the_member_and_how_to_mend_it() {
        let good = r#""issuer": "a", "audiences": ["b"], "local": {"file": "k"}"#;
        for (entry, member, advice) in [
            (r#""audiences": ["b"], "local": {"file": "k"}"#.to_owned(), "[0].issuer", "must be there"),
            (r#""issuer": "a", "local": {"file": "k"}"#.to_owned(), "[0].audiences", "must be there"),
            (
                r#""issuer": "a", "audiences": [], "local": {"file": "k"}"#.to_owned(),
                "[0].audiences",
                "there",
            ),
            (r#""issuer": "a", "audiences": ["b"]"#.to_owned(), "[0]", "either `remote` or `local`"),
            (format!(r#"{good}, "id": "x""#), "[0].id", "not known"),
            (format!(r#"{good}, "role": ["decide"]"#), "[0].role", "unknown field"),
            (format!(r#"{good}, "roles": ["local"]"#), "[0].roles", "`local`"),
            (
                format!(r#"{good}, "rolesMap": {{"a": ["anonymous"]}}, "rolesClaim": "r""#),
                "[0].roles",
                "`anonymous`",
            ),
            (format!(r#"{good}, "rolesMap": {{}}"#), "[0].rolesMap", "`rolesClaim`"),
            (format!(r#"{good}, "tenants": []"#), "[0].tenants", "name a tenant"),
            (format!(r#"{good}, "tenants": ["a.b"]"#), "[0].tenants", "no tenant"),
        ] {
            let problems = check(&format!("[{{{entry}}}]")).unwrap_err();
            let found = problems.iter().any(|(at, text)| at == member && text.contains(advice));
            assert!(found, "{entry}: {problems:?}");
        }
        let twice = check(&format!("[{{{good}}}, {{{good}}}]")).unwrap_err();
        assert_eq!(twice, [("[1].id".to_owned(), "`a` is there twice".to_owned())]);
    }
}
