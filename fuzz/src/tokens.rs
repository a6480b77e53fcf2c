//! Tokens, and the keys that vouch for them.

use std::sync::LazyLock;

use procura::fuzzing::pip::KnownKeys;
use procura_core::model::Timestamp;

/// The instant at which the known tokens are in force.
const NOW: i64 = 1_795_305_600;

const KEYS: &[u8] = include_bytes!("../known/jwks.json");
const TOKENS: &str = include_str!("../known/tokens.txt");

static KNOWN: LazyLock<KnownKeys> = LazyLock::new(|| KnownKeys::read(KEYS, false).expect("known keys"));

/// A token. It is believed only if somebody who has a key signed it, and nobody who does is here.
pub(crate) fn token(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let now = Timestamp::from_second(NOW).expect("an instant");
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
