//! A place in the log: which segment, and which offset in its file.

use super::segment_header::HEADER_BYTES;
use std::fmt;

/// A place in the log. Places order as the log does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    /// Bytes from the beginning of the segment's file; a multiple of eight.
    pub(crate) offset: u64,
}

impl Place {
    /// Where the first frame of a segment stands.
    pub(crate) const fn start_of(segment: u64) -> Self {
        Self { segment, offset: HEADER_BYTES }
    }

    /// The place in one number: 32 bits of segment, 32 bits of offset in units of eight bytes.
    pub(crate) const fn pack(self) -> u64 {
        (self.segment << 32) | (self.offset >> 3)
    }

    /// The place in that number.
    pub(crate) const fn unpack(packed: u64) -> Self {
        Self { segment: packed >> 32, offset: (packed & 0xffff_ffff) << 3 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {}, offset {}", self.segment, self.offset)
    }
}

/// Rounds up to a multiple of eight, where the next frame may begin.
pub(crate) const fn aligned(length: u64) -> u64 {
    (length + 7) & !7
}
