//! Who may call the server.

use std::path::PathBuf;

use super::Reader;
use crate::config::callers::{Anonymous, CallerIssuer, Callers, IssuerList};

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
        keys: path(reader, "callers.keys.file"),
        tokens: tokens(reader),
        policies: path(reader, "callers.policies"),
    }
}

fn path(reader: &Reader, key: &str) -> Option<PathBuf> {
    Some(reader.text(key)).filter(|text| !text.is_empty()).map(PathBuf::from)
}

fn tokens(reader: &mut Reader) -> Vec<CallerIssuer> {
    const TOKENS: &str = "callers.tokens";
    let checked = reader.structure::<IssuerList>(TOKENS).map(IssuerList::check);
    checked.unwrap_or(Ok(Vec::new())).unwrap_or_else(|problems| {
        for (member, advice) in problems {
            reader.reject_member(TOKENS, &member, advice);
        }
        Vec::new()
    })
}
