//! The fields of a decision that can be asked for.

/// A field that holds text; an absent one holds the empty text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Kind of the record: `decision`, `policy_change` and so on.
    Kind,
    /// Id of the principal.
    Principal,
    /// Roles of the principal: each of them.
    Role,
    /// Kind of the resource.
    ResourceKind,
    /// Id of the resource.
    ResourceId,
    /// The action.
    Action,
    /// `EFFECT_ALLOW` or `EFFECT_DENY`.
    Effect,
    /// Why, as a code.
    Reason,
    /// The policy that decided, or `NO_MATCH`.
    Policy,
    /// The rule that decided.
    Rule,
    /// The scope of that policy.
    Scope,
    /// Derived roles that hold: each of them.
    DerivedRole,
    /// Codes of what went wrong on the way: each of them.
    Problem,
    /// Content hash of the policy set that decided, or that went live.
    PolicyRevision,
    /// Name of the enforcement point, or else its network address without the port.
    Caller,
    /// The API that was called.
    Api,
    /// The id that the request carried.
    RequestId,
}

impl Field {
    /// Every field, in the order of their numbers.
    pub const ALL: [Field; 17] = [
        Field::Kind,
        Field::Principal,
        Field::Role,
        Field::ResourceKind,
        Field::ResourceId,
        Field::Action,
        Field::Effect,
        Field::Reason,
        Field::Policy,
        Field::Rule,
        Field::Scope,
        Field::DerivedRole,
        Field::Problem,
        Field::PolicyRevision,
        Field::Caller,
        Field::Api,
        Field::RequestId,
    ];

    /// The name in filters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Field::Kind => "kind",
            Field::Principal => "principal",
            Field::Role => "role",
            Field::ResourceKind => "resourceKind",
            Field::ResourceId => "resourceId",
            Field::Action => "action",
            Field::Effect => "effect",
            Field::Reason => "reason",
            Field::Policy => "policy",
            Field::Rule => "rule",
            Field::Scope => "scope",
            Field::DerivedRole => "derivedRole",
            Field::Problem => "problem",
            Field::PolicyRevision => "policyRevision",
            Field::Caller => "caller",
            Field::Api => "api",
            Field::RequestId => "requestId",
        }
    }

    /// The field of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// Whether the values of the field stand in the record as they are, each as a JSON string.
    #[must_use]
    pub const fn is_verbatim(self) -> bool {
        !matches!(self, Field::Caller)
    }
}
