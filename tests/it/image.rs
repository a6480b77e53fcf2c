//! What the container image promises, read from its recipe.

use std::fs;
use std::path::Path;

fn recipe() -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Dockerfile")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    lines
        .replace("\\\n", " ")
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

fn instructions<'a>(recipe: &'a [String], word: &str) -> Vec<&'a str> {
    recipe.iter().filter_map(|line| line.strip_prefix(word)?.strip_prefix(' ')).collect()
}

#[test]
fn image_runs_as_a_numeric_user_that_is_not_root() {
    let recipe = recipe();
    let users = instructions(&recipe, "USER");
    let id: u32 = users.last().unwrap().split(':').next().unwrap().parse().unwrap();
    assert_ne!(id, 0);
    let owner = format!("--chown={}", users.last().unwrap());
    assert!(
        instructions(&recipe, "COPY").iter().any(|copy| copy.contains(&owner)),
        "the data must belong to {id}"
    );
}

#[test]
fn image_has_two_stages_with_pinned_bases() {
    let recipe = recipe();
    let bases = instructions(&recipe, "FROM");
    assert_eq!(bases.len(), 2);
    assert!(bases.iter().all(|base| base.contains(':') && !base.contains(":latest")), "{bases:?}");
    let toolchain =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("rust-toolchain.toml")).unwrap();
    let version = toolchain.lines().find_map(|line| line.strip_prefix("channel = \"")).unwrap();
    let minor = version.trim_end_matches('"').rsplit_once('.').unwrap().0;
    assert!(bases[0].starts_with(&format!("rust:{minor}-")), "{} does not build with {version}", bases[0]);
}

#[test]
fn image_keeps_its_data_in_a_volume_and_checks_itself() {
    let recipe = recipe();
    let all = recipe.join("\n");
    assert_eq!(instructions(&recipe, "VOLUME"), ["/var/lib/procura"]);
    assert!(all.contains("PROCURA_SERVER__DATA_DIR=/var/lib/procura"));
    assert!(all.contains("PROCURA_STORAGE__DISK__DIRECTORY=/policies"));
    let check = instructions(&recipe, "HEALTHCHECK");
    assert!(check[0].ends_with("CMD [\"/usr/local/bin/procura\", \"health\"]"), "{check:?}");
}

#[test]
fn image_listens_on_all_interfaces_by_an_explicit_flag() {
    assert_eq!(instructions(&recipe(), "CMD"), ["[\"serve\", \"--listen\", \"0.0.0.0:3592\"]"]);
}
