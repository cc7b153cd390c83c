//! Figures about a store.

use super::time::Timestamp;

/// Figures about a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Events in the log.
    pub events: u64,
    /// Transactions with events.
    pub transactions: u64,
    /// Categories with events.
    pub categories: u64,
    /// Streams with events.
    pub streams: u64,
    /// Segments in use; 0 in memory.
    pub segments: u64,
    /// Complete segments whose index is in memory still, and not in a file. More than four that were filled by appends slow the
    /// writer down.
    pub unindexed_segments: u64,
    /// Bytes of frames in all segments: what the log takes apart from room kept ready.
    pub log_bytes: u64,
    /// Bytes of all files, room kept ready included.
    pub file_bytes: u64,
    /// Bytes of memory that the indexes take.
    pub index_bytes: u64,
    /// How often, since the store was opened, an append was to a stream that is new and that the writer could not know to be new
    /// by itself, so that the indexes were asked.
    pub index_misses: u64,
    /// How many indexes of complete segments were searched for such a stream in vain. Their filters let one in 65,536 pass.
    pub index_searches_in_vain: u64,
    /// When the first transaction was recorded.
    pub first_recorded_at: Option<Timestamp>,
    /// When the last transaction was recorded.
    pub last_recorded_at: Option<Timestamp>,
}
