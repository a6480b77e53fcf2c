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
    /// The transaction that the call belongs to.
    Txn,
    /// The tenants that the call is about: that of each of its resources, and that of the scope of its principal if it
    /// has one.
    Tenant,
    /// Who vouches for what the call showed: for the caller, and for each of its tokens.
    Issuer,
    /// The key sets that vouch for its tokens.
    KeySet,
    /// The keys that were used for that: by the caller, and by the issuer of each token.
    Key,
    /// The session that the call presents.
    Session,
    /// The device that it presents.
    Device,
    /// The types of the facts in force about the call, and of those that a signal states: each of them.
    Signal,
}

impl Field {
    /// Every field, in the order of their numbers.
    pub const ALL: [Field; 25] = [
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
        Field::Txn,
        Field::Tenant,
        Field::Issuer,
        Field::KeySet,
        Field::Key,
        Field::Session,
        Field::Device,
        Field::Signal,
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
            Field::Txn => "txn",
            Field::Tenant => "tenant",
            Field::Issuer => "issuer",
            Field::KeySet => "keySet",
            Field::Key => "key",
            Field::Session => "session",
            Field::Device => "device",
            Field::Signal => "signal",
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
        !matches!(self, Field::Caller | Field::Tenant)
    }
}
