//! Who holds the key that a token is bound to.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::*;
use crate::ports::Proof;

const METHOD: &str = "POST";
const URL: &str = "https://api.example/pay";

/// An issuer, and somebody whose tokens are bound to a key of its own.
struct Scene {
    issuer: SigningKey,
    holder: SigningKey,
    verifier: Verifier,
}

impl Scene {
    fn new() -> Self {
        let (issuer, holder) = (SigningKey::generate("ES256", "k1"), SigningKey::generate("ES256", "h"));
        let settings = TokenSettings {
            skew: Duration::from_secs(2),
            key_sets: vec![set("a", data(&jwks(&[issuer.jwk()])), KeyRules::default())],
            ..TokenSettings::default()
        };
        Self { issuer, holder, verifier: start(&settings).unwrap().0 }
    }

    fn token(&self, cnf: &Value) -> String {
        self.issuer.token(&json!({"sub": "ada", "cnf": cnf}))
    }

    fn bound_token(&self) -> String {
        self.token(&json!({"jkt": thumbprint(&self.holder.jwk())}))
    }

    async fn judge(&self, token: &str, proof: &Proof<'_>, request: &str, now: i64) -> Result<bool, String> {
        let told = ask(&self.verifier, token, "").await.unwrap();
        let token = Token { text: token.into(), key_set: "".into() };
        let now = Timestamp::from_second(now).unwrap();
        self.verifier.proves(proof, &token, &told, request, now).map_err(std::borrow::Cow::into_owned)
    }
}

/// The thumbprint of a key (RFC 7638): what identifies it, in the order of the names.
fn thumbprint(jwk: &Value) -> String {
    let text = |name: &str| jwk[name].as_str().unwrap().to_owned();
    let members = match text("kty").as_str() {
        "EC" => format!(r#"{{"crv":"{}","kty":"EC","x":"{}","y":"{}"}}"#, text("crv"), text("x"), text("y")),
        "OKP" => format!(r#"{{"crv":"{}","kty":"OKP","x":"{}"}}"#, text("crv"), text("x")),
        _ => format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text("e"), text("n")),
    };
    encode(&Sha256::digest(members))
}

/// Nobody looks into a certificate: it is known by all of its bytes.
fn certificate(der: &[u8]) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
}

/// The public members of a key.
fn public(key: &SigningKey) -> Value {
    let mut jwk = key.jwk();
    for member in ["kid", "alg"] {
        jwk.as_object_mut().unwrap().remove(member);
    }
    jwk
}

fn header(key: &SigningKey) -> Value {
    json!({"alg": key.alg, "typ": "dpop+jwt", "jwk": public(key)})
}

fn payload(token: &str, jti: &str) -> Value {
    let ath = encode(&Sha256::digest(token));
    json!({"jti": jti, "htm": METHOD, "htu": URL, "iat": NOW, "ath": ath})
}

fn dpop(text: &str) -> Proof<'_> {
    Proof::Dpop { text: text.into(), method: METHOD.into(), url: URL.into() }
}

#[tokio::test]
async fn dpop_proof_of_the_right_key_for_the_right_use_shows_that_the_holder_is_there() {
    for alg in ["ES256", "ES384", "RS256", "PS256", "EdDSA"] {
        let scene = Scene { holder: SigningKey::generate(alg, "h"), ..Scene::new() };
        let cnfs = [json!({"jkt": thumbprint(&scene.holder.jwk())}), json!({"jwk": public(&scene.holder)})];
        for (i, cnf) in cnfs.iter().enumerate() {
            let token = scene.token(cnf);
            let text = scene
                .holder
                .sign(&header(&scene.holder), payload(&token, &format!("{alg}{i}")).to_string().as_bytes());
            for (method, url, want) in [
                (METHOD, "https://api.example/pay?x=1#y", Ok(true)),
                (METHOD, "HTTPS://API.example:443/pay", Ok(true)),
                (METHOD, "https://api.example/Pay", Err("another URL")),
                (METHOD, "https://api.example:8443/pay", Err("another URL")),
                (METHOD, "http://api.example/pay", Err("another URL")),
                (METHOD, "https://x@api.example/pay", Err("another URL")),
                (METHOD, "/pay", Err("another URL")),
                ("post", URL, Err("another method")),
                ("GET", URL, Err("another method")),
            ] {
                let proof =
                    Proof::Dpop { text: text.as_str().into(), method: method.into(), url: url.into() };
                let found = scene.judge(&token, &proof, "r1", NOW).await;
                match want {
                    Ok(want) => assert_eq!(found, Ok(want), "{alg} {url}"),
                    Err(words) => assert!(found.unwrap_err().contains(words), "{alg} {url}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn wrong_proof_is_refused_with_a_reason() {
    let scene = Scene::new();
    let token = scene.bound_token();
    let holder = &scene.holder;
    let stranger = SigningKey::generate("ES256", "s");
    let signed =
        |key: &SigningKey, header: &Value, payload: &Value| key.sign(header, payload.to_string().as_bytes());
    let with = |member: &str, value: Value| {
        let mut payload = payload(&token, "j");
        payload[member] = value;
        signed(holder, &header(holder), &payload)
    };
    let headed = |member: &str, value: Value| {
        let mut header = header(holder);
        header[member] = value;
        signed(holder, &header, &payload(&token, "j"))
    };
    let mut private = public(holder);
    private["d"] = json!("AAAA");
    let secret = json!({"alg": "HS256", "typ": "dpop+jwt", "jwk": {"kty": "oct", "k": encode(&[7; 32])}});
    for (text, words) in [
        ("abc".to_owned(), "header, payload and signature"),
        (signed(&stranger, &header(&stranger), &payload(&token, "j")), "another key than the token"),
        (signed(&stranger, &header(holder), &payload(&token, "j")), "signature of the DPoP proof is wrong"),
        (headed("typ", json!("JWT")), "another `typ`"),
        (headed("alg", json!("none")), "no supported algorithm"),
        (headed("alg", json!("ES384")), "no public key"),
        (headed("crit", json!(["x"])), "`crit`"),
        (headed("jwk", Value::Null), "no public key"),
        (headed("jwk", private), "no public key"),
        (headed("jwk", json!({"keys": [public(holder)]})), "no public key"),
        (hmac_token(&[7; 32], &secret, &payload(&token, "j")), "an algorithm for secrets"),
        (with("htm", json!(1)), "lacks the text `htm`"),
        (with("htu", Value::Null), "lacks the text `htu`"),
        (with("jti", json!("")), "lacks the text `jti`"),
        (with("ath", json!(encode(&[0; 32]))), "another token"),
        (with("ath", Value::Null), "lacks the text `ath`"),
        (with("iat", json!(NOW - 63)), "too old"),
        (with("iat", json!(NOW + 3)), "issued in the future"),
        (with("iat", json!("soon")), "not an instant"),
        (with("exp", json!(NOW - 3)), "expired"),
    ] {
        let said = scene.judge(&token, &dpop(&text), "", NOW).await.unwrap_err();
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[tokio::test]
async fn proof_serves_one_request_however_often_that_is_asked_about() {
    let scene = Scene::new();
    let token = scene.bound_token();
    let proof =
        |jti: &str| scene.holder.sign(&header(&scene.holder), payload(&token, jti).to_string().as_bytes());
    let (first, second) = (proof("1"), proof("2"));
    for (text, request, now, want) in [
        (&first, "r1", NOW, true),
        (&first, "r1", NOW + 1, true),
        (&first, "r2", NOW, false),
        (&first, "", NOW, false),
        (&first, "r2", NOW + 61, false),
        (&second, "", NOW, true),
        (&second, "", NOW, false),
        (&second, "r3", NOW + 30, false),
    ] {
        let found = scene.judge(&token, &dpop(text), request, now).await;
        assert_eq!(found.is_ok(), want, "{request} {now}: {found:?}");
    }
}

#[tokio::test]
async fn certificate_is_the_one_that_the_token_is_bound_to_or_the_call_is_refused() {
    let scene = Scene::new();
    let (pem, other) = (certificate(b"one"), certificate(b"other"));
    let token = scene.token(&json!({"x5t#S256": encode(&Sha256::digest(b"one"))}));
    let both = format!("{pem}{other}");
    for (text, want) in [
        (pem.as_str(), Ok(true)),
        (other.as_str(), Err("another certificate")),
        (both.as_str(), Err("not one certificate")),
        ("", Err("not one certificate")),
        ("-----BEGIN CERTIFICATE-----", Err("not one certificate")),
    ] {
        let found = scene.judge(&token, &Proof::Certificate(text.into()), "", NOW).await;
        match want {
            Ok(want) => assert_eq!(found, Ok(want)),
            Err(words) => assert!(found.unwrap_err().contains(words), "{text}"),
        }
    }
}

#[tokio::test]
async fn token_that_is_bound_to_nothing_that_a_proof_is_about_is_not_bound() {
    let scene = Scene::new();
    let unbound = scene.issuer.token(&json!({"sub": "ada"}));
    let by_certificate = scene.token(&json!({"x5t#S256": "x"}));
    let by_key = scene.bound_token();
    let odd = scene.token(&json!("jkt"));
    let certificate = Proof::Certificate(certificate(b"one").into());
    for (token, proof) in [
        (&unbound, &dpop("junk")),
        (&unbound, &certificate),
        (&by_certificate, &dpop("junk")),
        (&by_key, &certificate),
        (&odd, &dpop("junk")),
    ] {
        assert_eq!(scene.judge(token, proof, "", NOW).await, Ok(false));
    }
}
