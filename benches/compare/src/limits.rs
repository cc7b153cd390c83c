//! The physical limits: what a plain loop over mapped memory, or plain writes and syncs, reach on the same data.

mod deferred;
mod durable;
mod frames;

use crate::data::Data;
use crate::error::Result;
use crate::measure::Measured;
use crate::workloads::{Extent, Workload};
use std::path::Path;

/// A limit, which has a row like an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// With a checksum over each frame; what the ratios are to.
    Checked,
    /// Reading without looking at the checksums.
    Unchecked,
}

impl Limit {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Checked, Self::Unchecked];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Checked => "limit",
            Self::Unchecked => "limit-unchecked",
        }
    }

    /// The limit of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.name() == name)
    }

    /// What the limit is, where a workload has one.
    pub fn of(self, workload: Workload) -> Option<&'static str> {
        if self == Self::Unchecked && !workload.is_read() {
            return None;
        }
        match workload {
            _ if is_copy(workload) => Some(
                "one frame an event encoded, its CRC computed, copied into a mapped file that was filled with zeros",
            ),
            Workload::Paced => Some("frames encoded, their CRC computed, copied into a mapped file, at the same pace"),
            Workload::Deferred => {
                Some("frames written, a mebibyte at a time, into a file filled with zeros; a sync when it is full")
            }
            Workload::Sync1 | Workload::SyncPairs => {
                Some("`pwrite` and `fdatasync` of a file that was filled with zeros")
            }
            Workload::Sync8 | Workload::Sync64 => Some(
                "`pwrite` and `fdatasync` of such a file, a batch of frames each, threads gathered by a simple hand-off",
            ),
            Workload::ScanLog => Some("all frames of a mapped file, one after the other, payloads summed"),
            Workload::ReadStreams => Some("frames of a mapped file by a list of their places, a stream at random"),
            Workload::ReadCategory => Some("frames of a mapped file by a list of their places"),
            _ => None,
        }
    }

    /// Measures it, in an empty directory.
    ///
    /// # Errors
    /// When the system fails, or a workload has no limit.
    pub fn measure(self, workload: Workload, data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
        let checked = self == Self::Checked;
        match (workload, workload.threads()) {
            (_, Some(threads)) => durable::append(data, extent, threads, directory),
            (Workload::Sustained, _) => frames::append(data, extent.endless(), directory),
            (Workload::Paced, _) => frames::paced(data, extent, directory),
            (Workload::Deferred, _) => deferred::append(data, extent, directory),
            _ if is_copy(workload) => frames::append(data, extent, directory),
            (Workload::ScanLog, _) => frames::scan(data, extent, checked, directory),
            (Workload::ReadStreams, _) => frames::streams(data, extent, checked, directory),
            (Workload::ReadCategory, _) => frames::categories(data, extent, checked, directory),
            (_, None) => Err(crate::error::Error::NotComparable("there is no limit to this")),
        }
    }
}

/// Whether the limit is a loop that copies frames.
fn is_copy(workload: Workload) -> bool {
    let more = [Workload::AppendLarge, Workload::NewStreams, Workload::Sustained];
    workload.is_os() || more.contains(&workload)
}
