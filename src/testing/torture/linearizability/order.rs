//! The quick check: the log itself is the order of all appends, so every other operation must find its place in that order.
//!
//! The log with k new transactions has k + 1 states. Each operation is put at the first state that explains it and is not before
//! the state of any operation that had ended when it began. All constraints are lower bounds, so the first choice is the best
//! one: if some order explains the history, this finds one. It takes histories of any length.

use super::history::{Answer, Call, Finding, Operation, Restart, Window, Wrong};
use super::model::{Ledger, Placed, State, Submission};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

/// Checks the operations of a window that begins with the log `base`.
pub(super) fn check(base: &Ledger, window: &Window) -> Result<(), Finding> {
    let truth = truth(base, window)?;
    let mut order = Order::new(base, truth)?;
    order.find_owners(window)?;
    let mut operations: Vec<(usize, &Operation)> = window.operations.iter().enumerate().collect();
    operations.sort_by_key(|(_, operation)| operation.invoked);
    let (mut bound, mut ended) = (0, BinaryHeap::new());
    for (index, operation) in operations {
        while let Some(Reverse((answered, state))) = ended.peek().copied()
            && answered < operation.invoked
        {
            bound = bound.max(state);
            ended.pop();
        }
        let state = order.place(index, operation, bound).map_err(|Finding { wrong, what }| {
            Finding::new(wrong, format!("{what}: {operation} (state {bound} had been seen)"))
        })?;
        if operation.answer != Answer::Unknown {
            ended.push(Reverse((operation.answered, state)));
        }
    }
    let bound = ended.into_iter().map(|Reverse((_, state))| state).max().unwrap_or(0).max(bound);
    order.check_end(base, window, bound)
}

/// All transactions that the log came to hold within the window, those included that a restart has lost.
fn truth<'w>(base: &Ledger, window: &'w Window) -> Result<&'w [Arc<Submission>], Finding> {
    let visible = window.visible.as_deref();
    if let Some(visible) = visible {
        continues(base, visible)?;
    }
    let Some(Restart { may_roll_back, durable, found, how }) = &window.restart else {
        let visible = visible.ok_or_else(|| Finding::new(Wrong::Lost, "nobody looked at the log"))?;
        return Ok(&visible[base.transactions.len()..]);
    };
    let known: Vec<u64> = match visible {
        Some(visible) => visible.iter().map(|submission| submission.tag).collect(),
        None => base.transactions.iter().map(|(submission, _)| submission.tag).collect(),
    };
    if let Some(at) = known.iter().zip(found).position(|(known, found)| *known != found.tag) {
        let what = format!("after {how}, transaction {at} is {:x} and no longer {:x}", found[at].tag, known[at]);
        return Err(Finding::new(Wrong::Lost, what));
    }
    if found.len() >= known.len() {
        return Ok(&found[base.transactions.len()..]);
    }
    let kept: u64 = found.iter().map(|submission| submission.events()).sum();
    if !may_roll_back || kept < *durable {
        let (there, found) = (known.len(), found.len());
        let what = format!("after {how}, {found} of {there} transactions were left, and {kept} events");
        return Err(Finding::new(Wrong::Lost, what));
    }
    Ok(visible.and_then(|visible| visible.get(base.transactions.len()..)).unwrap_or_default())
}

/// Whether the log is the base with more behind it.
fn continues(base: &Ledger, log: &[Arc<Submission>]) -> Result<(), Finding> {
    let differs = |at: &usize| log.get(*at).map(|new| new.tag) != Some(base.transactions[*at].0.tag);
    match (0..base.transactions.len()).find(differs) {
        None => Ok(()),
        Some(at) => {
            let what = format!("transaction {at} ({:x}) is no longer in its place", base.transactions[at].0.tag);
            Err(Finding::new(Wrong::Lost, what))
        }
    }
}

/// The order of a window.
struct Order<'a> {
    base: &'a Ledger,
    truth: &'a [Arc<Submission>],
    /// Where they are.
    placed: Vec<Placed>,
    /// Before the first and after each of them.
    states: Vec<State>,
    by_tag: HashMap<u64, usize>,
    /// Which operation has appended each of them.
    owners: Vec<usize>,
}

impl<'a> Order<'a> {
    fn new(base: &'a Ledger, truth: &'a [Arc<Submission>]) -> Result<Self, Finding> {
        let mut order = Self {
            base,
            truth,
            placed: Vec::new(),
            states: vec![base.state()],
            by_tag: HashMap::new(),
            owners: Vec::new(),
        };
        for (index, submission) in truth.iter().enumerate() {
            let mut state = order.states[index];
            if base.find(submission.tag).is_some() || order.by_tag.insert(submission.tag, index).is_some() {
                return Err(Finding::new(
                    Wrong::Twice,
                    format!("{submission}, for the second time at {}", state.log.count),
                ));
            }
            if let Err(stream) = state.admits(submission) {
                let what =
                    format!("{submission} stands where stream {stream} had {} events", state.streams[stream].count);
                return Err(Finding::new(Wrong::ConditionUnmet, what));
            }
            order.placed.push(state.append(submission));
            order.states.push(state);
        }
        Ok(order)
    }

    /// Finds who appended each transaction: who was told so, else the first who was told nothing.
    fn find_owners(&mut self, window: &Window) -> Result<(), Finding> {
        let (mut told, mut unknown) = (HashMap::new(), HashMap::new());
        for (index, operation) in window.operations.iter().enumerate() {
            let Call::Append(submission) = &operation.call else { continue };
            match operation.answer {
                Answer::Appended(_) => {
                    if let Some(other) = told.insert(submission.tag, index) {
                        let what = format!("{operation} and {}", window.operations[other]);
                        return Err(Finding::new(
                            Wrong::Receipt,
                            format!("both were told that they were the first: {what}"),
                        ));
                    }
                }
                Answer::Unknown => {
                    let first = unknown.entry(submission.tag).or_insert(index);
                    if window.operations[*first].invoked > operation.invoked {
                        *first = index;
                    }
                }
                _ => {}
            }
        }
        for submission in self.truth {
            let owner = told.get(&submission.tag).or_else(|| unknown.get(&submission.tag));
            let owner = owner.ok_or_else(|| Finding::new(Wrong::Unowned, format!("{submission} is in the log")))?;
            self.owners.push(*owner);
        }
        Ok(())
    }

    /// The first state from `bound` on that explains an operation; for an append, the one it made.
    fn place(&self, index: usize, operation: &Operation, bound: usize) -> Result<usize, Finding> {
        let wrong = |wrong, what: &str| Err(Finding::new(wrong, what));
        match (&operation.call, &operation.answer) {
            (Call::Append(submission), Answer::Appended(placed)) if submission.events() == 0 => {
                let fits = |state: &State| {
                    (placed.basis, placed.revision) == (state.log.count, state.log.count)
                        && placed.last.is_none()
                        && state.admits(submission).is_ok()
                };
                self.first(bound, Wrong::NeverSeen, fits)
            }
            (Call::Append(submission), Answer::Appended(placed)) => match self.by_tag.get(&submission.tag) {
                None => wrong(Wrong::Lost, "an acknowledged append is not in the log"),
                Some(at) if self.placed[*at] != *placed => {
                    Err(Finding::new(Wrong::Receipt, format!("it is at {:?}", self.placed[*at])))
                }
                Some(at) if *at < bound => wrong(Wrong::AgainstRealTime, "it is in the log before what had ended"),
                Some(at) => Ok(at + 1),
            },
            (Call::Append(submission), Answer::Repeated(placed)) => {
                let there = self.by_tag.get(&submission.tag);
                let known = there.map(|at| self.placed[*at]).or_else(|| self.base.find(submission.tag));
                match known {
                    None => wrong(Wrong::Lost, "a repeated transaction is not in the log"),
                    Some(known) if known != *placed => {
                        Err(Finding::new(Wrong::Receipt, format!("the first one is at {known:?}")))
                    }
                    Some(_) => Ok(bound.max(there.map_or(0, |at| at + 1))),
                }
            }
            (Call::Append(submission), Answer::Unknown) => match self.by_tag.get(&submission.tag) {
                Some(at) if self.owners[*at] == index && *at < bound => {
                    wrong(Wrong::AgainstRealTime, "it is in the log before what had ended")
                }
                _ => Ok(bound),
            },
            (Call::Append(submission), Answer::Refused { stream, last }) => {
                self.refused(submission, *stream, *last, bound)
            }
            _ => self.place_read(operation, bound),
        }
    }

    fn refused(
        &self,
        submission: &Submission,
        stream: usize,
        last: Option<u64>,
        bound: usize,
    ) -> Result<usize, Finding> {
        // Its id is looked up before any condition: one that is there is not refused.
        let until = match (self.base.find(submission.tag), self.by_tag.get(&submission.tag)) {
            (Some(_), _) if submission.id => 0,
            (None, Some(at)) if submission.id => at + 1,
            _ => self.states.len(),
        };
        let fits = |at: &usize| {
            let state = &self.states[*at];
            state.admits(submission) == Err(stream) && state.last(stream) == last
        };
        let found = (bound..until).find(fits);
        found.ok_or_else(|| Finding::new(Wrong::UnexplainedRefusal, "no state explains the refusal"))
    }

    fn place_read(&self, operation: &Operation, bound: usize) -> Result<usize, Finding> {
        match (&operation.call, &operation.answer) {
            (_, Answer::NotDone | Answer::Unknown) => Ok(bound),
            (_, Answer::Gap { expected, found }) => {
                Err(Finding::new(Wrong::Gap, format!("{found} where {expected} should be")))
            }
            (Call::Last(stream), Answer::Last(last)) => {
                self.first(bound, Wrong::NeverSeen, |state| state.last(*stream) == *last)
            }
            (Call::Stream(stream), Answer::Events(list)) => {
                self.first(bound, Wrong::NeverSeen, |state| state.streams[*stream] == *list)
            }
            (Call::Log, Answer::Events(list)) => self.first(bound, Wrong::NeverSeen, |state| state.log == *list),
            (Call::Revision, Answer::Revision(revision)) => {
                self.first(bound, Wrong::NeverSeen, |state| state.log.count == *revision)
            }
            (Call::Sync, Answer::Revision(revision)) if *revision >= self.states[bound].log.count => Ok(bound),
            (Call::Sync, Answer::Revision(_)) => {
                Err(Finding::new(Wrong::SyncTooLow, "what was acknowledged before it is not covered"))
            }
            _ => Err(Finding::new(Wrong::NeverSeen, "an answer to something else")),
        }
    }

    fn first(&self, bound: usize, never: Wrong, fits: impl Fn(&State) -> bool) -> Result<usize, Finding> {
        if let Some(at) = self.states[bound..].iter().position(&fits) {
            return Ok(bound + at);
        }
        let before = self.states[..bound].iter().rev().chain(self.base.states.iter().rev()).any(fits);
        if before {
            return Err(Finding::new(Wrong::StaleRead, "an older state than one that had been seen"));
        }
        Err(Finding::new(never, "no state of the log explains it"))
    }

    /// What is there at the end holds all that was seen; what a restart has lost was not durable.
    fn check_end(&self, base: &Ledger, window: &Window, bound: usize) -> Result<(), Finding> {
        if let Some(visible) = &window.visible
            && visible.len() < base.transactions.len() + bound
        {
            let seen = self.states[bound].log;
            return Err(Finding::new(Wrong::Lost, format!("{seen} had been seen, and the log shows fewer at the end")));
        }
        Ok(())
    }
}
