//! Finding places in the log by time.

use super::Engine;
use crate::index::PartIndex;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::number::{Revision, SequenceNumber};
use crate::vocabulary::query::ScanQuery;
use crate::vocabulary::time::Timestamp;
use std::ops::ControlFlow;
use std::time::Duration;

impl Engine {
    /// How many events were recorded at `time` or before, as readers see the log. Index files tell to a few hundred events; the
    /// events themselves tell the rest.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn revision_at(&self, time: Timestamp) -> Result<Revision, ReadError> {
        let snapshot = self.snapshot()?;
        let (mut low, mut high) = (0, snapshot.revision);
        let begins_in_time = |index: &PartIndex| index.first_recorded_at().is_some_and(|first| first <= time);
        if let Some(part) = snapshot.segments.iter().rev().find(|part| begins_in_time(part.index())) {
            let later = time.saturating_add(Duration::from_nanos(1));
            if let Some(within) = part.ask(|index| index.recorded_before(later))? {
                low = part.base() + u64::from(within.start);
                if within.end < part.index().count() {
                    high = high.min(part.base() + u64::from(within.end));
                }
            }
        }
        while low < high {
            let middle = low + (high - low) / 2;
            let from = Some(SequenceNumber::new(middle));
            let at = Some(Revision::new(snapshot.revision));
            let query = ScanQuery { from, at, limit: Some(1), ..ScanQuery::default() };
            let mut is_in_time = false;
            self.scan(&query)?.visit(&mut |event| {
                is_in_time = event.recorded_at() <= time;
                ControlFlow::Break(())
            })?;
            if is_in_time {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(Revision::new(low))
    }
}
