//! Plays one test: each principal with each resource is one call, as if it had come to the server.

use super::plan::{Expectation, Plan};
use super::report::{
    ActionCase, Details, Failure, Outcome, OutputFailure, OutputFailureKind, PrincipalCase, ResourceCase,
    Success, TestCase, TestResult,
};
use super::spec::Options;
use super::{Context, Observed, position};
use crate::engine::{Conduct, Settings, decide_as};
use crate::expr::Budget;
use crate::limits::{CALL_COST, EXPR_COST, SUITE_COST};
use crate::model::{
    Effect, Evaluation, Item, OutputEntry, OutputValue, Principal, Request, Resource, Signals, Timestamp,
};

/// Why a test that asks for the time without saying what it is cannot be run, in the peer's words.
const NO_TIME: &str = "a policy used a time-based condition, but `now` was not provided in the test options";

/// The suite of a test, as far as the test needs it.
#[derive(Clone, Copy)]
pub(super) struct Setting<'s> {
    pub(super) file: &'s str,
    pub(super) suite: &'s str,
    pub(super) options: Option<&'s Options>,
}

/// Runs the test of `plan`.
pub(super) fn test(suite: Setting<'_>, plan: &Plan<'_>, context: &mut Context<'_>) -> TestCase {
    let options = plan.test.options.as_ref().or(suite.options);
    let settings = settings(options, context.settings);
    let run = Run { suite, plan, settings: &settings, now: options.and_then(|options| options.now) };
    let mut principals = Vec::with_capacity(plan.principals.len());
    for principal in &plan.principals {
        let resources = plan.resources.iter().map(|resource| run.resource(*principal, *resource, context));
        principals.push(PrincipalCase { name: principal.0.to_owned(), resources: resources.collect() });
    }
    let position = position(suite.file, plan.test.place);
    TestCase { name: plan.test.name.clone(), principals, position }
}

/// The caller's settings with what the test says instead.
fn settings(options: Option<&Options>, base: &Settings) -> Settings {
    let mut settings = base.clone();
    let Some(options) = options else {
        return settings;
    };
    if let Some(version) = options.default_policy_version.as_ref().filter(|version| !version.is_empty()) {
        settings.default_policy_version.clone_from(version);
    }
    if let Some(scope) = &options.default_scope {
        settings.default_scope.clone_from(scope);
    }
    if let Some(globals) = &options.globals {
        settings.globals.clone_from(globals);
    }
    settings.lenient_scope_search |= options.lenient_scope_search.unwrap_or_default();
    settings.strict_evaluation |= options.strict_evaluation.unwrap_or_default();
    settings
}

/// A fixture and its name.
type Named<'r, T> = (&'r str, &'r T);

/// One test that is being run.
struct Run<'r> {
    suite: Setting<'r>,
    plan: &'r Plan<'r>,
    settings: &'r Settings,
    now: Option<Timestamp>,
}

/// What came of one call.
enum Call {
    /// The filter leaves it out, for this reason; it is not counted.
    LeftOut(&'static str),
    /// The test is to be skipped.
    Skipped,
    /// It could not be made.
    Errored(String),
    Made(Evaluation),
}

impl<'r> Run<'r> {
    /// All actions of one principal on one resource; those that the filter leaves out come last.
    fn resource(
        &self,
        principal: Named<'r, Principal<'static>>,
        resource: Named<'r, Resource<'static>>,
        context: &mut Context<'_>,
    ) -> ResourceCase {
        let actions = self.plan.test.input.actions.iter().map(String::as_str);
        let (asked, others): (Vec<&str>, Vec<&str>) =
            actions.partition(|action| context.filter.has_action(action));
        let call = self.call(principal, resource, &asked, context);
        let nothing = Expectation::default();
        let expected = self.plan.expected.get(&(principal.0, resource.0)).unwrap_or(&nothing);
        let mut cases = Vec::with_capacity(asked.len() + others.len());
        for (index, action) in asked.iter().enumerate() {
            let details = match &call {
                Call::Made(evaluation) => compare(evaluation, index, action, expected),
                call => self.without_answer(call),
            };
            cases.push(self.case(action, details, expected));
        }
        for action in others {
            let details = match &call {
                Call::Made(_) | Call::Errored(_) => skipped("No actions matched the test filter"),
                call => self.without_answer(call),
            };
            cases.push(self.case(action, details, expected));
        }
        let counted = match call {
            Call::LeftOut(_) => 0,
            Call::Skipped => cases.len(),
            Call::Errored(_) | Call::Made(_) => asked.len(),
        };
        for (index, case) in cases.iter_mut().enumerate() {
            case.is_left_out = index >= counted;
            if !case.is_left_out {
                context.tally.count(case.details.result);
            }
        }
        if counted == 0 {
            context.tally.leave_out();
        }
        ResourceCase { name: resource.0.to_owned(), actions: cases }
    }

    fn call(
        &self,
        principal: Named<'r, Principal<'static>>,
        resource: Named<'r, Resource<'static>>,
        actions: &[&'r str],
        context: &mut Context<'_>,
    ) -> Call {
        let filter = context.filter;
        if !filter.has_suite(self.suite.suite) {
            return Call::LeftOut("Suite did not match the test filter");
        }
        if !filter.has_test(&self.plan.test.name) {
            return Call::LeftOut("Test did not match the test filter");
        }
        if self.plan.test.skip {
            return Call::Skipped;
        }
        if !filter.has_principal(principal.0) {
            return Call::LeftOut("Principal did not match the test filter");
        }
        if !filter.has_resource(resource.0) {
            return Call::LeftOut("Resource did not match the test filter");
        }
        if actions.is_empty() {
            return Call::LeftOut("No actions matched the test filter");
        }
        let request = self.request(principal.1, resource.1, actions);
        self.decide((principal.0, resource.0), &request, context)
    }

    fn request(
        &self,
        principal: &Principal<'static>,
        resource: &Resource<'static>,
        actions: &[&'r str],
    ) -> Request<'r> {
        Request {
            principal: principal.clone(),
            items: [Item {
                resource: resource.clone(),
                actions: actions.iter().map(|action| (*action).into()).collect(),
            }]
            .into(),
            context: self.plan.test.input.context.clone(),
            aux_data: self.plan.aux_data.cloned().unwrap_or_default(),
            tenants: None,
            signals: Signals { facts: self.plan.test.input.signals.clone(), ..Signals::default() },
        }
    }

    fn decide(&self, names: (&str, &str), request: &Request<'_>, context: &mut Context<'_>) -> Call {
        context.ask_to_go_on();
        let room = context.units.min(CALL_COST);
        let budget = Budget::new(room, EXPR_COST);
        let now = self.now.unwrap_or(Timestamp::UNIX_EPOCH);
        let conduct = Conduct::new(now, &budget);
        let conduct = match context.sightings {
            Some(sightings) => conduct.seen_by(sightings),
            None => conduct,
        };
        let evaluation = decide_as(context.snapshot, request, self.settings, &conduct);
        context.units = context.units.saturating_sub(room.saturating_sub(budget.left()));
        if budget.is_exceeded() && room < CALL_COST {
            return Call::Errored(format!(
                "the tests of the set cost more than {SUITE_COST} units together: drop some"
            ));
        }
        if self.now.is_none() && budget.is_time_asked() {
            return Call::Errored(NO_TIME.to_owned());
        }
        (context.observe)(&Observed {
            file: self.suite.file,
            suite: self.suite.suite,
            test: &self.plan.test.name,
            principal: names.0,
            resource: names.1,
            request,
            settings: self.settings,
            now,
            evaluation: &evaluation,
        });
        Call::Made(evaluation)
    }

    fn without_answer(&self, call: &Call) -> Details {
        match call {
            Call::LeftOut(reason) => skipped(reason),
            Call::Skipped => skipped(&self.plan.test.skip_reason),
            Call::Errored(error) => errored(error),
            Call::Made(_) => errored("the engine gave no answer"),
        }
    }

    fn case(&self, action: &str, details: Details, expected: &Expectation<'_>) -> ActionCase {
        let place = expected.actions.get(action).map_or(self.plan.test.place, |(_, place)| *place);
        let position = position(self.suite.file, place);
        ActionCase { name: action.to_owned(), details, trace: None, is_left_out: false, position }
    }
}

/// The decision for the action at `index` against what is expected of it.
fn compare(evaluation: &Evaluation, index: usize, action: &str, expected: &Expectation<'_>) -> Details {
    let Some(answer) = evaluation.resources.first() else {
        return errored("the engine gave no answer");
    };
    let Some(actual) = answer.actions.get(index).map(|decision| decision.effect) else {
        return errored("the engine gave no answer");
    };
    let effect = expected.actions.get(action).map_or(Effect::Deny, |(effect, _)| *effect);
    let outputs: Vec<&OutputEntry> = answer.outputs.iter().filter(|entry| entry.action == action).collect();
    let failures = if effect == actual { output_failures(&outputs, action, expected) } else { Vec::new() };
    if effect == actual && failures.is_empty() {
        let success = Success { effect, outputs: outputs.into_iter().cloned().collect() };
        return Details { result: TestResult::Passed, outcome: Outcome::Success(success) };
    }
    let failure = Failure { expected: effect, actual, outputs: failures };
    Details { result: TestResult::Failed, outcome: Outcome::Failure(failure) }
}

/// Outputs that nothing is said about are fine.
fn output_failures(outputs: &[&OutputEntry], action: &str, expected: &Expectation<'_>) -> Vec<OutputFailure> {
    let mut failures = Vec::new();
    for (src, value) in expected.outputs.get(action).into_iter().flatten() {
        let expected = value.cloned();
        let kind = match outputs.iter().find(|entry| &*entry.src == *src).map(|entry| &entry.value) {
            Some(OutputValue::Value(actual)) if Some(actual) == *value => continue,
            Some(OutputValue::Value(actual)) => {
                OutputFailureKind::Mismatched { expected, actual: actual.clone() }
            }
            Some(OutputValue::Error(error)) => OutputFailureKind::Errored { expected, error: error.clone() },
            None => OutputFailureKind::Missing { expected },
        };
        failures.push(OutputFailure { src: (*src).to_owned(), kind });
    }
    failures
}

fn skipped(reason: &str) -> Details {
    Details { result: TestResult::Skipped, outcome: Outcome::SkipReason(reason.to_owned()) }
}

fn errored(error: &str) -> Details {
    Details { result: TestResult::Errored, outcome: Outcome::Error(error.to_owned()) }
}
