//! The lists that a selection is found by, and leaping from one to the other.

use super::{Bounds, Effort};
use crate::index::hot::{EntryId, Which};
use crate::index::part::{ListPlace, PartIndex, PostingPlace};
use crate::index::sealed::Damaged;
use std::ops::Range;

/// Events of a list that are tried one after the other before the place is searched.
const STEPS: u32 = 4;
/// Events that are read of a list at once.
const AT_ONCE: usize = 128;

/// Reading lists of one part within bounds.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    pub(super) index: &'a PartIndex,
    ordinals: Range<u32>,
    reverse: bool,
    pub(super) effort: &'a mut Effort,
}

impl<'a> Walk<'a> {
    pub(super) fn new(index: &'a PartIndex, bounds: &Bounds, effort: &'a mut Effort) -> Self {
        Self { index, ordinals: bounds.ordinals.clone(), reverse: bounds.reverse, effort }
    }

    /// Whether an ordinal is met later than another one, or is the same.
    fn is_reached(&self, ordinal: u32, at: u32) -> bool {
        if self.reverse { ordinal <= at } else { ordinal >= at }
    }

    /// The answer, if it is known from another question: nothing lies between what was asked for then and what was found.
    fn known(&self, known: Option<(u32, Option<u32>)>, at: u32) -> Option<Option<u32>> {
        let (asked, found) = known?;
        (self.is_reached(at, asked) && found.is_none_or(|found| self.is_reached(found, at))).then_some(found)
    }

    /// The one that is met first.
    fn nearer(&self, one: Option<u32>, other: Option<u32>) -> Option<u32> {
        match (one, other) {
            (Some(one), Some(other)) => Some(if self.reverse { one.max(other) } else { one.min(other) }),
            (one, other) => one.or(other),
        }
    }

    /// How many events are within the bounds.
    pub(super) fn width(&self) -> u64 {
        u64::from(self.ordinals.end - self.ordinals.start)
    }

    fn number(&self, ordinal: u32) -> u64 {
        self.index.base() + u64::from(ordinal)
    }
}

/// Some of what a selector selects.
#[derive(Debug)]
pub(super) struct Side {
    node: Node,
    /// What was asked for last, and what was found.
    known: Option<(u32, Option<u32>)>,
    /// About how many events there are.
    pub(super) estimate: u64,
}

#[derive(Debug)]
enum Node {
    /// Every event.
    All,
    /// Those of a few lists.
    Lists(Vec<List>),
    /// Those of many lists, taken together.
    Bits(Bits),
    /// Those that all have.
    And(Vec<Side>),
    /// Those that any has.
    Or(Vec<Side>),
}

impl Side {
    fn new(node: Node, estimate: u64) -> Self {
        Self { node, known: None, estimate }
    }

    /// Every event within the bounds.
    pub(super) fn all(walk: &Walk<'_>) -> Self {
        Self::new(Node::All, walk.width())
    }

    /// The events of a few lists.
    pub(super) fn lists(walk: &Walk<'_>, entries: &[EntryId]) -> Result<Self, Damaged> {
        let (mut lists, mut estimate) = (Vec::with_capacity(entries.len()), 0);
        for entry in entries {
            estimate += u64::from(walk.index.len(*entry)?);
            lists.push(List::new(walk, *entry)?);
        }
        Ok(Self::new(Node::Lists(lists), estimate))
    }

    /// The events of many lists. Reads all of them, as far as they are within the bounds.
    pub(super) fn bits(walk: &mut Walk<'_>, entries: &[EntryId]) -> Result<Self, Damaged> {
        let bits = Bits::new(walk, entries)?;
        let estimate = bits.count;
        Ok(Self::new(Node::Bits(bits), estimate))
    }

    /// What all sides have: the shortest are asked first.
    pub(super) fn and(mut sides: Vec<Side>) -> Option<Self> {
        sides.sort_by_key(|side| side.estimate);
        let estimate = sides.first()?.estimate;
        if sides.len() == 1 { sides.pop() } else { Some(Self::new(Node::And(sides), estimate)) }
    }

    /// What any side has.
    pub(super) fn or(mut sides: Vec<Side>) -> Option<Self> {
        let estimate = sides.iter().map(|side| side.estimate).sum();
        if sides.len() <= 1 { sides.pop() } else { Some(Self::new(Node::Or(sides), estimate)) }
    }

    /// The first event from `at` on, in the walk's direction.
    pub(super) fn seek(&mut self, walk: &mut Walk<'_>, at: u32) -> Result<Option<u32>, Damaged> {
        if let Some(found) = walk.known(self.known, at) {
            return Ok(found);
        }
        let found = match &mut self.node {
            Node::All => Some(at).filter(|at| walk.ordinals.contains(at)),
            Node::Bits(bits) => {
                walk.effort.entries += 1;
                bits.seek(at, walk.reverse)
            }
            Node::Lists(lists) => {
                let mut nearest = None;
                for list in lists {
                    let found = list.seek(walk, at)?;
                    nearest = walk.nearer(nearest, found);
                }
                nearest
            }
            Node::Or(sides) => {
                let mut nearest = None;
                for side in sides {
                    let found = side.seek(walk, at)?;
                    nearest = walk.nearer(nearest, found);
                }
                nearest
            }
            Node::And(sides) => leap(sides, walk, at)?,
        };
        self.known = Some((at, found));
        Ok(found)
    }

    pub(super) fn describe(&self) -> String {
        let joined = |sides: &[Side], word: &str| {
            let all: Vec<String> = sides.iter().map(Side::describe).collect();
            format!("({})", all.join(word))
        };
        match &self.node {
            Node::All => "all events".into(),
            Node::Bits(_) => "lists of many names, taken together".into(),
            Node::And(sides) => joined(sides, " and "),
            Node::Or(sides) => joined(sides, " or "),
            Node::Lists(lists) => {
                let of = |which: Which| lists.iter().filter(|list| list.entry.0 == which).count();
                let kinds = [(Which::Category, "category"), (Which::Stream, "stream"), (Which::Name, "name")];
                let named = kinds.into_iter().filter(|(which, _)| of(*which) > 0).map(|(which, word)| {
                    if of(which) == 1 {
                        format!("the list of a {word}")
                    } else {
                        format!("lists of some of the {word}s")
                    }
                });
                named.collect::<Vec<_>>().join(" or ")
            }
        }
    }
}

/// The first event from `at` on that all sides have.
fn leap(sides: &mut [Side], walk: &mut Walk<'_>, mut at: u32) -> Result<Option<u32>, Damaged> {
    'again: loop {
        for side in &mut *sides {
            match side.seek(walk, at)? {
                None => return Ok(None),
                Some(found) if found != at => {
                    at = found;
                    continue 'again;
                }
                Some(_) => {}
            }
        }
        return Ok(Some(at));
    }
}

/// The events of one name.
#[derive(Debug)]
struct List {
    entry: EntryId,
    head: ListPlace,
    place: PostingPlace,
    /// Which of the list was found last.
    index: u32,
    known: Option<(u32, Option<u32>)>,
}

impl List {
    fn new(walk: &Walk<'_>, entry: EntryId) -> Result<Self, Damaged> {
        let head = walk.index.place(entry)?;
        Ok(Self { entry, head, place: PostingPlace::default(), index: 0, known: None })
    }

    fn seek(&mut self, walk: &mut Walk<'_>, at: u32) -> Result<Option<u32>, Damaged> {
        if let Some(found) = walk.known(self.known, at) {
            return Ok(found);
        }
        let found = match self.step(walk, at)? {
            Some(found) => found,
            None => self.search(walk, at)?,
        };
        // What lies outside was not there when the bounds were drawn, or is not asked for.
        let found = found.filter(|found| walk.ordinals.contains(found));
        self.known = Some((at, found));
        Ok(found)
    }

    /// Tries the next few events. `None` where none of them is far enough.
    fn step(&mut self, walk: &mut Walk<'_>, at: u32) -> Result<Option<Option<u32>>, Damaged> {
        let Some((asked, Some(_))) = self.known else { return Ok(None) };
        if !walk.is_reached(at, asked) {
            return Ok(None);
        }
        for _ in 0..STEPS {
            let next = if walk.reverse { self.index.checked_sub(1) } else { self.index.checked_add(1) };
            let Some(next) = next else { return Ok(Some(None)) };
            self.index = next;
            match self.read(walk)? {
                Some(ordinal) if !walk.is_reached(ordinal, at) => {}
                found => return Ok(Some(found)),
            }
        }
        Ok(None)
    }

    fn search(&mut self, walk: &mut Walk<'_>, at: u32) -> Result<Option<u32>, Damaged> {
        walk.effort.entries += 1;
        let limit = walk.number(at) + u64::from(walk.reverse);
        let below = walk.index.count_below(self.entry, &self.head, limit)?;
        let index = if walk.reverse { below.checked_sub(1) } else { Some(below) };
        let Some(index) = index else { return Ok(None) };
        self.index = index;
        self.read(walk)
    }

    fn read(&mut self, walk: &mut Walk<'_>) -> Result<Option<u32>, Damaged> {
        walk.effort.entries += 1;
        let number = walk.index.event_at(self.entry, self.index, &mut self.place)?;
        Ok(number.and_then(|number| u32::try_from(number.checked_sub(walk.index.base())?).ok()))
    }
}

/// A bit for every event within the bounds.
#[derive(Debug)]
struct Bits {
    start: u32,
    words: Vec<u64>,
    count: u64,
}

impl Bits {
    fn new(walk: &mut Walk<'_>, entries: &[EntryId]) -> Result<Self, Damaged> {
        let Range { start, end } = walk.ordinals.clone();
        let mut bits = Self { start, words: vec![0; (end - start).div_ceil(64) as usize], count: 0 };
        for entry in entries {
            let (head, mut place) = (walk.index.place(*entry)?, PostingPlace::default());
            let mut index = if start == 0 { 0 } else { walk.index.count_below(*entry, &head, walk.number(start))? };
            let len = walk.index.len(*entry)?;
            let mut ordinals = [0; AT_ONCE];
            'list: while index < len {
                let most = (len - index).min(u32::try_from(AT_ONCE).unwrap_or(u32::MAX)) as usize;
                let slots = ordinals.get_mut(..most).unwrap_or_default();
                let read = walk.index.ordinals_at(*entry, &head, index, &mut place, slots)?;
                if read == 0 {
                    break;
                }
                for ordinal in slots.iter().take(read) {
                    if *ordinal >= end {
                        break 'list;
                    }
                    bits.set(*ordinal);
                    walk.effort.entries += 1;
                }
                index += u32::try_from(read).unwrap_or(u32::MAX);
            }
        }
        Ok(bits)
    }

    fn set(&mut self, ordinal: u32) {
        let at = ordinal.saturating_sub(self.start);
        if let Some(word) = self.words.get_mut((at / 64) as usize) {
            let bit = 1 << (at % 64);
            self.count += u64::from(*word & bit == 0);
            *word |= bit;
        }
    }

    fn seek(&self, at: u32, reverse: bool) -> Option<u32> {
        let at = at.checked_sub(self.start)?;
        let (mut place, bit) = ((at / 64) as usize, at % 64);
        let mask = if reverse { u64::MAX >> (63 - bit) } else { u64::MAX << bit };
        let mut word = self.words.get(place)? & mask;
        while word == 0 {
            place = if reverse { place.checked_sub(1)? } else { place + 1 };
            word = *self.words.get(place)?;
        }
        let bit = if reverse { 63 - word.leading_zeros() } else { word.trailing_zeros() };
        Some(self.start + u32::try_from(place).ok()? * 64 + bit)
    }
}
