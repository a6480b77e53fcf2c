//! Reading, compiling and showing a directory of policies, as every subcommand does it.

use std::fmt::Display;
use std::path::Path;
use std::thread;

use anyhow::{Context, anyhow, bail};
use procura_core::limits::COMPILE_STACK_BYTES;
use procura_core::policy::{self, Compiled, Diagnostic, FileKind, Severity, SourceFile, classify};

use super::print_error;
use crate::pap::Disk;
use crate::ports::{Extent, PolicySource};

/// The policies of `directory`, compiled, and in how many files they are.
///
/// # Errors
/// If they cannot be read; what is wrong with their text is in the diagnostics.
pub(super) fn compile(directory: &Path) -> anyhow::Result<(usize, Compiled)> {
    let files = read(directory)?;
    let count = warn_if_none(directory, &files);
    Ok((count, compile_files(files)?))
}

/// How many of the `files` of `directory` are policies; none is no error, but told.
pub(super) fn warn_if_none(directory: &Path, files: &[SourceFile]) -> usize {
    let count = files.iter().filter(|file| classify(&file.path) == FileKind::Policy).count();
    if count == 0 {
        let directory = directory.display();
        print_error(&format!("warning: no policy file in `{directory}`: every request will be denied\n"));
    }
    count
}

/// The files of `directory`, tests and schemas included.
pub(super) fn read(directory: &Path) -> anyhow::Result<Vec<SourceFile>> {
    require_directory(directory, "")?;
    Ok(Disk::new(directory).read(Extent::Whole)?)
}

/// Refuses a directory that is not there; `mend` continues that sentence.
pub(super) fn require_directory(directory: &Path, mend: &str) -> anyhow::Result<()> {
    let shown = directory.display();
    match directory.metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => bail!("`{shown}` is not a directory: name the directory that holds the policies"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("there is no directory `{shown}`{mend}")
        }
        Err(error) => Err(error).with_context(|| format!("cannot read the directory `{shown}`")),
    }
}

/// All findings, ready to be shown, each followed by an empty line, and a line that counts them.
pub(super) fn report(diagnostics: &[Diagnostic]) -> String {
    let mut text: String =
        diagnostics.iter().map(|found| format!("{}\n\n", policy::render(found).trim_end())).collect();
    let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    text.push_str(&format!("{} and {}\n", counted(errors, "error"), counted(warnings, "warning")));
    text
}

/// `1 file`, `2 files`.
pub(super) fn counted<N: Copy + Display + PartialEq + From<u8>>(number: N, noun: &str) -> String {
    if number == N::from(1) { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Compiles `files` on a thread with the stack that it takes.
pub(super) fn compile_files(files: Vec<SourceFile>) -> anyhow::Result<Compiled> {
    let builder = thread::Builder::new().name("policy-compile".into()).stack_size(COMPILE_STACK_BYTES);
    let compiling = builder.spawn(move || policy::compile(&files)).context("cannot start a thread")?;
    compiling.join().map_err(|_| anyhow!("compiling the policies failed: this is a defect, please report it"))
}
