//! Scanning a segment: its valid frames one after the other, and what stands where they end. Never writes.

use super::window::Window;
use crate::disk::DiskFile;
use crate::format::decode::FrameView;
use crate::format::frame::{FrameHeader, HEADER_BYTES, Kind, TABLE_HEADER_BYTES, verify_whole};
use crate::format::place::{Place, aligned};
use crate::format::segment_header::{self, SegmentHeader};
use crate::vocabulary::error::IoFailure;
use crate::vocabulary::time::Timestamp;

/// What the frames up to here say about the one that follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The sequence number that the next event has.
    pub(crate) sequence: u64,
    /// The checksum of the last frame.
    pub(crate) link: u32,
    pub(crate) epoch: u32,
    pub(crate) recorded_at: Timestamp,
    /// The furthest durable mark of any frame.
    pub(crate) mark: Place,
    /// Whether the last frame closes the store.
    pub(crate) closed: bool,
}

impl Chain {
    /// Before the first frame of a store.
    pub(crate) const START: Chain = Chain {
        sequence: 0,
        link: 0,
        epoch: 0,
        recorded_at: Timestamp::MIN,
        mark: Place { segment: 0, offset: 0 },
        closed: false,
    };

    /// Whether a frame with this header may stand at `place`; says what does not fit.
    fn accepts(&self, header: &FrameHeader, place: Place, previous_end: Option<u64>) -> Result<(), &'static str> {
        if (header.kind == Kind::Opening) != previous_end.is_some() {
            return Err("an opening frame stands first in a segment and nowhere else");
        }
        if header.sequence != self.sequence {
            return Err("the sequence number does not follow");
        }
        if header.link != self.link {
            return Err("the link to the frame before does not fit");
        }
        if header.epoch < self.epoch {
            return Err("the epoch is older than that of the frame before");
        }
        if header.recorded_at < self.recorded_at {
            return Err("the recorded time is earlier than that of the frame before");
        }
        if header.mark_place(place.segment) > place {
            return Err("the durable mark lies beyond the frame");
        }
        Ok(())
    }

    fn follow(&mut self, header: &FrameHeader, place: Place) {
        self.sequence += u64::from(header.count);
        self.link = header.crc;
        self.epoch = header.epoch;
        self.recorded_at = header.recorded_at;
        self.mark = self.mark.max(header.mark_place(place.segment));
        self.closed = header.kind == Kind::Close;
    }
}

/// Why a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Less room is left than a frame needs, or what stands there begins with zeros.
    Nothing,
    /// What stands there is no valid frame; this is wrong with it.
    Invalid(&'static str),
    /// What stands there is a whole frame, its checksums valid, that does not follow what is before it or makes no sense: this is
    /// wrong with it. No unfinished write looks like that.
    Unfit(&'static str),
}

/// Where and why a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScanEnd {
    /// Where the next frame would begin.
    pub(crate) offset: u64,
    pub(crate) stop: Stop,
    /// Whether the segment has a valid opening frame.
    pub(crate) opened: bool,
}

/// What takes in a frame and the padding behind it. May refuse the frame, and say why.
pub(crate) type Visit<'v> = dyn FnMut(Place, &FrameView<'_>, &[u8]) -> Result<(), &'static str> + 'v;

/// Walks the valid frames of a segment that follow `chain`, and lends each to `visit`, with the
/// padding behind it.
///
/// `previous_end` is where the segment before ended; the opening frame must say the same. `visit` may refuse a frame that makes
/// no sense although its checksums fit, and say why.
pub(crate) fn scan(
    file: &dyn DiskFile,
    segment: &SegmentHeader,
    previous_end: u64,
    chain: &mut Chain,
    visit: &mut Visit<'_>,
) -> Result<ScanEnd, IoFailure> {
    let mut window = Window::new(file);
    let mut offset = segment_header::HEADER_BYTES;
    let mut opened = false;
    loop {
        let place = Place { segment: segment.number, offset };
        let head = window.get(offset, HEADER_BYTES)?;
        let Some(head) = head.get(..HEADER_BYTES) else {
            return Ok(ScanEnd { offset, stop: Stop::Nothing, opened });
        };
        if head.iter().all(|byte| *byte == 0) {
            return Ok(ScanEnd { offset, stop: Stop::Nothing, opened });
        }
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let bytes = window.get(offset, length.max(HEADER_BYTES) + 8)?;
        let invalid = |why| Ok(ScanEnd { offset, stop: Stop::Invalid(why), opened });
        let unfit = |why| Ok(ScanEnd { offset, stop: Stop::Unfit(why), opened });
        let Some(view) = FrameView::open(bytes) else {
            // Whole, and yet not to be read: no unfinished write looks like that.
            return if is_whole(bytes, segment.salt, offset) {
                unfit("the frame is whole, and what it says makes no sense")
            } else {
                invalid("the frame's header makes no sense")
            };
        };
        if !verify_whole(view.bytes, &view.header, segment.salt, offset) {
            return invalid("the frame's checksum does not fit");
        }
        let opening = (!opened).then_some(previous_end);
        if let Err(why) = chain.accepts(&view.header, place, opening) {
            return unfit(why);
        }
        if let Some(end) = opening
            && view.body() != end.to_le_bytes()
        {
            return unfit("the opening frame says another end of the segment before");
        }
        let padded = aligned(u64::from(view.header.length));
        let padding = bytes.get(view.bytes.len()..usize::try_from(padded).unwrap_or_default()).unwrap_or_default();
        if let Err(why) = visit(place, &view, padding) {
            return unfit(why);
        }
        opened = true;
        chain.follow(&view.header, place);
        offset += padded;
    }
}

/// Whether a frame with valid checksums stands at the beginning of `bytes`, whatever it says.
fn is_whole(bytes: &[u8], salt: u64, offset: u64) -> bool {
    let frame = FrameHeader::decode(bytes).and_then(|header| Some((header, bytes.get(..header.length as usize)?)));
    frame.is_some_and(|(header, frame)| verify_whole(frame, &header, salt, offset))
}

/// What was found behind the place where a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Search {
    /// The furthest durable mark that a valid frame there proves.
    pub(crate) mark: Option<Place>,
    /// Behind the last byte that is not zero.
    pub(crate) end: u64,
    /// Whether the search gave up because too much looked like frames: then nothing may be concluded from a missing mark.
    pub(crate) gave_up: bool,
}

/// Looks at every place from `from` on for valid frames and the durable marks in them.
///
/// Linear in the length: most places are zeros or no header, and the bytes hashed are bounded by eight times the segment's.
pub(crate) fn search_marks(file: &dyn DiskFile, segment: &SegmentHeader, from: u64) -> Result<Search, IoFailure> {
    let mut window = Window::new(file);
    let mut found = Search { mark: None, end: from, gave_up: false };
    let mut budget = file.length().saturating_mul(8).saturating_add(64 << 20);
    let mut offset = aligned(from);
    while offset < file.length() {
        let bytes = window.get(offset, TABLE_HEADER_BYTES)?;
        let zeros = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len()) / 8 * 8;
        if zeros > 0 {
            offset += zeros as u64;
            continue;
        }
        let word_end = offset + 8.min(bytes.len()) as u64;
        found.end = found.end.max(word_end);
        let mut step = 8;
        if let Some(header) = FrameHeader::decode(bytes)
            && offset + u64::from(header.length) <= file.length()
            && header.mark_place(segment.number) <= (Place { segment: segment.number, offset })
        {
            budget = budget.saturating_sub(u64::from(header.length));
            if budget == 0 {
                found.gave_up = true;
                return Ok(found);
            }
            let frame = window.get(offset, header.length as usize)?;
            let frame = frame.get(..header.length as usize).unwrap_or_default();
            if verify_whole(frame, &header, segment.salt, offset) {
                found.mark = found.mark.max(Some(header.mark_place(segment.number)));
                step = aligned(u64::from(header.length));
                found.end = found.end.max(offset + u64::from(header.length));
            }
        }
        offset += step;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk, RealDisk};
    use crate::format::encode::{self, Context, TransactionSource};
    use crate::format::event::EventSource;
    use crate::vocabulary::attributes::Attributes;
    use crate::vocabulary::event::Given;
    use crate::vocabulary::payload::{PayloadKind, PayloadRef};

    const SALT: u64 = 77;
    const NONE: PayloadRef<'_> =
        PayloadRef { kind: PayloadKind::None, bytes: &[], content_type: None, schema: None, schema_version: None };

    /// A frame of two events, which says that everything before it is durable.
    fn frame_at(place: Place) -> Vec<u8> {
        let recorded_at = Timestamp::UNIX_EPOCH;
        let context = Context { place, salt: SALT, sequence: 5, recorded_at, epoch: 1, mark: place, link: 9 };
        let attributes = Attributes::new();
        let event = |position| EventSource {
            id: None,
            category: "c",
            stream: "s",
            name: "n",
            payload: NONE,
            metadata: None,
            attributes: &attributes,
            position,
            observed_at: recorded_at,
            occurred_at: recorded_at,
            given: Given::default(),
        };
        let source = TransactionSource { id: None, attributes: &attributes, records: &[] };
        let mut frame = Vec::new();
        encode::transaction(&mut frame, &context, source, [event(0), event(1)].into_iter()).unwrap();
        frame
    }

    #[test]
    fn a_mark_is_found_wherever_its_frame_stands() {
        let directory = tempfile::tempdir().unwrap();
        let length = 2 << 20;
        let file = RealDisk::new(directory.path()).unwrap().create("a", length, false).unwrap();
        let segment =
            SegmentHeader { store_id: [1; 16], number: 1, salt: SALT, length, created_at: Timestamp::UNIX_EPOCH };
        let from = segment_header::HEADER_BYTES;
        // Around the end of what the window reads at once, where the header may lie on both sides.
        for offset in (from + (1 << 20) - 160..from + (1 << 20) + 16).step_by(8) {
            let place = Place { segment: 1, offset };
            let frame = frame_at(place);
            file.write_at(offset, &frame).unwrap();
            let found = search_marks(&*file, &segment, from).unwrap();
            assert_eq!((found.mark, found.end), (Some(place), offset + frame.len() as u64), "at {offset}");
            file.write_at(offset, &vec![0; frame.len()]).unwrap();
        }
        assert_eq!(search_marks(&*file, &segment, from).unwrap(), Search { mark: None, end: from, gave_up: false });
    }
}
