//! The events of a query in order of their effective times, in bounded memory.
//!
//! The log has them in another order. So all that are selected are looked at, and of those behind the last one given the first
//! ones are kept, as many as the budget allows. These are given, and then the next ones are looked for.

use super::by_revision::Selected;
use super::query::Query;
use crate::vocabulary::attributes::Attributes;
use crate::vocabulary::database_event::Event;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::StoredEvent;
use crate::vocabulary::number::Revision;
use crate::vocabulary::select_query::{Explanation, SelectQuery};
use crate::vocabulary::time::Timestamp;
use std::collections::BinaryHeap;

/// How many bytes of events are held at once, one event in any case.
pub(super) const BUDGET: usize = 32 << 20;

/// An event's place in the order asked for: the lower, the sooner. Time and revision, or how far they are from the end.
type Rank = (i128, u64);

/// The events of a query in order of their effective times.
pub(super) struct ByEffectiveTime {
    query: Query,
    budget: usize,
    /// Those that are meant, in no order that counts.
    speculated: Vec<Event>,
    /// The rank of the last event that was found.
    past: Option<Rank>,
    /// Whether nothing is behind that.
    is_last: bool,
    /// Found and still to be given.
    events: std::vec::IntoIter<Event>,
    rest: u64,
    passes: u64,
    given: u64,
    explanation: Explanation,
}

impl ByEffectiveTime {
    pub(super) fn new(query: Query, budget: usize) -> Self {
        Self {
            speculated: query.speculated(),
            rest: query.most(),
            query,
            budget,
            past: None,
            is_last: false,
            events: Vec::new().into_iter(),
            passes: 0,
            given: 0,
            explanation: Explanation::default(),
        }
    }

    /// The next event, or `None` at the end.
    ///
    /// # Errors
    /// [`ReadError`].
    pub(super) fn next(&mut self) -> Result<Option<Event>, ReadError> {
        while self.rest > 0 {
            if let Some(event) = self.events.next() {
                (self.rest, self.given) = (self.rest - 1, self.given + 1);
                return Ok(Some(event));
            }
            if self.is_last {
                break;
            }
            self.pass()?;
        }
        Ok(None)
    }

    /// Looks at all events, and keeps the first ones behind the last that was found.
    fn pass(&mut self) -> Result<(), ReadError> {
        let database = self.query.database_at().database();
        let most = usize::try_from(self.rest).unwrap_or(usize::MAX);
        let mut first = First::new(self.budget, most);
        let mut selected = Selected::new(SelectQuery { reverse: false, ..self.query.stored() });
        while let Some(event) = selected.next(database)? {
            if let Some(rank) = self.rank_behind(event.occurred_at(), event.revision()) {
                first.take(rank, || (bytes_of(&event), database.event(event)));
            }
        }
        for event in &self.speculated {
            if let Some(rank) = self.rank_behind(event.occurred_at(), event.revision()) {
                // It is in memory already, but for the reference to it.
                first.take(rank, || (size_of::<Event>(), event.clone()));
            }
        }
        self.passes += 1;
        self.explanation.add(&selected.explanation());
        self.is_last = first.bound.is_none();
        let (past, events) = first.into_order();
        (self.past, self.events) = (past, events.into_iter());
        Ok(())
    }

    /// The rank of an event, unless it is before the time asked for or was found by a pass before.
    fn rank_behind(&self, occurred_at: Timestamp, revision: Revision) -> Option<Rank> {
        if !self.query.is_from(occurred_at, revision) {
            return None;
        }
        let (time, number) = (occurred_at.unix_nanoseconds(), revision.get());
        let rank = if self.query.is_reverse() { (-time, u64::MAX - number) } else { (time, number) };
        self.past.is_none_or(|past| rank > past).then_some(rank)
    }

    /// What it took so far.
    pub(super) fn explanation(&self) -> Explanation {
        let mut explanation = self.explanation.clone();
        if !self.speculated.is_empty() {
            explanation.plan.push(format!("{} speculated events, in memory", self.speculated.len()));
        }
        explanation.plan.push(format!("by effective time, all events looked at {} times", self.passes));
        explanation.found = self.given;
        explanation
    }
}

/// The first events of those that a pass finds: all with a rank below the bound.
struct First {
    budget: usize,
    most: usize,
    bytes: usize,
    /// The lowest rank of those that did not fit.
    bound: Option<Rank>,
    /// The last one first, with its bytes and its slot among the events, which are too big to be moved about.
    ranks: BinaryHeap<(Rank, usize, usize)>,
    events: Vec<Option<Event>>,
    free: Vec<usize>,
}

impl First {
    fn new(budget: usize, most: usize) -> Self {
        let (ranks, events, free) = (BinaryHeap::new(), Vec::new(), Vec::new());
        Self { budget, most, bytes: 0, bound: None, ranks, events, free }
    }

    /// Keeps an event if it is among the first; `event` gives it with its bytes.
    fn take(&mut self, rank: Rank, event: impl FnOnce() -> (usize, Event)) {
        if self.bound.is_some_and(|bound| rank > bound) {
            return;
        }
        if self.ranks.len() == self.most && self.ranks.peek().is_some_and(|(last, ..)| rank > *last) {
            self.bound = Some(rank);
            return;
        }
        let (bytes, event) = event();
        let slot = self.free.pop().unwrap_or(self.events.len());
        match self.events.get_mut(slot) {
            Some(free) => *free = Some(event),
            None => self.events.push(Some(event)),
        }
        self.ranks.push((rank, bytes, slot));
        self.bytes += bytes;
        while self.ranks.len() > self.most || (self.bytes > self.budget && self.ranks.len() > 1) {
            let Some((last, bytes, slot)) = self.ranks.pop() else { break };
            self.bound = Some(last);
            self.bytes -= bytes;
            if let Some(event) = self.events.get_mut(slot) {
                *event = None;
            }
            self.free.push(slot);
        }
    }

    /// The events in order, and the last one's rank.
    fn into_order(mut self) -> (Option<Rank>, Vec<Event>) {
        let sorted = self.ranks.into_sorted_vec();
        let events = sorted.iter().filter_map(|(_, _, slot)| self.events.get_mut(*slot)?.take()).collect();
        (sorted.last().map(|(rank, ..)| *rank), events)
    }
}

/// About how many bytes a stored event takes while it is kept.
fn bytes_of(event: &StoredEvent) -> usize {
    let names = event.category().len() + event.stream().len() + event.name().len();
    let attributes = event.attributes();
    let attributes = if attributes.is_empty() { 0 } else { bytes_of_attributes(attributes) };
    size_of::<Event>() + names + event.payload().bytes.len() + event.metadata().map_or(0, <[u8]>::len) + attributes
}

fn bytes_of_attributes(attributes: &Attributes) -> usize {
    attributes.iter().map(|(name, value)| size_of_val(value) + name.len() + value.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::database::{Database, DatabaseAt};
    use crate::store::EventStore;
    use crate::vocabulary::cloud_event::DatabaseSource;
    use crate::vocabulary::prospective_event::ProspectiveEvent;
    use crate::vocabulary::selector::Selector;

    /// Stored and speculated events whose times have little to do with their order, many of them equal.
    fn scattered(stored: i64, speculated: i64) -> DatabaseAt {
        let source = DatabaseSource::new("https://events.example", "bank").unwrap();
        let database = Database::new(EventStore::in_memory(), source).unwrap();
        let event = |number: i64| {
            let time = Timestamp::from_unix((number * 7_919) % 23 - 11, 0).unwrap();
            ProspectiveEvent::empty("counts", if number % 3 == 0 { "third" } else { "other" }).with_occurred_at(time)
        };
        database.transact((0..stored).map(event).collect::<Vec<_>>()).unwrap();
        let now = database.latest().unwrap();
        now.speculate((stored..stored + speculated).map(event)).unwrap()
    }

    fn revisions(query: Query, budget: usize) -> (Vec<u64>, u64) {
        let mut source = ByEffectiveTime::new(query, budget);
        let mut found = Vec::new();
        while let Some(event) = source.next().unwrap() {
            found.push(event.revision().get());
        }
        (found, source.passes)
    }

    #[test]
    fn the_order_is_the_same_however_little_is_held() {
        let at = scattered(90, 10);
        let others = || at.query(Selector::name("other"));
        let mut all: Vec<_> = others().read().unwrap();
        all.sort_by_key(|event| (event.occurred_at(), event.revision()));
        let forward: Vec<u64> = all.iter().map(|event| event.revision().get()).collect();
        let backward: Vec<u64> = forward.iter().rev().copied().collect();
        let one = size_of::<Event>() + "counts".len() + "other".len();
        for held in [100, 66, 65, 33, 7, 2, 1, 0] {
            for limit in [0, 1, 6, 7, 8, 66, 67, u64::MAX] {
                let most = usize::try_from(limit).unwrap_or(usize::MAX).min(forward.len());
                let (found, passes) = revisions(others().limit(limit), held * one);
                assert_eq!(found, forward[..most], "{held} held, limit {limit}");
                assert_eq!(revisions(others().reverse().limit(limit), held * one).0, backward[..most], "{held} held");
                let needed = most.div_ceil(held.max(1)) as u64;
                assert!((needed.min(1)..=needed).contains(&passes), "{passes} passes for {most} events, {held} held");
            }
        }
        let largest = First::new(10, 9);
        assert_eq!(largest.into_order(), (None, Vec::new()));
    }

    #[test]
    fn a_query_tells_how_often_it_looked() {
        let at = scattered(20, 4);
        let explained = at.query(Selector::category("counts")).by_effective_time().explain().unwrap();
        assert_eq!(explained.found, 24);
        assert!(explained.plan.iter().any(|line| line.contains("looked at 1 times")), "{:?}", explained.plan);
        assert!(explained.plan.iter().any(|line| line.contains("4 speculated events")), "{:?}", explained.plan);
    }
}
