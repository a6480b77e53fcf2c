//! Properties of decisions over random stores of every kind of policy.
//!
//! The cases are seeds: `procura_samples` makes the store and the requests of each.

use procura_core::engine::OnError;
use procura_core::model::tenant_of;
use procura_samples::answer::Answer;
use procura_samples::engine::Engine;
use procura_samples::expr::{Expr, Value};
use procura_samples::generate::{self, Size};
use procura_samples::model::{Ask, Set, Store};
use procura_samples::oracle::Oracle;
use procura_samples::write;
use proptest::prelude::*;

/// At most this many undecided conditions are resolved both ways.
const RESOLVED: usize = 6;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_engine_agrees_with_the_oracle_about_every_kind_of_policy(seed: u64) {
        let store = generate::store(seed, Size { sets: 3, asks: 6 });
        let engine = loaded(&store, OnError::Cerbos);
        let oracle = Oracle::new(&store);
        for set in &store.sets {
            for ask in &set.asks {
                let ordered = |answers: Vec<Answer>| answers.into_iter().map(|answer| settled(&store, answer));
                for (oracle, engine) in ordered(oracle.answers(set, ask)).zip(ordered(engine.check(ask))) {
                    let differences = oracle.differences(&engine, ("the oracle", "the engine"));
                    prop_assert!(oracle == engine, "{}{differences}", described(&store, set, ask));
                }
            }
        }
    }

    #[test]
    fn bound_caller_asks_in_a_world_without_the_other_tenants(seed: u64, bound in proptest::sample::subsequence(
        vec!["t", "s0", "s1", "s2", "elsewhere"], 0..4,
    )) {
        let store = generate::store(seed, Size { sets: 3, asks: 6 });
        let tenants: Vec<String> = bound.iter().map(ToString::to_string).collect();
        let engine = loaded(&store, OnError::Cerbos);
        let (oracle, alone) = (Oracle::new(&store), loaded(&without_others(&store, &tenants), OnError::Cerbos));
        for set in &store.sets {
            for ask in &set.asks {
                let bound = Ask { tenants: Some(tenants.clone()), ..ask.clone() };
                let unbound = alone.check(ask);
                for ((oracle, engine), alone) in oracle.answers(set, &bound).into_iter().zip(engine.check(&bound)).zip(unbound) {
                    let [oracle, engine, alone] = [oracle, engine, alone].map(|answer| settled(&store, answer));
                    prop_assert_eq!(&oracle, &engine, "{}", described(&store, set, &bound));
                    let is_nowhere = engine.actions.values().all(|decision| !decision.allow && decision.policy == "NO_MATCH");
                    prop_assert!(is_nowhere || engine == alone, "{}", described(&store, set, &bound));
                }
            }
        }
    }

    #[test]
    fn explaining_changes_no_decision_of_any_kind_of_policy_and_names_who_decided(seed: u64) {
        let store = generate::store(seed, Size { sets: 1, asks: 6 });
        for on_error in [OnError::Closed, OnError::Cerbos] {
            let engine = loaded(&store, on_error);
            for ask in &store.sets[0].asks {
                let (evaluation, explanation) = engine.explained(ask);
                prop_assert_eq!(&explanation.evaluation, &evaluation, "{}", described(&store, &store.sets[0], ask));
                for (explained, decided) in explanation.results.iter().zip(&evaluation.resources) {
                    for (explained, decided) in explained.actions.iter().zip(&decided.actions) {
                        let by = explained.decided_by.as_ref().and_then(|decider| decider.rule.as_deref());
                        prop_assert_eq!(by, decided.rule.as_deref(), "{:#?}", explained);
                    }
                }
            }
        }
    }

    #[test]
    fn closed_mode_is_the_mode_of_the_peer_where_nothing_errs(seed: u64) {
        let store = generate::store(seed, Size { sets: 1, asks: 12 });
        let (closed, cerbos) = (loaded(&store, OnError::Closed), loaded(&store, OnError::Cerbos));
        let oracle = Oracle::new(&store);
        let set = &store.sets[0];
        for ask in &set.asks {
            for (item, (closed, cerbos)) in closed.check(ask).iter().zip(cerbos.check(ask)).enumerate() {
                let erring = oracle.erring(set, ask, item);
                if erring.always.is_empty() && !erring.with_derived_roles && !erring.in_outputs {
                    prop_assert_eq!(closed, &cerbos, "{}", described(&store, set, ask));
                }
            }
        }
    }
}

#[test]
fn what_closed_mode_allows_is_allowed_however_errors_of_every_kind_of_policy_are_resolved() {
    let (mut resolved, mut denied) = (0, 0);
    for seed in 0..120 {
        let store = generate::store(seed, Size { sets: 1, asks: 8 });
        let engine = loaded(&store, OnError::Closed);
        for ask in &store.sets[0].asks {
            for (item, answer) in engine.check(ask).into_iter().enumerate() {
                let erring = Oracle::new(&store).erring(&store.sets[0], ask, item).always;
                let allowed = answer.actions.values().any(|decision| decision.allow);
                denied += usize::from(!allowed);
                if !allowed || erring.is_empty() || erring.len() > RESOLVED {
                    continue;
                }
                allowed_however_resolved(&store, &erring, ask, (item, &answer));
                resolved += 1;
            }
        }
    }
    assert!(resolved > 15 && denied > 15, "{resolved} answers resolved, {denied} without anything allowed");
}

fn allowed_however_resolved(store: &Store, erring: &[usize], ask: &Ask, (item, answer): (usize, &Answer)) {
    for resolution in 0..1_u32 << erring.len() {
        let mut resolved = store.clone();
        let mut leaves = resolved.sets[0].leaves_mut();
        for (bit, position) in erring.iter().enumerate() {
            *leaves[*position] = Expr::Literal(Value::Bool(resolution >> bit & 1 == 1));
        }
        let other = &loaded(&resolved, OnError::Closed).check(ask)[item];
        for (action, decision) in answer.actions.iter().filter(|(_, decision)| decision.allow) {
            assert!(
                other.actions[action].allow,
                "{action} of resource {item} is allowed by {} and not under resolution {resolution:b} of {erring:?}\n{}",
                decision.policy,
                described(store, &store.sets[0], ask)
            );
        }
    }
}

/// The store without the policies that are in a scope of a tenant other than these.
fn without_others(store: &Store, tenants: &[String]) -> Store {
    let mut alone = store.clone();
    for set in &mut alone.sets {
        set.policies.retain(|policy| {
            let scope = policy.head().map_or("", |head| &head.scope);
            tenant_of(scope).is_none_or(|tenant| tenants.iter().any(|known| known == tenant))
        });
    }
    alone
}

/// The answer without what depends on an order that nobody promises: what was put out before an error stopped the
/// evaluation of an action.
fn settled(store: &Store, mut answer: Answer) -> Answer {
    let allowed = |action: &String| answer.actions.get(action).is_some_and(|decision| decision.allow);
    answer.outputs.retain(|output| !store.settings.strict || allowed(&output.action));
    answer
}

fn loaded(store: &Store, on_error: OnError) -> Engine {
    Engine::load(store, on_error).unwrap_or_else(|errors| panic!("{errors}"))
}

fn described(store: &Store, set: &Set, ask: &Ask) -> String {
    let files: String =
        write::files(store, set).into_iter().map(|(path, text)| format!("--- {path}\n{text}")).collect();
    format!("{:?}\n{:?}\n{files}\n{:#}", store.settings, store.permissions, write::check(ask))
}
