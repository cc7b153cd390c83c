//! What is staged and not yet in its file: bytes by place, and what becomes visible with them.

use super::live::LiveSegment;
use super::{Engine, Records};
use crate::format::place::Place;
use crate::vocabulary::error::IoFailure;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::SystemRecord;
use parking_lot::Mutex;
use std::sync::Arc;

/// A run of frames of one segment.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) segment: Arc<LiveSegment>,
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
}

impl Run {
    fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    /// The bytes from `offset` of segment `number` on, if they are here.
    fn find(&self, number: u64, offset: u64) -> Option<&[u8]> {
        if self.segment.header.number != number || offset < self.offset || offset >= self.end() {
            return None;
        }
        self.bytes.get(usize::try_from(offset - self.offset).ok()?..)
    }
}

/// Frames that become visible together.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) runs: Vec<Run>,
    pub(super) records: Vec<SystemRecord>,
    /// Behind the last frame.
    pub(super) end: Place,
    /// How many events the log holds with the batch.
    pub(super) revision: u64,
    pub(super) recorded_at: Timestamp,
}

impl Batch {
    /// The bytes from `offset` of segment `number` on, if they are in the batch.
    pub(super) fn find(&self, number: u64, offset: u64) -> Option<&[u8]> {
        self.runs.iter().find_map(|run| run.find(number, offset))
    }

    /// Writes the batch to its files, and makes it durable, oldest segment first.
    pub(super) fn write_and_sync(&self) -> Result<(), IoFailure> {
        for run in &self.runs {
            run.segment.file.write_at(run.offset, &run.bytes)?;
        }
        let mut synced = None;
        for run in &self.runs {
            if synced != Some(run.segment.header.number) {
                run.segment.file.sync()?;
                synced = Some(run.segment.header.number);
            }
        }
        Ok(())
    }
}

/// The batch that a leader has taken from the seat, until it is visible. Conditions may need to look into it.
#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<Option<Arc<Batch>>>);

impl InFlight {
    pub(super) fn set(&self, batch: Option<Arc<Batch>>) {
        *self.0.lock() = batch;
    }

    pub(super) fn get(&self) -> Option<Arc<Batch>> {
        self.0.lock().clone()
    }
}

impl Engine {
    /// Lets readers see a batch whose bytes are in their files.
    pub(super) fn publish_batch(&self, batch: &Batch) {
        self.apply_records(&batch.records);
        for run in &batch.runs {
            run.segment.region.publish(run.end());
        }
        self.publish(batch.end, batch.revision, batch.recorded_at);
    }

    /// Moves the watermark. The regions were published before.
    pub(super) fn publish(&self, end: Place, revision: u64, recorded_at: Timestamp) {
        self.note_recorded(revision, recorded_at);
        self.horizon.publish(end, revision);
        self.watch.tell();
    }

    /// The same for the holder of the seat where nobody else publishes: in every durability but `Sync`.
    #[inline]
    pub(super) fn publish_alone(&self, end: Place, revision: u64, recorded_at: Timestamp) {
        self.note_recorded(revision, recorded_at);
        self.horizon.publish_alone(end, revision);
        self.watch.tell();
    }

    #[inline]
    fn note_recorded(&self, revision: u64, recorded_at: Timestamp) {
        if revision > self.horizon.revision() {
            self.first_recorded_at.get_or_init(|| recorded_at);
            *self.last_recorded_at.lock() = Some(recorded_at);
        }
    }

    /// Puts system records into effect.
    pub(super) fn apply_records(&self, records: &[SystemRecord]) {
        if records.is_empty() {
            return;
        }
        apply(&mut self.records.write(), records);
    }
}

/// Puts system records into effect on a map.
pub(super) fn apply(map: &mut Records, records: &[SystemRecord]) {
    for record in records {
        let key = (Arc::clone(&record.namespace), Arc::clone(&record.key));
        match &record.value {
            Some(value) => drop(map.insert(key, value.clone())),
            None => drop(map.remove(&key)),
        }
    }
}
