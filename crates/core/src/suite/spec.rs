//! What suites and fixtures say: the format of the peer's test files, and `context` and `signals` of our own.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{AuxData, Effect, Fact, Principal, Resource, Timestamp};
use crate::policy::yaml::Place;
use crate::value::{Map, Value};

/// A suite: one file of tests.
pub(super) struct Suite {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) skip: bool,
    pub(super) skip_reason: String,
    pub(super) options: Option<Options>,
    pub(super) fixtures: Fixtures,
    pub(super) tests: Vec<Test>,
}

/// Who and what tests are about, by name.
#[derive(Default)]
pub(super) struct Fixtures {
    pub(super) principals: BTreeMap<String, Principal<'static>>,
    pub(super) resources: BTreeMap<String, Resource<'static>>,
    pub(super) aux_data: BTreeMap<String, AuxData<'static>>,
    pub(super) principal_groups: BTreeMap<String, Vec<String>>,
    pub(super) resource_groups: BTreeMap<String, Vec<String>>,
}

/// What the engine is told besides the request. What a test says replaces what its suite says as a whole.
pub(super) struct Options {
    pub(super) now: Option<Timestamp>,
    pub(super) globals: Option<Map<'static>>,
    pub(super) default_policy_version: Option<String>,
    pub(super) default_scope: Option<String>,
    pub(super) lenient_scope_search: Option<bool>,
    pub(super) strict_evaluation: Option<bool>,
}

/// A table of expectations: every principal, each with every resource and every action.
pub(super) struct Test {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) skip: bool,
    pub(super) skip_reason: String,
    pub(super) options: Option<Options>,
    pub(super) input: Input,
    pub(super) expected: Vec<Expected>,
}

/// What is asked.
#[derive(Default)]
pub(super) struct Input {
    pub(super) principals: Selection,
    pub(super) resources: Selection,
    pub(super) actions: Vec<String>,
    /// Name of a fixture, empty for none.
    pub(super) aux_data: String,
    /// `request.context`, which the peer does not have.
    pub(super) context: Option<Map<'static>>,
    /// The facts in force, newest first, which the peer does not have.
    pub(super) signals: Vec<Arc<Fact>>,
}

/// Fixtures by name and by group.
#[derive(Default)]
pub(super) struct Selection {
    pub(super) names: Vec<String>,
    pub(super) groups: Vec<String>,
}

/// What is expected for some of the principals and resources.
pub(super) struct Expected {
    pub(super) principals: Selection,
    pub(super) resources: Selection,
    pub(super) actions: BTreeMap<String, (Effect, Place)>,
    pub(super) outputs: Vec<ExpectedOutputs>,
}

/// What is expected to be put out for one action.
pub(super) struct ExpectedOutputs {
    pub(super) action: String,
    /// Rule and value.
    pub(super) entries: Vec<(String, Option<Value<'static>>)>,
}

impl Selection {
    /// Whether nothing is selected.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.groups.is_empty()
    }
}

/// The fixtures that the tests of a suite can name: its own, and those beside it that have other names.
#[derive(Clone, Copy)]
pub(super) struct Known<'s> {
    pub(super) own: &'s Fixtures,
    pub(super) beside: &'s Fixtures,
}

impl<'s> Known<'s> {
    /// The fixture of this name among those of one `kind`.
    pub(super) fn find<T>(self, name: &str, kind: fn(&Fixtures) -> &BTreeMap<String, T>) -> Option<&'s T> {
        kind(self.own).get(name).or_else(|| kind(self.beside).get(name))
    }
}
