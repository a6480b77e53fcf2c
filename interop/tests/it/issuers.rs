//! One scenario with two token issuers and two sources of signals that know nothing of each other: who signs in, who says
//! that something is wrong and who decides are exchanged one by one, and nothing but the configuration differs.

mod sources;
mod tokens;

use std::cell::Cell;

use procura_interop::server::Server;
use procura_interop::{TempDir, eventually};
use serde_json::{Value, json};

use crate::bench::now;
use sources::{Easyssf, Own, Source};
use tokens::{Authgent, Issuer, OidcProvider, Token};

/// Whom tokens are for.
const AUDIENCE: &str = "https://pdp.example/";

#[test]
fn authgent_signs_in_and_easyssf_pushes_what_it_hears() {
    let Some(issuer) = Authgent::start() else { return };
    play(&issuer, &Easyssf::start());
}

#[test]
fn authgent_signs_in_and_our_own_transmitter_is_polled() {
    let Some(issuer) = Authgent::start() else { return };
    let Some(source) = Own::start() else { return };
    play(&issuer, &source);
}

#[test]
fn oidc_provider_signs_in_and_easyssf_pushes_what_it_hears() {
    let Some(issuer) = OidcProvider::start() else { return };
    play(&issuer, &Easyssf::start());
}

#[test]
fn oidc_provider_signs_in_and_our_own_transmitter_is_polled() {
    let Some(issuer) = OidcProvider::start() else { return };
    let Some(source) = Own::start() else { return };
    play(&issuer, &source);
}

/// The scenario: it knows neither who issues tokens nor who sends signals.
fn play(issuer: &dyn Issuer, source: &dyn Source) {
    let data = TempDir::new();
    let server = Server::start(data.path(), &configuration(issuer, source, &data));
    // Events come faster than the seconds that their times are told in: of two at one instant that counts which narrows.
    let at = Cell::new(now() - 30);
    let says = |event: &str, subject: Value, mut payload: Value| {
        payload["event_timestamp"] = at.replace(at.get() + 1).into();
        source.say(&server, event, &subject, &payload);
    };
    let (ann, ben) = (issuer.sign_in("ann"), issuer.sign_in("ben"));
    assert!(may_open(&server, &ann) && may_open(&server, &ben), "both are signed in");

    says("caep/event-type/risk-level-change", user(&ann, "sub"), risk("HIGH"));
    until(&server, &ann, false, "at high risk");
    assert!(may_open(&server, &ben), "somebody else");
    says("caep/event-type/risk-level-change", user(&ann, "sub"), risk("LOW"));
    until(&server, &ann, true, "at low risk again");

    let again = issuer.sign_in("ann");
    says("caep/event-type/session-revoked", token(&ann), json!({}));
    until(&server, &ann, false, "what the token stands for is over");
    assert!(may_open(&server, &again), "the next token is another");

    // Whoever acts: the agent if there is one, else the principal.
    let actor = if again.claims["act"].is_null() { user(&again, "sub") } else { user(&again, "act") };
    says("risc/event-type/account-disabled", actor, json!({"reason": "hijacking"}));
    until(&server, &again, false, "whoever acts is disabled");

    let record = newest_decision(&server);
    assert_eq!(record["signals"][0]["source"], json!("source"), "{record}");
    assert!(record["signals"].to_string().contains("account-disabled"), "{record}");
}

fn configuration(issuer: &dyn Issuer, source: &dyn Source, data: &TempDir) -> Value {
    let mut stream = source.stream(data.path());
    stream["name"] = "source".into();
    let subjects = [
        json!({"format": "iss_sub", "issuer": issuer.name(), "as": "principal", "id": "{sub}"}),
        json!({"format": "jwt_id", "issuer": issuer.name(), "as": "token", "id": "{jti}"}),
    ];
    stream["subjects"] = json!(subjects);
    let mut keys = issuer.key_set();
    keys["id"] = "issuer".into();
    keys["issuer"] = issuer.name().into();
    keys["audiences"] = json!([AUDIENCE]);
    keys["principal"] = json!({"id": "sub"});
    json!({"auxData": {"jwt": {"keySets": [keys]}}, "signals": {"streams": [stream]}})
}

/// The subject identifier of the principal, or of who acts for it.
fn user(token: &Token, claim: &str) -> Value {
    let named = if claim == "act" { &token.claims["act"]["sub"] } else { &token.claims["sub"] };
    json!({"format": "iss_sub", "iss": token.claims["iss"], "sub": named})
}

fn token(token: &Token) -> Value {
    json!({"format": "jwt_id", "iss": token.claims["iss"], "jti": token.claims["jti"]})
}

fn risk(level: &str) -> Value {
    json!({"principal": "USER", "current_level": level})
}

fn may_open(server: &Server, token: &Token) -> bool {
    let answer = server.ask(&json!({
        "principal": {"id": token.claims["sub"], "roles": ["employee"]},
        "resources": [{"actions": ["open"], "resource": {"kind": "payroll", "id": "november"}}],
        "auxData": {"jwt": {"token": token.text}},
    }));
    match answer["results"][0]["actions"]["open"].as_str() {
        Some("EFFECT_ALLOW") => true,
        Some("EFFECT_DENY") => false,
        _ => panic!("no answer: {answer}"),
    }
}

/// What is polled comes when it comes.
fn until(server: &Server, token: &Token, allowed: bool, what: &str) {
    eventually(what, || may_open(server, token) == allowed);
}

fn newest_decision(server: &Server) -> Value {
    server.records("decision").into_iter().next().expect("a decision")
}
