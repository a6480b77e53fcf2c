//! What answers and policy sets cost, part by part: `cargo bench --bench parts`, or one part with
//! `cargo bench --bench parts -- expression`, `decision`, `parse`, `compile` or `reload`.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a command for people at a terminal"
)]

#[path = "../common/call.rs"]
mod call;
mod compile;
#[path = "../common/conditions.rs"]
mod conditions;
mod decision;
mod expression;
mod parse;
#[path = "../common/policies.rs"]
mod policies;
mod reload;

use std::time::Duration;

use criterion::Criterion;

/// Each part takes less than a minute.
fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    expression::expression(&mut criterion);
    decision::decision(&mut criterion);
    parse::parse(&mut criterion);
    compile::compile(&mut criterion);
    reload::reload(&mut criterion);
    criterion.final_summary();
}
