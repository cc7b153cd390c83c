//! What the writer remembers of names, so that an append asks no index.
//!
//! Next positions of streams, and where streams, categories and names are entered in the index that is being filled.

use super::hash::{category_hash, hash_in_category, name_hash};
use super::hot::{Addition, EntryNumbers, HotIndex, IndexFull};
use super::known::{Known, Place};

/// Categories that are known at most, and names.
const FEW: usize = 1 << 16;

/// Categories and names that are looked for first.
const RECENT: usize = 32;

/// The writer's memory. Holds what the indexes hold, or less: what it does not know they do.
#[derive(Debug)]
pub(crate) struct WriterCache {
    seed: u64,
    /// How many streams may be known.
    bound: usize,
    /// Which index is being filled: entries that were noted for another one are none.
    part: u32,
    categories: Known<Category>,
    streams: Known<Stream>,
    names: Known<Entered>,
    /// The number that the next category gets.
    next_owner: u32,
    /// Where what was asked for last is known, which mostly is asked for next.
    last_stream: Place,
    recent_categories: Recent,
    recent_names: Recent,
}

/// Where a few names are known that were asked for lately. They are told apart by what needs no hash.
#[derive(Debug, Default)]
struct Recent([Place; RECENT]);

impl Recent {
    fn slot(name: &str) -> usize {
        let last = name.as_bytes().last().copied().unwrap_or_default();
        (name.len() + usize::from(last)) % RECENT
    }

    fn get(&self, name: &str) -> Place {
        self.0.get(Self::slot(name)).copied().unwrap_or_default()
    }

    fn set(&mut self, name: &str, place: Option<Place>) {
        if let (Some(slot), Some(place)) = (self.0.get_mut(Self::slot(name)), place) {
            *slot = place;
        }
    }
}

/// Where something is entered.
#[derive(Debug, Clone, Copy, Default)]
struct Entered {
    /// In which index; 0 in none.
    part: u32,
    number: u32,
}

#[derive(Debug, Clone, Copy, Default)]
struct Category {
    /// The category's half of a stream's hash.
    hash: u64,
    /// Sets its streams apart from others of the same name. Never given twice: a category that was forgotten and comes again gets
    /// another, and what is still known of its streams is never asked for again.
    owner: u32,
    entered: Entered,
}

#[derive(Debug)]
struct Stream {
    next: u64,
    entered: Entered,
}

impl WriterCache {
    /// Knows nothing yet, and about `bound` streams at most later. `complete` if there is no event in the whole log.
    pub(crate) fn new(seed: u64, bound: usize, complete: bool) -> Self {
        Self {
            seed,
            bound,
            part: 1,
            categories: Known::new(bound.min(FEW), complete),
            streams: Known::new(bound, complete),
            names: Known::new(bound.min(FEW), false),
            next_owner: 0,
            last_stream: Place::default(),
            recent_categories: Recent::default(),
            recent_names: Recent::default(),
        }
    }

    /// Another index is being filled from now on.
    pub(crate) fn begin_part(&mut self) {
        match self.part.checked_add(1) {
            Some(part) => self.part = part,
            None => self.forget(),
        }
    }

    /// No number is ever given twice: before one would be, everything is forgotten.
    fn forget(&mut self) {
        *self = Self::new(self.seed, self.bound, false);
    }

    /// The position of a stream's next event, everything staged included; `None` where only the indexes can tell.
    pub(crate) fn next_position(&mut self, category: &str, stream: &str) -> Option<u64> {
        let unknown = (self.categories.is_complete() && self.streams.is_complete()).then_some(0);
        let Some(category) = self.known_category(category) else { return unknown };
        let known = known_stream(&mut self.streams, &mut self.last_stream, self.seed, &category, stream).1;
        known.map(|known| known.next).or(unknown)
    }

    fn known_category(&mut self, name: &str) -> Option<Category> {
        if let Some(recent) = self.categories.at(self.recent_categories.get(name), 0, name.as_bytes()) {
            return Some(*recent);
        }
        let place = self.categories.find(category_hash(self.seed, name), 0, name.as_bytes())?;
        self.recent_categories.set(name, Some(place));
        self.categories.value(place).copied()
    }

    /// Enters the events of the frame at `offset` into the index that is being filled, and notes their positions.
    ///
    /// # Errors
    /// [`IndexFull`]: neither the index nor what is known can be used for appends any more.
    pub(crate) fn add<'a>(
        &mut self,
        index: &HotIndex,
        offset: u64,
        id: Option<&str>,
        events: impl Iterator<Item = Addition<'a>>,
    ) -> Result<(), IndexFull> {
        let mut filling = index.fill(offset)?;
        let mut run: Option<(Addition<'_>, u64)> = None;
        for event in events {
            let noted = match run {
                // Events of one transaction mostly share stream and name with the one before: no need to look them up again.
                Some((known, noted)) if known.shares_names(&event) => noted,
                _ => {
                    self.end_run(run);
                    filling.turn_to(self.enter(index, &event)?);
                    event.position
                }
            };
            filling.push()?;
            run = Some((event, noted));
        }
        self.end_run(run);
        filling.finish(id)
    }

    /// Notes the position behind the last event of several of one stream; that of the first was noted when it was entered.
    fn end_run(&mut self, run: Option<(Addition<'_>, u64)>) {
        let Some((event, noted)) = run else { return };
        if event.position == noted {
            return;
        }
        let Some(category) = self.known_category(event.category) else { return };
        let known = known_stream(&mut self.streams, &mut self.last_stream, self.seed, &category, event.stream).1;
        if let Some(known) = known {
            known.next = event.position.saturating_add(1);
        }
    }

    fn enter(&mut self, index: &HotIndex, event: &Addition<'_>) -> Result<EntryNumbers, IndexFull> {
        let category = self.enter_category(index, event.category)?;
        let in_category = category.entered.number;
        let key = event.stream.as_bytes();
        let next = event.position.saturating_add(1);
        let (hash, known) = known_stream(&mut self.streams, &mut self.last_stream, self.seed, &category, event.stream);
        let stream = match known {
            Some(known) => {
                known.next = next;
                if known.entered.part != self.part {
                    // What is known was entered when it was last added to: never in this index.
                    let number = index.add_stream(in_category, key, hash, event.position)?;
                    known.entered = Entered { part: self.part, number };
                }
                known.entered.number
            }
            None => {
                let number = index.enter_stream(in_category, key, hash, event.position)?;
                let entered = Entered { part: self.part, number };
                self.streams.add(hash, category.owner, key, Stream { next, entered });
                number
            }
        };
        Ok(EntryNumbers { category: in_category, stream, name: self.enter_name(index, event.name)? })
    }

    fn enter_category(&mut self, index: &HotIndex, name: &str) -> Result<Category, IndexFull> {
        if let Some(recent) = self.categories.at(self.recent_categories.get(name), 0, name.as_bytes())
            && recent.entered.part == self.part
        {
            return Ok(*recent);
        }
        let hash = category_hash(self.seed, name);
        let category = match self.categories.get(hash, 0, name.as_bytes()) {
            Some(known) => {
                if known.entered.part != self.part {
                    known.entered = Entered { part: self.part, number: index.enter_category(name, hash)? };
                }
                *known
            }
            None => {
                if self.next_owner == u32::MAX {
                    self.forget();
                }
                let entered = Entered { part: self.part, number: index.enter_category(name, hash)? };
                let category = Category { hash, owner: self.next_owner, entered };
                self.next_owner += 1;
                self.categories.add(hash, 0, name.as_bytes(), category);
                category
            }
        };
        self.recent_categories.set(name, self.categories.find(hash, 0, name.as_bytes()));
        Ok(category)
    }

    fn enter_name(&mut self, index: &HotIndex, name: &str) -> Result<u32, IndexFull> {
        if let Some(recent) = self.names.at(self.recent_names.get(name), 0, name.as_bytes())
            && recent.part == self.part
        {
            return Ok(recent.number);
        }
        let hash = name_hash(self.seed, name);
        let entered = match self.names.get(hash, 0, name.as_bytes()) {
            Some(known) => {
                if known.part != self.part {
                    *known = Entered { part: self.part, number: index.enter_name(name, hash)? };
                }
                *known
            }
            None => {
                let entered = Entered { part: self.part, number: index.enter_name(name, hash)? };
                self.names.add(hash, 0, name.as_bytes(), entered);
                entered
            }
        };
        self.recent_names.set(name, self.names.find(hash, 0, name.as_bytes()));
        Ok(entered.number)
    }

    /// Bytes of memory that is taken for it.
    pub(crate) fn bytes(&self) -> u64 {
        self.categories.bytes() + self.streams.bytes() + self.names.bytes()
    }
}

/// The hash of a stream, and what is known of it. Looks first where the last one was found.
fn known_stream<'k>(
    streams: &'k mut Known<Stream>,
    last: &mut Place,
    seed: u64,
    category: &Category,
    stream: &str,
) -> (u64, Option<&'k mut Stream>) {
    let (owner, key) = (category.owner, stream.as_bytes());
    if let Some(hash) = streams.hash_at(*last, owner, key) {
        return (hash, streams.value(*last));
    }
    let hash = hash_in_category(seed, category.hash, stream);
    let Some(found) = streams.find(hash, owner, key) else { return (hash, None) };
    *last = found;
    (hash, streams.value(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::RunPlace;
    use std::collections::HashMap;

    /// What the next of a row of numbers is; the same row every time.
    fn next(state: &mut u64) -> usize {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*state >> 33).unwrap()
    }

    /// Transactions of random names, through several indexes: what is known is true, and every index is the one that is built
    /// without a cache.
    fn play(bound: usize, complete: bool) -> (u32, WriterCache) {
        let mut cache = WriterCache::new(7, bound, complete);
        let mut positions: HashMap<(String, String), u64> = HashMap::new();
        let (mut state, mut sequence, mut asked_indexes) = (9, 0, 0);
        for part in 0..4 {
            let (index, plain) = (HotIndex::new(sequence, 7, 0), HotIndex::new(sequence, 7, 0));
            for frame in 0..150 {
                let mut events = Vec::new();
                for _ in 0..1 + next(&mut state) % 3 {
                    let (category, stream) = (next(&mut state) % 5, next(&mut state) % 40);
                    let key = (format!("category-{category}"), format!("{stream:036}"));
                    let position = positions.get(&key).copied().unwrap_or(0);
                    let known = cache.next_position(&key.0, &key.1);
                    let staged = events.iter().filter(|(known, _, _)| *known == key).count() as u64;
                    assert_eq!(known.unwrap_or(position - staged), position - staged, "{key:?} in part {part}");
                    asked_indexes += u32::from(known.is_none());
                    for more in 0..1 + next(&mut state) as u64 % 3 {
                        events.push((key.clone(), position + more, format!("n{}", next(&mut state) % 3)));
                        positions.insert(key.clone(), position + more + 1);
                    }
                }
                let additions = || {
                    events.iter().map(|((category, stream), position, name)| Addition {
                        category,
                        stream,
                        name,
                        position: *position,
                    })
                };
                let id = frame.to_string();
                cache.add(&index, 4_096 + frame * 8, Some(&id), additions()).unwrap();
                plain.add(4_096 + frame * 8, Some(&id), additions()).unwrap();
                sequence += events.len() as u64;
            }
            same(&index, &plain, &positions);
            cache.begin_part();
        }
        (asked_indexes, cache)
    }

    fn same(index: &HotIndex, plain: &HotIndex, positions: &HashMap<(String, String), u64>) {
        assert_eq!((index.count(), index.transactions()), (plain.count(), plain.transactions()));
        for (category, stream) in positions.keys() {
            for [one, other] in [
                [index.stream(category, stream), plain.stream(category, stream)],
                [index.category(category), plain.category(category)],
                [index.name("n1"), plain.name("n1")],
            ] {
                assert_eq!(one, other);
                let numbers = |index: &HotIndex| -> Vec<Option<u64>> {
                    let mut place = RunPlace::default();
                    let count = one.map_or(0, |entry| index.count_below(entry, u64::MAX));
                    (0..count).map(|at| index.event_at(one.unwrap(), at, &mut place)).collect()
                };
                assert_eq!(numbers(index), numbers(plain));
            }
            let ends = |index: &HotIndex| {
                index.stream(category, stream).map(|entry| (index.first_position(entry), index.next_position(entry)))
            };
            assert_eq!(ends(index), ends(plain));
        }
    }

    #[test]
    fn what_is_known_is_true_and_indexes_come_out_the_same() {
        let (asked, cache) = play(1 << 20, true);
        assert_eq!(asked, 0, "who knows everything asks no index");
        assert!(cache.bytes() > 0);
        let (asked, _) = play(1 << 20, false);
        assert!(
            (150..=210).contains(&asked),
            "one that begins in the middle asks once for each stream, not {asked} times"
        );
    }

    #[test]
    fn what_was_forgotten_is_asked_of_the_indexes() {
        for bound in [0, 1, 2, 3, 8, 64] {
            let (asked, _) = play(bound, true);
            assert!(asked > 200, "{asked} with room for {bound}");
        }
    }

    #[test]
    fn when_numbers_run_out_everything_is_forgotten() {
        let mut cache = WriterCache::new(7, 100, true);
        let index = HotIndex::new(0, 7, 0);
        let event = Addition { category: "a", stream: "b", name: "n", position: 4 };
        cache.add(&index, 4_096, None, [event].into_iter()).unwrap();
        assert_eq!((cache.next_position("a", "b"), cache.next_position("a", "c")), (Some(5), Some(0)));
        cache.part = u32::MAX;
        cache.begin_part();
        assert_eq!((cache.next_position("a", "b"), cache.next_position("a", "c")), (None, None));
        cache.next_owner = u32::MAX;
        cache.add(&index, 4_104, None, [Addition { position: 5, ..event }].into_iter()).unwrap();
        assert_eq!((cache.next_owner, cache.next_position("a", "b")), (1, Some(6)));
    }
}
