//! What a power cut may leave of lines, names and files that were not synced.
//!
//! A line may have any of the values that it had since its file's last sync, or two of them mixed; a name may be in either state;
//! a file that was never synced may hold anything.

use super::content::{Content, lines};
use super::{NameChange, Names};
use crate::disk::MemoryFiles;
use fastrand::Rng;
use std::ops::Range;

/// What a power cut at one moment could do.
#[derive(Debug)]
pub(crate) struct Crash {
    /// Bytes of a line: what the disk writes whole or not at all, where it does not tear.
    line: usize,
    files: Vec<Content>,
    durable_names: Names,
    names: Names,
    pending: Vec<NameChange>,
    loose: Vec<Loose>,
}

/// A line that was written since its file was last synced.
#[derive(Debug)]
struct Loose {
    file: usize,
    range: Range<usize>,
    /// The values that it had since, oldest first, no two neighbours alike. What the medium had before is not among them.
    values: Vec<Vec<u8>>,
}

/// What a power cut has left.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image {
    pub(crate) files: MemoryFiles,
    /// Lines of files that are still there, and files that were never synced, that do not hold what the system showed.
    pub(crate) lost: u32,
    /// Of the lines, those that hold a bit of two values.
    pub(crate) torn: u32,
    /// Whether other names are there than the system showed.
    pub(crate) renamed: bool,
}

/// What becomes of a file that was never synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Birth {
    Zeros,
    Empty,
    Garbage,
    Short(u64),
    /// What stood in another file.
    Stale(usize),
}

/// Decides. A number is below the one that was asked for.
trait Decide {
    /// How many of a loose line's values were written, and whether the next one was in part: up to a byte, or from it on.
    fn line(&mut self, index: usize, values: usize, length: usize) -> (usize, Option<(usize, bool)>);
    fn name(&mut self, index: usize) -> bool;
    fn birth(&mut self, files: usize) -> Birth;
}

impl Crash {
    pub(super) fn new(
        files: &[Content],
        durable_names: &Names,
        names: &Names,
        pending: &[NameChange],
        line: usize,
    ) -> Self {
        let reached = |file: &usize| {
            names.values().chain(durable_names.values()).any(|known| known == file)
                || pending
                    .iter()
                    .any(|change| matches!(change, NameChange::Rename { file: renamed, .. } if renamed == file))
        };
        let mut loose = Vec::new();
        for (file, content) in files.iter().enumerate().filter(|(file, _)| reached(file)) {
            loose_lines(file, content, line, &mut loose);
        }
        let (durable_names, names, pending) = (durable_names.clone(), names.clone(), pending.to_vec());
        Self { line, files: files.to_vec(), durable_names, names, pending, loose }
    }

    /// Whether everything is durable.
    pub(crate) fn is_settled(&self) -> bool {
        self.loose.is_empty() && self.pending.is_empty() && self.unborn().next().is_none()
    }

    /// How many different things whole lines and names can do, torn lines and garbage apart, if at most `most`.
    pub(crate) fn outcomes(&self, most: u64) -> Option<u64> {
        let lines = self.loose.iter().map(|loose| loose.values.len() as u64 + 1);
        let names = self.pending.iter().map(|_| 2);
        let births = self.unborn().map(|_| BIRTHS);
        let product = lines.chain(names).chain(births).try_fold(1_u64, u64::checked_mul)?;
        (product <= most).then_some(product)
    }

    /// One of the [`Crash::outcomes`].
    pub(crate) fn outcome(&self, index: u64) -> Image {
        self.image(&mut Counted { rest: index })
    }

    /// Anything that can happen, torn lines and garbage included.
    pub(crate) fn random(&self, random: &mut Rng) -> Image {
        let loose = self.loose.len().max(1);
        let mood = Mood {
            lines: random.u8(..8),
            pivot: random.usize(..loose),
            tears: random.u8(..3),
            names: random.u8(..4),
            name_pivot: random.usize(..=self.pending.len()),
        };
        self.image(&mut Random { random: random.fork(), mood })
    }

    fn unborn(&self) -> impl Iterator<Item = usize> {
        self.files.iter().enumerate().filter(|(_, content)| !content.born).map(|(file, _)| file)
    }

    fn image(&self, decide: &mut dyn Decide) -> Image {
        let mut image = Image::default();
        let mut media: Vec<Vec<u8>> = self.files.iter().map(|content| content.durable.clone()).collect();
        let mut torn_lines = Vec::new();
        for file in self.unborn() {
            let birth = decide.birth(self.files.len());
            if let Some(bytes) = media.get_mut(file) {
                self.give_birth(birth, bytes);
            }
        }
        for (index, loose) in self.loose.iter().enumerate() {
            let (kept, torn) = decide.line(index, loose.values.len(), loose.range.len());
            let Some(line) = media.get_mut(loose.file).and_then(|bytes| bytes.get_mut(loose.range.clone())) else {
                continue;
            };
            if let Some(value) = kept.checked_sub(1).and_then(|last| loose.values.get(last)) {
                line.copy_from_slice(value);
            }
            if let (Some((cut, front)), Some(next)) = (torn, loose.values.get(kept)) {
                let part = if front { 0..cut } else { cut..line.len() };
                line[part.clone()].copy_from_slice(&next[part]);
                torn_lines.push(index);
            }
        }
        let mut names = self.durable_names.clone();
        for (index, change) in self.pending.iter().enumerate() {
            if decide.name(index) {
                change.apply(&mut names);
            }
        }
        image.renamed = names != self.names;
        self.compare(&mut image, &media, &names, &torn_lines);
        for (name, file) in names {
            // No two names are of one file.
            image.files.insert(name, media.get_mut(file).map(std::mem::take).unwrap_or_default());
        }
        image
    }

    /// Counts what does not hold what the system showed, in files that have a name.
    fn compare(&self, image: &mut Image, media: &[Vec<u8>], names: &Names, torn_lines: &[usize]) {
        let named = |file: usize| names.values().any(|known| *known == file);
        let differs = |file: usize, range: Option<Range<usize>>| {
            let live = self.files.get(file).map(|content| content.live.as_slice());
            let medium = media.get(file).map(Vec::as_slice);
            match range {
                Some(range) => {
                    medium.and_then(|bytes| bytes.get(range.clone())) != live.and_then(|bytes| bytes.get(range))
                }
                None => medium != live,
            }
        };
        for file in self.unborn().filter(|file| named(*file)) {
            image.lost += u32::from(differs(file, None));
        }
        for (index, loose) in self.loose.iter().enumerate().filter(|(_, loose)| named(loose.file)) {
            if differs(loose.file, Some(loose.range.clone())) {
                image.lost += 1;
                image.torn += u32::from(torn_lines.contains(&index));
            }
        }
    }

    fn give_birth(&self, birth: Birth, bytes: &mut Vec<u8>) {
        match birth {
            Birth::Zeros => {}
            Birth::Empty => bytes.clear(),
            Birth::Short(seed) => {
                let cut = Rng::with_seed(seed).usize(..=bytes.len() / self.line) * self.line;
                bytes.truncate(cut);
            }
            Birth::Garbage => Rng::with_seed(bytes.len() as u64).fill(bytes),
            Birth::Stale(file) => {
                let old = self.files.get(file).map(|content| content.live.as_slice()).unwrap_or_default();
                let length = old.len().min(bytes.len());
                bytes[..length].copy_from_slice(&old[..length]);
            }
        }
    }
}

/// The lines of a file that were written since its last sync, with the values that they had.
fn loose_lines(file: usize, content: &Content, line: usize, loose: &mut Vec<Loose>) {
    let mut medium = content.durable.clone();
    let first = loose.len();
    for write in &content.writes {
        for range in lines(&write.range(), line) {
            let range = range.start..range.end.min(medium.len());
            let before = medium[range.clone()].to_vec();
            write.copy(range.clone(), &mut medium);
            let after = &medium[range.clone()];
            if before == after {
                continue;
            }
            match loose[first..].iter().position(|known| known.range == range) {
                Some(at) => loose[first + at].values.push(after.to_vec()),
                None => loose.push(Loose { file, range, values: vec![after.to_vec()] }),
            }
        }
    }
}

/// How many births are tried one by one.
const BIRTHS: u64 = 3;

/// Takes decisions from a number, one digit after the other.
struct Counted {
    rest: u64,
}

impl Counted {
    fn digit(&mut self, base: u64) -> usize {
        let digit = self.rest % base;
        self.rest /= base;
        usize::try_from(digit).unwrap_or_default()
    }
}

impl Decide for Counted {
    fn line(&mut self, _: usize, values: usize, _: usize) -> (usize, Option<(usize, bool)>) {
        (self.digit(values as u64 + 1), None)
    }

    fn name(&mut self, _: usize) -> bool {
        self.digit(2) == 1
    }

    fn birth(&mut self, _: usize) -> Birth {
        [Birth::Zeros, Birth::Empty, Birth::Garbage][self.digit(BIRTHS)]
    }
}

/// What kind of crash it is: real ones are not all alike, and independent coins would never lose just one line of many.
struct Mood {
    lines: u8,
    pivot: usize,
    tears: u8,
    names: u8,
    name_pivot: usize,
}

struct Random {
    random: Rng,
    mood: Mood,
}

impl Decide for Random {
    fn line(&mut self, index: usize, values: usize, length: usize) -> (usize, Option<(usize, bool)>) {
        let (random, pivot) = (&mut self.random, self.mood.pivot);
        let kept = match self.mood.lines {
            0 => 0,
            1 | 2 => random.usize(..=values),
            3 => {
                if random.u8(..10) == 0 {
                    0
                } else {
                    values
                }
            }
            4 => {
                if random.u8(..10) == 0 {
                    values
                } else {
                    0
                }
            }
            5 => {
                if index == pivot {
                    random.usize(..values)
                } else {
                    values
                }
            }
            6 => {
                if index == pivot {
                    values
                } else {
                    0
                }
            }
            _ => {
                if index < pivot {
                    values
                } else {
                    0
                }
            }
        };
        let tear = match self.mood.tears {
            0 => false,
            1 => index == pivot,
            _ => random.u8(..4) == 0,
        };
        (kept, (tear && kept < values).then(|| (random.usize(..=length), random.bool())))
    }

    fn name(&mut self, index: usize) -> bool {
        match self.mood.names {
            0 => false,
            1 => true,
            2 => index < self.mood.name_pivot,
            _ => self.random.bool(),
        }
    }

    fn birth(&mut self, files: usize) -> Birth {
        match self.random.u8(..8) {
            0 => Birth::Empty,
            1 => Birth::Garbage,
            2 => Birth::Short(self.random.u64(..)),
            3 => Birth::Stale(self.random.usize(..files)),
            _ => Birth::Zeros,
        }
    }
}
