//! Building indexes and system records while the log is read.

use super::batch::apply;
use super::{LiveSegment, Records};
use crate::disk::DiskFile;
use crate::format::decode::{FrameView, NameCache};
use crate::format::event_id::IdSeed;
use crate::format::frame::Kind;
use crate::format::place::Place;
use crate::format::segment_header::SegmentHeader;
use crate::index::{Addition, HotIndex};
use crate::log::Visitor;
use crate::vocabulary::error::IoFailure;
use crate::vocabulary::event::EventRef;
use crate::vocabulary::time::Timestamp;
use std::sync::{Arc, OnceLock};

/// Builds indexes and records while the log is read.
pub(super) struct Builder<'p> {
    index_seed: u64,
    /// Whether positions are checked too: what verifying does beyond opening.
    thorough: bool,
    pub(super) segments: Vec<LiveSegment>,
    pub(super) records: Records,
    seed: IdSeed,
    pub(super) first_recorded_at: Option<Timestamp>,
    pub(super) events: u64,
    /// What opening has no use for, and a store as it was written does not have: where it was first seen, and what it is.
    pub(super) odd: Option<(Place, &'static str)>,
    pub(super) progress: Option<&'p mut dyn FnMut(u64, u64)>,
}

impl Builder<'_> {
    pub(super) fn new(index_seed: u64, thorough: bool) -> Self {
        Self {
            index_seed,
            thorough,
            segments: Vec::new(),
            records: Records::new(),
            seed: IdSeed::of(&[0; 16]),
            first_recorded_at: None,
            events: 0,
            odd: None,
            progress: None,
        }
    }

    fn next_position(&self, event: &EventRef<'_>) -> u64 {
        let found = self.segments.iter().rev().find_map(|segment| {
            let entry = segment.index.stream(event.category(), event.stream())?;
            Some(segment.index.next_position(entry))
        });
        found.unwrap_or(0)
    }
}

impl Visitor for Builder<'_> {
    fn segment(&mut self, header: &SegmentHeader, file: &Arc<dyn DiskFile>, base: u64) -> Result<(), IoFailure> {
        self.seed = IdSeed::of(&header.store_id);
        self.segments.push(LiveSegment {
            header: header.clone(),
            file: Arc::clone(file),
            region: file.region()?,
            index: HotIndex::new(base, self.index_seed),
            sealed_end: OnceLock::new(),
        });
        Ok(())
    }

    fn frame(&mut self, place: Place, frame: &FrameView<'_>) -> Result<(), &'static str> {
        if frame.header.kind != Kind::Transaction {
            return Ok(());
        }
        let mut names = NameCache::default();
        let mut events = Vec::with_capacity(frame.header.count as usize);
        for index in 0..frame.header.count {
            let parts = frame.event(index, self.seed, None, &mut names).map_err(|_| "an event makes no sense")?;
            events.push(EventRef { data: frame.bytes, parts });
        }
        frame.sections.attributes(frame.bytes).ok_or("the transaction's attributes make no sense")?;
        let records = frame.sections.records(frame.bytes).ok_or("the system records make no sense")?;
        if self.thorough && !self.positions_follow(&events) {
            let what = "an event's position does not follow that of the one before it in its stream";
            self.odd.get_or_insert((place, what));
        }
        let Some(segment) = self.segments.last() else {
            return Err("a frame stands before its segment begins");
        };
        let additions = events.iter().map(|event| Addition {
            category: event.category(),
            stream: event.stream(),
            name: event.name(),
            position: event.parts.position,
        });
        let id = frame.sections.id_text(frame.bytes);
        segment.index.add(place.offset, id, additions).map_err(|_| "the segment holds more than an index can")?;
        apply(&mut self.records, &records);
        self.events += events.len() as u64;
        if !events.is_empty() {
            self.first_recorded_at.get_or_insert(frame.header.recorded_at);
        }
        Ok(())
    }

    fn odd_padding(&mut self, place: Place) {
        self.odd.get_or_insert((place, "the padding behind the frame is not zeros"));
    }

    fn progress(&mut self, done: u64, total: u64) {
        if let Some(progress) = &mut self.progress {
            progress(done, total);
        }
    }
}

impl Builder<'_> {
    fn positions_follow(&self, events: &[EventRef<'_>]) -> bool {
        let mut next = std::collections::HashMap::new();
        for event in events {
            let key = (event.category(), event.stream());
            let expected = *next.entry(key).or_insert_with(|| self.next_position(event));
            if event.parts.position != expected {
                return false;
            }
            next.insert(key, expected.saturating_add(1));
        }
        true
    }
}
