//! Dev-only helpers: HTTP client, server process handle, simulated disk, long-running trials.

pub mod http;
pub mod server;
