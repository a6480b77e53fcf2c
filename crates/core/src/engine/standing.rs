//! Rules that stand without a policy: what is held true about whoever acts denies, and a capability asks for fresh facts.
//!
//! Each of them only narrows. A fact denies on its own word, whoever else says what; nothing that another source says, and
//! nothing that is about less, clears it.

use std::sync::Arc;

use super::conditions::CostExceeded;
use super::{Call, Settings};
use crate::expr::InForce;
use crate::model::{
    ActionDecision, Demand, Effect, EntityKind, Fact, Ground, Item, Presented, Reason, Timestamp, tenant_of,
};
use crate::policy::RequiredSignal;
use crate::value::Value;

/// The facts of the call that are in force for `item`; `None` if there are none.
pub(super) fn in_force<'r>(call: &Call<'r>, item: &Item<'_>) -> Result<Option<InForce<'r>>, CostExceeded> {
    let facts = &call.request.signals.facts;
    if facts.is_empty() {
        return Ok(None);
    }
    call.charge(facts.len())?;
    let facts = facts.iter().map(AsRef::as_ref).enumerate();
    let facts: Vec<_> = facts.filter(|(_, fact)| is_about(fact, call, item)).collect();
    Ok((!facts.is_empty()).then(|| InForce::new(facts)))
}

/// Whether nothing in the subject of `fact` is about another resource, or about a tenant that neither the principal nor
/// the resource is of. All else in it was presented by the call.
fn is_about(fact: &Fact, call: &Call<'_>, item: &Item<'_>) -> bool {
    let (resource, request) = (&item.resource, call.request);
    let is_of = |scope: &str, tenant: &str| tenant_of(scope_of(scope, call.settings)) == Some(tenant);
    fact.subject.entities().iter().all(|entity| match entity.kind {
        EntityKind::Resource => entity.of == resource.kind && entity.id == resource.id,
        EntityKind::Tenant => {
            is_of(&resource.scope, &entity.id) || is_of(&request.principal.scope, &entity.id)
        }
        _ => true,
    })
}

fn scope_of<'r>(written: &'r str, settings: &'r Settings) -> &'r str {
    if written.is_empty() { &settings.default_scope } else { written }
}

/// Why everything about a resource is denied before any policy is asked, and on which fact that rests.
pub(super) fn denial(
    call: &Call<'_>,
    in_force: Option<&InForce<'_>>,
) -> Result<Option<(Reason, Option<Ground>)>, CostExceeded> {
    if call.request.signals.too_many {
        return Ok(Some((Reason::TooManySignals, None)));
    }
    let Some(in_force) = in_force else { return Ok(None) };
    let rules = Rules { call, in_force, presented: &call.request.signals.presented };
    for (place, fact) in in_force.facts() {
        if let Some(reason) = rules.denies(fact)? {
            return Ok(Some((reason, Some(Ground { signal: Some(*place), demand: None }))));
        }
    }
    Ok(None)
}

/// What the rules look at.
struct Rules<'s, 'r> {
    call: &'s Call<'r>,
    in_force: &'s InForce<'r>,
    presented: &'s Presented<'r>,
}

impl Rules<'_, '_> {
    /// For which reason `fact` denies, if it does.
    fn denies(&self, fact: &Fact) -> Result<Option<Reason>, CostExceeded> {
        let standing = self.call.settings.standing;
        let (denies, reason) = match &*fact.name {
            "session-revoked" | "sessions-revoked" if standing.sessions => {
                (!self.began_after(fact)?, Reason::SessionRevoked)
            }
            "account-disabled" | "account-purged" if standing.accounts => {
                (!self.is_cleared(fact)?, Reason::AccountDisabled)
            }
            "credential-compromise" if standing.credentials => {
                (self.is_compromised(fact)?, Reason::CredentialCompromised)
            }
            "credential-change" if standing.credentials && is_revocation(fact) => {
                (self.is_compromised(fact)?, Reason::CredentialCompromised)
            }
            _ => return Ok(None),
        };
        Ok(denies.then_some(reason))
    }

    /// Whether the session that is presented is known to have begun after everything that `revoked` is about ended: never if
    /// it is about this session or token itself.
    fn began_after(&self, revoked: &Fact) -> Result<bool, CostExceeded> {
        let subject = &revoked.subject;
        if [EntityKind::Session, EntityKind::Token].iter().any(|kind| subject.get(*kind).is_some()) {
            return Ok(false);
        }
        if !self.is_of_principal(revoked) {
            return Ok(false);
        }
        if self.presented.began.is_some_and(|began| began > revoked.at) {
            return Ok(true);
        }
        let Some(session) = &self.presented.session else { return Ok(false) };
        let is_of_session = |fact: &Fact| {
            fact.subject.get(EntityKind::Session).is_some_and(|presented| presented.id == *session)
        };
        self.any(|fact| {
            &*fact.name == "session-established"
                && fact.source == revoked.source
                && fact.at > revoked.at
                && is_of_session(fact)
        })
    }

    /// Whether a compromised credential may be behind the call.
    fn is_compromised(&self, fact: &Fact) -> Result<bool, CostExceeded> {
        let credential = fact.slot.strip_prefix("credential/");
        let methods = self.presented.methods.as_ref().filter(|_| self.is_of_principal(fact));
        let is_excluded = credential
            .zip(methods)
            .is_some_and(|(credential, methods)| excludes(methods.iter().map(AsRef::as_ref), credential));
        Ok(!is_excluded && !self.is_cleared(fact)?)
    }

    /// Whether `fact` is not about somebody else who acts, for example the agent: when a session began, and how that was
    /// shown, is known of the principal alone.
    fn is_of_principal(&self, fact: &Fact) -> bool {
        let named = fact.subject.get(EntityKind::Principal);
        named.is_none_or(|named| named.id == self.call.request.principal.id)
    }

    /// Whether the source of `fact` has said something else since, about the same or about more.
    fn is_cleared(&self, fact: &Fact) -> Result<bool, CostExceeded> {
        self.any(|later| {
            later.at > fact.at
                && later.source == fact.source
                && later.slot == fact.slot
                && later.subject.is_presented(fact.subject.entities())
        })
    }

    fn any(&self, is_it: impl Fn(&Fact) -> bool) -> Result<bool, CostExceeded> {
        self.call.charge(self.in_force.facts().len())?;
        Ok(self.in_force.facts().iter().any(|(_, fact)| is_it(fact)))
    }
}

/// Whether a `credential-change` says that the credential was revoked.
fn is_revocation(fact: &Fact) -> bool {
    let Some(Value::Map(data)) = &fact.value else { return false };
    matches!(data.get("change_type"), Some(Value::String(change)) if *change == "revoke")
}

/// Methods of authentication (RFC 8176, and `fido` as it is widely used) that are of some credential for sure, each with the
/// types of credentials (CAEP 1.0, section 3.3) that it can be of.
const METHODS: [(&str, &[&str]); 12] = [
    ("pwd", &["password"]),
    ("pin", &["pin"]),
    ("hwk", &["x509", "fido2-platform", "fido2-roaming", "fido-u2f", "verifiable-credential", "app"]),
    ("swk", &["x509", "fido2-platform", "fido2-roaming", "verifiable-credential", "app"]),
    ("sc", &["x509"]),
    ("otp", &["phone-voice", "phone-sms", "app"]),
    ("sms", &["phone-sms"]),
    ("tel", &["phone-voice"]),
    ("fpt", &["fido2-platform", "fido2-roaming", "app"]),
    ("face", &["fido2-platform", "fido2-roaming", "app"]),
    ("fido", &["fido2-platform", "fido2-roaming", "fido-u2f"]),
    ("kba", &[]),
];

/// Whether no credential of the type `credential` is behind `methods`: there are some, and each is known not to be of it.
fn excludes<'m>(methods: impl Iterator<Item = &'m str>, credential: &str) -> bool {
    let is_known = METHODS.iter().any(|(_, credentials)| credentials.contains(&credential));
    let mut methods = methods.peekable();
    is_known
        && methods.peek().is_some()
        && methods.all(|method| {
            let known = METHODS.iter().find(|(name, _)| *name == method);
            known.is_some_and(|(_, credentials)| !credentials.contains(&credential))
        })
}

/// Denies what was allowed if the capability behind `action` asks for a fact that is not there or too old.
pub(super) fn demand_freshness(
    call: &Call<'_>,
    (kind, action): (&str, &str),
    in_force: Option<&InForce<'_>>,
    decision: &mut ActionDecision,
) -> Result<(), CostExceeded> {
    if decision.effect != Effect::Allow {
        return Ok(());
    }
    let Some(capability) = call.snapshot.capabilities.get(kind, action) else { return Ok(()) };
    let facts = in_force.map_or(&[][..], InForce::facts);
    for required in &capability.signals {
        call.budget.note_time();
        call.charge(1 + facts.len())?;
        let newest = facts.iter().find(|(_, fact)| fact.name == required.kind);
        if newest.is_some_and(|(_, fact)| is_fresh(fact, required, call.now)) {
            continue;
        }
        let demand = Demand {
            signal: Arc::clone(&required.kind),
            max_age: required.max_age,
            capability: capability.position.to_string().into(),
        };
        let signal = newest.map(|(place, _)| *place);
        decision.effect = Effect::Deny;
        decision.reason = Reason::StaleState;
        decision.ground = Some(Ground { signal, demand: Some(demand) }.into());
        return Ok(());
    }
    Ok(())
}

fn is_fresh(fact: &Fact, required: &RequiredSignal, now: Timestamp) -> bool {
    let age = now.duration_since(fact.at);
    age.as_secs() < 0 || (age.as_secs().unsigned_abs(), age.subsec_nanos()) <= (required.max_age, 0)
}

#[cfg(test)]
mod tests;
