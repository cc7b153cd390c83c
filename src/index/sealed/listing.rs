//! Lists of names from an index file: all there are, those with an event below a number, those with a prefix.

use super::Damaged;
use super::dictionary::{split_stream_key, stream_key};
use super::lists::PostingBlock;
use super::reader::SealedIndex;
use crate::index::hot::{EntryId, Which};

impl SealedIndex {
    /// Lends the names of categories with an event below `sequence_number`, in order.
    pub(crate) fn category_names(&self, sequence_number: u64, mut each: impl FnMut(&[u8])) -> Result<(), Damaged> {
        let limit = self.limit(sequence_number);
        self.categories.walk(&self.file, &[], |number, name| {
            if self.categories.begins_below(&self.file, number, limit)? {
                each(name);
            }
            Ok(())
        })
    }

    /// Lends the names of a category's streams with an event below `sequence_number`, in order.
    pub(crate) fn stream_names(
        &self,
        category: &str,
        sequence_number: u64,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), Damaged> {
        let Some(owner) = self.categories.find(&self.file, category.bytes())? else { return Ok(()) };
        let prefix: Vec<u8> = stream_key(owner, &[]).collect();
        self.streams_below(&prefix, sequence_number, |_, stream| {
            each(stream);
            Ok(())
        })
    }

    /// Lends category and name of all streams with an event below `sequence_number`, in order.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn all_streams(&self, sequence_number: u64, mut each: impl FnMut(&[u8], &[u8])) -> Result<(), Damaged> {
        // A category's streams follow each other.
        let (mut known, mut category) = (None, Vec::new());
        self.streams_below(&[], sequence_number, |owner, stream| {
            if known != Some(owner) {
                self.categories.name(&self.file, owner, &mut category)?;
                known = Some(owner);
            }
            each(&category, stream);
            Ok(())
        })
    }

    fn streams_below(
        &self,
        prefix: &[u8],
        sequence_number: u64,
        mut each: impl FnMut(u32, &[u8]) -> Result<(), Damaged>,
    ) -> Result<(), Damaged> {
        let limit = self.limit(sequence_number);
        self.streams.walk(&self.file, prefix, |number, key| {
            let (owner, stream) = split_stream_key(key).ok_or_else(|| self.streams.damaged())?;
            if self.streams.begins_below(&self.file, number, limit)? {
                each(owner, stream)?;
            }
            Ok(())
        })
    }

    /// The streams of this name, whatever their category: in the order of their categories' names.
    pub(crate) fn streams_named(&self, stream: &str) -> Result<Vec<EntryId>, Damaged> {
        let mut streams = Vec::new();
        if let Some(number) = self.stream_names.find(&self.file, stream.bytes())? {
            self.push_streams(number, &mut streams)?;
        }
        Ok(streams)
    }

    /// The streams whose name begins so, whatever their category: in the order of their names, then of their categories' names.
    /// Ends once there are more than `most`.
    pub(crate) fn streams_named_with_prefix(&self, prefix: &str, most: usize) -> Result<Vec<EntryId>, Damaged> {
        let mut streams = Vec::new();
        for number in self.stream_names.with_prefix(&self.file, prefix.as_bytes())? {
            self.push_streams(number, &mut streams)?;
            if streams.len() > most {
                break;
            }
        }
        Ok(streams)
    }

    /// Lends the names of events that occur below `sequence_number`, in order.
    pub(crate) fn event_names(&self, sequence_number: u64, mut each: impl FnMut(&[u8])) -> Result<(), Damaged> {
        let limit = self.limit(sequence_number);
        self.names.walk(&self.file, &[], |number, name| {
            if self.names.begins_below(&self.file, number, limit)? {
                each(name);
            }
            Ok(())
        })
    }

    /// Lends the names of streams of any category that occur below `sequence_number`, in order.
    pub(crate) fn all_stream_names(&self, sequence_number: u64, mut each: impl FnMut(&[u8])) -> Result<(), Damaged> {
        let limit = self.limit(sequence_number);
        let is_whole = limit >= self.covers.count;
        let mut streams = Vec::new();
        self.stream_names.walk(&self.file, &[], |number, name| {
            streams.clear();
            if !is_whole {
                self.push_streams(number, &mut streams)?;
            }
            let mut occurs = is_whole;
            for stream in &streams {
                occurs = occurs || self.streams.begins_below(&self.file, stream.1, limit)?;
            }
            if occurs {
                each(name);
            }
            Ok(())
        })
    }

    fn push_streams(&self, number: u32, out: &mut Vec<EntryId>) -> Result<(), Damaged> {
        let mut block = PostingBlock::default();
        loop {
            self.stream_names.block(&self.file, number, block.start + block.len, &mut block)?;
            if block.len == 0 {
                return Ok(());
            }
            // A stream has one name. More than there are come from lists that are not what they should be.
            if out.len() + block.len as usize > self.streams.len() as usize {
                return Err(self.stream_names.damaged());
            }
            out.extend(block.numbers().iter().map(|stream| EntryId(Which::Stream, *stream)));
        }
    }

    /// The categories whose name begins so, in order.
    pub(crate) fn categories_with_prefix(&self, prefix: &str) -> Result<impl Iterator<Item = EntryId>, Damaged> {
        let numbers = self.categories.with_prefix(&self.file, prefix.as_bytes())?;
        Ok(numbers.map(|number| EntryId(Which::Category, number)))
    }

    /// The streams of a category whose name begins so, in order.
    pub(crate) fn streams_with_prefix(
        &self,
        category: &str,
        prefix: &str,
    ) -> Result<impl Iterator<Item = EntryId>, Damaged> {
        let numbers = match self.categories.find(&self.file, category.bytes())? {
            Some(owner) => {
                let key: Vec<u8> = stream_key(owner, prefix.as_bytes()).collect();
                self.streams.with_prefix(&self.file, &key)?
            }
            None => 0..0,
        };
        Ok(numbers.map(|number| EntryId(Which::Stream, number)))
    }

    /// The names of events that begin so, in order.
    pub(crate) fn names_with_prefix(&self, prefix: &str) -> Result<impl Iterator<Item = EntryId>, Damaged> {
        let numbers = self.names.with_prefix(&self.file, prefix.as_bytes())?;
        Ok(numbers.map(|number| EntryId(Which::Name, number)))
    }
}
