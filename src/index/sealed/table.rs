//! Streams by their hashes: a table that mostly answers by one look at the memory. What it has is a candidate; the log tells.

use super::Damaged;
use super::checked::{Checked, Section};

/// Bytes of a slot: a stream's number plus one, and the low half of its hash. All zeros: a free slot.
pub(super) const SLOT_BYTES: usize = 8;
/// Slots that are looked at together: as many as a line of memory has.
const NEAR: usize = 8;

/// What a table has for a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Candidate {
    /// No stream of this hash.
    None,
    /// If there is a stream of this hash, this is it.
    One(u32),
    /// More than one that may be it.
    Several,
}

/// How many slots a table of so many streams has: one in five is free, and so there is always one to end at.
pub(super) fn slots(streams: u32) -> u64 {
    if streams == 0 { 0 } else { u64::from(streams) + u64::from(streams) / 4 + 1 }
}

/// Where a hash is looked for first.
pub(super) fn home(hash: u64, slots: u32) -> usize {
    usize::try_from(((hash >> 32) * u64::from(slots)) >> 32).unwrap_or_default()
}

fn low(wide: u64) -> u32 {
    u32::try_from(wide & 0xffff_ffff).unwrap_or_default()
}

/// Writes a table of the hashes of streams, in the order of their numbers.
pub(super) fn put_table(out: &mut Vec<u8>, hashes: &[u64]) {
    let slots = u32::try_from(hashes.len()).ok().and_then(|streams| u32::try_from(slots(streams)).ok());
    // Where that is too much, the section is as well, and is refused.
    let Some(slots) = slots else { return };
    let mut table = vec![0_u64; slots as usize];
    for (number, hash) in (1..).zip(hashes) {
        let mut at = home(*hash, slots);
        while table.get(at).is_some_and(|taken| *taken != 0) {
            at = (at + 1) % table.len();
        }
        if let Some(free) = table.get_mut(at) {
            *free = u64::from(low(*hash)) << 32 | number;
        }
    }
    table.iter().for_each(|slot| out.extend_from_slice(&slot.to_le_bytes()));
}

/// What the table has for a hash, which stands behind where it is looked for first, before any free slot.
pub(super) fn find(file: &Checked, table: &Section, hash: u64) -> Result<Candidate, Damaged> {
    let (slots, tag) = (table.items as usize, low(hash));
    let (mut at, mut left) = (home(hash, table.items), slots);
    let mut found = Candidate::None;
    while left > 0 {
        let near = NEAR.min(slots - at).min(left);
        let bytes = file.part(table, at * SLOT_BYTES, near * SLOT_BYTES)?;
        for slot in bytes.as_chunks().0 {
            let slot = u64::from_le_bytes(*slot);
            if slot == 0 {
                return Ok(found);
            }
            if low(slot >> 32) == tag {
                let number = low(slot).checked_sub(1).ok_or_else(|| table.damaged("a slot without a stream"))?;
                found = match found {
                    Candidate::None => Candidate::One(number),
                    _ => return Ok(Candidate::Several),
                };
            }
        }
        (at, left) = ((at + near) % slots, left - near);
    }
    match slots {
        0 => Ok(found),
        _ => Err(table.damaged("a table without a free slot")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::sealed::{IndexBytes, checked};

    fn table(hashes: &[u64]) -> (Checked, Section) {
        let mut bytes = Vec::new();
        put_table(&mut bytes, hashes);
        let (length, items) = (bytes.len(), u32::try_from(bytes.len() / SLOT_BYTES).unwrap());
        assert_eq!(u64::from(items), slots(u32::try_from(hashes.len()).unwrap()));
        let sums: Vec<u8> = bytes
            .chunks(16_384)
            .enumerate()
            .flat_map(|(block, bytes)| checked::block_crc(1, 2, block, bytes))
            .collect();
        bytes.extend(sums);
        (Checked::new(IndexBytes::Heap(bytes), 2, 1, 0..length), Section { items, start: 0, end: length })
    }

    #[test]
    fn every_stream_is_its_hashs_candidate_and_others_have_none() {
        for count in [0_u64, 1, 2, 3, 8, 100, 5_000] {
            let hashes: Vec<u64> = (1..=count).map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
            let (file, section) = table(&hashes);
            for (number, hash) in (0..).zip(&hashes) {
                assert_eq!(find(&file, &section, *hash), Ok(Candidate::One(number)));
                assert_eq!(find(&file, &section, *hash ^ 1), Ok(Candidate::None));
            }
            assert_eq!(find(&file, &section, 0), Ok(Candidate::None));
            assert_eq!(find(&file, &section, u64::MAX), Ok(Candidate::None));
        }
    }

    #[test]
    fn hashes_that_are_looked_for_at_one_place_are_told_apart_or_told_to_be_several() {
        // All at the last slots, so that the search goes on at the first.
        let hashes: Vec<u64> = (0..20).map(|number| u64::MAX << 32 | number).collect();
        let (file, section) = table(&hashes);
        for (number, hash) in (0..).zip(&hashes) {
            assert_eq!(find(&file, &section, *hash), Ok(Candidate::One(number)));
        }
        assert_eq!(find(&file, &section, u64::MAX << 32 | 20), Ok(Candidate::None));
        let (file, section) = table(&[7 << 40 | 5, 9, 7 << 40 | 5]);
        assert_eq!(find(&file, &section, 7 << 40 | 5), Ok(Candidate::Several));
        assert_eq!(find(&file, &section, 9), Ok(Candidate::One(1)));
    }

    #[test]
    fn a_table_that_makes_no_sense_is_damaged() {
        let full = [1_u64 << 32 | 1; 3].map(u64::to_le_bytes).concat();
        let nobody = [(5_u64 << 32).to_le_bytes(), [0; 8]].concat();
        for (bytes, hash) in [(full, 2), (nobody, 5)] {
            let (length, items) = (bytes.len(), u32::try_from(bytes.len() / SLOT_BYTES).unwrap());
            let bytes = [&bytes[..], &checked::block_crc(1, 2, 0, &bytes)].concat();
            let file = Checked::new(IndexBytes::Heap(bytes), 2, 1, 0..length);
            assert!(find(&file, &Section { items, start: 0, end: length }, hash).is_err());
        }
    }
}
