//! `audit.mask`: what must not stand in records.

use procura_core::record::{MaskError, MaskRule, Masks, Treatment};
use serde::Deserialize;

use crate::config::typed::Reader;

const MASK: &str = "audit.mask";

/// Types the rules of masking.
pub(super) fn masks(reader: &mut Reader) -> Masks {
    let entries: Vec<Entry> = reader.structure(MASK).unwrap_or_default();
    let mut rules = Vec::with_capacity(entries.len());
    for (number, Entry { path, treatment, kinds }) in entries.into_iter().enumerate() {
        match Treatment::ALL.into_iter().find(|known| known.as_str() == treatment) {
            Some(treatment) => rules.push(MaskRule { path, treatment, kinds }),
            None => {
                let names = Treatment::ALL.map(|known| format!("`{}`", known.as_str())).join(" or ");
                let advice = format!("must be {names}, not `{treatment}`");
                reader.reject_member(MASK, &format!("[{number}].do"), advice);
                rules.push(MaskRule { path, treatment: Treatment::Remove, kinds });
            }
        }
    }
    Masks::new(rules).unwrap_or_else(|errors| {
        for MaskError { rule, member, advice } in errors {
            reader.reject_member(MASK, &format!("[{rule}].{member}"), advice);
        }
        Masks::default()
    })
}

/// A rule as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: String,
    #[serde(rename = "do")]
    treatment: String,
    #[serde(default)]
    kinds: Vec<String>,
}
