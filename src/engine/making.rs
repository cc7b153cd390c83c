//! An index in the making: how far frames were read and verified, and what of them an index file will hold.

use crate::disk::DiskFile;
use crate::format::decode::{FrameView, NameCache};
use crate::format::event_id::IdSeed;
use crate::format::frame::Kind;
use crate::format::place::Place;
use crate::format::segment_header::SegmentHeader;
use crate::index::hash_seed;
use crate::index::sealed::{Covers, IndexBuilder, IndexedEvent};
use crate::segment::{Chain, Start, scan};
use crate::vocabulary::error::IoFailure;
use crate::vocabulary::event::Parts;

/// Bytes of frames that are read before who makes an index looks whether something else is wanted sooner.
const LOOK_AROUND: u64 = 4 << 20;

/// Why frames cannot be indexed.
#[derive(Debug)]
pub(super) enum Fault {
    /// They cannot be read.
    Unreadable(IoFailure),
    /// They are not what they must be.
    Damaged { offset: u64, what: String },
}

impl Fault {
    fn damaged(offset: u64, what: impl ToString) -> Self {
        Fault::Damaged { offset, what: what.to_string() }
    }
}

/// Reads the frames from `start` up to `end`, verifies them, and builds their index: the bytes of its file.
pub(super) fn build(file: &dyn DiskFile, header: &SegmentHeader, start: &Start, end: u64) -> Result<Vec<u8>, Fault> {
    let mut making = Making::new(header, start);
    making.read_on(file, end, &|| ())?;
    making.finish()
}

/// The index of the frames of one segment from somewhere on, as far as they were read. It can be finished at any time, and goes
/// on afterwards. After a failure it is of no more use.
#[derive(Debug)]
pub(super) struct Making {
    header: SegmentHeader,
    start: Start,
    builder: IndexBuilder,
    /// Up to where the frames were read, and what they say of the one that follows.
    offset: u64,
    chain: Chain,
    /// Where the last of them begins.
    last: u64,
}

impl Making {
    /// Of frames from `start` on; none was read yet.
    pub(super) fn new(header: &SegmentHeader, start: &Start) -> Self {
        let builder = IndexBuilder::new(hash_seed(&header.store_id), start.chain.sequence);
        Self::of(header, *start, builder)
    }

    fn of(header: &SegmentHeader, start: Start, builder: IndexBuilder) -> Self {
        Self { header: header.clone(), start, builder, offset: start.offset, chain: start.chain, last: start.offset }
    }

    /// Bytes of memory, about.
    pub(super) fn bytes(&self) -> u64 {
        self.builder.bytes()
    }

    /// Of the frames that follow these, for [`Making::absorb`].
    pub(super) fn following(&self) -> Self {
        let start = Start { offset: self.offset, previous_end: 0, chain: self.chain };
        Self::of(&self.header, start, IndexBuilder::following(&self.builder))
    }

    /// Whether it is of this segment, in this life of its file.
    pub(super) fn is_of(&self, header: &SegmentHeader) -> bool {
        self.header == *header
    }

    /// Whether it begins at `start`, and was read no further than `end`.
    pub(super) fn leads_to(&self, header: &SegmentHeader, start: &Start, end: u64) -> bool {
        self.is_of(header) && self.start == *start && self.offset <= end
    }

    /// Whether the frames that begin at `start` are the next ones.
    pub(super) fn is_followed_by(&self, header: &SegmentHeader, start: &Start) -> bool {
        let says = |chain: &Chain| (chain.sequence, chain.link, chain.epoch);
        self.is_of(header) && self.offset == start.offset && says(&self.chain) == says(&start.chain)
    }

    /// Reads the frames up to `end`, and verifies them. Does what is to be done `meanwhile` every few MiB.
    pub(super) fn read_on(&mut self, file: &dyn DiskFile, end: u64, meanwhile: &dyn Fn()) -> Result<(), Fault> {
        let Self { header, builder, last, .. } = self;
        let seed = IdSeed::of(&header.store_id);
        let start = Start { offset: self.offset, chain: self.chain, ..self.start };
        let mut looked = start.offset;
        let mut parts = Parts::default();
        let scanned = scan(file, header, &start, end, &mut self.chain, &mut |place, frame, _| {
            *last = place.offset;
            if place.offset - looked >= LOOK_AROUND {
                looked = place.offset;
                meanwhile();
            }
            if frame.header.kind != Kind::Transaction {
                return Ok(());
            }
            add(builder, place, frame, seed, &mut parts)
        })
        .map_err(Fault::Unreadable)?;
        if scanned.offset != end {
            return Err(Fault::damaged(scanned.offset, scanned.stop.what()));
        }
        self.offset = end;
        Ok(())
    }

    /// The bytes of the index file of what was read.
    pub(super) fn finish(&self) -> Result<Vec<u8>, Fault> {
        let covers = Covers {
            store_id: self.header.store_id,
            segment: self.header.number,
            salt: self.header.salt,
            from: self.start.offset,
            end: self.offset,
            last: self.last,
            base: self.start.chain.sequence,
            count: self.builder.count(),
            transactions: self.builder.transactions(),
            chain: self.chain,
            first_recorded_at: self.builder.first_recorded_at(),
        };
        self.builder.finish(&covers).map_err(|too_large| Fault::damaged(self.start.offset, too_large))
    }

    /// Takes in what was read of the frames that follow: it was made by [`Making::following`], and this has not gone on since.
    pub(super) fn absorb(&mut self, next: &Self) -> Result<(), Fault> {
        self.builder.absorb(&next.builder).map_err(|too_large| Fault::damaged(next.start.offset, too_large))?;
        (self.offset, self.chain, self.last) = (next.offset, next.chain, next.last);
        Ok(())
    }
}

#[cfg(test)]
impl Making {
    /// Says that it is of another segment.
    pub(super) fn relabel(&mut self, header: &SegmentHeader) {
        self.header = header.clone();
    }
}

/// Adds a frame, whose events the scan has verified. `parts` is room for one of them.
fn add(
    builder: &mut IndexBuilder,
    place: Place,
    frame: &FrameView<'_>,
    seed: IdSeed,
    parts: &mut Parts,
) -> Result<(), &'static str> {
    let too_much = |_| "the frames are too much for one index";
    let (data, header) = (frame.bytes, &frame.header);
    let mut names = NameCache::default();
    let mut adding = builder.begin(place.offset, header.recorded_at).map_err(too_much)?;
    for index in 0..header.count {
        frame.read(index, seed, None, &mut names, parts).map_err(|_| "an event makes no sense")?;
        let id = seed.other_id(parts, data, header.sequence + u64::from(index), header.recorded_at);
        let event = IndexedEvent {
            category: parts.category.of(data),
            stream: parts.stream.of(data),
            name: parts.name.of(data),
            position: parts.position,
            occurred_at: parts.occurred_at.from(parts.observed_at.from(header.recorded_at)),
            id: id.as_ref(),
        };
        adding.event(&event).map_err(too_much)?;
    }
    let records = frame.sections.records(data).ok_or("the system records make no sense")?;
    adding.finish(frame.sections.id_text(data), &records);
    Ok(())
}
