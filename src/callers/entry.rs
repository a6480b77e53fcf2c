//! What the file of keys says: a YAML list with an entry for each key.

use std::collections::BTreeSet;

use procura_core::model::{Timestamp, is_tenant};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::key::Hash;
use crate::ports::is_reserved_role;

/// Deepest nesting; an entry needs 3.
const MAX_DEPTH: usize = 8;

/// Longest name, in bytes: it stands in every record of a call.
const NAME_BYTES: usize = 256;

/// Longest id, in bytes.
const ID_BYTES: usize = 64;

/// A key, without its secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// What finds it: letters and digits.
    pub id: String,
    /// Who holds it.
    pub name: String,
    /// `sha256:` and the hash of the whole key.
    pub hash: String,
    /// The roles of its holder.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The tenants that its holder is bound to; `None` if to none.
    #[serde(default)]
    pub tenants: Option<Vec<String>>,
    /// Whether its holder is an agent.
    #[serde(default)]
    pub agent: bool,
    /// When it ends; `None` for never.
    #[serde(default, deserialize_with = "instant")]
    pub expires: Option<Timestamp>,
    /// When it was revoked, if it was.
    #[serde(default, deserialize_with = "instant")]
    pub revoked: Option<Timestamp>,
}

/// Why a file holds no usable keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// It is no list of keys.
    #[error("line {line}: {message}")]
    Syntax {
        /// Where, from 1.
        line: u64,
        /// Why.
        message: String,
    },
    /// An entry is wrong.
    #[error("key {number}: {advice}")]
    Entry {
        /// Which one, from 1.
        number: usize,
        /// What is wrong and how to mend it.
        advice: String,
    },
}

impl KeyEntry {
    /// The entries of the file that holds `text`; none if it is empty. Each id occurs once.
    ///
    /// # Errors
    /// If one entry is not as it should be.
    pub fn read(text: &str) -> Result<Vec<Self>, EntryError> {
        let options = serde_saphyr::options! {
            strict_booleans: true,
            with_snippet: false,
            budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_documents: 1 },
        };
        let entries: Option<Vec<Self>> =
            serde_saphyr::from_str_with_options(text, options).map_err(|error| EntryError::Syntax {
                line: error.location().map_or(1, |place| place.line()),
                message: error.without_snippet().to_string(),
            })?;
        let entries = entries.unwrap_or_default();
        let mut ids = BTreeSet::new();
        for (i, entry) in entries.iter().enumerate() {
            let twice = (!ids.insert(&entry.id)).then(|| format!("the id `{}` is there twice", entry.id));
            if let Some(advice) = entry.problem().or(twice) {
                return Err(EntryError::Entry { number: i + 1, advice });
            }
        }
        Ok(entries)
    }

    /// What is wrong with it.
    pub(super) fn problem(&self) -> Option<String> {
        let is_id = !self.id.is_empty() && self.id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_id || self.id.len() > ID_BYTES {
            return Some(format!("`id` must be at most {ID_BYTES} letters and digits"));
        }
        if self.name.is_empty() || self.name.len() > NAME_BYTES {
            return Some(format!("`name` must be a text of at most {NAME_BYTES} bytes"));
        }
        if Hash::parse(&self.hash).is_none() {
            return Some("`hash` must be `sha256:` and 64 hexadecimal digits".to_owned());
        }
        if let Some(role) = self.roles.iter().find(|role| is_reserved_role(role)) {
            return Some(format!("`roles` must not hold `{role}`, which is for those without a credential"));
        }
        if self.roles.iter().any(String::is_empty) {
            return Some("`roles` must not hold an empty role".to_owned());
        }
        if self.tenants.as_ref().is_some_and(Vec::is_empty) {
            return Some("`tenants` must name one: leave it out if the holder is bound to none".to_owned());
        }
        let foreign = self.tenants.iter().flatten().find(|name| !is_tenant(name));
        foreign.map(|name| format!("`{name}` is no tenant: a tenant is a scope of one segment"))
    }
}

fn instant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    let parsed = text.map(|text| text.parse().map_err(|_| text)).transpose();
    parsed.map_err(|text| {
        D::Error::custom(format_args!("`{text}` is no instant such as `2030-01-31T00:00:00Z`"))
    })
}
