//! `procura serve` and its end: what it says, what it refuses, which signals it follows.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;

use procura_testkit::http::Connection;
use procura_testkit::server::{Server, ServerSpec};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn serve_warns_of_a_directory_without_policies() {
    let (dir, data) = (TempDir::new("cli"), TempDir::new("data"));
    let mut server = ServerSpec::new(BINARY, dir.path(), data.path()).start().await.unwrap();
    says(&server, "policy_set_empty").await;
    server.kill().await.unwrap();
}

#[test]
fn serve_refuses_to_start_without_good_policies() {
    let data = TempDir::new("data");
    let data_dir = format!("--data-dir={}", text(data.path()));
    let serve = |directory: &str| {
        let directory = format!("--set=storage.disk.directory={directory}");
        procura(&["serve", &data_dir, "--listen=127.0.0.1:0", &directory])
    };
    expect(
        &serve("/nonexistent"),
        1,
        &["there is no directory `/nonexistent`", "storage.disk.directory=DIR"],
    );
    let said =
        expect(&serve(text(policies(BAD).path())), 3, &["album.yaml:5:3", "the server does not start"]);
    assert!(!said.contains("stays"), "there is no old set: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_is_healthy_until_it_is_told_to_stop() {
    let (dir, data) = (policies(GOOD), TempDir::new("data"));
    let mut server = ServerSpec::new(BINARY, dir.path(), data.path()).start().await.unwrap();
    let listen = format!("--listen={}", server.address());
    expect(&procura(&["health", &listen]), 0, &["ready: http://127.0.0.1:"]);
    dir.write("album.yaml", BAD);
    // A connection that stays open must not delay the stop.
    let mut idle = server.connect().await.unwrap();
    assert_eq!(idle.post_json("/admin/policies/reload", b"").await.unwrap().status, 422);
    let degraded = "degraded: reload: ";
    expect(&procura(&["health", &listen]), 0, &["ready: http://127.0.0.1:", degraded]);
    server.signal("TERM").await.unwrap();
    assert!(server.wait().await.unwrap().success(), "{}", server.output());
    expect(&procura(&["health", &listen]), 1, &["no server answers at 127.0.0.1:"]);
    says(&server, "server_stopped").await;
    assert!(!server.output().contains("open_to_network"), "{}", server.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn second_server_on_the_same_data_is_told_what_to_do() {
    let (dir, data) = (policies(GOOD), TempDir::new("data"));
    let mut server = ServerSpec::new(BINARY, dir.path(), data.path()).start().await.unwrap();
    let directory = format!("--set=storage.disk.directory={}", text(dir.path()));
    let second = procura(&["serve", "--listen=127.0.0.1:0", &directory, "--data-dir", text(data.path())]);
    expect(&second, 1, &["in use by another process", "stop the other server, or use another `--data-dir`"]);
    server.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_keeps_is_for_its_owner_alone() {
    let (dir, data) = (policies(GOOD), TempDir::new("data"));
    let mut server = ServerSpec::new(BINARY, dir.path(), data.path().join("a/b")).start().await.unwrap();
    let mut pending = vec![data.path().join("a")];
    let mut seen = 0;
    while let Some(path) = pending.pop() {
        let found = fs::metadata(&path).unwrap();
        let mode = if found.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(found.permissions().mode() & 0o777, mode, "{}", path.display());
        if found.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        seen += 1;
    }
    assert!(
        seen >= 8,
        "directories a, b, log and policies; files LOCK, SYNCED, a segment and a policy set: {seen}"
    );
    server.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_on_all_interfaces_needs_callers_or_leave_and_warns_at_start() {
    let (dir, data) = (policies(GOOD), TempDir::new("data"));
    let spec = ServerSpec::new(BINARY, dir.path(), data.path()).arg("--listen=0.0.0.0:0");
    let refused = spec.start().await.unwrap_err().to_string();
    assert!(refused.contains("`callers.anonymous=allow`"), "{refused}");
    assert!(!refused.contains("listening on"), "{refused}");
    let server = spec.arg("--set=callers.anonymous=allow").start().await.unwrap();
    says(&server, "open_to_network").await;
    assert!(!server.output().contains("credentials_unencrypted"), "{}", server.output());
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_warns_where_the_network_can_read_the_credentials_of_callers() {
    let (dir, data, kept) = (policies(GOOD), TempDir::new("data"), TempDir::new("keys"));
    let keys = kept.path().join("keys.yaml");
    let create = ["key", "create", "--name=shop", "--roles=decide,decyde", "--file", text(&keys)];
    expect(&procura(&create), 0, &["procura_", "know no role `decyde`, only `decide`, `batch`"]);
    let spec = ServerSpec::new(BINARY, dir.path(), data.path());
    let spec = spec.arg(format!("--set=callers.keys.file={}", text(&keys))).arg("--listen=0.0.0.0:0");
    says(&spec.start().await.unwrap(), "credentials_unencrypted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_takes_a_configuration_of_the_peer() {
    let (dir, data) = (policies(GOOD), TempDir::new("data"));
    data.write(
        "config.yaml",
        r#"{"server": {"grpcListenAddr": "127.0.0.1:3593"}, "telemetry": {"disabled": true},
            "engine": {"globals": {"environment": "test"}}, "schema": {"enforcement": "none"},
            "auxData": {"jwt": {"disableVerification": true}}}"#,
    );
    let spec = ServerSpec::new(BINARY, dir.path(), data.path())
        .arg(format!("--config={}", text(&data.path().join("config.yaml"))))
        .arg("--set=engine.onError=cerbos")
        .arg("--set=audit.enabled=false");
    let server = spec.start().await.unwrap();
    let mut connection = Connection::open(server.address()).await.unwrap();
    let answer = connection.post_json("/api/check/resources", REQUEST.as_bytes()).await.unwrap();
    assert_eq!(answer.status, 200);
    says(&server, "`server.grpcListenAddr`").await;
    says(&server, "log_disabled").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_has_no_admin_api_where_it_is_turned_off() {
    let (dir, data) = (policies(GOOD), TempDir::new("data"));
    for (enabled, status) in [("true", 200), ("false", 404)] {
        let spec = ServerSpec::new(BINARY, dir.path(), data.path());
        let mut server = spec.arg(format!("--set=server.adminAPI.enabled={enabled}")).start().await.unwrap();
        let mut connection = server.connect().await.unwrap();
        assert_eq!(connection.get("/admin/policies/status").await.unwrap().status, status);
        server.kill().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_without_a_watch_reloads_at_sighup_only() {
    let (dir, data) = (policies(GOOD), TempDir::new("data"));
    let spec =
        ServerSpec::new(BINARY, dir.path(), data.path()).arg("--set=storage.disk.watchForChanges=false");
    let server = spec.start().await.unwrap();
    let mut connection = server.connect().await.unwrap();
    dir.write("album.yaml", GOOD.replace("[view]", "[look]"));
    assert_eq!(generation(&mut connection).await, 1);
    server.signal("HUP").await.unwrap();
    let reloaded = async {
        while generation(&mut connection).await == 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, reloaded).await.unwrap();
    let status = status(&mut connection).await;
    assert_eq!(status["lastAttempt"]["cause"], "signal", "{status}");
}

async fn generation(connection: &mut Connection) -> u64 {
    status(connection).await["live"]["generation"].as_u64().unwrap()
}

async fn status(connection: &mut Connection) -> serde_json::Value {
    let answer = connection.get("/admin/policies/status").await.unwrap();
    serde_json::from_slice(&answer.body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_standard_error_costs_log_lines_and_nothing_else() {
    let (dir, data) = (policies(GOOD), TempDir::new("data"));
    let mut command = Command::new(BINARY);
    command.args(["serve", "--listen=127.0.0.1:0", "--set=log.level=trace", "--data-dir", text(data.path())]);
    command.arg(format!("--set=storage.disk.directory={}", text(dir.path())));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.find_map(|line| line.strip_prefix("listening on http://")?.parse().ok()).unwrap();
    let mut connection = Connection::open(address).await.unwrap();
    for _ in 0..3 {
        let answer = connection.post_json("/api/check/resources", REQUEST.as_bytes()).await.unwrap();
        assert_eq!(answer.status, 200);
    }
    let metrics = connection.get("/metrics").await.unwrap();
    assert!(String::from_utf8_lossy(&metrics.body).contains("procura_panics_total{where=\"handler\"} 0"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_cannot_be_accepted_are_told_and_served_later() {
    let (dir, data) = (policies(GOOD), TempDir::new("data"));
    let log_lines = data.path().join("stderr");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 48; exec \"$0\" \"$@\"", BINARY, "serve", "--listen=127.0.0.1:0"]);
    command.arg(format!("--set=storage.disk.directory={}", text(dir.path())));
    command.arg(format!("--data-dir={}", text(data.path())));
    let stderr = fs::File::create(&log_lines).unwrap();
    let mut child = command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let address: SocketAddr =
        lines.find_map(|line| line.strip_prefix("listening on http://")?.parse().ok()).unwrap();

    let connections: Vec<_> = (0..64).map(|_| TcpStream::connect(address).unwrap()).collect();
    let told = async {
        while !fs::read_to_string(&log_lines).unwrap().contains("accept_failed") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
    drop(connections);
    let mut connection = Connection::open(address).await.unwrap();
    assert_eq!(connection.get("/healthz").await.unwrap().status, 200);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn signal_during_the_first_load_stops_the_server_at_once() {
    let (dir, data) = (policies(GOOD), TempDir::new("data"));
    let mut command = Command::new(BINARY);
    command.args(["serve", "--listen=127.0.0.1:0", "--set=storage.disk.quietPeriod=1m"]);
    command.arg(format!("--set=storage.disk.directory={}", text(dir.path())));
    command.arg(format!("--data-dir={}", text(data.path())));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let stopped = async {
        while !catches(child.id(), TERMINATE) {
            tokio::task::yield_now().await;
        }
        assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            tokio::task::yield_now().await;
        }
    };
    let stopped = tokio::time::timeout(PATIENCE, stopped).await;
    // Without effect on a server that has ended.
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    let said = expect(&output, 0, &["server_stopping", "server_stopped"]);
    assert!(stopped.is_ok() && !said.contains("panic"), "{said}");
}

/// The number of SIGTERM.
const TERMINATE: u32 = 15;

/// Whether the process handles the signal itself; only then is it sure to outlive its arrival.
fn catches(pid: u32, signal: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & (1 << (signal - 1)) != 0
}

/// A request whose body never comes.
const UNFINISHED: &[u8] =
    b"POST /api/check/resources HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\n{";

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_request_delays_the_stop_until_the_deadline_at_most() {
    let (dir, data) = (policies(GOOD), TempDir::new("data"));
    let spec = ServerSpec::new(BINARY, dir.path(), data.path()).arg("--set=server.shutdownDeadline=50ms");
    let mut server = spec.start().await.unwrap();
    let mut connection = in_flight(&server).await;
    connection.send_raw(UNFINISHED).await.unwrap();
    server.signal("TERM").await.unwrap();
    assert!(tokio::time::timeout(PATIENCE, server.wait()).await.unwrap().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn second_signal_stops_at_once() {
    let (dir, data) = (policies(GOOD), TempDir::new("data"));
    let spec = ServerSpec::new(BINARY, dir.path(), data.path()).arg("--set=server.shutdownDeadline=1h");
    let mut server = spec.start().await.unwrap();
    let mut connection = in_flight(&server).await;
    connection.send_raw(UNFINISHED).await.unwrap();
    server.signal("TERM").await.unwrap();
    says(&server, "server_stopping").await;
    server.signal("INT").await.unwrap();
    assert!(tokio::time::timeout(PATIENCE, server.wait()).await.unwrap().unwrap().success());
}

/// A connection that the server has accepted.
async fn in_flight(server: &Server) -> Connection {
    let mut connection = server.connect().await.unwrap();
    assert_eq!(connection.get("/healthz").await.unwrap().status, 200);
    connection
}

/// Waits until the server has said `text`: its two outputs are not read in step.
pub(super) async fn says(server: &Server, text: &str) {
    let said = async {
        while !server.output().contains(text) {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, said).await;
    assert!(waited.is_ok(), "`{text}` is not in\n{}", server.output());
}
