//! Finding names in tables that never change: a hash that is cheap for short texts and the same in every process.
//!
//! Only names of policies are ever put into such a table. What a request names is looked up and no more, so no request
//! can make it slow.

#[expect(clippy::disallowed_types, reason = "its hash has no random seed")]
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

/// Things by name. Whoever goes through one must not depend on the order.
#[expect(clippy::disallowed_types, reason = "its hash has no random seed")]
pub type NameMap<T> = HashMap<Arc<str>, T, BuildHasherDefault<NameHasher>>;

/// Things by what is made of names. Whoever goes through one must not depend on the order.
#[expect(clippy::disallowed_types, reason = "its hash has no random seed")]
pub(super) type Table<K, V> = HashMap<K, V, BuildHasherDefault<NameHasher>>;

/// Mixes eight bytes at a time by multiplication.
#[derive(Clone, Copy, Debug, Default)]
pub struct NameHasher(u64);

/// An odd number without a pattern: the fraction of the golden ratio.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl NameHasher {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(FACTOR);
        // Both halves: the low one depends on low bits only, the high one mostly on high bits.
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in words.by_ref() {
            self.mix(word.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
        let rest = words.remainder().iter().rev().fold(1, |word, byte| word << 8 | u64::from(*byte));
        self.mix(rest);
    }

    fn write_u8(&mut self, byte: u8) {
        self.0 = self.0.wrapping_add(u64::from(byte));
    }

    fn finish(&self) -> u64 {
        self.0.wrapping_mul(FACTOR).rotate_left(20)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn names_that_differ_little_get_hashes_that_differ_much() {
        let names =
            (0..10_000).flat_map(|n| [format!("kind_{n}"), format!("{n}"), format!("{n}:a_long_name")]);
        let hashes: BTreeSet<_> =
            names.map(|name| BuildHasherDefault::<NameHasher>::default().hash_one(&*name)).collect();
        assert_eq!(hashes.len(), 30_000);
        // What a table looks at: the lowest bits for the place, the highest seven to compare.
        for (what, part) in [("lowest", |hash: u64| hash & 0xff), ("highest", |hash| hash >> 57)]
            as [(&str, fn(u64) -> u64); 2]
        {
            let mut counts = [0_u32; 256];
            hashes.iter().for_each(|hash| counts[part(*hash) as usize] += 1);
            let most = counts.iter().max().unwrap();
            let even = 30_000 / if what == "lowest" { 256 } else { 128 };
            assert!(*most < even * 2, "{what}: {most}");
        }
    }

    #[test]
    fn text_cut_at_another_place_is_another_name() {
        let hash = |text: &str| BuildHasherDefault::<NameHasher>::default().hash_one(text);
        let texts = ["", "\0", "\0\0", "a", "a\0", "abcdefgh", "abcdefgh\0", "\0abcdefgh"];
        let hashes: BTreeSet<_> = texts.iter().map(|text| hash(text)).collect();
        assert_eq!(hashes.len(), texts.len());
    }
}
