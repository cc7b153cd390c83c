//! Floor 5: where events are, by number, stream, category, name and transaction id. Can always be rebuilt from the log.
//!
//! One writer inserts, any number of readers look up, and nobody locks: everything that changes is an atomic, grows by adding
//! chunks that never move, and is reached by readers only through counts that are stored after what they count. Readers ignore
//! what lies beyond their snapshot's revision.

mod chunks;
mod dictionary;
#[cfg_attr(not(any(test, feature = "testing")), expect(dead_code, reason = "asked by sealed indexes"))]
mod hash;
mod hot;
mod known;
#[cfg(all(test, loom))]
mod loom_models;
mod postings;
#[cfg_attr(not(test), expect(dead_code, reason = "the engine is about to use it"))]
pub(crate) mod sealed;
mod transactions;
mod writer_cache;

pub(crate) use hash::hash_seed;
#[cfg(any(test, feature = "testing"))]
pub(crate) use hash::stream_hash;
pub(crate) use hot::{Addition, EntryId, HotIndex};
pub(crate) use postings::RunPlace;
pub(crate) use writer_cache::WriterCache;
