use std::sync::Arc;

use super::*;
use crate::limits;
use crate::model::{AuxData, Principal, Resource, Timestamp};
use crate::value::{Map, Value};

fn map(json: &'static str) -> Map<'static> {
    serde_json::from_str(json).unwrap()
}

/// Evaluates `source` in a policy with variables and constants, for a principal and a resource.
fn eval(source: &str) -> Result<Value<'static>, EvalError> {
    let constants = Constants::new(&map(r#"{"limit": 5, "names": ["ann", "bob"]}"#));
    let sources = [("owner", "R.attr.owner"), ("mine", "V.owner == P.id"), ("broken", "R.attr.missing.x")];
    let names = sources.map(|(name, _)| name);
    let mut frame = Frame::default();
    for (slot, (name, source)) in sources.into_iter().enumerate() {
        let names = Names { variables: &names[..slot], constants: Some(&constants), patterns: None };
        frame.variables.push((name.into(), compile(source, names).unwrap()));
    }
    let program = compile(source, Names { variables: &names, constants: Some(&constants), patterns: None })
        .unwrap_or_else(|findings| panic!("{source}: {findings:?}"));
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
    let context = map(r#"{"ip": "10.1.2.3"}"#);
    let derived: [Arc<str>; 1] = ["owner".into()];
    let aux_data = AuxData {
        jwt: map(r#"{"iss": "acme", "aud": ["x"]}"#),
        jwts: map(r#"{"agent": {"sub": "a1"}, "user": {"sub": "ann"}}"#),
        actor: Some(map(
            r#"{"chain": [{"sub": "b"}, {"sub": "c"}], "depth": 2, "leaf": {"sub": "c"}, "issuer": "i"}"#,
        )),
        bound: true,
    };
    let inputs = Inputs {
        principal: &principal,
        resource: &resource,
        context: Some(&context),
        aux_data: &aux_data,
        globals: &map(r#"{"env": "prod", "limits": {"day": 9}}"#),
        failed_variable: FailedVariable::IsAbsent,
        now: "2026-01-31T12:00:00Z".parse::<Timestamp>().unwrap(),
        derived_roles: Some(&derived),
        signals: None,
    };
    let budget = Budget::new(limits::CALL_COST, limits::EXPR_COST);
    let value = program.eval(&Scope::new(inputs, &frame, &budget))?;
    Ok(to_json(&value, &budget))
}

fn to_json(value: &Val<'_>, budget: &Budget) -> Value<'static> {
    value.to_json(budget).unwrap()
}

#[test]
fn conditions_read_the_request_variables_and_constants() {
    let cases = [
        "R.attr.owner == P.id && request.resource.attr.owner == request.principal.id",
        "'admin' in P.roles && P.scope == 'acme' && R.kind == 'doc' && R.id == 'd1'",
        "R.attr['a b'] == 1 && R.attr.`a b` == 1 && request.principal.policy_version == ''",
        "P.attr.level == 3 && P.attr.level < 3.5 && P.attr.level in [1, 2, 3]",
        "has(R.attr.geo.country) && !has(R.attr.geo.city) && has(P.attr.nothing)",
        "has(P.scope) && !has(R.scope) && has(request.context) && has(request.auxData.jwt)",
        "request.context.ip.startsWith('10.') && request.context == {'ip': '10.1.2.3'}",
        "cel.bind(v, V, v.owner == 'ann' && v.mine) && V.?nosuch.orValue(1) == 1",
        "optional.of(1).orValue(R.attr.missing) == 1 && R.attr.?owner.or(R.attr.missing).value() == 'ann'",
        "!has(R.attr.owner.first) && !R.attr.owner.?first.hasValue()",
        "V.mine && variables.owner == 'ann' && has(V.owner) && !has(V.broken)",
        "C.limit == 5 && constants.names == ['ann', 'bob'] && P.id in C.names",
        "runtime.effectiveDerivedRoles == ['owner'] && 'owner' in runtime.effective_derived_roles",
        "G.env == 'prod' && globals.limits.day == 9 && has(G.env) && !has(G.x) && !has(G.limits.week)",
        "cel.bind(g, G, g.env) == 'prod' && dyn(G) == {'env': 'prod', 'limits': {'day': 9.0}}",
        "request.auxData.jwt.iss == 'acme' && 'x' in request.aux_data.jwt.aud && size(request.auxData.jwt) == 2",
        "has(request.auxData) && has(request.auxData.jwts) && !has(request.auxData.jwt.sub)",
        "request.auxData.jwts.user.claims.sub == P.id && request.auxData.jwts['agent'].claims.sub == 'a1'",
        "has(request.auxData.jwts.user) && !has(request.auxData.jwts.other) && 'user' in request.auxData.jwts",
        "has(request.auxData.jwts.user.claims) && request.auxData.jwts.exists(n, t, t.claims.sub == 'ann')",
        "request.auxData.jwts.all(n, has(request.auxData.jwts[n].claims.sub)) && request.auxData.jwts.size() == 2",
        "request.auxData.?jwt.?sub.orValue('none') == 'none' && request.auxData.jwts.?other.hasValue() == false",
        "request.actor != null && request.actor.leaf.sub == 'c' && request.actor.chain.map(a, a.sub) == ['b', 'c']",
        "request.actor.depth == 2.0 && request.actor.depth < 3 && request.actor.issuer == 'i' && has(request.actor)",
        "!has(request.actor.client_id) && request.actor.?client_id.orValue('none') == 'none' && request.auxData.bound",
        "request.actor.chain.all(a, a.sub in ['b', 'c']) && cel.bind(a, request.actor, a.leaf.sub) == 'c'",
        "[request].exists(r, r.actor.depth == 2.0 && r.auxData.bound) && has(request.auxData.bound)",
        "cel.bind(r, request, r.resource.kind + r.principal.id) == 'docann' && [R].exists(r, r.id == 'd1')",
        "!has(G.x) && G.?x.orValue('none') == 'none' && R.attr.?gone.orValue(1) == 1",
        "now() == timestamp('2026-01-31T12:00:00Z')",
        "P.attr.teams.exists(t, t == 'b') && P.attr.teams.all(t, t in ['a', 'b', 'c'])",
        "R.attr.sizes.map(s, s * 2.0) == [2.0, 4.0, 6.0] && P.attr == request.principal.attr",
        "R.attr.missing == 1 || true",
        "!(R.attr.missing == 1 && false)",
        "[1, 0].exists(x, 1 / x == 1) && ![0, 1].all(x, 1 / x > 1)",
        "cel.bind(n, R.attr.owner, n + n) == 'annann'",
        "string(12345678.0) == '1.2345678e+07' && string(123456.0) == '123456' && string(0.00001) == '1e-05'",
        "'%s has %d'.format(['ann', 2]) == 'ann has 2'",
        "R.attr.?geo.country.orValue('') == 'at' && !R.attr.?geo.?city.hasValue()",
    ];
    for source in cases {
        assert_eq!(eval(source), Ok(Value::Bool(true)), "{source}");
    }
}

#[test]
fn failures_say_what_and_where() {
    use EvalErrorKind::{InvalidArgument, NoSuchKey, NoSuchOverload, Range};
    let cases = [
        ("true && R.attr.gone == 1", NoSuchKey, "R.attr.gone"),
        ("R.attr.owner.first == 'a'", NoSuchKey, "R.attr.owner.first"),
        ("R.attr.sizes.first == 'a'", InvalidArgument, "R.attr.sizes.first"),
        ("P.attr.level % 2 == 1", NoSuchOverload, "P.attr.level % 2"),
        ("V.broken == 1", NoSuchKey, "V.broken"),
        ("P.id == 'x' || request.auxData.jwt.sub == 'y'", NoSuchKey, "request.auxData.jwt.sub"),
        ("request.auxData.jwts.other.claims.sub == 'y'", NoSuchKey, "request.auxData.jwts.other.claims.sub"),
        ("has(request.auxData.jwts.other.claims)", NoSuchKey, "request.auxData.jwts.other"),
        ("has(G.region.name)", NoSuchKey, "has(G.region.name)"),
        ("G.region == 'eu'", NoSuchKey, "G.region"),
        ("R.attr.sizes[7] == 1", Range, "R.attr.sizes[7]"),
        ("1 / (size(P.roles) - 2) == 1", Range, "1 / (size(P.roles) - 2)"),
        ("timestamp(R.attr.owner) < now()", InvalidArgument, "timestamp(R.attr.owner)"),
        ("R.attr.owner ? 1 : 2", NoSuchOverload, "R.attr.owner"),
        ("P.attr.teams.exists(t, t)", NoSuchOverload, "t"),
    ];
    for (source, kind, part) in cases {
        let error = eval(source).unwrap_err();
        assert_eq!(
            (error.kind, source.get(error.range.clone()).unwrap()),
            (kind, part),
            "{source}: {}",
            error.message
        );
    }
}

#[test]
fn mistakes_are_found_before_evaluation() {
    let cases = [
        ("R.nosuch == 1", "unknown field `nosuch`", None),
        ("R.attrs.owner == 1", "unknown field `attrs`", Some("did you mean `attr`?")),
        ("request.auxData.jwts.user.sub == 'a'", "unknown field `sub`", None),
        ("[R].map(r, r.knd)", "unknown field `knd`", Some("did you mean `kind`?")),
        ("request.actor.clientId == 'a'", "unknown field `clientId`", Some("did you mean `client_id`?")),
        ("actor.depth == 1", "unknown name `actor`", Some("write `request.actor`")),
        ("request.auxData.bound == 'yes'", "`==` does not take (bool, string)", None),
        ("size(R)", "`size` does not take (request.resource)", None),
        ("P == R", "`==` does not take (request.principal, request.resource)", None),
        ("'x' in G", "`in` does not take (string, names)", None),
        ("V['owner']", "names are not read by index", Some("write `V.name`, `C.name` or `G.name`")),
        ("principal.id == 'a'", "unknown name `principal`", Some("write `request.principal` or `P`")),
        ("V.ownr", "unknown variable `ownr`", Some("did you mean `owner`?")),
        ("C.limt", "unknown constant `limt`", Some("did you mean `limit`?")),
        ("nosuchfn(R.id)", "unknown function `nosuchfn`", None),
        ("R.id.startswith('a')", "unknown function `startswith`", Some("did you mean `startsWith`?")),
        ("maths.abs(1)", "unknown name `maths`", None),
        ("math.ab(1)", "unknown function `math.ab`", Some("did you mean `math.abs`?")),
        ("1 == 1.0", "`==` does not take (int, double)", None),
        ("R.attr.level / 2 == 2.5", "`==` does not take (int, double)", None),
        ("null == false", "`==` does not take (null, bool)", None),
        ("[] == {}", "`==` does not take (list(dyn), map(dyn, dyn))", None),
        ("P.id + 1 == 'x'", "`+` does not take (string, int)", None),
        ("'a' && true", "expected a bool but found string", None),
        ("hasIntersection('x', ['x'])", "`hasIntersection` does not take (string, list(string))", None),
        (
            "R.attr.x.matches('[')",
            "the regular expression is not valid: missing closing ]: `[`",
            Some("the syntax is that of RE2: no look-around, no backreferences"),
        ),
        (
            "duration('5x') < duration('1s')",
            "this is not a duration",
            Some("write numbers with units, such as `1h30m`, `2.5s` or `250ms`"),
        ),
        (
            "ip('1.2.3') == ip(R.id)",
            "this is not an IP address",
            Some("write an address such as `10.1.2.3` or `2001:db8::1`"),
        ),
        ("'%d'.format([R.id])", "`%d` does not take a value of type string", None),
        ("'%s %s'.format([R.id])", "the template takes 2 values, and there are 1", None),
        (
            "'%z'.format([1])",
            "could not parse formatting clause: unrecognized formatting clause \"z\"",
            Some("the clauses are %s, %d, %f, %e, %b, %o, %x and %X; a percent sign is %%"),
        ),
        ("math.greatest('a')", "`math.greatest` takes numbers, or one list of numbers", None),
        ("math.least(R.attr.a, 'b')", "`math.least` takes numbers", None),
        ("has(R)", "`has` takes a field selection", Some("write `has(a.b)`")),
        ("R.id.exists(x, true)", "expected a list or map to walk over but found string", None),
        ("R.id == 'a' and true", "expected an operator or the end but found `and`", Some("write `&&`")),
        ("1 +", "expected a value but found the end of the expression", None),
        ("now( == 1", "expected a value but found `==`", None),
        ("R.id == 'a", "the string is not closed", None),
    ];
    let constants = Constants::new(&map(r#"{"limit": 5}"#));
    for (source, message, hint) in cases {
        let names = Names { variables: &["owner"], constants: Some(&constants), patterns: None };
        let findings = compile(source, names).unwrap_err();
        assert!(
            findings.iter().any(|f| f.message == message && f.hint.as_deref() == hint),
            "{source}: {findings:?}"
        );
    }
}

#[test]
fn every_mistake_of_an_expression_is_reported() {
    let findings = compile("R.nosuch == 1 && f(V.x) && 'a' < 1", Names::default()).unwrap_err();
    assert_eq!(findings.iter().map(|f| f.range.start).collect::<Vec<_>>(), [0, 17, 19, 27]);
}

#[test]
fn what_depends_on_nothing_is_known_before_evaluation() {
    let constants = Constants::new(&map(r#"{"limit": 5}"#));
    let compiled = |source: &str| {
        compile(source, Names { variables: &["owner"], constants: Some(&constants), patterns: None }).unwrap()
    };
    let known =
        ["true || 1 / 0 == 1", "C.limit < 6", "[1, 2].exists(x, x == 2)", "cel.bind(x, 1, x + x) == 2"];
    for source in known {
        let program = compiled(source);
        assert!(matches!(program.constant(), Some(Ok(Val::Bool(true)))), "{source}");
    }
    let open = [
        "R.id == 'a'",
        "now() == now()",
        "V.owner == 1",
        "1 / 0 == 1",
        "[R.id].all(x, ['a'].all(y, x == y))",
    ];
    for source in open {
        assert!(compiled(source).constant().is_none(), "{source}");
    }
}

#[test]
fn a_constant_that_is_not_what_it_is_converted_to_spoils_its_expression() {
    let spoilt = ["int('x') == 7", "R.id == 'd1' || int('x') == 7", "R.attr.sizes.all(s, s < double('x'))"];
    for source in spoilt {
        let program = compile(source, Names::default()).unwrap();
        assert!(program.constant().is_some_and(|known| known.is_err()), "{source}");
        assert_eq!(eval(source).unwrap_err().kind, EvalErrorKind::BadConstant, "{source}");
    }
    for source in ["true || int('x') == 7", "R.id == 'd1' && [1].all(y, int('x') == 7 || y == 1)"] {
        assert_eq!(eval(source), Ok(Value::Bool(true)), "{source}");
    }
    assert_eq!(eval("int('x' + 'y') == 1 || R.id == 'd1'"), Ok(Value::Bool(true)));
}
