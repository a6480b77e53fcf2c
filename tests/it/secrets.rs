//! No secret leaves: not in a log line, a metric, a record, an answer, a command's output or an argument of the process.
//!
//! Every secret here holds the word `canary`, and where the server makes secrets itself, they are read from its files. The
//! server is used well and badly at the most talkative level of its log, and whatever comes out of it is searched.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use procura::callers::{KeyEntry, NewKey, add};
use procura_testkit::certificates::{Authority, Leaf, TlsClient};
use procura_testkit::http::Connection;
use procura_testkit::issuer::{SigningKey, encode, jwks};
use procura_testkit::server::{Server, ServerSpec};
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_procura");

/// What every secret holds that this test makes.
const CANARY: &str = "canary";

/// The same as bytes of an encoded text: the first letters are those of `canary` at any offset.
const ENCODED: [&str; 3] = ["Y2FuYXJ5", "NhbmFye", "jYW5hcn"];

const POLICY: &str = "\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  rules:
    - {actions: [view], roles: [user], effect: EFFECT_ALLOW, condition: {match: {expr: request.auxData.jwt.sub == 'ann'}}}
";

/// A server with secrets wherever it takes any, and everything that came out of it.
struct Site {
    top: TempDir,
    spec: ServerSpec,
    key: SigningKey,
    seen: Vec<(String, String)>,
}

impl Site {
    fn new() -> Self {
        let top = TempDir::new("secrets");
        top.write("policies/album.yaml", POLICY);
        let key = SigningKey::generate("ES256", "one");
        let shared = json!({"kty": "oct", "alg": "HS256", "kid": "two", "k": encode(b"canary-shared-key-canary-shared-key")});
        let keys = jwks(&[key.jwk(), shared]);
        top.write("header", "Bearer canary-header-file\n");
        let config = json!({
            "auxData": {"jwt": {"keySets": [
                {"id": "here", "local": {"data": STANDARD.encode(keys)}},
                {"id": "there", "remote": {
                    "url": "https://127.0.0.1:1/jwks?key=canary-remote-key", "refreshInterval": "1s"}},
            ]}},
            "audit": {
                "mask": [{"path": "principal.attr.email", "do": "hash"}, {"path": "context", "do": "pseudonym"}],
                "ship": [
                    {"name": "text", "http": {"url": "https://127.0.0.1:1/in?token=canary-ship-url",
                        "headers": {"authorization": "Bearer canary-header", "x-any": "${CANARY}"}}},
                    {"name": "file", "otlp": {"url": "https://127.0.0.1:1/logs",
                        "headers": {"authorization": {"file": top.path().join("header")}}}},
                ],
            },
        });
        top.write("config.yaml", config.to_string());
        // The environment is set by a script, so that it is that of the server alone.
        top.write("start", format!("#!/bin/sh\nCANARY=canary-environment exec {BINARY} \"$@\"\n"));
        fs::set_permissions(top.path().join("start"), fs::Permissions::from_mode(0o755)).unwrap();
        let at = |name: &str| top.path().join(name);
        let spec = ServerSpec::new(at("start"), at("policies"), at("data"))
            .arg(format!("--config={}", at("config.yaml").display()))
            .arg("--set=log.level=trace")
            .arg("--set=log.format=json");
        Self { top, spec, key, seen: Vec::new() }
    }

    /// Sends a request with every header that holds a secret, and keeps the answer.
    async fn ask(&mut self, server: &Server, method: &str, path: &str, headers: &[(&str, &str)], body: &str) {
        let mut connection = server.connect().await.unwrap();
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        connection.send_raw(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
        self.keep(&mut connection, format!("{method} {path} {headers:?}")).await;
    }

    async fn keep(&mut self, connection: &mut Connection, what: String) {
        if let Ok(answer) = connection.read_response().await {
            let text = format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body));
            self.seen.push((what, text));
        }
    }

    /// Runs a command against the directory of the server.
    fn run(&mut self, arguments: &[&str], takes_configuration: bool) {
        let mut command = Command::new(BINARY);
        command.args(arguments).env("CANARY", "canary-environment").env("PROCURA_LOG__LEVEL", "trace");
        if takes_configuration {
            command.arg("--config").arg(self.top.path().join("config.yaml"));
        } else {
            command.arg("--data-dir").arg(self.top.path().join("data"));
        }
        let output = command.output().unwrap();
        for (name, text) in [("output", output.stdout), ("errors", output.stderr)] {
            self.seen.push((format!("{name} of {arguments:?}"), String::from_utf8_lossy(&text).into_owned()));
        }
    }

    /// Fails if a secret was seen anywhere.
    fn assert_nothing_leaked(&self, more: &[String]) {
        for (place, text) in &self.seen {
            let known = [CANARY].into_iter().chain(ENCODED).chain(more.iter().map(String::as_str));
            for secret in known {
                let around = text
                    .split_once(secret)
                    .map(|(before, _)| before.chars().rev().take(80).collect::<Vec<_>>());
                let around = around.map(|before| before.into_iter().rev().collect::<String>());
                assert_eq!(around, None, "what stands before `{secret}` in {place}");
            }
        }
    }
}

/// Bodies that hold tokens: believed ones, refused ones, and what is no token at all.
fn bodies(key: &SigningKey) -> Vec<String> {
    let good = key.token(&json!({"sub": "ann"}));
    let signature = good.rsplit_once('.').unwrap().1;
    let unsigned =
        format!("{}.{}.{}", encode(br#"{"alg":"none"}"#), encode(b"{}"), encode(b"canary-signature"));
    let unparsable = "canary.canary.canary".to_owned();
    let wrong = good.replace(signature, &encode(b"canary-wrong-signature"));
    let expired = key.token(&json!({"sub": "ann", "exp": 1, "jti": "canary-claim-of-a-refused-token"}));
    let body = |token: &str, set: &str| {
        json!({
            "principal": {"id": "ann", "roles": ["user"], "attr": {"email": "a@example.org"}},
            "resources": [{"actions": ["view"], "resource": {"kind": "album", "id": "1"}}],
            "auxData": {"jwt": {"token": token, "keySetId": set}},
        })
        .to_string()
    };
    let mut bodies: Vec<String> =
        [&good, &unsigned, &unparsable, &wrong, &expired].map(|token| body(token, "here")).to_vec();
    bodies.push(body(&good, "there"));
    bodies.push(body(&good, "canary-key-set"));
    bodies.push(r#"{"auxData": {"jwt": {"token": ["canary-not-a-text"]}}}"#.to_owned());
    bodies.push(r#"{"auxData": {"jwts": {"x": {"token": 1, "canary-member": "canary-value"}}}}"#.to_owned());
    bodies
}

/// Every file below `directory`.
fn files(directory: &Path) -> Vec<PathBuf> {
    let (mut found, mut pending) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { pending.push(path) } else { found.push(path) }
        }
    }
    found
}

/// What a file of secrets holds, as it could appear elsewhere: whole in any encoding, and its long words.
fn secrets_of(file: &Path) -> Vec<String> {
    let bytes = fs::read(file).unwrap();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let text = String::from_utf8_lossy(&bytes);
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=_-".contains(c)));
    let words = words.filter(|word| word.len() >= 40).map(str::to_owned);
    words.chain([hex, STANDARD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)]).collect()
}

#[tokio::test]
async fn no_secret_is_in_any_log_metric_record_answer_or_argument() {
    let mut site = Site::new();
    let mut server = site.spec.start().await.unwrap();
    let secrets: [(&str, &str); 8] = [
        ("authorization", "Bearer canary-bearer"),
        ("authorization", "Basic Y2FuYXJ5OmNhbmFyeQ=="),
        ("authorization", "Bearer procura_canary_canary-api-key"),
        ("x-api-key", "procura_canary_canary-api-key"),
        ("cookie", "session=canary-cookie"),
        ("txn-token", "canary.canary.canary"),
        ("proxy-authorization", "Basic canary"),
        ("dpop", "canary.canary.canary"),
    ];
    let asks: Vec<String> = bodies(&site.key);
    for body in &asks {
        for path in ["/api/check/resources", "/api/check", "/api/explain"] {
            site.ask(&server, "POST", path, &[], body).await;
        }
        let evaluation = json!({"subject": {"type": "user", "id": "ann"}, "action": {"name": "view"},
            "resource": {"type": "album", "id": "1"},
            "context": {"cerbos.auxData": serde_json::from_str::<Value>(body).unwrap()["auxData"]}});
        site.ask(&server, "POST", "/access/v1/evaluation", &[], &evaluation.to_string()).await;
    }
    let paths = [
        "/healthz",
        "/readyz",
        "/metrics",
        "/_cerbos/health",
        "/_cerbos/metrics",
        "/api/decisions",
        "/api/server_info",
        "/admin/policies/status",
        "/admin/auditlog/list/KIND_DECISION?tail=5",
        "/no/such/path",
    ];
    for header in secrets {
        for path in paths {
            site.ask(&server, "GET", path, &[header], "").await;
        }
        site.ask(&server, "POST", "/api/check/resources", &[header], &asks[0]).await;
        site.ask(&server, "POST", "/admin/policies/reload", &[header], "").await;
        site.ask(&server, "POST", "/api/check/resources", &[header, ("content-encoding", "gzip")], "x").await;
    }
    site.top.write("policies/album.yaml", format!("{POLICY}nonsense: 1\n"));
    site.ask(&server, "POST", "/admin/policies/reload", &[secrets[0]], "").await;
    site.ask(&server, "GET", "/admin/policies/status", &[secrets[0]], "").await;
    server.signal("HUP").await.unwrap();
    site.top.write("policies/album.yaml", POLICY);
    site.ask(&server, "POST", "/admin/policies/reload", &[], "").await;
    for path in
        ["/readyz", "/metrics", "/api/decisions?limit=100", "/admin/auditlog/list/KIND_DECISION?tail=100"]
    {
        site.ask(&server, "GET", path, &[], "").await;
    }
    let pid = server.pid().unwrap();
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    site.seen.push(("the arguments".to_owned(), String::from_utf8_lossy(&arguments).into_owned()));
    server.signal("TERM").await.unwrap();
    server.wait().await.unwrap();
    site.seen.push(("the log".to_owned(), server.output()));

    site.run(&["audit", "export"], false);
    site.run(&["audit", "verify"], false);
    site.run(&["audit", "query"], false);
    site.run(&["config"], true);
    let (secret, open): (Vec<_>, Vec<_>) = files(&site.top.path().join("data"))
        .into_iter()
        .partition(|file| file.starts_with(site.top.path().join("data/keys")));
    assert!(secret.len() >= 3, "the server makes keys for checkpoints, hashes and pseudonyms: {secret:?}");
    let made: Vec<String> = secret.iter().flat_map(|file| secrets_of(file)).collect();
    for file in open {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        site.seen.push((file.display().to_string(), text));
    }
    let told: usize = site.seen.iter().map(|(_, text)| text.len()).sum();
    assert!(told > 100_000, "much is said at level trace: {told}");
    site.assert_nothing_leaked(&made);
}

#[tokio::test]
async fn key_of_the_server_and_key_of_a_caller_are_in_nothing_that_comes_out_of_it() {
    let mut site = Site::new();
    let (house, key) = (Authority::new("house"), NewKey::generate().unwrap());
    let server = house.issue(&Leaf::server());
    site.top.write("server.pem", &server.certificate);
    site.top.write("server.key", &server.key);
    let at = |name: &str| site.top.path().join(name);
    let roles = ["decide", "audit", "metrics", "admin"].map(str::to_owned).to_vec();
    let entry = KeyEntry { id: key.id, name: "shop".into(), hash: key.hash, roles, ..KeyEntry::default() };
    site.top.write("keys.yaml", "");
    add(&at("keys.yaml"), &entry).unwrap();
    let spec = ServerSpec::new(BINARY, at("policies"), at("data"))
        .arg(format!("--set=server.tls.cert={}", at("server.pem").display()))
        .arg(format!("--set=server.tls.key={}", at("server.key").display()))
        .arg(format!("--set=callers.keys.file={}", at("keys.yaml").display()))
        .arg("--set=log.level=trace");
    let mut server = spec.start().await.unwrap();
    let mut connection = server.connect_tls(&TlsClient::new(&house.pem(), None)).await.unwrap();
    let bearer = format!("Bearer {}", key.text);
    let cut = key.text.get(..key.text.len() - 1).unwrap();
    let check = &bodies(&site.key)[0];
    for (header, status) in [
        (("x-api-key", key.text.as_str()), 200),
        (("authorization", &*bearer), 200),
        (("x-api-key", cut), 401),
    ] {
        for path in ["/api/decisions", "/metrics", "/admin/policies/status", "/readyz"] {
            let answer = connection.send("GET", path, &[header], b"").await.unwrap();
            assert!(answer.status == status || path == "/readyz", "{path}: {}", answer.status);
            site.seen.push((path.to_owned(), String::from_utf8_lossy(&answer.body).into_owned()));
        }
        let answer =
            connection.send("POST", "/api/check/resources", &[header], check.as_bytes()).await.unwrap();
        site.seen.push(("a check".to_owned(), String::from_utf8_lossy(&answer.body).into_owned()));
    }
    server.signal("TERM").await.unwrap();
    server.wait().await.unwrap();
    site.seen.push(("the log".to_owned(), server.output()));
    for file in files(&at("data")) {
        let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
        site.seen.push((file.display().to_string(), text));
    }
    site.seen.push(("keys.yaml".to_owned(), fs::read_to_string(at("keys.yaml")).unwrap()));
    let mut secrets = secrets_of(&at("server.key"));
    secrets.push(cut.rsplit_once('_').unwrap().1.to_owned());
    assert!(secrets.len() > 4, "the key of the server has lines");
    site.assert_nothing_leaked(&secrets);
}

#[test]
fn what_is_wrong_with_a_secret_is_said_without_it() {
    let mut site = Site::new();
    for wrong in [
        json!({"auxData": {"jwt": {"keySets": [{"id": "a", "remote": {"url": "https://user:canary-password@host/"}}]}}}),
        json!({"auxData": {"jwt": {"keySets": [{"id": "a", "remote": {"url": "http://host/?key=canary-query"}}]}}}),
        json!({"auxData": {"jwt": {"keySets": [{"id": "a", "local": {"data": "canary-no-base64!"}}]}}}),
        json!({"auxData": {"jwt": {"keySets": [{"id": "a", "local": {"data": STANDARD.encode("canary-no-keys")}}]}}}),
        json!({"auxData": {"jwt": {"keySets": [{"id": "a", "local": {"data": {"canary-name": "canary-value"}}}]}}}),
        json!({"audit": {"ship": [{"name": "a", "http": {"url": "https://user:canary@host/"}}]}}),
        json!({"audit": {"ship": [{"name": "a", "http": {"url": "https://h/", "headers": {"authorization": "a\ncanary"}}}]}}),
        json!({"audit": {"ship": [{"name": "a", "http": {"url": "https://h/", "headers": {"x-a": ["canary-list"]}}}]}}),
        json!({"audit": {"ship": [{"name": "a", "http": {"url": "https://h/", "headers": {"x-a": "Bearer canary"}, "no": 1}}]}}),
        json!({"audit": {"witness": {"url": "https://user:canary@host/"}}}),
    ] {
        site.top.write("config.yaml", wrong.to_string());
        for command in ["config", "serve"] {
            site.run(
                &[command, "--set=storage.disk.directory=/nowhere/at/all", "--set=log.level=trace"],
                true,
            );
        }
    }
    site.assert_nothing_leaked(&[]);
}
