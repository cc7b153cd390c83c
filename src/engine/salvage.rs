//! Salvaging: copying what a damaged store proves into a new one, and saying what could not be. Never writes to the old one.

mod walk;

use super::verify::{lock_to_look, verify};
use super::{Verdict, VerifyProgress, open};
use crate::disk::{Disk, RealDisk, rename_directory};
use crate::log::{self, Survey};
use crate::vocabulary::error::{Corruption, Error, IoFailure, OpenError};
use crate::vocabulary::options::{Durability, Limits, OpenMode, Options};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use walk::{Target, Walk};

/// What a salvage is to copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// Every transaction that proves itself. What comes behind a gap gets new sequence numbers and positions.
    #[default]
    Provable,
    /// What stands before the first damage. Every event keeps its numbers.
    Prefix,
}

/// Why bytes were not copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// They are not as they were written, or not there.
    Damaged,
    /// They look like a write that a crash cut short, and nothing left proves that they were ever durable. Opening the store for
    /// writing would remove them.
    Unfinished,
    /// They are behind the first damage, and [`Keep::Prefix`] was asked for.
    BehindDamage,
}

/// A run of transactions that stood one behind the other, and were copied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeptRange {
    /// The segment of the first frame.
    pub segment: u64,
    /// The first frame's offset in its file.
    pub offset: u64,
    /// Transactions copied.
    pub transactions: u64,
    /// Events copied.
    pub events: u64,
    /// The sequence number that the first event had, or would have had.
    pub first_before: u64,
    /// The one that it has in the new store.
    pub first_now: u64,
}

/// Bytes that were not copied.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DroppedRange {
    /// The segment.
    pub segment: u64,
    /// Where the bytes begin in its file.
    pub from: u64,
    /// Behind the last of them. The same as `from` where the file is missing, or nothing tells how many there were.
    pub to: u64,
    /// Why they were not copied.
    pub why: Why,
    /// What stands there.
    pub what: String,
}

/// Events that the log is known to have held, and that were not copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingEvents {
    /// The first one's sequence number.
    pub first: u64,
    /// The last one's.
    pub last: u64,
}

/// What a salvage copied, and what it did not.
///
/// Both lists are as long as there are gaps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SalvageReport {
    /// Events copied.
    pub events: u64,
    /// Transactions copied; those with system records alone among them.
    pub transactions: u64,
    /// What was copied, in order.
    pub kept: Vec<KeptRange>,
    /// What was not, in order.
    pub dropped: Vec<DroppedRange>,
    /// Events that are known to be missing, in order. How many stood behind the last transaction that was copied, nothing tells.
    pub missing: Vec<MissingEvents>,
    /// Whether the frame is lost that says if names are strict: the new store's are not.
    pub settings_lost: bool,
    /// Whether the last frame closes the store. Without it there may have been more, in a newer segment that is gone as a whole,
    /// and nothing tells.
    pub closed: bool,
}

impl SalvageReport {
    /// Whether everything was copied.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.dropped.is_empty() && self.missing.is_empty() && !self.settings_lost
    }
}

/// Copies what the store in the directory `from` proves into a new store `to`, and reports what was not copied.
///
/// Events keep their ids, times, names, payloads and attributes, transactions their ids and recorded times, and system records
/// are copied with them. Sequence numbers and positions are without gaps in the new store: behind a gap they are other ones, and
/// the report says which. The new store has an id and settings of its own; its names are strict if the old one's were.
///
/// Nothing is written to `from`, apart from an empty lock file if there is none. The new store is made as `to` with
/// `.incomplete` behind its name, and gets its name when it is whole, verified and on disk.
///
/// # Errors
/// [`OpenError::AlreadyOpen`], [`OpenError::NotFound`], [`OpenError::NewerFormat`] for the old store; [`OpenError::Io`] where
/// `to` or its `.incomplete` exists, or the system fails; [`AppendError`](crate::AppendError) when the new store cannot be
/// written. Bytes of the old store that cannot be read are no error: they are reported.
pub fn salvage(
    from: &Path,
    to: &Path,
    keep: Keep,
    progress: &mut dyn FnMut(VerifyProgress),
) -> Result<SalvageReport, Error> {
    if !from.is_dir() {
        return Err(OpenError::NotFound { path: from.to_owned() }.into());
    }
    let disk = RealDisk::new(from).map_err(OpenError::from)?;
    let _lock = lock_to_look(&disk)?;
    let incomplete = prepare(from, to)?;
    let report = salvage_on(&disk, keep, progress, &mut |options| Ok(open(&incomplete, options)?))?;
    let copied = verify(&incomplete, &mut |_| {})?;
    if let Verdict::Torn { segment, offset, what } | Verdict::Corrupt { segment, offset, what } = copied.verdict {
        let what = format!("the new store is not as it was written: {what}");
        return Err(OpenError::from(Corruption { segment, offset, what }).into());
    }
    rename_directory(&incomplete, to).map_err(OpenError::from)?;
    Ok(report)
}

/// Checks that the new store can be made, and says under which name.
fn prepare(from: &Path, to: &Path) -> Result<PathBuf, OpenError> {
    let refused = |path: &Path, kind, why: &'static str| {
        OpenError::from(IoFailure::new("make", path, std::io::Error::new(kind, why)))
    };
    let resolve = |path: &Path| {
        let absolute = std::path::absolute(path)?;
        // What does not exist yet is resolved as far as it does.
        let there = absolute.ancestors().find(|above| above.exists()).unwrap_or(&absolute);
        let rest = absolute.strip_prefix(there).unwrap_or(Path::new(""));
        std::io::Result::Ok(there.canonicalize()?.join(rest))
    };
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| OpenError::from(IoFailure::new("resolve", path, error))
    };
    let (inside, target) = (resolve(from).map_err(failed(from))?, resolve(to).map_err(failed(to))?);
    if target.starts_with(&inside) {
        return Err(refused(to, ErrorKind::InvalidInput, "it would lie in the store that is to be salvaged"));
    }
    let mut name = to.file_name().ok_or_else(|| refused(to, ErrorKind::InvalidInput, "it has no name"))?.to_owned();
    name.push(".incomplete");
    let incomplete = to.with_file_name(name);
    if to.symlink_metadata().is_ok() {
        return Err(refused(to, ErrorKind::AlreadyExists, "it exists already"));
    }
    if incomplete.symlink_metadata().is_ok() {
        let why = "it is left of a salvage that did not come to its end; remove it first";
        return Err(refused(&incomplete, ErrorKind::AlreadyExists, why));
    }
    Ok(incomplete)
}

/// Salvages the store on a disk, whose lock the caller has. `open` makes the new store.
pub(crate) fn salvage_on(
    disk: &dyn Disk,
    keep: Keep,
    progress: &mut dyn FnMut(VerifyProgress),
    open: &mut Target<'_>,
) -> Result<SalvageReport, Error> {
    let survey = log::survey(disk)?.ok_or_else(|| OpenError::NotFound { path: disk.path().to_owned() })?;
    let Survey { segments, refused } = survey;
    let mut walk = Walk::new(&segments, keep, open);
    walk.run(progress)?;
    let mut report = walk.finish()?;
    report.dropped.extend(refused.into_iter().map(|refused| DroppedRange {
        segment: refused.segment,
        from: refused.from,
        to: refused.to,
        why: Why::Damaged,
        what: refused.what,
    }));
    report.dropped.sort_by_key(|dropped| (dropped.segment, dropped.from));
    Ok(report)
}

/// How the new store is opened: by a mode that never takes one that is there, and limits that hold whatever the old one held.
fn options(strict_names: Option<bool>) -> Options {
    let limits = Limits { transaction_bytes: usize::MAX, ..Limits::default() };
    let options = Options::new().mode(OpenMode::CreateNew).durability(Durability::Os).limits(limits);
    match strict_names {
        Some(strict) => options.strict_names(strict),
        None => options,
    }
}
