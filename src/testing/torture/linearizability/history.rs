//! What threads did to a store, when, and what they were told.

use super::model::{List, Placed, Submission};
use std::fmt;
use std::sync::Arc;

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Call {
    Append(Arc<Submission>),
    /// The last position of a stream.
    Last(usize),
    /// All events of a stream.
    Stream(usize),
    /// All events.
    Log,
    Revision,
    /// Makes everything durable.
    Sync,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Appended(Placed),
    /// It had been there before.
    Repeated(Placed),
    /// The condition on this stream did not hold, whose last position was this.
    Refused {
        stream: usize,
        last: Option<u64>,
    },
    /// It may have been done, or be done at any later time up to the end of the process.
    Unknown,
    /// It was certainly not done, for a reason that has nothing to do with the log.
    NotDone,
    Last(Option<u64>),
    Events(List),
    /// An event was not the next one of what was read: this number was expected, and that one found.
    Gap {
        expected: u64,
        found: u64,
    },
    /// The revision of the log; after a sync, the one that is durable.
    Revision(u64),
}

/// One operation of one thread, between two readings of the clock that all share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) thread: usize,
    pub(super) invoked: u64,
    pub(super) answered: u64,
    pub(super) call: Call,
    pub(super) answer: Answer,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{:>4} {:>4}] thread {}: ", self.invoked, self.answered, self.thread)?;
        match &self.call {
            Call::Append(submission) => write!(f, "append {submission}")?,
            call => write!(f, "{call:?}")?,
        }
        match &self.answer {
            Answer::Events(list) => write!(f, " -> {list}"),
            answer => write!(f, " -> {answer:?}"),
        }
    }
}

/// The end of a process, and what the next one finds.
#[derive(Debug, Clone)]
pub(super) struct Restart {
    /// How it ended, for people.
    pub(super) how: &'static str,
    /// Whether what was acknowledged may be gone: after a power cut, where acknowledged does not mean durable.
    pub(super) may_roll_back: bool,
    /// Up to where it may not.
    pub(super) durable: u64,
    pub(super) found: Vec<Arc<Submission>>,
}

/// Operations between two moments at which no thread was in one.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    pub(super) operations: Vec<Operation>,
    /// The whole log as read at the end, by the process that had done all this. A closed store shows nothing.
    pub(super) visible: Option<Vec<Arc<Submission>>>,
    pub(super) restart: Option<Restart>,
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut operations: Vec<&Operation> = self.operations.iter().collect();
        operations.sort_by_key(|operation| operation.invoked);
        for operation in operations {
            writeln!(f, "    {operation}")?;
        }
        if let Some(visible) = &self.visible {
            writeln!(f, "    at the end {} transactions are visible: {}", visible.len(), Tail(visible))?;
        }
        if let Some(Restart { how, may_roll_back, durable, found }) = &self.restart {
            writeln!(f, "    {how} (durable up to {durable}, may roll back: {may_roll_back})")?;
            writeln!(f, "    {} transactions are found: {}", found.len(), Tail(found))?;
        }
        Ok(())
    }
}

/// The last transactions of a log.
struct Tail<'a>(&'a [Arc<Submission>]);

impl fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.len().min(200);
        for submission in &self.0[self.0.len() - shown..] {
            write!(f, " {:x}", submission.tag)?;
        }
        Ok(())
    }
}

/// What is wrong with a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrong {
    /// What was acknowledged or seen is not in the log.
    Lost,
    /// The log holds what nobody can have appended.
    Unowned,
    /// A transaction stands twice in the log.
    Twice,
    /// A transaction stands where its condition does not hold.
    ConditionUnmet,
    /// A receipt says something else than the log.
    Receipt,
    /// A refusal for which there was no moment.
    UnexplainedRefusal,
    /// A read of an older state than one that somebody had seen before.
    StaleRead,
    /// A read of a state that never was.
    NeverSeen,
    /// A read that leaves out an event.
    Gap,
    /// The log has an append before what had ended when it began.
    AgainstRealTime,
    /// A sync that does not cover what was acknowledged before it.
    SyncTooLow,
    /// No order of the operations explains them.
    NotLinearizable,
}

/// What is wrong, and where.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) wrong: Wrong,
    pub(super) what: String,
}

impl Finding {
    pub(super) fn new(wrong: Wrong, what: impl Into<String>) -> Self {
        Self { wrong, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.wrong, self.what)
    }
}
