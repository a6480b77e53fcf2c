//! A log that somebody changes who may change everything but the witness: whatever touches a record that is witnessed must
//! be found, with what is promised named.

mod deeds;
mod forge;
mod image;
mod scene;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use procura::audit::AuditError;
use procura::audit::proof::{Finding, SigningKeys, Source, Trust, inspect};
use tokio::runtime::Runtime;

use self::deeds::{Deed, Promise};
use self::scene::Scene;
use crate::rng::Rng;
use crate::temp_dir::TempDir;

/// Changes made to one log before another is built.
const ROUNDS_OF_A_SCENE: u64 = 50;

/// What came of a trial.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How often each deed was done; each time it was found and named as promised.
    pub found: BTreeMap<&'static str, u64>,
}

impl Outcome {
    /// How many changes there were.
    #[must_use]
    pub fn rounds(&self) -> u64 {
        self.found.values().sum()
    }
}

/// Changes logs in `rounds` ways.
///
/// # Errors
/// At the first change that is not found, or not named as promised; and if an unchanged log is not whole.
pub fn run(rounds: u64, seed: u64, mut progress: impl FnMut(&Outcome)) -> anyhow::Result<Outcome> {
    let runtime = Runtime::new()?;
    let directory = TempDir::new("tamper");
    let open = |name: &str| SigningKeys::open(&directory.path().join(name), Some("log"), false);
    let (keys, others) = (Arc::new(open("keys")?), open("others")?);
    let trust = Trust::in_all(keys.verifiers());
    let mut seeds = Rng::new(seed);
    let mut outcome = Outcome::default();
    while outcome.rounds() < rounds {
        let scene_seed = seeds.next();
        let mut rng = Rng::new(scene_seed);
        let scene = runtime.block_on(Scene::build(&mut rng, &keys))?;
        let whole = inspect(&scene.image, &trust, Some(&scene.witnessed), |_, _| ())?;
        if !whole.findings.is_empty() || whole.witnessed != scene.covered() {
            bail!("seed {scene_seed}: the unchanged log is not whole: {:?}", whole.findings);
        }
        for round in 0..ROUNDS_OF_A_SCENE.min(rounds - outcome.rounds()) {
            let Deed { name, image, promise } = deeds::choose(&scene, &mut rng, &keys, &others);
            let found = inspect(&image, &trust, Some(&scene.witnessed), |_, _| ())
                .with_context(|| format!("seed {scene_seed}, round {round}, {name}"))?;
            if !keeps(&promise, &found.findings) {
                bail!(
                    "seed {scene_seed}, round {round}, {name}: {promise:?} was promised and found was {:?}",
                    found.findings
                );
            }
            *outcome.found.entry(name).or_default() += 1;
        }
        progress(&outcome);
    }
    Ok(outcome)
}

fn keeps(promise: &Promise, findings: &[Finding]) -> bool {
    findings.iter().any(|finding| match (promise, finding) {
        (Promise::Record(seq), Finding::Damaged(AuditError::Damaged { seq: named, .. })) => named == seq,
        // The end of the log can be what an interrupted write leaves: then the record is named as missing.
        (Promise::Record(seq), Finding::Damaged(AuditError::Lost { last_seq: last, .. }))
        | (Promise::Record(seq), Finding::Shorter { last, .. }) => last + 1 == *seq,
        (
            Promise::Interval(first, last),
            Finding::Rewritten { source: Source::Witness, first: a, last: b },
        ) => (a, b) == (first, last),
        (Promise::Missing(after), Finding::Shorter { source: Source::Witness, last, .. }) => last == after,
        (Promise::Missing(after), Finding::Damaged(AuditError::Lost { last_seq, .. })) => last_seq == after,
        (Promise::Tree, Finding::Tree { .. })
        | (Promise::Checkpoints, Finding::Distrusted { .. } | Finding::Forgotten { .. })
        | (Promise::Mark, Finding::Damaged(AuditError::Lost { .. })) => true,
        _ => false,
    })
}
