//! `procura compile`: flags, exit codes and output of `cerbos compile`, so that scripts keep running.

mod context;
mod peer;
mod show;

use std::path::PathBuf;

use clap::ValueEnum;

use procura_core::policy::{Snapshot, SourceFile};
use procura_core::suite::{self, Filter};

use self::peer::SchemaCheck;
use super::exit::Exit;
use super::report::{self, Colour, Style};
use super::test::{Conditions, ErrorMode, filter};
use super::{policies, print, print_error};

const EXAMPLES: &str = "\
Examples:
  procura compile policies
  procura compile --skip-tests -o json policies
  procura compile --test-filter='suite=Leave*;action=approve' policies

Flags, exit codes and JSON are those of `cerbos compile`, and so is what an erroring condition does in a test
(`--on-error`). `procura check` and `procura test` say more.

Exit codes: 0 ok, 3 errors in policies, 4 failing tests, 2 wrong usage, 1 the directory cannot be read.";

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
    /// Of no effect: tests are never batched
    #[arg(long)]
    skip_batching: bool,
    /// What an erroring condition does: as the setting `engine.onError`, which is `closed` unless it is set
    #[arg(long, value_enum, default_value_t = ErrorMode::Cerbos)]
    on_error: ErrorMode,
    #[command(flatten)]
    conditions: Conditions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Tree,
    /// For people, without lines
    List,
    /// One JSON object
    Json,
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
            (Some(TestFormat::Junit), _) => report::Format::Junit,
        }
    }
}

/// Compiles the directory, runs the tests, and shows what was found.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let filter = match filter(&args.tests.test_filter) {
        Ok(filter) => filter,
        Err(message) => {
            print_error(&format!("error: {message}\n"));
            return Ok(Exit::Usage);
        }
    };
    let files = policies::read(&args.directory)?;
    let compiled = policies::compile_files(files.clone())?;
    let schemas = match args.tests.conditions.ignores_schemas() {
        true => SchemaCheck::Ignored,
        false => SchemaCheck::Required,
    };
    if let Some(errors) = peer::errors(&files, &compiled, schemas, policies::compile_files)? {
        match args.output {
            Format::Json => print(&format!("{}\n", serde_json::to_string_pretty(&errors)?))?,
            Format::Tree | Format::List => print(&show::text(&errors))?,
        }
        print_error("error: failed to compile\n");
        return Ok(Exit::Policy);
    }
    match compiled.snapshot {
        Some(snapshot) if !args.tests.skip_tests => run_tests(args, files, &snapshot, &filter),
        _ => Ok(Exit::Ok),
    }
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
    let report = suite::run(&files, snapshot, &args.tests.conditions.settings(args.tests.on_error), filter);
    let style = Style { colour: !args.no_color && args.color.on_stdout(), verbose: args.verbose };
    print(&report::text(&report, None, &args.directory, args.test_format(), style)?)?;
    if report.is_success() {
        return Ok(Exit::Ok);
    }
    print_error("error: tests failed\n");
    Ok(Exit::Tests)
}
