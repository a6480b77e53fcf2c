//! `auxData.jwt.keySets`: where the keys are that verify tokens.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde::{Deserialize, Deserializer};

use super::token_rules::{TokenProfile, TokenRules};
use super::url;

/// Most key sets; each remote one is fetched on its own.
const MAX_KEY_SETS: usize = 100;

/// Most attributes that come from claims.
const MAX_ATTRIBUTES: usize = 100;

/// How often a remote key set is fetched if nothing else is said.
const REFRESH_INTERVAL: Duration = Duration::from_secs(60 * 60);

/// The shortest and the longest refresh interval: an issuer is neither flooded nor forgotten.
const REFRESH_INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 60 * 60);

/// How tokens are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuxData {
    /// Whether the claims of unverified tokens are believed.
    pub disable_verification: bool,
    /// How far the clocks of issuers may be off.
    pub acceptable_time_skew: Duration,
    /// Most actors of a chain of delegation.
    pub max_actors: usize,
    /// The key sets, in the order of the configuration; each id occurs once.
    pub key_sets: Vec<KeySet>,
}

/// One set of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    /// How requests name it.
    pub id: String,
    /// Where its keys are.
    pub source: KeySource,
    /// Whether a key without `alg` may be used, with the algorithms that fit its type.
    pub optional_alg: bool,
    /// Whether a token or key without `kid` may be used.
    pub optional_kid: bool,
    /// What tokens must say.
    pub tokens: TokenRules,
    /// Whether tokens say who acts, if that is said.
    pub actor: Option<bool>,
    /// What tokens say about the principal.
    pub principal: Option<PrincipalClaims>,
}

/// How claims speak about the principal.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrincipalClaims {
    /// The claim that is the id of the principal.
    #[serde(default = "subject")]
    pub id: String,
    /// Attributes of the principal, each with its claim.
    #[serde(default)]
    pub attributes: BTreeMap<String, String>,
    /// Whether a token about somebody else spoils the call.
    #[serde(default = "must")]
    pub must_match: bool,
}

fn subject() -> String {
    "sub".to_owned()
}

const fn must() -> bool {
    true
}

/// Where keys are.
#[derive(Clone, PartialEq, Eq)]
pub enum KeySource {
    /// At a URL.
    Remote {
        /// `https://…`, or `http://…` where that was allowed.
        url: String,
        /// How often it is fetched.
        refresh_interval: Duration,
    },
    /// In a file.
    File {
        /// The file.
        path: PathBuf,
        /// Whether it is PEM instead of a JSON Web Key Set.
        pem: bool,
    },
    /// In the configuration itself.
    Data {
        /// The JSON Web Key Set or PEM text.
        bytes: Vec<u8>,
        /// Whether it is PEM.
        pem: bool,
    },
}

impl fmt::Debug for KeySource {
    /// Says where the keys are, and nothing of what they are or what opens the way to them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Remote { .. } => f.write_str("Remote(..)"),
            Self::File { path, .. } => f.debug_tuple("File").field(path).finish(),
            Self::Data { .. } => f.write_str("Data(..)"),
        }
    }
}

/// The key sets as they are written.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct KeySetList(#[serde(deserialize_with = "entries")] Vec<KeySetEntry>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct KeySetEntry {
    id: String,
    remote: Option<RemoteEntry>,
    local: Option<LocalEntry>,
    #[serde(default)]
    insecure: InsecureEntry,
    #[serde(default)]
    profile: TokenProfile,
    issuer: Option<String>,
    #[serde(default)]
    audiences: Vec<String>,
    #[serde(default)]
    types: Vec<String>,
    #[serde(default)]
    algorithms: Vec<String>,
    trust_domain: Option<String>,
    actor: Option<bool>,
    principal: Option<PrincipalClaims>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RemoteEntry {
    url: String,
    #[serde(default, deserialize_with = "interval")]
    refresh_interval: Option<Duration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LocalEntry {
    file: Option<PathBuf>,
    data: Option<String>,
    #[serde(default)]
    pem: bool,
}

/// What makes a key set less safe, each to be asked for by name.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InsecureEntry {
    #[serde(default)]
    optional_alg: bool,
    #[serde(default)]
    optional_kid: bool,
    #[serde(default)]
    plain_http: bool,
}

impl KeySetList {
    /// The key sets, or what is wrong with them: the path of the member below the list, and how to mend it.
    pub(super) fn check(self) -> Result<Vec<KeySet>, Vec<(String, String)>> {
        let mut ids = BTreeSet::new();
        let (mut sets, mut problems) = (Vec::new(), Vec::new());
        for (i, entry) in self.0.into_iter().enumerate() {
            if entry.id.is_empty() {
                problems.push((format!("[{i}].id"), "must not be empty".to_owned()));
            } else if !ids.insert(entry.id.clone()) {
                problems.push((format!("[{i}].id"), format!("`{}` is there twice", entry.id)));
            }
            match entry.check() {
                Ok(set) => sets.push(set),
                Err((member, advice)) => problems.push((format!("[{i}]{member}"), advice)),
            }
        }
        if problems.is_empty() { Ok(sets) } else { Err(problems) }
    }
}

impl KeySetEntry {
    fn check(self) -> Result<KeySet, (&'static str, String)> {
        let InsecureEntry { optional_alg, optional_kid, plain_http } = self.insecure;
        let source = match (self.remote, self.local) {
            (Some(remote), None) => remote.check(plain_http)?,
            (None, Some(local)) => local.check()?,
            _ => return Err(("", "must have either `remote` or `local`".into())),
        };
        let Self { profile, issuer, audiences, types, algorithms, trust_domain, .. } = self;
        let tokens = TokenRules { profile, issuer, audiences, types, algorithms, trust_domain }.check()?;
        let (actor, principal) = (self.actor, self.principal);
        let names = principal.iter().flat_map(|of| of.attributes.iter().chain([(&of.id, &of.id)]));
        if names.clone().count() > MAX_ATTRIBUTES + 1
            || names.into_iter().any(|(a, b)| a.is_empty() || b.is_empty())
        {
            let advice = format!("must have names and claims that are not empty, at most {MAX_ATTRIBUTES}");
            return Err((".principal", advice));
        }
        Ok(KeySet { id: self.id, source, optional_alg, optional_kid, tokens, actor, principal })
    }
}

impl RemoteEntry {
    fn check(self, plain_http: bool) -> Result<KeySource, (&'static str, String)> {
        let Self { url, refresh_interval } = self;
        let danger = "whoever stands between could replace the keys";
        url::check(&url, plain_http, danger).map_err(|advice| (".remote.url", advice))?;
        Ok(KeySource::Remote { url, refresh_interval: refresh_interval.unwrap_or(REFRESH_INTERVAL) })
    }
}

impl LocalEntry {
    fn check(self) -> Result<KeySource, (&'static str, String)> {
        let Self { file, data, pem } = self;
        match (file, data) {
            (Some(path), None) if path.as_os_str().is_empty() => {
                Err((".local.file", "must not be empty".into()))
            }
            (Some(path), None) => Ok(KeySource::File { path, pem }),
            (None, Some(data)) => match STANDARD.decode(data.trim()) {
                Ok(bytes) => Ok(KeySource::Data { bytes, pem }),
                Err(_) => Err((".local.data", "must be the keys in base64".into())),
            },
            _ => Err((".local", "must have either `file` or `data`".into())),
        }
    }
}

fn entries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<KeySetEntry>, D::Error> {
    let entries: Vec<KeySetEntry> = Option::deserialize(deserializer)?.unwrap_or_default();
    if entries.len() > MAX_KEY_SETS {
        return Err(serde::de::Error::custom(format_args!("must have at most {MAX_KEY_SETS} entries")));
    }
    Ok(entries)
}

fn interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let parsed = text.parse::<SignedDuration>().ok().and_then(|parsed| Duration::try_from(parsed).ok());
    match parsed {
        // The peer takes zero for its own choice.
        Some(Duration::ZERO) => Ok(None),
        Some(interval) if REFRESH_INTERVALS.contains(&interval) => Ok(Some(interval)),
        _ => Err(serde::de::Error::custom(format_args!(
            "must be a duration from 1s to 7 days, such as `15m` or `1h`, not `{text}`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str) -> Result<Vec<KeySet>, Vec<(String, String)>> {
        serde_json::from_str::<KeySetList>(json).unwrap().check()
    }

    #[test]
    fn key_sets_of_every_kind_are_read() {
        let sets = check(
            r#"[{"id": "r", "remote": {"url": "https://a/k", "refreshInterval": "15m"}},
                {"id": "d", "remote": {"url": "http://127.0.0.1:8080/k"}, "insecure": {"optionalKid": true}},
                {"id": "6", "remote": {"url": "http://[::1]:8080/k"}},
                {"id": "p", "remote": {"url": "http://issuer"}, "insecure": {"plainHttp": true}},
                {"id": "f", "local": {"file": "/k.pem", "pem": true}, "insecure": {"optionalAlg": true}},
                {"id": "i", "local": {"data": "e30="}}]"#,
        );
        let remote = |url: &str, seconds| KeySource::Remote {
            url: url.into(),
            refresh_interval: Duration::from_secs(seconds),
        };
        let set = |id: &str, source, optional_alg, optional_kid| KeySet {
            id: id.into(),
            source,
            optional_alg,
            optional_kid,
            tokens: TokenRules::default(),
            actor: None,
            principal: None,
        };
        assert_eq!(
            sets.unwrap(),
            [
                set("r", remote("https://a/k", 900), false, false),
                set("d", remote("http://127.0.0.1:8080/k", 3600), false, true),
                set("6", remote("http://[::1]:8080/k", 3600), false, false),
                set("p", remote("http://issuer", 3600), false, false),
                set("f", KeySource::File { path: "/k.pem".into(), pem: true }, true, false),
                set("i", KeySource::Data { bytes: b"{}".to_vec(), pem: false }, false, false),
            ]
        );
        assert_eq!(check("null"), Ok(vec![]));
    }

    #[test]
    fn wrong_key_sets_name_the_member_and_how_to_mend_it() {
        for (entry, member, advice) in [
            (r#"{"id": ""}"#, "[0].id", "must not be empty"),
            (r#"{"id": "a"}"#, "[0]", "either `remote` or `local`"),
            (r#"{"id": "a", "remote": {"url": "ftp://x"}}"#, "[0].remote.url", "must begin with `https://`"),
            (
                r#"{"id": "a", "remote": {"url": "http://issuer/k"}}"#,
                "[0].remote.url",
                "`insecure.plainHttp`",
            ),
            (r#"{"id": "a", "remote": {"url": "http://127.0.0.1.evil"}}"#, "[0].remote.url", "plainHttp"),
            (r#"{"id": "a", "remote": {"url": "http://localhost@evil/"}}"#, "[0].remote.url", "password"),
            (r#"{"id": "a", "remote": {"url": "https:///k"}}"#, "[0].remote.url", "must be a URL"),
            (r#"{"id": "a", "remote": {"url": "https://a b"}}"#, "[0].remote.url", "must be a URL"),
            (r#"{"id": "a", "remote": {"url": "/k"}}"#, "[0].remote.url", "must begin with `https://`"),
            (r#"{"id": "a", "local": {}}"#, "[0].local", "either `file` or `data`"),
            (r#"{"id": "a", "local": {"file": "x", "data": "e30="}}"#, "[0].local", "either"),
            (r#"{"id": "a", "local": {"data": "?"}}"#, "[0].local.data", "base64"),
            (r#"{"id": "a", "local": {"file": "x"}, "issuer": ""}"#, "[0].issuer", "must not be empty"),
            (r#"{"id": "a", "local": {"file": "x"}, "principal": {"id": ""}}"#, "[0].principal", "not empty"),
        ] {
            let problems = check(&format!("[{entry}]")).unwrap_err();
            let found = problems.iter().any(|(at, text)| at == member && text.contains(advice));
            assert!(found, "{entry}: {problems:?}");
        }
        let twice = r#"[{"id": "a", "local": {"file": "x"}}, {"id": "a", "local": {"file": "y"}}]"#;
        assert_eq!(check(twice), Err(vec![("[1].id".into(), "`a` is there twice".into())]));
    }
}
