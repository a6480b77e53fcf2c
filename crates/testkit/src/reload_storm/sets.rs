//! The policy sets of the trial: the same files, once allowing everything and once denying it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use procura::pap::Disk;
use procura::ports::{Extent, PolicySource};
use procura_core::model::Effect;
use procura_core::policy::Revision;

use crate::rng::Rng;
use crate::temp_dir::TempDir;

/// Two whole sets on disk, and the directory that the server reads.
#[derive(Debug)]
pub(super) struct Sets {
    dir: TempDir,
    files: usize,
    /// The only two sets that may ever answer: content hash and the effect of every rule.
    pub(super) whole: [(String, Effect); 2],
}

impl Sets {
    /// Writes both sets with `files` policies each.
    pub(super) fn write(files: usize) -> anyhow::Result<Self> {
        let dir = TempDir::new("reload-storm");
        let mut whole = Vec::new();
        for effect in [Effect::Allow, Effect::Deny] {
            for number in 0..files {
                dir.write(&format!("{}/{}", name(effect), path(number)), policy(&kind(number), effect));
            }
            let read = Disk::new(dir.path().join(name(effect))).read(Extent::Whole)?;
            whole.push((Revision::of(&read).to_string(), effect));
            fs::create_dir_all(dir.path().join("bad"))?;
        }
        let whole = whole.try_into().map_err(|_| anyhow::anyhow!("two sets were written"))?;
        Ok(Self { dir, files, whole })
    }

    /// How many policies a set has.
    pub(super) fn files(&self) -> usize {
        self.files
    }

    /// Where the server keeps its data.
    pub(super) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// A directory that is a link to one of the sets.
    pub(super) fn linked(&self) -> PathBuf {
        self.dir.path().join("linked")
    }

    /// A directory whose files are written one by one.
    pub(super) fn written(&self) -> PathBuf {
        self.dir.path().join("written")
    }

    /// The content hash of the set with this effect.
    pub(super) fn revision(&self, effect: Effect) -> &str {
        let [allow, deny] = &self.whole;
        if effect == Effect::Allow { &allow.0 } else { &deny.0 }
    }

    /// Points the link at the set with this effect, in one step.
    pub(super) fn swap(&self, effect: Effect) -> std::io::Result<()> {
        self.swap_to(name(effect))
    }

    /// Points the link at a copy of the set with this effect in which one file has an error.
    pub(super) fn swap_to_bad(&self, effect: Effect) -> std::io::Result<()> {
        for number in 0..self.files {
            self.dir.write(&format!("bad/{}", path(number)), policy(&kind(number), effect));
        }
        self.dir.write(
            &format!("bad/{BAD_FILE}"),
            "apiVersion: api.cerbos.dev/v1\nresourcePolicy:\n  rules: {}\n",
        );
        self.swap_to("bad")
    }

    /// Writes every file of the set with this effect in place, in random order and with random pauses far below the
    /// quiet period. Returns the longest time between two files: when the machine was slow that can be longer, and
    /// the server is right to take what it sees for a set.
    pub(super) fn write_one_by_one(&self, effect: Effect, rng: &mut Rng) -> std::io::Result<Duration> {
        fs::create_dir_all(self.written())?;
        let mut numbers: Vec<usize> = (0..self.files).collect();
        for last in (1..numbers.len()).rev() {
            numbers.swap(last, rng.below(last + 1));
        }
        let mut longest = Duration::ZERO;
        let mut previous = Instant::now();
        for number in numbers {
            fs::write(self.written().join(path(number)), policy(&kind(number), effect))?;
            if rng.below(8) == 0 {
                std::thread::sleep(Duration::from_micros(rng.next() % 2_000));
            }
            longest = longest.max(previous.elapsed());
            previous = Instant::now();
        }
        Ok(longest)
    }

    fn swap_to(&self, target: &str) -> std::io::Result<()> {
        let next = self.dir.path().join("next");
        symlink(target, &next)?;
        fs::rename(next, self.linked())
    }
}

/// The file of the bad set that has the error.
pub(super) const BAD_FILE: &str = "kind_0.yaml";

/// The kind of resource that policy `number` is about.
pub(super) fn kind(number: usize) -> String {
    format!("kind_{number}")
}

fn path(number: usize) -> String {
    Path::new(&kind(number)).with_extension("yaml").display().to_string()
}

fn name(effect: Effect) -> &'static str {
    match effect {
        Effect::Allow => "allow",
        Effect::Deny => "deny",
    }
}

/// A policy whose one rule says `effect` of the action `view` to employees.
#[must_use]
pub fn policy(kind: &str, effect: Effect) -> String {
    let effect = effect.wire_name();
    format!(
        "apiVersion: api.cerbos.dev/v1\n\
         resourcePolicy:\n  \
           resource: {kind}\n  \
           version: default\n  \
           rules:\n    \
             - actions: [view]\n      \
               roles: [employee]\n      \
               effect: {effect}\n"
    )
}
