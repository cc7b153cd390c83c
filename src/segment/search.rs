//! Searching a segment where no chain leads: every place at which a frame proves itself, whatever stands before it.

use super::window::Window;
use crate::disk::DiskFile;
use crate::format::frame::{FrameHeader, TABLE_HEADER_BYTES, verify_whole};
use crate::format::place::{Place, aligned};
use crate::format::segment_header::SegmentHeader;
use crate::vocabulary::error::IoFailure;

/// What a search came to.
#[derive(Debug)]
pub(crate) enum Found<'b> {
    /// A frame whose checksums fit this place: exactly its bytes. Whether it makes sense, and follows, was not asked.
    Frame { offset: u64, bytes: &'b [u8] },
    /// The end of the file.
    Nothing,
    /// Too much looks like frames: no more is looked for in this file.
    GaveUp,
}

/// Looks at every place of a segment for frames whose checksums are valid there.
///
/// Linear in the length: most places are zeros or no header, and the bytes hashed are bounded by eight times the segment's.
pub(crate) struct Search<'f> {
    window: Window<'f>,
    segment: &'f SegmentHeader,
    length: u64,
    offset: u64,
    end: u64,
    budget: u64,
}

impl<'f> Search<'f> {
    pub(crate) fn new(file: &'f dyn DiskFile, segment: &'f SegmentHeader, from: u64) -> Self {
        let length = file.length();
        let budget = length.saturating_mul(8).saturating_add(64 << 20);
        Self { window: Window::new(file), segment, length, offset: aligned(from), end: from, budget }
    }

    /// Behind the last byte found so far that is not zero.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The next frame; the search goes on behind it.
    pub(crate) fn next(&mut self) -> Result<Found<'_>, IoFailure> {
        while self.offset < self.length {
            let bytes = self.window.get(self.offset, TABLE_HEADER_BYTES)?;
            let zeros = leading_zeros(bytes) / 8 * 8;
            if zeros > 0 {
                self.offset += zeros as u64;
                continue;
            }
            let offset = self.offset;
            let place = Place { segment: self.segment.number, offset };
            self.end = self.end.max(offset + 8.min(bytes.len()) as u64);
            self.offset += 8;
            let Some(header) = FrameHeader::decode(bytes) else { continue };
            let frame_end = offset + u64::from(header.length);
            if frame_end > self.length || header.mark_place(place.segment) > place {
                continue;
            }
            self.budget = self.budget.saturating_sub(u64::from(header.length));
            if self.budget == 0 {
                self.offset = self.length;
                return Ok(Found::GaveUp);
            }
            let length = header.length as usize;
            let frame = self.window.get(offset, length)?.get(..length).unwrap_or_default();
            if verify_whole(frame, &header, self.segment.salt, offset) {
                self.offset = offset + aligned(u64::from(header.length));
                self.end = self.end.max(frame_end);
                // Lent once more, because a loan that is returned from one branch lasts in all of them.
                let bytes = self.window.get(offset, length)?.get(..length).unwrap_or_default();
                return Ok(Found::Frame { offset, bytes });
            }
        }
        Ok(Found::Nothing)
    }
}

/// How many bytes at the beginning are zeros. In blocks first: most of what is searched is a prepared segment's empty rest.
fn leading_zeros(bytes: &[u8]) -> usize {
    let blocks = bytes.chunks(64).take_while(|block| block.iter().fold(0, |all, byte| all | byte) == 0).count();
    let skipped = bytes.len().min(blocks * 64);
    let rest = bytes.get(skipped..).unwrap_or_default();
    skipped + rest.iter().position(|byte| *byte != 0).unwrap_or(rest.len())
}

/// What was found behind the place where a scan ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The furthest durable mark that a valid frame there proves.
    pub(crate) mark: Option<Place>,
    /// Behind the last byte that is not zero.
    pub(crate) end: u64,
    /// Whether the search gave up because too much looked like frames: then nothing may be concluded from a missing mark.
    pub(crate) gave_up: bool,
}

/// Looks at every place from `from` on for valid frames and the durable marks in them.
pub(crate) fn search_marks(file: &dyn DiskFile, segment: &SegmentHeader, from: u64) -> Result<Marks, IoFailure> {
    let mut search = Search::new(file, segment, from);
    let mut mark = None;
    let gave_up = loop {
        match search.next()? {
            Found::Frame { bytes, .. } => {
                mark = mark.max(FrameHeader::decode(bytes).map(|header| header.mark_place(segment.number)));
            }
            Found::Nothing => break false,
            Found::GaveUp => break true,
        }
    };
    Ok(Marks { mark, end: search.end(), gave_up })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Disk, RealDisk, Writing};
    use crate::format::encode::{self, Context, TransactionSource};
    use crate::format::event::EventSource;
    use crate::format::segment_header::HEADER_BYTES;
    use crate::vocabulary::attributes::Attributes;
    use crate::vocabulary::event::Given;
    use crate::vocabulary::payload::{PayloadKind, PayloadRef};

    use crate::vocabulary::time::Timestamp;

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
    fn leading_zeros_are_counted_across_blocks() {
        for length in [0, 1, 7, 63, 64, 65, 200] {
            assert_eq!(leading_zeros(&vec![0; length]), length);
            for at in 0..length {
                let mut bytes = vec![0; length];
                bytes[at..].fill(3);
                assert_eq!(leading_zeros(&bytes), at);
            }
        }
    }

    #[test]
    fn a_mark_is_found_wherever_its_frame_stands() {
        let directory = tempfile::tempdir().unwrap();
        let length = 2 << 20;
        let file = RealDisk::new(directory.path()).unwrap().create("a", length, Writing::Synced).unwrap();
        let segment =
            SegmentHeader { store_id: [1; 16], number: 1, salt: SALT, length, created_at: Timestamp::UNIX_EPOCH };
        let from = HEADER_BYTES;
        // Around the end of what the window reads at once, where the header may lie on both sides.
        for offset in (from + (1 << 20) - 160..from + (1 << 20) + 16).step_by(8) {
            let place = Place { segment: 1, offset };
            let frame = frame_at(place);
            file.write_at(offset, &frame).unwrap();
            let found = search_marks(&*file, &segment, from).unwrap();
            assert_eq!((found.mark, found.end), (Some(place), offset + frame.len() as u64), "at {offset}");
            file.write_at(offset, &vec![0; frame.len()]).unwrap();
        }
        assert_eq!(search_marks(&*file, &segment, from).unwrap(), Marks { mark: None, end: from, gave_up: false });
    }
}
