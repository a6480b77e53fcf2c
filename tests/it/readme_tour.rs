//! The tour in the README: its commands are run, and their output is what the README shows.

use std::fs;
use std::path::Path;
use std::process::Command;

use procura_testkit::server::ServerSpec;
use procura_testkit::temp_dir::TempDir;

/// One command of the tour and what the README shows below it.
pub(crate) struct Step {
    pub(crate) command: String,
    pub(crate) shown: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tour_prints_what_the_readme_shows() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let steps = steps(&readme);
    assert!(steps.len() >= 6, "the README has a tour");

    let home = TempDir::new("tour");
    copy_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies"), &home.path().join("policies"));
    let spec = ServerSpec::new(
        env!("CARGO_BIN_EXE_procura"),
        home.path().join("policies"),
        home.path().join(".procura"),
    );
    let server = spec.start().await.unwrap();
    for step in steps {
        // Instead of waiting for the watch, the test asks for the reload and is answered once it is done.
        let reload =
            format!("curl -s -o /dev/null -X POST http://{}/admin/policies/reload", server.address());
        let command = step
            .command
            .replace("sleep 1", &reload)
            .replace("127.0.0.1:3592", &server.address().to_string())
            .replace("target/release/procura", env!("CARGO_BIN_EXE_procura"));
        let out = Command::new("bash").args(["-c", &command]).current_dir(home.path()).output().unwrap();
        let printed = String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap();
        assert_eq!(stable(&printed), stable(&step.shown), "\n$ {}\nprinted:\n{printed}", step.command);
    }
}

/// The steps of all ```` ```console ```` blocks: a line that begins with `$ ` begins a command, lines that begin
/// with `> ` continue it, all others are output.
pub(crate) fn steps(readme: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let (true, Some(command)) = (inside, line.strip_prefix("$ ")) {
            steps.push(Step { command: command.to_owned(), shown: String::new() });
        } else if let (true, Some(step)) = (inside, steps.last_mut()) {
            let (into, text) = match line.strip_prefix("> ") {
                Some(more) => (&mut step.command, more),
                None => (&mut step.shown, line),
            };
            into.push('\n');
            into.push_str(text);
        }
    }
    steps
}

/// Text without what differs from run to run: ids, hashes and instants become placeholders.
pub(crate) fn stable(text: &str) -> String {
    let words = text.trim().split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || "-:.".contains(c)));
    words.map(|word| placeholder(word).unwrap_or_else(|| word.to_owned())).collect()
}

fn placeholder(word: &str) -> Option<String> {
    let bare = word.trim_end_matches(|c: char| !(c.is_ascii_alphanumeric()));
    let rest = word.get(bare.len()..)?;
    let hexadecimal = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_ascii_hexdigit());
    let kind = match bare {
        _ if bare.len() == 36 && bare.split('-').count() == 5 && bare.split('-').all(hexadecimal) => "<id>",
        _ if bare.len() == 64 && hexadecimal(bare) => "<hash>",
        _ if bare.len() >= 20 && bare.starts_with("20") && bare.contains('T') && bare.ends_with('Z') => {
            "<instant>"
        }
        _ => return None,
    };
    Some(format!("{kind}{rest}"))
}

pub(crate) fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
