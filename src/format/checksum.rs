//! Checksums: CRC-32 (IEEE), seeded with a segment's salt and the place of what it covers.
//!
//! Two seeds never give the same bytes the same checksum, so bytes that were copied elsewhere, left over from a file's earlier
//! life, or written to the wrong place do not pass.

/// The seed of a frame's checksum: from the segment's salt and the frame's offset.
pub(crate) const fn frame_seed(salt: u64, offset: u64) -> u32 {
    fold(salt ^ offset.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// The seed of the checksum of a frame's event: from the frame's seed and the event's index.
pub(crate) const fn event_seed(frame_seed: u32, index: u32) -> u32 {
    fold(((frame_seed as u64) << 32) ^ (index as u64 + 1).wrapping_mul(0xd1b5_4a32_d192_ed03))
}

/// The seed of the checksum of a block of an index file: from the segment's salt and number, and the block's number.
pub(crate) const fn block_seed(salt: u64, segment: u64, block: u64) -> u32 {
    let place = segment.wrapping_mul(0xc2b2_ae3d_27d4_eb4f) ^ (block + 1).wrapping_mul(0x1656_67b1_9e37_79f9);
    fold(salt.rotate_left(32) ^ place)
}

#[expect(clippy::cast_possible_truncation, reason = "folding keeps the low half of a mix of both halves")]
const fn fold(wide: u64) -> u32 {
    let mixed = (wide ^ (wide >> 32)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    (mixed >> 32) as u32 ^ mixed as u32
}

/// The checksum of `bytes` under a seed.
#[inline]
pub(crate) fn crc(seed: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(bytes);
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_elsewhere_have_another_checksum() {
        let here = crc(frame_seed(7, 4_096), b"frame");
        assert_ne!(here, crc(frame_seed(7, 4_104), b"frame"));
        assert_ne!(here, crc(frame_seed(8, 4_096), b"frame"));
        assert_ne!(event_seed(1, 0), event_seed(1, 1));
        let seeds =
            [block_seed(7, 1, 0), block_seed(7, 1, 1), block_seed(7, 2, 0), block_seed(8, 1, 0), frame_seed(7, 0)];
        assert!(seeds.iter().enumerate().all(|(at, seed)| !seeds[..at].contains(seed)));
        assert_eq!(crc(0, b"123456789"), 0xcbf4_3926, "the check value of CRC-32");
    }
}
