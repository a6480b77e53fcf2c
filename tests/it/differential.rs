//! Random policies and requests for the peer itself and for us.
//!
//! The long form: `cargo run --release -p procura-testkit -- differential --pairs 20000 --seed 1 --peer PATH`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use procura_testkit::differential::{self, SIZE, Side, Trial};

/// The peer as its makers publish it.
const PACKAGE: &str = "@cerbos/cerbos-linux-x64@0.55.0";

/// Names a binary of the peer that is already there.
const PEER: &str = "PROCURA_PEER";

#[tokio::test(flavor = "multi_thread")]
async fn the_peer_the_engine_and_the_oracle_agree_about_random_policies_of_every_kind() {
    let Some(peer) = peer() else { return };
    let sides = &[Side::Engine, Side::Oracle];
    let trial = Trial { peer: &peer, sides, pairs: 1_000, seed: 1, size: SIZE };
    let outcome = differential::run(trial, |_| {}).await.unwrap();
    for difference in &outcome.differences {
        println!("{}", difference.summary());
    }
    if let Some(difference) = outcome.differences.first() {
        panic!("{} answers differ; one of them:\n{}", outcome.differences.len(), difference.report());
    }
    let many = [
        "allow by principal",
        "allow by resource",
        "allow by resource in a scope",
        "deny by principal",
        "deny by resource",
        "deny by resource in a scope",
        "deny by role",
        "deny by NO_MATCH",
        "output of principal: value",
        "output of resource: value",
        "output of role: value",
        "with derived roles",
    ];
    for what in many {
        assert!(outcome.coverage.of(what) >= 10, "hardly ever {what}:\n{}", outcome.coverage);
    }
}

/// The peer, installed if need be. Without it the test is skipped with a message; the gate, which sets `CI`, fails
/// instead.
fn peer() -> Option<PathBuf> {
    if let Some(path) = env::var_os(PEER) {
        return Some(path.into());
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peer");
    let binary = dir.join("node_modules/@cerbos/cerbos-linux-x64/cerbos-linux-x64");
    if binary.exists() {
        return Some(binary);
    }
    fs::create_dir_all(&dir).unwrap();
    let flags = ["--no-audit", "--no-fund", "--silent", "--fetch-retries=1", "--fetch-timeout=60000"];
    let install =
        Command::new("npm").arg("install").args(flags).arg("--prefix").arg(&dir).arg(PACKAGE).output();
    let problem = match install {
        Ok(out) if out.status.success() && binary.exists() => return Some(binary),
        Ok(out) => String::from_utf8_lossy(&out.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    assert!(env::var_os("CI").is_none(), "{PACKAGE} cannot be installed: {problem}");
    println!("skipped: {PACKAGE} cannot be installed here, and {PEER} names no binary: {problem}");
    None
}
