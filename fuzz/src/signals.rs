//! What transmitters and other systems say.

use std::sync::LazyLock;
use std::time::Duration;

use procura::fuzzing::{discovery, streams};
use procura::pdp::webhooks::{Mapping, MappingText, Sent, Signature, SignatureSettings, Speaker};
use procura_core::model::{Fact, Timestamp};
use procura_core::policy::Glob;
use procura_core::signal::{Entitlement, Identifier, Registers, Set, SetRules, SubjectRules, Trust};
use procura_core::value::{Map, Value};

const ISSUER: &str = "https://idp.example/";

/// When signals come.
const NOW: i64 = 1_795_305_600;

/// What the source may state that may not state everything.
const ENTITLED: &str = "session-revoked";

/// The claims of a SET.
///
/// Whatever is taken keeps the rules, is never of the future, and states nothing that its source may not; taken twice, it
/// states the same.
pub(crate) fn set(data: &[u8]) {
    let Ok(claims) = serde_json::from_slice::<Map<'_>>(data) else { return };
    let now = Timestamp::from_second(NOW).expect("an instant");
    let audiences = ["https://pdp.example/".to_owned()];
    let rules = SetRules {
        issuer: ISSUER,
        audiences: &audiences,
        stream: None,
        skew: jiff::SignedDuration::from_secs(60),
        scim_drafts: true,
    };
    assert!(Set::read(Some("JWT"), &claims, &rules, now).is_err(), "a token of another type is taken");
    let Ok(set) = Set::read(Some("secevent+jwt"), &claims, &rules, now) else { return };
    assert!(claims.get("exp").is_none() && claims.get("sub").is_none(), "an end or a `sub` is taken");
    let latest = now.checked_add(rules.skew).expect("an instant");
    assert!(!set.events.is_empty() && set.events.iter().all(|dated| dated.at <= latest), "{set:?}");
    let all = facts(&set, Entitlement::default(), now);
    assert_eq!(all, facts(&set, Entitlement::default(), now));
    let names = Glob::parse(ENTITLED).map(|name| vec![name]).ok();
    let entitled = facts(&set, Entitlement { names, ..Entitlement::default() }, now);
    assert!(entitled.iter().all(|fact| &*fact.name == ENTITLED && all.contains(fact)), "{entitled:?}");
    let (mut forth, mut back) = (Registers::default(), Registers::default());
    for fact in all.iter().chain(&all) {
        forth.take(fact.clone());
    }
    for fact in all.iter().rev() {
        back.take(fact.clone());
    }
    assert!(forth.iter().eq(back.iter()) && forth.iter().count() == all.len(), "the order counts");
}

fn facts(set: &Set, entitlement: Entitlement, now: Timestamp) -> Vec<Fact> {
    let subjects = SubjectRules::defaults(ISSUER);
    let trust = Trust { source: "idp".into(), subjects, entitlement, ttl: Vec::new() };
    trust.facts(set, now).unwrap_or_default()
}

/// A subject identifier (RFC 9493). What it means, if anything, is one thing of each kind.
pub(crate) fn subject(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value<'_>>(data) else { return };
    let Ok(identifier) = Identifier::read(&value) else { return };
    assert!(!identifier.parts().is_empty(), "an identifier of nothing");
    for subject in SubjectRules::defaults(ISSUER).subjects(&identifier, None).unwrap_or_default() {
        assert!(!subject.entities().is_empty() && subject.is_presented(subject.entities()));
    }
}

/// What a transmitter answers: events, streams, or what it says of itself. No place is asked that is not encrypted.
pub(crate) fn transmitter(data: &[u8]) {
    streams::events(data);
    streams::streams(data);
    let places = discovery::places(data).unwrap_or_default();
    assert!(places.iter().all(|place| place.to_ascii_lowercase().starts_with("https://")), "{places:?}");
}

static SIGNATURE: LazyLock<Signature> = LazyLock::new(|| {
    let sent =
        Sent { header: "sig".to_owned(), prefix: "t=".to_owned(), tolerance: Duration::from_secs(300) };
    let settings = SignatureSettings {
        header: "sig".to_owned(),
        prefix: "v1=".to_owned(),
        secrets: vec!["whsec_b2YgdGhlIGZ1enplciBhbG9uZQ==".to_owned(), "a secret of the fuzzer".to_owned()],
        sent: Some(sent),
        signed: None,
    };
    Signature::new(settings).expect("known settings")
});

static MAPPING: LazyLock<Mapping> = LazyLock::new(|| {
    let text = MappingText {
        when: Some("has(body.facts)".to_owned()),
        facts: "body.facts".to_owned(),
        id: Some("string(body.id)".to_owned()),
    };
    Mapping::compile("fuzz", &text).expect("known expressions")
});

/// What a webhook brings: its header, and its body. Nobody here has the secret, so no body is signed; what a mapping makes
/// of one is facts, or nothing.
pub(crate) fn webhook(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == u8::MAX);
    let header = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let body = parts.next().unwrap_or_default();
    let now = Timestamp::from_second(NOW).expect("an instant");
    let shown = SIGNATURE.verify(|name| (name == "sig").then_some(header.as_str()), body, now);
    assert!(shown.is_err(), "a forged signature is believed");
    let Ok(mapped) = MAPPING.read(body, now) else { return };
    let speaker = Speaker { source: "fuzz".into(), id: "1".into(), received: now };
    for fact in mapped.said.iter().filter_map(|said| said.facts("", &speaker).ok()).flatten() {
        assert!(!fact.name.is_empty() && !fact.subject.entities().is_empty(), "{fact:?}");
        assert!(fact.expires.is_none_or(|expires| expires > fact.at && expires > now), "{fact:?}");
    }
}
