//! What has a row in the tables: an engine, or a limit.

use crate::data::Data;
use crate::engines::{Kind, Part};
use crate::error::Result;
use crate::limits::Limit;
use crate::measure::Measured;
use crate::workloads::{self, Extent, Workload};
use std::path::Path;

/// What has a row in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A physical limit.
    Limit(Limit),
    /// An engine.
    Engine(Kind),
}

impl Subject {
    /// All there are, in the order of the tables.
    pub fn all() -> impl Iterator<Item = Self> {
        Limit::ALL.into_iter().map(Self::Limit).chain(Kind::ALL.into_iter().map(Self::Engine))
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Limit(limit) => limit.name(),
            Self::Engine(kind) => kind.name(),
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Limit::named(name).map(Self::Limit).or_else(|| Kind::named(name).map(Self::Engine))
    }

    /// The engine, where it is one.
    pub fn engine(self) -> Option<Kind> {
        match self {
            Self::Limit(_) => None,
            Self::Engine(kind) => Some(kind),
        }
    }

    /// What becomes of it under a workload.
    pub fn part_in(self, workload: Workload) -> Part {
        match self {
            Self::Limit(limit) if limit.of(workload).is_none() => Part::Same,
            Self::Limit(_) => Part::Measured(None),
            Self::Engine(kind) => kind.part_in(workload),
        }
    }

    /// Measures it, in this process.
    ///
    /// # Errors
    /// When it fails.
    pub fn measure(self, workload: Workload, data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
        match self {
            Self::Limit(limit) => limit.measure(workload, data, extent, directory),
            Self::Engine(kind) => workloads::measure(kind, workload, data, extent, directory),
        }
    }
}
