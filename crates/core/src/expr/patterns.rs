//! What the expressions of a set of policies have in common: regular expressions, each compiled once and all bounded
//! together, and forms.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ::regex::Regex;

use super::Budget;
use super::functions::CallError;
use super::functions::regex::{self, Size};
use super::ir::Form;
use crate::limits::{REGEX_COST, REGEX_KIB_COST, REGEX_PROGRAM_BYTES, REGEX_PROGRAM_STEPS, REGEX_SET_BYTES};

/// Compiled literals of a set. Expressions compiled with the same `Patterns` share the programs of equal literals, and
/// their forms.
#[derive(Debug, Default)]
pub struct Patterns {
    kept: RefCell<Kept>,
    forms: RefCell<BTreeSet<Arc<Form>>>,
}

#[derive(Debug, Default)]
struct Kept {
    literals: BTreeMap<Arc<str>, Literal>,
    /// Bytes spent on programs.
    spent: usize,
    /// The literals that were asked for since somebody wanted to know.
    asked: BTreeSet<Arc<str>>,
}

#[derive(Debug)]
struct Literal {
    program: Result<Arc<Regex>, String>,
    /// What it counts for.
    bytes: usize,
}

impl Patterns {
    /// The program of `pattern`; `Err` says why there is none.
    ///
    /// INVARIANT(patterns_bounded): the programs of a set take at most [`REGEX_SET_BYTES`] together. What fails counts
    /// as much as the largest program, so the time for all of them is bounded as well.
    pub(crate) fn compile(&self, pattern: &str) -> Result<Arc<Regex>, String> {
        let kept = &mut *self.kept.borrow_mut();
        if let Some((pattern, known)) = kept.literals.get_key_value(pattern) {
            kept.asked.insert(Arc::clone(pattern));
            return known.program.clone();
        }
        if kept.spent >= REGEX_SET_BYTES {
            return Err(format!(
                "the regular expressions of all policies need more than {REGEX_SET_BYTES} bytes when compiled: use \
                 fewer or smaller repetitions"
            ));
        }
        let compiled = regex::compile_sized(pattern);
        let bytes = compiled.as_ref().map_or(REGEX_PROGRAM_BYTES, |(_, Size(bytes))| *bytes);
        kept.spent += bytes;
        let program = compiled.map(|(regex, _)| Arc::new(regex));
        let pattern: Arc<str> = pattern.into();
        kept.asked.insert(Arc::clone(&pattern));
        kept.literals.insert(pattern, Literal { program: program.clone(), bytes });
        program
    }

    /// `form`, or the equal one that some expression has already.
    pub(crate) fn share(&self, form: Form) -> Arc<Form> {
        let mut forms = self.forms.borrow_mut();
        if let Some(known) = forms.get(&form) {
            return Arc::clone(known);
        }
        let form = Arc::new(form);
        forms.insert(Arc::clone(&form));
        form
    }

    /// The literals that were asked for since this was called last.
    pub(crate) fn take_asked(&self) -> BTreeSet<Arc<str>> {
        std::mem::take(&mut self.kept.borrow_mut().asked)
    }

    /// Whether there is no room for another program: then it depends on their order which of them were compiled.
    pub(crate) fn is_full(&self) -> bool {
        self.kept.borrow().spent >= REGEX_SET_BYTES
    }

    /// Forgets all literals but those in `used`, and the forms that no expression has any more.
    pub(crate) fn keep_only(&self, used: &BTreeSet<Arc<str>>) {
        let kept = &mut *self.kept.borrow_mut();
        kept.literals.retain(|literal, _| used.contains(literal));
        kept.spent = kept.literals.values().map(|literal| literal.bytes).sum();
        self.forget_unused_forms();
    }

    /// Forgets the forms that no expression has any more.
    pub(crate) fn forget_unused_forms(&self) {
        self.forms.borrow_mut().retain(|form| Arc::strong_count(form) > 1);
    }
}

/// Whether `pattern`, which is known only now, is a regular expression; paid for.
pub(crate) fn is_regex(budget: &Budget, pattern: &str) -> Result<bool, CallError> {
    budget.charge_call(REGEX_COST + pattern.len())?;
    for kib in REGEX_PROGRAM_STEPS {
        budget.charge_call(kib * REGEX_KIB_COST)?;
    }
    Ok(regex::compile(pattern).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_literals_share_a_program_and_are_paid_once() {
        let patterns = Patterns::default();
        let first = patterns.compile("^a+$").unwrap();
        let spent = patterns.kept.borrow().spent;
        assert!(Arc::ptr_eq(&first, &patterns.compile("^a+$").unwrap()));
        assert_eq!(patterns.kept.borrow().spent, spent);
    }

    #[test]
    fn thousands_of_small_patterns_fit() {
        let patterns = Patterns::default();
        for n in 0..5_000 {
            patterns.compile(&format!("^team-{n}/[a-z0-9-]+$")).unwrap();
        }
    }

    #[test]
    fn patterns_together_are_bounded_and_the_refusal_names_the_limit() {
        let limit = REGEX_SET_BYTES.to_string();
        for pattern in ["a{1,900}b{1,", "(a{1,100}){1,100}b{1,"] {
            let patterns = Patterns::default();
            let refused = (1..=700).find_map(|n| {
                patterns.compile(&format!("{pattern}{n}}}")).err().filter(|e| e.contains(&limit))
            });
            assert!(refused.is_some(), "{pattern}");
            assert!(patterns.kept.borrow().spent <= REGEX_SET_BYTES + REGEX_PROGRAM_BYTES);
        }
    }
}
