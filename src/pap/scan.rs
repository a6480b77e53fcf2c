//! A scan: the files of a policy set below a directory, each with a stamp that changes when the file does.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use procura_core::policy::classify;

use crate::ports::SourceError;

/// Deepest nesting of directories below the root; a policy tree follows scopes and teams and is shallow.
pub(super) const DEPTH: usize = 16;

/// Most directory entries looked at in one scan, policy files or not. Bounds the time of a scan when the
/// configured directory is far larger than meant, or when links multiply it.
pub(super) const ENTRIES: usize = 100_000;

/// What a scan finds. Two scans are equal if nothing seems to have changed between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// The directory, without links on the way to it.
    pub root: PathBuf,
    /// The files of the set, sorted by path.
    pub files: Vec<Found>,
    /// Every directory that was looked into, by its real path: a change in one of them may change the set.
    pub directories: BTreeMap<PathBuf, Inode>,
}

/// A file that a scan found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Path within the set and below the root, with forward slashes.
    pub path: Box<str>,
    /// What it looked like.
    pub stamp: Stamp,
}

/// Which file or directory it is, whatever its path: device, inode, and when it was made where the file system knows,
/// because inodes are used again.
pub(super) type Inode = (u64, u64, Option<SystemTime>);

pub(super) fn inode_of(meta: &Metadata) -> Inode {
    (meta.dev(), meta.ino(), meta.created().ok())
}

/// What a file looks like without reading it. ctime is part of it because mtime can be set back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: Inode,
    size: u64,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

/// How long after a file was written another write may leave its stamp as it is: the coarsest time stamps of file
/// systems in use are two seconds apart.
const GRANULARITY: Duration = Duration::from_secs(2);

impl Stamp {
    /// Whether a write at `now` or later must change this stamp.
    pub(super) fn is_settled(&self, now: SystemTime) -> bool {
        let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let Ok(last) = u64::try_from(self.mtime.0.max(self.ctime.0)) else { return false };
        Duration::from_secs(last.saturating_add(1)) + GRANULARITY <= since_epoch
    }

    pub(super) fn of(meta: &Metadata) -> Self {
        Self {
            inode: inode_of(meta),
            size: meta.size(),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            ctime: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

impl Scan {
    /// Scans `directory`.
    ///
    /// The directory itself is resolved once, so that a scan sees one tree even if a link on the way to it is
    /// swapped meanwhile. Links inside are followed as long as they stay inside; hidden names are skipped, so the
    /// versioned directories of a Kubernetes `ConfigMap` mount (`..data` and its targets) are reached only through
    /// the links beside them and each file is seen once.
    pub(super) fn of(directory: &Path) -> Result<Self, SourceError> {
        let root = fs::canonicalize(directory).map_err(|source| unreadable(directory, source))?;
        let mut walk = Walk { root: &root, scan: Self::default(), entries: 0, ancestors: Vec::new() };
        walk.directory("")?;
        let mut scan = walk.scan;
        scan.root = root;
        scan.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(scan)
    }
}

struct Walk<'a> {
    root: &'a Path,
    scan: Scan,
    entries: usize,
    ancestors: Vec<Inode>,
}

impl Walk<'_> {
    fn directory(&mut self, path: &str) -> Result<(), SourceError> {
        // A path that is joined with nothing ends in a slash, which no message should show.
        let real = if path.is_empty() { self.root.to_owned() } else { self.root.join(path) };
        let lost = |source| gone_or_unreadable(&real, source);
        let meta = fs::metadata(&real).map_err(lost)?;
        let inode = inode_of(&meta);
        if self.ancestors.contains(&inode) {
            return Err(refused(&real, "is a link to a directory that contains it"));
        }
        if self.ancestors.len() > DEPTH {
            return Err(refused(&real, &format!("is nested more than {DEPTH} directories deep")));
        }
        self.scan.directories.insert(real.clone(), inode);

        self.ancestors.push(inode);
        for entry in fs::read_dir(&real).map_err(lost)? {
            self.entry(&entry.map_err(lost)?, path)?;
        }
        self.ancestors.pop();
        Ok(())
    }

    fn entry(&mut self, entry: &DirEntry, parent: &str) -> Result<(), SourceError> {
        self.entries += 1;
        if self.entries > ENTRIES {
            let root = self.root.display();
            return Err(SourceError::TooLarge(format!(
                "`{root}` has more than {ENTRIES} entries: point `storage.disk.directory` at the policies alone"
            )));
        }
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(refused(&entry.path(), "has a name that is not UTF-8: rename it"));
        };
        if name.starts_with('.') {
            return Ok(());
        }
        let path = if parent.is_empty() { name.to_owned() } else { [parent, "/", name].concat() };
        let belongs = classify(&path).belongs_to_the_set();
        let meta = match self.resolve(entry)? {
            Target::Here(meta) => meta,
            Target::Astray { is_directory, reason } if belongs || is_directory => {
                return Err(refused(&entry.path(), reason));
            }
            Target::Astray { .. } => return Ok(()),
        };
        if meta.is_dir() {
            return self.directory(&path);
        }
        if !belongs {
            return Ok(());
        }
        // To open a pipe would block, to open a device could do anything.
        if !meta.is_file() {
            return Err(refused(
                &entry.path(),
                "is not a regular file: a pipe, a socket or a device is no part of a policy set",
            ));
        }
        self.scan.files.push(Found { path: path.into(), stamp: Stamp::of(&meta) });
        Ok(())
    }

    /// What `entry` leads to.
    fn resolve(&self, entry: &DirEntry) -> Result<Target, SourceError> {
        let lost = |source| gone_or_unreadable(&entry.path(), source);
        let kind = entry.file_type().map_err(lost)?;
        if !kind.is_symlink() {
            // Relative to the open directory: half the work of walking the whole path.
            return entry.metadata().map(Target::Here).map_err(lost);
        }
        let real = entry.path();
        let target = match fs::canonicalize(&real) {
            Ok(target) => target,
            Err(error) if leads_nowhere(&error) => {
                // What is gone is the target, or else the link itself.
                fs::symlink_metadata(&real).map_err(lost)?;
                return Ok(Target::Astray { is_directory: false, reason: "is a link to nothing" });
            }
            Err(error) => return Err(unreadable(&real, error)),
        };
        let meta = fs::metadata(&target).map_err(lost)?;
        if target.starts_with(self.root) {
            return Ok(Target::Here(meta));
        }
        let reason = "is a link that leads out of the policy directory: put a copy in its place";
        Ok(Target::Astray { is_directory: meta.is_dir(), reason })
    }
}

/// What an entry leads to.
enum Target {
    /// Something inside the root.
    Here(Metadata),
    /// A link to nothing, or out of the root.
    Astray { is_directory: bool, reason: &'static str },
}

fn leads_nowhere(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// An entry that was listed and is gone a moment later was changed while we looked.
pub(super) fn gone_or_unreadable(path: &Path, source: io::Error) -> SourceError {
    if source.kind() == io::ErrorKind::NotFound {
        return SourceError::Torn { path: path.display().to_string() };
    }
    unreadable(path, source)
}

fn unreadable(path: &Path, source: io::Error) -> SourceError {
    SourceError::Read { path: path.display().to_string(), source }
}

fn refused(path: &Path, reason: &str) -> SourceError {
    SourceError::Refused { path: path.display().to_string(), reason: reason.to_owned() }
}
