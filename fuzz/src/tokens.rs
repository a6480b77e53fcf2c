//! Tokens and certificates, and the keys that vouch for them.

use std::sync::LazyLock;

use procura::fuzzing::pip::{self, KnownKeys};
use procura::fuzzing::tls;
use procura_core::model::spiffe::domain_of_workload;
use procura_core::model::{Timestamp, actor};
use procura_core::value::{Map, Value};

/// The instant at which the known tokens are in force.
const NOW: i64 = 1_795_305_600;

/// Most actors that are taken in the tests of the product.
const MOST_ACTORS: usize = 4;

const KEYS: &[u8] = include_bytes!("../known/jwks.json");
const TOKENS: &str = include_str!("../known/tokens.txt");

static KNOWN: LazyLock<KnownKeys> = LazyLock::new(|| KnownKeys::read(KEYS, false).expect("known keys"));

/// A token, a proof of its holder, or a certificate.
///
/// A token is believed only if somebody who has a key signed it, and its holder only with the key that it is bound to;
/// nobody who has any of these keys is here.
pub(crate) fn token(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let now = Timestamp::from_second(NOW).expect("an instant");
    let bound = r#"{"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", "x5t#S256": "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2"}}"#;
    let bound: Map<'_> = serde_json::from_str(bound).expect("known claims");
    assert!(!pip::is_held(&text, &bound, now), "a forged proof is believed");
    if let Ok(claims) = serde_json::from_slice::<Map<'_>>(data)
        && let Ok(Some(actor)) = actor(&claims, MOST_ACTORS)
    {
        let Some(Value::List(chain)) = actor.get("chain") else { panic!("an actor without a chain") };
        assert!((1..=MOST_ACTORS).contains(&chain.len()) && chain.last() == actor.get("leaf"));
    }
    let Some((_, signed)) = KNOWN.claims(&text, now) else { return };
    let is_known = TOKENS.lines().any(|token| token.as_bytes().starts_with(&signed));
    assert!(is_known, "a forged token is believed");
}

/// A set of keys: whether it is PEM, then its text. The same text always yields the same keys.
pub(crate) fn keys(data: &[u8]) {
    let Some((is_pem, text)) = data.split_first() else { return };
    let is_pem = is_pem & 1 == 1;
    let Some(keys) = KnownKeys::read(text, is_pem) else { return };
    assert!((1..=100).contains(&keys.count()), "{} keys", keys.count());
    assert_eq!(KnownKeys::read(text, is_pem).map(|keys| keys.count()), Some(keys.count()));
    for token in TOKENS.lines() {
        let _ = keys.claims(token, Timestamp::UNIX_EPOCH);
    }
}

/// A certificate, a revocation list or a SPIFFE id. No two ways of reading an id disagree about it.
pub(crate) fn certificate(data: &[u8]) {
    let _ = tls::next_update(data);
    let text = String::from_utf8_lossy(data);
    let name = tls::named(data).map(|(name, _)| name);
    for id in [Some(text.as_ref()), name.as_deref()].into_iter().flatten() {
        if let Some(domain) = domain_of_workload(id) {
            let in_policies = crate::expressions::trust_domain(id);
            assert_eq!(in_policies.as_deref(), Some(domain), "policies read `{id}` otherwise");
        }
    }
}
