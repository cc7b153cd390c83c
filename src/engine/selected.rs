//! The events that a selector selects, part by part: all that a query asks of indexes.

use super::LiveSegment;
use super::numbers::{LIST, List, following};
use super::snapshot::Snapshot;
use crate::index::sealed::Damaged;
use crate::index::{Bounds, Effort, PartIndex, Selection};
use crate::vocabulary::error::ReadError;
use crate::vocabulary::event::EventRef;
use crate::vocabulary::select_query::{Explanation, SelectQuery};
use crate::vocabulary::selector::Selector;
use crate::vocabulary::time::Timestamp;
use std::ops::Range;

/// Which events a query asks for, and how far it has come.
#[derive(Debug)]
pub(super) struct Selected {
    selector: Selector,
    occurred_until: Option<Timestamp>,
    /// The numbers asked for.
    range: Range<u64>,
    reverse: bool,
    /// The part that is being read or comes next, by its place in the list; `None` behind the last.
    part: Option<usize>,
    /// What of that part is left.
    walk: Option<Walk>,
    /// The seed of the store's hashes.
    seed: u64,
    effort: Effort,
    explanation: Explanation,
}

/// What is selected of a part.
#[derive(Debug)]
struct Walk {
    selection: Selection,
    bounds: Bounds,
    /// The ordinal to go on from.
    at: Option<u32>,
}

impl Selected {
    pub(super) fn new(query: &SelectQuery, snapshot: &Snapshot, seed: u64) -> Self {
        let range = query.scan().range(snapshot.revision);
        let part = match (range.is_empty(), query.reverse) {
            (true, _) => None,
            (false, false) => snapshot.segment_of(range.start),
            (false, true) => snapshot.segment_of(range.end - 1),
        };
        Self {
            selector: query.selector.clone(),
            occurred_until: query.occurred_until,
            range,
            reverse: query.reverse,
            part,
            walk: None,
            seed,
            effort: Effort::default(),
            explanation: Explanation::default(),
        }
    }

    /// The next events, no more than `most`. None is left when the list stays empty.
    pub(super) fn next(&mut self, snapshot: &Snapshot, most: u64, list: &mut List) -> Result<(), ReadError> {
        list.clear();
        let most = most.min(LIST as u64);
        while let (true, Some(part)) = (list.len() < most, self.part) {
            let Some(segment) = snapshot.segment(part) else { break };
            if self.walk.is_none() {
                self.walk = self.begin(segment)?;
            }
            let mut ordinals = [0; LIST];
            let wanted = usize::try_from(most - list.len()).unwrap_or(LIST);
            let count = self.fill(segment, ordinals.get_mut(..wanted).unwrap_or_default())?;
            if let Some(walk) = &self.walk {
                let is_sure = walk.selection.is_sure() && self.occurred_until.is_none();
                let before = list.len();
                list.add(segment, part, is_sure, ordinals.get(..count).unwrap_or_default())?;
                if !is_sure {
                    list.doubt(before);
                }
                self.explanation.frames += count as u64;
                self.explanation.found += count as u64;
            }
            if self.walk.as_ref().is_none_or(|walk| walk.at.is_none()) {
                self.walk = None;
                self.part = following(snapshot, &self.range, self.reverse, part);
            }
        }
        Ok(())
    }

    /// What is selected of a part, if anything.
    fn begin(&mut self, segment: &LiveSegment) -> Result<Option<Walk>, ReadError> {
        let base = segment.base();
        let count = u64::from(segment.index().count());
        let within = |number: u64| u32::try_from(number.saturating_sub(base).min(count)).unwrap_or(u32::MAX);
        let ordinals = within(self.range.start)..within(self.range.end);
        let bounds = Bounds { ordinals, reverse: self.reverse, exact: false };
        let (selector, seed) = (&self.selector, self.seed);
        let effort = &mut self.effort;
        let selection = segment.ask(|index| Selection::new(selector, index, seed, &bounds, effort))?;
        self.explanation.parts += 1;
        self.explanation.parts_without += u64::from(selection.is_none());
        if let Some(selection) = &selection {
            let line = selection.describe();
            if !self.explanation.plan.contains(&line) {
                self.explanation.plan.push(line);
            }
        }
        let first = bounds.first();
        Ok(selection.map(|selection| Walk { selection, bounds, at: Some(first) }))
    }

    /// Finds as many events of the part as fit, and says how many those are.
    fn fill(&mut self, segment: &LiveSegment, slots: &mut [u32]) -> Result<usize, ReadError> {
        let Some(walk) = &mut self.walk else { return Ok(0) };
        let mut count = 0;
        while let (Some(slot), Some(at)) = (slots.get_mut(count), walk.at) {
            let (selection, bounds, effort) = (&mut walk.selection, &walk.bounds, &mut self.effort);
            let until = self.occurred_until;
            let found = segment.ask(|index| next(selection, index, bounds, at, until, effort))?;
            walk.at = found.and_then(|ordinal| bounds.after(ordinal));
            let Some(ordinal) = found else { break };
            *slot = ordinal;
            count += 1;
        }
        Ok(count)
    }

    /// Whether an event is selected, and occurred in time.
    pub(super) fn is_wanted(&self, event: &EventRef<'_>) -> bool {
        self.selector.matches(event) && self.occurred_until.is_none_or(|until| event.occurred_at() <= until)
    }

    /// Notes that an event was looked at which is not meant.
    pub(super) fn pass(&mut self) {
        self.explanation.found = self.explanation.found.saturating_sub(1);
    }

    /// What it took so far.
    pub(super) fn explanation(&self) -> Explanation {
        let mut explanation = self.explanation.clone();
        explanation.names += self.effort.names;
        explanation.entries += self.effort.entries;
        if explanation.plan.is_empty() {
            explanation.plan.push("index: none of the names is there".into());
        }
        explanation
    }
}

/// The first event selected from `at` on that may have occurred until then.
fn next(
    selection: &mut Selection,
    index: &PartIndex,
    bounds: &Bounds,
    mut at: u32,
    until: Option<Timestamp>,
    effort: &mut Effort,
) -> Result<Option<u32>, Damaged> {
    loop {
        let Some(found) = selection.next(index, bounds, at, effort)? else { return Ok(None) };
        let Some(until) = until else { return Ok(Some(found)) };
        effort.entries += 1;
        let Some(later) = index.later_than(found, until)? else { return Ok(Some(found)) };
        // None of those around it did.
        let last = if bounds.reverse { later.start } else { later.end - 1 };
        match bounds.after(last) {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
}
