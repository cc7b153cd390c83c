//! What a query by a selector asks for: bounds, direction and limit; and what answering it took.

use super::limit::LimitExceeded;
use super::number::{Revision, SequenceNumber};
use super::query::ScanQuery;
use super::selector::Selector;
use super::time::Timestamp;
use std::fmt;

/// A question to an adapter: which of the events that a selector selects, in which order. Bounds are in log order whatever the
/// direction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SelectQuery {
    /// Which events.
    pub selector: Selector,
    /// Only events from this one on.
    pub from: Option<SequenceNumber>,
    /// Only events up to and with this one.
    pub until: Option<SequenceNumber>,
    /// The log as it was at this revision; without it, as it is when the query begins.
    pub at: Option<Revision>,
    /// Only events that occurred then or before.
    pub occurred_until: Option<Timestamp>,
    /// Newest first.
    pub reverse: bool,
    /// At most so many, counted after ordering; 0 is none.
    pub limit: Option<u64>,
    /// How they are found.
    pub access: Access,
}

/// How selected events are found. Whatever it is, they are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Access {
    /// As the adapter thinks best.
    #[default]
    Best,
    /// By the indexes, where the adapter has any.
    Index,
    /// By looking at every event.
    Scan,
}

impl SelectQuery {
    /// Everything that `selector` selects, oldest first.
    #[must_use]
    pub fn new(selector: impl Into<Selector>) -> Self {
        Self {
            selector: selector.into(),
            from: None,
            until: None,
            at: None,
            occurred_until: None,
            reverse: false,
            limit: None,
            access: Access::Best,
        }
    }

    /// Checks that the selector keeps its limits. Every adapter does before it begins.
    ///
    /// # Errors
    /// What there is too much of.
    pub fn check(&self) -> Result<(), LimitExceeded> {
        self.selector.check()
    }

    /// The scan of the whole log within the same bounds, without a limit.
    pub(crate) fn scan(&self) -> ScanQuery {
        ScanQuery { from: self.from, until: self.until, at: self.at, reverse: self.reverse, ..ScanQuery::default() }
    }
}

/// What answering a query has taken so far, and how it was done.
///
/// The figures are what was looked at, not what was found: a query that finds ten events by looking at a million says so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// How events are found, in words; one line for each way that was taken.
    pub plan: Vec<String>,
    /// Parts of the log that were looked at. Each has an index of its own.
    pub parts: u64,
    /// Parts of those of which a filter or a name that is not there told at once that they have none.
    pub parts_without: u64,
    /// Names that were looked up or compared.
    pub names: u64,
    /// Entries of the index that were looked at: places in lists of events.
    pub entries: u64,
    /// Events that were read to see whether they are meant. Several may stand in one frame.
    pub frames: u64,
    /// Events that were found.
    pub found: u64,
}

impl Explanation {
    /// Adds what another one says.
    pub fn add(&mut self, other: &Self) {
        for line in &other.plan {
            if !self.plan.contains(line) {
                self.plan.push(line.clone());
            }
        }
        self.parts += other.parts;
        self.parts_without += other.parts_without;
        self.names += other.names;
        self.entries += other.entries;
        self.frames += other.frames;
        self.found += other.found;
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.plan {
            writeln!(f, "{line}")?;
        }
        let Self { parts, parts_without, names, entries, frames, found, .. } = self;
        writeln!(f, "{parts} parts of the log, {parts_without} of them without any by their names alone")?;
        write!(f, "{names} names, {entries} entries of indexes and {frames} events looked at, {found} found")
    }
}
