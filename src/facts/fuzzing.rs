//! The reader of journals and snapshots, for fuzz targets.

use std::sync::Arc;

use super::frame;
use super::journal::{JOURNAL, SNAPSHOT, file_name, head};
use super::recover::{Found, recover};
use super::table::Table;
use crate::ports::LogFiles;

/// The names of the first snapshot and of the first journal.
#[must_use]
pub fn names() -> (String, String) {
    (file_name(1, SNAPSHOT), file_name(1, JOURNAL))
}

/// A file with a right beginning and these payloads, each with its right length and checksum.
#[must_use]
pub fn file_of<'a>(payloads: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut file = head(1, 0).unwrap_or_default();
    payloads.into_iter().for_each(|payload| frame::encode(payload, &mut file));
    file
}

/// Reads `files` as a start does.
///
/// # Panics
/// If they are read, and read again come to something else.
pub fn recover_twice(files: &Arc<dyn LogFiles>) {
    let Ok(first) = recover(files, 100) else { return };
    let again =
        recover(files, 100).unwrap_or_else(|error| panic!("what was read is not read again: {error}"));
    assert_eq!(again.cut, 0, "what was cut is cut again");
    assert_eq!(told(&first), told(&again), "what is read again is something else");
}

/// Everything that was read.
fn told(found: &Found) -> (u64, Vec<String>, String) {
    let held = &found.held;
    let mut facts: Vec<_> =
        (0..Table::parts()).flat_map(|part| held.table.part(part)).map(|fact| format!("{fact:?}")).collect();
    facts.sort_unstable();
    (held.changes.last(), facts, format!("{:?}", held.taken.iter().collect::<Vec<_>>()))
}
