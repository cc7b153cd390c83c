//! Names to entries: an open-addressing table that readers probe while the writer inserts.

use super::chunks::Chunks;
use super::postings::{Pool, PoolFull, Postings, RunPlace};
use crate::vocabulary::sync::{AtomicU32, AtomicU64, AtomicUsize, OnceLock, Ordering};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Slots of the first table, as a power of two. Few in models, so that they come to the next.
const FIRST_BITS: usize = if cfg!(loom) { 1 } else { 6 };
/// Tables, each twice as big as the one before.
const TABLES: usize = 27;

/// Names, each with a number of its own and a list of postings. Names are never removed.
#[derive(Debug)]
pub(super) struct Dictionary {
    entries: Chunks<Entry>,
    count: AtomicU32,
    /// A full table is followed by one twice as big, filled before it is put in use. Readers of the old one miss only names that
    /// came after their snapshot. All tables together are at most twice the last.
    tables: [OnceLock<Box<[AtomicU32]>>; TABLES],
    current: AtomicUsize,
    /// Random, so that nobody can choose names that collide.
    seed: u64,
}

/// A name and where it occurs, in one cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Entry {
    key: OnceLock<Box<[u8]>>,
    /// Distinguishes equal keys of different owners: the number of a stream's category.
    owner: AtomicU32,
    hash: AtomicU32,
    /// Free for who uses the dictionary: the position of a stream's first event in the segment.
    first: AtomicU64,
    postings: Postings,
}

impl Entry {
    /// The name.
    pub(super) fn key(&self) -> &[u8] {
        self.key.get().map(|key| &**key).unwrap_or_default()
    }

    /// The owner given when the name was added.
    pub(super) fn owner(&self) -> u32 {
        self.owner.load(Ordering::Relaxed)
    }

    /// The number given when the name was added.
    pub(super) fn first(&self) -> u64 {
        self.first.load(Ordering::Relaxed)
    }

    pub(super) fn len(&self) -> u32 {
        self.postings.len()
    }

    pub(super) fn push(&self, pool: &Pool, number: u32) -> Result<(), PoolFull> {
        self.postings.push(pool, number)
    }

    pub(super) fn get(&self, pool: &Pool, index: u32, place: &mut RunPlace) -> Option<u32> {
        self.postings.get(pool, index, place)
    }

    pub(super) fn read(&self, pool: &Pool, index: u32, place: &mut RunPlace, out: &mut [u32]) -> usize {
        self.postings.read(pool, index, place, out)
    }

    pub(super) fn count_below(&self, pool: &Pool, limit: u32) -> u32 {
        self.postings.count_below(pool, limit)
    }
}

impl Dictionary {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            entries: Chunks::default(),
            count: AtomicU32::new(0),
            tables: std::array::from_fn(|_| OnceLock::new()),
            current: AtomicUsize::new(0),
            seed,
        }
    }

    /// How many names there are.
    pub(super) fn len(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }

    /// The name with this number.
    pub(super) fn entry(&self, number: u32) -> Option<&Entry> {
        self.entries.get(number)
    }

    fn hash(&self, owner: u32, key: &[u8]) -> u64 {
        xxh3_64_with_seed(key, self.seed ^ u64::from(owner))
    }

    /// Looks a name up. Never inserts, and leaves nothing behind.
    pub(super) fn find(&self, owner: u32, key: &[u8]) -> Option<(u32, &Entry)> {
        let table = self.tables.get(self.current.load(Ordering::Acquire))?.get()?;
        let hash = self.hash(owner, key);
        let tag = tag(hash);
        for slot in probes(table.len(), hash) {
            let number = table.get(slot)?.load(Ordering::Acquire).checked_sub(1)?;
            let entry = self.entries.get(number)?;
            if entry.hash.load(Ordering::Relaxed) == tag && entry.owner() == owner && entry.key() == key {
                return Some((number, entry));
            }
        }
        None
    }

    /// Adds a name that is not there. For the writer alone.
    pub(super) fn add(&self, owner: u32, key: &[u8], first: u64) -> Result<(u32, &Entry), PoolFull> {
        let number = self.count.load(Ordering::Relaxed);
        let entry = self.entries.make(number).ok_or(PoolFull)?;
        let hash = self.hash(owner, key);
        // A name that was begun and not finished, because the pool was full, left its entry unused: nobody can see it.
        let _ = entry.key.set(key.into());
        entry.owner.store(owner, Ordering::Relaxed);
        entry.first.store(first, Ordering::Relaxed);
        entry.hash.store(tag(hash), Ordering::Relaxed);
        let table = self.table_for(number + 1)?;
        place(table, hash, number);
        self.count.store(number + 1, Ordering::Release);
        Ok((number, entry))
    }

    /// A table with room for `count` names at three quarters full.
    fn table_for(&self, count: u32) -> Result<&[AtomicU32], PoolFull> {
        let mut current = self.current.load(Ordering::Relaxed);
        if u64::from(count) * 4 > slots(current) as u64 * 3 {
            current += 1;
            let bigger = self.tables.get(current).ok_or(PoolFull)?.get_or_init(|| new_table(current));
            for number in 0..count - 1 {
                if let Some(entry) = self.entries.get(number) {
                    place(bigger, self.hash(entry.owner(), entry.key()), number);
                }
            }
            self.current.store(current, Ordering::Release);
        }
        Ok(self.tables.get(current).ok_or(PoolFull)?.get_or_init(|| new_table(current)))
    }

    /// Bytes that the dictionary takes, its names apart.
    pub(super) fn bytes(&self) -> u64 {
        let tables: u64 = self.tables.iter().filter_map(OnceLock::get).map(|table| table.len() as u64 * 4).sum();
        self.entries.bytes() + tables
    }
}

/// The high half of a hash: the low half chooses the slot.
fn tag(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or_default()
}

const fn slots(table: usize) -> usize {
    1 << (FIRST_BITS + table)
}

fn new_table(table: usize) -> Box<[AtomicU32]> {
    (0..slots(table)).map(|_| AtomicU32::new(0)).collect()
}

/// The slots to try, one after the other: all of them, in the end.
fn probes(slots: usize, hash: u64) -> impl Iterator<Item = usize> {
    let mask = slots - 1;
    let home = usize::try_from(hash & 0xffff_ffff).unwrap_or_default() & mask;
    (0..slots).map(move |step| (home + step) & mask)
}

fn place(table: &[AtomicU32], hash: u64, number: u32) {
    for slot in probes(table.len(), hash) {
        if let Some(slot) = table.get(slot)
            && slot.load(Ordering::Relaxed) == 0
        {
            slot.store(number + 1, Ordering::Release);
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_by_owner_and_key_through_all_growth() {
        let dictionary = Dictionary::new(42);
        assert!(dictionary.find(0, b"").is_none());
        for number in 0..10_000_u32 {
            let key = number.to_string();
            assert!(dictionary.find(number % 3, key.as_bytes()).is_none());
            assert_eq!(dictionary.add(number % 3, key.as_bytes(), u64::from(number)).unwrap().0, number);
        }
        for number in 0..10_000_u32 {
            let key = number.to_string();
            let (found, entry) = dictionary.find(number % 3, key.as_bytes()).unwrap();
            assert_eq!((found, entry.first()), (number, u64::from(number)));
            assert!(dictionary.find(number % 3 + 1, key.as_bytes()).is_none());
        }
        assert_eq!(dictionary.len(), 10_000);
    }

    #[test]
    fn readers_find_what_is_there_while_the_writer_adds() {
        let dictionary = Dictionary::new(1);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while dictionary.len() < 50_000 {
                        let known = dictionary.len();
                        for number in (0..known).rev().take(100) {
                            assert!(dictionary.find(0, &number.to_le_bytes()).is_some(), "{number} of {known}");
                        }
                    }
                });
            }
            for number in 0..50_000_u32 {
                dictionary.add(0, &number.to_le_bytes(), 0).unwrap();
            }
        });
    }
}
