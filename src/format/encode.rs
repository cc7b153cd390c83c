//! Writing whole frames: transactions, and the frames that keep the log's books.

use super::bytes::same;
use super::checksum::{crc, event_seed, frame_seed};
use super::event::{self, EventSource, Shared};
use super::frame::{
    FrameHeader, HEADER_BYTES, Kind, MARK_IN_PREVIOUS, TABLE, TABLE_ENTRY_BYTES, TABLE_HEADER_BYTES, seal,
};
use super::place::Place;
use super::transaction::{flags, put_sections};
use crate::vocabulary::attributes::Attributes;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::{Digest, SystemRecord};

/// What a frame takes from where and when it is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    pub(crate) place: Place,
    pub(crate) salt: u64,
    /// The sequence number of the next event.
    pub(crate) sequence: u64,
    pub(crate) recorded_at: Timestamp,
    pub(crate) epoch: u32,
    /// What is known durable now.
    pub(crate) mark: Place,
    /// The checksum of the frame before.
    pub(crate) link: u32,
}

impl Context {
    #[inline]
    pub(super) fn header(&self, kind: Kind) -> FrameHeader {
        // A mark further back than the segment before says no less about this one: nothing of it is durable yet.
        let oldest = Place::start_of(self.place.segment.saturating_sub(1));
        let mark = self.mark.max(oldest);
        let in_previous = mark.segment < self.place.segment;
        FrameHeader {
            crc: 0,
            length: 0,
            kind,
            flags: if in_previous { MARK_IN_PREVIOUS } else { 0 },
            count: 0,
            sequence: self.sequence,
            recorded_at: self.recorded_at,
            epoch: self.epoch,
            mark: u32::try_from(mark.offset >> 3).unwrap_or(0),
            link: self.link,
            covered: 0,
        }
    }
}

/// The parts of a transaction that are not events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TransactionSource<'a> {
    pub(crate) id: Option<(&'a str, Digest)>,
    pub(crate) attributes: &'a Attributes,
    pub(crate) records: &'a [SystemRecord],
}

/// A frame that would be longer than the format can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong(pub(crate) u64);

/// Puts a transaction's frame in place of what is in `out`, and returns its checksum.
///
/// # Errors
/// [`TooLong`] when the frame needs more than 4 GiB.
pub(crate) fn transaction<'a>(
    out: &mut Vec<u8>,
    context: &Context,
    source: TransactionSource<'a>,
    mut events: impl ExactSizeIterator<Item = EventSource<'a>>,
) -> Result<u32, TooLong> {
    out.clear();
    let count = u32::try_from(events.len()).map_err(|_| TooLong(u64::MAX))?;
    let mut header = context.header(Kind::Transaction);
    header.count = count;
    header.flags |= flags(source.id.is_some(), source.attributes, source.records);
    if count > 1 {
        header.flags |= TABLE;
        out.extend_from_slice(&[0; TABLE_HEADER_BYTES]);
    } else {
        out.extend_from_slice(&[0; HEADER_BYTES]);
    }
    put_sections(out, source.id, source.attributes, source.records);
    if count > 1 {
        let table = out.len();
        out.resize(table + count as usize * TABLE_ENTRY_BYTES, 0);
        header.covered = length(out)?;
        put_events(out, table, context, events)?;
    } else if let Some(event) = events.next() {
        event::put(out, &event, Shared::default(), context.recorded_at);
    }
    finish(out, header, context)
}

/// Writes the events of a frame with a table, and their entries.
fn put_events<'a>(
    out: &mut Vec<u8>,
    table: usize,
    context: &Context,
    events: impl Iterator<Item = EventSource<'a>>,
) -> Result<(), TooLong> {
    let seed = frame_seed(context.salt, context.place.offset);
    let mut sharing = Sharing::default();
    for (index, event) in (0_u32..).zip(events) {
        let start = out.len();
        event::put(out, &event, sharing.of(index, &event), context.recorded_at);
        let sum = crc(event_seed(seed, index), out.get(start..).unwrap_or_default());
        let end = length(out)?;
        let entry = table + index as usize * TABLE_ENTRY_BYTES;
        if let Some(slot) = out.get_mut(entry..entry + TABLE_ENTRY_BYTES) {
            let (crc_slot, end_slot) = slot.split_at_mut(4);
            crc_slot.copy_from_slice(&sum.to_le_bytes());
            end_slot.copy_from_slice(&end.to_le_bytes());
        }
    }
    Ok(())
}

/// Puts a frame without events in place of what is in `out`, and returns its checksum.
///
/// # Errors
/// [`TooLong`], which such a frame never is.
pub(crate) fn bookkeeping(out: &mut Vec<u8>, context: &Context, kind: Kind, body: &[u8]) -> Result<u32, TooLong> {
    out.clear();
    out.resize(HEADER_BYTES, 0);
    out.extend_from_slice(body);
    finish(out, context.header(kind), context)
}

fn length(out: &[u8]) -> Result<u32, TooLong> {
    u32::try_from(out.len()).map_err(|_| TooLong(out.len() as u64))
}

fn finish(out: &mut [u8], mut header: FrameHeader, context: &Context) -> Result<u32, TooLong> {
    header.length = length(out)?;
    let covered = if header.has_table() { header.covered } else { header.length } as usize;
    let bytes = header.encode();
    if header.has_table() {
        if let Some(slot) = out.first_chunk_mut::<TABLE_HEADER_BYTES>() {
            *slot = bytes;
        }
    } else if let Some((slot, bytes)) = out.first_chunk_mut::<HEADER_BYTES>().zip(bytes.first_chunk()) {
        *slot = *bytes;
    }
    Ok(seal(out, covered, context.salt, context.place.offset))
}

/// Which events of a frame carry a stream or a name that later ones may share. Looks at the last few: transactions name their
/// streams in runs.
#[derive(Default)]
struct Sharing<'a> {
    streams: Recent<'a, 2>,
    names: Recent<'a, 1>,
}

impl<'a> Sharing<'a> {
    fn of(&mut self, index: u32, event: &EventSource<'a>) -> Shared {
        Shared {
            stream: self.streams.back_to(index, [event.stream, event.category]),
            name: self.names.back_to(index, [event.name]),
        }
    }
}

/// The last few distinct values, and the events that carry them.
struct Recent<'a, const N: usize> {
    seen: [Option<([&'a str; N], u32)>; 8],
    next: usize,
}

impl<const N: usize> Default for Recent<'_, N> {
    fn default() -> Self {
        Self { seen: [None; 8], next: 0 }
    }
}

impl<'a, const N: usize> Recent<'a, N> {
    /// How far before `index` the value stands; remembers it as carried by `index` if it does not.
    fn back_to(&mut self, index: u32, value: [&'a str; N]) -> Option<u32> {
        let is_it = |seen: &[&str; N]| seen.iter().zip(value).all(|(seen, value)| same(seen, value));
        if let Some((_, at)) = self.seen.iter().flatten().find(|(seen, _)| is_it(seen)) {
            return Some(index - at);
        }
        if let Some(slot) = self.seen.get_mut(self.next) {
            *slot = Some((value, index));
        }
        self.next = (self.next + 1) % self.seen.len();
        None
    }
}
