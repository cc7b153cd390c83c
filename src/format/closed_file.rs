//! The file that says where a log was closed in good order.

use super::bytes::Fields;
use super::place::Place;

/// The first eight bytes.
const MAGIC: [u8; 8] = *b"STRATCLO";

/// Where a log was closed, and what its last frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClosedFile {
    pub(crate) store_id: [u8; 16],
    /// The last segment's salt.
    pub(crate) salt: u64,
    /// Behind the last frame.
    pub(crate) end: Place,
    /// The sequence number that the next event has.
    pub(crate) sequence: u64,
    /// The checksum of the last frame.
    pub(crate) link: u32,
}

impl ClosedFile {
    /// Bytes of the file.
    pub(crate) const BYTES: usize = 64;

    /// The file's bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.store_id);
        out.extend_from_slice(&self.salt.to_le_bytes());
        out.extend_from_slice(&self.end.segment.to_le_bytes());
        out.extend_from_slice(&self.end.offset.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.link.to_le_bytes());
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads the file's bytes. Anything that was not written so is `None`.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes, 0);
        let magic = fields.bytes(8)?;
        let closed = Self {
            store_id: fields.fixed()?,
            salt: fields.u64()?,
            end: Place { segment: fields.u64()?, offset: fields.u64()? },
            sequence: fields.u64()?,
            link: fields.u32()?,
        };
        let covered = bytes.get(..fields.at())?;
        let whole = fields.u32()? == crc32fast::hash(covered) && bytes.len() == Self::BYTES;
        (magic == MAGIC && whole).then_some(closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_round_trips_and_every_flipped_bit_is_found() {
        let closed = ClosedFile {
            store_id: *b"0123456789abcdef",
            salt: 7,
            end: Place { segment: 3, offset: 4_240 },
            sequence: 99,
            link: 0xdead_beef,
        };
        let bytes = closed.encode();
        assert_eq!(ClosedFile::decode(&bytes), Some(closed));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ClosedFile::decode(&damaged), None, "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert_eq!(ClosedFile::decode(&bytes[..length]), None);
        }
    }
}
