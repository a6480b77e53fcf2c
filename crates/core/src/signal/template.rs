//! Names made of the texts of an identifier: `user:{sub}`.

use super::identifier::{Format, Simple};
use crate::limits::SUBJECT_TEXT_BYTES;

/// A name with gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Fixed(Box<str>),
    Gap(&'static str),
}

impl Template {
    /// Parses `text`, whose gaps are texts of `format`; there is at least one, or all names were the same.
    ///
    /// # Errors
    /// What is wrong with it: lower-case, no final stop.
    pub(super) fn parse(text: &str, format: Format) -> Result<Self, String> {
        let template = Self::parse_or_fixed(text, format)?;
        if !template.0.iter().any(|piece| matches!(piece, Piece::Gap(_))) {
            return Err(format!("name at least one of {}", placeholders(format)));
        }
        Ok(template)
    }

    /// As [`Template::parse`], but there may be no gaps.
    pub(super) fn parse_or_fixed(text: &str, format: Format) -> Result<Self, String> {
        if text.len() > SUBJECT_TEXT_BYTES {
            return Err(format!("a name has at most {SUBJECT_TEXT_BYTES} bytes"));
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((fixed, behind)) = rest.split_once('{') {
            let (name, behind) = behind.split_once('}').ok_or("`{` has no `}`")?;
            if fixed.is_empty() && !pieces.is_empty() {
                // Otherwise two identifiers could come to the same name, the one by what is left out of the other.
                return Err("two placeholders need a text between them".to_owned());
            }
            pieces.extend(fixed_piece(fixed)?);
            pieces.push(Piece::Gap(gap(name, format)?));
            rest = behind;
        }
        pieces.extend(fixed_piece(rest)?);
        Ok(Self(pieces))
    }

    /// The name; `None` if the identifier does not have all the texts.
    pub(super) fn fill(&self, simple: &Simple) -> Option<String> {
        let mut name = String::new();
        for piece in &self.0 {
            name.push_str(match piece {
                Piece::Fixed(text) => text,
                Piece::Gap(text) => simple.text(text)?,
            });
        }
        Some(name)
    }
}

fn fixed_piece(text: &str) -> Result<Option<Piece>, String> {
    if text.contains('}') {
        return Err("`}` has no `{`".to_owned());
    }
    Ok((!text.is_empty()).then(|| Piece::Fixed(text.into())))
}

fn gap(name: &str, format: Format) -> Result<&'static str, String> {
    texts(format)
        .find(|known| *known == name)
        .ok_or_else(|| format!("`{{{name}}}` is none of {}", placeholders(format)))
}

fn texts(format: Format) -> impl Iterator<Item = &'static str> {
    format.required().iter().chain(format.optional()).copied()
}

fn placeholders(format: Format) -> String {
    texts(format).map(|text| format!("`{{{text}}}`")).collect::<Vec<_>>().join(", ")
}
