//! What the server says about itself: structured log lines on standard error and Prometheus metrics.
//!
//! An occurrence worth knowing is a struct in [`events`]; its one `emit` writes the log line and moves the metric,
//! so the two cannot disagree. Every other module may use this one; it uses none of them.

pub mod events;
mod labels;
mod metrics;
#[cfg(feature = "otel")]
pub mod samples;
#[cfg(feature = "otel")]
pub mod spans;
mod trace;

pub use labels::{
    Api, HandshakeOutcome, KeyRefresh, Outcome, Phase, Refused, ReloadOutcome, ShadowCall, Shed, SignalPhase,
    Surface, TlsReload, Where, WitnessKind,
};
pub use metrics::{Metrics, MetricsError, ShipMetrics, SignalMetrics};
pub use trace::{Trace, TraceParent};

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// One line of text per event.
    Text,
    /// One JSON object per event.
    Json,
}

/// Sends all later log lines of this process to standard error.
///
/// `level` is a level (`info`) or a list of directives (`info,notify=debug`). A second call changes nothing.
///
/// # Errors
/// If `level` is not understood.
pub fn init(level: &str, format: LogFormat) -> Result<(), ParseError> {
    let filter = EnvFilter::builder().parse(level)?;
    let is_terminal = std::io::stderr().is_terminal();
    // A log line that cannot be written is lost. Reporting that on standard error would fail as well, and panic.
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .log_internal_errors(false)
        .with_writer(std::io::stderr)
        // Colours are for people: in a file or a pipe they are noise. https://no-color.org
        .with_ansi(is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()));
    let json = match format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    // A subscriber that is already there (a second server in one test process) stays.
    let _ = if json { subscriber.json().flatten_event(true).try_init() } else { subscriber.try_init() };
    log_panics();
    Ok(())
}

/// Logs each panic as an event instead of a bare message, so that none is missed where only JSON is read.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("not text");
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        tracing::error!(event = "panicked", location, thread, message, "panicked");
    }));
}
