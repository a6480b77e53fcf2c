//! Do the tests of the core notice when the code is wrong? A random sample of small changes, each made in a copy of
//! the tree and tried against the tests.

pub mod find;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{fs, io};

use anyhow::{Context, bail, ensure};

use crate::rng::Rng;
use find::Mutant;

/// The tests of the core, quickest to notice first, all of them last.
const STAGES: &[&[&str]] = &[
    &["--test", "decisions", "--test", "explanations"],
    &["--lib", "engine"],
    &["--test", "properties"],
    &["--tests"],
];

/// Seconds of the processor that one process may take: several times what the longest test needs, and enough for
/// every build. Time on the clock would depend on what else the machine has to do.
const TEST: u32 = 60;
const BUILD: u32 = 600;

/// What to change, and how often.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The workspace.
    pub root: PathBuf,
    /// Directory or file below it.
    pub path: PathBuf,
    /// Where the copy is made and built; kept, so that the next trial builds less.
    pub copy: PathBuf,
    /// How many changes that compile.
    pub sample: usize,
    /// Chooses them.
    pub seed: u64,
}

/// What came of the trial.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// How many changes there are to choose from.
    pub candidates: usize,
    /// Changes that do not compile; they count for nothing.
    pub unviable: usize,
    /// Changes that some test noticed.
    pub killed: usize,
    /// Changes that no test noticed: file, line, and the line as it was and as it became.
    pub survivors: Vec<String>,
}

/// What the tests say to one change.
enum Noticed {
    DoesNotCompile,
    Killed,
    Survived,
}

/// What is done with the tests of one stage.
#[derive(Clone, Copy)]
enum Do {
    Build,
    Run,
}

/// Runs the trial.
///
/// # Errors
///
/// The tree cannot be copied, or the tests fail without any change.
pub fn run(trial: &Trial, mut progress: impl FnMut(&Outcome)) -> anyhow::Result<Outcome> {
    copy_tree(&trial.root, &trial.copy)?;
    for stage in STAGES {
        ensure!(cargo(trial, stage, Do::Build)?, "the tests do not build without any change");
        ensure!(cargo(trial, stage, Do::Run)?, "{stage:?} fails without any change");
    }
    let mut candidates = candidates(&trial.copy, &trial.path)?;
    let mut outcome = Outcome { candidates: candidates.len(), ..Outcome::default() };
    let mut rng = Rng::new(trial.seed);
    while outcome.killed + outcome.survivors.len() < trial.sample && !candidates.is_empty() {
        let (file, mutant) = candidates.swap_remove(rng.below(candidates.len()));
        let path = trial.copy.join(&file);
        let text = fs::read_to_string(&path)?;
        let changed = find::mutated(&text, &mutant);
        fs::write(&path, &changed)?;
        let noticed = noticed(trial);
        fs::write(&path, &text)?;
        match noticed? {
            Noticed::DoesNotCompile => outcome.unviable += 1,
            Noticed::Killed => outcome.killed += 1,
            Noticed::Survived => outcome.survivors.push(described(&file, &mutant, &text, &changed)),
        }
        progress(&outcome);
    }
    Ok(outcome)
}

fn noticed(trial: &Trial) -> anyhow::Result<Noticed> {
    for stage in STAGES {
        if !cargo(trial, stage, Do::Build)? {
            return Ok(Noticed::DoesNotCompile);
        }
        if !cargo(trial, stage, Do::Run)? {
            return Ok(Noticed::Killed);
        }
    }
    Ok(Noticed::Survived)
}

/// Builds or runs the tests of one stage; whether that succeeds.
fn cargo(trial: &Trial, stage: &[&str], what: Do) -> anyhow::Result<bool> {
    let (seconds, only_build) = match what {
        Do::Build => (BUILD, Some("--no-run")),
        Do::Run => (TEST, None),
    };
    let status = Command::new("prlimit")
        .arg(format!("--cpu={seconds}"))
        .args(["cargo", "test", "--offline", "--quiet", "-p", "procura-core"])
        .args(stage)
        .args(only_build)
        .current_dir(&trial.copy)
        .env("CARGO_TARGET_DIR", trial.copy.join("target"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        // Built hardly more slowly, and run two to three times as fast.
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        // The same cases for every change, and none remembered from the one before.
        .env("PROPTEST_RNG_SEED", trial.seed.to_string())
        .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1")
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cannot run cargo")?;
    Ok(status.success())
}

/// Every change of every file of code below `path`, in a fixed order.
fn candidates(root: &Path, path: &Path) -> anyhow::Result<Vec<(PathBuf, Mutant)>> {
    let mut files = Vec::new();
    let mut pending = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        if !root.join(&path).is_dir() {
            files.push(path);
            continue;
        }
        for entry in fs::read_dir(root.join(&path))? {
            pending.push(path.join(entry?.file_name()));
        }
    }
    files.retain(|file| file.extension().is_some_and(|kind| kind == "rs"));
    files.retain(|file| file.file_stem().is_none_or(|name| name != "tests"));
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let text = fs::read_to_string(root.join(&file))?;
        found.extend(find::mutants(&text).into_iter().map(|mutant| (file.clone(), mutant)));
    }
    if found.is_empty() {
        bail!("there is nothing to change below {}", path.display());
    }
    Ok(found)
}

/// Copies the files under version control; those that are the same stay untouched, so that less is built.
fn copy_tree(from: &Path, to: &Path) -> anyhow::Result<()> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(from).output()?;
    ensure!(listed.status.success(), "{} is no working tree of git", from.display());
    for path in String::from_utf8(listed.stdout)?.split('\0').filter(|path| !path.is_empty()) {
        let content = match fs::read(from.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            content => content?,
        };
        let target = to.join(path);
        if fs::read(&target).is_ok_and(|known| known == content) {
            continue;
        }
        fs::create_dir_all(target.parent().unwrap_or(to))?;
        fs::write(&target, content)?;
    }
    Ok(())
}

fn described(file: &Path, mutant: &Mutant, before: &str, after: &str) -> String {
    let line = |text: &str| text.lines().nth(mutant.line - 1).unwrap_or_default().trim().to_owned();
    format!("{}:{}: `{}` became `{}`", file.display(), mutant.line, line(before), line(after))
}
