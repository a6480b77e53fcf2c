//! `procura test`: the suites beside the policies, before anything goes live.

use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use procura_core::engine::Settings;
use procura_core::policy::{Compiled, FileKind, SourceFile, classify};
use procura_core::suite::{self, Coverage, Filter, Report};

use super::compile;
use super::exit::Exit;
use super::options::Overrides;
use super::report::{self, Colour, Format, Style};
use super::{policies, print, print_error};
use crate::config::ConfigError;
use crate::pap::Watch;
use crate::ports::Notice;

const EXAMPLES: &str = "\
Examples:
  procura test policies
  procura test policies --filter 'suite=Leave*;action=approve,reject'
  procura test policies --watch
  procura test policies --output sarif > procura.sarif
  procura test policies --coverage
  procura test policies --config procura.yaml   under the settings of that server

A filter names patterns of `suite`, `test`, `principal`, `resource` and `action`; within one of these any of the
patterns has to match, and several filters add up.

A decision that is not as expected comes with a trace: the rules that were asked, what they said, and what their
conditions read, as `procura explain` shows it.

Coverage counts each rule that applies in some test, and each expression of a condition that is true in one test and
false in another.

Exit codes: 0 all pass, 3 errors in policies, 4 failing tests, no test for the filter or too
little coverage, 2 wrong usage, 1 the directory cannot be read.";

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
    #[command(flatten)]
    engine: EngineSettings,
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

/// Under which settings of the engine tests run: those of a server, and what flags say instead.
#[derive(Debug, clap::Args)]
struct EngineSettings {
    #[command(flatten)]
    overrides: Overrides,
    /// What an erroring condition does, as the setting `engine.onError` [default: closed]
    #[arg(long, value_name = "MODE", value_parser = ["closed", "cerbos"])]
    on_error: Option<String>,
    /// What attributes that break a schema do, as the setting `schema.enforcement` [default: none]
    #[arg(long, value_name = "MODE", value_parser = ["none", "warn", "reject"])]
    schema_enforcement: Option<String>,
    /// An error met on the way to a decision denies the action: as the setting `engine.strictEvaluation`
    #[arg(long)]
    strict_evaluation: bool,
}

impl EngineSettings {
    fn load(&self) -> Result<Settings, ConfigError> {
        let flags = [
            ("--on-error", "engine.onError", self.on_error.clone()),
            ("--schema-enforcement", "schema.enforcement", self.schema_enforcement.clone()),
            (
                "--strict-evaluation",
                "engine.strictEvaluation",
                self.strict_evaluation.then(|| "true".to_owned()),
            ),
        ];
        let given = flags.into_iter().filter_map(|(flag, key, value)| Some((flag, key, value?)));
        Ok(self.overrides.load(given.collect())?.engine)
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

/// Tells that filters were given and select none of the tests of `report`, if so.
pub(super) fn selects_nothing(report: &Report, filters: &[String]) -> bool {
    let is_unusable = report.suites.iter().any(|suite| suite.error.is_some());
    if filters.is_empty() || is_unusable || report.summary.tests_count > 0 {
        return false;
    }
    print_error(&format!("no test matches `{}`\n", filters.join(";")));
    true
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
    let settings = args.engine.load()?;
    if !args.watch {
        return once(args, &settings, &filter);
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
        match once(args, &settings, &filter) {
            Ok(_) => print_error("waiting for changes\n"),
            Err(error) => print_error(&format!("error: {error:#}\nwaiting for changes\n")),
        }
    }
    Ok(Exit::Failure)
}

fn once(args: &Args, settings: &Settings, filter: &Filter) -> anyhow::Result<Exit> {
    let files = policies::read(&args.directory)?;
    let compiled = policies::compile_files(files.clone())?;
    let Some(snapshot) = &compiled.snapshot else {
        return refused(args, &files, &compiled);
    };
    let (mut report, coverage) = match args.coverage.is_wanted() {
        true => {
            let (report, coverage) = suite::run_covered(&files, snapshot, settings, filter);
            (report, Some(coverage))
        }
        false => (suite::run(&files, snapshot, settings, filter), None),
    };
    // Programs that know the peer's JSON need not know of traces.
    if args.trace || args.output != Format::Json {
        suite::trace_failures(&mut report, &files, snapshot, settings, filter);
    }
    let style = Style { colour: args.color.on_stdout(), verbose: args.verbose };
    print(&report::text(&report, coverage.as_ref(), &args.directory, args.output, style)?)?;
    if let (Format::Junit, Some(coverage)) = (args.output, &coverage) {
        print_error(&report::coverage(coverage));
    }
    if !has_tests(&files) {
        print_error("warning: no file `*_test.yaml` was found\n");
    }
    let is_vain = selects_nothing(&report, &args.filter);
    let is_covered = coverage.is_none_or(|coverage| args.coverage.suffices(&coverage));
    Ok(if report.is_success() && is_covered && !is_vain { Exit::Ok } else { Exit::Tests })
}

/// Tells why there is nothing to test: programs find it in the form they asked for.
fn refused(args: &Args, files: &[SourceFile], compiled: &Compiled) -> anyhow::Result<Exit> {
    match args.output {
        Format::Tree | Format::List => {}
        Format::Json => print(&compile::errors_as_json(files, compiled)?)?,
        Format::Junit => print(&report::diagnostics_as_junit(&compiled.diagnostics))?,
        Format::Sarif => print(&report::diagnostics_as_sarif(&compiled.diagnostics, &args.directory)?)?,
    }
    print_error(&policies::report(&compiled.diagnostics));
    Ok(Exit::Policy)
}

fn has_tests(files: &[SourceFile]) -> bool {
    files.iter().any(|file| classify(&file.path) == FileKind::Test)
}
