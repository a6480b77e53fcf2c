mod plain;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::engine;
use crate::model::{
    ActionDecision, AuxData, Effect, Evaluation, Item, OutputEntry, OutputValue, Principal, Problem,
    ProblemCode, Reason, Request, Resource, ResourceEvaluation, Timestamp, ValidatedPart, ValidationError,
};
use crate::value::{Map, Value};

#[test]
fn every_kind_of_the_list_can_be_read() {
    for kind in KINDS {
        let record = format!(r#"{{"v":1,"kind":"{kind}"}}"#);
        assert!(matches!(Record::decode(record.as_bytes()), Err(RecordError::Malformed(_))), "{kind}");
    }
}

#[test]
fn a_record_has_this_text() {
    let (request, evaluation) = (request(Map::default()), evaluation());
    let text = String::from_utf8(written(&request, &evaluation).unwrap()).unwrap();
    let expected = concat!(
        r#"{"v":1,"kind":"decision","at":"2026-11-22T01:02:03.000000004Z","#,
        r#""call":{"id":"c1","requestId":"r1","traceId":"4bf92f3577b34da6a3ce929d0e0e4736","api":"check","#,
        r#""caller":{"address":"127.0.0.1:5000"}},"#,
        r#""basis":{"engine":"0.1.0","policyRevision":"abc","policyGeneration":3,"onError":"closed","#,
        r#""durability":"durable"},"#,
        r#""principal":{"id":"alice","roles":["user","admin"]},"#,
        r#""resources":[{"kind":"album","id":"a1","attr":{"public":true},"scope":"acme"}],"#,
        r#""results":[{"policy":"resource.album.vdefault","derivedRoles":["owner"],"#,
        r#""decisions":[{"action":"view","effect":"EFFECT_ALLOW","reason":"allow_rule","rule":"viewers","#,
        r#""outputs":[{"rule":"resource.album.vdefault#viewers","value":null}]},"#,
        r#"{"action":"delete","effect":"EFFECT_DENY","reason":"deny_rule_undecided","rule":"keep","#,
        r#""outputs":[{"rule":"resource.album.vdefault#keep","error":"no such key"}],"#,
        r#""problems":[{"code":"condition_error","source":"keep","expression":"R.attr.x > 1","#,
        r#""position":"album.yaml:7:13","message":"no such key `x`"}]}]}]}"#,
    );
    assert_eq!(text, expected);
}

#[test]
fn every_setting_that_can_change_a_decision_is_recorded() {
    let (request, evaluation) = (request(Map::default()), evaluation());
    let mut record = record(&request, &evaluation);
    let plain = record.basis.clone();
    record.basis.default_policy_version = "v2".into();
    record.basis.default_scope = "acme".into();
    record.basis.lenient_scope_search = true;
    record.basis.strict_evaluation = true;
    record.basis.schema_enforcement = "reject".into();
    record.basis.globals = Cow::Owned(Map::from_entries(vec![("limit".into(), Value::Number(2.5))]).unwrap());
    let payload = plain::encoded(&record);
    let basis = EncodedBasis::new(&record.basis);
    assert_eq!(encoded_with(&basis, &request, &evaluation).unwrap(), payload);
    let settings = concat!(
        r#""defaultPolicyVersion":"v2","defaultScope":"acme","lenientScopeSearch":true,"#,
        r#""strictEvaluation":true,"schemaEnforcement":"reject","globals":{"limit":2.5},"durability":"durable""#,
    );
    let text = String::from_utf8(payload.clone()).unwrap();
    assert!(text.contains(settings), "{text}");
    let Ok(Record::Decision(decoded)) = Record::decode(&payload) else { panic!("a decision") };
    assert_eq!(decoded.basis, record.basis);

    let older = text.replace(settings, r#""durability":"durable""#);
    let Ok(Record::Decision(decoded)) = Record::decode(older.as_bytes()) else { panic!("a decision") };
    assert_eq!(decoded.basis, plain, "settings that a record does not name");
}

#[test]
fn sentences_say_who_what_and_why() {
    let (request, evaluation) = (request(Map::default()), evaluation());
    let record = record(&request, &evaluation);
    let sentences: Vec<String> = record.decisions().map(|decision| sentence(&record, &decision)).collect();
    let expected = [
        "principal `alice` attempted `view` on `album:a1` and was allowed because of policy \
         `resource.album.vdefault` rule `viewers`",
        "principal `alice` attempted `delete` on `album:a1` and was denied because policy \
         `resource.album.vdefault` rule `keep` could not be evaluated and counts as a denial",
    ];
    assert_eq!(sentences, expected);
}

#[test]
fn a_sentence_says_which_policy_does_not_exist() {
    let cases = [
        ("", "", "because no policy exists for kind `album`, version `default`"),
        ("v2", ".", "because no policy exists for kind `album`, version `v2`"),
        ("", "acme.hr", "because no policy exists for kind `album`, version `default`, scope `acme.hr`"),
    ];
    for (version, scope, end) in cases {
        let (mut request, mut evaluation) = (request(Map::default()), evaluation());
        request.items[0].resource.policy_version = version.into();
        request.items[0].resource.scope = scope.into();
        evaluation.resources[0].actions[0].reason = Reason::NoPolicy;
        let record = record(&request, &evaluation);
        let sentence = sentence(&record, &record.decisions().next().unwrap());
        assert!(sentence.ends_with(end), "{sentence}");
    }
}

#[test]
fn names_cannot_forge_lines_in_sentences() {
    let (mut request, evaluation) = (request(Map::default()), evaluation());
    request.principal.id = Cow::Borrowed("eve\nprincipal `root`\u{1b}[2J");
    let record = record(&request, &evaluation);
    assert!(!sentence(&record, &record.decisions().next().unwrap()).contains(['\n', '\u{1b}']));
}

#[test]
fn other_kinds_round_trip_and_say_what_happened() {
    let at: Timestamp = "2026-11-22T01:02:03Z".parse().unwrap();
    let set = |n: u64| PolicySet { revision: Cow::Borrowed("abc"), generation: n };
    let change = PolicyChange {
        at,
        cause: "poll".into(),
        caller: None,
        from: Some(set(1)),
        to: set(2),
        files: 7,
        forced: true,
    };
    let verdict = |effect, rule: Option<&str>| Verdict {
        effect,
        reason: "allow_rule".into(),
        policy: "resource.a.vdefault".into(),
        scope: "acme".into(),
        rule: rule.map(str::to_owned),
    };
    let difference = ShadowDifference {
        at,
        call: "c1".into(),
        live: set(3),
        candidate: "def".into(),
        changed: 1,
        differences: vec![DecisionDifference {
            decision: 2,
            differs: vec!["effect".into()],
            from: verdict(Effect::Allow, Some("viewers")),
            to: verdict(Effect::Deny, None),
        }],
    };
    let repair = LogRepair {
        at,
        cause: "torn_tail".into(),
        segment: "log-1.seg".into(),
        offset: 80,
        dropped_bytes: Some(12),
        gap: Some(Gap { since: at, refused: 3, lost: 0 }),
    };
    let key = PseudonymKey { at, event: "created".into(), key: "p20261101".into(), from: at, until: at };
    let retention = Retention {
        at,
        cause: "age".into(),
        segment: "log-1.seg".into(),
        first: 1,
        last: 9,
        records: 9,
        earliest: at,
        latest: at,
        hash_before: "00".into(),
        hash_after: "11".into(),
        bytes: 7,
    };
    let settings = vec![SettingRecord { key: "a.b".into(), value: "{}".into(), origin: "default".into() }];
    let configuration = Configuration { at, engine: "1".into(), settings };
    let records = [
        Record::PolicyChange(change),
        Record::Configuration(configuration),
        Record::LogRepair(repair),
        Record::Retention(retention),
        Record::ShadowDifference(difference),
        Record::PseudonymKey(key),
    ];
    let mut said = Vec::new();
    for record in records {
        let payload = record.encode().unwrap();
        assert_eq!(is_retention(&payload), matches!(record, Record::Retention(_)));
        let decoded = Record::decode(&payload).unwrap();
        assert_eq!(format!("{decoded:?}"), format!("{record:?}"));
        said.push(happening(&decoded).unwrap());
    }
    let expected = [
        "policy set abc of 7 files went live as generation 2 in place of abc, cause `poll`, without being held against \
         recorded calls",
        "the server started with engine `1` and 1 setting that can change a decision or its record",
        "at start the end of `log-1.seg` was no record and was cut at byte 80; 12 bytes were dropped; from \
         2026-11-22T01:02:03Z on 3 records were refused",
        "records 1 to 9 in `log-1.seg`, from 2026-11-22T01:02:03Z to 2026-11-22T01:02:03Z, were deleted because they \
         were older than configured",
        "candidate set def would make 1 decision of call `c1` otherwise: decision 2 was allowed by rule `viewers` of \
         `resource.a.vdefault` and would be denied with reason `allow_rule`",
        "the key `p20261101` of the pseudonyms from 2026-11-22T01:02:03Z until 2026-11-22T01:02:03Z was created",
    ];
    assert_eq!(said, expected);
}

#[test]
fn unknown_members_are_ignored_and_unknown_kinds_named() {
    let payload = br#"{"v":1,"kind":"log_repair","at":"2026-11-22T01:02:03Z","cause":"c","segment":"s","offset":1,"later":{}}"#;
    assert!(matches!(Record::decode(payload), Ok(Record::LogRepair(_))));
    let later = br#"{"v":1,"kind":"mandate_transition","at":"x"}"#;
    assert!(
        matches!(Record::decode(later), Err(RecordError::Unknown { kind, .. }) if kind == "mandate_transition")
    );
    for bad in [&b""[..], b"{}", b"[]", b"\xff", b"{\"v\":1,\"kind\":\"decision\"}"] {
        assert!(matches!(Record::decode(bad), Err(RecordError::Malformed(_))));
    }
}

#[test]
fn a_record_over_the_limit_is_refused() {
    let half = Value::String(Cow::Owned("x".repeat(RECORD_BYTES / 2)));
    let attr = Map::from_entries(vec![("a".into(), half.clone()), ("b".into(), half)]).unwrap();
    let (request, evaluation) = (request(attr), evaluation());
    assert!(matches!(written(&request, &evaluation), Err(RecordError::TooLarge)));
    assert!(matches!(encode("any", &record(&request, &evaluation)), Err(RecordError::TooLarge)));
}

#[test]
fn claims_stand_beside_who_vouched_for_them() {
    let (mut request, evaluation) = (request(Map::default()), evaluation());
    let claims = || Map::from_entries(vec![("sub".into(), Value::String("ada".into()))]).unwrap();
    request.aux_data.jwt = claims();
    request.aux_data.jwts.insert("agent".into(), Value::Map(claims()));
    let attributes = BTreeMap::from([("dept".to_owned(), "org.dept".to_owned())]);
    let voucher =
        Voucher { key_set: Some("issuer".into()), key: Some("k1".into()), attributes, of_another: false };
    let vouchers = Vouchers { jwts: BTreeMap::from([("agent".to_owned(), voucher)]), ..Vouchers::default() };
    request.aux_data.bound = true;
    request.aux_data.actor = Some(claims());
    let (at, call, basis) = origin();
    let encoded_basis = EncodedBasis::new(&basis);
    let written = CallRecord {
        at,
        call: &call,
        basis: &encoded_basis,
        request: &request,
        vouchers: &vouchers,
        evaluation: &evaluation,
    };
    let payload = written.encode().unwrap();
    let record = plain::record(origin(), &request, &vouchers, &evaluation);
    let text = std::str::from_utf8(&payload).unwrap();
    let expected = concat!(
        r#""auxData":{"jwt":{"claims":{"sub":"ada"}},"#,
        r#""jwts":{"agent":{"keySet":"issuer","key":"k1","attributes":{"dept":"org.dept"},"claims":{"sub":"ada"}}},"#,
        r#""bound":true},"actor":{"sub":"ada"},"resources""#
    );
    assert!(text.contains(expected), "{text}");
    let Record::Decision(decoded) = Record::decode(&payload).unwrap() else { panic!("a decision") };
    assert_eq!(*decoded, record);
    let claimed = decoded.aux_data.as_ref().unwrap();
    let again = AuxData { actor: request.aux_data.actor.clone(), ..claimed.claims() };
    assert_eq!((again, claimed.vouchers()), (request.aux_data.clone(), vouchers));
    assert_eq!(AuxDataInput::new(&AuxData::default(), &Vouchers::default()), None);
}

proptest! {
    #[test]
    fn records_are_written_as_their_plain_form_and_read_again_bit_for_bit(
        attr in any_map(), id in any::<String>(), texts in prop::collection::vec(any::<String>(), 8), rest in 0..64_u8,
    ) {
        let (mut request, mut evaluation) = (request(attr.clone()), evaluation());
        request.principal.id = Cow::Owned(id);
        request.context = (rest & 1 == 0).then(|| attr.clone());
        vary(&mut request, &mut evaluation, attr, &texts, rest);
        let plain = record(&request, &evaluation);
        let payload = written(&request, &evaluation).unwrap();
        prop_assert_eq!(String::from_utf8(payload.clone()), String::from_utf8(plain::encoded(&plain)));
        let Record::Decision(decoded) = Record::decode(&payload).unwrap() else { panic!("a decision") };
        prop_assert_eq!(&*decoded, &plain);
        prop_assert_eq!(Record::Decision(decoded).encode().unwrap(), payload);
    }
}

/// Puts what came by chance wherever a record may hold something.
fn vary(
    request: &mut Request<'_>,
    evaluation: &mut Evaluation,
    attr: Map<'static>,
    texts: &[String],
    rest: u8,
) {
    let text = |at: usize| texts[at].clone();
    request.principal.scope = text(0).into();
    request.items[0].resource.policy_version = text(1).into();
    let item = request.items[0].clone();
    request.items.push(item);
    let mut second = evaluation.resources[0].clone();
    second.actions[0].rule = (rest & 2 == 0).then(|| text(2).into());
    second.actions[0].matched_scope = Some(text(3).into());
    second.actions[1].own_policy = (rest & 8 == 0).then(|| text(3).into());
    second.outputs[0].value = OutputValue::Value(Value::Map(attr));
    if rest & 4 == 0 {
        let again = second.actions[1].problems[0].clone();
        second.actions[1].problems.push(again);
        second.actions[1].problems[0].message = text(4);
        second.effective_derived_roles.push(text(5).into());
        second.outputs.push(second.outputs[0].clone());
    } else {
        second.actions[1].problems.clear();
        second.effective_derived_roles.clear();
        second.outputs.clear();
    }
    let parts = [ValidatedPart::Principal, ValidatedPart::Resource];
    second.validation_errors =
        parts.map(|part| ValidationError { part, path: text(6), message: text(7) }).into();
    second.validation_errors.truncate(usize::from(rest >> 4));
    evaluation.resources.push(second);
}

fn any_map() -> impl Strategy<Value = Map<'static>> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(Value::Number),
        any::<i64>().prop_map(|n| Value::Number(n as f64)),
        any::<String>().prop_map(|s| Value::String(Cow::Owned(s))),
    ];
    let tree = leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::btree_map(any::<String>(), inner, 0..4).prop_map(|m| Value::Map(map_of(m))),
        ]
    });
    prop::collection::btree_map(any::<String>(), tree, 0..6).prop_map(map_of)
}

fn map_of(entries: BTreeMap<String, Value<'static>>) -> Map<'static> {
    Map::from_entries(entries.into_iter().map(|(k, v)| (Cow::Owned(k), v)).collect()).unwrap()
}

fn record<'a>(request: &'a Request<'_>, evaluation: &'a Evaluation) -> DecisionRecord<'a> {
    static NOBODY: LazyLock<Vouchers> = LazyLock::new(Vouchers::default);
    plain::record(origin(), request, &NOBODY, evaluation)
}

fn written(request: &Request<'_>, evaluation: &Evaluation) -> Result<Vec<u8>, RecordError> {
    encoded_with(&EncodedBasis::new(&origin().2), request, evaluation)
}

fn encoded_with(
    basis: &EncodedBasis,
    request: &Request<'_>,
    evaluation: &Evaluation,
) -> Result<Vec<u8>, RecordError> {
    let (at, call, _) = origin();
    CallRecord { at, call: &call, basis, request, vouchers: &Vouchers::default(), evaluation }.encode()
}

/// Everything about the call but what was asked and answered.
fn origin<'a>() -> (Timestamp, Call<'a>, Basis<'a>) {
    let caller = Caller { address: Some("127.0.0.1:5000".into()), ..Caller::default() };
    let call = Call {
        id: "c1".into(),
        request_id: Some("r1".into()),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
        api: "check".into(),
        caller,
        ..Call::default()
    };
    let basis = Basis {
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
    };
    ("2026-11-22T01:02:03.000000004Z".parse().unwrap(), call, basis)
}

fn request(attr: Map<'static>) -> Request<'static> {
    let principal = Principal {
        id: "alice".into(),
        roles: ["user".into(), "admin".into()].into(),
        attr,
        policy_version: "".into(),
        scope: "".into(),
    };
    let resource = Resource {
        kind: "album".into(),
        id: "a1".into(),
        attr: Map::from_entries(vec![("public".into(), Value::Bool(true))]).unwrap(),
        policy_version: "".into(),
        scope: "acme".into(),
    };
    let item = Item { resource, actions: ["view".into(), "delete".into()].into() };
    Request { principal, items: [item].into(), ..Request::default() }
}

fn evaluation() -> Evaluation {
    let allow = ActionDecision {
        ground: None,
        effect: Effect::Allow,
        reason: Reason::AllowRule,
        own_policy: None,
        matched_scope: None,
        rule: Some("viewers".into()),
        problems: Vec::new(),
    };
    let problem = Problem {
        code: ProblemCode::ConditionError,
        source: "keep".into(),
        expression: "R.attr.x > 1".into(),
        position: "album.yaml:7:13".into(),
        message: "no such key `x`".into(),
    };
    let deny = ActionDecision {
        ground: None,
        effect: Effect::Deny,
        reason: Reason::DenyRuleUndecided,
        own_policy: None,
        matched_scope: None,
        rule: Some("keep".into()),
        problems: vec![problem],
    };
    let output = |rule: &str, action: &str, value| OutputEntry {
        src: format!("resource.album.vdefault#{rule}").into(),
        action: action.to_owned(),
        value,
    };
    let outputs = vec![
        output("viewers", "view", OutputValue::Value(Value::Null)),
        output("keep", "delete", OutputValue::Error("no such key".into())),
    ];
    let result = ResourceEvaluation {
        policy: "resource.album.vdefault".into(),
        actions: vec![allow, deny],
        effective_derived_roles: vec!["owner".into()],
        outputs,
        validation_errors: Vec::new(),
    };
    Evaluation { resources: vec![result] }
}
