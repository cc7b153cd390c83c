//! The workloads: each a function over an opened engine, with sizes by options.

mod append;
mod durable;
mod flushes;
mod footprint;
mod load;
mod read;
mod reopen;

pub use durable::{Client, durable};
pub use footprint::Footprint;
pub use load::loaded;

use crate::data::Data;
use crate::engines::Kind;
use crate::error::Result;
use crate::measure::Measured;
use std::path::Path;
use std::time::Duration;

/// A workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Workload {
    /// One event a call, not synced.
    Append1Os,
    /// The same, onto the filled store.
    AppendMoreOs,
    /// A hundred events a call, not synced.
    Append100Os,
    /// One event a call, synced, one thread.
    Sync1,
    /// The same, eight threads.
    Sync8,
    /// The same, sixty-four threads.
    Sync64,
    /// All of the log, in order.
    ScanLog,
    /// Whole streams at random.
    ReadStreams,
    /// One category after the other.
    ReadCategory,
    /// Opening what was closed.
    Reopen,
    /// Bytes on disk.
    Bytes,
}

impl Workload {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 11] = [
        Self::Append1Os,
        Self::AppendMoreOs,
        Self::Append100Os,
        Self::Sync1,
        Self::Sync8,
        Self::Sync64,
        Self::ScanLog,
        Self::ReadStreams,
        Self::ReadCategory,
        Self::Reopen,
        Self::Bytes,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Append1Os => "append-1-os",
            Self::AppendMoreOs => "append-more-os",
            Self::Append100Os => "append-100-os",
            Self::Sync1 => "append-1-sync-1",
            Self::Sync8 => "append-1-sync-8",
            Self::Sync64 => "append-1-sync-64",
            Self::ScanLog => "scan-log",
            Self::ReadStreams => "read-streams",
            Self::ReadCategory => "read-category",
            Self::Reopen => "reopen",
            Self::Bytes => "bytes",
        }
    }

    /// What it is, in a line.
    pub fn title(self) -> &'static str {
        match self {
            Self::Append1Os => "Append, 1 event a call, 1 thread, Os",
            Self::AppendMoreOs => "Append onto the filled store, 1 event a call, 1 thread, Os",
            Self::Append100Os => "Append, 100 events a call, 1 thread, Os",
            Self::Sync1 => "Append, 1 event a call, 1 thread, Sync",
            Self::Sync8 => "Append, 1 event a call, 8 threads, Sync",
            Self::Sync64 => "Append, 1 event a call, 64 threads, Sync",
            Self::ScanLog => "Scan of the whole log",
            Self::ReadStreams => "Whole streams at random",
            Self::ReadCategory => "Scan of one category",
            Self::Reopen => "Reopen after a clean close",
            Self::Bytes => "Bytes on disk for each event",
        }
    }

    /// The workload of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|workload| workload.name() == name)
    }

    /// What its figure counts.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Reopen => "ms",
            Self::Bytes => "bytes an event",
            _ => "events/s",
        }
    }

    /// Whether less is better.
    pub fn less_is_better(self) -> bool {
        matches!(self, Self::Reopen | Self::Bytes)
    }

    /// Whether it appends without syncing.
    pub fn is_os(self) -> bool {
        matches!(self, Self::Append1Os | Self::AppendMoreOs | Self::Append100Os)
    }

    /// Whether it appends, and syncs.
    pub fn is_sync(self) -> bool {
        self.threads().is_some()
    }

    /// Whether it reads.
    pub fn is_read(self) -> bool {
        matches!(self, Self::ScanLog | Self::ReadStreams | Self::ReadCategory)
    }

    /// How many threads append and sync, where it does that.
    pub fn threads(self) -> Option<usize> {
        match self {
            Self::Sync1 => Some(1),
            Self::Sync8 => Some(8),
            Self::Sync64 => Some(64),
            _ => None,
        }
    }

    /// Whether it works on the store that was filled beforehand.
    pub fn needs_loaded(self) -> bool {
        self.is_read() || matches!(self, Self::AppendMoreOs | Self::Reopen | Self::Bytes)
    }

    /// Whether it changes that store, and so needs a copy of it.
    pub fn changes_loaded(self) -> bool {
        self == Self::AppendMoreOs
    }
}

/// How long and how much.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Events at most.
    pub events: usize,
    /// How long one measurement goes on, more or less.
    pub time: Duration,
}

/// Measures one engine under one workload, in this process. `directory` is an empty one, or the filled store's where that is
/// needed.
///
/// # Errors
/// When the engine fails, or gives other events than were written.
pub fn measure(kind: Kind, workload: Workload, data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
    match workload {
        Workload::Append1Os => append::append(kind, data, extent, 1, directory),
        Workload::AppendMoreOs => append::append_more(kind, data, extent, directory),
        Workload::Append100Os => append::append(kind, data, extent, 100, directory),
        Workload::Sync1 => durable::append(kind, data, extent, 1, directory),
        Workload::Sync8 => durable::append(kind, data, extent, 8, directory),
        Workload::Sync64 => durable::append(kind, data, extent, 64, directory),
        Workload::ScanLog => read::log(kind, data, extent, directory),
        Workload::ReadStreams => read::streams(kind, data, extent, directory),
        Workload::ReadCategory => read::category(kind, data, extent, directory),
        Workload::Reopen => reopen::reopen(kind, data, directory),
        Workload::Bytes => load::bytes(data, directory),
    }
}
