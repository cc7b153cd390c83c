//! The fuzz target of index files: any bytes, and files written from any transactions, as they are and changed.

#![expect(clippy::expect_used, reason = "a fuzz target panics where a promise is broken")]

mod content;
mod questions;

use super::choices::Choices;
use super::edits;
use crate::format::checksum::{block_seed, crc};
use crate::format::index_file::{BLOCK_BYTES, BLOCK_CRC_BYTES, HEADER_BYTES, IndexHeader, MAGIC, SECTION_BYTES};
use crate::index::sealed::{IndexBytes, SealedIndex, Unusable};
pub(crate) use content::Content;
pub(crate) use questions::{Answer, ask, expect_hot, expected};

pub(crate) const STORE: [u8; 16] = *b"the store's id..";
pub(crate) const SEGMENT: u64 = 3;
pub(crate) const SALT: u64 = 0x5eed_0fa5_a170_0001;

pub(crate) fn open(bytes: &[u8]) -> Result<SealedIndex, Unusable> {
    SealedIndex::open(IndexBytes::Heap(bytes.to_vec()), &STORE, SEGMENT, SALT)
}

/// Opens any bytes, as they are and with the checksums that they should have, and asks whatever there is to ask.
pub(super) fn arbitrary(choices: &mut Choices<'_>) {
    let content = Content::choose(&mut Choices::new(&[]));
    let mut bytes = choices.rest().to_vec();
    look_at(&bytes, &content);
    for (at, field) in [(0, &MAGIC[..]), (8, &[0, 0, 192, 0]), (24, &STORE)] {
        overwrite(&mut bytes, at, field);
    }
    overwrite(&mut bytes, 16, &[0; 8]);
    overwrite(&mut bytes, 40, &SEGMENT.to_le_bytes());
    overwrite(&mut bytes, 48, &SALT.to_le_bytes());
    reseal(&mut bytes);
    look_at(&bytes, &content);
}

/// Asks a file everything, if it is one.
fn look_at(bytes: &[u8], content: &Content) {
    if let Ok(index) = open(bytes) {
        drop(ask(&index, content));
        assert!(index.bytes_in_memory() < 4_096 + 2 * bytes.len() as u64, "memory is bounded by the file");
    }
}

/// Writes a file of any transactions: it answers what is obvious, and what the index in memory answers.
pub(crate) fn round_trip(content: &Content) -> Vec<u8> {
    let bytes = content.write();
    let index = open(&bytes).expect("what was written can be opened");
    assert_eq!(index.covers(), &content.covers());
    let expected = expected(content);
    let answers = ask(&index, content);
    assert_eq!(answers.len(), expected.len());
    for ((question, answer), (asked, right)) in answers.iter().zip(&expected) {
        assert_eq!(question, asked);
        assert_eq!(answer.as_ref(), Ok(right), "{question}");
    }
    expect_hot(content, &expected);
    bytes
}

/// Changes a byte: every answer is the right one or an error.
pub(crate) fn damaged(content: &Content, bytes: &[u8], expected: &[(String, Answer)]) {
    let Ok(index) = open(bytes) else { return };
    assert_eq!(index.covers(), &content.covers());
    for ((question, answer), (_, right)) in ask(&index, content).into_iter().zip(expected) {
        if let Ok(answer) = answer {
            assert_eq!(&answer, right, "{question}");
        }
    }
}

/// A file with one changed byte.
pub(super) fn flipped(choices: &mut Choices<'_>) {
    let content = Content::choose(choices);
    let mut bytes = content.write();
    edits::flip(&mut bytes, choices);
    damaged(&content, &bytes, &expected(&content));
}

/// A file with some bytes changed, whose checksums fit nevertheless: it may say anything, but it may not break the reader.
pub(super) fn forged(choices: &mut Choices<'_>) {
    let content = Content::choose(choices);
    let mut bytes = content.write();
    for _ in 0..1 + choices.byte() % 6 {
        edits::flip(&mut bytes, choices);
    }
    if choices.byte().is_multiple_of(8) {
        bytes.truncate(choices.below(bytes.len()));
    }
    reseal(&mut bytes);
    look_at(&bytes, &content);
}

fn overwrite(bytes: &mut [u8], at: usize, field: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + field.len()) {
        place.copy_from_slice(field);
    }
}

/// Gives a file its length and the checksums that its bytes should have, as far as its header makes sense.
pub(crate) fn reseal(bytes: &mut [u8]) {
    let length = bytes.len() as u64;
    overwrite(bytes, 152, &length.to_le_bytes());
    seal_header(bytes);
    let Ok(header) = IndexHeader::decode(bytes) else { return };
    let sections = usize::try_from(header.sections).unwrap_or_default();
    let data_at = HEADER_BYTES.saturating_add(sections.saturating_mul(SECTION_BYTES)).next_multiple_of(8);
    let Some(behind) = bytes.len().checked_sub(data_at) else { return };
    let blocks = behind.div_ceil(BLOCK_BYTES + BLOCK_CRC_BYTES);
    let data_end = bytes.len() - blocks * BLOCK_CRC_BYTES;
    if data_end < data_at {
        return;
    }
    for block in 0..blocks {
        let start = data_at + block * BLOCK_BYTES;
        let sum = bytes
            .get(start..(start + BLOCK_BYTES).min(data_end))
            .map(|bytes| crc(block_seed(header.salt, header.segment, block as u64), bytes));
        overwrite(bytes, data_end + block * BLOCK_CRC_BYTES, &sum.unwrap_or_default().to_le_bytes());
    }
    let mut tables = crc32fast::Hasher::new();
    tables.update(&bytes[HEADER_BYTES..data_at]);
    tables.update(&bytes[data_end..]);
    overwrite(bytes, HEADER_BYTES - 8, &tables.finalize().to_le_bytes());
    seal_header(bytes);
}

fn seal_header(bytes: &mut [u8]) {
    if let Some(header) = bytes.get(..HEADER_BYTES - 4) {
        let sum = crc32fast::hash(header);
        overwrite(bytes, HEADER_BYTES - 4, &sum.to_le_bytes());
    }
}
