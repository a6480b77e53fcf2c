use procura_core::model::{Entity, EntityKind, Subject};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const TICKETS: &str = r#"[{
    "type": "ticket-" + body.ticket.state,
    "subject": {"resource": {"kind": "server", "id": body.ticket.server}},
    "data": {"ticket": body.ticket.id},
    "at": timestamp(body.ticket.changed),
    "expires": now + duration("8h"),
}]"#;

fn mapping(text: &str) -> Mapping {
    let text = MappingText { facts: text.to_owned(), ..MappingText::default() };
    Mapping::compile("tickets", &text).unwrap()
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn read(text: &str, body: &serde_json::Value) -> Result<Mapped, NotMapped> {
    mapping(text).read(body.to_string().as_bytes(), now())
}

#[test]
fn body_becomes_the_facts_that_the_mapping_makes_of_it() {
    let body = json!({"ticket": {"id": "T-1", "state": "open", "server": "db1", "changed": "2026-11-22T11:00:00+01:00"}});
    let mapped = read(TICKETS, &body).unwrap();
    let [said] = &*mapped.said else { panic!("{mapped:?}") };
    assert_eq!((&*said.name, &mapped.id), ("ticket-open", &None));
    assert_eq!(
        said.subject,
        Subject::new(vec![Entity::within(EntityKind::Resource, "server", "db1")]).unwrap()
    );
    assert_eq!(serde_json::to_value(&said.data).unwrap(), json!({"ticket": "T-1"}));
    assert_eq!(said.at, Some("2026-11-22T10:00:00Z".parse().unwrap()));
    assert_eq!(said.expires, Some("2026-11-22T20:00:00Z".parse().unwrap()));
}

#[test]
fn when_and_id_are_asked_first() {
    let text = MappingText {
        when: Some("body.kind == 'ticket'".to_owned()),
        facts: "body.facts".to_owned(),
        id: Some("source + ':' + body.id".to_owned()),
    };
    let mapping = Mapping::compile("tickets", &text).unwrap();
    let read = |body: serde_json::Value| mapping.read(body.to_string().as_bytes(), now());
    let other = read(json!({"kind": "comment", "id": "7", "facts": "nonsense"})).unwrap();
    assert_eq!(other, Mapped { id: Some("tickets:7".to_owned()), said: Vec::new() });
    let fact = json!({"type": "x", "subject": {"principal": "ada", "session": "s"}, "withdrawn": true});
    let mapped = read(json!({"kind": "ticket", "id": "8", "facts": [fact]})).unwrap();
    assert_eq!((mapped.said.len(), mapped.said[0].is_withdrawn), (1, true));
    for id in [json!(7), json!(null), json!("a\nb"), json!("x".repeat(300))] {
        assert!(read(json!({"kind": "ticket", "id": id, "facts": []})).is_err(), "{id}");
    }
}

#[test]
fn what_is_no_list_of_facts_is_refused_with_its_place() {
    let fact = || json!({"type": "x", "subject": {"principal": "ada"}});
    let with = |member: &str, value: serde_json::Value| {
        let mut fact = fact();
        fact[member] = value;
        json!([fact])
    };
    let deep = (0..20).fold(json!(1), |inner, _| json!([inner]));
    for (facts, place) in [
        (json!({}), "`facts`"),
        (json!(null), "`facts`"),
        (json!([fact(), 1]), "`facts[1]`"),
        (json!(vec![fact(); 101]), "`facts`"),
        (json!([{"subject": {"principal": "ada"}}]), "`facts[0].type`"),
        (with("type", json!("a b")), "`facts[0].type`"),
        (with("type", json!("")), "`facts[0].type`"),
        (with("subject", json!("ada")), "`facts[0].subject`"),
        (with("subject", json!({})), "`facts[0].subject`"),
        (with("subject", json!({"principal": ""})), "`facts[0].subject.principal`"),
        (with("subject", json!({"principal": "a\nb"})), "`facts[0].subject.principal`"),
        (with("subject", json!({"person": "ada"})), "`facts[0].subject.person`"),
        (with("subject", json!({"resource": "r"})), "`facts[0].subject.resource`"),
        (with("subject", json!({"resource": {"kind": "k"}})), "`facts[0].subject.resource.id`"),
        (with("subject", json!({"token": {"issuer": "i", "id": "j", "x": 1}})), "`facts[0].subject.token`"),
        (with("data", deep), "`facts[0].data`"),
        (with("data", json!("x".repeat(17_000))), "`facts[0].data`"),
        (with("at", json!("yesterday")), "`facts[0].at`"),
        (with("expires", json!(5)), "`facts[0].expires`"),
        (with("withdrawn", json!("yes")), "`facts[0].withdrawn`"),
        (with("until", json!("x")), "`facts[0].until`"),
    ] {
        let refused = read("body", &facts).unwrap_err().to_string();
        assert!(refused.contains(place), "{place}: {refused}");
    }
}

#[test]
fn bodies_that_are_not_what_the_mapping_is_made_for_are_refused_without_repeating_them() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let costly = json!({"list": vec![1; 2_000]}).to_string();
    let square = "body.list.map(x, body.list.map(y, x * y)).size() > 0 ? [] : []";
    for (text, body, part) in [
        ("body", "", "ends too early"),
        ("body", "secret", "malformed"),
        ("body", &*deep, "nested too deep"),
        ("body", r#"{"secret": 1, "secret": 2}"#, "key twice"),
        ("[body.secret]", "{}", "a member that it reads is missing"),
        ("[body + 1]", r#""secret""#, "a value is of another type"),
        ("[timestamp(body)]", r#""secret""#, "a value is not what a function takes"),
        (square, &*costly, "costs more"),
    ] {
        let refused = mapping(text).read(body.as_bytes(), now()).unwrap_err().to_string();
        assert!(refused.contains(part) && !refused.contains("secret"), "{text}: {refused}");
    }
}

#[test]
fn mistakes_in_expressions_are_told_with_their_place_when_they_are_compiled() {
    let text = MappingText {
        when: Some("boddy.x".to_owned()),
        facts: "[\n  {'type': }\n]".to_owned(),
        id: Some("P.id".to_owned()),
    };
    let wrong = Mapping::compile("tickets", &text).unwrap_err();
    assert!(wrong.iter().any(|text| text.starts_with("`when`, line 1, column 1: ")), "{wrong:?}");
    assert!(wrong.iter().any(|text| text.starts_with("`facts`, line 2, column ")), "{wrong:?}");
    assert!(wrong.iter().any(|text| text.starts_with("`id`, line 1, ")), "{wrong:?}");
}

proptest! {
    #[test]
    fn no_body_makes_a_mapping_panic(body in ".*", number in any::<f64>()) {
        for text in [TICKETS, "body", "[body]", "body.map(k, {'type': k, 'subject': {'principal': k}})"] {
            let _ = mapping(text).read(body.as_bytes(), now());
            let _ = read(text, &json!({"ticket": {"id": number, "state": body, "server": body, "changed": body}}));
        }
    }
}
