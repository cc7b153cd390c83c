//! Names and what is known of each: a cache with a bound.

use super::name::Name;
use hashbrown::HashTable;

/// Parts of a table at most, as a power of two: one grows at a time, so that no append waits for all of it to be moved.
const SHARD_BITS: u32 = 8;
/// Records of a part at least, as a power of two.
const RECORD_BITS: u32 = 9;
/// Bytes of a name that lie in its record.
const INLINE: usize = 30;

/// Records by owner and name, at most about as many as the bound says: those that were not asked for lately are forgotten.
///
/// Two generations stand for "lately": a record that is asked for moves to the young one; once that is full the old one is
/// forgotten, and the young one is the old one.
#[derive(Debug)]
pub(super) struct Known<V> {
    shards: Box<[Shard<V>]>,
    shard_bits: u32,
    /// Records of a generation of a shard.
    most: usize,
    /// Whether nothing was ever forgotten.
    complete: bool,
    /// Bytes of memory that the records take.
    bytes: usize,
}

#[derive(Debug)]
struct Shard<V> {
    young: Generation<V>,
    old: Generation<V>,
}

/// Records, and how many bytes their names take that do not lie in them.
#[derive(Debug)]
struct Generation<V> {
    records: HashTable<Record<V>>,
    names: usize,
}

impl<V> Default for Generation<V> {
    fn default() -> Self {
        Self { records: HashTable::new(), names: 0 }
    }
}

impl<V> Generation<V> {
    fn insert(&mut self, record: Record<V>) {
        self.names += record.key.heap_bytes();
        self.records.insert_unique(record.hash, record, |record| record.hash);
    }

    fn take(&mut self, hash: u64, owner: u32, key: &[u8]) -> Option<Record<V>> {
        let entry = self.records.find_entry(hash, |record| record.is(hash, owner, key)).ok()?;
        let (record, _) = entry.remove();
        self.names -= record.key.heap_bytes();
        Some(record)
    }

    fn bytes(&self) -> usize {
        self.records.allocation_size() + self.names
    }
}

/// Where a record was found. Others may move into its place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    shard: usize,
    bucket: usize,
}

impl Place {
    /// Bits for the record within its part, where a place is packed.
    const BUCKET_BITS: u32 = 32 - SHARD_BITS;

    /// The place in 32 bits, where that is enough.
    #[inline]
    pub(super) fn pack(self) -> Option<u32> {
        let bucket = u32::try_from(self.bucket).ok().filter(|bucket| bucket >> Self::BUCKET_BITS == 0)?;
        Some(u32::try_from(self.shard).ok()? << Self::BUCKET_BITS | bucket)
    }

    /// The place in that number.
    #[inline]
    pub(super) fn unpack(packed: u32) -> Self {
        let bucket = packed & ((1 << Self::BUCKET_BITS) - 1);
        Self { shard: (packed >> Self::BUCKET_BITS) as usize, bucket: bucket as usize }
    }
}

/// Lies in one cache line: looking a name up mostly waits for that.
#[derive(Debug)]
#[repr(align(64))]
struct Record<V> {
    hash: u64,
    owner: u32,
    key: Name<INLINE>,
    value: V,
}

impl<V> Record<V> {
    fn is(&self, hash: u64, owner: u32, key: &[u8]) -> bool {
        self.hash == hash && self.is_of(owner, key)
    }

    #[inline]
    fn is_of(&self, owner: u32, key: &[u8]) -> bool {
        self.owner == owner && self.key.bytes() == key
    }
}

impl<V> Known<V> {
    /// Knows nothing yet, and at most about `bound` names later. `complete` if there is nothing to know.
    pub(super) fn new(bound: usize, complete: bool) -> Self {
        let shard = || Shard { young: Generation::default(), old: Generation::default() };
        let shard_bits = bound.max(1).ilog2().saturating_sub(RECORD_BITS).min(SHARD_BITS);
        let shards: Box<[Shard<V>]> = (0..1 << shard_bits).map(|_| shard()).collect();
        let bytes = size_of_val(&*shards);
        Self { shards, shard_bits, most: (bound >> (shard_bits + 1)).max(1), complete, bytes }
    }

    /// Whether a name that is not known is not there at all.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// What is known of a name.
    pub(super) fn get(&mut self, hash: u64, owner: u32, key: &[u8]) -> Option<&mut V> {
        let place = self.find(hash, owner, key)?;
        self.value(place)
    }

    /// Where a name is, for [`Known::at`].
    pub(super) fn find(&mut self, hash: u64, owner: u32, key: &[u8]) -> Option<Place> {
        let number = shard_of(hash, self.shard_bits);
        let shard = self.shards.get_mut(number)?;
        let is_it = |record: &Record<V>| record.is(hash, owner, key);
        let mut bucket = shard.young.records.find_bucket_index(hash, is_it);
        if bucket.is_none() && !shard.old.records.is_empty() {
            let before = shard.young.bytes() + shard.old.bytes();
            let record = shard.old.take(hash, owner, key)?;
            // The generation that lost one record has room for it, if need be: nothing is forgotten by being asked for.
            shard.young.insert(record);
            self.bytes = self.bytes - before + shard.young.bytes() + shard.old.bytes();
            bucket = shard.young.records.find_bucket_index(hash, is_it);
        }
        bucket.map(|bucket| Place { shard: number, bucket })
    }

    /// What is known of a name that was found there; `None` if another one is there now.
    #[inline]
    pub(super) fn at(&mut self, place: Place, owner: u32, key: &[u8]) -> Option<&mut V> {
        self.record(place).filter(|record| record.is_of(owner, key)).map(|record| &mut record.value)
    }

    /// The hash of the name that was found there just now.
    pub(super) fn hash(&mut self, place: Place) -> Option<u64> {
        self.record(place).map(|record| record.hash)
    }

    /// What is known of the name that was found there just now.
    #[inline]
    pub(super) fn value(&mut self, place: Place) -> Option<&mut V> {
        self.record(place).map(|record| &mut record.value)
    }

    #[inline]
    fn record(&mut self, place: Place) -> Option<&mut Record<V>> {
        self.shards.get_mut(place.shard)?.young.records.get_bucket_mut(place.bucket)
    }

    /// Takes in a name that is not known.
    pub(super) fn add(&mut self, hash: u64, owner: u32, key: &[u8], value: V) {
        let most = self.most;
        let Some(shard) = self.shards.get_mut(shard_of(hash, self.shard_bits)) else { return };
        let before = shard.young.bytes() + shard.old.bytes();
        if shard.young.records.len() >= most {
            self.complete &= shard.old.records.is_empty();
            shard.old = std::mem::take(&mut shard.young);
        }
        shard.young.insert(Record { hash, owner, key: Name::new(key), value });
        self.bytes = self.bytes - before + shard.young.bytes() + shard.old.bytes();
    }

    /// How many names are known.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.young.records.len() + shard.old.records.len()).sum()
    }

    /// Bytes of memory that the records take.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes as u64
    }
}

/// The upper bits: the tables themselves take the lower ones, and a tag from the uppermost.
fn shard_of(hash: u64, shard_bits: u32) -> usize {
    usize::try_from((hash >> (56 - SHARD_BITS)) & ((1 << shard_bits) - 1)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xxhash_rust::xxh3::xxh3_64;

    fn hashed(number: u32) -> (u64, String) {
        let name = if number.is_multiple_of(3) { format!("{number:040}") } else { number.to_string() };
        (xxh3_64(name.as_bytes()), name)
    }

    #[test]
    fn names_are_known_by_owner_and_key() {
        let mut known = Known::new(1 << 20, true);
        for number in 0..10_000_u32 {
            let (hash, name) = hashed(number);
            assert!(known.get(hash, number % 2, name.as_bytes()).is_none());
            known.add(hash, number % 2, name.as_bytes(), number);
        }
        for number in 0..10_000_u32 {
            let (hash, name) = hashed(number);
            assert_eq!(known.get(hash, number % 2, name.as_bytes()), Some(&mut { number }));
            assert_eq!(known.get(hash, number % 2 + 1, name.as_bytes()), None);
            assert_eq!(known.get(hash, number % 2, b"other"), None, "same hash, another name");
        }
        assert!(known.is_complete() && known.len() == 10_000);
    }

    #[test]
    fn beyond_the_bound_what_was_not_asked_for_lately_is_forgotten() {
        let mut known = Known::new(4_096, true);
        for number in 0..100_000_u32 {
            let (hash, name) = hashed(number);
            known.add(hash, 0, name.as_bytes(), number);
            let (hash, name) = hashed(7);
            if number >= 7 {
                assert_eq!(known.get(hash, 0, name.as_bytes()), Some(&mut 7), "asked for all the time, at {number}");
            }
            assert!(known.len() <= 4_096 + 2 * (1 << SHARD_BITS), "{} are known", known.len());
        }
        assert!(!known.is_complete());
        let counted = |shard: &Shard<u32>| {
            let records = shard.young.records.iter().chain(&shard.old.records);
            let names: usize = records.map(|record| record.key.heap_bytes()).sum();
            names + shard.young.records.allocation_size() + shard.old.records.allocation_size() + size_of_val(shard)
        };
        let counted: usize = known.shards.iter().map(counted).sum();
        assert_eq!(known.bytes(), counted as u64, "the running figure is what a walk finds");
    }

    #[test]
    fn a_record_of_a_short_name_fills_a_cache_line() {
        assert_eq!(size_of::<Record<[u32; 5]>>(), 64);
    }
}
