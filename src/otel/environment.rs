//! What the environment says about exporting, where the library does not read it itself
//! (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>).

use std::env;
use std::io;
use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};

/// How often metrics are sent if nothing is configured.
const INTERVAL: Duration = Duration::from_secs(60);

/// What can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
}

/// Where a signal is sent to, and with what.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) url: Uri,
    pub(super) headers: HeaderMap,
}

impl Signal {
    const fn name(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Metrics => "METRICS",
        }
    }

    /// Where it is to be sent to; `None` if it is not.
    pub(super) fn endpoint(self) -> io::Result<Option<Endpoint>> {
        let name = self.name();
        if text(&format!("OTEL_{name}_EXPORTER")).is_some_and(|exporter| exporter == "none") {
            return Ok(None);
        }
        let own = text(&format!("OTEL_EXPORTER_OTLP_{name}_ENDPOINT"));
        let common = text("OTEL_EXPORTER_OTLP_ENDPOINT");
        let below = |base: String| format!("{}/v1/{}", base.trim_end_matches('/'), name.to_ascii_lowercase());
        let Some(url) = own.or_else(|| common.map(below)) else { return Ok(None) };
        let url = url.parse().map_err(|error| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{url}` is no URL of an OTLP endpoint: {error}"),
            )
        })?;
        let headers = text(&format!("OTEL_EXPORTER_OTLP_{name}_HEADERS"));
        let headers = headers.or_else(|| text("OTEL_EXPORTER_OTLP_HEADERS")).unwrap_or_default();
        Ok(Some(Endpoint { url, headers: parsed(&headers) }))
    }
}

/// Whether everything is turned off.
pub(super) fn is_disabled() -> bool {
    text("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"))
}

/// How often metrics are sent.
pub(super) fn interval() -> Duration {
    let milliseconds = text("OTEL_METRIC_EXPORT_INTERVAL").and_then(|text| text.parse().ok());
    milliseconds.filter(|milliseconds| *milliseconds > 0).map_or(INTERVAL, Duration::from_millis)
}

/// A variable that is set and not empty, which is the same as not set.
fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|text| !text.is_empty())
}

/// Headers as `name=value` with commas between them; those that are none are left out, as the library does.
fn parsed(text: &str) -> HeaderMap {
    let header = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let mut value = HeaderValue::from_str(value.trim()).ok()?;
        value.set_sensitive(true);
        Some((HeaderName::from_bytes(name.trim().as_bytes()).ok()?, value))
    };
    text.split(',').filter_map(header).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_pairs_and_what_is_none_is_left_out() {
        let headers = parsed("authorization=Bearer x=y, x-tenant = acme ,broken,b\u{7f}d=1");
        let all: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(all, [("authorization", "Bearer x=y"), ("x-tenant", "acme")]);
        assert!(headers["authorization"].is_sensitive());
    }
}
