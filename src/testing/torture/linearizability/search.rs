//! The thorough check: Wing and Gong's search for an order that explains a history, with Lowe's memory of what led nowhere.
//!
//! It knows nothing of where the log has the transactions: it takes one operation after the other that may come next in time,
//! applies it to the model, and goes back where the answer does not fit. An operation of unknown outcome may take effect at any
//! time up to the end of its process, or never.

use super::history::{Answer, Call, Finding, Operation, Restart, Window, Wrong};
use super::model::{Ledger, List, Placed, State, Submission};
use std::collections::HashSet;
use std::sync::Arc;

/// Operations of a window at most, the reading and the restart at its end included.
pub(super) const OPERATIONS_MOST: usize = 254;
/// Steps after which a search is given up, and counted as such.
const STEPS_MOST: u64 = 2_000_000;

/// What a search has found.
#[derive(Debug)]
pub(super) enum Verdict {
    Linearizable,
    /// There is no order. The furthest that any went, and what could not follow it.
    Not(Finding),
    /// It took too long.
    GivenUp,
}

/// Searches for an order of the operations of a window that begins with the log `base`.
pub(super) fn search(base: &Ledger, window: &Window) -> Verdict {
    let mut steps: Vec<Step<'_>> = window.operations.iter().filter_map(Step::of).collect();
    // Both follow whatever was answered. What was not may follow the reading, and not the restart.
    if let Some(visible) = &window.visible {
        steps.push(Step { invoked: u64::MAX - 4, answered: u64::MAX - 3, act: Act::Show(digest(visible)) });
    }
    if let Some(restart) = &window.restart {
        steps.push(Step {
            invoked: u64::MAX - 2,
            answered: u64::MAX - 1,
            act: Act::Restart(restart, digest(&restart.found)),
        });
    }
    let left = steps.iter().filter(|step| !step.is_optional()).count();
    if steps.len() > OPERATIONS_MOST {
        return Verdict::GivenUp;
    }
    let mut search = Search {
        base,
        steps,
        taken: Taken::default(),
        path: Vec::new(),
        known: HashSet::new(),
        spent: 0,
        furthest: None,
    };
    match search.go(left) {
        _ if search.spent > STEPS_MOST => Verdict::GivenUp,
        true => Verdict::Linearizable,
        false => Verdict::Not(search.finding()),
    }
}

fn digest(log: &[Arc<Submission>]) -> List {
    let mut state = State::default();
    for submission in log {
        state.append(submission);
    }
    state.log
}

/// One step of an order.
struct Step<'a> {
    invoked: u64,
    answered: u64,
    act: Act<'a>,
}

enum Act<'a> {
    Operation(&'a Operation),
    Show(List),
    Restart(&'a Restart, List),
}

impl<'a> Step<'a> {
    fn of(operation: &'a Operation) -> Option<Self> {
        let answered = match operation.answer {
            Answer::NotDone => return None,
            Answer::Unknown => u64::MAX,
            _ => operation.answered,
        };
        Some(Self { invoked: operation.invoked, answered, act: Act::Operation(operation) })
    }

    /// Whether it need not happen.
    fn is_optional(&self) -> bool {
        matches!(self.act, Act::Operation(Operation { answer: Answer::Unknown, .. }))
    }
}

/// Which steps are taken: one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
struct Taken([u64; 4]);

impl Taken {
    fn has(&self, index: usize) -> bool {
        self.0[index / 64] >> (index % 64) & 1 == 1
    }

    fn flip(&mut self, index: usize) {
        self.0[index / 64] ^= 1 << (index % 64);
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

struct Search<'a> {
    base: &'a Ledger,
    steps: Vec<Step<'a>>,
    taken: Taken,
    /// The transactions appended so far, with the states after each.
    path: Vec<(u64, Placed, State)>,
    /// What was reached before, and led nowhere.
    known: HashSet<(Taken, u64)>,
    spent: u64,
    furthest: Option<(Taken, State)>,
}

/// What a step did to the model.
enum Effect {
    None,
    Appended,
}

impl Search<'_> {
    fn state(&self) -> State {
        self.path.last().map_or_else(|| self.base.state(), |(_, _, state)| *state)
    }

    /// Whether some order of the other steps follows those taken, `left` of which must.
    fn go(&mut self, left: usize) -> bool {
        self.spent += 1;
        if self.furthest.as_ref().is_none_or(|(taken, _)| taken.count() < self.taken.count()) {
            self.furthest = Some((self.taken, self.state()));
        }
        if left == 0 || self.spent > STEPS_MOST {
            return left == 0;
        }
        let open = (0..self.steps.len()).filter(|index| !self.taken.has(*index));
        let earliest = open.map(|index| self.steps[index].answered).min().unwrap_or(u64::MAX);
        for index in 0..self.steps.len() {
            if self.taken.has(index) || self.steps[index].invoked > earliest {
                continue;
            }
            let Some(effect) = self.take(index) else { continue };
            self.taken.flip(index);
            let left = left - usize::from(!self.steps[index].is_optional());
            if self.known.insert((self.taken, self.state().log.digest)) && self.go(left) {
                return true;
            }
            self.taken.flip(index);
            match effect {
                Effect::Appended => drop(self.path.pop()),
                // Whatever could have come before it can as well come behind it: there is no need to try that.
                Effect::None => return false,
            }
        }
        false
    }

    /// Applies a step, if its answer fits.
    fn take(&mut self, index: usize) -> Option<Effect> {
        let state = self.state();
        let pure = |fits: bool| fits.then_some(Effect::None);
        let operation = match self.steps[index].act {
            Act::Operation(operation) => operation,
            Act::Show(list) => return pure(state.log == list),
            Act::Restart(restart, found) => return pure(state.log == found || self.rolls_back(restart, found)),
        };
        match (&operation.call, &operation.answer) {
            (Call::Append(submission), answer) => self.append(submission, answer, state),
            (Call::Last(stream), Answer::Last(last)) => pure(state.last(*stream) == *last),
            (Call::Stream(stream), Answer::Events(list)) => pure(state.streams[*stream] == *list),
            (Call::Log, Answer::Events(list)) => pure(state.log == *list),
            (Call::Revision, Answer::Revision(revision)) => pure(state.log.count == *revision),
            (Call::Sync, Answer::Revision(revision)) => pure(*revision >= state.log.count),
            _ => None,
        }
    }

    fn append(&mut self, submission: &Submission, answer: &Answer, mut state: State) -> Option<Effect> {
        let pure = |fits: bool| fits.then_some(Effect::None);
        let there = if submission.id { self.find(submission.tag) } else { None };
        let verdict = state.admits(submission);
        match answer {
            Answer::Repeated(placed) => pure(there == Some(*placed)),
            Answer::Refused { stream, last } => {
                pure(there.is_none() && verdict == Err(*stream) && state.last(*stream) == *last)
            }
            Answer::Appended(_) | Answer::Unknown if there.is_some() || verdict.is_err() => None,
            Answer::Appended(_) | Answer::Unknown => {
                let placed = state.append(submission);
                match answer {
                    Answer::Appended(told) if *told != placed => return None,
                    Answer::Unknown if submission.events() == 0 => return None,
                    _ if submission.events() == 0 => return Some(Effect::None),
                    _ => {}
                }
                self.path.push((submission.tag, placed, state));
                Some(Effect::Appended)
            }
            _ => None,
        }
    }

    fn find(&self, tag: u64) -> Option<Placed> {
        let new = self.path.iter().find(|(known, _, _)| *known == tag).map(|(_, placed, _)| *placed);
        new.or_else(|| self.base.find(tag))
    }

    /// Whether the log was at `found` before, and nothing is lost that may not be.
    fn rolls_back(&self, restart: &Restart, found: List) -> bool {
        let earlier = self.path.iter().map(|(_, _, state)| state.log);
        let mut earlier = earlier.chain(self.base.states.iter().map(|state| state.log));
        restart.may_roll_back && found.count >= restart.durable && earlier.any(|log| log == found)
    }

    fn finding(&self) -> Finding {
        let Some((taken, state)) = self.furthest else {
            return Finding::new(Wrong::NotLinearizable, "nothing was tried");
        };
        let open = (0..self.steps.len()).filter(|index| !taken.has(*index));
        let earliest = open.clone().map(|index| self.steps[index].answered).min().unwrap_or(u64::MAX);
        let stuck: Vec<String> = open
            .filter(|index| self.steps[*index].invoked <= earliest)
            .map(|index| match self.steps[index].act {
                Act::Operation(operation) => operation.to_string(),
                Act::Show(list) => format!("the log at the end: {list}"),
                Act::Restart(_, list) => format!("the log after the restart: {list}"),
            })
            .collect();
        let (taken, of, log) = (taken.count(), self.steps.len(), state.log);
        let what = format!(
            "at best {taken} of {of} steps have an order; at {log} none of these can follow: {}",
            stuck.join("; ")
        );
        Finding::new(Wrong::NotLinearizable, what)
    }
}
