//! What does not fit, as far as it is listed.

use std::fmt::Write as _;

use super::Path;
use crate::limits::{SCHEMA_MISMATCH_BYTES, SCHEMA_MISMATCHES, SCHEMA_REPORT_BYTES};
use crate::schema::Mismatch;
use crate::schema::text::{cut, segment};

/// The mismatches found so far.
#[derive(Debug, Default)]
pub(super) struct Errors {
    list: Vec<Mismatch>,
    /// How many there are, listed or not.
    count: usize,
    /// How much they take.
    bytes: usize,
}

impl Errors {
    /// Adds one; beyond the limit only the number is kept.
    pub(super) fn add(&mut self, path: &Path<'_>, message: impl FnOnce() -> String) {
        self.count += 1;
        if self.has_room() {
            let path = cut(path.pointer(), SCHEMA_MISMATCH_BYTES);
            let message = cut(message(), SCHEMA_MISMATCH_BYTES);
            self.push(Mismatch { path, message });
        }
    }

    /// Takes over those of `other`.
    pub(super) fn append(&mut self, other: Self) {
        self.count += other.count;
        for mismatch in other.list {
            if self.has_room() {
                self.push(mismatch);
            }
        }
    }

    fn push(&mut self, mismatch: Mismatch) {
        self.bytes += mismatch.path.len() + mismatch.message.len();
        self.list.push(mismatch);
    }

    fn has_room(&self) -> bool {
        self.list.len() < SCHEMA_MISMATCHES && self.bytes < SCHEMA_REPORT_BYTES
    }

    /// How many there are: grows with every one that is added.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Sorted; the last says so if there are more.
    pub(super) fn into_mismatches(self) -> Vec<Mismatch> {
        let Self { mut list, count, .. } = self;
        let unlisted = count - list.len();
        list.sort();
        if unlisted > 0 {
            let message = format!("{unlisted} more errors are not listed");
            list.push(Mismatch { path: "/".to_owned(), message });
        }
        list
    }
}

impl Path<'_> {
    /// As the peer prints it: a name without characters adds nothing.
    fn pointer(&self) -> String {
        let mut parts = Vec::new();
        let mut at = self;
        loop {
            at = match at {
                Path::Root => break,
                Path::Name(outer, "") => outer,
                Path::Name(outer, name) => {
                    let (head, _) = name.split_at(name.floor_char_boundary(SCHEMA_MISMATCH_BYTES));
                    parts.push(segment(head));
                    outer
                }
                Path::Index(outer, index) => {
                    parts.push(index.to_string());
                    outer
                }
            };
        }
        if parts.is_empty() {
            return "/".to_owned();
        }
        parts.iter().rev().fold(String::new(), |mut pointer, part| {
            let _ = write!(pointer, "/{part}");
            pointer
        })
    }
}
