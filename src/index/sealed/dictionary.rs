//! Names to numbers and back, in order: an automaton of names, numbered in the order of their bytes, and a list for each.

use super::Damaged;
use super::automaton::{find, is_sound};
use super::checked::{Checked, Section};
use super::lists::{Head, Lists, PostingBlock};
use fst::raw::{Fst, Output};
use fst::{IntoStreamer, Streamer};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// A dictionary in a file. Name n of the order has list n.
#[derive(Debug)]
pub(super) struct Dictionary {
    names: Section,
    lists: Lists,
    /// The automaton was verified and can be walked. A fact about bytes that do not change.
    proven: AtomicBool,
}

impl Dictionary {
    pub(super) fn new(names: Section, lists: Lists) -> Self {
        Self { names, lists, proven: AtomicBool::new(false) }
    }

    /// How many names there are.
    pub(super) fn len(&self) -> u32 {
        self.names.items
    }

    /// The automaton's bytes, which were proven to be one.
    fn proven<'f>(&self, file: &'f Checked) -> Result<Option<&'f [u8]>, Damaged> {
        if self.names.items == 0 {
            return Ok(None);
        }
        let bytes = file.whole(&self.names)?;
        if !self.proven.load(Ordering::Relaxed) {
            if !is_sound(bytes, self.names.items) {
                return Err(self.damaged());
            }
            self.proven.store(true, Ordering::Relaxed);
        }
        Ok(Some(bytes))
    }

    fn automaton<'f>(&self, file: &'f Checked) -> Result<Option<Fst<&'f [u8]>>, Damaged> {
        let Some(bytes) = self.proven(file)? else { return Ok(None) };
        Fst::new(bytes).map(Some).map_err(|_| self.damaged())
    }

    /// That what it says cannot be.
    pub(super) fn damaged(&self) -> Damaged {
        self.names.damaged("a dictionary makes no sense")
    }

    fn number(&self, output: Output) -> Result<u32, Damaged> {
        u32::try_from(output.value()).ok().filter(|number| *number < self.len()).ok_or_else(|| self.damaged())
    }

    /// The number of a name, whose bytes are given.
    pub(super) fn find(&self, file: &Checked, name: impl IntoIterator<Item = u8>) -> Result<Option<u32>, Damaged> {
        let Some(bytes) = self.proven(file)? else { return Ok(None) };
        find(bytes, name).map(|number| self.number(Output::new(number))).transpose()
    }

    /// Puts the name with this number into a buffer.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn name(&self, file: &Checked, number: u32, into: &mut Vec<u8>) -> Result<(), Damaged> {
        into.clear();
        match self.automaton(file)? {
            Some(automaton) if automaton.get_key_into(u64::from(number), into) => Ok(()),
            _ => Err(self.damaged()),
        }
    }

    /// The numbers of the names that begin with these bytes.
    pub(super) fn with_prefix(&self, file: &Checked, prefix: &[u8]) -> Result<Range<u32>, Damaged> {
        let Some(automaton) = self.automaton(file)? else { return Ok(0..0) };
        let from = |bound: &[u8]| match automaton.range().ge(bound).into_stream().next() {
            Some((_, output)) => self.number(output),
            None => Ok(self.len()),
        };
        let start = from(prefix)?;
        let end = successor(prefix).map_or(Ok(self.len()), |bound| from(&bound))?;
        Ok(start..end.max(start))
    }

    /// Lends the names that begin with these bytes, in order, with their numbers.
    pub(super) fn walk(
        &self,
        file: &Checked,
        prefix: &[u8],
        mut each: impl FnMut(u32, &[u8]) -> Result<(), Damaged>,
    ) -> Result<(), Damaged> {
        let Some(automaton) = self.automaton(file)? else { return Ok(()) };
        let mut stream = automaton.range().ge(prefix).into_stream();
        // More than there are names come from an automaton that is not what it should be, and perhaps without end.
        for _ in 0..self.len() {
            match stream.next() {
                Some((name, output)) if name.starts_with(prefix) => each(self.number(output)?, name)?,
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// The beginning of a name's list.
    pub(super) fn head(&self, file: &Checked, number: u32) -> Result<Head, Damaged> {
        self.lists.head(file, number)
    }

    /// Whether the first number of a name's list is below `limit`.
    pub(super) fn begins_below(&self, file: &Checked, number: u32, limit: u32) -> Result<bool, Damaged> {
        if limit >= self.lists.limit {
            return Ok(true);
        }
        let head = self.head(file, number)?;
        Ok(self.lists.first(file, &head)? < limit)
    }

    /// The lists of the names.
    pub(super) fn lists(&self) -> &Lists {
        &self.lists
    }

    /// Decodes the block of a name's list that holds the number at `index`.
    pub(super) fn block(
        &self,
        file: &Checked,
        number: u32,
        index: u32,
        into: &mut PostingBlock,
    ) -> Result<(), Damaged> {
        let head = self.head(file, number)?;
        self.lists.block(file, &head, index, into)
    }
}

/// The least bytes that are above all that begin with `prefix`.
fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != u8::MAX)?;
    let mut bound = prefix.get(..=kept)?.to_vec();
    *bound.last_mut()? += 1;
    Some(bound)
}

/// The key of a stream: its category's number, highest byte first so that a category's streams stand together, and its name.
pub(super) fn stream_key(category: u32, stream: &[u8]) -> impl Iterator<Item = u8> {
    let number = [category >> 24, category >> 16, category >> 8, category];
    number.into_iter().map(|byte| u8::try_from(byte & 0xff).unwrap_or_default()).chain(stream.iter().copied())
}

/// Category number and name of a stream's key.
pub(super) fn split_stream_key(key: &[u8]) -> Option<(u32, &[u8])> {
    let (number, stream) = key.split_at_checked(4)?;
    Some((number.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte)), stream))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_successor_is_above_the_prefix_and_all_that_begins_with_it() {
        assert_eq!(successor(b"ab").as_deref(), Some(&b"ac"[..]));
        assert_eq!(successor(&[1, 0xff, 0xff]), Some(vec![2]));
        assert_eq!((successor(b""), successor(&[0xff])), (None, None));
    }

    #[test]
    fn stream_keys_order_by_category_first() {
        let key = |category, stream: &str| stream_key(category, stream.as_bytes()).collect::<Vec<u8>>();
        assert!(key(255, "z") < key(256, "a") && key(1 << 24, "") < key((1 << 24) + 1, ""));
        assert_eq!(split_stream_key(&key(0x0102_0304, "é")), Some((0x0102_0304, "é".as_bytes())));
        assert_eq!(split_stream_key(&[0, 0, 0]), None);
    }
}
