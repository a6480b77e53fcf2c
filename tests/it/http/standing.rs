//! What standing rules deny, through every path that answers a question: the same facts, the same reasons.

use procura::pip::{KeyRules, KeySetSettings, KeySource, TokenRules, TokenSettings};
use procura_testkit::http::{Connection, Response};
use procura_testkit::issuer::{SigningKey, jwks};
use serde_json::{Value, json};

use super::facts::send;
use super::{CHECK, EVALUATION, Setup, TestServer, good_evaluation, with};

/// What is asked for, how, and where in the answer the effect is.
struct Surface {
    path: &'static str,
    body: Value,
    effect: &'static str,
    allowed: Value,
}

/// Every path on which somebody asks whether alice may view album `a1`, and on most of them another one as well, with
/// `aux_data` and with `attr` as her attributes.
fn surfaces(aux_data: &Value, attr: &Value) -> Vec<Surface> {
    let principal = json!({"id": "alice", "roles": ["user"], "attr": attr});
    let resource = |id: &str| json!({"actions": ["view"], "resource": {"kind": "album", "id": id, "attr": {"owner": "alice"}}});
    let check =
        json!({"principal": principal, "resources": [resource("a1"), resource("a2")], "auxData": aux_data});
    let instances = json!({"a1": {"attr": {"owner": "alice"}}, "a2": {"attr": {"owner": "alice"}}});
    let set = json!({
        "principal": principal, "actions": ["view"], "auxData": aux_data,
        "resource": {"kind": "album", "instances": instances},
    });
    let evaluation = with(good_evaluation(), "/context", json!({"cerbos.auxData": aux_data}));
    let evaluation = with(evaluation, "/subject/properties", attr.clone());
    let surface = |path, body: &Value, effect| Surface {
        path,
        body: body.clone(),
        effect,
        allowed: json!("EFFECT_ALLOW"),
    };
    vec![
        surface(CHECK, &check, "/results/0/actions/view"),
        surface("/api/check", &set, "/resourceInstances/a1/actions/view"),
        surface("/api/check_resource_batch", &check, "/results/0/actions/view"),
        Surface { allowed: json!(true), ..surface(EVALUATION, &evaluation, "/decision") },
        surface("/api/explain", &check, "/results/0/actions/0/effect"),
    ]
}

/// The answer to `surface`: whether it is allowed, and for which reason, from the record unless the answer tells it.
async fn asked(connection: &mut Connection, surface: &Surface) -> (bool, String) {
    let response = connection.post_json(surface.path, surface.body.to_string().as_bytes()).await.unwrap();
    let answer = response.json().unwrap();
    assert_eq!(response.status, 200, "{}: {answer}", surface.path);
    let is_allowed = answer.pointer(surface.effect).unwrap() == &surface.allowed;
    let told = &answer["results"][0]["actions"][0]["reason"];
    let recorded = recorded_reason(connection, &response).await;
    let reason = told.as_str().map(str::to_owned).or(recorded).unwrap();
    (is_allowed, reason)
}

/// The reason in the record of a decision; `None` for what is none.
async fn recorded_reason(connection: &mut Connection, answer: &Response) -> Option<String> {
    let path = format!("/api/decisions/{}/1", answer.header("procura-call-id")?);
    let found = connection.get(&path).await.unwrap().json().unwrap();
    Some(found["decision"]["reason"].as_str().unwrap().to_owned())
}

/// A server that knows one issuer, and a token of it about alice, in whose name two agents act.
async fn server_and_token() -> (TestServer, String) {
    let key = SigningKey::generate("ES256", "k");
    let text = jwks(&[key.jwk()]).into_bytes();
    let issuer = KeySetSettings {
        id: "issuer".to_owned(),
        source: KeySource::Data { text, pem: false },
        rules: KeyRules::default(),
        tokens: TokenRules::default(),
    };
    let tokens = TokenSettings { key_sets: vec![issuer], ..TokenSettings::default() };
    let token = key.token(&json!({
        "iss": "https://idp.test", "sub": "alice", "exp": 1_795_399_999, "iat": 1_795_305_000,
        "sid": "s-1", "device_id": "d-1", "groups": ["g-0", "g-1"], "client_id": "app",
        "act": {"sub": "agent", "act": {"sub": "first-agent"}},
    }));
    (TestServer::with(Setup { tokens, ..Setup::default() }).await, token)
}

/// Facts that deny by themselves, what has to be said with them, and the reasons.
fn facts() -> [(&'static str, Value, &'static str); 3] {
    [
        ("session-revoked", json!({}), "session_revoked"),
        ("account-disabled", json!({}), "account_disabled"),
        ("credential-compromise", json!({"credential_type": "password"}), "credential_compromised"),
    ]
}

/// States each fact about each of `about`, and withdraws it: denied on every surface in between, allowed before and after.
async fn play(server: &TestServer, surfaces: &[Surface], about: &[&str]) {
    let mut connection = server.connect().await;
    for elsewhere in ["principal/bob", "session/s-2", "device/d-2", "group/g-2", "resource/album/a2"] {
        let path = format!("/api/facts/{elsewhere}/account-disabled");
        assert_eq!(send(&mut connection, "PUT", &path, &Value::Null).await.0, 200, "{path}");
    }
    are_allowed(&mut connection, surfaces, "before all").await;
    for (name, data, reason) in facts() {
        for about in about {
            let path = format!("/api/facts/{about}/{name}");
            let (status, stated) = send(&mut connection, "PUT", &path, &json!({"data": data})).await;
            assert_eq!(status, 200, "{path}: {stated}");
            for surface in surfaces {
                let denied = (false, reason.to_owned());
                assert_eq!(asked(&mut connection, surface).await, denied, "{path}, {}", surface.path);
            }
            assert_eq!(send(&mut connection, "DELETE", &path, &Value::Null).await.0, 200, "{path}");
            are_allowed(&mut connection, surfaces, &path).await;
        }
    }
}

async fn are_allowed(connection: &mut Connection, surfaces: &[Surface], when: &str) {
    for surface in surfaces {
        let (is_allowed, reason) = asked(connection, surface).await;
        assert!(is_allowed, "{when}, {}: {reason}", surface.path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fact_about_what_a_token_presents_denies_on_every_surface_until_it_is_withdrawn() {
    let (server, token) = server_and_token().await;
    let surfaces = surfaces(&json!({"jwt": {"token": token}}), &json!({}));
    let about = [
        "principal/alice",
        "principal/agent",
        "principal/first-agent",
        "session/s-1",
        "device/d-1",
        "group/g-1",
        "application/app",
        "resource/album/a1",
    ];
    play(&server, &surfaces, &about).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fact_about_what_attributes_present_denies_on_every_surface_until_it_is_withdrawn() {
    let server = TestServer::start().await;
    let attr = json!({"sessionId": "s-1", "deviceId": "d-1", "groups": ["g-0", "g-1"]});
    let surfaces = surfaces(&json!({}), &attr);
    let about = ["principal/alice", "session/s-1", "device/d-1", "group/g-1", "resource/album/a1"];
    play(&server, &surfaces, &about).await;
}
