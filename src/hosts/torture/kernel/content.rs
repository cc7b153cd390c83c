//! What the workload appends: every byte follows from the seed, the thread and the thread's counter, so that all can be checked.

use std::collections::BTreeSet;
use stratalog::{Condition, EventStore, NewEvent, Payload, StoredEvent, Transaction, position_is, transaction};

/// Bytes of an event's metadata, which says whose event it is.
const IDENTITY_BYTES: usize = 20;
/// The category of the threads' own streams, which nobody else appends to.
pub(crate) const OWN: &str = "own";
/// Streams that all threads append to.
const SHARED: [(&str, &str); 4] = [("shared", "a"), ("shared", "b"), ("other", "a"), ("other", "")];

/// Which transaction an event belongs to, and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) thread: u32,
    pub(crate) counter: u64,
    pub(crate) index: u32,
    pub(crate) of: u32,
}

impl Identity {
    fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(IDENTITY_BYTES);
        bytes.extend_from_slice(&self.thread.to_le_bytes());
        bytes.extend_from_slice(&self.counter.to_le_bytes());
        bytes.extend_from_slice(&self.index.to_le_bytes());
        bytes.extend_from_slice(&self.of.to_le_bytes());
        bytes
    }

    /// Whose event this is; `None` where the metadata is nothing that the workload writes.
    pub(crate) fn of(event: &StoredEvent) -> Option<Self> {
        let bytes: &[u8; IDENTITY_BYTES] = event.metadata()?.try_into().ok()?;
        let (thread, rest) = bytes.split_first_chunk::<4>()?;
        let (counter, rest) = rest.split_first_chunk::<8>()?;
        let (index, of) = rest.split_first_chunk::<4>()?;
        Some(Self {
            thread: u32::from_le_bytes(*thread),
            counter: u64::from_le_bytes(*counter),
            index: u32::from_le_bytes(*index),
            of: u32::from_le_bytes(of.try_into().ok()?),
        })
    }
}

/// What must hold of the streams of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    Nothing,
    /// The thread's own stream ends where the thread left it.
    Own,
    /// The first stream, which others append to as well, ends where it was read to end.
    Contended,
}

/// One event of a transaction.
#[derive(Debug, Clone)]
struct Planned {
    category: &'static str,
    stream: String,
    payload: Payload,
}

/// A transaction of the workload.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    thread: u32,
    counter: u64,
    pub(crate) id: Option<String>,
    pub(crate) guard: Guard,
    events: Vec<Planned>,
}

impl Plan {
    /// The transaction that the thread's counter stands for.
    pub(crate) fn of(seed: u64, thread: u32, counter: u64) -> Self {
        let mixed =
            seed ^ u64::from(thread).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ counter.wrapping_mul(0xd1b5_4a32_d192_ed03);
        let mut random = fastrand::Rng::with_seed(mixed);
        let own = |payload| Planned { category: OWN, stream: thread.to_string(), payload };
        let mut events = Vec::new();
        let guard = match random.u8(0..8) {
            0..=2 => {
                events.push(own(payload(&mut random)));
                Guard::Own
            }
            3 | 4 => {
                let (category, stream) = SHARED[random.usize(..SHARED.len())];
                for _ in 0..random.usize(1..4) {
                    events.push(Planned { category, stream: stream.into(), payload: payload(&mut random) });
                }
                Guard::Nothing
            }
            5 => {
                let (category, stream) = SHARED[random.usize(..SHARED.len())];
                events.push(Planned { category, stream: stream.into(), payload: payload(&mut random) });
                Guard::Contended
            }
            _ => {
                for (category, stream) in SHARED {
                    events.push(Planned { category, stream: stream.into(), payload: payload(&mut random) });
                }
                events.push(own(payload(&mut random)));
                Guard::Own
            }
        };
        let id = random.bool().then(|| format!("{thread}-{counter}"));
        Self { thread, counter, id, guard, events }
    }

    /// How many of the events go to the thread's own stream.
    pub(crate) fn own_events(&self) -> u64 {
        self.events.iter().filter(|event| event.category == OWN).count() as u64
    }

    fn identity(&self, index: usize) -> Identity {
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Identity { thread: self.thread, counter: self.counter, index: small(index), of: small(self.events.len()) }
    }

    /// The transaction, to be appended to `store`. `own_last` is the last position of the thread's own stream.
    pub(crate) fn build(&self, store: &EventStore, own_last: Option<u64>) -> Result<Transaction, stratalog::ReadError> {
        let mut whole = transaction();
        if let Some(id) = &self.id {
            whole = whole.id(id.as_str());
        }
        let mut guarded = BTreeSet::new();
        for (index, planned) in self.events.iter().enumerate() {
            let is_own = planned.category == OWN;
            let condition = match self.guard {
                _ if !guarded.insert((planned.category, planned.stream.as_str())) => Condition::any(),
                Guard::Own if is_own => position_is(own_last.map(stratalog::Position::new)),
                Guard::Contended => {
                    let last = store.stream(planned.category, planned.stream.as_str()).latest()?;
                    position_is(last.map(|event| event.position()))
                }
                Guard::Own | Guard::Nothing => Condition::any(),
            };
            let event = NewEvent::from_payload("written", planned.payload.clone());
            let event = event.with_metadata(self.identity(index).encode());
            whole = whole.stream_if(planned.category, planned.stream.as_str(), [event], condition);
        }
        Ok(whole)
    }

    /// Whether the event at `index` is what was planned; else what differs.
    pub(crate) fn check(&self, index: usize, event: &StoredEvent) -> Result<(), String> {
        let at = event.sequence_number();
        let Some(planned) = self.events.get(index) else {
            return Err(format!("event {at} is number {index} of a transaction of {}", self.events.len()));
        };
        let (wanted, found) = (planned.payload.as_ref(), event.payload());
        let same = Identity::of(event) == Some(self.identity(index))
            && event.name() == "written"
            && event.category() == planned.category
            && event.stream() == planned.stream
            && event.transaction_id() == self.id.as_deref()
            && found.kind() == wanted.kind()
            && found.bytes() == wanted.bytes();
        if same {
            return Ok(());
        }
        let (category, stream) = (event.category(), event.stream());
        let whose = format!("thread {} counter {} index {index}", self.thread, self.counter);
        Err(format!("event {at} ({category}/{stream}, {} bytes) is not what {whose} wrote", found.bytes().len()))
    }

    /// Whether these are the transaction's events, all of them; else what differs.
    pub(crate) fn check_all(&self, events: &[StoredEvent]) -> Result<(), String> {
        if events.len() != self.events.len() {
            let whose = format!("thread {} counter {}", self.thread, self.counter);
            return Err(format!("the transaction of {whose} has {} of {} events", events.len(), self.events.len()));
        }
        events.iter().enumerate().try_for_each(|(index, event)| self.check(index, event))
    }
}

/// A payload of 0 to 64 KiB, most of them small; some are none at all.
fn payload(random: &mut fastrand::Rng) -> Payload {
    let length = match random.u8(0..100) {
        0..=4 => return Payload::none(),
        5..=9 => 0,
        10..=69 => random.usize(1..256),
        70..=95 => random.usize(256..4_096),
        96..=98 => random.usize(4_096..32_768),
        _ => random.usize(32_768..=65_536),
    };
    let mut bytes = vec![0; length];
    random.fill(&mut bytes);
    Payload::binary(bytes)
}
