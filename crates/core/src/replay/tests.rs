use super::*;

#[test]
fn damaged_records_are_told_from_other_kinds() {
    for (payload, expected) in [
        (r#"{"v":1,"kind":"later_kind","at":"x"}"#, Recorded::Other),
        (r#"{"v":1,"kind":"decision"}"#, Recorded::Unreadable("malformed record".into())),
        ("", Recorded::Unreadable("malformed record".into())),
        ("\u{0}", Recorded::Unreadable("malformed record".into())),
    ] {
        assert_eq!(Recorded::read(payload.as_bytes(), DecidedBy::ItsOwnSet), expected, "{payload}");
    }
    let deep = format!("{{\"v\":1,\"kind\":\"decision\",\"context\":{}", "[".repeat(1_000_000));
    assert!(matches!(Recorded::read(deep.as_bytes(), DecidedBy::ItsOwnSet), Recorded::Unreadable(_)));
}

#[test]
fn reports_of_parts_join_to_the_report_of_the_whole() {
    let example = |seq| Example { seq, decision: format!("c{seq}/1"), before: "b".into(), after: "a".into() };
    let of = |calls: &[u64]| {
        let mut report = Report::default();
        for seq in calls {
            let mut one = Report { calls: 1, decisions: 2, changed_calls: 1, ..Report::default() };
            one.changed.insert(Weight::Effect, 1);
            one.add_missing("r");
            one.add_unreplayable(*seq, &Unreplayable::Incomplete { resources: 1, results: 2 });
            let verdict = || crate::record::Verdict {
                effect: crate::model::Effect::Allow,
                reason: "allow_rule".into(),
                policy: "p".into(),
                scope: String::new(),
                rule: None,
            };
            let group = Group { count: 1, examples: vec![example(*seq)] };
            one.groups.insert((verdict(), verdict(), vec![Aspect::Outputs]), group);
            report.join(one);
        }
        report
    };
    let whole = of(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let mut parts = of(&[7, 2, 5]);
    parts.join(of(&[8, 6]));
    parts.join(of(&[1, 4, 3]));
    assert_eq!(parts, whole);
    let (.., group) = whole.ranked()[0];
    assert_eq!(group.examples, [example(1), example(2), example(3)]);
    assert_eq!(whole.first_unreplayable.as_ref().map(|(seq, _)| *seq), Some(1));
}
