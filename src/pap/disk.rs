//! Policies in a directory.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use procura_core::limits::POLICY_FILE_BYTES;
use procura_core::policy::SourceFile;

use super::scan::{Found, Scan, Stamp, gone_or_unreadable};
use crate::ports::{Extent, PolicySource, SourceError};

/// Most bytes of policy text in one set: what a machine with little memory can hold twice while a set is replaced.
const SET_BYTES: usize = 256 * 1024 * 1024;

/// The files of the policy set below a directory: policies, tests, fixtures and schemas. What was read is kept, since
/// most files of a set that changed have not.
#[derive(Debug)]
pub struct Disk {
    directory: PathBuf,
    /// The last reading, sorted by path within the set.
    kept: Mutex<Vec<Kept>>,
}

#[derive(Clone, Debug)]
struct Kept {
    file: SourceFile,
    stamp: Stamp,
    /// Whether the file cannot have changed since without another stamp.
    is_settled: bool,
}

impl Disk {
    /// The policies below `directory`, which may be a link and may appear later.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), kept: Mutex::default() }
    }

    fn too_large(&self) -> SourceError {
        let directory = self.directory.display();
        SourceError::TooLarge(format!(
            "the policies in `{directory}` are larger than {SET_BYTES} bytes together"
        ))
    }
}

impl PolicySource for Disk {
    fn read(&self, extent: Extent) -> Result<Vec<SourceFile>, SourceError> {
        let began = SystemTime::now();
        let scan = Scan::of(&self.directory)?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut reading = Vec::with_capacity(scan.files.len());
        let mut bytes = 0_usize;
        // Both are sorted by path.
        let mut last = kept.iter().peekable();
        for found in scan.files {
            while last.next_if(|kept| *kept.file.path < *found.path).is_some() {}
            let before = last.next_if(|kept| *kept.file.path == *found.path);
            // INVARIANT(stamps): the text of a file is believed to be known only if every write since it was read must
            // have changed its stamp.
            let known = before
                .filter(|kept| extent == Extent::Changes && kept.is_settled && kept.stamp == found.stamp);
            let now = match known {
                Some(kept) => kept.clone(),
                None => read_anew(&scan.root, found, before, began)?,
            };
            bytes = bytes.saturating_add(now.file.text.len());
            if bytes > SET_BYTES {
                return Err(self.too_large());
            }
            reading.push(now);
        }
        *kept = reading;
        Ok(kept.iter().map(|kept| kept.file.clone()).collect())
    }

    fn location(&self) -> String {
        self.directory.display().to_string()
    }
}

/// Reads `found` below `root` in a reading that `began` then. Text that is the same as `before` shares its memory.
fn read_anew(
    root: &Path,
    found: Found,
    before: Option<&Kept>,
    began: SystemTime,
) -> Result<Kept, SourceError> {
    let text = read_whole(root, &found)?;
    let file = match before.filter(|kept| *kept.file.text == *text) {
        Some(kept) => kept.file.clone(),
        None => SourceFile { path: found.path.into(), text: text.into() },
    };
    Ok(Kept { file, is_settled: found.stamp.is_settled(began), stamp: found.stamp })
}

/// The text of a file below `root` that is still what the scan saw, before and after reading.
///
/// A file over the limit is cut one byte behind it, and bytes that are not UTF-8 become U+FFFD: the compiler refuses
/// both with the file's name, together with every other problem of the set.
pub(super) fn read_whole(root: &Path, found: &Found) -> Result<String, SourceError> {
    let real = root.join(&*found.path);
    let unreadable = |source| gone_or_unreadable(&real, source);
    let unchanged = |meta: io::Result<Metadata>| match Stamp::of(&meta.map_err(unreadable)?) == found.stamp {
        true => Ok(()),
        false => Err(SourceError::Torn { path: real.display().to_string() }),
    };
    // Opening a pipe waits for a writer, who may never come; it must be open to be told from a file.
    let mut file =
        File::options().read(true).custom_flags(libc::O_NONBLOCK).open(&real).map_err(unreadable)?;
    unchanged(file.metadata())?;

    let mut bytes = Vec::new();
    let most = POLICY_FILE_BYTES as u64 + 1;
    file.by_ref().take(most).read_to_end(&mut bytes).map_err(unreadable)?;

    unchanged(file.metadata())?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}
