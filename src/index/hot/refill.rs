//! Entering stored frames into an index.
//!
//! Names are lent as their bytes, and what an event has in common with the one before it, in whatever frame, is looked up once.

use super::{EntryNumbers, HotIndex, IndexFull, entered};
use crate::index::dictionary::Dictionary;
use crate::index::hash::{category_hash, hash_in_category, name_hash};
use crate::vocabulary::event::EventId;

/// An event to be entered again. Who decodes a frame has checked its names to be text.
#[derive(Debug, Clone)]
pub(crate) struct StoredEvent<'a> {
    pub(crate) category: &'a [u8],
    pub(crate) stream: &'a [u8],
    pub(crate) name: &'a [u8],
    pub(crate) position: u64,
    /// The id, if it does not follow from the event's number.
    pub(crate) id: Option<EventId>,
}

/// Where the last event was entered. A hint that is looked at first and proves itself: that of another index does no harm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Recent(EntryNumbers);

impl Default for Recent {
    fn default() -> Self {
        Recent(EntryNumbers { category: 0, stream: 0, name: 0 })
    }
}

impl HotIndex {
    /// Adds the stored events of the frame at `offset`, in order. For who fills the index alone; readers see them once the
    /// revision says so.
    pub(crate) fn add_stored<'a>(
        &self,
        offset: u64,
        id: Option<&str>,
        events: impl Iterator<Item = StoredEvent<'a>>,
        recent: &mut Recent,
    ) -> Result<(), IndexFull> {
        let mut filling = self.fill(offset)?;
        for event in events {
            let numbers = self.numbers_of(&event, &recent.0)?;
            filling.turn_to(numbers);
            if let Some(id) = &event.id {
                filling.note_id(event.category, id)?;
            }
            filling.push()?;
            recent.0 = numbers;
        }
        filling.finish(id)
    }

    /// The numbers of an event's names, which are added if they are not there.
    fn numbers_of(&self, event: &StoredEvent<'_>, recent: &EntryNumbers) -> Result<EntryNumbers, IndexFull> {
        let category = match is_still(&self.categories, recent.category, 0, event.category) {
            true => recent.category,
            false => entered(&self.categories, event.category, category_hash(self.seed, event.category))?,
        };
        let stream = match is_still(&self.streams, recent.stream, category, event.stream) {
            true => recent.stream,
            false => {
                let half = self.categories.label(category).ok_or(IndexFull)?.hash();
                let hash = hash_in_category(self.seed, half, event.stream);
                self.enter_stream(category, event.stream, hash, event.position)?
            }
        };
        let name = match is_still(&self.names, recent.name, 0, event.name) {
            true => recent.name,
            false => entered(&self.names, event.name, name_hash(self.seed, event.name))?,
        };
        Ok(EntryNumbers { category, stream, name })
    }
}

/// Whether the name with this number, if there is one, is this one.
fn is_still(dictionary: &Dictionary, number: u32, owner: u32, key: &[u8]) -> bool {
    // A label may be there before its name counts: the name may be one whose adding failed.
    number < dictionary.len()
        && dictionary.label(number).is_some_and(|label| label.owner() == owner && label.key() == key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::postings::RunPlace;

    /// Category, stream and name by turns, so that neighbours share any of them or none.
    fn events(count: u64) -> Vec<(String, String, String)> {
        let mut random = fastrand::Rng::with_seed(3);
        let mut text = |kind: &str, of: u64| format!("{kind}-{}", random.u64(0..of));
        (0..count).map(|_| (text("c", 2), text("s", 3), text("n", 2))).collect()
    }

    #[test]
    fn stored_events_are_entered_as_new_ones_are_whatever_was_entered_before() {
        let events = events(400);
        let mut recent = Recent::default();
        // The second index begins with what was entered last into the first.
        for base in [0, 400] {
            let (index, expected) = (HotIndex::new(base, 9, 0), HotIndex::new(base, 9, 0));
            for (frame, some) in events.chunks(3).enumerate() {
                let offset = 4_096 + 64 * frame as u64;
                let id = (frame % 2 == 0).then(|| format!("t-{frame}"));
                let stored = some.iter().map(|(category, stream, name)| StoredEvent {
                    category: category.as_bytes(),
                    stream: stream.as_bytes(),
                    name: name.as_bytes(),
                    position: frame as u64,
                    id: None,
                });
                index.add_stored(offset, id.as_deref(), stored, &mut recent).unwrap();
                let new = some
                    .iter()
                    .map(|(category, stream, name)| super::super::Addition::new(category, stream, name, frame as u64));
                expected.add(offset, id.as_deref(), new).unwrap();
            }
            assert_eq!((index.count(), index.transactions()), (expected.count(), expected.transactions()));
            let all = |index: &HotIndex, id| -> Vec<u64> {
                (0..index.len(id)).map(|at| index.event_at(id, at, &mut RunPlace::default()).unwrap()).collect()
            };
            for (category, stream, name) in &events {
                let ids = |index: &HotIndex| {
                    let ids = [index.category(category), index.stream(category, stream), index.name(name)];
                    ids.map(|id| id.map(|id| (all(index, id), index.first_position(id))).unwrap())
                };
                assert_eq!(ids(&index), ids(&expected));
            }
        }
    }
}
