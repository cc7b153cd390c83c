//! Small stores of known content, as files in memory: three segments, ended in different ways.

use crate::adapters::StorageAdapter;
use crate::adapters::log::LogAdapter;
use crate::disk::{MemoryDisk, MemoryFiles};
use crate::format::frame::{FrameHeader, Kind};
use crate::format::place::{Place, aligned};
use crate::format::segment_header::{HEADER_BYTES, HEADER_FIELDS, SegmentHeader};
use crate::log::{segment_name, segment_number};
use crate::store::EventStore;
use crate::testing::fuzz::edits::{self, Link, Repair};
use crate::vocabulary::event::NewEvent;
use crate::vocabulary::number::Revision;
use crate::vocabulary::options::{Durability, OpenMode, Options};
use crate::vocabulary::payload::Payload;
use crate::vocabulary::time::{SteppingClock, Timestamp};
use crate::vocabulary::transaction::{StoredTransaction, SystemRecord, transaction};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Bytes of a segment's file: the least there are.
pub(super) const FILE_BYTES: usize = 16 << 10;
/// Where frames begin.
pub(super) const FRAMES_FROM: usize = 4 << 10;
/// Whose system records the store holds.
pub(super) const NAMESPACE: &str = "app";
const STORE_ID: [u8; 16] = *b"a damaged store.";
const OTHER_STORE_ID: [u8; 16] = *b"some other store";

/// How a store's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It closed the store.
    Closed,
    /// It died while the store was idle: a watermark says that everything is durable.
    Idle,
    /// It died right after an append was acknowledged.
    Busy,
}

/// A frame of an image.
#[derive(Debug, Clone)]
pub(super) struct FrameAt {
    pub(super) place: Place,
    /// Its bytes in its file, without the padding.
    pub(super) bytes: Range<usize>,
    pub(super) kind: Kind,
    pub(super) mark: Place,
    /// How many transactions stand before it.
    pub(super) before: usize,
    /// Whether it holds a transaction of the store's users.
    pub(super) holds: bool,
}

/// A store as it was before it is damaged: every transaction in it was acknowledged.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) name: &'static str,
    pub(super) ending: Ending,
    pub(super) files: MemoryFiles,
    pub(super) frames: Vec<FrameAt>,
    pub(super) transactions: Vec<StoredTransaction>,
    /// The files of another store with the same content.
    pub(super) foreign: MemoryFiles,
}

/// The images of all endings. The same bytes at each call.
pub(super) fn images() -> Result<Vec<Image>, String> {
    let endings = [
        (Ending::Closed, "closed"),
        (Ending::Idle, "ended unclean when idle"),
        (Ending::Busy, "ended unclean after an append"),
    ];
    endings.into_iter().map(|(ending, name)| image(ending, name)).collect()
}

fn image(ending: Ending, name: &'static str) -> Result<Image, String> {
    // The housekeeping of a slow machine writes watermarks between appends, too: then the bytes would not be the same each time.
    for _ in 0..200 {
        let files = written(ending)?;
        let mut files = fixed(files, STORE_ID);
        let kinds: Vec<Kind> = frames_of(&files).iter().map(|frame| frame.kind).collect();
        let marks = kinds.iter().filter(|kind| **kind == Kind::Watermark).count();
        let expected = usize::from(ending != Ending::Closed);
        if files.len() != 3 || marks != expected || (expected == 1 && kinds.last() != Some(&Kind::Watermark)) {
            continue;
        }
        if ending == Ending::Busy {
            remove_last_frame(&mut files);
        }
        let frames = frames_of(&files);
        let transactions = read(&files)?;
        let holding = frames.iter().filter(|frame| frame.holds).count();
        if holding != transactions.len() {
            return Err(format!("{name}: {holding} frames hold {} transactions", transactions.len()));
        }
        let foreign = fixed(files.clone(), OTHER_STORE_ID);
        return Ok(Image { name, ending, files, frames, transactions, foreign });
    }
    Err(format!("{name}: the machine is too slow to write the store without a pause"))
}

pub(super) fn options(mode: OpenMode) -> Options {
    let clock = SteppingClock::new(Timestamp::UNIX_EPOCH, Duration::from_millis(7));
    Options::new().mode(mode).clock(clock).segment_bytes(FILE_BYTES as u64, FILE_BYTES as u64)
}

/// Three segments of transactions, each synced before the next, with all that a transaction can hold.
fn written(ending: Ending) -> Result<MemoryFiles, String> {
    let said = |error: &dyn std::fmt::Display| error.to_string();
    let disk = Arc::new(MemoryDisk::default());
    let options = options(OpenMode::CreateNew).durability(Durability::Sync);
    let adapter = LogAdapter::open_on(Arc::clone(&disk) as _, &options).map_err(|error| said(&error))?;
    let store = EventStore::new(adapter);
    for number in 0_u32..58 {
        let payload = Payload::binary(vec![number.to_le_bytes()[0]; 150 + (number as usize * 37) % 400]);
        // Given, since the default is the time of day.
        let observed_at = Timestamp::from_unix(i64::from(number), 5).unwrap_or(Timestamp::UNIX_EPOCH);
        let mut first = NewEvent::from_payload("first", payload).with_attribute("tenant", i64::from(number));
        first = first.with_observed_at(observed_at);
        if number % 5 == 0 {
            first = first.with_id(format!("event-{number}")).with_metadata(vec![1, 2, 3]);
        }
        let others = (0..number % 3).map(|_| NewEvent::empty("other").with_observed_at(observed_at));
        let mut append = transaction().stream("c", format!("s-{}", number % 4), [first]).stream("d", "", others);
        if number % 2 == 0 {
            append = append.id(format!("t-{number}")).attribute("principal", "somebody");
        }
        if number % 7 == 3 {
            append = append.record(SystemRecord::set(NAMESPACE, "last", number.to_le_bytes().to_vec()));
        }
        store.append(append).map_err(|error| said(&error))?;
        if number % 20 == 11 {
            let alone = SystemRecord::set(NAMESPACE, format!("alone-{number}"), b"x".as_slice());
            store.append(transaction().record(alone)).map_err(|error| said(&error))?;
        }
    }
    let segments = || {
        let mut files = disk.files();
        files.retain(|name, _| segment_number(name).is_some());
        files
    };
    let mut files = segments();
    if ending == Ending::Closed {
        store.close().map_err(|error| said(&error))?;
        files = segments();
    } else {
        for _ in 0..1_000 {
            files = segments();
            if frames_of(&files).last().is_some_and(|frame| frame.kind == Kind::Watermark) {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    // A segment that was being prepared, or lies ready, is not what is looked at here.
    let used = frames_of(&files).last().map_or(0, |frame| frame.place.segment);
    files.retain(|name, _| (1..=used).any(|number| segment_name(number) == *name));
    Ok(files)
}

/// The same store with ids and salts that are the same in every run, and checksums that fit them.
fn fixed(mut files: MemoryFiles, store_id: [u8; 16]) -> MemoryFiles {
    let mut link = Link::START;
    for (number, bytes) in (1_u64..).zip(files.values_mut()) {
        let salt = u64::from(store_id[0]) << 32 | (0x5a17 + number);
        let length = FILE_BYTES as u64;
        let header = SegmentHeader { store_id, number, salt, length, created_at: Timestamp::UNIX_EPOCH };
        bytes[..HEADER_FIELDS].copy_from_slice(&header.encode());
        let repair = Repair { checksums: true, chain: true };
        edits::repair_frames(bytes, Place::start_of(number), salt, repair, &mut link);
    }
    files
}

/// The frames of undamaged files, in order.
fn frames_of(files: &MemoryFiles) -> Vec<FrameAt> {
    let mut frames = Vec::new();
    let mut before = 0;
    for (segment, bytes) in (1..).zip(files.values()) {
        let mut offset = HEADER_BYTES;
        while let Some(header) = at(bytes, offset).and_then(FrameHeader::decode) {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            // The first transaction of a store keeps its settings, and is not the users'.
            let holds = header.kind == Kind::Transaction && frames.len() > 1;
            frames.push(FrameAt {
                place: Place { segment, offset },
                bytes: start..start + header.length as usize,
                kind: header.kind,
                mark: header.mark_place(segment),
                before,
                holds,
            });
            before += usize::from(holds);
            offset += aligned(u64::from(header.length));
        }
    }
    frames
}

fn at(bytes: &[u8], offset: u64) -> Option<&[u8]> {
    bytes.get(usize::try_from(offset).ok()?..)
}

fn remove_last_frame(files: &mut MemoryFiles) {
    if let Some(last) = frames_of(files).last()
        && let Some(bytes) = files.get_mut(&segment_name(last.place.segment))
    {
        bytes[last.bytes.start..].fill(0);
    }
}

fn read(files: &MemoryFiles) -> Result<Vec<StoredTransaction>, String> {
    let disk = Arc::new(MemoryDisk::new(files.clone()));
    let adapter = LogAdapter::open_on(disk, &options(OpenMode::ReadOnly)).map_err(|error| error.to_string())?;
    transactions_of(&adapter)
}

/// All transactions of an open store.
pub(super) fn transactions_of(adapter: &LogAdapter) -> Result<Vec<StoredTransaction>, String> {
    let said = |error: crate::vocabulary::error::ReadError| error.to_string();
    let mut cursor = adapter.transactions(Revision::EMPTY).map_err(said)?;
    let mut transactions = Vec::new();
    while let Some(transaction) = cursor.next_transaction().map_err(said)? {
        transactions.push(transaction);
    }
    Ok(transactions)
}
