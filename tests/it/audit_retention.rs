//! Retention and settings of the log on the real binary, seen from outside.

use std::process::Command;
use std::time::{Duration, Instant};

use procura_core::model::Effect;
use procura_testkit::http::Connection;
use procura_testkit::reload_storm::policy;
use procura_testkit::server::ServerSpec;
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_procura");

/// Longer than a deletion may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

async fn call(connection: &mut Connection, path: &str, body: &Value) -> String {
    let answer = connection.post_json(path, body.to_string().as_bytes()).await.unwrap();
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let id = answer.headers.iter().find(|(name, _)| name == "procura-call-id");
    id.map(|(_, id)| id.clone()).unwrap()
}

async fn decision(connection: &mut Connection, id: &str) -> (u16, Value) {
    let answer = connection.get(&format!("/api/decisions/{id}")).await.unwrap();
    (answer.status, answer.json().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_say_what_they_waited_for_and_later_that_they_were_deleted() {
    let dir = TempDir::new("it-retention");
    dir.write("policies/leave.yaml", policy("leave", Effect::Allow));
    let spec = ServerSpec::new(BINARY, dir.path().join("policies"), dir.path().join("data"))
        .arg("--set=audit.routes.access_evaluation=os")
        .arg("--set=audit.segmentAge=1s")
        .arg("--set=audit.retention.age=1s");
    let mut server = spec.start().await.unwrap();
    let mut connection = server.connect().await.unwrap();
    let check = json!({
        "principal": { "id": "ada", "roles": ["user"] },
        "resources": [{ "actions": ["view"], "resource": { "kind": "leave", "id": "1" } }],
    });
    let evaluation = json!({
        "subject": { "type": "user", "id": "ada" },
        "action": { "name": "view" },
        "resource": { "type": "leave", "id": "1" },
    });
    let checked = call(&mut connection, "/api/check/resources", &check).await;
    let evaluated = call(&mut connection, "/access/v1/evaluation", &evaluation).await;
    for (id, durability) in [(&checked, "durable"), (&evaluated, "os")] {
        let (status, found) = decision(&mut connection, id).await;
        assert_eq!((status, &found["record"]["basis"]["durability"]), (200, &json!(durability)), "{found}");
    }
    let begun = Instant::now();
    let told = loop {
        assert!(begun.elapsed() < PATIENCE);
        let (status, told) = decision(&mut connection, &checked).await;
        if status != 200 {
            break (status, told["code"].clone());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(told, (410, json!("deleted_by_retention")));
    server.signal("TERM").await.unwrap();
    server.wait().await.unwrap();
    let data = dir.path().join("data");
    let verify = Command::new(BINARY).args(["audit", "verify", "--data-dir"]).arg(data).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&verify.stdout), String::from_utf8_lossy(&verify.stderr));
    assert!(verify.status.success() && out.contains("retention"), "{out}{err}");
}
