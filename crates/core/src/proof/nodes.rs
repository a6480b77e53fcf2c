//! Where the hashes of a tree are in a file that is only appended to.
//!
//! Behind each leaf stand the nodes that it completes, from the lowest up: a left child is always there before its
//! parent, nothing is ever changed, and a file of `2n` hashes at most holds a tree of `n` leaves.

/// A complete node: the root of the `2^level` leaves from `index * 2^level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Node {
    /// 0 for a leaf.
    pub level: u32,
    /// How many complete nodes of its level are before it.
    pub index: u64,
}

impl Node {
    /// The leaf with this index.
    #[must_use]
    pub const fn leaf(index: u64) -> Self {
        Self { level: 0, index }
    }
}

/// How many hashes the file of a tree with `leaves` leaves has.
#[must_use]
pub const fn places(leaves: u64) -> u64 {
    // Of each level as many as are complete: n + n/2 + n/4 + …
    2 * leaves - leaves.count_ones() as u64
}

/// The number of the hash of `node` in the file, from 0.
#[must_use]
pub const fn place_of(node: Node) -> u64 {
    let last_leaf = ((node.index + 1) << node.level) - 1;
    places(last_leaf) + node.level as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_stand_behind_the_leaf_that_completes_them() {
        let mut file = Vec::new();
        for leaf in 0..200_u64 {
            assert_eq!(places(leaf), file.len() as u64, "{leaf} leaves");
            (0..=(leaf + 1).trailing_zeros())
                .for_each(|level| file.push(Node { level, index: leaf >> level }));
        }
        for (place, node) in (0..).zip(&file) {
            assert_eq!(place_of(*node), place, "{node:?}");
        }
    }
}
