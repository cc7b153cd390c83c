//! What a ticket stands for: an answer in two steps, and those who are to be told of it.
//!
//! Nobody is forgotten: who wants to be told looks whether it is settled, and gets on the list, under the lock that who settles
//! takes afterwards. No code of a user's runs under any lock here: it waits in [`Board::run`].

#[cfg(all(test, loom))]
mod loom_models;

use super::error::AppendError;
use super::mark::Mark;
use super::sync::{Mutex, OnceLock, Thread};
use super::transaction::Receipt;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

/// The two steps in which an answer comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// Judged: accepted with its positions, or refused.
    Accepted,
    /// As safe as the store makes things.
    Durable,
}

/// What became of an append.
pub(crate) type Outcome = Result<Receipt, AppendError>;

/// What a callback is called with.
pub(crate) type Callback = Box<dyn FnOnce(Outcome) + Send>;

/// What was found when an append was judged.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) outcome: Outcome,
    /// Where the log must be safe up to for the second step.
    pub(crate) place: u64,
    /// Whether the outcome rests on what is not safe yet: then the first step waits for it, too.
    pub(crate) rests: bool,
}

impl Judged {
    /// An outcome that rests on nothing.
    pub(crate) fn at_once(outcome: Outcome) -> Self {
        Self { outcome, place: 0, rests: false }
    }
}

/// Who is told, and how.
pub(crate) enum Told {
    Thread(Thread),
    Waker(Waker),
    Callback(Callback),
}

struct Watcher {
    number: u64,
    step: Step,
    told: Told,
}

/// Code of users that is to run, outside every lock.
enum Job {
    Wake(Waker),
    Call(Callback, Outcome),
    Drop(Box<dyn Send>),
}

/// What a board asks of the store that it is of.
pub(crate) trait Errands: Send + Sync {
    /// Has [`Board::run`] called soon, by a thread that may run code of users. Says whether it will be.
    fn run(&self, board: &Arc<Board>) -> bool;
    /// Somebody waits for the second step: sees to it, where that does not come by itself.
    fn hurry(&self);
}

/// What all tickets of a store have in common: how far the log is safe, and who is to be told when it is safe further.
pub(crate) struct Board {
    /// Everything up to here is as safe as the store makes it, and visible.
    reached: Mark,
    /// Why nothing more will be.
    end: OnceLock<Arc<str>>,
    state: Mutex<State>,
    /// How long a plain wait lasts at most.
    patience: Duration,
    errands: OnceLock<Box<dyn Errands>>,
}

struct State {
    /// Those with watchers, by the place that these wait for.
    listed: BTreeMap<(u64, u64), Arc<Pledge>>,
    next: u64,
    jobs: VecDeque<Job>,
    /// Whether someone was asked to run them, and has not begun.
    asked: bool,
    /// Whether someone runs them.
    running: bool,
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").field("reached", &self.reached).field("end", &self.end).finish_non_exhaustive()
    }
}

impl Board {
    /// A board of a log that is safe up to `reached`.
    pub(crate) fn new(reached: u64, patience: Duration) -> Arc<Self> {
        let state = State { listed: BTreeMap::new(), next: 0, jobs: VecDeque::new(), asked: false, running: false };
        Arc::new(Self {
            reached: Mark::new(reached),
            end: OnceLock::new(),
            state: Mutex::new(state),
            patience,
            errands: OnceLock::new(),
        })
    }

    /// Tells the board who does its errands. Without that, whoever drives the store calls [`Board::run`].
    pub(crate) fn send(&self, errands: Box<dyn Errands>) {
        let _ = self.errands.set(errands);
    }

    /// How long a plain wait lasts at most.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// Everything up to `place` is safe: tells those who wait for no more.
    pub(crate) fn reach(self: &Arc<Self>, place: u64) {
        self.reached.raise(place);
        let settled = {
            let mut state = self.state.lock();
            let rest = state.listed.split_off(&(place.saturating_add(1), 0));
            std::mem::replace(&mut state.listed, rest)
        };
        self.tell(settled);
    }

    /// Nothing more will be safe: tells everyone. The first cause counts.
    pub(crate) fn fail(self: &Arc<Self>, cause: &Arc<str>) {
        self.end.get_or_init(|| Arc::clone(cause));
        let settled = std::mem::take(&mut self.state.lock().listed);
        self.tell(settled);
    }

    fn tell(self: &Arc<Self>, settled: BTreeMap<(u64, u64), Arc<Pledge>>) {
        for pledge in settled.into_values() {
            pledge.watchers.lock().listed = false;
            pledge.tell();
        }
    }

    /// Puts a pledge on the list of those that wait for `place`. Not where there is nothing left to wait for.
    fn list(&self, place: u64, pledge: &Arc<Pledge>) -> bool {
        let mut state = self.state.lock();
        if self.reached.get() >= place || self.end.get().is_some() {
            return false;
        }
        let number = state.next;
        state.next += 1;
        state.listed.insert((place, number), Arc::clone(pledge));
        true
    }

    fn hurry(&self) {
        if let Some(errands) = self.errands.get() {
            errands.hurry();
        }
    }

    /// Has something of a user's dropped where code of users may run.
    pub(crate) fn dispose(self: &Arc<Self>, thing: impl Send + 'static) {
        self.put([Job::Drop(Box::new(thing))].into());
    }

    fn put(self: &Arc<Self>, jobs: Vec<Job>) {
        if self.line_up(jobs) {
            self.ask();
        }
    }

    /// Puts jobs behind those that are there. Whether somebody is to be asked for who runs them.
    fn line_up(&self, jobs: Vec<Job>) -> bool {
        let mut state = self.state.lock();
        state.jobs.extend(jobs);
        !state.jobs.is_empty() && !std::mem::replace(&mut state.asked, true)
    }

    fn ask(self: &Arc<Self>) {
        if !self.errands.get().is_some_and(|errands| errands.run(self)) {
            self.state.lock().asked = false;
        }
    }

    /// Runs what nobody was to be had for, if there is anything.
    pub(crate) fn run_rest(&self) {
        let state = self.state.lock();
        let is_left = !state.asked && !state.jobs.is_empty();
        drop(state);
        if is_left {
            self.run();
        }
    }

    /// Wakes futures and calls callbacks, in order, unless someone is at it already, who then does what has come, too. A callback
    /// that panics ends itself alone.
    pub(crate) fn run(&self) {
        loop {
            let jobs = {
                let mut state = self.state.lock();
                state.asked = false;
                if state.running || state.jobs.is_empty() {
                    return;
                }
                state.running = true;
                std::mem::take(&mut state.jobs)
            };
            for job in jobs {
                // The panic was reported where it happened, and is nobody else's business.
                let _ = catch_unwind(AssertUnwindSafe(|| job.run()));
            }
            self.state.lock().running = false;
        }
    }
}

impl Job {
    fn run(self) {
        match self {
            Self::Wake(waker) => waker.wake(),
            Self::Call(callback, outcome) => callback(outcome),
            Self::Drop(thing) => drop(thing),
        }
    }
}

/// One append's answer, and who waits for it.
pub(crate) struct Pledge {
    board: Arc<Board>,
    judged: OnceLock<Judged>,
    watchers: Mutex<Watchers>,
}

struct Watchers {
    list: Vec<Watcher>,
    next: u64,
    /// Whether the board has the pledge on its list.
    listed: bool,
}

impl fmt::Debug for Pledge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pledge").field("judged", &self.judged).finish_non_exhaustive()
    }
}

impl Pledge {
    fn new(board: &Arc<Board>) -> Self {
        let watchers = Mutex::new(Watchers { list: Vec::new(), next: 0, listed: false });
        Self { board: Arc::clone(board), judged: OnceLock::new(), watchers }
    }

    /// A pledge for what is judged already.
    pub(crate) fn judged(board: &Arc<Board>, judged: Judged) -> Arc<Self> {
        let pledge = Self::new(board);
        let _ = pledge.judged.set(judged);
        Arc::new(pledge)
    }

    pub(crate) fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// What a step has brought, if it has come.
    pub(crate) fn look(&self, step: Step) -> Option<Outcome> {
        self.fate(step).map(|fate| match fate {
            Ok(outcome) => outcome.clone(),
            Err(cause) => Err(AppendError::Poisoned { cause: Arc::clone(cause), unknown: true }),
        })
    }

    fn is_over(&self, step: Step) -> bool {
        self.fate(step).is_some()
    }

    /// What a step has brought: what was found, or why it will never come.
    fn fate(&self, step: Step) -> Option<Result<&Outcome, &Arc<str>>> {
        // What is safe is, whatever failed later: so the failure is looked for first, and believed last.
        let end = self.board.end.get();
        let judged = self.judged.get()?;
        let is_over = !judged.rests && (step == Step::Accepted || judged.outcome.is_err());
        if is_over || self.board.reached.get() >= judged.place { Some(Ok(&judged.outcome)) } else { end.map(Err) }
    }

    /// Notes who is to be told of a step, and gives a number to forget it by. Who comes too late gets it back.
    pub(crate) fn watch(self: &Arc<Self>, step: Step, told: Told) -> Result<u64, Told> {
        let mut watchers = self.watchers.lock();
        if self.is_over(step) {
            return Err(told);
        }
        let mut hurries = false;
        if let Some(judged) = self.judged.get().filter(|_| !watchers.listed) {
            watchers.listed = self.board.list(judged.place, self);
            if !watchers.listed {
                return Err(told);
            }
            hurries = true;
        }
        let number = watchers.next;
        watchers.next += 1;
        watchers.list.push(Watcher { number, step, told });
        drop(watchers);
        if hurries {
            self.board.hurry();
        }
        Ok(number)
    }

    /// Forgets who was to be told.
    pub(crate) fn forget(&self, number: u64) {
        let mut watchers = self.watchers.lock();
        let at = watchers.list.iter().position(|watcher| watcher.number == number);
        let forgotten = at.map(|at| watchers.list.swap_remove(at));
        drop(watchers);
        // A waker is a user's: it goes outside the lock.
        drop(forgotten);
    }

    /// Tells those whose step has come, and lists the pledge for the others.
    fn tell(self: &Arc<Self>) {
        let mut hurries = false;
        let mut watchers = self.watchers.lock();
        let mut settled = self.take_settled(&mut watchers);
        if let Some(judged) = self.judged.get().filter(|_| !watchers.list.is_empty() && !watchers.listed) {
            hurries = self.board.list(judged.place, self);
            watchers.listed = hurries;
            if !hurries {
                settled.extend(self.take_settled(&mut watchers));
            }
        }
        settled.sort_by_key(|watcher| watcher.step);
        let (mut threads, mut jobs) = (Vec::new(), Vec::new());
        for Watcher { step, told, .. } in settled {
            match (told, self.look(step)) {
                (Told::Thread(thread), _) => threads.push(thread),
                (Told::Waker(waker), _) => jobs.push(Job::Wake(waker)),
                (Told::Callback(callback), Some(outcome)) => jobs.push(Job::Call(callback, outcome)),
                // What has come stays: so there always is an outcome.
                (Told::Callback(_), None) => {}
            }
        }
        // Before anyone else can tell of the later step: what is put first is called first.
        let asks = !jobs.is_empty() && self.board.line_up(jobs);
        drop(watchers);
        threads.into_iter().for_each(|thread| thread.unpark());
        if asks {
            self.board.ask();
        }
        if hurries {
            self.board.hurry();
        }
    }

    fn take_settled(&self, watchers: &mut Watchers) -> Vec<Watcher> {
        let [accepted, durable] = [Step::Accepted, Step::Durable].map(|step| self.is_over(step));
        let is_over = |watcher: &mut Watcher| if watcher.step == Step::Accepted { accepted } else { durable };
        watchers.list.extract_if(.., is_over).collect()
    }
}

/// The store's end of a pledge: it is kept on every way out.
#[derive(Debug)]
pub(crate) struct Promise {
    pledge: Arc<Pledge>,
}

impl Promise {
    pub(crate) fn new(board: &Arc<Board>) -> Self {
        Self { pledge: Arc::new(Pledge::new(board)) }
    }

    pub(crate) fn pledge(&self) -> &Arc<Pledge> {
        &self.pledge
    }

    /// Says what was found.
    pub(crate) fn keep(self, judged: Judged) {
        // Only who has the promise sets it, and has it once.
        let _ = self.pledge.judged.set(judged);
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        let lost = || Judged::at_once(Err(AppendError::Unknown { waited: Duration::ZERO }));
        self.pledge.judged.get_or_init(lost);
        self.pledge.tell();
    }
}

/// Steps that broken twins do apart, or in the wrong order.
#[cfg(all(test, loom))]
impl Pledge {
    /// Gets on the list without a look.
    fn watch_blindly(&self, step: Step, told: Told) {
        let mut watchers = self.watchers.lock();
        watchers.list.push(Watcher { number: 0, step, told });
    }
}

#[cfg(all(test, loom))]
impl Board {
    /// Tells those who wait, and only then notes how far it is.
    fn reach_too_late(self: &Arc<Self>, place: u64) {
        let settled = std::mem::take(&mut self.state.lock().listed);
        self.tell(settled);
        self.reached.raise(place);
    }

    /// Tells those who wait, and only then notes that nothing more will be.
    fn fail_too_late(self: &Arc<Self>, cause: &Arc<str>) {
        let settled = std::mem::take(&mut self.state.lock().listed);
        self.tell(settled);
        self.end.get_or_init(|| Arc::clone(cause));
    }

    /// Runs what there is, and only then notes that it was begun.
    fn run_and_begin(&self) {
        let jobs = std::mem::take(&mut self.state.lock().jobs);
        for job in jobs {
            job.run();
        }
        self.state.lock().asked = false;
    }
}
