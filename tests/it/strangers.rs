//! Who is nobody gets nothing: every path, every way not to be somebody, and every role that is not the right one.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use procura::callers::{KeyEntry, NewKey, add, revoke};
use procura::http::paths;
use procura::pdp::Action;
use procura_core::model::Timestamp;
use procura_testkit::http::{Connection, Response};
use procura_testkit::issuer::{SigningKey, encode, hmac_token, jwks};
use procura_testkit::server::{Server, ServerSpec};
use procura_testkit::temp_dir::TempDir;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

const CHECK: &str = "/api/check/resources";
const METHODS: [&str; 6] = ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PURGE"];
const ISSUER: &str = "https://idp.test";

/// A server whose callers have keys and tokens.
struct House {
    server: Server,
    top: TempDir,
    /// Signs tokens that are good.
    key: SigningKey,
    /// Is in the same key set, with an algorithm that is not allowed.
    other_algorithm: SigningKey,
}

impl House {
    async fn open() -> Self {
        let top = TempDir::new("strangers");
        top.write("keys.yaml", "");
        let (key, other_algorithm) =
            (SigningKey::generate("ES256", "k1"), SigningKey::generate("RS256", "k2"));
        top.write("jwks.json", jwks(&[key.jwk(), other_algorithm.jwk()]));
        let tokens = json!([{
            "issuer": ISSUER, "audiences": ["procura"], "types": ["at+jwt"], "algorithms": ["ES256"],
            "local": {"file": top.path().join("jwks.json")}, "rolesClaim": "roles",
        }]);
        let policies = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("policies");
        let server = ServerSpec::new(env!("CARGO_BIN_EXE_procura"), policies, top.path().join("data"))
            .arg(format!("--set=callers.keys.file={}", top.path().join("keys.yaml").display()))
            .arg(format!("--set=callers.tokens={tokens}"))
            .start()
            .await
            .unwrap();
        Self { server, top, key, other_algorithm }
    }

    fn keys(&self) -> PathBuf {
        self.top.path().join("keys.yaml")
    }

    /// A new key in the file; the server may not know it yet.
    fn add_key(&self, roles: &[&str], change: impl FnOnce(&mut KeyEntry)) -> (String, String) {
        let NewKey { id, text, hash } = NewKey::generate().unwrap();
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let mut entry =
            KeyEntry { id: id.clone(), name: "shop".to_owned(), hash, roles, ..KeyEntry::default() };
        change(&mut entry);
        add(&self.keys(), &entry).unwrap();
        (id, text)
    }

    /// Waits until the server has read the file: it knows the key that was added last.
    async fn learns(&self) {
        let (_, newest) = self.add_key(&["decide"], |_| {});
        let mut connection = self.server.connect().await.unwrap();
        self.becomes(&mut connection, &newest, 200).await;
    }

    async fn becomes(&self, connection: &mut Connection, key: &str, status: u16) {
        let wait = async {
            while check(connection, &[("x-api-key", key)]).await.status != status {
                self.server.signal("HUP").await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), wait).await.expect("the server never notices");
    }

    fn token(&self, change: impl FnOnce(&mut Value, &mut Value)) -> String {
        let (header, claims) = token_parts(change);
        self.key.sign(&header, claims.to_string().as_bytes())
    }
}

fn token_parts(change: impl FnOnce(&mut Value, &mut Value)) -> (Value, Value) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut header = json!({"alg": "ES256", "kid": "k1", "typ": "at+jwt"});
    let mut claims =
        json!({"iss": ISSUER, "aud": "procura", "sub": "gateway", "exp": now + 600, "roles": ["decide"]});
    change(&mut header, &mut claims);
    (header, claims)
}

async fn check(connection: &mut Connection, headers: &[(&str, &str)]) -> Response {
    let body = json!({
        "principal": {"id": "ada", "roles": ["employee"]},
        "resources": [{"actions": ["view"], "resource": {"kind": "leave_request", "id": "LR-1", "attr": {"employee": "ada"}}}],
    });
    connection.send("POST", CHECK, headers, body.to_string().as_bytes()).await.unwrap()
}

/// A place where `path` leads.
fn target(path: &str) -> String {
    path.replace("{call}", "01a20123-ab0b-7f8d-a49e-eb04e5eb4399")
        .replace("{number}", "1")
        .replace("{kind}", "KIND_DECISION")
}

/// What `headers` get at every path with every method: nothing, the same whatever is there.
async fn gets_nothing(house: &House, name: &str, headers: &[(&str, &str)]) {
    let mut connection = house.server.connect().await.unwrap();
    let nowhere = connection.send("GET", "/nowhere", headers, b"").await.unwrap();
    assert_eq!(nowhere.status, 401, "{name}");
    assert!(nowhere.header("www-authenticate").unwrap().starts_with("Bearer realm=\"procura\""), "{name}");
    for (path, need) in paths(true) {
        for method in METHODS {
            let response = connection.send(method, &target(path), headers, b"").await.unwrap();
            let at = format!("{name}: {method} {path}");
            if need.is_none() {
                // A webhook shows who sends it in a way of its own.
                let answer = if path.contains("/webhooks/") { 401 } else { 200 };
                assert!([answer, 405].contains(&response.status), "{at}: {}", response.status);
                let text = String::from_utf8_lossy(&response.body);
                assert!(!text.contains("detail\":\"generation"), "{at}: {text}");
                continue;
            }
            if path == "/api/signals/streams/{stream}" {
                // Transmitters are told in the words of RFC 8935, the same wherever there is no stream.
                assert_eq!(response.status, 400, "{at}");
                assert_eq!(response.json().unwrap()["err"], "authentication_failed", "{at}");
                continue;
            }
            assert_eq!(response.status, 401, "{at}");
            assert_eq!(response.header("allow"), None, "{at}");
            let text = String::from_utf8_lossy(&response.body).into_owned();
            match response.header("content-type").unwrap() {
                "application/problem+json" => assert_eq!(response.body, nowhere.body, "{at}"),
                "application/json" => assert_eq!(response.json().unwrap()["code"], 16, "{at}"),
                _ => assert!(text.starts_with("unauthenticated: "), "{at}: {text}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_nothing_at_any_path_by_any_method() {
    let house = House::open().await;
    gets_nothing(&house, "no credential", &[]).await;
    gets_nothing(&house, "unknown key", &[("x-api-key", &NewKey::generate().unwrap().text)]).await;
    gets_nothing(&house, "bad token", &[("authorization", "Bearer a.b.c")]).await;
    let health = house.server.connect().await.unwrap().get("/readyz").await.unwrap();
    assert_eq!(health.json().unwrap(), json!({"status": "ready"}), "strangers see the status only");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_wrong_revoked_or_expired_get_nothing() {
    let house = House::open().await;
    let (_, good) = house.add_key(&["decide"], |_| {});
    let (id, revoked) = house.add_key(&["decide"], |_| {});
    revoke(&house.keys(), &id, Timestamp::now()).unwrap();
    let (_, expired) =
        house.add_key(&["decide"], |key| key.expires = Some("2020-01-01T00:00:00Z".parse().unwrap()));
    house.learns().await;
    let mut connection = house.server.connect().await.unwrap();
    let bearer = format!("Bearer {good}");
    for (name, headers, status) in [
        ("good", vec![("x-api-key", &*good)], 200),
        ("good as bearer", vec![("authorization", &*bearer)], 200),
        ("none", vec![], 401),
        ("revoked", vec![("x-api-key", &*revoked)], 401),
        ("expired", vec![("x-api-key", &*expired)], 401),
        ("another secret", vec![("x-api-key", &*format!("procura_{id}_{}", "0".repeat(64)))], 401),
        ("cut", vec![("x-api-key", good.get(..good.len() - 1).unwrap())], 401),
        ("empty", vec![("x-api-key", "")], 401),
        ("no scheme", vec![("authorization", &*good)], 401),
        ("another scheme", vec![("authorization", "Basic Y2VyYm9zOmNlcmJvc0FkbWlu")], 401),
        ("good and bad", vec![("x-api-key", &*good), ("authorization", "Bearer a.b.c")], 401),
        ("good and revoked", vec![("x-api-key", &*good), ("x-api-key", &*revoked)], 401),
        ("good twice", vec![("authorization", &*bearer), ("x-api-key", &*good)], 401),
        ("good again", vec![("x-api-key", &*good)], 200),
    ] {
        assert_eq!(check(&mut connection, &headers).await.status, status, "{name}");
    }
    gets_nothing(&house, "revoked key", &[("x-api-key", &revoked)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_wrong_in_any_way_get_nothing() {
    let house = House::open().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let stranger = SigningKey::generate("ES256", "k1");
    let (header, claims) = token_parts(|_, _| {});
    let payload = claims.to_string();
    let unsigned = |alg: &str| {
        let header = json!({"alg": alg, "kid": "k1", "typ": "at+jwt"}).to_string();
        format!("{}.{}.", encode(header.as_bytes()), encode(payload.as_bytes()))
    };
    let confused = json!({"alg": "HS256", "kid": "k1", "typ": "at+jwt"});
    let set = |name: &'static str, value: Value| house.token(move |_, claims| claims[name] = value);
    let without = |name: &'static str| {
        house.token(move |_, claims| {
            claims.as_object_mut().unwrap().remove(name);
        })
    };
    let good = house.token(|_, _| {});
    let cut = good.get(..good.len() - 4).unwrap().to_owned();
    let mut connection = house.server.connect().await.unwrap();
    for (name, token, status) in [
        ("good", good.clone(), 200),
        ("wrong key", stranger.sign(&header, payload.as_bytes()), 401),
        (
            "key of its own",
            stranger
                .sign(&json!({"alg": "ES256", "typ": "at+jwt", "jwk": stranger.jwk()}), payload.as_bytes()),
            401,
        ),
        (
            "unknown key",
            house.key.sign(&json!({"alg": "ES256", "kid": "k9", "typ": "at+jwt"}), payload.as_bytes()),
            401,
        ),
        (
            "algorithm that is not allowed",
            house
                .other_algorithm
                .sign(&json!({"alg": "RS256", "kid": "k2", "typ": "at+jwt"}), payload.as_bytes()),
            401,
        ),
        ("alg none", unsigned("none"), 401),
        ("alg None", unsigned("None"), 401),
        ("no signature", unsigned("ES256"), 401),
        ("key confusion, PEM", hmac_token(house.key.pem().as_bytes(), &confused, &claims), 401),
        ("key confusion, JWK", hmac_token(house.key.jwk().to_string().as_bytes(), &confused, &claims), 401),
        ("cut signature", cut, 401),
        (
            "other claims",
            {
                let parts: Vec<&str> = good.split('.').collect();
                format!(
                    "{}.{}.{}",
                    parts[0],
                    encode(payload.replace("gateway", "admin").as_bytes()),
                    parts[2]
                )
            },
            401,
        ),
        ("wrong audience", set("aud", json!("someone-else")), 401),
        ("no audience", without("aud"), 401),
        ("wrong issuer", set("iss", json!("https://evil.test")), 401),
        ("no issuer", without("iss"), 401),
        ("expired", set("exp", json!(now - 1)), 401),
        ("without an end", without("exp"), 401),
        ("not yet valid", set("nbf", json!(now + 600)), 401),
        ("issued in the future", set("iat", json!(now + 600)), 401),
        ("nobody", without("sub"), 401),
        ("wrong typ", house.token(|header, _| header["typ"] = json!("JWT")), 401),
        (
            "no typ",
            house.token(|header, _| {
                header.as_object_mut().unwrap().remove("typ");
            }),
            401,
        ),
        ("crit", house.token(|header, _| header["crit"] = json!(["exp"])), 401),
        ("no role", set("roles", json!([])), 403),
        ("a role that is for nobody with a token", set("roles", json!(["local"])), 403),
        ("good again", good.clone(), 200),
    ] {
        let bearer = format!("Bearer {token}");
        let response = check(&mut connection, &[("authorization", &*bearer)]).await;
        assert_eq!(response.status, status, "{name}");
        if status == 401 {
            let challenge = response.header("www-authenticate").unwrap();
            assert_eq!(challenge, "Bearer realm=\"procura\", error=\"invalid_token\"", "{name}");
            let text = String::from_utf8_lossy(&response.body).into_owned();
            assert!(text.contains("show a good credential"), "{name}: {text}");
        }
    }
    let output = house.server.output();
    assert!(output.contains("caller_refused"), "{output}");
    assert!(
        output.contains("has no key with the name in the header"),
        "whoever runs the server is told why: {output}"
    );
    assert!(!output.contains(good.rsplit_once('.').unwrap().1), "no token is logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_opens_its_paths_and_no_others_tell_that_they_are_there() {
    let house = House::open().await;
    let roles: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).chain(["owner"]).collect();
    let keys: Vec<(String, String)> = roles.iter().map(|role| house.add_key(&[role], |_| {})).collect();
    house.learns().await;
    let mut connection = house.server.connect().await.unwrap();
    for (role, (_, key)) in roles.iter().zip(&keys) {
        let headers = [("x-api-key", key.as_str())];
        let nowhere = connection.send("PURGE", "/nowhere", &headers, b"").await.unwrap();
        assert_eq!(nowhere.status, 404);
        for (path, need) in paths(true) {
            // A method that no path has tells whether one comes as far as its handlers.
            let response = connection.send("PURGE", &target(path), &headers, b"").await.unwrap();
            let is_open = match need {
                None => true,
                Some(Action::Decide) => ["decide", "batch"].contains(role),
                Some(Action::Metrics) => ["metrics", "admin"].contains(role),
                Some(action) => action.as_str() == *role,
            };
            let at = format!("{role}: {path}");
            match (is_open, need) {
                (true, _) => assert_eq!(response.status, 405, "{at}"),
                (false, Some(Action::Decide)) => assert_eq!(response.status, 403, "{at}"),
                (false, _) => {
                    assert_eq!(response.status, 404, "{at}");
                    assert_eq!(response.header("allow"), None, "{at}");
                    if path.starts_with("/admin/auditlog") {
                        assert_eq!(response.json().unwrap()["code"], 5, "{at}");
                    } else {
                        assert_eq!(response.body, nowhere.body, "{at}");
                    }
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn administrator_without_the_right_to_the_log_is_not_told_what_relied_on_a_quarantine() {
    let house = House::open().await;
    let (_, admin) = house.add_key(&["admin"], |_| {});
    let (_, both) = house.add_key(&["admin", "audit"], |_| {});
    house.learns().await;
    let mut connection = house.server.connect().await.unwrap();
    let body = json!({"issuer": ISSUER, "reason": "r", "since": "2020-01-01T00:00:00Z"}).to_string();
    let headers = [("x-api-key", admin.as_str())];
    let begun = connection.send("PUT", "/admin/quarantine/one", &headers, body.as_bytes()).await.unwrap();
    assert_eq!(begun.status, 200);
    for (key, status) in [(&admin, 404), (&both, 200)] {
        let headers = [("x-api-key", key.as_str())];
        let answer = connection.send("GET", "/admin/quarantine/one/affected", &headers, b"").await.unwrap();
        assert_eq!(answer.status, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn flood_of_bad_credentials_is_not_judged_any_more_and_known_callers_do_not_notice() {
    let house = House::open().await;
    let (_, good) = house.add_key(&["decide"], |_| {});
    house.learns().await;
    let mut known = house.server.connect().await.unwrap();
    let good = [("x-api-key", good.as_str())];
    assert_eq!(check(&mut known, &good).await.status, 200);
    let mut stranger = house.server.connect().await.unwrap();
    let bad = [("x-api-key", "procura_a_b")];
    let mut statuses = Vec::new();
    let unheard = loop {
        let answer = stranger.send("GET", "/api/server_info", &bad, b"").await.unwrap();
        statuses.push(answer.status);
        if answer.status != 401 {
            break answer;
        }
        assert!(statuses.len() < 50_000, "everything is judged");
    };
    assert_eq!((unheard.status, unheard.header("retry-after")), (429, Some("1")));
    assert!(statuses.len() >= 1000, "{}", statuses.len());
    assert_eq!(check(&mut known, &good).await.status, 200);
    assert_eq!(stranger.send("GET", "/healthz", &bad, b"").await.unwrap().status, 200);
    assert_eq!(stranger.get("/api/server_info").await.unwrap().status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_about_several_resources_need_the_right_to_and_refusals_have_the_shape_of_the_peer() {
    let house = House::open().await;
    let (_, one) = house.add_key(&["decide"], |_| {});
    let (_, many) = house.add_key(&["batch"], |_| {});
    let (_, none) = house.add_key(&["audit"], |_| {});
    house.learns().await;
    let mut connection = house.server.connect().await.unwrap();
    let entry = |id: &str| json!({"actions": ["view"], "resource": {"kind": "leave_request", "id": id}});
    let body = |entries: &[Value]| {
        json!({"principal": {"id": "ada", "roles": ["employee"]}, "resources": entries}).to_string()
    };
    for (key, entries, status) in [
        (&one, vec![entry("a")], 200),
        (&one, vec![entry("a"), entry("b")], 403),
        (&many, vec![entry("a")], 200),
        (&many, vec![entry("a"), entry("b")], 200),
        (&none, vec![entry("a")], 403),
    ] {
        let headers = [("x-api-key", key.as_str())];
        let answer = connection.send("POST", CHECK, &headers, body(&entries).as_bytes()).await.unwrap();
        assert_eq!(answer.status, status);
        if status == 403 {
            let message = "permission_denied: the caller has no right to ask this";
            assert_eq!(answer.json().unwrap(), json!({"code": 7, "message": message, "details": []}));
        }
    }
    let evaluation =
        connection.send("POST", "/access/v1/evaluation", &[("x-api-key", &none)], b"{}").await.unwrap();
    assert_eq!(
        (evaluation.status, evaluation.header("content-type")),
        (403, Some("text/plain; charset=utf-8"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_under_quarantine_are_refused_at_the_next_request_of_an_open_connection() {
    let house = House::open().await;
    let (_, admin) = house.add_key(&["admin"], |_| {});
    let (id, key) = house.add_key(&["decide"], |_| {});
    house.learns().await;
    let bearer = format!("Bearer {}", house.token(|_, _| {}));
    let shown = [("authorization", bearer.as_str()), ("x-api-key", key.as_str())];
    let mut office = house.server.connect().await.unwrap();
    let mut connection = house.server.connect().await.unwrap();
    for (suspect, expected) in [
        (json!({"issuer": ISSUER}), [401, 200]),
        (json!({"keySet": ISSUER}), [401, 200]),
        (json!({"key": "k1"}), [401, 200]),
        (json!({"issuer": ISSUER, "key": "k1"}), [401, 200]),
        (json!({"issuer": ISSUER, "key": "k2"}), [200, 200]),
        (json!({"key": id}), [200, 401]),
        (json!({"issuer": "https://other.test"}), [200, 200]),
    ] {
        let mut body = suspect.clone();
        body["reason"] = json!("stolen");
        for (method, statuses) in [("GET", [200; 2]), ("PUT", expected), ("DELETE", [200; 2])] {
            if method != "GET" {
                let headers = [("x-api-key", admin.as_str()), ("content-type", "application/json")];
                let body = if method == "PUT" { body.to_string() } else { String::new() };
                let done =
                    office.send(method, "/admin/quarantine/one", &headers, body.as_bytes()).await.unwrap();
                assert_eq!(done.status, 200, "{method} {suspect}");
            }
            for (header, status) in shown.iter().zip(statuses) {
                let answer = check(&mut connection, &[*header]).await;
                assert_eq!(answer.status, status, "{method} {suspect}: {}", header.0);
            }
        }
    }
}

/// A listener of the log who shows `key`, once its first answer is there.
async fn listen(house: &House, key: &str) -> TcpStream {
    let mut stream = TcpStream::connect(house.server.address()).await.unwrap();
    let head = format!("GET /api/decisions/tail HTTP/1.1\r\nhost: localhost\r\nx-api-key: {key}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 15];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn listener_whose_credential_is_not_good_any_more_hears_no_more() {
    let house = House::open().await;
    let (_, admin) = house.add_key(&["admin"], |_| {});
    let (revoked, first) = house.add_key(&["audit"], |_| {});
    let (quarantined, second) = house.add_key(&["audit"], |_| {});
    let (_, good) = house.add_key(&["audit"], |_| {});
    house.learns().await;
    let mut listeners = Vec::new();
    for key in [&first, &second, &good] {
        listeners.push(listen(&house, key).await);
    }
    revoke(&house.keys(), &revoked, Timestamp::now()).unwrap();
    let headers = [("x-api-key", admin.as_str()), ("content-type", "application/json")];
    let body = json!({"key": quarantined, "reason": "in a log"}).to_string();
    let mut office = house.server.connect().await.unwrap();
    let begun = office.send("PUT", "/admin/quarantine/one", &headers, body.as_bytes()).await.unwrap();
    assert_eq!(begun.status, 200);
    for mut listener in listeners.drain(..2) {
        let mut heard = String::new();
        let ends = async {
            let mut bytes = [0; 1024];
            while !heard.ends_with("\r\n0\r\n\r\n") {
                let read = listener.read(&mut bytes).await.unwrap();
                assert!(read > 0, "{heard}");
                heard.push_str(&String::from_utf8_lossy(&bytes[..read]));
            }
        };
        tokio::time::timeout(Duration::from_secs(30), ends).await.expect("the listener goes on to listen");
        assert!(heard.contains("event: error\ndata: the credential is not good any more\n\n"), "{heard}");
    }
    let (_, asker) = house.add_key(&["decide"], |_| {});
    house.becomes(&mut office, &asker, 200).await;
    let mut heard = String::new();
    let hears = async {
        let mut bytes = [0; 1024];
        while !heard.contains("leave_request") {
            let read = listeners[0].read(&mut bytes).await.unwrap();
            heard.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
    };
    tokio::time::timeout(Duration::from_secs(30), hears)
        .await
        .expect("the one whose key is good hears nothing");
    assert!(!heard.contains("event: error"), "{heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_rotate_under_load_and_no_valid_caller_is_refused() {
    let house = Arc::new(House::open().await);
    let (_, first) = house.add_key(&["decide"], |_| {});
    house.becomes(&mut house.server.connect().await.unwrap(), &first, 200).await;
    let (newest, current) = watch::channel(first);
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let load: Vec<_> = (0..4)
        .map(|_| {
            let (house, current, stop, asked) =
                (Arc::clone(&house), current.clone(), Arc::clone(&stop), Arc::clone(&asked));
            tokio::spawn(async move {
                let mut connection = house.server.connect().await.unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let key = current.borrow().clone();
                    let answer = check(&mut connection, &[("x-api-key", &key)]).await;
                    // A key that was replaced while it was on its way may be refused already.
                    assert!(answer.status == 200 || *current.borrow() != key, "{}", answer.status);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut connection = house.server.connect().await.unwrap();
    let mut old: Option<(String, String)> = None;
    for round in 0..5 {
        let key = house.add_key(&["decide"], |_| {});
        house.becomes(&mut connection, &key.1, 200).await;
        newest.send_replace(key.1.clone());
        if let Some((id, text)) = old.replace(key) {
            revoke(&house.keys(), &id, Timestamp::now()).unwrap();
            house.becomes(&mut connection, &text, 401).await;
        }
        if round == 2 {
            let good = std::fs::read(house.keys()).unwrap();
            house.top.write("keys.yaml", "- half an ent");
            let wait = async {
                while !house.server.output().contains("api_keys_refused") {
                    house.server.signal("HUP").await.unwrap();
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(30), wait)
                .await
                .expect("nobody says that the file is bad");
            std::fs::write(house.keys(), good).unwrap();
        }
    }
    stop.store(true, Ordering::Relaxed);
    for caller in load {
        caller.await.unwrap();
    }
    assert!(asked.load(Ordering::Relaxed) > 20, "{asked:?}");
}
