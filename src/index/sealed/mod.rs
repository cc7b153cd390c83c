//! Sealed indexes: files that answer for frames that no longer change what `HotIndex` answers for those that come.
//!
//! An index file covers whole frames of one segment: all of it, or a part of one that is still in use. It is a hint. It can be
//! made again from the log at any time, each of its blocks is verified before it is first used, and whatever is wrong with it is
//! an error that says so. Nothing in it is believed that the log does not prove: what is found through it is checked in the
//! frame.

mod automaton;
mod builder;
mod checked;
mod dictionary;
mod filter;
mod fingerprints;
mod intern;
mod likely;
mod listing;
mod lists;
mod reader;
mod table;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use self::{
    builder::{IndexBuilder, IndexedEvent},
    likely::Likely,
    lists::{Head, PostingBlock, Step},
    reader::{IndexBytes, SealedIndex},
};

use crate::segment::Chain;
use crate::vocabulary::time::Timestamp;

/// What an index covers: whole frames of one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Covers {
    pub(crate) store_id: [u8; 16],
    pub(crate) segment: u64,
    /// The segment's salt.
    pub(crate) salt: u64,
    /// Where the first covered frame begins and where the last ends, as offsets in the segment.
    pub(crate) from: u64,
    pub(crate) end: u64,
    /// Where the last covered frame begins: it shows that the index is of what stands there.
    pub(crate) last: u64,
    /// The number of the first event covered, how many there are, and how many frames with events.
    pub(crate) base: u64,
    pub(crate) count: u32,
    pub(crate) transactions: u32,
    /// What the frames up to the last covered one say about the one that follows.
    pub(crate) chain: Chain,
    /// When the first covered frame with events was recorded.
    pub(crate) first_recorded_at: Option<Timestamp>,
}

/// Something in an index file is not as it was written. The log is none the worse: the index can be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the index is damaged at offset {offset}: {what}")]
pub(crate) struct Damaged {
    /// Where in the file.
    pub(crate) offset: u64,
    pub(crate) what: &'static str,
}

/// Why bytes are not the index that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("this is no index file")]
    NotAnIndex,
    #[error("the index was written by a newer version (format {format}, features {incompatible:#x})")]
    Newer { format: u16, incompatible: u32 },
    #[error("the index belongs to another store, segment, or life of the segment's file")]
    Elsewhere,
    #[error(transparent)]
    Damaged(#[from] Damaged),
}
