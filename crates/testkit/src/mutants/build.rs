//! The tests of the core, built once and run as often as there are changes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde::Deserialize;

/// Which tests, quickest to notice first, all of them last: a test target, and what of it.
const STAGES: &[(&str, &[&str])] =
    &[("decisions", &[]), ("explanations", &[]), ("procura_core", &["engine"]), ("properties", &[])];

/// Seconds of the processor that one test program may take: several times what the longest needs. Time on the clock
/// would depend on what else the machine has to do.
const SECONDS: u32 = 60;

/// The seed of the property tests: that of the trial chooses changes only.
const CASES: &str = "1";

/// What came of building.
pub(super) enum Built {
    /// The tests.
    Tests(Tests),
    /// The files and lines that errors are about.
    Errors(Vec<(PathBuf, usize)>),
}

/// The test programs.
pub(super) struct Tests {
    programs: Vec<(String, PathBuf)>,
    directory: PathBuf,
}

/// Builds all tests of the core below `root`.
///
/// # Errors
///
/// Cargo cannot be run, or says something that is not understood.
pub(super) fn build(root: &Path) -> anyhow::Result<Built> {
    let output = Command::new("cargo")
        .args(["test", "--offline", "--no-run", "--message-format=json", "-p", "procura-core", "--tests"])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", root.join("target"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        // Built hardly more slowly, and run two to three times as fast.
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .context("cannot run cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let said: Vec<Said> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    if output.status.success() {
        let programs = said.into_iter().filter_map(|said| Some((said.target?.name, said.executable?)));
        let (programs, directory) = (programs.collect(), root.join("crates/core"));
        return Ok(Built::Tests(Tests { programs, directory }));
    }
    let errors = said.into_iter().filter_map(|said| said.message).filter(|message| message.level == "error");
    let spans = errors.flat_map(|message| message.spans);
    Ok(Built::Errors(spans.map(|span| (span.file_name, span.line_start)).collect()))
}

impl Tests {
    /// Fails if any test fails without any change.
    ///
    /// # Errors
    ///
    /// One does, or cannot be run.
    pub(super) fn pass_unchanged(&self) -> anyhow::Result<()> {
        for (_, program) in &self.programs {
            ensure!(self.passes(program, &[], None)?, "{} fails without any change", program.display());
        }
        Ok(())
    }

    /// Whether some test fails with the change of this number.
    ///
    /// # Errors
    ///
    /// A test program cannot be run.
    pub(super) fn notice(&self, number: usize) -> anyhow::Result<bool> {
        let stages = STAGES.iter().flat_map(|(name, arguments)| {
            self.programs
                .iter()
                .filter(move |(known, _)| known == name)
                .map(|(_, program)| (program, *arguments))
        });
        let all = self.programs.iter().map(|(_, program)| (program, &[][..]));
        for (program, arguments) in stages.chain(all) {
            if !self.passes(program, arguments, Some(number))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn passes(&self, program: &Path, arguments: &[&str], number: Option<usize>) -> anyhow::Result<bool> {
        let mut command = Command::new("prlimit");
        command.arg(format!("--cpu={SECONDS}")).arg(program).args(arguments).current_dir(&self.directory);
        if let Some(number) = number {
            command.env("PROCURA_MUTANT", number.to_string());
        }
        let status = command
            // The same cases for every change, and none remembered from the one before.
            .env("PROPTEST_RNG_SEED", CASES)
            .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .with_context(|| format!("cannot run {}", program.display()))?;
        Ok(status.success())
    }
}

/// What cargo says, a line each; only what is read here.
#[derive(Deserialize)]
struct Said {
    target: Option<Target>,
    executable: Option<PathBuf>,
    message: Option<Message>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

#[derive(Deserialize)]
struct Message {
    level: String,
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    file_name: PathBuf,
    line_start: usize,
}
