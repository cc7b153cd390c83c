//! Frames in a mapped file: written, scanned, read by their places.

use crate::data::{Data, Stream, Tally};
use crate::error::{Error, Result};
use crate::measure::{Measured, Watch};
use crate::workloads::Extent;
use memmap2::MmapMut;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Bytes of a frame before its payload: checksum, length, sequence number, position, stream, and a name of 20 bytes.
const HEADER: usize = 80;
/// Where the checksum ends, and what it covers begins.
const COVERED: usize = 4;
/// Bytes of one write that fills a file. The page cache then holds pages as big.
const FILL: usize = 2 << 20;
/// Bytes of a file at most; a writer that comes to the end begins again.
const MOST: usize = 2 << 30;
/// How many frames pass between two looks at the clock.
const FRAMES: u64 = 256;

/// Bytes of one frame of this data.
pub fn size(data: &Data) -> usize {
    HEADER + data.payload(0).len()
}

/// A file of this many bytes, filled with zeros by writes of `write` bytes.
pub fn filled(path: &Path, bytes: usize, write: usize) -> Result<File> {
    let mut file =
        File::options().create(true).truncate(true).read(true).write(true).open(path).map_err(Error::io(path))?;
    let zeros = vec![0; write];
    let mut left = bytes;
    while left > 0 {
        let part = left.min(write);
        file.write_all(&zeros[..part]).map_err(Error::io(path))?;
        left -= part;
    }
    Ok(file)
}

fn mapped(data: &Data, events: usize, directory: &Path) -> Result<MmapMut> {
    let path = directory.join("frames");
    let bytes = (events * size(data)).clamp(size(data), MOST).next_multiple_of(FILL);
    let file = filled(&path, bytes, FILL)?;
    // SAFETY: the file is in a directory of our own; nothing else writes or cuts it while it is mapped.
    unsafe { MmapMut::map_mut(&file) }.map_err(Error::io(&path))
}

/// Writes one frame.
#[inline]
pub fn encode(data: &Data, stream: &Stream, position: u64, sequence: u64, frame: &mut [u8]) {
    let payload = data.payload(sequence);
    frame[4..8].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    frame[8..16].copy_from_slice(&sequence.to_le_bytes());
    frame[16..24].copy_from_slice(&position.to_le_bytes());
    frame[24..32].copy_from_slice(&(stream.number as u64).to_le_bytes());
    let name = data.event_name.as_bytes();
    let length = name.len().min(HEADER - 32);
    frame[32..32 + length].copy_from_slice(&name[..length]);
    frame[HEADER..HEADER + payload.len()].copy_from_slice(payload);
    let checksum = crc32fast::hash(&frame[COVERED..]);
    frame[..COVERED].copy_from_slice(&checksum.to_le_bytes());
}

/// Frames on their way into a map, one behind the other; at the end it begins again.
struct Writer<'a> {
    data: &'a Data,
    map: MmapMut,
    frame: Vec<u8>,
    positions: Vec<u64>,
    at: usize,
}

impl<'a> Writer<'a> {
    fn new(data: &'a Data, events: usize, directory: &Path) -> Result<Self> {
        let map = mapped(data, events, directory)?;
        Ok(Self { data, map, frame: vec![0; size(data)], positions: vec![0; data.streams.len()], at: 0 })
    }

    /// Encodes, computes the checksum and copies into the map.
    #[inline]
    fn write(&mut self, event: u64) {
        let stream = self.data.stream(usize::try_from(event).unwrap_or_default());
        let position = &mut self.positions[stream.number];
        encode(self.data, stream, *position, event, &mut self.frame);
        *position += 1;
        let size = self.frame.len();
        if self.at + size > self.map.len() {
            self.at = 0;
        }
        self.map[self.at..self.at + size].copy_from_slice(&self.frame);
        self.at += size;
    }
}

/// Frame after frame.
pub fn append(data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
    let mut writer = Writer::new(data, extent.events, directory)?;
    let mut done = 0;
    let watch = Watch::start();
    while done < extent.events as u64 {
        if done % FRAMES == 0 && watch.elapsed() > extent.time {
            break;
        }
        writer.write(done);
        done += 1;
    }
    Ok(watch.rate(done))
}

/// Frame after frame, each when it is due.
pub fn paced(data: &Data, extent: Extent, directory: &Path) -> Result<Measured> {
    let mut writer = Writer::new(data, extent.events, directory)?;
    crate::workloads::paced(extent.events as u64, |event| {
        writer.write(event);
        Ok(())
    })
}

/// All events in a map, and for each the place of its frame.
fn written(data: &Data, directory: &Path) -> Result<(MmapMut, Vec<usize>)> {
    let events = data.order.len().min(MOST / size(data));
    let mut map = mapped(data, events, directory)?;
    let mut positions = vec![0_u64; data.streams.len()];
    let places: Vec<usize> = (0..events).map(|event| event * size(data)).collect();
    for (event, at) in places.iter().enumerate() {
        let stream = data.stream(event);
        encode(data, stream, positions[stream.number], event as u64, &mut map[*at..at + size(data)]);
        positions[stream.number] += 1;
    }
    Ok((map, places))
}

/// Reads the frame at a place.
#[inline]
fn read(map: &[u8], at: usize, checked: bool, tally: &mut Tally) -> Result<usize> {
    let header = &map[at..at + HEADER];
    let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
    let end = at + HEADER + length;
    if checked {
        let checksum = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        if crc32fast::hash(&map[at + COVERED..end]) != checksum {
            return Err(Error::Broken(format!("the frame at {at} is damaged")));
        }
    }
    tally.add(&map[at + HEADER..end]);
    Ok(end)
}

/// Frame after frame.
pub fn scan(data: &Data, extent: Extent, checked: bool, directory: &Path) -> Result<Measured> {
    let (map, places) = written(data, directory)?;
    let pass = || {
        let (mut tally, mut at) = (Tally::default(), 0);
        for _ in 0..places.len() {
            at = read(&map, at, checked, &mut tally)?;
        }
        Ok(tally)
    };
    repeat(extent, data.log(places.len()), pass)
}

fn repeat(extent: Extent, expected: Tally, mut pass: impl FnMut() -> Result<Tally>) -> Result<Measured> {
    pass()?;
    let watch = Watch::start();
    let mut events = 0;
    loop {
        let found = pass()?;
        if found != expected {
            return Err(Error::Mismatch { what: "the frames".to_owned(), found, expected });
        }
        events += found.events;
        if watch.elapsed() > extent.time {
            return Ok(watch.rate(events));
        }
    }
}

fn by(places: &[usize], data: &Data, count: usize, of: impl Fn(usize) -> usize) -> Vec<Vec<usize>> {
    let mut lists = vec![Vec::new(); count];
    for (event, place) in places.iter().enumerate() {
        lists[of(data.order[event] as usize)].push(*place);
    }
    lists
}

/// Streams at random, by lists of places.
pub fn streams(data: &Data, extent: Extent, checked: bool, directory: &Path) -> Result<Measured> {
    let (map, places) = written(data, directory)?;
    let lists = by(&places, data, data.streams.len(), |stream| stream);
    let mut random = fastrand::Rng::with_seed(7);
    at_places(&map, checked, extent, || random.usize(..lists.len()), &lists)
}

/// Categories in turn, by lists of places.
pub fn categories(data: &Data, extent: Extent, checked: bool, directory: &Path) -> Result<Measured> {
    let (map, places) = written(data, directory)?;
    let lists = by(&places, data, data.categories.len(), |stream| stream % data.categories.len());
    let mut turn = (0..lists.len()).cycle();
    at_places(&map, checked, extent, || turn.next().unwrap_or_default(), &lists)
}

fn at_places(
    map: &[u8],
    checked: bool,
    extent: Extent,
    mut next: impl FnMut() -> usize,
    lists: &[Vec<usize>],
) -> Result<Measured> {
    let watch = Watch::start();
    let mut events = 0;
    loop {
        let mut tally = Tally::default();
        for place in &lists[next()] {
            read(map, *place, checked, &mut tally)?;
        }
        // Looked at, so that it is not left out.
        events += std::hint::black_box(tally).events;
        if watch.elapsed() > extent.time {
            return Ok(watch.rate(events));
        }
    }
}
