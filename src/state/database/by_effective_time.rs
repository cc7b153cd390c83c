//! The events of a query in order of their effective times, in bounded memory.
//!
//! The log has them in another order. So all that are selected are looked at, and of those behind the last one given the first
//! ones are remembered, by time and revision alone. These are read and given, and then the next ones are looked for.

use super::by_revision::Selected;
use super::points::stored_at;
use super::query::Query;
use crate::vocabulary::database_event::Event;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::number::Revision;
use crate::vocabulary::select_query::{Explanation, SelectQuery};
use crate::vocabulary::time::Timestamp;
use std::collections::BinaryHeap;

/// How much is held at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// How many events are remembered by time and revision: 32 bytes each.
    ranks: usize,
    /// Up to how many events are kept themselves, which then need not be read again.
    kept: usize,
    /// How many events are read at once.
    read: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { ranks: 65_536, kept: 1_024, read: 256 }
    }
}

/// An event's place in the order asked for: the lower, the sooner. Time and revision, or how far they are from the end.
type Rank = (i128, u64);

/// The events of a query in order of their effective times.
pub(super) struct ByEffectiveTime {
    query: Query,
    sizes: Sizes,
    /// Those that are meant, in no order that counts.
    speculated: Vec<Event>,
    /// The last rank that was found.
    past: Option<Rank>,
    /// Whether nothing is behind that.
    is_last: bool,
    /// Found and still to be read.
    ranks: std::vec::IntoIter<Rank>,
    /// Ready to be given.
    events: std::vec::IntoIter<Event>,
    rest: u64,
    passes: u64,
    given: u64,
    explanation: Explanation,
}

impl ByEffectiveTime {
    pub(super) fn new(query: Query, sizes: Sizes) -> Self {
        Self {
            speculated: query.speculated(),
            rest: query.most(),
            query,
            sizes,
            past: None,
            is_last: false,
            ranks: Vec::new().into_iter(),
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
            if self.ranks.len() > 0 {
                self.read()?;
            } else if self.is_last {
                break;
            } else {
                self.pass()?;
            }
        }
        Ok(None)
    }

    /// Looks at all events, and remembers the first ones behind the last that was found.
    fn pass(&mut self) -> Result<(), ReadError> {
        let database = self.query.database_at().database();
        let most = usize::try_from(self.rest).unwrap_or(usize::MAX).min(self.sizes.ranks);
        let mut found = Found { most, ranks: BinaryHeap::new(), to_keep: self.sizes.kept, kept: Some(Vec::new()) };
        let mut selected = Selected::new(SelectQuery { reverse: false, ..self.query.stored() });
        while let Some(event) = selected.next(database)? {
            if let Some(rank) = self.rank_behind(event.occurred_at(), event.revision()) {
                found.take(rank, || database.event(event));
            }
        }
        for event in &self.speculated {
            if let Some(rank) = self.rank_behind(event.occurred_at(), event.revision()) {
                found.take(rank, || event.clone());
            }
        }
        self.passes += 1;
        self.explanation.add(&selected.explanation());
        if let Some(mut all) = found.kept {
            all.sort_unstable_by_key(|(rank, _)| *rank);
            self.events = all.into_iter().map(|(_, event)| event).collect::<Vec<_>>().into_iter();
            self.is_last = true;
            return Ok(());
        }
        let ranks = found.ranks.into_sorted_vec();
        self.is_last = ranks.len() < most;
        self.past = ranks.last().copied();
        self.ranks = ranks.into_iter();
        Ok(())
    }

    /// Reads the next ones that were found.
    fn read(&mut self) -> Result<(), ReadError> {
        let at = self.query.database_at();
        let reverse = self.query.is_reverse();
        let ranks = self.ranks.by_ref().take(self.sizes.read);
        let revisions: Vec<Revision> =
            ranks.map(|(_, number)| Revision::new(if reverse { u64::MAX - number } else { number })).collect();
        let mut stored = stored_at(at.database(), at.basis(), &revisions)?;
        self.explanation.frames += stored.len() as u64;
        let mut events = Vec::with_capacity(revisions.len());
        for wanted in revisions {
            match stored.remove(&wanted).or_else(|| at.speculated_at(wanted).cloned()) {
                Some(event) => events.push(event),
                // It was there a moment ago, and logs only grow.
                None => return Err(ReadError::NotReached { at: at.database().store().revision()?, wanted }),
            }
        }
        self.events = events.into_iter();
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

/// What a pass found: the first ranks, and all events as long as they are few.
struct Found {
    most: usize,
    ranks: BinaryHeap<Rank>,
    to_keep: usize,
    kept: Option<Vec<(Rank, Event)>>,
}

impl Found {
    fn take(&mut self, rank: Rank, event: impl FnOnce() -> Event) {
        if self.ranks.len() < self.most {
            self.ranks.push(rank);
        } else if let Some(mut last) = self.ranks.peek_mut().filter(|last| **last > rank) {
            *last = rank;
        }
        match &mut self.kept {
            Some(kept) if kept.len() < self.to_keep => kept.push((rank, event())),
            _ => self.kept = None,
        }
    }
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

    fn revisions(query: Query, sizes: Sizes) -> (Vec<u64>, u64) {
        let mut source = ByEffectiveTime::new(query, sizes);
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
        for (ranks, kept, read) in [(100, 100, 9), (100, 0, 1), (10, 9, 3), (7, 7, 100), (1, 0, 1)] {
            let sizes = Sizes { ranks, kept, read };
            for limit in [0, 1, 6, 7, 8, 66, 67, u64::MAX] {
                let most = usize::try_from(limit).unwrap_or(usize::MAX).min(forward.len());
                let (found, passes) = revisions(others().limit(limit), sizes);
                assert_eq!(found, forward[..most], "{sizes:?}, limit {limit}");
                assert_eq!(revisions(others().reverse().limit(limit), sizes).0, backward[..most], "{sizes:?}");
                let needed = most.div_ceil(ranks.min(most.max(1)));
                assert!(passes as usize <= needed + 1, "{passes} passes for {most} events, {sizes:?}");
            }
        }
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
