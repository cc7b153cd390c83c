//! A mapped file with a line between what readers may see and what the writer may still write: the one `unsafe` door.

use super::provided::{CHUNK_BYTES, Provided, chunks};
use crate::vocabulary::mark::Mark;
use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// A file's bytes in memory, divided by a mark: below it they never change again and anyone may read them; from it on, one writer
/// may write and nobody reads.
///
/// Two rules make sharing sound. No slice is formed beyond the mark, and no byte below the mark is written. The mark only rises.
/// Both are enforced here. One duty is left to the engine, which keeps it by the writer's seat: who writes and who publishes do
/// so one after the other.
#[derive(Debug)]
pub(crate) struct Region {
    map: Memory,
    writable: bool,
    published: Mark,
    provided: Provided,
    /// What the system was asked to bring in before it is touched.
    wished: Provided,
}

/// What the bytes of a region are wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Reading, before long.
    Soon,
    Reading,
    Writing,
}

/// Chunks up to which what is asked for is read for itself, with nothing beside it.
const FEW_CHUNKS: u64 = 2;
/// Bytes that the writer asks for at once: rarely, and not so many that a sync writes much more than was appended.
const WRITER_BYTES: u64 = 4 * CHUNK_BYTES;

/// What the bytes lie in.
#[derive(Debug)]
enum Memory {
    Map(MmapRaw),
    /// Of a file that is on no disk. Mapping such ones would be most of what a simulation does.
    #[cfg(feature = "testing")]
    Heap(Box<[std::sync::atomic::AtomicU8]>),
    /// The same, of a file that cannot be read in this range.
    #[cfg(test)]
    Holed(Box<[std::sync::atomic::AtomicU8]>, Range<u64>),
}

/// Bytes that a prefetch brings in.
#[cfg(target_arch = "x86_64")]
const CACHE_LINE: usize = 64;

impl Memory {
    fn len(&self) -> usize {
        match self {
            Memory::Map(map) => map.len(),
            #[cfg(feature = "testing")]
            Memory::Heap(bytes) => bytes.len(),
            #[cfg(test)]
            Memory::Holed(bytes, _) => bytes.len(),
        }
    }

    /// The first byte. Both kinds may be written through it although they are shared: raw maps are made for that, and so are
    /// atomics.
    fn as_mut_ptr(&self) -> *mut u8 {
        match self {
            Memory::Map(map) => map.as_mut_ptr(),
            #[cfg(feature = "testing")]
            Memory::Heap(bytes) => bytes.as_ptr().cast_mut().cast(),
            #[cfg(test)]
            Memory::Holed(bytes, _) => bytes.as_ptr().cast_mut().cast(),
        }
    }

    /// Asks the system for bytes, which it maps. Where it does not know that question, they are taken to be there.
    fn ask(&self, range: Range<u64>, wanted: Wanted) -> io::Result<()> {
        match self {
            Memory::Map(map) => ask(map, range, wanted),
            #[cfg(feature = "testing")]
            Memory::Heap(_) => Ok(()),
            #[cfg(test)]
            Memory::Holed(_, hole) if range.start < hole.end && hole.start < range.end => {
                Err(rustix::io::Errno::IO.into())
            }
            #[cfg(test)]
            Memory::Holed(..) => Ok(()),
        }
    }
}

#[cfg(target_os = "linux")]
fn ask(map: &MmapRaw, range: Range<u64>, wanted: Wanted) -> io::Result<()> {
    use memmap2::Advice;
    use rustix::io::Errno;
    let start = usize::try_from(range.start).map_err(io::Error::other)?;
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    let advice = match wanted {
        Wanted::Soon => Advice::WillNeed,
        Wanted::Reading => Advice::PopulateRead,
        Wanted::Writing => Advice::PopulateWrite,
    };
    match map.advise_range(advice, start, length) {
        Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => Ok(()),
        // The system's word for where a touch would be a signal.
        Err(error) if error.raw_os_error() == Some(Errno::FAULT.raw_os_error()) => Err(Errno::IO.into()),
        asked => asked,
    }
}

#[cfg(not(target_os = "linux"))]
fn ask(_map: &MmapRaw, _range: Range<u64>, _wanted: Wanted) -> io::Result<()> {
    Ok(())
}

impl Region {
    /// Maps `file`, whose whole length is allocated, and nothing of which is published yet.
    pub(super) fn map(file: &File, writable: bool) -> io::Result<Self> {
        let options = MmapOptions::new();
        let map = if writable { options.map_raw(file)? } else { options.map_raw_read_only(file)? };
        let [provided, wished] = [(); 2].map(|()| Provided::nothing(map.len() as u64));
        Ok(Self { map: Memory::Map(map), writable, published: Mark::new(0), provided, wished })
    }

    /// A copy of `bytes` on no disk, nothing of which is published yet.
    #[cfg(feature = "testing")]
    pub(super) fn in_memory(bytes: &[u8]) -> Self {
        let copy = bytes.iter().map(|byte| std::sync::atomic::AtomicU8::new(*byte)).collect();
        let [provided, wished] = [(); 2].map(|()| Provided::everything(bytes.len() as u64));
        Self { map: Memory::Heap(copy), writable: true, published: Mark::new(0), provided, wished }
    }

    /// A copy of `bytes` that are all published, as if those in `hole` could not be read.
    #[cfg(test)]
    pub(crate) fn holed(bytes: &[u8], hole: Range<u64>) -> Self {
        let copy = bytes.iter().map(|byte| std::sync::atomic::AtomicU8::new(*byte)).collect();
        let length = bytes.len() as u64;
        let [provided, wished] = [(); 2].map(|()| Provided::nothing(length));
        Self { map: Memory::Holed(copy, hole), writable: false, published: Mark::new(length), provided, wished }
    }

    /// Bytes mapped.
    pub(crate) fn len(&self) -> u64 {
        self.map.len() as u64
    }

    /// Up to where readers may see.
    pub(crate) fn published(&self) -> u64 {
        self.published.get()
    }

    /// Lets readers see up to `end`, never beyond the region. What was written before is visible to whoever sees the mark.
    pub(crate) fn publish(&self, end: u64) {
        self.published.raise(end.min(self.len()));
    }

    /// The same for who alone publishes.
    #[inline]
    pub(crate) fn publish_alone(&self, end: u64) {
        self.published.raise_alone(end.min(self.len()));
    }

    /// Makes sure that the system can provide the bytes of `range`. Whoever reads bytes of a slice asks this first: on a disk
    /// that is gone, or where a sector cannot be read, the touch itself would end the process by a signal. What was provided once
    /// is not asked for again; should the system need its memory back, and then fail to read it anew, the signal comes after all.
    ///
    /// # Errors
    /// The system cannot provide them.
    #[inline]
    pub(crate) fn provide(&self, range: Range<u64>) -> io::Result<()> {
        match self.provided.first_missing(chunks(&range)) {
            None => Ok(()),
            Some(_) => self.ask_for(&range, Wanted::Reading, 0),
        }
    }

    /// Whether the system was seen to provide what lies there, and about it.
    #[inline]
    pub(crate) fn is_provided(&self, offset: u64) -> bool {
        self.provided.has(offset / CHUNK_BYTES)
    }

    /// Makes sure that the system can provide the bytes of `range`, as far as it can, and gives where that ends: at the end of
    /// the range or somewhat behind it, or before, where something cannot be provided.
    #[inline]
    pub(crate) fn provided_to(&self, range: Range<u64>) -> u64 {
        let (first, last) = (range.start / CHUNK_BYTES, range.end / CHUNK_BYTES);
        // Mostly it is a short range.
        if self.provided.has(first) && (last == first || last == first + 1 && self.provided.has(last)) {
            return (last + 1) * CHUNK_BYTES;
        }
        self.ask_as_far(chunks(&range)) * CHUNK_BYTES
    }

    /// Has the system begin to bring in the bytes of `range` that were not provided yet, and does not wait for them. Gives what
    /// it was asked for, which may be somewhat more.
    pub(crate) fn wish(&self, range: Range<u64>) -> Range<u64> {
        let all = chunks(&(range.start.min(self.len())..range.end.min(self.len())));
        let is_new = |chunk: &u64| !self.wished.has(*chunk) && !self.provided.has(*chunk);
        let mut rest = all.clone();
        while let Some(start) = rest.find(is_new) {
            let end = rest.find(|chunk| !is_new(chunk)).unwrap_or(all.end);
            self.wished.add(start..end);
            // A wish that is not granted is found out by who asks for the bytes.
            let _ = self.map.ask(start * CHUNK_BYTES..(end * CHUNK_BYTES).min(self.len()), Wanted::Soon);
        }
        all.start * CHUNK_BYTES..all.end * CHUNK_BYTES
    }

    #[cold]
    fn ask_as_far(&self, all: Range<u64>) -> u64 {
        let all = all.start..all.end.min(self.len().div_ceil(CHUNK_BYTES));
        let Some(missing) = self.provided.first_missing(all.clone()) else { return all.end };
        if self.ask_chunks(missing..all.end, Wanted::Reading).is_ok() {
            return all.end;
        }
        // Something there cannot be provided: then one after the other.
        (missing..all.end).find(|chunk| self.ask_chunks(*chunk..chunk + 1, Wanted::Reading).is_err()).unwrap_or(all.end)
    }

    /// Asks for the chunks of `range` that were not provided yet, and where it asks anyway, for the rest of `piece` bytes, which
    /// begin at a multiple of so many: what lies behind is brought into memory in large pages first.
    #[cold]
    fn ask_for(&self, range: &Range<u64>, wanted: Wanted, piece: u64) -> io::Result<()> {
        let range = range.start.min(self.len())..range.end.min(self.len());
        let all = chunks(&range);
        while let Some(missing) = self.provided.first_missing(all.clone()) {
            let end = (missing + 1).next_multiple_of(piece.max(CHUNK_BYTES) / CHUNK_BYTES);
            let end = all.end.max(end).min(self.len().div_ceil(CHUNK_BYTES));
            if self.ask_chunks(missing..end, wanted).is_err() {
                // Perhaps what is wanted can be provided, and what is beside it cannot. Then it is asked for each time.
                return self.map.ask(range, wanted);
            }
        }
        Ok(())
    }

    fn ask_chunks(&self, chunks: Range<u64>, wanted: Wanted) -> io::Result<()> {
        if wanted == Wanted::Reading && chunks.end - chunks.start <= FEW_CHUNKS {
            // Read for itself: where a single touch finds nothing in memory, the system reads a hundred times as much, for those
            // who go on from there. Who does asks for more at once.
            self.wish(chunks.start * CHUNK_BYTES..chunks.end * CHUNK_BYTES);
        }
        self.map.ask(chunks.start * CHUNK_BYTES..(chunks.end * CHUNK_BYTES).min(self.len()), wanted)?;
        self.provided.add(chunks);
        Ok(())
    }

    /// The bytes of a range that is published; `None` otherwise. Whether they can be read is another question:
    /// [`Region::provide`].
    pub(crate) fn slice(&self, range: Range<u64>) -> Option<&[u8]> {
        if range.start > range.end || range.end > self.published() {
            return None;
        }
        let (start, length) = (usize::try_from(range.start).ok()?, usize::try_from(range.end - range.start).ok()?);
        // SAFETY: `start + length` is at most the published mark, which `publish` keeps within the mapping, and the mapping lives
        // as long as `self`, which the slice borrows. Nobody writes below the mark: `write` refuses to, the mark only rises, and
        // the file is the store's own under its lock, never truncated while mapped. The Acquire load of the mark pairs with the
        // writer's release, so the bytes read are those written before. Edits by strangers to the file are outside what any
        // mapping can be sound against; what is read is therefore treated as untrusted and its checksums verified.
        Some(unsafe { std::slice::from_raw_parts(self.map.as_mut_ptr().cast_const().add(start), length) })
    }

    /// Hints that the bytes of `range` are wanted soon. Does nothing where there is no way to say so.
    #[inline]
    pub(crate) fn prefetch(&self, range: Range<u64>) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let end = usize::try_from(range.end).unwrap_or(usize::MAX).min(self.map.len());
            let mut offset = usize::try_from(range.start).unwrap_or(usize::MAX);
            while offset < end {
                // SAFETY: `offset` is below the mapping's length, so the address lies within it. A prefetch reads nothing that
                // the program could see, and never faults; so it needs no mark, and races with no one.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(self.map.as_mut_ptr().cast_const().add(offset).cast()) };
                offset += CACHE_LINE;
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = range;
    }

    /// Hints that so many lines of memory from `offset` on are wanted before long, where the region has as many. They are brought
    /// nearer than memory, and not next to the processor: many more of such requests may be under way at once.
    #[inline(always)]
    pub(crate) fn prefetch_lines<const LINES: usize>(&self, offset: u64) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            if start.checked_add(LINES * CACHE_LINE).is_some_and(|end| end <= self.map.len()) {
                for line in 0..LINES {
                    // SAFETY: the line begins below the mapping's length, so the address lies within it. As above, a prefetch
                    // reads nothing that the program could see, and never faults.
                    unsafe {
                        let address = self.map.as_mut_ptr().cast_const().add(start + line * CACHE_LINE);
                        _mm_prefetch::<_MM_HINT_T1>(address.cast());
                    }
                }
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = offset;
    }

    /// Copies `bytes` into the unpublished part. Refuses what reaches below the mark or beyond the region.
    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= self.len());
        let (Some(_), true) = (end, self.writable) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a store beyond the mapped file"));
        };
        if offset < self.published() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a store into bytes that readers may see"));
        }
        let range = offset..offset + bytes.len() as u64;
        if self.provided.first_missing(chunks(&range)).is_some() {
            self.ask_for(&range, Wanted::Writing, WRITER_BYTES)?;
        }
        let start = usize::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: the range lies within the mapping, which is writable. It lies wholly at or above the mark, where `slice` forms
        // no reference; the mark cannot pass it meanwhile, because whoever publishes is whoever writes: the engine does both in
        // the writer's seat, or under the leadership that hands bytes from it. The source is an ordinary slice elsewhere in
        // memory, so the two do not overlap. Every page has its blocks, so the store cannot fault for lack of space, and the
        // system was seen to provide it.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.map.as_mut_ptr().add(start), bytes.len()) };
        Ok(())
    }
}

/// The published part of a region, from its beginning, as an owner of bytes.
pub(crate) struct RegionBytes {
    region: Arc<Region>,
    end: u64,
}

impl RegionBytes {
    /// The bytes up to `end`, or up to the mark if that is less.
    pub(crate) fn new(region: Arc<Region>, end: u64) -> Self {
        let end = end.min(region.published());
        Self { region, end }
    }
}

impl AsRef<[u8]> for RegionBytes {
    fn as_ref(&self) -> &[u8] {
        self.region.slice(0..self.end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region() -> Region {
        let file = tempfile::tempfile().unwrap();
        file.set_len(8_192).unwrap();
        Region::map(&file, true).unwrap()
    }

    #[test]
    fn readers_stay_below_the_mark_and_the_writer_above_it() {
        let region = region();
        region.write(0, b"hello").unwrap();
        assert_eq!(region.slice(0..5), None);
        region.publish(5);
        assert_eq!(region.slice(0..5), Some(&b"hello"[..]));
        assert!(region.write(4, b"x").is_err());
        assert!(region.write(8_191, b"xy").is_err());
        assert!(region.write(u64::MAX, b"xy").is_err());
        region.publish(3);
        assert_eq!(region.published(), 5, "the mark never falls");
        region.publish(u64::MAX);
        assert_eq!(region.published(), 8_192, "the mark stays within the region");
        assert_eq!(region.slice(Range { start: 6, end: 5 }), None);
    }

    #[test]
    fn wishes_are_made_once_and_provide_nothing() {
        let region = Region::holed(&vec![7; 8 * 65_536], 3 * CHUNK_BYTES..4 * CHUNK_BYTES);
        let wished = |region: &Region| (0..8).filter(|chunk| region.wished.has(*chunk)).collect::<Vec<_>>();
        let provided = |region: &Region| (0..8).filter(|chunk| region.provided.has(*chunk)).collect::<Vec<_>>();
        assert_eq!(region.wish(CHUNK_BYTES + 7..CHUNK_BYTES + 8), CHUNK_BYTES..2 * CHUNK_BYTES);
        assert_eq!((wished(&region), provided(&region)), (vec![1], vec![]));
        // What is not granted does not matter, nor what lies beyond the end.
        assert_eq!(region.wish(3 * CHUNK_BYTES - 1..5 * CHUNK_BYTES), 2 * CHUNK_BYTES..5 * CHUNK_BYTES);
        assert_eq!(region.wish(7 * CHUNK_BYTES..u64::MAX), 7 * CHUNK_BYTES..8 * CHUNK_BYTES);
        assert!(region.wish(u64::MAX - 1..u64::MAX).is_empty());
        assert_eq!((wished(&region), provided(&region)), (vec![1, 2, 3, 4, 7], vec![]));
        // Of what is asked for, little is wished for first, and much is not.
        region.provide(5 * CHUNK_BYTES..7 * CHUNK_BYTES).unwrap();
        region.provide(0..3 * CHUNK_BYTES).unwrap();
        assert_eq!((wished(&region), provided(&region)), (vec![1, 2, 3, 4, 5, 6, 7], vec![0, 1, 2, 5, 6]));
        assert!(region.is_provided(CHUNK_BYTES) && !region.is_provided(4 * CHUNK_BYTES));
    }

    /// Touching what lies behind the end of a mapped file is a signal, as it is on a disk that is gone.
    #[test]
    #[cfg(target_os = "linux")]
    fn what_the_system_cannot_provide_is_an_error_and_no_signal() {
        let chunks = 8 * CHUNK_BYTES;
        let file = tempfile::tempfile().unwrap();
        file.set_len(chunks).unwrap();
        let region = Region::map(&file, true).unwrap();
        region.publish(3 * CHUNK_BYTES);
        region.provide(CHUNK_BYTES..CHUNK_BYTES + 1).unwrap();
        let end = 2 * CHUNK_BYTES + CHUNK_BYTES / 2;
        file.set_len(end).unwrap();
        assert_eq!(region.provided_to(0..chunks), 2 * CHUNK_BYTES, "whole chunks, up to the one that is cut");
        assert_eq!(region.provided_to(3 * CHUNK_BYTES..chunks), 3 * CHUNK_BYTES, "nothing");
        region.provide(end - 8..end).unwrap();
        let failed = |outcome: io::Result<()>| outcome.unwrap_err().raw_os_error() == Some(5);
        assert!(failed(region.provide(end - 8..end + 8)), "a page of it is not there");
        assert!(failed(region.provide(0..chunks)) && failed(region.provide(chunks - 1..u64::MAX)));
        assert_eq!(region.slice(end - 8..end), Some(&[0; 8][..]));
        assert!(failed(region.write(4 * CHUNK_BYTES, b"x")), "the writer too");
        file.set_len(chunks).unwrap();
        assert_eq!(region.provided_to(0..chunks), chunks, "a failure is not remembered");
        region.write(4 * CHUNK_BYTES, b"x").unwrap();
    }

    #[test]
    fn hints_about_any_range_are_harmless() {
        let region = region();
        for range in [0..8_192, 8_000..9_000, 9_000..10_000, 5..5, u64::MAX - 1..u64::MAX, Range { start: 6, end: 5 }] {
            region.prefetch_lines::<3>(range.start);
            region.prefetch_lines::<3>(range.end);
            region.prefetch(range);
        }
    }
}
