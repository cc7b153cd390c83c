//! What a damage did to an image, and what FORMAT.md says may come of it.

use super::cases::Case;
use super::image::{Ending, FILE_BYTES, FRAMES_FROM, FrameAt, Image};
use crate::disk::MemoryFiles;
use crate::format::place::Place;
use crate::format::segment_header::HEADER_FIELDS;
use crate::log::{segment_name, segment_number};
use std::ops::Range;

/// How damaged files differ from the image.
#[derive(Debug)]
pub(super) struct Difference<'i> {
    image: &'i Image,
    /// Whether any byte of a segment, or any segment's file, is another one.
    pub(super) any: bool,
    /// Whether there are segment files at all.
    pub(super) is_store: bool,
    /// Frames of which a byte is another one, by their place in the image's list. All of those of a file that is gone.
    hit: Vec<bool>,
    /// Segments whose header has another byte.
    headers: Vec<u64>,
    /// Whether the files' names and lengths are such as no crash and no removal of the newest ones leaves.
    misshapen: bool,
    /// The last segment whose file is there, if those behind it alone are gone.
    last: u64,
    /// Whether no byte is left of the first frame that is hit, and of all behind it, and nothing else is another byte: then the
    /// log just ends earlier.
    pub(super) only_ends_earlier: bool,
}

/// What is left of an image's log, by the words of FORMAT.md, section "What cannot be told".
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Residue {
    pub(super) name: &'static str,
    /// How many transactions are left.
    pub(super) left: usize,
}

fn part<'f>(files: &'f MemoryFiles, name: &str, range: Range<usize>) -> Option<&'f [u8]> {
    files.get(name)?.get(range)
}

impl<'i> Difference<'i> {
    pub(super) fn of(image: &'i Image, files: &MemoryFiles) -> Self {
        let segments = image.files.len() as u64;
        let file = |number| files.get(&segment_name(number));
        let there: Vec<u64> = files.keys().filter_map(|name| segment_number(name)).collect();
        let last = (1..=segments).take_while(|number| there.contains(number)).last().unwrap_or(0);
        // Mostly one file alone differs: the frames of the others need not be looked at one by one.
        let changed: Vec<_> = (1..=segments)
            .map(|number| (file(number), image.files.get(&segment_name(number))))
            .map(|(new, old)| (new != old).then_some((new, old)))
            .collect();
        let differs = |frame: &FrameAt| {
            let index = usize::try_from(frame.place.segment - 1).unwrap_or(usize::MAX);
            let pair = changed.get(index).copied().flatten();
            pair.is_some_and(|(new, old)| {
                let new = new.and_then(|file| file.get(frame.bytes.clone()));
                new != old.and_then(|file| file.get(frame.bytes.clone()))
            })
        };
        let header = |number: &u64| {
            let name = segment_name(*number);
            part(files, &name, 0..HEADER_FIELDS) != part(&image.files, &name, 0..HEADER_FIELDS)
        };
        let hit: Vec<bool> = image.frames.iter().map(differs).collect();
        let first = image.frames.iter().zip(&hit).find(|(_, hit)| **hit).map(|(frame, _)| frame);
        // Where the log would end in a segment's file, of those from the first frame on that is hit.
        let ends = |number| match first {
            Some(first) if number == first.place.segment => Some(first.bytes.start),
            Some(first) if number > first.place.segment => Some(FRAMES_FROM),
            _ => None,
        };
        let behind_is_zero = |number: u64| {
            let behind = ends(number).map(|end| file(number).and_then(|file| file.get(end..)));
            behind.is_none_or(|behind| behind.is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0)))
        };
        let ends_earlier = first.is_some() && (1..=segments).all(behind_is_zero);
        let before_is_same = |number: u64| {
            let name = segment_name(number);
            let before = 0..ends(number).unwrap_or(FILE_BYTES);
            part(files, &name, before.clone()) == part(&image.files, &name, before)
        };
        let segment_files = files.iter().filter(|(name, _)| segment_number(name).is_some());
        Self {
            image,
            any: !segment_files.eq(image.files.iter()),
            is_store: !there.is_empty(),
            only_ends_earlier: ends_earlier && (1..=segments).all(before_is_same),
            hit,
            headers: (1..=segments).filter(header).collect(),
            misshapen: there.len() as u64 != last
                || (1..=last).any(|number| file(number).is_some_and(|file| file.len() != FILE_BYTES)),
            last,
        }
    }

    fn hits(&self) -> impl DoubleEndedIterator<Item = (&'i FrameAt, bool)> + '_ {
        self.image.frames.iter().zip(self.hit.iter().copied())
    }

    /// Whether something that a store's users put there, or that makes it a store, is damaged or gone.
    pub(super) fn costs_something(&self) -> bool {
        self.misshapen || !self.headers.is_empty() || self.hits().any(|(frame, hit)| hit && frame.holds)
    }

    /// What FORMAT.md says cannot be told from a log that ended earlier, if this damage is of that kind.
    pub(super) fn residue(&self) -> Option<Residue> {
        let last = self.last;
        if self.misshapen || last == 0 || self.headers.iter().any(|number| *number <= last) {
            return None;
        }
        let stays = |frame: &FrameAt| frame.place.segment <= last;
        // "If the files of the last segments are removed, and no mark of those that stay lies in them, the log just ends
        // earlier."
        let marks = self.hits().filter(|(frame, hit)| stays(frame) && !hit).map(|(frame, _)| frame.mark);
        let proven = marks.max().unwrap_or(Place { segment: 0, offset: 0 });
        let first_hit = self.hits().find(|(frame, hit)| *hit && stays(frame)).map(|(frame, _)| frame);
        let Some(first) = first_hit else {
            let left = self.image.frames.iter().filter(|frame| stays(frame) && frame.holds).count();
            let removed = last < self.image.files.len() as u64 && proven.segment <= last;
            return removed.then_some(Residue { name: "residue: the newest segments removed as a whole", left });
        };
        // "If the only bytes that are damaged belong to frames behind every mark that is left, the damage looks like an
        // unfinished write, and the frames are cut."
        if proven > first.place || first.place == Place::start_of(1) {
            return None;
        }
        let was_closed = self.image.ending == Ending::Closed;
        let name = match (last < self.image.files.len() as u64, was_closed) {
            (true, _) => "residue: the newest segments removed, and the last frames before them damaged",
            (false, true) => "residue: the closing frame and the last frames before it damaged at once",
            (false, false) => "residue: rot behind every mark, in the last acknowledged batch",
        };
        Some(Residue { name, left: first.before })
    }

    /// Where damage to a single byte may be named: the byte itself, or the beginning of what it is part of.
    pub(super) fn may_be_named(&self, case: &Case, segment: u64, offset: u64) -> bool {
        let Case::Byte { segment: damaged, at, .. } = *case else {
            return segment > 0;
        };
        let frames = || self.image.frames.iter().filter(|frame| frame.place.segment == damaged);
        let end = frames().next_back().map_or(0, |frame| frame.bytes.end.next_multiple_of(8));
        let part = match at {
            _ if at < FRAMES_FROM => 0,
            _ if at >= end && damaged == self.image.files.len() as u64 => end,
            _ if at >= end => at,
            _ => frames().map(|frame| frame.bytes.start).rfind(|start| *start <= at).unwrap_or(0),
        };
        segment == damaged && (offset == part as u64 || offset == at as u64)
    }
}
