//! What is remembered of a set without errors, so that the next one compiles only what is new.
//!
//! INVARIANT(memory): what is remembered of a file is a function of its text and of the exports that it imports. A set
//! that compiles with a memory has the snapshot and the diagnostics that it has without one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::findings::Finding;
use super::outline::Outline;
use super::rules::Policy;
use super::schemas::Table;
use super::source::{FileText, SourceFile};

/// A set without errors, file by file.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Every policy file by path.
    pub(super) units: BTreeMap<Arc<str>, Arc<Unit>>,
    /// The number of every file that was read: places carry it, so a file keeps it.
    pub(super) numbers: BTreeMap<Arc<str>, u32>,
    /// Whether outlines say which actions the rules name.
    pub(super) has_mentions: bool,
    /// `None` in an empty memory.
    pub(super) schemas: Option<RememberedSchemas>,
}

/// What came of one policy file.
#[derive(Debug)]
pub(super) struct Unit {
    pub(super) text: FileText,
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
        self.numbers.is_empty()
    }

    /// What came of `source` if it is unchanged.
    pub(super) fn unit(&self, source: &SourceFile) -> Option<&Arc<Unit>> {
        self.units.get(&source.path).filter(|unit| unit.text == source.text)
    }

    /// `sources` by number: those that were there keep theirs, and `hole` stands for those that are gone.
    pub(super) fn arrange<'t>(
        &self,
        sources: Vec<&'t SourceFile>,
        hole: &'t SourceFile,
    ) -> Vec<&'t SourceFile> {
        if self.is_empty() {
            return sources;
        }
        let mut slots = vec![hole; self.numbers.values().max().map_or(0, |most| *most as usize + 1)];
        let mut new = Vec::new();
        for source in sources {
            let number = self.numbers.get(&source.path).map(|number| *number as usize);
            match number.and_then(|number| slots.get_mut(number)).filter(|slot| std::ptr::eq(**slot, hole)) {
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
