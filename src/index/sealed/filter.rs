//! Filters: whether a hash is certainly not among those of a file.
//!
//! Binary fuse filters of 16 bits: of hashes that are not there, one in 65,536 passes.

use super::Damaged;
use super::checked::{Checked, Section};
use crate::format::bytes::Fields;
use xorf::{BinaryFuse16, BinaryFuse16Ref, DmaSerializable, Filter, FilterRef};

/// Bytes before the fingerprints: the filter's descriptor, and room.
const HEAD_BYTES: usize = 24;

/// Writes a filter of hashes that differ. Nothing where none could be made, which reads as "it may be there".
pub(super) fn put_filter(out: &mut Vec<u8>, hashes: &[u64]) {
    let Ok(filter) = BinaryFuse16::try_from(hashes) else { return };
    let mut head = [0; HEAD_BYTES];
    if let Some(descriptor) = head.get_mut(..BinaryFuse16::DESCRIPTOR_LEN) {
        filter.dma_copy_descriptor_to(descriptor);
    }
    out.extend_from_slice(&head);
    for fingerprint in &filter.fingerprints {
        out.extend_from_slice(&fingerprint.to_le_bytes());
    }
}

/// Whether the hash may be among those that the filter was made of. The whole filter is verified at its first use.
pub(super) fn may_contain(file: &Checked, section: &Section, hash: u64) -> Result<bool, Damaged> {
    // Fingerprints are borrowed as numbers of the machine, whose bytes must be in the file's order.
    if section.len() == 0 || cfg!(target_endian = "big") {
        return Ok(true);
    }
    let bytes = file.whole(section)?;
    let Some((head, fingerprints)) = bytes.split_at_checked(HEAD_BYTES) else {
        return Err(section.damaged("a filter is cut short"));
    };
    if !makes_sense(head, fingerprints.len() / 2) || fingerprints.len() % 2 != 0 {
        return Err(section.damaged("a filter makes no sense"));
    }
    if fingerprints.as_ptr().align_offset(BinaryFuse16Ref::FINGERPRINT_ALIGNMENT) != 0 {
        return Ok(true);
    }
    Ok(BinaryFuse16Ref::from_dma(head, fingerprints).contains(&hash))
}

/// Whether the three fingerprints of any hash are among those that are there.
///
/// A hash chooses one from the first `segment_count_length`, and one from each of the two segments behind it.
fn makes_sense(head: &[u8], fingerprints: usize) -> bool {
    let mut fields = Fields::new(head, 8);
    let (Some(length), Some(mask), Some(counted)) = (fields.u32(), fields.u32(), fields.u32()) else {
        return false;
    };
    let all = u64::from(counted) + 2 * u64::from(length);
    length.is_power_of_two()
        && mask == length - 1
        && counted > 0
        && counted % length == 0
        && all == fingerprints as u64
        && u32::try_from(all).is_ok()
}
