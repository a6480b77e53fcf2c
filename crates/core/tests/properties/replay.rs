//! Recorded calls decided again: with the same policies nothing changes, with one changed rule exactly that rule.

use procura_core::engine::{OnError, Settings};
use procura_core::model::{Item, Principal, Request, Resource, Timestamp};
use procura_core::policy::{Snapshot, SourceFile, compile};
use procura_core::record::DecisionRecord;
use procura_core::replay::{DecidedBy, Recorded, RecordedCall, Report, Weight};
use procura_core::value::Map;
use procura_samples::engine::{Engine, recorded};
use procura_samples::generate::{self, Size};
use procura_samples::model::Ask;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn random_calls_decided_again_come_to_the_same_bit_for_bit(
        seed: u64,
        at in -2_000_000_000_i64..4_000_000_000,
        tenants in prop::option::of(prop::sample::subsequence(vec!["t", "s0", "s1"], 0..3)),
    ) {
        let store = generate::store(seed, Size { sets: 2, asks: 6 });
        let at = Timestamp::from_second(at).unwrap();
        for on_error in [OnError::Closed, OnError::Cerbos] {
            let engine = Engine::load(&store, on_error).unwrap();
            for (seq, ask) in (1..).zip(store.sets.iter().flat_map(|set| &set.asks)) {
                let bound = tenants.as_ref().map(|tenants| tenants.iter().map(ToString::to_string).collect());
                let payload = engine.recorded(&Ask { tenants: bound, ..ask.clone() }, at);
                let report = replayed(seq, &payload, engine.snapshot());
                prop_assert_eq!(report.changed_decisions(), 0, "{:?}", report);
                prop_assert_eq!(report.calls, 1);
            }
        }
    }

    #[test]
    fn hostile_records_are_decided_or_refused_and_never_panic(seed: u64, at: prop::sample::Index, byte: u8) {
        let store = generate::store(seed, Size { sets: 1, asks: 3 });
        let engine = Engine::load(&store, OnError::Closed).unwrap();
        for ask in &store.sets[0].asks {
            let mut payload = engine.recorded(ask, Timestamp::UNIX_EPOCH);
            let at = at.index(payload.len());
            payload[at] = byte;
            replayed(1, &payload, engine.snapshot());
            payload.remove(at);
            replayed(1, &payload, engine.snapshot());
        }
    }
}

#[test]
fn records_that_no_server_writes_are_decided_or_refused_and_never_panic() {
    let snapshot = snapshot(POLICY);
    let whole = String::from_utf8(record(&snapshot, "view", 1.0)).unwrap();
    let long_scope = format!("\"scope\":\"{}a\"", "a.".repeat(100_000));
    for (what, by, calls, refused) in [
        ("\"resources\":[", "\"resources\":[{\"kind\":\"\",\"id\":\"\"},", 0, 1),
        ("\"results\":[{", "\"results\":[],\"x\":[{", 0, 1),
        ("\"onError\":\"closed\"", "\"onError\":\"open\"", 0, 1),
        ("\"roles\":[\"user\"]", "\"roles\":[]", 1, 0),
        ("\"kind\":\"album\"", "\"kind\":\"\"", 1, 0),
        ("\"action\":\"view\"", "\"action\":\"\"", 1, 0),
        ("\"id\":\"a1\"", &format!("\"id\":\"a1\",{long_scope}"), 1, 0),
        (
            "\"decisions\":[",
            "\"decisions\":[{\"action\":\"view\",\"effect\":\"EFFECT_DENY\",\"reason\":\"\"},",
            1,
            0,
        ),
    ] {
        let hostile = whole.replace(what, by);
        assert_ne!(hostile, whole, "{what}");
        let report = replayed(1, hostile.as_bytes(), &snapshot);
        assert_eq!((report.calls, report.unreplayable), (calls, refused), "{what}: {report:?}");
    }
}

#[test]
fn set_with_one_changed_rule_changes_exactly_the_decisions_of_that_rule() {
    let before = snapshot(POLICY);
    for (what, by, action, rule, differs) in [
        (
            "[view]\n      roles: [user]\n      effect: EFFECT_ALLOW",
            "[view]\n      roles: [user]\n      effect: EFFECT_DENY",
            "view",
            "viewers",
            "effect reason",
        ),
        ("roles: [user] # editors", "roles: [nobody]", "edit", "editors", "effect reason rule"),
        ("R.attr.size > 5", "R.attr.size > 0", "delete", "keep", "effect reason rule"),
        ("'shared by ' + P.id", "'shown by ' + P.id", "share", "sharers", "outputs"),
        ("name: printers", "name: plotters", "print", "printers", "rule"),
    ] {
        let text = POLICY.replace(what, by);
        assert_ne!(text, POLICY, "{what}");
        let after = snapshot(&text);
        let mut report = Report::default();
        for (seq, action) in (1..).zip(["view", "edit", "delete", "share", "print", "fly"]) {
            report.join(replayed(seq, &record(&before, action, 1.0), &after));
        }
        assert_eq!((report.calls, report.changed_decisions()), (6, 1), "{by}: {report:?}");
        let ranked = report.ranked();
        let (_, from, to, aspects, group) = ranked[0];
        let rules = [from, to].map(|verdict| verdict.rule.as_deref().unwrap_or_default());
        assert!(rules.contains(&rule), "{by}: {rules:?}");
        let aspects: Vec<_> = aspects.iter().map(|aspect| aspect.as_str()).collect();
        assert_eq!(aspects.join(" "), differs, "{by}");
        assert!(group.examples[0].before.contains(&format!("attempted `{action}`")), "{group:?}");
    }
}

#[test]
fn masked_calls_are_decided_only_by_the_set_that_read_nothing_of_what_is_masked() {
    let whole = String::from_utf8(record(&snapshot(POLICY), "view", 1.0)).unwrap();
    for (members, own, other) in [
        ("", false, false),
        (",\"masked\":[\"call.caller\",\"call.requestId\"]", false, false),
        (",\"masked\":[\"call.caller\",\"resource.attr.iban\"]", false, true),
        (",\"replay\":\"partial\",\"masked\":[\"resource.attr.size\"]", true, true),
    ] {
        let payload = format!("{}{members}}}", whole.strip_suffix('}').unwrap());
        for (by, partial) in [(DecidedBy::ItsOwnSet, own), (DecidedBy::AnotherSet, other)] {
            let read = Recorded::read(payload.as_bytes(), by);
            assert_eq!(matches!(read, Recorded::Partial), partial, "{members} {by:?}: {read:?}");
        }
    }
}

#[test]
fn outputs_are_compared_bit_by_bit() {
    let snapshot = snapshot(POLICY);
    let payload = String::from_utf8(record(&snapshot, "weigh", -0.0)).unwrap();
    assert!(payload.contains("\"value\":-0.0"), "{payload}");
    assert_eq!(replayed(1, payload.as_bytes(), &snapshot).changed_decisions(), 0);
    let other = payload.replace("\"value\":-0.0", "\"value\":0.0");
    assert_eq!(replayed(1, other.as_bytes(), &snapshot).changed.get(&Weight::Answer), Some(&1));
}

const POLICY: &str = "apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: album
  version: default
  rules:
    - name: viewers
      actions: [view]
      roles: [user]
      effect: EFFECT_ALLOW
    - name: editors
      actions: [edit]
      roles: [user] # editors
      effect: EFFECT_ALLOW
    - name: keep
      actions: [delete]
      roles: ['*']
      effect: EFFECT_DENY
      condition: {match: {expr: 'R.attr.size > 5'}}
    - name: remove
      actions: [delete]
      roles: [user]
      effect: EFFECT_ALLOW
    - name: sharers
      actions: [share]
      roles: [user]
      effect: EFFECT_ALLOW
      output: {when: {ruleActivated: \"'shared by ' + P.id\"}}
    - name: printers
      actions: [print]
      roles: [user]
      effect: EFFECT_ALLOW
    - name: weighers
      actions: [weigh]
      roles: [user]
      effect: EFFECT_ALLOW
      output: {when: {ruleActivated: 'R.attr.size'}}
";

fn snapshot(text: &str) -> Snapshot {
    let file = SourceFile { path: "album.yaml".into(), text: text.into() };
    let compiled = compile(&[file]);
    compiled.snapshot.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
}

fn record(snapshot: &Snapshot, action: &str, size: f64) -> Vec<u8> {
    let size = vec![("size".into(), procura_core::value::Value::Number(size))];
    let principal = Principal {
        id: "ada".into(),
        roles: ["user".into()].into(),
        attr: Map::default(),
        policy_version: "".into(),
        scope: "".into(),
    };
    let resource = Resource {
        kind: "album".into(),
        id: "a1".into(),
        attr: Map::from_entries(size).unwrap(),
        ..Resource::default()
    };
    let item = Item { resource, actions: [action.into()].into() };
    let request = Request { principal, items: [item].into(), ..Request::default() };
    recorded(snapshot, &Settings::default(), &request, Timestamp::UNIX_EPOCH)
}

/// What comes of replaying one record with `snapshot`.
fn replayed(seq: u64, payload: &[u8], snapshot: &Snapshot) -> Report {
    let mut report = Report::default();
    match Recorded::read(payload, DecidedBy::ItsOwnSet) {
        Recorded::Call(record) => decided_again(&mut report, seq, &record, snapshot),
        Recorded::Unreadable(why) => report.add_unreadable(seq, why),
        Recorded::Partial | Recorded::Other => {}
    }
    report
}

fn decided_again(report: &mut Report, seq: u64, record: &DecisionRecord<'_>, snapshot: &Snapshot) {
    match RecordedCall::of(record) {
        Ok(call) => {
            report.add(seq, record, (&record.results, &call.results(snapshot)), Weight::Reason);
        }
        Err(why) => report.add_unreplayable(seq, &why),
    }
}
