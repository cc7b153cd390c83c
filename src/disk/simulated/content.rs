//! What a file holds: as the system shows it, as the medium has it, and what lies between.

use fastrand::Rng;
use std::ops::Range;

/// A file's bytes.
#[derive(Debug, Clone)]
pub(super) struct Content {
    /// As the system shows them to whoever reads.
    pub(super) live: Vec<u8>,
    /// As the medium has them for certain.
    pub(super) durable: Vec<u8>,
    /// Written since the last sync, in order: any of it may be on the medium.
    pub(super) writes: Vec<Write>,
    /// Whether it was ever synced. Before that a crash may leave any content, and any length up to the whole.
    pub(super) born: bool,
}

/// Bytes that were written and not synced.
#[derive(Debug, Clone)]
pub(super) struct Write {
    pub(super) offset: usize,
    pub(super) bytes: Vec<u8>,
}

impl Write {
    pub(super) fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.bytes.len()
    }

    /// Copies the part of this write that lies in `within` to `target`, which is the whole file.
    pub(super) fn copy(&self, within: Range<usize>, target: &mut [u8]) {
        let start = within.start.max(self.offset);
        let end = within.end.min(self.offset + self.bytes.len());
        if start < end
            && let (Some(slot), Some(bytes)) =
                (target.get_mut(start..end), self.bytes.get(start - self.offset..end - self.offset))
        {
            slot.copy_from_slice(bytes);
        }
    }
}

impl Content {
    /// A file that is on the medium as it is.
    pub(super) fn durable(bytes: Vec<u8>) -> Self {
        Self { live: bytes.clone(), durable: bytes, writes: Vec::new(), born: true }
    }

    /// A new file of zeros.
    pub(super) fn unborn(length: usize) -> Self {
        Self { live: vec![0; length], durable: vec![0; length], writes: Vec::new(), born: false }
    }

    pub(super) fn len(&self) -> u64 {
        self.live.len() as u64
    }

    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        let write = Write { offset, bytes: bytes.to_vec() };
        write.copy(write.range(), &mut self.live);
        self.writes.push(write);
    }

    /// A sync that succeeds.
    pub(super) fn sync(&mut self) {
        for write in std::mem::take(&mut self.writes) {
            write.copy(write.range(), &mut self.durable);
        }
        self.born = true;
    }

    /// A sync that fails. Some lines reached the medium and some did not. What did not may be forgotten by the system, which
    /// shows it all the same and takes it for written; or be tried again with the next sync.
    pub(super) fn fail_sync(&mut self, random: &mut Rng) {
        let forget = random.bool();
        for write in &self.writes {
            for line in lines(&write.range(), 512) {
                if random.bool() {
                    write.copy(line, &mut self.durable);
                }
            }
        }
        if forget {
            self.writes.clear();
        }
    }

    /// The system drops what it takes for written, and reads it from the medium again.
    pub(super) fn evict(&mut self) {
        self.live.clone_from(&self.durable);
        for write in &self.writes {
            write.copy(write.range(), &mut self.live);
        }
    }
}

/// The lines of `line` bytes that a range touches.
pub(super) fn lines(range: &Range<usize>, line: usize) -> impl Iterator<Item = Range<usize>> + use<> {
    let (first, end) = (range.start / line, range.end.div_ceil(line));
    (first..end).map(move |index| index * line..(index + 1) * line)
}
