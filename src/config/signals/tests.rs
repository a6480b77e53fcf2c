use super::*;

fn streams(json: &str) -> Result<Vec<Stream>, Vec<Problem>> {
    serde_json::from_str::<StreamList>(json).unwrap().check()
}

fn webhooks(json: &str) -> Result<Vec<Webhook>, Vec<Problem>> {
    serde_json::from_str::<WebhookList>(json).unwrap().check()
}

const STREAM: &str =
    r#""name": "okta", "issuer": "https://idp.example/", "audiences": ["https://pdp.example"], "push": {}"#;
const WEBHOOK: &str =
    r#""name": "tickets", "facts": "[]", "states": ["ticket-*"], "kinds": ["resource"], "caller": "jira""#;

#[test]
fn streams_are_read_with_what_they_may_state_and_how_they_come() {
    let read = streams(
        r#"[{"name": "okta", "issuer": "https://idp.example/", "audiences": ["https://pdp.example"],
             "keys": {"local": {"file": "keys.json"}, "insecure": {"optionalKid": true}}, "algorithms": ["ES256"],
             "transmitter": {"url": "https://ssf.example/", "authorization": {"file": "t"}, "create": true, "events": ["a"]},
             "poll": {"authorization": "Bearer x"}, "facts": ["session-revoked", "risk-*"],
             "subjects": [{"format": "iss_sub", "member": "user", "as": "principal", "id": "user:{sub}"}],
             "tenants": ["acme"], "ttl": {"risk-level-change": "24h"}, "maxSilence": "1h", "maxRate": 10}]"#,
    )
    .unwrap();
    let [stream] = read.as_slice() else { panic!("{read:?}") };
    let keys = stream.keys.as_ref().unwrap();
    assert_eq!((keys.id.as_str(), keys.tokens.issuer.as_deref()), ("okta", Some("https://idp.example/")));
    assert_eq!(
        (keys.tokens.types.as_slice(), keys.optional_kid),
        (["secevent+jwt".to_owned()].as_slice(), true)
    );
    assert_eq!(keys.tokens.algorithms, ["ES256"]);
    assert_eq!(stream.metadata, "https://ssf.example/");
    assert_eq!(stream.ttl["risk-level-change"].as_secs(), 24 * 3600);
    assert_eq!((stream.max_silence.unwrap().as_secs(), stream.max_rate), (3600, 10));
    assert!(!format!("{stream:?}").contains("Bearer"));
    let plain = streams(&format!("[{{{STREAM}}}]")).unwrap();
    assert_eq!((plain[0].algorithms.as_slice(), &plain[0].keys), (["RS256".to_owned()].as_slice(), &None));
    assert_eq!(plain[0].metadata, "https://idp.example/");
    assert_eq!((streams("null"), webhooks("null")), (Ok(vec![]), Ok(vec![])));
}

fn oauth(members: &str) -> String {
    format!(r#"{STREAM}, "transmitter": {{"oauth": {{{members}}}}}"#)
}

#[test]
fn transmitter_is_asked_with_one_credential_that_is_never_shown() {
    let client = r#"{"tokenUrl": "https://as.example/token", "clientId": "pdp", "secret": "verysecret", "scopes": ["ssf.manage", "ssf.read"]}"#;
    let read = streams(&format!(r#"[{{{STREAM}, "transmitter": {{"oauth": {client}}}}}]"#)).unwrap();
    assert!(!format!("{read:?}").contains("verysecret"), "{read:?}");
    let oauth = read[0].transmitter.as_ref().unwrap().oauth.as_ref().unwrap();
    assert_eq!((oauth.client_id.as_str(), oauth.scopes.len()), ("pdp", 2));
    let both =
        format!(r#"[{{{STREAM}, "transmitter": {{"authorization": "Bearer x", "oauth": {client}}}}}]"#);
    assert_eq!(streams(&both).unwrap_err()[0].0, "[0].transmitter");
}

#[test]
fn what_is_wrong_with_a_stream_names_the_member_and_never_a_secret() {
    let keys = r#""keys": {"local": {"file": "k"}}"#;
    for (entry, member, advice) in [
        (r#""name": "A", "issuer": "i", "push": {}"#.to_owned(), "[0].name", "lower-case"),
        (r#""name": "a", "issuer": "", "push": {}"#.to_owned(), "[0].issuer", "who signs"),
        (r#""name": "a", "issuer": "i", "push": {}"#.to_owned(), "[0].audiences", "names this receiver"),
        (r#""name": "a", "issuer": "i", "audiences": ["x"]"#.to_owned(), "[0]", "either `push` or `poll`"),
        (
            r#""name": "a", "issuer": "i", "audiences": ["x"], "push": {}"#.to_owned(),
            "[0].issuer",
            "`transmitter.url`",
        ),
        (format!(r#"{STREAM}, "poll": {{}}"#), "[0]", "either `push` or `poll`"),
        (format!(r#"{STREAM}, "keys": {{}}"#), "[0].keys", "either `remote` or `local`"),
        (format!(r#"{STREAM}, "keys": {{"id": "x"}}"#), "[0].keys.id", "not known here"),
        (format!(r#"{STREAM}, "keys": {{"remote": {{"url": 1}}}}"#), "[0].keys.remote.url", "not valid"),
        (format!(r#"{STREAM}, {keys}, "algorithms": ["none"]"#), "[0].algorithms", "must be one of"),
        (format!(r#"{STREAM}, "facts": ["Session*"]"#), "[0].facts", "`session-revoked`"),
        (format!(r#"{STREAM}, "ttl": {{"session-revoked": "0s"}}"#), "[0].ttl.session-revoked", "duration"),
        (format!(r#"{STREAM}, "ttl": {{"a": "1s"}}"#), "[0].ttl.a", "no event"),
        (format!(r#"{STREAM}, "facts": ["sesion-revoked"]"#), "[0].facts", "no event"),
        (
            format!(r#"{STREAM}, "subjects": [{{"format": "email", "as": "principal", "id": "{{sub}}"}}]"#),
            "[0].subjects[0].id",
            "",
        ),
        (format!(r#"{STREAM}, "tenants": ["a.b"]"#), "[0].tenants", "no tenant"),
        (format!(r#"{STREAM}, "maxRate": 0"#), "[0].maxRate", "1 to 1000000"),
        (
            format!(r#"{STREAM}, "subjects": [{{"format": "email", "as": "user", "id": "x"}}]"#),
            "[0].subjects[0].as",
            "`principal`",
        ),
        (
            format!(r#"{STREAM}, "subjects": [{{"format": "mail", "as": "principal", "id": "x"}}]"#),
            "[0].subjects[0].format",
            "`email`",
        ),
        (
            format!(r#"{STREAM}, "subjects": [{{"format": "email", "as": "principal", "id": "{{sub}}"}}]"#),
            "[0].subjects[0].id",
            "`{email}`",
        ),
        (
            format!(r#"{STREAM}, "transmitter": {{"authorization": "Bearer verysecret\n"}}"#),
            "[0].transmitter.authorization",
            "`file: PATH`",
        ),
        (format!(r#"{STREAM}, "transmitter": {{"url": "http://a"}}"#), "[0].transmitter.url", "https://"),
        (
            oauth(r#""tokenUrl": "http://a/token", "clientId": "c", "secret": "verysecret""#),
            "[0].transmitter.oauth.tokenUrl",
            "https://",
        ),
        (
            oauth(r#""tokenUrl": "https://a", "clientId": "", "secret": "s""#),
            "[0].transmitter.oauth.clientId",
            "empty",
        ),
        (
            oauth(r#""tokenUrl": "https://a", "secret": "", "clientId": "c""#),
            "[0].transmitter.oauth.secret",
            "empty",
        ),
        (
            oauth(r#""tokenUrl": "https://a", "clientId": "c", "secret": "verysecret", "scopes": ["a b"]"#),
            "[0].transmitter.oauth.scopes",
            "one an entry",
        ),
    ] {
        let problems = streams(&format!("[{{{entry}}}]")).unwrap_err();
        let found = problems.iter().any(|(at, text)| at == member && text.contains(advice));
        assert!(found && !format!("{problems:?}").contains("verysecret"), "{entry}: {problems:?}");
    }
}

#[test]
fn webhooks_are_read_and_wrong_ones_name_the_member() {
    let hmac = r#""name": "ci", "facts": "[]", "states": ["*"], "kinds": ["principal"],
        "hmac": {"header": "X-Sign", "prefix": "v1=", "secret": {"file": "s"}, "timestamp": {"prefix": "t="}}"#;
    let read = webhooks(&format!("[{{{WEBHOOK}}}, {{{hmac}}}]")).unwrap();
    assert_eq!(read[0].sender, WebhookSender::Caller("jira".to_owned()));
    let WebhookSender::Hmac(hmac) = &read[1].sender else { panic!("{read:?}") };
    let timestamp = hmac.timestamp.as_ref().unwrap();
    assert_eq!((timestamp.header.as_str(), timestamp.max_age.as_secs()), ("x-sign", 300));
    for (from, to, member) in [
        (r#""caller": "jira""#, r#""maxRate": 1"#, "[0]"),
        (r#""states": ["ticket-*"]"#, r#""states": []"#, "[0].states"),
        (r#""kinds": ["resource"]"#, r#""kinds": ["thing"]"#, "[0].kinds"),
        (r#""facts": "[]""#, r#""facts": " ""#, "[0].facts"),
        (r#""caller": "jira""#, r#""hmac": {"header": "a b", "secret": "x"}"#, "[0].hmac.header"),
        (
            r#""caller": "jira""#,
            r#""hmac": {"header": "a", "secret": "x", "timestamp": {}}"#,
            "[0].hmac.timestamp.prefix",
        ),
    ] {
        let problems = webhooks(&format!("[{{{}}}]", WEBHOOK.replace(from, to))).unwrap_err();
        assert_eq!(problems[0].0, member, "{problems:?}");
    }
}

#[test]
fn names_of_sources_are_unique_and_none_is_the_operator() {
    let streams = streams(&format!("[{{{STREAM}}}, {{{}}}]", STREAM.replace("okta", "operator"))).unwrap();
    let webhooks = webhooks(&format!("[{{{}}}]", WEBHOOK.replace("tickets", "okta"))).unwrap();
    let problems = names_problem(&streams, &webhooks);
    let places: Vec<_> = problems.iter().map(|(key, (member, _))| (*key, member.as_str())).collect();
    assert_eq!(places, [("signals.streams", "[1].name"), ("signals.webhooks", "[0].name")]);
}

#[test]
fn places_of_what_is_presented_are_claims_or_attributes() {
    let list = |texts: &[&str], attributes| {
        let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        PresentedSource::list(&texts, attributes)
    };
    let claim = |token: Option<&str>| PresentedSource::Claim {
        token: token.map(str::to_owned),
        claim: "sid".to_owned(),
    };
    assert_eq!(
        list(&["jwt:sid", "jwts.id:sid", "attr:a"], true).unwrap(),
        [claim(None), claim(Some("id")), PresentedSource::Attribute("a".to_owned())]
    );
    for text in ["sid", "jwt:", "jwts.:sid", "header:x", "attr:"] {
        assert!(list(&["jwt:sid", text], true).unwrap_err()[0].0 == "[1]", "{text}");
    }
    assert!(list(&["attr:a"], false).is_err(), "an attribute vouches for nothing");
}
