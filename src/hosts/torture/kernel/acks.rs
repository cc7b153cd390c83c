//! The ack log: what a workload submitted and was told, kept outside the store, one record of fixed size a write.

use super::Failure;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

const RECORD_BYTES: usize = 40;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A workload begins: `counter` is its seed, `thread` the code of its durability.
    Begun,
    /// The log held everything up to `revision` before the workload began, with the digest in `counter`.
    Base,
    /// The thread is about to append its transaction `counter`.
    Submitted,
    /// The thread's transaction `counter` was acknowledged: it takes the log from `basis` to `revision`.
    Acked,
    /// The store said that everything up to `revision` is durable.
    Durable,
    /// A reader saw everything up to `revision`.
    Seen,
}

const KINDS: [Kind; 6] = [Kind::Begun, Kind::Base, Kind::Submitted, Kind::Acked, Kind::Durable, Kind::Seen];

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    pub(crate) thread: u32,
    pub(crate) counter: u64,
    pub(crate) basis: u64,
    pub(crate) revision: u64,
}

impl Record {
    /// A record about a revision alone.
    pub(crate) fn at(kind: Kind, revision: u64) -> Self {
        Self { kind, thread: 0, counter: 0, basis: 0, revision }
    }

    fn encode(self) -> [u8; RECORD_BYTES] {
        let mut bytes = [0; RECORD_BYTES];
        let code = KINDS.iter().position(|kind| *kind == self.kind).and_then(|code| u32::try_from(code).ok());
        let mut at = 0;
        let mut put = |field: &[u8]| {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        };
        put(&code.unwrap_or(u32::MAX).to_le_bytes());
        put(&self.thread.to_le_bytes());
        put(&self.counter.to_le_bytes());
        put(&self.basis.to_le_bytes());
        put(&self.revision.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..RECORD_BYTES - 4]);
        bytes[RECORD_BYTES - 4..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (fields, crc) = bytes.split_last_chunk::<4>()?;
        if crc32fast::hash(fields) != u32::from_le_bytes(*crc) {
            return None;
        }
        let word = |at: usize| fields.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let long = |at: usize| fields.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes);
        let kind = *KINDS.get(usize::try_from(word(0)?).ok()?)?;
        Some(Self { kind, thread: word(4)?, counter: long(8)?, basis: long(16)?, revision: long(24)? })
    }
}

/// A log that is written.
#[derive(Debug)]
pub(crate) struct AckLog {
    file: File,
}

impl AckLog {
    /// Opens the log for appending, or makes one.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        Ok(Self { file: OpenOptions::new().append(true).create(true).open(path)? })
    }

    /// Appends a record, in one write: what this returns for is there, whatever becomes of the process.
    pub(crate) fn put(&self, record: Record) -> Result<(), Failure> {
        let bytes = record.encode();
        let written = (&self.file).write(&bytes)?;
        if written == bytes.len() { Ok(()) } else { Err("a record of the ack log was written in part".into()) }
    }
}

/// The records of a log. One that was cut short at the end does not count; damage anywhere else is a failure of the harness.
pub(crate) fn read(path: &Path) -> Result<Vec<Record>, Failure> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    let records = bytes.chunks_exact(RECORD_BYTES).map(Record::decode);
    records.collect::<Option<_>>().ok_or_else(|| format!("{} is damaged", path.display()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_and_a_torn_last_one_does_not_count() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("acks");
        let log = AckLog::open(&path).unwrap();
        let record = Record { kind: Kind::Acked, thread: 3, counter: 1 << 40, basis: 7, revision: 9 };
        log.put(record).unwrap();
        log.put(Record::at(Kind::Seen, 9)).unwrap();
        assert_eq!(read(&path).unwrap(), [record, Record::at(Kind::Seen, 9)]);
        let mut bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert_eq!(read(&path).unwrap(), [record]);
        bytes[8] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(read(&path).is_err());
    }
}
