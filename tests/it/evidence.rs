//! What verified tokens say about who acts, about the principal, and about the transaction, through the real server.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use procura_testkit::http::{Connection, Response};
use procura_testkit::issuer::{SigningKey, jwks};
use procura_testkit::server::{Server, ServerSpec};
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const BINARY: &str = env!("CARGO_BIN_EXE_procura");
const CHECK: &str = "/api/check/resources";
const EVALUATION: &str = "/access/v1/evaluation";

const POLICY: &str = "\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: payment
  version: default
  rules:
    - actions: [view]
      roles: [user]
      effect: EFFECT_ALLOW
    - actions: [directly]
      roles: [user]
      effect: EFFECT_ALLOW
      condition: {match: {expr: request.actor == null}}
    - actions: [delegated]
      roles: [user]
      effect: EFFECT_ALLOW
      condition:
        match:
          expr: \"request.actor.leaf.sub == 'bot' && request.actor.depth <= 2.0 && request.actor.chain.all(a, a.sub in ['bot', 'web'])\"
    - actions: [bound]
      roles: [user]
      effect: EFFECT_ALLOW
      condition: {match: {expr: request.auxData.bound}}
    - actions: [finance]
      roles: [user]
      effect: EFFECT_ALLOW
      condition: {match: {expr: P.attr.department == 'finance'}}
    - actions: [transact]
      roles: [user]
      effect: EFFECT_ALLOW
      condition: {match: {expr: \"request.auxData.jwts.txn.claims.scope == 'pay'\"}}
";

/// A running server, and the issuers whose tokens it takes.
struct Site {
    people: SigningKey,
    transactions: SigningKey,
    server: Server,
    connection: Connection,
    _directory: TempDir,
}

impl Site {
    async fn start() -> Self {
        let (people, transactions) =
            (SigningKey::generate("ES256", "p1"), SigningKey::generate("ES256", "t1"));
        let local = |key: &SigningKey| json!({"data": STANDARD.encode(jwks(&[key.jwk()]))});
        let key_sets = json!([
            {
                "id": "people", "local": local(&people), "issuer": "https://people",
                "principal": {"id": "sub", "attributes": {"department": "org.department"}},
            },
            {"id": "agents", "local": local(&people), "issuer": "https://agents", "actor": true},
            {"id": "plain", "local": local(&people), "issuer": "https://plain"},
            {
                "id": "lenient", "local": local(&people), "issuer": "https://lenient",
                "principal": {"id": "sub", "mustMatch": false},
            },
            {"id": "transactions", "local": local(&transactions), "profile": "txn-token", "audiences": ["example"]},
        ]);
        let directory = TempDir::new("evidence");
        directory.write("policies/payment.yaml", POLICY);
        directory.write("config.yaml", json!({"auxData": {"jwt": {"keySets": key_sets}}}).to_string());
        let path = directory.path();
        let spec = ServerSpec::new(BINARY, path.join("policies"), path.join("data"))
            .arg(format!("--config={}", path.join("config.yaml").display()));
        let server = spec.start().await.unwrap();
        let connection = server.connect().await.unwrap();
        Self { people, transactions, server, connection, _directory: directory }
    }

    /// A token of the issuer `https://NAME` about ada, with some more claims.
    fn token(&self, name: &str, more: &Value) -> String {
        let mut claims = json!({"iss": format!("https://{name}"), "sub": "ada", "exp": now() + 600});
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.people.token(&claims)
    }

    fn transaction(&self, txn: &str) -> String {
        let claims = json!({
            "iat": now(), "aud": "example", "exp": now() + 60, "txn": txn, "sub": "ada", "scope": "pay", "req_wl": "web",
        });
        let header = json!({"alg": "ES256", "kid": "t1", "typ": "txntoken+jwt"});
        self.transactions.sign(&header, claims.to_string().as_bytes())
    }

    async fn check(&mut self, aux_data: &Value, headers: &[(&str, &str)]) -> Response {
        let body = json!({
            "requestId": "r1",
            "principal": {"id": "ada", "roles": ["user"], "attr": {"department": "finance", "level": 3}},
            "resources": [{
                "actions": ["view", "directly", "delegated", "bound", "finance", "transact"],
                "resource": {"kind": "payment", "id": "1"},
            }],
            "auxData": aux_data,
        });
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.connection.send("POST", CHECK, &headers, body.to_string().as_bytes()).await.unwrap()
    }

    /// The actions that are allowed, in one line.
    async fn allowed(&mut self, aux_data: &Value) -> String {
        let answer = self.check(aux_data, &[]).await;
        allowed(&answer)
    }

    async fn refusal(&mut self, aux_data: &Value) -> String {
        let answer = self.check(aux_data, &[]).await;
        let body = answer.json().unwrap();
        assert_eq!((answer.status, &body["code"]), (400, &json!(3)), "{body}");
        body["message"].as_str().unwrap().to_owned()
    }

    async fn record(&mut self, answer: &Response) -> Value {
        let call_id = answer.header("procura-call-id").unwrap().to_owned();
        let found = self.connection.get(&format!("/api/decisions/{call_id}")).await.unwrap().json().unwrap();
        found["record"].clone()
    }
}

fn allowed(answer: &Response) -> String {
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let body = answer.json().unwrap();
    let actions = body["results"][0]["actions"].as_object().unwrap();
    let allowed = actions.iter().filter(|(_, effect)| **effect == "EFFECT_ALLOW");
    allowed.map(|(action, _)| action.as_str()).collect::<Vec<_>>().join(" ")
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn digest(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_know_who_acts_only_from_a_verified_token() {
    let mut site = Site::start().await;
    let act = json!({"act": {"sub": "bot", "client_id": "bot-7", "act": {"sub": "web"}}});
    let (plain, agent) = (site.token("plain", &act), site.token("agents", &act));
    let other = site.token("agents", &json!({"act": {"sub": "evil"}}));
    let direct = site.token("plain", &json!({}));
    for (aux_data, want) in [
        (json!(null), "directly finance view"),
        (json!({"jwt": {"token": direct}}), "directly finance view"),
        (json!({"jwt": {"token": plain}}), "delegated finance view"),
        (json!({"jwt": {"token": other}}), "finance view"),
        (json!({"jwts": {"a": {"token": plain}}}), "directly finance view"),
        (json!({"jwts": {"a": {"token": agent}, "b": {"token": plain}}}), "delegated finance view"),
    ] {
        assert_eq!(site.allowed(&aux_data).await, want, "{aux_data}");
    }
    let answer = site.check(&json!({"jwt": {"token": plain}}), &[]).await;
    let record = site.record(&answer).await;
    let bot = json!({"sub": "bot", "client_id": "bot-7"});
    assert_eq!(
        record["actor"],
        json!({
            "chain": [{"sub": "web"}, bot], "leaf": bot, "depth": 2, "client_id": "bot-7", "issuer": "https://plain",
        })
    );
    assert_eq!(
        (&record["auxData"]["jwt"]["keySet"], &record["auxData"]["jwt"]["key"]),
        (&json!("plain"), &json!("p1"))
    );

    let deep = json!({"act": {"sub": "1", "act": {"sub": "2", "act": {"sub": "3", "act": {"sub": "4", "act": {"sub": "5"}}}}}});
    let agents = site.token("agents", &json!({"act": {"sub": "bot"}}));
    for (aux_data, words) in [
        (json!({"jwt": {"token": site.token("plain", &deep)}}), "more than 4 actors"),
        (json!({"jwt": {"token": site.token("plain", &json!({"act": "bot"}))}}), "is not an actor"),
        (
            json!({"jwt": {"token": site.token("plain", &json!({"act": {"act": {"sub": "x"}}}))}}),
            "is not an actor",
        ),
        (
            json!({"jwts": {"a": {"token": agent}, "b": {"token": agents}}}),
            "another token of the call says who acts",
        ),
    ] {
        let said = site.refusal(&aux_data).await;
        assert!(said.starts_with("actor_invalid: ") && said.contains(words), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn token_of_somebody_else_does_not_show_that_the_session_began_after_a_revocation() {
    let mut site = Site::start().await;
    let fact = "/api/facts/principal/ada/session-revoked";
    assert_eq!(site.connection.send("PUT", fact, &[], b"").await.unwrap().status, 200);
    let began = |name: &str, sub: &str, began: u64| json!({"jwt": {"token": site.token(name, &json!({"sub": sub, "auth_time": began}))}});
    let (before, after) = (now() - 60, now() + 2);
    for (aux_data, allowed) in [
        (began("lenient", "ada", before), ""),
        (began("lenient", "ada", after), "directly finance view"),
        (began("lenient", "eve", after), ""),
        (began("people", "ada", after), "directly view"),
        // Nobody has said how this issuer names the principal.
        (began("plain", "eve", after), "directly finance view"),
    ] {
        assert_eq!(site.allowed(&aux_data).await, allowed, "{aux_data}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_from_claims_replace_what_the_request_says_and_only_about_its_principal() {
    let mut site = Site::start().await;
    let org = |name: &str| json!({"org": {"department": name}});
    let (finance, sales) = (site.token("people", &org("finance")), site.token("people", &org("sales")));
    let silent = site.token("people", &json!({}));
    for (aux_data, want) in [
        (json!({"jwt": {"token": finance}}), "directly finance view"),
        (json!({"jwt": {"token": sales}}), "directly view"),
        // What only the request says must not look as if the token had said it.
        (json!({"jwt": {"token": silent}}), "directly view"),
        (json!({"jwts": {"p": {"token": sales}}}), "directly view"),
    ] {
        assert_eq!(site.allowed(&aux_data).await, want, "{aux_data}");
    }
    let answer = site.check(&json!({"jwt": {"token": sales}}), &[]).await;
    let record = site.record(&answer).await;
    assert_eq!(record["principal"]["attr"], json!({"department": "sales", "level": 3}));
    assert_eq!(record["auxData"]["jwt"]["attributes"], json!({"department": "org.department"}));

    let eve = site.token("people", &json!({"sub": "eve", "org": {"department": "finance"}}));
    for (aux_data, words) in [
        (json!({"jwt": {"token": eve}}), "somebody else than the principal"),
        (json!({"jwts": {"p": {"token": eve}}}), "somebody else than the principal"),
        (json!({"jwts": {"p": {"token": finance}, "q": {"token": sales}}}), "the same attribute"),
    ] {
        let said = site.refusal(&aux_data).await;
        assert!(said.starts_with("principal_mismatch: ") && said.contains(words), "{said}");
    }
    let stranger = SigningKey::generate("ES256", "p1");
    let forged =
        stranger.token(&json!({"iss": "https://people", "sub": "ada", "org": {"department": "finance"}}));
    let said = site.refusal(&json!({"jwt": {"token": forged}})).await;
    assert!(said.contains("signature"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn token_that_is_bound_to_a_key_is_bound_only_with_a_proof_of_it() {
    let mut site = Site::start().await;
    let holder = SigningKey::generate("ES256", "h");
    let key = holder.jwk();
    let jwk = json!({"kty": key["kty"], "crv": key["crv"], "x": key["x"], "y": key["y"]});
    let token = site.token("plain", &json!({"cnf": {"jkt": digest(jwk.to_string().as_bytes())}}));
    let header = json!({"alg": "ES256", "typ": "dpop+jwt", "jwk": jwk});
    let ath = digest(token.as_bytes());
    let payload = json!({"jti": "1", "htm": "GET", "htu": "https://a.example/x", "iat": now(), "ath": ath});
    let dpop = holder.sign(&header, payload.to_string().as_bytes());
    let with = |proof: Value| json!({"jwt": {"token": token, "proof": proof}});
    let good = with(json!({"dpop": dpop, "method": "GET", "url": "https://a.example/x"}));
    assert_eq!(site.allowed(&json!({"jwt": {"token": token}})).await, "directly finance view");
    assert_eq!(site.allowed(&good).await, "bound directly finance view");
    let answer = site.check(&good, &[]).await;
    let record = site.record(&answer).await;
    assert_eq!(record["auxData"]["bound"], true, "the same request may ask again: {record}");
    assert!(!record.to_string().contains(&dpop), "the proof is not recorded");
    for (proof, words) in [
        (json!({"dpop": dpop, "method": "POST", "url": "https://a.example/x"}), "holder_binding_failed: "),
        (json!({"dpop": "a.b.c", "method": "GET", "url": "https://a.example/x"}), "holder_binding_failed: "),
        (json!({"dpop": dpop}), "must have `dpop`, `method` and `url`"),
        (json!({"certificate": "x", "dpop": dpop}), "must have `dpop`, `method` and `url`"),
        (json!({}), "must have `dpop`, `method` and `url`"),
        (json!({"nonce": dpop}), "expected `{"),
    ] {
        let said = site.refusal(&with(proof)).await;
        assert!(said.contains(words) && !said.contains(&dpop), "{said}");
    }
    let named = json!({"jwts": {"a": {"token": token, "proof": {"certificate": "x"}}}});
    assert!(site.refusal(&named).await.contains("expected `{"));
}

#[tokio::test(flavor = "multi_thread")]
async fn decision_at_issuance_and_decision_at_use_are_linked_by_their_transaction() {
    let mut site = Site::start().await;
    let issuance = json!({
        "subject": {"type": "user", "id": "ada"}, "action": {"name": "view"},
        "resource": {"type": "payment", "id": "1"}, "context": {"txn": "case-77"},
    });
    let issued = site.connection.post_json(EVALUATION, issuance.to_string().as_bytes()).await.unwrap();
    assert_eq!(issued.json().unwrap()["decision"], true);
    let record = site.record(&issued).await;
    assert_eq!((&record["call"]["txn"], &record["call"]["txnStated"]), (&json!("case-77"), &json!(true)));

    let token = site.transaction("case-77");
    let used = site.check(&json!(null), &[("txn-token", &token)]).await;
    assert_eq!(allowed(&used), "directly finance transact view");
    let record = site.record(&used).await;
    assert_eq!((&record["call"]["txn"], record["call"].get("txnStated")), (&json!("case-77"), None));
    assert_eq!(record["auxData"]["jwts"]["txn"]["keySet"], "transactions");
    assert!(!record.to_string().contains(&token) && !site.server.output().contains(&token));

    let named = site.check(&json!({"jwts": {"txn": {"token": token}}}), &[]).await;
    assert_eq!(allowed(&named), "directly finance transact view");
    assert_eq!(site.record(&named).await["call"]["txn"], "case-77");
    let (headers, body) = ([("txn-token", token.as_str())], issuance.to_string());
    let evaluated = site.connection.send("POST", EVALUATION, &headers, body.as_bytes());
    let evaluated = evaluated.await.unwrap();
    assert_eq!(site.record(&evaluated).await["call"].get("txnStated"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn transaction_token_is_no_access_token_and_nothing_else_is_a_transaction_token() {
    let mut site = Site::start().await;
    let (token, access) = (site.transaction("t"), site.token("plain", &json!({})));
    let stranger = SigningKey::generate("ES256", "t1");
    let claims = json!({"iat": now(), "aud": "example", "exp": now() + 60, "txn": "t", "sub": "", "scope": "", "req_wl": ""});
    let forged = stranger
        .sign(&json!({"alg": "ES256", "kid": "t1", "typ": "txntoken+jwt"}), claims.to_string().as_bytes());
    for (aux_data, header, words) in [
        (json!(null), access.as_str(), "no key with the name"),
        (json!(null), &forged, "signature"),
        (json!(null), "", "Txn-Token"),
        (json!({"jwts": {"txn": {"token": token}}}), &token, "this name is taken"),
        (json!({"jwts": {"a": {"token": site.transaction("other")}}}), &token, "different transactions"),
        (json!({"jwt": {"token": token, "keySetId": "plain"}}), &token, "no key with the name"),
    ] {
        let answer = site.check(&aux_data, &[("txn-token", header)]).await;
        let body = answer.json().unwrap();
        assert_eq!(answer.status, 400, "{body}");
        let said = body["message"].as_str().unwrap();
        assert!(said.contains(words) && !said.contains(&token), "{words}: {said}");
    }
    let twice = site.check(&json!(null), &[("txn-token", &token), ("txn-token", &token)]).await;
    assert_eq!(twice.status, 400);
}
