//! Index files: what a header says of the frames that are covered, and where the sections are.

use super::bytes::Fields;
use super::place::Place;
use crate::vocabulary::time::Timestamp;

/// The first bytes of every index file.
pub(crate) const MAGIC: [u8; 8] = *b"STRATIDX";
/// The format of index files that this version writes, and the newest that it reads.
pub(crate) const FORMAT: u16 = 0;
/// Bytes of the header; the table of sections follows.
pub(crate) const HEADER_BYTES: usize = 192;
/// Where the checksum of the two tables stands; the header's own follows it.
const TABLES_CRC_AT: usize = HEADER_BYTES - 8;
const CRC_AT: usize = HEADER_BYTES - 4;
/// Bytes of a row of the table of sections.
pub(crate) const SECTION_BYTES: usize = 24;
/// Bytes that share a checksum.
pub(crate) const BLOCK_BYTES: usize = 16_384;
/// Bytes of a block's checksum.
pub(crate) const BLOCK_CRC_BYTES: usize = 4;
/// Events that share times.
pub(crate) const EVENTS_A_TIME: u32 = 256;
/// Bytes of three times.
pub(crate) const TIME_BYTES: usize = 36;
/// Numbers of a block of a list.
pub(crate) const BLOCK_NUMBERS: usize = 128;

/// The chain is closed.
const CLOSED: u32 = 1 << 0;
/// A frame with events is covered, so the first recorded time means something.
const HAS_EVENTS: u32 = 1 << 1;

macro_rules! kinds {
    ($($kind:ident = $code:literal, $name:literal;)*) => {
        /// What a section holds.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum SectionKind {
            $($kind = $code,)*
        }

        impl SectionKind {
            /// All kinds with their names in FORMAT.md, in the order of their codes, which begin with 1.
            pub(crate) const ALL: &[(Self, &'static str)] = &[$((Self::$kind, $name),)*];
        }
    };
}

kinds! {
    FramesByEvent = 1, "frames by event";
    FramesByTransaction = 2, "frames by transaction";
    Categories = 3, "categories";
    CategoryStarts = 4, "category starts";
    CategoryLists = 5, "category lists";
    Streams = 6, "streams";
    StreamStarts = 7, "stream starts";
    StreamLists = 8, "stream lists";
    StreamNames = 9, "stream names";
    StreamNameStarts = 10, "stream name starts";
    StreamNameLists = 11, "stream name lists";
    Names = 12, "names";
    NameStarts = 13, "name starts";
    NameLists = 14, "name lists";
    StreamTable = 15, "stream table";
    StreamFilter = 16, "stream filter";
    TransactionHashes = 17, "transaction hashes";
    TransactionFrames = 18, "transaction frames";
    TransactionFilter = 19, "transaction filter";
    EventIdHashes = 20, "event id hashes";
    EventIdOrdinals = 21, "event id ordinals";
    EventIdFilter = 22, "event id filter";
    Records = 23, "records";
    Times = 24, "times";
}

impl SectionKind {
    /// Where a section of this kind is kept among all kinds.
    pub(crate) const fn place(self) -> usize {
        self as usize - 1
    }

    /// The kind with this code.
    pub(crate) fn of(code: u16) -> Option<Self> {
        Self::ALL.get(usize::from(code).checked_sub(1)?).map(|(kind, _)| *kind)
    }

    const fn code(self) -> u16 {
        self as u16
    }
}

/// A row of the table of sections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SectionRow {
    pub(crate) kind: u16,
    /// How many entries the section has; what an entry is depends on the kind.
    pub(crate) items: u32,
    /// Where it begins in the file, a multiple of eight, and its bytes.
    pub(crate) offset: u64,
    pub(crate) length: u64,
}

impl SectionRow {
    pub(crate) fn new(kind: SectionKind, items: u32, offset: u64, length: u64) -> Self {
        Self { kind: kind.code(), items, offset, length }
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.kind.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.items.to_le_bytes());
        out.extend_from_slice(&self.offset.to_le_bytes());
        out.extend_from_slice(&self.length.to_le_bytes());
    }

    pub(crate) fn decode(fields: &mut Fields<'_>) -> Option<Self> {
        let (kind, reserved, items) = (fields.u16()?, fields.u16()?, fields.u32()?);
        let (offset, length) = (fields.u64()?, fields.u64()?);
        (reserved == 0).then_some(Self { kind, items, offset, length })
    }
}

/// What an index file's header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexHeader {
    pub(crate) store_id: [u8; 16],
    pub(crate) segment: u64,
    pub(crate) salt: u64,
    /// Where the first covered frame begins and the last ends.
    pub(crate) from: u64,
    pub(crate) end: u64,
    /// The number of the first event, how many there are, and in how many frames.
    pub(crate) base: u64,
    pub(crate) count: u32,
    pub(crate) transactions: u32,
    /// What the log's chain says behind the last covered frame.
    pub(crate) sequence: u64,
    pub(crate) link: u32,
    pub(crate) epoch: u32,
    pub(crate) recorded_at: Timestamp,
    pub(crate) mark: Place,
    pub(crate) closed: bool,
    /// When the first covered frame with events was recorded.
    pub(crate) first_recorded_at: Option<Timestamp>,
    /// Streams whose first event of all is covered.
    pub(crate) born_streams: u32,
    /// The file's length.
    pub(crate) file_bytes: u64,
    /// Rows in the table of sections.
    pub(crate) sections: u32,
    /// Where the last covered frame begins.
    pub(crate) last: u64,
    /// The checksum of the table of sections and the table of blocks.
    pub(crate) tables_crc: u32,
}

/// Why bytes are not an index file's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IndexFault {
    /// Something else.
    NotAnIndex,
    /// A later format, or features that this version does not know.
    Newer { format: u16, incompatible: u32 },
    /// This is wrong with it.
    Damaged(&'static str),
}

impl IndexHeader {
    pub(crate) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&192_u16.to_le_bytes());
        // Feature bits: compatible, needed for reading, needed for anything. None are in use.
        out.extend_from_slice(&[0; 12]);
        out.extend_from_slice(&self.store_id);
        for number in [self.segment, self.salt, self.from, self.end, self.base] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&self.transactions.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.link.to_le_bytes());
        out.extend_from_slice(&self.epoch.to_le_bytes());
        put_time(&mut out, self.recorded_at);
        let flags = if self.closed { CLOSED } else { 0 } | if self.count > 0 { HAS_EVENTS } else { 0 };
        out.extend_from_slice(&flags.to_le_bytes());
        out.extend_from_slice(&self.mark.segment.to_le_bytes());
        out.extend_from_slice(&self.mark.offset.to_le_bytes());
        put_time(&mut out, self.first_recorded_at.unwrap_or(Timestamp::MIN));
        out.extend_from_slice(&self.born_streams.to_le_bytes());
        out.extend_from_slice(&self.file_bytes.to_le_bytes());
        out.extend_from_slice(&self.sections.to_le_bytes());
        out.extend_from_slice(&self.last.to_le_bytes());
        out.resize(TABLES_CRC_AT, 0);
        out.extend_from_slice(&self.tables_crc.to_le_bytes());
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_le_bytes());
        let mut header = [0; HEADER_BYTES];
        header.copy_from_slice(&out);
        header
    }

    /// Reads a header. The checksum comes before the format: every later one keeps it in place.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, IndexFault> {
        if !bytes.starts_with(&MAGIC) {
            return Err(IndexFault::NotAnIndex);
        }
        let header = bytes.get(..HEADER_BYTES).ok_or(IndexFault::Damaged("the header is cut short"))?;
        if Fields::new(header, CRC_AT).u32() != header.get(..CRC_AT).map(crc32fast::hash) {
            return Err(IndexFault::Damaged("the header's checksum does not fit"));
        }
        let mut fields = Fields::new(header, MAGIC.len());
        let senseless = IndexFault::Damaged("the header makes no sense");
        let features = (fields.u16(), fields.u16(), fields.u32(), fields.u32(), fields.u32());
        let (Some(format), Some(length), Some(_), Some(to_read), Some(to_use)) = features else {
            return Err(senseless);
        };
        if format > FORMAT || to_read | to_use != 0 {
            return Err(IndexFault::Newer { format, incompatible: to_read | to_use });
        }
        let header = if usize::from(length) == HEADER_BYTES { Self::fields(&mut fields) } else { None };
        header.filter(IndexHeader::makes_sense).ok_or(senseless)
    }

    fn fields(fields: &mut Fields<'_>) -> Option<Self> {
        let store_id = fields.fixed()?;
        let (segment, salt) = (fields.u64()?, fields.u64()?);
        let (from, end) = (fields.u64()?, fields.u64()?);
        let (base, count, transactions) = (fields.u64()?, fields.u32()?, fields.u32()?);
        let (sequence, link, epoch) = (fields.u64()?, fields.u32()?, fields.u32()?);
        let recorded_at = time(fields)?;
        let flags = fields.u32()?;
        let mark = Place { segment: fields.u64()?, offset: fields.u64()? };
        let first = time(fields)?;
        let born_streams = fields.u32()?;
        let (file_bytes, sections, last) = (fields.u64()?, fields.u32()?, fields.u64()?);
        fields.bytes(TABLES_CRC_AT - fields.at())?;
        let tables_crc = fields.u32()?;
        let known = flags & !(CLOSED | HAS_EVENTS) == 0 && (flags & HAS_EVENTS != 0) == (count > 0);
        let first_recorded_at = (count > 0).then_some(first);
        let closed = flags & CLOSED != 0;
        known.then_some(Self {
            store_id,
            segment,
            salt,
            from,
            end,
            base,
            count,
            transactions,
            sequence,
            link,
            epoch,
            recorded_at,
            mark,
            closed,
            first_recorded_at,
            born_streams,
            file_bytes,
            sections,
            last,
            tables_crc,
        })
    }

    fn makes_sense(&self) -> bool {
        self.from <= self.last
            && self.last <= self.end
            && self.last.is_multiple_of(8)
            && (self.from | self.end).is_multiple_of(8)
            && self.end >> 35 == 0
            && self.transactions <= self.count
            && (self.transactions > 0) == (self.count > 0)
            && self.base.checked_add(u64::from(self.count)) == Some(self.sequence)
    }
}

/// Writes a time in twelve bytes.
pub(crate) fn put_time(out: &mut Vec<u8>, time: Timestamp) {
    out.extend_from_slice(&time.unix_seconds().to_le_bytes());
    out.extend_from_slice(&time.subsecond_nanoseconds().to_le_bytes());
}

/// Reads a time of twelve bytes.
pub(crate) fn time(fields: &mut Fields<'_>) -> Option<Timestamp> {
    let (seconds, nanoseconds) = (fields.i64()?, fields.u32()?);
    Timestamp::from_unix(seconds, nanoseconds).ok()
}
