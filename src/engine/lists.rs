//! Names and figures: categories, streams, statistics.

use super::Engine;
use super::snapshot::Snapshot;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::stats::Stats;
use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::Ordering;

impl Engine {
    /// The names of all categories, in order of their bytes.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn categories(&self) -> Result<Vec<String>, ReadError> {
        Ok(ordered(self.snapshot()?.category_names()))
    }

    /// The names of a category's streams, in order of their bytes.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn streams(&self, category: &str) -> Result<Vec<String>, ReadError> {
        let snapshot = self.snapshot()?;
        let names = snapshot.segments.iter().flat_map(|s| s.index.stream_names(category, snapshot.revision)).collect();
        Ok(ordered(names))
    }

    /// Figures about the store.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn stats(&self) -> Result<Stats, ReadError> {
        let snapshot = self.snapshot()?;
        let segments = &snapshot.segments;
        let streams: HashSet<(&[u8], &[u8])> =
            segments.iter().flat_map(|segment| segment.index.all_streams(snapshot.revision)).collect();
        let prepared = self.prepared_bytes();
        Ok(Stats {
            events: snapshot.revision,
            transactions: segments.iter().map(|segment| segment.index.transactions()).sum(),
            categories: snapshot.category_names().len() as u64,
            streams: streams.len() as u64,
            segments: segments.len() as u64,
            log_bytes: segments.iter().map(|segment| segment.region.published()).sum(),
            file_bytes: segments.iter().map(|segment| segment.header.length).sum::<u64>() + prepared,
            index_bytes: segments.iter().map(|segment| segment.index.bytes()).sum::<u64>()
                + self.known_bytes.load(Ordering::Relaxed),
            first_recorded_at: self.first_recorded_at.get().copied(),
            last_recorded_at: *self.last_recorded_at.lock(),
        })
    }
}

impl Snapshot {
    fn category_names(&self) -> BTreeSet<&[u8]> {
        self.segments.iter().flat_map(|segment| segment.index.category_names(self.revision)).collect()
    }
}

/// Names as text. They were text when they were written, and their checksums were verified when they were read.
fn ordered(names: BTreeSet<&[u8]>) -> Vec<String> {
    names.into_iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}
