//! The peer's own client libraries, unchanged, against a running server.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use procura_testkit::server::{Server, ServerSpec};
use procura_testkit::temp_dir::TempDir;

#[tokio::test(flavor = "multi_thread")]
async fn the_javascript_client_drives_the_server_unchanged() {
    let Some(dir) = workspace("tests/sdk", "node", "npm") else { return };
    let flags = ["--no-audit", "--no-fund", "--silent", "--fetch-retries=1", "--fetch-timeout=20000"];
    if !installed(&dir, Command::new("npm").arg("install").args(flags)) {
        return;
    }
    let data = TempDir::new("sdk-node");
    let servers = servers(data.path()).await;
    run(Command::new("node").arg("check.mjs").args(servers.iter().map(url)).current_dir(&dir));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_client_drives_the_server_unchanged() {
    let Some(dir) = python_workspace("tests/sdk", "python") else { return };
    let data = TempDir::new("sdk-python");
    let servers = servers(data.path()).await;
    run(Command::new(dir.join("venv/bin/python"))
        .arg("check.py")
        .args(servers.iter().map(url))
        .current_dir(&dir));
}

/// Whether the client could be installed. Without a registry the test is skipped with a message; the gate, which
/// sets `CI`, fails instead.
fn installed(dir: &Path, command: &mut Command) -> bool {
    let out = command.current_dir(dir).output().unwrap();
    let message = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success() || env::var_os("CI").is_none(), "{command:?}\n{message}");
    if !out.status.success() {
        println!("skipped: the client cannot be installed here: {message}");
    }
    out.status.success()
}

/// A server with the shipped policies and one with those of the clients' folder.
async fn servers(data: &Path) -> [Server; 2] {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let binary = env!("CARGO_BIN_EXE_procura");
    let shipped = ServerSpec::new(binary, root.join("policies"), data.join("shipped"));
    let mut scoped = ServerSpec::new(binary, root.join("tests/sdk/policies"), data.join("scoped"));
    scoped.args = vec!["--set=engine.globals.auditor=grace".to_owned()];
    [shipped.start().await.unwrap(), scoped.start().await.unwrap()]
}

pub(crate) fn url(server: &Server) -> String {
    format!("http://{}", server.address())
}

/// A folder as of [`workspace`], with a virtual environment in which the requirements are installed.
pub(crate) fn python_workspace(files: &str, name: &str) -> Option<PathBuf> {
    let dir = workspace(files, name, "python3")?;
    let pip = ["-m", "pip", "install", "-q", "--retries=1", "--timeout=20", "-r", "requirements.txt"];
    let ready = installed(&dir, Command::new("python3").args(["-m", "venv", "venv"]))
        && installed(&dir, Command::new(dir.join("venv/bin/python")).args(pip));
    ready.then_some(dir)
}

/// A folder under the build directory with the `files` of the client in it; `None`, with a message, without `tool`.
fn workspace(files: &str, name: &str, tool: &str) -> Option<PathBuf> {
    let runs = Command::new(tool).arg("--version").output();
    if !runs.is_ok_and(|out| out.status.success()) {
        println!("skipped: `{tool}` is not installed");
        return None;
    }
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("client-{name}"));
    fs::create_dir_all(&dir).unwrap();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(files)).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), dir.join(entry.file_name())).unwrap();
        }
    }
    Some(dir)
}

pub(crate) fn run(command: &mut Command) {
    let out = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(out.status.success(), "{command:?}\n{}\n{}", text(&out.stdout), text(&out.stderr));
}
