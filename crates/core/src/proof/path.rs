//! That a record is in a tree, and that a tree is the beginning of another (RFC 9162, 2.1.3 and 2.1.4).

use super::{Hash, Node};

/// Where the hashes of a tree are looked up.
pub trait Nodes {
    /// Why one cannot be read.
    type Error;

    /// The hash of a complete node.
    ///
    /// # Errors
    /// If it cannot be read.
    fn hash(&mut self, node: Node) -> Result<Hash, Self::Error>;
}

/// Why a path proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No tree of this size has such a leaf or such a beginning.
    #[error("the tree of {size} leaves has no such place as {place}")]
    Place {
        /// Leaves of the tree.
        size: u64,
        /// Index of the leaf, or size of the beginning.
        place: u64,
    },
    /// The path is too long or too short.
    #[error("the path has {found} hashes, where there must be {needed}")]
    Length {
        /// Hashes that there are.
        found: usize,
        /// Hashes that there must be.
        needed: usize,
    },
    /// It leads to another root.
    #[error("the path leads to another root")]
    Root,
}

/// The path from leaf `index` to the root of the tree of `size` leaves, lowest sibling first; `index` is below `size`.
///
/// # Errors
/// If a hash cannot be read.
pub fn inclusion<N: Nodes>(nodes: &mut N, index: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    let mut path = Vec::new();
    walk(index, size, &mut |sibling| {
        path.push(root(nodes, sibling)?);
        Ok(())
    })?;
    Ok(path)
}

/// What proves that the tree of `old` leaves is the beginning of that of `new` leaves; `old` is at most `new`.
///
/// # Errors
/// If a hash cannot be read.
pub fn consistency<N: Nodes>(nodes: &mut N, old: u64, new: u64) -> Result<Vec<Hash>, N::Error> {
    let mut path = Vec::new();
    if old == 0 || old >= new {
        return Ok(path);
    }
    let start = shared_subtree(old);
    if start.0 != 0 {
        path.push(root(nodes, start)?);
    }
    walk_from(start, new, &mut |sibling| {
        path.push(root(nodes, sibling)?);
        Ok(())
    })?;
    Ok(path)
}

/// Whether `path` shows that `leaf` has this index in the tree of `size` leaves and this root.
///
/// # Errors
/// If it does not.
pub fn verify_inclusion(
    leaf: Hash,
    (index, size): (u64, u64),
    path: &[Hash],
    root: &Hash,
) -> Result<(), PathError> {
    if index >= size {
        return Err(PathError::Place { size, place: index });
    }
    let sides = sides((index, index + 1), size);
    same_length(path.len(), sides.len())?;
    let found = sides.iter().zip(path).fold(leaf, |hash, (side, sibling)| side.join(&hash, sibling));
    if found == *root { Ok(()) } else { Err(PathError::Root) }
}

/// Whether `path` shows that the tree of the first size and root is the beginning of the second.
///
/// # Errors
/// If it does not.
pub fn verify_consistency(old: (u64, &Hash), new: (u64, &Hash), path: &[Hash]) -> Result<(), PathError> {
    let ((old, old_root), (new, new_root)) = (old, new);
    if old > new {
        return Err(PathError::Place { size: new, place: old });
    }
    if old == 0 || old == new {
        same_length(path.len(), 0)?;
        let is_same = if old == 0 { *old_root == Hash::empty() } else { old_root == new_root };
        return if is_same { Ok(()) } else { Err(PathError::Root) };
    }
    let start = shared_subtree(old);
    let sides = sides(start, new);
    let (first, rest) = match path.split_first() {
        _ if start.0 == 0 => (*old_root, path),
        Some((first, rest)) => (*first, rest),
        None => return Err(PathError::Length { found: 0, needed: sides.len() + 1 }),
    };
    same_length(rest.len(), sides.len())?;
    let (mut of_old, mut of_new) = (first, first);
    for (side, sibling) in sides.iter().zip(rest) {
        of_new = side.join(&of_new, sibling);
        if *side == Side::Left {
            of_old = Hash::node(sibling, &of_old);
        }
    }
    if of_old == *old_root && of_new == *new_root { Ok(()) } else { Err(PathError::Root) }
}

/// Leaves `.0` to `.1` of a tree, without the last.
type Range = (u64, u64);

/// On which side of the node below is its sibling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Side {
    fn join(self, hash: &Hash, sibling: &Hash) -> Hash {
        match self {
            Side::Left => Hash::node(sibling, hash),
            Side::Right => Hash::node(hash, sibling),
        }
    }
}

/// The subtree with the last leaf of a tree of `size` leaves that is complete, and so in every larger tree.
fn shared_subtree(size: u64) -> Range {
    (size & (size - 1), size)
}

fn walk<E>(index: u64, size: u64, visit: &mut dyn FnMut(Range) -> Result<(), E>) -> Result<(), E> {
    walk_from((index, index + 1), size, visit)
}

/// Visits the siblings on the way from the subtree `from` up to the root of a tree of `size` leaves.
fn walk_from<E>(from: Range, size: u64, visit: &mut dyn FnMut(Range) -> Result<(), E>) -> Result<(), E> {
    siblings(from, size).into_iter().rev().try_for_each(|(_, sibling)| visit(sibling))
}

fn sides(from: Range, size: u64) -> Vec<Side> {
    siblings(from, size).into_iter().rev().map(|(side, _)| side).collect()
}

/// The siblings on the way from the root of a tree of `size` leaves down to the subtree `to`.
fn siblings(to: Range, size: u64) -> Vec<(Side, Range)> {
    let mut found = Vec::new();
    let mut range = (0, size);
    while range.1 - range.0 > to.1 - to.0 {
        let middle = range.0 + largest_power_below(range.1 - range.0);
        if to.0 < middle {
            found.push((Side::Right, (middle, range.1)));
            range.1 = middle;
        } else {
            found.push((Side::Left, (range.0, middle)));
            range.0 = middle;
        }
    }
    found
}

/// The largest power of two below `count`, which is at least 2.
fn largest_power_below(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// The root of some leaves that begin where a complete subtree of their number could.
fn root<N: Nodes>(nodes: &mut N, (start, end): Range) -> Result<Hash, N::Error> {
    let count = end - start;
    let mut end_of_peak = end;
    let mut found = None;
    // From the smallest peak on the right to the largest on the left.
    for level in (0..u64::BITS).filter(|level| count >> level & 1 == 1) {
        let index = (end_of_peak >> level) - 1;
        let peak = nodes.hash(Node { level, index })?;
        found = Some(found.map_or(peak, |right| Hash::node(&peak, &right)));
        end_of_peak -= 1 << level;
    }
    Ok(found.unwrap_or_else(Hash::empty))
}

fn same_length(found: usize, needed: usize) -> Result<(), PathError> {
    if found == needed { Ok(()) } else { Err(PathError::Length { found, needed }) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::proof::Tree;

    struct Kept(BTreeMap<Node, Hash>);

    impl Nodes for Kept {
        type Error = Infallible;

        fn hash(&mut self, node: Node) -> Result<Hash, Infallible> {
            Ok(self.0[&node])
        }
    }

    fn leaf(number: u64) -> Hash {
        Hash::leaf(&number.to_le_bytes())
    }

    fn tree(size: u64) -> (Tree, Kept) {
        let (mut tree, mut kept) = (Tree::default(), BTreeMap::new());
        for number in 0..size {
            let mut level = 0;
            tree.push(leaf(number), |hash| {
                kept.insert(Node { level, index: number >> level }, *hash);
                level += 1;
            });
        }
        (tree, Kept(kept))
    }

    /// RFC 9162, 2.1.1, to the letter.
    fn plain_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::empty(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                Hash::node(&plain_root(left), &plain_root(right))
            }
        }
    }

    #[test]
    fn roots_are_those_of_the_definition() {
        let leaves: Vec<_> = (0..130).map(leaf).collect();
        for size in 0..=leaves.len() {
            let (tree, mut kept) = tree(size as u64);
            assert_eq!(tree.root(), plain_root(&leaves[..size]), "{size} leaves");
            let peaks = Tree::peaks_of(size as u64).map(|node| kept.hash(node).unwrap()).collect();
            assert_eq!(Tree::of(size as u64, peaks), Some(tree));
        }
    }

    #[test]
    fn roots_of_the_vectors_of_certificate_transparency_come_out() {
        let inputs: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let mut tree = Tree::default();
        inputs.iter().for_each(|input| tree.push(Hash::leaf(input), |_| ()));
        assert_eq!(
            tree.root().to_string(),
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
        );
    }

    #[test]
    fn every_leaf_of_every_small_tree_is_proven_and_nothing_else() {
        for size in 1..40 {
            let (tree, mut kept) = tree(size);
            for index in 0..size {
                let path = inclusion(&mut kept, index, size).unwrap();
                let verified = |leaf, place, path: &[Hash]| verify_inclusion(leaf, place, path, &tree.root());
                assert_eq!(verified(leaf(index), (index, size), &path), Ok(()));
                assert_eq!(verified(leaf(size), (index, size), &path), Err(PathError::Root));
                for other in (0..size).filter(|other| *other != index) {
                    assert!(
                        verified(leaf(index), (other, size), &path).is_err(),
                        "{index} as {other} of {size}"
                    );
                }
                let mut longer = path.clone();
                longer.push(leaf(0));
                assert!(matches!(
                    verified(leaf(index), (index, size), &longer),
                    Err(PathError::Length { .. })
                ));
                assert!(verified(leaf(index), (size, size), &path).is_err());
            }
        }
    }

    #[test]
    fn every_beginning_of_every_small_tree_is_proven_and_nothing_else() {
        for new in 0..40 {
            let (new_tree, mut kept) = tree(new);
            for old in 0..=new {
                let (old_tree, _) = tree(old);
                let path = consistency(&mut kept, old, new).unwrap();
                let (old_root, new_root) = (old_tree.root(), new_tree.root());
                assert_eq!(
                    verify_consistency((old, &old_root), (new, &new_root), &path),
                    Ok(()),
                    "{old} of {new}"
                );
                let wrong = leaf(99);
                assert!(verify_consistency((old, &wrong), (new, &new_root), &path).is_err());
                if old > 0 {
                    assert!(verify_consistency((old, &old_root), (new, &wrong), &path).is_err());
                }
                assert!(verify_consistency((new + 1, &old_root), (new, &new_root), &path).is_err());
            }
        }
    }

    proptest! {
        #[test]
        fn changed_path_proves_nothing(size in 2_u64..300, place in any::<prop::sample::Index>(), bit in 0_usize..256) {
            let (tree, mut kept) = tree(size);
            let index = place.index(size as usize) as u64;
            let mut path = inclusion(&mut kept, index, size).unwrap();
            let at = place.index(path.len());
            let mut bytes = *path[at].as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            path[at] = Hash::from_bytes(bytes);
            let verified = verify_inclusion(leaf(index), (index, size), &path, &tree.root());
            prop_assert_eq!(verified, Err(PathError::Root));
        }
    }
}
