//! Building an index: frame by frame, in the order of the log.

use super::intern::Names;
use crate::format::index_file::EVENTS_A_TIME;
use crate::index::hash::{category_hash, event_id_hash, hash_in_category, transaction_hash};
use crate::vocabulary::event::EventId;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::SystemRecord;
use std::collections::HashMap;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The index of frames that are lent one after the other. Takes memory for what it covers, and gives a file in the end.
#[derive(Debug)]
pub(crate) struct IndexBuilder {
    pub(super) seed: u64,
    pub(super) base: u64,
    /// How many events the builder has that this one is to be absorbed by.
    behind: u32,
    pub(super) categories: Names,
    /// The category's half of hashes, for every category.
    category_hashes: Vec<u64>,
    /// Streams, owned by their category's number, with their stored hashes.
    pub(super) streams: Names,
    /// The position of each stream's first event.
    pub(super) first_positions: Vec<u64>,
    pub(super) names: Names,
    /// The stream and the name of every event, by number.
    pub(super) stream_of: Vec<u32>,
    pub(super) name_of: Vec<u32>,
    /// For every frame with events, its first event and its address: offset in units of eight bytes.
    pub(super) frames: Vec<(u32, u32)>,
    /// Hashes of ids, and the frame's address or the event's ordinal.
    pub(super) transactions: Vec<(u64, u32)>,
    pub(super) event_ids: Vec<(u64, u32)>,
    pub(super) times: Vec<Times>,
    /// The same, as its blocks lie behind the other builder's events; empty where there is none.
    times_behind: Vec<Times>,
    pub(super) first_recorded_at: Option<Timestamp>,
    /// The last record of each namespace and key, in the order of the first ones.
    pub(super) records: Vec<SystemRecord>,
    record_places: HashMap<(Arc<str>, Arc<str>), usize>,
}

/// The times of up to 256 events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) first_recorded_at: Timestamp,
    pub(super) least_occurred_at: Timestamp,
    pub(super) greatest_occurred_at: Timestamp,
}

/// An event to be added.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IndexedEvent<'a> {
    /// Names are lent as their bytes, which who decodes a frame has checked to be text.
    pub(crate) category: &'a [u8],
    pub(crate) stream: &'a [u8],
    pub(crate) name: &'a [u8],
    pub(crate) position: u64,
    pub(crate) occurred_at: Timestamp,
    /// The id, if the producer gave it. Those that the store made follow from the event's number.
    pub(crate) id: Option<&'a EventId>,
}

/// The frames do not fit into one index: more than 2^32 events or names, a frame beyond 2^35 bytes, or lists of 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is too much for one index")]
pub(crate) struct IndexTooLarge;

impl IndexBuilder {
    /// The index of frames whose first event has the number `base`. The seed is [`hash_seed`](crate::index::hash_seed) of the
    /// store's id.
    pub(crate) fn new(hash_seed: u64, base: u64) -> Self {
        Self {
            seed: hash_seed,
            base,
            behind: 0,
            categories: Names::new(),
            category_hashes: Vec::new(),
            streams: Names::new(),
            first_positions: Vec::new(),
            names: Names::new(),
            stream_of: Vec::new(),
            name_of: Vec::new(),
            frames: Vec::new(),
            transactions: Vec::new(),
            event_ids: Vec::new(),
            times: Vec::new(),
            times_behind: Vec::new(),
            first_recorded_at: None,
            records: Vec::new(),
            record_places: HashMap::new(),
        }
    }

    /// The index of the frames that follow those that `before` has, which is to [absorb](Self::absorb) it.
    pub(crate) fn following(before: &Self) -> Self {
        let base = before.base + u64::from(before.count());
        Self { behind: before.count(), ..Self::new(before.seed, base) }
    }

    /// Takes in the frames that follow, as if they had been added here: none was since `next` was begun. Costs far less than
    /// adding them, a few instructions an event. The builder is of no more use when that fails.
    pub(crate) fn absorb(&mut self, next: &Self) -> Result<(), IndexTooLarge> {
        let before = self.count();
        let fits = before.checked_add(next.count()).is_some_and(|count| count < u32::MAX);
        if !fits || next.behind != before || next.base != self.base + u64::from(before) {
            return Err(IndexTooLarge);
        }
        let (mut categories, mut streams, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (hash, _, key) in next.categories.all() {
            categories.push(self.category_of(hash, key)?);
        }
        for ((hash, owner, key), position) in next.streams.all().zip(&next.first_positions) {
            streams.push(self.stream_of_hash(mapped(&categories, owner), hash, key, *position)?);
        }
        for (hash, _, key) in next.names.all() {
            names.push(self.names.find_or_add(0, hash, key)?.0);
        }
        let times = match self.times.last_mut().zip(next.times_behind.split_first()) {
            // The last block goes on.
            Some((last, (first, others))) if !before.is_multiple_of(EVENTS_A_TIME) => {
                last.widen(first.least_occurred_at);
                last.widen(first.greatest_occurred_at);
                others
            }
            _ if before == 0 => &next.times,
            _ => &next.times_behind,
        };
        self.times.extend_from_slice(times);
        self.stream_of.extend(next.stream_of.iter().map(|stream| mapped(&streams, *stream)));
        self.name_of.extend(next.name_of.iter().map(|name| mapped(&names, *name)));
        self.frames.extend(next.frames.iter().map(|(first, address)| (before + first, *address)));
        self.transactions.extend_from_slice(&next.transactions);
        self.event_ids.extend(next.event_ids.iter().map(|(hash, ordinal)| (*hash, before + ordinal)));
        self.first_recorded_at = self.first_recorded_at.or(next.first_recorded_at);
        next.records.iter().for_each(|record| self.note_record(record));
        Ok(())
    }

    /// How many events were added.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.stream_of.len()).unwrap_or(u32::MAX)
    }

    /// How many frames with events were added.
    pub(crate) fn transactions(&self) -> u32 {
        u32::try_from(self.frames.len()).unwrap_or(u32::MAX)
    }

    /// When the first frame with events was recorded.
    pub(crate) fn first_recorded_at(&self) -> Option<Timestamp> {
        self.first_recorded_at
    }

    /// Bytes of memory, about.
    pub(crate) fn bytes(&self) -> u64 {
        let names = self.categories.bytes() + self.streams.bytes() + self.names.bytes();
        let events = (self.stream_of.capacity() + self.name_of.capacity()) * 4;
        let pairs = self.frames.capacity() * 8 + (self.transactions.capacity() + self.event_ids.capacity()) * 16;
        let others = self.first_positions.capacity() * 8
            + (self.times.capacity() + self.times_behind.capacity()) * size_of::<Times>();
        (names + events + pairs + others) as u64
    }

    /// Begins to add the frame at `offset`. The builder is of no more use when that, or what follows, fails.
    pub(crate) fn begin(&mut self, offset: u64, recorded_at: Timestamp) -> Result<Adding<'_>, IndexTooLarge> {
        let address = u32::try_from(offset >> 3).map_err(|_| IndexTooLarge)?;
        let first = self.count();
        Ok(Adding { builder: self, address, recorded_at, first, ordinal: first })
    }

    /// The number of a category, mostly the last event's.
    fn category(&mut self, category: &[u8]) -> Result<u32, IndexTooLarge> {
        if let Some(stream) = self.stream_of.last() {
            let last = self.streams.owner(*stream);
            if self.categories.key(last) == category {
                return Ok(last);
            }
        }
        self.category_of(category_hash(self.seed, category), category)
    }

    fn category_of(&mut self, hash: u64, category: &[u8]) -> Result<u32, IndexTooLarge> {
        let (number, is_new) = self.categories.find_or_add(0, hash, category)?;
        if is_new {
            self.category_hashes.push(hash);
        }
        Ok(number)
    }

    fn stream(&mut self, category: u32, stream: &[u8], position: u64) -> Result<u32, IndexTooLarge> {
        let half = self.category_hashes.get(category as usize).copied().unwrap_or_default();
        let hash = hash_in_category(self.seed, half, stream);
        self.stream_of_hash(category, hash, stream, position)
    }

    fn stream_of_hash(&mut self, category: u32, hash: u64, key: &[u8], position: u64) -> Result<u32, IndexTooLarge> {
        let (number, is_new) = self.streams.find_or_add(category, hash, key)?;
        if is_new {
            self.first_positions.push(position);
        }
        Ok(number)
    }

    /// The number of a name, mostly the last event's.
    fn name(&mut self, name: &[u8]) -> Result<u32, IndexTooLarge> {
        if let Some(last) = self.name_of.last()
            && self.names.key(*last) == name
        {
            return Ok(*last);
        }
        let hash = xxh3_64_with_seed(name, self.seed);
        Ok(self.names.find_or_add(0, hash, name)?.0)
    }

    fn note_record(&mut self, record: &SystemRecord) {
        let key = (Arc::clone(&record.namespace), Arc::clone(&record.key));
        let place = *self.record_places.entry(key).or_insert(self.records.len());
        match self.records.get_mut(place) {
            Some(known) => *known = record.clone(),
            None => self.records.push(record.clone()),
        }
    }
}

impl Times {
    fn widen(&mut self, occurred_at: Timestamp) {
        self.least_occurred_at = self.least_occurred_at.min(occurred_at);
        self.greatest_occurred_at = self.greatest_occurred_at.max(occurred_at);
    }
}

/// Notes the times of the event with this number: in the last block, or in one of its own.
#[inline]
fn note_times(blocks: &mut Vec<Times>, ordinal: u32, recorded_at: Timestamp, occurred_at: Timestamp) {
    match blocks.last_mut() {
        Some(times) if !ordinal.is_multiple_of(EVENTS_A_TIME) => times.widen(occurred_at),
        _ => blocks.push(Times {
            first_recorded_at: recorded_at,
            least_occurred_at: occurred_at,
            greatest_occurred_at: occurred_at,
        }),
    }
}

/// The other builder's number of what has this one.
fn mapped(numbers: &[u32], number: u32) -> u32 {
    numbers.get(number as usize).copied().unwrap_or_default()
}

/// A frame whose events are being added.
pub(crate) struct Adding<'b> {
    builder: &'b mut IndexBuilder,
    address: u32,
    recorded_at: Timestamp,
    /// The number of the frame's first event, and of the next one.
    first: u32,
    ordinal: u32,
}

impl Adding<'_> {
    /// Adds the frame's next event.
    pub(crate) fn event(&mut self, event: &IndexedEvent<'_>) -> Result<(), IndexTooLarge> {
        let builder = &mut *self.builder;
        let category = builder.category(event.category)?;
        let stream = match builder.stream_of.last() {
            // Events of a transaction mostly have the stream of the one before.
            Some(last) if self.ordinal > self.first && builder.streams.is(*last, category, event.stream) => *last,
            _ => builder.stream(category, event.stream, event.position)?,
        };
        let name = builder.name(event.name)?;
        builder.stream_of.push(stream);
        builder.name_of.push(name);
        note_times(&mut builder.times, self.ordinal, self.recorded_at, event.occurred_at);
        if builder.behind > 0 {
            let ordinal = builder.behind.checked_add(self.ordinal).ok_or(IndexTooLarge)?;
            note_times(&mut builder.times_behind, ordinal, self.recorded_at, event.occurred_at);
        }
        if let Some(id) = event.id {
            let half = builder.category_hashes.get(category as usize).copied().unwrap_or_default();
            builder.event_ids.push((event_id_hash(builder.seed, half, id), self.ordinal));
        }
        self.ordinal = self.ordinal.checked_add(1).filter(|ordinal| *ordinal < u32::MAX).ok_or(IndexTooLarge)?;
        Ok(())
    }

    /// Ends the frame: notes its transaction's id and its records.
    pub(crate) fn finish(self, transaction: Option<&str>, records: &[SystemRecord]) {
        let Self { builder, address, recorded_at, first, ordinal } = self;
        if ordinal > first {
            builder.frames.push((first, address));
            builder.first_recorded_at.get_or_insert(recorded_at);
        }
        if let Some(id) = transaction {
            builder.transactions.push((transaction_hash(builder.seed, id), address));
        }
        records.iter().for_each(|record| builder.note_record(record));
    }
}
