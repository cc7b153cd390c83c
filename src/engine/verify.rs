//! Verifying a store: every byte is read, and what is wrong is named. Writes nothing.

use super::builder::Builder;
use crate::disk::{self, Disk, DiskFile, Lock, RealDisk};
use crate::format::place::Place;
use crate::format::segment_header::{HEADER_BYTES, HEADER_FIELDS};
use crate::log::{self, Reading, Tail, segment_number};
use crate::vocabulary::error::{Corruption, IoFailure, OpenError};
use std::path::Path;

/// How far reading a store's files has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyProgress {
    /// Bytes read.
    pub done_bytes: u64,
    /// Bytes to read in all.
    pub total_bytes: u64,
}

/// What verifying found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Events that are there, up to where something is wrong.
    pub events: u64,
    /// Transactions with events, up to there.
    pub transactions: u64,
    /// Segments in use.
    pub segments: u64,
    /// Bytes of all segment files.
    pub bytes: u64,
    /// The verdict.
    pub verdict: Verdict,
}

/// Whether a store is as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every byte is as it was written.
    Clean,
    /// The last write was not finished before a crash. Opening the store repairs that; nothing that was durable is lost.
    Torn {
        /// The segment.
        segment: u64,
        /// The offset in its file.
        offset: u64,
        /// What stands there.
        what: String,
    },
    /// Bytes are not as they were written, and a crash cannot explain it.
    Corrupt {
        /// The segment.
        segment: u64,
        /// The offset in its file.
        offset: u64,
        /// What stands there.
        what: String,
    },
}

/// Reads every byte of the store in the directory `path`, and says whether it is as it was written.
/// Reports progress along the way.
///
/// Costs reading all segments once, and memory for the index.
///
/// # Errors
/// [`OpenError::AlreadyOpen`], [`OpenError::NotFound`], [`OpenError::NewerFormat`], [`OpenError::Io`]. Damage is no error here
/// but a [`Verdict`].
pub fn verify(path: &Path, progress: &mut dyn FnMut(VerifyProgress)) -> Result<VerifyReport, OpenError> {
    if !path.is_dir() {
        return Err(OpenError::NotFound { path: path.to_owned() });
    }
    let disk = RealDisk::new(path)?;
    let _lock = lock_to_look(&disk)?;
    verify_on(&disk, progress)
}

/// Keeps others from opening a store while it is looked at, and writes nothing. Leaves a directory without one as it is.
pub(super) fn lock_to_look(disk: &RealDisk) -> Result<Box<dyn Lock>, OpenError> {
    let path = disk.path();
    if !disk.list()?.iter().any(|name| segment_number(name).is_some()) {
        return Err(OpenError::NotFound { path: path.to_owned() });
    }
    let lock = disk.lock_to_look()?;
    lock.ok_or_else(|| OpenError::AlreadyOpen { path: path.to_owned(), process: disk::lock_holder(path) })
}

/// Verifies the store on a disk, whose lock the caller has.
pub(crate) fn verify_on(disk: &dyn Disk, progress: &mut dyn FnMut(VerifyProgress)) -> Result<VerifyReport, OpenError> {
    let not_found = || OpenError::NotFound { path: disk.path().to_owned() };
    let names = disk.list()?;
    let numbers: Vec<u64> = names.iter().filter_map(|name| segment_number(name)).collect();
    if numbers.is_empty() {
        return Err(not_found());
    }
    let mut bytes = 0;
    for number in &numbers {
        bytes += disk.open(&log::segment_name(*number), false)?.length();
    }
    let mut report_progress = |done_bytes, total_bytes| progress(VerifyProgress { done_bytes, total_bytes });
    let mut builder = Builder::thorough();
    builder.progress = Some(&mut report_progress);
    let outcome = log::read(disk, false, &mut builder);
    let verdict = match outcome {
        Ok(Some(reading)) => match builder.odd {
            Some((place, what)) => corrupt(place, what),
            None => beyond_frames(&reading)?,
        },
        Ok(None) => return Err(not_found()),
        Err(OpenError::Corrupt(Corruption { segment, offset, what })) => Verdict::Corrupt { segment, offset, what },
        Err(other) => return Err(other),
    };
    Ok(VerifyReport {
        events: builder.events,
        transactions: builder.segments.iter().map(|segment| segment.index().transactions()).sum(),
        segments: builder.segments.len() as u64,
        bytes,
        verdict,
    })
}

fn corrupt(place: Place, what: &str) -> Verdict {
    Verdict::Corrupt { segment: place.segment, offset: place.offset, what: what.into() }
}

/// Looks at the bytes that no checksum covers: they must be zeros. Recovery does not need them, so opening does not look.
fn beyond_frames(reading: &Reading) -> Result<Verdict, OpenError> {
    let Reading { segments, tail, dead, .. } = reading;
    let last = segments.len().saturating_sub(1);
    for (index, segment) in segments.iter().enumerate() {
        let number = segment.header.number;
        let damaged = |offset, what| corrupt(Place { segment: number, offset }, what);
        if let Some(offset) = first_not_zero(&*segment.file, HEADER_FIELDS as u64, HEADER_BYTES)? {
            return Ok(damaged(offset, "a byte behind the segment's header is not zero"));
        }
        if index < last
            && let Some(offset) = first_not_zero(&*segment.file, segment.end, segment.file.length())?
        {
            return Ok(damaged(offset, "a byte behind the segment's last frame is not zero"));
        }
    }
    // Of a segment that is not in use, the frames' part is judged with the tail; its header's rest is looked at here.
    for (number, file) in dead {
        if let Some(offset) = first_not_zero(&**file, HEADER_FIELDS as u64, HEADER_BYTES)? {
            return Ok(corrupt(Place { segment: *number, offset }, "a byte behind the segment's header is not zero"));
        }
    }
    Ok(match (tail, segments.last()) {
        (Tail::Torn { what, .. }, Some(segment)) => {
            Verdict::Torn { segment: segment.header.number, offset: segment.end, what: (*what).into() }
        }
        _ => Verdict::Clean,
    })
}

fn first_not_zero(file: &dyn DiskFile, from: u64, to: u64) -> Result<Option<u64>, IoFailure> {
    const PIECE: u64 = 1 << 20;
    let mut at = from;
    while at < to {
        let length = PIECE.min(to - at);
        let mut piece = vec![0; usize::try_from(length).unwrap_or_default()];
        file.read_at(at, &mut piece)?;
        if let Some(found) = piece.iter().position(|byte| *byte != 0) {
            return Ok(Some(at + found as u64));
        }
        at += length;
    }
    Ok(None)
}
