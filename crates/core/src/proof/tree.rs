//! A tree that grows by one leaf at a time.

use super::{Hash, Node};

/// A Merkle tree of which only the roots of its perfect subtrees are kept, largest first: at most one for each bit of
/// its size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    size: u64,
    peaks: Vec<Hash>,
}

impl Tree {
    /// The tree of `size` leaves that has these peaks, largest first; `None` if it must have another number of them.
    #[must_use]
    pub fn of(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (peaks.len() == size.count_ones() as usize).then_some(Self { size, peaks })
    }

    /// The nodes that are the peaks of a tree of `size` leaves, largest first.
    pub fn peaks_of(size: u64) -> impl Iterator<Item = Node> {
        let levels = (0..u64::BITS).rev().filter(move |level| size >> level & 1 == 1);
        levels.map(move |level| Node { level, index: (size >> level) - 1 })
    }

    /// How many leaves it has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf, and shows it and each node that it completes, from the lowest up, to `completed`.
    pub fn push(&mut self, leaf: Hash, mut completed: impl FnMut(&Hash)) {
        completed(&leaf);
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            hash = Hash::node(&left, &hash);
            completed(&hash);
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        let peaks = self.peaks.iter().rev().copied();
        peaks.reduce(|right, left| Hash::node(&left, &right)).unwrap_or_else(Hash::empty)
    }
}
