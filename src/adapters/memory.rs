//! The memory adapter: slow, obvious, the reference that every other adapter must agree with.

mod cursor;

use super::{Append, Capabilities, EventCursor, Stats, StorageAdapter, Ticket, TransactionCursor};
use crate::format::{digest, event_id::IdSeed};
use crate::vocabulary::append;
use crate::vocabulary::append_condition::AppendCondition;
use crate::vocabulary::condition::{Refusal, UnmetCondition};
use crate::vocabulary::error::{AppendError, ReadError};
use crate::vocabulary::event::{EventFields, EventId, Given, IdRepr, NewEvent, StoredEvent};
use crate::vocabulary::identifier::{Identifier, Stream};
use crate::vocabulary::number::Revision;
use crate::vocabulary::options::{Durability, Limits, Options};
use crate::vocabulary::query::ScanQuery;
use crate::vocabulary::reentry;
use crate::vocabulary::selector::Selector;
use crate::vocabulary::time::{Clock, Timestamp};
use crate::vocabulary::transaction::{Receipt, StoredTransaction, SystemRecord};
use bytes::Bytes;
use cursor::{MemoryCursor, MemoryTransactions, select};
use parking_lot::{Condvar, Mutex};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Keeps everything in this process's memory, in the order of arrival, and finds things by looking at all of it.
///
/// An append is linear in the length of the log where it has a condition, and so is every read. Use it for tests.
#[doc(alias = "InMemoryStorageAdapter")]
#[derive(Debug)]
pub struct MemoryAdapter {
    limits: Limits,
    strict_names: bool,
    clock: Arc<dyn Clock>,
    seed: IdSeed,
    state: Mutex<State>,
    /// Rung whenever events came, and when the log is closed.
    grown: Condvar,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    /// Shared with cursors: a scan keeps the list as it was when it began.
    events: Arc<Vec<StoredEvent>>,
    transactions: Arc<Vec<StoredTransaction>>,
    records: BTreeMap<(Arc<str>, Arc<str>), Bytes>,
}

impl Default for MemoryAdapter {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryAdapter {
    /// An empty log with the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::with_options(&Options::default())
    }

    /// An empty log with the limits, the clock and the rule for names of `options`; what is about files has no effect.
    #[must_use]
    pub fn with_options(options: &Options) -> Self {
        Self {
            limits: options.limits.held(),
            strict_names: options.strict_names.unwrap_or(false),
            clock: Arc::clone(&options.clock),
            seed: IdSeed::of(uuid::Uuid::new_v4().as_bytes()),
            state: Mutex::default(),
            grown: Condvar::new(),
        }
    }

    /// The state, for reading.
    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> Result<T, ReadError> {
        if reentry::is_judging() {
            return Err(ReadError::CalledFromCondition);
        }
        let state = self.state.lock();
        if state.closed { Err(ReadError::Closed) } else { Ok(read(&state)) }
    }

    /// The state, for appending.
    fn write<T>(&self, write: impl FnOnce(&mut State) -> Result<T, AppendError>) -> Result<T, AppendError> {
        if reentry::is_judging() {
            return Err(AppendError::CalledFromCondition);
        }
        let mut state = self.state.lock();
        if state.closed {
            return Err(AppendError::Closed);
        }
        let before = state.revision();
        let outcome = write(&mut state);
        if state.revision() > before {
            self.grown.notify_all();
        }
        outcome
    }
}

impl State {
    fn revision(&self) -> u64 {
        self.events.len() as u64
    }

    fn last_recorded_at(&self) -> Option<Timestamp> {
        self.transactions.last().map(|transaction| transaction.recorded_at)
    }

    fn last_of(&self, stream: &Stream) -> Option<&StoredEvent> {
        self.events
            .iter()
            .rev()
            .find(|event| event.stream() == stream.stream() && event.category() == stream.category())
    }

    fn judge(&self, append: &Append<'_>) -> Result<(), AppendError> {
        for part in append.parts {
            let last = self.last_of(part.stream);
            let position = last.map(StoredEvent::position);
            let event = last.map(StoredEvent::as_ref);
            match reentry::judging(|| part.condition.judge(position, event.as_ref())) {
                Ok(()) => {}
                Err(Refusal::Unmet(expected)) => {
                    return Err(UnmetCondition {
                        stream: part.stream.clone(),
                        condition: part.condition.clone(),
                        expected,
                        actual: position,
                    }
                    .into());
                }
                Err(Refusal::Panicked { name, message }) => {
                    return Err(AppendError::ConditionPanicked { condition: name, message });
                }
            }
        }
        self.judge_log(append)
    }

    /// Judges the conditions on the log, and that no id of an event is taken.
    fn judge_log(&self, append: &Append<'_>) -> Result<(), AppendError> {
        let latest = |selector: &Selector| self.events.iter().rev().find(|event| selector.matches(*event));
        let judged = |condition: &AppendCondition| {
            condition.judge(latest(condition.selector()).map(StoredEvent::revision)).err()
        };
        let unmet: Vec<_> = append.when.iter().filter_map(judged).collect();
        if !unmet.is_empty() {
            return Err(AppendError::UnmetConditions(unmet));
        }
        for part in append.parts {
            for id in part.events.iter().filter_map(NewEvent::id) {
                let is_taken = |event: &&StoredEvent| event.category() == part.stream.category() && event.id() == *id;
                if let Some(taken) = self.events.iter().find(is_taken) {
                    return Err(AppendError::DuplicateEventId {
                        category: part.stream.category().into(),
                        id: id.clone(),
                        revision: Some(taken.revision()),
                    });
                }
            }
        }
        append::check_ids(append)
    }

    /// Adds a transaction that is known to continue the log.
    fn push(&mut self, transaction: StoredTransaction) {
        Arc::make_mut(&mut self.events).extend(transaction.events.iter().cloned());
        for SystemRecord { namespace, key, value } in &transaction.records {
            let key = (Arc::clone(namespace), Arc::clone(key));
            match value {
                Some(value) => drop(self.records.insert(key, value.clone())),
                None => drop(self.records.remove(&key)),
            }
        }
        Arc::make_mut(&mut self.transactions).push(transaction);
    }
}

/// The receipt of a transaction that is there.
fn receipt_of(transaction: &StoredTransaction) -> Receipt {
    Receipt {
        transaction_id: transaction.id.clone(),
        basis: transaction.basis,
        count: u32::try_from(transaction.events.len()).unwrap_or(u32::MAX),
        recorded_at: transaction.recorded_at,
        durability: Durability::Memory,
        last_position: transaction.events.last().map(StoredEvent::position),
        repeat: false,
        clock_behind: false,
    }
}

impl StorageAdapter for MemoryAdapter {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "memory",
            persistent: false,
            transaction_ids: true,
            attributes: true,
            any_payload: true,
            system_records: true,
            gapless: true,
            nanoseconds: true,
        }
    }

    fn append(&self, append: &Append<'_>) -> Result<Receipt, AppendError> {
        append::check(append, &self.limits, self.strict_names)?;
        let digest = append.id.map(|_| digest::of(append));
        self.write(|state| {
            if let Some(id) = append.id
                && let Some(first) = state.transactions.iter().find(|known| known.id.as_ref() == Some(id))
            {
                let first_receipt = receipt_of(first);
                if first.digest == digest {
                    return Ok(Receipt { repeat: true, ..first_receipt });
                }
                return Err(AppendError::DuplicateTransaction { id: Arc::clone(id), first: Box::new(first_receipt) });
            }
            state.judge(append)?;
            let now = self.clock.now();
            let last = state.last_recorded_at().unwrap_or(Timestamp::MIN);
            let mut transaction = StoredTransaction {
                id: append.id.cloned(),
                digest,
                attributes: append.attributes.clone(),
                basis: Revision::new(state.revision()),
                recorded_at: now.max(last),
                events: Vec::with_capacity(append.event_count()),
                records: append.records.to_vec(),
            };
            let count = u32::try_from(append.event_count()).unwrap_or(u32::MAX);
            let mut positions: BTreeMap<&Stream, u64> = BTreeMap::new();
            for part in append.parts {
                let next = positions
                    .entry(part.stream)
                    .or_insert_with(|| state.last_of(part.stream).map_or(0, |last| last.position().get() + 1));
                for event in part.events {
                    let observed_when_recorded = append.observed_when_recorded && !event.observed_given;
                    let observed_at =
                        if observed_when_recorded { transaction.recorded_at } else { event.observed_at() };
                    let stored = self.stored(part.stream, event, &transaction, (*next, count), observed_at);
                    transaction.events.push(stored);
                    *next += 1;
                }
            }
            let clock_behind = last.saturating_since(now) > Duration::from_secs(3_600);
            let receipt = Receipt { clock_behind, ..receipt_of(&transaction) };
            if !transaction.events.is_empty() || !transaction.records.is_empty() {
                state.push(transaction);
            }
            Ok(receipt)
        })
    }

    fn append_deferred(&self, append: &Append<'_>) -> Result<Ticket, AppendError> {
        append::check(append, &self.limits, self.strict_names)?;
        match self.append(append) {
            Err(error @ (AppendError::Closed | AppendError::CalledFromCondition)) => Err(error),
            outcome => Ok(Ticket::settled(outcome)),
        }
    }

    fn append_verbatim(&self, transactions: &[StoredTransaction]) -> Result<Revision, AppendError> {
        self.write(|state| {
            for transaction in transactions {
                if self.strict_names {
                    append::check_strict(transaction)?;
                }
                let mut next: BTreeMap<Stream, u64> = BTreeMap::new();
                append::check_continues(
                    transaction,
                    Revision::new(state.revision()),
                    state.last_recorded_at(),
                    |stream| {
                        let next = next
                            .entry(stream.clone())
                            .or_insert_with(|| state.last_of(stream).map_or(0, |last| last.position().get() + 1));
                        *next += 1;
                        Ok(*next - 1)
                    },
                )?;
                if let Some(known) =
                    state.transactions.iter().find(|known| known.id.is_some() && known.id == transaction.id)
                {
                    return Err(AppendError::DuplicateTransaction {
                        id: transaction.id.clone().unwrap_or_default(),
                        first: Box::new(receipt_of(known)),
                    });
                }
                state.push(transaction.clone());
            }
            Ok(Revision::new(state.revision()))
        })
    }

    fn revision(&self) -> Result<Revision, ReadError> {
        self.read(|state| Revision::new(state.revision()))
    }

    fn scan(&self, query: &ScanQuery) -> Result<Box<dyn EventCursor>, ReadError> {
        query.check()?;
        let events = self.read(|state| Arc::clone(&state.events))?;
        Ok(Box::new(MemoryCursor { rest: select(&events, query).into_iter() }))
    }

    fn scan_even_closed(&self, query: &ScanQuery) -> Result<Box<dyn EventCursor>, ReadError> {
        query.check()?;
        if reentry::is_judging() {
            return Err(ReadError::CalledFromCondition);
        }
        let events = Arc::clone(&self.state.lock().events);
        Ok(Box::new(MemoryCursor { rest: select(&events, query).into_iter() }))
    }

    fn latest(&self, target: &Identifier) -> Result<Option<StoredEvent>, ReadError> {
        let mut query = ScanQuery::new(target.clone());
        (query.reverse, query.limit) = (true, Some(1));
        self.read(|state| select(&state.events, &query).pop())
    }

    fn categories(&self) -> Result<Vec<String>, ReadError> {
        self.read(|state| {
            let names: BTreeSet<&str> = state.events.iter().map(StoredEvent::category).collect();
            names.into_iter().map(str::to_owned).collect()
        })
    }

    fn streams(&self, category: &str) -> Result<Vec<String>, ReadError> {
        self.read(|state| {
            let of_category = state.events.iter().filter(|event| event.category() == category);
            let names: BTreeSet<&str> = of_category.map(StoredEvent::stream).collect();
            names.into_iter().map(str::to_owned).collect()
        })
    }

    fn transactions(&self, from: Revision) -> Result<Box<dyn TransactionCursor>, ReadError> {
        let transactions = self.read(|state| Arc::clone(&state.transactions))?;
        let next = transactions.iter().position(|known| known.revision() > from || known.basis() >= from);
        let next = next.unwrap_or(transactions.len());
        Ok(Box::new(MemoryTransactions { transactions, next }))
    }

    fn transaction(&self, id: &str) -> Result<Option<StoredTransaction>, ReadError> {
        self.read(|state| state.transactions.iter().find(|known| known.id() == Some(id)).cloned())
    }

    fn record(&self, namespace: &str, key: &str) -> Result<Option<Bytes>, ReadError> {
        self.read(|state| state.records.get(&(Arc::from(namespace), Arc::from(key))).cloned())
    }

    fn records(&self, namespace: &str) -> Result<Vec<(Arc<str>, Bytes)>, ReadError> {
        self.read(|state| {
            let of_namespace = state.records.iter().filter(|((known, _), _)| &**known == namespace);
            of_namespace.map(|((_, key), value)| (Arc::clone(key), value.clone())).collect()
        })
    }

    fn durability(&self) -> Durability {
        Durability::Memory
    }

    fn durable_revision(&self) -> Revision {
        Revision::EMPTY
    }

    fn sync(&self) -> Result<Revision, AppendError> {
        self.write(|state| Ok(Revision::new(state.revision())))
    }

    fn wait_durable(&self, revision: Revision, timeout: Duration) -> Result<(), ReadError> {
        let at = self.revision()?;
        if at < revision {
            Err(ReadError::NotReached { at, wanted: revision })
        } else {
            Err(timed_out(revision, timeout))
        }
    }

    fn wait_revision(&self, revision: Revision, timeout: Duration) -> Result<Revision, ReadError> {
        self.wait_unless(revision, timeout, &|| false)
    }

    fn wait_unless(
        &self,
        revision: Revision,
        timeout: Duration,
        is_off: &dyn Fn() -> bool,
    ) -> Result<Revision, ReadError> {
        if reentry::is_judging() {
            return Err(ReadError::CalledFromCondition);
        }
        let begun = Instant::now();
        let mut state = self.state.lock();
        loop {
            let at = Revision::new(state.revision());
            if is_off() {
                return Err(ReadError::Cancelled);
            }
            if state.closed {
                return Err(ReadError::Closed);
            }
            if at >= revision {
                return Ok(at);
            }
            let Some(rest) = timeout.checked_sub(begun.elapsed()).filter(|rest| !rest.is_zero()) else {
                return Err(ReadError::NotReached { at, wanted: revision });
            };
            self.grown.wait_for(&mut state, rest);
        }
    }

    fn wake(&self) {
        // Who has asked and does not sleep yet holds the lock: it sleeps when this thread has had it. Inside a condition this
        // thread has it already.
        if !reentry::is_judging() {
            drop(self.state.lock());
        }
        self.grown.notify_all();
    }

    fn stats(&self) -> Result<Stats, ReadError> {
        self.read(|state| {
            let streams: BTreeSet<(&str, &str)> =
                state.events.iter().map(|event| (event.category(), event.stream())).collect();
            let categories: BTreeSet<&str> = streams.iter().map(|(category, _)| *category).collect();
            Stats {
                events: state.revision(),
                transactions: state.transactions.iter().filter(|known| !known.events.is_empty()).count() as u64,
                categories: categories.len() as u64,
                streams: streams.len() as u64,
                first_recorded_at: state.transactions.first().map(StoredTransaction::recorded_at),
                last_recorded_at: state.last_recorded_at(),
                ..Stats::default()
            }
        })
    }

    fn close(&self) -> Result<(), AppendError> {
        if reentry::is_judging() {
            return Err(AppendError::CalledFromCondition);
        }
        self.state.lock().closed = true;
        self.grown.notify_all();
        Ok(())
    }
}

/// Memory is never durable, however long one waits; saying so at once beats waiting.
fn timed_out(wanted: Revision, _timeout: Duration) -> ReadError {
    ReadError::TimedOut { wanted, waited: Duration::ZERO }
}

impl MemoryAdapter {
    fn stored(
        &self,
        stream: &Stream,
        event: &NewEvent,
        transaction: &StoredTransaction,
        (position, count): (u64, u32),
        observed_at: Timestamp,
    ) -> StoredEvent {
        let basis = transaction.basis.get();
        let sequence_number = basis + transaction.events.len() as u64;
        let made = || EventId(IdRepr::Uuid(self.seed.make(sequence_number, transaction.recorded_at)));
        StoredEvent::from_fields(EventFields {
            id: event.id().cloned().unwrap_or_else(made),
            category: stream.category(),
            stream: stream.stream(),
            name: event.name(),
            payload: event.payload(),
            metadata: event.metadata(),
            attributes: (!event.attributes().is_empty()).then(|| Arc::new(event.attributes().clone())),
            position,
            sequence_number,
            observed_at,
            occurred_at: event.occurred_at.unwrap_or(observed_at),
            recorded_at: transaction.recorded_at,
            given: Given {
                id: event.id.is_some(),
                observed_at: event.observed_given,
                occurred_at: event.occurred_at.is_some(),
            },
            transaction_id: transaction.id(),
            transaction_first: basis,
            transaction_count: count,
        })
    }
}
