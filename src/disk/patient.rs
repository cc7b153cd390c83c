//! A file that is read whatever its disk says: bytes that cannot be read are zeros, and it is noted which they are.

use super::{DiskFile, Region};
use crate::vocabulary::error::IoFailure;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes that are tried on their own where a longer read failed: the block of most disks and of the page cache.
const BLOCK: u64 = 4_096;

/// Wraps a file for salvaging. Nothing can be written through it.
#[derive(Debug)]
pub(crate) struct PatientFile {
    inner: Arc<dyn DiskFile>,
    length: u64,
    /// Blocks that could not be read, by where they begin, and why.
    unreadable: Mutex<BTreeMap<u64, IoFailure>>,
}

impl PatientFile {
    /// The first `most` bytes of a file.
    pub(crate) fn new(inner: Arc<dyn DiskFile>, most: u64) -> Self {
        let length = inner.length().min(most);
        Self { inner, length, unreadable: Mutex::new(BTreeMap::new()) }
    }

    /// Why a byte of this range could not be read, if one could not.
    pub(crate) fn unreadable_within(&self, from: u64, to: u64) -> Option<IoFailure> {
        let block = from - from % BLOCK;
        self.unreadable.lock().range(block..to.max(block)).next().map(|(_, failure)| failure.clone())
    }

    fn read_block_by_block(&self, mut offset: u64, mut buffer: &mut [u8]) {
        while !buffer.is_empty() {
            let block = offset - offset % BLOCK;
            let piece = usize::try_from(block + BLOCK - offset).map_or(buffer.len(), |rest| rest.min(buffer.len()));
            let (piece, rest) = buffer.split_at_mut(piece);
            if let Err(failure) = self.inner.read_at(offset, piece) {
                piece.fill(0);
                self.unreadable.lock().entry(block).or_insert(failure);
            }
            offset += piece.len() as u64;
            buffer = rest;
        }
    }

    fn refused(&self, doing: &'static str) -> IoFailure {
        IoFailure::new(doing, self.path(), Error::from(ErrorKind::PermissionDenied))
    }
}

impl DiskFile for PatientFile {
    fn path(&self) -> PathBuf {
        self.inner.path()
    }

    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoFailure> {
        if self.inner.read_at(offset, buffer).is_err() {
            self.read_block_by_block(offset, buffer);
        }
        Ok(())
    }

    fn write_at(&self, _offset: u64, _bytes: &[u8]) -> Result<(), IoFailure> {
        Err(self.refused("write"))
    }

    fn store(&self, _offset: u64, _bytes: &[u8]) -> Result<(), IoFailure> {
        Err(self.refused("store"))
    }

    fn sync(&self) -> Result<(), IoFailure> {
        Err(self.refused("sync"))
    }

    fn region(&self) -> Result<Arc<Region>, IoFailure> {
        Err(self.refused("map"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of which one block cannot be read.
    #[derive(Debug)]
    struct BadSector(Vec<u8>, u64);

    impl DiskFile for BadSector {
        fn path(&self) -> PathBuf {
            "bad".into()
        }

        fn length(&self) -> u64 {
            self.0.len() as u64
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), IoFailure> {
            if offset < self.1 + BLOCK && self.1 < offset + buffer.len() as u64 {
                return Err(IoFailure::new("read", "bad", Error::from_raw_os_error(5)));
            }
            let start = usize::try_from(offset).unwrap();
            buffer.copy_from_slice(&self.0[start..start + buffer.len()]);
            Ok(())
        }

        fn write_at(&self, _offset: u64, _bytes: &[u8]) -> Result<(), IoFailure> {
            unreachable!("a patient file writes nothing")
        }

        fn store(&self, _offset: u64, _bytes: &[u8]) -> Result<(), IoFailure> {
            unreachable!("a patient file writes nothing")
        }

        fn sync(&self) -> Result<(), IoFailure> {
            unreachable!("a patient file writes nothing")
        }

        fn region(&self) -> Result<Arc<Region>, IoFailure> {
            unreachable!("a patient file is not mapped")
        }
    }

    #[test]
    fn one_bad_block_costs_no_other() {
        let bytes: Vec<u8> = (1_u8..=250).cycle().take(5 * 4_096).collect();
        let file = PatientFile::new(Arc::new(BadSector(bytes.clone(), 2 * BLOCK)), u64::MAX);
        let mut read = vec![9; bytes.len() - 100];
        file.read_at(100, &mut read).unwrap();
        for (at, (byte, expected)) in (100..).zip(read.iter().zip(&bytes[100..])) {
            let bad = (2 * 4_096..3 * 4_096).contains(&at);
            assert_eq!(*byte, if bad { 0 } else { *expected }, "at {at}");
        }
        assert!(file.unreadable_within(2 * BLOCK + 7, 2 * BLOCK + 8).is_some());
        assert!(
            file.unreadable_within(0, 2 * BLOCK).is_none() && file.unreadable_within(3 * BLOCK, 5 * BLOCK).is_none()
        );
        assert!(file.write_at(0, &[1]).is_err() && file.store(0, &[1]).is_err() && file.sync().is_err());
    }
}
