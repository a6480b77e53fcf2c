//! Dev-only: what decisions are tested with, for the core itself and for whoever answers requests.
//!
//! Random policy sets come with requests to ask of them, written out as policy files and as bodies of the check API,
//! and with an oracle that answers them by the plain reading of the rules. Generator and oracle use nothing of the
//! core, so that no mistake of the engine or the compiler can be repeated there. Everything is a function of a seed.
//!
//! | module | what it holds |
//! |---|---|
//! | [`answer`] | what is answered about one resource, to compare |
//! | [`corpus`], [`yaml`] | the decision corpus: one file per behaviour |
//! | [`engine`] | the engine of the core on a random store |
//! | [`expr`] | the small expression language of the samples |
//! | [`generate`] | random stores |
//! | [`model`] | policies, stores, requests and settings as data |
//! | [`oracle`] | the plain reading of the rules |
//! | [`peer_corpus`] | the recorded cases of the peer, where they are |
//! | [`rng`] | random numbers that a seed repeats |
//! | [`mod@write`] | policies as YAML text, requests as JSON |
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support: a broken assumption fails the test that made it"
)]

pub mod answer;
pub mod corpus;
pub mod engine;
pub mod expr;
pub mod generate;
pub mod model;
pub mod oracle;
pub mod peer_corpus;
pub mod rng;
pub mod write;
pub mod yaml;
