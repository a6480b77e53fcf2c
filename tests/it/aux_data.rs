//! Tokens that come with calls, through the real server and the real command line.

use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use procura_testkit::http::{Connection, Response};
use procura_testkit::issuer::{SigningKey, jwks};
use procura_testkit::key_server::{Behaviour, KeyServer};
use procura_testkit::server::{Server, ServerSpec};
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_procura");
const CHECK: &str = "/api/check/resources";

const POLICY: &str = "\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  rules:
    - actions: [view]
      roles: [user]
      effect: EFFECT_ALLOW
      condition:
        match:
          any:
            of:
              - expr: request.auxData.jwt.sub == R.attr.owner && 'albums' in request.auxData.jwt.aud
              - expr: request.auxData.jwts.agent.claims.sub == R.attr.owner
";

/// A server with the one policy and these settings for tokens.
struct Site {
    directory: TempDir,
    spec: ServerSpec,
}

impl Site {
    fn new(jwt: &Value) -> Self {
        let directory = TempDir::new("tokens");
        directory.write("policies/album.yaml", POLICY);
        directory.write("config.yaml", json!({"auxData": {"jwt": jwt}}).to_string());
        let path = directory.path();
        let spec = ServerSpec::new(BINARY, path.join("policies"), path.join("data"))
            .arg(format!("--config={}", path.join("config.yaml").display()));
        Self { directory, spec }
    }

    async fn start(&self) -> (Server, Connection) {
        let server = self.spec.start().await.unwrap();
        let connection = server.connect().await.unwrap();
        (server, connection)
    }

    /// Answers one request on the command line.
    fn decide(&self, request: &Value) -> Output {
        let path = self.directory.path();
        self.directory.write("request.json", request.to_string());
        Command::new(BINARY)
            .args(["decide", "--config"])
            .arg(path.join("config.yaml"))
            .args([path.join("policies"), path.join("request.json")])
            .output()
            .unwrap()
    }
}

fn inline(keys: &[&SigningKey]) -> Value {
    let text = jwks(&keys.iter().map(|key| key.jwk()).collect::<Vec<_>>());
    let data: String = base64(text.as_bytes());
    json!({"id": "issuer", "local": {"data": data}})
}

fn base64(bytes: &[u8]) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn claims(sub: &str) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    json!({"sub": sub, "aud": "albums", "exp": now + 3600, "iat": now - 60})
}

fn request(aux_data: &Value) -> Value {
    json!({
        "principal": {"id": "ada", "roles": ["user"]},
        "resources": [{
            "actions": ["view"],
            "resource": {"kind": "album", "id": "a1", "attr": {"owner": "ada"}},
        }],
        "auxData": aux_data,
    })
}

async fn post(connection: &mut Connection, path: &str, body: &Value) -> Response {
    connection.post_json(path, body.to_string().as_bytes()).await.unwrap()
}

/// What the call with this `auxData` is answered about the album.
async fn effect(connection: &mut Connection, aux_data: Value) -> Value {
    let answer = post(connection, CHECK, &request(&aux_data)).await;
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    answer.json().unwrap()["results"][0]["actions"]["view"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn verified_claims_decide_and_are_recorded_without_the_token() {
    let key = SigningKey::generate("ES384", "k");
    let site = Site::new(&json!({"keySets": [inline(&[&key])]}));
    let (server, mut connection) = site.start().await;
    let (ada, eve) = (key.token(&claims("ada")), key.token(&claims("eve")));
    for (aux_data, want) in [
        (json!(null), "EFFECT_DENY"),
        (json!({"jwt": {"token": ada}}), "EFFECT_ALLOW"),
        (json!({"jwt": {"token": ada, "keySetId": "issuer"}, "jwts": {}}), "EFFECT_ALLOW"),
        (json!({"jwt": {"token": eve}}), "EFFECT_DENY"),
        (json!({"jwts": {"agent": {"token": ada}, "user": {"token": eve}}}), "EFFECT_ALLOW"),
        (json!({"jwts": {"agent": {"token": eve}, "user": {"token": ada}}}), "EFFECT_DENY"),
    ] {
        assert_eq!(effect(&mut connection, aux_data.clone()).await, want, "{aux_data}");
    }

    let answer = post(&mut connection, CHECK, &request(&json!({"jwt": {"token": ada}}))).await;
    let call_id = answer.header("procura-call-id").unwrap().to_owned();
    let found = connection.get(&format!("/api/decisions/{call_id}")).await.unwrap().json().unwrap();
    let recorded = &found["record"]["auxData"]["jwt"];
    assert_eq!(recorded["keySet"], "issuer", "{found}");
    assert_eq!(recorded["claims"]["aud"], json!(["albums"]), "{found}");
    for place in [&found.to_string(), &server.output(), &log(&site)] {
        assert!(!place.contains(&ada), "the token is repeated in {place}");
    }
}

/// The decision log as it is on the disk.
fn log(site: &Site) -> String {
    let files = fs::read_dir(site.directory.path().join("data/log")).unwrap();
    let read = |path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    files.map(|entry| read(entry.unwrap().path())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_believed_spoils_the_whole_call_on_every_surface() {
    let (key, stranger) = (SigningKey::generate("RS256", "k"), SigningKey::generate("RS256", "k"));
    let site = Site::new(&json!({"keySets": [inline(&[&key])]}));
    let (_server, mut connection) = site.start().await;
    let forged = json!({"jwt": {"token": stranger.token(&claims("ada"))}});
    let expired = json!({"jwts": {"agent": {"token": key.token(&json!({"exp": 1}))}}});
    for (aux_data, words) in [
        (forged.clone(), "`auxData.jwt`: the signature of the token is wrong"),
        (expired, "`auxData.jwts.agent`: the token has expired"),
        (json!({"jwt": {"token": "abc"}}), "`auxData.jwt`"),
        (json!({"jwt": {"token": ""}}), "`auxData.jwt.token`: a value is required"),
        (json!({"jwt": {}}), "`auxData.jwt.token`: a value is required"),
        (json!({"jwts": {"": {"token": "t"}}}), "`auxData.jwts`: a value is required"),
        (json!({"jwt": {"token": "t"}, "jwts": {"a": {"token": "t"}}}), "only one of `jwt` and `jwts`"),
    ] {
        let answer = post(&mut connection, CHECK, &request(&aux_data)).await;
        let body = answer.json().unwrap();
        assert_eq!((answer.status, &body["code"]), (400, &json!(3)), "{aux_data}: {body}");
        assert!(body["message"].as_str().unwrap().contains(words), "{aux_data}: {body}");
    }

    for misplaced in [
        json!("SECRET"),
        json!({"jwt": "SECRET"}),
        json!({"jwts": {"a": "SECRET"}}),
        json!({"jwts": {"SECRET": 1}}),
        json!({"SECRET": 1}),
    ] {
        let answer = post(&mut connection, CHECK, &request(&misplaced)).await;
        let body = String::from_utf8_lossy(&answer.body);
        assert_eq!(answer.status, 400, "{body}");
        assert!(body.contains("auxData") && !body.contains("SECRET"), "{body}");
    }

    let evaluation = |aux_data: Value| {
        json!({
            "subject": {"type": "user", "id": "ada"},
            "action": {"name": "view"},
            "resource": {"type": "album", "id": "a1", "properties": {"owner": "ada"}},
            "context": {"cerbos.auxData": aux_data},
        })
    };
    let good = json!({"jwt": {"token": key.token(&claims("ada")), "keySetId": "issuer"}});
    for (aux_data, status) in [
        (good, 200),
        (forged, 400),
        (json!({"jwt": {"token": 1}}), 400),
        (json!({"jwt": {"token": "t", "other": 1}}), 400),
        (json!({"tokens": {}}), 400),
        (json!([]), 400),
    ] {
        let answer = post(&mut connection, "/access/v1/evaluation", &evaluation(aux_data.clone())).await;
        assert_eq!(answer.status, status, "{aux_data}: {}", String::from_utf8_lossy(&answer.body));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_whose_keys_were_never_fetched_are_refused_and_others_are_served() {
    let key = SigningKey::generate("EdDSA", "k");
    let issuer = KeyServer::start(Behaviour::Answer(500, String::new())).await;
    let site = Site::new(&json!({"keySets": [{"id": "far", "remote": {"url": issuer.url()}}]}));
    let (server, mut connection) = site.start().await;
    let with_token = json!({"jwt": {"token": key.token(&claims("ada"))}});
    let answer = post(&mut connection, CHECK, &request(&with_token)).await;
    let body = answer.json().unwrap();
    assert_eq!((answer.status, &body["code"]), (503, &json!(14)), "{body}");
    assert!(body["message"].as_str().unwrap().starts_with("keys_unavailable: "), "{body}");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(effect(&mut connection, json!(null)).await, "EFFECT_DENY");
    assert_eq!(connection.get("/readyz").await.unwrap().status, 200);
    assert!(server.output().contains("key_refresh_failed"), "{}", server.output());

    issuer.set(Behaviour::Answer(200, jwks(&[key.jwk()])));
    let answered = async {
        // The issuer is asked again after a pause.
        while post(&mut connection, CHECK, &request(&with_token)).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), answered).await.unwrap();
    assert_eq!(effect(&mut connection, with_token).await, "EFFECT_ALLOW");
}

#[tokio::test(flavor = "multi_thread")]
async fn server_that_believes_every_token_says_so_at_every_start() {
    let site = Site::new(&json!({"disableVerification": true}));
    let stranger = SigningKey::generate("ES256", "k");
    for _ in 0..2 {
        let (mut server, mut connection) = site.start().await;
        let aux_data = json!({"jwt": {"token": stranger.token(&claims("ada"))}});
        assert_eq!(effect(&mut connection, aux_data).await, "EFFECT_ALLOW");
        for words in ["tokens_not_verified", "NOT VERIFIED"] {
            assert!(server.output().contains(words), "{words} not in\n{}", server.output());
        }
        server.kill().await.unwrap();
    }
    assert!(!log(&site).contains("\"keySet\""), "nobody vouched");
}

#[test]
fn decide_verifies_tokens_with_the_configured_key_sets() {
    let (key, stranger) = (SigningKey::generate("PS256", "k"), SigningKey::generate("PS256", "k"));
    let site = Site::new(&json!({"keySets": [inline(&[&key])]}));
    let text =
        |output: &Output| String::from_utf8_lossy(&[&*output.stdout, &output.stderr].concat()).into_owned();
    let good = site.decide(&request(&json!({"jwt": {"token": key.token(&claims("ada"))}})));
    assert!(good.status.success() && text(&good).contains("EFFECT_ALLOW"), "{}", text(&good));
    let bad = site.decide(&request(&json!({"jwt": {"token": stranger.token(&claims("ada"))}})));
    assert_eq!(bad.status.code(), Some(1), "{}", text(&bad));
    assert!(text(&bad).contains("the signature of the token is wrong"), "{}", text(&bad));
}

#[test]
fn keys_that_cannot_be_used_stop_the_start_with_the_reason() {
    let private = json!({"kty": "EC", "crv": "P-256", "kid": "k", "alg": "ES256", "d": "AAAA"});
    for (local, words) in [
        (json!({"data": base64(b"{}")}), "no key of 1 can be used"),
        (json!({"data": base64(jwks(&[private]).as_bytes())}), "a private key"),
        (json!({"file": "/nonexistent/keys.json"}), "cannot read `/nonexistent/keys.json`"),
    ] {
        let site = Site::new(&json!({"keySets": [{"id": "near", "local": local}]}));
        let output = site.decide(&request(&json!(null)));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("cannot load the key set `near`") && said.contains(words), "{said}");
    }
}
