//! What somebody does to a log.

use procura::audit::proof::SigningKeys;
use procura_core::record::ChainHash;

use super::forge::{self, Plain};
use super::image::Image;
use super::scene::Scene;
use crate::rng::Rng;

/// A log that was changed.
pub(super) struct Deed {
    pub(super) name: &'static str,
    pub(super) image: Image,
    pub(super) promise: Promise,
}

/// What verification must name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// This record.
    Record(u64),
    /// The records between two witnessed checkpoints.
    Interval(u64, u64),
    /// That everything after this record is missing.
    Missing(u64),
    /// The file of the tree.
    Tree,
    /// The file of the checkpoints.
    Checkpoints,
    /// That the log does not reach its mark.
    Mark,
}

/// Changes a copy of `scene`, so that at least one witnessed record or what proves it is touched.
pub(super) fn choose(scene: &Scene, rng: &mut Rng, keys: &SigningKeys, others: &SigningKeys) -> Deed {
    let mut deed = match rng.below(10) {
        0 => flip(scene, rng),
        1 => swap(scene, rng),
        2 => cut(scene, rng),
        3 => insert(scene, rng),
        4 => truncate(scene, rng),
        5 => roll_back(scene, rng),
        6..9 => rewrite(scene, rng, keys, others),
        _ => return beside(scene, rng),
    };
    // Whoever does one thing can do another beside it.
    if rng.below(3) == 0 {
        match rng.below(4) {
            0 => drop(deed.image.0.remove("SYNCED")),
            1 => *deed.image.file("SYNCED") = forge::mark(1),
            2 => *deed.image.file("LOCK") = vec![1, 2, 3],
            _ => drop(deed.image.0.remove("TREE")),
        }
    }
    deed
}

/// A witnessed record, from 1, and where it stands.
fn any_record<'s>(scene: &'s Scene, rng: &mut Rng) -> (u64, &'s str, usize, usize) {
    let index = rng.below(usize::try_from(scene.covered()).unwrap());
    let (name, start, len) = &scene.places[index];
    (index as u64 + 1, name, *start, *len)
}

fn flip(scene: &Scene, rng: &mut Rng) -> Deed {
    let (seq, name, start, len) = any_record(scene, rng);
    let mut image = scene.image.clone();
    image.file(name)[start + rng.below(len)] ^= 1 << rng.below(8);
    Deed { name: "bit flipped", image, promise: Promise::Record(seq) }
}

/// Exchanges a record with the next one, if that is in the same segment and another.
fn swap(scene: &Scene, rng: &mut Rng) -> Deed {
    let (seq, name, start, len) = any_record(scene, rng);
    let index = usize::try_from(seq).unwrap();
    match scene.places.get(index) {
        Some((next, _, next_len)) if next == name => {
            let mut image = scene.image.clone();
            image.file(name)[start..start + len + next_len].rotate_left(len);
            Deed { name: "records swapped", image, promise: Promise::Record(seq) }
        }
        _ => flip(scene, rng),
    }
}

fn cut(scene: &Scene, rng: &mut Rng) -> Deed {
    let (seq, name, start, len) = any_record(scene, rng);
    let mut image = scene.image.clone();
    drop(image.file(name).drain(start..start + len));
    Deed { name: "record cut", image, promise: Promise::Record(seq) }
}

/// Puts a frame with right checksum and number, or a copy of another, before a record.
fn insert(scene: &Scene, rng: &mut Rng) -> Deed {
    let (seq, name, start, _) = any_record(scene, rng);
    let frame = if rng.below(2) == 0 {
        let record = Plain { at: 1, payload: br#"{"v":1,"kind":"decision"}"#.to_vec() };
        forge::frame(seq, &record, ChainHash::from_bytes([9; 32]))
    } else {
        let (_, from, at, len) = any_record(scene, rng);
        let frame = scene.image.0[from][at..at + len].to_vec();
        if (from, at) == (name, start) {
            if seq == scene.records.len() as u64 {
                // A copy behind the last record touches none: it is what an interrupted write leaves.
                return flip(scene, rng);
            }
            // A record twice: the second one is in the place of the next.
            let mut image = scene.image.clone();
            drop(image.file(name).splice(start..start, frame));
            return Deed { name: "record doubled", image, promise: Promise::Record(seq + 1) };
        }
        frame
    };
    let mut image = scene.image.clone();
    drop(image.file(name).splice(start..start, frame));
    Deed { name: "record inserted", image, promise: Promise::Record(seq) }
}

/// Cuts the log before a record, and what is beside it as far as it would tell.
fn truncate(scene: &Scene, rng: &mut Rng) -> Deed {
    let (seq, name, start, _) = any_record(scene, rng);
    let mut image = scene.image.clone();
    image.file(name).truncate(start);
    image.0.retain(|other, _| !other.starts_with("log-") || other.as_str() <= name);
    match rng.below(3) {
        0 => {}
        1 => drop(image.0.remove("SYNCED")),
        _ => {
            image.0.remove("SYNCED");
            let before = scene.older.iter().rev().find(|(last, _)| *last < seq);
            for file in ["TREE", "CHECKPOINTS"] {
                match before.and_then(|(_, older)| older.0.get(file)) {
                    Some(older) => *image.file(file) = older.clone(),
                    None => drop(image.0.remove(file)),
                }
            }
        }
    }
    Deed { name: "log truncated", image, promise: Promise::Missing(seq - 1) }
}

fn roll_back(scene: &Scene, rng: &mut Rng) -> Deed {
    let older: Vec<_> = scene.older.iter().filter(|(last, _)| *last < scene.covered()).collect();
    match older.get(rng.below(older.len().max(1))) {
        Some((last, image)) => {
            let (name, promise) = ("older copy put back", Promise::Missing(*last));
            Deed { name, image: image.clone(), promise }
        }
        None => truncate(scene, rng),
    }
}

/// Writes the log anew with another history, all checksums and hashes right.
fn rewrite(scene: &Scene, rng: &mut Rng, keys: &SigningKeys, others: &SigningKeys) -> Deed {
    let (seq, ..) = any_record(scene, rng);
    let index = usize::try_from(seq - 1).unwrap();
    let mut records = scene.records.clone();
    let mut name = "edit rechained";
    match rng.below(4) {
        0 => {
            records.remove(index);
            name = "deletion rechained";
        }
        1 => {
            let made_up =
                Plain { at: records[index].at, payload: b"{\"v\":1,\"kind\":\"made_up\"}".to_vec() };
            records.insert(index, made_up);
            name = "insertion rechained";
        }
        2 if index + 1 < records.len() && records[index] != records[index + 1] => {
            records.swap(index, index + 1);
            name = "reordering rechained";
        }
        _ => {
            let payload = &mut records[index].payload;
            let at = rng.below(payload.len());
            payload[at] = if payload[at] == b'x' { b'y' } else { b'x' };
        }
    }
    let mut image = forge::segments(&records, &scene.firsts);
    let last = records.len() as u64;
    *image.file("SYNCED") = forge::mark(last);
    match rng.below(5) {
        0 => {}
        1 => forge::proofs(&mut image, &records, &scene.sizes, others),
        2 => {
            for file in ["TREE", "CHECKPOINTS"] {
                *image.file(file) = scene.image.0[file].clone();
            }
        }
        _ => forge::proofs(&mut image, &records, &scene.sizes, keys),
    }
    let sizes = || scene.witnessed.iter().map(|signed| signed.checkpoint.size);
    let before = sizes().filter(|size| *size < seq).max().unwrap_or(0);
    let promise = match sizes().find(|size| (seq..=last).contains(size)) {
        Some(size) => Promise::Interval(before + 1, size),
        None => Promise::Missing(last),
    };
    Deed { name, image, promise }
}

/// Changes what stands beside the segments, and nothing else.
fn beside(scene: &Scene, rng: &mut Rng) -> Deed {
    let mut image = scene.image.clone();
    let signed = scene.sizes.last().copied().unwrap_or(0);
    match rng.below(4) {
        0 => {
            let covered = 32 * usize::try_from(2 * signed - u64::from(signed.count_ones())).unwrap();
            image.file("TREE")[rng.below(covered)] ^= 1 << rng.below(8);
            Deed { name: "`TREE` changed", image, promise: Promise::Tree }
        }
        1 => {
            // Within the first, which the witness has.
            let notes = image.file("CHECKPOINTS");
            let len = notes.windows(3).position(|end| end == b"=\n\n").map_or(notes.len(), |at| at + 1);
            notes[rng.below(len)] ^= 1 << rng.below(8);
            Deed { name: "`CHECKPOINTS` changed", image, promise: Promise::Checkpoints }
        }
        2 => {
            image.file("CHECKPOINTS").clear();
            Deed { name: "`CHECKPOINTS` emptied", image, promise: Promise::Checkpoints }
        }
        _ => {
            *image.file("SYNCED") = forge::mark(scene.records.len() as u64 + 1);
            Deed { name: "`SYNCED` raised", image, promise: Promise::Mark }
        }
    }
}
