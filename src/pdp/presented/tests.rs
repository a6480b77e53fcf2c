use std::sync::Arc;
use std::sync::Mutex;

use procura_core::model::{AuxData, Item, Principal, Resource, Subject, actor};
use procura_core::record::Voucher;
use serde_json::json;

use super::*;

/// Holds some facts, and remembers what it was asked.
#[derive(Default)]
struct Held {
    facts: Vec<Arc<Fact>>,
    asked: Mutex<Vec<Entity<'static>>>,
}

impl Facts for Held {
    fn is_empty(&self) -> bool {
        self.facts.is_empty()
    }

    fn about(&self, presented: &[Entity<'_>], _: Timestamp) -> Vec<Arc<Fact>> {
        *self.asked.lock().unwrap() = presented.iter().cloned().map(Entity::into_owned).collect();
        self.facts.clone()
    }
}

fn fact(name: &str, second: i64) -> Arc<Fact> {
    let at = Timestamp::from_second(second).unwrap();
    Arc::new(Fact {
        subject: Subject::new(vec![Entity::new(EntityKind::Principal, "alice")]).unwrap(),
        name: name.into(),
        slot: name.into(),
        value: Some(Value::Null),
        source: "idp".into(),
        id: "e".into(),
        at,
        received: at,
        expires: None,
        rank: 0,
    })
}

fn map(json: &serde_json::Value) -> Map<'static> {
    let text = json.to_string();
    let map: Map<'_> = serde_json::from_str(&text).unwrap();
    map.into_owned()
}

fn request(claims: &serde_json::Value, attr: &serde_json::Value) -> Request<'static> {
    let claims = map(claims);
    let item = |id: &'static str, scope: &'static str| Item {
        resource: Resource { kind: "doc".into(), id: id.into(), scope: scope.into(), ..Resource::default() },
        ..Item::default()
    };
    Request {
        principal: Principal { id: "alice".into(), attr: map(attr), ..Principal::default() },
        items: [item("1", "acme.hr"), item("2", "")].into_iter().collect(),
        aux_data: AuxData { actor: actor(&claims, 4).unwrap(), jwt: claims, ..AuxData::default() },
        ..Request::default()
    }
}

fn vouched() -> Vouchers {
    let jwt = Voucher { key_set: Some("idp".into()), ..Voucher::default() };
    Vouchers { jwt, ..Vouchers::default() }
}

fn ask(held: &Held, request: &Request<'_>, vouchers: &Vouchers) -> (Signals<'static>, Vec<String>) {
    let rules = PresentedRules::default();
    let signals = signals(held, &rules, (request, vouchers), "home.x", Timestamp::UNIX_EPOCH);
    let asked = held.asked.lock().unwrap();
    let shown = |entity: &Entity<'_>| format!("{} {} {}", entity.kind.as_str(), entity.of, entity.id);
    (signals, asked.iter().map(shown).collect())
}

#[test]
fn call_presents_what_verified_claims_attributes_and_the_request_say() {
    let held = Held { facts: vec![fact("a", 1)], ..Held::default() };
    let claims = json!({
        "iss": "https://i", "jti": "t1", "sid": "s1", "client_id": "app", "groups": ["g1", "g2"],
        "auth_time": 99.5, "iat": 200, "amr": ["pwd"], "act": {"sub": "agent", "act": {"sub": "inner"}},
    });
    let request = request(&claims, &json!({"sessionId": "other", "deviceId": "d1"}));
    let (signals, asked) = ask(&held, &request, &vouched());
    let expected = [
        "principal  agent",
        "principal  alice",
        "principal  inner",
        "session  s1",
        "token https://i t1",
        "device  d1",
        "resource doc 1",
        "resource doc 2",
        "group  g1",
        "group  g2",
        "application  app",
        "tenant  acme",
        "tenant  home",
    ];
    assert_eq!(asked, expected);
    let Presented { session, device, began, methods } = signals.presented;
    assert_eq!((session.as_deref(), device.as_deref()), (Some("s1"), Some("d1")));
    assert_eq!(began.map(Timestamp::as_second), Some(99));
    assert_eq!(methods, Some(vec!["pwd".into()]));
}

#[test]
fn token_that_nobody_vouches_for_presents_nothing() {
    let held = Held { facts: vec![fact("a", 1)], ..Held::default() };
    let claims = json!({"iss": "i", "jti": "t", "sid": "s1", "groups": "g", "iat": 1, "amr": ["pwd"]});
    let request = request(&claims, &json!({"sessionId": "stated"}));
    let (signals, asked) = ask(&held, &request, &Vouchers::default());
    let expected =
        ["principal  alice", "session  stated", "resource doc 1", "resource doc 2", "tenant  acme"];
    assert_eq!(asked[..5], expected);
    let stated = Presented { session: Some("stated".into()), ..Presented::default() };
    assert_eq!(signals.presented, stated);
}

#[test]
fn token_about_somebody_else_presents_nothing_but_itself() {
    let held = Held { facts: vec![fact("a", 1)], ..Held::default() };
    let claims = json!({"iss": "i", "jti": "t", "sid": "s1", "groups": "g", "auth_time": 1, "amr": ["pwd"]});
    let mut vouchers = vouched();
    vouchers.jwt.of_another = true;
    let (signals, asked) = ask(&held, &request(&claims, &json!({"sessionId": "stated"})), &vouchers);
    let expected = ["principal  alice", "session  stated", "token i t", "resource doc 1", "resource doc 2"];
    assert_eq!(asked[..5], expected);
    let stated = Presented { session: Some("stated".into()), ..Presented::default() };
    assert_eq!(signals.presented, stated);
}

#[test]
fn what_is_no_name_hides_nothing_beside_it() {
    let held = Held { facts: vec![fact("a", 1)], ..Held::default() };
    let claims = json!({"sid": 4711, "groups": ["g1", "", 7, null, {"name": "g2"}, "g3"], "amr": ["pwd", 1]});
    let (signals, asked) = ask(&held, &request(&claims, &json!({"deviceId": 1.5})), &vouched());
    let expected =
        ["principal  alice", "session  4711", "resource doc 1", "resource doc 2", "group  7", "group  g1"];
    assert_eq!(asked[..6], expected);
    assert_eq!(asked[6], "group  g3");
    assert_eq!(signals.presented.session.as_deref(), Some("4711"));
    assert_eq!((signals.presented.device, signals.presented.methods), (None, None));
}

#[test]
fn call_that_presents_too_much_is_denied_and_nothing_of_it_is_looked_up() {
    let held = Held { facts: vec![fact("a", 1)], ..Held::default() };
    let groups = |count: usize| json!({"groups": (0..count).map(|i| format!("g{i}")).collect::<Vec<_>>()});
    let (signals, asked) = ask(&held, &request(&groups(PRESENTED), &json!({})), &vouched());
    assert_eq!((signals.too_many, asked.len()), (true, 0));
    let (signals, asked) = ask(&held, &request(&groups(4000), &json!({})), &vouched());
    assert_eq!((signals.too_many, asked.len()), (false, 4005));
}

#[test]
fn caller_that_is_bound_to_tenants_is_told_nothing_of_others() {
    let held = Held { facts: vec![fact("a", 1)], ..Held::default() };
    let bound = Request { tenants: Some(vec!["acme".into()]), ..request(&json!({}), &json!({})) };
    let (_, asked) = ask(&held, &bound, &Vouchers::default());
    let tenants: Vec<_> = asked.iter().filter(|entity| entity.starts_with("tenant")).collect();
    assert_eq!(tenants, ["tenant  acme"]);
}

#[test]
fn facts_come_newest_first_in_one_order_and_too_many_of_them_are_none() {
    let mut held = Held { facts: vec![fact("b", 5), fact("c", 9), fact("a", 5)], ..Held::default() };
    let request = request(&json!({}), &json!({}));
    for _ in 0..3 {
        held.facts.rotate_left(1);
        let (signals, _) = ask(&held, &request, &Vouchers::default());
        let names: Vec<_> = signals.facts.iter().map(|fact| &*fact.name).collect();
        assert_eq!(names, ["c", "a", "b"]);
    }
    held.facts = vec![fact("a", 1); SIGNALS + 1];
    let (signals, _) = ask(&held, &request, &Vouchers::default());
    assert!(signals.too_many && signals.facts.is_empty());
}

#[test]
fn nobody_is_asked_where_no_facts_are_held() {
    let held = Held::default();
    let (signals, asked) = ask(&held, &request(&json!({"sid": "s"}), &json!({})), &vouched());
    assert_eq!((signals, asked.len()), (Signals::default(), 0));
}
