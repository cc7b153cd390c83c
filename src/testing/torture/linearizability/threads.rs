//! What each thread does with the store, and how what it is told is noted.

use super::history::{Answer, Call, Operation};
use super::model::{Guard, List, Part, Placed, STREAMS, Submission};
use crate::disk::SimulatedDisk;
use crate::engine::Engine;
use crate::vocabulary::append::{Append, AppendPart};
use crate::vocabulary::attributes::Attributes;
use crate::vocabulary::condition::{Condition, position_is, stream_exists, stream_is_empty};
use crate::vocabulary::error::{AppendError, ReadError};
use crate::vocabulary::event::{EventRef, NewEvent};
use crate::vocabulary::identifier::{Identifier, Log, Stream};
use crate::vocabulary::options::Durability;
use crate::vocabulary::payload::Payload;
use crate::vocabulary::query::ScanQuery;
use crate::vocabulary::transaction::Receipt;
use fastrand::Rng;
use parking_lot::Mutex;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Bytes of a payload that say which event of which transaction it is.
const MARK_BYTES: usize = 16;
/// Transactions with an id that threads submit again.
const REPEATABLE_MOST: usize = 48;

/// What happens to the process while its threads are at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Incident {
    /// Whoever begins this operation kills the process.
    Kill { at: u64, evict: bool },
    /// Whoever begins this operation closes the store.
    Close { at: u64 },
}

/// What all threads of a history share.
pub(super) struct Shared {
    /// The clock that orders what they do.
    pub(super) clock: AtomicU64,
    pub(super) streams: Vec<Stream>,
    /// Events that each stream is believed to have: what conditions are guessed from.
    pub(super) believed: [AtomicU64; STREAMS],
    /// Transactions that may be submitted again.
    pub(super) repeatable: Mutex<Vec<Arc<Submission>>>,
}

impl Shared {
    pub(super) fn new(streams: usize) -> Self {
        Self {
            clock: AtomicU64::new(1),
            streams: (0..streams).map(|number| Stream::new("history", number.to_string())).collect(),
            believed: Default::default(),
            repeatable: Mutex::default(),
        }
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }
}

/// One process, as its threads have it.
pub(super) struct Process<'a> {
    pub(super) shared: &'a Shared,
    pub(super) engine: &'a Engine,
    pub(super) disk: &'a SimulatedDisk,
    pub(super) incident: Option<Incident>,
    /// Operations begun.
    pub(super) begun: AtomicU64,
    /// Whether it has come to its end: no thread begins anything any more.
    pub(super) over: AtomicBool,
    pub(super) closing: AtomicBool,
    /// The disk as the next process has it, after a kill.
    pub(super) next: Mutex<Option<SimulatedDisk>>,
}

/// One thread in one window.
pub(super) struct Worker<'a> {
    pub(super) process: &'a Process<'a>,
    pub(super) thread: usize,
    pub(super) random: Rng,
    /// The tag of its next transaction.
    pub(super) tag: u64,
    pub(super) operations: Vec<Operation>,
}

impl Worker<'_> {
    /// Does so many operations, or as many as it can.
    ///
    /// # Errors
    /// What no store may answer.
    pub(super) fn run(&mut self, count: usize) -> Result<(), String> {
        for _ in 0..count {
            if self.process.over.load(Ordering::Relaxed) {
                break;
            }
            self.meet_incident()?;
            let call = self.choose();
            let invoked = self.process.shared.tick();
            let answer = self.perform(&call);
            let answered = self.process.shared.tick();
            let answer = answer.map_err(|wrong| format!("thread {}: {call:?}: {wrong}", self.thread))?;
            let ended = matches!(answer, Answer::Unknown | Answer::NotDone);
            self.note(&call, &answer);
            self.operations.push(Operation { thread: self.thread, invoked, answered, call, answer });
            if ended {
                break;
            }
        }
        Ok(())
    }

    fn meet_incident(&self) -> Result<(), String> {
        let process = self.process;
        let turn = process.begun.fetch_add(1, Ordering::Relaxed);
        match process.incident {
            Some(Incident::Kill { at, evict }) if at == turn && !process.disk.is_off() => {
                *process.next.lock() = Some(process.disk.kill(evict));
                process.over.store(true, Ordering::Relaxed);
            }
            Some(Incident::Close { at }) if at == turn => {
                process.closing.store(true, Ordering::SeqCst);
                let closed = process.engine.close();
                process.over.store(true, Ordering::Relaxed);
                if let Err(error) = closed
                    && !process.disk.is_off()
                {
                    return Err(format!("closing failed: {error:?}"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn choose(&mut self) -> Call {
        let streams = self.process.shared.streams.len();
        match self.random.u8(..32) {
            0..=15 => Call::Append(Arc::new(self.submission())),
            16..=18 => {
                let again = {
                    let repeatable = self.process.shared.repeatable.lock();
                    self.random.choice(repeatable.iter()).cloned()
                };
                Call::Append(again.unwrap_or_else(|| Arc::new(self.submission())))
            }
            19..=23 => Call::Last(self.random.usize(..streams)),
            24..=26 => Call::Stream(self.random.usize(..streams)),
            27 => Call::Log,
            28 => Call::Sync,
            _ => Call::Revision,
        }
    }

    fn submission(&mut self) -> Submission {
        let streams = self.process.shared.streams.len();
        self.tag += 1;
        let random = &mut self.random;
        let first = random.usize(..streams);
        let mut parts = vec![(first, [1, 1, 1, 2, 3][random.usize(..5)])];
        if streams > 1 && random.u8(..4) == 0 {
            parts.push(((first + random.usize(1..streams)) % streams, random.u64(..3)));
        }
        // Now and then a question alone.
        let empty = random.u8(..24) == 0;
        let id = !empty && random.u8(..4) == 0;
        let parts = parts.into_iter().map(|(stream, events)| {
            let believed = self.process.shared.believed[stream].load(Ordering::Relaxed);
            let guard = match random.u8(..16) {
                0..=3 => Guard::Any,
                4 => Guard::Exists,
                5 => Guard::Empty,
                6 => Guard::LastIs(believed),
                _ => believed.checked_sub(1).map_or(Guard::Empty, Guard::LastIs),
            };
            Part { stream, events: if empty { 0 } else { events }, guard }
        });
        Submission { tag: self.tag, id, parts: parts.collect() }
    }

    /// Remembers what later choices are made from.
    fn note(&self, call: &Call, answer: &Answer) {
        let shared = self.process.shared;
        match (call, answer) {
            (Call::Last(stream), Answer::Last(last)) | (_, Answer::Refused { stream, last }) => {
                shared.believed[*stream].store(last.map_or(0, |last| last + 1), Ordering::Relaxed);
            }
            _ => {}
        }
        if let (Call::Append(submission), Answer::Appended(_) | Answer::Unknown) = (call, answer)
            && submission.id
        {
            let mut repeatable = shared.repeatable.lock();
            if repeatable.len() >= REPEATABLE_MOST {
                repeatable.remove(0);
            }
            repeatable.push(Arc::clone(submission));
        }
    }

    fn perform(&self, call: &Call) -> Result<Answer, String> {
        let (engine, streams) = (self.process.engine, &self.process.shared.streams);
        match call {
            Call::Append(submission) => {
                let outcome = append(engine, streams, submission);
                self.appended(submission, outcome)
            }
            Call::Last(stream) => {
                let latest = engine.latest(&Identifier::from(streams[*stream].clone()));
                self.read(latest.map(|event| Answer::Last(event.map(|event| event.position().get()))))
            }
            Call::Stream(stream) => self.read(list(engine, streams[*stream].clone().into())),
            Call::Log => self.read(list(engine, Log::new().into())),
            Call::Revision => Ok(Answer::Revision(engine.revision())),
            Call::Sync => self.synced(engine.sync().map(|revision| revision.get())),
        }
    }

    fn read(&self, outcome: Result<Answer, ReadError>) -> Result<Answer, String> {
        match outcome {
            Ok(answer) => Ok(answer),
            Err(ReadError::Closed) if self.process.closing.load(Ordering::SeqCst) => Ok(Answer::NotDone),
            Err(error) => Err(format!("{error:?}")),
        }
    }

    fn synced(&self, outcome: Result<u64, AppendError>) -> Result<Answer, String> {
        match outcome {
            Ok(revision) => Ok(Answer::Revision(revision)),
            Err(error) => self.failed(&error).map(|_| Answer::NotDone),
        }
    }

    fn appended(&self, submission: &Submission, outcome: Result<Receipt, AppendError>) -> Result<Answer, String> {
        let error = match outcome {
            Ok(receipt) => {
                let basis = receipt.basis().get();
                let last = receipt.last_position().map(|position| position.get());
                let placed = Placed { basis, revision: receipt.revision().get(), last };
                let count = u64::try_from(receipt.count()).unwrap_or(u64::MAX);
                if count != submission.events() {
                    return Err(format!("a receipt for {count} events"));
                }
                return Ok(if receipt.is_repeat() { Answer::Repeated(placed) } else { Answer::Appended(placed) });
            }
            Err(error) => error,
        };
        if let AppendError::Unmet(unmet) = &error {
            let known = self.process.shared.streams.iter().position(|stream| *stream == unmet.stream);
            let stream = known.ok_or("a refusal because of a stream that nobody named")?;
            return Ok(Answer::Refused { stream, last: unmet.actual.map(|last| last.get()) });
        }
        self.failed(&error)
    }

    /// A failure must have a reason.
    fn failed(&self, error: &AppendError) -> Result<Answer, String> {
        let process = self.process;
        let excused = match error {
            AppendError::Poisoned { .. } | AppendError::Io(_) => process.disk.is_off(),
            AppendError::Closed => process.closing.load(Ordering::SeqCst),
            _ => false,
        };
        match excused {
            true if error.is_unknown() => Ok(Answer::Unknown),
            true => Ok(Answer::NotDone),
            false => Err(format!("{error:?}")),
        }
    }
}

/// Appends a transaction.
fn append(engine: &Engine, streams: &[Stream], submission: &Submission) -> Result<Receipt, AppendError> {
    let mut index = 0;
    let events: Vec<Vec<NewEvent>> = submission
        .parts
        .iter()
        .map(|part| {
            let event = |_| {
                index += 1;
                NewEvent::from_payload("done", Payload::binary(payload(submission.tag, index - 1)))
            };
            (0..part.events).map(event).collect()
        })
        .collect();
    let conditions: Vec<Condition> = submission
        .parts
        .iter()
        .map(|part| match part.guard {
            Guard::Any => Condition::any(),
            Guard::Empty => stream_is_empty(),
            Guard::Exists => stream_exists(),
            Guard::LastIs(last) => position_is(last),
        })
        .collect();
    let parts = submission.parts.iter().zip(events.iter().zip(&conditions));
    let parts: Vec<AppendPart<'_>> =
        parts.map(|(part, (events, condition))| AppendPart::new(&streams[part.stream], events, condition)).collect();
    let id = submission.id.then(|| Arc::from(format!("{:x}", submission.tag)));
    let attributes = Attributes::new();
    let append = Append { id: id.as_ref(), ..Append::new(&attributes, &parts) };
    if !submission.tag.is_multiple_of(3) {
        return engine.append(&append);
    }
    // A deferred append has happened, like another, once it is as safe as the store makes things.
    let ticket = engine.append_deferred(&append)?;
    if engine.durability() == Durability::Sync { ticket.durable() } else { ticket.accepted() }
}

/// Says which event of which transaction it is, and fills up: segments are to become full.
fn payload(tag: u64, index: u64) -> Vec<u8> {
    let mut bytes = [tag.to_le_bytes(), index.to_le_bytes()].concat();
    let filling = [0, 10, 60, 200, 700][usize::try_from((tag ^ tag >> 32).wrapping_add(index) % 5).unwrap_or_default()];
    bytes.resize(MARK_BYTES + filling, u8::try_from(index % 251).unwrap_or_default());
    bytes
}

/// Which event of which transaction an event is; `None` for one that nobody here has made.
pub(super) fn mark(event: &EventRef<'_>) -> Option<(u64, u64)> {
    let bytes = event.payload().bytes();
    let (tag, rest) = bytes.split_first_chunk::<8>()?;
    let (tag, index) = (u64::from_le_bytes(*tag), u64::from_le_bytes(*rest.first_chunk::<8>()?));
    (bytes == payload(tag, index)).then_some((tag, index))
}

/// Reads all events of a stream or the log.
fn list(engine: &Engine, target: Identifier) -> Result<Answer, ReadError> {
    let of_log = matches!(target, Identifier::Log(_));
    let (mut list, mut gap) = (List::default(), None);
    engine.scan(&ScanQuery::new(target))?.visit(&mut |event| {
        let found = if of_log { event.sequence_number().get() } else { event.position().get() };
        match mark(event) {
            Some((tag, index)) if found == list.count => {
                list.push(tag, index);
                ControlFlow::Continue(())
            }
            _ => {
                gap = Some(Answer::Gap { expected: list.count, found });
                ControlFlow::Break(())
            }
        }
    })?;
    Ok(gap.unwrap_or(Answer::Events(list)))
}
