//! What a simulated process does with its store, and what it may see when it does.

use super::model::{Entry, Model, PAYLOAD_MOST};
use crate::disk::SimulatedDisk;
use crate::engine::{Engine, Staged};
use crate::vocabulary::append::{Append, AppendPart};
use crate::vocabulary::attributes::Attributes;
use crate::vocabulary::condition::{Condition, position_is, stream_is_empty};
use crate::vocabulary::error::{AppendError, IoFailure};
use crate::vocabulary::options::Durability;
use crate::vocabulary::transaction::Receipt;
use fastrand::Rng;
use std::sync::Arc;

/// One thing to do.
#[derive(Debug, Clone)]
pub(super) enum Deed {
    /// Appends a transaction to a stream: events of these sizes.
    Append { stream: usize, sizes: Vec<usize>, id: bool, conditional: bool },
    /// Stages several transactions before the first is waited for, as threads do that append at once.
    Group(Vec<Vec<usize>>),
    /// Defers transactions of one stream, and then may have them made durable: if not, whatever comes next does it, or nothing.
    Defer { stream: usize, group: Vec<Vec<usize>>, flush: bool },
    /// Appends what is there already, under its id.
    Repeat,
    /// Appends under a condition that does not hold.
    Refused(usize),
    /// Makes the next segment ready.
    Prepare,
    /// Housekeeping syncs.
    SyncByItself,
    /// The caller syncs.
    Sync,
    /// The store is idle.
    Idle,
    /// Housekeeping makes index files.
    Index,
}

impl Deed {
    /// Anything that a process may do.
    pub(super) fn random(random: &mut Rng) -> Self {
        match random.u8(..25) {
            0..=9 => Deed::Append {
                stream: random.usize(..6),
                sizes: sizes(random),
                id: random.u8(..4) == 0,
                conditional: random.u8(..3) == 0,
            },
            10..=12 => Deed::Group((0..random.usize(2..6)).map(|_| sizes(random)).collect()),
            13 => Deed::Repeat,
            14 => Deed::Refused(random.usize(..6)),
            15 => Deed::Prepare,
            16 => Deed::SyncByItself,
            17 => Deed::Sync,
            18 | 19 => Deed::Index,
            20..=22 => Deed::Defer {
                stream: random.usize(..6),
                group: (0..random.usize(1..5)).map(|_| sizes(random)).collect(),
                flush: random.bool(),
            },
            _ => Deed::Idle,
        }
    }
}

/// Mostly small events, now and then ones that fill a segment, sometimes none.
fn sizes(random: &mut Rng) -> Vec<usize> {
    let count = [1, 1, 1, 1, 2, 3, 5, 0][random.usize(..8)];
    let one = |random: &mut Rng| match random.u8(..32) {
        0 => random.usize(..PAYLOAD_MOST),
        1..=6 => random.usize(..3_000),
        _ => random.usize(..200),
    };
    (0..count).map(|_| one(random)).collect()
}

/// A process with its store open.
pub(super) struct Process<'a> {
    pub(super) engine: &'a Arc<Engine>,
    pub(super) disk: &'a SimulatedDisk,
    pub(super) model: &'a mut Model,
    pub(super) durability: Durability,
    /// Failures of the disk before what is done now. One that happens now may make it fail, in the ways that are documented; one
    /// that is over may not, unless it has poisoned the store.
    pub(super) failures: u64,
}

impl Process<'_> {
    fn may_fail(&self) -> bool {
        self.disk.is_off() || self.disk.failures() > self.failures || self.engine.poison().is_some()
    }

    /// Does it, and says what is wrong with how it went.
    pub(super) fn perform(&mut self, deed: &Deed) -> Result<(), String> {
        let (poisoned, syncs, grave) = (self.engine.poison().is_some(), self.disk.syncs(), self.disk.grave_failures());
        self.dispatch(deed)?;
        self.look_at_tickets()?;
        if poisoned && self.disk.syncs() != syncs {
            return Err("a poisoned store synced".into());
        }
        self.check_poison(poisoned, grave)
    }

    /// Closes the store. Whether that went well; it must not when the disk failed meanwhile, or before in a way that poisons.
    pub(super) fn close(&self) -> Result<bool, String> {
        let (poisoned, grave) = (self.engine.poison().is_some(), self.disk.grave_failures());
        let failures = self.disk.failures_of_closing();
        let closed = self.engine.close();
        self.check_poison(poisoned, grave)?;
        if let Some((tag, _)) = self.model.tickets.iter().find(|(_, ticket)| ticket.try_durable().is_none()) {
            return Err(format!("the ticket of transaction {tag} was forgotten"));
        }
        match closed {
            Ok(()) if self.disk.failures_of_closing() > failures || self.engine.poison().is_some() => {
                Err("it went well, though the disk has failed".into())
            }
            Ok(()) => Ok(true),
            Err(error) => self.expect_failure("closing", &error).map(|()| false),
        }
    }

    /// A store is poisoned by a failure after which nobody knows what its files hold, and by no other.
    fn check_poison(&self, poisoned: bool, grave: u64) -> Result<(), String> {
        let (cause, is_grave) = (self.engine.poison(), self.disk.grave_failures() > grave);
        if self.disk.is_off() || cause.is_some() == (poisoned || is_grave) {
            return Ok(());
        }
        Err(format!("{:?} has failed, and the poison is {cause:?}", self.disk.last_failure()))
    }

    fn dispatch(&mut self, deed: &Deed) -> Result<(), String> {
        match deed {
            Deed::Append { stream, sizes, id, conditional } => {
                let entry = self.model.propose(*stream, sizes, *id);
                let next = self.model.next_position(*stream);
                let condition = match (conditional, next.checked_sub(1)) {
                    (false, _) => Condition::any(),
                    (true, None) => stream_is_empty(),
                    (true, Some(last)) => position_is(last),
                };
                let staged = self.stage(entry, &condition)?;
                staged.map_or(Ok(()), |(tag, staged)| self.wait(tag, staged))
            }
            Deed::Group(group) => self.group(group),
            Deed::Defer { stream, group, flush } => {
                group.iter().try_for_each(|sizes| self.defer(*stream, sizes))?;
                if *flush {
                    self.engine.flush_by_hand();
                    self.look_at_tickets()?;
                    if let Some((tag, _)) = self.model.tickets.first() {
                        return Err(format!("transaction {tag} is neither durable nor failed"));
                    }
                }
                Ok(())
            }
            Deed::Repeat => self.repeat(),
            Deed::Refused(stream) => self.refused(*stream),
            Deed::Prepare => {
                self.engine.prepare_by_hand();
                Ok(())
            }
            Deed::Idle => {
                self.engine.watermark_by_hand();
                Ok(())
            }
            Deed::Index => {
                self.engine.index_by_hand();
                self.model.durable_up_to(self.engine.durable_revision().get());
                Ok(())
            }
            Deed::SyncByItself => {
                self.engine.sync_by_hand();
                self.model.durable_up_to(self.engine.durable_revision().get());
                Ok(())
            }
            Deed::Sync => match self.engine.sync() {
                Ok(_) => {
                    self.model.durable = self.model.acknowledged;
                    Ok(())
                }
                Err(error) => self.expect_failure("a sync", &error),
            },
        }
    }

    fn group(&mut self, group: &[Vec<usize>]) -> Result<(), String> {
        let mut all = Vec::new();
        for (index, sizes) in group.iter().enumerate() {
            // From the third on, conditions rest on what is staged in the same stream and not yet visible.
            let condition = match self.model.next_position(index % 2).checked_sub(1) {
                Some(last) if index >= 2 => position_is(last),
                _ => Condition::any(),
            };
            let entry = self.model.propose(index % 2, sizes, false);
            all.extend(self.stage(entry, &condition)?);
        }
        // The last leads for all, so the others find themselves done.
        all.reverse();
        all.into_iter().try_for_each(|(tag, staged)| self.wait(tag, staged))
    }

    /// Defers a transaction, which is judged before the next one, and perhaps durable much later.
    fn defer(&mut self, stream: usize, sizes: &[usize]) -> Result<(), String> {
        let entry = self.model.propose(stream, sizes, false);
        let (events, any) = (entry.events(), Condition::any());
        let parts = [AppendPart::new(&self.model.streams[entry.stream], &events, &any)];
        let (attributes, records) = (Attributes::new(), [entry.record()]);
        let deferred = self.engine.append_deferred(&Append { records: &records, ..Append::new(&attributes, &parts) });
        let ticket = match deferred {
            Ok(ticket) => ticket,
            Err(error) => return self.expect_failure("deferring", &error),
        };
        if ticket.try_accepted().is_none() {
            self.engine.drain_by_hand();
        }
        if ticket.try_accepted().is_none() {
            // It was refused, and rests on what is only staged.
            self.engine.flush_by_hand();
        }
        let tag = entry.tag;
        match ticket.try_accepted() {
            None => Err(format!("nobody came for transaction {tag}")),
            Some(Ok(receipt)) => {
                self.model.entries.push(entry);
                self.compare(tag, &receipt)?;
                if self.durability != Durability::Sync {
                    self.model.acknowledge(tag, false);
                }
                self.model.tickets.push((tag, ticket));
                Ok(())
            }
            Some(Err(error)) => {
                if error.is_unknown() {
                    self.model.entries.push(entry);
                }
                self.expect_failure("a deferred append", &error)
            }
        }
    }

    /// What tickets say is durable must be there from now on, whatever happens.
    fn look_at_tickets(&mut self) -> Result<(), String> {
        for (tag, ticket) in std::mem::take(&mut self.model.tickets) {
            match ticket.try_durable() {
                None => self.model.tickets.push((tag, ticket)),
                Some(Ok(receipt)) => {
                    self.compare(tag, &receipt)?;
                    self.model.acknowledge(tag, true);
                }
                Some(Err(error)) if error.is_unknown() => self.expect_failure("a deferred append", &error)?,
                Some(Err(error)) => return Err(format!("transaction {tag} was accepted, and then refused: {error}")),
            }
        }
        Ok(())
    }

    /// Stages an entry, which is in the log from then on as far as its process knows.
    fn stage(&mut self, entry: Entry, condition: &Condition) -> Result<Option<(u64, Staged)>, String> {
        let (tag, rows) = (entry.tag, entry.rows.len());
        let staged = self.submit(&entry, condition);
        match staged {
            Ok(staged) if !staged.is_refused() => {
                self.model.entries.push(entry);
                Ok(Some((tag, staged)))
            }
            Ok(staged) => match self.engine.wait_by_hand(staged) {
                Ok(receipt) => {
                    Err(format!("transaction {tag} of {rows} events was taken for a repetition: {receipt:?}"))
                }
                Err(error) => self.expect_failure("an append", &error).map(|()| None),
            },
            Err(error) => self.expect_failure("an append", &error).map(|()| None),
        }
    }

    fn submit(&self, entry: &Entry, condition: &Condition) -> Result<Staged, AppendError> {
        let events = entry.events();
        let parts = [AppendPart::new(&self.model.streams[entry.stream], &events, condition)];
        let (attributes, records) = (Attributes::new(), [entry.record()]);
        let append = Append { id: entry.id.as_ref(), records: &records, ..Append::new(&attributes, &parts) };
        self.engine.stage_by_hand(&append)
    }

    fn wait(&mut self, tag: u64, staged: Staged) -> Result<(), String> {
        match self.engine.wait_by_hand(staged) {
            Ok(receipt) => self.check(tag, &receipt),
            Err(error) if !error.is_unknown() => {
                Err(format!("transaction {tag} was staged, and then certainly not written: {error}"))
            }
            Err(error) => self.expect_failure("an append", &error),
        }
    }

    fn check(&mut self, tag: u64, receipt: &Receipt) -> Result<(), String> {
        self.compare(tag, receipt)?;
        self.model.acknowledge(tag, self.durability == Durability::Sync);
        Ok(())
    }

    /// Whether a receipt says what its entry must have got.
    fn compare(&self, tag: u64, receipt: &Receipt) -> Result<(), String> {
        let at = self.model.entries.binary_search_by_key(&tag, |entry| entry.tag);
        let entry = at.ok().and_then(|at| self.model.entries.get(at)).ok_or("a receipt for nothing")?;
        let last = entry.rows.last().map(|row| row.position);
        if (receipt.basis().get(), receipt.revision().get()) != (entry.basis, entry.end())
            || receipt.last_position().map(|position| position.get()) != last
        {
            return Err(format!("the receipt of {entry:?} is {receipt:?}"));
        }
        Ok(())
    }

    fn repeat(&mut self) -> Result<(), String> {
        let known = self.model.entries[..self.model.acknowledged].iter().rev().find(|entry| entry.id.is_some());
        let Some(entry) = known.cloned() else { return Ok(()) };
        let outcome = self.submit(&entry, &Condition::any()).and_then(|staged| self.engine.wait_by_hand(staged));
        match outcome {
            Ok(receipt) if receipt.is_repeat() && receipt.basis().get() == entry.basis => Ok(()),
            Ok(receipt) => Err(format!("transaction {} again gave {receipt:?}", entry.tag)),
            Err(error) => self.expect_failure("a repetition", &error),
        }
    }

    fn refused(&mut self, stream: usize) -> Result<(), String> {
        let next = self.model.next_position(stream);
        let condition = position_is(next + 3);
        let entry = self.model.propose(stream, &[1], false);
        let outcome = self.submit(&entry, &condition).and_then(|staged| self.engine.wait_by_hand(staged));
        match outcome {
            Err(AppendError::Unmet(unmet)) if unmet.actual.map(|last| last.get()) == next.checked_sub(1) => Ok(()),
            Ok(receipt) => Err(format!("a condition that did not hold held: {receipt:?}")),
            Err(error) => self.expect_failure("a refusal", &error),
        }
    }

    /// An error is right when the disk failed, and wrong when it did not; and it says truly what became of the store.
    fn expect_failure(&self, what: &str, error: &AppendError) -> Result<(), String> {
        let poisoned = self.engine.poison().is_some();
        let told = |failure| self.disk.is_off() || says_what_failed(self.disk, failure);
        let fits = match error {
            AppendError::Poisoned { cause, .. } => {
                poisoned && (self.disk.is_off() || names_what_failed(self.disk, cause))
            }
            AppendError::NoSpace(failure) => !poisoned && failure.is_no_space() && told(failure),
            AppendError::Io(failure) => !poisoned && !failure.is_no_space() && told(failure),
            _ => false,
        };
        if fits && self.may_fail() { Ok(()) } else { Err(format!("{what} failed: {error:?} (poisoned: {poisoned})")) }
    }
}

/// Whether an error is what the disk failed with, doing what failed.
pub(super) fn says_what_failed(disk: &SimulatedDisk, failure: &IoFailure) -> bool {
    let failed = disk.last_failure().map(|(duty, errno)| (duty.doing(), errno.raw_os_error()));
    failed.is_some() && failed == failure.source.raw_os_error().map(|errno| (failure.doing, errno))
}

/// The same of an error's words, which are all that a poisoned store keeps of it.
fn names_what_failed(disk: &SimulatedDisk, cause: &str) -> bool {
    disk.last_failure().is_some_and(|(duty, errno)| {
        cause.starts_with(duty.doing()) && cause.ends_with(&std::io::Error::from(errno).to_string())
    })
}
