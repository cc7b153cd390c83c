//! How each engine was driven, for the report.

use crate::engines::Kind;

/// How an engine was driven, in a paragraph.
pub fn model(kind: Kind) -> &'static str {
    match kind {
        Kind::Stratalog => {
            "its public interface, streams named anew at each call, checks on read as by default. `Os` and `Sync` are its own."
        }
        Kind::StratalogHandles => "the same, with a handle held for each stream.",
        Kind::StratalogUnchecked => "the same, opened with `verify_reads(false)`.",
        Kind::Tephra => {
            "a stream and a category are a tag each; the condition is that no event of the stream's tag stands after the last \
             that the caller saw. It numbers the log, not the stream: the caller counts positions. Its writer gathers what waits."
        }
        Kind::UmaDb => {
            "tags and condition as for Tephra. One thread appends directly; more go through its own writer thread, as in its \
             server. Its reads collect all events before the first is given out."
        }
        Kind::SierraDb => {
            "one bucket and one partition, since only a partition is in order; expected versions are its own. It syncs as soon \
             as one event waits for each thread that appends, or after 1 ms (by default after 50 events or 5 ms: slower here)."
        }
        Kind::Sqlite => {
            "one table, a unique index over category, stream and position, an index over category; write-ahead log, prepared \
             statements, 64 MiB of cache, file mapped. `Sync` is `synchronous = FULL`, `Os` is `NORMAL`."
        }
        Kind::SqliteOff => "the same with `synchronous = OFF`.",
        Kind::Heed => {
            "a database for the log, one that maps category, stream and position to the sequence number, one over category and \
             sequence number. `Sync` is LMDB's default, `Os` is `MDB_NOSYNC`."
        }
        Kind::HeedWritemap => "the same with `MDB_WRITEMAP`.",
        Kind::Redb => "tables as for LMDB. `Sync` is `Durability::Immediate`, `Os` is `Durability::None`.",
        Kind::Fjall => {
            "keyspaces as for LMDB, and one with each stream's version; one batch an append, behind a lock; 256 MiB of cache. \
             `Sync` is `PersistMode::SyncData`, `Os` is `PersistMode::Buffer`."
        }
    }
}
