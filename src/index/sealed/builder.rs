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
    pub(crate) category: &'a str,
    pub(crate) stream: &'a str,
    pub(crate) name: &'a str,
    pub(crate) position: u64,
    pub(crate) occurred_at: Timestamp,
    /// The id, if the producer gave it. Those that the store made follow from the event's number.
    pub(crate) id: Option<&'a EventId>,
}

/// The frames do not fit into one index: more than 2^32 events or names, a frame beyond 2^35 bytes, or lists of 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is too much for one index")]
pub(crate) struct IndexTooLarge;

/// Where the event before was entered.
#[derive(Debug, Clone, Copy)]
struct Entered<'a> {
    event: IndexedEvent<'a>,
    category: u32,
    stream: u32,
    name: u32,
}

impl IndexBuilder {
    /// The index of frames whose first event has the number `base`. The seed is [`hash_seed`](crate::index::hash_seed) of the
    /// store's id.
    pub(crate) fn new(hash_seed: u64, base: u64) -> Self {
        Self {
            seed: hash_seed,
            base,
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
            first_recorded_at: None,
            records: Vec::new(),
            record_places: HashMap::new(),
        }
    }

    /// How many events were added.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.stream_of.len()).unwrap_or(u32::MAX)
    }

    /// How many frames with events were added.
    pub(crate) fn transactions(&self) -> u32 {
        u32::try_from(self.frames.len()).unwrap_or(u32::MAX)
    }

    /// Bytes of memory, about.
    pub(crate) fn bytes(&self) -> u64 {
        let names = self.categories.bytes() + self.streams.bytes() + self.names.bytes();
        let events = (self.stream_of.capacity() + self.name_of.capacity()) * 4;
        let pairs = self.frames.capacity() * 8 + (self.transactions.capacity() + self.event_ids.capacity()) * 16;
        let others = self.first_positions.capacity() * 8 + self.times.capacity() * size_of::<Times>();
        (names + events + pairs + others) as u64
    }

    /// Adds the frame at `offset`. The builder is of no more use when that fails.
    pub(crate) fn add<'a>(
        &mut self,
        offset: u64,
        transaction: Option<&str>,
        recorded_at: Timestamp,
        records: &[SystemRecord],
        events: impl Iterator<Item = IndexedEvent<'a>>,
    ) -> Result<(), IndexTooLarge> {
        let address = u32::try_from(offset >> 3).map_err(|_| IndexTooLarge)?;
        let first = self.count();
        let mut ordinal = first;
        let mut before: Option<Entered<'_>> = None;
        for event in events {
            let entered = self.enter(event, before.as_ref())?;
            self.stream_of.push(entered.stream);
            self.name_of.push(entered.name);
            self.note_times(ordinal, recorded_at, event.occurred_at);
            if let Some(id) = event.id {
                let half = self.category_hashes.get(entered.category as usize).copied().unwrap_or_default();
                self.event_ids.push((event_id_hash(self.seed, half, id), ordinal));
            }
            ordinal = ordinal.checked_add(1).filter(|ordinal| *ordinal < u32::MAX).ok_or(IndexTooLarge)?;
            before = Some(entered);
        }
        if ordinal > first {
            self.frames.push((first, address));
            self.first_recorded_at.get_or_insert(recorded_at);
        }
        if let Some(id) = transaction {
            self.transactions.push((transaction_hash(self.seed, id), address));
        }
        for record in records {
            self.note_record(record);
        }
        Ok(())
    }

    /// The numbers of an event's category, stream and name. What is the same as in the event before is not looked up again.
    fn enter<'a>(
        &mut self,
        event: IndexedEvent<'a>,
        before: Option<&Entered<'a>>,
    ) -> Result<Entered<'a>, IndexTooLarge> {
        let category = match before {
            Some(before) if before.event.category == event.category => before.category,
            _ => self.category(event.category)?,
        };
        let stream = match before {
            Some(before) if before.category == category && before.event.stream == event.stream => before.stream,
            _ => self.stream(category, event.stream, event.position)?,
        };
        let name = match before {
            Some(before) if before.event.name == event.name => before.name,
            _ => self.name(event.name)?,
        };
        Ok(Entered { event, category, stream, name })
    }

    fn category(&mut self, category: &str) -> Result<u32, IndexTooLarge> {
        // Mostly the last event's.
        if let Some(stream) = self.stream_of.last() {
            let last = self.streams.owner(*stream);
            if self.categories.key(last) == category.as_bytes() {
                return Ok(last);
            }
        }
        let hash = category_hash(self.seed, category);
        let (number, is_new) = self.categories.find_or_add(0, hash, category.as_bytes())?;
        if is_new {
            self.category_hashes.push(hash);
        }
        Ok(number)
    }

    fn stream(&mut self, category: u32, stream: &str, position: u64) -> Result<u32, IndexTooLarge> {
        let half = self.category_hashes.get(category as usize).copied().unwrap_or_default();
        let hash = hash_in_category(self.seed, half, stream);
        let (number, is_new) = self.streams.find_or_add(category, hash, stream.as_bytes())?;
        if is_new {
            self.first_positions.push(position);
        }
        Ok(number)
    }

    fn name(&mut self, name: &str) -> Result<u32, IndexTooLarge> {
        if let Some(last) = self.name_of.last()
            && self.names.key(*last) == name.as_bytes()
        {
            return Ok(*last);
        }
        let hash = xxh3_64_with_seed(name.as_bytes(), self.seed);
        Ok(self.names.find_or_add(0, hash, name.as_bytes())?.0)
    }

    fn note_times(&mut self, ordinal: u32, recorded_at: Timestamp, occurred_at: Timestamp) {
        match self.times.last_mut() {
            Some(times) if !ordinal.is_multiple_of(EVENTS_A_TIME) => {
                times.least_occurred_at = times.least_occurred_at.min(occurred_at);
                times.greatest_occurred_at = times.greatest_occurred_at.max(occurred_at);
            }
            _ => self.times.push(Times {
                first_recorded_at: recorded_at,
                least_occurred_at: occurred_at,
                greatest_occurred_at: occurred_at,
            }),
        }
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
