//! Do the tests of the core notice when the code is wrong? A random sample of small changes, made in a copy of the tree
//! and tried against the tests. All of them are built at once, each behind a switch.

mod build;
pub mod find;
pub mod switch;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{fs, io, thread};

use anyhow::{bail, ensure};

use crate::rng::Rng;
use build::{Built, Tests, build};
use find::Mutant;
use switch::{SWITCH, Switched, bodies, switched};

/// The root of the crate that is changed.
const CRATE_ROOT: &str = "crates/core/src/lib.rs";

/// For so many changes in a sample one more is built, as some do not compile.
const SPARE: usize = 4;

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

/// A change, and what is needed to tell of it.
type Candidate = (PathBuf, Mutant);

/// Runs the trial.
///
/// # Errors
///
/// The tree cannot be copied, or the tests fail without any change.
pub fn run(trial: &Trial, progress: impl FnMut(&Outcome) + Send) -> anyhow::Result<Outcome> {
    copy_tree(&trial.root, &trial.copy)?;
    let mut candidates = candidates(&trial.copy, &trial.path)?;
    let mut outcome = Outcome { candidates: candidates.len(), ..Outcome::default() };
    let mut rng = Rng::new(trial.seed);
    let mut chosen = Vec::new();
    while chosen.len() < trial.sample + trial.sample / SPARE && !candidates.is_empty() {
        chosen.push(candidates.swap_remove(rng.below(candidates.len())));
    }
    let (tests, unviable) = build_all(trial, &chosen)?;
    tests.pass_unchanged()?;
    let numbers = (0..chosen.len()).filter(|number| !unviable.contains(number));
    let numbers: Vec<_> = numbers.take(trial.sample).collect();
    let reached = numbers.last().map_or(0, |last| last + 1);
    outcome.unviable = unviable.range(..reached).count();
    let telling = Mutex::new((outcome, progress));
    try_all(&tests, &numbers, &|number, noticed| {
        let mut telling = telling.lock().unwrap_or_else(PoisonError::into_inner);
        let (outcome, progress) = &mut *telling;
        match noticed {
            true => outcome.killed += 1,
            false => outcome.survivors.push(described(&trial.root, &chosen[number])),
        }
        progress(outcome);
    })?;
    Ok(telling.into_inner().unwrap_or_else(PoisonError::into_inner).0)
}

/// The tests with every change of `chosen` that compiles, and the numbers of those that do not.
fn build_all(trial: &Trial, chosen: &[Candidate]) -> anyhow::Result<(Tests, BTreeSet<usize>)> {
    let mut unviable = BTreeSet::new();
    loop {
        let files = write_all(trial, chosen, &unviable)?;
        match build(&trial.copy)? {
            Built::Tests(tests) => return Ok((tests, unviable)),
            Built::Errors(errors) => {
                let known = unviable.len();
                for (file, line) in &errors {
                    unviable.extend(files.get(file).map(|file| file.blamed(*line)).unwrap_or_default());
                }
                ensure!(
                    unviable.len() > known,
                    "the tests do not build, and no change is to blame: {errors:?}"
                );
            }
        }
    }
}

/// Writes every file with its changes behind switches.
fn write_all(
    trial: &Trial,
    chosen: &[Candidate],
    unviable: &BTreeSet<usize>,
) -> anyhow::Result<BTreeMap<PathBuf, Switched>> {
    let mut by_file: BTreeMap<&PathBuf, Vec<(usize, Mutant)>> = BTreeMap::new();
    for (number, (file, mutant)) in chosen.iter().enumerate() {
        let mutants = by_file.entry(file).or_default();
        mutants.extend((!unviable.contains(&number)).then(|| (number, mutant.clone())));
    }
    let mut files = BTreeMap::new();
    for (file, mutants) in by_file {
        let changed = switched(&fs::read_to_string(trial.root.join(file))?, &mutants);
        fs::write(trial.copy.join(file), &changed.text)?;
        files.insert(file.clone(), changed);
    }
    let root = fs::read_to_string(trial.root.join(CRATE_ROOT))?;
    fs::write(trial.copy.join(CRATE_ROOT), root + SWITCH)?;
    Ok(files)
}

/// Tries the changes of these numbers, several at a time, and tells of each whether it was noticed.
fn try_all(tests: &Tests, numbers: &[usize], tell: &(dyn Fn(usize, bool) + Sync)) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    let work = || -> anyhow::Result<()> {
        while let Some(number) = numbers.get(next.fetch_add(1, Ordering::Relaxed)) {
            tell(*number, tests.notice(*number)?);
        }
        Ok(())
    };
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        running.into_iter().try_for_each(|worker| match worker.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    })
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
        let bodies = bodies(&text);
        let inside = |mutant: &Mutant| bodies.iter().any(|body| body.contains(&mutant.range.start));
        found.extend(find::mutants(&text).into_iter().filter(inside).map(|mutant| (file.clone(), mutant)));
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

fn described(root: &Path, (file, mutant): &Candidate) -> String {
    let before = fs::read_to_string(root.join(file)).unwrap_or_default();
    let after = find::mutated(&before, mutant);
    let line = |text: &str| text.lines().nth(mutant.line - 1).unwrap_or_default().trim().to_owned();
    format!("{}:{}: `{}` became `{}`", file.display(), mutant.line, line(&before), line(&after))
}
