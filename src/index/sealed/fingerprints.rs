//! Ids to numbers: sorted hashes with a number each, behind a filter. What is found is a candidate; the log tells.

use super::Damaged;
use super::checked::{Checked, Section};
use super::filter::may_contain;

/// Hashes in order, and what each stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fingerprints {
    pub(super) hashes: Section,
    pub(super) numbers: Section,
    pub(super) filter: Section,
}

impl Fingerprints {
    /// The numbers that stand with this hash, in their order; nearly always none or one.
    pub(super) fn candidates(&self, file: &Checked, hash: u64) -> Result<Vec<u32>, Damaged> {
        let count = self.hashes.items as usize;
        let mut found = Vec::new();
        if count == 0 || !may_contain(file, &self.filter, hash)? {
            return Ok(found);
        }
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if file.u64_at(&self.hashes, middle)? < hash {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        while low < count && file.u64_at(&self.hashes, low)? == hash {
            found.push(file.u32_at(&self.numbers, low)?);
            low += 1;
        }
        Ok(found)
    }
}
