//! The fuzz target of segment headers: any bytes, any fields, and one changed byte.

use super::choices::Choices;
use super::edits;
use crate::format::segment_header::{HEADER_FIELDS, HeaderFault, SegmentHeader};

/// Where a header's checksum stands.
const CRC_AT: usize = HEADER_FIELDS - 4;

/// Reads any bytes as a header, as they are and with the checksum that they should have.
pub(super) fn arbitrary(data: &[u8]) {
    look_at(data);
    let mut sealed = [0; HEADER_FIELDS];
    for (slot, byte) in sealed.iter_mut().zip(data) {
        *slot = *byte;
    }
    if data.first().is_none_or(|first| first & 1 == 0) {
        sealed[..8].copy_from_slice(b"STRATLOG");
    }
    let sum = crc32fast::hash(&sealed[..CRC_AT]);
    sealed[CRC_AT..].copy_from_slice(&sum.to_le_bytes());
    look_at(&sealed);
}

/// What makes sense says the same when it is written and read again; what does not says why.
fn look_at(bytes: &[u8]) {
    match SegmentHeader::decode(bytes) {
        Ok(header) => {
            assert!(SegmentHeader::decode(&header.encode()).is_ok_and(|again| again == header), "{header:?}");
            // Room that is not in use and compatible features are read over; all else is in the fields.
            let plain = bytes[12..16].iter().chain(&bytes[76..CRC_AT]).all(|byte| *byte == 0);
            assert!(!plain || header.encode() == bytes[..HEADER_FIELDS], "{header:?}");
        }
        Err(HeaderFault::Invalid(what)) => assert!(!what.is_empty()),
        Err(HeaderFault::Newer { format, incompatible }) => assert!(format > 0 || incompatible != 0),
    }
}

/// Writes a header of any fields, reads it back, and finds one changed byte.
pub(super) fn damaged(choices: &mut Choices<'_>) {
    let mut store_id = [0; 16];
    store_id[..8].copy_from_slice(&choices.u64().to_le_bytes());
    let header = SegmentHeader {
        store_id,
        number: choices.u64(),
        salt: choices.u64(),
        length: choices.u64(),
        created_at: choices.time(),
    };
    let mut bytes = header.encode();
    assert!(SegmentHeader::decode(&bytes).is_ok_and(|read| read == header), "{header:?}");
    edits::flip(&mut bytes, choices);
    assert!(SegmentHeader::decode(&bytes).is_err(), "a changed byte was not noticed: {header:?}");
}
