//! Masking: what of a call must not stand in its record, and what stands there instead.
//!
//! | file | what it is |
//! |---|---|
//! | `path` | which members a rule is about |
//! | `digest` | what stands for a value: a keyed digest |
//! | `walk` | the members of maps and lists |
//! | `signals` | facts, and what a call presents |
//! | `call` | a whole call, and what follows from it |
//!
//! A value is masked where the first rule that is about it, or about something it is a part of, says so; it is looked at
//! once, so that masking takes time in proportion to the call and the number of rules.

mod call;
mod digest;
mod path;
mod signals;
mod walk;

pub use digest::{MaskKey, MaskKeys};

use std::fmt;

use self::path::{Path, Place};
use crate::limits::{MASK_KINDS, MASK_RULES};

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It is left out.
    Remove,
    /// A digest with a key that stays stands for it: equal values stay recognisable.
    Hash,
    /// A digest with the key of its period stands for it: once that is destroyed, nobody can tell what it was.
    Pseudonym,
    /// It stays, although it may tell what is masked elsewhere. For outputs only.
    Keep,
}

/// A rule as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskRule {
    /// Which members it is about: `principal.attr.email`.
    pub path: String,
    /// What becomes of them.
    pub treatment: Treatment,
    /// The kinds of resources that it is about; empty for all. A member that is not of a resource is masked if any resource
    /// of the call is of such a kind.
    pub kinds: Vec<String>,
}

/// Rules made ready.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Masks {
    rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    written: String,
    path: Path,
    treatment: Treatment,
    kinds: Vec<String>,
}

/// What is wrong with a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskError {
    /// Which rule, from 0.
    pub rule: usize,
    /// The member of the rule.
    pub member: &'static str,
    /// What is wrong and how to mend it.
    pub advice: String,
}

impl Treatment {
    /// Every treatment.
    pub const ALL: [Self; 4] = [Self::Remove, Self::Hash, Self::Pseudonym, Self::Keep];

    /// The name in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Treatment::Remove => "remove",
            Treatment::Hash => "hash",
            Treatment::Pseudonym => "pseudonym",
            Treatment::Keep => "keep",
        }
    }
}

impl Masks {
    /// Makes `rules` ready, in this order.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn new(rules: Vec<MaskRule>) -> Result<Self, Vec<MaskError>> {
        let mut errors = Vec::new();
        if rules.len() > MASK_RULES {
            let advice = format!("there are {} rules, the limit is {MASK_RULES}", rules.len());
            return Err(vec![MaskError { rule: MASK_RULES, member: "path", advice }]);
        }
        let mut ready = Vec::with_capacity(rules.len());
        for (number, rule) in rules.into_iter().enumerate() {
            match Rule::new(rule) {
                Ok(rule) => ready.push(rule),
                Err((member, advice)) => errors.push(MaskError { rule: number, member, advice }),
            }
        }
        if errors.is_empty() { Ok(Self { rules: ready }) } else { Err(errors) }
    }

    /// Whether there is nothing to mask.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether any rule does this.
    #[must_use]
    pub fn uses(&self, treatment: Treatment) -> bool {
        self.rules.iter().any(|rule| rule.treatment == treatment)
    }
}

impl Rule {
    fn new(rule: MaskRule) -> Result<Self, (&'static str, String)> {
        let MaskRule { path: written, treatment, kinds } = rule;
        let path = Path::parse(&written).map_err(|advice| ("path", advice))?;
        if treatment == Treatment::Keep && path.place != Place::Outputs {
            return Err((
                "do",
                "`keep` is for `outputs` only: what no rule is about is kept anyway".to_owned(),
            ));
        }
        if kinds.len() > MASK_KINDS {
            return Err(("kinds", format!("names {} kinds, the limit is {MASK_KINDS}", kinds.len())));
        }
        if kinds.iter().any(String::is_empty) {
            return Err(("kinds", "names a kind without a name".to_owned()));
        }
        Ok(Self { written, path, treatment, kinds })
    }

    /// Whether the rule holds where a resource of this kind is.
    fn is_about(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|of| of == kind)
    }
}

impl fmt::Display for MaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {}: `{}` {}", self.rule, self.member, self.advice)
    }
}

#[cfg(test)]
mod tests;
