//! One event's bytes within a frame: writing them, and finding the fields in them.

use super::bytes::{Fields, LONGEST_VARINT, Pen, put_run, put_signed_varint, put_varint};
use super::event_id::IdSeed;
use super::frame::FrameHeader;
use super::transaction::{attributes, put_attributes, put_time, span, time};
use crate::vocabulary::attributes::Attributes;
use crate::vocabulary::event::{EventId, Given, IdPart, IdRepr, Parts, Span, TransactionPart};
use crate::vocabulary::moment::Moment;
use crate::vocabulary::payload::{PayloadKind, PayloadRef};
use crate::vocabulary::time::Timestamp;
use std::sync::Arc;

/// Flags of an event. What is left out takes no bytes.
pub(super) mod flag {
    pub(in crate::format) const ID: u16 = 1 << 0;
    pub(in crate::format) const ID_IS_TEXT: u16 = 1 << 1;
    pub(in crate::format) const ID_GIVEN: u16 = 1 << 2;
    pub(in crate::format) const STREAM_SHARED: u16 = 1 << 3;
    pub(in crate::format) const NAME_SHARED: u16 = 1 << 4;
    pub(in crate::format) const OBSERVED_GIVEN: u16 = 1 << 5;
    pub(in crate::format) const OBSERVED_IN_FULL: u16 = 1 << 6;
    pub(in crate::format) const OCCURRED: u16 = 1 << 7;
    pub(in crate::format) const OCCURRED_GIVEN: u16 = 1 << 8;
    pub(in crate::format) const OCCURRED_IN_FULL: u16 = 1 << 9;
    pub(in crate::format) const CONTENT_TYPE: u16 = 1 << 10;
    pub(in crate::format) const SCHEMA: u16 = 1 << 11;
    pub(in crate::format) const SCHEMA_VERSION: u16 = 1 << 12;
    pub(in crate::format) const ATTRIBUTES: u16 = 1 << 13;
    pub(in crate::format) const METADATA: u16 = 1 << 14;
    /// Kept for a second word of flags: codec, compression and key of a later version.
    pub(in crate::format) const EXTENDED: u16 = 1 << 15;
}

/// What an event says, apart from its stream and name, for writing.
pub(crate) struct EventSource<'a> {
    /// `None` for an id that follows from the store and the sequence number.
    pub(crate) id: Option<&'a EventId>,
    pub(crate) category: &'a str,
    pub(crate) stream: &'a str,
    pub(crate) name: &'a str,
    pub(crate) payload: PayloadRef<'a>,
    pub(crate) metadata: Option<&'a [u8]>,
    pub(crate) attributes: &'a Attributes,
    pub(crate) position: u64,
    pub(crate) observed_at: Timestamp,
    pub(crate) occurred_at: Timestamp,
    pub(crate) given: Given,
}

/// How far back in the frame the event stands that carries this one's stream or name; `None` if it carries them itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shared {
    pub(crate) stream: Option<u32>,
    pub(crate) name: Option<u32>,
}

/// Nanoseconds from `base` to `time`, where that fits and is worth it.
#[inline]
pub(super) fn delta(time: Timestamp, base: Timestamp) -> Option<i64> {
    // Times lie within 10,000 years, and what is more than 2^26 seconds apart is more than 2^55 nanoseconds.
    let seconds = time.unix_seconds() - base.unix_seconds();
    if seconds.unsigned_abs() > 1 << 26 {
        return None;
    }
    let rest = i64::from(time.subsecond_nanoseconds()) - i64::from(base.subsecond_nanoseconds());
    Some(seconds * 1_000_000_000 + rest).filter(|delta| delta.unsigned_abs() < 1 << 55)
}

impl EventSource<'_> {
    /// Whether it has nothing but what every event has.
    #[inline(always)]
    fn is_plain(&self) -> bool {
        self.id.is_none()
            && self.metadata.is_none()
            && self.attributes.is_empty()
            && self.payload.content_type.is_none()
            && self.payload.schema.is_none()
            && self.payload.schema_version.is_none()
            && !self.given.id
            && !self.given.occurred_at
            && self.occurred_at == self.observed_at
    }
}

/// Writes an event.
#[inline(always)]
pub(crate) fn put(out: &mut Vec<u8>, event: &EventSource<'_>, shared: Shared, recorded_at: Timestamp) {
    if event.is_plain()
        && let Some(observed) = delta(event.observed_at, recorded_at)
    {
        let start = out.len();
        // Room for all but the payload at once, so that nothing that follows has to look whether there is some.
        out.resize(start + FRONT + event.category.len() + event.stream.len() + event.name.len(), 0);
        if let Some(length) = out.get_mut(start..).and_then(|room| put_plain(room, event, shared, observed)) {
            out.truncate(start + length);
            out.extend_from_slice(event.payload.bytes);
            return;
        }
        out.truncate(start);
    }
    put_any(out, event, shared, recorded_at);
}

/// Bytes of a plain event's fields in front of the payload at most, the names themselves apart: flags and kind, position and
/// time, the names' lengths or how far back they stand.
pub(super) const FRONT: usize = 3 + 2 * LONGEST_VARINT + 3 * LONGEST_VARINT;

/// Writes the event that most are, up to its payload. Says how many bytes that took; `None` if the room was too small.
#[inline(always)]
fn put_plain(room: &mut [u8], event: &EventSource<'_>, shared: Shared, observed: i64) -> Option<usize> {
    let set = |on: bool, flag: u16| if on { flag } else { 0 };
    let flags = set(shared.stream.is_some(), flag::STREAM_SHARED)
        | set(shared.name.is_some(), flag::NAME_SHARED)
        | set(event.given.observed_at, flag::OBSERVED_GIVEN);
    let mut pen = Pen::new(room);
    pen.fixed(flags.to_le_bytes())?;
    pen.fixed([kind_code(event.payload.kind)])?;
    pen.varint(event.position)?;
    match shared.stream {
        Some(back) => pen.varint(u64::from(back))?,
        None => {
            pen.run(event.category.as_bytes())?;
            pen.run(event.stream.as_bytes())?;
        }
    }
    match shared.name {
        Some(back) => pen.varint(u64::from(back))?,
        None => pen.run(event.name.as_bytes())?,
    }
    pen.signed_varint(observed)?;
    Some(pen.at())
}

/// Writes an event of any kind.
fn put_any(out: &mut Vec<u8>, event: &EventSource<'_>, shared: Shared, recorded_at: Timestamp) {
    let set = |on: bool, flag: u16| if on { flag } else { 0 };
    let observed = delta(event.observed_at, recorded_at);
    let occurred = delta(event.occurred_at, event.observed_at);
    let has_occurred = event.given.occurred_at || event.occurred_at != event.observed_at;
    let id_is_text = event.id.is_some_and(|id| matches!(id.0, IdRepr::Text(_)));
    let flags = set(event.id.is_some(), flag::ID)
        | set(id_is_text, flag::ID_IS_TEXT)
        | set(event.given.id, flag::ID_GIVEN)
        | set(shared.stream.is_some(), flag::STREAM_SHARED)
        | set(shared.name.is_some(), flag::NAME_SHARED)
        | set(event.given.observed_at, flag::OBSERVED_GIVEN)
        | set(observed.is_none(), flag::OBSERVED_IN_FULL)
        | set(has_occurred, flag::OCCURRED)
        | set(event.given.occurred_at, flag::OCCURRED_GIVEN)
        | set(has_occurred && occurred.is_none(), flag::OCCURRED_IN_FULL)
        | set(event.payload.content_type.is_some(), flag::CONTENT_TYPE)
        | set(event.payload.schema.is_some(), flag::SCHEMA)
        | set(event.payload.schema_version.is_some(), flag::SCHEMA_VERSION)
        | set(!event.attributes.is_empty(), flag::ATTRIBUTES)
        | set(event.metadata.is_some(), flag::METADATA);
    let [low, high] = flags.to_le_bytes();
    out.extend_from_slice(&[low, high, kind_code(event.payload.kind)]);
    put_varint(out, event.position);
    match event.id.map(|id| &id.0) {
        Some(IdRepr::Uuid(bytes)) => out.extend_from_slice(bytes),
        Some(IdRepr::Text(text)) => put_run(out, text.as_bytes()),
        None => {}
    }
    match shared.stream {
        Some(back) => put_varint(out, u64::from(back)),
        None => {
            put_run(out, event.category.as_bytes());
            put_run(out, event.stream.as_bytes());
        }
    }
    match shared.name {
        Some(back) => put_varint(out, u64::from(back)),
        None => put_run(out, event.name.as_bytes()),
    }
    match observed {
        Some(delta) => put_signed_varint(out, delta),
        None => put_time(out, event.observed_at),
    }
    if has_occurred {
        match occurred {
            Some(delta) => put_signed_varint(out, delta),
            None => put_time(out, event.occurred_at),
        }
    }
    if flags & EXTRAS != 0 {
        put_extras(out, event);
    }
    out.extend_from_slice(event.payload.bytes);
}

fn put_extras(out: &mut Vec<u8>, event: &EventSource<'_>) {
    if let Some(content_type) = event.payload.content_type {
        put_run(out, content_type.as_bytes());
    }
    if let Some(schema) = event.payload.schema {
        put_run(out, schema.as_bytes());
    }
    if let Some(version) = event.payload.schema_version {
        put_varint(out, u64::from(version));
    }
    if !event.attributes.is_empty() {
        put_attributes(out, event.attributes);
    }
    if let Some(metadata) = event.metadata {
        put_run(out, metadata);
    }
}

pub(super) const fn kind_code(kind: PayloadKind) -> u8 {
    match kind {
        PayloadKind::None => 0,
        PayloadKind::Binary => 1,
        PayloadKind::Text => 2,
        PayloadKind::MessagePack => 3,
        PayloadKind::Json => 4,
    }
}

pub(super) const fn kind_of(code: u8) -> Option<PayloadKind> {
    match code {
        0 => Some(PayloadKind::None),
        1 => Some(PayloadKind::Binary),
        2 => Some(PayloadKind::Text),
        3 => Some(PayloadKind::MessagePack),
        4 => Some(PayloadKind::Json),
        _ => None,
    }
}

/// The names that an event carries itself, or how far back they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// Category and stream, here.
    Stream(Span, Span),
    /// The event's name, here.
    Name(Span),
    /// So many events before this one.
    Back(u32),
}

/// The front of an event's bytes, which all else follows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Front {
    flags: u16,
    kind: PayloadKind,
    pub(crate) position: u64,
    id: Option<IdPart>,
    pub(crate) stream: Named,
    pub(crate) name: Named,
    /// Where the times begin.
    rest: usize,
    end: usize,
}

impl Front {
    /// Reads the front of the event that lies at `start..end` of `frame`.
    #[inline(always)]
    pub(crate) fn decode(frame: &[u8], start: usize, end: usize) -> Option<Self> {
        let frame = frame.get(..end)?;
        let mut fields = Fields::new(frame, start);
        let flags = fields.u16()?;
        if flags & flag::EXTENDED != 0 {
            return None;
        }
        let kind = kind_of(fields.u8()?)?;
        let position = fields.varint()?;
        let id = match (flags & flag::ID != 0, flags & flag::ID_IS_TEXT != 0) {
            (false, false) => None,
            (true, false) => Some(IdPart::Uuid(fields.fixed()?)),
            (true, true) => Some(IdPart::Text(text(&mut fields)?)),
            (false, true) => return None,
        };
        let names = fields.at();
        let stream = if flags & flag::STREAM_SHARED != 0 {
            Named::Back(back(&mut fields)?)
        } else {
            Named::Stream(short_run(&mut fields)?, short_run(&mut fields)?)
        };
        let name = if flags & flag::NAME_SHARED != 0 {
            Named::Back(back(&mut fields)?)
        } else {
            Named::Name(short_run(&mut fields)?)
        };
        // Names are mostly ASCII and short: then one look at all of them is enough, their lengths and what is between included.
        let is_text = frame.get(names..fields.at())?.is_ascii() || (is_text(frame, stream) && is_text(frame, name));
        if !is_text {
            return None;
        }
        Some(Self { flags, kind, position, id, stream, name, rest: fields.at(), end })
    }

    /// Reads the rest, and sets all of `parts` but the names, whatever it held before.
    #[inline(always)]
    pub(crate) fn complete(&self, frame: &[u8], of: &Frame, parts: &mut Parts) -> Option<()> {
        let mut fields = Fields::new(frame.get(..self.end)?, self.rest);
        let has = |flag: u16| self.flags & flag != 0;
        let recorded_at = of.header.recorded_at;
        let sequence_number = of.header.sequence.checked_add(u64::from(of.index))?;
        parts.observed_at = instant(&mut fields, recorded_at, has(flag::OBSERVED_IN_FULL))?;
        parts.occurred_at = match has(flag::OCCURRED) {
            true => {
                let observed_at = parts.observed_at.from(recorded_at);
                instant(&mut fields, observed_at, has(flag::OCCURRED_IN_FULL))?
            }
            false => Moment::After(0),
        };
        if has(EXTRAS) || parts.has_extras {
            self.extras(&mut fields, parts)?;
            parts.has_extras = has(EXTRAS);
        }
        parts.payload = span(fields.at(), self.end)?;
        parts.payload_kind = self.kind;
        parts.id = match self.id {
            Some(id) => id,
            None => IdPart::Made(of.seed),
        };
        parts.position = self.position;
        parts.sequence_number = sequence_number;
        parts.given = Given {
            id: has(flag::ID_GIVEN),
            observed_at: has(flag::OBSERVED_GIVEN),
            occurred_at: has(flag::OCCURRED_GIVEN),
        };
        parts.transaction =
            TransactionPart { id: of.transaction_id, first: of.header.sequence, count: of.header.count, recorded_at };
        Some(())
    }

    fn extras(&self, fields: &mut Fields<'_>, parts: &mut Parts) -> Option<()> {
        let has = |flag: u16| self.flags & flag != 0;
        parts.content_type = optional(fields, has(flag::CONTENT_TYPE), text)?;
        parts.schema = optional(fields, has(flag::SCHEMA), text)?;
        parts.schema_version = optional(fields, has(flag::SCHEMA_VERSION), number)?;
        parts.attributes = optional(fields, has(flag::ATTRIBUTES), attributes)?.map(Arc::new);
        parts.metadata = optional(fields, has(flag::METADATA), run)?;
        Some(())
    }
}

fn is_text(frame: &[u8], named: Named) -> bool {
    let is_text = |span: Span| std::str::from_utf8(span.of(frame)).is_ok();
    match named {
        Named::Stream(category, stream) => is_text(category) && is_text(stream),
        Named::Name(name) => is_text(name),
        Named::Back(_) => true,
    }
}

/// Fields that most events do not have.
const EXTRAS: u16 = flag::CONTENT_TYPE | flag::SCHEMA | flag::SCHEMA_VERSION | flag::ATTRIBUTES | flag::METADATA;

/// What an event takes from its frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) header: FrameHeader,
    pub(crate) transaction_id: Option<Span>,
    pub(crate) index: u32,
    pub(crate) seed: IdSeed,
}

/// A field that is there or not: malformed is `None`, left out is `Some(None)`.
#[expect(clippy::option_option, reason = "left out and malformed are two things")]
fn optional<'a, T>(
    fields: &mut Fields<'a>,
    there: bool,
    read: impl FnOnce(&mut Fields<'a>) -> Option<T>,
) -> Option<Option<T>> {
    if there { read(fields).map(Some) } else { Some(None) }
}

fn number(fields: &mut Fields<'_>) -> Option<u32> {
    u32::try_from(fields.varint()?).ok()
}

fn run(fields: &mut Fields<'_>) -> Option<Span> {
    let length = fields.run()?.len();
    span(fields.at() - length, fields.at())
}

/// Bytes of a name or an id at most: a bound on what reading one by way of a reference costs.
const TEXT_LIMIT: usize = 64 << 10;

fn text(fields: &mut Fields<'_>) -> Option<Span> {
    let run = fields.run().filter(|run| run.len() <= TEXT_LIMIT)?;
    std::str::from_utf8(run).ok()?;
    span(fields.at() - run.len(), fields.at())
}

/// What may be text, not looked at yet.
#[inline(always)]
fn short_run(fields: &mut Fields<'_>) -> Option<Span> {
    let length = match fields.short_run() {
        Some(run) => run.len(),
        None => fields.run().filter(|run| run.len() <= TEXT_LIMIT)?.len(),
    };
    // The length is at most that of the limit, so one number tells that both fit.
    let end = u32::try_from(fields.at()).ok()?;
    Some(Span { start: end - u32::try_from(length).ok()?, end })
}

fn back(fields: &mut Fields<'_>) -> Option<u32> {
    u32::try_from(fields.varint()?).ok().filter(|back| *back > 0)
}

#[inline(always)]
fn instant(fields: &mut Fields<'_>, base: Timestamp, in_full: bool) -> Option<Moment> {
    if in_full {
        return time(fields).map(Moment::At);
    }
    Moment::after(base, fields.signed_varint()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_times_is_the_one_of_their_nanoseconds() {
        let at = |seconds, nanoseconds| Timestamp::from_unix(seconds, nanoseconds).unwrap();
        let base = at(1_700_000_000, 600_000_000);
        let (most, year) = (36_028_797, 31_536_000);
        for time in [
            base,
            at(1_700_000_000, 599_999_999),
            at(1_700_000_001, 0),
            at(1_699_999_999, 999_999_999),
            at(1_700_000_000 + most, 600_000_000),
            at(1_700_000_000 + most + 1, 600_000_000),
            at(1_700_000_000 - most, 0),
            at(1_700_000_000 - most - 1, 0),
            at(1_700_000_000 + 2 * year, 0),
            at(1_700_000_000 - 4 * year, 0),
            Timestamp::MIN,
            Timestamp::MAX,
        ] {
            let wide = time.unix_nanoseconds() - base.unix_nanoseconds();
            let expected = i64::try_from(wide).ok().filter(|delta| delta.unsigned_abs() < 1 << 55);
            assert_eq!(delta(time, base), expected, "{time}");
        }
    }
}
