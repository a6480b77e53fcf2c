//! Policy tests: suites in `*_test.yaml`, played through the engine as a pure function of the files.
//!
//! The format, the JSON form of the report and the words of its errors are those of the peer (`cerbos compile`).
//!
//! | file | what it does |
//! |---|---|
//! | `document` | text to fields, problems with their places |
//! | `spec`, `decode`, `instant` | what a suite says |
//! | `fixtures` | principals, resources and claims, inline and in `testdata` |
//! | `plan` | a test with what it refers to looked up, expectations by principal and resource |
//! | `play` | one test through the engine |
//! | `filter` | which tests to run |
//! | `report`, `failed` | what came of it |
//! | `diagnose` | what keeps suites from being run, without running them |
//! | `coverage` | what the tests have met of the policies |
//! | `trace` | why a decision is not as expected |

mod coverage;
mod decode;
mod diagnose;
mod document;
mod failed;
mod filter;
mod fixtures;
mod instant;
mod plan;
mod play;
mod report;
mod signals;
mod spec;
#[cfg(test)]
mod tests;
mod trace;

use std::collections::{BTreeMap, BTreeSet};

pub use coverage::{Coverage, FileCoverage, Gap, Missing, Share};
pub use diagnose::diagnose;
pub use failed::FailedTest;
pub use filter::{Filter, FilterError};
pub use report::{
    ActionCase, Details, Failure, Outcome, OutputFailure, OutputFailureKind, PrincipalCase, Report,
    ResourceCase, Success, SuiteReport, Summary, Tally, TestCase, TestResult,
};

pub use trace::trace_failures;

use self::document::Broken;
use self::fixtures::{FixtureError, check_groups};
use self::plan::{Plan, Steps};
use self::report::{Fault, Tallying};
use self::spec::{Fixtures, Known, Suite};
use crate::engine::{Settings, Sightings};
use crate::limits::SUITE_COST;
use crate::model::{Evaluation, Request, Timestamp};
use crate::policy::yaml::Place;
use crate::policy::{FileKind, Position, Snapshot, SourceFile, classify};

/// Runs the suites among `files` that `filter` selects against `snapshot`, which was compiled from the same files.
///
/// `settings` hold where a suite or a test says nothing else. All suites together are bounded by
/// [`crate::limits::SUITE_STEPS`] and [`SUITE_COST`]; what is beyond is reported as an error.
#[must_use]
pub fn run(files: &[SourceFile], snapshot: &Snapshot, settings: &Settings, filter: &Filter) -> Report {
    run_observed(files, snapshot, settings, filter, &mut |_| {})
}

/// As [`run`]; `observe` sees every call that was decided.
#[must_use]
pub fn run_observed(
    files: &[SourceFile],
    snapshot: &Snapshot,
    settings: &Settings,
    filter: &Filter,
    observe: &mut dyn FnMut(&Observed<'_>),
) -> Report {
    run_all(files, &mut Context::new(snapshot, settings, filter, observe))
}

/// As [`run`], for as long as `go_on` says so, which is asked before every call; `None` once it does not.
pub fn run_while(
    files: &[SourceFile],
    snapshot: &Snapshot,
    settings: &Settings,
    filter: &Filter,
    go_on: &mut dyn FnMut() -> bool,
) -> Option<Report> {
    let observe = &mut |_: &Observed<'_>| {};
    let mut context = Context { go_on: Some(go_on), ..Context::new(snapshot, settings, filter, observe) };
    let report = run_all(files, &mut context);
    context.go_on.is_some().then_some(report)
}

/// As [`run`], and what the tests cover of the policies.
#[must_use]
pub fn run_covered(
    files: &[SourceFile],
    snapshot: &Snapshot,
    settings: &Settings,
    filter: &Filter,
) -> (Report, Coverage) {
    let seen = Sightings::default();
    let observe = &mut |_: &Observed<'_>| {};
    let mut context = Context { sightings: Some(&seen), ..Context::new(snapshot, settings, filter, observe) };
    let report = run_all(files, &mut context);
    (report, Coverage::of(snapshot, &seen))
}

fn run_all(files: &[SourceFile], context: &mut Context<'_>) -> Report {
    let mut shelf = Shelf { files, directories: BTreeMap::new() };
    let mut steps = Steps::new();
    let mut suites: Vec<&SourceFile> =
        files.iter().filter(|file| classify(&file.path) == FileKind::Test).collect();
    suites.sort_by(|a, b| (&a.path, &a.text).cmp(&(&b.path, &b.text)));
    let suites: Vec<SuiteReport> =
        suites.into_iter().map(|file| suite(file, &mut shelf, &mut steps, context)).collect();
    let summary = Summary::of_all(suites.iter().map(|suite| &suite.summary));
    Report { suites, summary }
}

/// One call that a test made.
#[derive(Debug)]
pub struct Observed<'o> {
    /// Path of the suite's file.
    pub file: &'o str,
    /// Name of the suite.
    pub suite: &'o str,
    /// Name of the test.
    pub test: &'o str,
    /// Name of the principal's fixture.
    pub principal: &'o str,
    /// Name of the resource's fixture.
    pub resource: &'o str,
    /// What was asked: one resource with the actions that the filter selects.
    pub request: &'o Request<'o>,
    /// With which settings.
    pub settings: &'o Settings,
    /// At which instant; any if the policies did not ask.
    pub now: Timestamp,
    /// What was answered.
    pub evaluation: &'o Evaluation,
}

/// What all suites share while they run.
struct Context<'c> {
    snapshot: &'c Snapshot,
    settings: &'c Settings,
    filter: &'c Filter,
    observe: &'c mut dyn FnMut(&Observed<'_>),
    /// What has been met of the policies, where that is of interest.
    sightings: Option<&'c Sightings>,
    /// Cost units left.
    units: u64,
    /// Asked before every call; `None` once it said no, or if nobody is to be asked.
    go_on: Option<&'c mut dyn FnMut() -> bool>,
    /// The results of the current suite.
    tally: Tallying,
}

impl<'c> Context<'c> {
    fn new(
        snapshot: &'c Snapshot,
        settings: &'c Settings,
        filter: &'c Filter,
        observe: &'c mut dyn FnMut(&Observed<'_>),
    ) -> Self {
        let (sightings, units, go_on, tally) = (None, SUITE_COST, None, Tallying::default());
        Self { snapshot, settings, filter, observe, sightings, units, go_on, tally }
    }

    /// Spends all that is left if somebody does not want the tests to go on.
    fn ask_to_go_on(&mut self) {
        if self.go_on.as_mut().is_some_and(|go_on| !go_on()) {
            self.go_on = None;
            self.units = 0;
        }
    }
}

/// The fixtures of all directories, each read once.
struct Shelf<'f> {
    files: &'f [SourceFile],
    directories: BTreeMap<String, Result<Fixtures, FixtureError>>,
}

impl Shelf<'_> {
    /// The fixtures beside the file at `path`.
    fn beside(&mut self, path: &str) -> &Result<Fixtures, FixtureError> {
        let directory = match path.rsplit_once('/') {
            Some((directory, _)) => format!("{directory}/testdata"),
            None => "testdata".to_owned(),
        };
        let files = self.files;
        self.directories.entry(directory).or_insert_with_key(|directory| fixtures::load(files, directory))
    }
}

/// Runs one suite.
fn suite(
    file: &SourceFile,
    shelf: &mut Shelf<'_>,
    steps: &mut Steps,
    context: &mut Context<'_>,
) -> SuiteReport {
    each(file, shelf, steps, &mut |suite, plans| play(&file.path, suite, plans, context))
}

/// What `run` makes of the suite in `file` and its tests; a report that it cannot be run if it cannot.
fn each(
    file: &SourceFile,
    shelf: &mut Shelf<'_>,
    steps: &mut Steps,
    run: &mut dyn FnMut(&Suite, &[Plan<'_>]) -> SuiteReport,
) -> SuiteReport {
    let suite = match decode::suite(&file.text) {
        Ok(suite) => suite,
        Err(Broken { lines, place, help }) => {
            let message = format!("failed to load test suite:\n{lines}");
            let position = position(&file.path, place);
            return SuiteReport::errored(&file.path, "Unknown", Fault { message, position, help });
        }
    };
    let report = match shelf.beside(&file.path) {
        Err(FixtureError { message, file: at, place, help }) => {
            let (message, help) = (message.clone(), help.clone());
            let fault = Fault { message, position: position(at, *place), help };
            SuiteReport::errored(&file.path, &suite.name, fault)
        }
        Ok(_) if suite.skip => SuiteReport {
            skip_reason: suite.skip_reason,
            ..SuiteReport::of(&file.path, &suite.name, Summary::skipped(), Vec::new())
        },
        Ok(beside) => match plans(&suite, beside, steps) {
            Err(Unplanned { message, place, help }) => {
                let fault = Fault { message, position: position(&file.path, place), help };
                SuiteReport::errored(&file.path, &suite.name, fault)
            }
            Ok(plans) => run(&suite, &plans),
        },
    };
    SuiteReport { description: suite.description, ..report }
}

/// Why the tests of a suite cannot be run.
struct Unplanned {
    message: String,
    place: Place,
    help: String,
}

/// The tests of `suite`, ready to be run.
fn plans<'s>(suite: &'s Suite, beside: &'s Fixtures, steps: &mut Steps) -> Result<Vec<Plan<'s>>, Unplanned> {
    let known = Known { own: &suite.fixtures, beside };
    let at_start = |message: String| Unplanned { message, place: Place::start_of(0), help: String::new() };
    check_groups(&known.own.principal_groups, |name| known.find(name, |f| &f.principals).is_some())
        .map_err(|missing| at_start(format!("Invalid principal groups in test suite: {missing}")))?;
    check_groups(&known.own.resource_groups, |name| known.find(name, |f| &f.resources).is_some())
        .map_err(|missing| at_start(format!("Invalid resource groups in test suite: {missing}")))?;
    let mut names = BTreeSet::new();
    if let Some(again) = suite.tests.iter().find(|test| !names.insert(&test.name)) {
        let message = format!("Invalid test suite: another test named {} already exists", again.name);
        return Err(Unplanned { message, place: again.place, help: String::new() });
    }
    let plan = |test| {
        Plan::of(test, known, steps).map_err(|reason| {
            let message = format!("Failed to load the test suite: invalid test {:?}: {reason}", test.name);
            Unplanned { message, place: test.place, help: diagnose::help(test, known) }
        })
    };
    suite.tests.iter().map(plan).collect()
}

fn play(file: &str, suite: &Suite, plans: &[Plan<'_>], context: &mut Context<'_>) -> SuiteReport {
    let setting = play::Setting { file, suite: &suite.name, options: suite.options.as_ref() };
    let cases = plans.iter().map(|plan| play::test(setting, plan, context)).collect();
    let summary = std::mem::take(&mut context.tally).summary();
    SuiteReport::of(file, &suite.name, summary, cases)
}

fn position(file: &str, place: Place) -> Position {
    Position { file: file.into(), line: place.line, column: place.column }
}
