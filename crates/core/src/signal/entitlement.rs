//! What a source may state, and about what.

use crate::model::{Entity, EntityKind, Subject};
use crate::policy::Glob;

/// What a source may state. What is left out of it is not limited.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entitlement {
    /// The names of the facts, as patterns.
    pub names: Option<Vec<Glob>>,
    /// The kinds of things that its facts may be about; all in a subject have to be among them.
    pub kinds: Option<Vec<EntityKind>>,
    /// The tenants in which its facts count.
    pub tenants: Option<Vec<String>>,
}

impl Entitlement {
    /// Whether facts of this name may be stated at all.
    #[must_use]
    pub fn allows_name(&self, name: &str) -> bool {
        self.names.as_ref().is_none_or(|names| names.iter().any(|pattern| pattern.matches(name)))
    }

    /// What a fact called `name` about `subject` may be about: nothing if it may not be stated.
    ///
    /// For a source of tenants, whatever it states is about each of them together with the subject. So it is never about
    /// requests of others, and a source of one tenant disables nobody in the next.
    #[must_use]
    pub fn bind(&self, name: &str, subject: Subject) -> Vec<Subject> {
        let is_kind =
            |entity: &Entity<'_>| self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&entity.kind));
        if !self.allows_name(name) || !subject.entities().iter().all(is_kind) {
            return Vec::new();
        }
        let Some(tenants) = &self.tenants else {
            return vec![subject];
        };
        if let Some(named) = subject.get(EntityKind::Tenant) {
            let is_theirs = tenants.iter().any(|tenant| *tenant == named.id);
            return is_theirs.then_some(subject).into_iter().collect();
        }
        let within = |tenant: &String| {
            let entity = Entity::new(EntityKind::Tenant, tenant.clone());
            Subject::new(subject.entities().iter().cloned().chain([entity]).collect())
        };
        tenants.iter().filter_map(within).collect()
    }
}
