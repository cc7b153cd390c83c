//! The frame that most are, read in one go: a transaction of one event that carries what every event does, and no more.
//!
//! It says nothing that the general way does not say, and of what it does not know, or finds wrong, it says nothing at all: then
//! the general way is taken, and tells what is the matter.

use super::bytes::{Fields, packed_varint};
use super::checksum::{crc, frame_seed};
use super::event::{flag, kind_of};
use super::event_id::IdSeed;
use super::frame::{HEADER_BYTES, Kind, MARK_IN_PREVIOUS};
use crate::vocabulary::event::{EventRef, Given, IdPart, Parts, Span};
use crate::vocabulary::moment::Moment;
use crate::vocabulary::time::Timestamp;

/// Kind, flags, header units, reserved and count of such a frame, as one number.
const PLAIN: u64 = Kind::Transaction.code() as u64 | (HEADER_BYTES as u64 / 8) << 16 | 1 << 32;
/// Says of what the durable mark is an offset, and nothing of the frame itself.
const MARK: u64 = (MARK_IN_PREVIOUS as u64) << 8;
/// Bytes of the header, the event's flags, its payload's kind and the first of its position.
const FRONT_BYTES: usize = HEADER_BYTES + 4;
/// Of the four bytes behind the header: without the first one of the position.
const FLAGS_AND_KIND: u32 = 0x00ff_ffff;
/// Where names begin behind a position of one byte.
const NAMES: u32 = 52;
const _: () = assert!(NAMES as usize == FRONT_BYTES);
/// Bytes of such a frame at most: far from where offsets within it would overflow.
pub(super) const LONGEST: u32 = 1 << 30;
/// What an event may have that is read the general way.
const OTHERS: u16 = !(flag::ID_GIVEN | flag::OBSERVED_GIVEN | flag::OCCURRED_GIVEN);

/// In place of flags and payload's kind, where none are known.
const NONE: u32 = u32::MAX;

/// Reads plain frames one after the other, each into the same place.
///
/// Most are like the one before: with the same flags, and names as long as its. What such a one has in common with it is there
/// already, and is not read again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlainReader {
    seed: IdSeed,
    /// The segment's salt, where frames are verified.
    salt: Option<u64>,
    /// Of the last frame: flags and payload's kind, or `NONE` where nothing is known.
    front: u32,
    /// Where its names begin, and where each of them ends.
    names: u32,
    ends: [u32; 3],
    /// The lengths of the names, as they stand in the frame.
    lengths: [u8; 3],
}

impl PlainReader {
    pub(crate) fn new(seed: IdSeed) -> Self {
        Self { seed, salt: None, front: NONE, names: 0, ends: [0; 3], lengths: [0; 3] }
    }

    /// Turns to frames of another segment. They are verified where its salt is given.
    pub(crate) fn turn_to(&mut self, salt: Option<u64>) {
        self.salt = salt;
    }

    /// Forgets the last frame, since someone else has changed what was read of it.
    #[inline(always)]
    pub(crate) fn forget(&mut self) {
        self.front = NONE;
    }

    /// Reads the frame at `offset` of a segment, of which these are the bytes, if it is a plain one that holds the event with
    /// this number. Where frames are verified, its checksum is compared first, and names are seen to be text. After `false`, what
    /// `event` holds is of no use.
    #[inline(always)]
    pub(crate) fn read<'a>(&mut self, bytes: &'a [u8], offset: u64, number: u64, event: &mut EventRef<'a>) -> bool {
        match usize::try_from(offset) {
            Ok(at) => self.read_at(bytes, at, offset, number, event),
            Err(_) => false,
        }
    }

    /// The same of a frame whose segment's bytes are not all there: it stands at `at` of these.
    #[inline(always)]
    pub(crate) fn read_at<'a>(
        &mut self,
        bytes: &'a [u8],
        at: usize,
        offset: u64,
        number: u64,
        event: &mut EventRef<'a>,
    ) -> bool {
        if let Some(frame) = self.read_into(bytes, at, offset, number, &mut event.parts) {
            event.data = frame;
            return true;
        }
        self.forget();
        false
    }

    #[inline(always)]
    fn read_into<'a>(
        &mut self,
        bytes: &'a [u8],
        at: usize,
        offset: u64,
        number: u64,
        parts: &mut Parts,
    ) -> Option<&'a [u8]> {
        let bytes = bytes.get(at..)?;
        // One look at the length for the header and what the event begins with.
        let front: &[u8; FRONT_BYTES] = bytes.first_chunk()?;
        let (length, sequence) = (u32_at(front, 4), u64_at(front, 16));
        if u64_at(front, 8) & !MARK != PLAIN || sequence != number || number == u64::MAX || length > LONGEST {
            return None;
        }
        let frame = bytes.get(..length as usize)?;
        if let Some(salt) = self.salt
            && crc(frame_seed(salt, offset), frame.get(4..)?) != u32_at(front, 0)
        {
            return None;
        }
        let seconds = u64_at(front, 24).cast_signed();
        if !Moment::is_near(seconds) {
            return None;
        }
        let recorded_at = Timestamp::checked(seconds, u32_at(front, 32))?;
        let event = u32_at(front, HEADER_BYTES);
        let (position, names) = match event >> 24 {
            first @ 0..0x80 => (u64::from(first), NAMES),
            _ => long_position(frame)?,
        };
        if event & FLAGS_AND_KIND != self.front || !self.are_alike(frame, names) {
            self.learn(frame, event & FLAGS_AND_KIND, names, parts)?;
        }
        let [_, _, names_end] = self.ends;
        // The lengths between are below 128, as ASCII is.
        if self.salt.is_some() && !is_ascii(frame.get(names as usize..names_end as usize)?) && !are_text(frame, parts) {
            return None;
        }
        let (observed_at, bytes) = moment_at(frame, names_end)?;
        parts.observed_at = observed_at;
        parts.payload = Span { start: names_end + bytes, end: length };
        (parts.position, parts.sequence_number) = (position, number);
        (parts.transaction.first, parts.transaction.recorded_at) = (number, recorded_at);
        Some(frame)
    }

    /// Whether the names lie where those of the last frame lay.
    #[inline(always)]
    fn are_alike(&self, frame: &[u8], names: u32) -> bool {
        let [category_end, stream_end, _] = self.ends;
        let [category, stream, name] = self.lengths;
        // No length is as great as what stands for none.
        let byte = |at: u32| frame.get(at as usize).copied().unwrap_or(u8::MAX);
        let differ = (byte(names) ^ category) | (byte(category_end) ^ stream) | (byte(stream_end) ^ name);
        differ == 0 && names == self.names
    }

    /// Reads what frames that are alike have in common.
    #[inline(never)]
    fn learn(&mut self, frame: &[u8], front: u32, names: u32, parts: &mut Parts) -> Option<()> {
        let [low, high, kind, _] = front.to_le_bytes();
        let flags = u16::from_le_bytes([low, high]);
        if flags & OTHERS != 0 {
            return None;
        }
        parts.payload_kind = kind_of(kind)?;
        let category = run(frame, names)?;
        let stream = run(frame, category.end)?;
        let name = run(frame, stream.end)?;
        (parts.category, parts.stream, parts.name) = (category, stream, name);
        parts.id = IdPart::Made(self.seed);
        parts.occurred_at = Moment::After(0);
        parts.given = Given {
            id: flags & flag::ID_GIVEN != 0,
            observed_at: flags & flag::OBSERVED_GIVEN != 0,
            occurred_at: flags & flag::OCCURRED_GIVEN != 0,
        };
        (parts.transaction.id, parts.transaction.count) = (None, 1);
        if parts.has_extras {
            parts.drop_extras();
        }
        let length = |name: Span| u8::try_from(name.end - name.start).unwrap_or(u8::MAX);
        (self.front, self.names) = (front, names);
        self.ends = [category, stream, name].map(|name| name.end);
        self.lengths = [category, stream, name].map(length);
        Some(())
    }
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

/// Whether all bytes are ASCII. Of what is left over from looking at 32 at once, some are looked at twice.
#[inline(always)]
fn is_ascii(bytes: &[u8]) -> bool {
    let (Some(last), (chunks, _)) = (bytes.last_chunk(), bytes.as_chunks()) else { return bytes.is_ascii() };
    chunks.iter().fold(folded(last), |all, chunk| all | folded(chunk)) & 0x8080_8080_8080_8080 == 0
}

#[inline(always)]
fn folded(bytes: &[u8; 32]) -> u64 {
    let (words, _) = bytes.as_chunks();
    words.iter().fold(0, |all, word| all | u64::from_le_bytes(*word))
}

#[cold]
fn are_text(frame: &[u8], parts: &Parts) -> bool {
    [parts.category, parts.stream, parts.name].iter().all(|name| std::str::from_utf8(name.of(frame)).is_ok())
}

/// The number that stands at `at`, to be unpacked as a moment, and how many bytes it takes.
#[inline(always)]
fn moment_at(frame: &[u8], at: u32) -> Option<(Moment, u32)> {
    let rest = frame.get(at as usize..)?;
    if let Some((packed, bytes)) = rest.first_chunk().and_then(|near| packed_varint(u64::from_le_bytes(*near))) {
        return Some((Moment::AfterPacked(packed), u32::try_from(bytes).ok()?));
    }
    let mut fields = Fields::new(rest, 0);
    let value = fields.signed_varint()?;
    Some((Moment::After(value), u32::try_from(fields.at()).ok()?))
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
