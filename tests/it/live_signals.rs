//! The walk-through of `examples/live_signals`: its commands are run, and their output is what it shows.

use std::fs;
use std::process::Command;

use procura_testkit::server::{Server, ServerSpec};
use procura_testkit::temp_dir::TempDir;

use crate::readme_tour::{copy_tree, stable, steps};
use crate::tidy::root;

const EXAMPLE: &str = "examples/live_signals";

#[tokio::test(flavor = "multi_thread")]
async fn the_walkthrough_of_live_signals_prints_what_it_shows() {
    let home = TempDir::new("live-signals");
    copy_tree(&root().join(EXAMPLE), &home.path().join(EXAMPLE));
    let readme = fs::read_to_string(home.path().join(EXAMPLE).join("README.md")).unwrap();
    let steps = steps(&readme);
    assert!(steps.len() >= 10, "it has steps");
    let mut server = None;
    for step in steps {
        if step.command.contains("procura serve") {
            server = Some(serve(&home).await);
            continue;
        }
        let address = server.as_ref().map(|server: &Server| server.address().to_string());
        let address = address.unwrap_or_else(|| "127.0.0.1:9".to_owned());
        let command = step
            .command
            .replace("127.0.0.1:3592", &address)
            .replace("target/release/procura", env!("CARGO_BIN_EXE_procura"));
        let out = Command::new("bash")
            .args(["-c", &command])
            .env("PDP", format!("http://{address}"))
            .current_dir(home.path())
            .output()
            .unwrap();
        let printed = String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap();
        assert_eq!(
            ageless(&stable(&printed)),
            ageless(&stable(&step.shown)),
            "\n$ {}\nprinted:\n{printed}",
            step.command
        );
    }
}

/// Text without how long ago something was.
fn ageless(text: &str) -> String {
    let parts = text.split(" s before").map(|part| part.trim_end_matches(|c: char| c.is_ascii_digit()));
    parts.collect::<Vec<_>>().join("<age> s before")
}

/// The server as the walk-through starts it, on another port.
async fn serve(home: &TempDir) -> Server {
    let example = home.path().join(EXAMPLE);
    ServerSpec::new(env!("CARGO_BIN_EXE_procura"), example.join("policies"), home.path().join(".procura"))
        .arg(format!("--config={}", example.join("procura.yaml").display()))
        .env("IDP", home.path().join(".idp").display().to_string())
        .start()
        .await
        .unwrap()
}
