//! All integration tests, one binary: each module is one part of the server seen from outside.

mod audit;
mod audit_power_cut;
mod http;
mod reload;
