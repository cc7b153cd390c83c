//! Scanning a segment: its valid frames one after the other, and what stands where they end. Never writes.

use super::window::Window;
use crate::disk::DiskFile;
use crate::format::decode::FrameView;
use crate::format::frame::{FrameHeader, HEADER_BYTES, Kind, verify_whole};
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

    /// Whether a frame with this header may stand at `place`; says what does not fit. `previous_end` is given for the first frame
    /// of a segment.
    pub(crate) fn accepts(
        &self,
        header: &FrameHeader,
        place: Place,
        previous_end: Option<u64>,
    ) -> Result<(), &'static str> {
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

    /// Whether a frame with this header may come later in the log, with others missing in between; says what contradicts that.
    pub(crate) fn may_lead_to(&self, header: &FrameHeader) -> Result<(), &'static str> {
        if header.sequence < self.sequence {
            return Err("its sequence number stands before it already");
        }
        if header.epoch < self.epoch {
            return Err("its epoch is older than what stands before it");
        }
        if header.recorded_at < self.recorded_at {
            return Err("its recorded time is earlier than what stands before it");
        }
        Ok(())
    }

    /// Takes in a frame that was accepted, or that the log goes on with behind a gap.
    pub(crate) fn follow(&mut self, header: &FrameHeader, place: Place) {
        self.sequence = header.sequence + u64::from(header.count);
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

impl Stop {
    /// The same in words.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Stop::Nothing => "no frame stands here",
            Stop::Invalid(why) | Stop::Unfit(why) => why,
        }
    }
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

/// Where a scan begins, and what is known of what stands before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Start {
    /// The offset of the first frame in the segment.
    pub(crate) offset: u64,
    /// Where the segment before ended: the opening frame must say the same.
    pub(crate) previous_end: u64,
    /// What the frames before say about the first one.
    pub(crate) chain: Chain,
}

impl Start {
    /// At a segment's first frame.
    pub(crate) fn of_segment(previous_end: u64, chain: Chain) -> Self {
        Self { offset: segment_header::HEADER_BYTES, previous_end, chain }
    }
}

/// Walks the valid frames of a segment from `start` up to `until` at most, and lends each to `visit`, with the padding behind it.
/// `chain` goes from the start's to what the last frame says.
///
/// `visit` may refuse a frame that makes no sense although its checksums fit, and say why.
pub(crate) fn scan(
    file: &dyn DiskFile,
    segment: &SegmentHeader,
    start: &Start,
    until: u64,
    chain: &mut Chain,
    visit: &mut Visit<'_>,
) -> Result<ScanEnd, IoFailure> {
    let mut window = Window::new(file);
    let mut offset = start.offset;
    let mut opened = offset > segment_header::HEADER_BYTES;
    *chain = start.chain;
    loop {
        if offset >= until {
            return Ok(ScanEnd { offset, stop: Stop::Nothing, opened });
        }
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
        let unfit = |why| Ok(ScanEnd { offset, stop: Stop::Unfit(why), opened });
        let view = match prove(bytes, segment.salt, offset) {
            Ok(view) => view,
            Err(stop) => return Ok(ScanEnd { offset, stop, opened }),
        };
        let opening = (!opened).then_some(start.previous_end);
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

/// What is wrong with what stands at `offset`, for messages.
pub(crate) fn what_stands(
    file: &dyn DiskFile,
    segment: &SegmentHeader,
    offset: u64,
) -> Result<&'static str, IoFailure> {
    let mut window = Window::new(file);
    let head = window.get(offset, HEADER_BYTES)?;
    if head.len() < HEADER_BYTES || head.iter().all(|byte| *byte == 0) {
        return Ok(Stop::Nothing.what());
    }
    let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
    let found = prove(window.get(offset, length.max(HEADER_BYTES))?, segment.salt, offset);
    Ok(found.map_or_else(Stop::what, |_| "the frame does not follow what stands before it"))
}

/// The frame at the beginning of `bytes`, which stand at `offset` of a segment with this salt; or why there is none.
fn prove(bytes: &[u8], salt: u64, offset: u64) -> Result<FrameView<'_>, Stop> {
    let Some(view) = FrameView::open(bytes) else {
        // Whole, and yet not to be read: no unfinished write looks like that.
        return Err(if is_whole(bytes, salt, offset) {
            Stop::Unfit("the frame is whole, and what it says makes no sense")
        } else {
            Stop::Invalid("the frame's header makes no sense")
        });
    };
    if verify_whole(view.bytes, &view.header, salt, offset) {
        Ok(view)
    } else {
        Err(Stop::Invalid("the frame's checksum does not fit"))
    }
}

/// Whether a frame with valid checksums stands at the beginning of `bytes`, whatever it says.
fn is_whole(bytes: &[u8], salt: u64, offset: u64) -> bool {
    let frame = FrameHeader::decode(bytes).and_then(|header| Some((header, bytes.get(..header.length as usize)?)));
    frame.is_some_and(|(header, frame)| verify_whole(frame, &header, salt, offset))
}
