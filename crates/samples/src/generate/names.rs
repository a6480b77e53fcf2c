//! What things are called. Few names, so that rules meet; different ones in each set, so that sets do not.

use crate::rng::Rng;

/// Actions that are asked for.
pub(super) const ACTIONS: &[&str] = &["view", "view:a", "view:a:b", "edit", "editor", "create"];

/// Patterns of actions; the last two are patterns to nobody.
pub(super) const PATTERNS: &[&str] = &[
    "*",
    "*",
    "view",
    "view",
    "edit",
    "create",
    "view:*",
    "view:**",
    "v*",
    "**:b",
    "edit*",
    "e?it",
    "{view,edit}",
];

/// Versions of policies.
pub(super) const VERSIONS: &[&str] = &["default", "v2"];

/// Derived roles, two in each file.
pub(super) const DERIVED: &[&str] = &["d0", "d1", "d2", "d3"];

/// The names of one set.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) prefix: String,
    /// Whether there are derived roles, exported variables and exported constants.
    pub(super) exports: bool,
    /// Whether there are role policies.
    pub(super) narrows: bool,
    pub(super) kinds: Vec<String>,
    pub(super) principals: Vec<String>,
    pub(super) roles: Vec<String>,
    /// The root, and below it one scope with two more below it, one of which has another.
    pub(super) scopes: Vec<String>,
}

impl Names {
    /// Half of the sets share their scopes, so that a scope can exist without a policy of the set.
    pub(super) fn new(number: usize, exports: bool, rng: &mut Rng) -> Self {
        let prefix = format!("s{number}");
        let family = if rng.chance(50) { "t".to_owned() } else { prefix.clone() };
        let scope = |below: &str| format!("{family}{below}");
        Self {
            kinds: vec![format!("{prefix}k0"), format!("{prefix}k1"), format!("{prefix}:k-2")],
            principals: vec![format!("{prefix}p0"), format!("{prefix}p1")],
            roles: (0..4).map(|n| format!("{prefix}r{n}")).collect(),
            scopes: vec![String::new(), scope(""), scope(".b"), scope(".b.c"), scope(".d")],
            exports,
            narrows: rng.chance(60),
            prefix,
        }
    }

    /// The scopes that a policy can have so that every scope above them has one as well.
    pub(super) fn chain(&self, rng: &mut Rng) -> Vec<String> {
        let count = *rng.pick(&[1, 1, 2, 3, 4, 5]);
        self.scopes.iter().take(count).cloned().collect()
    }

    /// Patterns of the kinds of the set. None has a colon beside a star: the peer compares them with the kind as
    /// answers print it, and so finds no kind with a colon.
    pub(super) fn resource_patterns(&self) -> Vec<String> {
        let mut patterns = self.kinds.clone();
        patterns.extend([format!("{}*", self.prefix), format!("{}**", self.prefix), "*".to_owned()]);
        patterns
    }
}
