//! Changes of the file of keys. Its text stays as somebody wrote it, and a change counts only if it says what was meant.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use procura_core::model::Timestamp;

use super::entry::KeyEntry;
use super::live::{KeyFileError, read};
use crate::durable;

/// Why the file was not changed.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// It cannot be read, or is wrong already.
    #[error(transparent)]
    File(#[from] KeyFileError),
    /// The new entry is wrong.
    #[error("{0}")]
    Entry(String),
    /// There is no such key.
    #[error("there is no key with the id `{0}` in the file")]
    Missing(String),
    /// The text cannot be changed without changing what else it says.
    #[error("cannot change the entry of `{0}` in the text of the file: do it by hand")]
    Text(String),
    /// It cannot be written.
    #[error("cannot write `{}`", .0.display())]
    Write(PathBuf, #[source] io::Error),
}

/// The entries of the file at `path`.
///
/// # Errors
/// If it cannot be read or one of them is wrong.
pub fn list(path: &Path) -> Result<Vec<KeyEntry>, KeyFileError> {
    parse(path, &read(path)?)
}

/// Adds `entry` to the file at `path`, which is created if there is none. Durable when this returns.
///
/// # Errors
/// If it cannot be, and then the file is as it was.
pub fn add(path: &Path, entry: &KeyEntry) -> Result<(), EditError> {
    if let Some(problem) = entry.problem() {
        return Err(EditError::Entry(problem));
    }
    let mut text = match read(path) {
        Err(KeyFileError::Read(_, error)) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    let mut meant = parse(path, &text)?;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&written(entry));
    meant.push(entry.clone());
    replace(path, &text, &meant, &entry.id)
}

/// Revokes the key `id` in the file at `path` as of `now`. Durable when this returns; nothing happens if it is revoked
/// already.
///
/// # Errors
/// If it cannot be, and then the file is as it was.
pub fn revoke(path: &Path, id: &str, now: Timestamp) -> Result<(), EditError> {
    let text = read(path)?;
    let mut meant = parse(path, &text)?;
    let entry = meant.iter_mut().find(|entry| entry.id == id);
    let entry = entry.ok_or_else(|| EditError::Missing(id.to_owned()))?;
    if entry.revoked.is_some() {
        return Ok(());
    }
    entry.revoked = Some(now);
    let lines = text.lines().map(|line| revoked(line, id, now) + "\n");
    replace(path, &lines.collect::<String>(), &meant, id)
}

/// `line`, with the member that revokes a key if its id is in it: below it, or behind it in a map with braces.
fn revoked(line: &str, id: &str, now: Timestamp) -> String {
    let member = line.trim_start_matches([' ', '-']);
    let indent = line.len() - member.len();
    let below = member.strip_prefix("id:").map(|value| value.trim().trim_matches(['"', '\'']));
    if below == Some(id) {
        return format!("{line}\n{:indent$}revoked: \"{now}\"", "");
    }
    for written in [format!("id: {id},"), format!("id: \"{id}\",")] {
        if let Some((before, after)) = line.split_once(&written) {
            return format!("{before}{written} revoked: \"{now}\",{after}");
        }
    }
    line.to_owned()
}

/// `entry` as the file has it.
fn written(entry: &KeyEntry) -> String {
    let KeyEntry { id, name, hash, roles, tenants, agent, expires, .. } = entry;
    let quoted = |text: &String| serde_json::Value::from(text.as_str()).to_string();
    let list = |texts: &[String]| texts.iter().map(quoted).collect::<Vec<_>>().join(", ");
    let (name, roles) = (quoted(name), list(roles));
    let mut text = format!("- id: \"{id}\"\n  name: {name}\n  hash: {hash}\n  roles: [{roles}]\n");
    if let Some(tenants) = tenants {
        text.push_str(&format!("  tenants: [{}]\n", list(tenants)));
    }
    if *agent {
        text.push_str("  agent: true\n");
    }
    if let Some(expires) = expires {
        text.push_str(&format!("  expires: \"{expires}\"\n"));
    }
    text
}

fn parse(path: &Path, text: &str) -> Result<Vec<KeyEntry>, KeyFileError> {
    KeyEntry::read(text).map_err(|error| KeyFileError::Keys(path.to_owned(), error))
}

/// Writes `text` if it says what is `meant`. The file keeps its owner and its mode: the server may be somebody else.
fn replace(path: &Path, text: &str, meant: &[KeyEntry], id: &str) -> Result<(), EditError> {
    if KeyEntry::read(text).ok().as_deref() != Some(meant) {
        return Err(EditError::Text(id.to_owned()));
    }
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let before = fs::metadata(path).ok();
    let written = durable::replace(path, text.as_bytes()).and_then(|()| match before {
        Some(before) => {
            // Only the superuser may give files away, and only for it are they somebody else's.
            let _ = chown(path, Some(before.uid()), Some(before.gid()));
            fs::set_permissions(path, fs::Permissions::from_mode(before.mode() & 0o777))
        }
        None => Ok(()),
    });
    written.map_err(|error| EditError::Write(path.clone(), error))
}
