//! What a simulated store must hold: the oracle, which knows nothing of how the store works.

use crate::engine::Engine;
use crate::vocabulary::event::{EventRef, NewEvent};
use crate::vocabulary::identifier::{Category, Stream};
use crate::vocabulary::payload::Payload;
use crate::vocabulary::query::ScanQuery;
use crate::vocabulary::ticket::Ticket;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::SystemRecord;
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

/// The system record that says which transaction is the last one.
const NAMESPACE: &str = "simulation";
const LAST: &str = "last";
const EVENT_NAMES: [&str; 4] = ["made", "changed", "moved", "undone"];
/// Bytes of the largest payload.
pub(super) const PAYLOAD_MOST: usize = 12 << 10;
/// Payloads are pieces of this.
static PATTERN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut bytes = vec![0; PAYLOAD_MOST + 256];
    fastrand::Rng::with_seed(42).fill(&mut bytes);
    bytes
});

/// An event: where in its stream it is, and how much it holds. All else follows from its transaction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) position: u64,
    pub(super) size: usize,
}

/// A transaction that is in the log, or may be.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// No two transactions of a simulation have the same, and later ones have greater ones.
    pub(super) tag: u64,
    /// How many events were before it.
    pub(super) basis: u64,
    pub(super) stream: usize,
    pub(super) rows: Vec<Row>,
    pub(super) id: Option<Arc<str>>,
}

impl Entry {
    pub(super) fn end(&self) -> u64 {
        self.basis + self.rows.len() as u64
    }

    fn name(&self, index: usize) -> &'static str {
        EVENT_NAMES[(usize::try_from(self.tag).unwrap_or_default() + index) % EVENT_NAMES.len()]
    }

    fn filling(&self, index: usize) -> &'static [u8] {
        let from = (usize::try_from(self.tag).unwrap_or_default() * 7 + index) % 256;
        PATTERN.get(from..from + self.rows[index].size).unwrap_or_default()
    }

    /// Its events, to be appended.
    pub(super) fn events(&self) -> Vec<NewEvent> {
        let event = |index| {
            let mut bytes = self.tag.to_le_bytes().to_vec();
            bytes.extend_from_slice(self.filling(index));
            NewEvent::from_payload(self.name(index), Payload::binary(bytes)).with_observed_at(Timestamp::UNIX_EPOCH)
        };
        (0..self.rows.len()).map(event).collect()
    }

    /// The system record that comes with it.
    pub(super) fn record(&self) -> SystemRecord {
        SystemRecord::set(NAMESPACE, LAST, self.tag.to_le_bytes().to_vec())
    }

    fn is(&self, index: usize, event: &EventRef<'_>, streams: &[Stream]) -> bool {
        let row = self.rows[index];
        let payload = event.payload().bytes();
        event.stream() == streams[self.stream].stream()
            && event.category() == streams[self.stream].category()
            && event.name() == self.name(index)
            && event.position().get() == row.position
            && event.sequence_number().get() == self.basis + index as u64
            && event.transaction_basis().get() == self.basis
            && event.transaction_revision().get() == self.end()
            && event.transaction_id() == self.id.as_deref()
            && payload
                .split_at_checked(8)
                .is_some_and(|(tag, rest)| tag == self.tag.to_le_bytes() && rest == self.filling(index))
    }
}

/// The log as it must be, and as it may be.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) streams: Vec<Stream>,
    /// In the order of the log.
    pub(super) entries: Vec<Entry>,
    /// So many of them were acknowledged: they outlive the process.
    pub(super) acknowledged: usize,
    /// So many were acknowledged as durable: they outlive the power.
    pub(super) durable: usize,
    /// Deferred, accepted, and as far as is known not durable, by tag.
    pub(super) tickets: Vec<(u64, Ticket)>,
    next_tag: u64,
}

impl Model {
    pub(super) fn new() -> Self {
        let names = [("a", "1"), ("a", "2"), ("b", "1"), ("b", ""), ("", "1"), ("c", "long/stream/name")];
        let streams = names.iter().map(|(category, stream)| Stream::new(*category, *stream)).collect();
        Self { streams, entries: Vec::new(), acknowledged: 0, durable: 0, tickets: Vec::new(), next_tag: 1 }
    }

    pub(super) fn revision(&self) -> u64 {
        self.entries.last().map_or(0, Entry::end)
    }

    /// The position of a stream's next event.
    pub(super) fn next_position(&self, stream: usize) -> u64 {
        let of_stream = self.entries.iter().rev().filter(|entry| entry.stream == stream);
        of_stream.filter_map(|entry| entry.rows.last()).map(|row| row.position + 1).next().unwrap_or(0)
    }

    /// A transaction that would follow the last one.
    pub(super) fn propose(&mut self, stream: usize, sizes: &[usize], id: bool) -> Entry {
        let tag = self.next_tag;
        self.next_tag += 1;
        let first = self.next_position(stream);
        let rows = (first..).zip(sizes).map(|(position, size)| Row { position, size: *size }).collect();
        Entry { tag, basis: self.revision(), stream, rows, id: id.then(|| format!("t-{tag}").into()) }
    }

    /// Everything up to a tag was acknowledged.
    pub(super) fn acknowledge(&mut self, tag: u64, durable: bool) {
        let count = self.entries.partition_point(|entry| entry.tag <= tag);
        self.acknowledged = self.acknowledged.max(count);
        if durable {
            self.durable = self.durable.max(count);
        }
    }

    /// The store was closed.
    pub(super) fn acknowledge_all(&mut self) {
        (self.acknowledged, self.durable) = (self.entries.len(), self.entries.len());
    }

    /// The store says that it is durable up to a revision: certain for all up to the last event below it.
    pub(super) fn durable_up_to(&mut self, revision: u64) {
        let known = self.entries.iter().rposition(|entry| !entry.rows.is_empty() && entry.end() <= revision);
        self.durable = self.durable.max(known.map_or(0, |last| last + 1));
    }

    /// The store was opened again and holds so many of the entries: what was not kept never was.
    pub(super) fn settle(&mut self, kept: usize) {
        self.entries.truncate(kept);
        self.tickets.clear();
        (self.acknowledged, self.durable) = (kept, kept);
    }

    /// Reads what an open store shows: all that was acknowledged, and at most what was submitted.
    pub(super) fn judge_visible(&self, engine: &Engine) -> Result<(), String> {
        self.judge(engine, self.acknowledged).map(drop).map_err(|wrong| format!("while it is open: {wrong}"))
    }

    /// Reads the whole store. How many of the entries it holds, at least `floor`: whole ones, the first ones, in order, and
    /// nothing else.
    pub(super) fn judge(&self, engine: &Engine, floor: usize) -> Result<usize, String> {
        let last = engine.record(NAMESPACE, LAST);
        let tag = last.map(|bytes| <[u8; 8]>::try_from(&bytes[..]).map_or(u64::MAX, u64::from_le_bytes));
        let kept = match tag {
            None => 0,
            Some(tag) => {
                let found = self.entries.binary_search_by_key(&tag, |entry| entry.tag);
                found.map_err(|_| format!("the last transaction has the tag {tag}, which was never submitted"))? + 1
            }
        };
        if kept < floor {
            return Err(format!("{kept} transactions are there, and {floor} were promised"));
        }
        let expected = self.entries[..kept].iter().flat_map(|entry| (0..entry.rows.len()).map(move |at| (entry, at)));
        let mut expected = expected.enumerate();
        let mut wrong = None;
        let mut cursor = engine.scan(&ScanQuery::default()).map_err(|error| format!("cannot be scanned: {error}"))?;
        let visited = cursor.visit(&mut |event| match expected.next() {
            Some((_, (entry, index))) if entry.is(index, event, &self.streams) => ControlFlow::Continue(()),
            Some((at, (entry, index))) => {
                wrong = Some(format!("event {at} is not event {index} of transaction {}: {event:?}", entry.tag));
                ControlFlow::Break(())
            }
            None => {
                wrong = Some(format!("an event too many: {event:?}"));
                ControlFlow::Break(())
            }
        });
        visited.map_err(|error| format!("cannot be read: {error}"))?;
        if let Some((at, (entry, _))) = expected.next().filter(|_| wrong.is_none()) {
            wrong = Some(format!("event {at}, of transaction {}, is missing", entry.tag));
        }
        if let Some(wrong) = wrong {
            return Err(format!("of {kept} transactions: {wrong}"));
        }
        // One stream and its category: which, changes with the length of the log.
        let stream = &self.streams[kept % self.streams.len()];
        self.judge_list(engine, kept, ScanQuery::new(stream.clone()), |other| other == stream)?;
        let category = stream.category();
        let query = ScanQuery::new(Category::new(category));
        self.judge_list(engine, kept, query, |other| other.category() == category)?;
        Ok(kept)
    }

    /// Reads a list: it holds what the log holds of it.
    fn judge_list(
        &self,
        engine: &Engine,
        kept: usize,
        query: ScanQuery,
        holds: impl Fn(&Stream) -> bool,
    ) -> Result<(), String> {
        let of_list = self.entries[..kept].iter().filter(|entry| holds(&self.streams[entry.stream]));
        let expected: Vec<u64> = of_list.flat_map(|entry| entry.basis..entry.end()).collect();
        let target = query.target.to_string();
        let mut found = Vec::new();
        let mut cursor = engine.scan(&query).map_err(|error| format!("{target} cannot be scanned: {error}"))?;
        let visited = cursor.visit(&mut |event| {
            found.push(event.sequence_number().get());
            ControlFlow::Continue(())
        });
        visited.map_err(|error| format!("{target} cannot be read: {error}"))?;
        if found == expected { Ok(()) } else { Err(format!("{target} lists {found:?}, and holds {expected:?}")) }
    }
}
