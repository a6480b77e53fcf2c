//! Expressions of CEL, and the functions of its libraries.

use std::sync::Arc;

use procura_core::expr::{
    self, Bindings, Budget, Constants, Declarations, FailedVariable, Frame, InForce, Inputs, Names, Program,
    Scope, Type, Typing, Val,
};
use procura_core::model::{AuxData, Entity, EntityKind, Fact, Principal, Resource, Subject, Timestamp};
use procura_core::value::{Map, Value};

/// Cost units of one expression: a tenth of what the product allows, as everything here takes ten times as long.
const UNITS: u64 = 100_000;

/// An expression of a policy.
///
/// Whatever is said of it has a place in it; evaluating it twice, or only for whether it holds, comes to the same.
pub(crate) fn expression(data: &[u8]) {
    let source = &*String::from_utf8_lossy(data);
    let constants = Constants::new(&map(r#"{"limit": 5, "names": ["ann", "bob"]}"#));
    let mut frame = Frame::default();
    let variables = [("owner", "R.attr.owner"), ("mine", "V.owner == P.id"), ("broken", "R.attr.missing.x")];
    let slots = variables.map(|(name, _)| name);
    for (slot, (name, source)) in variables.into_iter().enumerate() {
        let names = Names { variables: &slots[..slot], constants: Some(&constants), patterns: None };
        frame.variables.push((name.into(), expr::compile(source, names).expect("a known expression")));
    }
    let names = Names { variables: &slots, constants: Some(&constants), patterns: None };
    let program = match expr::compile(source, names) {
        Ok(program) => program,
        Err(findings) => {
            for found in findings {
                assert!(source.get(found.range.clone()).is_some(), "{:?} is no place in it", found.range);
            }
            return;
        }
    };
    let principal = Principal {
        id: "ann".into(),
        roles: ["user".into(), "admin".into()].into(),
        attr: map(r#"{"teams": ["a", "b"], "level": 3, "nothing": null}"#),
        policy_version: "".into(),
        scope: "acme".into(),
    };
    let resource = Resource {
        kind: "doc".into(),
        id: "d1".into(),
        attr: map(r#"{"owner": "ann", "geo": {"country": "at"}, "a b": 1, "sizes": [1, 2, 3]}"#),
        policy_version: "".into(),
        scope: "".into(),
    };
    let (context, globals) = (map(r#"{"ip": "10.1.2.3"}"#), map(r#"{"env": "prod", "limits": {"day": 9}}"#));
    let derived: [Arc<str>; 1] = ["owner".into()];
    let aux_data = AuxData { jwt: map(r#"{"iss": "acme", "aud": ["x"]}"#), ..AuxData::default() };
    let facts =
        [fact("risk-level-change", 9, r#"{"current_level": "HIGH"}"#), fact("session-revoked", 5, "{}")];
    let in_force = InForce::new(facts.iter().enumerate().collect());
    let inputs = Inputs {
        principal: &principal,
        resource: &resource,
        context: Some(&context),
        aux_data: &aux_data,
        globals: &globals,
        failed_variable: FailedVariable::Errs,
        now: Timestamp::UNIX_EPOCH,
        derived_roles: Some(&derived),
        signals: Some(&in_force),
    };
    evaluate(source, &program, || inputs, &frame);
}

fn fact(name: &str, second: i64, data: &str) -> Fact {
    let at = Timestamp::from_second(second).expect("an instant");
    Fact {
        subject: Subject::new(vec![Entity::new(EntityKind::Principal, "ann")]).expect("a subject"),
        name: name.into(),
        slot: name.into(),
        value: Some(serde_json::from_str::<Value<'_>>(data).expect("known JSON").into_owned()),
        source: "idp".into(),
        id: "1".into(),
        at,
        received: at,
        expires: None,
        rank: 0,
    }
}

fn evaluate<'r>(source: &str, program: &'r Program, inputs: impl Fn() -> Inputs<'r>, frame: &'r Frame) {
    let (first, second, third) = (budget(), budget(), budget());
    let found = outcome(source, program, &Scope::new(inputs(), frame, &first), &first);
    let again = outcome(source, program, &Scope::new(inputs(), frame, &second), &second);
    assert_eq!(found, again, "evaluated twice");
    let holds = program.holds(&Scope::new(inputs(), frame, &third));
    match (&found, holds) {
        (Ok(Ok(Value::Bool(value))), holds) => assert_eq!(holds.ok().flatten(), Some(*value)),
        (Ok(_), holds) => assert!(matches!(holds, Ok(None)), "{holds:?} for what is no boolean"),
        (Err(_), holds) => assert!(holds.is_err(), "{holds:?} for an error"),
    }
}

type Outcome = Result<Result<Value<'static>, String>, String>;

fn outcome<'r>(source: &str, program: &'r Program, scope: &Scope<'r>, budget: &'r Budget) -> Outcome {
    match program.eval(scope) {
        Ok(value) => Ok(value.to_json(budget)),
        Err(error) => {
            let _ = error.account();
            // What goes wrong in a variable has its place there.
            assert!(error.cause.is_some() || source.get(error.range.clone()).is_some(), "{:?}", error.range);
            Err(format!("{error:?}"))
        }
    }
}

/// Calls of functions that take texts, as a policy writes them: `a`, `b` and `c` are the texts.
const CALLS: &[&str] = &[
    "a.matches(b)",
    "regex.extract(a, b).orValue(c)",
    "regex.extractAll(a, b)",
    "regex.replace(a, b, c)",
    "a.pathMatch(b)",
    "a.pathMatchAnyOf([b, c])",
    "basePath(a) + cleanPath(b) + dirPath(c)",
    "extPath(a) + volumeName(b)",
    "isAbs(a)",
    "joinPath([a, b, c])",
    "relPath(a, b)",
    "hierarchy(a).ancestorOf(hierarchy(b))",
    "hierarchy(a, b).commonAncestors(hierarchy(c, b)) == hierarchy(a, b)",
    "hierarchy(a).overlaps(hierarchy(b)) || hierarchy(a).siblingOf(hierarchy(b))",
    "hierarchy(a).immediateChildOf(hierarchy(b)) && hierarchy(a).size() > 0",
    "spiffeID(a).path() + spiffeID(a).trustDomain().id()",
    "spiffeMatchOneOf([a, b]).matchesID(c)",
    "spiffeMatchTrustDomain(a).matchesID(b)",
    "string(spiffeID(a))",
    "inIPAddrRange(a, b)",
    "string(cidr(a).ip()) + string(ip(b))",
    "cidr(a).containsCIDR(b) || cidr(a).containsIP(c)",
    "ip(a).family() + cidr(b).prefixLength()",
    "a.format([b, c])",
    "a.format([1, 2.5])",
    "a.format([timestamp(0), [b, 1], {'k': c}])",
    "a.split(b).join(c)",
    "a.replace(b, c)",
    "a.indexOf(b) + a.lastIndexOf(b)",
    "a.substring(size(b), size(a))",
    "strings.quote(a) + a.reverse() + a.trim() + a.lowerAscii()",
    "string(timestamp(a)) + string(timestamp(a).getFullYear(b))",
    "timestamp(a) - timestamp(b)",
    "string(duration(a) + duration(b))",
    "int(a) + int(b)",
    "double(a) * double(b)",
    "uint(a)",
    "bool(a)",
    "string(base64.decode(a))",
    "base64.encode(bytes(a))",
    "json.encode({a: b, 'c': [c]})",
    "a < b || a + b == c",
    "string(double(a))",
];

/// One of [`CALLS`]: which one, then the texts.
///
/// Called when the policy is compiled it comes to the same as when it is evaluated.
pub(crate) fn function(data: &[u8]) {
    let Some((which, texts)) = data.split_first() else { return };
    let Some(call) = CALLS.get(usize::from(*which) % CALLS.len()) else { return };
    let mut texts = crate::parts(texts);
    let texts = ["a", "b", "c"].map(|name| (name, texts.next().unwrap_or_default()));
    let variables = texts.each_ref().map(|(name, _)| (*name, Type::String));
    let values = texts.each_ref().map(|(_, text)| Some(Val::string(text)));
    let late = comes_to(call, &variables, &values);
    let literals: Vec<String> = texts.iter().map(|(_, text)| literal(text)).collect();
    let [a, b, c] = &literals[..] else { return };
    let written = format!("cel.bind(a, {a}, cel.bind(b, {b}, cel.bind(c, {c}, {call})))");
    let early = comes_to(&written, &[], &[]);
    if let (Some(late), Some(early)) = (late, early) {
        assert_eq!(late, early, "{call} of {texts:?}");
    }
}

/// What `source` comes to; `None` if it cannot be compiled: a faulty constant is an error then and there.
fn comes_to(
    source: &str,
    variables: &[(&str, Type)],
    values: &[Option<Val<'_>>],
) -> Option<Result<String, ()>> {
    let declarations = Declarations { container: "", variables, typing: Typing::Static };
    let program = expr::compile_with(source, &declarations).ok()?;
    let budget = budget();
    let scope = Scope::of_bindings(Bindings { values, now: Timestamp::UNIX_EPOCH }, &budget);
    let value = program.eval(&scope).map_err(|_| ());
    Some(value.map(|value| format!("{:?}", value.to_json(&budget))))
}

/// The trust domain of a SPIFFE id as policies know it.
pub(crate) fn trust_domain(id: &str) -> Option<String> {
    let variables = [("a", Type::String)];
    let declarations = Declarations { container: "", variables: &variables, typing: Typing::Static };
    let program =
        expr::compile_with("spiffeID(a).trustDomain().name()", &declarations).expect("a known expression");
    let (budget, values) = (budget(), [Some(Val::string(id))]);
    let scope = Scope::of_bindings(Bindings { values: &values, now: Timestamp::UNIX_EPOCH }, &budget);
    match program.eval(&scope).ok()?.to_json(&budget).ok()? {
        Value::String(name) => Some(name.into_owned()),
        _ => None,
    }
}

/// `text` as a literal of CEL.
fn literal(text: &str) -> String {
    let escaped: String = text.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
    format!("'{escaped}'")
}

fn budget() -> Budget {
    Budget::new(4 * UNITS, UNITS)
}

fn map(json: &'static str) -> Map<'static> {
    serde_json::from_str(json).expect("a known text")
}
