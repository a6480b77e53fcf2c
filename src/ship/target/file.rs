//! Files of records: one per line, appended; when the file is large enough it is renamed and a new one begun.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::lines;
use crate::durable::{self, private_file};
use crate::ship::failure::Failure;
use crate::ship::feed::Parcel;
use crate::ship::settings::FileSettings;

/// Bytes that are looked at once for the end of the last whole line.
const PIECE: u64 = 64 * 1024;

/// Appends records to files.
pub(in crate::ship) struct FileTarget {
    settings: FileSettings,
    /// The file that was written last, if it is not known to be on disk.
    unsynced: Option<File>,
}

impl FileTarget {
    pub(super) fn new(settings: FileSettings) -> Self {
        Self { settings, unsynced: None }
    }

    /// Writes `batch` behind the last whole line. What could only be written in part is taken back, now or by the next
    /// attempt.
    pub(super) fn append(&mut self, batch: &[Parcel]) -> Result<(), Failure> {
        let text = lines(batch);
        let (file, len) = self.open()?;
        let (mut file, len) = if len > 0 && len + text.len() as u64 > self.settings.max_bytes {
            self.keep_track(file);
            self.rotate()?;
            self.open()?
        } else {
            (file, len)
        };
        let written = file.write_all(&text);
        if written.is_err() {
            // If it cannot be cut, the next attempt finds a line without an end.
            let _ = file.set_len(len);
        }
        self.keep_track(file);
        written.map_err(Failure::file("write", &self.settings.path))
    }

    /// Makes everything that was written durable.
    pub(super) fn settle(&mut self) -> Result<(), Failure> {
        let Some(file) = self.unsynced.take() else { return Ok(()) };
        let path = &self.settings.path;
        file.sync_all().map_err(|error| Failure::Unsynced(path.display().to_string(), error))
    }

    /// The newest file and its length, all of it whole lines.
    fn open(&mut self) -> Result<(File, u64), Failure> {
        let path = self.settings.path.clone();
        let fail = |error| Failure::file("open", &path)(error);
        let is_new = !path.exists();
        let mut file = private_file().read(true).append(true).create(true).open(&path).map_err(fail)?;
        if let Some(last) = &self.unsynced
            && !is_same(last, &file).map_err(fail)?
        {
            self.settle()?;
        }
        if is_new {
            sync_directory_of(&path).map_err(fail)?;
        }
        let len = whole_lines(&mut file).map_err(Failure::file("mend the end of", &path))?;
        Ok((file, len))
    }

    fn keep_track(&mut self, file: File) {
        self.unsynced = Some(file);
    }

    /// Renames every file to the next number, so that there is room for a new one; the oldest goes.
    fn rotate(&mut self) -> Result<(), Failure> {
        self.settle()?;
        let path = &self.settings.path;
        for number in (0..self.settings.keep).rev() {
            match fs::rename(numbered(path, number), numbered(path, number + 1)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                renamed => renamed.map_err(Failure::file("rename", path))?,
            }
        }
        sync_directory_of(path).map_err(Failure::file("rename", path))
    }
}

/// The file of `number`; 0 is the newest.
fn numbered(path: &Path, number: u32) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn is_same(a: &File, b: &File) -> io::Result<bool> {
    let (a, b) = (a.metadata()?, b.metadata()?);
    Ok((a.dev(), a.ino()) == (b.dev(), b.ino()))
}

fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    durable::sync_dir(directory.unwrap_or(Path::new(".")))
}

/// The length of `file` once a line without an end, which an interrupted write leaves, is cut from it.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let len = file.metadata()?.len();
    let mut end = len;
    while end > 0 {
        let start = end.saturating_sub(if end == len { 1 } else { PIECE });
        let mut piece = Vec::new();
        file.seek(SeekFrom::Start(start))?;
        file.take(end - start).read_to_end(&mut piece)?;
        if let Some(at) = memchr::memrchr(b'\n', &piece) {
            end = start + at as u64 + 1;
            break;
        }
        end = start;
    }
    if end < len {
        file.set_len(end)?;
    }
    Ok(end)
}

#[cfg(test)]
mod tests {
    use procura_core::record::ChainHash;
    use procura_testkit::temp_dir::TempDir;

    use super::*;

    fn parcel(seq: u64, len: usize) -> Parcel {
        let payload = format!("\"{}\"", "x".repeat(len)).into_bytes();
        Parcel { seq, at: 0, hash: ChainHash::GENESIS, payload }
    }

    fn seqs(path: &Path) -> Vec<u64> {
        let text = fs::read_to_string(path).unwrap_or_default();
        let seq =
            |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap();
        text.lines().map(seq).collect()
    }

    fn target(dir: &TempDir, max_bytes: u64) -> (FileTarget, PathBuf) {
        let path = dir.path().join("log.ndjson");
        (FileTarget::new(FileSettings { path: path.clone(), max_bytes, keep: 2 }), path)
    }

    #[test]
    fn full_file_is_renamed_and_only_as_many_are_kept_as_asked_for() {
        let dir = TempDir::new("ship-file");
        let (mut target, path) = target(&dir, 500);
        for seq in 1..=10 {
            target.append(&[parcel(seq, 100)]).unwrap();
        }
        target.append(&[parcel(11, 2000), parcel(12, 1)]).unwrap();
        target.append(&[parcel(13, 1)]).unwrap();
        target.settle().unwrap();
        let files = [0, 1, 2, 3].map(|number| seqs(&numbered(&path, number)));
        assert_eq!(files, [vec![13], vec![11, 12], vec![9, 10], vec![]]);
    }

    #[test]
    fn line_without_an_end_is_cut_however_long_it_is() {
        let dir = TempDir::new("ship-file");
        let (mut target, path) = target(&dir, 1 << 30);
        for (before, torn) in [(0, 1), (0, 70_000), (1, 1), (1, 65_536), (1, 200_000)] {
            let _ = fs::remove_file(&path);
            if before > 0 {
                target.append(&[parcel(1, 10)]).unwrap();
            }
            let mut file = File::options().append(true).create(true).open(&path).unwrap();
            file.write_all("y".repeat(torn).as_bytes()).unwrap();
            target.append(&[parcel(2, 10)]).unwrap();
            assert_eq!(seqs(&path), (2 - before..=2).collect::<Vec<_>>(), "{before} {torn}");
        }
    }

    #[test]
    fn file_that_somebody_moves_away_is_begun_anew() {
        let dir = TempDir::new("ship-file");
        let (mut target, path) = target(&dir, 1 << 30);
        target.append(&[parcel(1, 10)]).unwrap();
        fs::rename(&path, dir.path().join("moved")).unwrap();
        target.append(&[parcel(2, 10)]).unwrap();
        target.settle().unwrap();
        assert_eq!((seqs(&dir.path().join("moved")), seqs(&path)), (vec![1], vec![2]));
    }
}
