//! The index of one segment, in memory: built as the segment is written or recovered.

mod refill;

pub(crate) use refill::{Recent, StoredEvent};

use super::chunks::Chunks;
use super::dictionary::{Dictionary, Entry, Label};
use super::hash::{category_hash, event_id_hash, name_hash, stream_hash, transaction_hash};
use super::ids::IdTable;
use super::ordered::Ordered;
use super::postings::{Pool, PoolFull, RunPlace};
use super::writer_cache::Spot;
use crate::format::bytes::same;
use crate::vocabulary::event::EventId;
use crate::vocabulary::sync::{AtomicU32, AtomicU64, Ordering};
use std::ops::ControlFlow;

/// Where a segment's events are: by number, by stream, category and name, transactions by id.
#[derive(Debug)]
pub(crate) struct HotIndex {
    /// The number of the segment's first event.
    base: u64,
    /// The seed of the hashes of names, which is the store's: the writer has mostly reckoned them before.
    seed: u64,
    /// For every event, the address of its frame: offset in units of eight bytes.
    frames: Chunks<AtomicU32>,
    /// How many events there are, staged ones included.
    count: AtomicU32,
    /// Frames with events.
    transactions: AtomicU64,
    categories: Dictionary,
    /// Streams, owned by their category's number; `first` is the position of the first event in this segment.
    streams: Dictionary,
    names: Dictionary,
    /// The same in the order of their bytes, as far as somebody asked for it.
    ordered: [Ordered; 3],
    ids: IdTable,
    /// Hashes of the ids that producers gave to events, and the events' ordinals.
    event_ids: IdTable,
    pool: Pool,
}

/// A category, stream or name within the index of one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct EntryId(pub(super) Which, pub(super) u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Which {
    Category,
    Stream,
    Name,
}

/// An event to be added.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addition<'a> {
    pub(crate) category: &'a str,
    pub(crate) stream: &'a str,
    pub(crate) name: &'a str,
    pub(crate) position: u64,
    /// Where the writer knows the stream, as far as it said so.
    pub(crate) spot: Spot,
    /// The id, if the producer gave it one that the store would not have made.
    pub(crate) id: Option<&'a EventId>,
}

impl<'a> Addition<'a> {
    /// Of an event whose stream the writer has not looked for.
    pub(crate) fn new(category: &'a str, stream: &'a str, name: &'a str, position: u64) -> Self {
        Self { category, stream, name, position, spot: Spot::default(), id: None }
    }

    pub(super) fn shares_names(&self, other: &Addition<'_>) -> bool {
        same(self.stream, other.stream) && same(self.name, other.name) && same(self.category, other.category)
    }
}

/// Under which numbers an event is entered.
#[derive(Debug, Clone, Copy)]
pub(super) struct EntryNumbers {
    pub(super) category: u32,
    pub(super) stream: u32,
    pub(super) name: u32,
}

/// A frame whose events are being added.
pub(super) struct Filling<'i> {
    index: &'i HotIndex,
    address: u32,
    before: u32,
    /// The number, within the segment, of the next event.
    ordinal: u32,
    /// Where the next event is entered.
    entries: Option<[&'i Entry; 3]>,
}

impl Filling<'_> {
    /// Says where the events that follow are entered.
    pub(super) fn turn_to(&mut self, numbers: EntryNumbers) {
        let index = self.index;
        let category = index.categories.entry(numbers.category);
        let named = category.zip(index.streams.entry(numbers.stream)).zip(index.names.entry(numbers.name));
        self.entries = named.map(|((category, stream), name)| [category, stream, name]);
    }

    /// Notes that the next event has this id, which its producer gave it.
    pub(super) fn note_id(&mut self, category: &[u8], id: &EventId) -> Result<(), IndexFull> {
        let index = self.index;
        let hash = event_id_hash(index.seed, category_hash(index.seed, category), id);
        let number = self.ordinal.checked_add(1).ok_or(IndexFull)?;
        index.event_ids.add(hash, number).ok_or(IndexFull)
    }

    /// Adds an event.
    pub(super) fn push(&mut self) -> Result<(), IndexFull> {
        let index = self.index;
        for entry in self.entries.ok_or(IndexFull)? {
            entry.push(&index.pool, self.ordinal)?;
        }
        index.frames.make(self.ordinal).ok_or(IndexFull)?.store(self.address, Ordering::Relaxed);
        self.ordinal = self.ordinal.checked_add(1).ok_or(IndexFull)?;
        Ok(())
    }

    /// Lets the events count, and notes the transaction's id.
    pub(super) fn finish(self, id: Option<&str>) -> Result<(), IndexFull> {
        let index = self.index;
        if let Some(id) = id {
            index.ids.add(transaction_hash(index.seed, id), self.address).ok_or(IndexFull)?;
        }
        index.count.store(self.ordinal, Ordering::Release);
        if self.ordinal > self.before {
            // Only the writer counts.
            index.transactions.store(index.transactions.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The index of a segment cannot take more: the segment must be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IndexFull;

impl From<PoolFull> for IndexFull {
    fn from(_: PoolFull) -> Self {
        IndexFull
    }
}

impl HotIndex {
    /// The index of a segment whose first event will have the number `base`. The seed is [`hash_seed`](super::hash_seed) of the
    /// store's id. So many streams it takes before a table grows.
    pub(crate) fn new(base: u64, seed: u64, streams: u32) -> Self {
        Self {
            base,
            seed,
            frames: Chunks::default(),
            count: AtomicU32::new(0),
            transactions: AtomicU64::new(0),
            categories: Dictionary::with_room(0),
            streams: Dictionary::with_room(streams),
            names: Dictionary::with_room(0),
            ordered: Default::default(),
            ids: IdTable::default(),
            event_ids: IdTable::default(),
            pool: Pool::default(),
        }
    }

    /// The number of the segment's first event.
    pub(crate) fn base(&self) -> u64 {
        self.base
    }

    /// How many events are in the segment, staged ones included.
    pub(crate) fn count(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }

    /// How many transactions with events are in the segment, staged ones included.
    pub(crate) fn transactions(&self) -> u64 {
        self.transactions.load(Ordering::Relaxed)
    }

    /// How many streams are in the segment.
    pub(crate) fn stream_count(&self) -> u32 {
        self.streams.len()
    }

    /// Adds the events of the frame at `offset`, in order, in the plainest way: what the others are held against.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn add<'a>(
        &self,
        offset: u64,
        id: Option<&str>,
        events: impl Iterator<Item = Addition<'a>>,
    ) -> Result<(), IndexFull> {
        let mut filling = self.fill(offset)?;
        let mut previous: Option<Addition<'_>> = None;
        for event in events {
            // Events of one transaction mostly share stream and name with the one before: no need to look them up again.
            if previous.is_none_or(|known| !known.shares_names(&event)) {
                let category = self.enter_category(event.category, category_hash(self.seed, event.category))?;
                let hash = stream_hash(self.seed, event.category, event.stream);
                let stream = self.enter_stream(category, event.stream.as_bytes(), hash, event.position)?;
                let name = self.enter_name(event.name, name_hash(self.seed, event.name))?;
                filling.turn_to(EntryNumbers { category, stream, name });
            }
            if let Some(id) = event.id {
                filling.note_id(event.category.as_bytes(), id)?;
            }
            filling.push()?;
            previous = Some(event);
        }
        filling.finish(id)
    }

    /// Begins to add the events of the frame at `offset`.
    pub(super) fn fill(&self, offset: u64) -> Result<Filling<'_>, IndexFull> {
        let address = u32::try_from(offset >> 3).map_err(|_| IndexFull)?;
        let ordinal = self.count.load(Ordering::Relaxed);
        Ok(Filling { index: self, address, before: ordinal, ordinal, entries: None })
    }

    /// The number of a category, which is added if it is not there. For the writer alone, as the next three.
    pub(super) fn enter_category(&self, category: &str, hash: u64) -> Result<u32, IndexFull> {
        entered(&self.categories, category.as_bytes(), hash)
    }

    /// The number of a stream, whose next event stands at `position`, in the category of this number.
    pub(super) fn enter_stream(
        &self,
        category: u32,
        stream: &[u8],
        hash: u64,
        position: u64,
    ) -> Result<u32, IndexFull> {
        match self.streams.find(category, stream, hash) {
            Some(number) => Ok(number),
            None => self.add_stream(category, stream, hash, position),
        }
    }

    /// The same for a stream that is not there.
    pub(super) fn add_stream(&self, category: u32, stream: &[u8], hash: u64, position: u64) -> Result<u32, IndexFull> {
        Ok(self.streams.add(category, stream, hash, position)?)
    }

    /// Asks the memory for what adding an event to the stream of this number will need, and does not wait for it.
    #[inline]
    pub(super) fn foresee(&self, stream: u32) {
        if let Some(entry) = self.streams.entry(stream) {
            entry.foresee(&self.pool);
        }
    }

    /// The number of an event's name.
    pub(super) fn enter_name(&self, name: &str, hash: u64) -> Result<u32, IndexFull> {
        entered(&self.names, name.as_bytes(), hash)
    }

    /// The offset of the frame that holds the event with this number, be it staged or not.
    pub(crate) fn frame_of(&self, sequence_number: u64) -> Option<u64> {
        let ordinal = u32::try_from(sequence_number.checked_sub(self.base)?).ok()?;
        if ordinal >= self.count() {
            return None;
        }
        Some(u64::from(self.frames.get(ordinal)?.load(Ordering::Relaxed)) << 3)
    }

    fn category_number(&self, category: &str) -> Option<u32> {
        self.categories.find(0, category.as_bytes(), category_hash(self.seed, category))
    }

    /// The category of this name.
    pub(crate) fn category(&self, category: &str) -> Option<EntryId> {
        self.category_number(category).map(|number| EntryId(Which::Category, number))
    }

    /// The stream of this name in this category.
    pub(crate) fn stream(&self, category: &str, stream: &str) -> Option<EntryId> {
        let owner = self.category_number(category)?;
        let found = self.streams.find(owner, stream.as_bytes(), stream_hash(self.seed, category, stream));
        found.map(|number| EntryId(Which::Stream, number))
    }

    /// The events of this name.
    pub(crate) fn name(&self, name: &str) -> Option<EntryId> {
        let found = self.names.find(0, name.as_bytes(), name_hash(self.seed, name));
        found.map(|number| EntryId(Which::Name, number))
    }

    /// The streams of this name, whatever their category, in no order. Adds the number of names looked at.
    pub(crate) fn streams_named(&self, stream: &str, looked_at: &mut u64) -> Vec<EntryId> {
        let mut found = Vec::new();
        let [_, ordered, _] = &self.ordered;
        let take = |number| found.push(EntryId(Which::Stream, number));
        *looked_at += ordered.named(&self.streams, stream.as_bytes(), take);
        found
    }

    /// The entries whose names begin so, in no order, as long as they are no more than `most`: else as many and one more. Adds
    /// the number of names looked at.
    pub(crate) fn with_prefix(&self, which: Which, prefix: &str, most: usize, looked_at: &mut u64) -> Vec<EntryId> {
        let [categories, streams, names] = &self.ordered;
        let (ordered, dictionary) = match which {
            Which::Category => (categories, &self.categories),
            Which::Stream => (streams, &self.streams),
            Which::Name => (names, &self.names),
        };
        let mut found = Vec::new();
        *looked_at += ordered.with_prefix(dictionary, prefix.as_bytes(), |number| {
            found.push(EntryId(which, number));
            if found.len() > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found
    }

    /// The streams of a category whose names begin so, in no order, and no more than `most` and one.
    pub(crate) fn streams_with_prefix(
        &self,
        category: &str,
        prefix: &str,
        most: usize,
        looked_at: &mut u64,
    ) -> Vec<EntryId> {
        let Some(owner) = self.category_number(category) else { return Vec::new() };
        let (mut found, [_, ordered, _]) = (Vec::new(), &self.ordered);
        *looked_at += ordered.with_prefix(&self.streams, prefix.as_bytes(), |number| {
            if self.streams.label(number).is_some_and(|label| label.owner() == owner) {
                found.push(EntryId(Which::Stream, number));
            }
            if found.len() > most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found
    }

    /// The ordinals of the events of a category to which their producer may have given this id, staged ones included.
    pub(crate) fn event_ids_with(&self, category: &str, id: &EventId) -> impl Iterator<Item = u32> {
        let hash = event_id_hash(self.seed, category_hash(self.seed, category), id);
        self.event_ids.candidates(hash).filter_map(|number| number.checked_sub(1))
    }

    /// The names of events that occur below `sequence_number`.
    pub(crate) fn event_names(&self, sequence_number: u64) -> impl Iterator<Item = &[u8]> {
        self.labels_below(&self.names, sequence_number).map(Label::key)
    }

    /// The names of streams of any category that occur below `sequence_number`; one for each category that has it.
    pub(crate) fn all_stream_names(&self, sequence_number: u64) -> impl Iterator<Item = &[u8]> {
        self.labels_below(&self.streams, sequence_number).map(Label::key)
    }

    fn entry(&self, id: EntryId) -> Option<&Entry> {
        match id.0 {
            Which::Category => self.categories.entry(id.1),
            Which::Stream => self.streams.entry(id.1),
            Which::Name => self.names.entry(id.1),
        }
    }

    /// The position that follows a stream's last in this segment; staged events count.
    pub(crate) fn next_position(&self, stream: EntryId) -> u64 {
        self.entry(stream).map_or(0, |entry| entry.first().saturating_add(u64::from(entry.len())))
    }

    /// The position of a stream's first event in this segment.
    pub(crate) fn first_position(&self, stream: EntryId) -> u64 {
        self.entry(stream).map_or(0, Entry::first)
    }

    /// How many of an entry's events are numbered below `sequence_number`.
    pub(crate) fn count_below(&self, id: EntryId, sequence_number: u64) -> u32 {
        let ordinal = u32::try_from(sequence_number.saturating_sub(self.base)).unwrap_or(u32::MAX);
        self.entry(id).map_or(0, |entry| entry.count_below(&self.pool, ordinal))
    }

    /// The sequence number of an entry's event at `index`.
    pub(crate) fn event_at(&self, id: EntryId, index: u32, place: &mut RunPlace) -> Option<u64> {
        self.entry(id)?.get(&self.pool, index, place).map(|ordinal| self.base + u64::from(ordinal))
    }

    /// How many events an entry has, staged ones included.
    pub(crate) fn len(&self, id: EntryId) -> u32 {
        self.entry(id).map_or(0, Entry::len)
    }

    /// How many streams with an event below `sequence_number` have their first event of all here.
    pub(crate) fn born_streams(&self, sequence_number: u64) -> u64 {
        self.entries_below(&self.streams, sequence_number).filter(|(_, entry)| entry.first() == 0).count() as u64
    }

    /// The ordinals of an entry's events from `index` on: as many as fit and are there. Says how many.
    pub(crate) fn ordinals_at(&self, id: EntryId, index: u32, place: &mut RunPlace, out: &mut [u32]) -> usize {
        self.entry(id).map_or(0, |entry| entry.read(&self.pool, index, place, out))
    }

    /// The offsets of the frames that hold the events with these ordinals, which are in the segment.
    pub(crate) fn frames_of(&self, ordinals: &[u32], out: &mut [u64]) -> Option<()> {
        let count = self.count();
        for (slot, ordinal) in out.iter_mut().zip(ordinals) {
            let address = self.frames.get(*ordinal).filter(|_| *ordinal < count)?;
            *slot = u64::from(address.load(Ordering::Relaxed)) << 3;
        }
        Some(())
    }

    /// The names of categories with an event below `sequence_number`.
    pub(crate) fn category_names(&self, sequence_number: u64) -> impl Iterator<Item = &[u8]> {
        self.labels_below(&self.categories, sequence_number).map(Label::key)
    }

    /// The names of a category's streams with an event below `sequence_number`.
    pub(crate) fn stream_names(&self, category: &str, sequence_number: u64) -> impl Iterator<Item = &[u8]> {
        let owner = self.category_number(category);
        self.labels_below(&self.streams, sequence_number)
            .filter(move |label| Some(label.owner()) == owner)
            .map(Label::key)
    }

    /// Category and stream of all streams with an event below `sequence_number`.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn all_streams(&self, sequence_number: u64) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.labels_below(&self.streams, sequence_number).filter_map(|label| {
            let category = self.categories.label(label.owner())?;
            Some((category.key(), label.key()))
        })
    }

    fn entries_below<'a>(
        &'a self,
        dictionary: &'a Dictionary,
        sequence_number: u64,
    ) -> impl Iterator<Item = (u32, &'a Entry)> {
        let limit = u32::try_from(sequence_number.saturating_sub(self.base)).unwrap_or(u32::MAX);
        let entries = (0..dictionary.len()).filter_map(|number| Some((number, dictionary.entry(number)?)));
        entries.filter(move |(_, entry)| {
            entry.get(&self.pool, 0, &mut RunPlace::default()).is_some_and(|ordinal| ordinal < limit)
        })
    }

    fn labels_below<'a>(&'a self, dictionary: &'a Dictionary, sequence_number: u64) -> impl Iterator<Item = &'a Label> {
        self.entries_below(dictionary, sequence_number).filter_map(|(number, _)| dictionary.label(number))
    }

    /// The offsets of the frames whose transaction may have this id, staged ones included.
    pub(crate) fn transactions_with(&self, id: &str) -> impl Iterator<Item = u64> {
        self.ids.candidates(transaction_hash(self.seed, id)).map(|address| u64::from(address) << 3)
    }

    /// Bytes of memory that the index takes, long names apart.
    pub(crate) fn bytes(&self) -> u64 {
        let dictionaries = [&self.categories, &self.streams, &self.names];
        let entries: u64 = dictionaries.iter().map(|dictionary| dictionary.bytes()).sum();
        let ordered: u64 = self.ordered.iter().map(Ordered::bytes).sum();
        let ids = self.ids.bytes() + self.event_ids.bytes();
        entries + ordered + self.frames.bytes() + self.pool.bytes() + ids
    }
}

/// The number of a name without an owner, added where it is not there.
fn entered(dictionary: &Dictionary, key: &[u8], hash: u64) -> Result<u32, IndexFull> {
    match dictionary.find(0, key, hash) {
        Some(found) => Ok(found),
        None => Ok(dictionary.add(0, key, hash, 0)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_by_number_stream_category_and_name() {
        let index = HotIndex::new(100, 7, 0);
        let events = [("a", "b-c", "n1"), ("a-b", "c", "n2"), ("a", "c", "n1"), ("a", "b-c", "n2")];
        let mut positions = std::collections::HashMap::new();
        for (number, (category, stream, name)) in events.iter().enumerate() {
            let position = positions.entry((category, stream)).or_insert(5);
            let offset = 4_096 + 64 * number as u64;
            index.add(offset, Some(name), [Addition::new(category, stream, name, *position)].into_iter()).unwrap();
            *position += 1;
        }
        assert_eq!(index.frame_of(102), Some(4_096 + 128));
        assert_eq!((index.frame_of(99), index.frame_of(104)), (None, None));
        let stream = index.stream("a", "b-c").unwrap();
        assert_eq!((index.first_position(stream), index.next_position(stream)), (5, 7));
        let mut place = RunPlace::default();
        let numbers: Vec<u64> = (0..2).filter_map(|at| index.event_at(stream, at, &mut place)).collect();
        assert_eq!(numbers, [100, 103]);
        assert_eq!(index.count_below(index.category("a").unwrap(), 103), 2);
        assert_eq!(index.count_below(index.name("n2").unwrap(), 104), 2);
        let named = index.streams_named("c", &mut 0);
        assert_eq!(named, [index.stream("a-b", "c").unwrap(), index.stream("a", "c").unwrap()]);
        assert_eq!(index.stream_names("a", 101).count(), 1, "only what lies below the snapshot");
        assert_eq!(index.stream_names("a", 104).count(), 2);
        assert_eq!(index.category_names(101).count(), 1);
        assert!(index.transactions_with("n1").any(|offset| offset == 4_096));
        assert!(index.stream("a", "zzz").is_none() && index.category("zzz").is_none());
    }

    #[test]
    fn events_of_one_transaction_that_share_their_names_are_all_found() {
        let index = HotIndex::new(0, 7, 0);
        index.add(4_096, None, (0..3).map(|position| Addition::new("a", "b", "n", position))).unwrap();
        for entry in [index.category("a"), index.stream("a", "b"), index.name("n")] {
            assert_eq!(index.count_below(entry.unwrap(), 3), 3, "{entry:?}");
        }
    }
}
