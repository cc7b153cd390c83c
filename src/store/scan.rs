//! Scans: built step by step, then iterated over as owned events or visited as borrowed ones.

use crate::adapters::{EventCursor, StorageAdapter};
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::{EventRef, StoredEvent};
use crate::vocabulary::number::{Position, Revision, SequenceNumber};
use crate::vocabulary::query::ScanQuery;
use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

/// A scan of a log, category or stream. Nothing is read until it is iterated over or visited; then it sees the log as it is at
/// that moment, whole transactions only, however long it takes.
///
/// Bounds are in log order whatever the direction; the limit counts after ordering.
#[derive(Clone)]
#[must_use = "a scan reads nothing until it is iterated over or visited"]
pub struct Scan {
    adapter: Arc<dyn StorageAdapter>,
    query: ScanQuery,
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scan").field(&self.query).finish()
    }
}

impl Scan {
    pub(super) fn new(adapter: Arc<dyn StorageAdapter>, query: ScanQuery) -> Self {
        Self { adapter, query }
    }

    /// Only events after this one: where a reader that has seen it goes on.
    #[doc(alias = "sequence_number_after")]
    pub fn after(mut self, number: SequenceNumber) -> Self {
        self.query.after = Some(number);
        self
    }

    /// Only events from this one on.
    pub fn from(mut self, number: SequenceNumber) -> Self {
        self.query.from = Some(number);
        self
    }

    /// Only events up to and with this one.
    pub fn until(mut self, number: SequenceNumber) -> Self {
        self.query.until = Some(number);
        self
    }

    /// Only events from this position of the stream on. On a scan of more than one stream, reading fails with
    /// [`ReadError::PositionsNeedStream`].
    pub fn from_position(mut self, position: Position) -> Self {
        self.query.from_position = Some(position);
        self
    }

    /// Only events up to and with this position of the stream. On a scan of more than one stream, reading fails with
    /// [`ReadError::PositionsNeedStream`].
    pub fn until_position(mut self, position: Position) -> Self {
        self.query.until_position = Some(position);
        self
    }

    /// The log as it was at this revision; as it is when iteration begins, where it has not reached that yet.
    pub fn at(mut self, revision: Revision) -> Self {
        self.query.at = Some(revision);
        self
    }

    /// Newest first.
    pub fn reverse(mut self) -> Self {
        self.query.reverse = true;
        self
    }

    /// At most so many events; 0 is none.
    pub fn limit(mut self, events: u64) -> Self {
        self.query.limit = Some(events);
        self
    }

    /// Divides the scan among threads: up to `parts` scans of the log as it is now, which together give what this one would, each
    /// event once. One behind the other they give it in the same order.
    ///
    /// Each has about as many sequence numbers, which of a category or stream need not be as many events. A scan with a limit is
    /// not divided: which events it has depends on all before them. Nor is one of nothing.
    ///
    /// # Errors
    /// [`ReadError`], where the log cannot be asked for how far it goes.
    ///
    /// ```
    /// # use stratalog::*;
    /// let store = EventStore::in_memory();
    /// store.stream("order", "1").publish((0..10).map(|count| NewEvent::new("counted", &count).unwrap()))?;
    /// let parts = store.log().scan().split(4)?;
    /// let sum: u64 = std::thread::scope(|scope| {
    ///     let threads: Vec<_> = parts
    ///         .into_iter()
    ///         .map(|part| scope.spawn(|| part.into_iter().map(|event| event.unwrap().decode::<u64>().unwrap()).sum::<u64>()))
    ///         .collect();
    ///     threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    /// });
    /// assert_eq!(sum, 45);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn split(mut self, parts: usize) -> Result<Vec<Scan>, ReadError> {
        let now = self.adapter.revision()?;
        self.query.at = Some(self.query.at.map_or(now, |at| at.min(now)));
        let range = self.query.range(now.get());
        let length = range.end - range.start;
        let parts = (parts.max(1) as u64).min(length);
        if parts <= 1 || self.query.limit.is_some() {
            return Ok(vec![self]);
        }
        let (step, longer) = (length / parts, length % parts);
        let cut = |part: u64| range.start + part * step + part.min(longer);
        let part = |part: u64| {
            let (first, last) = (SequenceNumber::new(cut(part)), SequenceNumber::new(cut(part + 1) - 1));
            self.clone().from(first).until(last)
        };
        Ok(if self.query.reverse { (0..parts).rev().map(part).collect() } else { (0..parts).map(part).collect() })
    }

    /// Lends the events one by one, without copying them. The visitor may return nothing, or a [`ControlFlow`] to stop early.
    ///
    /// # Errors
    /// [`ReadError::Corrupt`] when an event is damaged, after those before it were lent; [`ReadError::PositionsNeedStream`] for
    /// bounds that do not fit the target; else as every [`ReadError`].
    pub fn visit<V: Visit>(self, mut visitor: impl FnMut(&EventRef<'_>) -> V) -> Result<(), ReadError> {
        self.adapter.scan(&self.query)?.visit(&mut |event| visitor(event).control())
    }

    /// All events of the scan, in memory.
    ///
    /// # Errors
    /// As [`visit`](Self::visit); the events before the error are dropped.
    pub fn read(self) -> Result<Vec<StoredEvent>, ReadError> {
        self.into_iter().collect()
    }

    /// Reads all events into a collection, as [`Iterator::collect`] does.
    ///
    /// # Errors
    /// As [`visit`](Self::visit); the events before the error are dropped.
    pub fn collect<C: FromIterator<StoredEvent>>(self) -> Result<C, ReadError> {
        self.into_iter().collect()
    }
}

/// What a visitor may return: nothing, or whether to go on.
pub trait Visit {
    /// Whether to go on.
    fn control(self) -> ControlFlow<()>;
}

impl Visit for () {
    fn control(self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl Visit for ControlFlow<()> {
    fn control(self) -> ControlFlow<()> {
        self
    }
}

impl IntoIterator for Scan {
    type Item = Result<StoredEvent, ReadError>;
    type IntoIter = ScanIter;

    fn into_iter(self) -> ScanIter {
        let (cursor, failed) = match self.adapter.scan(&self.query) {
            Ok(cursor) => (Some(cursor), None),
            Err(error) => (None, Some(error)),
        };
        ScanIter { cursor, failed, batch: Vec::new().into_iter() }
    }
}

/// Iterates over the events of a scan. Ends after the first error.
pub struct ScanIter {
    cursor: Option<Box<dyn EventCursor>>,
    failed: Option<ReadError>,
    batch: std::vec::IntoIter<StoredEvent>,
}

impl fmt::Debug for ScanIter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScanIter").field("batch", &self.batch.len()).finish_non_exhaustive()
    }
}

impl Iterator for ScanIter {
    type Item = Result<StoredEvent, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(event) = self.batch.next() {
            return Some(Ok(event));
        }
        if let Some(cursor) = &mut self.cursor {
            let mut batch = Vec::new();
            if let Err(error) = cursor.next_batch(&mut batch) {
                self.failed = Some(error);
                self.cursor = None;
            } else if batch.is_empty() {
                self.cursor = None;
            }
            self.batch = batch.into_iter();
            if let Some(event) = self.batch.next() {
                return Some(Ok(event));
            }
        }
        self.failed.take().map(Err)
    }
}

impl std::iter::FusedIterator for ScanIter {}
