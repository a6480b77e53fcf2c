//! Random stores: small, so that names collide and rules meet.
//!
//! | file | what it makes up |
//! |---|---|
//! | `names` | what things are called |
//! | `policies` | policies of every kind |
//! | `conditions` | conditions, variables and outputs |
//! | `asks` | requests |

mod asks;
mod conditions;
mod names;
mod policies;

use std::collections::{BTreeMap, BTreeSet};

use crate::expr::Value;
use crate::model::{Permission, Set, Settings, Store};
use crate::rng::Rng;
use names::Names;

/// How large a store is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How many sets.
    pub sets: usize,
    /// How many requests for each set.
    pub asks: usize,
}

/// The store of this seed and size.
#[must_use]
pub fn store(seed: u64, size: Size) -> Store {
    let mut rng = Rng::new(seed);
    let settings = settings(&mut rng);
    // The peer takes what is exported for policies of the root that leave their permission out, and refuses others.
    let exports = rng.chance(80);
    let names: Vec<_> = (0..size.sets).map(|number| Names::new(number, exports, &mut rng)).collect();
    let permissions = permissions(&names, &mut rng);
    let set = |names: &Names| Set {
        prefix: names.prefix.clone(),
        policies: policies::policies(names, &permissions, &mut rng),
        asks: (0..size.asks).map(|_| asks::ask(names, &mut rng)).collect(),
    };
    let sets = names.iter().map(set).collect();
    Store { settings, permissions, sets }
}

fn settings(rng: &mut Rng) -> Settings {
    let scope = if rng.chance(30) { *rng.pick(&["t", "t.b", "t.z"]) } else { "" };
    Settings {
        default_version: (if rng.chance(25) { "v2" } else { "default" }).to_owned(),
        default_scope: scope.to_owned(),
        lenient: rng.chance(40),
        strict: rng.chance(35),
        globals: vec![("g0".to_owned(), Value::Bool(rng.chance(50)))],
    }
}

/// Some scopes leave their permission out, which overrides as well.
fn permissions(names: &[Names], rng: &mut Rng) -> BTreeMap<String, Permission> {
    let consent = *rng.pick(&[0, 30, 60]);
    let mut permissions = BTreeMap::new();
    let mut known = BTreeSet::new();
    for names in names {
        for scope in names.scopes.iter().filter(|scope| !scope.is_empty() || !names.exports) {
            let permission = match known.insert(scope) {
                false => None,
                true if rng.chance(consent) => Some(Permission::Consent),
                true => rng.chance(50).then_some(Permission::Override),
            };
            permissions.extend(permission.map(|permission| (scope.clone(), permission)));
        }
    }
    permissions
}
