//! Frames: the header that every frame has, and how a frame proves itself.

use super::bytes::Fields;
use super::checksum::{crc, event_seed, frame_seed};
use crate::vocabulary::time::Timestamp;

/// Bytes of the header of a frame without a table of events.
pub(crate) const HEADER_BYTES: usize = 48;
/// Bytes of the header of a frame with a table: the fixed part, the length that the checksum covers, and room.
pub(crate) const TABLE_HEADER_BYTES: usize = 56;
/// Bytes of one entry of the table of events: a checksum and where the event ends.
pub(crate) const TABLE_ENTRY_BYTES: usize = 8;

/// The frame's checksum covers its header, sections and table; each event has a checksum of its own in the table.
pub(crate) const TABLE: u8 = 1 << 0;
/// The frame carries a transaction id and digest.
pub(crate) const TRANSACTION_ID: u8 = 1 << 1;
/// The frame carries attributes of the transaction.
pub(crate) const ATTRIBUTES: u8 = 1 << 2;
/// The frame carries system records.
pub(crate) const RECORDS: u8 = 1 << 3;
/// The durable mark is an offset in the segment before this one.
pub(crate) const MARK_IN_PREVIOUS: u8 = 1 << 4;
/// The flags in use; any other makes a frame invalid.
const KNOWN_FLAGS: u8 = TABLE | TRANSACTION_ID | ATTRIBUTES | RECORDS | MARK_IN_PREVIOUS;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A transaction with at least one event, or with system records alone.
    Transaction,
    /// The first frame of a segment: makes it the successor of the one before.
    Opening,
    /// Says that everything before it is durable.
    Watermark,
    /// The last frame of a store that was closed in good order.
    Close,
}

impl Kind {
    pub(super) const fn code(self) -> u8 {
        match self {
            Kind::Transaction => 1,
            Kind::Opening => 2,
            Kind::Watermark => 3,
            Kind::Close => 4,
        }
    }

    const fn of(code: u8) -> Option<Self> {
        match code {
            1 => Some(Kind::Transaction),
            2 => Some(Kind::Opening),
            3 => Some(Kind::Watermark),
            4 => Some(Kind::Close),
            _ => None,
        }
    }
}

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) crc: u32,
    /// Bytes of the whole frame, without the padding to a multiple of eight.
    pub(crate) length: u32,
    pub(crate) kind: Kind,
    pub(crate) flags: u8,
    /// How many events.
    pub(crate) count: u32,
    /// The sequence number of the first event; of the next one, where there are none.
    pub(crate) sequence: u64,
    pub(crate) recorded_at: Timestamp,
    /// Raised by every opening of the store.
    pub(crate) epoch: u32,
    /// What was known durable when the frame was written: an offset in units of eight bytes.
    pub(crate) mark: u32,
    /// The checksum of the frame before: 0 in the first frame of a store.
    pub(crate) link: u32,
    /// How many bytes the checksum covers.
    pub(crate) covered: u32,
}

impl FrameHeader {
    /// Of no frame.
    pub(crate) const EMPTY: Self = Self {
        crc: 0,
        length: 0,
        kind: Kind::Watermark,
        flags: 0,
        count: 0,
        sequence: 0,
        recorded_at: Timestamp::UNIX_EPOCH,
        epoch: 0,
        mark: 0,
        link: 0,
        covered: 0,
    };

    /// Reads the header at the beginning of `frame`. Checks that it makes sense, not its checksum.
    pub(crate) fn decode(frame: &[u8]) -> Option<Self> {
        let mut header = Self::EMPTY;
        header.read(frame).then_some(header)
    }

    /// The same into what is there: who reads one header after the other moves none. After `false` it is of no use.
    #[inline(always)]
    pub(crate) fn read(&mut self, frame: &[u8]) -> bool {
        self.read_fields(frame).is_some()
    }

    #[inline(always)]
    fn read_fields(&mut self, frame: &[u8]) -> Option<()> {
        // One look at the length for all fields that every header has.
        let fixed: &[u8; HEADER_BYTES] = frame.first_chunk()?;
        let mut fields = Fields::new(fixed, 0);
        self.crc = fields.u32()?;
        self.length = fields.u32()?;
        self.kind = Kind::of(fields.u8()?)?;
        self.flags = fields.u8()?;
        let header_units = fields.u8()?;
        let reserved = fields.u8()?;
        self.count = fields.u32()?;
        self.sequence = fields.u64()?;
        let seconds = fields.i64()?;
        let nanoseconds = fields.u32()?;
        self.epoch = fields.u32()?;
        self.mark = fields.u32()?;
        self.link = fields.u32()?;
        let has_table = self.has_table();
        let header_bytes = self.header_bytes();
        let sane = self.flags & !KNOWN_FLAGS == 0
            && reserved == 0
            && usize::from(header_units) * 8 == header_bytes
            && self.length as usize >= header_bytes
            && (self.kind == Kind::Transaction || self.count == 0)
            && (self.count <= 1 || has_table)
            && (self.count > 0 || !has_table)
            && self.sequence.checked_add(u64::from(self.count)).is_some();
        if !sane {
            return None;
        }
        self.covered = self.length;
        if has_table {
            let mut fields = Fields::new(frame, HEADER_BYTES);
            self.covered = fields.u32()?;
            let room = fields.u32()?;
            let least = header_bytes as u64 + u64::from(self.count) * TABLE_ENTRY_BYTES as u64;
            if room != 0 || u64::from(self.covered) < least || self.covered > self.length {
                return None;
            }
        }
        self.recorded_at = Timestamp::checked(seconds, nanoseconds)?;
        Some(())
    }

    /// The header's bytes without its checksum; as many as [`FrameHeader::header_bytes`] count.
    #[inline]
    pub(crate) fn encode(&self) -> [u8; TABLE_HEADER_BYTES] {
        let mut header = [0; TABLE_HEADER_BYTES];
        let units = if self.has_table() { 7 } else { 6 };
        // At places that the compiler knows, each is one store.
        header[4..8].copy_from_slice(&self.length.to_le_bytes());
        header[8..12].copy_from_slice(&[self.kind.code(), self.flags, units, 0]);
        header[12..16].copy_from_slice(&self.count.to_le_bytes());
        header[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        header[24..32].copy_from_slice(&self.recorded_at.unix_seconds().to_le_bytes());
        header[32..36].copy_from_slice(&self.recorded_at.subsecond_nanoseconds().to_le_bytes());
        header[36..40].copy_from_slice(&self.epoch.to_le_bytes());
        header[40..44].copy_from_slice(&self.mark.to_le_bytes());
        header[44..48].copy_from_slice(&self.link.to_le_bytes());
        if self.has_table() {
            header[48..52].copy_from_slice(&self.covered.to_le_bytes());
        }
        header
    }

    /// Bytes of the header itself.
    pub(crate) fn header_bytes(&self) -> usize {
        if self.flags & TABLE != 0 { TABLE_HEADER_BYTES } else { HEADER_BYTES }
    }

    /// Whether the events have checksums of their own.
    pub(crate) fn has_table(&self) -> bool {
        self.flags & TABLE != 0
    }

    /// The durable mark as a place, for a frame that stands in `segment`.
    pub(crate) fn mark_place(&self, segment: u64) -> super::place::Place {
        let segment = if self.flags & MARK_IN_PREVIOUS != 0 { segment.saturating_sub(1) } else { segment };
        super::place::Place { segment, offset: u64::from(self.mark) << 3 }
    }

    /// Where event `index` lies within the frame, and its checksum where it has one of its own.
    #[inline]
    pub(crate) fn event(&self, frame: &[u8], body: usize, index: u32) -> Option<EventSlot> {
        if index >= self.count {
            return None;
        }
        if !self.has_table() {
            return Some(EventSlot { start: body, end: self.length as usize, crc: None });
        }
        let table = (self.covered as usize).checked_sub(self.count as usize * TABLE_ENTRY_BYTES)?;
        let entry = table + index as usize * TABLE_ENTRY_BYTES;
        let mut fields = Fields::new(frame, entry);
        let crc = fields.u32()?;
        let end = fields.u32()? as usize;
        let start = match index {
            0 => self.covered as usize,
            _ => Fields::new(frame, entry - 4).u32()? as usize,
        };
        let fits = self.covered as usize <= start && start <= end && end <= self.length as usize;
        fits.then_some(EventSlot { start, end, crc: Some(crc) })
    }
}

/// Where an event's bytes lie within its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventSlot {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The event's own checksum; without one the frame's covers it.
    pub(crate) crc: Option<u32>,
}

impl EventSlot {
    /// Whether the event's bytes have their checksum. Where the frame's covers them, that was checked with the frame.
    #[inline]
    pub(crate) fn verify(&self, frame: &[u8], frame_seed: u32, index: u32) -> bool {
        match (self.crc, frame.get(self.start..self.end)) {
            (None, Some(_)) => true,
            (Some(expected), Some(bytes)) => crc(event_seed(frame_seed, index), bytes) == expected,
            (_, None) => false,
        }
    }
}

/// Whether the part of `frame` that its checksum covers is as it was written at `offset` of a segment with this salt.
#[inline]
pub(crate) fn verify(frame: &[u8], header: &FrameHeader, salt: u64, offset: u64) -> bool {
    frame.get(4..header.covered as usize).is_some_and(|covered| crc(frame_seed(salt, offset), covered) == header.crc)
}

/// Puts the checksum into a finished frame, and returns it.
pub(crate) fn seal(frame: &mut [u8], covered: usize, salt: u64, offset: u64) -> u32 {
    let sum = frame.get(4..covered).map_or(0, |covered| crc(frame_seed(salt, offset), covered));
    if let Some(slot) = frame.get_mut(..4) {
        slot.copy_from_slice(&sum.to_le_bytes());
    }
    sum
}

/// Verifies a whole frame, every event included: what recovery does, hashing each byte once.
pub(crate) fn verify_whole(frame: &[u8], header: &FrameHeader, salt: u64, offset: u64) -> bool {
    if !verify(frame, header, salt, offset) {
        return false;
    }
    if !header.has_table() {
        return true;
    }
    let seed = frame_seed(salt, offset);
    let mut expected_start = header.covered as usize;
    for index in 0..header.count {
        match header.event(frame, 0, index) {
            Some(slot) if slot.start == expected_start && slot.verify(frame, seed, index) => expected_start = slot.end,
            _ => return false,
        }
    }
    expected_start == header.length as usize
}
