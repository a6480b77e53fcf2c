//! A list that is short in practice.

use std::array;
use std::borrow::Cow;
use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};

/// Entries that a list has room for once it outgrows itself.
const FIRST_HEAP: usize = 16;

/// Names of roles or actions.
pub type Names<'a> = Few<Cow<'a, str>, 4>;

/// A list whose first `N` entries lie within it, so that an ordinary call takes no memory for them; a longer one lies on
/// the heap. It is a slice to whoever reads it.
///
/// Our own, since `smallvec` does not let `Few<Cow<'long, str>, N>` serve as `Few<Cow<'short, str>, N>`.
#[derive(Clone)]
pub struct Few<T, const N: usize>(Entries<T, N>);

#[derive(Clone)]
enum Entries<T, const N: usize> {
    /// The first `usize` entries count, the others are free.
    Within([T; N], usize),
    Heap(Vec<T>),
}

impl<T: Default, const N: usize> Few<T, N> {
    /// A list of `count` entries, each as it is by default.
    #[must_use]
    pub fn of_defaults(count: usize) -> Self {
        if count > N {
            return Self(Entries::Heap((0..count).map(|_| T::default()).collect()));
        }
        Self(Entries::Within(array::from_fn(|_| T::default()), count))
    }

    /// Puts `entry` at the end.
    pub fn push(&mut self, entry: T) {
        match &mut self.0 {
            Entries::Heap(list) => list.push(entry),
            Entries::Within(entries, used) => match entries.get_mut(*used) {
                Some(free) => {
                    *free = entry;
                    *used += 1;
                }
                None => {
                    let mut list = Vec::with_capacity(FIRST_HEAP);
                    list.extend(entries.iter_mut().map(mem::take));
                    list.push(entry);
                    self.0 = Entries::Heap(list);
                }
            },
        }
    }
}

impl<T: Default, const N: usize> Default for Few<T, N> {
    fn default() -> Self {
        Self::of_defaults(0)
    }
}

impl<T, const N: usize> Deref for Few<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Entries::Within(entries, used) => entries.get(..*used).unwrap_or(entries),
            Entries::Heap(list) => list,
        }
    }
}

impl<T, const N: usize> DerefMut for Few<T, N> {
    fn deref_mut(&mut self) -> &mut [T] {
        match &mut self.0 {
            Entries::Within(entries, used) => entries.get_mut(..*used).unwrap_or_default(),
            Entries::Heap(list) => list,
        }
    }
}

impl<T: Default, const N: usize> FromIterator<T> for Few<T, N> {
    fn from_iter<I: IntoIterator<Item = T>>(entries: I) -> Self {
        let mut few = Self::default();
        entries.into_iter().for_each(|entry| few.push(entry));
        few
    }
}

impl<T: Default, const N: usize, const M: usize> From<[T; M]> for Few<T, N> {
    fn from(entries: [T; M]) -> Self {
        entries.into_iter().collect()
    }
}

impl<'f, T, const N: usize> IntoIterator for &'f Few<T, N> {
    type Item = &'f T;
    type IntoIter = std::slice::Iter<'f, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: PartialEq, const N: usize> PartialEq for Few<T, N> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: fmt::Debug, const N: usize> fmt::Debug for Few<T, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_of_any_length_holds_what_was_put_into_it() {
        for length in 0..=FIRST_HEAP + 2 {
            let few: Few<String, 3> = (0..length).map(|n| n.to_string()).collect();
            let expected: Vec<_> = (0..length).map(|n| n.to_string()).collect();
            assert_eq!(*few, *expected);
            assert_eq!(few.clone(), few);
            assert_eq!(format!("{few:?}"), format!("{expected:?}"));
            let mut defaults = Few::<String, 3>::of_defaults(length);
            assert!(defaults.len() == length && defaults.iter().all(String::is_empty));
            defaults.iter_mut().zip(expected).for_each(|(entry, text)| *entry = text);
            assert_eq!(defaults, few);
        }
    }

    #[test]
    fn lists_differ_by_what_they_hold_only() {
        let grown: Few<u8, 2> = Few::from([1, 2, 3]);
        assert_ne!(grown, Few::from([1, 2]));
        assert_ne!(Few::<u8, 2>::from([1]), Few::from([1, 0]));
    }
}
