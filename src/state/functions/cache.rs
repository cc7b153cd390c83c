//! What views have rendered so far, in bounded memory: to go on from, never needed.

use crate::vocabulary::database_event::Event;
use crate::vocabulary::event::EventId;
use crate::vocabulary::number::Revision;
use crate::vocabulary::selector::{Selector, SelectorNode};
use crate::vocabulary::time::Timestamp;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::{BTreeMap, HashMap};

/// How many bytes of rendered views are kept, unless said otherwise.
const BUDGET: u64 = 64 << 20;

/// About what an entry takes beside its content and its texts.
const ENTRY_BYTES: usize = 320;

/// What a rendered view is of, its revision apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ViewKey {
    /// Which registration: never the same for two, so no code goes on from what other code left.
    pub(super) registration: u64,
    /// Which events.
    pub(super) selector: Selector,
    /// Up to which effective time.
    pub(super) effective_at: Option<Timestamp>,
}

/// A view folded up to a revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Folded {
    /// Up to which revision: all events up to there that it selects are in it.
    pub(super) revision: u64,
    /// What the view's code wrote.
    pub(super) content: Option<Bytes>,
    /// The last event that was folded, in the order of the log.
    pub(super) last: Option<LastFolded>,
    /// How many events were folded since this was last kept with the store.
    pub(super) not_kept: u64,
}

/// What is remembered of the events in a fold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LastFolded {
    /// The last one's revision, in the order of the log.
    pub(super) revision: Revision,
    /// When the log took it.
    pub(super) recorded_at: Timestamp,
    /// Its id.
    pub(super) id: EventId,
    /// The greatest effective time of any of them.
    pub(super) latest_effective: Timestamp,
}

impl LastFolded {
    /// Of a fold of these events after an earlier one.
    pub(super) fn after(earlier: Option<&Self>, events: &[Event]) -> Option<Self> {
        let Some(newest) = events.iter().max_by_key(|event| event.revision()) else { return earlier.cloned() };
        let latest = events.iter().map(Event::occurred_at).fold(newest.occurred_at(), Timestamp::max);
        let latest_effective = earlier.map_or(latest, |earlier| earlier.latest_effective.max(latest));
        match earlier {
            Some(earlier) if earlier.revision > newest.revision() => Some(Self { latest_effective, ..earlier.clone() }),
            _ => Some(Self {
                revision: newest.revision(),
                recorded_at: newest.recorded_at(),
                id: newest.id(),
                latest_effective,
            }),
        }
    }
}

/// Views folded up to some revision, the least recently used of which go when there are too many bytes.
#[derive(Debug)]
pub(super) struct ViewCache(Mutex<Slots>);

#[derive(Debug)]
struct Slots {
    budget: u64,
    bytes: u64,
    /// Counts uses.
    clock: u64,
    by_key: HashMap<ViewKey, Slot>,
    by_use: BTreeMap<u64, ViewKey>,
}

#[derive(Debug)]
struct Slot {
    folded: Folded,
    bytes: u64,
    used: u64,
}

impl Default for ViewCache {
    fn default() -> Self {
        Self(Mutex::new(Slots { budget: BUDGET, bytes: 0, clock: 0, by_key: HashMap::new(), by_use: BTreeMap::new() }))
    }
}

impl ViewCache {
    /// What there is under a key that is not beyond a revision.
    pub(super) fn get(&self, key: &ViewKey, at: Revision) -> Option<Folded> {
        let mut slots = self.0.lock();
        let folded = slots.by_key.get(key)?.folded.clone();
        slots.touch(key);
        (folded.revision <= at.get()).then_some(folded)
    }

    /// Puts a view in, unless there is one that is further. One that is bigger than all may be together is not kept.
    pub(super) fn put(&self, key: &ViewKey, folded: Folded) {
        let mut slots = self.0.lock();
        if slots.by_key.get(key).is_some_and(|slot| slot.folded.revision > folded.revision) {
            return;
        }
        slots.remove(key);
        let bytes = weight(key, &folded);
        if bytes > slots.budget {
            return;
        }
        let used = slots.tick();
        slots.bytes += bytes;
        slots.by_use.insert(used, key.clone());
        slots.by_key.insert(key.clone(), Slot { folded, bytes, used });
        slots.shrink();
    }

    /// Takes a view out.
    pub(super) fn forget(&self, key: &ViewKey) {
        self.0.lock().remove(key);
    }

    /// What a registration was asked for with, not at an effective time.
    pub(super) fn selectors(&self, registration: u64) -> Vec<Selector> {
        let slots = self.0.lock();
        let of = |key: &&ViewKey| key.registration == registration && key.effective_at.is_none();
        slots.by_key.keys().filter(of).map(|key| key.selector.clone()).collect()
    }

    /// Sets how many bytes there may be.
    pub(super) fn set_budget(&self, bytes: u64) {
        let mut slots = self.0.lock();
        slots.budget = bytes;
        slots.shrink();
    }

    /// How many bytes there are, about.
    pub(super) fn bytes(&self) -> u64 {
        self.0.lock().bytes
    }
}

impl Slots {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Makes a view the most recently used one.
    fn touch(&mut self, key: &ViewKey) {
        let now = self.tick();
        if let Some(slot) = self.by_key.get_mut(key) {
            self.by_use.remove(&slot.used);
            slot.used = now;
            self.by_use.insert(now, key.clone());
        }
    }

    fn remove(&mut self, key: &ViewKey) {
        if let Some(slot) = self.by_key.remove(key) {
            self.bytes -= slot.bytes;
            self.by_use.remove(&slot.used);
        }
    }

    /// Takes out the least recently used ones until the rest is within the budget.
    fn shrink(&mut self) {
        while self.bytes > self.budget {
            let Some((_, key)) = self.by_use.pop_first() else { return };
            self.remove(&key);
        }
    }
}

/// About how many bytes an entry takes. The key is there twice.
fn weight(key: &ViewKey, folded: &Folded) -> u64 {
    let text = |node: &SelectorNode| node.compared().map_or(0, |value| value.value().len());
    let nodes = key.selector.nodes();
    let selector = size_of_val(nodes) + nodes.iter().map(text).sum::<usize>();
    (ENTRY_BYTES + selector + folded.content.as_ref().map_or(0, Bytes::len)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ViewKey {
        ViewKey { registration: 1, selector: Selector::name(name), effective_at: None }
    }

    fn folded(revision: u64, bytes: usize) -> Folded {
        Folded { revision, content: Some(vec![b'x'; bytes].into()), ..Folded::default() }
    }

    fn revision_of(cache: &ViewCache, name: &str) -> Option<u64> {
        cache.get(&key(name), Revision::new(u64::MAX)).map(|folded| folded.revision)
    }

    #[test]
    fn what_is_further_is_not_given_and_not_replaced() {
        let cache = ViewCache::default();
        cache.put(&key("a"), folded(7, 1));
        assert_eq!(cache.get(&key("a"), Revision::new(6)), None);
        assert_eq!(cache.get(&key("a"), Revision::new(7)), Some(folded(7, 1)));
        cache.put(&key("a"), folded(5, 2));
        assert_eq!(revision_of(&cache, "a"), Some(7));
        cache.put(&key("a"), folded(9, 3));
        assert_eq!(revision_of(&cache, "a"), Some(9));
        assert_eq!(cache.selectors(1), [Selector::name("a")]);
        cache.forget(&key("a"));
        assert_eq!((revision_of(&cache, "a"), cache.bytes()), (None, 0));
    }

    #[test]
    fn keys_differ_in_every_part() {
        let cache = ViewCache::default();
        let others = [
            ViewKey { registration: 2, ..key("a") },
            ViewKey { effective_at: Some(Timestamp::UNIX_EPOCH), ..key("a") },
            key("b"),
        ];
        cache.put(&key("a"), folded(1, 1));
        for other in &others {
            assert_eq!(cache.get(other, Revision::new(9)), None, "{other:?}");
        }
        assert!(cache.selectors(2).is_empty());
    }

    #[test]
    fn the_least_recently_used_go_first_and_the_bytes_are_bounded() {
        let cache = ViewCache::default();
        let one = weight(&key("a"), &folded(1, 1_000));
        cache.set_budget(3 * one);
        for name in ["a", "b", "c"] {
            cache.put(&key(name), folded(1, 1_000));
        }
        assert_eq!(cache.bytes(), 3 * one);
        assert_eq!(revision_of(&cache, "a"), Some(1));
        cache.put(&key("d"), folded(1, 1_000));
        assert_eq!(["a", "b", "c", "d"].map(|name| revision_of(&cache, name).is_some()), [true, false, true, true]);
        cache.put(&key("e"), folded(1, 4_000));
        assert_eq!(revision_of(&cache, "e"), None, "bigger than all may be together");
        cache.set_budget(one);
        assert_eq!(cache.bytes(), one);
        assert_eq!(revision_of(&cache, "d"), Some(1));
        cache.set_budget(0);
        assert_eq!(cache.bytes(), 0);
    }
}
