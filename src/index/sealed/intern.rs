//! Names to numbers while an index is built: one thread, ordinary memory.

use super::builder::IndexTooLarge;

/// Slots of the first table.
const FIRST_SLOTS: usize = 64;

/// Names, numbered in the order in which they came.
#[derive(Debug)]
pub(super) struct Names {
    /// All names, one behind the other.
    text: Vec<u8>,
    entries: Vec<Entry>,
    /// Half full at most. Upper half of the hash, and the number plus one; 0 for a free slot.
    table: Box<[u64]>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u64,
    /// Tells equal names apart: the number of a stream's category.
    owner: u32,
    start: usize,
    length: usize,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { text: Vec::new(), entries: Vec::new(), table: vec![0; FIRST_SLOTS].into() }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The name with this number.
    pub(super) fn key(&self, number: u32) -> &[u8] {
        let entry = self.entries.get(number as usize);
        entry.and_then(|entry| self.text.get(entry.start..entry.start + entry.length)).unwrap_or_default()
    }

    pub(super) fn owner(&self, number: u32) -> u32 {
        self.entries.get(number as usize).map_or(0, |entry| entry.owner)
    }

    /// The hash given when the name was added.
    pub(super) fn hash(&self, number: u32) -> u64 {
        self.entries.get(number as usize).map_or(0, |entry| entry.hash)
    }

    /// Whether this is the name with this number.
    pub(super) fn is(&self, number: u32, owner: u32, key: &[u8]) -> bool {
        self.owner(number) == owner && self.key(number) == key
    }

    /// Hash, owner and bytes of every name, in the order of their numbers.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, u32, &[u8])> {
        let key = |entry: &Entry| self.text.get(entry.start..entry.start + entry.length).unwrap_or_default();
        self.entries.iter().map(move |entry| (entry.hash, entry.owner, key(entry)))
    }

    /// How many bytes all names begin with alike.
    pub(super) fn shared_prefix(&self) -> usize {
        let mut keys = self.all().map(|(_, _, key)| key);
        let Some(first) = keys.next() else { return 0 };
        keys.fold(first.len(), |shared, key| {
            first.iter().zip(key).take(shared).take_while(|(one, other)| one == other).count()
        })
    }

    /// The number of a name, which is added if it is not there; and whether it was added.
    pub(super) fn find_or_add(&mut self, owner: u32, hash: u64, key: &[u8]) -> Result<(u32, bool), IndexTooLarge> {
        let mask = self.table.len() - 1;
        let mut slot = home(hash) & mask;
        loop {
            let found = self.table.get(slot).copied().unwrap_or_default();
            let Some(number) = low(found).checked_sub(1) else { break };
            if found >> 32 == hash >> 32 && self.is(number, owner, key) {
                return Ok((number, false));
            }
            slot = (slot + 1) & mask;
        }
        let number = u32::try_from(self.entries.len()).ok().filter(|number| *number < u32::MAX).ok_or(IndexTooLarge)?;
        self.entries.push(Entry { hash, owner, start: self.text.len(), length: key.len() });
        self.text.extend_from_slice(key);
        if self.entries.len() * 2 > self.table.len() {
            self.grow();
        } else if let Some(free) = self.table.get_mut(slot) {
            *free = packed(hash, number);
        }
        Ok((number, true))
    }

    fn grow(&mut self) {
        let mask = self.table.len() * 2 - 1;
        let mut table: Box<[u64]> = vec![0; mask + 1].into();
        for (number, entry) in (0_u32..).zip(&self.entries) {
            let mut slot = home(entry.hash) & mask;
            while table.get(slot).is_some_and(|taken| *taken != 0) {
                slot = (slot + 1) & mask;
            }
            if let Some(free) = table.get_mut(slot) {
                *free = packed(entry.hash, number);
            }
        }
        self.table = table;
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.text.capacity() + self.entries.capacity() * size_of::<Entry>() + self.table.len() * 8
    }
}

/// The lower half of the hash chooses the slot, the upper one is compared.
fn home(hash: u64) -> usize {
    low(hash) as usize
}

fn low(wide: u64) -> u32 {
    u32::try_from(wide & 0xffff_ffff).unwrap_or_default()
}

fn packed(hash: u64, number: u32) -> u64 {
    (hash >> 32 << 32) | (u64::from(number) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_their_numbers_through_all_growth_and_all_collisions() {
        for hash in [|number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15), |number| number % 3] {
            let mut names = Names::new();
            for round in 0..2 {
                for number in 0..2_000_u32 {
                    let (owner, key) = (number % 3, (number / 3).to_string());
                    let found = names.find_or_add(owner, hash(u64::from(number)), key.as_bytes()).unwrap();
                    assert_eq!(found, (number, round == 0));
                    assert_eq!((names.key(number), names.owner(number)), (key.as_bytes(), owner));
                }
            }
            assert_eq!(names.len(), 2_000);
        }
    }

    #[test]
    fn the_bytes_that_all_names_share_are_counted() {
        let shared = |keys: &[&str]| {
            let mut names = Names::new();
            for (hash, key) in (0..).zip(keys) {
                names.find_or_add(0, hash, key.as_bytes()).unwrap();
            }
            names.shared_prefix()
        };
        assert_eq!((shared(&[]), shared(&["abc"]), shared(&["abc", ""])), (0, 3, 0));
        assert_eq!((shared(&["abc-1", "abx", "abc-2"]), shared(&["abc", "", "abc-1"])), (2, 0));
        assert_eq!((shared(&["abc-1", "abc-2", "abd"]), shared(&["ab", "abc"]), shared(&["abc", "ab"])), (2, 2, 2));
    }
}
