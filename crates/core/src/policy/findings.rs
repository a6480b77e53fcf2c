//! Where the passes put what they find, and how that becomes diagnostics.

use std::collections::BTreeSet;

use super::diagnostic::{Code, Diagnostic, Severity, Subject};
use super::frame;
use super::source::{Position, SourceFile};
use super::yaml::Place;
use crate::limits::POLICY_DIAGNOSTICS;

/// Everything found so far, in the set of files it was found in.
#[derive(Debug)]
pub(super) struct Findings<'t> {
    sources: &'t [&'t SourceFile],
    list: Vec<Finding>,
    tallies: Vec<Tally>,
}

/// How many findings one file has, listed or not.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    errors: usize,
    warnings: usize,
}

/// One finding, not yet rendered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Finding {
    /// Whether a file that could not be read may have caused it; the first field, so that causes come first.
    is_follow_up: bool,
    place: Place,
    code: Code,
    message: String,
    hint: Option<String>,
    subject: Option<Subject>,
}

impl Finding {
    /// A finding of kind `code` at `place`.
    pub(super) fn new(code: Code, place: Place, message: impl Into<String>) -> Self {
        let message = printable(&message.into());
        Self { is_follow_up: false, place, code, message, hint: None, subject: None }
    }

    /// The number of the file that it is in.
    pub(super) fn file(&self) -> u32 {
        self.place.file
    }

    /// With advice for this very case.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(printable(&hint.into()));
        self
    }

    /// With what it is about.
    pub(super) fn about(mut self, subject: Subject) -> Self {
        self.subject = Some(subject);
        self
    }
}

impl<'t> Findings<'t> {
    /// Nothing found yet in `sources`.
    pub(super) fn new(sources: &'t [&'t SourceFile]) -> Self {
        Self { sources, list: Vec::new(), tallies: vec![Tally::default(); sources.len()] }
    }

    /// For findings about the same files that nobody is told.
    pub(super) fn scratch(&self) -> Findings<'t> {
        Findings::new(self.sources)
    }

    /// Adds a finding. Beyond the limit for its file it is not listed; that there were more errors is.
    pub(super) fn add(&mut self, finding: Finding) {
        let mut untold = Tally::default();
        let tally = self.tallies.get_mut(finding.place.file as usize).unwrap_or(&mut untold);
        let count = match finding.code.severity() {
            Severity::Error => &mut tally.errors,
            Severity::Warning => &mut tally.warnings,
        };
        *count += 1;
        if *count <= POLICY_DIAGNOSTICS {
            self.list.push(finding);
        } else if finding.code.severity() == Severity::Error && *count == POLICY_DIAGNOSTICS + 1 {
            let message = format!("the file has more than {POLICY_DIAGNOSTICS} problems: not all are listed");
            self.list.push(Finding::new(Code::TooLarge, Place::start_of(finding.place.file), message));
        }
    }

    /// Whether nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Adds what was found elsewhere.
    pub(super) fn absorb(&mut self, other: Findings<'_>) {
        other.list.into_iter().for_each(|finding| self.add(finding));
    }

    /// The warnings that are listed.
    pub(super) fn warnings(&self) -> Vec<Finding> {
        let warnings = self.list.iter().filter(|finding| finding.code.severity() == Severity::Warning);
        warnings.cloned().collect()
    }

    /// Forgets the warnings in all files but `files`, by number.
    pub(super) fn forget_warnings_except(&mut self, files: &BTreeSet<u32>) {
        self.list.retain(|finding| {
            finding.code.severity() == Severity::Error || files.contains(&finding.place.file)
        });
    }

    /// Whether nothing was found that is not listed.
    pub(super) fn are_all_listed(&self) -> bool {
        let is_listed = |tally: &Tally| tally.errors.max(tally.warnings) <= POLICY_DIAGNOSTICS;
        self.tallies.iter().all(is_listed)
    }

    /// Whether nothing more is listed for the file at `place`, which is refused.
    pub(super) fn is_full(&self, place: Place) -> bool {
        self.tallies.get(place.file as usize).is_some_and(|tally| tally.errors > POLICY_DIAGNOSTICS)
    }

    /// The text of the file at `place`.
    pub(super) fn text(&self, place: Place) -> &'t str {
        self.sources.get(place.file as usize).map_or("", |source| &source.text)
    }

    /// `place` for people.
    pub(super) fn position(&self, place: Place) -> Position {
        let file =
            self.sources.get(place.file as usize).map_or_else(|| "".into(), |source| source.path.clone());
        Position { file, line: place.line, column: place.column }
    }

    /// How many errors were found in the file at `place`.
    pub(super) fn errors(&self, place: Place) -> usize {
        self.tallies.get(place.file as usize).map_or(0, |tally| tally.errors)
    }

    /// Whether something found keeps the set from going live.
    pub(super) fn any_error(&self) -> bool {
        self.list.iter().any(|finding| finding.code.severity() == Severity::Error)
    }

    /// The numbers of the files in which errors were found.
    pub(super) fn files_with_errors(&self) -> BTreeSet<u32> {
        (0..).zip(&self.tallies).filter(|(_, tally)| tally.errors > 0).map(|(file, _)| file).collect()
    }

    /// What may have come of files that could not be read says so instead of giving advice. Only a file of `importing`
    /// can miss a variable or constant of another file.
    pub(super) fn blame_unreadable(&mut self, unreadable: &BTreeSet<u32>, importing: &BTreeSet<u32>) {
        for finding in &mut self.list {
            let file = finding.place.file;
            let concerns_others = match finding.code {
                Code::UnknownImport | Code::UnknownDerivedRole | Code::MissingScope => true,
                Code::UndefinedVariable | Code::UndefinedConstant => importing.contains(&file),
                _ => continue,
            };
            let others = unreadable.iter().filter(|other| concerns_others && **other != file);
            let mut names = others.filter_map(|other| Some(&self.sources.get(*other as usize)?.path));
            let Some(first) = names.next() else { continue };
            let hint = match names.count() {
                0 => format!("`{first}` could not be read"),
                1 => format!("`{first}` and another file could not be read"),
                more => format!("`{first}` and {more} other files could not be read"),
            };
            finding.is_follow_up = true;
            finding.hint = Some(printable(&hint));
        }
    }

    /// The diagnostics, ordered by file, line and column, follow-ups last; the same finding met twice is told once.
    pub(super) fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        let mut list = std::mem::take(&mut self.list);
        list.sort();
        list.dedup();
        // The files of a set may have any numbers; a stable sort keeps the order within each.
        list.sort_by_cached_key(|finding| (finding.is_follow_up, self.position(finding.place).file));
        list.into_iter().map(|finding| self.diagnostic(finding)).collect()
    }

    fn diagnostic(&self, finding: Finding) -> Diagnostic {
        let Finding { place, code, message, hint, subject, .. } = finding;
        let position = self.position(place);
        let frame = frame::of(&position, self.text(place), place);
        Diagnostic { code, severity: code.severity(), position, message, hint, frame, subject }
    }
}

/// `text` in one short line that a terminal shows as it is: names come from files, and files from anywhere.
pub(crate) fn printable(text: &str) -> String {
    /// Most characters of a message that are kept.
    const LONGEST: usize = 400;
    let mut line = String::with_capacity(text.len().min(LONGEST));
    for c in text.chars().take(LONGEST) {
        if c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric() {
            line.push(c);
        } else {
            line.extend(c.escape_debug());
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        line.push_str(" ...");
    }
    line
}
