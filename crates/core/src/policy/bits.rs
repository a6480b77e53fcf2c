//! Sets of numbers: the rules or the derived roles of a policy, by index.

const WORD: usize = u64::BITS as usize;

/// A set of small numbers as bits, made once: it takes a bit for each number between its least and its greatest one.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bits {
    first: u64,
    /// What is beyond one word at the beginning: few policies have more than 64 rules.
    more: Option<Box<More>>,
}

/// Where the bits of a large set are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct More {
    /// How many words before the first one are left out, as no bit in them is set.
    skipped: usize,
    others: Box<[u64]>,
}

/// A set of the numbers below a limit, to gather others in. Up to 64 numbers take no memory of their own.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Mask {
    first: u64,
    others: Vec<u64>,
}

impl Bits {
    /// The set of `numbers`, which ascend.
    pub(crate) fn of(numbers: impl IntoIterator<Item = usize>) -> Self {
        let mut words: Vec<u64> = Vec::new();
        let mut skipped = None;
        for number in numbers {
            let place = number / WORD - *skipped.get_or_insert(number / WORD);
            if words.len() <= place {
                words.resize(place + 1, 0);
            }
            if let Some(word) = words.get_mut(place) {
                *word |= 1 << (number % WORD);
            }
        }
        let (first, skipped) = (words.first().copied().unwrap_or_default(), skipped.unwrap_or_default());
        let others: Box<[u64]> = words.into_iter().skip(1).collect();
        let is_small = skipped == 0 && others.is_empty();
        Self { first, more: (!is_small).then(|| Box::new(More { skipped, others })) }
    }

    /// Whether there is no number in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.first == 0
    }
}

impl Mask {
    /// An empty set of numbers below `limit`.
    pub(crate) fn below(limit: usize) -> Self {
        Self { first: 0, others: vec![0; limit.div_ceil(WORD).saturating_sub(1)] }
    }

    /// Adds all numbers of `bits`; what has no room is left out.
    pub(crate) fn add(&mut self, bits: &Bits) {
        let Some(more) = &bits.more else {
            self.first |= bits.first;
            return;
        };
        let Some(before) = more.skipped.checked_sub(1) else {
            self.first |= bits.first;
            self.others.iter_mut().zip(&more.others).for_each(|(word, more)| *word |= more);
            return;
        };
        let more = std::iter::once(&bits.first).chain(&more.others);
        self.others.iter_mut().skip(before).zip(more).for_each(|(word, more)| *word |= more);
    }

    /// Adds all numbers of `other`; what has no room is left out.
    pub(crate) fn add_all(&mut self, other: &Self) {
        self.first |= other.first;
        self.others.iter_mut().zip(&other.others).for_each(|(word, more)| *word |= more);
    }

    /// Whether `number` is in the set.
    pub(crate) fn contains(&self, number: usize) -> bool {
        let word = match (number / WORD).checked_sub(1) {
            None => self.first,
            Some(place) => self.others.get(place).copied().unwrap_or_default(),
        };
        word >> (number % WORD) & 1 == 1
    }

    /// Whether no number is in the set.
    pub(crate) fn is_empty(&self) -> bool {
        self.first == 0 && self.others.iter().all(|word| *word == 0)
    }

    /// Leaves only the numbers that are in `other`, too.
    pub(crate) fn keep(&mut self, other: &Self) {
        self.first &= other.first;
        self.others.truncate(other.others.len());
        self.others.iter_mut().zip(&other.others).for_each(|(word, kept)| *word &= kept);
    }

    /// The numbers that are in both, ascending.
    pub(crate) fn common<'b>(&'b self, other: &'b Self) -> impl Iterator<Item = usize> + 'b {
        let mut others = self.others.iter().zip(&other.others);
        let (mut word, mut first) = (self.first & other.first, 0);
        std::iter::from_fn(move || {
            while word == 0 {
                let (a, b) = others.next()?;
                (word, first) = (a & b, first + WORD);
            }
            let lowest = first + word.trailing_zeros() as usize;
            word &= word - 1;
            Some(lowest)
        })
    }

    /// Whether any number is in both.
    pub(crate) fn meets(&self, other: &Self) -> bool {
        self.common(other).next().is_some()
    }

    /// How many words it takes: what an operation on it costs.
    pub(crate) fn words(&self) -> usize {
        1 + self.others.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn mask(numbers: &BTreeSet<usize>) -> Mask {
        let mut all = Mask::below(300);
        all.add(&Bits::of(numbers.iter().copied()));
        all
    }

    proptest! {
        #[test]
        fn sets_are_what_sets_of_numbers_are(
            one in prop::collection::btree_set(0_usize..300, 0..20),
            other in prop::collection::btree_set(0_usize..300, 0..20),
            number in 0_usize..400,
        ) {
            let common: Vec<_> = one.intersection(&other).copied().collect();
            let (a, b) = (mask(&one), mask(&other));
            prop_assert_eq!(a.common(&b).collect::<Vec<_>>(), common.clone());
            prop_assert_eq!(a.meets(&b), !common.is_empty());
            prop_assert_eq!(a.contains(number), one.contains(&number));
            prop_assert_eq!(a.is_empty(), one.is_empty());
            let mut kept = a.clone();
            kept.keep(&b);
            prop_assert_eq!(&kept, &mask(&common.into_iter().collect()));
            prop_assert_eq!(Bits::of(one.iter().copied()).is_empty(), one.is_empty());
            let mut both = a;
            both.add_all(&b);
            prop_assert_eq!(both, mask(&one.union(&other).copied().collect()));
        }
    }

    #[test]
    fn what_has_no_room_is_left_out() {
        let mut few = Mask::below(3);
        few.add(&Bits::of([1, 64]));
        assert_eq!((few.contains(1), few.contains(64), few.words()), (true, false, 1));
        assert!(Mask::below(0).is_empty());
    }
}
