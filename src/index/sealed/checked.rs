//! The bytes of an index file, none of which is lent before the checksum of its block was seen to fit.

use super::{Damaged, IndexBytes};
use crate::format::checksum::{block_seed, crc};
use crate::format::index_file::{BLOCK_BYTES, BLOCK_CRC_BYTES};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// A section: which part of the file, and how many entries.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Section {
    pub(super) items: u32,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Section {
    /// One that is not there.
    pub(super) const EMPTY: Section = Section { items: 0, start: 0, end: 0 };

    pub(super) fn len(&self) -> usize {
        self.end - self.start
    }

    /// That something is wrong here.
    pub(super) fn damaged(&self, what: &'static str) -> Damaged {
        Damaged { offset: self.start as u64, what }
    }
}

/// An index file whose header is known to be valid.
#[derive(Debug)]
pub(super) struct Checked {
    bytes: IndexBytes,
    segment: u64,
    salt: u64,
    /// Where the sections lie: whole blocks from the start on, the last one cut short.
    data: Range<usize>,
    /// A bit for every block that was verified. Only facts about bytes that do not change, so no ordering is needed.
    verified: Box<[AtomicU64]>,
}

impl Checked {
    /// `data` lies in the bytes, and behind it the table of its blocks' checksums.
    pub(super) fn new(bytes: IndexBytes, segment: u64, salt: u64, data: Range<usize>) -> Self {
        let words = data.len().div_ceil(BLOCK_BYTES).div_ceil(64);
        Self { bytes, segment, salt, data, verified: (0..words).map(|_| AtomicU64::new(0)).collect() }
    }

    pub(super) fn file_bytes(&self) -> u64 {
        self.bytes.get().len() as u64
    }

    pub(super) fn unfiled(&self) -> Option<&[u8]> {
        match &self.bytes {
            IndexBytes::Mapped(_) => None,
            IndexBytes::Heap(bytes) => Some(bytes),
        }
    }

    pub(super) fn bytes_in_memory(&self) -> u64 {
        let heap = match &self.bytes {
            IndexBytes::Mapped(_) => 0,
            IndexBytes::Heap(bytes) => bytes.len() as u64,
        };
        heap + size_of_val::<[AtomicU64]>(&self.verified) as u64
    }

    /// `length` bytes of a section, `at` bytes behind its beginning.
    pub(super) fn part(&self, section: &Section, at: usize, length: usize) -> Result<&[u8], Damaged> {
        let start = section.start.checked_add(at);
        let end = start.and_then(|start| start.checked_add(length)).filter(|end| *end <= section.end);
        match (start, end) {
            (Some(start), Some(end)) => self.slice(start..end),
            _ => Err(section.damaged("something reaches beyond its section")),
        }
    }

    /// All of a section.
    pub(super) fn whole(&self, section: &Section) -> Result<&[u8], Damaged> {
        self.part(section, 0, section.len())
    }

    /// Entry `index` of a section of four-byte numbers.
    pub(super) fn u32_at(&self, section: &Section, index: usize) -> Result<u32, Damaged> {
        let bytes = self.part(section, index.saturating_mul(4), 4)?;
        bytes.try_into().map(u32::from_le_bytes).map_err(|_| section.damaged("a number is cut short"))
    }

    /// Entries of a section of four-byte numbers, each multiplied by eight: places in the log. So little is done for each that
    /// the memory is asked for many at once.
    pub(super) fn places(&self, section: &Section, indexes: &[u32], out: &mut [u64]) -> Result<(), Damaged> {
        let bytes = self.bytes.get().get(section.start..section.end).unwrap_or_default();
        let before = section.start.saturating_sub(self.data.start);
        for (slot, index) in out.iter_mut().zip(indexes) {
            let at = (*index as usize).saturating_mul(4);
            // Sections begin at multiples of eight, and so does the first block: no number lies in two.
            if !self.is_verified((before + at) / BLOCK_BYTES) {
                self.part(section, at, 4)?;
            }
            let Some(number) = bytes.get(at..).and_then(|bytes| bytes.first_chunk()) else {
                return Err(section.damaged("a number is cut short"));
            };
            *slot = u64::from(u32::from_le_bytes(*number)) << 3;
        }
        Ok(())
    }

    #[inline]
    fn is_verified(&self, block: usize) -> bool {
        self.verified.get(block / 64).is_some_and(|word| word.load(Ordering::Relaxed) >> (block % 64) & 1 != 0)
    }

    /// Asks the memory for so many of its lines, from `at` behind a section's beginning on.
    #[inline]
    pub(super) fn prefetch<const LINES: usize>(&self, section: &Section, at: usize) {
        if let IndexBytes::Mapped(region) = &self.bytes {
            region.prefetch_lines::<LINES>((section.start + at) as u64);
        }
    }

    /// Entry `index` of a section of eight-byte numbers.
    pub(super) fn u64_at(&self, section: &Section, index: usize) -> Result<u64, Damaged> {
        let bytes = self.part(section, index.saturating_mul(8), 8)?;
        bytes.try_into().map(u64::from_le_bytes).map_err(|_| section.damaged("a number is cut short"))
    }

    fn slice(&self, range: Range<usize>) -> Result<&[u8], Damaged> {
        if range.is_empty() {
            return Ok(&[]);
        }
        let bytes = self.bytes.get();
        let outside = Damaged { offset: range.start as u64, what: "a section lies outside" };
        if range.start < self.data.start || range.end > self.data.end {
            return Err(outside);
        }
        let first = (range.start - self.data.start) / BLOCK_BYTES;
        let last = (range.end - 1 - self.data.start) / BLOCK_BYTES;
        for block in first..=last {
            let word = self.verified.get(block / 64).ok_or(outside)?;
            let bit = 1 << (block % 64);
            if word.load(Ordering::Relaxed) & bit == 0 {
                self.verify(bytes, block)?;
                word.fetch_or(bit, Ordering::Relaxed);
            }
        }
        bytes.get(range).ok_or(outside)
    }

    #[cold]
    fn verify(&self, bytes: &[u8], block: usize) -> Result<(), Damaged> {
        let start = self.data.start + block * BLOCK_BYTES;
        let end = (start + BLOCK_BYTES).min(self.data.end);
        self.bytes.provide(start..end)?;
        let entry = self.data.end + block * BLOCK_CRC_BYTES;
        let expected = bytes.get(entry..entry + BLOCK_CRC_BYTES);
        let found = bytes.get(start..end).map(|bytes| block_crc(self.salt, self.segment, block, bytes));
        if found.is_some() && found.as_ref().map(|crc| &crc[..]) == expected {
            Ok(())
        } else {
            Err(Damaged { offset: start as u64, what: "a block's checksum does not fit" })
        }
    }
}

/// The entry of a block in the table of checksums.
pub(super) fn block_crc(salt: u64, segment: u64, block: usize, bytes: &[u8]) -> [u8; BLOCK_CRC_BYTES] {
    crc(block_seed(salt, segment, block as u64), bytes).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_of_a_range_is_verified_and_no_other() {
        let mut bytes: Vec<u8> = vec![7; 3 * BLOCK_BYTES - 5];
        let data = 8..8 + bytes.len();
        let sums: Vec<u8> =
            bytes.chunks(BLOCK_BYTES).enumerate().flat_map(|(block, bytes)| block_crc(1, 2, block, bytes)).collect();
        bytes.splice(0..0, [0; 8]);
        bytes.extend(sums);
        let all = Section { items: 1, start: data.start, end: data.end };
        for damaged in 0..3 {
            let mut bytes = bytes.clone();
            bytes[8 + damaged * BLOCK_BYTES + 3] ^= 1;
            let file = Checked::new(IndexBytes::Heap(bytes), 2, 1, data.clone());
            for (first, last) in [(0, 0), (1, 1), (2, 2), (0, 1), (1, 2), (0, 2)] {
                let (start, end) = (first * BLOCK_BYTES + 100, last * BLOCK_BYTES + 200);
                let fits = !(first..=last).contains(&damaged);
                assert_eq!(file.part(&all, start, end - start).is_ok(), fits, "{damaged} in {first} to {last}");
            }
            assert!(file.whole(&all).is_err());
        }
        let file = Checked::new(IndexBytes::Heap(bytes), 2, 1, data.clone());
        assert_eq!(file.whole(&all).map(<[u8]>::len), Ok(data.len()));
        assert!(file.part(&all, data.len() - 1, 2).is_err() && file.part(&all, usize::MAX, 2).is_err());
        assert!(file.whole(&Section { end: data.end + 1, ..all }).is_err(), "checksums are no data");
    }
}
