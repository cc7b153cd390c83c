//! Changes to written frames: bytes, checksums, and what ties a frame to the one before.

#![expect(clippy::expect_used, reason = "a fuzz target panics where a promise is broken")]

use super::choices::Choices;
use crate::format::checksum::{crc, event_seed, frame_seed};
use crate::format::encode::{self, Context};
use crate::format::frame::{FrameHeader, Kind, TABLE_ENTRY_BYTES, seal};
use crate::format::place::{Place, aligned};
use crate::format::segment_header::HEADER_BYTES;
use crate::vocabulary::time::Timestamp;

/// Changes one byte to another value.
pub(super) fn flip(bytes: &mut [u8], choices: &mut Choices<'_>) {
    let at = choices.below(bytes.len());
    let with = choices.byte().max(1);
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= with;
    }
}

/// Gives a frame the checksums that its bytes should have, as far as its header makes sense.
pub(in crate::testing) fn reseal(frame: &mut [u8], salt: u64, offset: u64) -> u32 {
    let Some(header) = FrameHeader::decode(frame) else { return 0 };
    let Some(frame) = frame.get_mut(..header.length as usize) else { return 0 };
    if header.has_table() {
        let seed = frame_seed(salt, offset);
        let table = header.covered as usize - header.count as usize * TABLE_ENTRY_BYTES;
        for index in 0..header.count {
            let Some(slot) = header.event(frame, 0, index) else { break };
            let sum = crc(event_seed(seed, index), &frame[slot.start..slot.end]);
            let entry = table + index as usize * TABLE_ENTRY_BYTES;
            frame[entry..entry + 4].copy_from_slice(&sum.to_le_bytes());
        }
    }
    seal(frame, header.covered as usize, salt, offset)
}

/// What is put right in a row of frames.
#[derive(Debug, Clone, Copy)]
pub(in crate::testing) struct Repair {
    pub(in crate::testing) checksums: bool,
    /// Sequence number, link, epoch, recorded time and mark follow from the frame before.
    pub(in crate::testing) chain: bool,
}

/// What the frame before says.
#[derive(Debug, Clone, Copy)]
pub(in crate::testing) struct Link {
    pub(in crate::testing) sequence: u64,
    pub(in crate::testing) crc: u32,
    pub(in crate::testing) epoch: u32,
    pub(in crate::testing) recorded_at: Timestamp,
}

impl Link {
    pub(in crate::testing) const START: Link = Link { sequence: 0, crc: 0, epoch: 1, recorded_at: Timestamp::MIN };
}

/// Walks the frames of a segment file as far as their lengths lead, and puts them right. Returns where the walk ended.
pub(in crate::testing) fn repair_frames(
    file: &mut [u8],
    place: Place,
    salt: u64,
    repair: Repair,
    link: &mut Link,
) -> u64 {
    let mut offset = place.offset;
    loop {
        let frame = file.get_mut(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
        let Some(header) = FrameHeader::decode(frame) else { return offset };
        if u64::from(header.length) > frame.len() as u64 {
            return offset;
        }
        if repair.chain {
            follow(frame, &header, Place { offset, ..place }, link);
        }
        let crc = if repair.checksums { reseal(frame, salt, offset) } else { header.crc };
        link.sequence = link.sequence.saturating_add(u64::from(header.count));
        link.crc = crc;
        offset += aligned(u64::from(header.length));
    }
}

fn follow(frame: &mut [u8], header: &FrameHeader, place: Place, link: &mut Link) {
    link.recorded_at = link.recorded_at.max(header.recorded_at);
    // Epochs grow slowly: else the first frame would take them to the end.
    link.epoch = link.epoch.max(header.epoch.min(link.epoch.saturating_add(1)));
    frame[16..24].copy_from_slice(&link.sequence.to_le_bytes());
    frame[24..32].copy_from_slice(&link.recorded_at.unix_seconds().to_le_bytes());
    frame[32..36].copy_from_slice(&link.recorded_at.subsecond_nanoseconds().to_le_bytes());
    frame[36..40].copy_from_slice(&link.epoch.to_le_bytes());
    if header.mark_place(place.segment) > place {
        frame[40..44].fill(0);
    }
    frame[44..48].copy_from_slice(&link.crc.to_le_bytes());
}

/// Puts an opening frame at the beginning of a segment's frames, and returns where the next one goes.
pub(in crate::testing) fn open_segment(
    file: &mut [u8],
    segment: u64,
    salt: u64,
    previous_end: u64,
    link: &mut Link,
) -> u64 {
    let context = Context {
        place: Place::start_of(segment),
        salt,
        sequence: link.sequence,
        recorded_at: link.recorded_at,
        epoch: link.epoch,
        mark: Place::start_of(segment),
        link: link.crc,
    };
    let mut frame = Vec::new();
    let sealed = encode::bookkeeping(&mut frame, &context, Kind::Opening, &previous_end.to_le_bytes());
    link.crc = sealed.expect("an opening frame is short");
    let start = usize::try_from(HEADER_BYTES).expect("a page fits memory");
    file[start..start + frame.len()].copy_from_slice(&frame);
    HEADER_BYTES + aligned(frame.len() as u64)
}
