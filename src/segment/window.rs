//! A file read through a window that moves forward: bounded memory whatever the file's length.

use crate::disk::DiskFile;
use crate::vocabulary::error::IoFailure;

/// Bytes that are read ahead of what was asked for, at first and at most: who looks at one place need not read a lot, and what is
/// read at once should fit the processor's cache.
const AHEAD: (usize, usize) = (4 << 10, 256 << 10);

/// Reads a file from front to back by system calls.
pub(super) struct Window<'f> {
    file: &'f dyn DiskFile,
    /// Never shorter than it was, so that it need not be filled with zeros again before it is read into.
    buffer: Vec<u8>,
    /// How much of the buffer was read.
    filled: usize,
    /// Where in the file the buffer begins.
    start: u64,
    ahead: usize,
}

impl<'f> Window<'f> {
    pub(super) fn new(file: &'f dyn DiskFile) -> Self {
        Self { file, buffer: Vec::new(), filled: 0, start: 0, ahead: AHEAD.0 }
    }

    /// The bytes from `offset` on: at least `wanted`, or all up to the end of the file if that is less.
    pub(super) fn get(&mut self, offset: u64, wanted: usize) -> Result<&[u8], IoFailure> {
        let rest = self.file.length().saturating_sub(offset);
        let wanted = usize::try_from(rest).map_or(wanted, |rest| rest.min(wanted));
        let have_from = offset.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        let have = have_from.and_then(|skip| self.filled.checked_sub(skip)).unwrap_or(0);
        if have < wanted {
            self.buffer.copy_within(self.filled - have..self.filled, 0);
            (self.start, self.filled) = (offset, have);
            let target = usize::try_from(rest).map_or(wanted, |rest| rest.min(wanted.max(self.ahead)));
            self.ahead = AHEAD.1.min(self.ahead * 4);
            if self.buffer.len() < target {
                self.buffer.resize(target, 0);
            }
            if let Some(fresh) = self.buffer.get_mut(have..target) {
                self.file.read_at(offset + have as u64, fresh)?;
                self.filled = target;
            }
        }
        let skip = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        Ok(self.buffer.get(skip..self.filled).unwrap_or_default())
    }
}
