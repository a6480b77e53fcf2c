//! The lines around a place, as the peer shows them.

use procura_core::policy::{Position, SourceFile};

/// How many lines are shown before and after the place.
const AROUND: usize = 3;

/// The lines around `position`, numbered, with a mark below it.
pub(super) fn of(files: &[SourceFile], position: &Position) -> String {
    let Some(file) = files.iter().find(|file| file.path == position.file) else {
        return String::new();
    };
    let marked = position.line as usize;
    let mut text = String::new();
    let lines = (1..).zip(file.text.lines()).skip(marked.saturating_sub(AROUND + 1));
    for (number, line) in lines.take_while(|(number, _)| *number <= marked + AROUND) {
        let mark = if number == marked { '>' } else { ' ' };
        text.push_str(&format!("{mark}{number:>3} | {line}\n"));
        if number == marked {
            let column = (position.column as usize).min(line.chars().count() + 1);
            text.push_str(&format!("{:>width$}\n", "^", width = column + 7));
        }
    }
    text
}
