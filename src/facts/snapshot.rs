//! Snapshots: everything that is held, so that older journals are not needed any more.
//!
//! One is written beside the journal while events come in, part by part, so it may hold later facts than those of its
//! beginning. That does no harm: the journal that was begun before it says them again, and said twice they are the same.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use procura_core::model::Fact;
use serde::Serialize;

use super::Shared;
use super::form::{FactForm, Piece, TakenForm};
use super::frame;
use super::journal::{JOURNAL, SNAPSHOT, UNFINISHED, file_name, generation, head};
use super::table::Table;
use super::taken::Taken;
use crate::background;
use crate::ports::{LogFile, LogFiles};

/// Facts and names in one frame.
const PER_FRAME: usize = 1024;

/// Bytes that are written at a time.
const CHUNK: usize = 1024 * 1024;

/// A snapshot that is to be written.
pub(super) struct Snapshot {
    pub(super) files: Arc<dyn LogFiles>,
    /// The number of the journal that it stands before.
    pub(super) generation: u64,
    /// The last change before that journal.
    pub(super) seq: u64,
    /// The names of events that were taken before that journal.
    pub(super) taken: Taken,
    pub(super) shared: Arc<Shared>,
    /// Set to give it up.
    pub(super) is_given_up: Arc<AtomicBool>,
}

impl Snapshot {
    /// Writes it and removes what it makes needless; its length in bytes. Made for a thread of its own.
    pub(super) fn write(self) -> io::Result<u64> {
        background::yield_to_others();
        let name = file_name(self.generation, SNAPSHOT);
        let unfinished = format!("{name}{UNFINISHED}");
        let written = self.write_to(&unfinished);
        if written.is_err() {
            // It is truncated before it is written again, and removed at the next start.
            let _ = self.files.remove(&unfinished);
        }
        let bytes = written?;
        self.files.rename(&unfinished, &name)?;
        self.files.sync_dir()?;
        remove_before(&*self.files, self.generation)?;
        Ok(bytes)
    }

    fn write_to(&self, name: &str) -> io::Result<u64> {
        let mut file = self.files.open_append(name)?;
        file.truncate(0)?;
        let mut out = Out { file, waiting: head(self.generation, self.seq)?, bytes: 0 };
        let (mut facts, mut names) = (0, 0);
        for part in 0..Table::parts() {
            if self.is_given_up.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let held: Vec<Arc<Fact>> = self.shared.read().table.part(part);
            for some in held.chunks(PER_FRAME) {
                out.piece(&Piece::Facts(some.iter().map(|fact| FactForm::of(fact)).collect()))?;
            }
            facts += held.len() as u64;
        }
        for (source, order) in self.taken.iter() {
            let order: Vec<_> =
                order.iter().map(|(name, at)| ((name >> 64) as u64, *name as u64, *at)).collect();
            for some in order.chunks(PER_FRAME) {
                out.piece(&Piece::Taken(TakenForm { source: (&**source).into(), names: some.to_vec() }))?;
            }
            names += order.len() as u64;
        }
        out.piece(&Piece::End { facts, taken: names })?;
        out.finish()
    }
}

/// Removes what a snapshot of this number makes needless.
pub(super) fn remove_before(files: &dyn LogFiles, kept: u64) -> io::Result<()> {
    for name in files.list()? {
        let number = generation(&name, JOURNAL).or_else(|| generation(&name, SNAPSHOT));
        if number.is_some_and(|number| number < kept) {
            files.remove(&name)?;
        }
    }
    Ok(())
}

/// The file that is written.
struct Out {
    file: Box<dyn LogFile>,
    waiting: Vec<u8>,
    bytes: u64,
}

impl Out {
    fn piece(&mut self, piece: &impl Serialize) -> io::Result<()> {
        frame::encode(&serde_json::to_vec(piece)?, &mut self.waiting);
        if self.waiting.len() < CHUNK {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.append(&self.waiting)?;
        self.bytes += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<u64> {
        self.flush()?;
        self.file.sync()?;
        Ok(self.bytes)
    }
}
