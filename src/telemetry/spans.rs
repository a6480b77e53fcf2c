//! Spans of OpenTelemetry: one for each call and one for each request of our own. They are made when what they tell of
//! is over, so that nothing waits for them, and hold nothing about principals and resources.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use opentelemetry::global::BoxedTracer;
use opentelemetry::trace::{
    Span, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer,
};
use opentelemetry::{Context, KeyValue};

use super::events::{CallDecided, CallRejected};
use super::labels::{Api, Outcome};
use super::trace::{Trace, TraceParent};

static TRACER: OnceLock<BoxedTracer> = OnceLock::new();

/// From now on spans are made by `tracer`. A second one changes nothing.
pub fn start(tracer: BoxedTracer) {
    // A tracer that is already there (a second server in one test process) stays.
    let _ = TRACER.set(tracer);
}

/// A call was decided.
pub(super) fn decided(call: &CallDecided<'_>) {
    let Some(tracer) = TRACER.get() else { return };
    let took = call.parse + call.decide + call.record;
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let attributes = [
        KeyValue::new("procura.call_id", call.call_id.to_owned()),
        KeyValue::new("procura.policy_revision", call.revision.to_owned()),
        KeyValue::new("procura.allowed", number(call.allowed)),
        KeyValue::new("procura.denied", number(call.denied)),
        KeyValue::new("procura.problems", number(call.problems as u64)),
        KeyValue::new("procura.parse_seconds", call.parse.as_secs_f64()),
        KeyValue::new("procura.decide_seconds", call.decide.as_secs_f64()),
        KeyValue::new("procura.record_seconds", call.record.as_secs_f64()),
    ];
    let mut span = served(tracer, call.api, took, &call.trace.map_or_else(Context::new, remote));
    span.set_attribute(KeyValue::new("http.response.status_code", 200));
    span.set_attributes(attributes);
}

/// A call was refused. Only what is our fault is an error, as the conventions for HTTP servers have it.
pub(super) fn rejected(call: &CallRejected<'_>) {
    let Some(tracer) = TRACER.get() else { return };
    let parent = call.parent.map(|parent| remote(Trace { parent, state: "" }));
    let mut span = served(tracer, call.api, Duration::ZERO, &parent.unwrap_or_default());
    span.set_attribute(KeyValue::new("http.response.status_code", i64::from(call.status)));
    span.set_attribute(KeyValue::new("error.type", call.outcome.as_str()));
    if call.outcome != Outcome::Invalid {
        span.set_status(Status::error(call.outcome.as_str()));
    }
}

/// A span of a request to `api` that ends now and began `took` ago.
fn served(tracer: &BoxedTracer, api: Api, took: Duration, parent: &Context) -> impl Span + use<> {
    let path = route(api);
    let began = SystemTime::now().checked_sub(took).unwrap_or(SystemTime::UNIX_EPOCH);
    let builder = SpanBuilder::from_name(format!("POST {path}"))
        .with_kind(SpanKind::Server)
        .with_start_time(began)
        .with_attributes([
            KeyValue::new("http.request.method", "POST"),
            KeyValue::new("http.route", path),
            KeyValue::new("procura.api", api.as_str()),
        ]);
    tracer.build_with_context(builder, parent)
}

const fn route(api: Api) -> &'static str {
    match api {
        Api::CheckResources => "/api/check/resources",
        Api::CheckResourceSet => "/api/check",
        Api::CheckResourceBatch => "/api/check_resource_batch",
        Api::Evaluation => "/access/v1/evaluation",
    }
}

/// The context of the caller. A `tracestate` that is malformed is left out, which leaves the trace as it is.
fn remote(trace: Trace<'_>) -> Context {
    let Trace { parent, state } = trace;
    let ids = (TraceId::from_hex(parent.trace_id()), SpanId::from_hex(parent.span_id()));
    let (Ok(trace_id), Ok(span_id)) = ids else { return Context::new() };
    let flags = TraceFlags::default().with_sampled(parent.is_sampled());
    let state: TraceState = state.parse().unwrap_or_default();
    Context::new().with_remote_span_context(SpanContext::new(trace_id, span_id, flags, true, state))
}

/// The span of a request that we make; it ends when this is dropped.
pub struct Asked(Option<<BoxedTracer as Tracer>::Span>);

impl Asked {
    /// A request with `method` to `host` begins.
    #[must_use]
    pub fn begin(method: &str, host: &str) -> Self {
        let span = TRACER.get().map(|tracer| {
            let builder =
                SpanBuilder::from_name(method.to_owned()).with_kind(SpanKind::Client).with_attributes([
                    KeyValue::new("http.request.method", method.to_owned()),
                    KeyValue::new("server.address", host.to_owned()),
                ]);
            tracer.build_with_context(builder, &Context::new())
        });
        Self(span)
    }

    /// Its `traceparent`, for whoever is asked.
    #[must_use]
    pub fn traceparent(&self) -> Option<String> {
        let context = self.0.as_ref()?.span_context();
        let (trace, span, flags) = (context.trace_id(), context.span_id(), context.trace_flags().to_u8());
        let header = format!("00-{trace}-{span}-{flags:02x}");
        TraceParent::parse(header.as_bytes()).map(|_| header)
    }

    /// It is answered with `status`, or not at all.
    pub fn end(mut self, status: Option<u16>) {
        let Some(span) = &mut self.0 else { return };
        if let Some(status) = status {
            span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        }
        if status.is_none_or(|status| status >= 400) {
            span.set_status(Status::error("not answered as hoped for"));
        }
    }
}
