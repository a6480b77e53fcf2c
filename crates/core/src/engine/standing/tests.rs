use super::*;
use crate::engine::decide;
use crate::model::{Effect, Entity, Principal, Request, Resource, Signals, Standing, Subject};
use crate::policy::{Snapshot, SourceFile, compile};
use crate::value::Map;

const POLICIES: [(&str, &str); 2] = [
    (
        "p.yaml",
        "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  resource: doc\n  version: default\n  rules:\n    \
         - {actions: ['*'], roles: ['*'], effect: EFFECT_ALLOW, name: all}\n",
    ),
    (
        "c.yaml",
        "apiVersion: procura.dev/v1\ncapabilities:\n  system: docs\n  entries:\n    \
         - resource: doc\n      actions: [publish]\n      owner: o\n      risk: high\n      signals:\n        \
         - {type: device-compliance-change, maxAge: 5m}\n",
    ),
];

fn snapshot() -> Snapshot {
    let files = POLICIES.map(|(path, text)| SourceFile { path: path.into(), text: text.into() });
    let compiled = compile(&files);
    compiled.snapshot.unwrap_or_else(|| panic!("{:#?}", compiled.diagnostics))
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(1_000_000_000 + 60 * minute).unwrap()
}

/// A fact of `source` about the entities that `about` names as `kind=id`, since `minute`.
fn fact(name: &str, source: &str, about: &[&str], minute: i64) -> Arc<Fact> {
    let entity = |text: &&str| {
        let (kind, id) = text.split_once('=').unwrap();
        let kind = EntityKind::ALL.into_iter().find(|known| known.as_str() == kind).unwrap();
        match id.split_once('/') {
            Some((of, id)) => Entity::within(kind, of, id).into_owned(),
            None => Entity::new(kind, id).into_owned(),
        }
    };
    let (name, change) = name.split_once(':').unwrap_or((name, ""));
    let slot = match name {
        "account-disabled" | "account-enabled" | "account-purged" => "account",
        "credential-compromise" | "credential-change" => "credential/password",
        name => name,
    };
    let change = ("change_type".into(), Value::String(change.to_owned().into()));
    Arc::new(Fact {
        subject: Subject::new(about.iter().map(entity).collect()).unwrap(),
        name: name.into(),
        slot: slot.into(),
        value: Some(Value::Map(Map::from_entries(vec![change]).unwrap())),
        source: source.into(),
        id: "e".into(),
        at: at(minute),
        received: at(minute),
        expires: None,
        rank: 0,
    })
}

fn request(facts: Vec<Arc<Fact>>, presented: Presented<'static>) -> Request<'static> {
    let resource = |id: &'static str, scope: &'static str| Resource {
        kind: "doc".into(),
        id: id.into(),
        scope: scope.into(),
        ..Resource::default()
    };
    let item = |id, scope| Item { resource: resource(id, scope), actions: ["view".into()].into() };
    Request {
        principal: Principal { id: "alice".into(), roles: ["user".into()].into(), ..Principal::default() },
        items: [item("1", ""), item("2", "")].into_iter().collect(),
        signals: Signals { too_many: false, facts, presented },
        ..Request::default()
    }
}

/// The reasons for both resources.
fn reasons(request: &Request<'_>, settings: &Settings) -> Vec<&'static str> {
    let evaluation = decide(&snapshot(), request, settings, at(100));
    let decisions = evaluation.resources.iter().flat_map(|resource| &resource.actions);
    decisions.map(|decision| decision.reason.code()).collect()
}

fn presented(
    session: Option<&'static str>,
    began: Option<i64>,
    methods: Option<&[&'static str]>,
) -> Presented<'static> {
    Presented {
        session: session.map(Into::into),
        device: None,
        began: began.map(at),
        methods: methods.map(|methods| methods.iter().map(|name| (*name).into()).collect()),
    }
}

#[test]
fn rules_deny_what_is_revoked_disabled_or_compromised_and_nothing_else() {
    const ALLOWED: &str = "allow_rule";
    let nothing = || presented(None, None, None);
    let of_alice = |name| fact(name, "idp", &["principal=alice"], 10);
    let later = |name, source, about: &[&str]| fact(name, source, about, 20);
    let cases: Vec<(&str, Vec<Arc<Fact>>, Presented<'static>, &str)> = vec![
        ("no fact", vec![], nothing(), ALLOWED),
        ("another fact", vec![of_alice("risk-level-change")], nothing(), ALLOWED),
        (
            "session",
            vec![fact("session-revoked", "idp", &["session=s"], 10)],
            presented(Some("s"), Some(50), None),
            "session_revoked",
        ),
        (
            "token",
            vec![fact("session-revoked", "idp", &["token=i/t"], 10)],
            presented(None, Some(50), None),
            "session_revoked",
        ),
        ("sessions, nobody knows", vec![of_alice("sessions-revoked")], nothing(), "session_revoked"),
        (
            "sessions, began before",
            vec![of_alice("sessions-revoked")],
            presented(None, Some(9), None),
            "session_revoked",
        ),
        (
            "sessions, at the instant",
            vec![of_alice("sessions-revoked")],
            presented(None, Some(10), None),
            "session_revoked",
        ),
        (
            "sessions, began later",
            vec![of_alice("sessions-revoked")],
            presented(None, Some(11), None),
            ALLOWED,
        ),
        (
            "established later",
            vec![later("session-established", "idp", &["session=s"]), of_alice("session-revoked")],
            presented(Some("s"), None, None),
            ALLOWED,
        ),
        (
            "established, by another source",
            vec![later("session-established", "x", &["session=s"]), of_alice("session-revoked")],
            presented(Some("s"), None, None),
            "session_revoked",
        ),
        (
            "established, not this session",
            vec![later("session-established", "idp", &["principal=alice"]), of_alice("session-revoked")],
            presented(Some("s"), None, None),
            "session_revoked",
        ),
        ("disabled", vec![of_alice("account-disabled")], nothing(), "account_disabled"),
        ("purged", vec![of_alice("account-purged")], nothing(), "account_disabled"),
        ("enabled", vec![of_alice("account-enabled")], nothing(), ALLOWED),
        (
            "enabled for less",
            vec![
                later("account-enabled", "idp", &["principal=alice", "session=s"]),
                of_alice("account-disabled"),
            ],
            nothing(),
            "account_disabled",
        ),
        (
            "enabled for more",
            vec![
                later("account-enabled", "idp", &["principal=alice"]),
                fact("account-disabled", "idp", &["principal=alice", "session=s"], 10),
            ],
            nothing(),
            ALLOWED,
        ),
        (
            "enabled by another",
            vec![later("account-enabled", "x", &["principal=alice"]), of_alice("account-disabled")],
            nothing(),
            "account_disabled",
        ),
        ("compromised", vec![of_alice("credential-compromise")], nothing(), "credential_compromised"),
        (
            "compromised, with it",
            vec![of_alice("credential-compromise")],
            presented(None, None, Some(&["pwd", "otp"])),
            "credential_compromised",
        ),
        (
            "compromised, without it",
            vec![of_alice("credential-compromise")],
            presented(None, None, Some(&["hwk", "pin"])),
            ALLOWED,
        ),
        (
            "compromised, nobody knows what",
            vec![of_alice("credential-compromise")],
            presented(None, None, Some(&["hwk", "mfa"])),
            "credential_compromised",
        ),
        (
            "compromised, no method",
            vec![of_alice("credential-compromise")],
            presented(None, None, Some(&[])),
            "credential_compromised",
        ),
        (
            "changed since",
            vec![
                later("credential-change:update", "idp", &["principal=alice"]),
                of_alice("credential-compromise"),
            ],
            nothing(),
            ALLOWED,
        ),
        ("revoked", vec![of_alice("credential-change:revoke")], nothing(), "credential_compromised"),
        (
            "revoked since",
            vec![
                later("credential-change:revoke", "idp", &["principal=alice"]),
                of_alice("credential-compromise"),
            ],
            nothing(),
            "credential_compromised",
        ),
    ];
    for (name, facts, presented, expected) in cases {
        let request = request(facts, presented);
        assert_eq!(reasons(&request, &Settings::default()), [expected, expected], "{name}");
        let standing = Standing { sessions: false, accounts: false, credentials: false };
        let off = Settings { standing, ..Settings::default() };
        assert_eq!(reasons(&request, &off), [ALLOWED, ALLOWED], "{name}, off");
    }
}

#[test]
fn what_the_token_of_the_principal_shows_clears_nothing_about_an_agent() {
    let shown = || presented(Some("s"), Some(50), Some(&["hwk"]));
    let established = fact("session-established", "idp", &["principal=alice", "session=s"], 60);
    for (name, expected) in [
        ("session-revoked", "session_revoked"),
        ("sessions-revoked", "session_revoked"),
        ("credential-compromise", "credential_compromised"),
    ] {
        let about = |about: &[&str]| vec![Arc::clone(&established), fact(name, "idp", about, 10)];
        let reasons = |facts| reasons(&request(facts, shown()), &Settings::default());
        assert_eq!(reasons(about(&["principal=agent-7"])), [expected, expected], "{name}");
        assert_eq!(reasons(about(&["principal=alice"])), ["allow_rule", "allow_rule"], "{name}");
        assert_eq!(reasons(about(&["device=d"])), ["allow_rule", "allow_rule"], "{name}");
    }
}

#[test]
fn fact_about_a_resource_or_a_tenant_counts_for_that_one_only() {
    let of_resource = fact("session-revoked", "idp", &["principal=alice", "resource=doc/2"], 10);
    let of_tenant = fact("session-revoked", "idp", &["principal=alice", "tenant=acme"], 10);
    let nothing = || presented(None, None, None);
    let one = request(vec![of_resource], nothing());
    assert_eq!(reasons(&one, &Settings::default()), ["allow_rule", "session_revoked"]);
    let mut other = request(vec![of_tenant], nothing());
    other.items[1].resource.scope = "acme.hr".into();
    let settings = Settings { lenient_scope_search: true, ..Settings::default() };
    assert_eq!(reasons(&other, &settings), ["allow_rule", "session_revoked"]);
    other.principal.scope = "acme".into();
    assert_eq!(reasons(&other, &settings), ["session_revoked", "session_revoked"]);
}

#[test]
fn too_many_facts_deny_everything() {
    let mut request = request(Vec::new(), presented(None, None, None));
    request.signals.too_many = true;
    assert_eq!(reasons(&request, &Settings::default()), ["too_many_signals", "too_many_signals"]);
}

#[test]
fn decision_names_its_fact_and_a_resource_without_policy_is_denied_for_the_same_reason() {
    let facts = vec![
        fact("risk-level-change", "idp", &["principal=alice"], 30),
        fact("session-revoked", "idp", &["principal=alice"], 20),
        fact("account-disabled", "idp", &["principal=alice"], 10),
    ];
    let mut request = request(facts, presented(None, None, None));
    request.items[1].resource.kind = "unknown".into();
    let evaluation = decide(&snapshot(), &request, &Settings::default(), at(100));
    for resource in &evaluation.resources {
        let decision = &resource.actions[0];
        assert_eq!((decision.effect, decision.reason), (Effect::Deny, Reason::SessionRevoked));
        assert_eq!(decision.ground.as_deref(), Some(&Ground { signal: Some(1), demand: None }));
    }
}

#[test]
fn capability_asks_for_a_fact_that_is_fresh_and_only_where_policies_allow() {
    let compliance = |minute| fact("device-compliance-change", "edr", &["principal=alice"], minute);
    let cases = [
        (vec![], "stale_state", None),
        (vec![compliance(94)], "stale_state", Some(0)),
        (vec![compliance(95)], "allow_rule", None),
        (vec![compliance(101)], "allow_rule", None),
        (vec![compliance(99), compliance(10)], "allow_rule", None),
        (
            vec![fact("risk-level-change", "edr", &["principal=alice"], 99), compliance(10)],
            "stale_state",
            Some(1),
        ),
    ];
    for (facts, expected, signal) in cases {
        let mut request = request(facts.clone(), presented(None, None, None));
        request.items =
            [Item { actions: ["view".into(), "publish".into()].into(), ..request.items[0].clone() }].into();
        let evaluation = decide(&snapshot(), &request, &Settings::default(), at(100));
        let [view, publish] = &evaluation.resources[0].actions[..] else { panic!("two actions") };
        assert_eq!(view.reason, Reason::AllowRule);
        assert_eq!(publish.reason.code(), expected, "{facts:?}");
        assert_eq!(publish.rule.as_deref(), Some("all"), "the rule that allows stays named");
        let ground = publish.ground.as_deref();
        assert_eq!(ground.and_then(|ground| ground.signal), signal, "{facts:?}");
        let demand = ground.and_then(|ground| ground.demand.as_ref());
        assert_eq!(demand.is_some(), expected == "stale_state");
        assert!(
            demand.is_none_or(|demand| demand.max_age == 300 && demand.capability.starts_with("c.yaml:5:"))
        );
    }
}
