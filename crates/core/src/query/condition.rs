//! What is asked of one decision, and whether a record has one for which it holds.

use super::{Facts, Field, FilterError, Row, parse};
use crate::model::{Effect, Timestamp};

/// A condition on one decision. The default one holds always.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Every one of these holds; of none, always.
    All(Vec<Condition>),
    /// One of these holds; of none, never.
    Any(Vec<Condition>),
    /// This does not hold.
    Not(Box<Condition>),
    /// A value of the field is this text.
    Is(Field, Box<str>),
    /// A value of the field begins with this text.
    StartsWith(Field, Box<str>),
    /// The record is of this instant or a later one.
    Since(Timestamp),
    /// The call is about something, and all of it is of these tenants. Nothing is of the tenant without a name.
    Within(Vec<Box<str>>),
}

impl Default for Condition {
    fn default() -> Self {
        Condition::All(Vec::new())
    }
}

impl Condition {
    /// Reads a filter.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        parse::parse(text)
    }

    /// That a value of `field` is `text`; of the effect, `allow` and `deny` will do. `None` if the field can have no such
    /// value.
    #[must_use]
    pub fn is(field: Field, text: &str) -> Option<Self> {
        let text = match (field, text) {
            (Field::Effect, "allow") => Effect::Allow.wire_name(),
            (Field::Effect, "deny") => Effect::Deny.wire_name(),
            (Field::Effect, "EFFECT_ALLOW" | "EFFECT_DENY") => text,
            (Field::Effect, _) => return None,
            _ => text,
        };
        Some(Condition::Is(field, text.into()))
    }

    /// Whether the record has a decision for which this holds.
    #[must_use]
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        facts.rows().any(|row| self.holds(&row))
    }

    /// Whether this holds for one decision.
    #[must_use]
    pub fn holds(&self, row: &Row<'_, '_>) -> bool {
        match self {
            Condition::All(parts) => parts.iter().all(|part| part.holds(row)),
            Condition::Any(parts) => parts.iter().any(|part| part.holds(row)),
            Condition::Not(part) => !part.holds(row),
            Condition::Is(field, text) => row.any(*field, |value| value == &**text),
            Condition::StartsWith(field, text) => row.any(*field, |value| value.starts_with(&**text)),
            Condition::Since(at) => row.at() >= *at,
            Condition::Within(tenants) => !row.any(Field::Tenant, |tenant| is_beyond(tenant, tenants)),
        }
    }

    /// Whether something is asked of `field`.
    #[must_use]
    pub fn names(&self, field: Field) -> bool {
        match self {
            Condition::All(parts) | Condition::Any(parts) => parts.iter().any(|part| part.names(field)),
            Condition::Not(part) => part.names(field),
            Condition::Is(named, _) | Condition::StartsWith(named, _) => *named == field,
            Condition::Since(_) => false,
            Condition::Within(_) => field == Field::Tenant,
        }
    }

    /// This and `other`.
    #[must_use]
    pub fn and(self, other: Condition) -> Condition {
        match (self, other) {
            (Condition::All(mut parts), Condition::All(more)) => {
                parts.extend(more);
                Condition::All(parts)
            }
            (Condition::All(mut parts), other) => {
                parts.push(other);
                Condition::All(parts)
            }
            (first, other) => Condition::All(vec![first]).and(other),
        }
    }

    /// Conditions each of which holds wherever this does.
    pub fn necessary(&self) -> impl Iterator<Item = &Condition> {
        let mut pending = vec![self];
        std::iter::from_fn(move || {
            loop {
                match pending.pop()? {
                    Condition::All(parts) => pending.extend(parts),
                    part => return Some(part),
                }
            }
        })
    }

    /// The instant before which nothing can match, if there is one.
    #[must_use]
    pub fn earliest(&self) -> Option<Timestamp> {
        let since = self.necessary().filter_map(|part| match part {
            Condition::Since(at) => Some(*at),
            _ => None,
        });
        since.max()
    }

    /// The instant from which on nothing can match, if there is one.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        let until = self.necessary().filter_map(|part| match part {
            Condition::Not(part) => match &**part {
                Condition::Since(at) => Some(*at),
                _ => None,
            },
            _ => None,
        });
        until.min()
    }
}

/// Whether `tenant` is none of `tenants`.
#[must_use]
pub fn is_beyond(tenant: &str, tenants: &[Box<str>]) -> bool {
    tenant.is_empty() || !tenants.iter().any(|known| **known == *tenant)
}
