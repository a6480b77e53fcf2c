//! What the log holds, and what is asked of it.

use procura::http::RequestLimits;
use procura::http::cerbos::CheckCall;
use procura_core::engine::{Settings, decide};
use procura_core::expr::{self, Declarations, Typing};
use procura_core::model::Timestamp;
use procura_core::policy::{self, SourceFile};
use procura_core::query::{Condition, Facts};
use procura_core::record::{
    CallRecord, ChainHash, DecisionId, EncodedBasis, MaskKey, MaskKeys, MaskRule, Masks, Record, Treatment,
    Vouchers,
};
use procura_core::replay::RecordedCall;
use procura_core::value::Value;

/// A filter over the log.
///
/// Every filter is an expression of CEL, and what it says of a record is the opposite of what its negation says.
pub(crate) fn query(data: &[u8]) {
    const CALL: &str = include_str!("../known/record.json");
    let text = &*String::from_utf8_lossy(data);
    let Ok(condition) = Condition::parse(text) else { return };
    let declarations = Declarations { container: "", variables: &[], typing: Typing::Dynamic };
    let as_expression = expr::compile_with(text, &declarations);
    assert!(as_expression.is_ok(), "a filter that is no expression: {:?}", as_expression.err());
    let facts = Facts::decode(CALL.as_bytes()).expect("a record");
    let opposite = Condition::Not(Box::new(condition.clone()));
    for row in facts.rows() {
        assert_ne!(condition.holds(&row), opposite.holds(&row));
    }
    assert_eq!(condition.matches(&facts), facts.rows().any(|row| condition.holds(&row)));
    let outside = condition.earliest().is_some_and(|earliest| facts.at() < earliest)
        || condition.end().is_some_and(|end| facts.at() >= end);
    assert!(!outside || !condition.matches(&facts), "a record matches outside the time of the filter");
}

/// A record, as somebody may have put it into a segment.
///
/// What is read and written again stays the same, and those who read only a part of it read the same.
pub(crate) fn record(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(id) = DecisionId::parse(&text) {
        assert_eq!(id.to_string(), text);
    }
    if let Some(hash) = ChainHash::parse(&text) {
        assert_eq!(hash.to_string(), text);
    }
    let facts = Facts::decode(data);
    let Ok(record) = Record::decode(data) else { return };
    let facts = facts.expect("facts of a record that can be read");
    if let Ok(encoded) = record.encode() {
        let again = Record::decode(&encoded).expect("what was written");
        assert_eq!(format!("{again:?}"), format!("{record:?}"));
        assert_eq!(again.encode().expect("what was written"), encoded);
    }
    let Record::Decision(decision) = &record else { return };
    assert_eq!(facts.call_id(), Some(&*decision.call.id));
    assert_eq!(facts.at(), decision.at);
    let Ok(call) = RecordedCall::of(decision) else { return };
    let empty = policy::compile(&[]);
    let Some(snapshot) = empty.snapshot else { return };
    let _ = call.results(&snapshot);
}

/// A path of `audit.mask` with what to do there, and a call.
///
/// A masked record can be read, says by which path it is masked, and holds no text that stood only there.
pub(crate) fn mask(data: &[u8]) {
    const POLICY: &str = include_str!("../known/album.yaml");
    const CALL: &str = include_str!("../known/record.json");
    let Some((what, rest)) = data.split_first() else { return };
    let mut parts = rest.split(|byte| *byte == u8::MAX);
    let path = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let Some(treatment) = Treatment::ALL.get(usize::from(*what) % Treatment::ALL.len()).copied() else {
        return;
    };
    let kinds = if what & 0x80 == 0 { Vec::new() } else { vec!["album".to_owned()] };
    let Ok(masks) = Masks::new(vec![MaskRule { path: path.clone(), treatment, kinds: kinds.clone() }]) else {
        return;
    };
    let Ok(mut check) = CheckCall::parse(parts.next().unwrap_or_default(), &RequestLimits::default()) else {
        return;
    };

    let attr = &mut check.call.request.principal.attr;
    *attr = std::mem::take(attr).into_owned();
    attr.insert("canary".into(), Value::String(CANARY.into()));
    let files = [SourceFile { path: "album.yaml".into(), text: POLICY.into() }];
    let Some(snapshot) = policy::compile(&files).snapshot else { panic!("the policy compiles") };
    let (request, at) = (&check.call.request, Timestamp::UNIX_EPOCH);
    let evaluation = decide(&snapshot, request, &Settings::default(), at);
    let Ok(Record::Decision(known)) = Record::decode(CALL.as_bytes()) else { panic!("a record") };
    let (basis, vouchers) = (EncodedBasis::new(&known.basis), Vouchers::default());
    let record = CallRecord {
        at,
        call: &known.call,
        basis: &basis,
        request,
        vouchers: &vouchers,
        evaluation: &evaluation,
    };
    let key = |id: &str| Some(MaskKey::new(id, [7; MaskKey::LEN]));
    let keys = MaskKeys { hash: key("h"), pseudonym: key("p") };
    let (Ok(plain), Ok(masked)) = (record.encode(), record.encode_masked(&masks, &keys)) else { return };
    let Ok(Record::Decision(decision)) = Record::decode(&masked) else {
        panic!("a masked record cannot be read")
    };
    assert!(decision.masked.is_empty() == (plain == masked), "masked, and does not say so");
    assert!(decision.masked.iter().all(|by| *by == path));
    let is_about_all =
        ["principal.attr", "principal.attr.*", "principal.attr.canary"].contains(&path.as_str());
    if is_about_all && kinds.is_empty() {
        assert!(!contains(&masked, CANARY.as_bytes()), "what is masked stands in the record");
    }
}

/// A text that no input holds but by design.
const CANARY: &str = "canary-0b5e7a41";

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
