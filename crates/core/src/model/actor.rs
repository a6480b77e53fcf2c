//! Who acts for the principal, as a verified token says it: its claim `act` (RFC 8693, section 4.1).
//!
//! The outermost `act` is the current actor, each one nested in another acted before it.

use std::borrow::Cow;

use crate::value::{Map, Value};

/// What is kept of each actor, if it is there. Nothing else within `act` means anything, `exp` and `aud` least of all.
const KEPT: [&str; 4] = ["client_id", "iss", "sub", "sub_profile"];

/// Why `act` does not say who acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ActorFault {
    /// It is not objects within each other, each with a text `sub`.
    #[error("the claim `act` is not an actor: an object with a text `sub`, and `act` for the one before it")]
    Malformed,
    /// There are more actors than allowed.
    #[error("the claim `act` names more than {most} actors, the limit")]
    TooDeep {
        /// The limit.
        most: usize,
    },
}

/// `request.actor` for a token with these `claims`; `None` if nobody acts for its subject.
///
/// # Errors
/// If `act` is malformed, or names more than `most` actors.
pub fn actor(claims: &Map<'_>, most: usize) -> Result<Option<Map<'static>>, ActorFault> {
    let mut chain = Vec::new();
    let mut next = claims.get("act");
    while let Some(act) = next {
        let Value::Map(act) = act else { return Err(ActorFault::Malformed) };
        if chain.len() == most {
            return Err(ActorFault::TooDeep { most });
        }
        chain.push(one(act)?);
        next = act.get("act");
    }
    let Some(leaf) = chain.first().cloned() else { return Ok(None) };
    chain.reverse();
    let mut actor = Map::default();
    let of_leaf = |name: &str| claims.get("act").and_then(|act| text(act, name));
    for (name, claim) in [("client_id", "client_id"), ("instance_id", "client_instance_id")] {
        let known = of_leaf(claim).or_else(|| claims.get(claim).and_then(owned));
        insert(&mut actor, name, known);
    }
    insert(&mut actor, "issuer", claims.get("iss").and_then(owned));
    #[expect(clippy::cast_precision_loss, reason = "there are few actors")]
    insert(&mut actor, "depth", Some(Value::Number(chain.len() as f64)));
    insert(&mut actor, "chain", Some(Value::List(chain)));
    insert(&mut actor, "leaf", Some(leaf));
    Ok(Some(actor))
}

fn one(act: &Map<'_>) -> Result<Value<'static>, ActorFault> {
    let mut actor = Map::default();
    for name in KEPT {
        match act.get(name) {
            None => {}
            Some(value @ Value::String(_)) => insert(&mut actor, name, owned(value)),
            Some(_) => return Err(ActorFault::Malformed),
        }
    }
    if actor.get("sub").is_none() { Err(ActorFault::Malformed) } else { Ok(Value::Map(actor)) }
}

fn insert(map: &mut Map<'static>, name: &'static str, value: Option<Value<'static>>) {
    if let Some(value) = value {
        map.insert(Cow::Borrowed(name), value);
    }
}

fn text(of: &Value<'_>, name: &str) -> Option<Value<'static>> {
    match of {
        Value::Map(map) => map.get(name).and_then(owned),
        _ => None,
    }
}

fn owned(value: &Value<'_>) -> Option<Value<'static>> {
    match value {
        Value::String(_) => Some(value.clone().into_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(claims: &serde_json::Value) -> Result<Option<serde_json::Value>, ActorFault> {
        let text = claims.to_string();
        let Ok(Value::Map(claims)) = serde_json::from_str(&text) else { panic!("{text}") };
        let found = actor(&claims, 3)?;
        Ok(found.map(|actor| serde_json::to_value(actor).unwrap()))
    }

    #[test]
    fn the_outermost_actor_is_the_current_one_and_the_chain_begins_with_the_first() {
        assert_eq!(of(&json!({"sub": "ada"})), Ok(None));
        let token = json!({
            "iss": "https://a", "sub": "ada", "client_id": "app", "client_instance_id": "i-1",
            "act": {"sub": "c", "iss": "https://b", "exp": 1, "act": {"sub": "b", "sub_profile": "agent"}},
        });
        let c = json!({"sub": "c", "iss": "https://b"});
        let b = json!({"sub": "b", "sub_profile": "agent"});
        let want = json!({
            "issuer": "https://a", "client_id": "app", "instance_id": "i-1", "depth": 2, "chain": [b, c], "leaf": c,
        });
        assert_eq!(of(&token), Ok(Some(want)));
        let own =
            json!({"client_id": "app", "act": {"sub": "c", "client_id": "bot", "client_instance_id": "i-2"}});
        let found = of(&own).unwrap().unwrap();
        assert_eq!((&found["client_id"], &found["instance_id"]), (&json!("bot"), &json!("i-2")));
        assert_eq!(found.get("issuer"), None);
    }

    #[test]
    fn what_is_no_actor_or_too_long_a_chain_is_refused() {
        for act in [
            json!(null),
            json!("bot"),
            json!([{"sub": "bot"}]),
            json!({}),
            json!({"sub": 1}),
            json!({"client_id": "bot"}),
            json!({"sub": "bot", "iss": 1}),
            json!({"sub": "bot", "act": null}),
            json!({"sub": "bot", "act": {"iss": "x"}}),
        ] {
            assert_eq!(of(&json!({"act": act})), Err(ActorFault::Malformed), "{act}");
        }
        let deep = (0..4).fold(json!(null), |inner, i| match inner {
            serde_json::Value::Null => json!({"sub": i.to_string()}),
            inner => json!({"sub": i.to_string(), "act": inner}),
        });
        assert_eq!(of(&json!({"act": deep})), Err(ActorFault::TooDeep { most: 3 }));
        assert!(of(&json!({"act": deep["act"]})).unwrap().is_some());
    }
}
