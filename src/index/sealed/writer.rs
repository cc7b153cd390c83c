//! Writing an index file: what a builder gathered, section by section.

use super::Covers;
use super::builder::{IndexBuilder, IndexTooLarge};
use super::checked::block_crc;
use super::dictionary::stream_key;
use super::filter::put_filter;
use super::intern::Names;
use super::lists::put_list;
use super::table::{put_table, slots};
use crate::format::index_file::{
    BLOCK_BYTES, BLOCK_CRC_BYTES, HEADER_BYTES, IndexHeader, SECTION_BYTES, SectionKind, SectionRow, TIME_BYTES,
    put_time,
};
use crate::format::place::aligned;
use crate::format::transaction::put_records;
use crate::index::hash::hash_seed;

impl IndexBuilder {
    /// The whole file; more may be added afterwards, for another. What `covers` says of events must be what was added.
    pub(crate) fn finish(&self, covers: &Covers) -> Result<Vec<u8>, IndexTooLarge> {
        debug_assert_eq!((covers.base, covers.count), (self.base, self.count()));
        debug_assert_eq!(
            (covers.transactions, covers.first_recorded_at),
            (self.transactions(), self.first_recorded_at)
        );
        debug_assert_eq!(hash_seed(&covers.store_id), self.seed);
        let mut file = File::default();
        self.put_frames(&mut file)?;
        let mut streams = self.put_names(&mut file)?;
        let hashes = |hashes: &[u64], out: &mut Vec<u8>| hashes.iter().for_each(|hash| out.extend(hash.to_le_bytes()));
        let slots = usize::try_from(slots(index_of(streams.len())?)).map_err(|_| IndexTooLarge)?;
        file.section(SectionKind::StreamTable, slots, |out| put_table(out, &streams))?;
        streams.sort_unstable();
        streams.dedup();
        file.section(SectionKind::StreamFilter, streams.len(), |out| put_filter(out, &streams))?;
        let kinds = [
            [SectionKind::TransactionHashes, SectionKind::TransactionFrames, SectionKind::TransactionFilter],
            [SectionKind::EventIdHashes, SectionKind::EventIdOrdinals, SectionKind::EventIdFilter],
        ];
        let born = self.first_positions.iter().filter(|position| **position == 0).count();
        for (mut pairs, [hash_kind, number_kind, filter_kind]) in
            [self.transactions.clone(), self.event_ids.clone()].into_iter().zip(kinds)
        {
            pairs.sort_unstable();
            let mut ids: Vec<u64> = pairs.iter().map(|(hash, _)| *hash).collect();
            file.section(hash_kind, ids.len(), |out| hashes(&ids, out))?;
            file.section(number_kind, ids.len(), |out| {
                pairs.iter().for_each(|(_, number)| out.extend(number.to_le_bytes()))
            })?;
            ids.dedup();
            file.section(filter_kind, ids.len(), |out| put_filter(out, &ids))?;
        }
        file.section(SectionKind::Records, self.records.len(), |out| put_records(out, &self.records))?;
        file.section(SectionKind::Times, self.times.len(), |out| {
            out.reserve(self.times.len() * TIME_BYTES);
            for times in &self.times {
                let three = [times.first_recorded_at, times.least_occurred_at, times.greatest_occurred_at];
                three.into_iter().for_each(|time| put_time(out, time));
            }
        })?;
        file.finish(covers, index_of(born)?)
    }

    fn put_frames(&self, file: &mut File) -> Result<(), IndexTooLarge> {
        let count = self.stream_of.len();
        if self.frames.len() * 8 < count * 4 {
            return file.section(SectionKind::FramesByTransaction, self.frames.len(), |out| {
                for (first, address) in &self.frames {
                    out.extend(first.to_le_bytes());
                    out.extend(address.to_le_bytes());
                }
            });
        }
        let ends = self.frames.iter().skip(1).map(|(first, _)| *first).chain([index_of(count)?]);
        file.section(SectionKind::FramesByEvent, count, |out| {
            for ((first, address), end) in self.frames.iter().zip(ends) {
                (*first..end).for_each(|_| out.extend(address.to_le_bytes()));
            }
        })
    }

    /// The four dictionaries and their lists. Gives the hashes of the streams, in the order of their numbers.
    fn put_names(&self, file: &mut File) -> Result<Vec<u64>, IndexTooLarge> {
        let categories = order_of(&self.categories, |_| 0)?;
        let mut category_numbers = vec![0; categories.len()];
        for (number, category) in (0..).zip(&categories) {
            if let Some(slot) = category_numbers.get_mut(*category as usize) {
                *slot = number;
            }
        }
        let number_of = |stream| category_numbers.get(self.streams.owner(stream) as usize).copied().unwrap_or_default();
        let streams = order_of(&self.streams, number_of)?;
        let names = order_of(&self.names, |_| 0)?;
        let category_of: Vec<u32> = self.stream_of.iter().map(|stream| self.streams.owner(*stream)).collect();

        let dictionary = [SectionKind::Categories, SectionKind::CategoryStarts, SectionKind::CategoryLists];
        let keys = categories.iter().map(|category| self.categories.key(*category));
        file.dictionary(dictionary, keys, &categories, &Groups::new(&category_of, categories.len()), |_| None)?;

        let mut key = Vec::new();
        let mut automaton = Automaton::new()?;
        for stream in &streams {
            key.clear();
            key.extend(stream_key(number_of(*stream), self.streams.key(*stream)));
            automaton.push(&key)?;
        }
        let position = |stream| self.first_positions.get(stream as usize).copied();
        let dictionary = [SectionKind::Streams, SectionKind::StreamStarts, SectionKind::StreamLists];
        file.lists(dictionary, automaton, &streams, &Groups::new(&self.stream_of, streams.len()), position)?;

        self.put_stream_names(file, &streams)?;

        let dictionary = [SectionKind::Names, SectionKind::NameStarts, SectionKind::NameLists];
        let keys = names.iter().map(|name| self.names.key(*name));
        file.dictionary(dictionary, keys, &names, &Groups::new(&self.name_of, names.len()), |_| None)?;
        Ok(streams.iter().map(|stream| self.streams.hash(*stream)).collect())
    }

    /// Names of streams without their categories: for each, the numbers of the streams that have it.
    fn put_stream_names(&self, file: &mut File, streams: &[u32]) -> Result<(), IndexTooLarge> {
        let mut named: Vec<(u32, &[u8])> = (0..).zip(streams.iter().map(|stream| self.streams.key(*stream))).collect();
        // Stable, and quick where there is one category.
        named.sort_by_key(|(_, one)| *one);
        let mut automaton = Automaton::new()?;
        let (mut group_of, mut members) = (vec![0], Vec::with_capacity(named.len()));
        for same in named.chunk_by(|(_, one), (_, other)| one == other) {
            automaton.push(same.first().map(|(_, name)| *name).unwrap_or_default())?;
            members.extend(same.iter().map(|(number, _)| *number));
            group_of.push(members.len());
        }
        let groups = Groups { starts: group_of, members };
        let order: Vec<u32> = (0..index_of(groups.starts.len() - 1)?).collect();
        let kinds = [SectionKind::StreamNames, SectionKind::StreamNameStarts, SectionKind::StreamNameLists];
        file.lists(kinds, automaton, &order, &groups, |_| None)
    }
}

fn index_of(length: usize) -> Result<u32, IndexTooLarge> {
    u32::try_from(length).map_err(|_| IndexTooLarge)
}

/// The names' numbers while building, in the order of what goes first, and of their bytes.
fn order_of(names: &Names, first: impl Fn(u32) -> u32) -> Result<Vec<u32>, IndexTooLarge> {
    let shared = names.shared_prefix();
    let mut order: Vec<(u32, u64, u32)> = (0..index_of(names.len())?)
        .map(|number| (first(number), leading(names.key(number).get(shared..).unwrap_or_default()), number))
        .collect();
    order.sort_unstable_by(|one, other| {
        // Mostly what stands behind the bytes that all share tells, and the names themselves need not be fetched.
        let leading = (one.0, one.1).cmp(&(other.0, other.1));
        leading.then_with(|| names.key(one.2).cmp(names.key(other.2)))
    });
    Ok(order.into_iter().map(|(_, _, number)| number).collect())
}

/// The first eight bytes in one number that orders as they do; what is missing counts as zeros.
fn leading(bytes: &[u8]) -> u64 {
    (0..8).fold(0, |sum, at| sum << 8 | u64::from(bytes.get(at).copied().unwrap_or_default()))
}

/// Who belongs to whom: members in ascending order, group by group.
struct Groups {
    starts: Vec<usize>,
    members: Vec<u32>,
}

impl Groups {
    /// Events by what `group_of` says of each: counted, then put where they belong.
    fn new(group_of: &[u32], groups: usize) -> Self {
        let mut starts = vec![0; groups + 1];
        for group in group_of {
            if let Some(slot) = starts.get_mut(*group as usize + 1) {
                *slot += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut next = starts.clone();
        let mut members = vec![0; group_of.len()];
        for (ordinal, group) in (0..).zip(group_of) {
            if let Some(at) = next.get_mut(*group as usize) {
                if let Some(slot) = members.get_mut(*at) {
                    *slot = ordinal;
                }
                *at += 1;
            }
        }
        Self { starts, members }
    }

    fn of(&self, group: u32) -> &[u32] {
        let at = |index: usize| self.starts.get(index).copied().unwrap_or_default();
        self.members.get(at(group as usize)..at(group as usize + 1)).unwrap_or_default()
    }
}

/// An automaton that is being built of names in ascending order.
struct Automaton {
    builder: fst::raw::Builder<Vec<u8>>,
    names: u32,
}

impl Automaton {
    fn new() -> Result<Self, IndexTooLarge> {
        Ok(Self { builder: fst::raw::Builder::memory(), names: 0 })
    }

    fn push(&mut self, name: &[u8]) -> Result<(), IndexTooLarge> {
        // Names come sorted and once, and memory takes every write.
        self.builder.insert(name, u64::from(self.names)).map_err(|_| IndexTooLarge)?;
        self.names += 1;
        Ok(())
    }
}

/// The sections of a file, one behind the other.
#[derive(Default)]
struct File {
    /// What stands behind header and table.
    data: Vec<u8>,
    rows: Vec<SectionRow>,
}

impl File {
    /// Adds a section; one without entries is left out.
    fn section(
        &mut self,
        kind: SectionKind,
        items: usize,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), IndexTooLarge> {
        let start = self.data.len();
        if items > 0 {
            write(&mut self.data);
        }
        let length = self.data.len() - start;
        if length > 0 {
            self.rows.push(SectionRow::new(kind, index_of(items)?, start as u64, length as u64));
            self.data.resize(aligned_length(self.data.len()), 0);
        }
        Ok(())
    }

    fn dictionary<'k>(
        &mut self,
        kinds: [SectionKind; 3],
        keys: impl Iterator<Item = &'k [u8]>,
        order: &[u32],
        groups: &Groups,
        position: impl Fn(u32) -> Option<u64>,
    ) -> Result<(), IndexTooLarge> {
        let mut automaton = Automaton::new()?;
        for key in keys {
            automaton.push(key)?;
        }
        self.lists(kinds, automaton, order, groups, position)
    }

    /// A dictionary's three sections, its lists in the given order of groups.
    fn lists(
        &mut self,
        [names, starts, lists]: [SectionKind; 3],
        automaton: Automaton,
        order: &[u32],
        groups: &Groups,
        position: impl Fn(u32) -> Option<u64>,
    ) -> Result<(), IndexTooLarge> {
        let items = order.len();
        let automaton = automaton.builder.into_inner().map_err(|_| IndexTooLarge)?;
        self.section(names, items, |out| out.extend_from_slice(&automaton))?;
        let mut at = Vec::with_capacity((items + 1) * 4);
        let mut bytes = Vec::with_capacity(groups.members.len() * 2);
        for group in order {
            at.extend(index_of(bytes.len())?.to_le_bytes());
            put_list(&mut bytes, position(*group), groups.of(*group));
        }
        at.extend(index_of(bytes.len())?.to_le_bytes());
        self.section(starts, items, |out| out.extend_from_slice(&at))?;
        self.section(lists, items, |out| out.extend_from_slice(&bytes))
    }

    /// Header, table of sections, sections, table of blocks.
    fn finish(self, covers: &Covers, born_streams: u32) -> Result<Vec<u8>, IndexTooLarge> {
        let data_at = aligned_length(HEADER_BYTES + self.rows.len() * SECTION_BYTES);
        let blocks = self.data.len().div_ceil(BLOCK_BYTES);
        let file_bytes = data_at + self.data.len() + blocks * BLOCK_CRC_BYTES;
        let mut out = Vec::with_capacity(file_bytes);
        out.resize(HEADER_BYTES, 0);
        for row in &self.rows {
            SectionRow { offset: row.offset + data_at as u64, ..*row }.encode(&mut out);
        }
        out.resize(data_at, 0);
        let mut tables = crc32fast::Hasher::new();
        tables.update(out.get(HEADER_BYTES..).unwrap_or_default());
        out.extend_from_slice(&self.data);
        let blocks_at = out.len();
        for (block, bytes) in self.data.chunks(BLOCK_BYTES).enumerate() {
            out.extend_from_slice(&block_crc(covers.salt, covers.segment, block, bytes));
        }
        tables.update(out.get(blocks_at..).unwrap_or_default());
        let header = IndexHeader {
            store_id: covers.store_id,
            segment: covers.segment,
            salt: covers.salt,
            from: covers.from,
            end: covers.end,
            base: covers.base,
            count: covers.count,
            transactions: covers.transactions,
            sequence: covers.chain.sequence,
            link: covers.chain.link,
            epoch: covers.chain.epoch,
            recorded_at: covers.chain.recorded_at,
            mark: covers.chain.mark,
            closed: covers.chain.closed,
            first_recorded_at: covers.first_recorded_at,
            born_streams,
            file_bytes: file_bytes as u64,
            sections: index_of(self.rows.len())?,
            last: covers.last,
            tables_crc: tables.finalize(),
        };
        if let Some(head) = out.get_mut(..HEADER_BYTES) {
            head.copy_from_slice(&header.encode());
        }
        Ok(out)
    }
}

/// Rounds up to where the next section may begin.
fn aligned_length(length: usize) -> usize {
    usize::try_from(aligned(length as u64)).unwrap_or(length)
}
