//! Policies change while the server runs: seen from outside, on the real binary.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use procura_core::model::Effect;
use procura_testkit::http::Connection;
use procura_testkit::reload_storm::{self, Storm, policy};
use procura_testkit::server::{Server, ServerSpec};
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_procura");

/// Longer than any change may take to be live, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_mixes_two_policy_sets() {
    let storm =
        Storm { binary: BINARY.into(), files: 20, swaps: 6, connections: 2, within: PATIENCE, seed: 7 };
    let report = reload_storm::run(&storm).await.unwrap();
    assert!(report.answers > 50, "{report:?}");
}

#[tokio::test]
async fn swap_of_a_config_map_is_live() {
    let dir = TempDir::new("it-reload");
    dir.write("policies/..2026_01/leave.yaml", policy("leave", Effect::Allow));
    dir.write("policies/..2026_02/leave.yaml", policy("leave", Effect::Deny));
    let policies = dir.path().join("policies");
    symlink("..2026_01", policies.join("..data")).unwrap();
    symlink("..data/leave.yaml", policies.join("leave.yaml")).unwrap();

    let mut site = Site::start(dir, &[]).await;
    assert_eq!(site.effect("leave").await, "EFFECT_ALLOW");
    symlink("..2026_02", policies.join("..data_tmp")).unwrap();
    fs::rename(policies.join("..data_tmp"), policies.join("..data")).unwrap();
    fs::remove_dir_all(policies.join("..2026_01")).unwrap();
    site.wait_for("leave", "EFFECT_DENY").await;
}

#[tokio::test]
async fn half_written_file_never_goes_live() {
    let dir = TempDir::new("it-reload");
    dir.write("policies/leave.yaml", policy("leave", Effect::Deny));
    // Far longer than the pause between the two halves, also on a busy machine.
    let mut site = Site::start(dir, &["--set=storage.disk.quietPeriod=1s"]).await;
    let before = site.revision().await;

    // The first half is a policy of its own, which allows what the whole file denies.
    let first_half = policy("leave", Effect::Allow);
    let rest = "    - actions: ['*']\n      roles: ['*']\n      effect: EFFECT_DENY\n";
    let path = site.dir.path().join("policies/leave.yaml");
    fs::write(&path, &first_half).unwrap();
    let between = Instant::now();
    while between.elapsed() < Duration::from_millis(200) {
        assert_eq!(site.effect("leave").await, "EFFECT_DENY");
    }
    fs::write(&path, format!("{first_half}{rest}")).unwrap();
    let began = Instant::now();
    while site.revision().await == before {
        assert_eq!(site.effect("leave").await, "EFFECT_DENY");
        assert!(began.elapsed() < PATIENCE);
    }
    assert_eq!(site.status().await["live"]["generation"], 2);
}

#[tokio::test]
async fn set_with_an_error_leaves_the_old_answers_until_it_is_mended() {
    let dir = TempDir::new("it-reload");
    dir.write("policies/leave.yaml", policy("leave", Effect::Allow));
    let mut site = Site::start(dir, &[]).await;
    site.dir.write("policies/other.yaml", "apiVersion: api.cerbos.dev/v1\nresourcePolicy: {}\n");
    site.dir.write("policies/latin1.yaml", b"# caf\xe9\n");
    site.wait_until_stale().await;

    assert_eq!(site.effect("leave").await, "EFFECT_ALLOW");
    let status = site.status().await;
    assert_eq!(status["live"]["generation"], 1);
    let findings = status["lastAttempt"]["diagnostics"].as_array().unwrap();
    let files: Vec<_> = findings.iter().map(|finding| finding["file"].as_str().unwrap()).collect();
    assert!(files.contains(&"other.yaml") && files.contains(&"latin1.yaml"), "{status}");
    assert_eq!(site.connection.get("/readyz").await.unwrap().status, 200);
    let refused = site.admin_reload().await;
    assert_eq!(refused["outcome"], "rejected", "{refused}");

    fs::remove_file(site.dir.path().join("policies/latin1.yaml")).unwrap();
    site.dir.write("policies/other.yaml", policy("other", Effect::Allow));
    site.wait_for("other", "EFFECT_ALLOW").await;
    assert_eq!(site.status().await["stale"], false);
}

#[tokio::test]
async fn emptied_file_takes_no_rule_out_of_the_live_set_and_the_status_names_it() {
    let dir = TempDir::new("it-reload");
    dir.write("policies/leave.yaml", policy("leave", Effect::Allow));
    dir.write("policies/claim.yaml", policy("claim", Effect::Deny));
    let mut site = Site::start(dir, &[]).await;
    let before = site.revision().await;
    site.dir.write("policies/claim.yaml", "");
    site.wait_until_stale().await;

    assert_eq!(site.effect("claim").await, "EFFECT_DENY");
    assert_eq!(site.revision().await, before);
    let status = site.status().await;
    let finding = &status["lastAttempt"]["diagnostics"][0];
    assert_eq!((&finding["file"], &finding["code"]), (&json!("claim.yaml"), &json!("P0008")), "{status}");
    assert_eq!(site.admin_reload().await["outcome"], "rejected");
}

#[tokio::test]
async fn set_whose_tests_fail_leaves_the_old_answers_and_the_status_names_the_test() {
    let dir = TempDir::new("it-reload");
    dir.write("policies/leave.yaml", policy("leave", Effect::Allow));
    dir.write("policies/leave_test.yaml", suite("EFFECT_ALLOW"));
    let mut site = Site::start(dir, &["--set=reload.requireTests=true"]).await;
    site.dir.write("policies/leave.yaml", policy("leave", Effect::Deny));
    site.wait_until_stale().await;

    assert_eq!(site.effect("leave").await, "EFFECT_ALLOW");
    let status = site.status().await;
    assert_eq!(status["live"]["generation"], 1);
    let attempt = &status["lastAttempt"];
    assert_eq!(
        (&attempt["outcome"], &attempt["failedTests"]),
        (&json!("tests_failed"), &json!(1)),
        "{status}"
    );
    let expected = json!({
        "file": "leave_test.yaml", "line": 9, "column": 64, "suite": "Leave", "test": "seen", "principal": "sam",
        "resource": "one", "action": "view", "expected": "EFFECT_ALLOW", "actual": "EFFECT_DENY",
        "reason": "expected EFFECT_ALLOW, got EFFECT_DENY",
    });
    assert_eq!(attempt["tests"][0], expected);
    let refused = site.connection.post_json("/admin/policies/reload", b"").await.unwrap();
    assert_eq!(refused.status, 422);
    let metrics = site.connection.get("/metrics").await.unwrap();
    let metrics = String::from_utf8_lossy(&metrics.body).into_owned();
    assert!(metrics.contains("procura_policy_failed_tests 1"), "{metrics}");

    // A change of the test alone is enough.
    site.dir.write("policies/leave_test.yaml", suite("EFFECT_DENY"));
    site.wait_for("leave", "EFFECT_DENY").await;
    assert_eq!(site.status().await["stale"], false);
}

#[tokio::test]
async fn server_does_not_start_on_a_set_whose_tests_fail() {
    let dir = TempDir::new("it-reload");
    dir.write("policies/leave.yaml", policy("leave", Effect::Deny));
    dir.write("policies/leave_test.yaml", suite("EFFECT_ALLOW"));
    let spec = ServerSpec::new(BINARY, dir.path().join("policies"), dir.path().join("data"));
    let error = spec.arg("--set=reload.requireTests=true").start().await.unwrap_err().to_string();
    assert!(error.contains("leave_test.yaml:9:64: Leave / seen / sam / one / view: expected"), "{error}");
}

/// A suite with one test for the policy of leave.
fn suite(effect: &str) -> String {
    format!(
        "name: Leave
principals:
  sam: {{id: sam, roles: [employee]}}
resources:
  one: {{id: '1', kind: leave}}
tests:
  - name: seen
    input: {{principals: [sam], resources: [one], actions: [view]}}
    expected: [{{principal: sam, resource: one, actions: {{view: {effect}}}}}]
"
    )
}

#[tokio::test]
async fn deleted_directory_leaves_the_old_answers_until_it_is_back() {
    let dir = TempDir::new("it-reload");
    dir.write("policies/leave.yaml", policy("leave", Effect::Allow));
    let mut site = Site::start(dir, &[]).await;
    fs::remove_dir_all(site.dir.path().join("policies")).unwrap();
    site.wait_until_stale().await;
    assert_eq!(site.effect("leave").await, "EFFECT_ALLOW");
    assert_eq!(site.status().await["lastAttempt"]["outcome"], "failed");

    site.dir.write("policies/leave.yaml", policy("leave", Effect::Deny));
    site.wait_for("leave", "EFFECT_DENY").await;
}

#[tokio::test]
async fn file_in_a_new_directory_is_live() {
    let dir = TempDir::new("it-reload");
    dir.write("policies/leave.yaml", policy("leave", Effect::Allow));
    let mut site = Site::start(dir, &[]).await;
    site.dir.write("policies/teams/it/laptop.yaml", policy("laptop", Effect::Allow));
    site.wait_for("laptop", "EFFECT_ALLOW").await;
}

#[tokio::test]
async fn signal_and_admin_api_reload_where_nothing_is_watched() {
    let dir = TempDir::new("it-reload");
    dir.write("policies/leave.yaml", policy("leave", Effect::Allow));
    let mut site = Site::start(dir, &["--set=storage.disk.watchForChanges=false"]).await;

    site.dir.write("policies/leave.yaml", policy("leave", Effect::Deny));
    assert_eq!(site.effect("leave").await, "EFFECT_ALLOW");
    let activated = site.admin_reload().await;
    assert_eq!(activated["outcome"], "activated", "{activated}");
    // What the admin API calls activated answers the next request.
    assert_eq!(site.effect("leave").await, "EFFECT_DENY");
    assert_eq!(site.admin_reload().await["outcome"], "unchanged");

    site.dir.write("policies/leave.yaml", policy("leave", Effect::Allow));
    site.server.signal("HUP").await.unwrap();
    site.wait_for("leave", "EFFECT_ALLOW").await;
    let status = site.status().await;
    let causes: Vec<_> =
        status["history"].as_array().unwrap().iter().map(|attempt| &attempt["cause"]).collect();
    assert_eq!(causes, ["signal", "admin", "start"]);
}

#[tokio::test]
async fn server_does_not_start_on_a_set_with_an_error() {
    let dir = TempDir::new("it-reload");
    dir.write("policies/leave.yaml", "apiVersion: api.cerbos.dev/v1\nresourcePolicy: {}\n");
    let spec = ServerSpec::new(BINARY, dir.path().join("policies"), dir.path().join("data"));
    let error = spec.start().await.unwrap_err().to_string();
    assert!(error.contains("leave.yaml:2"), "{error}");
}

/// A running server on its own directory, and a connection to it.
struct Site {
    dir: TempDir,
    server: Server,
    connection: Connection,
}

impl Site {
    async fn start(dir: TempDir, args: &[&str]) -> Self {
        let spec = ServerSpec::new(BINARY, dir.path().join("policies"), dir.path().join("data"));
        let spec = args.iter().fold(spec, |spec, arg| spec.arg(*arg));
        let server = spec.start().await.unwrap();
        let connection = server.connect().await.unwrap();
        Self { dir, server, connection }
    }

    /// The effect for `view` on a resource of this kind, and the revision that gave it.
    async fn ask(&mut self, kind: &str) -> (String, String) {
        let resource = json!({"actions": ["view"], "resource": {"kind": kind, "id": "1"}});
        let body = json!({"principal": {"id": "sam", "roles": ["employee"]}, "resources": [resource]});
        let answer =
            self.connection.post_json("/api/check/resources", body.to_string().as_bytes()).await.unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        let effect = answer.json().unwrap()["results"][0]["actions"]["view"].as_str().unwrap().to_owned();
        (effect, answer.header("procura-policy-revision").unwrap().to_owned())
    }

    async fn effect(&mut self, kind: &str) -> String {
        self.ask(kind).await.0
    }

    async fn revision(&mut self) -> String {
        self.ask("leave").await.1
    }

    async fn wait_for(&mut self, kind: &str, effect: &str) {
        let began = Instant::now();
        while self.effect(kind).await != effect {
            assert!(began.elapsed() < PATIENCE, "{}", self.status().await);
        }
    }

    async fn wait_until_stale(&mut self) {
        let began = Instant::now();
        loop {
            let status = self.status().await;
            if status["stale"] == true {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{status}");
        }
    }

    async fn status(&mut self) -> Value {
        self.connection.get("/admin/policies/status").await.unwrap().json().unwrap()
    }

    async fn admin_reload(&mut self) -> Value {
        self.connection.post_json("/admin/policies/reload", b"").await.unwrap().json().unwrap()
    }
}
