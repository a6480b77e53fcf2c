//! The metrics of `/metrics` as `ExportMetricsServiceRequest`, in the JSON mapping of OTLP/HTTP 1.x, where 64-bit numbers are
//! texts and enums are numbers.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::header::CONTENT_TYPE;
use hyper::header::HeaderValue;
use opentelemetry_http::{Bytes, Request};
use opentelemetry_sdk::Resource;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tracing::debug;

use super::client::OtlpClient;
use super::environment::{Endpoint, interval};
use crate::telemetry::Metrics;
use crate::telemetry::samples::{Family, Labels, Sample};

/// Values since the start of the process, not since they were last sent.
const CUMULATIVE: u8 = 2;

/// Sends the metrics from time to time.
pub(super) struct Sender {
    endpoint: Endpoint,
    client: OtlpClient,
    resource: Value,
    metrics: Arc<Metrics>,
    started: SystemTime,
}

impl Sender {
    pub(super) fn new(
        endpoint: Endpoint,
        client: OtlpClient,
        resource: &Resource,
        metrics: Arc<Metrics>,
    ) -> Self {
        let attributes = resource.iter().map(|(key, value)| attribute(key.as_str(), &value.as_str()));
        let resource = json!({"attributes": attributes.collect::<Vec<_>>()});
        Self { endpoint, client, resource, metrics, started: SystemTime::now() }
    }

    /// Sends until `stopped`, and once more then.
    pub(super) async fn run(self, mut stopped: oneshot::Receiver<()>) {
        let interval = interval();
        loop {
            let ended = timeout(interval, &mut stopped).await.is_ok();
            self.send().await;
            if ended {
                return;
            }
        }
    }

    /// What is not taken is told again the next time: the values only grow.
    async fn send(&self) {
        let mut request = Request::new(Bytes::from(self.body().to_string()));
        *request.method_mut() = hyper::Method::POST;
        *request.uri_mut() = self.endpoint.url.clone();
        *request.headers_mut() = self.endpoint.headers.clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self.client.send(request).await {
            Ok(answer) if answer.status.is_success() => {}
            Ok(answer) => {
                debug!(event = "metrics_not_taken", status = answer.status.as_u16(), "metrics not taken");
            }
            Err(error) => debug!(event = "metrics_not_taken", error = error.to_string(), "metrics not taken"),
        }
    }

    fn body(&self) -> Value {
        let times = (nanoseconds(self.started), nanoseconds(SystemTime::now()));
        let metrics: Vec<Value> =
            self.metrics.samples().iter().map(|family| metric(family, &times)).collect();
        let scope = json!({"name": "procura", "version": env!("CARGO_PKG_VERSION")});
        let scope_metrics = json!([{"scope": scope, "metrics": metrics}]);
        json!({"resourceMetrics": [{"resource": self.resource, "scopeMetrics": scope_metrics}]})
    }
}

fn metric(family: &Family, times: &(String, String)) -> Value {
    let points: Vec<Value> =
        family.samples.iter().map(|(labels, sample)| point(labels, sample, times)).collect();
    let (kind, data) = match family.samples.first() {
        Some((_, Sample::Counter(_))) => {
            ("sum", json!({"dataPoints": points, "aggregationTemporality": CUMULATIVE, "isMonotonic": true}))
        }
        Some((_, Sample::Histogram { .. })) => {
            ("histogram", json!({"dataPoints": points, "aggregationTemporality": CUMULATIVE}))
        }
        _ => ("gauge", json!({"dataPoints": points})),
    };
    json!({"name": family.name, "description": family.help, kind: data})
}

fn point(labels: &Labels, sample: &Sample, (start, now): &(String, String)) -> Value {
    let attributes: Vec<Value> = labels.iter().map(|(name, value)| attribute(name, value)).collect();
    match sample {
        Sample::Counter(value) | Sample::Gauge(value) => json!({
            "attributes": attributes, "startTimeUnixNano": start, "timeUnixNano": now, "asDouble": value,
        }),
        Sample::Histogram { sum, count, buckets } => {
            let within: u64 = buckets.iter().map(|(_, count)| count).sum();
            let beyond = count.saturating_sub(within);
            let counts = buckets.iter().map(|(_, count)| count).chain([&beyond]);
            json!({
                "attributes": attributes, "startTimeUnixNano": start, "timeUnixNano": now, "sum": sum,
                "count": count.to_string(),
                "bucketCounts": counts.map(u64::to_string).collect::<Vec<_>>(),
                "explicitBounds": buckets.iter().map(|(bound, _)| bound).collect::<Vec<_>>(),
            })
        }
    }
}

fn attribute(name: &str, value: &str) -> Value {
    json!({"key": name, "value": {"stringValue": value}})
}

fn nanoseconds(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}
