//! What a key set may demand of tokens: `issuer`, `audiences`, `types`, `algorithms`, `trustDomain` and `profile`.

use procura_core::model::spiffe;
use serde::Deserialize;

/// The names that `algorithms` may hold.
pub const TOKEN_ALGORITHMS: [&str; 14] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
    "HS256", "HS384", "HS512",
];

/// Most entries of a list.
const MAX_ENTRIES: usize = 100;

/// What tokens must say; by default nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TokenRules {
    /// What kind of token they are.
    pub profile: TokenProfile,
    /// The `iss` that they must have.
    pub issuer: Option<String>,
    /// One of these must be in `aud`, if there are any.
    pub audiences: Vec<String>,
    /// One of these must be `typ`, if there are any.
    pub types: Vec<String>,
    /// The algorithms that may be used, if there are any: some of [`TOKEN_ALGORITHMS`].
    pub algorithms: Vec<String>,
    /// The trust domain of `sub`.
    pub trust_domain: Option<String>,
}

/// A kind of token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenProfile {
    /// Any JSON Web Token.
    #[default]
    Jwt,
    /// An OAuth access token (RFC 9068).
    AccessToken,
    /// A SPIFFE JWT-SVID.
    JwtSvid,
    /// A transaction token.
    TxnToken,
}

impl TokenRules {
    /// These rules if they go together, else the member that is wrong and how to mend it.
    pub(super) fn check(self) -> Result<Self, (&'static str, String)> {
        let Self { profile, issuer, audiences, types, algorithms, trust_domain } = &self;
        for (member, list) in [(".audiences", audiences), (".types", types), (".algorithms", algorithms)] {
            if list.len() > MAX_ENTRIES || list.iter().any(String::is_empty) {
                return Err((member, format!("must have at most {MAX_ENTRIES} entries, none of them empty")));
            }
        }
        if issuer.as_ref().is_some_and(String::is_empty) {
            return Err((".issuer", "must not be empty".into()));
        }
        let known = |name: &String| TOKEN_ALGORITHMS.contains(&name.as_str());
        if let Some(name) = algorithms.iter().find(|name| !known(name)) {
            return Err((".algorithms", format!("`{name}` must be one of {}", TOKEN_ALGORITHMS.join(", "))));
        }
        if *profile != TokenProfile::Jwt && !types.is_empty() {
            return Err((".types", "must not be there beside `profile`, which says what `typ` is".into()));
        }
        let is_svid = *profile == TokenProfile::JwtSvid;
        if trust_domain.is_some() != is_svid
            || trust_domain.as_ref().is_some_and(|name| spiffe::trust_domain(name).is_err())
        {
            let advice =
                "must be the name of a trust domain, such as `prod.example`, with `profile: jwt-svid` only";
            return Err((".trustDomain", advice.into()));
        }
        if *profile == TokenProfile::AccessToken && issuer.is_none() {
            return Err((".issuer", "must be there with `profile: access-token`".into()));
        }
        if *profile != TokenProfile::Jwt && audiences.is_empty() {
            return Err((".audiences", "must say with a `profile` what `aud` names this server by".into()));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_taken_only_if_they_go_together() {
        for (json, wrong) in [
            ("{}", None),
            (
                r#"{"issuer": "https://a", "audiences": ["x"], "types": ["at+jwt"], "algorithms": ["ES256"]}"#,
                None,
            ),
            (r#"{"profile": "access-token", "issuer": "https://a", "audiences": ["x"]}"#, None),
            (r#"{"profile": "jwt-svid", "trustDomain": "prod.example", "audiences": ["x"]}"#, None),
            (r#"{"profile": "txn-token", "audiences": ["prod.example"]}"#, None),
            (r#"{"issuer": ""}"#, Some(".issuer")),
            (r#"{"audiences": [""]}"#, Some(".audiences")),
            (r#"{"algorithms": ["none"]}"#, Some(".algorithms")),
            (r#"{"algorithms": ["es256"]}"#, Some(".algorithms")),
            (r#"{"trustDomain": "a"}"#, Some(".trustDomain")),
            (r#"{"profile": "jwt-svid", "audiences": ["x"]}"#, Some(".trustDomain")),
            (
                r#"{"profile": "jwt-svid", "audiences": ["x"], "trustDomain": "spiffe://a"}"#,
                Some(".trustDomain"),
            ),
            (r#"{"profile": "jwt-svid", "trustDomain": "a"}"#, Some(".audiences")),
            (r#"{"profile": "access-token", "audiences": ["x"]}"#, Some(".issuer")),
            (r#"{"profile": "access-token", "issuer": "a"}"#, Some(".audiences")),
            (r#"{"profile": "txn-token"}"#, Some(".audiences")),
            (r#"{"profile": "txn-token", "audiences": ["x"], "types": ["JWT"]}"#, Some(".types")),
        ] {
            let found = serde_json::from_str::<TokenRules>(json).unwrap().check();
            assert_eq!(found.err().map(|(member, _)| member), wrong, "{json}");
        }
        assert!(serde_json::from_str::<TokenRules>(r#"{"profile": "saml"}"#).is_err());
    }
}
