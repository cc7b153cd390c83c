//! Names to entries: an open-addressing table that readers probe while the writer inserts.

use super::chunks::Chunks;
use super::name::Name;
use super::postings::{Pool, PoolFull, Postings, RunPlace};
use crate::vocabulary::sync::{AtomicU32, AtomicU64, AtomicUsize, OnceLock, Ordering};

/// Slots of the first table, as a power of two. Few in models, so that they come to the next.
const FIRST_BITS: usize = if cfg!(loom) { 1 } else { 6 };
/// Tables, each twice as big as the one before.
const TABLES: usize = 27;

/// Bytes of a name that lie in its label: as many as a UUID has, and as fit into a cache line.
const INLINE: usize = 38;

/// Names, each with a number of its own and a list of postings. Names are never removed.
///
/// Who looks a name up brings its hash, which mostly was reckoned before. The hashes of one dictionary have one seed.
#[derive(Debug)]
pub(super) struct Dictionary {
    labels: Chunks<Label>,
    /// By number, as the labels: once a name is in the writer's memory its label is not looked at any more.
    entries: Chunks<Entry>,
    count: AtomicU32,
    /// A full table is followed by one twice as big, filled before it is put in use. Readers of the old one miss only names that
    /// came after their snapshot. All tables together are at most twice the last.
    tables: [OnceLock<Box<[AtomicU32]>>; TABLES],
    current: AtomicUsize,
}

/// A name, in one cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(super) struct Label {
    key: OnceLock<Name<INLINE>>,
    /// Distinguishes equal keys of different owners: the number of a stream's category.
    owner: AtomicU32,
    hash: AtomicU64,
}

impl Label {
    /// The name.
    pub(super) fn key(&self) -> &[u8] {
        self.key.get().map(Name::bytes).unwrap_or_default()
    }

    /// The hash given when the name was added.
    pub(super) fn hash(&self) -> u64 {
        self.hash.load(Ordering::Relaxed)
    }

    /// The owner given when the name was added.
    pub(super) fn owner(&self) -> u32 {
        self.owner.load(Ordering::Relaxed)
    }
}

/// Where a name occurs, in half a cache line.
#[derive(Debug, Default)]
#[repr(align(32))]
pub(super) struct Entry {
    /// Free for who uses the dictionary: the position of a stream's first event in the segment.
    first: AtomicU64,
    postings: Postings,
}

impl Entry {
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

    #[inline]
    pub(super) fn foresee(&self, pool: &Pool) {
        self.postings.foresee(pool);
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
    /// With a table for so many names from the start.
    pub(super) fn with_room(names: u32) -> Self {
        let fitting = (0..TABLES).find(|table| has_room(*table, names));
        Self {
            labels: Chunks::default(),
            entries: Chunks::default(),
            count: AtomicU32::new(0),
            tables: std::array::from_fn(|_| OnceLock::new()),
            current: AtomicUsize::new(fitting.unwrap_or(0)),
        }
    }

    /// How many names there are.
    pub(super) fn len(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }

    /// Where the name with this number occurs.
    pub(super) fn entry(&self, number: u32) -> Option<&Entry> {
        self.entries.get(number)
    }

    /// The name with this number.
    pub(super) fn label(&self, number: u32) -> Option<&Label> {
        self.labels.get(number)
    }

    /// The number of a name. Never inserts, and leaves nothing behind.
    pub(super) fn find(&self, owner: u32, key: &[u8], hash: u64) -> Option<u32> {
        let table = self.tables.get(self.current.load(Ordering::Acquire))?.get()?;
        for slot in probes(table.len(), hash) {
            let number = table.get(slot)?.load(Ordering::Acquire).checked_sub(1)?;
            let label = self.labels.get(number)?;
            if label.hash.load(Ordering::Relaxed) == hash && label.owner() == owner && label.key() == key {
                return Some(number);
            }
        }
        None
    }

    /// Adds a name that is not there, and says its number. For the writer alone.
    pub(super) fn add(&self, owner: u32, key: &[u8], hash: u64, first: u64) -> Result<u32, PoolFull> {
        let number = self.count.load(Ordering::Relaxed);
        let label = self.labels.make(number).ok_or(PoolFull)?;
        let entry = self.entries.make(number).ok_or(PoolFull)?;
        // A name that was begun and not finished, because there was no room, left its label unused: nobody can see it.
        let _ = label.key.set(Name::new(key));
        label.owner.store(owner, Ordering::Relaxed);
        label.hash.store(hash, Ordering::Relaxed);
        entry.first.store(first, Ordering::Relaxed);
        let table = self.table_for(number + 1)?;
        place(table, hash, number);
        self.count.store(number + 1, Ordering::Release);
        Ok(number)
    }

    /// A table with room for `count` names at three quarters full.
    fn table_for(&self, count: u32) -> Result<&[AtomicU32], PoolFull> {
        let mut current = self.current.load(Ordering::Relaxed);
        if !has_room(current, count) {
            current += 1;
            let bigger = self.tables.get(current).ok_or(PoolFull)?.get_or_init(|| new_table(current));
            for number in 0..count - 1 {
                if let Some(label) = self.labels.get(number) {
                    place(bigger, label.hash.load(Ordering::Relaxed), number);
                }
            }
            self.current.store(current, Ordering::Release);
        }
        Ok(self.tables.get(current).ok_or(PoolFull)?.get_or_init(|| new_table(current)))
    }

    /// Bytes that the dictionary takes, long names apart.
    pub(super) fn bytes(&self) -> u64 {
        let tables: u64 = self.tables.iter().filter_map(OnceLock::get).map(|table| table.len() as u64 * 4).sum();
        self.labels.bytes() + self.entries.bytes() + tables
    }
}

/// Whether a table is at most three quarters full with so many names.
fn has_room(table: usize, names: u32) -> bool {
    u64::from(names) * 4 <= slots(table) as u64 * 3
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
    use xxhash_rust::xxh3::xxh3_64;

    fn find(dictionary: &Dictionary, owner: u32, key: &[u8]) -> Option<u32> {
        dictionary.find(owner, key, xxh3_64(key))
    }

    fn add(dictionary: &Dictionary, owner: u32, key: &[u8], first: u64) -> u32 {
        dictionary.add(owner, key, xxh3_64(key), first).unwrap()
    }

    #[test]
    fn names_are_found_by_owner_and_key_through_all_growth() {
        for room in [0, 48, 10_000] {
            let dictionary = Dictionary::with_room(room);
            assert!(find(&dictionary, 0, b"").is_none());
            for number in 0..10_000_u32 {
                let key = number.to_string();
                assert!(find(&dictionary, number % 3, key.as_bytes()).is_none());
                assert_eq!(add(&dictionary, number % 3, key.as_bytes(), u64::from(number)), number);
            }
            for number in 0..10_000_u32 {
                let key = number.to_string();
                assert_eq!(find(&dictionary, number % 3, key.as_bytes()), Some(number));
                assert_eq!(dictionary.entry(number).unwrap().first(), u64::from(number));
                assert!(find(&dictionary, number % 3 + 1, key.as_bytes()).is_none());
                assert!(dictionary.find(number % 3, b"other", xxh3_64(key.as_bytes())).is_none());
            }
            assert_eq!(dictionary.len(), 10_000);
        }
    }

    #[test]
    fn a_label_fills_a_cache_line_and_an_entry_half_of_one() {
        assert_eq!((size_of::<Label>(), size_of::<Entry>()), (64, 32));
    }

    #[test]
    fn readers_find_what_is_there_while_the_writer_adds() {
        let dictionary = Dictionary::with_room(0);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while dictionary.len() < 50_000 {
                        let known = dictionary.len();
                        for number in (0..known).rev().take(100) {
                            assert!(find(&dictionary, 0, &number.to_le_bytes()).is_some(), "{number} of {known}");
                        }
                    }
                });
            }
            for number in 0..50_000_u32 {
                add(&dictionary, 0, &number.to_le_bytes(), 0);
            }
        });
    }
}
