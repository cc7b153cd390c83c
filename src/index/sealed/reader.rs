//! Answering from an index file: where events are, by number, name, stream, id and time.

use super::checked::{Checked, Section};
use super::dictionary::{Dictionary, stream_key};
use super::filter::{Shape, may_contain};
use super::fingerprints::Fingerprints;
use super::lists::{Head, Lists, PostingBlock};
use super::table::{SLOT_BYTES, slots};
use super::{Covers, Damaged, Unusable};
use crate::disk::Region;
use crate::format::bytes::Fields;
use crate::format::index_file::{
    BLOCK_BYTES, BLOCK_CRC_BYTES, BLOCK_NUMBERS, EVENTS_A_TIME, HEADER_BYTES, IndexFault, IndexHeader, SECTION_BYTES,
    SectionKind, SectionRow, TIME_BYTES, time,
};
use crate::format::transaction::records;
use crate::index::hash::{category_hash, event_id_hash, hash_seed, transaction_hash};
use crate::index::hot::{EntryId, Which};
use crate::segment::Chain;
use crate::vocabulary::event::EventId;
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::SystemRecord;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// What is wrong with an index that tells of frames it does not cover.
const OUTSIDE: &str = "a frame lies outside what is covered";
const KINDS: usize = SectionKind::ALL.len();

/// What an index file's bytes lie in.
#[derive(Debug)]
pub(crate) enum IndexBytes {
    /// The file, mapped, all of it published.
    Mapped(Arc<Region>),
    Heap(Vec<u8>),
}

impl IndexBytes {
    pub(super) fn get(&self) -> &[u8] {
        match self {
            IndexBytes::Mapped(region) => region.slice(0..region.len()).unwrap_or_default(),
            IndexBytes::Heap(bytes) => bytes,
        }
    }

    /// Makes sure that these can be read. Whoever reads bytes for the first time asks this before.
    pub(super) fn provide(&self, range: Range<usize>) -> Result<(), Damaged> {
        let IndexBytes::Mapped(region) = self else { return Ok(()) };
        let provided = region.provide(range.start as u64..range.end as u64);
        provided.map_err(|_| Damaged { offset: range.start as u64, what: "it cannot be read" })
    }
}

/// The index of frames that no longer change, in a file. Answers what [`HotIndex`](crate::index::HotIndex) answers; every answer
/// may be that the file is damaged.
#[derive(Debug)]
pub(crate) struct SealedIndex {
    pub(super) covers: Covers,
    born_streams: u32,
    pub(super) seed: u64,
    pub(super) file: Checked,
    sections: [Section; KINDS],
    pub(super) categories: Dictionary,
    pub(super) streams: Dictionary,
    pub(super) stream_names: Dictionary,
    pub(super) names: Dictionary,
    transactions: Fingerprints,
    event_ids: Fingerprints,
    /// What the streams' filter is asked by, once it was asked; nothing where there is none.
    stream_filter: OnceLock<Option<Shape>>,
}

/// The times of up to 256 events that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeBlock {
    /// When the first of them was recorded.
    pub(crate) first_recorded_at: Timestamp,
    pub(crate) least_occurred_at: Timestamp,
    pub(crate) greatest_occurred_at: Timestamp,
}

impl SealedIndex {
    /// Reads the header and the tables, and verifies them; the sections are verified as they are used.
    pub(crate) fn open(bytes: IndexBytes, store_id: &[u8; 16], segment: u64, salt: u64) -> Result<Self, Unusable> {
        let all = bytes.get();
        bytes.provide(0..all.len().min(HEADER_BYTES))?;
        let header = IndexHeader::decode(all).map_err(|fault| match fault {
            IndexFault::NotAnIndex => Unusable::NotAnIndex,
            IndexFault::Newer { format, incompatible } => Unusable::Newer { format, incompatible },
            IndexFault::Damaged(what) => Unusable::Damaged(Damaged { offset: 0, what }),
        })?;
        if (header.store_id, header.segment, header.salt) != (*store_id, segment, salt) {
            return Err(Unusable::Elsewhere);
        }
        let (data, sections) = tables(&bytes, &header)?;
        let of = |kind: SectionKind| sections.get(kind.place()).copied().unwrap_or_default();
        let dictionary = |names, starts, lists, positions, limit| {
            Dictionary::new(of(names), Lists { starts: of(starts), lists: of(lists), positions, limit })
        };
        let (count, streams) = (header.count, of(SectionKind::Streams).items);
        let fingerprints =
            |hashes, numbers, filter| Fingerprints { hashes: of(hashes), numbers: of(numbers), filter: of(filter) };
        use SectionKind as Kind;
        Ok(Self {
            born_streams: header.born_streams,
            seed: hash_seed(store_id),
            categories: dictionary(Kind::Categories, Kind::CategoryStarts, Kind::CategoryLists, false, count),
            streams: dictionary(Kind::Streams, Kind::StreamStarts, Kind::StreamLists, true, count),
            stream_names: dictionary(Kind::StreamNames, Kind::StreamNameStarts, Kind::StreamNameLists, false, streams),
            names: dictionary(Kind::Names, Kind::NameStarts, Kind::NameLists, false, count),
            transactions: fingerprints(Kind::TransactionHashes, Kind::TransactionFrames, Kind::TransactionFilter),
            event_ids: fingerprints(Kind::EventIdHashes, Kind::EventIdOrdinals, Kind::EventIdFilter),
            covers: covers(&header),
            file: Checked::new(bytes, segment, salt, data),
            sections,
            stream_filter: OnceLock::new(),
        })
    }

    /// What the index covers.
    pub(crate) fn covers(&self) -> &Covers {
        &self.covers
    }

    /// How many streams have their first event of all here.
    pub(crate) fn born_streams(&self) -> u32 {
        self.born_streams
    }

    /// The file's length.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.file.file_bytes()
    }

    /// The file's bytes, if they are in memory and not in a file.
    pub(crate) fn unfiled(&self) -> Option<&[u8]> {
        self.file.unfiled()
    }

    /// Bytes of memory, those of a map apart.
    pub(crate) fn bytes_in_memory(&self) -> u64 {
        size_of::<Self>() as u64 + self.file.bytes_in_memory()
    }

    pub(super) fn section(&self, kind: SectionKind) -> &Section {
        // There is one for each kind.
        self.sections.get(kind.place()).unwrap_or(&Section::EMPTY)
    }

    /// The offset of the frame that holds the event with this number.
    pub(crate) fn frame_of(&self, sequence_number: u64) -> Result<Option<u64>, Damaged> {
        match self.ordinal(sequence_number) {
            Some(ordinal) => self.frame_at(ordinal, &mut Known::default()).map(Some),
            None => Ok(None),
        }
    }

    /// The ordinal of the event with this number, if it is covered.
    fn ordinal(&self, sequence_number: u64) -> Option<u32> {
        let ordinal = u32::try_from(sequence_number.checked_sub(self.covers.base)?).ok()?;
        (ordinal < self.covers.count).then_some(ordinal)
    }

    /// The offsets of the frames that hold the events with these ordinals. Quickest in ascending order.
    pub(crate) fn frames_of(&self, ordinals: &[u32], out: &mut [u64]) -> Result<(), Damaged> {
        let by_event = self.section(SectionKind::FramesByEvent);
        if by_event.items > 0 {
            self.file.places(by_event, ordinals, out)?;
            let is_covered = out.iter().take(ordinals.len()).all(|offset| self.holds_frame(*offset));
            return is_covered.then_some(()).ok_or_else(|| by_event.damaged(OUTSIDE));
        }
        let mut known = Known::default();
        for (slot, ordinal) in out.iter_mut().zip(ordinals) {
            *slot = self.frame_at(*ordinal, &mut known)?;
        }
        Ok(())
    }

    /// The ordinals of an entry's events from `index` on: as many as fit and are there. Says how many. `head` is the
    /// beginning of its list; `block` is kept for the next call about the same entry.
    pub(crate) fn ordinals_at(
        &self,
        id: EntryId,
        head: &Head,
        index: u32,
        block: &mut PostingBlock,
        out: &mut [u32],
    ) -> Result<usize, Damaged> {
        let lists = self.dictionary(id).lists();
        if index == 0 && out.len() == head.count as usize && out.len() <= BLOCK_NUMBERS {
            lists.short(&self.file, head, out)?;
            return Ok(out.len());
        }
        let mut done = 0;
        while let Some(rest) = out.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = index.saturating_add(u32::try_from(done).unwrap_or(u32::MAX));
            if block.get(at).is_none() {
                lists.block(&self.file, head, at, block)?;
            }
            let known = at.checked_sub(block.start).and_then(|skip| block.numbers().get(skip as usize..));
            let known = known.unwrap_or_default();
            if known.is_empty() {
                break;
            }
            let count = known.len().min(rest.len());
            rest.iter_mut().zip(known).for_each(|(slot, number)| *slot = *number);
            done += count;
        }
        Ok(done)
    }

    fn frame_at(&self, ordinal: u32, known: &mut Known) -> Result<u64, Damaged> {
        let by_event = self.section(SectionKind::FramesByEvent);
        let offset = if by_event.items > 0 {
            u64::from(self.file.u32_at(by_event, ordinal as usize)?) << 3
        } else {
            if !known.events.contains(&ordinal) {
                *known = self.frame_around(ordinal)?;
            }
            known.offset
        };
        self.holds_frame(offset).then_some(offset).ok_or_else(|| by_event.damaged(OUTSIDE))
    }

    #[inline]
    fn holds_frame(&self, offset: u64) -> bool {
        (self.covers.from..self.covers.end).contains(&offset)
    }

    /// The frame that holds the event, where frames hold several.
    fn frame_around(&self, ordinal: u32) -> Result<Known, Damaged> {
        let section = self.section(SectionKind::FramesByTransaction);
        let first = |frame: usize| self.file.u32_at(section, frame * 2);
        let (mut low, mut high) = (0, section.items as usize);
        while low < high {
            let middle = low + (high - low) / 2;
            if first(middle)? <= ordinal {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let end = if low < section.items as usize { first(low)? } else { self.covers.count };
        let frame = low.checked_sub(1).filter(|_| ordinal < end);
        let frame = frame.ok_or_else(|| section.damaged("an event is in no frame"))?;
        let address = self.file.u32_at(section, frame * 2 + 1)?;
        Ok(Known { events: first(frame)?..end, offset: u64::from(address) << 3 })
    }

    /// The category of this name.
    pub(crate) fn category(&self, category: &str) -> Result<Option<EntryId>, Damaged> {
        Ok(self.categories.find(&self.file, category.bytes())?.map(|number| EntryId(Which::Category, number)))
    }

    /// The stream of this name in this category.
    pub(crate) fn stream(&self, category: &str, stream: &str) -> Result<Option<EntryId>, Damaged> {
        let Some(owner) = self.categories.find(&self.file, category.bytes())? else { return Ok(None) };
        let found = self.streams.find(&self.file, stream_key(owner, stream.as_bytes()))?;
        Ok(found.map(|number| EntryId(Which::Stream, number)))
    }

    /// The events of this name.
    pub(crate) fn name(&self, name: &str) -> Result<Option<EntryId>, Damaged> {
        Ok(self.names.find(&self.file, name.bytes())?.map(|number| EntryId(Which::Name, number)))
    }

    pub(super) fn dictionary(&self, id: EntryId) -> &Dictionary {
        match id.0 {
            Which::Category => &self.categories,
            Which::Stream => &self.streams,
            Which::Name => &self.names,
        }
    }

    /// The beginning of an entry's list.
    pub(crate) fn head(&self, id: EntryId) -> Result<Head, Damaged> {
        self.dictionary(id).head(&self.file, id.1)
    }

    /// How many events an entry has.
    pub(crate) fn len(&self, id: EntryId) -> Result<u32, Damaged> {
        self.dictionary(id).head(&self.file, id.1).map(|head| head.count)
    }

    /// The position of a stream's first event here.
    pub(crate) fn first_position(&self, stream: EntryId) -> Result<u64, Damaged> {
        self.dictionary(stream).head(&self.file, stream.1).map(|head| head.position)
    }

    /// The position that follows a stream's last here.
    pub(crate) fn next_position(&self, stream: EntryId) -> Result<u64, Damaged> {
        let head = self.dictionary(stream).head(&self.file, stream.1)?;
        Ok(head.position.saturating_add(u64::from(head.count)))
    }

    /// How many of an entry's events are numbered below `sequence_number`.
    pub(crate) fn count_below(&self, id: EntryId, sequence_number: u64) -> Result<u32, Damaged> {
        self.count_below_in(id, &self.head(id)?, sequence_number)
    }

    /// The same where the list's beginning is known.
    pub(crate) fn count_below_in(&self, id: EntryId, head: &Head, sequence_number: u64) -> Result<u32, Damaged> {
        self.dictionary(id).lists().count_below(&self.file, head, self.limit(sequence_number))
    }

    /// The ordinal that all events below `sequence_number` are below.
    pub(super) fn limit(&self, sequence_number: u64) -> u32 {
        u32::try_from(sequence_number.saturating_sub(self.covers.base)).unwrap_or(u32::MAX)
    }

    /// Decodes the block of an entry's events that holds the one at `index`: ordinals, which count from the first event covered.
    /// Beyond the entry's last event the block is empty.
    pub(crate) fn postings(&self, id: EntryId, index: u32, into: &mut PostingBlock) -> Result<(), Damaged> {
        self.dictionary(id).block(&self.file, id.1, index, into)
    }

    /// Whether a stream with this hash ([`stream_hash`](crate::index::stream_hash)) may have events here; `false` is for sure.
    pub(crate) fn may_have_stream(&self, hash: u64) -> Result<bool, Damaged> {
        if self.streams.len() == 0 {
            return Ok(false);
        }
        let section = self.section(SectionKind::StreamFilter);
        self.stream_filter.get_or_init(|| Shape::of(&self.file, section));
        may_contain(&self.file, section, hash)
    }

    /// Asks the memory for what the filter looks at to tell of a stream with this hash, once it is known where that is.
    pub(crate) fn prefetch_filter(&self, hash: u64) {
        if let Some(Some(shape)) = self.stream_filter.get() {
            shape.prefetch(&self.file, self.section(SectionKind::StreamFilter), hash);
        }
    }

    /// The offsets of the frames whose transaction may have this id.
    pub(crate) fn transactions_with(&self, id: &str) -> Result<Vec<u64>, Damaged> {
        let addresses = self.transactions.candidates(&self.file, transaction_hash(self.seed, id))?;
        let offsets: Vec<u64> = addresses.into_iter().map(|address| u64::from(address) << 3).collect();
        let is_covered = offsets.iter().all(|offset| (self.covers.from..self.covers.end).contains(offset));
        let outside = || self.transactions.numbers.damaged("a transaction lies outside what is covered");
        is_covered.then_some(offsets).ok_or_else(outside)
    }

    /// The ordinals of the events of a category to which their producer may have given this id.
    pub(crate) fn event_ids_with(&self, category: &str, id: &EventId) -> Result<Vec<u32>, Damaged> {
        let hash = event_id_hash(self.seed, category_hash(self.seed, category), id);
        let ordinals = self.event_ids.candidates(&self.file, hash)?;
        let is_covered = ordinals.iter().all(|ordinal| *ordinal < self.covers.count);
        let outside = || self.event_ids.numbers.damaged("an event lies outside what is covered");
        is_covered.then_some(ordinals).ok_or_else(outside)
    }

    /// The last record of each namespace and key, removals too, in the order of the first ones.
    pub(crate) fn records(&self) -> Result<Vec<SystemRecord>, Damaged> {
        let section = self.section(SectionKind::Records);
        if section.items == 0 {
            return Ok(Vec::new());
        }
        let bytes = self.file.whole(section)?;
        let mut fields = Fields::new(bytes, 0);
        let list = records(&mut fields).filter(|_| fields.at() == bytes.len());
        list.ok_or_else(|| section.damaged("a record makes no sense"))
    }

    /// How many blocks of times there are: one for every 256 events, the last of which may have fewer.
    pub(crate) fn blocks(&self) -> u32 {
        self.section(SectionKind::Times).items
    }

    /// The times of events `block * 256` to `block * 256 + 255`.
    pub(crate) fn times(&self, block: u32) -> Result<TimeBlock, Damaged> {
        let section = self.section(SectionKind::Times);
        let at = (block as usize).saturating_mul(TIME_BYTES);
        let mut fields = Fields::new(self.file.part(section, at, TIME_BYTES)?, 0);
        let three = (time(&mut fields), time(&mut fields), time(&mut fields));
        let (Some(first_recorded_at), Some(least_occurred_at), Some(greatest_occurred_at)) = three else {
            return Err(section.damaged("a time makes no sense"));
        };
        Ok(TimeBlock { first_recorded_at, least_occurred_at, greatest_occurred_at })
    }

    /// An ordinal that no event recorded at `instant` or later is below; at most 256 before the first of them.
    pub(crate) fn first_recorded_at_or_after(&self, instant: Timestamp) -> Result<u32, Damaged> {
        let (mut low, mut high) = (0, self.blocks());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.times(middle)?.first_recorded_at < instant {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        // The block before is the last whose first event is too early; others of its events need not be.
        Ok(low.saturating_sub(1) * EVENTS_A_TIME)
    }
}

/// The frame that was found last, and the events it holds.
#[derive(Default)]
struct Known {
    events: Range<u32>,
    offset: u64,
}

fn covers(header: &IndexHeader) -> Covers {
    Covers {
        store_id: header.store_id,
        segment: header.segment,
        salt: header.salt,
        from: header.from,
        end: header.end,
        last: header.last,
        base: header.base,
        count: header.count,
        transactions: header.transactions,
        chain: Chain {
            sequence: header.sequence,
            link: header.link,
            epoch: header.epoch,
            recorded_at: header.recorded_at,
            mark: header.mark,
            closed: header.closed,
        },
        first_recorded_at: header.first_recorded_at,
    }
}

/// Verifies the tables. Gives where the sections lie as a whole, and each of them.
fn tables(file: &IndexBytes, header: &IndexHeader) -> Result<(Range<usize>, [Section; KINDS]), Damaged> {
    let bytes = file.get();
    let damaged = |what| Damaged { offset: HEADER_BYTES as u64, what };
    if header.file_bytes != bytes.len() as u64 {
        return Err(Damaged { offset: 0, what: "the file has another length than its header says" });
    }
    let rows_bytes = (header.sections as usize).saturating_mul(SECTION_BYTES);
    let data_at = HEADER_BYTES.saturating_add(rows_bytes).next_multiple_of(8);
    let behind = bytes.len().checked_sub(data_at).ok_or_else(|| damaged("the table of sections is cut short"))?;
    // Whole blocks with their checksums, and perhaps one more that is cut short.
    let blocks = behind.div_ceil(BLOCK_BYTES + BLOCK_CRC_BYTES);
    let data_end = bytes.len() - blocks * BLOCK_CRC_BYTES;
    file.provide(0..data_at)?;
    file.provide(data_end..bytes.len())?;
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(bytes.get(HEADER_BYTES..data_at).unwrap_or_default());
    hasher.update(bytes.get(data_end..).unwrap_or_default());
    if data_end < data_at || hasher.finalize() != header.tables_crc {
        return Err(damaged("the checksum of the tables does not fit"));
    }
    let mut sections = [Section::EMPTY; KINDS];
    let mut fields = Fields::new(bytes, HEADER_BYTES);
    for _ in 0..header.sections {
        let row = SectionRow::decode(&mut fields).ok_or_else(|| damaged("a section makes no sense"))?;
        // A kind that is not known is an addition that need not be.
        let Some(kind) = SectionKind::of(row.kind) else { continue };
        let section = section(&row, data_at..data_end).ok_or_else(|| damaged("a section lies outside"))?;
        match sections.get_mut(kind.place()) {
            Some(slot) if slot.end == 0 => *slot = section,
            _ => return Err(damaged("a section is there twice")),
        }
    }
    let of = |kind: SectionKind| sections.get(kind.place()).copied().unwrap_or_default();
    if agree(header, of) { Ok((data_at..data_end, sections)) } else { Err(damaged("the sections do not agree")) }
}

fn section(row: &SectionRow, data: Range<usize>) -> Option<Section> {
    let start = usize::try_from(row.offset).ok()?;
    let end = start.checked_add(usize::try_from(row.length).ok()?)?;
    let fits = start % 8 == 0 && data.start <= start && end <= data.end && row.items > 0;
    fits.then_some(Section { items: row.items, start, end })
}

/// Whether sections have the lengths and the numbers of entries that belong together.
fn agree(header: &IndexHeader, of: impl Fn(SectionKind) -> Section) -> bool {
    use SectionKind as Kind;
    let has = |kind, items: u32, width: usize| {
        let section = of(kind);
        section.items == items && section.len() as u64 == u64::from(items) * width as u64
    };
    let dictionary = |names, starts, lists| {
        let items = of(names).items;
        let starts = of(starts);
        let length = if items == 0 { 0 } else { (u64::from(items) + 1) * 4 };
        starts.items == items && of(lists).items == items && starts.len() as u64 == length
    };
    let ids = |hashes, numbers| has(hashes, of(hashes).items, 8) && has(numbers, of(hashes).items, 4);
    let by_event = has(Kind::FramesByEvent, header.count, 4) && has(Kind::FramesByTransaction, 0, 8);
    let by_transaction = has(Kind::FramesByEvent, 0, 4) && has(Kind::FramesByTransaction, header.transactions, 8);
    (by_event || by_transaction)
        && dictionary(Kind::Categories, Kind::CategoryStarts, Kind::CategoryLists)
        && dictionary(Kind::Streams, Kind::StreamStarts, Kind::StreamLists)
        && dictionary(Kind::StreamNames, Kind::StreamNameStarts, Kind::StreamNameLists)
        && dictionary(Kind::Names, Kind::NameStarts, Kind::NameLists)
        && [Kind::Categories, Kind::Streams, Kind::StreamNames, Kind::Names].map(|kind| of(kind).items > 0)
            == [header.count > 0; 4]
        && u32::try_from(slots(of(Kind::Streams).items)).is_ok_and(|slots| has(Kind::StreamTable, slots, SLOT_BYTES))
        && ids(Kind::TransactionHashes, Kind::TransactionFrames)
        && ids(Kind::EventIdHashes, Kind::EventIdOrdinals)
        && has(Kind::Times, header.count.div_ceil(EVENTS_A_TIME), TIME_BYTES)
}
