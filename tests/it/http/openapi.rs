//! `GET /openapi.json`: it is what the repository has, it has what the router has, and what it says is true.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use procura_core::expr::{Budget, Patterns};
use procura_core::schema::{Library, Schema};
use procura_core::value::Map;
use procura_testkit::http::{Connection, Response};
use procura_testkit::server::ServerSpec;
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};

use super::TestServer;
use crate::sdk::{python_workspace, run, url};
use crate::tidy::root;

/// The answers without an end.
const ENDLESS: [&str; 3] = ["/api/decisions/tail", "/api/changes", "/api/signals/events"];

async fn document(connection: &mut Connection) -> Value {
    let response = connection.get("/openapi.json").await.unwrap();
    assert_eq!((response.status, response.header("content-type")), (200, Some("application/json")));
    response.json().unwrap()
}

/// Every operation: path, method and what is said of it.
fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, methods)| {
        methods
            .as_object()
            .unwrap()
            .iter()
            .map(|(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_the_one_in_the_repository() {
    let server = TestServer::start().await;
    let document = document(&mut server.connect().await).await;
    let text = format!("{}\n", serde_json::to_string_pretty(&document).unwrap());
    let golden = root().join("docs/openapi.json");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&golden, &text).unwrap();
    }
    let known = fs::read_to_string(&golden).unwrap_or_default();
    assert!(known == text, "docs/openapi.json is not what is served: renew it with UPDATE=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_path_and_method_of_the_router_is_described_and_nothing_else() {
    let server = TestServer::start().await;
    let mut connection = server.connect().await;
    let document = document(&mut connection).await;
    let described: BTreeSet<&str> = operations(&document).map(|(path, ..)| path).collect();
    assert_eq!(described, procura::http::paths(true).into_iter().map(|(path, _)| path).collect());
    for path in described {
        let at = path.replace("{kind}", "KIND_DECISION").replace(['{', '}'], "");
        let response = connection.send("PURGE", &at, &[], b"").await.unwrap();
        let allowed = response.header("allow").unwrap_or_default().to_ascii_lowercase();
        let allowed: BTreeSet<&str> = allowed.split(',').filter(|method| *method != "head").collect();
        let methods = document["paths"][path].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!((response.status, allowed), (405, methods), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_answered_as_described() {
    let data = TempDir::new("openapi");
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let spec = ServerSpec::new(env!("CARGO_BIN_EXE_procura"), policies, data.path());
    let server = spec.arg("--set=audit.checkpoint.interval=100ms").start().await.unwrap();
    let mut connection = server.connect().await.unwrap();
    let document = document(&mut connection).await;
    let said = Said::new(&document);
    let mut played = 0;
    for (path, method, operation) in operations(&document).filter(|(path, ..)| !ENDLESS.contains(path)) {
        let (target, body) = (target(path, operation), said.example(operation));
        let headers = [("content-type", "application/json")];
        let answer =
            connection.send(&method.to_uppercase(), &target, &headers, body.as_bytes()).await.unwrap();
        said.holds(operation, &answer, &target);
        played += 1;
    }
    assert!(played > 15, "only {played} operations");
}

/// What is found by the ids that a call is answered with is described, too.
#[tokio::test(flavor = "multi_thread")]
async fn what_links_lead_to_is_answered_as_described() {
    let data = TempDir::new("openapi-links");
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let spec = ServerSpec::new(env!("CARGO_BIN_EXE_procura"), policies, data.path());
    let server = spec.start().await.unwrap();
    let mut connection = server.connect().await.unwrap();
    let document = document(&mut connection).await;
    let said = Said::new(&document);
    let check = &document["paths"]["/api/check/resources"]["post"];
    let mut body: Value = serde_json::from_str(&said.example(check)).unwrap();
    body["includeMeta"] = json!(true);
    let answer = connection.post_json("/api/check/resources", body.to_string().as_bytes()).await.unwrap();
    said.holds(check, &answer, "a check with metadata");
    let call = answer.json().unwrap()["cerbosCallId"].as_str().unwrap().to_owned();
    for (path, target) in [
        ("/api/decisions/{call}", format!("/api/decisions/{call}")),
        ("/api/decisions/{call}", format!("/api/decisions/{call}%2F1")),
        ("/api/decisions/{call}/{number}", format!("/api/decisions/{call}/2")),
        ("/api/decisions", format!("/api/decisions?callId={call}")),
        ("/api/decisions/stats", "/api/decisions/stats?by=principal,role".to_owned()),
    ] {
        let answer = connection.get(&target).await.unwrap();
        assert_eq!(answer.status, 200, "{target}");
        said.holds(&document["paths"][path]["get"], &answer, &target);
    }
}

/// Random requests that fit the document and that do not, by schemathesis. `API_EXAMPLES=2000` makes a long trial of it.
#[tokio::test(flavor = "multi_thread")]
async fn random_requests_find_nothing_wrong_with_the_document() {
    let Some(dir) = python_workspace("tests/api", "api") else { return };
    let data = TempDir::new("openapi-random");
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let spec = ServerSpec::new(env!("CARGO_BIN_EXE_procura"), policies, data.path())
        .arg("--set=audit.checkpoint.interval=100ms")
        .arg("--set=auxData.jwt.disableVerification=true");
    let server = spec.start().await.unwrap();
    let examples = std::env::var("API_EXAMPLES").unwrap_or_else(|_| "10".to_owned());
    run(Command::new(dir.join("venv/bin/st"))
        .args(["run", &format!("{}/openapi.json", url(&server)), "--checks=all", "--continue-on-failure"])
        .arg(format!("--max-examples={examples}"))
        .current_dir(&dir));
}

/// Path and query with the examples of the parameters.
fn target(path: &str, operation: &Value) -> String {
    let (mut target, mut query) = (path.to_owned(), Vec::new());
    for parameter in operation["parameters"].as_array().unwrap() {
        let name = parameter["name"].as_str().unwrap();
        match (parameter["in"].as_str().unwrap(), &parameter["example"]) {
            ("path", Value::String(example)) => target = target.replace(&format!("{{{name}}}"), example),
            ("query", Value::String(example)) => query.push(format!("{name}={}", encoded(example))),
            ("query", Value::Number(example)) => query.push(format!("{name}={example}")),
            ("query", Value::Array(list)) => {
                let list: Vec<_> = list.iter().map(|item| item.as_str().unwrap()).collect();
                query.push(format!("{name}={}", list.join(",")));
            }
            ("query", Value::Object(members)) => {
                query.extend(members.iter().map(|(name, value)| format!("{name}={value}")));
            }
            (_, example) => assert!(example.is_null(), "{path}: {name}: {example}"),
        }
    }
    if query.is_empty() { target } else { format!("{target}?{}", query.join("&")) }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// What the document says of answers.
struct Said<'d> {
    document: &'d Value,
    text: String,
}

impl<'d> Said<'d> {
    fn new(document: &'d Value) -> Self {
        Self { document, text: document.to_string() }
    }

    /// The example of the body, which is one by its schema.
    fn example(&self, operation: &Value) -> String {
        let content = &operation["requestBody"]["content"]["application/json"];
        let example = &content["example"];
        if example.is_null() {
            return String::new();
        }
        self.fits(&content["schema"], example, "example");
        example.to_string()
    }

    /// Panics unless `answer` has a status, headers and a body that `operation` names.
    fn holds(&self, operation: &Value, answer: &Response, what: &str) {
        let status = answer.status.to_string();
        let response = self.resolve(&operation["responses"][&status]);
        assert!(response.is_object(), "{what}: status {status} is not described");
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            if self.resolve(header)["required"] == true {
                assert!(answer.header(&name.to_ascii_lowercase()).is_some(), "{what}: no `{name}`");
            }
        }
        let media_type = answer.header("content-type").unwrap();
        let content = response["content"].as_object().unwrap();
        let content = content.get(media_type).or_else(|| content.get(media_type.split(';').next().unwrap()));
        let content = content.unwrap_or_else(|| panic!("{what}: {status}: `{media_type}` is not described"));
        let schema = &content["schema"];
        if media_type.contains("json") && schema["$ref"].is_string() {
            self.fits(schema, &answer.json().unwrap(), what);
        }
    }

    fn resolve<'v>(&'v self, value: &'v Value) -> &'v Value {
        match value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
            Some(pointer) => self.document.pointer(pointer).unwrap(),
            None => value,
        }
    }

    fn fits(&self, schema: &Value, value: &Value, what: &str) {
        let text = value.to_string();
        let attributes: Map<'_> = serde_json::from_str(&text).unwrap();
        let found =
            self.schema(schema).validate(&attributes, &Budget::new(100_000_000, 100_000_000)).unwrap();
        assert!(found.is_empty(), "{what}: {found:?}\n{text}");
    }

    fn schema(&self, reference: &Value) -> Arc<Schema> {
        let pointer = reference["$ref"].as_str().unwrap();
        let mut library = Library::new([("_schemas/openapi.json", self.text.as_str())]);
        library.schema(&format!("cerbos:///openapi.json{pointer}"), &Patterns::default()).unwrap()
    }
}
