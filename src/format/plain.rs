//! The frame that most are, written and read in one go: a transaction of one event that carries what every event does, and no more.
//!
//! It says nothing that the general way does not say, and of what it does not know, or finds wrong, it says nothing at all: then
//! the general way is taken, and tells what is the matter.

use super::bytes::{Fields, Pen};
use super::checksum::{crc, frame_seed};
use super::encode::Context;
use super::event::{FRONT, delta, flag, kind_code, kind_of};
use super::event_id::IdSeed;
use super::frame::{HEADER_BYTES, Kind, MARK_IN_PREVIOUS, seal};
use crate::vocabulary::event::{Given, IdPart, Parts, Span, TransactionPart};
use crate::vocabulary::moment::Moment;
use crate::vocabulary::payload::PayloadRef;
use crate::vocabulary::time::Timestamp;

/// Kind, flags, header units, reserved and count of such a frame, as one number.
const PLAIN: u64 = Kind::Transaction.code() as u64 | (HEADER_BYTES as u64 / 8) << 16 | 1 << 32;
/// Says of what the durable mark is an offset, and nothing of the frame itself.
const MARK: u64 = (MARK_IN_PREVIOUS as u64) << 8;
/// Bytes of the header, the event's flags, its payload's kind and the first of its position.
const FRONT_BYTES: usize = HEADER_BYTES + 4;
/// Where names begin behind a position of one byte.
const NAMES: u32 = 52;
const _: () = assert!(NAMES as usize == FRONT_BYTES);
/// Bytes of such a frame at most: far from where offsets within it would overflow.
const LONGEST: u32 = 1 << 30;
/// What an event may have that is read the general way.
const OTHERS: u16 = !(flag::ID_GIVEN | flag::OBSERVED_GIVEN | flag::OCCURRED_GIVEN);

/// What such a frame says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlainEvent<'a> {
    pub(crate) category: &'a str,
    pub(crate) stream: &'a str,
    pub(crate) name: &'a str,
    pub(crate) payload: PayloadRef<'a>,
    pub(crate) position: u64,
    pub(crate) observed_at: Timestamp,
}

/// Puts the frame of an event in place of what is in `out`, and returns its checksum. `None` where the general way must be taken:
/// then what is in `out` is of no use.
#[inline]
pub(crate) fn put(out: &mut Vec<u8>, context: &Context, event: &PlainEvent<'_>) -> Option<u32> {
    let observed = delta(event.observed_at, context.recorded_at)?;
    let names = event.category.len() + event.stream.len() + event.name.len();
    let most = HEADER_BYTES + FRONT + names + event.payload.bytes.len();
    if most > LONGEST as usize {
        return None;
    }
    // What was there is overwritten: mostly a frame of about that length.
    out.resize(most, 0);
    let mut pen = Pen::new(out.get_mut(HEADER_BYTES..)?);
    pen.fixed([0, 0, kind_code(event.payload.kind)])?;
    pen.varint(event.position)?;
    pen.run(event.category.as_bytes())?;
    pen.run(event.stream.as_bytes())?;
    pen.run(event.name.as_bytes())?;
    pen.signed_varint(observed)?;
    pen.bytes(event.payload.bytes)?;
    let length = HEADER_BYTES + pen.at();
    out.truncate(length);
    let mut header = context.header(Kind::Transaction);
    header.count = 1;
    header.length = u32::try_from(length).ok()?;
    *out.first_chunk_mut::<HEADER_BYTES>()? = *header.encode().first_chunk()?;
    Some(seal(out, length, context.salt, context.place.offset))
}

/// Where a frame stands, for its checksum.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stand {
    pub(crate) salt: u64,
    pub(crate) offset: u64,
}

/// Reads the frame at the beginning of `bytes` into `parts`, if it is a plain one that holds the event with this number. With
/// `verify`, its checksum is compared first, and names are seen to be text. Gives the frame; after `None`, `parts` are of no use.
#[inline(always)]
pub(crate) fn read<'a>(
    bytes: &'a [u8],
    number: u64,
    seed: IdSeed,
    verify: Option<Stand>,
    parts: &mut Parts,
) -> Option<&'a [u8]> {
    // One look at the length for the header and what the event begins with.
    let front: &[u8; FRONT_BYTES] = bytes.first_chunk()?;
    let (length, sequence) = (u32_at(front, 4), u64_at(front, 16));
    if u64_at(front, 8) & !MARK != PLAIN || sequence != number || number == u64::MAX || length > LONGEST {
        return None;
    }
    let frame = bytes.get(..length as usize)?;
    if let Some(stand) = verify
        && crc(frame_seed(stand.salt, stand.offset), frame.get(4..)?) != u32_at(front, 0)
    {
        return None;
    }
    let recorded_at = Timestamp::checked(u64_at(front, 24).cast_signed(), u32_at(front, 32))?;
    let [.., low, high, kind, first] = *front;
    let flags = u16::from_le_bytes([low, high]);
    if flags & OTHERS != 0 {
        return None;
    }
    let kind = kind_of(kind)?;
    let (position, names) = match first {
        0..0x80 => (u64::from(first), NAMES),
        _ => long_position(frame)?,
    };
    let category = run(frame, names)?;
    let stream = run(frame, category.end)?;
    let name = run(frame, stream.end)?;
    // The lengths between are below 128, as ASCII is.
    if verify.is_some() {
        let is_ascii = frame.get(names as usize..name.end as usize)?.is_ascii();
        if !is_ascii && !are_text(frame, [category, stream, name]) {
            return None;
        }
    }
    let mut fields = Fields::new(frame, name.end as usize);
    let observed_at = Moment::after(recorded_at, fields.signed_varint()?)?;
    (parts.category, parts.stream, parts.name) = (category, stream, name);
    (parts.observed_at, parts.occurred_at) = (observed_at, Moment::After(0));
    parts.payload = Span { start: u32::try_from(fields.at()).ok()?, end: length };
    parts.payload_kind = kind;
    parts.id = IdPart::Made(seed);
    (parts.position, parts.sequence_number) = (position, number);
    parts.given = match flags {
        0 => Given::default(),
        _ => Given {
            id: flags & flag::ID_GIVEN != 0,
            observed_at: flags & flag::OBSERVED_GIVEN != 0,
            occurred_at: flags & flag::OCCURRED_GIVEN != 0,
        },
    };
    parts.transaction = TransactionPart { id: None, first: number, count: 1, recorded_at };
    if parts.has_extras {
        parts.drop_extras();
    }
    Some(frame)
}

/// A position of more than one byte, and where it ends.
fn long_position(frame: &[u8]) -> Option<(u64, u32)> {
    let mut fields = Fields::new(frame, FRONT_BYTES - 1);
    Some((fields.varint()?, u32::try_from(fields.at()).ok()?))
}

/// Where a run of fewer than 128 bytes lies whose length stands at `at`. It may reach beyond the frame: whoever reads on, sees.
#[inline(always)]
fn run(frame: &[u8], at: u32) -> Option<Span> {
    let length = *frame.get(at as usize).filter(|length| **length < 0x80)?;
    Some(Span { start: at + 1, end: at + 1 + u32::from(length) })
}

#[cold]
fn are_text(frame: &[u8], names: [Span; 3]) -> bool {
    names.iter().all(|name| std::str::from_utf8(name.of(frame)).is_ok())
}

/// Reads from a place that is known to lie within, so that no look at the length is left.
#[inline(always)]
fn u32_at(front: &[u8; FRONT_BYTES], at: usize) -> u32 {
    front.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

#[inline(always)]
fn u64_at(front: &[u8; FRONT_BYTES], at: usize) -> u64 {
    front.get(at..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
