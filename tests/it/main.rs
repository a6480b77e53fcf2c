//! All integration tests, one binary: each module is one part of the server seen from outside.
#![cfg(test)]

mod audit;
mod audit_cli;
mod audit_index;
mod audit_lost;
mod audit_power_cut;
mod audit_retention;
mod audit_segments;
mod aux_data;
mod cli;
mod decisions;
mod differential;
mod documents;
mod evidence;
mod examples;
mod explain;
mod fuzz_seeds;
mod http;
mod image;
mod kill;
#[cfg(feature = "otel")]
mod otel;
mod overload;
mod peer_conformance;
mod privacy;
mod proof;
mod proof_cli;
mod proof_witness;
mod quarantine;
mod readme_tour;
mod reload;
mod replay;
mod rotate;
mod sdk;
mod secrets;
mod ship;
mod shipped_policies;
mod strangers;
mod streams;
mod suites;
mod tidy;
