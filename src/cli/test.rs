//! `procura test`: the suites beside the policies, before anything goes live.

use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use clap::ValueEnum;
use procura_core::engine::{OnError, SchemaEnforcement, Settings};
use procura_core::policy::{Compiled, FileKind, SourceFile, classify};
use procura_core::suite::{self, Coverage, Filter};

use super::exit::Exit;
use super::report::{self, Colour, Format, Style};
use super::{policies, print, print_error};
use crate::pap::Watch;
use crate::ports::Notice;

const EXAMPLES: &str = "\
Examples:
  procura test policies
  procura test policies --filter 'suite=Leave*;action=approve,reject'
  procura test policies --watch
  procura test policies --output sarif > procura.sarif
  procura test policies --coverage

A filter names patterns of `suite`, `test`, `principal`, `resource` and `action`; within one of these any of the
patterns has to match, and several filters add up.

A decision that is not as expected comes with a trace: the rules that were asked, what they said, and what their
conditions read, as `procura explain` shows it.

Coverage counts each rule that applies in some test, and each expression of a condition that is true in one test and
false in another.

Exit codes: 0 all pass, 3 errors in policies, 4 failing tests or too little coverage, 2 wrong usage, 1 the directory cannot be read.";

/// How often the directory is looked at besides the events of the file system.
const SCAN_INTERVAL: Duration = Duration::from_secs(1);

/// How long to wait for further changes before the tests run again.
const QUIET: Duration = Duration::from_millis(100);

/// Run the tests beside the policies: `*_test.yaml` with the fixtures in `testdata`
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Args {
    /// Directory of the policies and their tests
    directory: PathBuf,
    /// How to show the results
    #[arg(short, long, value_enum, default_value_t = Format::Tree)]
    output: Format,
    /// Run only some tests: `dimension=pattern,pattern;dimension=pattern`; repeatable
    #[arg(long, alias = "test-filter", value_name = "FILTER")]
    filter: Vec<String>,
    /// Show also what passes
    #[arg(short, long)]
    verbose: bool,
    /// Run again whenever a file changes, until interrupted
    #[arg(long)]
    watch: bool,
    /// Add to failures in JSON why they are decided so; all other outputs say it anyway
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    coverage: Wanted,
    /// What an erroring condition does: as the setting `engine.onError`
    #[arg(long, value_enum, default_value_t = ErrorMode::Closed)]
    on_error: ErrorMode,
    #[command(flatten)]
    conditions: Conditions,
    /// When to use colours
    #[arg(long, value_enum, default_value_t = Colour::Auto)]
    color: Colour,
}

/// What is to be said, and demanded, of coverage.
#[derive(Debug, clap::Args)]
struct Wanted {
    /// Tell which rules no test lets apply, and which conditions no test makes true or false
    #[arg(long)]
    coverage: bool,
    /// Fail if less than this is covered, rules and outcomes of conditions together
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    coverage_min: Option<u8>,
}

impl Wanted {
    fn is_wanted(&self) -> bool {
        self.coverage || self.coverage_min.is_some()
    }

    /// Whether enough is covered; if not, it is told.
    fn suffices(&self, coverage: &Coverage) -> bool {
        let (percent, least) = (coverage.percent(), usize::from(self.coverage_min.unwrap_or(0)));
        if percent < least {
            print_error(&format!("error: the tests cover {percent} %, less than the {least} % asked for\n"));
        }
        percent >= least
    }
}

/// Under which settings tests run.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Conditions {
    /// An error met on the way to a decision denies the action: as the setting `engine.strictEvaluation`
    #[arg(long)]
    strict_evaluation: bool,
    /// Do not check attributes against the schemas of the policies
    #[arg(long)]
    ignore_schemas: bool,
}

/// What an erroring condition does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ErrorMode {
    /// An error never allows
    Closed,
    /// An error counts as false
    Cerbos,
}

impl Conditions {
    /// As the engine takes them.
    pub(super) fn settings(&self, on_error: ErrorMode) -> Settings {
        Settings {
            on_error: match on_error {
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

    /// Whether the schemas of policies are not looked at.
    pub(super) const fn ignores_schemas(&self) -> bool {
        self.ignore_schemas
    }
}

/// The filter that `texts` add up to; the error tells how to write it.
pub(super) fn filter(texts: &[String]) -> Result<Filter, String> {
    let mut filter = Filter::default();
    for text in texts {
        filter.add(text).map_err(|error| error.to_string())?;
    }
    Ok(filter)
}

/// Runs the tests of the directory and shows the results.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let filter = match filter(&args.filter) {
        Ok(filter) => filter,
        Err(message) => {
            print_error(&format!("error: {message}\n"));
            return Ok(Exit::Usage);
        }
    };
    if !args.watch {
        return once(args, &filter);
    }
    policies::require_directory(&args.directory, "")?;
    let (wake, woken) = sync_channel(1);
    let report = move |notice| {
        if matches!(notice, Notice::Changed) {
            // One that waits stands for all.
            let _ = wake.try_send(());
        }
    };
    let _watch = Watch::start(args.directory.clone(), SCAN_INTERVAL, report)?;
    while woken.recv().is_ok() {
        while woken.recv_timeout(QUIET).is_ok() {}
        match once(args, &filter) {
            Ok(_) => print_error("waiting for changes\n"),
            Err(error) => print_error(&format!("error: {error:#}\nwaiting for changes\n")),
        }
    }
    Ok(Exit::Failure)
}

fn once(args: &Args, filter: &Filter) -> anyhow::Result<Exit> {
    let files = policies::read(&args.directory)?;
    let compiled = policies::compile_files(files.clone())?;
    let Some(snapshot) = &compiled.snapshot else {
        return refused(args, &compiled);
    };
    let settings = args.conditions.settings(args.on_error);
    let (mut report, coverage) = match args.coverage.is_wanted() {
        true => {
            let (report, coverage) = suite::run_covered(&files, snapshot, &settings, filter);
            (report, Some(coverage))
        }
        false => (suite::run(&files, snapshot, &settings, filter), None),
    };
    // Programs that know the peer's JSON need not know of traces.
    if args.trace || args.output != Format::Json {
        suite::trace_failures(&mut report, &files, snapshot, &settings, filter);
    }
    let style = Style { colour: args.color.on_stdout(), verbose: args.verbose };
    print(&report::text(&report, coverage.as_ref(), &args.directory, args.output, style)?)?;
    if let (Format::Junit, Some(coverage)) = (args.output, &coverage) {
        print_error(&report::coverage(coverage));
    }
    if !has_tests(&files) {
        print_error("warning: no file `*_test.yaml` was found\n");
    }
    let is_covered = coverage.is_none_or(|coverage| args.coverage.suffices(&coverage));
    Ok(if report.is_success() && is_covered { Exit::Ok } else { Exit::Tests })
}

fn refused(args: &Args, compiled: &Compiled) -> anyhow::Result<Exit> {
    if args.output == Format::Sarif {
        print(&report::diagnostics_as_sarif(&compiled.diagnostics, &args.directory)?)?;
    }
    print_error(&policies::report(&compiled.diagnostics));
    Ok(Exit::Policy)
}

fn has_tests(files: &[SourceFile]) -> bool {
    files.iter().any(|file| classify(&file.path) == FileKind::Test)
}
