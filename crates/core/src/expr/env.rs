//! The names that an expression may use.

use std::collections::BTreeMap;

use super::types::Type;
use super::val::{MapVal, Val};
use super::{Budget, Patterns};
use crate::value::Map;

/// The names an expression of a policy may use besides `request`, `P`, `R`, `runtime` and the functions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// Variables (`V.x`, `variables.x`); the index is the slot in [`Frame::variables`](super::Frame::variables).
    pub variables: &'a [&'a str],
    /// Constants (`C.x`, `constants.x`), folded into the program.
    pub constants: Option<&'a Constants>,
    /// Compiled regular expressions, to share; `None` if the expression stands alone.
    pub patterns: Option<&'a Patterns>,
}

/// The constants of a policy, in the form that its programs share.
#[derive(Clone, Debug, Default)]
pub struct Constants {
    values: BTreeMap<Box<str>, Val<'static>>,
}

impl Constants {
    /// The constants of `map` by name.
    #[must_use]
    pub fn new(map: &Map<'static>) -> Self {
        let whole = Budget::new(u64::MAX, u64::MAX);
        let shared = |value| Val::from(value).detached(&whole).unwrap_or(Val::Null);
        Self { values: map.iter().map(|(name, value)| (name.into(), shared(value))).collect() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<Val<'static>> {
        self.values.get(name).cloned()
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(|name| &**name)
    }

    /// All constants as one map.
    pub(crate) fn as_map(&self) -> Val<'static> {
        let entries = self.values.iter().map(|(name, value)| (Val::string(name), value.clone()));
        Val::Map(MapVal::Owned(entries.collect()))
    }
}

/// The names of an expression that stands alone, outside a policy.
#[derive(Clone, Copy, Debug)]
pub struct Declarations<'a> {
    /// Where names are looked up first: in `a.b`, `x` is `a.b.x`, `a.x` or `x`. Empty for none.
    pub container: &'a str,
    /// Variables and their types; the index is the slot in [`Bindings::values`](super::Bindings::values).
    pub variables: &'a [(&'a str, Type)],
    /// Whether types are checked before evaluation.
    pub typing: Typing,
}

/// When types are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typing {
    /// Before evaluation, as far as they are known then.
    Static,
    /// During evaluation only: what cannot be resolved fails there.
    Dynamic,
}

/// What names stand for.
#[derive(Clone, Copy)]
pub(crate) enum Env<'a> {
    Policy(Names<'a>),
    Declared(Declarations<'a>),
}

impl Env<'_> {
    pub(crate) fn patterns(&self) -> Option<&Patterns> {
        match self {
            Env::Policy(names) => names.patterns,
            Env::Declared(_) => None,
        }
    }

    pub(crate) fn typing(&self) -> Typing {
        match self {
            Env::Policy(_) => Typing::Static,
            Env::Declared(declarations) => declarations.typing,
        }
    }
}

impl Declarations<'_> {
    /// Slot and type of the variable called `name`, looked up from the innermost container outwards.
    pub(crate) fn find(&self, name: &str, absolute: bool) -> Option<(usize, &Type)> {
        let mut container = if absolute { "" } else { self.container };
        loop {
            let qualified =
                if container.is_empty() { name.to_owned() } else { format!("{container}.{name}") };
            let slot = self.variables.iter().position(|(known, _)| *known == qualified);
            if let Some((slot, (_, ty))) = slot.and_then(|slot| Some((slot, self.variables.get(slot)?))) {
                return Some((slot, ty));
            }
            if container.is_empty() {
                return None;
            }
            container = container.rsplit_once('.').map_or("", |(outer, _)| outer);
        }
    }
}
