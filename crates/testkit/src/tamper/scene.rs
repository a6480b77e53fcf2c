//! A log with its checkpoints, a witness that keeps some of them, and older copies of it.

use std::sync::Arc;

use anyhow::Context;
use procura::audit::proof::{Notary, SignedCheckpoint, SigningKeys};
use procura::audit::{Log, LogReader, LogSettings};
use procura::ports::{Clock, DecisionLog};
use procura::telemetry::Metrics;
use procura_core::model::Effect;

use super::forge::Plain;
use super::image::Image;
use crate::calls::MadeUpCall;
use crate::clock::SteppingClock;
use crate::rng::Rng;
use crate::sim_disk::SimDisk;

/// What there is to be changed, and what it was.
pub(super) struct Scene {
    pub(super) image: Image,
    /// Copies of earlier moments, each with its last record.
    pub(super) older: Vec<(u64, Image)>,
    pub(super) witnessed: Vec<SignedCheckpoint>,
    /// Records under the own checkpoints.
    pub(super) sizes: Vec<u64>,
    pub(super) records: Vec<Plain>,
    /// Where each record stands: segment, first byte, bytes.
    pub(super) places: Vec<(String, usize, usize)>,
    /// The first record of each segment.
    pub(super) firsts: Vec<u64>,
}

impl Scene {
    /// Lets a log grow, with checkpoints now and then, most of which the witness gets.
    pub(super) async fn build(rng: &mut Rng, keys: &Arc<SigningKeys>) -> anyhow::Result<Self> {
        let settings =
            LogSettings { segment_bytes: 2048 << rng.below(4), compress: false, ..LogSettings::default() };
        let (disk, clock) = (SimDisk::new(rng.next()), Arc::new(SteppingClock::default()));
        let metrics = Arc::new(Metrics::new()?);
        let (log, _) = Log::open(Arc::new(disk.clone()), &settings, clock.clone(), metrics)?;
        let reader = log.reader().clone();
        let mut notary = Notary::open(&reader, Arc::clone(keys))?;
        let (mut older, mut witnessed, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
        let steps = 4 + rng.below(8);
        for step in 0..steps {
            for number in 0..1 + rng.below(12) {
                let at = clock.now();
                let (principal, number) = (["alice", "bob"][rng.below(2)], number as u64);
                let (action, resource, effect, padding) = ("view", "a1", Effect::Allow, rng.below(300));
                let call = MadeUpCall { at, number, principal, action, resource, effect, padding };
                log.append(call.record()).await?;
            }
            // What came last may still be without a checkpoint, or with one that the witness did not get.
            if step + 1 == steps && rng.below(2) == 0 {
                break;
            }
            let signed = notary.sign()?.context("nothing was signed")?;
            sizes.push(signed.checkpoint.size);
            if step == 0 || rng.below(4) > 0 {
                witnessed.push(signed);
            }
            older.push((reader.reach().last, Image::of(&disk)?));
        }
        log.close();
        let image = Image::of(&disk)?;
        let (records, places) = read(&image)?;
        let firsts =
            image.0.keys().filter_map(|name| name.strip_prefix("log-")?.strip_suffix(".seg")?.parse().ok());
        let firsts = firsts.collect();
        Ok(Self { image, older, witnessed, sizes, records, places, firsts })
    }

    /// Records that the witness vouches for.
    pub(super) fn covered(&self) -> u64 {
        self.witnessed.last().map_or(0, |signed| signed.checkpoint.size)
    }
}

type Read = (Vec<Plain>, Vec<(String, usize, usize)>);

fn read(image: &Image) -> anyhow::Result<Read> {
    let reader = LogReader::open(Arc::new(image.clone()))?;
    let (mut records, mut places) = (Vec::new(), Vec::new());
    let mut cursor = reader.cursor(1);
    loop {
        let read = cursor.read(|entry| {
            records.push(Plain { at: entry.at, payload: entry.payload.to_vec() });
            let offset = usize::try_from(entry.place.offset).unwrap();
            let segment = format!("log-{:020}.seg", entry.place.segment);
            places.push((segment, offset, 68 + entry.payload.len()));
        })?;
        if read == 0 {
            return Ok((records, places));
        }
    }
}
