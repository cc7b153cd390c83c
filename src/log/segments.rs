//! Segment files: their names, and how one comes to be there in whole or not at all.

use crate::disk::{Disk, DiskFile, Writing};
use crate::format::segment_header::{HEADER_BYTES, SegmentHeader};
use crate::vocabulary::error::IoFailure;
use std::sync::Arc;

const SUFFIX: &str = ".segment";
const TEMPORARY: &str = ".tmp";
const INDEX: &str = ".index";

/// The file name of a segment.
pub(crate) fn segment_name(number: u64) -> String {
    format!("{number:010}{SUFFIX}")
}

/// The number of the segment whose file has this name.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(SUFFIX)?.parse().ok()?;
    (segment_name(number) == name).then_some(number)
}

/// The name of the file that has the index of a segment's frames from `from` on: of all of them, where that is the first.
pub(crate) fn index_name(number: u64, from: u64) -> String {
    if from == HEADER_BYTES { format!("{number:010}{INDEX}") } else { format!("{number:010}-{from:010}{INDEX}") }
}

/// The segment, and the offset of the first frame, whose index the file of this name has.
pub(crate) fn index_of(name: &str) -> Option<(u64, u64)> {
    let stem = name.strip_suffix(INDEX)?;
    let (number, from) = match stem.split_once('-') {
        Some((number, from)) => (number.parse().ok()?, from.parse().ok()?),
        None => (stem.parse().ok()?, HEADER_BYTES),
    };
    (index_name(number, from) == name).then_some((number, from))
}

/// The file that says that a store was closed in good order.
pub(crate) const CLOSED: &str = "CLOSED";

/// Whether a file of this name was being made when the process ended, and is not part of the store.
pub(crate) fn is_temporary(name: &str) -> bool {
    let made = |name: &str| segment_number(name).is_some() || index_of(name).is_some() || name == CLOSED;
    name.strip_suffix(TEMPORARY).is_some_and(made)
}

/// Puts a file beside the segments, whole, in place of one of that name. It is a hint, and nothing is promised of it after a
/// crash: who reads it must tell whether it is whole. One that is mapped is synced first: what is verified once must not change
/// because the system could not write it.
pub(crate) fn put_side_file(
    disk: &dyn Disk,
    name: &str,
    bytes: &[u8],
    sync: bool,
) -> Result<Arc<dyn DiskFile>, IoFailure> {
    let temporary = format!("{name}{TEMPORARY}");
    let file = create_anew(disk, &temporary, bytes.len() as u64, Writing::Once)?;
    let written = file.write_at(0, bytes).and_then(|()| if sync { file.sync() } else { Ok(()) });
    let put = written.and_then(|()| match disk.rename(&temporary, name) {
        Err(failure) if failure.source.kind() == std::io::ErrorKind::AlreadyExists => {
            disk.remove(name)?;
            disk.rename(&temporary, name)
        }
        renamed => renamed,
    });
    if put.is_err() {
        // The first error is the one to report; what is left behind is removed at the next opening.
        let _ = disk.remove(&temporary);
    }
    put.map(|()| file)
}

/// Why there is no new segment.
#[derive(Debug)]
pub(crate) struct NotMade {
    pub(crate) failure: IoFailure,
    /// Whether the file has its name, and that could not be made durable.
    pub(crate) named: bool,
}

/// Makes a segment: all blocks allocated and zero, header in place, content and name durable, and mapped. `first_frames` follow
/// the header.
///
/// It is made under a temporary name, synced, renamed, and the directory synced: under its own name a segment always has a valid
/// header, so that a damaged one cannot be taken for an unfinished one.
///
/// # Errors
/// [`NotMade`].
pub(crate) fn create_segment(
    disk: &dyn Disk,
    header: &SegmentHeader,
    writing: Writing,
    first_frames: &[u8],
) -> Result<Arc<dyn DiskFile>, NotMade> {
    let name = segment_name(header.number);
    let temporary = format!("{name}{TEMPORARY}");
    let unnamed = |failure| NotMade { failure, named: false };
    let file = create_anew(disk, &temporary, header.length, writing).map_err(unnamed)?;
    let made = (|| {
        file.write_at(0, &header.encode())?;
        if !first_frames.is_empty() {
            file.write_at(HEADER_BYTES, first_frames)?;
        }
        file.sync()?;
        // Mapped before it has its name: what fails from then on would leave a file that is in the way of the next try.
        file.region()?;
        disk.rename(&temporary, &name)
    })();
    if let Err(error) = made {
        // The first error is the one to report; what is left behind is removed at the next opening too.
        let _ = disk.remove(&temporary);
        return Err(unnamed(error));
    }
    disk.sync_directory().map_err(|failure| NotMade { failure, named: true })?;
    Ok(file)
}

/// Makes a file under a temporary name. One that an earlier failure could not remove is in nobody's way.
fn create_anew(
    disk: &dyn Disk,
    temporary: &str,
    length: u64,
    writing: Writing,
) -> Result<Arc<dyn DiskFile>, IoFailure> {
    match disk.create(temporary, length, writing) {
        Err(failure) if failure.source.kind() == std::io::ErrorKind::AlreadyExists => {
            disk.remove(temporary)?;
            disk.create(temporary, length, writing)
        }
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_belong_together() {
        assert_eq!(segment_name(7), "0000000007.segment");
        assert_eq!(segment_number("0000000007.segment"), Some(7));
        assert_eq!(segment_number(&segment_name(u64::MAX)), Some(u64::MAX));
        for other in ["7.segment", "0000000007.segment.tmp", "LOCK", "x.segment", "+000000007.segment"] {
            assert_eq!(segment_number(other), None, "{other}");
        }
        assert!(is_temporary("0000000007.segment.tmp"));
        for other in ["thesis.tmp", ".tmp", "7.segment.tmp", "0000000007.segment", "0000000007.tmp"] {
            assert!(!is_temporary(other), "{other} is not ours to remove");
        }
    }

    #[test]
    fn index_files_say_what_they_cover() {
        assert_eq!(index_name(7, HEADER_BYTES), "0000000007.index");
        assert_eq!(index_name(7, 8_392_704), "0000000007-0008392704.index");
        assert_eq!(index_of("0000000007-0008392704.index"), Some((7, 8_392_704)));
        assert_eq!(index_of("0000000007.index"), Some((7, HEADER_BYTES)));
        assert_eq!(index_of(&index_name(u64::MAX, u64::MAX)), Some((u64::MAX, u64::MAX)));
        for other in ["7.index", "0000000007-0000004096.index", "0000000007-.index", "0000000007-1.index", "x.index"] {
            assert_eq!(index_of(other), None, "{other}");
            assert!(!is_temporary(&format!("{other}.tmp")), "{other} is not ours");
        }
        assert!(is_temporary("CLOSED.tmp") && is_temporary("0000000007.index.tmp"));
    }
}
