//! The file that says that a store was closed in good order: then what stands behind the log need not be looked at.
//!
//! It is written behind the closing frame, and removed for good before anything is written again. So while it is there, nothing
//! was ever written behind the place that it names.

use crate::disk::Disk;
use crate::format::closed_file::ClosedFile;
use crate::format::place::Place;
use crate::format::segment_header::SegmentHeader;
use crate::log::{CLOSED, put_side_file};
use crate::segment::Chain;
use crate::vocabulary::error::IoFailure;

/// Where and how a log was closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closing(Option<ClosedFile>);

impl Closing {
    /// What the file says of a log that ends at `place` of its last segment.
    pub(super) fn of(header: &SegmentHeader, place: Place, chain: &Chain) -> Self {
        Self(Some(ClosedFile {
            store_id: header.store_id,
            salt: header.salt,
            end: place,
            sequence: chain.sequence,
            link: chain.link,
        }))
    }

    /// What the file says, if there is one that makes sense.
    pub(super) fn read(disk: &dyn Disk) -> Result<Self, IoFailure> {
        let file = disk.open(CLOSED, false)?;
        let mut bytes = [0; ClosedFile::BYTES];
        if file.length() != bytes.len() as u64 {
            return Ok(Self(None));
        }
        file.read_at(0, &mut bytes)?;
        Ok(Self(ClosedFile::decode(&bytes)))
    }

    /// Writes the file. It is a hint: nobody need know if that fails.
    pub(super) fn write(&self, disk: &dyn Disk) {
        if let Some(closed) = &self.0 {
            let _ = put_side_file(disk, CLOSED, &closed.encode(), false);
        }
    }

    /// Removes the file, if there is one. It is gone for good only once the directory is synced.
    pub(super) fn remove(disk: &dyn Disk) -> Result<(), IoFailure> {
        match disk.remove(CLOSED) {
            Err(failure) if failure.source.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }
}
