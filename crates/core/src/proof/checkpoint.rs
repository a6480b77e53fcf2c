//! Size and root of a tree as text (<https://c2sp.org/tlog-checkpoint>).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Hash;

/// What is signed: the state of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log it is, such as `pdp.example.com/decisions`: no line break in it, and not empty.
    pub origin: String,
    /// How many records the log has.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
    /// Lines of our own, after those that everybody reads; none is empty.
    pub extensions: Vec<String>,
}

/// Why a text is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// A line is missing or empty, or the text does not end with a line break.
    #[error("a checkpoint has lines for its origin, its size and its root, and none is empty")]
    Lines,
    /// The size is no decimal number, or has a zero in front.
    #[error("the second line of a checkpoint is its size as a decimal number")]
    Size,
    /// The root is not 32 bytes in base64.
    #[error("the third line of a checkpoint is the root, 32 bytes in base64")]
    Root,
}

impl Checkpoint {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// If `text` is none.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let lines: Vec<&str> = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?.split('\n').collect();
        let [origin, size, root, extensions @ ..] = &lines[..] else {
            return Err(CheckpointError::Lines);
        };
        if lines.iter().any(|line| line.is_empty()) {
            return Err(CheckpointError::Lines);
        }
        let is_canonical = |size: &u64| size.to_string() == *lines.get(1).copied().unwrap_or_default();
        let size = size.parse().ok().filter(is_canonical).ok_or(CheckpointError::Size)?;
        let root = STANDARD.decode(root).ok().and_then(|bytes| bytes.try_into().ok());
        let root = Hash::from_bytes(root.ok_or(CheckpointError::Root)?);
        let extensions = extensions.iter().map(|line| (*line).to_owned()).collect();
        Ok(Self { origin: (*origin).to_owned(), size, root, extensions })
    }
}

impl fmt::Display for Checkpoint {
    /// The text that is signed, with its last line break.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let checkpoint = Checkpoint {
            origin: "pdp.example.com/decisions".to_owned(),
            size: 20_852_163,
            root: Hash::leaf(b"x"),
            extensions: vec!["a line of our own".to_owned()],
        };
        assert_eq!(Checkpoint::parse(&checkpoint.to_string()), Ok(checkpoint.clone()));
        let plain = Checkpoint { extensions: Vec::new(), ..checkpoint };
        assert_eq!(plain.to_string().lines().count(), 3);
        assert_eq!(Checkpoint::parse(&plain.to_string()), Ok(plain));
    }

    #[test]
    fn texts_that_are_no_checkpoints_are_refused() {
        use CheckpointError::{Lines, Root, Size};
        let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
        for (text, error) in [
            (String::new(), Lines),
            ("o\n1\n".to_owned(), Lines),
            (format!("o\n1\n{root}"), Lines),
            (format!("\n1\n{root}\n"), Lines),
            (format!("o\n1\n{root}\n\n"), Lines),
            (format!("o\n01\n{root}\n"), Size),
            (format!("o\n+1\n{root}\n"), Size),
            (format!("o\n-1\n{root}\n"), Size),
            (format!("o\n18446744073709551616\n{root}\n"), Size),
            ("o\n1\nCsUY\n".to_owned(), Root),
            ("o\n1\nno base64\n".to_owned(), Root),
        ] {
            assert_eq!(Checkpoint::parse(&text), Err(error), "{text:?}");
        }
    }
}
