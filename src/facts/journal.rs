//! The journal: what was taken, batch by batch, since the last snapshot began.

use std::io;
use std::sync::Arc;

use super::form::{Head, VERSION};
use super::frame;
use crate::ports::{LogFile, LogFiles};

/// What the name of a journal ends with, behind its number.
pub(super) const JOURNAL: &str = ".journal";
/// What the name of a snapshot ends with, behind its number.
pub(super) const SNAPSHOT: &str = ".snapshot";
/// What the name of a file ends with that is not finished.
pub(super) const UNFINISHED: &str = ".tmp";

/// The journal that is written to.
///
/// INVARIANT(whole_before): nothing is written behind a part of a frame, nor to a new journal before the old one is on disk
/// as a whole. So only the last journal can end with a part of a frame.
pub(super) struct Journal {
    files: Arc<dyn LogFiles>,
    generation: u64,
    file: Box<dyn LogFile>,
    /// Bytes that are on disk.
    len: u64,
    state: State,
    /// Encoded frames, kept for its memory.
    frames: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It ends with a frame that no later one says to be on disk.
    Written,
    /// It ends with a frame that says that everything before is on disk.
    Marked,
    /// It may end with anything.
    Torn,
    /// The next one is begun, and perhaps not all there.
    Between,
}

/// The name of the file of this kind and number.
pub(super) fn file_name(generation: u64, kind: &str) -> String {
    format!("{generation:016}{kind}")
}

/// The number of the file of this name, if it is of this kind.
pub(super) fn generation(name: &str, kind: &str) -> Option<u64> {
    let number: u64 = name.strip_suffix(kind)?.parse().ok()?;
    (file_name(number, kind) == name).then_some(number)
}

impl Journal {
    /// Begins the journal of this number behind change `seq`; what stands in its place was never finished.
    pub(super) fn begin(files: Arc<dyn LogFiles>, generation: u64, seq: u64) -> io::Result<Self> {
        let (file, len) = create(&*files, generation, seq)?;
        Ok(Self { files, generation, file, len, state: State::Written, frames: Vec::new() })
    }

    /// Goes on with the journal of this number, of which `len` bytes are good.
    pub(super) fn resume(files: Arc<dyn LogFiles>, generation: u64, len: u64) -> io::Result<Self> {
        let mut file = files.reopen(&file_name(generation, JOURNAL))?;
        file.truncate(len)?;
        file.sync()?;
        Ok(Self { files, generation, file, len, state: State::Written, frames: Vec::new() })
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Whether it can be said without a sync that everything is on disk, and was not yet.
    pub(super) fn is_unmarked(&self) -> bool {
        self.state == State::Written
    }

    /// Whether the last thing that was tried succeeded.
    pub(super) fn is_good(&self) -> bool {
        matches!(self.state, State::Written | State::Marked)
    }

    /// Adds a frame with this payload. When this returns, it is on disk; after an error, it is to be mended first.
    pub(super) fn append(&mut self, payload: &[u8]) -> io::Result<()> {
        self.write(payload)?;
        self.file.sync()?;
        self.files.check()?;
        let len = self.len + self.frames.len() as u64;
        self.file.check(len)?;
        (self.len, self.state) = (len, State::Written);
        Ok(())
    }

    /// Says that everything is on disk. That itself need not be there soon: it only tells later what cannot be a write that
    /// was interrupted.
    pub(super) fn mark(&mut self) -> io::Result<()> {
        self.write(&[])?;
        (self.len, self.state) = (self.len + self.frames.len() as u64, State::Marked);
        Ok(())
    }

    /// Goes over to the next journal, behind change `seq`.
    pub(super) fn turn(&mut self, seq: u64) -> io::Result<()> {
        if self.is_unmarked() {
            self.mark()?;
        }
        self.file.sync()?;
        self.state = State::Between;
        self.finish_turn(seq)
    }

    /// Makes it as if what failed had never been tried, and proves that it can be written again.
    pub(super) fn mend(&mut self, seq: u64) -> io::Result<()> {
        if self.state == State::Between {
            return self.finish_turn(seq);
        }
        self.file.truncate(self.len)?;
        self.append(&[])
    }

    fn finish_turn(&mut self, seq: u64) -> io::Result<()> {
        let (file, len) = create(&*self.files, self.generation + 1, seq)?;
        self.generation += 1;
        (self.file, self.len, self.state) = (file, len, State::Written);
        Ok(())
    }

    fn write(&mut self, payload: &[u8]) -> io::Result<()> {
        self.frames.clear();
        frame::encode(payload, &mut self.frames);
        self.state = State::Torn;
        self.file.append(&self.frames)
    }
}

/// Creates the journal of this number, durably.
fn create(files: &dyn LogFiles, generation: u64, seq: u64) -> io::Result<(Box<dyn LogFile>, u64)> {
    let mut file = files.open_append(&file_name(generation, JOURNAL))?;
    file.truncate(0)?;
    let head = head(generation, seq)?;
    file.append(&head)?;
    file.sync()?;
    files.sync_dir()?;
    Ok((file, head.len() as u64))
}

/// The first frame of a file.
pub(super) fn head(generation: u64, seq: u64) -> io::Result<Vec<u8>> {
    let mut frames = Vec::new();
    frame::encode(&serde_json::to_vec(&Head { v: VERSION, generation, seq })?, &mut frames);
    Ok(frames)
}
