//! What happens between this server and the transmitters of streams.

use tracing::{info, warn};

/// Something about the connection to a transmitter is not as it should be.
#[derive(Debug)]
pub struct StreamTroubled<'a> {
    /// The stream.
    pub stream: &'a str,
    /// What is concerned.
    pub concern: &'static str,
    /// What is wrong.
    pub trouble: &'a str,
}

impl StreamTroubled<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        let Self { stream, concern, trouble } = self;
        warn!(event = "stream_troubled", stream, concern, trouble, "stream troubled");
    }
}

/// It is as it should be again.
#[derive(Debug)]
pub struct StreamRecovered<'a> {
    /// The stream.
    pub stream: &'a str,
    /// What is concerned.
    pub concern: &'static str,
}

impl StreamRecovered<'_> {
    /// Writes the log line.
    pub fn emit(&self) {
        let Self { stream, concern } = self;
        info!(event = "stream_recovered", stream, concern, "stream recovered");
    }
}
