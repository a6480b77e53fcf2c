//! The same policies and requests for the peer and for us: the answers must be the same.
//!
//! | file | what it holds |
//! |---|---|
//! | `peer` | the peer: the real Cerbos server on a store of samples |
//! | `justified` | where the answers may differ, and why |
//! | `coverage` | what the answers were about, so that the trial is not one of the easy case |

pub mod coverage;
pub mod justified;
pub mod peer;

use std::collections::BTreeMap;
use std::path::Path;

use procura_core::engine::OnError;
use procura_samples::answer::Answer;
use procura_samples::engine::Engine;
use procura_samples::generate::{self, Size};
use procura_samples::model::{Ask, Set, Store};
use procura_samples::oracle::Oracle;
use procura_samples::write;

use coverage::Coverage;
use justified::Reason;
use peer::Peer;

/// How many sets are in one store, and how many requests each is asked, unless one says otherwise.
pub const SIZE: Size = Size { sets: 25, asks: 20 };

/// So many differences are looked at again with a new peer; where there are more, something is wrong.
const LOOKED_AT_AGAIN: usize = 10;

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'t> {
    /// The binary of the peer.
    pub peer: &'t Path,
    /// Who is compared with it.
    pub sides: &'t [Side],
    /// How many pairs of a policy set and a request, at least.
    pub pairs: usize,
    /// Seed of the first store; the next ones follow.
    pub seed: u64,
    /// Of each store.
    pub size: Size,
}

/// Who is compared with the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The engine.
    Engine,
    /// The oracle that the engine is compared with where there is no peer.
    Oracle,
}

/// What was found so far.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Pairs of a policy set and a request.
    pub pairs: usize,
    /// Where the answers differ, and no justified difference explains it.
    pub differences: Vec<Difference>,
    /// How many answers differ and may, by the reason.
    pub justified: BTreeMap<Reason, usize>,
    /// What the answers were about.
    pub coverage: Coverage,
}

/// Two answers to one question.
#[derive(Debug)]
pub struct Difference {
    /// Seed of the store.
    pub seed: u64,
    /// The store; only `set` matters.
    pub store: Store,
    /// Number of the set in the store.
    pub set: usize,
    /// Number of the request.
    pub ask: usize,
    /// Number of the resource in the request.
    pub item: usize,
    /// What the peer answers.
    pub peer: Answer,
    /// Who answers otherwise.
    pub side: Side,
    /// What it answers.
    pub ours: Answer,
}

/// Runs the trial.
///
/// # Errors
///
/// The peer does not start or does not answer, or we refuse policies that it takes.
pub async fn run(trial: Trial<'_>, mut progress: impl FnMut(&Outcome)) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    for seed in trial.seed.. {
        if outcome.pairs >= trial.pairs {
            break;
        }
        compare(trial, seed, &mut outcome).await?;
        progress(&outcome);
    }
    Ok(outcome)
}

async fn compare(trial: Trial<'_>, seed: u64, outcome: &mut Outcome) -> anyhow::Result<()> {
    let store = generate::store(seed, trial.size);
    let mut peer = Peer::start(trial.peer, &store).await?;
    let mut unexplained = Vec::new();
    for difference in ask_all(&mut peer, trial.sides, (seed, &store), outcome).await? {
        match justified::why(&mut peer, &difference).await? {
            Some(reason) => *outcome.justified.entry(reason).or_default() += 1,
            None => unexplained.push(difference),
        }
    }
    for difference in unexplained {
        let few = outcome.differences.len() < LOOKED_AT_AGAIN;
        if few && justified::asked_afresh(trial.peer, &store, &difference).await? {
            *outcome.justified.entry(Reason::RemembersEarlierRequests).or_default() += 1;
        } else {
            outcome.differences.push(difference);
        }
    }
    Ok(())
}

/// Asks everything, and finds every difference.
async fn ask_all(
    peer: &mut Peer,
    sides: &[Side],
    (seed, store): (u64, &Store),
    outcome: &mut Outcome,
) -> anyhow::Result<Vec<Difference>> {
    let refused =
        |errors| anyhow::anyhow!("the peer takes the policies of seed {seed}, we do not:\n{errors}");
    let engine = Engine::load(store, OnError::Cerbos).map_err(refused)?;
    let oracle = Oracle::new(store);
    let mut differences = Vec::new();
    for (number, set) in store.sets.iter().enumerate() {
        for (ask_number, ask) in set.asks.iter().enumerate() {
            let theirs = peer.check(ask).await?;
            theirs.iter().for_each(|answer| outcome.coverage.count(&store.settings, answer));
            outcome.pairs += 1;
            for side in sides {
                let ours = match side {
                    Side::Engine => engine.check(ask),
                    Side::Oracle => oracle.answers(set, ask),
                };
                let both = theirs.iter().zip(ours).enumerate();
                differences.extend(both.filter(|(_, (peer, ours))| *peer != ours).map(
                    |(item, (peer, ours))| {
                        let store = Store { sets: vec![set.clone()], ..store.clone() };
                        let peer = peer.clone();
                        Difference {
                            seed,
                            store,
                            set: number,
                            ask: ask_number,
                            item,
                            peer,
                            side: *side,
                            ours,
                        }
                    },
                ));
            }
        }
    }
    Ok(differences)
}

impl Difference {
    /// Everything that it takes to see it again.
    #[must_use]
    pub fn report(&self) -> String {
        let Difference { seed, store, set, ask, item, .. } = self;
        let asked = self.asked();
        let mut text = format!("seed {seed}, set {set}, request {ask}, resource {item}\n");
        text.push_str(&format!("{:?}\n{:?}\n", store.settings, store.permissions));
        for (path, file) in write::files(store, self.only_set()) {
            text.push_str(&format!("--- {path}\n{file}"));
        }
        let asked = Ask { items: vec![asked.items[*item].clone()], ..asked.clone() };
        text.push_str(&format!("--- request\n{:#}\n", write::check(&asked)));
        text.push_str(&self.summary());
        text
    }

    /// What differs.
    #[must_use]
    pub fn summary(&self) -> String {
        let (peer, ours) = (&self.peer, &self.ours);
        let mut text = format!(
            "seed {} set {} request {} resource {}: the {:?}",
            self.seed, self.set, self.ask, self.item, self.side
        );
        text.push_str(&peer.differences(ours, ("the peer", "we")));
        text
    }

    /// The policies, and the requests to them.
    fn only_set(&self) -> &Set {
        &self.store.sets[0]
    }

    fn asked(&self) -> &Ask {
        &self.only_set().asks[self.ask]
    }
}
