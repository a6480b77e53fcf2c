//! Whether a log is what its checkpoints say: those beside it, and those that a witness keeps.

use std::fmt;
use std::io::{BufReader, Read};
use std::iter::Peekable;

use procura_core::proof::{Checkpoint, Hash, Tree, consistency, verify_consistency};

use super::checkpoints::{self, FileReader};
use super::signed::{DistrustReason, SignedCheckpoint, SignedCheckpoints, Trust};
use super::tree_file::{self, StoredNodes};
use crate::audit::error::AuditError;
use crate::audit::verify::{Verified, verify_each};
use crate::audit::walk::ChainEnd;
use crate::ports::LogFiles;

/// What was found in a log.
#[derive(Debug)]
pub struct Inspection {
    /// The log itself, if it can be read to its end.
    pub verified: Option<Verified>,
    /// Records under the largest checkpoint beside the log that they fit; 0 without one.
    pub signed: u64,
    /// Records under the largest checkpoint of the witness that they fit; 0 without one.
    pub witnessed: u64,
    /// How many checkpoints beside the log fit.
    pub checkpoints: u64,
    /// Whether the last checkpoint beside the log is none: an interrupted write, which the next start cuts.
    pub torn_checkpoint: bool,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
}

/// Whose checkpoint says that something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The log's own, in `CHECKPOINTS`.
    Log,
    /// The witness's.
    Witness,
}

/// Something that is wrong.
#[derive(Debug)]
pub enum Finding {
    /// A record is not what was written, and its chain was not made to fit: it is named.
    Damaged(AuditError),
    /// Some of these records are not those that were signed for, or their order is another.
    Rewritten {
        /// Whose checkpoints say so.
        source: Source,
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// The log ends before records that were signed for.
    Shorter {
        /// Whose checkpoint says so.
        source: Source,
        /// The last record.
        last: u64,
        /// Records under the checkpoint.
        signed: u64,
    },
    /// Something among the checkpoints is none of this log.
    Distrusted {
        /// Where.
        source: Source,
        /// How many there are.
        count: u64,
        /// Why the first is not believed.
        reason: DistrustReason,
    },
    /// The witness keeps checkpoints that the log has no longer.
    Forgotten {
        /// How many.
        count: u64,
        /// Records under the first of them.
        first: u64,
    },
    /// The file of the tree is not that of these records.
    Tree {
        /// The record at which it differs or ends.
        seq: u64,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "the log's own checkpoints",
            Self::Witness => "the witness",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged(error) => f.write_str(&error.with_causes()),
            Self::Rewritten { source, first, last } => write!(
                f,
                "records {first} to {last}: some of them are not those that were signed for, says {source}"
            ),
            Self::Shorter { source, last, signed } => write!(
                f,
                "records {} to {signed} are missing: the log ends with record {last}, and {source} covers {signed}",
                last + 1
            ),
            Self::Distrusted { source, count, reason } => {
                let place = if *source == Source::Log { "`CHECKPOINTS`" } else { "the witness" };
                write!(f, "{count} of the checkpoints in {place} cannot be believed; of the first: {reason}")
            }
            Self::Forgotten { count, first } => write!(
                f,
                "`CHECKPOINTS` lacks {count} of the checkpoints that the witness keeps, the first over {first} records"
            ),
            Self::Tree { seq } => write!(f, "`TREE` is not the tree over these records from record {seq} on"),
        }
    }
}

/// Verifies the whole log in `files` against the checkpoints beside it and, if there is a witness, those that it keeps.
///
/// `progress` is told how many of how many segments are done.
///
/// # Errors
/// If a file cannot be read; what is wrong with the log is no error but a finding.
pub fn inspect(
    files: &dyn LogFiles,
    trust: &Trust,
    witnessed: Option<&[SignedCheckpoint]>,
    progress: impl FnMut(usize, usize),
) -> Result<Inspection, AuditError> {
    let mut findings = Vec::new();
    let own = Own::new(checkpoints::all(files, checkpoints::NAME)?, trust);
    let witness = Kept::of(witnessed.unwrap_or_default(), trust, &mut findings);
    if witnessed.is_some() && witness.checkpoints.is_empty() && findings.is_empty() {
        findings.push(Finding::Distrusted {
            source: Source::Witness,
            count: 0,
            reason: DistrustReason::None,
        });
    }
    let covered = checkpoints::last(files, checkpoints::NAME, trust)?;
    let covered = covered.map_or(0, |(signed, _)| signed.checkpoint.size);
    let mut against = Against {
        tree: Tree::default(),
        files,
        last: 0,
        is_blind: false,
        stored: Stored::open(files, covered)?,
        own,
        own_fit: Fit::default(),
        witness_fit: Fit::default(),
        witness,
    };
    let verified = verify_each(files, progress, &mut |end| against.record(end));
    let verified = match verified {
        Ok(verified) => Some(verified),
        Err(error @ (AuditError::Io { .. } | AuditError::Locked(_))) => return Err(error),
        Err(error) => {
            findings.push(Finding::Damaged(error));
            None
        }
    };
    Ok(against.finish(verified, findings))
}

/// Everything that the records are held against on the way.
struct Against<'a> {
    files: &'a dyn LogFiles,
    /// The last good record.
    last: u64,
    tree: Tree,
    /// The first records are deleted and the file of the tree does not say what they were: nothing can be compared.
    is_blind: bool,
    stored: Stored<'a>,
    own: Own<'a>,
    own_fit: Fit,
    witness: Kept<'a>,
    witness_fit: Fit,
}

/// How far checkpoints and records fit.
#[derive(Clone, Copy, Default)]
struct Fit {
    /// Records under the last checkpoint that fits, before the first that does not.
    fits: u64,
    /// Records under the first checkpoint that does not fit.
    differs: Option<u64>,
}

impl Fit {
    fn note(&mut self, size: u64, fits: bool) {
        match (fits, self.differs) {
            (true, None) => self.fits = size,
            (false, None) => self.differs = Some(size),
            _ => {}
        }
    }

    fn finding(self, source: Source) -> Option<Finding> {
        let last = self.differs?;
        Some(Finding::Rewritten { source, first: self.fits + 1, last })
    }
}

impl Against<'_> {
    fn record(&mut self, end: ChainEnd) -> Result<(), AuditError> {
        if self.tree.size() + 1 < end.seq && !self.is_blind {
            self.begin_after(end.seq - 1)?;
        }
        self.last = end.seq;
        if self.is_blind {
            return Ok(());
        }
        let stored = &mut self.stored;
        let mut read = Ok(());
        self.tree.push(Hash::leaf(end.hash.as_bytes()), |hash| {
            if read.is_ok() {
                read = stored.compare(end.seq, hash);
            }
        });
        read?;
        self.compare(end.seq, &mut |tree, checkpoint| Ok(checkpoint.root == tree.root()))
    }

    /// Begins with a tree whose records are deleted, as the file has it: if that is not what was signed, nothing that
    /// follows fits.
    fn begin_after(&mut self, size: u64) -> Result<(), AuditError> {
        let files = self.files;
        match tree_file::stored_tree(files, size)? {
            Some(tree) => self.tree = tree,
            None => {
                (self.stored.differs, self.is_blind) = (Some(1), true);
                return Ok(());
            }
        }
        self.stored.skip(size);
        let mut nodes = StoredNodes::new(files);
        self.compare(size, &mut |tree, checkpoint| {
            let path = consistency(&mut nodes, checkpoint.size, size)?;
            let (old, new) = ((checkpoint.size, &checkpoint.root), (size, &tree.root()));
            Ok(verify_consistency(old, new, &path).is_ok())
        })
    }

    /// Holds the checkpoints over `seq` records at most, which were not looked at yet, against the tree.
    fn compare(
        &mut self,
        seq: u64,
        fits: &mut dyn FnMut(&Tree, &Checkpoint) -> Result<bool, AuditError>,
    ) -> Result<(), AuditError> {
        while let Some(signed) = self.own.at(seq)? {
            self.witness.is_known(&signed);
            self.own_fit.note(signed.checkpoint.size, fits(&self.tree, &signed.checkpoint)?);
        }
        while let Some(signed) = self.witness.at(seq) {
            self.witness_fit.note(signed.checkpoint.size, fits(&self.tree, &signed.checkpoint)?);
        }
        Ok(())
    }

    fn finish(mut self, verified: Option<Verified>, mut findings: Vec<Finding>) -> Inspection {
        let last = self.last;
        let is_whole = verified.is_some();
        let mut shorter = |source, signed: Option<u64>| {
            if let Some(signed) = signed.filter(|signed| is_whole && *signed > last) {
                findings.push(Finding::Shorter { source, last, signed });
            }
        };
        shorter(Source::Witness, self.witness.largest());
        let own_largest = self.own.rest(&mut self.witness);
        shorter(Source::Log, own_largest);
        findings.extend(self.witness_fit.finding(Source::Witness));
        findings.extend(self.own_fit.finding(Source::Log));
        findings.extend(self.own.distrusted.take());
        findings.extend(self.witness.forgotten());
        findings.extend(self.stored.differs.map(|seq| Finding::Tree { seq }));
        Inspection {
            verified,
            signed: self.own_fit.fits,
            witnessed: self.witness_fit.fits,
            checkpoints: self.own.believed,
            torn_checkpoint: self.own.torn,
            findings,
        }
    }
}

/// The checkpoints beside the log, read on the way.
struct Own<'a> {
    all: Peekable<Believed<'a>>,
    believed: u64,
    distrusted: Option<Finding>,
    torn: bool,
}

type Believed<'a> =
    Box<dyn Iterator<Item = Result<SignedCheckpoint, Result<DistrustReason, std::io::Error>>> + 'a>;

impl<'a> Own<'a> {
    fn new(all: SignedCheckpoints<BufReader<FileReader<'a>>>, trust: &'a Trust) -> Self {
        let judged = all.map(|found| {
            let signed = found.map_err(Err)?.signed.map_err(Ok)?;
            trust.check(&signed).map_err(Ok)?;
            Ok(signed)
        });
        let judged: Believed<'a> = Box::new(judged);
        Self { all: judged.peekable(), believed: 0, distrusted: None, torn: false }
    }

    /// The next checkpoint, if it is over `seq` records at most.
    fn at(&mut self, seq: u64) -> Result<Option<SignedCheckpoint>, AuditError> {
        loop {
            match self.all.peek() {
                Some(Ok(signed)) if signed.checkpoint.size > seq => return Ok(None),
                None => return Ok(None),
                Some(_) => {}
            }
            match self.all.next() {
                Some(Ok(signed)) => {
                    self.believed += 1;
                    return Ok(Some(signed));
                }
                Some(Err(Err(error))) => return Err(AuditError::io("read", checkpoints::NAME)(error)),
                Some(Err(Ok(reason))) => self.distrust(reason),
                None => return Ok(None),
            }
        }
    }

    /// What stands at the very end and is no checkpoint was perhaps never whole.
    fn distrust(&mut self, reason: DistrustReason) {
        let is_last = self.all.peek().is_none();
        if is_last && matches!(reason, DistrustReason::Text | DistrustReason::Signature) {
            self.torn = true;
            return;
        }
        match &mut self.distrusted {
            Some(Finding::Distrusted { count, .. }) => *count += 1,
            first => *first = Some(Finding::Distrusted { source: Source::Log, count: 1, reason }),
        }
    }

    /// Reads what is over more records than there are; over how many at most.
    fn rest(&mut self, witness: &mut Kept<'_>) -> Option<u64> {
        let mut largest = None;
        while let Ok(Some(signed)) = self.at(u64::MAX) {
            witness.is_known(&signed);
            largest = largest.max(Some(signed.checkpoint.size));
        }
        largest
    }
}

/// The checkpoints that the witness keeps, by size.
struct Kept<'a> {
    checkpoints: Vec<&'a SignedCheckpoint>,
    next: usize,
    /// Which of them are among those beside the log.
    known: Vec<bool>,
}

impl<'a> Kept<'a> {
    fn of(all: &'a [SignedCheckpoint], trust: &Trust, findings: &mut Vec<Finding>) -> Self {
        let mut checkpoints = Vec::new();
        let mut distrusted: Option<(u64, DistrustReason)> = None;
        for signed in all {
            match trust.check(signed) {
                Ok(()) => checkpoints.push(signed),
                Err(reason) => distrusted.get_or_insert((0, reason)).0 += 1,
            }
        }
        if let Some((count, reason)) = distrusted {
            findings.push(Finding::Distrusted { source: Source::Witness, count, reason });
        }
        checkpoints.sort_by_key(|signed| signed.checkpoint.size);
        let known = vec![false; checkpoints.len()];
        Self { checkpoints, next: 0, known }
    }

    /// The next one, if it is over `seq` records at most.
    fn at(&mut self, seq: u64) -> Option<&'a SignedCheckpoint> {
        let signed = *self.checkpoints.get(self.next).filter(|signed| signed.checkpoint.size <= seq)?;
        self.next += 1;
        Some(signed)
    }

    fn largest(&self) -> Option<u64> {
        self.checkpoints.last().map(|signed| signed.checkpoint.size)
    }

    /// Notes that the log has a checkpoint.
    fn is_known(&mut self, own: &SignedCheckpoint) {
        let size = own.checkpoint.size;
        let first = self.checkpoints.partition_point(|kept| kept.checkpoint.size < size);
        let same = self.checkpoints.iter().zip(&mut self.known).skip(first);
        for (kept, known) in same.take_while(|(kept, _)| kept.checkpoint.size == size) {
            *known |= kept.checkpoint == own.checkpoint;
        }
    }

    fn forgotten(&self) -> Option<Finding> {
        let mut missing = self.checkpoints.iter().zip(&self.known).filter(|(_, known)| !**known);
        let first = missing.next()?.0.checkpoint.size;
        Some(Finding::Forgotten { count: 1 + missing.count() as u64, first })
    }
}

/// The file of the tree, compared on the way as far as it is believed.
struct Stored<'a> {
    file: BufReader<FileReader<'a>>,
    /// Records that the last checkpoint covers: behind them the file is made again at the next start.
    covered: u64,
    differs: Option<u64>,
}

impl<'a> Stored<'a> {
    fn open(files: &'a dyn LogFiles, covered: u64) -> Result<Self, AuditError> {
        let len = tree_file::len_of(files)?;
        let file = FileReader::from(files, tree_file::NAME, 0, len);
        Ok(Self { file: BufReader::with_capacity(256 * 1024, file), covered, differs: None })
    }

    /// Passes over what the first `size` leaves make.
    fn skip(&mut self, size: u64) {
        self.file.get_mut().skip(tree_file::bytes_of(size));
    }

    fn compare(&mut self, seq: u64, hash: &Hash) -> Result<(), AuditError> {
        if seq > self.covered || self.differs.is_some() {
            return Ok(());
        }
        let mut stored = [0; Hash::LEN];
        match self.file.read_exact(&mut stored) {
            Ok(()) if stored == *hash.as_bytes() => {}
            Ok(()) => self.differs = Some(seq),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => self.differs = Some(seq),
            Err(error) => return Err(AuditError::io("read", tree_file::NAME)(error)),
        }
        Ok(())
    }
}
