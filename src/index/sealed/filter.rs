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

/// What a filter's fingerprints of a hash are found by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    seed: u64,
    /// How many fingerprints a segment has, and how many there are to choose the first one from.
    length: u32,
    counted: u32,
}

impl Shape {
    /// That of a filter which is there and makes sense.
    pub(super) fn of(file: &Checked, section: &Section) -> Option<Self> {
        let head = file.part(section, 0, HEAD_BYTES.min(section.len())).ok()?;
        let mut fields = Fields::new(head, 0);
        let (seed, length, _, counted) = (fields.u64()?, fields.u32()?, fields.u32()?, fields.u32()?);
        (length > 0).then_some(Self { seed, length, counted })
    }

    /// Asks the memory for the fingerprints that are looked at for a hash. Where they are, FORMAT.md tells.
    pub(super) fn prefetch(self, file: &Checked, section: &Section, hash: u64) {
        let mut x = hash.wrapping_add(self.seed);
        x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        x ^= x >> 33;
        let first = u64::try_from((u128::from(x) * u128::from(self.counted)) >> 64).unwrap_or_default();
        let (length, mask) = (u64::from(self.length), u64::from(self.length) - 1);
        for place in [first, (first + length) ^ ((x >> 18) & mask), (first + 2 * length) ^ (x & mask)] {
            let at = HEAD_BYTES.saturating_add(usize::try_from(place).unwrap_or(0).saturating_mul(2));
            if at < section.len() {
                file.prefetch::<1>(section, at);
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::sealed::{IndexBytes, checked};

    fn hashes(count: u64) -> Vec<u64> {
        (1..=count).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
    }

    /// The answer as FORMAT.md tells it.
    fn told(filter: &[u8], hash: u64) -> bool {
        let mut fields = Fields::new(filter, 0);
        let seed = fields.u64().unwrap();
        let (length, _, sum) = (fields.u32().unwrap(), fields.u32().unwrap(), fields.u32().unwrap());
        let mut x = hash.wrapping_add(seed);
        x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        x ^= x >> 33;
        let h0 = u64::try_from((u128::from(x) * u128::from(sum)) >> 64).unwrap();
        let (length, mask) = (u64::from(length), u64::from(length) - 1);
        let places = [h0, (h0 + length) ^ ((x >> 18) & mask), (h0 + 2 * length) ^ (x & mask)];
        let fingerprint = |place: u64| {
            let at = HEAD_BYTES + 2 * usize::try_from(place).unwrap();
            u64::from(u16::from_le_bytes([filter[at], filter[at + 1]]))
        };
        places.map(fingerprint).iter().fold((x ^ (x >> 32)) & 0xffff, |sum, one| sum ^ one) == 0
    }

    #[test]
    fn filters_answer_as_the_document_says_and_pass_all_that_is_there() {
        for count in [1, 2, 3, 5, 64, 1_000, 20_000] {
            let mut bytes = Vec::new();
            put_filter(&mut bytes, &hashes(count));
            assert!(bytes.len() as u64 <= 120 + 3 * count, "{} bytes for {count}", bytes.len());
            let section = Section { items: 1, start: 0, end: bytes.len() };
            let mut file = bytes.clone();
            for (block, bytes) in bytes.chunks(16_384).enumerate() {
                file.extend(checked::block_crc(1, 2, block, bytes));
            }
            let file = Checked::new(IndexBytes::Heap(file), 2, 1, 0..bytes.len());
            let may = |hash| may_contain(&file, &section, hash).unwrap();
            assert!(hashes(count).into_iter().all(|hash| may(hash) && told(&bytes, hash)));
            let passed = (0..10_000).filter(|hash| may(*hash)).count();
            assert!(passed < 5, "{passed} of 10,000 passed");
            assert!((0..10_000).all(|hash| may(hash) == told(&bytes, hash)));
        }
    }

    #[test]
    fn a_filter_whose_segments_do_not_fit_is_refused() {
        let mut bytes = Vec::new();
        put_filter(&mut bytes, &hashes(100));
        let count = (bytes.len() - HEAD_BYTES) / 2;
        assert!(makes_sense(&bytes, count) && !makes_sense(&bytes, count - 1));
        for at in 8..20 {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(!makes_sense(&changed, count), "byte {at}");
        }
    }
}
