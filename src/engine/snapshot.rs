//! Snapshots: one number and the list of segments. Taking one is two atomic loads.

use super::Engine;
use super::live::LiveSegment;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::reentry;
use std::sync::Arc;

/// The log as it was at one moment.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    /// How many events it holds.
    pub(super) revision: u64,
    pub(super) segments: Arc<Vec<Arc<LiveSegment>>>,
}

impl Engine {
    /// The log as readers see it now.
    ///
    /// # Errors
    /// [`ReadError::Closed`], [`ReadError::CalledFromCondition`].
    pub(super) fn snapshot(&self) -> Result<Snapshot, ReadError> {
        self.admit_read()?;
        Ok(self.take_snapshot())
    }

    /// The log as readers see it now, or saw it last where the store is closed. What was published stays mapped as long as anyone
    /// has it, so it can be read still.
    ///
    /// # Errors
    /// [`ReadError::CalledFromCondition`].
    pub(super) fn snapshot_even_closed(&self) -> Result<Snapshot, ReadError> {
        if reentry::is_judging() {
            return Err(ReadError::CalledFromCondition);
        }
        Ok(self.take_snapshot())
    }

    fn take_snapshot(&self) -> Snapshot {
        let (revision, segments) = self.horizon.snapshot();
        Snapshot { revision, segments }
    }
}

impl Snapshot {
    /// The segment that holds the event with this number, by its place in the list.
    pub(super) fn segment_of(&self, sequence_number: u64) -> Option<usize> {
        self.segments.partition_point(|segment| segment.base() <= sequence_number).checked_sub(1)
    }

    /// One segment of the list.
    pub(super) fn segment(&self, index: usize) -> Option<&Arc<LiveSegment>> {
        self.segments.get(index)
    }
}
