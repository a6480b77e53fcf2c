//! Every configuration key: ours with its default and meaning, and the peer's with what becomes of it.

mod known;
mod peer;
mod signals;

pub(in crate::config) use peer::{INERT, Inert};

/// A key that has a meaning here.
#[derive(Debug)]
pub struct Key {
    /// Dotted name, as in a configuration file.
    pub name: &'static str,
    /// The value when nothing sets it.
    pub default: &'static str,
    /// What it does, its unit and its range.
    pub meaning: &'static str,
}

/// A key whose value is a list or a map instead of one text.
///
/// Outside the file its value is YAML or JSON in one line. [`super::layers::Setting::value`]
/// holds it as JSON.
#[derive(Debug)]
pub(super) struct Structure {
    /// The name of the key.
    pub(super) name: &'static str,
    /// Members, anywhere within, whose values must not be shown.
    pub(super) hidden: &'static [&'static str],
    /// Whether it is set as a whole, or also member by member outside the file.
    pub(super) setting: StructureSetting,
}

/// Our keys, in the order of the reference page.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    known::KEYS.iter().chain(signals::KEYS)
}

/// How a structure is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StructureSetting {
    /// Only as a whole.
    Whole,
    /// As a whole, or a member of it by its path: `engine.globals.limits.days`.
    Members,
}

/// The keys that take structures.
pub(super) const STRUCTURES: &[Structure] = &[
    Structure { name: "audit.routes", hidden: &[], setting: StructureSetting::Members },
    Structure { name: "audit.ship", hidden: &["headers"], setting: StructureSetting::Whole },
    Structure { name: "audit.mask", hidden: &[], setting: StructureSetting::Whole },
    Structure { name: "auxData.jwt.keySets", hidden: &["data"], setting: StructureSetting::Whole },
    Structure { name: "callers.certificates", hidden: &[], setting: StructureSetting::Whole },
    Structure { name: "callers.tokens", hidden: &["data"], setting: StructureSetting::Whole },
    Structure { name: "engine.globals", hidden: &[], setting: StructureSetting::Members },
    Structure { name: "signals.presented.session", hidden: &[], setting: StructureSetting::Whole },
    Structure { name: "signals.presented.device", hidden: &[], setting: StructureSetting::Whole },
    Structure { name: "signals.presented.groups", hidden: &[], setting: StructureSetting::Whole },
    Structure { name: "signals.presented.application", hidden: &[], setting: StructureSetting::Whole },
    Structure { name: "signals.presented.began", hidden: &[], setting: StructureSetting::Whole },
    Structure { name: "signals.presented.methods", hidden: &[], setting: StructureSetting::Whole },
    Structure {
        name: "signals.streams",
        hidden: &["authorization", "data"],
        setting: StructureSetting::Whole,
    },
    Structure { name: "signals.webhooks", hidden: &["secret"], setting: StructureSetting::Whole },
];

/// The entry of [`INERT`] that `name` is, or is below.
pub(super) fn inert(name: &str) -> Option<&'static Inert> {
    INERT.iter().find(|entry| covers(entry.prefix, name))
}

/// Whether the value of `name` is a list or a map.
pub(super) fn is_structure(name: &str) -> bool {
    STRUCTURES.iter().any(|structure| structure.name == name)
}

/// The structure that `name` is a part of.
pub(super) fn structure_above(name: &str) -> Option<&'static Structure> {
    STRUCTURES.iter().find(|structure| covers(structure.name, name))
}

fn covers(prefix: &str, name: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Keys that speak of secrets and hold none.
const NO_SECRETS: [&str; 2] = ["callers.tokens", "signals.standing.credentials"];

/// Whether the value of `name` must not be shown.
pub(super) fn is_secret(name: &str) -> bool {
    if NO_SECRETS.contains(&name) {
        return false;
    }
    let name = name.to_ascii_lowercase();
    ["password", "secret", "token", "credential"].iter().any(|word| name.contains(word))
}

/// The environment variable that sets `name`: `server.httpListenAddr` is `PROCURA_SERVER__HTTP_LISTEN_ADDR`.
#[must_use]
pub fn environment_name(name: &str) -> String {
    let mut variable = String::from("PROCURA_");
    let mut after_lower = false;
    for character in name.chars() {
        if character == '.' {
            variable.push_str("__");
        } else {
            if character.is_ascii_uppercase() && after_lower {
                variable.push('_');
            }
            variable.push(character.to_ascii_uppercase());
        }
        after_lower = character.is_ascii_lowercase();
    }
    variable
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fmt::Write as _;
    use std::fs;
    use std::path::Path;

    use super::*;

    const PAGE: &str = "docs/reference/configuration.md";

    fn page() -> String {
        let mut page = String::from(
            "# Configuration\n\n\
             A value comes from the last of these that sets it:\n\
             default, file (`--config FILE`), environment, `--set key=value`, flag.\n\
             `procura config` shows each value and where it came from.\n\n\
             Files are YAML or JSON; keys are those of a Cerbos configuration where the concept is the same.\n\
             `${NAME}` and `${NAME:default}` in a value of the file stand for an environment variable, `$$` for `$`.\n\
             A key whose default is a list or a map is set as a whole; in the environment and with `--set` its value is \
             YAML or JSON in one line.\n\
             An unknown key is an error.\n\n\
             | key | environment | default | meaning |\n|---|---|---|---|\n",
        );
        for Key { name, default, meaning } in keys() {
            writeln!(page, "| `{name}` | `{}` | `{default}` | {meaning} |", environment_name(name)).unwrap();
        }
        page.push_str(
            "\n## Accepted without effect\n\n\
             These keys of a Cerbos configuration are accepted, with all keys below them, and named in a notice at \
             start.\n\n| key | what it means |\n|---|---|\n",
        );
        for Inert { prefix, why } in INERT {
            writeln!(page, "| `{prefix}` | {why} |").unwrap();
        }
        page
    }

    #[test]
    fn configuration_page_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, page()).unwrap();
        }
        assert_eq!(
            fs::read_to_string(&path).unwrap_or_default(),
            page(),
            "{PAGE} is stale: run with UPDATE=1"
        );
    }

    #[test]
    fn every_key_has_its_own_environment_variable_with_two_underscores() {
        let variables: BTreeSet<String> = keys().map(|key| environment_name(key.name)).collect();
        assert_eq!(variables.len(), keys().count());
        assert!(variables.iter().all(|name| name.contains("__")));
        assert!(variables.contains("PROCURA_SERVER__ADMIN_API__ENABLED"), "{variables:?}");
    }

    #[test]
    fn inert_prefix_covers_whole_segments_only() {
        assert!(inert("audit.local.storagePath").is_some());
        assert!(inert("audit.local").is_some());
        assert!(inert("audit.locality").is_none());
        assert!(keys().all(|key| inert(key.name).is_none()));
    }
}
