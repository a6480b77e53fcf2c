use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::*;

/// Pieces of text that readers trip over, and parts of bodies that are right and not usual.
const PIECES: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    ",",
    ":",
    " ",
    "null",
    "true",
    "-0",
    "1e3",
    "1E999",
    "0.1e-7",
    "00",
    "1.",
    "\\u0000",
    "\\ud800",
    "\\/",
    "\u{1}",
    "\u{feff}",
    "\"scope\":\"\",",
    "\"policy_version\":\"1\",",
    "\"auxData\":{},",
];

/// What both readers make of `body`; the direct one says nothing where it gives up.
fn both(body: &[u8], limits: &RequestLimits) -> (Option<String>, Result<String, String>) {
    let direct = parse(body, limits).map(|check| format!("{check:?}"));
    let any = CheckCall::parse_any(body, limits);
    (direct, any.map(|check| format!("{check:?}")).map_err(|invalid| invalid.to_string()))
}

fn quoted() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-zA-Z0-9_ ./:@äö😀-]{0,20}",
        1 => r#"([a-z]|\\["\\/bfnrt]|\\u00[0-9a-fA-F]{2}|\\u20ac|\\ud83d\\ude00){0,9}"#,
    ]
    .prop_map(|text| format!("\"{text}\""))
}

fn object(members: Vec<(String, String)>, space: &str) -> String {
    let member = |(name, value)| format!("{space}\"{name}\"{space}:{space}{value}");
    format!("{{{}{space}}}", members.into_iter().map(member).collect::<Vec<_>>().join(","))
}

fn list(entries: &[String]) -> String {
    format!("[{}]", entries.join(", "))
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        select(vec!["null", "true", "false", "0", "-0", "-0.0"]).prop_map(str::to_owned),
        "-?(0|[1-9][0-9]{0,17})",
        r"-?(0|[1-9][0-9]{0,7})\.[0-9]{1,7}",
        quoted(),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|entries| list(&entries)),
            attributes(inner),
        ]
    })
}

fn attributes(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let members = prop::collection::btree_map("[a-e]{1,2}", value, 0..5);
    members
        .prop_map(|members| members.into_iter().collect::<Vec<_>>())
        .prop_shuffle()
        .prop_map(|m| object(m, ""))
}

/// Some of `members`, always those that end with `!`, in any order.
fn some_of(members: Vec<(&'static str, BoxedStrategy<String>)>) -> impl Strategy<Value = String> {
    let member = |(name, value): (&'static str, BoxedStrategy<String>)| {
        let required = name.ends_with('!');
        let value = value.prop_map(move |value| (name.trim_end_matches('!').to_owned(), value));
        if required { value.prop_map(Some).boxed() } else { prop::option::of(value).boxed() }
    };
    let chosen = members.into_iter().map(member).collect::<Vec<_>>();
    let chosen = chosen.prop_map(|members| members.into_iter().flatten().collect::<Vec<_>>());
    (chosen.prop_shuffle(), select(vec!["", "", " ", "\n\t\r "]))
        .prop_map(|(members, space)| object(members, space))
}

fn usual() -> impl Strategy<Value = String> {
    let name = || "[a-z]{1,9}( ü|\\\\u00fc)?".prop_map(|name| format!("\"{name}\"")).boxed();
    let names = || {
        let names = prop::collection::btree_set("[a-z:]{1,7}", 1..6);
        names
            .prop_map(|names| list(&names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>()))
            .boxed()
    };
    let version = || select(vec!["\"\"", "\"default\"", "\"v_1\""]).prop_map(str::to_owned).boxed();
    let scope = || select(vec!["\"\"", "\".\"", "\"acme.hr-1\""]).prop_map(str::to_owned).boxed();
    let attr = || attributes(value()).boxed();
    let principal = || {
        let members = vec![
            ("id!", name()),
            ("roles!", names()),
            ("attr", attr()),
            ("policyVersion", version()),
            ("scope", scope()),
        ];
        some_of(members).boxed()
    };
    let resource = || {
        let members = vec![
            ("id!", name()),
            ("kind!", name()),
            ("attr", attr()),
            ("policyVersion", version()),
            ("scope", scope()),
        ];
        some_of(members).boxed()
    };
    let item = some_of(vec![("actions!", names()), ("resource!", resource())]);
    let items = prop::collection::vec(item, 1..4).prop_map(|items| list(&items)).boxed();
    let flag = select(vec!["true", "false"]).prop_map(str::to_owned).boxed();
    some_of(vec![
        ("requestId", quoted().boxed()),
        ("includeMeta", flag),
        ("principal!", principal()),
        ("resources!", items),
        ("context", attr()),
    ])
}

/// `body` with a few bytes removed at one place, and a piece of chance or of itself put there or elsewhere.
fn mutated(mut body: Vec<u8>, mutations: Vec<(Index, usize, Index, &str, bool)>) -> Vec<u8> {
    for (at, length, from, piece, copy) in mutations {
        if body.is_empty() {
            break;
        }
        let (at, from) = (at.index(body.len()), from.index(body.len()));
        let source = if copy { body[from..(from + length).min(body.len())].to_vec() } else { piece.into() };
        let cut = if copy { 0 } else { length / 4 };
        body.splice(at..(at + cut).min(body.len()), source);
    }
    body
}

fn mutations() -> impl Strategy<Value = Vec<(Index, usize, Index, &'static str, bool)>> {
    let mutation = (any::<Index>(), 0..12_usize, any::<Index>(), select(PIECES.to_vec()), any::<bool>());
    prop::collection::vec(mutation, 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn usual_body_is_read_directly_and_as_serde_reads_it(body in usual()) {
        let (direct, any) = both(body.as_bytes(), &RequestLimits::default());
        prop_assert_eq!(direct, Some(any.unwrap()), "{}", body);
    }

    #[test]
    fn whatever_is_read_directly_serde_reads_the_same(body in usual(), mutations in mutations()) {
        let body = mutated(body.into_bytes(), mutations);
        let (direct, any) = both(&body, &RequestLimits::default());
        if let Some(direct) = direct {
            prop_assert_eq!(Ok(direct), any, "{}", String::from_utf8_lossy(&body));
        }
    }

    #[test]
    fn no_limit_is_passed_by_the_direct_way(body in usual(), most in 1..4_usize, bytes in 3..8_usize) {
        let limits = RequestLimits {
            max_actions_per_resource: most,
            max_resources_per_request: most.min(2),
            max_roles: most,
            max_string_bytes: bytes,
            ..RequestLimits::default()
        };
        let (direct, any) = both(body.as_bytes(), &limits);
        prop_assert_eq!(direct, any.ok(), "{}", body);
    }

    #[test]
    fn number_is_the_one_that_serde_reads(number in r"-?[0-9]{1,20}(\.[0-9]{1,20})?") {
        let attr = format!(r#""attr": {{"n": {number}}}"#);
        let body = format!(r#"{{"principal": {{"id": "a", "roles": ["r"], {attr}}}, "resources": [
            {{"actions": ["a"], "resource": {{"kind": "k", "id": "i"}}}}]}}"#);
        let (direct, any) = both(body.as_bytes(), &RequestLimits::default());
        if let Some(direct) = direct {
            prop_assert_eq!(Ok(direct), any);
        } else {
            let digits = number.bytes().filter(u8::is_ascii_digit).count();
            prop_assert!(digits > 15 || any.is_err(), "an ordinary number");
        }
    }
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| {
        let attr = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        format!(
            r#"{{"principal":{{"id":"a","roles":["r"],"attr":{attr}}},"resources":[
            {{"actions":["a"],"resource":{{"kind":"k","id":"i"}}}}]}}"#
        )
    };
    let limits = RequestLimits::default();
    for (depth, fits) in [(1, true), (32, true), (33, false), (10_000, false)] {
        let (direct, any) = both(nested(depth).as_bytes(), &limits);
        assert_eq!((direct.is_some(), any.is_ok()), (fits, fits), "{depth}");
    }
}

#[test]
fn what_is_not_usual_is_left_to_serde() {
    let usual = r#"{"requestId":"1","includeMeta":true,"principal":{"id":"a","roles":["r","s"],"attr":{"x":1,"y":[]}},
        "resources":[{"actions":["v","w"],"resource":{"kind":"k","id":"i","scope":"s","policyVersion":"1"}}]}"#;
    let limits = RequestLimits::default();
    assert!(parse(usual.as_bytes(), &limits).is_some());
    let cases = [
        (r#"["r","s"]"#, r#"["r","r"]"#),
        (r#"["v","w"]"#, r#"["v","v"]"#),
        (r#"["v","w"]"#, r#"["v",""]"#),
        (r#"["v","w"]"#, "[]"),
        (r#"["v","w"]"#, r#"["v","w",]"#),
        (r#""requestId":"1""#, r#""requestId":"1","requestId":"1""#),
        (r#""requestId":"1""#, r#""request_id":"1""#),
        (r#""requestId":"1""#, r#""requestId":null"#),
        (r#""requestId":"1""#, r#""requestId":"1","auxData":{}"#),
        (r#""includeMeta":true"#, r#""includeMeta":1"#),
        (r#""id":"a""#, r#""id":"a","id":"a""#),
        (r#""id":"a""#, r#""id":"""#),
        (r#""id":"a""#, r#""\u0069d":"a""#),
        (r#""id":"a""#, r#""id""id":"a""#),
        (r#""id":"a","#, ""),
        (r#""id":"i""#, r#""id":"i","attr":{},"attr":{}"#),
        (r#""kind":"k""#, r#""kind":"k","more":1"#),
        (r#""scope":"s""#, r#""scope":"s.""#),
        (r#""policyVersion":"1""#, r#""policyVersion":"1.0""#),
        (r#""x":1"#, r#""y":1"#),
        (r#""x":1"#, r#""x":1e3"#),
        (r#""x":1"#, r#""x":01"#),
        (r#""x":1"#, r#""x":-"#),
        (r#""x":1"#, "\"x\":\"\u{1}\""),
        (r#""x":1"#, r#""x":"\ud800""#),
        (r#""x":1"#, r#""x":"\u+123""#),
    ];
    for (part, other) in cases {
        let body = usual.replacen(part, other, 1);
        assert!(body != usual && parse(body.as_bytes(), &limits).is_none(), "{body}");
    }
    assert!(parse(format!("{usual} x").as_bytes(), &limits).is_none());
    assert!(parse(&[usual.as_bytes(), b"\xff"].concat(), &limits).is_none());
}
