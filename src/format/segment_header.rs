//! The header of a segment: which store, which segment, which format, and the salt of its checksums.

use super::bytes::Fields;
use crate::vocabulary::time::Timestamp;

/// The first bytes of every segment.
pub(crate) const MAGIC: [u8; 8] = *b"STRATLOG";
/// The format that this version writes, and the newest that it reads.
pub(crate) const FORMAT: u16 = 0;
/// Where frames begin. A block of its own, so that no write of frames touches the header again.
pub(crate) const HEADER_BYTES: u64 = 4_096;
/// The part of the header that holds fields; zeros follow.
pub(crate) const HEADER_FIELDS: usize = 128;
/// Where the header's checksum stands.
const CRC_AT: usize = HEADER_FIELDS - 4;

/// What is known of a segment when it is prepared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) store_id: [u8; 16],
    /// 1 for the first segment of a store.
    pub(crate) number: u64,
    /// Random for every segment: seeds its frames' checksums.
    pub(crate) salt: u64,
    /// The file's length in bytes.
    pub(crate) length: u64,
    pub(crate) created_at: Timestamp,
}

/// Why bytes are not a segment's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// Not a segment at all, or damaged.
    Invalid(&'static str),
    /// A later format, or features that this version does not know.
    Newer { format: u16, incompatible: u32 },
}

impl SegmentHeader {
    /// The header's bytes, without the zeros up to [`HEADER_BYTES`].
    pub(crate) fn encode(&self) -> [u8; HEADER_FIELDS] {
        let mut out = Vec::with_capacity(HEADER_FIELDS);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&4_096_u16.to_le_bytes());
        // Feature bits: compatible, needed for reading, needed for anything. None are in use.
        out.extend_from_slice(&[0; 12]);
        out.extend_from_slice(&self.store_id);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.salt.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.created_at.unix_seconds().to_le_bytes());
        out.extend_from_slice(&self.created_at.subsecond_nanoseconds().to_le_bytes());
        out.resize(CRC_AT, 0);
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        let mut header = [0; HEADER_FIELDS];
        header.copy_from_slice(&out);
        header
    }

    /// Reads a header.
    ///
    /// # Errors
    /// [`HeaderFault`]. The checksum comes first: every later format keeps these 128 bytes' checksum at their end.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let invalid = || HeaderFault::Invalid("the header is cut short");
        let mut fields = Fields::new(bytes, 0);
        if fields.bytes(8).ok_or_else(invalid)? != MAGIC {
            return Err(HeaderFault::Invalid("the header does not begin with STRATLOG"));
        }
        let format = fields.u16().ok_or_else(invalid)?;
        let header_bytes = fields.u16().ok_or_else(invalid)?;
        let _compatible = fields.u32().ok_or_else(invalid)?;
        let read_compatible = fields.u32().ok_or_else(invalid)?;
        let incompatible = fields.u32().ok_or_else(invalid)?;
        let header = bytes.get(..HEADER_FIELDS).ok_or_else(invalid)?;
        let crc = Fields::new(header, CRC_AT).u32().ok_or_else(invalid)?;
        if crc != crc32fast::hash(header.get(..CRC_AT).unwrap_or_default()) {
            return Err(HeaderFault::Invalid("the header's checksum does not fit"));
        }
        if format > FORMAT || incompatible | read_compatible != 0 {
            return Err(HeaderFault::Newer { format, incompatible: incompatible | read_compatible });
        }
        if u64::from(header_bytes) != HEADER_BYTES {
            return Err(HeaderFault::Invalid("the header has another length than 4096"));
        }
        let store_id = fields.fixed().ok_or_else(invalid)?;
        let number = fields.u64().ok_or_else(invalid)?;
        let salt = fields.u64().ok_or_else(invalid)?;
        let length = fields.u64().ok_or_else(invalid)?;
        let seconds = fields.i64().ok_or_else(invalid)?;
        let nanoseconds = fields.u32().ok_or_else(invalid)?;
        let created_at = Timestamp::from_unix(seconds, nanoseconds)
            .map_err(|_| HeaderFault::Invalid("the time of creation is outside the years 0001 to 9999"))?;
        Ok(Self { store_id, number, salt, length, created_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> SegmentHeader {
        SegmentHeader {
            store_id: *b"0123456789abcdef",
            number: 3,
            salt: 0xdead_beef,
            length: 1 << 20,
            created_at: Timestamp::from_unix(-5, 7).unwrap(),
        }
    }

    #[test]
    fn headers_round_trip_and_every_flipped_bit_is_found() {
        let bytes = header().encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(header()));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&damaged).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(SegmentHeader::decode(&bytes[..length]).is_err());
        }
    }

    #[test]
    fn a_later_format_says_so() {
        let mut bytes = header().encode();
        bytes[8] = 9;
        let crc = crc32fast::hash(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(SegmentHeader::decode(&bytes), Err(HeaderFault::Newer { format: 9, incompatible: 0 }));
    }
}
