//! The frame that most are, written in one go: a transaction of one event that carries what every event does, and no more.

use super::bytes::Pen;
use super::encode::Context;
use super::event::{FRONT, delta, kind_code};
use super::frame::{HEADER_BYTES, Kind, seal};
use super::plain::LONGEST;
use crate::vocabulary::payload::PayloadRef;
use crate::vocabulary::time::Timestamp;

/// What the frame says of its event.
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
