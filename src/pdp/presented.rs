//! What a call presents: the entities that facts can be about, found in verified claims, in attributes and in the request.

use std::borrow::Cow;
use std::cmp::Ordering;

use procura_core::limits::{PRESENTED, SIGNALS};
use procura_core::model::{Entity, EntityKind, Fact, Presented, Request, Signals, Timestamp, tenant_of};
use procura_core::record::{Vouchers, claim_at};
use procura_core::value::{Map, Value};

use crate::ports::Facts;

/// Where the session, the device and so on stand in a call: in each list the first that is there counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresentedRules {
    /// The session.
    pub session: Vec<Whence>,
    /// The device.
    pub device: Vec<Whence>,
    /// The groups: a text or a list of texts.
    pub groups: Vec<Whence>,
    /// The application: the client that acts.
    pub application: Vec<Whence>,
    /// When the session began, in seconds since 1970. Only a token can say so.
    pub began: Vec<Claim>,
    /// How the principal showed who it is (`amr`, RFC 8176). Only a token can say so.
    pub methods: Vec<Claim>,
}

/// Where something stands in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whence {
    /// In a claim of a verified token.
    Claim(Claim),
    /// In an attribute of the principal.
    Attribute(String),
}

/// A claim of a token that some key vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The name of the token; `None` for the one token.
    pub token: Option<String>,
    /// The claim; those within others by their names joined by dots.
    pub path: String,
}

impl Default for PresentedRules {
    fn default() -> Self {
        let claim = |path: &str| Claim { token: None, path: path.to_owned() };
        let first = |path: &str| Whence::Claim(claim(path));
        let attribute = |name: &str| Whence::Attribute(name.to_owned());
        Self {
            session: vec![first("sid"), attribute("sessionId")],
            device: vec![first("device_id"), attribute("deviceId")],
            groups: vec![first("groups"), attribute("groups")],
            application: vec![first("client_id"), first("azp")],
            began: vec![claim("auth_time"), claim("iat")],
            methods: vec![claim("amr")],
        }
    }
}

/// What is held true at `now` about the call that `request` is, whose tokens are vouched for by `vouchers`; nothing if no facts
/// are held. `default_scope` is that of requests that name none.
pub(super) fn signals(
    facts: &dyn Facts,
    rules: &PresentedRules,
    (request, vouchers): (&Request<'_>, &Vouchers),
    default_scope: &str,
    now: Timestamp,
) -> Signals<'static> {
    if facts.is_empty() {
        return Signals::default();
    }
    let call = Verified { rules, request, vouchers };
    let presented = call.presented();
    let entities = call.entities(&presented, default_scope);
    let held = (entities.len() <= PRESENTED).then(|| facts.about(&entities, now));
    let Some(mut held) = held.filter(|held| held.len() <= SIGNALS) else {
        return Signals { too_many: true, facts: Vec::new(), presented };
    };
    held.sort_unstable_by(|one, other| newest_first(one, other));
    Signals { too_many: false, facts: held, presented }
}

/// An order in which no two facts that are held are equal.
fn newest_first(one: &Fact, other: &Fact) -> Ordering {
    let names = one.name.cmp(&other.name).then_with(|| one.source.cmp(&other.source));
    let by_name = || names.then_with(|| one.id.cmp(&other.id)).then_with(|| one.slot.cmp(&other.slot));
    other.at.cmp(&one.at).then_with(by_name).then_with(|| one.subject.cmp(&other.subject))
}

/// A call whose tokens are verified.
struct Verified<'c> {
    rules: &'c PresentedRules,
    request: &'c Request<'c>,
    vouchers: &'c Vouchers,
}

impl<'c> Verified<'c> {
    fn presented(&self) -> Presented<'static> {
        let owned = |name: Cow<'c, str>| Cow::Owned(name.into_owned());
        let claim = |claims: &'c [Claim]| claims.iter().find_map(|claim| self.claim(claim));
        Presented {
            session: self.first(&self.rules.session).map(owned),
            device: self.first(&self.rules.device).map(owned),
            began: claim(&self.rules.began).and_then(instant),
            methods: claim(&self.rules.methods).and_then(texts),
        }
    }

    /// Everything that facts can be about.
    fn entities<'e>(&'e self, presented: &'e Presented<'_>, default_scope: &'e str) -> Vec<Entity<'e>> {
        let Request { principal, items, aux_data, .. } = self.request;
        let mut entities = vec![Entity::new(EntityKind::Principal, &*principal.id)];
        entities.extend(actors(aux_data.actor.as_ref()).map(|id| Entity::new(EntityKind::Principal, id)));
        entities.extend(presented.session.as_deref().map(|id| Entity::new(EntityKind::Session, id)));
        entities.extend(presented.device.as_deref().map(|id| Entity::new(EntityKind::Device, id)));
        let groups = self.rules.groups.iter().find_map(|whence| self.value(whence));
        entities.extend(groups.into_iter().flat_map(names).map(|id| Entity::new(EntityKind::Group, id)));
        let application = self.first(&self.rules.application);
        entities.extend(application.map(|id| Entity::new(EntityKind::Application, id)));
        entities.extend(self.tokens().filter_map(token));
        let scopes = items.iter().map(|item| &*item.resource.scope).chain([&*principal.scope]);
        entities.extend(scopes.filter_map(|scope| self.tenant(scope, default_scope)));
        let resources = items.iter().map(|item| &item.resource);
        entities.extend(resources.map(|of| Entity::within(EntityKind::Resource, &*of.kind, &*of.id)));
        entities.sort_unstable();
        entities.dedup();
        entities
    }

    /// The tenant of `scope`, unless for the caller there is no such tenant.
    fn tenant<'e>(&'e self, scope: &'e str, default_scope: &'e str) -> Option<Entity<'e>> {
        let tenant = tenant_of(if scope.is_empty() { default_scope } else { scope })?;
        let known = self.request.tenants.as_ref();
        let is_there = known.is_none_or(|tenants| tenants.iter().any(|known| known == tenant));
        is_there.then(|| Entity::new(EntityKind::Tenant, tenant))
    }

    fn first(&self, from: &[Whence]) -> Option<Cow<'c, str>> {
        from.iter().find_map(|whence| self.value(whence).and_then(name))
    }

    fn value(&self, whence: &Whence) -> Option<&'c Value<'c>> {
        match whence {
            Whence::Claim(claim) => self.claim(claim),
            Whence::Attribute(name) => self.request.principal.attr.get(name),
        }
    }

    /// INVARIANT(only_verified_claims): a token that no key vouches for says nothing here, nor does one about somebody else:
    /// when it was issued must not hide that the session of the principal was revoked.
    fn claim(&self, Claim { token, path }: &Claim) -> Option<&'c Value<'c>> {
        let aux_data = &self.request.aux_data;
        let (claims, voucher) = match token {
            None => (&aux_data.jwt, &self.vouchers.jwt),
            Some(name) => match aux_data.jwts.get(name)? {
                Value::Map(claims) => (claims, self.vouchers.jwts.get(name)?),
                _ => return None,
            },
        };
        let counts = voucher.key_set.is_some() && !voucher.of_another;
        claim_at(claims, path).filter(|_| counts)
    }

    /// The claims of every token that a key vouches for.
    fn tokens(&self) -> impl Iterator<Item = &'c Map<'c>> {
        let aux_data = &self.request.aux_data;
        let one = self.vouchers.jwt.key_set.is_some().then_some(&aux_data.jwt);
        let named = self.vouchers.jwts.iter().filter(|(_, voucher)| voucher.key_set.is_some());
        let named = named.filter_map(|(name, _)| match aux_data.jwts.get(name) {
            Some(Value::Map(claims)) => Some(claims),
            _ => None,
        });
        one.into_iter().chain(named)
    }
}

/// Who acts for the principal.
fn actors<'m>(actor: Option<&'m Map<'m>>) -> impl Iterator<Item = &'m str> {
    let chain = match actor.and_then(|actor| actor.get("chain")) {
        Some(Value::List(chain)) => chain.as_slice(),
        _ => &[],
    };
    chain.iter().filter_map(|actor| match actor {
        Value::Map(actor) => actor.get("sub").and_then(text),
        _ => None,
    })
}

fn token<'m>(claims: &'m Map<'m>) -> Option<Entity<'m>> {
    let claim = |name: &str| claims.get(name).and_then(text);
    Some(Entity::within(EntityKind::Token, claim("iss")?, claim("jti")?))
}

fn text<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// The name that a value is: a text, or a whole number as some issuers count their sessions.
fn name<'v>(value: &'v Value<'_>) -> Option<Cow<'v, str>> {
    /// Up to here every whole number is another one.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) if number.fract() == 0.0 && number.abs() < EXACT => {
            Some(Cow::Owned(number.to_string()))
        }
        value => text(value).map(Cow::Borrowed),
    }
}

/// The names in a list, or the one that a value is. What is no name hides none beside it.
fn names<'v>(value: &'v Value<'_>) -> Vec<Cow<'v, str>> {
    match value {
        Value::List(items) => items.iter().filter_map(name).collect(),
        value => name(value).into_iter().collect(),
    }
}

/// A list of texts, or the one text; `None` if there is anything else in it: what is shown must all be known.
fn texts(value: &Value<'_>) -> Option<Vec<Cow<'static, str>>> {
    let owned = |value| text(value).map(|text| Cow::Owned(text.to_owned()));
    match value {
        Value::List(items) => items.iter().map(owned).collect(),
        value => owned(value).map(|text| vec![text]),
    }
}

/// Seconds since 1970, without what is below a second: a session does not begin later than it says.
fn instant(value: &Value<'_>) -> Option<Timestamp> {
    let Value::Number(seconds) = value else { return None };
    #[expect(clippy::cast_possible_truncation, reason = "a number that is too large stays too large")]
    Timestamp::from_second(seconds.floor() as i64).ok()
}

#[cfg(test)]
mod tests;
