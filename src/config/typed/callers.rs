//! Who may call the server.

use std::path::PathBuf;

use super::Reader;
use crate::config::callers::{Anonymous, Callers, IssuerList};

/// Types the keys below `callers`.
pub(super) fn callers(reader: &mut Reader) -> Callers {
    let choices = [
        ("auto", Anonymous::Auto),
        ("refuse", Anonymous::Refuse),
        ("local", Anonymous::Local),
        ("allow", Anonymous::Allow),
    ];
    Callers {
        anonymous: reader.choice("callers.anonymous", &choices).unwrap_or(Anonymous::Refuse),
        keys: reader.given("callers.keys.file").map(PathBuf::from),
        tokens: reader.checked("callers.tokens", IssuerList::check),
        policies: reader.given("callers.policies").map(PathBuf::from),
    }
}
