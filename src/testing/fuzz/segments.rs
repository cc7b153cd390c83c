//! The fuzz target of segments: frames that the fuzzer makes up, put right as far as it chooses, behind a valid header.

#![expect(clippy::expect_used, reason = "a fuzz target panics where a promise is broken")]

use super::choices::Choices;
use super::edits::{self, Link, Repair};
use super::frames::{Fields, look_at};
use crate::disk::{DiskFile, MemoryFile};
use crate::format::decode::{FrameView, NameCache};
use crate::format::encode::Context;
use crate::format::event_id::IdSeed;
use crate::format::place::{Place, aligned};
use crate::format::segment_header::{HEADER_BYTES, HEADER_FIELDS, SegmentHeader};
use crate::segment::{Chain, ScanEnd, Start, scan, search_marks};
use crate::vocabulary::event::EventRef;
use crate::vocabulary::time::Timestamp;

/// Bytes of a file here: the least that a segment may have.
pub(super) const FILE_BYTES: usize = 16 << 10;
const STORE_ID: [u8; 16] = *b"the store's id..";

/// A segment's file that the fuzzer chose, where its frames end as far as their lengths lead, and its header.
pub(super) struct Made {
    pub(super) header: SegmentHeader,
    pub(super) bytes: Vec<u8>,
    pub(super) end: u64,
}

/// Makes a segment's file: any bytes, or frames of any fields, with as much put right as the fuzzer chooses.
pub(super) fn make(choices: &mut Choices<'_>, number: u64, previous_end: u64, link: &mut Link) -> Made {
    let salt = 0x5a17 + number;
    let header = SegmentHeader {
        store_id: STORE_ID,
        number,
        salt,
        length: FILE_BYTES as u64,
        created_at: Timestamp::UNIX_EPOCH,
    };
    let mut bytes = vec![0; FILE_BYTES];
    bytes[..HEADER_FIELDS].copy_from_slice(&header.encode());
    let how = choices.byte();
    let has = |bit: u8| how & (1 << bit) == 0;
    let repair = Repair { checksums: has(0), chain: has(1) };
    let start = match has(2) {
        true => edits::open_segment(&mut bytes, number, salt, previous_end, link),
        false => HEADER_BYTES,
    };
    let place = Place { segment: number, offset: start };
    if has(3) {
        write_frames(choices, &mut bytes, place, salt, *link);
    } else {
        let start = usize::try_from(start).expect("within the file");
        let wanted = usize::from(choices.u16()).min(FILE_BYTES - start);
        let raw = choices.bytes(wanted);
        bytes[start..start + raw.len()].copy_from_slice(raw);
    }
    let end = edits::repair_frames(&mut bytes, place, salt, repair, link);
    Made { header, bytes, end }
}

/// Writes frames of any fields, and changes bytes of them.
fn write_frames(choices: &mut Choices<'_>, file: &mut [u8], mut place: Place, salt: u64, mut link: Link) {
    let start = usize::try_from(place.offset).expect("within the file");
    let mut at = start;
    for _ in 0..1 + choices.byte() % 6 {
        let context = Context {
            place,
            salt,
            sequence: link.sequence,
            recorded_at: link.recorded_at,
            epoch: link.epoch,
            mark: Place { offset: HEADER_BYTES + u64::from(choices.byte()) * 8, ..place }.min(place),
            link: link.crc,
        };
        let fields = Fields::choose(choices);
        let mut frame = Vec::new();
        link.crc = fields.write(&mut frame, &context);
        let Some(room) = file.get_mut(at..at + frame.len()) else { break };
        room.copy_from_slice(&frame);
        link.sequence += u64::from(u32::from_le_bytes([frame[12], frame[13], frame[14], frame[15]]));
        place.offset += aligned(frame.len() as u64);
        at = usize::try_from(place.offset).expect("within the file");
    }
    for _ in 0..choices.byte() % 5 {
        edits::flip(file.get_mut(start..at).unwrap_or_default(), choices);
    }
}

/// Scans a segment that the fuzzer chose, and searches what stands behind the scan's end.
pub(super) fn scan_any(choices: &mut Choices<'_>) {
    let Made { header, bytes, .. } = make(choices, 1, 0, &mut Link::START.clone());
    let file = MemoryFile::of(bytes);
    let end = scan_once(&file, &header);
    assert_eq!(end, scan_once(&file, &header), "a second scan ends elsewhere");
    let before = file.bytes_read();
    let found = search_marks(&file, &header, end.offset).expect("a disk in memory does not fail");
    assert!((end.offset..=file.length()).contains(&found.end), "the search ended at {}", found.end);
    // A mark in the segment before is not this file's to judge.
    let in_file = |mark: Place| mark.segment < header.number || mark.offset < file.length();
    assert!(found.mark.is_none_or(|mark| mark.segment <= header.number && in_file(mark)));
    assert!(file.bytes_read() - before <= file.length(), "the search read bytes twice");
}

fn scan_once(file: &MemoryFile, header: &SegmentHeader) -> ScanEnd {
    let mut chain = Chain::START;
    let mut next = HEADER_BYTES;
    let mut sequence = 0;
    let before = file.bytes_read();
    let start = Start::of_segment(0, Chain::START);
    let end = scan(file, header, &start, u64::MAX, &mut chain, &mut |place, frame, padding| {
        assert_eq!(place, Place { segment: header.number, offset: next }, "frames stand one behind the other");
        next += aligned(u64::from(frame.header.length));
        assert!(next <= file.length() && padding.len() < 8);
        assert_eq!(frame.header.sequence, sequence, "numbers have no gap");
        sequence += u64::from(frame.header.count);
        look_at_events(frame)
    });
    let end = end.expect("a disk in memory does not fail");
    assert!(file.bytes_read() - before <= file.length(), "the scan read bytes twice");
    assert_eq!(end.opened, end.offset > HEADER_BYTES);
    assert!(end.offset <= next && end.offset <= file.length() && chain.sequence <= sequence);
    end
}

fn look_at_events(frame: &FrameView<'_>) -> Result<(), &'static str> {
    let mut names = NameCache::default();
    for index in 0..frame.header.count {
        let parts = frame.event(index, IdSeed::of(&STORE_ID), None, &mut names).map_err(|_| "it makes no sense")?;
        look_at(&EventRef { data: frame.bytes, parts });
    }
    Ok(())
}
