//! Lists of ascending numbers: who occurs where. In blocks of 128 numbers, so that any of them is found without those before it.
//!
//! A list begins with how many numbers it has, and a stream's with the position of its first event. Up to 128 numbers follow at
//! once: the first as it is, the others as gaps. Of a longer list there is a table first: for each block its first number, and
//! where its gaps end. A gap of 0 means a run: so many numbers follow, each one more than the one before.

use super::Damaged;
use super::checked::{Checked, Section};
use crate::format::bytes::{Fields, put_varint};
use crate::format::index_file::BLOCK_NUMBERS;

const BLOCK: u32 = 128;
/// Bytes of a block's entry in the table of a long list.
const SKIP_BYTES: usize = 8;
/// What a list's beginning takes at most: three numbers.
const HEAD_BYTES: usize = 25;
/// As many steps of one as are written as a run.
const SHORTEST_RUN: usize = 3;

/// Up to 128 numbers of a list, decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PostingBlock {
    /// The index of the first of them in the list.
    pub(crate) start: u32,
    pub(crate) len: u32,
    numbers: [u32; BLOCK_NUMBERS],
}

impl Default for PostingBlock {
    fn default() -> Self {
        Self { start: 0, len: 0, numbers: [0; BLOCK_NUMBERS] }
    }
}

impl PostingBlock {
    /// The numbers.
    pub(crate) fn numbers(&self) -> &[u32] {
        self.numbers.get(..self.len as usize).unwrap_or_default()
    }

    /// The number at `index` of the list, if this block holds it.
    pub(crate) fn get(&self, index: u32) -> Option<u32> {
        self.numbers().get(index.checked_sub(self.start)? as usize).copied()
    }

    /// Decodes `count` numbers, 128 at most: the first and the gaps to the others. All must be below `limit`.
    fn fill(&mut self, start: u32, count: u32, first: u32, gaps: &[u8], limit: u32) -> Option<()> {
        decode(self.numbers.get_mut(..count as usize)?, first, gaps, limit)?;
        (self.start, self.len) = (start, count);
        Some(())
    }
}

/// Decodes as many numbers as fit: the first and the gaps to the others. All must be below `limit`.
fn decode(numbers: &mut [u32], first: u32, gaps: &[u8], limit: u32) -> Option<()> {
    let (head, mut rest) = numbers.split_first_mut()?;
    *head = first;
    let mut fields = Fields::new(gaps, 0);
    let mut last = first;
    while !rest.is_empty() {
        let gap = gap(&mut fields)?;
        if gap == 0 {
            let run = rest.split_at_mut_checked(gap_length(&mut fields)?)?;
            let end = last.checked_add(u32::try_from(run.0.len()).ok()?)?;
            for (number, slot) in (last + 1..=end).zip(run.0) {
                *slot = number;
            }
            (last, rest) = (end, run.1);
        } else {
            let (slot, others) = rest.split_first_mut()?;
            last = last.checked_add(gap)?;
            *slot = last;
            rest = others;
        }
    }
    (fields.at() == gaps.len() && last < limit).then_some(())
}

fn gap(fields: &mut Fields<'_>) -> Option<u32> {
    u32::try_from(fields.varint()?).ok()
}

/// The length of a run, which is not empty.
fn gap_length(fields: &mut Fields<'_>) -> Option<usize> {
    usize::try_from(fields.varint()?).ok().filter(|length| *length > 0)
}

/// Writes a list, which is not empty.
pub(super) fn put_list(out: &mut Vec<u8>, position: Option<u64>, numbers: &[u32]) {
    put_varint(out, numbers.len() as u64);
    if let Some(position) = position {
        put_varint(out, position);
    }
    if let (Some(first), true) = (numbers.first(), numbers.len() <= BLOCK_NUMBERS) {
        put_varint(out, u64::from(*first));
        return put_gaps(out, numbers);
    }
    let mut gaps = Vec::with_capacity(numbers.len());
    for block in numbers.chunks(BLOCK_NUMBERS) {
        put_gaps(&mut gaps, block);
        out.extend_from_slice(&block.first().copied().unwrap_or_default().to_le_bytes());
        // 2^32 numbers of five bytes do not fit in a list; the section is refused then, which is no smaller.
        out.extend_from_slice(&u32::try_from(gaps.len()).unwrap_or(u32::MAX).to_le_bytes());
    }
    out.extend_from_slice(&gaps);
}

fn put_gaps(out: &mut Vec<u8>, numbers: &[u32]) {
    let mut run = 0;
    for pair in numbers.windows(2) {
        let &[before, number] = pair else { continue };
        let gap = number.wrapping_sub(before);
        if gap == 1 {
            run += 1;
        } else {
            put_run(out, run);
            run = 0;
            put_varint(out, u64::from(gap));
        }
    }
    put_run(out, run);
}

fn put_run(out: &mut Vec<u8>, length: usize) {
    if length >= SHORTEST_RUN {
        put_varint(out, 0);
        put_varint(out, length as u64);
    } else {
        out.extend(std::iter::repeat_n(1, length));
    }
}

/// Many lists in a file: one after the other, and a section that says where each begins and the last ends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lists {
    pub(super) starts: Section,
    pub(super) lists: Section,
    /// Whether each begins with a position.
    pub(super) positions: bool,
    /// What all numbers are below.
    pub(super) limit: u32,
}

/// What of a list will be wanted soon.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// Where it says where the list begins.
    Start,
    /// The list's beginning.
    List,
}

/// A list's beginning.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    /// How many numbers there are.
    pub(crate) count: u32,
    pub(super) position: u64,
    /// Where what follows lies in the section.
    at: usize,
    end: usize,
}

impl Lists {
    /// The beginning of the list with this number.
    pub(super) fn head(&self, file: &Checked, number: u32) -> Result<Head, Damaged> {
        let start = file.u32_at(&self.starts, number as usize)? as usize;
        let end = file.u32_at(&self.starts, number as usize + 1)? as usize;
        let length = end.checked_sub(start).ok_or_else(|| self.damaged())?;
        let bytes = file.part(&self.lists, start, length.min(HEAD_BYTES))?;
        self.decode_head(bytes, start, end).ok_or_else(|| self.damaged())
    }

    fn decode_head(&self, bytes: &[u8], start: usize, end: usize) -> Option<Head> {
        let mut fields = Fields::new(bytes, 0);
        let count = u32::try_from(fields.varint()?).ok().filter(|count| (1..=self.limit).contains(count))?;
        let position = if self.positions { fields.varint()? } else { 0 };
        Some(Head { count, position, at: start + fields.at(), end })
    }

    /// Decodes a list of no more than one block, all of it.
    pub(super) fn short(&self, file: &Checked, head: &Head, out: &mut [u32]) -> Result<(), Damaged> {
        if head.count > BLOCK || head.count as usize != out.len() || head.end - head.at > 5 * (BLOCK_NUMBERS + 1) {
            return Err(self.damaged());
        }
        let bytes = file.part(&self.lists, head.at, head.end - head.at)?;
        let mut fields = Fields::new(bytes, 0);
        let first = fields.varint().and_then(|first| u32::try_from(first).ok());
        let gaps = bytes.get(fields.at()..).unwrap_or_default();
        first.and_then(|first| decode(out, first, gaps, self.limit)).ok_or_else(|| self.damaged())
    }

    /// Asks the memory for where a list begins, or where that is said.
    pub(super) fn prefetch(&self, file: &Checked, number: u32, what: Step) {
        let place = number as usize * 4;
        match what {
            Step::Start => file.prefetch::<1>(&self.starts, place),
            Step::List => {
                if let Ok(start) = file.u32_at(&self.starts, number as usize) {
                    file.prefetch::<2>(&self.lists, start as usize);
                }
            }
        }
    }

    /// The first number of the list.
    pub(super) fn first(&self, file: &Checked, head: &Head) -> Result<u32, Damaged> {
        if head.count > BLOCK {
            return Ok(self.skip(file, head, 0)?.0);
        }
        let bytes = file.part(&self.lists, head.at, (head.end - head.at).min(HEAD_BYTES))?;
        let first = Fields::new(bytes, 0).varint().and_then(|first| u32::try_from(first).ok());
        first.filter(|first| *first < self.limit).ok_or_else(|| self.damaged())
    }

    /// Decodes the block that holds the number at `index`; an index beyond the list is none of its blocks.
    pub(super) fn block(
        &self,
        file: &Checked,
        head: &Head,
        index: u32,
        into: &mut PostingBlock,
    ) -> Result<(), Damaged> {
        if index >= head.count {
            (into.start, into.len) = (head.count, 0);
            return Ok(());
        }
        let block = index / BLOCK;
        let start = block * BLOCK;
        let count = (head.count - start).min(BLOCK);
        let (first, from, to) = if head.count > BLOCK {
            let before = if block == 0 { 0 } else { self.skip(file, head, block - 1)?.1 };
            let (first, end) = self.skip(file, head, block)?;
            let gaps = head.at + head.count.div_ceil(BLOCK) as usize * SKIP_BYTES;
            (first, gaps.saturating_add(before), gaps.saturating_add(end))
        } else {
            let first = self.first(file, head)?;
            (first, head.at + varint_bytes(first), head.end)
        };
        let inside = from <= to && to <= head.end && to - from <= 5 * BLOCK_NUMBERS;
        let gaps = if inside { file.part(&self.lists, from, to - from)? } else { return Err(self.damaged()) };
        into.fill(start, count, first, gaps, self.limit).ok_or_else(|| self.damaged())
    }

    /// How many numbers of the list are below `limit`.
    pub(super) fn count_below(&self, file: &Checked, head: &Head, limit: u32) -> Result<u32, Damaged> {
        if limit >= self.limit {
            return Ok(head.count);
        }
        let (mut low, mut high) = (0, head.count.div_ceil(BLOCK));
        if high > 1 {
            while low < high {
                let middle = low + (high - low) / 2;
                if self.skip(file, head, middle)?.0 < limit {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            // The block before is the last that begins below the limit.
            match low.checked_sub(1) {
                Some(block) => low = block,
                None => return Ok(0),
            }
        }
        let mut block = PostingBlock::default();
        self.block(file, head, low * BLOCK, &mut block)?;
        let below = block.numbers().partition_point(|number| *number < limit);
        Ok(block.start + u32::try_from(below).unwrap_or_default())
    }

    /// The first number of a block of a long list, and where its gaps end.
    fn skip(&self, file: &Checked, head: &Head, block: u32) -> Result<(u32, usize), Damaged> {
        let bytes = file.part(&self.lists, head.at + block as usize * SKIP_BYTES, SKIP_BYTES)?;
        let mut fields = Fields::new(bytes, 0);
        let entry = fields.u32().zip(fields.u32());
        let entry = entry.filter(|(first, _)| *first < self.limit).ok_or_else(|| self.damaged())?;
        Ok((entry.0, entry.1 as usize))
    }

    fn damaged(&self) -> Damaged {
        self.lists.damaged("a list makes no sense")
    }
}

/// Bytes of a number as `put_varint` writes it.
fn varint_bytes(number: u32) -> usize {
    (32 - (number | 1).leading_zeros()).div_ceil(7) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(numbers: &[u32]) -> Option<Vec<u32>> {
        let mut gaps = Vec::new();
        put_gaps(&mut gaps, numbers);
        let mut block = PostingBlock::default();
        block.fill(0, u32::try_from(numbers.len()).unwrap(), numbers[0], &gaps, u32::MAX)?;
        Some(block.numbers().to_vec())
    }

    #[test]
    fn gaps_and_runs_round_trip() {
        let lists: [&[u32]; 6] = [
            &[0],
            &[5, 6],
            &[5, 6, 7, 8, 9],
            &[0, 1, 2, 3, 10, 11, 12, 300, 20_000, 20_001, 20_002, 20_003],
            &[u32::MAX - 3, u32::MAX - 2, u32::MAX - 1],
            &[0, u32::MAX - 1],
        ];
        for list in lists {
            assert_eq!(decoded(list).as_deref(), Some(list));
        }
        let run: Vec<u32> = (7..7 + 128).collect();
        assert_eq!(decoded(&run), Some(run.clone()));
        let mut out = Vec::new();
        put_gaps(&mut out, &run);
        assert_eq!(out, [0, 127], "a run is short");
    }

    #[test]
    fn senseless_gaps_are_refused() {
        let mut block = PostingBlock::default();
        let mut fill = |count, first, gaps: &[u8], limit| block.fill(0, count, first, gaps, limit);
        assert_eq!(fill(3, 1, &[0, 2], 4), Some(()));
        for (count, first, gaps, limit) in [
            (3, 1, &[0, 2][..], 3),
            (3, 1, &[0, 3], 9),
            (3, 1, &[0, 0, 1, 1], 9),
            (3, 1, &[1], 9),
            (3, 1, &[1, 1, 1], 9),
            (2, u32::MAX, &[1], u32::MAX),
            (2, u32::MAX, &[0, 1], u32::MAX),
            (129, 0, &[0, 0x80, 1], u32::MAX),
            (0, 0, &[], 9),
        ] {
            assert_eq!(fill(count, first, gaps, limit), None, "{count} from {first}: {gaps:?} below {limit}");
        }
    }

    #[test]
    fn numbers_take_as_many_bytes_as_are_counted() {
        for number in [0, 1, 127, 128, 16_383, 16_384, 1 << 21, (1 << 28) - 1, 1 << 28, u32::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, u64::from(number));
            assert_eq!(varint_bytes(number), out.len());
        }
    }
}
