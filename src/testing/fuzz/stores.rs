//! The fuzz target of whole stores: written by the engine and damaged, or made up frame by frame; then opened and verified.

#![expect(clippy::expect_used, clippy::panic, reason = "a fuzz target panics where a promise is broken")]

use super::choices::Choices;
use super::edits::{self, Link, Repair};
use super::segments::{self, FILE_BYTES};
use crate::adapters::log::LogAdapter;
use crate::disk::{MemoryDisk, MemoryFiles};
use crate::engine::{Verdict, verify_on};
use crate::format::checksum::crc;
use crate::format::place::Place;
use crate::format::segment_header::{HEADER_BYTES, SegmentHeader};
use crate::log::{segment_name, segment_number};
use crate::store::EventStore;
use crate::vocabulary::error::OpenError;
use crate::vocabulary::event::{NewEvent, StoredEvent};
use crate::vocabulary::options::{Durability, Options};
use crate::vocabulary::payload::Payload;
use crate::vocabulary::time::{SteppingClock, Timestamp};
use crate::vocabulary::transaction::{SystemRecord, transaction};
use std::sync::Arc;
use std::time::Duration;

const NAMESPACE: &str = "fuzz";
const LAST: &str = "last";

/// What was appended: the events, and how many there were after each transaction.
#[derive(Debug)]
struct Appended {
    events: Vec<String>,
    ends: Vec<usize>,
    /// Whether every append was synced before the next one.
    synced: bool,
    closed: bool,
}

/// What was done to the files after they were written.
#[derive(Debug, Default, Clone, Copy)]
struct Damage {
    /// How many single bytes were changed.
    flips: usize,
    /// How many other things were done.
    others: usize,
    /// Checksums were made to fit: what the files hold is no longer what was appended.
    forged: bool,
}

/// Writes a store by the engine, damages its files, and opens them.
pub(super) fn write_damage_open(choices: &mut Choices<'_>) {
    let (files, appended) = write(choices);
    let (mut files, mut hints): (MemoryFiles, MemoryFiles) =
        files.into_iter().partition(|(name, _)| segment_number(name).is_some());
    let damage = damage(choices, &mut files);
    change_hints(choices, &mut hints);
    let hinted = !hints.is_empty();
    files.extend(hints);
    let forged = if damage.forged { Forged::Frames } else { Forged::Nothing };
    let found = open_and_verify(&files, forged);
    let Some(found) = found else { return };
    if damage.forged {
        return;
    }
    let contents = match &found.contents {
        Ok(contents) => contents,
        // What index files cover is verified when it is read, and not when the store is opened.
        Err(error) if hinted && damage.others + damage.flips > 0 && error.starts_with("corrupt") => return,
        Err(error) => panic!("what opens can be read, and yet: {error}"),
    };
    let kept = contents.last.unwrap_or(0);
    let end = kept.checked_sub(1).map_or(0, |last| appended.ends[last]);
    assert_eq!(contents.events, appended.events[..end], "not the first {kept} transactions");
    if damage.others == 0 && damage.flips <= 1 {
        let all = appended.ends.len();
        assert!(damage.flips == 0 || found.verdict != Some(Verdict::Clean), "a changed byte went unnoticed");
        assert!(!appended.synced || kept + damage.flips >= all, "more than the last transaction is gone");
        assert!(!(appended.closed || damage.flips == 0) || kept == all, "of {all} transactions {kept} are left");
    }
}

/// Removes the files that a store can do without, leaves them, or damages them.
fn change_hints(choices: &mut Choices<'_>, hints: &mut MemoryFiles) {
    match choices.byte() % 4 {
        0 | 1 => hints.clear(),
        2 => {}
        _ => {
            for bytes in hints.values_mut() {
                let at = choices.below(bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= choices.byte();
                }
            }
        }
    }
}

fn options(durability: Durability) -> Options {
    let clock = SteppingClock::new(Timestamp::UNIX_EPOCH, Duration::from_millis(7));
    Options::new().durability(durability).clock(clock).segment_bytes(FILE_BYTES as u64, FILE_BYTES as u64)
}

fn open(disk: &Arc<MemoryDisk>, durability: Durability) -> Result<EventStore, OpenError> {
    Ok(EventStore::new(LogAdapter::open_on(Arc::clone(disk) as _, &options(durability))?))
}

/// Appends transactions of the fuzzer's choice. The files are those of a store that was closed, or copied while it was open.
fn write(choices: &mut Choices<'_>) -> (MemoryFiles, Appended) {
    let how = choices.byte();
    let (synced, closed) = (how & 1 == 0, how & 2 == 0);
    let durability = if synced { Durability::Sync } else { Durability::Os };
    let disk = Arc::new(MemoryDisk::default());
    let mut store = open(&disk, durability).expect("an empty disk takes a store");
    let mut appended = Appended { events: Vec::new(), ends: Vec::new(), synced, closed };
    for _ in 0..choices.byte() % 12 {
        match choices.byte() % 16 {
            0 => {
                store.close().expect("closing works");
                store = open(&disk, durability).expect("opening again works");
            }
            1 => drop(store.sync().expect("syncing works")),
            size => append(choices, &store, size, &mut appended),
        }
    }
    if closed {
        store.close().expect("closing works");
    }
    let files = disk.files();
    (files, appended)
}

fn append(choices: &mut Choices<'_>, store: &EventStore, size: u8, appended: &mut Appended) {
    let mut append = transaction();
    for _ in 0..choices.byte() % 5 {
        let stream = ["a", "b", "c/d"][usize::from(choices.byte() % 3)];
        let letter = choices.byte();
        // Some fill segments, so that there are several; what they hold takes one byte of the fuzzer's to say.
        let length = if size > 12 { 64 * usize::from(letter) } else { usize::from(letter % 32) };
        let bytes = vec![letter; length];
        appended.events.push(describe_as(stream, &bytes));
        append = append.stream("category", stream, [NewEvent::from_payload("name", Payload::binary(bytes))]);
    }
    if choices.flag() {
        append = append.id(format!("id-{}", appended.ends.len()));
    }
    appended.ends.push(appended.events.len());
    let number = u32::try_from(appended.ends.len()).expect("a few");
    append = append.record(SystemRecord::set(NAMESPACE, LAST, number.to_le_bytes().to_vec()));
    // Parts of one stream go together, so what is expected is read back.
    let receipt = store.append(append).expect("appending works");
    let events = store.events_of(&receipt).expect("reading works");
    let start = appended.events.len() - events.len();
    let mut written: Vec<String> = events.iter().map(describe).collect();
    appended.events[start..].sort_unstable();
    let read = written.clone();
    written.sort_unstable();
    assert_eq!(appended.events[start..], written, "what was appended is read");
    appended.events.truncate(start);
    appended.events.extend(read);
}

fn describe(event: &StoredEvent) -> String {
    describe_as(event.stream(), event.payload().bytes())
}

fn describe_as(stream: &str, bytes: &[u8]) -> String {
    format!("{stream} {} {:08x}", bytes.len(), crc(0, bytes))
}

/// Does to the files what crashes, bad disks and people do.
fn damage(choices: &mut Choices<'_>, files: &mut MemoryFiles) -> Damage {
    let mut damage = Damage::default();
    for _ in 0..choices.byte() % 4 {
        let names: Vec<String> = files.keys().filter(|name| segment_number(name).is_some()).cloned().collect();
        let Some(name) = names.get(choices.below(names.len())).cloned() else { break };
        let other = names[choices.below(names.len())].clone();
        let kind = choices.byte() % 10;
        let Some(file) = files.get_mut(&name) else { break };
        let used = file.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        let reach = if choices.flag() { used.min(file.len()) } else { file.len() };
        damage.others += usize::from(kind > 4);
        match kind {
            0..=4 => {
                damage.flips += usize::from(reach > 0);
                edits::flip(&mut file[..reach], choices);
            }
            5 => file[choices.below(reach)..].fill(0),
            6 => {
                let at = choices.below(reach);
                let end = file.len().min(at + 1 + choices.below(4_096));
                file[at..end].fill(0);
            }
            7 => copy_lines(choices, files, &name, &other),
            8 => match choices.byte() % 3 {
                0 => drop(files.remove(&name)),
                1 => drop(files.insert(other, files[&name].clone())),
                _ => {
                    let (a, b) = (files[&name].clone(), files[&other].clone());
                    files.extend([(name, b), (other, a)]);
                }
            },
            _ => {
                damage.forged = true;
                forge(choices, file, segment_number(&name).unwrap_or(1));
            }
        }
    }
    damage
}

/// Copies a piece of one file to another place, as a disk does that writes to the wrong sector.
fn copy_lines(choices: &mut Choices<'_>, files: &mut MemoryFiles, from: &str, to: &str) {
    let source = files[from].clone();
    let unit = [8, 512, 4_096][usize::from(choices.byte() % 3)];
    let (at, there) = (choices.below(source.len() / unit) * unit, choices.below(files[to].len() / unit) * unit);
    let piece = &source[at..at + unit];
    if let Some(slot) = files.get_mut(to).and_then(|file| file.get_mut(there..there + unit)) {
        slot.copy_from_slice(piece);
    }
}

/// Makes the checksums of a file's frames fit again, and perhaps what ties them together.
fn forge(choices: &mut Choices<'_>, file: &mut [u8], number: u64) {
    let Ok(header) = SegmentHeader::decode(file) else { return };
    let repair = Repair { checksums: true, chain: choices.flag() };
    let mut link = Link::START;
    edits::repair_frames(file, Place { segment: number, offset: HEADER_BYTES }, header.salt, repair, &mut link);
}

/// Opens a store of frames that the fuzzer made up.
pub(super) fn open_any_image(choices: &mut Choices<'_>) {
    let mut files = MemoryFiles::new();
    let (mut previous_end, mut link) = (0, Link::START);
    for number in 1..=1 + u64::from(choices.byte() % 3) {
        let made = segments::make(choices, number, previous_end, &mut link);
        previous_end = made.end;
        files.insert(segment_name(made.header.number), made.bytes);
        if choices.is_done() {
            break;
        }
    }
    open_and_verify(&files, Forged::Frames);
}

/// What an opened store holds.
#[derive(Debug, PartialEq)]
struct Contents {
    events: Vec<String>,
    /// The number of the last transaction, as its record says.
    last: Option<usize>,
}

/// What the fuzzer made up, so that more kinds of refusal are in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Forged {
    Nothing,
    /// Frames, checksums included.
    Frames,
    /// The names of files too.
    Names,
}

pub(super) struct Found {
    contents: Result<Contents, String>,
    verdict: Option<Verdict>,
    /// The files after the store was opened and closed.
    pub(super) files: MemoryFiles,
}

/// Verifies and opens copies of the files. Both must agree, and opening once more must find the same, whether the store was
/// closed in between or its process died.
pub(super) fn open_and_verify(files: &MemoryFiles, forged: Forged) -> Option<Found> {
    let verified = verify_on(&MemoryDisk::new(files.clone()), &mut |_| {});
    let disk = Arc::new(MemoryDisk::new(files.clone()));
    let store = match open(&disk, Durability::Sync) {
        Ok(store) => store,
        // Files that a store can do without, and no segment: nothing says whose they are.
        Err(OpenError::NotAStore { .. }) if !files.keys().any(|name| segment_number(name).is_some()) => return None,
        Err(error) => {
            assert_refusal(&error, forged);
            let agrees = matches!(verified.map(|report| report.verdict), Err(_) | Ok(Verdict::Corrupt { .. }));
            assert!(agrees, "verified, and yet: {error}");
            return None;
        }
    };
    let contents = read(&store);
    let verdict = verified.ok().map(|report| {
        let events = contents.as_ref().map_or(report.events, |contents| contents.events.len() as u64);
        let whole = !matches!(report.verdict, Verdict::Corrupt { .. });
        assert!(!whole || report.events == events, "{report:?} and {events} events");
        report.verdict
    });
    let after_kill = MemoryDisk::new(disk.files());
    store.close().expect("closing works");
    let closed = disk.files();
    for (how, again) in [("killed", Arc::new(after_kill)), ("closed", disk)] {
        let store = open(&again, Durability::Sync).unwrap_or_else(|error| panic!("{how}, then: {error}"));
        assert_eq!(read(&store), contents, "{how}");
    }
    Some(Found { contents, verdict, files: closed })
}

fn assert_refusal(error: &OpenError, forged: Forged) {
    match error {
        OpenError::Corrupt(found) => assert!(found.segment > 0 && !found.what.is_empty(), "{found:?}"),
        OpenError::NewerFormat { .. } => assert!(forged >= Forged::Frames, "{error}"),
        other => assert!(forged == Forged::Names && matches!(other, OpenError::NotAStore { .. }), "{other}"),
    }
}

fn read(store: &EventStore) -> Result<Contents, String> {
    let failed = |error: crate::vocabulary::error::ReadError| error.to_string();
    let events = store.log().read().map_err(failed)?;
    for category in store.categories().map_err(failed)? {
        for stream in store.category(&*category).streams().map_err(failed)? {
            store.stream(&*category, stream).read().map_err(failed)?;
        }
    }
    let record = store.record(NAMESPACE, LAST).map_err(failed)?;
    let last = record.and_then(|value| value.first().copied()).map(usize::from);
    Ok(Contents { events: events.iter().map(describe).collect(), last })
}
