//! Every parser of Procura, given whatever libFuzzer makes up: `fuzz/run` builds and drives this program.
//!
//! Each target is a function of the input that panics if something is wrong. That nothing else panics, overflows, hangs
//! or eats memory is held besides. `FUZZ_TARGET` names the target; an input with several parts has the byte 255, which
//! no text holds, between them.
#![no_main]

mod callers;
mod configuration;
mod expressions;
mod log;
mod policies;
mod proofs;
mod records;
mod requests;
mod signals;
mod tokens;

use std::borrow::Cow;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

/// What is done with an input.
type Target = fn(&[u8]);

/// Every target by its name, which is also that of its directory in `seeds`.
const TARGETS: &[(&str, Target)] = &[
    ("policy", policies::policy),
    ("schema", policies::schema),
    ("suite", policies::suite),
    ("expression", expressions::expression),
    ("function", expressions::function),
    ("query", records::query),
    ("record", records::record),
    ("mask", records::mask),
    ("proof", proofs::proof),
    ("check", requests::check),
    ("authzen", requests::authzen),
    ("edge", requests::edge),
    ("token", tokens::token),
    ("keys", tokens::keys),
    ("certificate", tokens::certificate),
    ("trace", requests::trace),
    ("api-keys", callers::api_keys),
    ("quarantine", callers::quarantine),
    ("names", callers::names),
    ("set", signals::set),
    ("subject", signals::subject),
    ("webhook", signals::webhook),
    ("transmitter", signals::transmitter),
    ("configuration", configuration::configuration),
    ("facts", log::facts),
    ("segment", log::segment),
    ("compressed", log::compressed),
];

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.unwrap_or_else(|| panic!("`FUZZ_TARGET` names no target: `{name}`")).1
});

fuzz_target!(
    init: {
        if std::env::args().any(|argument| argument == "--targets") {
            TARGETS.iter().for_each(|(name, _)| println!("{name}"));
            std::process::exit(0);
        }
        LazyLock::force(&TARGET);
    },
    |data: &[u8]| TARGET(data)
);

/// The parts of an input, as text.
fn parts(data: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    data.split(|byte| *byte == u8::MAX).map(String::from_utf8_lossy)
}
