//! Recovery: reads all segments in order, decides what the end of the log is, and repairs it. Scan, decide, repair: three steps.
//!
//! Two places decide. X is the first place where a frame fails. W is the furthest durable mark that any valid frame proves, be it
//! before X or after it. The cases:
//!
//! | case | X and W | behind X | verdict |
//! |---|---|---|---|
//! | A | the last frame before X closes the store | zeros | clean |
//! | B | W <= X | zeros | ended without closing; nothing torn |
//! | C | W <= X | anything else | torn: an unfinished write; what stands behind X was never acknowledged as durable |
//! | D | W > X | anything | corrupt: bytes that were durable are damaged |
//! | E | a segment is missing, or its header is damaged | - | corrupt |
//! | F | more looks like frames behind X than can be checked | - | corrupt: nothing may be concluded |
//! | G | a whole frame stands at X, its checksums valid, that does not follow or makes no sense | - | corrupt: no torn write |
//!
//! A first segment without its opening frame belongs to case E. FORMAT.md says of each case what leads there.
//!
//! Whether X lies in the last segment does not matter: a segment may have a successor before it is durable, and a crash then
//! tears it; if it was durable, a mark says so.

use super::segments::{is_temporary, segment_name, segment_number};
use crate::disk::{Disk, DiskFile};
use crate::format::decode::FrameView;
use crate::format::place::Place;
use crate::format::segment_header::{FORMAT, HEADER_BYTES, HEADER_FIELDS, HeaderFault, SegmentHeader};
use crate::segment::{Chain, ScanEnd, Start, Stop, scan, search_marks};
use crate::vocabulary::error::{Corruption, IoFailure, OpenError};
use std::sync::Arc;

/// What takes in the frames of a log as it is read.
pub(crate) trait Visitor {
    /// Frames of a segment begin, at `start`.
    fn segment(&mut self, header: &SegmentHeader, file: &Arc<dyn DiskFile>, start: &Start) -> Result<(), IoFailure>;

    /// Takes in frames of a segment from `start` on that are known without being read: where they end, and what they say. They
    /// were durable when that was written down, and are verified when they are read.
    fn known(
        &mut self,
        _header: &SegmentHeader,
        _file: &Arc<dyn DiskFile>,
        _start: &Start,
    ) -> Result<Option<(u64, Chain)>, IoFailure> {
        Ok(None)
    }

    /// Whether it is known that nothing was ever written behind a log that was closed at `place`.
    fn nothing_behind(&mut self, _place: Place, _chain: &Chain) -> bool {
        false
    }

    /// A valid frame. May refuse one that makes no sense, and say why.
    fn frame(&mut self, place: Place, frame: &FrameView<'_>) -> Result<(), &'static str>;

    /// The padding behind the frame at `place` is not zeros. That costs no data, but somebody wrote there.
    fn odd_padding(&mut self, _place: Place) {}

    /// Bytes were read: so many of all segments' together.
    fn progress(&mut self, _done: u64, _total: u64) {}
}

/// A segment that is part of the log.
#[derive(Debug, Clone)]
pub(crate) struct RecoveredSegment {
    pub(crate) header: SegmentHeader,
    pub(crate) file: Arc<dyn DiskFile>,
    /// Behind its last valid frame.
    pub(crate) end: u64,
}

/// How the log ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Case A.
    Closed,
    /// Case B.
    Open,
    /// Case C: what stands behind the end, and behind what it ends in turn.
    Torn { what: &'static str, garbage_end: u64 },
}

/// A log as it was read.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) segments: Vec<RecoveredSegment>,
    pub(crate) chain: Chain,
    pub(crate) tail: Tail,
    /// Segments behind the end: prepared and not in use, or torn off with it. They hold nothing durable.
    pub(crate) dead: Vec<(u64, Arc<dyn DiskFile>)>,
    /// Files that were being made.
    pub(crate) temporary: Vec<String>,
}

/// Reads the log in `disk`. Writes nothing. `None` where there are no segments.
///
/// # Errors
/// [`OpenError::Corrupt`] in the cases D, E and F; [`OpenError::NewerFormat`]; [`OpenError::NotAStore`] where there are other
/// files and no segments.
pub(crate) fn read(disk: &dyn Disk, write: bool, visitor: &mut dyn Visitor) -> Result<Option<Reading>, OpenError> {
    let mut names = disk.list()?;
    names.sort_unstable();
    let temporary: Vec<String> = names.iter().filter(|name| is_temporary(name)).cloned().collect();
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    if numbers.is_empty() {
        return match foreign(&names) {
            Some(found) => Err(OpenError::NotAStore { path: disk.path().to_owned(), found: found.clone() }),
            None => Ok(None),
        };
    }
    let files = open_all(disk, &numbers, write)?;
    let walked = walk(&files, visitor)?;
    let tail = judge(&files, &walked, visitor)?;
    let used = walked.segments.len();
    let dead = files.iter().skip(used).map(|(header, file)| (header.number, Arc::clone(file))).collect();
    let Walked { segments, chain, .. } = walked;
    Ok(Some(Reading { segments, chain, tail, dead, temporary }))
}

/// A name that no store has, among the names in a directory without segments.
pub(crate) fn foreign(names: &[String]) -> Option<&String> {
    names.iter().find(|name| !is_temporary(name) && *name != "LOCK")
}

/// Places are kept in 32 bits, in units of eight bytes.
pub(super) const LENGTH_LIMIT: u64 = 1 << 35;

/// Segments that are open at once while the log is read: of the first ones, and of the last ones.
const FIRST_OPEN: usize = 48;
const LAST_OPEN: usize = 4;

type Files = Vec<(SegmentHeader, Arc<dyn DiskFile>)>;

/// Opens all segments and reads their headers: case E.
fn open_all(disk: &dyn Disk, numbers: &[u64], write: bool) -> Result<Files, OpenError> {
    let mut files: Files = Vec::with_capacity(numbers.len());
    for (expected, number) in (1..).zip(numbers) {
        if *number != expected {
            let what = format!("the segment is missing, and segment {number} is there");
            return Err(Corruption { segment: expected, offset: 0, what }.into());
        }
        let file = disk.open(&segment_name(*number), write)?;
        let corrupt = |what: String| OpenError::from(Corruption { segment: *number, offset: 0, what });
        if file.length() < HEADER_BYTES {
            return Err(corrupt(format!("the file has {} bytes, less than a header", file.length())));
        }
        let mut bytes = [0; HEADER_FIELDS];
        file.read_at(0, &mut bytes)?;
        let header = match SegmentHeader::decode(&bytes) {
            Ok(header) => header,
            Err(HeaderFault::Invalid(what)) => return Err(corrupt(what.into())),
            Err(HeaderFault::Newer { format, incompatible }) => {
                return Err(OpenError::NewerFormat {
                    path: file.path(),
                    found: format,
                    supported: FORMAT,
                    detail: format!("feature bits {incompatible:#x}"),
                });
            }
        };
        if header.number != *number {
            return Err(corrupt(format!("the file is that of segment {}", header.number)));
        }
        if header.length > LENGTH_LIMIT {
            return Err(corrupt(format!("the file has {} bytes, more than a place can name", header.length)));
        }
        if header.length != file.length() {
            return Err(corrupt(format!("the file has {} bytes, and was made with {}", file.length(), header.length)));
        }
        if let Some((first, _)) = files.first()
            && first.store_id != header.store_id
        {
            return Err(corrupt("the segment belongs to another store".into()));
        }
        files.push((header, file));
        // The last ones may have to be written to, and few need not be opened twice.
        let earlier = files.len().checked_sub(LAST_OPEN).filter(|earlier| *earlier > FIRST_OPEN);
        if let Some((header, file)) = earlier.and_then(|earlier| files.get(earlier)) {
            file.let_go(&segment_name(header.number));
        }
    }
    Ok(files)
}

/// The log up to the first place where a frame fails.
struct Walked {
    segments: Vec<RecoveredSegment>,
    chain: Chain,
    end: ScanEnd,
    /// What stands where the opening frame of the segment after the last one should, if there is such a segment.
    unopened: Option<Stop>,
}

/// Follows the frames through the segments as far as they are valid.
fn walk(files: &Files, visitor: &mut dyn Visitor) -> Result<Walked, OpenError> {
    let total: u64 = files.iter().map(|(header, _)| header.length).sum();
    let mut done = 0;
    let mut walked = Walked {
        segments: Vec::new(),
        chain: Chain::START,
        end: ScanEnd { offset: HEADER_BYTES, stop: Stop::Nothing, opened: false },
        unopened: None,
    };
    let mut previous_end = 0;
    for (header, file) in files {
        visitor.progress(done, total);
        let start = skip_known(header, file, Start::of_segment(previous_end, walked.chain), visitor)?;
        let mut chain = start.chain;
        let mut begun = false;
        let end = {
            let mut failed = None;
            let end = scan(&**file, header, &start, u64::MAX, &mut chain, &mut |place, frame, padding| {
                if !begun {
                    begun = true;
                    if let Err(error) = visitor.segment(header, file, &start) {
                        failed = Some(error);
                        return Err("the segment cannot be mapped");
                    }
                }
                visitor.progress(done + place.offset, total);
                if padding.iter().any(|byte| *byte != 0) {
                    visitor.odd_padding(place);
                }
                visitor.frame(place, frame)
            })?;
            if let Some(error) = failed {
                return Err(error.into());
            }
            end
        };
        if !end.opened {
            // Not a successor: the log ends where the segment before ended. The first segment alone cannot do without.
            if walked.segments.is_empty() {
                walked.end = end;
            } else {
                walked.unopened = Some(end.stop);
            }
            break;
        }
        walked.segments.push(RecoveredSegment { header: header.clone(), file: Arc::clone(file), end: end.offset });
        walked.chain = chain;
        walked.end = end;
        previous_end = end.offset;
        done += header.length;
        // If the scan ended at an invalid frame, a later segment may still continue from this very place: its opening frame then
        // says so, and what stands behind the end is of no account. The next turn of the loop finds out.
    }
    visitor.progress(total, total);
    Ok(walked)
}

/// Goes past the frames of a segment that are known without being read, its opening frame apart, which is read: that shows that
/// the segment follows the one before.
fn skip_known(
    header: &SegmentHeader,
    file: &Arc<dyn DiskFile>,
    mut start: Start,
    visitor: &mut dyn Visitor,
) -> Result<Start, OpenError> {
    let mut opened = start.chain;
    let opening = scan(&**file, header, &start, start.offset + 1, &mut opened, &mut |_, _, _| Ok(()))?;
    if !opening.opened {
        return Ok(start);
    }
    while let Some((end, mut chain)) = visitor.known(header, file, &start)? {
        chain.mark = chain.mark.max(Place { segment: header.number, offset: end });
        (start.offset, start.chain) = (end, chain);
    }
    Ok(start)
}

/// What is said of case F.
const FLOODED: &str = "too much behind the last valid frame looks like frames to tell what was durable";
/// What is said of case D, between what is wrong and the furthest mark.
const DURABLE: &str = ", and the log was durable up to ";
/// What is said of case G, before what is wrong.
const WHOLE: &str = "the frame's checksums are valid, so it was written whole, but ";

/// The case that an opening was refused for.
#[cfg(feature = "testing")]
pub(crate) fn case_of(corruption: &Corruption) -> char {
    match corruption.what.as_str() {
        FLOODED => 'F',
        what if what.contains(DURABLE) => 'D',
        what if what.starts_with(WHOLE) => 'G',
        _ => 'E',
    }
}

/// Decides what the end of the log is.
fn judge(files: &Files, walked: &Walked, visitor: &mut dyn Visitor) -> Result<Tail, OpenError> {
    let last = walked.segments.last().map_or(1, |segment| segment.header.number);
    let x = Place { segment: last, offset: walked.end.offset };
    let mut w = walked.chain.mark;
    let mut garbage_end = x.offset;
    let mut behind_is_zero = true;
    let used = walked.segments.len().max(1);
    let closed = walked.chain.closed && walked.end.stop == Stop::Nothing && files.len() == used;
    if closed && visitor.nothing_behind(x, &walked.chain) {
        return Ok(Tail::Closed);
    }
    for (index, (header, file)) in files.iter().enumerate().skip(used - 1) {
        let from = if index + 1 == used { x.offset } else { HEADER_BYTES };
        let found = search_marks(&**file, header, from)?;
        if found.gave_up {
            return Err(Corruption { segment: header.number, offset: from, what: FLOODED.into() }.into());
        }
        w = w.max(found.mark.unwrap_or(w));
        behind_is_zero &= found.end == from;
        if index + 1 == used {
            garbage_end = found.end;
        }
    }
    let mut why = walked.end.stop.what();
    if w > x {
        let mut found = x;
        // If the log went on in the next segment, that one had an opening frame: the damage is there, and not in zeros at X.
        if let (Stop::Nothing, Some(stop @ (Stop::Nothing | Stop::Invalid(_)))) = (walked.end.stop, walked.unopened)
            && w.segment > last
        {
            (found, why) = (Place::start_of(last + 1), stop.what());
        }
        let what = format!("{why}{DURABLE}{w}");
        return Err(Corruption { segment: found.segment, offset: found.offset, what }.into());
    }
    if let Stop::Unfit(why) = walked.end.stop {
        let what = format!("{WHOLE}{why}");
        return Err(Corruption { segment: x.segment, offset: x.offset, what }.into());
    }
    if walked.segments.is_empty() {
        let what = format!("the first segment has no valid opening frame: {why}");
        return Err(Corruption { segment: x.segment, offset: x.offset, what }.into());
    }
    Ok(match (walked.chain.closed, behind_is_zero) {
        (true, true) => Tail::Closed,
        (false, true) => Tail::Open,
        (_, false) => Tail::Torn { what: why, garbage_end },
    })
}

/// Makes the end of the log durable, and what stands behind it unreadable as frames. Safe to be cut short and done again.
///
/// # Errors
/// [`IoFailure`]; the log is then as it was, or further repaired.
pub(crate) fn repair(disk: &dyn Disk, reading: &Reading) -> Result<(), IoFailure> {
    // First of all no segment behind the end may look like a successor: its opening frame would not fit what comes next.
    if !reading.dead.is_empty() || !reading.temporary.is_empty() {
        // Newest first, and each for good before the next: a crash in between must not leave a gap in the numbers.
        for (number, _) in reading.dead.iter().rev() {
            disk.remove(&segment_name(*number))?;
            disk.sync_directory()?;
        }
        for name in &reading.temporary {
            match disk.remove(name) {
                Err(failure) if failure.source.kind() == std::io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
    }
    // Whoever made these files may have been cut short before their names were durable, or have failed to make them so.
    disk.sync_directory()?;
    let Some(last) = reading.segments.last() else {
        return Ok(());
    };
    if let Tail::Torn { garbage_end, .. } = reading.tail {
        // The header of the dead frame goes first, alone: zeros in any order could complete a frame whose missing lines were
        // meant to be zeros.
        zero(&*last.file, last.end, garbage_end.min(last.end + 64))?;
        last.file.sync()?;
        zero(&*last.file, last.end, garbage_end)?;
        last.file.sync()?;
    }
    // A sync that failed before the crash may have left clean pages over stale blocks: write again what is not proven durable. Of
    // a log that was closed that is its last frame alone, whose own sync may be the one that failed.
    for segment in &reading.segments {
        let end = Place { segment: segment.header.number, offset: segment.end };
        if end > reading.chain.mark {
            let from = reading.chain.mark.max(Place::start_of(segment.header.number)).offset;
            rewrite(&*segment.file, from, segment.end)?;
            segment.file.sync()?;
        }
    }
    Ok(())
}

/// How much of `from..to` is written at once.
fn piece(from: u64, to: u64) -> usize {
    const PIECE: usize = 1 << 20;
    usize::try_from(to.saturating_sub(from)).map_or(PIECE, |rest| rest.min(PIECE))
}

fn zero(file: &dyn DiskFile, from: u64, to: u64) -> Result<(), IoFailure> {
    let zeros = vec![0; piece(from, to)];
    let mut at = from;
    while at < to {
        let length = piece(at, to);
        file.write_at(at, zeros.get(..length).unwrap_or_default())?;
        at += length as u64;
    }
    Ok(())
}

fn rewrite(file: &dyn DiskFile, from: u64, to: u64) -> Result<(), IoFailure> {
    let mut buffer = vec![0; piece(from, to)];
    let mut at = from;
    while at < to {
        let length = piece(at, to);
        let piece = buffer.get_mut(..length).unwrap_or_default();
        file.read_at(at, piece)?;
        file.write_at(at, piece)?;
        at += length as u64;
    }
    Ok(())
}
