//! What is done to an image: every damage there is to try, each small enough to be written down and done again.

use super::image::{FILE_BYTES, FRAMES_FROM, Image};
use crate::disk::MemoryFiles;
use crate::log::segment_name;

/// How many segments an image has.
const SEGMENTS: u64 = 3;
/// The lengths in which disks lose or misplace what they write.
const LINES: [usize; 2] = [512, 4_096];

/// What bytes are put somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bytes {
    Zeros,
    Garbage,
    /// Those that stand at the beginning of the same file's frames: what a file held earlier in its life looks like that.
    OldFrames,
    /// Those of another segment's frames.
    OtherFrames,
}

const ALL_BYTES: [Bytes; 4] = [Bytes::Zeros, Bytes::Garbage, Bytes::OldFrames, Bytes::OtherFrames];

/// One damage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Case {
    /// A byte gets another value.
    Byte { segment: u64, at: usize, to: u8 },
    /// A file is cut.
    Cut { segment: u64, length: usize },
    /// A file gets longer.
    Append { segment: u64, bytes: Bytes, length: usize },
    /// Bytes are written over others.
    Over { segment: u64, at: usize, bytes: Bytes, length: usize },
    /// A line of one file stands in another place too.
    Line { unit: usize, from: (u64, usize), to: (u64, usize) },
    /// Files are removed: one bit for each.
    Remove { segments: u8 },
    /// Two files have each other's names.
    Swap(u64, u64),
    /// A file stands under another name too.
    Copy { from: u64, to: u64 },
    /// A file stands under another name instead.
    Move { from: u64, to: u64 },
    /// Files are those of another store: one bit for each.
    Foreign { segments: u8 },
    /// A file that was being made was left over.
    Temporary { number: u64, bytes: Bytes, length: usize },
    /// Two at once.
    Pair(Box<Case>, Box<Case>),
}

impl Case {
    /// What kind of damage it is, for the counts.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Case::Byte { .. } => "one byte changed",
            Case::Cut { .. } => "file cut",
            Case::Append { .. } => "bytes appended",
            Case::Over { .. } => "bytes overwritten",
            Case::Line { .. } => "line misdirected",
            Case::Remove { .. } => "files removed",
            Case::Swap(..) => "files swapped",
            Case::Copy { .. } => "file duplicated",
            Case::Move { .. } => "file misnamed",
            Case::Foreign { .. } => "files of another store",
            Case::Temporary { .. } => "temporary file left over",
            Case::Pair(..) => "two damages",
        }
    }

    /// Whether files are removed, or under names that are not theirs. Of two damages one is enough.
    pub(super) fn is_of_whole_files(&self) -> bool {
        match self {
            Case::Remove { .. } | Case::Swap(..) | Case::Copy { .. } | Case::Move { .. } | Case::Foreign { .. } => true,
            Case::Temporary { .. } => true,
            Case::Pair(first, second) => first.is_of_whole_files() || second.is_of_whole_files(),
            _ => false,
        }
    }

    /// Does it to the files.
    pub(super) fn apply(&self, image: &Image, files: &mut MemoryFiles) {
        match self {
            Case::Byte { segment, at, to } => put(files, *segment, *at, &[*to]),
            Case::Cut { segment, length } => {
                if let Some(file) = files.get_mut(&segment_name(*segment)) {
                    file.truncate(*length);
                }
            }
            Case::Append { segment, bytes, length } => {
                let more = bytes.of(image, *segment, *length);
                if let Some(file) = files.get_mut(&segment_name(*segment)) {
                    file.extend_from_slice(&more);
                }
            }
            Case::Over { segment, at, bytes, length } => put(files, *segment, *at, &bytes.of(image, *segment, *length)),
            Case::Line { unit, from, to } => {
                let source = image.files.get(&segment_name(from.0));
                let line = source.and_then(|file| file.get(from.1 * unit..(from.1 + 1) * unit));
                put(files, to.0, to.1 * unit, line.unwrap_or_default());
            }
            Case::Remove { segments } => {
                chosen(*segments).for_each(|number| drop(files.remove(&segment_name(number))));
            }
            Case::Swap(a, b) => {
                let (first, second) = (files.remove(&segment_name(*a)), files.remove(&segment_name(*b)));
                files.extend(second.map(|bytes| (segment_name(*a), bytes)));
                files.extend(first.map(|bytes| (segment_name(*b), bytes)));
            }
            Case::Copy { from, to } => {
                let copy = files.get(&segment_name(*from)).cloned();
                files.extend(copy.map(|bytes| (segment_name(*to), bytes)));
            }
            Case::Move { from, to } => {
                let moved = files.remove(&segment_name(*from));
                files.extend(moved.map(|bytes| (segment_name(*to), bytes)));
            }
            Case::Foreign { segments } => {
                for name in chosen(*segments).map(segment_name) {
                    let other = image.foreign.get(&name).cloned();
                    files.extend(other.map(|bytes| (name, bytes)));
                }
            }
            Case::Temporary { number, bytes, length } => {
                let name = format!("{}.tmp", segment_name(*number));
                files.insert(name, bytes.of(image, 1, *length));
            }
            Case::Pair(first, second) => {
                first.apply(image, files);
                second.apply(image, files);
            }
        }
    }
}

impl Bytes {
    fn of(self, image: &Image, segment: u64, length: usize) -> Vec<u8> {
        let frames_of = |number| {
            let file: Option<&Vec<u8>> = image.files.get(&segment_name(number));
            let frames = file.and_then(|file| file.get(FRAMES_FROM..)).unwrap_or_default();
            frames.iter().copied().cycle().take(length).collect()
        };
        match self {
            Bytes::Zeros => vec![0; length],
            Bytes::Garbage => {
                let mut random = fastrand::Rng::with_seed(length as u64);
                (0..length).map(|_| random.u8(..)).collect()
            }
            Bytes::OldFrames => frames_of(segment),
            Bytes::OtherFrames => frames_of(segment % SEGMENTS + 1),
        }
    }
}

fn chosen(segments: u8) -> impl Iterator<Item = u64> {
    (1..=SEGMENTS).filter(move |number| segments & (1 << (number - 1)) != 0)
}

/// Writes bytes into a file, as far as they fit.
fn put(files: &mut MemoryFiles, segment: u64, at: usize, bytes: &[u8]) {
    let Some(file) = files.get_mut(&segment_name(segment)) else { return };
    let end = file.len().min(at + bytes.len());
    if let Some(slot) = file.get_mut(at..end) {
        slot.copy_from_slice(&bytes[..end - at]);
    }
}

/// Every damage to a single byte: each bit turned, and the values that failing disks leave.
pub(super) fn bytes(image: &Image) -> impl Iterator<Item = Case> + '_ {
    let all = (1..=SEGMENTS).flat_map(|segment| (0..FILE_BYTES).map(move |at| (segment, at)));
    all.flat_map(|(segment, at)| {
        let old = image.files.get(&segment_name(segment)).and_then(|file| file.get(at)).copied().unwrap_or_default();
        let flips = (0..8).map(move |bit| old ^ (1 << bit));
        let values = [0x00, 0xff].into_iter().filter(move |value| *value != old && (old ^ value).count_ones() != 1);
        flips.chain(values).map(move |to| Case::Byte { segment, at, to })
    })
}

/// Every other damage that is listed and not drawn.
pub(super) fn others(image: &Image) -> Vec<Case> {
    let mut cases = Vec::new();
    for segment in 1..=SEGMENTS {
        cases.extend((0..FILE_BYTES).map(|length| Case::Cut { segment, length }));
        for bytes in ALL_BYTES {
            let lengths = [1, 7, 8, 48, 512, 4_095, 4_096, FILE_BYTES, 3 * FILE_BYTES];
            cases.extend(lengths.map(|length| Case::Append { segment, bytes, length }));
        }
        // Behind the last frame and over all of them: at every place where a frame could begin.
        for bytes in ALL_BYTES {
            let places = (FRAMES_FROM..FILE_BYTES).step_by(8);
            cases.extend(places.map(|at| Case::Over { segment, at, bytes, length: 8 + at % 600 }));
        }
        // From a place on to the end: what a lost write leaves.
        cases.extend((0..FILE_BYTES).step_by(64).map(|at| Case::Over {
            segment,
            at,
            bytes: Bytes::Zeros,
            length: FILE_BYTES,
        }));
    }
    for unit in LINES {
        let lines = |segment| (0..FILE_BYTES / unit).map(move |line| (segment, line));
        let all: Vec<(u64, usize)> = (1..=SEGMENTS).flat_map(lines).collect();
        for from in &all {
            cases.extend(all.iter().filter(|to| *to != from).map(|to| Case::Line { unit, from: *from, to: *to }));
        }
    }
    cases.extend(whole_files());
    for number in 1..=SEGMENTS + 2 {
        for bytes in ALL_BYTES {
            cases.extend([0, 100, FILE_BYTES].map(|length| Case::Temporary { number, bytes, length }));
        }
    }
    cases.retain(|case| {
        let mut files = image.files.clone();
        matches!(case, Case::Cut { .. }) || {
            case.apply(image, &mut files);
            files != image.files
        }
    });
    cases
}

fn whole_files() -> Vec<Case> {
    let mut cases: Vec<Case> = (1..8).map(|segments| Case::Remove { segments }).collect();
    // All three would be another store, and no damage.
    cases.extend((1..7).map(|segments| Case::Foreign { segments }));
    cases.extend([Case::Swap(1, 2), Case::Swap(2, 3), Case::Swap(1, 3)]);
    for from in 1..=SEGMENTS {
        for to in (1..=SEGMENTS + 1).chain([9]).filter(|to| *to != from) {
            cases.push(Case::Copy { from, to });
            cases.push(Case::Move { from, to });
        }
    }
    cases
}

/// Two damages at once, drawn from those above.
pub(super) fn pair(others: &[Case], random: &mut fastrand::Rng) -> Case {
    let mut draw = || {
        if random.bool() {
            let segment = random.u64(1..=SEGMENTS);
            return Case::Byte { segment, at: random.usize(..FILE_BYTES), to: random.u8(..) };
        }
        // Cuts are most of the list and the plainest of the cases: fewer of them do.
        let mut drawn = (0..8).map(|_| &others[random.usize(..others.len())]);
        let drawn = drawn.find(|case| !matches!(case, Case::Cut { .. }));
        drawn.cloned().unwrap_or(Case::Cut { segment: 1, length: FRAMES_FROM })
    };
    Case::Pair(Box::new(draw()), Box::new(draw()))
}
