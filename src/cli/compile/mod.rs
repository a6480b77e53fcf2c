//! `procura compile`: flags, exit codes and output of `cerbos compile`, so that scripts keep running.

mod context;
mod peer;
mod show;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use procura_core::engine::{OnError, SchemaEnforcement, Settings};
use procura_core::policy::{Compiled, Snapshot, SourceFile, Subject};
use procura_core::suite::{self, Filter};
use serde::Serialize;

use self::peer::{Errors, SchemaCheck};
use super::compare::affected_by_on_error;
use super::exit::Exit;
use super::report::{self, Colour, Style};
use super::test::{filter, selects_nothing};
use super::{policies, print, print_error};
use crate::http::Finding;

const EXAMPLES: &str = "\
Examples:
  procura compile policies
  procura compile --skip-tests -o json policies
  procura compile --test-filter='suite=Leave*;action=approve' policies

Flags, exit codes and JSON are those of `cerbos compile`, and so is what an erroring condition does in a test
(`--on-error`). `procura check` and `procura test` say more.

Exit codes: 0 ok, 3 errors in policies, 4 failing tests, 80 wrong usage, 1 the directory cannot be read, or a filter is
wrong.";

/// The flags that the peer also takes with a value, as in `--skip-tests=true`.
const SWITCHES: [&str; 6] =
    ["--ignore-schemas", "--no-color", "--skip-batching", "--skip-tests", "--strict-evaluation", "--verbose"];

/// Compile and test policies in the way of `cerbos compile`
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Directory of the policies
    directory: PathBuf,
    /// How to show what is found
    #[arg(short, long, value_enum, default_value_t = Format::Tree)]
    output: Format,
    #[command(flatten)]
    tests: Tests,
    /// When to use colours
    #[arg(long, value_enum, default_value_t = Colour::Auto)]
    color: Colour,
    /// Do not use colours
    #[arg(long)]
    no_color: bool,
    /// Show also what passes
    #[arg(short, long)]
    verbose: bool,
}

/// Which tests to run, and how.
#[derive(Debug, clap::Args)]
struct Tests {
    /// Do not run the tests
    #[arg(long)]
    skip_tests: bool,
    /// Directory of the tests, if it is another one
    #[arg(long = "tests", value_name = "DIR")]
    test_directory: Option<PathBuf>,
    /// Run only some tests: `dimension=pattern,pattern;dimension=pattern`; repeatable
    #[arg(long = "test-filter", value_name = "FILTER")]
    test_filter: Vec<String>,
    /// How to show the results of the tests, if not as everything else
    #[arg(long = "test-output", value_enum)]
    test_output: Option<TestFormat>,
    /// Refused: which tests to run is said by `--test-filter`
    #[arg(long = "run", value_name = "REGEX", hide = true)]
    run: Option<String>,
    /// Of no effect: tests are never batched
    #[arg(long)]
    skip_batching: bool,
    /// What an erroring condition does: as the setting `engine.onError`, which is `closed` unless it is set
    #[arg(long, value_enum, default_value_t = ErrorMode::Cerbos)]
    on_error: ErrorMode,
    /// An error met on the way to a decision denies the action: as the setting `engine.strictEvaluation`
    #[arg(long)]
    strict_evaluation: bool,
    /// Do not check attributes against the schemas of the policies
    #[arg(long)]
    ignore_schemas: bool,
}

/// What an erroring condition does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ErrorMode {
    /// An error never allows
    Closed,
    /// An error counts as false
    Cerbos,
}

impl Tests {
    /// As the engine takes them.
    fn settings(&self) -> Settings {
        Settings {
            on_error: match self.on_error {
                ErrorMode::Closed => OnError::Closed,
                ErrorMode::Cerbos => OnError::Cerbos,
            },
            strict_evaluation: self.strict_evaluation,
            schema_enforcement: match self.ignore_schemas {
                true => SchemaEnforcement::None,
                false => SchemaEnforcement::Reject,
            },
            ..Settings::default()
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Tree,
    /// For people, without lines
    List,
    /// One JSON object
    Json,
    /// Only for tests
    #[value(hide = true)]
    Junit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TestFormat {
    /// For people
    Tree,
    /// For people, without lines
    List,
    /// One JSON object
    Json,
    /// `JUnit` XML
    Junit,
}

impl Args {
    /// How to show the results of the tests.
    fn test_format(&self) -> report::Format {
        match (self.tests.test_output, self.output) {
            (Some(TestFormat::Tree), _) | (None, Format::Tree) => report::Format::Tree,
            (Some(TestFormat::List), _) | (None, Format::List) => report::Format::List,
            (Some(TestFormat::Json), _) | (None, Format::Json) => report::Format::Json,
            (Some(TestFormat::Junit), _) | (None, Format::Junit) => report::Format::Junit,
        }
    }
}

/// The words of a command line as this program takes them: a switch with the value `true` is the switch, one with
/// `false` is not there.
pub(super) fn plain(words: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    words.filter_map(|word| match word.to_str().and_then(|text| text.split_once('=')) {
        Some((switch, "true")) if SWITCHES.contains(&switch) => Some(switch.into()),
        Some((switch, "false")) if SWITCHES.contains(&switch) => None,
        _ => Some(word),
    })
}

/// Compiles the directory, runs the tests, and shows what was found.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    if let Some(mend) = misused(args) {
        print_error(&format!("error: {mend}\n"));
        return Ok(Exit::PeerUsage);
    }
    let filters: Vec<_> = args.tests.test_filter.iter().filter(|text| !text.is_empty()).cloned().collect();
    let filter = filter(&filters).map_err(anyhow::Error::msg)?;
    let (files, compiled) = read(&args.directory)?;
    policies::warn_if_none(&args.directory, &files);
    let schemas = match args.tests.ignore_schemas {
        true => SchemaCheck::Ignored,
        false => SchemaCheck::Required,
    };
    if let Some(errors) = peer::errors(&files, &compiled, schemas, policies::compile_files)? {
        match args.output {
            Format::Json => print(&format!("{}\n", serde_json::to_string_pretty(&errors)?))?,
            Format::Tree | Format::List | Format::Junit => print(&show::text(&errors))?,
        }
        print_error("error: failed to compile\n");
        return Ok(Exit::Policy);
    }
    let Some(snapshot) = compiled.snapshot else { return Ok(Exit::Ok) };
    if args.tests.on_error == ErrorMode::Cerbos {
        tell_of_closed_mode(&snapshot, &args.directory);
    }
    if args.tests.skip_tests {
        return Ok(Exit::Ok);
    }
    run_tests(args, files, &snapshot, &filter)
}

/// What is wrong with `compiled` as `-o json` shows it, and beside it, as `diagnostics`, in our own words.
pub(super) fn errors_as_json(files: &[SourceFile], compiled: &Compiled) -> anyhow::Result<String> {
    #[derive(Serialize)]
    struct Refusal<'a> {
        #[serde(flatten)]
        errors: Option<Errors>,
        diagnostics: Vec<Finding<'a>>,
    }
    let errors = peer::errors(files, compiled, SchemaCheck::Ignored, policies::compile_files)?;
    let diagnostics = compiled.diagnostics.iter().map(Finding::from).collect();
    Ok(serde_json::to_string_pretty(&Refusal { errors, diagnostics })? + "\n")
}

/// What to write instead of an option that has no meaning here.
fn misused(args: &Args) -> Option<&'static str> {
    if args.tests.run.is_some() {
        return Some(
            "`--run` is deprecated in the peer and not taken here: write \
             `--test-filter='suite=...;test=...;principal=...'`, with patterns instead of a regular expression",
        );
    }
    (args.output == Format::Junit).then_some("`junit` is a form of test results: write `--test-output junit`")
}

/// The tests run as in the peer; a server with our default setting may decide differently.
fn tell_of_closed_mode(snapshot: &Snapshot, directory: &Path) {
    let count = affected_by_on_error(snapshot).len();
    if count > 0 {
        let (rules, directory) = (policies::counted(count, "rule"), directory.display());
        print_error(&format!(
            "{rules} may decide differently in the server, whose `engine.onError` is `closed`: procura check \
             --compare-on-error {directory}\n"
        ));
    }
}

/// The set as the peer reads it: a file without a document is not there, which is an error for everyone else.
fn read(directory: &Path) -> anyhow::Result<(Vec<SourceFile>, Compiled)> {
    let mut files = policies::read(directory)?;
    let compiled = policies::compile_files(files.clone())?;
    let empty = compiled.diagnostics.iter().filter(|found| found.subject == Some(Subject::EmptyFile));
    let empty: BTreeSet<_> = empty.map(|found| &found.position.file).collect();
    if empty.is_empty() {
        return Ok((files, compiled));
    }
    files.retain(|file| !empty.contains(&file.path));
    let compiled = policies::compile_files(files.clone())?;
    Ok((files, compiled))
}

fn run_tests(
    args: &Args,
    files: Vec<SourceFile>,
    snapshot: &Snapshot,
    filter: &Filter,
) -> anyhow::Result<Exit> {
    let files = match &args.tests.test_directory {
        Some(directory) => policies::read(directory)?,
        None => files,
    };
    let report = suite::run(&files, snapshot, &args.tests.settings(), filter);
    let style = Style { colour: !args.no_color && args.color.on_stdout(), verbose: args.verbose };
    print(&report::text(&report, None, &args.directory, args.test_format(), style)?)?;
    selects_nothing(&report, &args.tests.test_filter);
    if report.is_success() {
        return Ok(Exit::Ok);
    }
    print_error("error: tests failed\n");
    Ok(Exit::Tests)
}
