use std::sync::Mutex;

use procura_core::value::{Map, Value};

use super::*;
use crate::ports::{KeyHolder, Method, Proof, Token, TokenError, TokenVerifier, Verification, VerifiedToken};

const KEY: &str = "procura_k1_secret";

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        now()
    }
}

/// One key, which ends at some instant or was revoked.
struct OneKey {
    expires: Option<Timestamp>,
    is_revoked: bool,
}

impl ApiKeys for OneKey {
    fn holder(&self, text: &str) -> Result<KeyHolder, KeyFault> {
        match text {
            KEY if self.is_revoked => Err(KeyFault::Revoked),
            KEY => {
                let (name, roles) = (Some("shop".to_owned()), vec!["decide".to_owned()]);
                let identity = Identity { name, roles, method: Some(Method::Key), ..Identity::default() };
                Ok(KeyHolder { identity: Arc::new(identity), expires: self.expires })
            }
            _ => Err(KeyFault::Unknown),
        }
    }

    fn epoch(&self) -> u64 {
        0
    }

    fn trouble(&self) -> Option<String> {
        None
    }
}

/// Believes the token `good`, which says these claims.
struct OneToken(Mutex<Map<'static>>);

impl TokenVerifier for OneToken {
    fn verify<'a>(&'a self, token: &'a Token<'_>, _: Timestamp) -> Verification<'a> {
        let claims = Arc::new(self.0.lock().unwrap().clone());
        let key_set = Some("idp".into());
        let told = match &*token.text {
            "good" => Ok(VerifiedToken { claims, key_set, key: Some("k7".into()), expires: None }),
            "early" => Err(TokenError::KeysUnavailable { key_set: "idp".to_owned() }),
            _ => Err(TokenError::Invalid("no".into())),
        };
        Box::pin(async { told })
    }

    fn proves(
        &self,
        _: &Proof<'_>,
        _: &Token<'_>,
        _: &VerifiedToken,
        _: &str,
        _: Timestamp,
    ) -> Result<bool, Cow<'static, str>> {
        Ok(false)
    }
}

fn callers(anonymous: Anonymous) -> Callers {
    let (access, metrics) = (Access::shipped().unwrap(), Metrics::new().unwrap());
    Callers::new(Arc::new(access), anonymous, Arc::new(Still), Arc::new(metrics))
}

fn claims(json: &str) -> Map<'static> {
    match serde_json::from_str::<Value<'_>>(json).unwrap() {
        Value::Map(claims) => claims.into_owned(),
        _ => panic!("{json} is no map"),
    }
}

fn with_tokens(issuer: TokenIssuer, says: &str) -> Callers {
    let verifier = Arc::new(OneToken(Mutex::new(claims(says))));
    let issuers = [("idp".to_owned(), issuer)].into();
    callers(Anonymous::Refuse).with_tokens(Some(TokenCallers::new(verifier, issuers)))
}

async fn name(callers: &Callers, shown: &Shown<'_>) -> Result<Option<String>, Unknown> {
    callers.identify(shown, None).await.map(|found| found.caller.identity.name.clone())
}

fn holder(expires: Option<&str>, is_revoked: bool) -> Callers {
    let expires = expires.map(|at| at.parse().unwrap());
    callers(Anonymous::Refuse).with_keys(Some(Arc::new(OneKey { expires, is_revoked })))
}

#[tokio::test]
async fn requests_without_a_credential_are_treated_as_configured() {
    for (anonymous, local, role) in [
        (Anonymous::Refuse, true, None),
        (Anonymous::Refuse, false, None),
        (Anonymous::Local, true, Some(LOCAL)),
        (Anonymous::Local, false, None),
        (Anonymous::Allow, true, Some(LOCAL)),
        (Anonymous::Allow, false, Some(ANONYMOUS)),
    ] {
        let shown = Shown { local, ..Shown::default() };
        let found = callers(anonymous).identify(&shown, None).await;
        let roles = found.map(|found| found.caller.identity.roles.clone());
        assert_eq!(
            roles,
            role.map(|role| vec![role.to_owned()]).ok_or(Unknown::NoCredential),
            "{anonymous:?}"
        );
    }
}

#[tokio::test]
async fn one_bad_credential_spoils_the_good_ones_beside_it() {
    let bearer = format!("Bearer {KEY}");
    let certificate = Arc::new(Identity { name: Some("node".to_owned()), ..Identity::default() });
    let callers = holder(None, false);
    let shown = Shown { local: true, ..Shown::default() };
    let (authorization, key, certificate) = (Some(bearer.as_str()), Some(KEY), Some(&certificate));
    for (shown, expected) in [
        (Shown { authorization, ..shown }, Ok(Some("shop"))),
        (Shown { authorization: Some("bearer  procura_k1_secret "), ..shown }, Ok(Some("shop"))),
        (Shown { key, ..shown }, Ok(Some("shop"))),
        (Shown { certificate, ..shown }, Ok(Some("node"))),
        (Shown { certificate, key, ..shown }, Ok(Some("shop"))),
        (Shown { key: Some("procura_k1_other"), ..shown }, Err(Unknown::BadCredential)),
        (Shown { certificate, key: Some("procura_k1_other"), ..shown }, Err(Unknown::BadCredential)),
        (Shown { certificate, authorization: Some("Bearer x.y.z"), ..shown }, Err(Unknown::BadCredential)),
        (Shown { authorization, key, ..shown }, Err(Unknown::BadCredential)),
        (Shown { authorization: Some("Basic YTpi"), ..shown }, Err(Unknown::BadCredential)),
        (Shown { authorization: Some("Basic YTpi"), key, ..shown }, Err(Unknown::BadCredential)),
        (Shown { authorization: Some(KEY), ..shown }, Err(Unknown::BadCredential)),
        (Shown { authorization: Some("Bearer "), ..shown }, Err(Unknown::BadCredential)),
        (Shown { authorization: Some(""), ..shown }, Err(Unknown::BadCredential)),
        (Shown { key: Some(""), ..shown }, Err(Unknown::BadCredential)),
        (Shown { garbled: true, key, ..shown }, Err(Unknown::BadCredential)),
        (shown, Err(Unknown::NoCredential)),
    ] {
        let expected = expected.map(|name| name.map(str::to_owned));
        assert_eq!(name(&callers, &shown).await, expected, "{:?} {:?}", shown.authorization, shown.key);
    }
}

#[tokio::test]
async fn keys_that_have_ended_or_were_revoked_are_refused() {
    let key = Shown { key: Some(KEY), ..Shown::default() };
    for (expires, is_revoked, good) in [
        (None, false, true),
        (None, true, false),
        (Some("2026-01-01T00:00:01Z"), false, true),
        (Some("2026-01-01T00:00:00Z"), false, false),
    ] {
        let found = holder(expires, is_revoked).identify(&key, None).await;
        assert_eq!(found.is_ok(), good, "{expires:?} {is_revoked}");
    }
    let found = holder(Some("2026-01-01T00:00:00.5Z"), false).identify(&key, None).await.unwrap();
    assert_eq!(found.until, "2026-01-01T00:00:00.5Z".parse().unwrap(), "not believed beyond its end");
}

#[tokio::test]
async fn token_gives_what_is_configured_of_its_issuer_and_nothing_else() {
    let good = Shown { authorization: Some("Bearer good"), ..Shown::default() };
    let base =
        TokenIssuer { issuer: "https://idp".into(), name_claim: "sub".into(), ..TokenIssuer::default() };
    let of = |issuer: &TokenIssuer, says: &str| with_tokens(issuer.clone(), says);
    let claimed = TokenIssuer { roles_claim: Some("realm.roles".into()), ..base.clone() };
    let mapped = TokenIssuer {
        roles_map: Some([("pdp".to_owned(), vec!["decide".to_owned()])].into()),
        ..claimed.clone()
    };
    let bound = TokenIssuer { tenants_claim: Some("org".into()), ..base.clone() };
    let both = TokenIssuer { tenants: Some(vec!["acme".into()]), ..bound.clone() };
    let fixed = TokenIssuer { roles: vec!["audit".into()], agent: true, ..base.clone() };
    for (issuer, says, roles, tenants) in [
        (&base, r#"{"sub": "a", "roles": ["admin"]}"#, Some(vec![]), None),
        (&fixed, r#"{"sub": "a"}"#, Some(vec!["audit"]), None),
        (&base, r#"{"sub": ""}"#, None, None),
        (&base, "{}", None, None),
        (
            &claimed,
            r#"{"sub": "a", "realm": {"roles": ["b", "a", "local", "a"]}}"#,
            Some(vec!["a", "b"]),
            None,
        ),
        (&claimed, r#"{"sub": "a", "realm.roles": "x y"}"#, Some(vec!["x", "y"]), None),
        (&claimed, r#"{"sub": "a", "realm": {"roles": 1}}"#, None, None),
        (&claimed, r#"{"sub": "a"}"#, Some(vec![]), None),
        (&mapped, r#"{"sub": "a", "realm": {"roles": ["admin", "pdp"]}}"#, Some(vec!["decide"]), None),
        (&bound, r#"{"sub": "a"}"#, None, None),
        (&bound, r#"{"sub": "a", "org": []}"#, None, None),
        (&bound, r#"{"sub": "a", "org": "acme"}"#, Some(vec![]), Some(vec!["acme"])),
        (&both, r#"{"sub": "a", "org": ["acme", "globex"]}"#, Some(vec![]), Some(vec!["acme"])),
        (&both, r#"{"sub": "a", "org": ["globex"]}"#, None, None),
    ] {
        let found = of(issuer, says).identify(&good, None).await.ok().map(|found| found.caller.identity);
        let shown =
            found.as_ref().map(|identity| identity.roles.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(shown, roles, "{says}");
        let Some(identity) = found else { continue };
        assert_eq!(
            identity.tenants.as_ref().map(|names| names.iter().map(String::as_str).collect()),
            tenants
        );
        assert_eq!((identity.issuer.as_deref(), identity.key.as_deref()), (Some("https://idp"), Some("k7")));
        assert_eq!(identity.agent, issuer.agent);
    }
    let callers = of(&base, r#"{"sub": "a"}"#);
    for (token, unknown) in [("Bearer bad", Unknown::BadCredential), ("Bearer early", Unknown::Unjudged)] {
        let shown = Shown { authorization: Some(token), ..Shown::default() };
        assert_eq!(name(&callers, &shown).await, Err(unknown));
    }
}

#[test]
fn refusals_are_logged_a_few_times_a_second() {
    let throttle = Throttle::default();
    let passed = (0..100).filter(|_| throttle.takes(now())).count();
    assert_eq!(passed, 10);
    assert!(throttle.takes(now() + Duration::from_secs(1)));
}

#[tokio::test]
async fn only_requests_that_need_a_credential_are_counted_as_refused() {
    let callers = callers(Anonymous::Refuse);
    let refused = || callers.metrics.render().contains("{reason=\"no_credential\"} 1");
    let probe = Shown { open: true, ..Shown::default() };
    assert_eq!(name(&callers, &probe).await, Err(Unknown::NoCredential));
    assert!(!refused(), "probes of health show none and are answered");
    assert_eq!(name(&callers, &Shown::default()).await, Err(Unknown::NoCredential));
    assert!(refused());
}
