//! Policies in a directory.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use procura_core::limits::POLICY_FILE_BYTES;
use procura_core::policy::SourceFile;

use super::scan::{Found, Scan, Stamp, gone_or_unreadable};
use crate::ports::{PolicySource, SourceError};

/// Most bytes of policy text in one set: what a machine with little memory can hold twice while a set is replaced.
const SET_BYTES: usize = 256 * 1024 * 1024;

/// The files of the policy set below a directory: policies, tests, fixtures and schemas.
#[derive(Clone, Debug)]
pub struct Disk {
    directory: PathBuf,
}

impl Disk {
    /// The policies below `directory`, which may be a link and may appear later.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }
}

impl PolicySource for Disk {
    fn read(&self) -> Result<Vec<SourceFile>, SourceError> {
        let scan = Scan::of(&self.directory)?;
        let mut files = Vec::with_capacity(scan.files.len());
        let mut bytes = 0_usize;
        for found in scan.files {
            let text = read_whole(&found)?;
            bytes = bytes.saturating_add(text.len());
            if bytes > SET_BYTES {
                let directory = self.directory.display();
                return Err(SourceError::TooLarge(format!(
                    "the policies in `{directory}` are larger than {SET_BYTES} bytes together"
                )));
            }
            files.push(SourceFile { path: found.path, text: text.into() });
        }
        Ok(files)
    }

    fn location(&self) -> String {
        self.directory.display().to_string()
    }
}

/// The text of a file that is still what the scan saw, before and after reading.
///
/// A file over the limit is cut one byte behind it, and bytes that are not UTF-8 become U+FFFD: the compiler refuses
/// both with the file's name, together with every other problem of the set.
pub(super) fn read_whole(found: &Found) -> Result<String, SourceError> {
    let unreadable = |source| gone_or_unreadable(&found.real, source);
    let unchanged = |meta: io::Result<Metadata>| match Stamp::of(&meta.map_err(unreadable)?) == found.stamp {
        true => Ok(()),
        false => Err(SourceError::Torn { path: found.real.display().to_string() }),
    };
    // Opening a pipe waits for a writer, who may never come; it must be open to be told from a file.
    let mut file =
        File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&found.real).map_err(unreadable)?;
    unchanged(file.metadata())?;

    let mut bytes = Vec::new();
    let most = POLICY_FILE_BYTES as u64 + 1;
    file.by_ref().take(most).read_to_end(&mut bytes).map_err(unreadable)?;

    unchanged(file.metadata())?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}
