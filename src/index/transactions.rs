//! Transaction ids to the frames that have them.

use super::chunks::Chunks;
use crate::vocabulary::sync::{AtomicU32, AtomicU64, AtomicUsize, OnceLock, Ordering};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Slots of the first table, as a power of two. Few in models, so that they come to the next.
const FIRST_BITS: usize = if cfg!(loom) { 1 } else { 6 };
const TABLES: usize = 27;

/// For every transaction id, its fingerprint and its frame's address. The frame itself tells whether it is the one.
///
/// Grows as the dictionary does.
#[derive(Debug)]
pub(super) struct TransactionIds {
    /// Fingerprint in the high half, the frame's address (offset in units of eight bytes) in the low one.
    entries: Chunks<AtomicU64>,
    count: AtomicU32,
    tables: [OnceLock<Box<[AtomicU64]>>; TABLES],
    current: AtomicUsize,
    seed: u64,
}

impl TransactionIds {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            entries: Chunks::default(),
            count: AtomicU32::new(0),
            tables: std::array::from_fn(|_| OnceLock::new()),
            current: AtomicUsize::new(0),
            seed,
        }
    }

    fn hash(&self, id: &str) -> u64 {
        xxh3_64_with_seed(id.as_bytes(), self.seed)
    }

    /// The addresses of all frames whose id may be this one; nearly always none or one.
    pub(super) fn candidates(&self, id: &str) -> impl Iterator<Item = u32> {
        let table = self.tables.get(self.current.load(Ordering::Acquire)).and_then(OnceLock::get);
        let hash = self.hash(id);
        let slots = table.map_or(0, |table| table.len());
        (0..slots)
            .map_while(move |step| {
                let table = table?;
                let packed = table.get(home(hash, slots).wrapping_add(step) & (slots - 1))?.load(Ordering::Acquire);
                (packed != 0).then_some(packed)
            })
            .filter(move |packed| packed >> 32 == fingerprint(hash))
            .map(|packed| u32::try_from(packed & 0xffff_ffff).unwrap_or_default())
    }

    /// Adds the id of the frame at `address`. For the writer alone.
    pub(super) fn add(&self, id: &str, address: u32) -> Option<()> {
        let number = self.count.load(Ordering::Relaxed);
        let hash = self.hash(id);
        let mut current = self.current.load(Ordering::Relaxed);
        if (u64::from(number) + 1) * 4 > (1_u64 << (FIRST_BITS + current)) * 3 {
            current += 1;
            let bigger = self.tables.get(current)?.get_or_init(|| new_table(current));
            // The whole hash is not kept; the entries are, in order, with enough of it to find their new place.
            for index in 0..number {
                let low = self.entries.get(index * 2)?.load(Ordering::Relaxed);
                let packed = self.entries.get(index * 2 + 1)?.load(Ordering::Relaxed);
                place(bigger, low, packed);
            }
            self.current.store(current, Ordering::Release);
        }
        let packed = (fingerprint(hash) << 32) | u64::from(address);
        self.entries.make(number * 2)?.store(hash, Ordering::Relaxed);
        self.entries.make(number * 2 + 1)?.store(packed, Ordering::Relaxed);
        place(self.tables.get(current)?.get_or_init(|| new_table(current)), hash, packed);
        self.count.store(number + 1, Ordering::Release);
        Some(())
    }

    /// Bytes that the table takes.
    pub(super) fn bytes(&self) -> u64 {
        let tables: u64 = self.tables.iter().filter_map(OnceLock::get).map(|table| table.len() as u64 * 8).sum();
        tables + self.entries.bytes()
    }
}

/// The upper half of the hash, never all zeros together with an address of zero: frames begin behind the segment's header.
const fn fingerprint(hash: u64) -> u64 {
    hash >> 32
}

fn home(hash: u64, slots: usize) -> usize {
    usize::try_from(hash & 0xffff_ffff).unwrap_or_default() & slots.saturating_sub(1)
}

fn new_table(table: usize) -> Box<[AtomicU64]> {
    (0..1_usize << (FIRST_BITS + table)).map(|_| AtomicU64::new(0)).collect()
}

fn place(table: &[AtomicU64], hash: u64, packed: u64) {
    let slots = table.len();
    for step in 0..slots {
        if let Some(slot) = table.get((home(hash, slots) + step) & (slots - 1))
            && slot.load(Ordering::Relaxed) == 0
        {
            slot.store(packed, Ordering::Release);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_leads_to_its_frame_and_unknown_ones_to_none() {
        let ids = TransactionIds::new(9);
        for number in 0..5_000_u32 {
            ids.add(&number.to_string(), 512 + number).unwrap();
        }
        for number in 0..5_000_u32 {
            assert!(ids.candidates(&number.to_string()).any(|address| address == 512 + number));
        }
        assert!((5_000..6_000_u32).all(|number| ids.candidates(&number.to_string()).count() == 0));
    }
}
