//! Answers worked out the slow and obvious way: every policy is unrolled into rows, one for each way to find a rule,
//! and the rows are walked as the peer's reference describes.
//!
//! | file | what it works out |
//! |---|---|
//! | `rows` | the rows of a store, and the names that a policy's expressions may use |
//! | `standing` | where in the whole store policies stand |
//! | `walk` | one resource: roles, scopes, rows |
//! | `erring` | which conditions have no truth value |
//! | `eval` | the value of an expression |
//! | `glob` | whether a pattern is about a name |

mod erring;
mod eval;
mod glob;
mod rows;
mod standing;
mod walk;

pub use erring::Erring;

use crate::answer::Answer;
use crate::model::{Ask, Set, Store};
use standing::Standing;

/// The oracle of one store.
pub struct Oracle<'s> {
    store: &'s Store,
    standing: Standing<'s>,
}

impl<'s> Oracle<'s> {
    /// The oracle of `store`.
    #[must_use]
    pub fn new(store: &'s Store) -> Self {
        Self { store, standing: Standing::of(store) }
    }

    /// What is answered to `ask`, which is about the policies of `set`, resource by resource; errors count as the
    /// peer has them.
    #[must_use]
    pub fn answers(&self, set: &Set, ask: &Ask) -> Vec<Answer> {
        let answer = |item| walk::answer(self, &set.policies, ask, item).sorted();
        ask.items.iter().map(answer).collect()
    }
}
