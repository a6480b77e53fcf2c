//! Procura: a policy decision point for people, workloads and AI agents.
//!
//! The pure decision core is the crate `procura-core`; this crate is the server around it.
//! Arrows point inwards: `http` and `cli` call `pdp` and `ports`; the adapters `pap`, `audit`, `facts`, `pip` and `tls` implement `ports` and
//! know neither each other nor the edges. `durable` is how those that keep something keep it, `background` how those
//! that work beside the calls stay out of their way, `outgoing` how those that ask other servers do so, `secret` where
//! what is not to be shown is read; `telemetry`
//! knows none of them and may be used by all.

pub mod audit;
mod background;
pub mod callers;
pub mod cli;
pub mod config;
pub mod discovery;
mod durable;
pub mod facts;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod http;
#[cfg(feature = "otel")]
mod otel;
mod outgoing;
pub mod pap;
pub mod pdp;
pub mod pip;
pub mod ports;
pub mod quarantine;
mod rate;
pub mod secret;
pub mod ship;
pub mod streams;
pub mod telemetry;
pub mod tls;
