use proptest::prelude::*;

use super::*;

fn facts(payload: &str) -> Facts<'_> {
    Facts::decode(payload.as_bytes()).unwrap()
}

const CALL: &str = r#"{"v":1,"kind":"decision","at":"2026-11-22T10:00:00.5Z",
"call":{"id":"c","requestId":"r-1","api":"check_resources","caller":{"address":"[::1]:4711"}},
"basis":{"engine":"1","policyRevision":"abc","policyGeneration":1,"onError":"closed","durability":"durable"},
"principal":{"id":"al\"ice","roles":["user","admin"],"attr":{"kind":"x"}},
"presented":{"session":"s1"},"signals":[{"type":"risk","subject":{"session":"s1"}},{"type":"posture"}],
"resources":[{"kind":"album","id":"a1"},{"kind":"photo","id":"p1"}],
"results":[{"policy":"resource.album.vdefault","derivedRoles":["owner"],"decisions":[
{"action":"view","effect":"EFFECT_ALLOW","reason":"allow_rule","rule":"r1"},
{"action":"delete","effect":"EFFECT_DENY","reason":"deny_rule","rule":"r2","policy":"role.x","scope":"acme",
"problems":[{"code":"condition_error","source":"","expression":"","position":"","message":""}]}]},
{"policy":"NO_MATCH","decisions":[{"action":"view","effect":"EFFECT_DENY","reason":"no_policy"}]}]}"#;

const CHANGE: &str = r#"{"v":1,"kind":"policy_change","at":"2026-11-22T10:00:00Z","cause":"admin",
"caller":{"address":"10.0.0.1:9"},"to":{"revision":"abc","generation":2},"files":3}"#;

const STRANGE: &str = r#"{"v":1,"kind":"later","at":"2026-11-22T10:00:00Z","principal":["no","object"]}"#;

#[test]
fn filters_are_about_one_and_the_same_decision() {
    for (filter, call, change) in [
        (r#"principal == "al\"ice""#, true, false),
        ("principal == 'al\"ice' && action == 'delete'", true, false),
        (r#"action == "view" && effect == "deny" && resourceKind == "album""#, false, false),
        (r#"action == "view" && effect == "EFFECT_DENY""#, true, false),
        (r#"role == "admin" && role == "user""#, true, false),
        (r#"role != "admin""#, false, true),
        (r#"derivedRole == "owner" && resourceId == "p1""#, false, false),
        (r#"derivedRole in ["owner", "x"] && rule == "r1""#, true, false),
        ("derivedRole in []", false, false),
        (r#"policy == "role.x" && scope == "acme" && problem == "condition_error""#, true, false),
        (r#"policy.startsWith("resource.album.") && scope == """#, true, false),
        (r#"policy.startsWith("resource.album.") && action == "delete""#, false, false),
        (r#"!(reason == "no_policy" || reason == "deny_rule")"#, true, true),
        (r#"caller == "::1""#, true, false),
        (r#"caller == "10.0.0.1" && policyRevision == "abc""#, false, true),
        (r#"kind == "policy_change""#, false, true),
        (r#"api == "check_resources" && requestId.startsWith("r-")"#, true, false),
        (r#"rule == "" && kind == "decision""#, true, false),
        (r#"session == "s1" && device == """#, true, false),
        (r#"signal == "risk" && signal == "posture" && action == "view""#, true, false),
        (r#"signal != "risk""#, false, true),
        (r#"at >= "2026-11-22" && at < "2026-11-22T10:00:00.5Z""#, false, true),
        (r#"at > "2026-11-22T10:00:00Z""#, true, false),
        (r#"at <= "2026-11-22T10:00:00.5Z""#, true, true),
    ] {
        let condition = Condition::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
        assert_eq!(condition.matches(&facts(CALL)), call, "{filter}");
        assert_eq!(condition.matches(&facts(CHANGE)), change, "{filter}");
    }
}

#[test]
fn records_of_unknown_form_have_kind_and_instant() {
    let later = facts(STRANGE);
    assert!(Condition::parse("kind == 'later' && principal == ''").unwrap().matches(&later));
    assert!(Facts::decode(b"{}").is_err());
}

#[test]
fn what_is_wrong_with_a_filter_is_said_with_its_place() {
    let deep = "(".repeat(40);
    let long = vec!["role == 'x'"; 129].join("||");
    let huge = format!("role == '{}'", "x".repeat(9000));
    for (filter, expected) in [
        ("", "at character 1: expected a field"),
        ("who == 'x'", "at character 1: expected a field"),
        ("role = 'x'", "at character 6: expected `==`, `!=`, `in` or `.startsWith(` after `role`"),
        ("role == x", "at character 9: expected a text in quotes"),
        ("rôle == 'x'", "at character 1: expected a field"),
        ("role == 'ü' role", "at character 13: expected `&&`"),
        ("role == 'x", "at character 9: the text has no closing quote"),
        ("role == 'x\ny'", "at character 9: the text has no closing quote"),
        ("role ==\u{a0}'x'", "at character 8: expected a text in quotes"),
        (r"role == '\q'", "at character 12: after `\\`"),
        ("effect == 'maybe'", "at character 11: expected the effect"),
        ("at == '2026-01-01'", "at character 4: expected `>=`"),
        ("at >= 'noon'", "at character 7: expected an instant"),
        ("(role == 'x'", "at character 13: expected `)`"),
        ("role in ['a' 'b']", "at character 14: expected `,`"),
        (&deep, "at character 33: the filter is nested deeper than 32"),
        (&long, "the filter has more than 128 comparisons"),
        (&huge, "the filter is longer than 8192 bytes"),
    ] {
        let error = Condition::parse(filter).unwrap_err().to_string();
        assert!(error.contains(expected), "{filter}: {error}");
    }
}

#[test]
fn window_in_time_is_what_every_match_lies_in() {
    let condition =
        Condition::parse("role == 'x' && (at >= '2026-01-02' && at < '2026-01-05') && at >= '2026-01-03'");
    let condition = condition.unwrap();
    assert_eq!(condition.earliest().unwrap().to_string(), "2026-01-03T00:00:00Z");
    assert_eq!(condition.end().unwrap().to_string(), "2026-01-05T00:00:00Z");
    assert_eq!(Condition::parse("role == 'x' || at >= '2026-01-02'").unwrap().earliest(), None);
}

proptest! {
    #[test]
    fn no_text_makes_the_filter_parser_panic(text in "[a-zA-Z\"'()!&|=<>. \\\\ü,\\[\\]]{0,60}") {
        let _ = Condition::parse(&text);
    }
}
