//! Calls about leave requests in several sizes, and what becomes of one between the sockets.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use procura::http::RequestLimits;
use procura::http::cerbos::{CheckCall, CheckResponse};
use procura_core::engine::{OnError, Settings, decide};
use procura_core::model::{Evaluation, Timestamp};
use procura_core::policy::{Snapshot, SourceFile, compile};
use procura_core::record::{Basis, Call, CallRecord, Caller, EncodedBasis, Vouchers};
use serde_json::{Value, json};

/// Name, resources, actions and scope of the calls that are measured.
pub(crate) const SIZES: [(&str, usize, usize, &str); 4] =
    [("1x1", 1, 1, ""), ("1x4", 1, 4, ""), ("10x4", 10, 4, ""), ("scopes", 1, 4, "acme.hr")];
/// What happens to a call, in this order; then all of it, without a record as with the decision log off.
pub(crate) const STAGES: [&str; 5] = ["parse", "decide", "record", "respond", "whole"];

const CALL_ID: &str = "0193a4c0-0000-7000-8000-000000000000";

/// The policies of `benches/store`, live.
pub(crate) struct Bench {
    snapshot: Snapshot,
    settings: Settings,
    limits: RequestLimits,
    basis: EncodedBasis,
}

impl Bench {
    /// Compiles the policies of the directory that `PROCURA_BENCH_STORE` names, else of `benches/store`.
    pub(crate) fn open() -> Self {
        let store = std::env::var_os("PROCURA_BENCH_STORE").map(PathBuf::from);
        let store = store.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/store"));
        let mut files: Vec<_> = fs::read_dir(store).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let file = |path: &PathBuf| SourceFile {
            path: path.file_name().unwrap().to_str().unwrap().into(),
            text: fs::read_to_string(path).unwrap().into(),
        };
        let compiled = compile(&files.iter().map(file).collect::<Vec<_>>());
        let settings = Settings { on_error: OnError::Cerbos, ..Settings::default() };
        let snapshot = compiled.snapshot.unwrap_or_else(|| panic!("{:#?}", compiled.diagnostics));
        let basis = basis(&snapshot, &settings);
        Self { snapshot, settings, limits: RequestLimits::default(), basis }
    }

    /// Calls `run` with what the stage does once to the call of this size.
    pub(crate) fn stage(&self, stage: &str, size: &str, run: &mut dyn FnMut(&dyn Fn())) {
        let body = body(size);
        let check = self.parse(&body);
        let evaluation = self.decide(&check);
        match stage {
            "parse" => run(&|| drop(black_box(self.parse(black_box(&body))))),
            "decide" => run(&|| drop(black_box(self.decide(black_box(&check))))),
            "record" => run(&|| drop(black_box(self.record(black_box(&check), black_box(&evaluation))))),
            "respond" => run(&|| drop(black_box(respond(black_box(&check), black_box(&evaluation))))),
            "whole" => run(&|| {
                let check = self.parse(black_box(&body));
                drop(black_box(respond(&check, &self.decide(&check))));
            }),
            _ => panic!("the stages are {STAGES:?}"),
        }
    }

    fn parse<'a>(&self, body: &'a [u8]) -> CheckCall<'a> {
        CheckCall::parse(body, &self.limits).unwrap()
    }

    fn decide(&self, check: &CheckCall<'_>) -> Evaluation {
        decide(&self.snapshot, &check.call.request, &self.settings, Timestamp::UNIX_EPOCH)
    }

    fn record(&self, check: &CheckCall<'_>, evaluation: &Evaluation) -> Vec<u8> {
        let call = Call {
            id: CALL_ID.into(),
            request_id: Some("call-1".into()),
            trace_id: None,
            api: "check_resources".into(),
            caller: Caller { address: Some("127.0.0.1:50000".into()), ..Caller::default() },
            ..Call::default()
        };
        let record = CallRecord {
            at: Timestamp::constant(1_795_349_586, 676_906_651),
            call: &call,
            basis: &self.basis,
            request: &check.call.request,
            vouchers: &Vouchers::default(),
            evaluation,
        };
        record.encode().unwrap()
    }
}

fn basis(snapshot: &Snapshot, settings: &Settings) -> EncodedBasis {
    EncodedBasis::new(&Basis {
        standing: procura_core::engine::Standing::default(),
        engine: env!("CARGO_PKG_VERSION").into(),
        policy_revision: snapshot.revision.as_str().into(),
        policy_generation: 1,
        on_error: settings.on_error.as_str().into(),
        default_policy_version: (&*settings.default_policy_version).into(),
        default_scope: (&*settings.default_scope).into(),
        lenient_scope_search: settings.lenient_scope_search,
        strict_evaluation: settings.strict_evaluation,
        schema_enforcement: settings.schema_enforcement.as_str().into(),
        globals: std::borrow::Cow::Borrowed(&settings.globals),
        durability: "async".into(),
    })
}

fn respond(check: &CheckCall<'_>, evaluation: &Evaluation) -> Vec<u8> {
    CheckResponse::new(check, evaluation, CALL_ID).to_json().unwrap()
}

fn body(size: &str) -> Vec<u8> {
    let known = SIZES.iter().find(|(name, ..)| *name == size);
    let &(_, resources, actions, scope) = known.unwrap_or_else(|| panic!("the sizes are {SIZES:?}"));
    let actions = &["view", "create", "approve", "delete"][..actions];
    let resource = |n: usize| {
        let attr = json!({
            "owner": if n.is_multiple_of(2) { "ada" } else { "bob" }, "department": "marketing", "geography": "GB",
            "id": format!("LR-{n}"), "team": "design", "locked": false, "status": "PENDING", "tags": [],
        });
        json!({"actions": actions, "resource": with_scope(json!(
            {"kind": "leave_request", "policyVersion": "default", "id": format!("LR-{n}"), "attr": attr}), scope)})
    };
    let principal = json!({
        "id": "ada", "policyVersion": "default", "roles": ["employee"],
        "attr": {"department": "marketing", "geography": "GB", "team": "design",
                 "manages": ["marketing", "finance"], "address": "10.20.5.5"},
    });
    let resources: Vec<_> = (0..resources).map(resource).collect();
    let request_id = "call-1";
    json!({"requestId": request_id, "includeMeta": false, "principal": with_scope(principal, scope), "resources": resources})
        .to_string()
        .into_bytes()
}

fn with_scope(mut value: Value, scope: &str) -> Value {
    if !scope.is_empty() {
        value["scope"] = scope.into();
    }
    value
}
