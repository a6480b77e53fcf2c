//! Which derived roles hold: the principal has one of the parent roles and the condition is true.

use std::cell::OnceCell;
use std::mem;
use std::sync::Arc;

use super::Call;
use super::conditions::{self, CostExceeded, Judged, Owner, Truth, Verdict};
use super::reach::Reach;
use super::roles::HeldRole;
use crate::expr::{Inputs, Scope};
use crate::model::{Few, Problem};
use crate::policy::{DerivedBrief, Policy};

/// The derived roles of one policy, for one principal and resource.
pub(super) struct DerivedRoles {
    verdicts: Few<Verdict, 8>,
    /// What went wrong, by the index of the derived role, ascending.
    problems: Vec<(usize, Vec<Problem>)>,
    held: Vec<Arc<str>>,
    /// Whether conditions may read which of them hold.
    known: bool,
    is_too_costly: bool,
}

impl DerivedRoles {
    /// Evaluates the condition of every derived role of which the principal has a parent role, unless that was done in
    /// the scope `below`, for the same resource.
    pub(super) fn judge<'r>(
        call: &Call<'r>,
        policy: &'r Policy,
        (roles, reach): (&[HeldRole<'r>], &Reach),
        inputs: Inputs<'r>,
        below: Option<(&Policy, &Self)>,
    ) -> Self {
        // A derived role that asks which derived roles hold sees none: their order must not matter.
        let inputs = Inputs { derived_roles: Some(&[]), ..inputs };
        let mut scopes = Scopes { inputs, call, opened: None, others: Vec::new() };
        let verdicts = Few::of_defaults(policy.table.derived_roles.len());
        let (problems, held) = (Vec::new(), Vec::new());
        let mut derived_roles = Self { verdicts, problems, held, known: true, is_too_costly: false };
        for (index, brief) in policy.table.derived_roles.iter().enumerate() {
            let judged = match call.charge(1) {
                Err(exceeded) => settled(Err(exceeded)),
                Ok(()) if !reach.all.derived_roles.contains(index) => settled(Ok(Truth::False)),
                Ok(()) if brief.is_conditional => {
                    let known =
                        below.and_then(|(other, below)| below.known_of(other, policy, (index, brief)));
                    known.unwrap_or_else(|| scopes.judge(policy, (index, brief)))
                }
                Ok(()) => settled(Ok(Truth::True)),
            };
            derived_roles.put((index, brief), judged, call.settings.strict_evaluation);
        }
        if let Some(observer) = call.observer {
            observer.established(policy, &derived_roles, roles);
        }
        derived_roles
    }

    /// What conditions may read: the names that hold for certain, sorted, unless that is undecided for any of them, or
    /// under strict evaluation an error was met.
    pub(super) fn known(&self) -> Option<&[Arc<str>]> {
        self.known.then_some(&self.held)
    }

    /// The names of those that hold for certain in any of `all`, sorted.
    pub(super) fn held_in(all: &mut [OnceCell<Self>]) -> Vec<Arc<str>> {
        let mut all =
            all.iter_mut().filter_map(OnceCell::get_mut).map(|established| mem::take(&mut established.held));
        let mut held = all.next().unwrap_or_default();
        for more in all {
            held.extend(more);
            held.sort_unstable();
            held.dedup();
        }
        held
    }

    /// Whether the derived role at `index` of the policy holds; one that could not be paid for does not.
    pub(super) fn truth(&self, index: usize) -> Truth {
        self.verdict(index).and_then(|verdict| verdict.truth.ok()).unwrap_or(Truth::Undecided)
    }

    /// Whether something went wrong while the derived role at `index` was evaluated.
    pub(super) fn is_erring(&self, index: usize) -> bool {
        !self.problems(index).is_empty()
    }

    /// Whether something went wrong with any of them.
    pub(super) fn met_problems(&self) -> bool {
        !self.problems.is_empty()
    }

    /// How the evaluation of the derived role at `index` ended.
    pub(super) fn verdict(&self, index: usize) -> Option<Verdict> {
        self.verdicts.get(index).copied()
    }

    /// What went wrong with the derived role at `index`.
    pub(super) fn problems(&self, index: usize) -> &[Problem] {
        let at = self.problems.binary_search_by_key(&index, |(role, _)| *role).ok();
        at.and_then(|at| self.problems.get(at)).map_or(&[], |(_, problems)| problems)
    }

    /// What went wrong with the first derived role whose condition cost more than the call may spend, if one did.
    pub(super) fn too_costly(&self) -> Option<&[Problem]> {
        if !self.is_too_costly {
            return None;
        }
        let first = self.verdicts.iter().position(|verdict| verdict.truth.is_err());
        first.map(|index| self.problems(index))
    }

    /// How the evaluation of the derived role of `policy` ended, if it is one of these, which are those of `other`.
    fn known_of(
        &self,
        other: &Policy,
        policy: &Policy,
        (index, brief): (usize, &DerivedBrief),
    ) -> Option<Judged> {
        let here = other.table.derived_roles.binary_search_by(|known| known.name.cmp(&brief.name)).ok()?;
        // Compared by place: that two policies hold it in one place of memory depends on when they were compiled.
        let same = other.derived_roles.get(here)?.position == policy.derived_roles.get(index)?.position;
        let verdict = self.verdict(here).filter(|_| same)?;
        Some(Judged { verdict, problems: self.problems(here).to_vec() })
    }

    fn put(&mut self, (index, brief): (usize, &DerivedBrief), judged: Judged, is_strict: bool) {
        let Judged { verdict, problems } = judged;
        let Verdict { truth, erred, .. } = verdict;
        // Under strict evaluation one that met an error is neither held nor not held.
        let is_settled = !(erred && is_strict);
        self.known &= is_settled && matches!(truth, Ok(Truth::True | Truth::False));
        self.is_too_costly |= truth.is_err();
        if is_settled && truth == Ok(Truth::True) {
            self.held.push(Arc::clone(&brief.name));
        }
        if !problems.is_empty() {
            self.problems.push((index, problems));
        }
        if let Some(place) = self.verdicts.get_mut(index) {
            *place = verdict;
        }
    }
}

/// One scope per file of derived roles, so that each variable of it is evaluated at most once.
struct Scopes<'c, 'r> {
    inputs: Inputs<'r>,
    call: &'c Call<'r>,
    opened: Option<Opened<'r>>,
    /// Where several files are imported.
    others: Vec<Opened<'r>>,
}

/// Which of the frames of the policy, and its scope.
type Opened<'r> = (usize, Scope<'r>);

impl<'r> Scopes<'_, 'r> {
    fn judge(&mut self, policy: &'r Policy, placed: (usize, &'r DerivedBrief)) -> Judged {
        let owner = Owner::derived_role(policy, placed);
        let (_, DerivedBrief { frame: wanted, .. }) = placed;
        let opened = self.opened.iter().chain(&self.others);
        if let Some((_, scope)) = opened.into_iter().find(|(frame, _)| frame == wanted) {
            return conditions::judge(owner, scope, self.call);
        }
        let frame = policy.frames.get(*wanted).map_or(&policy.frame, |frame| frame);
        let scope = Scope::new(self.inputs, frame, self.call.budget);
        let judged = conditions::judge(owner, &scope, self.call);
        match self.opened {
            None => self.opened = Some((*wanted, scope)),
            Some(_) => self.others.push((*wanted, scope)),
        }
        judged
    }
}

/// What there is nothing to evaluate for.
fn settled(truth: Result<Truth, CostExceeded>) -> Judged {
    Judged { verdict: Verdict::of(truth), problems: Vec::new() }
}
