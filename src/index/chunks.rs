//! A list that grows without moving: chunks, each twice as big as the one before.

use crate::vocabulary::sync::OnceLock;

/// Entries of the first chunk, as a power of two. Few in models, so that they come to the next.
const FIRST_BITS: u32 = if cfg!(loom) { 1 } else { 6 };
/// Enough chunks for 2^32 entries.
const CHUNKS: usize = 27;

/// A list of default values that can be appended to while others read it. An entry, once there, stays where it is.
///
/// `T` is made of atomics: readers and the writer share entries.
#[derive(Debug)]
pub(super) struct Chunks<T> {
    chunks: [OnceLock<Box<[T]>>; CHUNKS],
}

/// In which chunk entry `index` lies, and where in it.
#[expect(
    clippy::cast_possible_truncation,
    reason = "both are below 2^33, and machines have 64 bits or chunks run out first"
)]
const fn locate(index: u32) -> (usize, usize) {
    let shifted = index as u64 + (1 << FIRST_BITS);
    let bits = 63 - shifted.leading_zeros();
    ((bits - FIRST_BITS) as usize, (shifted - (1 << bits)) as usize)
}

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self { chunks: std::array::from_fn(|_| OnceLock::new()) }
    }
}

impl<T: Default> Chunks<T> {
    /// Entry `index`, if its chunk is there.
    pub(super) fn get(&self, index: u32) -> Option<&T> {
        let (chunk, at) = locate(index);
        self.chunks.get(chunk)?.get()?.get(at)
    }

    /// The entries from `index` on that lie in the same chunk, if it is there.
    pub(super) fn rest(&self, index: u32) -> Option<&[T]> {
        let (chunk, at) = locate(index);
        self.chunks.get(chunk)?.get()?.get(at..)
    }

    /// Entry `index`, whose chunk is made if it is not there. For the writer.
    pub(super) fn make(&self, index: u32) -> Option<&T> {
        let (chunk, at) = locate(index);
        let make = || (0..1_usize << (chunk + FIRST_BITS as usize)).map(|_| T::default()).collect();
        self.chunks.get(chunk)?.get_or_init(make).get(at)
    }

    /// Where a run of `length` entries from `index` on fits into one chunk: there, or where the next big enough one begins. Makes
    /// the chunk. For the writer.
    pub(super) fn make_run(&self, index: u32, length: u32) -> Option<u32> {
        let (mut chunk, at) = locate(index);
        let mut start = index;
        let mut room = (1_u64 << (chunk + FIRST_BITS as usize)) - at as u64;
        while room < u64::from(length) {
            start = u32::try_from(u64::from(start) + room).ok()?;
            chunk += 1;
            room = 1_u64 << (chunk + FIRST_BITS as usize);
        }
        self.make(start)?;
        Some(start)
    }

    /// Bytes that the chunks take.
    pub(super) fn bytes(&self) -> u64 {
        self.chunks.iter().filter_map(OnceLock::get).map(|chunk| size_of_val::<[T]>(chunk) as u64).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn entries_lie_one_behind_the_other_in_doubling_chunks() {
        assert_eq!((locate(0), locate(63), locate(64)), ((0, 0), (0, 63), (1, 0)));
        assert_eq!((locate(191), locate(192)), ((1, 127), (2, 0)));
        assert_eq!(locate(u32::MAX).0, CHUNKS - 1);
        let list: Chunks<AtomicU32> = Chunks::default();
        assert!(list.get(0).is_none());
        for index in 0..1_000 {
            list.make(index).unwrap().store(index, Ordering::Relaxed);
        }
        assert!((0..1_000).all(|index| list.get(index).unwrap().load(Ordering::Relaxed) == index));
    }

    #[test]
    fn a_run_never_straddles_two_chunks() {
        let list: Chunks<AtomicU32> = Chunks::default();
        assert_eq!(list.make_run(60, 4), Some(60));
        assert_eq!(list.make_run(61, 4), Some(64));
        assert_eq!(list.make_run(0, 500), Some(448), "the first chunk with room for 500 has 512");
        assert_eq!(list.make_run(448, 500), Some(448));
    }
}
