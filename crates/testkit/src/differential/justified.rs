//! Where the answers may differ, and why.

use std::path::Path;

use procura_samples::answer::{Answer, Output, beyond};
use procura_samples::model::{Ask, Item, Policy, Set, Store};

use super::Difference;
use super::peer::Peer;

/// A difference that is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The peer keeps what it finds out about conditions and derived roles from one action of a request to the next,
    /// by keys that are not always different, and takes the actions in any order. Asked about each action by itself
    /// it answers as we do.
    MixesActions,
    /// The peer puts out the `conditionNotMet` of a rule for a derived role that is not in effect, where it finds the
    /// rule a second time; the first time it does not, and we never do.
    PutsOutWithoutTheDerivedRole,
    /// The peer takes the rules of a principal policy about different patterns of resources in any order, and puts out
    /// nothing more once one denies.
    TakesPatternsInAnyOrder,
    /// In strict mode the peer puts out what it finds before it meets an error, and takes the derived roles of a rule in
    /// any order. The action is denied by both.
    PutsOutBeforeAnError,
    /// In strict mode the peer takes the derived roles of a rule in any order, and so names the rule that denies or
    /// the error of another derived role, which we always meet first. The action is denied by both.
    TakesDerivedRolesInAnyOrder,
    /// The peer answers otherwise after many other requests, and as we do if nothing was asked before.
    RemembersEarlierRequests,
}

/// Why the answers may differ; `None` if they may not.
///
/// # Errors
///
/// The peer does not answer.
pub(super) async fn why(peer: &mut Peer, difference: &Difference) -> anyhow::Result<Option<Reason>> {
    if let Some(reason) = outputs_only(difference, &difference.peer) {
        return Ok(Some(reason));
    }
    if denied_by_both(difference) {
        return Ok(Some(Reason::TakesDerivedRolesInAnyOrder));
    }
    let alone = action_by_action(peer, difference.asked(), difference.item).await?;
    let same = alone == difference.ours || outputs_only(difference, &alone).is_some();
    Ok(same.then_some(Reason::MixesActions))
}

/// Whether a peer that was asked nothing before answers as we do.
///
/// # Errors
///
/// The peer does not start or does not answer.
pub(super) async fn asked_afresh(
    binary: &Path,
    store: &Store,
    difference: &Difference,
) -> anyhow::Result<bool> {
    let mut peer = Peer::start(binary, store).await?;
    let afresh = peer.check(difference.asked()).await?;
    let answer = &afresh[difference.item];
    Ok(*answer == difference.ours || outputs_only(difference, answer).is_some())
}

/// What the peer answers about resource number `item` of `ask` if it is asked about each action by itself.
async fn action_by_action(peer: &mut Peer, ask: &Ask, item: usize) -> anyhow::Result<Answer> {
    let mut whole = Answer::default();
    let item = &ask.items[item];
    for action in &item.actions {
        let alone = Item { actions: vec![action.clone()], ..item.clone() };
        let alone = peer.check(&Ask { items: vec![alone], ..ask.clone() }).await?;
        for answer in alone {
            whole.actions.extend(answer.actions);
            whole.derived_roles.extend(answer.derived_roles);
            whole.outputs.extend(answer.outputs);
            whole.validation_errors = answer.validation_errors;
        }
    }
    Ok(whole.sorted())
}

/// The reason if `theirs` and our answer differ in outputs only, and each of those is to be.
fn outputs_only(difference: &Difference, theirs: &Answer) -> Option<Reason> {
    let (ours, set) = (&difference.ours, difference.only_set());
    let same =
        Answer { outputs: Vec::new(), ..theirs.clone() } == Answer { outputs: Vec::new(), ..ours.clone() };
    if !same {
        return None;
    }
    let more = beyond(&theirs.outputs, &ours.outputs);
    let less = beyond(&ours.outputs, &theirs.outputs);
    if less.is_empty() && more.iter().all(|output| names_derived_role(set, output)) {
        return Some(Reason::PutsOutWithoutTheDerivedRole);
    }
    if more.iter().chain(&less).all(|output| is_of_one_of_several_patterns(set, output)) {
        return Some(Reason::TakesPatternsInAnyOrder);
    }
    let denied = |output: &Output| theirs.actions.get(&output.action).is_some_and(|decision| !decision.allow);
    if difference.store.settings.strict && more.iter().chain(&less).all(denied) {
        return Some(Reason::PutsOutBeforeAnError);
    }
    None
}

/// Whether, in strict mode, the answers differ in who denied, where a rule names several derived roles.
fn denied_by_both(difference: &Difference) -> bool {
    let (ours, theirs) = (&difference.ours.actions, &difference.peer.actions);
    let several = |policy: &Policy| match policy {
        Policy::Resource(policy) => policy.rules.iter().any(|rule| rule.derived.len() > 1),
        _ => false,
    };
    let same_effects = ours.len() == theirs.len()
        && ours
            .iter()
            .zip(theirs)
            .all(|((a, ours), (b, theirs))| a == b && (ours == theirs || !ours.allow && !theirs.allow));
    difference.store.settings.strict && same_effects && difference.only_set().policies.iter().any(several)
}

/// Whether a principal policy with several patterns of resources put it out.
fn is_of_one_of_several_patterns(set: &Set, output: &Output) -> bool {
    set.policies.iter().any(|policy| match policy {
        Policy::Principal(policy) => {
            let own = format!("principal.{}.v{}", policy.principal, policy.head.version);
            policy.rules.len() > 1 && output.src.starts_with(&own)
        }
        _ => false,
    })
}

/// Whether the rule that put it out names a derived role and has something to put out when its condition is not met.
fn names_derived_role(set: &Set, output: &Output) -> bool {
    let Some((_, name)) = output.src.split_once('#') else {
        return false;
    };
    set.policies.iter().any(|policy| match policy {
        Policy::Resource(policy) => policy.rules.iter().enumerate().any(|(number, rule)| {
            let named = rule.when.name.clone().unwrap_or_else(|| format!("rule-{:03}", number + 1));
            named == name && !rule.derived.is_empty() && rule.when.not_met.is_some()
        }),
        _ => false,
    })
}
