//! The pure decision core of Procura.
//!
//! Everything here is a function of its arguments: no IO, no clock, no randomness, no async, no logging.
//! The modules form a pipeline, each depending only on those above it:
//!
//! | module | what it holds |
//! |---|---|
//! | [`limits`] | every bound of the core, with its reason |
//! | [`value`] | attribute values, one representation from request bytes to evaluator |
//! | [`model`] | the words of the field: principal, resource, request, effect, evaluation |
//! | [`expr`] | CEL: source text to program to value, bounded by a cost counter |
//! | [`schema`] | JSON Schema: what attributes must look like |
//! | [`policy`] | policy files: text to AST to compiled [`policy::Snapshot`], with diagnostics |
//! | [`signal`] | security event tokens, their events and subjects: from claims to [`model::Fact`] |
//! | [`engine`] | `decide(snapshot, request, settings)` to [`model::Evaluation`] |
//! | [`suite`] | policy tests: `_test.yaml` files to a [`suite::Report`] |
//! | [`record`] | the decision record and one step of its hash chain |
//! | [`query`] | filters over the decision log, and what of a record they look at |
//! | [`replay`] | recorded calls decided again, and what another policy set would change |
//! | [`proof`] | the Merkle tree over the records: paths, checkpoints, signed notes |
#![forbid(unsafe_code)]

pub mod engine;
pub mod expr;
pub mod limits;
pub mod model;
pub mod policy;
pub mod proof;
pub mod query;
pub mod record;
pub mod replay;
pub mod schema;
pub mod signal;
pub mod suite;
pub mod value;
