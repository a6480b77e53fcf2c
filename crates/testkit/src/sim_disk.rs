//! A disk in memory that keeps, at a power cut, only what was synced for certain, and of the rest whatever it likes:
//! all, nothing, some blocks, zeros, parts of blocks, names without content and content without names.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use procura::ports::{LogFile, LogFiles};

use crate::rng::Rng;

/// What a broken disk answers.
const EIO: i32 = 5;

/// The unit in which a disk writes, in bytes.
const BLOCK: usize = 512;

/// A simulated disk; clones share it.
#[derive(Clone, Debug)]
pub struct SimDisk(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    disk: Mutex<Disk>,
    resumed: Condvar,
}

#[derive(Debug)]
struct Disk {
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    inodes: Vec<Inode>,
    operations: u64,
    cut_at: Option<u64>,
    failing: u64,
    fails_one_in: usize,
    failures: u64,
    is_off: bool,
    is_stalled: bool,
    is_taken: bool,
    keeps_names: bool,
    refused_removals: u64,
    free_bytes: u64,
    rng: Rng,
}

#[derive(Clone, Debug, Default)]
struct Inode {
    /// What a reader sees while the power is on.
    current: Vec<u8>,
    /// What is on the medium.
    durable: Vec<u8>,
    /// What a failed sync threw away though readers still see it: no later sync brings it back.
    lost: Vec<Range<usize>>,
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::of(Disk::new(seed))
    }

    /// Cuts the power in the middle of the `operation`th change from now, from 1.
    pub fn cut_after(&self, operation: u64) {
        let mut disk = self.lock();
        disk.cut_at = Some(disk.operations + operation);
    }

    /// Lets the next `count` changes fail, as a full or broken disk does.
    pub fn fail_next(&self, count: u64) {
        self.lock().failing = count;
    }

    /// Lets one in so many operations fail from now on, each in one of the ways in which disks fail: full, broken, with a
    /// part of what was to be written, and of that a part spoiled. With 0 all is well again.
    pub fn fail_one_in(&self, operations: usize) {
        self.lock().fails_one_in = operations;
    }

    /// How many operations failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.lock().failures
    }

    /// Lets every change wait, as a disk that hangs does, until called with `false`.
    pub fn stall(&self, stalled: bool) {
        self.lock().is_stalled = stalled;
        self.0.resumed.notify_all();
    }

    /// How many changes there were: files opened, writes, syncs, cuts.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// Whether the power is gone.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.lock().is_off
    }

    /// Cuts the power if it is on, and returns the disk as the next start finds it.
    #[must_use]
    pub fn reboot(&self) -> Self {
        let mut disk = self.lock();
        disk.is_off = true;
        let mut rng = disk.rng.clone();
        let names = disk.names_after_power_cut(&mut rng);
        let inodes = disk.inodes.iter().map(|inode| inode.after_power_cut(&mut rng)).collect();
        let next = Disk::new(rng.next());
        Self::of(Disk { durable_names: names.clone(), names, inodes, ..next })
    }

    /// Changes the content of a file behind everybody's back; does nothing if there is no such file.
    pub fn tamper(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut disk = self.lock();
        let Some(inode) = disk.names.get(name).copied().and_then(|at| disk.inodes.get_mut(at)) else {
            return;
        };
        change(&mut inode.current);
        inode.durable = inode.current.clone();
    }

    /// Removes a file behind everybody's back, durably.
    pub fn snatch(&self, name: &str) {
        let mut disk = self.lock();
        disk.names.remove(name);
        disk.durable_names.remove(name);
    }

    /// Refuses to remove files, until called with `false`.
    pub fn keep_names(&self, keep: bool) {
        self.lock().keeps_names = keep;
    }

    /// How many removals were refused.
    #[must_use]
    pub fn refused_removals(&self) -> u64 {
        self.lock().refused_removals
    }

    /// Sets how many bytes may still be written, as far as anybody asks; nothing counts them.
    pub fn set_free_bytes(&self, bytes: u64) {
        self.lock().free_bytes = bytes;
    }

    /// Makes the directory another writer's, as when it was removed and made anew.
    pub fn take_over(&self) {
        self.lock().is_taken = true;
    }

    fn of(disk: Disk) -> Self {
        Self(Arc::new(Shared { disk: Mutex::new(disk), resumed: Condvar::new() }))
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.0.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For a change: waits while the disk hangs.
    fn lock_for_change(&self) -> MutexGuard<'_, Disk> {
        let disk = self.lock();
        self.0.resumed.wait_while(disk, |disk| disk.is_stalled).unwrap_or_else(PoisonError::into_inner)
    }

    /// For a change of names, which succeeds or fails as a whole.
    fn changeable(&self) -> io::Result<MutexGuard<'_, Disk>> {
        let mut disk = self.lock_for_change();
        match disk.fate() {
            Fate::Succeeds => Ok(disk),
            Fate::Fails(error) => Err(error),
        }
    }
}

/// What becomes of one change.
enum Fate {
    Succeeds,
    /// Fails after an unknown part of it.
    Fails(io::Error),
}

impl Disk {
    fn new(seed: u64) -> Self {
        Self {
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            inodes: Vec::new(),
            operations: 0,
            cut_at: None,
            failing: 0,
            fails_one_in: 0,
            failures: 0,
            is_off: false,
            is_stalled: false,
            is_taken: false,
            keeps_names: false,
            refused_removals: 0,
            free_bytes: u64::MAX,
            rng: Rng::new(seed),
        }
    }

    fn fate(&mut self) -> Fate {
        self.operations += 1;
        if self.is_off || self.cut_at.is_some_and(|cut_at| self.operations >= cut_at) {
            self.is_off = true;
            return Fate::Fails(no_power());
        }
        if self.failing > 0 {
            self.failing -= 1;
            return Fate::Fails(io::ErrorKind::StorageFull.into());
        }
        match self.failure() {
            Some(error) => Fate::Fails(error),
            None => Fate::Succeeds,
        }
    }

    /// A failure by chance.
    fn failure(&mut self) -> Option<io::Error> {
        if self.fails_one_in == 0 || self.rng.below(self.fails_one_in) > 0 {
            return None;
        }
        self.failures += 1;
        let broken = io::Error::from_raw_os_error(EIO);
        Some(if self.rng.below(2) == 0 { io::ErrorKind::StorageFull.into() } else { broken })
    }

    fn inode(&self, name: &str) -> io::Result<&Inode> {
        if self.is_off {
            return Err(no_power());
        }
        let inode = self.names.get(name).and_then(|at| self.inodes.get(*at));
        inode.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Every change of a name that no sync covered is kept or lost, each for itself; one file has one name, so a file
    /// that was given another name has either.
    fn names_after_power_cut(&self, rng: &mut Rng) -> BTreeMap<String, usize> {
        let mut names = self.durable_names.clone();
        for (name, inode) in &self.names {
            if self.durable_names.get(name) != Some(inode) && rng.below(2) == 0 {
                names.retain(|_, other| other != inode);
                names.insert(name.clone(), *inode);
            }
        }
        let has_name = |inode: &usize| self.names.values().any(|other| other == inode);
        names.retain(|name, inode| self.names.contains_key(name) || has_name(inode) || rng.below(2) == 0);
        names
    }
}

impl Inode {
    fn after_power_cut(&self, rng: &mut Rng) -> Self {
        let mut content = self.durable.clone();
        let unsynced = self.current.len().saturating_sub(content.len());
        let kept = match rng.below(4) {
            0 => 0,
            1 => unsynced,
            _ => rng.below(unsynced + 1),
        };
        let damages = rng.below(2) == 0;
        for at in content.len()..content.len() + kept {
            let byte = self.current.get(at).copied().unwrap_or(0);
            content.push(byte);
        }
        let written = self.durable.len()..content.len();
        if damages {
            for block in written.start / BLOCK..=written.end / BLOCK {
                spoil(&mut content, block * BLOCK..(block + 1) * BLOCK, &written, rng);
            }
        }
        self.lost.iter().for_each(|lost| zero(&mut content, lost));
        Self { current: content.clone(), durable: content, lost: Vec::new() }
    }

    fn sync(&mut self) {
        self.durable.truncate(self.current.len());
        self.durable.extend_from_slice(self.current.get(self.durable.len()..).unwrap_or_default());
        self.lost.iter().for_each(|lost| zero(&mut self.durable, lost));
    }
}

/// Zeroes a part of what was written of one block, or all, or nothing.
fn spoil(content: &mut [u8], block: Range<usize>, written: &Range<usize>, rng: &mut Rng) {
    let start = block.start.max(written.start);
    let end = block.end.min(written.end);
    let from = match rng.below(4) {
        0 => start,
        1 => start + rng.below(end.saturating_sub(start) + 1),
        _ => end,
    };
    zero(content, &(from..end));
}

fn zero(content: &mut [u8], range: &Range<usize>) {
    let end = range.end.min(content.len());
    if let Some(part) = content.get_mut(range.start.min(end)..end) {
        part.fill(0);
    }
}

fn no_power() -> io::Error {
    io::Error::other("the power is gone")
}

impl LogFiles for SimDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let disk = self.lock();
        if disk.is_off { Err(no_power()) } else { Ok(disk.names.keys().cloned().collect()) }
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(self.lock().inode(name)?.current.len() as u64)
    }

    fn read_at(&self, name: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut disk = self.lock();
        if let Some(error) = disk.failure() {
            return Err(error);
        }
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let part = disk.inode(name)?.current.get(start..start.saturating_add(len));
        part.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn open_append(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let mut disk = self.changeable()?;
        let inode = match disk.names.get(name) {
            Some(inode) => *inode,
            None => {
                disk.inodes.push(Inode::default());
                let inode = disk.inodes.len() - 1;
                disk.names.insert(name.to_owned(), inode);
                inode
            }
        };
        Ok(Box::new(SimFile { disk: self.clone(), name: name.to_owned(), inode }))
    }

    fn reopen(&self, name: &str) -> io::Result<Box<dyn LogFile>> {
        let inode = *self.changeable()?.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(SimFile { disk: self.clone(), name: name.to_owned(), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.changeable()?;
        let inode = disk.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        disk.names.insert(to.to_owned(), inode);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.changeable()?;
        if disk.keeps_names {
            disk.refused_removals += 1;
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        disk.names.remove(name).map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut disk = self.changeable()?;
        disk.durable_names = disk.names.clone();
        Ok(())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        Ok(self.lock().free_bytes)
    }

    fn check(&self) -> io::Result<()> {
        if self.lock().is_taken { Err(io::Error::other("another writer has the directory")) } else { Ok(()) }
    }
}

struct SimFile {
    disk: SimDisk,
    name: String,
    inode: usize,
}

impl SimFile {
    /// Applies `change` or, if the operation is to fail, `partly`, which learns whether the power is gone.
    fn apply(
        &self,
        change: impl FnOnce(&mut Inode),
        partly: impl FnOnce(&mut Inode, &mut Rng, bool),
    ) -> io::Result<()> {
        let mut disk = self.disk.lock_for_change();
        let fate = disk.fate();
        let Disk { inodes, rng, is_off, .. } = &mut *disk;
        let Some(inode) = inodes.get_mut(self.inode) else {
            return Err(no_power());
        };
        match fate {
            Fate::Succeeds => {
                change(inode);
                Ok(())
            }
            Fate::Fails(error) => {
                partly(inode, rng, *is_off);
                Err(error)
            }
        }
    }
}

impl LogFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let partly = |inode: &mut Inode, rng: &mut Rng, _| {
            let start = inode.current.len();
            inode.current.extend(bytes.iter().take(rng.below(bytes.len() + 1)));
            let written = start..inode.current.len();
            for block in written.start / BLOCK..=written.end / BLOCK {
                spoil(&mut inode.current, block * BLOCK..(block + 1) * BLOCK, &written, rng);
            }
        };
        self.apply(|inode| inode.current.extend_from_slice(bytes), partly)
    }

    fn sync(&mut self) -> io::Result<()> {
        let partly = |inode: &mut Inode, _: &mut Rng, is_off: bool| {
            if !is_off {
                inode.lost.push(inode.durable.len()..inode.current.len());
            }
        };
        self.apply(Inode::sync, partly)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let change = |inode: &mut Inode| {
            inode.current.truncate(len);
            inode.lost.retain(|lost| lost.start < len);
            inode.lost.iter_mut().for_each(|lost| lost.end = lost.end.min(len));
            inode.sync();
        };
        self.apply(change, |_, _, _| ())
    }

    fn check(&self, len: u64) -> io::Result<()> {
        let disk = self.disk.lock();
        let found = disk.inode(&self.name)?.current.len() as u64;
        let is_same = disk.names.get(&self.name) == Some(&self.inode);
        if is_same && found == len {
            Ok(())
        } else {
            Err(io::Error::other("the file was removed or changed"))
        }
    }
}
