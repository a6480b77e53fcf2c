//! Files and directories that survive a power cut, and that nobody but their owner may read.

use std::ffi::CString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Creates `dir` and what is missing above it, for the owner alone. The way to `dir` is durable when this returns,
/// also if an earlier process ended before it could see to that. What exists keeps its permissions.
pub(crate) fn create_dir(dir: &Path) -> io::Result<()> {
    create_with(dir, &mut sync_dir)
}

/// Makes the names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Gives the file `path` this content, durably and at once: whoever reads it finds all of the old one or all of the new one.
/// It is for the owner alone, and so is what stands beside it meanwhile, its name with `.tmp` behind it.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".tmp");
    let mut file = private_file().create(true).write(true).truncate(true).open(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    parent(path).map_or(Ok(()), sync_dir)
}

/// Options to open a file with; if that creates it, it is for the owner alone.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// How many bytes a process without privileges may still write to the disk that holds `path`.
pub(crate) fn free_bytes(path: &Path) -> io::Result<u64> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut found = MaybeUninit::<libc::statvfs>::uninit();
    #[expect(unsafe_code, reason = "the standard library does not ask for the space that is left")]
    // SAFETY: `path` ends with a zero byte and outlives the call, which writes to `found` and keeps neither.
    let failed = unsafe { libc::statvfs(path.as_ptr(), found.as_mut_ptr()) };
    if failed != 0 {
        return Err(io::Error::last_os_error());
    }
    #[expect(unsafe_code, reason = "as above")]
    // SAFETY: the call succeeded, so it has filled `found`.
    let found = unsafe { found.assume_init() };
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// INVARIANT(durable_way): a directory is created only once the name of the one above it is durable, so of those that
/// exist only the last can have a name that is not.
fn create_with(dir: &Path, sync: &mut dyn FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let above = parent(dir);
    if dir.is_dir() {
        return above.map_or(Ok(()), |above| unless_not_ours(sync(above)));
    }
    let Some(above) = above else {
        return Err(io::ErrorKind::NotFound.into());
    };
    create_with(above, sync)?;
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
        created => created?,
    }
    sync(above)
}

/// The directory that holds the name of `dir`; none holds that of the root or of the working directory.
fn parent(dir: &Path) -> Option<&Path> {
    match dir.parent() {
        Some(parent) if parent.as_os_str().is_empty() => (dir != Path::new(".")).then_some(Path::new(".")),
        parent => parent,
    }
}

/// A directory that may not be read, or whose file system knows no sync, holds no name that this server created.
fn unless_not_ours(synced: io::Result<()>) -> io::Result<()> {
    match synced {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput) =>
        {
            Ok(())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use procura_testkit::temp_dir::TempDir;

    use super::*;

    fn synced(dir: &Path) -> Vec<PathBuf> {
        let mut synced = Vec::new();
        let mut note = |dir: &Path| {
            synced.push(dir.to_owned());
            Ok(())
        };
        create_with(dir, &mut note).unwrap();
        assert!(dir.is_dir());
        synced
    }

    #[test]
    fn name_of_every_created_directory_is_made_durable() {
        let top = TempDir::new("durable");
        let (top, a, ab) = (top.path(), top.path().join("a"), top.path().join("a/b"));
        let above = top.parent().unwrap();
        assert_eq!(synced(&ab.join("c")), [above, top, &*a, &*ab]);
        assert_eq!(synced(&ab.join("d")), [&*a, &*ab], "the name of `b` may not be durable yet");
        assert_eq!(synced(&ab), [&*a], "nor that of a directory which exists");
        create_dir(&top.join("e/f")).unwrap();
    }

    #[test]
    fn replaced_file_is_whole_its_owners_alone_and_alone_in_its_directory() {
        let top = TempDir::new("durable");
        let path = top.path().join("name.with.dots");
        for content in ["first", "the second is longer", ""] {
            replace(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            assert_eq!(fs::read_dir(top.path()).unwrap().count(), 1);
        }
        assert!(replace(&top.path().join("missing/name"), b"").is_err());
    }

    #[test]
    fn relative_directories_begin_in_the_working_directory() {
        for (dir, above) in
            [("a", Some(".")), ("a/b", Some("a")), ("./a", Some(".")), (".", None), ("/", None)]
        {
            assert_eq!(parent(Path::new(dir)), above.map(Path::new), "{dir}");
        }
    }

    #[test]
    fn what_is_created_is_for_its_owner_alone_and_what_exists_stays_as_it_is() {
        let top = TempDir::new("private");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let shared = top.path().join("shared");
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o750)).unwrap();

        create_dir(&shared.join("data/log")).unwrap();
        let file = shared.join("data/log/file");
        private_file().create(true).append(true).open(&file).unwrap();
        assert_eq!(mode(&shared), 0o750);
        assert_eq!(mode(&shared.join("data")), 0o700);
        assert_eq!(mode(&shared.join("data/log")), 0o700);
        assert_eq!(mode(&file), 0o600);
    }

    #[test]
    fn way_through_a_file_is_refused() {
        let top = TempDir::new("durable");
        top.write("file", "");
        assert!(create_dir(&top.path().join("file/log")).is_err());
        assert!(create_dir(&top.path().join("file")).is_err());
        assert!(create_dir(Path::new("")).is_err());
    }
}
