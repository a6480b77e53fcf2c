//! How a diagnostic looks: a title, the source around the place with the place marked, a hint.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::diagnostic::{Diagnostic, Severity};
use super::findings::printable;
use super::source::Position;
use super::yaml::Place;

/// Widest stretch of a source line that is shown, in characters.
const WIDTH: usize = 120;

/// A diagnostic as text of several lines, without colours.
#[must_use]
pub fn render(diagnostic: &Diagnostic) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let code = diagnostic.code.as_str();
    let help = match diagnostic.hint.as_deref().or_else(|| diagnostic.code.advice()) {
        Some(hint) => format!("  = help: {hint}\n"),
        None => String::new(),
    };
    format!("{severity}[{code}]: {}\n{}\n{help}", diagnostic.message, diagnostic.frame)
}

/// The source line of `place` with the place marked.
pub(crate) fn of(position: &Position, text: &str, place: Place) -> String {
    let line = text.lines().nth(place.line.saturating_sub(1) as usize).unwrap_or_default();
    let line = line.trim_start_matches('\u{feff}');
    let (shown, span, first_column) = window(line, place);
    let snippet = Snippet::source(shown)
        .line_start(place.line as usize)
        .fold(false)
        .annotation(AnnotationKind::Primary.span(span));
    let rendered = Renderer::plain().render(&[Group::with_level(Level::ERROR).element(snippet)]);
    let cut = if first_column > 1 { format!(" (shown from column {first_column})") } else { String::new() };
    format!(" --> {}{cut}\n{rendered}", printable(&position.to_string()))
}

/// The part of `line` to show, the byte range to mark in it, and the column at which the part begins.
fn window(line: &str, place: Place) -> (String, Range<usize>, usize) {
    let column = (place.column as usize).saturating_sub(1);
    let fits = line.chars().nth(WIDTH).is_none();
    let from = if fits { 0 } else { column.saturating_sub(WIDTH / 2) };
    let shown: String = line.chars().skip(from).take(WIDTH).collect();
    let lead: usize = shown.chars().take(column - from).map(char::len_utf8).sum();
    let length =
        (place.end.saturating_sub(place.start) as usize).clamp(1, shown.len().saturating_sub(lead).max(1));
    let mut end = (lead + length).min(shown.len());
    while !shown.is_char_boundary(end) {
        end += 1;
    }
    (shown, lead..end, from + 1)
}
