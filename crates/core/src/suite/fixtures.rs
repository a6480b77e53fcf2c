//! Who and what tests are about: inline in a suite, or in the files of the directory `testdata` beside it.

use std::collections::BTreeMap;

use super::document::{Broken, Field, Object, Reader, read};
use super::spec::Fixtures;
use crate::limits::ACTORS;
use crate::model::{AuxData, Principal, Resource, actor};
use crate::policy::SourceFile;
use crate::policy::yaml::Place;
use crate::value::{Map, Value};

/// Why the fixtures of a directory cannot be used.
pub(super) struct FixtureError {
    pub(super) message: String,
    /// The file at fault.
    pub(super) file: String,
    pub(super) place: Place,
    /// How to mend it, in our own words; may be empty.
    pub(super) help: String,
}

/// Reads the fixtures in `directory`, a directory named `testdata`; a file that is not there holds none.
pub(super) fn load(files: &[SourceFile], directory: &str) -> Result<Fixtures, FixtureError> {
    let (principals, principal_groups) =
        part(files, directory, "principals", &["principals"], |root, reader| {
            (principals(root, reader), groups(root, "principal", reader))
        })?;
    let (resources, resource_groups) =
        part(files, directory, "resources", &["resources"], |root, reader| {
            (resources(root, reader), groups(root, "resource", reader))
        })?;
    let names = ["auxdata", "auxData", "aux_data"];
    let aux_data = part(files, directory, "aux data", &names, aux_data)?;
    let missing = |what: &str, name: &str, message: String| FixtureError {
        message: format!("failed to load test fixtures from {directory}: failed to load {what}: {message}"),
        file: find(files, directory, &[name]).map_or_else(String::new, |file| file.path.to_string()),
        place: Place::start_of(0),
        help: String::new(),
    };
    check_groups(&principal_groups, |name| principals.contains_key(name))
        .map_err(|m| missing("principals", "principals", m))?;
    check_groups(&resource_groups, |name| resources.contains_key(name))
        .map_err(|m| missing("resources", "resources", m))?;
    Ok(Fixtures { principals, resources, aux_data, principal_groups, resource_groups })
}

/// Checks that all members of `groups` exist; the error says which one does not.
pub(super) fn check_groups(
    groups: &BTreeMap<String, Vec<String>>,
    exists: impl Fn(&str) -> bool,
) -> Result<(), String> {
    for (group, names) in groups {
        if let Some(missing) = names.iter().find(|name| !exists(name)) {
            return Err(format!("missing fixture {missing:?} referenced in group {group:?}"));
        }
    }
    Ok(())
}

/// What `fields` makes of the one file that is used of those with one of `names`.
fn part<'t, T: Default>(
    files: &'t [SourceFile],
    directory: &str,
    what: &str,
    names: &[&str],
    fields: impl FnOnce(&mut Object<'t>, &mut Reader<'t>) -> T,
) -> Result<T, FixtureError> {
    let Some(file) = find(files, directory, names) else {
        return Ok(T::default());
    };
    read(&file.text, fields).map_err(|Broken { lines, place, help }| FixtureError {
        message: format!("failed to load test fixtures from {directory}: failed to load {what}:\n{lines}"),
        file: file.path.to_string(),
        place,
        help,
    })
}

/// The first of `names` in `directory`, with the first of the extensions that it has.
fn find<'f>(files: &'f [SourceFile], directory: &str, names: &[&str]) -> Option<&'f SourceFile> {
    let candidates =
        names.iter().flat_map(|name| ["json", "yaml", "yml"].map(|end| format!("{directory}/{name}.{end}")));
    candidates.into_iter().find_map(|path| files.iter().find(|file| *file.path == *path))
}

/// Reads `principals`, by name.
pub(super) fn principals<'t>(
    root: &mut Object<'t>,
    reader: &mut Reader<'t>,
) -> BTreeMap<String, Principal<'static>> {
    objects(root.take("principals"), reader, |fields, reader| Principal {
        id: fields.some_text("id", reader).0.into(),
        policy_version: version(fields, reader).into(),
        roles: fields.some_names("roles", reader).into_iter().map(Into::into).collect(),
        attr: reader.map(fields.take("attr")),
        scope: scope(fields, reader).into(),
    })
}

/// Reads `resources`, by name.
pub(super) fn resources<'t>(
    root: &mut Object<'t>,
    reader: &mut Reader<'t>,
) -> BTreeMap<String, Resource<'static>> {
    objects(root.take("resources"), reader, |fields, reader| Resource {
        kind: fields.some_text("kind", reader).0.into(),
        policy_version: version(fields, reader).into(),
        id: fields.some_text("id", reader).0.into(),
        attr: reader.map(fields.take("attr")),
        scope: scope(fields, reader).into(),
    })
}

/// Reads `auxData`, by name: claims, as if their tokens had been verified.
pub(super) fn aux_data<'t>(
    root: &mut Object<'t>,
    reader: &mut Reader<'t>,
) -> BTreeMap<String, AuxData<'static>> {
    objects(root.take("auxData"), reader, |fields, reader| {
        let jwt = reader.map(fields.take("jwt"));
        let tokens = objects(fields.take("jwts"), reader, |token, reader| reader.map(token.take("claims")));
        if !jwt.is_empty() && !tokens.is_empty() {
            fields.invalid("Only one of the jwt or jwts fields must be set", reader);
        }
        let named = |(name, claims): (String, Map<'static>)| (name.into(), Value::Map(claims));
        let jwts = Map::from_entries(tokens.into_iter().map(named).collect()).unwrap_or_default();
        let actor = actor(&jwt, ACTORS);
        if let Err(fault) = &actor {
            fields.invalid(&fault.to_string(), reader);
        }
        let bound = reader.flag(fields.take("bound")).unwrap_or_default();
        AuxData { jwt, jwts, actor: actor.unwrap_or_default(), bound }
    })
}

/// Reads `principalGroups` or `resourceGroups`: the names of the members, by name.
pub(super) fn groups<'t>(
    root: &mut Object<'t>,
    of: &str,
    reader: &mut Reader<'t>,
) -> BTreeMap<String, Vec<String>> {
    let members = format!("{of}s");
    objects(root.take(&format!("{of}Groups")), reader, |fields, reader| fields.some_names(&members, reader))
}

/// What `read` makes of each value of a map of objects.
fn objects<'t, T>(
    field: Option<Field<'t>>,
    reader: &mut Reader<'t>,
    mut read: impl FnMut(&mut Object<'t>, &mut Reader<'t>) -> T,
) -> BTreeMap<String, T> {
    let mut objects = BTreeMap::new();
    for (name, field) in reader.entries(field) {
        if let Some(mut object) = reader.object(field) {
            let value = read(&mut object, reader);
            object.finish(reader);
            objects.insert(name.into_owned(), value);
        }
    }
    objects
}

fn version<'t>(fields: &mut Object<'t>, reader: &mut Reader<'t>) -> String {
    matching(fields, "policyVersion", r"^[\w]*$", is_version, reader)
}

fn scope<'t>(fields: &mut Object<'t>, reader: &mut Reader<'t>) -> String {
    matching(fields, "scope", r"^(^$|\.|[0-9a-zA-Z][\w\-]*(\.\w[\w\-]*)*)$", is_scope, reader)
}

/// Field `name`, which `is_valid` has to accept: what `pattern` matches.
fn matching<'t>(
    fields: &mut Object<'t>,
    name: &str,
    pattern: &str,
    is_valid: fn(&str) -> bool,
    reader: &mut Reader<'t>,
) -> String {
    let Some(field) = fields.take(name) else {
        return String::new();
    };
    let text = reader.text(&field);
    if !is_valid(&text) {
        let message = format!("does not match regex pattern `{pattern}`");
        reader.invalid(Some(field.place), &field.path, &message);
    }
    text
}

fn is_version(text: &str) -> bool {
    text.bytes().all(is_word)
}

fn is_scope(text: &str) -> bool {
    let is_part = |part: &str| {
        part.bytes().all(|b| is_word(b) || b == b'-') && part.bytes().next().is_some_and(is_word)
    };
    matches!(text, "" | ".") || (!text.starts_with('_') && text.split('.').all(is_part))
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}
