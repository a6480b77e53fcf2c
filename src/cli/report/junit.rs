//! The report as `JUnit` XML, in the form of the peer.

use procura_core::model::OutputValue;
use procura_core::policy::{Diagnostic, Severity};
use procura_core::suite::{ActionCase, Outcome, OutputFailureKind, Report, SuiteReport, Summary, TestResult};
use procura_core::value::Value;

use crate::cli::explanation;

/// The findings that keep policies from being tested, as one suite that could not be run.
pub(super) fn refused(diagnostics: &[Diagnostic]) -> String {
    let errors: Vec<_> = diagnostics.iter().filter(|found| found.severity == Severity::Error).collect();
    let file = errors.first().map_or("", |found| &*found.position.file);
    let lines: Vec<_> = errors.iter().map(|found| format!("{}: {}", found.position, found.message)).collect();
    let counts = "errors=\"1\" failures=\"0\" skipped=\"0\" tests=\"0\"";
    format!(
        "<testsuites {counts}>\n  <testsuite name=\"policies\" file=\"{}\" {counts}>\n    \
         <error type=\"RESULT_ERRORED\">{}</error>\n  </testsuite>\n</testsuites>\n",
        escaped(file),
        escaped(&lines.join("\n"))
    )
}

/// The whole report.
pub(super) fn text(report: &Report) -> String {
    let counts = counts(&report.summary, &report.suites);
    let suites: String = report.suites.iter().map(suite_element).collect();
    format!("<testsuites {counts}>\n{suites}</testsuites>\n")
}

fn suite_element(suite: &SuiteReport) -> String {
    let (name, file) = (escaped(&suite.name), escaped(&suite.file));
    let counts = counts(&suite.summary, std::slice::from_ref(suite));
    let mut text = format!("  <testsuite name=\"{name}\" file=\"{file}\" {counts}>\n");
    if let Some(error) = &suite.error {
        text.push_str(&format!("    <error type=\"RESULT_ERRORED\">{}</error>\n", escaped(error)));
    }
    text.push_str("    <properties></properties>\n");
    for case in &suite.test_cases {
        for principal in &case.principals {
            for resource in &principal.resources {
                for action in resource.actions.iter().filter(|action| !action.is_left_out) {
                    let names = [&*principal.name, &*resource.name, &*action.name];
                    text.push_str(&case_element(&suite.file, &case.name, names, action));
                }
            }
        }
    }
    text.push_str("  </testsuite>\n");
    text
}

/// `names` are those of principal, resource and action.
fn case_element(file: &str, test: &str, names: [&str; 3], case: &ActionCase) -> String {
    let properties: String = ["principal", "resource", "action"]
        .iter()
        .zip(names)
        .map(|(key, name)| format!("        <property name=\"{key}\">{}</property>\n", escaped(name)))
        .collect();
    let class = escaped(&names.join("."));
    format!(
        "    <testcase file=\"{}\" classname=\"{class}\" name=\"{}\">\n{}      <properties>\n{properties}      \
         </properties>\n    </testcase>\n",
        escaped(file),
        escaped(test),
        outcome(case),
    )
}

fn outcome(case: &ActionCase) -> String {
    match &case.details.outcome {
        Outcome::Success(success) => {
            let outputs = success.outputs.iter().map(|entry| match &entry.value {
                OutputValue::Value(value) => output(&entry.src, Some(value), &shown(Some(value))),
                OutputValue::Error(error) => output(&entry.src, None, error),
            });
            let effect = success.effect.wire_name();
            format!(
                "      <success type=\"RESULT_PASSED\">\n{}{}      </success>\n",
                block(outputs),
                effects(effect, effect)
            )
        }
        Outcome::Failure(failure) => {
            let message = if failure.outputs.is_empty() { "Effect" } else { "Output" };
            let outputs = failure.outputs.iter().map(|found| match &found.kind {
                OutputFailureKind::Mismatched { expected, actual } => {
                    output(&found.src, expected.as_ref(), &shown(Some(actual)))
                }
                OutputFailureKind::Missing { expected } => output(&found.src, expected.as_ref(), ""),
                OutputFailureKind::Errored { expected, error } => {
                    output(&found.src, expected.as_ref(), error)
                }
            });
            let effects = effects(failure.actual.wire_name(), failure.expected.wire_name());
            format!(
                "      <failure type=\"RESULT_FAILED\" message=\"{message} expectation unsatisfied\">\n{}{effects}{}      \
                 </failure>\n",
                block(outputs),
                trace(case)
            )
        }
        Outcome::Error(error) => {
            format!("      <error type=\"RESULT_ERRORED\">{}</error>\n", escaped(error))
        }
        Outcome::SkipReason(_) => "      <skipped message=\"This test was skipped\"></skipped>\n".to_owned(),
    }
}

fn trace(case: &ActionCase) -> String {
    let text = case.trace.as_ref().map(|trace| escaped(&explanation::trace(trace)));
    text.map_or_else(String::new, |text| format!("        <trace>{text}</trace>\n"))
}

fn block(outputs: impl Iterator<Item = String>) -> String {
    let outputs: String = outputs.collect();
    if outputs.is_empty() {
        return outputs;
    }
    format!("        <outputs>\n{outputs}        </outputs>\n")
}

fn output(src: &str, expected: Option<&Value<'_>>, actual: &str) -> String {
    format!(
        "          <output src=\"{}\">\n            <expected>{}</expected>\n            <actual>{}</actual>\n          \
         </output>\n",
        escaped(src),
        escaped(&shown(expected)),
        escaped(actual)
    )
}

fn effects(actual: &str, expected: &str) -> String {
    format!("        <actual>{actual}</actual>\n        <expected>{expected}</expected>\n")
}

/// The attributes that count; a suite that could not be run is an error, one that was skipped counts as skipped.
fn counts(summary: &Summary, suites: &[SuiteReport]) -> String {
    let of = |result| {
        let tallies = summary.result_counts.iter().filter(|tally| tally.result == result);
        tallies.map(|tally| tally.count).sum::<usize>()
    };
    let errors = of(TestResult::Errored) + suites.iter().filter(|suite| suite.error.is_some()).count();
    let is_skipped = |suite: &&SuiteReport| {
        suite.summary.tests_count == 0 && suite.summary.overall_result == TestResult::Skipped
    };
    let skipped = of(TestResult::Skipped) + suites.iter().filter(is_skipped).count();
    let failures = of(TestResult::Failed);
    format!(
        "errors=\"{errors}\" failures=\"{failures}\" skipped=\"{skipped}\" tests=\"{}\"",
        summary.tests_count
    )
}

/// A value as JSON; nothing if there is none.
fn shown(value: Option<&Value<'_>>) -> String {
    value.and_then(|value| serde_json::to_string(value).ok()).unwrap_or_default()
}

/// `text` as content or as the value of an attribute; what XML cannot hold is replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#xA;"),
            '\t' => escaped.push_str("&#x9;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            c if c.is_control() => escaped.push(char::REPLACEMENT_CHARACTER),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn text_that_xml_cannot_hold_is_replaced() {
        assert_eq!(
            escaped("a<b>&\"c\"\n\u{1}\u{ffff}é"),
            "a&lt;b&gt;&amp;&quot;c&quot;&#xA;\u{fffd}\u{fffd}é"
        );
    }
}
