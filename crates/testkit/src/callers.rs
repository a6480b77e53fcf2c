//! Callers that show a token or an API key, and what a server must be told to know them.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use procura::callers::{KeyEntry, NewKey, add};
use serde_json::{Value, json};

use crate::issuer::SigningKey;

/// Who issues the tokens.
const ISSUER: &str = "https://issuer.test";

/// What all of them may do.
const ROLES: [&str; 2] = ["decide", "batch"];

/// The setting by which a server believes tokens that are signed with the keys at `source`, which is `local` or `remote`
/// with what belongs to it.
#[must_use]
pub fn believed(source: (&str, Value)) -> String {
    let mut issuer = json!({
        "issuer": ISSUER, "audiences": ["procura"], "types": ["JWT"], "algorithms": ["ES256"], "roles": ROLES,
    });
    issuer[source.0] = source.1;
    format!("--set=callers.tokens={}", json!([issuer]))
}

/// A token that stands for the caller `name`, good for a day.
#[must_use]
pub fn token(key: &SigningKey, name: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    key.token(&json!({
        "iss": ISSUER, "aud": "procura", "sub": name, "jti": format!("{name}-{now}"),
        "iat": now - 60, "nbf": now - 60, "exp": now + 24 * 3600,
    }))
}

/// A new key of the caller `name` in the file of keys.
pub fn add_key(file: &Path, name: &str) -> anyhow::Result<NewKey> {
    let new = NewKey::generate().context("the system has no randomness")?;
    let entry = KeyEntry {
        id: new.id.clone(),
        name: name.to_owned(),
        hash: new.hash.clone(),
        roles: ROLES.map(str::to_owned).to_vec(),
        ..KeyEntry::default()
    };
    add(file, &entry)?;
    Ok(new)
}
