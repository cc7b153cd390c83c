//! Names and figures: categories, streams, statistics.

use super::making::Making;
use super::snapshot::Snapshot;
use super::{Engine, LiveSegment};
use crate::index::sealed::Damaged;
use crate::index::{PartIndex, Which};
use crate::vocabulary::error::ReadError;
use crate::vocabulary::number::Revision;
use crate::vocabulary::selector::EventField;
use crate::vocabulary::stats::Stats;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

impl Engine {
    /// The names of all categories, in order of their bytes.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn categories(&self) -> Result<Vec<String>, ReadError> {
        let snapshot = self.snapshot()?;
        snapshot.names(|index, add| index.category_names(snapshot.revision, add))
    }

    /// The names of a category's streams, in order of their bytes.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn streams(&self, category: &str) -> Result<Vec<String>, ReadError> {
        let snapshot = self.snapshot()?;
        snapshot.names(|index, add| index.stream_names(category, snapshot.revision, add))
    }

    /// The names of all categories, streams or events of the log as it was at a revision, in order of their bytes.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn names_at(&self, field: EventField, at: Revision) -> Result<Vec<String>, ReadError> {
        let snapshot = self.snapshot()?;
        let limit = at.get().min(snapshot.revision);
        let which = match field {
            EventField::Category => Which::Category,
            EventField::Stream => Which::Stream,
            EventField::Name => Which::Name,
        };
        let mut names = snapshot.names(|index, add| match index.base() < limit {
            true => index.names_of(which, limit, add),
            false => Ok(()),
        })?;
        if field == EventField::Stream {
            names.retain(|name| !name.is_empty());
        }
        Ok(names)
    }

    /// Figures about the store.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(crate) fn stats(&self) -> Result<Stats, ReadError> {
        // A list that is newer than the revision may hold a complete part beyond it, whose figures cannot be told apart.
        let complete = |snapshot: &Snapshot| {
            let known = |part: &LiveSegment| part.base() + u64::from(part.index().count()) <= snapshot.revision;
            snapshot.segments.iter().all(|part| part.index().hot().is_some() || known(part))
        };
        let mut snapshot = self.snapshot()?;
        while !complete(&snapshot) {
            snapshot = self.snapshot()?;
        }
        let segments = &snapshot.segments;
        let categories = snapshot.names(|index, add| index.category_names(snapshot.revision, add))?;
        let prepared = self.prepared_bytes();
        let files = || segments.iter().filter(|part| part.begins_segment());
        Ok(Stats {
            events: snapshot.revision,
            transactions: segments.iter().map(|part| part.index().transactions()).sum(),
            categories: categories.len() as u64,
            streams: segments.iter().map(|part| part.index().born_streams(snapshot.revision)).sum(),
            segments: files().count() as u64,
            unindexed_segments: self.unindexed_segments() as u64,
            log_bytes: files().map(|segment| segment.region.published()).sum(),
            file_bytes: files().map(|segment| segment.header.length).sum::<u64>()
                + segments.iter().map(|part| part.index().file_bytes()).sum::<u64>()
                + prepared,
            index_bytes: segments.iter().map(|part| part.index().bytes()).sum::<u64>()
                + self.known_bytes.load(Ordering::Relaxed)
                // Not while it is in use: then it is about to become a file.
                + self.indexing.try_lock().and_then(|kept| kept.as_deref().map(Making::bytes)).unwrap_or(0),
            index_misses: self.misses.load(Ordering::Relaxed),
            index_searches_in_vain: self.searched_in_vain.load(Ordering::Relaxed),
            first_recorded_at: self.first_recorded_at.get().copied(),
            last_recorded_at: *self.last_recorded_at.lock(),
        })
    }
}

impl Snapshot {
    /// The names that `each` takes from the parts' indexes, each once, in order of their bytes.
    fn names(
        &self,
        each: impl Fn(&PartIndex, &mut dyn FnMut(&[u8])) -> Result<(), Damaged>,
    ) -> Result<Vec<String>, ReadError> {
        let names = RefCell::new(BTreeSet::new());
        for part in self.segments.iter() {
            part.ask(|index| {
                each(index, &mut |name| {
                    let mut names = names.borrow_mut();
                    if !names.contains(name) {
                        names.insert(name.to_vec());
                    }
                })
            })?;
        }
        // They were text when they were written, and what was read of them was verified.
        Ok(names.into_inner().into_iter().map(|name| String::from_utf8_lossy(&name).into_owned()).collect())
    }
}
