//! What a key set demands of tokens beyond a signature.

use super::*;

const ISSUER: &str = "https://issuer.example";

fn with_rules(key: &SigningKey, tokens: TokenRules) -> Verifier {
    let set = KeySetSettings { tokens, ..set("a", data(&jwks(&[key.jwk()])), KeyRules::default()) };
    start(&TokenSettings { key_sets: vec![set], ..TokenSettings::default() }).unwrap().0
}

/// `claims` with some members replaced, or removed by `null`.
fn changed(claims: &Value, changes: &Value) -> Value {
    let mut claims = claims.clone();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        }
    }
    claims
}

/// Each case: changes to the header, changes to the claims, and words of the refusal or nothing.
async fn hold(rules: TokenRules, kind: &str, claims: &Value, cases: &[(Value, Value, &str)]) {
    let key = SigningKey::generate("ES256", "k1");
    let verifier = with_rules(&key, rules);
    let header = json!({"alg": "ES256", "kid": "k1", "typ": kind});
    for (in_header, in_claims, want) in cases {
        let payload = changed(claims, in_claims).to_string();
        let token = key.sign(&changed(&header, in_header), payload.as_bytes());
        let said = ask(&verifier, &token, "").await.map_or_else(|error| error.to_string(), |_| String::new());
        assert!(said.contains(want) && said.is_empty() == want.is_empty(), "{in_header} {in_claims}: {said}");
        assert!(!said.contains("evil"), "{said}");
    }
}

#[tokio::test]
async fn tokens_are_of_the_issuer_for_the_audience_and_of_the_type_that_their_key_set_is_for() {
    let rules = TokenRules {
        issuer: Some(ISSUER.into()),
        audiences: vec!["pdp".into(), "pdp-2".into()],
        types: vec!["application/at+jwt".into(), "jwt".into()],
        must_expire: true,
        ..TokenRules::default()
    };
    let claims = json!({"iss": ISSUER, "aud": ["x", "pdp-2"], "exp": NOW + 60});
    let same = json!({});
    hold(
        rules,
        "at+jwt",
        &claims,
        &[
            (same.clone(), same.clone(), ""),
            (json!({"typ": "APPLICATION/AT+JWT"}), same.clone(), ""),
            (json!({"typ": "JWT"}), json!({"aud": "pdp"}), ""),
            (json!({"typ": null}), same.clone(), "another type"),
            (json!({"typ": "evil+jwt"}), same.clone(), "another type"),
            (json!({"typ": "application/x/at+jwt"}), same.clone(), "another type"),
            (json!({"typ": 1}), same.clone(), "`typ` that is not a text"),
            (same.clone(), json!({"iss": "https://issuer.example/"}), "somebody else (`iss`)"),
            (same.clone(), json!({"iss": "evil"}), "somebody else (`iss`)"),
            (same.clone(), json!({"iss": null}), "somebody else (`iss`)"),
            (same.clone(), json!({"aud": "evil"}), "somebody else (`aud`)"),
            (same.clone(), json!({"aud": []}), "somebody else (`aud`)"),
            (same.clone(), json!({"aud": null}), "somebody else (`aud`)"),
            (same.clone(), json!({"exp": null}), "lacks the claim `exp`"),
            (same, json!({"exp": NOW}), "expired"),
        ],
    )
    .await;
}

#[tokio::test]
async fn access_tokens_are_never_taken_for_something_else_nor_something_else_for_them() {
    let rules = TokenRules {
        profile: Profile::AccessToken,
        issuer: Some(ISSUER.into()),
        audiences: vec!["pdp".into()],
        ..TokenRules::default()
    };
    let claims = json!({"iss": ISSUER, "aud": "pdp", "exp": NOW + 60, "sub": "ada", "client_id": "bot"});
    let same = json!({});
    hold(
        rules,
        "at+jwt",
        &claims,
        &[
            (same.clone(), same.clone(), ""),
            (json!({"typ": "JWT"}), same.clone(), "another type"),
            (json!({"typ": "txntoken+jwt"}), same.clone(), "another type"),
            (json!({"typ": "dpop+jwt"}), same.clone(), "another type"),
            (same.clone(), json!({"exp": null}), "lacks the claim `exp`"),
            (same.clone(), json!({"sub": null}), "lacks the claim `sub`"),
            (same.clone(), json!({"client_id": null}), "lacks the claim `client_id`"),
            (same.clone(), json!({"client_id": 1}), "`client_id` is not a text"),
            (same.clone(), json!({"iss": null}), "lacks the claim `iss`"),
            (same, json!({"aud": null}), "lacks the claim `aud`"),
        ],
    )
    .await;
}

#[tokio::test]
async fn svids_name_a_workload_of_the_trust_domain() {
    let rules = || TokenRules {
        profile: Profile::JwtSvid,
        audiences: vec!["pdp".into()],
        trust_domain: Some("prod.example".into()),
        ..TokenRules::default()
    };
    let claims = json!({"aud": "pdp", "exp": NOW + 60, "sub": "spiffe://prod.example/bot/1"});
    let same = json!({});
    let mut cases = vec![
        (same.clone(), same.clone(), ""),
        (json!({"typ": null}), json!({"sub": "spiffe://prod.example/b"}), ""),
        (json!({"typ": "JOSE"}), same.clone(), ""),
        (json!({"typ": "at+jwt"}), same.clone(), "another type"),
        (same.clone(), json!({"aud": null}), "lacks the claim `aud`"),
        (same.clone(), json!({"exp": null}), "lacks the claim `exp`"),
        (same.clone(), json!({"sub": null}), "lacks the claim `sub`"),
    ];
    let long = format!("spiffe://prod.example/{}", "a".repeat(2048));
    for id in [
        "spiffe://evil.example/bot",
        "spiffe://prod.example.evil/bot",
        "spiffe://prod.example@evil/bot",
        "https://prod.example/bot",
        "spiffe://prod.example",
        "spiffe://prod.example/",
        "spiffe://prod.example/bot/",
        "spiffe://prod.example//bot",
        "spiffe://prod.example/../bot",
        "spiffe://prod.example/b%6ft",
        "spiffe://prod.example/bot?evil",
        "SPIFFE://prod.example/bot",
        long.as_str(),
    ] {
        cases.push((same.clone(), json!({"sub": id}), "no SPIFFE ID of the trust domain"));
    }
    hold(rules(), "JWT", &claims, &cases).await;

    // The keys of a bundle name what they are for, and no algorithm.
    let key = SigningKey::generate("ES256", "k1");
    let token = key.token(&claims);
    for (purpose, profile, want) in [
        (json!("jwt-svid"), Profile::JwtSvid, true),
        (json!("sig"), Profile::JwtSvid, true),
        (json!("x509-svid"), Profile::JwtSvid, false),
        (json!("jwt-svid"), Profile::Jwt, false),
    ] {
        let mut jwk = key.jwk();
        jwk["use"] = purpose.clone();
        jwk.as_object_mut().unwrap().remove("alg");
        let rules = KeyRules { optional_alg: profile == Profile::Jwt, ..KeyRules::default() };
        let tokens = TokenRules { profile, ..with_audience() };
        let set = KeySetSettings { tokens, ..set("a", data(&jwks(&[jwk])), rules) };
        match start(&TokenSettings { key_sets: vec![set], ..TokenSettings::default() }) {
            Ok((verifier, _)) => assert!(want && ask(&verifier, &token, "").await.is_ok(), "{purpose}"),
            Err(_) => assert!(!want, "{purpose}"),
        }
    }
}

fn with_audience() -> TokenRules {
    TokenRules { audiences: vec!["pdp".into()], ..TokenRules::default() }
}

#[tokio::test]
async fn transaction_tokens_say_which_transaction_they_belong_to() {
    let rules = TokenRules { profile: Profile::TxnToken, ..with_audience() };
    let claims = json!({
        "iat": NOW, "aud": "pdp", "exp": NOW + 60, "txn": "t-1", "sub": "ada", "scope": "pay", "req_wl": "web",
    });
    let same = json!({});
    let mut cases = vec![
        (same.clone(), same.clone(), ""),
        (json!({"typ": "JWT"}), same.clone(), "another type"),
        (json!({"typ": null}), same.clone(), "another type"),
        (json!({"typ": "at+jwt"}), same.clone(), "another type"),
        (same.clone(), json!({"txn": 1}), "`txn` is not a text"),
    ];
    let names = ["iat", "aud", "exp", "txn", "sub", "scope", "req_wl"];
    cases.extend(names.map(|name| (same.clone(), json!({name: null}), "lacks the claim")));
    hold(rules, "txntoken+jwt", &claims, &cases).await;
}

#[tokio::test]
async fn only_the_algorithms_that_are_allowed_are_used_and_keys_need_not_name_theirs_then() {
    let key = SigningKey::generate("RS256", "k1");
    let mut jwk = key.jwk();
    jwk.as_object_mut().unwrap().remove("alg");
    let tokens = TokenRules { algorithms: vec![Algorithm::Ps256], ..TokenRules::default() };
    let set = |jwk: &Value| KeySetSettings {
        tokens: tokens.clone(),
        ..set("a", data(&jwks(std::slice::from_ref(jwk))), KeyRules::default())
    };
    let settings = |jwk: &Value| TokenSettings { key_sets: vec![set(jwk)], ..TokenSettings::default() };
    let verifier = start(&settings(&jwk)).unwrap().0;
    let signed = |alg: &str| key.sign_as(alg, &json!({"alg": alg, "kid": "k1"}), b"{}");
    assert_eq!(claims(&verifier, &signed("PS256")).await, json!({}));
    assert!(refusal(&verifier, &signed("RS256")).await.contains("an algorithm that its key is not for"));
    assert!(start(&settings(&key.jwk())).is_err(), "a key that names an algorithm that is not allowed");
}

#[tokio::test]
async fn the_issuer_and_the_type_choose_the_key_set_if_none_is_named() {
    let keys = ["a", "b", "t"].map(|kid| SigningKey::generate("ES256", kid));
    let issued_by = |issuer: &str| TokenRules { issuer: Some(issuer.into()), ..TokenRules::default() };
    let transactions = TokenRules { profile: Profile::TxnToken, ..with_audience() };
    let rules =
        [issued_by("a"), issued_by("b"), transactions, TokenRules::default(), issued_by("c"), issued_by("c")];
    let sets = rules.into_iter().enumerate().map(|(i, tokens)| KeySetSettings {
        tokens,
        ..set(&i.to_string(), data(&jwks(&[keys[i.min(2)].jwk()])), KeyRules::default())
    });
    let verifier = start(&TokenSettings { key_sets: sets.collect(), ..TokenSettings::default() }).unwrap().0;
    let txn =
        json!({"iat": NOW, "aud": "pdp", "exp": NOW + 60, "txn": "t", "sub": "", "scope": "", "req_wl": ""});
    for (key, kind, claims, want) in [
        (0, "JWT", json!({"iss": "a"}), Ok("0")),
        (1, "JWT", json!({"iss": "b"}), Ok("1")),
        (0, "JWT", json!({"iss": "b"}), Err("no key with the name")),
        (0, "JWT", json!({}), Err("none is for the issuer")),
        (0, "JWT", json!({"iss": ["a"]}), Err("none is for the issuer")),
        (2, "JWT", json!({"iss": "c"}), Err("several key sets are for the issuer")),
        (2, "txntoken+jwt", txn.clone(), Ok("2")),
        (2, "JWT", txn, Err("none is for the issuer")),
    ] {
        let header = json!({"alg": "ES256", "kid": keys[key].kid, "typ": kind});
        let token = keys[key].sign(&header, claims.to_string().as_bytes());
        match (ask(&verifier, &token, "").await, want) {
            (Ok(told), want) => assert_eq!(Ok(told.key_set.as_deref().unwrap()), want, "{claims}"),
            (Err(error), Err(words)) => assert!(error.to_string().contains(words), "{claims}: {error}"),
            (Err(error), Ok(_)) => panic!("{claims}: {error}"),
        }
    }
    let foreign = keys[0].token(&json!({"iss": "b"}));
    assert!(ask(&verifier, &foreign, "0").await.unwrap_err().to_string().contains("(`iss`)"));
}
