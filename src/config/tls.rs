//! TLS of the server, as configured.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::callers::{role_problem, tenants_problem};

/// How connections to the server are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The certificate of the server, with those between it and its authority, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
    /// The authorities whose client certificates are believed, in PEM; `None` if clients are asked for none.
    pub authorities: Option<PathBuf>,
    /// Their revocation lists, in PEM; `None` if there are none.
    pub revocations: Option<PathBuf>,
    /// Whether clients without a certificate are turned away.
    pub required: bool,
    /// How often the files are read again; `None` for never.
    pub watch_interval: Option<Duration>,
    /// What callers with a certificate are given; the first rule about a name counts.
    pub rules: Vec<CertificateRule>,
}

/// What callers whose certificates have certain names are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRule {
    /// The names: `*` stands for any characters but `/`, `**` for any characters.
    pub names: String,
    /// Their roles.
    pub roles: Vec<String>,
    /// The tenants they are bound to; `None` if they are bound to none.
    pub tenants: Option<Vec<String>>,
    /// Whether they are agents.
    pub agent: bool,
}

/// The rules as they are written.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct RuleList(Vec<RuleEntry>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RuleEntry {
    r#match: String,
    #[serde(default)]
    roles: Vec<String>,
    tenants: Option<Vec<String>>,
    #[serde(default)]
    agent: bool,
}

impl RuleList {
    /// The rules, or what is wrong with them: the path of the member below the list, and how to mend it.
    pub(super) fn check(self) -> Result<Vec<CertificateRule>, Vec<(String, String)>> {
        let mut problems = Vec::new();
        for (i, entry) in self.0.iter().enumerate() {
            problems.extend(entry.problem().map(|(member, advice)| (format!("[{i}].{member}"), advice)));
        }
        let rule = |RuleEntry { r#match: names, roles, tenants, agent }| CertificateRule {
            names,
            roles,
            tenants,
            agent,
        };
        if problems.is_empty() { Ok(self.0.into_iter().map(rule).collect()) } else { Err(problems) }
    }
}

impl RuleEntry {
    fn problem(&self) -> Option<(&'static str, String)> {
        if self.r#match.is_empty() {
            return Some(("match", "must not be empty: `**` is about every name".to_owned()));
        }
        if let Some(advice) = self.roles.iter().find_map(|role| role_problem(role)) {
            return Some(("roles", advice));
        }
        tenants_problem(self.tenants.as_deref()).map(|advice| ("tenants", advice))
    }
}
