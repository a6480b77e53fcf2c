//! What is remembered of a set without errors, so that the next one compiles only what is new.
//!
//! INVARIANT(memory): what is remembered of a file is a function of its text and of the exports that it imports. A set
//! that compiles with a memory has the snapshot and the diagnostics that it has without one.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::findings::Finding;
use super::outline::Outline;
use super::rules::Policy;
use super::schemas::Table;
use super::source::{FileText, SourceFile};

/// A set without errors, file by file.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Every file that was read, by its number: places carry it, so a file keeps it.
    pub(super) files: Vec<Remembered>,
    /// The numbers of the files, by path.
    pub(super) by_path: Vec<u32>,
    /// Whether outlines say which actions the rules name.
    pub(super) has_mentions: bool,
    /// `None` in an empty memory.
    pub(super) schemas: Option<RememberedSchemas>,
}

/// One file.
#[derive(Debug)]
pub(super) struct Remembered {
    /// Empty if there is no file of this number.
    pub(super) path: Arc<str>,
    pub(super) text: FileText,
    /// `None` if it holds no policies.
    pub(super) unit: Option<Arc<Unit>>,
}

/// What came of one policy file.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) outline: Arc<Outline>,
    /// Whether some policy imports its derived roles.
    pub(super) is_imported: bool,
    pub(super) policy: Option<Arc<Policy>>,
    /// What was found in it, alone or with what it imports.
    pub(super) findings: Box<[Finding]>,
    /// The regular expressions in it.
    pub(super) literals: BTreeSet<Arc<str>>,
}

/// The schemas of the set, and what they were made of besides the policies.
#[derive(Debug)]
pub(super) struct RememberedSchemas {
    pub(super) table: Arc<Table>,
    pub(super) files: Vec<SourceFile>,
    pub(super) literals: BTreeSet<Arc<str>>,
    /// Whether there is nothing to say of them. What there is would have to be said again.
    pub(super) is_flawless: bool,
}

impl Memory {
    /// Whether there is nothing to remember.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// What came of `source`, which has this number, if it is unchanged.
    pub(super) fn unit(&self, number: u32, source: &SourceFile) -> Option<&Arc<Unit>> {
        let known = self.files.get(number as usize)?;
        known.unit.as_ref().filter(|_| known.path == source.path && known.text == source.text)
    }

    /// `sources`, which are sorted by path, by number: those that were there keep theirs, and `hole` stands for those
    /// that are gone.
    pub(super) fn arrange<'t>(
        &self,
        sources: Vec<&'t SourceFile>,
        hole: &'t SourceFile,
    ) -> Vec<&'t SourceFile> {
        if self.is_empty() {
            return sources;
        }
        let mut slots = vec![hole; self.files.len()];
        let mut new = Vec::new();
        let known =
            self.by_path.iter().filter_map(|number| Some((*number, &self.files.get(*number as usize)?.path)));
        let mut known = known.peekable();
        for source in sources {
            // Both are sorted by path. Most paths are one and the same text in memory, which is seen at once.
            while known.next_if(|(_, path)| **path != source.path && **path < source.path).is_some() {}
            let number = known.next_if(|(_, path)| **path == source.path).map(|(number, _)| number as usize);
            match number.and_then(|number| slots.get_mut(number)) {
                Some(slot) => *slot = source,
                None => new.push(source),
            }
        }
        let mut new = new.into_iter();
        for slot in slots.iter_mut().filter(|slot| std::ptr::eq(**slot, hole)) {
            let Some(source) = new.next() else { break };
            *slot = source;
        }
        slots.extend(new);
        slots
    }
}
