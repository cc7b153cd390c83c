//! Floor 5: where events are, by number, stream, category, name and transaction id. Can always be rebuilt from the log.
//!
//! One writer inserts, any number of readers look up, and nobody locks: everything that changes is an atomic, grows by adding
//! chunks that never move, and is reached by readers only through counts that are stored after what they count. Readers ignore
//! what lies beyond their snapshot's revision.

mod chunks;
mod dictionary;
mod hash;
mod hot;
mod ids;
mod known;
#[cfg(all(test, loom))]
mod loom_models;
mod name;
mod ordered;
mod part;
mod postings;
pub(crate) mod sealed;
mod selection;
mod writer_cache;

pub(crate) use hash::{hash_seed, stream_hash};
pub(crate) use hot::{Addition, EntryId, HotIndex, Recent, StoredEvent, Which};
pub(crate) use part::{ListPlace, PartIndex, PostingPlace};
#[cfg(any(test, feature = "testing"))]
pub(crate) use postings::RunPlace;
pub(crate) use selection::{Bounds, Effort, Selection};
pub(crate) use writer_cache::{NextPosition, Spot, WriterCache};
