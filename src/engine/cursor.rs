//! A scan under way: which events it asks for, read one after the other.

use super::Engine;
use super::numbers::{Numbers, Piece, gone};
use super::reading::Reader;
use super::selected::Selected;
use super::snapshot::Snapshot;
use super::source::Source;
use crate::disk::RegionBytes;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::{EventRef, StoredEvent};
use crate::vocabulary::identifier::Identifier;
use crate::vocabulary::query::ScanQuery;
use crate::vocabulary::select_query::{Explanation, SelectQuery};
use bytes::Bytes;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Events of one batch.
const BATCH: u64 = 256;
/// A scan under way. Sees the log as it was when the scan began.
#[derive(Debug)]
pub(crate) struct Cursor {
    snapshot: Snapshot,
    source: Source,
    /// How many more events are asked for.
    rest: u64,
    /// What is being read.
    piece: Piece,
    reader: Reader,
    /// The bytes of the segment last read from, for owned events.
    bytes: Option<(usize, Bytes)>,
}

impl Engine {
    /// Begins a scan.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn scan(&self, query: &ScanQuery) -> Result<Cursor, ReadError> {
        query.check()?;
        Ok(self.scan_of(query, self.snapshot()?))
    }

    /// Begins a scan of what readers see, or saw last where the store is closed: for who followed the log until then.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn scan_even_closed(&self, query: &ScanQuery) -> Result<Cursor, ReadError> {
        query.check()?;
        Ok(self.scan_of(query, self.snapshot_even_closed()?))
    }

    fn scan_of(&self, query: &ScanQuery, snapshot: Snapshot) -> Cursor {
        let source = Source::Target(Numbers::new(query, &snapshot, self.hash_seed));
        self.cursor(snapshot, source, query.limit)
    }

    /// Begins a query by a selector.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn select(&self, query: &SelectQuery) -> Result<Cursor, ReadError> {
        query.check()?;
        let snapshot = self.snapshot()?;
        let source = Source::Selector(Box::new(Selected::new(query, &snapshot, self.hash_seed)));
        Ok(self.cursor(snapshot, source, query.limit))
    }

    fn cursor(&self, snapshot: Snapshot, source: Source, limit: Option<u64>) -> Cursor {
        // After a failed sync nobody knows what the system's memory will show of what was not durable.
        let verify = self.settings.verify_reads || self.poison().is_some();
        let reader = Reader::new(self.seed, verify);
        let rest = limit.unwrap_or(u64::MAX);
        Cursor { snapshot, source, rest, piece: Piece::default(), reader, bytes: None }
    }

    /// The newest event of a target.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn latest(&self, target: &Identifier) -> Result<Option<StoredEvent>, ReadError> {
        let mut query = ScanQuery::new(target.clone());
        (query.reverse, query.limit) = (true, Some(1));
        let mut newest = None;
        self.scan(&query)?.owned(1, |event, _| newest = Some(event))?;
        Ok(newest)
    }
}

/// An event, and where it was found.
struct Found<'a, 's> {
    event: &'a EventRef<'s>,
    /// The part of the log, by its place in the list.
    part: usize,
    /// Where its frame begins.
    offset: u64,
    /// How many events are sure to follow.
    more: u64,
}

impl Cursor {
    /// What it took so far.
    pub(crate) fn explanation(&self) -> Explanation {
        self.source.explanation()
    }

    /// Appends the next events to `batch`.
    ///
    /// # Errors
    /// [`ReadError`]; after one the cursor is at its end.
    pub(crate) fn next_batch(&mut self, batch: &mut Vec<StoredEvent>) -> Result<(), ReadError> {
        self.owned(BATCH, |event, more| {
            // Growing step by step would move each event twice.
            if batch.len() == batch.capacity() {
                batch.reserve(1 + usize::try_from(more).unwrap_or_default());
            }
            batch.push(event);
        })
    }

    /// Gives the next events, `most` at most, owned.
    fn owned(&mut self, most: u64, mut take: impl FnMut(StoredEvent, u64)) -> Result<(), ReadError> {
        let mut bytes = self.bytes.take();
        let outcome = self.read(most, |snapshot, found| {
            let data = match &bytes {
                Some((known, bytes)) if *known == found.part => bytes,
                _ => {
                    let segment =
                        snapshot.segment(found.part).ok_or_else(|| gone(found.event.parts.sequence_number))?;
                    let owner = RegionBytes::new(Arc::clone(&segment.region), u64::MAX);
                    &bytes.insert((found.part, Bytes::from_owner(owner))).1
                }
            };
            let start = usize::try_from(found.offset).map_err(|_| gone(found.event.parts.sequence_number))?;
            // The owner holds all that was published when it was made, and a scan reads nothing that was not published before.
            let data = data.slice(start..start + found.event.data.len());
            take(StoredEvent { data, parts: found.event.parts.clone() }, found.more);
            Ok(ControlFlow::Continue(()))
        });
        self.bytes = bytes;
        outcome
    }

    /// Lends the remaining events.
    ///
    /// # Errors
    /// [`ReadError`]; after one the cursor is at its end.
    pub(crate) fn visit(&mut self, visitor: &mut dyn FnMut(&EventRef<'_>) -> ControlFlow<()>) -> Result<(), ReadError> {
        self.read(u64::MAX, |_, found| Ok(visitor(found.event)))
    }

    /// Gives the next events, `most` at most. When `take` breaks, the cursor is at its end.
    fn read(
        &mut self,
        most: u64,
        mut take: impl FnMut(&Snapshot, Found<'_, '_>) -> Result<ControlFlow<()>, ReadError>,
    ) -> Result<(), ReadError> {
        let Self { snapshot, source, rest, piece, reader, .. } = self;
        let mut left = most.min(*rest);
        *rest -= left;
        let mut slot = reader.slot();
        while left > 0 {
            if piece.is_empty() {
                source.next(snapshot, left, piece).inspect_err(|_| *rest = 0)?;
                if piece.is_empty() {
                    *rest = 0;
                    break;
                }
            }
            let outcome = match piece.run.is_empty() {
                false => {
                    let (part, begun) = (piece.part, piece.run.start);
                    let segment = snapshot.segment(part).ok_or_else(|| gone(begun)).inspect_err(|_| *rest = 0)?;
                    let mut take =
                        |event: &EventRef<'_>, offset, more| take(snapshot, Found { event, part, offset, more });
                    let outcome = reader.read_run(segment, &mut piece.run, left, &mut slot, &mut take);
                    left -= piece.run.start - begun;
                    outcome
                }
                true => {
                    let mut take =
                        |event: &EventRef<'_>, part, offset, more| take(snapshot, Found { event, part, offset, more });
                    reader.read_list((snapshot, source), &mut piece.list, &mut left, &mut slot, &mut take)
                }
            };
            if outcome.inspect_err(|_| *rest = 0)?.is_break() {
                *rest = 0;
                break;
            }
        }
        Ok(())
    }
}
