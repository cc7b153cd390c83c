//! The workloads: each a function over an opened engine, with sizes by options.

mod append;
mod catalogue;
mod child;
mod cold;
mod deferred;
mod durable;
mod flushes;
mod footprint;
mod killed;
mod load;
mod memory;
mod onto;
mod paced;
mod read;
mod reopen;

pub use catalogue::{Scale, Start, Workload};
pub use child::work;
pub use durable::{Client, durable};
pub use footprint::Footprint;
pub use load::loaded;
pub use paced::paced;

use crate::data::Data;
use crate::engines::Kind;
use crate::error::Result;
use crate::measure::Measured;
use std::path::Path;
use std::time::Duration;

/// How long and how much.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Events at most.
    pub events: usize,
    /// How long one measurement goes on, more or less.
    pub time: Duration,
    /// The round, from 1: for workloads that go on where the round before stopped.
    pub round: usize,
}

impl Extent {
    /// Without a limit of time.
    #[must_use]
    pub fn endless(self) -> Self {
        Self { time: Duration::MAX, ..self }
    }
}

/// Measures one engine under one workload, in this process. `directory` is an empty one, or the filled store's where that is
/// needed.
///
/// # Errors
/// When the engine fails, or gives other events than were written.
pub fn measure(kind: Kind, workload: Workload, data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
    match workload {
        Workload::Append1Os => append::append(kind, data, extent, 1, directory),
        Workload::Append100Os => append::append(kind, data, extent, 100, directory),
        Workload::Sustained => append::sustained(kind, data, extent, directory),
        Workload::Paced => paced::append(kind, data, extent, directory),
        Workload::Deferred => deferred::append(kind, data, extent, directory),
        Workload::ScanLog => read::log(kind, data, extent, directory),
        Workload::ReadStreams => read::streams(kind, data, extent, directory),
        Workload::ReadCategory => read::category(kind, data, extent, directory),
        Workload::Reopen | Workload::ReopenLarge | Workload::HugeReopen => reopen::reopen(kind, data, directory),
        Workload::Bytes => load::bytes(data, directory),
        Workload::MemoryLong | Workload::MemoryShort | Workload::HugeMemory => memory::memory(kind, data, directory),
        Workload::SmallResident | Workload::HugeResident => read::resident(kind, data, extent, directory),
        Workload::HugeCold => cold::streams(kind, data, extent, directory),
        Workload::NewStreams | Workload::HugeNew => onto::new_streams(kind, data, extent, directory),
        Workload::SmallAppend | Workload::HugeAppend => onto::known_streams(kind, data, extent, directory),
        Workload::AppendMoreOs | Workload::AppendWide | Workload::AppendLarge => {
            append::append_more(kind, data, extent, directory)
        }
        Workload::Sync1 | Workload::SyncPairs | Workload::Sync8 | Workload::Sync64 => {
            durable::append(kind, data, extent, workload.threads().unwrap_or(1), directory)
        }
        Workload::Killed10
        | Workload::Killed50
        | Workload::Killed99
        | Workload::KilledLarge10
        | Workload::KilledLarge50
        | Workload::KilledLarge99 => killed::reopen(kind, data, workload.killed_at().unwrap_or(50), directory),
    }
}
