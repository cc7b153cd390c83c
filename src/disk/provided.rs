//! Which parts of a mapped file the system was seen to provide: touching any other may end the process by a signal.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes that are asked for at once: what most systems map around a fault anyway.
pub(super) const CHUNK_BYTES: u64 = 64 << 10;

/// A bit for each chunk. Only hints to not ask again, so no ordering is needed.
#[derive(Debug)]
pub(super) struct Provided(Box<[AtomicU64]>);

impl Provided {
    /// Nothing of a file of `length` bytes was provided yet.
    pub(super) fn nothing(length: u64) -> Self {
        Self::filled(length, 0)
    }

    /// All of it lies in memory.
    #[cfg(feature = "testing")]
    pub(super) fn everything(length: u64) -> Self {
        Self::filled(length, u64::MAX)
    }

    fn filled(length: u64, word: u64) -> Self {
        Self((0..length.div_ceil(CHUNK_BYTES).div_ceil(64)).map(|_| AtomicU64::new(word)).collect())
    }

    /// Whether a chunk was provided.
    #[inline]
    pub(super) fn has(&self, chunk: u64) -> bool {
        let word = usize::try_from(chunk / 64).ok().and_then(|word| self.0.get(word));
        word.is_some_and(|word| word.load(Ordering::Relaxed) >> (chunk % 64) & 1 != 0)
    }

    /// The first chunk of these that was not provided.
    #[inline]
    pub(super) fn first_missing(&self, chunks: Range<u64>) -> Option<u64> {
        chunks.into_iter().find(|chunk| !self.has(*chunk))
    }

    /// Notes that these were provided.
    pub(super) fn add(&self, chunks: Range<u64>) {
        for chunk in chunks {
            if let Some(word) = usize::try_from(chunk / 64).ok().and_then(|word| self.0.get(word)) {
                word.fetch_or(1 << (chunk % 64), Ordering::Relaxed);
            }
        }
    }
}

/// The chunks that bytes lie in.
#[inline]
pub(super) fn chunks(range: &Range<u64>) -> Range<u64> {
    range.start / CHUNK_BYTES..range.end.div_ceil(CHUNK_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_told_apart() {
        let provided = Provided::nothing(130 * CHUNK_BYTES);
        assert!((0..200).all(|chunk| !provided.has(chunk)));
        provided.add(63..65);
        provided.add(129..130);
        let found: Vec<u64> = (0..1_000).filter(|chunk| provided.has(*chunk)).collect();
        assert_eq!(found, [63, 64, 129]);
        assert_eq!(provided.first_missing(63..66), Some(65));
        assert_eq!(provided.first_missing(63..65), None);
        assert_eq!(chunks(&(CHUNK_BYTES - 1..CHUNK_BYTES + 1)), 0..2);
        assert_eq!(chunks(&(CHUNK_BYTES..2 * CHUNK_BYTES)), 1..2);
        assert!(chunks(&(7..7)).start >= chunks(&(0..0)).end);
    }
}
