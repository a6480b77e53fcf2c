//! Layering: defaults, file, environment, `--set`, flags. The last that sets a key wins, and its origin is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::file;
use super::interpolate::interpolate;
use super::keys::{KEYS, environment_name, inert, is_secret, refused};
use super::suggest::nearest;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nothing sets it.
    Default,
    /// The configuration file.
    File {
        /// The file as named on the command line.
        path: String,
        /// Line of the key, from 1.
        line: u64,
        /// Column of the key, from 1.
        column: u64,
    },
    /// An environment variable.
    Environment(String),
    /// `--set key=value`.
    Set,
    /// A flag of its own, such as `--data-dir`.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line, column } => write!(f, "{path}:{line}:{column}"),
            Origin::Environment(variable) => write!(f, "{variable}"),
            Origin::Set => f.write_str("--set"),
            Origin::Flag(flag) => f.write_str(flag),
        }
    }
}

/// One key as it stands after layering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Dotted key.
    pub key: &'static str,
    /// Its value as text.
    pub value: String,
    /// What set it.
    pub origin: Origin,
}

impl Setting {
    /// The value for people: a secret is not shown.
    #[must_use]
    pub fn shown(&self) -> &str {
        if is_secret(self.key) { "(not shown)" } else { &self.value }
    }
}

/// Everything that may set a value, read but not yet understood.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The configuration file: its path and its text.
    pub file: Option<(String, String)>,
    /// The environment of the process.
    pub environment: BTreeMap<String, String>,
    /// The arguments of `--set`, in order.
    pub set: Vec<String>,
    /// Flags of their own: flag, key, value.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

/// The result of layering, before values are typed.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub(super) settings: BTreeMap<&'static str, Setting>,
    pub(super) notices: Vec<String>,
    pub(super) problems: Vec<String>,
    noticed: BTreeSet<&'static str>,
}

impl Layers {
    /// Applies every source in its order.
    pub(super) fn of(sources: &Sources) -> Self {
        let mut layers = Self::default();
        for key in KEYS {
            layers.assign(key.name, Some(key.default.to_owned()), Origin::Default);
        }
        if let Some((path, text)) = &sources.file {
            layers.apply_file(path, text, &sources.environment);
        }
        layers.apply_environment(&sources.environment);
        for argument in &sources.set {
            match argument.split_once('=') {
                Some((key, value)) => layers.assign(key.trim(), Some(value.to_owned()), Origin::Set),
                None => {
                    layers.problems.push(format!("--set: `{argument}` has no `=`; write `--set key=value`"));
                }
            }
        }
        for (flag, key, value) in &sources.flags {
            layers.assign(key, Some(value.clone()), Origin::Flag(flag));
        }
        layers
    }

    fn apply_file(&mut self, path: &str, text: &str, environment: &BTreeMap<String, String>) {
        let leaves = match file::read(text) {
            Ok(leaves) => leaves,
            Err(error) => {
                self.problems.push(format!("{path}:{}:{}: {}", error.line, error.column, error.message));
                return;
            }
        };
        for leaf in leaves {
            let origin = Origin::File { path: path.to_owned(), line: leaf.line, column: leaf.column };
            // A variable that only a key without effect refers to need not exist.
            let value = match leaf.text {
                Some(text) if known(&leaf.key).is_some() => match interpolate(&text, environment) {
                    Ok(value) => Some(value),
                    Err(error) => {
                        self.problems.push(format!("{origin}: `{}`: {error}", leaf.key));
                        continue;
                    }
                },
                other => other,
            };
            self.assign(&leaf.key, value, origin);
        }
    }

    /// Every key has a dot, so only variables with `__` are ours. Others with our prefix exist for other reasons:
    /// Kubernetes sets `PROCURA_PORT` and its like for a service of this name.
    fn apply_environment(&mut self, environment: &BTreeMap<String, String>) {
        let names: BTreeMap<String, &'static str> =
            KEYS.iter().map(|key| (environment_name(key.name), key.name)).collect();
        for (variable, value) in environment {
            if !variable.starts_with("PROCURA_") {
                continue;
            }
            if let Some(key) = names.get(variable) {
                self.assign(key, Some(value.clone()), Origin::Environment(variable.clone()));
            } else if variable.contains("__") {
                let hint = did_you_mean(nearest(variable, names.keys().map(String::as_str)));
                self.problems.push(format!("environment: `{variable}` sets no known key{hint}"));
            } else if let Some(name) = names.keys().find(|name| name.replace("__", "_") == *variable) {
                self.notices.push(format!("environment: `{variable}` sets nothing; did you mean `{name}`?"));
            }
        }
    }

    fn assign(&mut self, key: &str, value: Option<String>, origin: Origin) {
        if let Some(key) = known(key) {
            match value {
                Some(value) => {
                    self.settings.insert(key, Setting { key, value, origin });
                }
                None => self.problems.push(format!("{origin}: `{key}` must be a single value, not a list")),
            }
        } else if let Some(entry) = refused(key) {
            if value.is_none_or(|value| !value.is_empty() && value != entry.harmless) {
                self.problems.push(format!("{origin}: `{key}` {}", entry.why));
            }
        } else if let Some(entry) = inert(key) {
            if self.noticed.insert(entry.prefix) {
                self.notices.push(format!("{origin}: `{}` {}", entry.prefix, entry.why));
            }
        } else if KEYS.iter().any(|known| known.name.starts_with(&format!("{key}."))) {
            self.problems.push(format!("{origin}: `{key}` is a section; set the keys below it"));
        } else {
            let hint = did_you_mean(nearest(key, KEYS.iter().map(|key| key.name)));
            self.problems.push(format!("{origin}: unknown key `{key}`{hint}"));
        }
    }
}

fn known(key: &str) -> Option<&'static str> {
    KEYS.iter().map(|known| known.name).find(|name| *name == key)
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    match suggestion {
        Some(suggestion) => format!("; did you mean `{suggestion}`?"),
        None => "; the known keys are listed by `procura config`".to_owned(),
    }
}
