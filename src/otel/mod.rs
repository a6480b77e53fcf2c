//! Traces and metrics for an OpenTelemetry collector, over OTLP/HTTP in JSON.
//!
//! The environment configures it, as the specification of OpenTelemetry says; without an endpoint nothing is sent. What the
//! collector cannot take is dropped: neither a call nor its record waits for it.

mod client;
mod environment;
mod metrics;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::global::{self, BoxedTracer};
use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use self::client::OtlpClient;
use self::environment::{Signal, is_disabled};
use self::metrics::Sender;
use crate::telemetry::{Metrics, spans};

/// How long the last spans and metrics may take to be sent at the end.
const PATIENCE: Duration = Duration::from_secs(3);

/// What sends, until it is told to stop.
pub(crate) struct Export {
    traces: Option<SdkTracerProvider>,
    metrics: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Export {
    /// Sends what the environment asks for, on the runtime of `handle`; `None` if that is nothing.
    ///
    /// # Errors
    /// If the environment asks for something that there is not.
    pub(crate) fn start(metrics: &Arc<Metrics>, handle: &Handle) -> io::Result<Option<Self>> {
        let (traces, metering) = (Signal::Traces.endpoint()?, Signal::Metrics.endpoint()?);
        if is_disabled() || (traces.is_none() && metering.is_none()) {
            return Ok(None);
        }
        let client = OtlpClient::new(handle.clone())?;
        let resource = resource();
        let metrics = metering.map(|endpoint| {
            let (stop, stopped) = oneshot::channel();
            let sender = Sender::new(endpoint, client.clone(), &resource, Arc::clone(metrics));
            (stop, handle.spawn(sender.run(stopped)))
        });
        let traces = traces.map(|_| start_traces(client, resource)).transpose()?;
        Ok(Some(Self { traces, metrics }))
    }

    /// Sends what is left, as far as that takes little time, and ends. Blocking; the runtime must still be there.
    pub(crate) fn stop(self, handle: &Handle) {
        if let Some(traces) = self.traces {
            // What cannot be sent is dropped.
            let _ = traces.shutdown_with_timeout(PATIENCE);
        }
        if let Some((stop, ended)) = self.metrics {
            drop(stop);
            let _ = handle.block_on(async { tokio::time::timeout(PATIENCE, ended).await });
        }
    }
}

/// What the environment says about this server, and who it is if the environment does not say.
fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let known = Resource::builder().with_attributes([version]);
    let name = Resource::builder().build().get(&Key::from_static_str("service.name"));
    match name {
        Some(name) if !name.as_str().starts_with("unknown_service") => known.build(),
        _ => known.with_service_name("procura").build(),
    }
}

fn start_traces(client: OtlpClient, resource: Resource) -> io::Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder().with_http().with_http_client(client).build();
    let exporter = exporter.map_err(io::Error::other)?;
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build();
    global::set_tracer_provider(provider.clone());
    spans::start(BoxedTracer::new(Box::new(provider.tracer("procura"))));
    Ok(provider)
}
