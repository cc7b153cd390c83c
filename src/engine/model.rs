//! The engine in small, for the checkers: real marks, horizon and gathering; the seat, a batch and a disk reduced to numbers.
//!
//! Mirrored by hand, because what it stands for holds maps, deadlines and files: `Engine::append` and `take_seat` (append, seat),
//! `wait_visible`, `fate`, `lead` and `commit_batch` (commit), `sync_visible` (housekeeping), `flush_staged` and `rotate`
//! (rotate), `end` and `seal` (open).
//! Nobody here has a clock. Who watches over a cohort, and so has a timer, is woken when its sleep could end by that at the
//! earliest, and only if its place is not visible; everyone else sleeps until the gathering wakes them. So no wake-up that is
//! owed is made up for by a timer.

#[cfg(loom)]
mod loom_models;
#[cfg(shuttle)]
mod shuttle_models;

use super::gathering::{Bed, Gathering, Patience, Role, Visit};
use super::horizon::Horizon;
use crate::format::place::Place;
use crate::vocabulary::mark::Mark;
use crate::vocabulary::sync::{AtomicBool, AtomicU64, Mutex, Ordering};
use std::sync::Arc;
use std::time::Duration;

#[cfg(loom)]
use loom::thread::yield_now;
#[cfg(shuttle)]
use shuttle::thread::yield_now;

/// What a twin gets wrong.
pub(super) type Flaw = Option<&'static str>;

pub(super) const CHECKED_BEFORE_LISTED: &str = "a waiter looks before it is on the list";
pub(super) const WOKEN_BEFORE_PUBLISHED: &str = "the leader looks who is done before it publishes";
pub(super) const ENDED_WITHOUT_WAKING: &str = "a flush in the seat wakes nobody";
pub(super) const PUBLISHED_BEFORE_SYNCED: &str = "the watermark moves before the sync";
pub(super) const WOKEN_BEFORE_POISONED: &str = "those who wait are woken before the poison is there";
pub(super) const TRIED_AGAIN: &str = "a failed sync is tried again";
pub(super) const LISTED_TOO_LATE: &str = "a waiter is on the list only after it has looked who leads";
pub(super) const NEVER_ENDED: &str = "a leader goes without ending its lead";
pub(super) const CLOSED_AFTER_THE_SEAT: &str = "the store is closed after the seat is left";
pub(super) const CLOSED_OVER_A_BATCH: &str = "closing does not wait for the batch in flight";
pub(super) const PUBLISHED_BEFORE_LISTED: &str = "an event is visible before its segment is in the list";
pub(super) const TWO_SYNCS_AT_ONCE: &str = "two sync the same file at once";
pub(super) const WRITTEN_AFTER_POISON: &str = "a leader does not look whether the store is poisoned before it writes";
pub(super) const LISTED_BEFORE_REVISION: &str = "a reader loads the list before the revision";

/// A segment: the number of its first event, and its events, each a number that is written once.
#[derive(Debug)]
pub(super) struct Segment {
    base: u64,
    events: [AtomicU64; EVENTS],
    published: Mark,
}

/// Events that fit into a segment.
const EVENTS: usize = if cfg!(loom) { 2 } else { 3 };

/// What an event with this number holds.
const fn content(number: u64) -> u64 {
    number + 1_000
}

impl Segment {
    fn new(base: u64) -> Arc<Self> {
        Arc::new(Self { base, events: std::array::from_fn(|_| AtomicU64::new(0)), published: Mark::new(0) })
    }

    fn event(&self, number: u64) -> Option<&AtomicU64> {
        self.events.get(usize::try_from(number.checked_sub(self.base)?).unwrap())
    }
}

/// The end of the log with everything staged.
#[derive(Debug)]
struct Seat {
    segment: Arc<Segment>,
    /// The number of the segment.
    number: u64,
    /// The number of the next event.
    sequence: u64,
    staged: Vec<(Arc<Segment>, u64)>,
}

impl Seat {
    fn place(&self) -> Place {
        place(self.number, self.sequence)
    }

    fn take_batch(&mut self) -> Option<Batch> {
        let events = std::mem::take(&mut self.staged);
        (!events.is_empty()).then(|| Batch { events, end: self.place(), revision: self.sequence })
    }
}

fn place(segment: u64, sequence: u64) -> Place {
    Place { segment, offset: sequence << 3 }
}

#[derive(Debug)]
struct Batch {
    events: Vec<(Arc<Segment>, u64)>,
    end: Place,
    revision: u64,
}

/// How an append ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Visible,
    /// Refused: nothing was written.
    Refused,
    Poisoned,
}

/// What was written to the disk, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Event(u64),
    Close,
}

/// The engine in small.
#[derive(Debug)]
pub(super) struct Small {
    flaw: Flaw,
    seat: Mutex<Seat>,
    pub(super) horizon: Horizon<Segment>,
    durable: Mark,
    pub(super) gathering: Gathering,
    /// Whether a batch was taken from the seat and is not visible yet.
    in_flight: Mutex<bool>,
    closed: AtomicBool,
    /// Held by who syncs.
    syncing: Mutex<()>,
    /// What is written back from now on is lost.
    pub(super) broken: AtomicBool,
    /// Something was lost, and nobody has been told.
    lost: AtomicBool,
    pub(super) disk: Mutex<Vec<Written>>,
    /// Who sleeps and has a timer, for which place. Checkers do not look into it.
    timers: std::sync::Mutex<Vec<(Place, Bed)>>,
}

/// Patience without a clock: over when it is asked for the second time.
struct Once(bool);

impl Patience for Once {
    fn is_over(&mut self) -> bool {
        std::mem::replace(&mut self.0, true)
    }

    fn renew(&mut self) {
        self.0 = false;
    }
}

impl Small {
    pub(super) fn new(flaw: Flaw) -> Arc<Self> {
        let segment = Segment::new(0);
        let horizon = Horizon::new(vec![Arc::clone(&segment)], place(1, 0), 0);
        Arc::new(Self {
            flaw,
            seat: Mutex::new(Seat { segment, number: 1, sequence: 0, staged: Vec::new() }),
            horizon,
            durable: Mark::new(0),
            gathering: Gathering::default(),
            in_flight: Mutex::new(false),
            closed: AtomicBool::default(),
            syncing: Mutex::new(()),
            broken: AtomicBool::default(),
            lost: AtomicBool::default(),
            disk: Mutex::new(Vec::new()),
            timers: std::sync::Mutex::default(),
        })
    }

    fn has(&self, flaw: &str) -> bool {
        self.flaw == Some(flaw)
    }

    fn is_refused(&self) -> bool {
        self.closed.load(Ordering::Acquire) || self.gathering.poison().is_some()
    }

    /// `Engine::append` with `Sync`: stages an event, then waits until it is visible.
    pub(super) fn append(&self) -> (Fate, u64) {
        let mut seat = self.seat.lock();
        if self.is_refused() {
            return (Fate::Refused, 0);
        }
        if seat.segment.event(seat.sequence).is_none() && !self.rotate(&mut seat) {
            return (Fate::Refused, 0);
        }
        let number = seat.sequence;
        let segment = Arc::clone(&seat.segment);
        seat.staged.push((segment, number));
        seat.sequence += 1;
        let place = seat.place();
        drop(seat);
        (self.wait_visible(place), number)
    }

    /// `Engine::rotate`. Says whether there is a next segment.
    fn rotate(&self, seat: &mut Seat) -> bool {
        if self.durable.get() < place(seat.number, 0).pack() && !self.flush_staged(seat) {
            return false;
        }
        seat.segment = Segment::new(seat.sequence);
        seat.number += 1;
        if self.has(PUBLISHED_BEFORE_LISTED) {
            seat.segment.event(seat.sequence).unwrap().store(content(seat.sequence), Ordering::Relaxed);
            seat.segment.published.raise(seat.sequence + 1);
            self.horizon.publish(place(seat.number, seat.sequence + 1), seat.sequence + 1);
        }
        self.horizon.extend(Arc::clone(&seat.segment));
        true
    }

    /// `Engine::wait_visible`.
    fn wait_visible(&self, place: Place) -> Fate {
        let mut visit = Visit::new(place, Once(false));
        loop {
            if let Some(fate) = self.fate(place) {
                return fate;
            }
            let role = if self.has(CHECKED_BEFORE_LISTED) {
                let settled = self.fate(place).is_some();
                self.gathering.next(&mut visit, || settled)
            } else {
                self.gathering.next(&mut visit, || self.fate(place).is_some())
            };
            match role {
                Role::Leave => {}
                Role::Lead => self.lead(place),
                Role::Watch(bed) => self.watch(place, bed),
                Role::Follow(bed) => self.gathering.sleep(self.listed(&visit, bed), Duration::MAX),
            }
        }
    }

    /// `Engine::fate`.
    fn fate(&self, place: Place) -> Option<Fate> {
        let poisoned = self.gathering.poison().is_some();
        if self.horizon.end() >= place {
            return Some(Fate::Visible);
        }
        poisoned.then_some(Fate::Poisoned)
    }

    /// `Engine::lead`, and the end of the leadership.
    fn lead(&self, place: Place) {
        let mut seat = self.seat.lock();
        let before = self.horizon.end();
        let batch = seat.take_batch();
        if let Some(batch) = batch {
            *self.in_flight.lock() = true;
            drop(seat);
            self.commit_batch(&batch);
        } else {
            drop(seat);
        }
        if self.has(NEVER_ENDED) {
            return;
        }
        let visible = if self.has(WOKEN_BEFORE_PUBLISHED) { before } else { self.horizon.end() };
        self.gathering.end(place, visible);
        self.ring(self.horizon.end());
    }

    /// Where to sleep; a twin takes itself off the list, and is on it again too late.
    fn listed(&self, visit: &Visit<Once>, bed: Bed) -> Bed {
        if !self.has(LISTED_TOO_LATE) {
            return bed;
        }
        self.gathering.leave(visit);
        self.gathering.list(visit)
    }

    /// Sleeps with a timer while someone leads; else the timer may end the sleep at any time.
    fn watch(&self, place: Place, bed: Bed) {
        self.timers.lock().unwrap().push((place, bed));
        if self.gathering.is_led() {
            self.gathering.sleep(bed, Duration::MAX);
        } else {
            yield_now();
        }
        self.timers.lock().unwrap().retain(|timer| *timer != (place, bed));
    }

    /// Lets the timers end the sleeps of those whose place is not visible.
    fn ring(&self, visible: Place) {
        if self.gathering.poison().is_some() {
            return;
        }
        let timers = self.timers.lock().unwrap().clone();
        for (_, bed) in timers.iter().filter(|(place, _)| *place > visible) {
            self.gathering.ring(*bed);
        }
    }

    /// `Engine::commit_batch`, with `Batch::write_and_sync` and `publish_batch`.
    fn commit_batch(&self, batch: &Batch) {
        let _syncing = (!self.has(TWO_SYNCS_AT_ONCE)).then(|| self.syncing.lock());
        if self.gathering.poison().is_some() && !self.has(WRITTEN_AFTER_POISON) {
            return;
        }
        for (segment, number) in &batch.events {
            assert!(self.gathering.poison().is_none(), "after a failure nothing more is written");
            self.disk.lock().push(Written::Event(*number));
            segment.event(*number).unwrap().store(content(*number), Ordering::Relaxed);
        }
        if self.has(PUBLISHED_BEFORE_SYNCED) {
            self.publish(batch);
        }
        if !self.sync() {
            // A system reports a failure once: the second sync of the same bytes succeeds, and they are not there.
            if self.has(TRIED_AGAIN) {
                self.publish(batch);
                *self.in_flight.lock() = false;
            } else {
                self.poison();
            }
            return;
        }
        self.durable.raise(batch.end.pack());
        self.publish(batch);
        *self.in_flight.lock() = false;
    }

    /// `fdatasync`: what is written back is lost where the disk is broken, and one of those who sync is told.
    fn sync(&self) -> bool {
        if self.broken.load(Ordering::Acquire) {
            self.lost.store(true, Ordering::SeqCst);
        }
        !self.lost.swap(false, Ordering::SeqCst)
    }

    /// `Engine::sync_visible`, as `sync()` has it over a watermark that nobody has synced.
    pub(super) fn sync_visible(&self) {
        let _syncing = (!self.has(TWO_SYNCS_AT_ONCE)).then(|| self.syncing.lock());
        if self.gathering.poison().is_none() && !self.sync() {
            self.poison();
        }
    }

    fn publish(&self, batch: &Batch) {
        for (segment, number) in &batch.events {
            segment.published.raise(number + 1);
        }
        self.horizon.publish(batch.end, batch.revision);
    }

    /// A failed write or sync, wherever it was.
    pub(super) fn poison(&self) {
        if self.has(WOKEN_BEFORE_POISONED) {
            self.gathering.wake_all();
            self.gathering.poison_quietly("the disk failed");
        } else {
            self.gathering.set_poison("the disk failed");
        }
    }

    /// `Engine::flush_staged`. Says whether all is durable.
    fn flush_staged(&self, seat: &mut Seat) -> bool {
        while *self.in_flight.lock() && self.gathering.poison().is_none() && !self.has(CLOSED_OVER_A_BATCH) {
            yield_now();
        }
        if self.gathering.poison().is_some() {
            return false;
        }
        if let Some(batch) = seat.take_batch() {
            *self.in_flight.lock() = true;
            self.commit_batch(&batch);
            if !self.has(ENDED_WITHOUT_WAKING) {
                self.gathering.wake_all();
            }
        }
        self.gathering.poison().is_none()
    }

    /// `Engine::close`.
    pub(super) fn close(&self) {
        let mut seat = self.seat.lock();
        if self.is_refused() {
            return;
        }
        if self.flush_staged(&mut seat) {
            self.disk.lock().push(Written::Close);
        }
        if self.has(CLOSED_AFTER_THE_SEAT) {
            drop(seat);
            self.closed.store(true, Ordering::Release);
        } else {
            self.closed.store(true, Ordering::Release);
            drop(seat);
        }
        if !self.has(ENDED_WITHOUT_WAKING) {
            self.gathering.wake_all();
        }
    }

    /// A reader: takes a snapshot and reads all of it. Gives its revision.
    pub(super) fn read(&self) -> u64 {
        let (revision, segments) = if self.has(LISTED_BEFORE_REVISION) {
            let segments = Arc::clone(&self.horizon.segments());
            (self.horizon.revision(), segments)
        } else {
            self.horizon.snapshot()
        };
        for number in 0..revision {
            let segment = segments.iter().rfind(|segment| segment.base <= number);
            let event = segment.and_then(|segment| Some((segment, segment.event(number)?)));
            let (segment, event) = event.expect("the list holds every segment that the revision needs");
            assert!(segment.published.get() > number, "event {number} of {revision} is below its region's mark");
            assert_eq!(event.load(Ordering::Relaxed), content(number), "event {number} of {revision}");
        }
        revision
    }

    /// What must hold of an append that is over.
    pub(super) fn check(&self, (fate, number): (Fate, u64)) {
        let is_durable = (self.durable.get() & 0xffff_ffff) > number;
        assert!(fate != Fate::Visible || is_durable, "event {number} was acknowledged and is not durable");
    }

    /// What must hold of the disk: every event once and in order, and nothing behind the last frame.
    pub(super) fn check_disk(&self) {
        let disk = self.disk.lock();
        let close = disk.iter().position(|written| *written == Written::Close).unwrap_or(disk.len());
        assert!(close + 1 >= disk.len(), "written behind the last frame: {:?}", *disk);
        for (number, written) in disk[..close].iter().enumerate() {
            assert_eq!(*written, Written::Event(number as u64), "{:?}", *disk);
        }
    }
}
