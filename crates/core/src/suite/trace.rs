//! Why decisions that are not as expected came out as they did.

use std::collections::{BTreeMap, BTreeSet};

use super::{Filter, Outcome, Report, run_observed};
use crate::engine::{ExplainedResource, Settings, explain};
use crate::limits::SUITE_TRACES;
use crate::policy::{Snapshot, SourceFile};

/// Adds to each failed decision of `report`, which came of the same arguments, the explanation of its resource with that
/// one action. Of the calls that failed the first [`SUITE_TRACES`] are explained.
pub fn trace_failures(
    report: &mut Report,
    files: &[SourceFile],
    snapshot: &Snapshot,
    settings: &Settings,
    filter: &Filter,
) {
    let wanted = failed(report);
    if wanted.is_empty() {
        return;
    }
    let mut explained: BTreeMap<Place, ExplainedResource> = BTreeMap::new();
    let mut observe = |call: &super::Observed<'_>| {
        let place = [call.file, call.test, call.principal, call.resource].map(str::to_owned);
        if wanted.contains(&place) {
            let explanation = explain(snapshot, call.request, call.settings, call.now);
            explained.extend(explanation.results.into_iter().next().map(|resource| (place, resource)));
        }
    };
    // The report is known already.
    let _ = run_observed(files, snapshot, settings, filter, &mut observe);
    for suite in &mut report.suites {
        for test in &mut suite.test_cases {
            for principal in &mut test.principals {
                for resource in &mut principal.resources {
                    let place = [&suite.file, &test.name, &principal.name, &resource.name].map(String::clone);
                    let Some(found) = explained.get(&place) else { continue };
                    let failed = resource.actions.iter_mut().filter(|case| is_failure(&case.details.outcome));
                    failed.for_each(|case| case.trace = Some(Box::new(only(found, &case.name))));
                }
            }
        }
    }
}

/// File of the suite, test, principal and resource.
type Place = [String; 4];

fn failed(report: &Report) -> BTreeSet<Place> {
    let decisions = report.suites.iter().flat_map(|suite| {
        let failed = suite.decisions().filter(|(.., case)| is_failure(&case.details.outcome));
        failed.map(|(test, principal, resource, _)| {
            [&suite.file, &test.name, &principal.name, &resource.name].map(String::clone)
        })
    });
    let mut wanted = BTreeSet::new();
    for place in decisions {
        if wanted.len() == SUITE_TRACES {
            break;
        }
        wanted.insert(place);
    }
    wanted
}

fn is_failure(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failure(_))
}

/// `resource` with nothing but `action`.
fn only(resource: &ExplainedResource, action: &str) -> ExplainedResource {
    let actions = resource.actions.iter().filter(|explained| explained.action == action).cloned().collect();
    ExplainedResource { actions, ..resource.clone() }
}
