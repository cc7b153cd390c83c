//! One history: a store on a simulated disk, used by threads through several windows, restarted in between, and checked.

use super::history::{Answer, Call, Operation, Restart, Window};
use super::model::{Ledger, Placed, State, Submission};
use super::search::{Verdict, search};
use super::threads::{Incident, Process, Shared, Worker, mark};
use super::{THREADS, order};
use crate::disk::{MemoryFiles, SimulatedDisk};
use crate::engine::{Engine, open_on};
use crate::testing::torture::Outcome;
use crate::vocabulary::options::{Durability, Options};
use crate::vocabulary::query::ScanQuery;
use crate::vocabulary::time::{SteppingClock, Timestamp};
use fastrand::Rng;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Barrier};
use std::time::Duration;

/// Windows of a history at most: of most histories, and of long ones.
const WINDOWS_MOST: [usize; 2] = [12, 48];
/// Operations of one thread in one window at most.
const OPERATIONS_MOST: usize = 24;
/// Power cuts within recovery, one after the other, at most.
const NESTED_MOST: u32 = 3;

/// How a history goes.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    durability: Durability,
    segment_bytes: (u64, u64),
    /// Bytes that the disk writes whole, where it does not tear.
    line: usize,
    streams: usize,
}

impl Setting {
    fn random(random: &mut Rng) -> Self {
        let durability = match random.u8(..8) {
            0..=4 => Durability::Sync,
            5 => Durability::Os,
            _ => Durability::Interval(Duration::from_micros(random.u64(100..4_000))),
        };
        let first = [16 << 10, 16 << 10, 64 << 10][random.usize(..3)];
        let line = [512, 512, 4_096][random.usize(..3)];
        Self { durability, segment_bytes: (first, first * 2), line, streams: random.usize(1..=5) }
    }

    fn options(&self) -> Options {
        let clock = SteppingClock::new(Timestamp::UNIX_EPOCH, Duration::from_millis(3));
        let (first, max) = self.segment_bytes;
        Options::new().durability(self.durability).clock(clock).segment_bytes(first, max)
    }
}

/// A store, its past, and what is counted of it.
pub(super) struct Life {
    random: Rng,
    pub(super) setting: Setting,
    shared: Shared,
    pub(super) outcome: Outcome,
    /// The log at the last moment at which no thread was in an operation.
    ledger: Ledger,
    /// Every transaction that was ever submitted.
    submissions: HashMap<u64, Arc<Submission>>,
    /// Up to where the log cannot get lost any more.
    durable: u64,
    window: u64,
    /// Whether the power of the disk in use is going to end.
    power_ends: bool,
}

/// How a process ended.
enum End {
    Killed(SimulatedDisk),
    Power,
    Closed,
}

impl Life {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let setting = Setting::random(&mut random);
        Self {
            random,
            shared: Shared::new(setting.streams),
            setting,
            outcome: Outcome::default(),
            ledger: Ledger::new(),
            submissions: HashMap::new(),
            durable: 0,
            window: 0,
            power_ends: false,
        }
    }

    /// Runs the history, up to `operations` of them.
    pub(super) fn run(&mut self, operations: u64) -> Result<(), String> {
        let mut disk = Arc::new(SimulatedDisk::new(MemoryFiles::new(), self.random.u64(..)));
        let mut engine = self.open(&disk).map_err(|error| format!("opening failed: {error}"))?;
        let most = WINDOWS_MOST[usize::from(self.random.u8(..24) == 0)];
        for _ in 0..self.random.usize(1..=most) {
            if self.outcome.counts.get("operations").is_some_and(|done| *done >= operations) {
                break;
            }
            let (mut window, end) = self.work(&engine, &disk)?;
            let judged = self.end_window(&mut disk, &mut engine, &mut window, end);
            judged.map_err(|wrong| format!("{wrong}\n  the window's history:\n{window}"))?;
        }
        Ok(())
    }

    /// Reads what the window has left, restarts the store where its process has ended, and judges it all.
    fn end_window(
        &mut self,
        disk: &mut Arc<SimulatedDisk>,
        engine: &mut Arc<Engine>,
        window: &mut Window,
        end: Option<End>,
    ) -> Result<(), String> {
        for operation in &window.operations {
            if let Call::Append(submission) = &operation.call {
                self.submissions.entry(submission.tag).or_insert_with(|| Arc::clone(submission));
            }
        }
        if !matches!(end, Some(End::Closed)) {
            window.visible = Some(self.read(engine)?);
        }
        if let Some(end) = end {
            let durable = self.durable.max(engine.durable_revision().get()).max(synced(window));
            (*disk, *engine) = self.restart(disk, window, end, durable)?;
        }
        self.judge(window)
    }

    fn open(&self, disk: &Arc<SimulatedDisk>) -> Result<Arc<Engine>, String> {
        open_on(Arc::clone(disk) as _, &self.setting.options()).map_err(|error| format!("{error:?}"))
    }

    /// Lets all threads work, until each has done its share or the process has come to its end.
    fn work(&mut self, engine: &Arc<Engine>, disk: &Arc<SimulatedDisk>) -> Result<(Window, Option<End>), String> {
        let share = self.random.usize(4..=OPERATIONS_MOST);
        let at = self.random.u64(..(THREADS * share) as u64);
        let incident = match self.random.u8(..16) {
            0..=3 => Some(Incident::Kill { at, evict: self.random.bool() }),
            // One thing at a time: what a close has done when the power ends meanwhile, nobody could tell.
            4 if !self.power_ends => Some(Incident::Close { at }),
            _ => None,
        };
        if self.random.u8(..16) < 5 && !matches!(incident, Some(Incident::Close { .. })) {
            self.end_power(disk, at / 2 + 2);
        }
        let process = Process {
            shared: &self.shared,
            engine,
            disk,
            incident,
            begun: AtomicU64::new(0),
            over: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            next: Mutex::new(None),
        };
        self.window += 1;
        let (barrier, window) = (Barrier::new(THREADS), self.window);
        let workers: Vec<Worker<'_>> = (0..THREADS)
            .map(|thread| {
                let tag = window << 32 | (thread as u64) << 16;
                Worker { process: &process, thread, random: self.random.fork(), tag, operations: Vec::new() }
            })
            .collect();
        let mut operations = Vec::new();
        std::thread::scope(|scope| {
            let work = |mut worker: Worker<'_>| {
                barrier.wait();
                worker.run(share).map(|()| worker.operations)
            };
            let threads: Vec<_> = workers.into_iter().map(|worker| scope.spawn(move || work(worker))).collect();
            threads.into_iter().try_for_each(|thread| {
                operations.extend(thread.join().map_err(|_| "a thread panicked")??);
                Ok::<(), String>(())
            })
        })?;
        let killed = process.next.lock().take();
        let closed = process.closing.into_inner();
        let unknown = operations.iter().any(|operation| operation.answer == Answer::Unknown);
        let end = match killed {
            Some(next) => Some(End::Killed(next)),
            None if disk.is_off() => Some(End::Power),
            None if closed => Some(End::Closed),
            None if unknown => return Err("an append had an unknown outcome, and nothing had failed".into()),
            None if self.random.u8(..32) == 0 => Some(End::Power),
            None => None,
        };
        Ok((Window { operations, visible: None, restart: None }, end))
    }

    fn end_power(&mut self, disk: &SimulatedDisk, within: u64) {
        disk.end_power_at(self.random.u64(1..=within), self.random.bool());
        self.power_ends = true;
    }

    /// Opens what a process has left.
    fn restart(
        &mut self,
        disk: &Arc<SimulatedDisk>,
        window: &mut Window,
        end: End,
        durable: u64,
    ) -> Result<(Arc<SimulatedDisk>, Arc<Engine>), String> {
        let mut may_roll_back = false;
        self.power_ends = false;
        let (how, mut next) = match end {
            End::Killed(next) => ("a kill", Arc::new(next)),
            End::Closed => ("a close", Arc::clone(disk)),
            End::Power => {
                may_roll_back = self.setting.durability != Durability::Sync;
                ("a power cut", self.after_power_cut(disk))
            }
        };
        self.outcome.count(
            if how == "a kill" {
                "kills"
            } else if how == "a close" {
                "closes"
            } else {
                "crashes"
            },
            1,
        );
        let mut nested = 0;
        let engine = loop {
            if matches!(how, "a power cut") && nested < NESTED_MOST && self.random.u8(..6) == 0 {
                self.end_power(&next, 7);
            }
            match self.open(&next) {
                Ok(engine) => break engine,
                Err(_) if next.is_off() => {
                    nested += 1;
                    self.outcome.count("power cuts within recovery", 1);
                    self.power_ends = false;
                    next = self.after_power_cut(&next);
                }
                Err(error) => return Err(format!("opening after {how} failed: {error}")),
            }
        };
        let found = self.read(&engine)?;
        window.restart = Some(Restart { how, may_roll_back, durable, found });
        Ok((next, engine))
    }

    fn after_power_cut(&mut self, disk: &SimulatedDisk) -> Arc<SimulatedDisk> {
        let image = disk.crash(self.setting.line).random(&mut self.random);
        Arc::new(SimulatedDisk::new(image.files, self.random.u64(..)))
    }

    /// Reads the whole log: whole transactions that were submitted, each event where it must be.
    fn read(&mut self, engine: &Engine) -> Result<Vec<Arc<Submission>>, String> {
        let mut reading = Reading::default();
        let mut cursor =
            engine.scan(&ScanQuery::default()).map_err(|error| format!("the log cannot be read: {error:?}"))?;
        let mut wrong = None;
        let visited = cursor.visit(&mut |event| {
            let (streams, submissions) = (&self.shared.streams, &self.submissions);
            let next = || {
                let (tag, index) = mark(event).ok_or("nobody has made it")?;
                if index == 0 {
                    reading.begin(submissions.get(&tag).ok_or("it was never submitted")?);
                }
                let stream =
                    streams.iter().position(|known| *known == event.stream_id()).ok_or("its stream is unknown")?;
                let basis = event.transaction_basis().get();
                let end = event.transaction_revision().get();
                let placed = Placed { basis, revision: end, last: Some(event.position().get()) };
                reading.take(tag, index, stream, event.sequence_number().get(), placed)
            };
            wrong = { next }().err();
            if wrong.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        visited.map_err(|error| format!("the log cannot be read: {error:?}"))?;
        match wrong {
            Some(wrong) => Err(format!("event {} of the log: {wrong}", reading.count)),
            None if reading.count != reading.state.log.count => Err("the log ends within a transaction".into()),
            None => Ok(reading.log),
        }
    }

    /// Holds a window against both checkers, and goes on from where it ended.
    fn judge(&mut self, window: &Window) -> Result<(), String> {
        self.count(window);
        order::check(&self.ledger, window).map_err(|finding| finding.to_string())?;
        match search(&self.ledger, window) {
            Verdict::Linearizable => self.outcome.count("windows searched for an order, and one found", 1),
            Verdict::GivenUp => self.outcome.count("windows whose search was given up", 1),
            Verdict::Not(finding) => return Err(finding.to_string()),
        }
        let end = window.restart.as_ref().map(|restart| &restart.found).or(window.visible.as_ref());
        self.ledger.become_log(end.ok_or("nobody looked at the log")?);
        let state = self.ledger.state();
        if window.restart.is_some() {
            // Whatever a store serves after it was opened is there for good.
            self.durable = state.log.count;
            for (believed, list) in self.shared.believed.iter_mut().zip(state.streams) {
                *believed.get_mut() = list.count;
            }
        }
        Ok(())
    }

    fn count(&mut self, window: &Window) {
        self.outcome.count("windows", 1);
        if let (Some(restart), Some(visible)) = (&window.restart, &window.visible) {
            let (found, shown) = (restart.found.len() as u64, visible.len() as u64);
            self.outcome.count("unknown outcomes that a restart showed to be done", found.saturating_sub(shown));
            self.outcome.count("transactions rolled back by power cuts", shown.saturating_sub(found));
        }
        for operation in &window.operations {
            self.outcome.count("operations", 1);
            let what = match (&operation.call, &operation.answer) {
                (_, Answer::Unknown) => "unknown outcomes",
                (_, Answer::NotDone) => "operations that certainly did nothing",
                (Call::Append(_), Answer::Appended(_)) => "appends",
                (Call::Append(_), Answer::Repeated(_)) => "repeats",
                (Call::Append(_), _) => "refusals",
                (Call::Sync, _) => "syncs",
                _ => "reads",
            };
            self.outcome.count(what, 1);
        }
    }
}

/// The highest revision that a sync said to be durable.
fn synced(window: &Window) -> u64 {
    let revision = |operation: &Operation| match (&operation.call, &operation.answer) {
        (Call::Sync, Answer::Revision(revision)) => Some(*revision),
        _ => None,
    };
    window.operations.iter().filter_map(revision).max().unwrap_or(0)
}

/// A log that is being read.
#[derive(Default)]
struct Reading {
    log: Vec<Arc<Submission>>,
    /// With the transaction that is being read.
    state: State,
    /// Before it.
    before: State,
    count: u64,
}

impl Reading {
    fn begin(&mut self, submission: &Arc<Submission>) {
        self.before = self.state;
        self.state.append(submission);
        self.log.push(Arc::clone(submission));
    }

    /// The next event: that of the transaction begun last, in its stream and its place.
    fn take(&mut self, tag: u64, index: u64, stream: usize, number: u64, placed: Placed) -> Result<(), &'static str> {
        let submission =
            self.log.last().filter(|submission| submission.tag == tag).ok_or("it is of another transaction")?;
        if number != self.count || self.before.log.count + index != self.count {
            return Err("its number is not the next one");
        }
        if (placed.basis, placed.revision) != (self.before.log.count, self.state.log.count) {
            return Err("its transaction is elsewhere");
        }
        let (mut rest, mut expected) = (index, None);
        for part in &submission.parts {
            if rest < part.events {
                expected = Some((part.stream, self.before.streams[part.stream].count + rest));
                break;
            }
            rest -= part.events;
        }
        if expected != Some((stream, placed.last.unwrap_or(u64::MAX))) {
            return Err("its stream or position is not what was submitted");
        }
        self.count += 1;
        Ok(())
    }
}
