//! The log as it would be with one thread: what each checker holds a history against.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Streams of a history at most.
pub(super) const STREAMS: usize = 5;

/// What must hold of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guard {
    Any,
    Empty,
    Exists,
    LastIs(u64),
}

impl Guard {
    /// Whether it holds of a stream of so many events.
    fn holds(self, events: u64) -> bool {
        match self {
            Guard::Any => true,
            Guard::Empty => events == 0,
            Guard::Exists => events > 0,
            Guard::LastIs(last) => events.checked_sub(1) == Some(last),
        }
    }
}

/// Events for one stream, and what must hold of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) stream: usize,
    pub(super) events: u64,
    pub(super) guard: Guard,
}

/// A transaction as it is submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Submission {
    /// No two transactions of a history have the same; one that is submitted again keeps it.
    pub(super) tag: u64,
    /// Whether it has a transaction id, made of its tag.
    pub(super) id: bool,
    pub(super) parts: Vec<Part>,
}

impl Submission {
    pub(super) fn events(&self) -> u64 {
        self.parts.iter().map(|part| part.events).sum()
    }
}

impl fmt::Display for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}{}", self.tag, if self.id { " (id)" } else { "" })?;
        for part in &self.parts {
            write!(f, " {}+{} if {:?}", part.stream, part.events, part.guard)?;
        }
        Ok(())
    }
}

/// Where a transaction is: the log's revision before it and with it, and the position of its last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) basis: u64,
    pub(super) revision: u64,
    pub(super) last: Option<u64>,
}

/// Events in order: how many, and a digest of which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct List {
    pub(super) count: u64,
    pub(super) digest: u64,
}

impl List {
    /// Adds event `index` of the transaction `tag`.
    pub(super) fn push(&mut self, tag: u64, index: u64) {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&tag.to_le_bytes());
        bytes[8..].copy_from_slice(&index.to_le_bytes());
        self.digest = xxh3_64_with_seed(&bytes, self.digest);
        self.count += 1;
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} events ({:04x})", self.count, self.digest & 0xffff)
    }
}

/// The log at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct State {
    pub(super) log: List,
    pub(super) streams: [List; STREAMS],
}

impl State {
    /// Whether all conditions hold; else the stream of the first that does not.
    pub(super) fn admits(&self, submission: &Submission) -> Result<(), usize> {
        let unmet = submission.parts.iter().find(|part| !part.guard.holds(self.streams[part.stream].count));
        unmet.map_or(Ok(()), |part| Err(part.stream))
    }

    /// Appends a transaction.
    pub(super) fn append(&mut self, submission: &Submission) -> Placed {
        let basis = self.log.count;
        let (mut index, mut last) = (0, None);
        for part in &submission.parts {
            for _ in 0..part.events {
                last = Some(self.streams[part.stream].count);
                self.streams[part.stream].push(submission.tag, index);
                self.log.push(submission.tag, index);
                index += 1;
            }
        }
        Placed { basis, revision: self.log.count, last }
    }

    /// The position of a stream's last event.
    pub(super) fn last(&self, stream: usize) -> Option<u64> {
        self.streams[stream].count.checked_sub(1)
    }
}

/// The transactions of a log, and the states between them.
#[derive(Debug, Clone)]
pub(super) struct Ledger {
    pub(super) transactions: Vec<(Arc<Submission>, Placed)>,
    /// One more than there are transactions: the first is the empty log.
    pub(super) states: Vec<State>,
    by_tag: HashMap<u64, usize>,
}

impl Ledger {
    pub(super) fn new() -> Self {
        Self { transactions: Vec::new(), states: vec![State::default()], by_tag: HashMap::new() }
    }

    /// The log as it ends.
    pub(super) fn state(&self) -> State {
        self.states.last().copied().unwrap_or_default()
    }

    /// Where a transaction is, if it is there.
    pub(super) fn find(&self, tag: u64) -> Option<Placed> {
        self.by_tag.get(&tag).map(|at| self.transactions[*at].1)
    }

    /// Becomes the log of these transactions.
    pub(super) fn become_log(&mut self, log: &[Arc<Submission>]) {
        let tags = |known: &[(Arc<Submission>, Placed)]| {
            known.iter().zip(log).take_while(|((known, _), new)| known.tag == new.tag).count()
        };
        let same = tags(&self.transactions);
        for (gone, _) in self.transactions.drain(same..) {
            self.by_tag.remove(&gone.tag);
        }
        self.states.truncate(same + 1);
        for submission in &log[same..] {
            let mut state = self.state();
            let placed = state.append(submission);
            self.by_tag.insert(submission.tag, self.transactions.len());
            self.transactions.push((Arc::clone(submission), placed));
            self.states.push(state);
        }
    }
}
