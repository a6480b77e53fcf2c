//! The rules for names in requests, the same on every surface that asks for decisions.

use std::borrow::Cow;
use std::fmt::Display;

use procura_core::model::{Names, is_scope};

use super::json::{List, Text};
use super::{Invalid, RequestLimits};

impl RequestLimits {
    /// A name that must be there and not be empty.
    pub(super) fn required<'a>(
        &self,
        path: impl Display,
        text: Option<Text<'a>>,
    ) -> Result<Cow<'a, str>, Invalid> {
        let text = self.optional(&path, text)?;
        if text.is_empty() { Err(Invalid::at(path, "a value is required")) } else { Ok(text) }
    }

    /// A text that may be absent, which is the same as empty.
    pub(super) fn optional<'a>(
        &self,
        path: impl Display,
        text: Option<Text<'a>>,
    ) -> Result<Cow<'a, str>, Invalid> {
        let Some(Text(text)) = text else {
            return Ok(Cow::Borrowed(""));
        };
        let (length, limit) = (text.len(), self.max_string_bytes);
        if length > limit {
            return Err(Invalid::at(path, format_args!("{length} bytes, the limit is {limit}")));
        }
        Ok(text)
    }

    /// A policy version: letters, digits and `_`.
    pub(super) fn version<'a>(
        &self,
        path: impl Display,
        text: Option<Text<'a>>,
    ) -> Result<Cow<'a, str>, Invalid> {
        let version = self.optional(&path, text)?;
        if is_version(&version) {
            return Ok(version);
        }
        Err(Invalid::at(path, "a policy version consists of letters, digits and `_`"))
    }

    /// A scope: segments separated by dots, or a lone dot for the root.
    pub(super) fn scope<'a>(
        &self,
        path: impl Display,
        text: Option<Text<'a>>,
    ) -> Result<Cow<'a, str>, Invalid> {
        let scope = self.optional(&path, text)?;
        if is_scope(&scope) {
            return Ok(scope);
        }
        Err(Invalid::at(
            path,
            "a scope consists of segments of letters, digits, `_` and `-`, separated by dots",
        ))
    }

    /// At least one and at most `limit` names, each of them once.
    pub(super) fn names<'a>(
        &self,
        path: impl Display,
        texts: Option<List<Text<'a>>>,
        limit: usize,
    ) -> Result<Names<'a>, Invalid> {
        let texts = bounded(&path, texts, limit)?;
        let mut names = Names::default();
        for (i, text) in texts.into_iter().enumerate() {
            let name = self.required(format_args!("{path}[{i}]"), Some(text))?;
            if names.contains(&name) {
                return Err(Invalid::at(
                    format_args!("{path}[{i}]"),
                    format_args!("`{name}` is there twice"),
                ));
            }
            names.push(name);
        }
        Ok(names)
    }
}

/// At least one and at most `limit` entries.
pub(super) fn bounded<T>(path: impl Display, list: Option<List<T>>, limit: usize) -> Result<Vec<T>, Invalid> {
    let list = list.map(|List(list)| list).unwrap_or_default();
    if list.is_empty() {
        return Err(Invalid::at(path, "at least one entry is required"));
    }
    let count = list.len();
    if count > limit {
        return Err(Invalid::at(path, format_args!("{count} entries, the limit is {limit}")));
    }
    Ok(list)
}

/// Whether `text` may name a version of a policy.
pub(super) fn is_version(text: &str) -> bool {
    text.bytes().all(is_word)
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
