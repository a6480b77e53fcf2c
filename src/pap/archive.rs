//! Keeps the text of every set that went live, so that a decision can be explained and replayed on the text of its day.
//!
//! A set is believed only if the hash of what is read is its revision.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use procura_core::policy::{Revision, SourceFile};
use serde::{Deserialize, Serialize};

use super::scan::Stamp;
use crate::durable;
use crate::ports::{ArchiveError, PolicyArchive};

/// A directory with one file for each set, `<revision>.json`, files sorted by path:
/// - a whole set: `{"v": 1, "revision": "…", "files": [{"path": "…", "text": "…"}]}`
/// - a set that differs little from another: `{"v": 2, "revision": "…", "base": "…", "files": […], "removed": ["…"]}`,
///   which is the set of revision `base` without `removed` and with `files` added or in the place of those of the same
///   path. The base may be of either form; following bases leads to a whole set.
#[derive(Debug)]
pub struct Archive {
    directory: PathBuf,
    kept: Mutex<Kept>,
}

/// What this process has kept so far.
#[derive(Debug, Default)]
struct Kept {
    /// The file of each set as it was left.
    files: BTreeMap<Revision, Stamp>,
    /// The newest whole set, its files sorted by path.
    base: Option<(Revision, Vec<SourceFile>)>,
}

/// A set is written as a whole unless what differs from the last whole one is smaller than this part of it.
const DIFFERENCE: usize = 8;

/// Most bytes of a file in the archive: the text of the largest set that can go live, every second character escaped.
const FILE_BYTES: u64 = 512 * 1024 * 1024;

/// Most bases that are followed. Every base is a whole set where this version writes.
const BASES: usize = 4;

impl Archive {
    /// The archive in `directory`, which is created when the first set is kept.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), kept: Mutex::default() }
    }

    fn path_of(&self, revision: &Revision) -> PathBuf {
        self.directory.join(format!("{revision}.json"))
    }

    /// The file of the set `at`, which that of `revision` leads to.
    fn read(&self, revision: &Revision, at: &Revision) -> Result<KeptSet, ArchiveError> {
        let damaged = |reason| ArchiveError::Damaged { revision: revision.clone(), reason };
        let mut bytes = Vec::new();
        let read =
            fs::File::open(self.path_of(at)).and_then(|file| file.take(FILE_BYTES).read_to_end(&mut bytes));
        match read {
            Ok(_) => serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound && at == revision => {
                Err(ArchiveError::Missing(revision.clone()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(damaged(format!("the set that it differs from, `{at}`, is gone")))
            }
            Err(source) => Err(ArchiveError::Unreadable { revision: revision.clone(), source }),
        }
    }

    /// Whether the file of `revision` stands as this process left it.
    fn is_intact(&self, kept: &Kept, revision: &Revision) -> bool {
        let stamp = kept.files.get(revision);
        stamp.is_some_and(|left| {
            fs::metadata(self.path_of(revision)).is_ok_and(|meta| Stamp::of(&meta) == *left)
        })
    }
}

impl PolicyArchive for Archive {
    fn keep(&self, revision: &Revision, files: &[SourceFile]) -> io::Result<()> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_intact(&kept, revision) {
            return Ok(());
        }
        let mut files = files.to_vec();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let base = kept.base.as_ref().filter(|(base, _)| base != revision && self.is_intact(&kept, base));
        let difference = base.and_then(|(base, old)| Difference::of(revision, base, old, &files));
        let bytes = match &difference {
            Some(difference) => serde_json::to_vec(difference)?,
            None => serde_json::to_vec(&Whole::of(revision, &files))?,
        };
        let is_whole = difference.is_none();
        let path = self.path_of(revision);
        if !holds(&path, &bytes)? {
            // A sync takes milliseconds, for which a change of policies waits: the way here is seen to once.
            if kept.files.is_empty() || !self.directory.is_dir() {
                durable::create_dir(&self.directory)?;
            }
            // INVARIANT(archive_whole): a file gets its final name only when it is complete and on disk.
            durable::replace(&path, &bytes)?;
        }
        kept.files.insert(revision.clone(), Stamp::of(&fs::metadata(&path)?));
        if is_whole {
            kept.base = Some((revision.clone(), files));
        }
        Ok(())
    }

    fn load(&self, revision: &Revision) -> Result<Vec<SourceFile>, ArchiveError> {
        let mut texts = BTreeMap::new();
        let mut removed = BTreeSet::new();
        let mut next = Some(revision.clone());
        for _ in 0..BASES {
            let Some(at) = next else { break };
            let kept = self.read(revision, &at)?;
            for KeptText { path, text } in kept.files {
                if !removed.contains(&path) {
                    texts.entry(path).or_insert(text);
                }
            }
            removed.extend(kept.removed);
            next = kept.base.as_deref().and_then(Revision::parse);
        }
        let file = |(path, text): (String, String)| SourceFile { path: path.into(), text: text.into() };
        let files: Vec<_> = texts.into_iter().map(file).collect();
        // INVARIANT(archive_believed): what is not the set of this revision is never taken for it.
        if Revision::of(&files) == *revision {
            return Ok(files);
        }
        let reason = "its files do not have this hash".to_owned();
        Err(ArchiveError::Damaged { revision: revision.clone(), reason })
    }
}

/// A file of the archive of either form.
#[derive(Deserialize)]
struct KeptSet {
    #[serde(default)]
    base: Option<String>,
    files: Vec<KeptText>,
    #[serde(default)]
    removed: Vec<String>,
}

#[derive(Deserialize)]
struct KeptText {
    path: String,
    text: String,
}

/// Whether the file at `path` is there and undamaged.
fn holds(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(meta) => Ok(meta.len() == bytes.len() as u64 && fs::read(path)? == bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[derive(Serialize)]
struct Whole<'a> {
    v: u32,
    revision: &'a str,
    files: Vec<KeptFile<'a>>,
}

impl<'a> Whole<'a> {
    fn of(revision: &'a Revision, files: &'a [SourceFile]) -> Self {
        Self { v: 1, revision: revision.as_str(), files: files.iter().map(KeptFile::of).collect() }
    }
}

#[derive(Serialize)]
struct Difference<'a> {
    v: u32,
    revision: &'a str,
    base: &'a str,
    files: Vec<KeptFile<'a>>,
    removed: Vec<&'a str>,
}

impl<'a> Difference<'a> {
    /// How `new` differs from `old`; `None` if it is better kept as a whole.
    fn of(
        revision: &'a Revision,
        base: &'a Revision,
        old: &'a [SourceFile],
        new: &'a [SourceFile],
    ) -> Option<Self> {
        let before: BTreeMap<&str, &SourceFile> = old.iter().map(|file| (&*file.path, file)).collect();
        let paths: BTreeMap<&str, &SourceFile> = new.iter().map(|file| (&*file.path, file)).collect();
        let changed =
            new.iter().filter(|file| before.get(&*file.path).is_none_or(|old| old.text != file.text));
        let files: Vec<_> = changed.map(KeptFile::of).collect();
        let size: usize = files.iter().map(|file| file.text.len()).sum();
        let whole: usize = new.iter().map(|file| file.text.len()).sum();
        let removed = before.keys().copied().filter(|path| !paths.contains_key(path)).collect();
        let (revision, base) = (revision.as_str(), base.as_str());
        (size < whole / DIFFERENCE).then_some(Self { v: 2, revision, base, files, removed })
    }
}

#[derive(Serialize)]
struct KeptFile<'a> {
    path: &'a str,
    text: &'a str,
}

impl<'a> KeptFile<'a> {
    fn of(file: &'a SourceFile) -> Self {
        Self { path: &file.path, text: &file.text }
    }
}

#[cfg(test)]
mod tests {
    use procura_testkit::temp_dir::TempDir;

    use super::*;

    #[test]
    fn kept_set_has_the_text_of_every_file_and_is_written_once() {
        let directory = TempDir::new("archive");
        let archive = Archive::new(directory.path().join("policies"));
        let files = [file("b.yaml", "two"), file("a.yaml", "one")];
        let revision = Revision::of(&files);

        archive.keep(&revision, &files).unwrap();
        let path = directory.path().join("policies").join(format!("{revision}.json"));
        let kept: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(kept["files"][0]["path"], "a.yaml");
        assert_eq!(kept["files"][1]["text"], "two");

        let written = fs::metadata(&path).unwrap().modified().unwrap();
        archive.keep(&revision, &files).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
        assert_eq!(fs::read_dir(directory.path().join("policies")).unwrap().count(), 1);
    }

    #[test]
    fn set_that_was_damaged_in_the_archive_is_written_again() {
        let directory = TempDir::new("archive");
        let archive = Archive::new(directory.path());
        let files = [file("a.yaml", "one")];
        let revision = Revision::of(&files);
        archive.keep(&revision, &files).unwrap();
        let path = directory.path().join(format!("{revision}.json"));
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[5] ^= 1;

        for damaged in [flipped, whole[..whole.len() / 2].to_vec(), Vec::new()] {
            fs::write(&path, damaged).unwrap();
            archive.keep(&revision, &files).unwrap();
            assert_eq!(fs::read(&path).unwrap(), whole);
        }
    }

    #[test]
    fn small_change_is_kept_as_a_difference_from_a_whole_set_that_is_intact() {
        let directory = TempDir::new("archive");
        let archive = Archive::new(directory.path());
        let long = "x".repeat(1000);
        let sets = [
            vec![file("a.yaml", &long), file("b.yaml", "one"), file("c.yaml", "gone")],
            vec![file("d.yaml", "new"), file("b.yaml", "two"), file("a.yaml", &long)],
        ];
        let revisions = sets.each_ref().map(|set| Revision::of(set));
        let kept = |n: usize| -> serde_json::Value {
            serde_json::from_slice(&fs::read(archive.path_of(&revisions[n])).unwrap()).unwrap()
        };
        for n in [0, 1, 0] {
            archive.keep(&revisions[n], &sets[n]).unwrap();
        }
        assert_eq!(kept(0)["files"].as_array().unwrap().len(), 3);
        let difference = serde_json::json!({
            "v": 2, "revision": revisions[1].as_str(), "base": revisions[0].as_str(), "removed": ["c.yaml"],
            "files": [{"path": "b.yaml", "text": "two"}, {"path": "d.yaml", "text": "new"}],
        });
        assert_eq!(kept(1), difference);

        fs::write(archive.path_of(&revisions[0]), "damaged").unwrap();
        fs::remove_file(archive.path_of(&revisions[1])).unwrap();
        archive.keep(&revisions[1], &sets[1]).unwrap();
        assert_eq!(kept(1)["files"].as_array().unwrap().len(), 3, "a base that is damaged is no base");
    }

    #[test]
    fn kept_set_is_read_again_and_believed_only_if_it_has_its_hash() {
        let directory = TempDir::new("archive");
        let archive = Archive::new(directory.path());
        let long = "x\"\n\u{1}".repeat(1000);
        let whole = vec![file("a.yaml", &long), file("b.yaml", "one"), file("c.yaml", "gone")];
        let changed = vec![file("a.yaml", &long), file("b.yaml", "two"), file("d.yaml", "new")];
        let revisions = [&whole, &changed].map(|set| Revision::of(set));
        for (revision, set) in revisions.iter().zip([&whole, &changed]) {
            archive.keep(revision, set).unwrap();
            assert_eq!(archive.load(revision).unwrap(), *set);
        }
        let unknown = Revision::of(&[]);
        assert!(matches!(archive.load(&unknown), Err(ArchiveError::Missing(_))));

        let path = archive.path_of(&revisions[1]);
        let text = fs::read_to_string(&path).unwrap();
        for damaged in [
            text.replace("two", "tow"),
            text.replace("\"removed\":[\"c.yaml\"]", "\"removed\":[]"),
            text.replace(revisions[0].as_str(), revisions[1].as_str()),
            text.replace(revisions[0].as_str(), unknown.as_str()),
            text.replace(revisions[0].as_str(), "../../secret"),
            text.chars().take(text.len() / 2).collect(),
            String::new(),
        ] {
            fs::write(&path, damaged).unwrap();
            assert!(matches!(archive.load(&revisions[1]), Err(ArchiveError::Damaged { .. })));
        }
        fs::write(&path, text).unwrap();
        fs::remove_file(archive.path_of(&revisions[0])).unwrap();
        let lost = archive.load(&revisions[1]).unwrap_err().to_string();
        assert!(lost.contains("the set that it differs from"), "{lost}");
    }

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.into(), text: text.into() }
    }
}
