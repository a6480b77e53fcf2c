//! Layering: defaults, file, environment, `--set`, flags. The last that sets a key wins, and its origin is kept.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::file::{self, Content, Leaf};
use super::interpolate::interpolate;
use super::keys::{
    Structure, StructureSetting, environment_name, inert, is_secret, is_structure, keys, structure_above,
};
use super::suggest::nearest;
use super::url::{self, NOT_SHOWN};

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
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    /// Dotted key.
    pub key: &'static str,
    /// Its value as text; JSON if it is a list or a map.
    pub value: String,
    /// What set it.
    pub origin: Origin,
}

impl fmt::Debug for Setting {
    /// As people see it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} ({})", self.key, self.shown(), self.origin)
    }
}

impl Setting {
    /// The value for people: a secret is not shown.
    #[must_use]
    pub fn shown(&self) -> Cow<'_, str> {
        match structure_above(self.key) {
            _ if is_secret(self.key) => Cow::Borrowed(NOT_SHOWN),
            None => url::shown(&self.value),
            Some(structure) => match serde_json::from_str(&self.value) {
                Ok(mut value) => {
                    hide(&mut value, structure);
                    Cow::Owned(value.to_string())
                }
                Err(_) => Cow::Borrowed(NOT_SHOWN),
            },
        }
    }
}

fn hide(value: &mut Value, structure: &Structure) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, structure)),
        Value::Object(members) => {
            for (name, member) in members {
                if is_secret(name) || structure.hidden.contains(&name.as_str()) {
                    *member = NOT_SHOWN.into();
                } else {
                    hide(member, structure);
                }
            }
        }
        Value::String(text) => {
            if let Cow::Owned(shown) = url::shown(text) {
                *text = shown;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
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
        for key in keys() {
            layers.assign_text(key.name, key.default, Origin::Default);
        }
        if let Some((path, text)) = &sources.file {
            layers.apply_file(path, text, &sources.environment);
        }
        layers.apply_environment(&sources.environment);
        for argument in &sources.set {
            match argument.split_once('=') {
                Some((key, value)) => layers.assign_text(key.trim(), value, Origin::Set),
                None => {
                    layers.problems.push(format!("--set: `{argument}` has no `=`; write `--set key=value`"));
                }
            }
        }
        for (flag, key, value) in &sources.flags {
            layers.assign_text(key, value, Origin::Flag(flag));
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
            let Leaf { key, content, line, column } = leaf;
            let origin = Origin::File { path: path.to_owned(), line, column };
            // A variable that only a key without effect refers to need not exist.
            let value = match content {
                Content::Text(text) if known(&key).is_some() => interpolate(&text, environment).map(Some),
                Content::Text(text) => Ok(Some(text)),
                Content::List => Ok(None),
                Content::Structure(value) => {
                    interpolate_all(value, environment).map(|value| Some(value.to_string()))
                }
            };
            match value {
                Ok(value) => self.assign(&key, value, origin),
                Err(error) => self.problems.push(format!("{origin}: `{key}`: {error}")),
            }
        }
    }

    /// Every key has a dot, so only variables with `__` are ours. Others with our prefix exist for other reasons:
    /// Kubernetes sets `PROCURA_PORT` and its like for a service of this name.
    fn apply_environment(&mut self, environment: &BTreeMap<String, String>) {
        let names: BTreeMap<String, &'static str> =
            keys().map(|key| (environment_name(key.name), key.name)).collect();
        for (variable, value) in environment {
            if !variable.starts_with("PROCURA_") {
                continue;
            }
            if let Some(key) = names.get(variable) {
                self.assign_text(key, value, Origin::Environment(variable.clone()));
            } else if variable.contains("__") {
                let hint = did_you_mean(nearest(variable, names.keys().map(String::as_str)));
                self.problems.push(format!("environment: `{variable}` sets no known key{hint}"));
            } else if let Some(name) = names.keys().find(|name| name.replace("__", "_") == *variable) {
                self.notices.push(format!("environment: `{variable}` sets nothing; did you mean `{name}`?"));
            }
        }
    }

    /// Sets `key` to what stands outside the file: one line of text.
    fn assign_text(&mut self, key: &str, text: &str, origin: Origin) {
        let member_of = structure_above(key).filter(|above| above.setting == StructureSetting::Members);
        let path =
            member_of.and_then(|above| Some((above.name, key.strip_prefix(above.name)?.strip_prefix('.')?)));
        if path.is_none() && !is_structure(key) {
            self.assign(key, Some(text.to_owned()), origin);
            return;
        }
        match (file::structure(text), path) {
            (Ok(value), None) => self.assign(key, Some(value.to_string()), origin),
            (Ok(value), Some((name, path))) => {
                let whole =
                    self.settings.get(name).and_then(|setting| serde_json::from_str(&setting.value).ok());
                let whole = with_member(whole.unwrap_or_default(), path, value);
                self.assign(name, Some(whole.to_string()), origin);
            }
            (Err(error), _) => {
                self.problems.push(format!("{origin}: `{key}` is not valid YAML or JSON: {}", error.message));
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
        } else if let Some(entry) = inert(key) {
            if self.noticed.insert(entry.prefix) {
                self.notices.push(format!("{origin}: `{}` {}", entry.prefix, entry.why));
            }
        } else if let Some(Structure { name, .. }) = structure_above(key) {
            self.problems.push(format!("{origin}: `{key}` is a part of `{name}`, which is set as a whole"));
        } else if keys().any(|known| known.name.starts_with(&format!("{key}."))) {
            self.problems.push(format!("{origin}: `{key}` is a section; set the keys below it"));
        } else {
            let hint = did_you_mean(nearest(key, keys().map(|key| key.name)));
            self.problems.push(format!("{origin}: unknown key `{key}`{hint}"));
        }
    }
}

/// `value` with the references in all its texts replaced; what was a text stays one.
fn interpolate_all(value: Value, environment: &BTreeMap<String, String>) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) => Value::String(interpolate(&text, environment)?),
        Value::Array(items) => {
            let items = items.into_iter().map(|item| interpolate_all(item, environment));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Value::Object(members) => {
            let members = members
                .into_iter()
                .map(|(name, member)| interpolate_all(member, environment).map(|member| (name, member)));
            Value::Object(members.collect::<Result<_, _>>()?)
        }
        other => other,
    })
}

/// `whole` with the member at the dotted `path` set to `value`; maps that are missing on the way are made.
fn with_member(whole: Value, path: &str, value: Value) -> Value {
    let mut members = if let Value::Object(members) = whole { members } else { serde_json::Map::new() };
    let (name, value) = match path.split_once('.') {
        Some((name, rest)) => (name, with_member(members.remove(name).unwrap_or_default(), rest, value)),
        None => (path, value),
    };
    members.insert(name.to_owned(), value);
    Value::Object(members)
}

fn known(key: &str) -> Option<&'static str> {
    keys().map(|known| known.name).find(|name| *name == key)
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    match suggestion {
        Some(suggestion) => format!("; did you mean `{suggestion}`?"),
        None => "; the known keys are listed by `procura config`".to_owned(),
    }
}
