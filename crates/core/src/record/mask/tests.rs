mod signals;

use std::borrow::Cow;
use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::*;
use crate::engine;
use crate::limits::{MASK_KINDS, MASK_PATH_BYTES, MASK_RULES};
use crate::model::{
    ActionDecision, AuxData, Effect, Evaluation, Item, OutputEntry, OutputValue, Principal, Problem,
    ProblemCode, Reason, Request, Resource, ResourceEvaluation, Signals, ValidatedPart, ValidationError,
};
use crate::record::{Basis, Call, CallRecord, Caller, EncodedBasis, Record, Voucher, Vouchers};
use crate::value::{Map, Value};

fn keys() -> MaskKeys {
    let key = |id: &str, byte| Some(MaskKey::new(id, [byte; MaskKey::LEN]));
    MaskKeys { hash: key("h", 1), pseudonym: key("p", 2) }
}

fn rule(path: &str, treatment: Treatment) -> MaskRule {
    MaskRule { path: path.to_owned(), treatment, kinds: Vec::new() }
}

fn masks(rules: &[(&str, Treatment)]) -> Masks {
    Masks::new(rules.iter().map(|(path, treatment)| rule(path, *treatment)).collect()).unwrap()
}

fn value(json: &Json) -> Value<'static> {
    serde_json::from_str::<Value<'_>>(&json.to_string()).unwrap().into_owned()
}

#[expect(clippy::needless_pass_by_value, reason = "it is written where it is used")]
fn map(json: Json) -> Map<'static> {
    match value(&json) {
        Value::Map(map) => map,
        other => panic!("a map, not {other:?}"),
    }
}

/// A call in which every text that could be personal begins with `secret`.
fn request() -> Request<'static> {
    let resource = |kind: &'static str, id: &'static str| Item {
        resource: Resource {
            kind: kind.into(),
            id: id.into(),
            attr: map(
                json!({"owner": "secret-owner", "tags": [{"name": "secret-tag"}, {"n": 1}], "public": true}),
            ),
            ..Resource::default()
        },
        actions: ["view".into()].into(),
    };
    Request {
        principal: Principal {
            id: "secret-alice".into(),
            roles: ["user".into()].into(),
            attr: map(
                json!({"email": "secret-mail", "a.b": "secret-dot", "address": {"city": "secret-city", "zip": 7}}),
            ),
            policy_version: "".into(),
            scope: "".into(),
        },
        items: [resource("album", "secret-a1"), resource("photo", "secret-p1")].into(),
        context: Some(map(json!({"place": "secret-place"}))),
        aux_data: AuxData {
            jwt: map(json!({"sub": "secret-sub", "iss": "i"})),
            jwts: map(json!({"first": {"sub": "secret-sub1"}})),
            ..AuxData::default()
        },
        tenants: None,
        signals: Signals::default(),
    }
}

fn evaluation() -> Evaluation {
    let problem = Problem {
        code: ProblemCode::ConditionError,
        source: "keep".into(),
        expression: "R.attr.x > 1".into(),
        position: "people/secret-alice.yaml:7:13".into(),
        message: "`secret-mail` is no number".into(),
    };
    let decision = ActionDecision {
        ground: None,
        effect: Effect::Allow,
        reason: Reason::AllowRule,
        own_policy: Some("principal.secret_alice.vdefault/acme".into()),
        matched_scope: None,
        rule: Some("viewers".into()),
        problems: vec![problem],
    };
    let output = |value| OutputEntry {
        src: "principal.secret_alice.vdefault/acme#note".into(),
        action: "view".to_owned(),
        value,
    };
    let decided = ResourceEvaluation {
        policy: "principal.secret_alice.vdefault".into(),
        actions: vec![decision],
        effective_derived_roles: Vec::new(),
        outputs: vec![
            output(OutputValue::Value(Value::String("for secret-alice".into()))),
            output(OutputValue::Error("no `secret-mail`".into())),
        ],
        validation_errors: vec![ValidationError {
            part: ValidatedPart::Principal,
            path: "/secret-key".into(),
            message: "`secret-mail` is too long".into(),
        }],
    };
    Evaluation { resources: vec![decided.clone(), decided] }
}

fn basis() -> Basis<'static> {
    Basis {
        standing: engine::Standing::default(),
        engine: "0.1.0".into(),
        policy_revision: "abc".into(),
        policy_generation: 3,
        on_error: "closed".into(),
        default_policy_version: "default".into(),
        default_scope: "".into(),
        lenient_scope_search: false,
        strict_evaluation: false,
        schema_enforcement: "none".into(),
        globals: Cow::default(),
        durability: "durable".into(),
    }
}

fn with_record<T>(
    request: &Request<'_>,
    evaluation: &Evaluation,
    use_it: impl FnOnce(&CallRecord<'_>) -> T,
) -> T {
    let caller = Caller {
        name: Some("secret-app".into()),
        method: Some("token".into()),
        issuer: Some("https://secret-issuer".into()),
        key: Some("secret-key".into()),
        tenants: Some(vec!["acme".into()]),
        address: Some("192.0.2.1:5".into()),
    };
    let call = Call {
        id: "c1".into(),
        request_id: Some("secret-r1".into()),
        api: "check".into(),
        caller,
        ..Call::default()
    };
    let basis = EncodedBasis::new(&basis());
    let vouchers =
        Vouchers { jwt: Voucher { key_set: Some("k".into()), ..Voucher::default() }, jwts: BTreeMap::new() };
    let at = "2026-11-22T01:02:03Z".parse().unwrap();
    use_it(&CallRecord { at, call: &call, basis: &basis, request, vouchers: &vouchers, evaluation })
}

/// The record by these rules: its text and its JSON.
fn masked(masks: &Masks) -> (String, Json) {
    let payload =
        with_record(&request(), &evaluation(), |record| record.encode_masked(masks, &keys())).unwrap();
    assert!(matches!(Record::decode(&payload), Ok(Record::Decision(_))), "it can be read");
    (String::from_utf8(payload.clone()).unwrap(), serde_json::from_slice(&payload).unwrap())
}

#[expect(clippy::needless_pass_by_value, reason = "it is written where it is used")]
fn digest(key: &MaskKey, json: Json) -> Json {
    key.digest(&value(&json)).into()
}

#[test]
fn record_without_anything_to_mask_keeps_every_byte() {
    let plain = with_record(&request(), &evaluation(), |record| record.encode().unwrap());
    let nothing_there =
        masks(&[("principal.attr.phone", Treatment::Hash), ("context.place.street", Treatment::Remove)]);
    let other_kind = MaskRule { kinds: vec!["invoice".into()], ..rule("principal.id", Treatment::Hash) };
    let other_kind = Masks::new(vec![other_kind]).unwrap();
    for masks in [Masks::default(), nothing_there, other_kind] {
        assert_eq!(masked(&masks).0.as_bytes(), plain);
    }
}

#[test]
fn every_place_is_masked_as_its_rule_says() {
    let MaskKeys { hash: Some(hash), pseudonym: Some(pseudonym) } = keys() else { panic!("both") };
    use Treatment::{Hash, Pseudonym, Remove};
    for (path, treatment, pointer, expected) in [
        ("principal.id", Hash, "/principal/id", digest(&hash, json!("secret-alice"))),
        ("principal.id", Remove, "/principal/id", json!("masked")),
        (
            "principal.attr.email",
            Pseudonym,
            "/principal/attr/email",
            digest(&pseudonym, json!("secret-mail")),
        ),
        ("principal.attr[\"a.b\"]", Hash, "/principal/attr/a.b", digest(&hash, json!("secret-dot"))),
        (
            "principal.attr.address",
            Hash,
            "/principal/attr/address",
            digest(&hash, json!({"city": "secret-city", "zip": 7})),
        ),
        ("principal.attr.address.*", Remove, "/principal/attr/address", json!({})),
        ("principal.attr.*", Remove, "/principal/attr", Json::Null),
        ("principal.attr", Remove, "/principal/attr", Json::Null),
        ("resource.id", Hash, "/resources/1/id", digest(&hash, json!("secret-p1"))),
        (
            "resource.attr.tags.*.name",
            Hash,
            "/resources/0/attr/tags/0/name",
            digest(&hash, json!("secret-tag")),
        ),
        ("resource.attr.tags.*", Remove, "/resources/0/attr/tags", json!([null, null])),
        ("context", Remove, "/context", json!({})),
        ("auxData.jwt.sub", Hash, "/auxData/jwt/claims/sub", digest(&hash, json!("secret-sub"))),
        ("auxData.jwts.*.sub", Hash, "/auxData/jwts/first/claims/sub", digest(&hash, json!("secret-sub1"))),
        ("call.caller", Remove, "/call/caller", json!({"method": "token", "tenants": ["acme"]})),
        ("call.caller.address", Hash, "/call/caller/address", digest(&hash, json!("192.0.2.1:5"))),
        ("call.requestId", Remove, "/call/requestId", Json::Null),
        ("outputs", Hash, "/results/0/decisions/0/outputs/0/value", digest(&hash, json!("for secret-alice"))),
        ("outputs", Remove, "/results/0/decisions/0/outputs/0/error", json!("masked")),
    ] {
        let (text, record) = masked(&masks(&[(path, treatment)]));
        assert_eq!(record.pointer(pointer).unwrap_or(&Json::Null), &expected, "{path}: {text}");
        assert_eq!(record["masked"], json!([path]), "{path}");
        let is_input = !path.starts_with("call.");
        assert_eq!(record["replay"] == "partial", is_input, "{path}");
    }
}

#[test]
fn nothing_masked_is_told_by_what_follows_from_it() {
    let everything = masks(&[
        ("principal.id", Treatment::Pseudonym),
        ("principal.attr.*", Treatment::Hash),
        ("resource.id", Treatment::Hash),
        ("resource.attr.*", Treatment::Hash),
        ("context.*", Treatment::Remove),
        ("auxData.jwt.sub", Treatment::Hash),
        ("auxData.jwts.*.*", Treatment::Hash),
        ("call.caller", Treatment::Hash),
        ("call.requestId", Treatment::Hash),
    ]);
    let (text, record) = masked(&everything);
    assert!(!text.contains("secret"), "{text}");
    let id = record["principal"]["id"].as_str().unwrap();
    assert_eq!(record["results"][0]["policy"], format!("principal.{id}"));
    assert_eq!(record["results"][0]["decisions"][0]["outputs"][0]["rule"], format!("principal.{id}#note"));
}

#[test]
fn what_follows_is_masked_only_where_it_could_tell_and_kept_where_it_may() {
    let of_albums = |path, treatment| MaskRule { kinds: vec!["album".into()], ..rule(path, treatment) };
    let masks = Masks::new(vec![of_albums("resource.attr.owner", Treatment::Hash)]).unwrap();
    let (_, record) = masked(&masks);
    assert_eq!(record["results"][0]["decisions"][0]["problems"][0]["message"], "masked");
    assert_eq!(record["results"][1]["decisions"][0]["problems"][0]["message"], "`secret-mail` is no number");
    assert_eq!(record["resources"][1]["attr"]["owner"], "secret-owner");

    let kept =
        Masks::new(vec![of_albums("resource.attr.owner", Treatment::Hash), rule("outputs", Treatment::Keep)]);
    let (_, record) = masked(&kept.unwrap());
    assert_eq!(record["results"][0]["decisions"][0]["outputs"][0]["value"], "for secret-alice");
    assert_eq!(record["results"][0]["decisions"][0]["outputs"][1]["error"], "masked");
    assert_eq!(record["masked"], json!(["resource.attr.owner"]));
}

#[test]
fn first_rule_wins_and_what_has_no_key_is_removed() {
    let rules = masks(&[("principal.attr.email", Treatment::Remove), ("principal.attr.*", Treatment::Hash)]);
    let (_, record) = masked(&rules);
    assert!(record["principal"]["attr"].get("email").is_none());
    assert!(record["principal"]["attr"]["address"].as_str().unwrap().starts_with("hmac:h:"));

    let masks = masks(&[("principal.id", Treatment::Pseudonym), ("context.place", Treatment::Hash)]);
    let encode = |record: &CallRecord<'_>| record.encode_masked(&masks, &MaskKeys::default());
    let payload = with_record(&request(), &evaluation(), encode).unwrap();
    let record: Json = serde_json::from_slice(&payload).unwrap();
    assert_eq!((&record["principal"]["id"], &record["context"]), (&json!("masked"), &json!({})));
}

#[test]
fn wrong_rules_are_refused_with_what_to_do() {
    let long = "a".repeat(MASK_PATH_BYTES + 1);
    for (path, part) in [
        ("", "must be names joined by dots"),
        ("principal", "is about nothing that a record has"),
        ("principal.roles", "is about nothing"),
        ("principal.id.x", "is about nothing"),
        ("resources.attr.x", "paths begin with `principal.id`"),
        ("principal.attr..x", "must be names"),
        ("principal.attr.a b", "[\"name\"]"),
        ("principal.attr[x]", "must be names"),
        ("principal.attr[\"x\"", "must be names"),
        ("*.id", "is about nothing"),
        (&long, "the limit is"),
        (&format!("context{}", ".*".repeat(40)), "40 steps"),
    ] {
        let errors = Masks::new(vec![rule(path, Treatment::Hash)]).unwrap_err();
        assert!(errors[0].to_string().contains(part), "{path}: {}", errors[0]);
    }
    let errors = Masks::new(vec![rule("principal.id", Treatment::Keep)]).unwrap_err();
    assert_eq!(errors[0].member, "do");
    let kinds = vec!["k".to_owned(); MASK_KINDS + 1];
    assert_eq!(
        Masks::new(vec![MaskRule { kinds, ..rule("outputs", Treatment::Hash) }]).unwrap_err()[0].member,
        "kinds"
    );
    assert!(Masks::new(vec![rule("outputs", Treatment::Hash); MASK_RULES + 1]).is_err());
}

fn tree() -> impl Strategy<Value = Value<'static>> {
    let leaf = prop_oneof![Just(Value::Null), "[ab]{1,2}".prop_map(|text| Value::String(text.into()))];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let members = prop::collection::btree_map("[ab*]", inner.clone(), 0..4);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::List),
            members.prop_map(|members| {
                let entries = members.into_iter().map(|(key, value)| (Cow::Owned(key), value)).collect();
                Value::Map(Map::from_entries(entries).unwrap())
            }),
        ]
    })
}

/// What a path leads to, said once more: removed from `value`.
fn removed(value: Value<'static>, steps: &[&str]) -> Option<Value<'static>> {
    let (step, rest) = steps.split_first()?;
    Some(match value {
        Value::List(items) if *step == "*" => {
            Value::List(items.into_iter().map(|item| removed(item, rest).unwrap_or(Value::Null)).collect())
        }
        Value::Map(map) => {
            let entries = map.into_entries().filter_map(|(key, value)| {
                let leads = *step == "*" || *step == key;
                Some((key, if leads { removed(value, rest)? } else { value }))
            });
            Value::Map(Map::from_entries(entries.collect()).unwrap())
        }
        other => other,
    })
}

proptest! {
    #[test]
    fn paths_lead_where_they_say(value in tree(), steps in prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just("*")], 1..4)) {
        let attr = Map::from_entries(vec![("x".into(), value.clone())]).unwrap();
        let path = format!("context.x.{}", steps.join("."));
        let mut request = request();
        request.context = Some(attr);
        let masks = masks(&[(&path, Treatment::Remove)]);
        let encode = |record: &CallRecord<'_>| record.encode_masked(&masks, &MaskKeys::default());
        let payload = with_record(&request, &evaluation(), encode).unwrap();
        let Ok(Record::Decision(record)) = Record::decode(&payload) else { panic!("a decision") };
        let context = record.context.unwrap();
        prop_assert_eq!(context.get("x").cloned(), removed(value, &steps));
    }
}

#[test]
fn what_is_made_of_claims_is_masked_with_them() {
    let mut request = request();
    let claims = json!({
        "sub": "u", "act": {"sub": "secret-bot"}, "org": {"dept": "secret-dept"}, "txn": "secret-txn", "note": "n",
    });
    request.aux_data.actor = crate::model::actor(&map(claims.clone()), 4).unwrap();
    request.aux_data.jwt = map(claims);
    request.principal.attr.insert("dept".into(), Value::String("secret-dept".into()));
    let attributes = BTreeMap::from([("dept".to_owned(), "org.dept".to_owned())]);
    let jwt = Voucher { attributes, ..Voucher::default() };
    let vouchers = Vouchers { jwt, ..Vouchers::default() };
    for (path, gone, kept) in [
        ("auxData.jwt.act.sub", "secret-bot", ["secret-dept", "secret-txn"]),
        ("auxData.jwt.act", "secret-bot", ["secret-dept", "secret-txn"]),
        ("auxData.jwt.org.*", "secret-dept", ["secret-bot", "secret-txn"]),
        ("auxData.jwt.txn", "secret-txn", ["secret-bot", "secret-dept"]),
    ] {
        for treatment in [Treatment::Remove, Treatment::Hash, Treatment::Pseudonym] {
            let text = with_record(&request, &evaluation(), |record| {
                let call = Call { txn: Some("secret-txn".into()), ..record.call.clone() };
                let record = CallRecord { call: &call, vouchers: &vouchers, ..*record };
                record.encode_masked(&masks(&[(path, treatment)]), &keys()).unwrap()
            });
            let text = String::from_utf8(text).unwrap();
            assert!(!text.contains(gone), "{path}: {text}");
            assert!(kept.iter().all(|kept| text.contains(kept)), "{path}: {text}");
        }
    }
    let places = [("actor.chain", "secret-chain"), ("call.txn", "secret-txn"), ("actor", "\"actor\":{\"")];
    for (path, gone) in places {
        let text = with_record(&request, &evaluation(), |record| {
            let call = Call { txn: Some("secret-txn".into()), ..record.call.clone() };
            let mut request = request.clone();
            request.aux_data.jwt.remove("txn");
            let record = CallRecord { call: &call, request: &request, ..*record };
            record.encode_masked(&masks(&[(path, Treatment::Remove)]), &keys()).unwrap()
        });
        let text = String::from_utf8(text).unwrap();
        assert!(!text.contains(gone), "{path}: {text}");
    }
}
