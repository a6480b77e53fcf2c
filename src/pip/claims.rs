//! The claims of a token (RFC 7519, section 4.1), in the form that conditions know from the peer: `aud` is a list, and
//! `exp`, `nbf` and `iat` are texts in RFC 3339.

use std::borrow::Cow;
use std::time::Duration;

use procura_core::model::Timestamp;
use procura_core::value::{Map, Value};

/// Why claims are not taken.
type Fault = Cow<'static, str>;

/// When claims are in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    /// The first instant.
    pub(super) begins: Timestamp,
    /// The first instant at which they no longer are; `None` if that never comes.
    pub(super) ends: Option<Timestamp>,
}

impl Period {
    /// Whether it covers `now`.
    pub(super) fn covers(&self, now: Timestamp) -> bool {
        self.begins <= now && self.ends.is_none_or(|ends| now < ends)
    }
}

/// The claims in `payload`, if they are in force at `now`, give or take `skew`, and when they are.
pub(super) fn in_force(
    payload: &[u8],
    now: Timestamp,
    skew: Duration,
) -> Result<(Map<'static>, Period), Fault> {
    let mut claims = match serde_json::from_slice::<Value<'_>>(payload) {
        Ok(Value::Map(claims)) => claims.into_owned(),
        _ => return Err("the claims of the token are not a JSON object that can be taken".into()),
    };
    for name in ["iss", "sub", "jti"] {
        if claims.get(name).is_some_and(|value| !matches!(value, Value::String(_))) {
            return Err(format!("the claim `{name}` is not a text").into());
        }
    }
    if let Some(audience) = claims.remove("aud") {
        claims.insert("aud".into(), list_of_texts(audience)?);
    }
    let expires = take_instant(&mut claims, "exp")?;
    let begins = take_instant(&mut claims, "nbf")?;
    let issued = take_instant(&mut claims, "iat")?;
    // An instant that leaves the calendar by the skew is as far away as any can be.
    let late = |at: Timestamp| at.saturating_add(skew).unwrap_or(Timestamp::MAX);
    let early = |at: Timestamp| at.saturating_sub(skew).unwrap_or(Timestamp::MIN);
    let ends = expires.map(late);
    let (begins, issued) = (begins.map_or(Timestamp::MIN, early), issued.map_or(Timestamp::MIN, early));
    if ends.is_some_and(|at| now >= at) {
        return Err("the token has expired".into());
    }
    if now < begins {
        return Err("the token is not in force yet (`nbf`)".into());
    }
    if now < issued {
        return Err("the token was issued in the future (`iat`)".into());
    }
    Ok((claims, Period { begins: begins.max(issued), ends }))
}

/// The `iss` in `payload`, which nobody has vouched for yet.
pub(super) fn issuer(payload: &[u8]) -> Option<String> {
    match serde_json::from_slice(payload) {
        Ok(Value::Map(mut claims)) => match claims.remove("iss") {
            Some(Value::String(issuer)) => Some(issuer.into_owned()),
            _ => None,
        },
        _ => None,
    }
}

fn list_of_texts(audience: Value<'static>) -> Result<Value<'static>, Fault> {
    match audience {
        text @ Value::String(_) => Ok(Value::List(vec![text])),
        Value::List(items) if items.iter().all(|item| matches!(item, Value::String(_))) => {
            Ok(Value::List(items))
        }
        _ => Err("the claim `aud` is neither a text nor a list of texts".into()),
    }
}

/// The instant in the claim `name`, which becomes a text. Fractions of a second are cut off, as the peer does.
fn take_instant(claims: &mut Map<'static>, name: &'static str) -> Result<Option<Timestamp>, Fault> {
    let seconds = match claims.get(name) {
        None => return Ok(None),
        Some(Value::Number(seconds)) => Some(*seconds),
        Some(Value::String(digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            digits.parse().ok()
        }
        Some(_) => None,
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "out of range becomes the nearest, which no instant has"
    )]
    let at = seconds.and_then(|seconds| Timestamp::from_second(seconds.floor() as i64).ok());
    let at = at.ok_or_else(|| format!("the claim `{name}` is not an instant in seconds since 1970"))?;
    claims.insert(name.into(), Value::String(Cow::Owned(at.to_string())));
    Ok(Some(at))
}
