//! Stores, policies, requests and settings as data.

use std::collections::BTreeMap;

use crate::expr::{Expr, Tree, Value};

/// Many small policy sets that a server can hold at once, and the settings to decide with. The sets keep apart by the
/// names of their kinds, roles, principals and, mostly, scopes.
#[derive(Clone, Debug)]
pub struct Store {
    /// Settings of the engine.
    pub settings: Settings,
    /// What an allow in each scope means; the same for every policy of the scope.
    pub permissions: BTreeMap<String, Permission>,
    /// The sets.
    pub sets: Vec<Set>,
}

/// A policy set, and what to ask of it.
#[derive(Clone, Debug)]
pub struct Set {
    /// What the names of the set begin with.
    pub prefix: String,
    /// Its policies.
    pub policies: Vec<Policy>,
    /// Requests.
    pub asks: Vec<Ask>,
}

/// What an allow in a scope means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// It is final.
    Override,
    /// The scope above must allow as well.
    Consent,
}

/// Settings of the engine.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Version used where a request names none.
    pub default_version: String,
    /// Scope used where a request names none.
    pub default_scope: String,
    /// Whether a missing scope is replaced by the nearest one above.
    pub lenient: bool,
    /// Whether an error denies the action.
    pub strict: bool,
    /// Values of `G`.
    pub globals: Vec<(String, Value)>,
}

/// A policy of any kind.
#[derive(Clone, Debug)]
pub enum Policy {
    /// Rules about a kind of resource.
    Resource(ResourcePolicy),
    /// Rules about one principal.
    Principal(PrincipalPolicy),
    /// What a role may do at most.
    Role(RolePolicy),
    /// Derived roles to import.
    DerivedRoles(DerivedRoles),
    /// Variables to import.
    Variables(String, Vec<(String, Expr)>),
    /// Constants to import.
    Constants(String, Vec<(String, Value)>),
}

/// Version and scope of a policy, and the names that its expressions may use.
#[derive(Clone, Debug, Default)]
pub struct Head {
    /// Policy version; empty where the kind of policy has none.
    pub version: String,
    /// Scope; empty for the root.
    pub scope: String,
    /// Variables of its own, in the order of the text.
    pub variables: Vec<(String, Expr)>,
    /// Constants of its own.
    pub constants: Vec<(String, Value)>,
    /// Exported variables that it imports.
    pub import_variables: Option<String>,
    /// Exported constants that it imports.
    pub import_constants: Option<String>,
}

/// Rules about a kind of resource.
#[derive(Clone, Debug)]
pub struct ResourcePolicy {
    /// The kind.
    pub kind: String,
    /// Version, scope and names.
    pub head: Head,
    /// Sets of derived roles.
    pub imports: Vec<String>,
    /// The rules.
    pub rules: Vec<Rule>,
}

/// A rule of a resource policy.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Patterns of actions.
    pub actions: Vec<String>,
    /// Roles, `*` for any.
    pub roles: Vec<String>,
    /// Derived roles.
    pub derived: Vec<String>,
    /// Whether it denies.
    pub deny: bool,
    /// What it needs to apply and puts out.
    pub when: When,
}

/// Name, condition and outputs of a rule.
#[derive(Clone, Debug, Default)]
pub struct When {
    /// Name; numbered if absent.
    pub name: Option<String>,
    /// Condition.
    pub condition: Option<Tree>,
    /// Put out when it applies.
    pub activated: Option<Expr>,
    /// Put out when its condition is not met.
    pub not_met: Option<Expr>,
}

/// Rules about one principal.
#[derive(Clone, Debug)]
pub struct PrincipalPolicy {
    /// The principal.
    pub principal: String,
    /// Version, scope and names.
    pub head: Head,
    /// Rules by pattern of resource kinds.
    pub rules: Vec<(String, Vec<ActionRule>)>,
}

/// What a principal may do or not.
#[derive(Clone, Debug)]
pub struct ActionRule {
    /// Pattern of actions.
    pub action: String,
    /// Whether it denies.
    pub deny: bool,
    /// What it needs to apply and puts out.
    pub when: When,
}

/// What a role may do at most.
#[derive(Clone, Debug)]
pub struct RolePolicy {
    /// The role.
    pub role: String,
    /// Version, scope and names.
    pub head: Head,
    /// Roles whose permissions it narrows.
    pub parents: Vec<String>,
    /// What is allowed.
    pub rules: Vec<AllowRule>,
}

/// Actions that a role may perform.
#[derive(Clone, Debug)]
pub struct AllowRule {
    /// Pattern of resource kinds.
    pub resource: String,
    /// Patterns of actions.
    pub actions: Vec<String>,
    /// What it needs to apply and puts out.
    pub when: When,
}

/// Derived roles to import.
#[derive(Clone, Debug)]
pub struct DerivedRoles {
    /// Name to import them by.
    pub name: String,
    /// Names that their conditions may use.
    pub head: Head,
    /// The derived roles.
    pub definitions: Vec<DerivedRole>,
}

/// A derived role.
#[derive(Clone, Debug)]
pub struct DerivedRole {
    /// Its name.
    pub name: String,
    /// Roles one of which the principal must have; `*` for any.
    pub parents: Vec<String>,
    /// What else must hold.
    pub condition: Option<Tree>,
}

/// A request.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Id of the principal.
    pub principal: String,
    /// Its roles.
    pub roles: Vec<String>,
    /// Its attributes.
    pub attr: Vec<(String, Value)>,
    /// The policy version asked for it.
    pub version: String,
    /// The scope asked for it.
    pub scope: String,
    /// What it wants to do.
    pub items: Vec<Item>,
    /// The tenants that whoever sends it is bound to. Made-up requests are of callers that are bound to none; the peer
    /// knows no others.
    pub tenants: Option<Vec<String>>,
}

/// What a principal wants to do with one resource.
#[derive(Clone, Debug)]
pub struct Item {
    /// Actions.
    pub actions: Vec<String>,
    /// Kind of the resource.
    pub kind: String,
    /// Its id.
    pub id: String,
    /// Its attributes.
    pub attr: Vec<(String, Value)>,
    /// The policy version asked for.
    pub version: String,
    /// The scope asked for.
    pub scope: String,
}

impl When {
    /// Every expression.
    #[must_use]
    pub fn expressions(&self) -> Vec<&Expr> {
        let condition = self.condition.iter().flat_map(Tree::leaves);
        condition.chain(&self.activated).chain(&self.not_met).collect()
    }
}

impl Head {
    /// Leaves out the variables that none of `expressions` needs.
    pub fn keep_used(&mut self, expressions: &[&Expr]) {
        let mut needed: Vec<Expr> = expressions.iter().map(|expr| (*expr).clone()).collect();
        let mut kept = Vec::new();
        while let Some((name, expr)) = self.variables.pop() {
            if needed.iter().any(|user| user.uses(&name)) {
                needed.push(expr.clone());
                kept.insert(0, (name, expr));
            }
        }
        self.variables = kept;
    }
}

impl Set {
    /// Every expression of a condition, for changing it in place.
    pub fn leaves_mut(&mut self) -> Vec<&mut Expr> {
        let conditions = self.policies.iter_mut().flat_map(Policy::conditions_mut);
        conditions.flat_map(Tree::leaves_mut).collect()
    }
}

impl Policy {
    /// Version, scope and names, if policies of the kind have them.
    #[must_use]
    pub fn head(&self) -> Option<&Head> {
        match self {
            Policy::Resource(policy) => Some(&policy.head),
            Policy::Principal(policy) => Some(&policy.head),
            Policy::Role(policy) => Some(&policy.head),
            Policy::DerivedRoles(roles) => Some(&roles.head),
            Policy::Variables(..) | Policy::Constants(..) => None,
        }
    }

    /// Every output.
    #[must_use]
    pub fn outputs(&self) -> Vec<&Expr> {
        let rules: Vec<&When> = match self {
            Policy::Resource(policy) => policy.rules.iter().map(|rule| &rule.when).collect(),
            Policy::Principal(policy) => {
                policy.rules.iter().flat_map(|(_, rules)| rules).map(|rule| &rule.when).collect()
            }
            Policy::Role(policy) => policy.rules.iter().map(|rule| &rule.when).collect(),
            Policy::DerivedRoles(_) | Policy::Variables(..) | Policy::Constants(..) => Vec::new(),
        };
        rules.into_iter().flat_map(|when| [&when.activated, &when.not_met]).flatten().collect()
    }

    /// Every condition.
    #[must_use]
    pub fn conditions(&self) -> Vec<&Tree> {
        match self {
            Policy::Resource(policy) => {
                policy.rules.iter().filter_map(|rule| rule.when.condition.as_ref()).collect()
            }
            Policy::Principal(policy) => {
                let rules = policy.rules.iter().flat_map(|(_, rules)| rules);
                rules.filter_map(|rule| rule.when.condition.as_ref()).collect()
            }
            Policy::Role(policy) => {
                policy.rules.iter().filter_map(|rule| rule.when.condition.as_ref()).collect()
            }
            Policy::DerivedRoles(roles) => {
                roles.definitions.iter().filter_map(|role| role.condition.as_ref()).collect()
            }
            Policy::Variables(..) | Policy::Constants(..) => Vec::new(),
        }
    }

    /// The same, for changing them in place.
    pub fn conditions_mut(&mut self) -> Vec<&mut Tree> {
        match self {
            Policy::Resource(policy) => {
                policy.rules.iter_mut().filter_map(|rule| rule.when.condition.as_mut()).collect()
            }
            Policy::Principal(policy) => {
                let rules = policy.rules.iter_mut().flat_map(|(_, rules)| rules);
                rules.filter_map(|rule| rule.when.condition.as_mut()).collect()
            }
            Policy::Role(policy) => {
                policy.rules.iter_mut().filter_map(|rule| rule.when.condition.as_mut()).collect()
            }
            Policy::DerivedRoles(roles) => {
                roles.definitions.iter_mut().filter_map(|role| role.condition.as_mut()).collect()
            }
            Policy::Variables(..) | Policy::Constants(..) => Vec::new(),
        }
    }
}
