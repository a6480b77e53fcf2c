//! From signed claims to facts: whatever a source sends, and in whatever order, it changes only what it may, and the
//! reference lists what each event does.
#![cfg(test)]
#![allow(clippy::disallowed_methods, reason = "the reference is a file, and a setting asks to write it")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::SignedDuration;
use procura_core::limits::EVENT_SUBJECTS;
use procura_core::model::{Entity, EntityKind, Fact, Subject, Timestamp};
use procura_core::policy::Glob;
use procura_core::signal::{
    EVENT_TYPES, Entitlement, Event, Family, Identifier, Ignored, Registers, Set, SetRules, SubjectRules,
    Trust, Ttl,
};
use procura_core::value::{Map, Value};
use proptest::prelude::*;
use serde_json::json;

const ISSUER: &str = "https://i/";
const NOW: i64 = 1_795_300_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn read(claims: &serde_json::Value) -> Option<Set> {
    let audiences = ["a".to_owned()];
    let rules = SetRules {
        issuer: ISSUER,
        audiences: &audiences,
        stream: None,
        skew: SignedDuration::from_secs(60),
        scim_drafts: true,
    };
    let text = claims.to_string();
    let claims: Map<'_> = serde_json::from_str(&text).ok()?;
    Set::read(Some("secevent+jwt"), &claims, &rules, now()).ok()
}

fn trust(source: &str, entitlement: Entitlement) -> Trust {
    Trust { source: source.into(), subjects: SubjectRules::defaults(ISSUER), entitlement, ttl: Vec::new() }
}

fn globs(patterns: &[&str]) -> Option<Vec<Glob>> {
    Some(patterns.iter().map(|pattern| Glob::parse(pattern).unwrap()).collect())
}

/// Events whose slots, subjects and times meet often.
fn event() -> impl Strategy<Value = (&'static str, serde_json::Value, serde_json::Value, i64)> {
    let content = prop_oneof![
        Just(("account-disabled", json!({}))),
        Just(("account-enabled", json!({}))),
        Just(("account-purged", json!({}))),
        Just(("session-revoked", json!({}))),
        "[ab]".prop_map(|kind| ("credential-compromise", json!({"credential_type": kind}))),
        ("[ab]", prop::sample::select(vec!["create", "revoke"])).prop_map(|(kind, change)| {
            ("credential-change", json!({"credential_type": kind, "change_type": change}))
        }),
        prop::collection::btree_map("[ab]", 0..3, 1..3)
            .prop_map(|claims| ("token-claims-change", json!({"claims": claims}))),
        prop::sample::select(vec!["LOW", "HIGH"])
            .prop_map(|level| ("risk-level-change", json!({"principal": "USER", "current_level": level}))),
    ];
    let opaque = || "[uv]".prop_map(|id| json!({"format": "opaque", "id": id}));
    let subject = prop_oneof![
        3 => opaque(),
        1 => (opaque(), opaque()).prop_map(|(a, b)| json!({"format": "aliases", "identifiers": [a, b]})),
        1 => (opaque(), opaque()).prop_map(|(a, b)| json!({"format": "complex", "user": a, "session": b})),
    ];
    (content, subject, 0..3_i64).prop_map(|((name, content), subject, at)| (name, content, subject, at))
}

/// The SET with the `n`th id.
fn set(n: usize, name: &str, content: &serde_json::Value, subject: &serde_json::Value, at: i64) -> Set {
    let uri = EVENT_TYPES.iter().find(|known| known.uri.ends_with(&format!("/{name}"))).unwrap().uri;
    let claims = json!({
        "iss": ISSUER, "aud": ["a"], "jti": format!("set-{n}"), "iat": NOW - 10 + at, "sub_id": subject,
        "events": {uri: content},
    });
    read(&claims).unwrap()
}

/// The plainest reading of what is held: all facts in the order of time, rank and id, each taking the place of the last.
fn oracle(mut facts: Vec<Fact>) -> Vec<Fact> {
    facts.sort_by_key(|fact| (fact.at, fact.rank, Arc::clone(&fact.id)));
    let place = |fact: Fact| ((fact.subject.clone(), fact.source.clone(), fact.slot.clone()), fact);
    facts.into_iter().map(place).collect::<BTreeMap<_, _>>().into_values().collect()
}

proptest! {
    #[test]
    fn any_order_and_any_duplication_of_events_comes_to_the_same_facts(
        (events, order) in prop::collection::vec((event(), prop::bool::ANY), 1..24).prop_flat_map(|events| {
            let twice: Vec<usize> = (0..events.len()).chain(0..events.len()).collect();
            (Just(events), Just(twice).prop_shuffle())
        })
    ) {
        let sources = ["one", "two"].map(|source| trust(source, Entitlement::default()));
        let facts: Vec<Vec<Fact>> = events.iter().enumerate().map(|(n, ((name, content, subject, at), second))| {
            sources[usize::from(*second)].facts(&set(n, name, content, subject, *at), now()).unwrap()
        }).collect();
        let mut held = Registers::default();
        for n in order {
            for fact in &facts[n] {
                held.take(fact.clone());
            }
        }
        prop_assert_eq!(held.iter().cloned().collect::<Vec<_>>(), oracle(facts.concat()));
    }

    #[test]
    fn source_states_nothing_that_it_is_not_configured_for(
        (name, content, subject, at) in event(),
        names in prop::option::of(prop::sample::select(vec!["account-*", "risk-*", "session-revoked", "*"])),
        kinds in prop::option::of(prop::sample::subsequence(EntityKind::ALL.to_vec(), 0..4)),
        tenants in prop::option::of(prop::collection::vec("[st]", 0..3)),
    ) {
        let entitlement = Entitlement { names: names.map(|name| globs(&[name]).unwrap()), kinds, tenants };
        let set = set(0, name, &content, &subject, at);
        match trust("s", entitlement.clone()).facts(&set, now()) {
            Err(why) => prop_assert_eq!(why, Ignored::NotEntitled),
            Ok(facts) => for fact in facts {
                prop_assert!(names.is_none_or(|pattern| Glob::parse(pattern).unwrap().matches(&fact.name)));
                let of_tenant = |entity: &&Entity<'_>| entity.kind != EntityKind::Tenant;
                for entity in fact.subject.entities().iter().filter(of_tenant) {
                    prop_assert!(entitlement.kinds.as_ref().is_none_or(|kinds| kinds.contains(&entity.kind)));
                }
                if let Some(tenants) = &entitlement.tenants {
                    let tenant = fact.subject.get(EntityKind::Tenant).unwrap();
                    prop_assert!(tenants.iter().any(|known| *known == tenant.id));
                }
            },
        }
    }

    #[test]
    fn no_claims_make_the_reader_panic_and_what_is_stated_stays_within_its_bounds(
        kind in prop::sample::select(EVENT_TYPES.iter().map(|kind| kind.uri).collect::<Vec<_>>()),
        claims in hostile(),
        content in hostile(),
        subject in hostile(),
    ) {
        let mut set = json!({
            "iss": ISSUER, "aud": "a", "jti": "j", "iat": NOW, "sub_id": subject, "events": {kind: content},
        });
        if let serde_json::Value::Object(claims) = claims {
            set.as_object_mut().unwrap().extend(claims);
        }
        if let Some(set) = read(&set) {
            for fact in trust("s", Entitlement::default()).facts(&set, now()).unwrap_or_default() {
                prop_assert!(fact.slot.len() < 200 && fact.at <= now() + SignedDuration::from_secs(60));
            }
        }
        let _ = Event::read(kind, &value(&content), true);
        if let Ok(identifier) = Identifier::read(&value(&subject)) {
            let subjects = SubjectRules::defaults(ISSUER).subjects(&identifier, Some(EntityKind::Principal));
            prop_assert!(subjects.is_none_or(|subjects| (1..=EVENT_SUBJECTS).contains(&subjects.len())));
        }
    }
}

fn value(json: &serde_json::Value) -> Value<'static> {
    serde_json::from_str::<Value<'_>>(&json.to_string()).unwrap_or(Value::Null).into_owned()
}

/// Values made of the words that mean something somewhere.
fn hostile() -> impl Strategy<Value = serde_json::Value> {
    const WORDS: [&str; 30] = [
        "format",
        "complex",
        "aliases",
        "identifiers",
        "opaque",
        "id",
        "email",
        "iss_sub",
        "iss",
        "sub",
        "scim",
        "uri",
        "/Users/1",
        "/Groups/",
        "user",
        "session",
        "subject",
        "claims",
        "data",
        "active",
        "Operations",
        "path",
        "value",
        "current_level",
        "principal",
        "HIGH",
        "events",
        "a@b",
        "jti",
        "aud",
    ];
    let word =
        || prop_oneof![4 => prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned), 1 => ".{0,8}"];
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<f64>().prop_map(|value| json!(value)),
        word().prop_map(|value| json!(value)),
        Just(json!({"format": "opaque", "id": "u"})),
        Just(json!({"format": "scim", "uri": "/Users/1"})),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(|items| json!(items)),
            prop::collection::btree_map(word(), inner, 0..6).prop_map(|map| json!(map)),
        ]
    })
}

#[test]
fn set_states_nothing_for_the_reason_that_is_nearest() {
    let of = |events: serde_json::Value, subject: serde_json::Value| {
        read(&json!({"iss": ISSUER, "aud": "a", "jti": "j", "iat": NOW, "sub_id": subject, "events": events}))
            .unwrap()
    };
    let user = json!({"format": "scim", "uri": "/Users/1"});
    let group = json!({"format": "scim", "uri": "/Groups/1"});
    let delete = json!({"urn:ietf:params:scim:event:prov:delete": {}});
    let only_risk = Entitlement { names: globs(&["risk-*"]), ..Entitlement::default() };
    let stranger = json!({"format": "iss_sub", "iss": "https://other/", "sub": "u"});
    for (set, entitlement, ignored) in [
        (of(json!({"urn:x": 7}), user.clone()), Entitlement::default(), Some(Ignored::UnknownType)),
        (of(delete.clone(), stranger), Entitlement::default(), Some(Ignored::UnknownSubject)),
        (of(delete.clone(), user.clone()), only_risk, Some(Ignored::NotEntitled)),
        (of(delete.clone(), group), Entitlement::default(), Some(Ignored::NoFact)),
        (
            of(json!({"urn:ietf:params:scim:event:misc:asyncresp": {}}), user.clone()),
            Entitlement::default(),
            Some(Ignored::NoFact),
        ),
        (of(delete, user), Entitlement::default(), None),
    ] {
        assert_eq!(trust("s", entitlement).facts(&set, now()).err(), ignored, "{set:?}");
    }
}

#[test]
fn facts_last_as_long_as_configured_and_revoked_sessions_thirty_days() {
    let days = |days: i64| SignedDuration::from_hours(24 * days);
    let subject = json!({"format": "opaque", "id": "u"});
    let mut source = trust("s", Entitlement::default());
    let lasts = |source: &Trust, name: &str| {
        let facts = source.facts(&set(0, name, &json!({}), &subject, 0), now()).unwrap();
        facts[0].expires.map(|expires| expires.duration_since(facts[0].at))
    };
    assert_eq!(lasts(&source, "session-revoked"), Some(days(30)));
    assert_eq!(lasts(&source, "account-disabled"), None);
    source.ttl = vec![
        Ttl { names: Glob::parse("session-*").unwrap(), lasts: days(90) },
        Ttl { names: Glob::parse("*").unwrap(), lasts: days(1) },
    ];
    assert_eq!(lasts(&source, "session-revoked"), Some(days(90)));
    assert_eq!(lasts(&source, "account-disabled"), Some(days(1)));
}

#[test]
fn facts_of_a_source_of_tenants_are_about_their_requests_only() {
    let tenants = Some(vec!["acme".to_owned(), "umbrella".to_owned()]);
    let entitlement = Entitlement { tenants, ..Entitlement::default() };
    let user = Entity::new(EntityKind::Principal, "u");
    let tenant = |name: &'static str| Entity::new(EntityKind::Tenant, name);
    let subject = |entities: &[Entity<'static>]| Subject::new(entities.to_vec()).unwrap();
    let bound = |entities: &[Entity<'static>]| entitlement.bind("n", subject(entities));
    assert_eq!(
        bound(std::slice::from_ref(&user)),
        [subject(&[user.clone(), tenant("acme")]), subject(&[user.clone(), tenant("umbrella")])]
    );
    assert_eq!(bound(&[user.clone(), tenant("acme")]), [subject(&[user.clone(), tenant("acme")])]);
    assert_eq!(bound(&[user, tenant("other")]), []);
}

/// The table between its heading and the next; `UPDATE=1` writes it anew.
#[test]
fn reference_lists_every_event() {
    const HEADING: &str = "## The events\n\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/signals-events.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(HEADING).unwrap();
    let (_, after) = rest.split_once("\n## ").unwrap();
    let current = format!("{before}{HEADING}{}\n## {after}", table());
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &current).unwrap();
    } else {
        assert!(text == current, "{} is stale: run with UPDATE=1", path.display());
    }
}

fn table() -> String {
    let mut table = String::new();
    for (family, heading, prefix) in [
        (Family::Caep, "CAEP 1.0", "https://schemas.openid.net/secevent/caep/event-type/"),
        (Family::Risc, "RISC 1.0", "https://schemas.openid.net/secevent/risc/event-type/"),
        (Family::Scim, "SCIM, RFC 9967", "urn:ietf:params:scim:event:"),
        (Family::Stream, "About the stream", "https://schemas.openid.net/secevent/ssf/event-type/"),
    ] {
        table += &format!("### {heading}\n\nThe types begin with `{prefix}`.\n\n");
        table += "| event | fact | slot | by itself |\n|---|---|---|---|\n";
        for kind in EVENT_TYPES.iter().filter(|kind| kind.family == family) {
            let name = kind.uri.strip_prefix(prefix).unwrap();
            let quoted = |text: &&str| format!("`{text}`");
            let facts = kind.facts.iter().map(quoted).collect::<Vec<_>>().join(", ");
            let or_none = |text: String| if text.len() > 2 { text } else { "–".to_owned() };
            let slot = or_none(quoted(&kind.slot));
            table += &format!(
                "| `{name}` | {} | {slot} | {} |\n",
                or_none(facts),
                or_none(kind.effect.to_owned())
            );
        }
        table += "\n";
    }
    table.trim_end().to_owned() + "\n"
}
