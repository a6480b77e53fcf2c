use std::fs;
use std::path::Path;
use std::sync::Mutex;

use procura_core::suite::{Filter, TestResult, run_covered};

use super::*;
use crate::ports::{Extent, PolicySource, SourceError};

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn rights(access: &Access, roles: &[&str], tenants: Option<&[&str]>) -> Vec<&'static str> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let identity = Identity { roles: owned(roles), tenants: tenants.map(owned), ..Identity::default() };
    let rights = access.rights(&identity, None, now());
    Action::ALL.into_iter().filter(|action| rights.include(*action)).map(Action::as_str).collect()
}

#[test]
fn shipped_policies_pass_the_tests_beside_them_which_meet_every_rule() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pdp/access/policies");
    let file = |name: &str| SourceFile {
        path: name.into(),
        text: fs::read_to_string(directory.join(name)).unwrap().into(),
    };
    let files = [file("api.yaml"), file("api_test.yaml")];
    let compiled = policy::compile(&files);
    assert!(compiled.diagnostics.is_empty(), "{:?}", compiled.diagnostics);
    let snapshot = compiled.snapshot.unwrap();
    let (report, coverage) = run_covered(&files, &snapshot, &Settings::default(), &Filter::default());
    let decisions = report.suites.iter().flat_map(procura_core::suite::SuiteReport::decisions);
    let mut played = 0;
    for (_, principal, _, action) in decisions {
        assert_eq!(action.details.result, TestResult::Passed, "{}: {}", principal.name, action.name);
        played += 1;
    }
    assert_eq!(played, 14 * Action::ALL.len());
    assert_eq!(coverage.percent(), 100);
}

#[test]
fn each_role_gives_what_it_says_and_no_tenant_sees_what_is_of_all() {
    let access = Access::shipped().unwrap();
    let all: Vec<_> = Action::ALL.iter().map(|action| action.as_str()).collect();
    assert_eq!(rights(&access, &["local"], None), all);
    assert_eq!(rights(&access, &["anonymous"], None), ["decide", "batch"]);
    assert_eq!(rights(&access, &["batch"], None), ["decide", "batch"]);
    assert_eq!(rights(&access, &["audit", "decide"], None), ["decide", "audit"]);
    assert_eq!(rights(&access, &["admin", "metrics", "audit"], Some(&["acme"])), ["audit"]);
    for none in [&[][..], &["owner"], &["*"], &["Decide"], &[""]] {
        assert_eq!(rights(&access, none, None), Vec::<&str>::new(), "{none:?}");
    }
}

/// Policies that change while they are looked at.
struct Text(Mutex<String>);

impl PolicySource for Text {
    fn read(&self, _: Extent) -> Result<Vec<SourceFile>, SourceError> {
        let text = self.0.lock().unwrap().clone();
        Ok(vec![SourceFile { path: "a.yaml".into(), text: text.into() }])
    }

    fn location(&self) -> String {
        "a test".to_owned()
    }
}

#[test]
fn policies_of_an_operator_replace_those_that_ship_and_bad_ones_replace_none() {
    let only = |role: &str| {
        format!(
            "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: procura:api\n  version: default\n  rules:\n  \
             - {{actions: ['*'], roles: [{role}], effect: EFFECT_ALLOW}}\n"
        )
    };
    let source = Arc::new(Text(Mutex::new(only("owner"))));
    let (access, _watch) = AccessWatch::start(Arc::clone(&source) as Arc<dyn PolicySource>).unwrap();
    assert_eq!(rights(&access, &["owner"], None).len(), Action::ALL.len());
    assert_eq!(rights(&access, &["local"], None).len(), 0);
    let wait = |holds: &dyn Fn() -> bool| {
        let begun = std::time::Instant::now();
        while !holds() {
            assert!(begun.elapsed().as_secs() < 30, "it never came true");
            thread::yield_now();
        }
    };

    "nonsense".clone_into(&mut source.0.lock().unwrap());
    wait(&|| access.trouble().is_some());
    assert_eq!(rights(&access, &["owner"], None).len(), Action::ALL.len());
    assert_eq!(access.epoch(), 0);

    *source.0.lock().unwrap() = only("chief");
    wait(&|| access.epoch() == 1 && access.trouble().is_none());
    assert_eq!(rights(&access, &["owner"], None).len(), 0);
    for bad in ["nonsense".to_owned(), String::new(), only("chief").replace("procura:api", "album")] {
        let started = AccessWatch::start(Arc::new(Text(Mutex::new(bad.clone()))));
        assert!(started.is_err(), "{bad}");
    }
}
