//! Segment files: their names, and how one comes to be there in whole or not at all.

use crate::disk::{Disk, DiskFile};
use crate::format::segment_header::SegmentHeader;
use crate::vocabulary::error::IoFailure;
use std::sync::Arc;

const SUFFIX: &str = ".segment";
const TEMPORARY: &str = ".tmp";

/// The file name of a segment.
pub(crate) fn segment_name(number: u64) -> String {
    format!("{number:010}{SUFFIX}")
}

/// The number of the segment whose file has this name.
pub(crate) fn segment_number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(SUFFIX)?.parse().ok()?;
    (segment_name(number) == name).then_some(number)
}

/// Whether a file of this name was being made when the process ended, and is not part of the store.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.strip_suffix(TEMPORARY).is_some_and(|name| segment_number(name).is_some())
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
    wide: bool,
    first_frames: &[u8],
) -> Result<Arc<dyn DiskFile>, NotMade> {
    let name = segment_name(header.number);
    let temporary = format!("{name}{TEMPORARY}");
    let unnamed = |failure| NotMade { failure, named: false };
    let file = create_anew(disk, &temporary, header.length, wide).map_err(unnamed)?;
    let made = (|| {
        file.write_at(0, &header.encode())?;
        if !first_frames.is_empty() {
            file.write_at(crate::format::segment_header::HEADER_BYTES, first_frames)?;
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
fn create_anew(disk: &dyn Disk, temporary: &str, length: u64, wide: bool) -> Result<Arc<dyn DiskFile>, IoFailure> {
    match disk.create(temporary, length, wide) {
        Err(failure) if failure.source.kind() == std::io::ErrorKind::AlreadyExists => {
            disk.remove(temporary)?;
            disk.create(temporary, length, wide)
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
}
