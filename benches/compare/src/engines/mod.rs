//! The engines that are compared: what they are called, how they are opened, and what of them cannot be compared.

mod fjall;
mod keys;
mod lmdb;
mod redb;
mod sierradb;
mod sqlite;
mod stratalog;
mod tephra;
#[cfg(test)]
mod tests;
mod umadb;

use crate::engine::{Engine, Setting};
use crate::error::Result;
use crate::workloads::Workload;

/// Why an engine has no row where appends are not synced.
const ALWAYS_SYNCED: &str = "each append is synced before it is acknowledged, and the library has no way to lift that";
/// Why SierraDB has no row for categories.
const NO_CATEGORIES: &str =
    "only one partition keeps the whole log in order, and a partition has no index over categories";
/// Why the others have no row where a store is much bigger.
const TOO_LONG: &str = "it would take hours to fill such a store with it; the usual one shows how it stands";
/// Why the others have no row where it is about Stratalog and the limit.
const IN_SHORT: &str = "left to the limit and Stratalog, so that a run ends";
const MAY_CORRUPT: &str = "a power cut may corrupt the file, not just lose its end";

/// An engine, in one of the ways to use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Stratalog as by default.
    Stratalog,
    /// Stratalog through handles that are held for each stream.
    StratalogHandles,
    /// Stratalog without checks on read.
    StratalogUnchecked,
    /// Tephra.
    Tephra,
    /// UmaDB's core.
    UmaDb,
    /// SierraDB's engine.
    SierraDb,
    /// SQLite.
    Sqlite,
    /// SQLite that leaves all syncing to the system.
    SqliteOff,
    /// LMDB.
    Heed,
    /// LMDB that writes through the map.
    HeedWritemap,
    /// redb.
    Redb,
    /// fjall.
    Fjall,
}

/// What becomes of an engine under a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// It is measured; with what must be said beside its figures.
    Measured(Option<&'static str>),
    /// It would be another engine's row again.
    Same,
    /// It cannot be compared, for this reason.
    NotComparable(&'static str),
    /// It could be and is not, for this reason.
    LeftOut(&'static str),
}

impl Kind {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 12] = [
        Self::Stratalog,
        Self::StratalogHandles,
        Self::StratalogUnchecked,
        Self::Tephra,
        Self::UmaDb,
        Self::SierraDb,
        Self::Sqlite,
        Self::SqliteOff,
        Self::Heed,
        Self::HeedWritemap,
        Self::Redb,
        Self::Fjall,
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stratalog => "stratalog",
            Self::StratalogHandles => "stratalog-handles",
            Self::StratalogUnchecked => "stratalog-unchecked",
            Self::Tephra => "tephra",
            Self::UmaDb => "umadb",
            Self::SierraDb => "sierradb",
            Self::Sqlite => "sqlite",
            Self::SqliteOff => "sqlite-off",
            Self::Heed => "heed",
            Self::HeedWritemap => "heed-writemap",
            Self::Redb => "redb",
            Self::Fjall => "fjall",
        }
    }

    /// The engine of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it is an event store, and not a store that events were modelled on.
    pub fn is_event_store(self) -> bool {
        self.is_stratalog() || matches!(self, Self::Tephra | Self::UmaDb | Self::SierraDb)
    }

    /// Whether it is Stratalog, in whatever way.
    pub fn is_stratalog(self) -> bool {
        matches!(self, Self::Stratalog | Self::StratalogHandles | Self::StratalogUnchecked)
    }

    /// Whether an append can be acknowledged before it is synced.
    pub fn can_leave_syncs(self) -> bool {
        !matches!(self, Self::Tephra | Self::UmaDb | Self::SierraDb)
    }

    /// What becomes of it under a workload.
    pub fn part_in(self, workload: Workload) -> Part {
        if self.is_stratalog() { self.stratalog_in(workload) } else { self.other_in(workload) }
    }

    fn stratalog_in(self, workload: Workload) -> Part {
        let is_here = match self {
            Self::StratalogHandles => matches!(workload, Workload::Append1Os | Workload::AppendMoreOs),
            Self::StratalogUnchecked => workload.is_read(),
            _ => true,
        };
        if is_here { Part::Measured(None) } else { Part::Same }
    }

    fn other_in(self, workload: Workload) -> Part {
        let (os, sync) = (workload.is_os(), workload.is_sync());
        let killed = workload.killed_at().is_some();
        match self {
            // The same figure as under the first of them.
            _ if matches!(workload, Workload::SyncPairs | Workload::Killed10 | Workload::Killed99) => Part::Same,
            Self::SqliteOff if !os => Part::Same,
            Self::HeedWritemap if !os && !sync => Part::Same,
            Self::Tephra | Self::UmaDb | Self::SierraDb if os => Part::NotComparable(ALWAYS_SYNCED),
            _ if workload.is_alone() && os => Part::LeftOut(IN_SHORT),
            _ if workload.is_alone() => Part::LeftOut(TOO_LONG),
            Self::SierraDb if workload == Workload::ReadCategory => Part::NotComparable(NO_CATEGORIES),
            Self::SqliteOff | Self::Heed | Self::HeedWritemap if os => Part::Measured(Some(MAY_CORRUPT)),
            Self::Redb if os => Part::Measured(Some("a commit stays in the process, and does not survive it")),
            Self::UmaDb if sync => Part::Measured(Some("two syncs a commit")),
            Self::Tephra | Self::UmaDb | Self::SierraDb if workload == Workload::Deferred => {
                Part::Measured(Some("1,000 appends in flight at a time"))
            }
            _ if workload == Workload::Deferred => Part::Measured(Some("1,000 appends in one commit at a time")),
            Self::Redb if killed => Part::Measured(Some("each commit was synced: what is not does not survive a kill")),
            _ => Part::Measured(None),
        }
    }

    /// Opens it.
    ///
    /// # Errors
    /// When it does not open.
    pub fn open(self, setting: &Setting<'_>) -> Result<Box<dyn Engine>> {
        match self {
            Self::Stratalog => stratalog::open(setting, stratalog::Way::Default),
            Self::StratalogHandles => stratalog::open(setting, stratalog::Way::Handles),
            Self::StratalogUnchecked => stratalog::open(setting, stratalog::Way::Unchecked),
            Self::Tephra => tephra::open(setting),
            Self::UmaDb => umadb::open(setting),
            Self::SierraDb => sierradb::open(setting),
            Self::Sqlite => sqlite::open(setting, false),
            Self::SqliteOff => sqlite::open(setting, true),
            Self::Heed => lmdb::open(setting, false),
            Self::HeedWritemap => lmdb::open(setting, true),
            Self::Redb => redb::open(setting),
            Self::Fjall => fjall::open(setting),
        }
    }
}
