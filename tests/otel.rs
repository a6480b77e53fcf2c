//! Traces and metrics of a running server, as a collector gets them.
#![cfg(test)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Uri};
use procura_testkit::server::ServerSpec;
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// How long something is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// A collector that keeps what it gets.
#[derive(Clone, Default)]
struct Collector {
    got: Arc<Mutex<Vec<(String, HeaderMap, Value)>>>,
    more: Arc<Notify>,
}

impl Collector {
    async fn start() -> (Self, SocketAddr) {
        let collector = Self::default();
        let kept = collector.clone();
        let router = Router::new().fallback(async move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let body = serde_json::from_slice(&body).unwrap_or_default();
            kept.got.lock().unwrap().push((uri.path().to_owned(), headers, body));
            kept.more.notify_one();
            "{}"
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, router).await });
        (collector, address)
    }

    /// The first that `find` finds in the bodies that came to `path`.
    async fn wait<T>(&self, path: &str, find: impl Fn(&HeaderMap, &Value) -> Option<T>) -> T {
        let found = async {
            loop {
                let got = self.got.lock().unwrap().clone();
                let bodies = got.iter().filter(|(to, ..)| to == path);
                if let Some(found) = bodies.filter_map(|(_, headers, body)| find(headers, body)).next() {
                    return found;
                }
                self.more.notified().await;
            }
        };
        let timeout = tokio::time::timeout(PATIENCE, found).await;
        timeout.unwrap_or_else(|_| panic!("not found at {path}: {:?}", self.got.lock().unwrap()))
    }
}

fn spans(body: &Value) -> Vec<Value> {
    body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().cloned().unwrap_or_default()
}

fn attribute(of: &Value, name: &str) -> Value {
    let attributes = of["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|attribute| attribute["key"] == name);
    found.and_then(|found| found["value"].as_object()?.values().next().cloned()).unwrap_or_default()
}

fn spec(data: &TempDir, collector: SocketAddr) -> ServerSpec {
    ServerSpec::new(
        env!("CARGO_BIN_EXE_procura"),
        Path::new(env!("CARGO_MANIFEST_DIR")).join("policies"),
        data.path(),
    )
    .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{collector}"))
    .env("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=secret-1")
    .env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    .env("OTEL_BSP_SCHEDULE_DELAY", "50")
    .env("OTEL_METRIC_EXPORT_INTERVAL", "100")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_call_is_a_span_of_its_callers_trace_and_tells_nothing_of_the_principal() {
    let (collector, address) = Collector::start().await;
    let data = TempDir::new("otel-spans");
    let server = spec(&data, address).start().await.unwrap();
    let mut connection = server.connect().await.unwrap();
    let check = json!({
        "principal": {"id": "secret-grace", "roles": ["employee"]},
        "resources": [{"actions": ["view"], "resource": {"kind": "leave_request", "id": "secret-1"}}],
    });
    let traceparent = format!("00-{TRACE}-{SPAN}-01");
    let headers = [("traceparent", traceparent.as_str()), ("tracestate", "vendor=1")];
    for body in [check.to_string(), "{".to_owned()] {
        connection.send("POST", "/api/check/resources", &headers, body.as_bytes()).await.unwrap();
    }
    let span_with = |status: i64| {
        let collector = collector.clone();
        async move {
            let is_it = |span: &Value| {
                let code = attribute(span, "http.response.status_code");
                code == json!(status) || code == json!(status.to_string())
            };
            let find = |headers: &HeaderMap, body: &Value| {
                assert_eq!(headers["x-collector-key"], "secret-1");
                assert!(!headers.contains_key("traceparent"), "exports are not traced");
                let resource = &body["resourceSpans"][0]["resource"];
                assert_eq!(attribute(resource, "service.name"), "procura");
                assert_eq!(attribute(resource, "deployment.environment"), "test");
                assert!(!body.to_string().contains("secret-"), "{body}");
                spans(body).into_iter().find(is_it)
            };
            collector.wait("/v1/traces", find).await
        }
    };
    let decided = span_with(200).await;
    assert_eq!((&decided["traceId"], &decided["parentSpanId"]), (&json!(TRACE), &json!(SPAN)));
    assert_eq!((&decided["name"], &decided["kind"]), (&json!("POST /api/check/resources"), &json!(2)));
    assert_eq!(decided["traceState"], "vendor=1");
    assert_eq!(attribute(&decided, "procura.denied"), "1");
    assert_eq!(attribute(&decided, "procura.policy_revision").as_str().unwrap().len(), 64);
    let call = attribute(&decided, "procura.call_id");
    let found = connection.get(&format!("/api/decisions/{}", call.as_str().unwrap())).await.unwrap();
    assert_eq!(found.json().unwrap()["record"]["call"]["traceId"], TRACE);

    let rejected = span_with(400).await;
    assert_eq!(
        (&rejected["traceId"], attribute(&rejected, "error.type")),
        (&json!(TRACE), json!("invalid_request"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_callers_do_not_keep_is_not_sent_and_the_last_spans_are_sent_at_the_end() {
    let (collector, address) = Collector::start().await;
    let data = TempDir::new("otel-end");
    let mut server = spec(&data, address).env("OTEL_BSP_SCHEDULE_DELAY", "600000").start().await.unwrap();
    let mut connection = server.connect().await.unwrap();
    let body = json!({
        "principal": {"id": "ada", "roles": ["employee"]},
        "resources": [{"actions": ["view"], "resource": {"kind": "leave_request", "id": "1"}}],
    });
    for flags in ["00", "01"] {
        let traceparent = format!("00-{TRACE}-{SPAN}-{flags}");
        let headers = [("traceparent", traceparent.as_str())];
        let body = body.to_string();
        connection.send("POST", "/api/check/resources", &headers, body.as_bytes()).await.unwrap();
    }
    server.signal("TERM").await.unwrap();
    assert!(server.wait().await.unwrap().success());
    let sent = collector.wait("/v1/traces", |_, body| Some(spans(body).len())).await;
    assert_eq!(sent, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_sent() {
    let (collector, address) = Collector::start().await;
    let data = TempDir::new("otel-metrics");
    let server = spec(&data, address).start().await.unwrap();
    let text = server.connect().await.unwrap().get("/metrics").await.unwrap().body;
    let text = String::from_utf8(text).unwrap();
    let names: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    assert!(names.len() > 20, "{text}");
    let metrics = |_: &HeaderMap, body: &Value| {
        let metrics = body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"].as_array()?.clone();
        let has = |name: &&&str| metrics.iter().any(|metric| metric["name"] == **name);
        (names.iter().filter(has).count() == names.len()).then_some(metrics)
    };
    let metrics = collector.wait("/v1/metrics", metrics).await;
    let of = |name: &str| metrics.iter().find(|metric| metric["name"] == name).unwrap();
    assert_eq!(of("procura_policy_generation")["gauge"]["dataPoints"][0]["asDouble"], 1.0);
    let histogram = metrics.iter().find(|metric| metric["histogram"].is_object()).unwrap();
    let point = &histogram["histogram"]["dataPoints"][0];
    let bounds = point["explicitBounds"].as_array().unwrap().len();
    assert_eq!(point["bucketCounts"].as_array().unwrap().len(), bounds + 1, "{histogram}");
}

#[tokio::test(flavor = "multi_thread")]
async fn server_answers_though_its_collector_is_away() {
    let data = TempDir::new("otel-away");
    let server = spec(&data, "127.0.0.1:9".parse().unwrap()).start().await.unwrap();
    let mut connection = server.connect().await.unwrap();
    for _ in 0..20 {
        assert_eq!(connection.get("/readyz").await.unwrap().status, 200);
    }
}
