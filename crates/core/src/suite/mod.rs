//! Policy tests: suites in `*_test.yaml`, played through the engine as a pure function of the files.

mod report;

pub use report::{
    ActionCase, Details, Failure, Outcome, OutputFailure, OutputFailureKind, PrincipalCase, Report,
    ResourceCase, Success, SuiteReport, Summary, Tally, TestCase, TestResult,
};
