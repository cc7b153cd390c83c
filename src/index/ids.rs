//! Hashes of ids to what has them: of transactions their frames, of events their ordinals.

use super::chunks::Chunks;
use crate::vocabulary::sync::{AtomicU32, AtomicU64, AtomicUsize, OnceLock, Ordering};

/// Slots of the first table, as a power of two. Few in models, so that they come to the next.
const FIRST_BITS: usize = if cfg!(loom) { 1 } else { 6 };
const TABLES: usize = 27;

/// For every id, its fingerprint and a number: that of where it is. What is there tells whether it is the one.
///
/// Grows as the dictionary does.
#[derive(Debug)]
pub(super) struct IdTable {
    /// Fingerprint in the high half, the number in the low one.
    entries: Chunks<AtomicU64>,
    count: AtomicU32,
    tables: [OnceLock<Box<[AtomicU64]>>; TABLES],
    current: AtomicUsize,
}

impl Default for IdTable {
    fn default() -> Self {
        Self {
            entries: Chunks::default(),
            count: AtomicU32::new(0),
            tables: std::array::from_fn(|_| OnceLock::new()),
            current: AtomicUsize::new(0),
        }
    }
}

impl IdTable {
    /// The numbers of all ids that may have this hash; nearly always none or one.
    pub(super) fn candidates(&self, hash: u64) -> impl Iterator<Item = u32> {
        let table = self.tables.get(self.current.load(Ordering::Acquire)).and_then(OnceLock::get);
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

    /// Adds an id by its hash. The number is not 0. For the writer alone.
    pub(super) fn add(&self, hash: u64, where_it_is: u32) -> Option<()> {
        let number = self.count.load(Ordering::Relaxed);
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
        let packed = (fingerprint(hash) << 32) | u64::from(where_it_is);
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

/// The upper half of the hash. It may be all zeros, but not together with the number.
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
    use xxhash_rust::xxh3::xxh3_64;

    #[test]
    fn every_id_leads_to_its_frame_and_unknown_ones_to_none() {
        let (ids, hash) = (IdTable::default(), |number: u32| xxh3_64(&number.to_le_bytes()));
        for number in 0..5_000_u32 {
            ids.add(hash(number), 512 + number).unwrap();
        }
        for number in 0..5_000_u32 {
            assert!(ids.candidates(hash(number)).any(|address| address == 512 + number));
        }
        assert!((5_000..6_000_u32).all(|number| ids.candidates(hash(number)).count() == 0));
    }
}
