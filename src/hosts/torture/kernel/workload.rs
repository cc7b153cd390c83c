//! The process that is killed: threads append and read until they are stopped, and log outside the store what they were told.

use super::acks::{AckLog, Kind, Record};
use super::content::{Guard, Identity, OWN, Plan};
use super::{Failure, Mode};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use stratalog::{AppendError, EventStore, OpenError, ReadError, Retry, Revision, SequenceNumber};

/// How often an append is tried again after an error that says that it may be.
const TRIES: u32 = 2;

/// How long a workload may take; each piece ends it after some seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// Exit codes of the workload; 0 is a workload that came to its end.
pub(crate) mod exit {
    /// A promise was broken.
    pub(crate) const VIOLATION: u8 = 2;
    /// The program itself failed.
    pub(crate) const HARNESS: u8 = 3;
    /// The store was poisoned, which is the typed answer to a disk that fails.
    pub(crate) const POISONED: u8 = 10;
    /// The store could not be opened.
    pub(crate) const NOT_OPENED: u8 = 11;
    /// Another typed error.
    pub(crate) const REFUSED: u8 = 12;
    /// It hung.
    pub(crate) const HUNG: u8 = 13;
}

/// Appends and reads until it is killed, its standard input ends, or it has appended enough.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store's folder.
    directory: PathBuf,
    /// Where to log what was submitted and acknowledged: outside the store's file system.
    #[arg(long, value_name = "FILE")]
    acks: PathBuf,
    #[arg(long, value_enum, default_value_t = Mode::Sync)]
    durability: Mode,
    #[arg(long, default_value_t = 2)]
    threads: u32,
    #[arg(long, default_value_t = 1)]
    readers: u32,
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Transactions of each thread; without it, for ever.
    #[arg(long)]
    appends: Option<u64>,
    /// Bytes of a segment.
    #[arg(long, default_value_t = super::SEGMENT_BYTES)]
    segment_bytes: u64,
    /// On a full disk: say `full` on standard output, wait for a line on standard input, then append so many more.
    #[arg(long, value_name = "APPENDS")]
    until_full: Option<u64>,
    /// Once the store is poisoned: say `poisoned` on standard output, and stay until killed, with all files open and mapped.
    #[arg(long)]
    linger: bool,
}

/// How a thread of the workload ended.
#[derive(Debug)]
enum End {
    Done,
    Full,
    Refused(String),
    Poisoned(String),
    Violation(String),
}

/// What the threads share.
struct Run<'a> {
    args: &'a Args,
    store: EventStore,
    acks: AckLog,
    stop: AtomicBool,
    appended: AtomicU64,
}

/// Where a thread goes on.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    next: u64,
    own_last: Option<u64>,
    last_with_id: Option<(u64, Revision)>,
}

impl Args {
    /// One thread that appends so many transactions, and nothing beside it.
    pub(crate) fn alone(
        directory: PathBuf,
        acks: PathBuf,
        mode: Mode,
        seed: u64,
        segment_bytes: u64,
        appends: u64,
    ) -> Self {
        let (durability, appends) = (mode, Some(appends));
        let (until_full, linger) = (None, false);
        Self { directory, acks, durability, threads: 1, readers: 0, seed, appends, segment_bytes, until_full, linger }
    }
}

pub(crate) fn run(args: &Args) -> ExitCode {
    end_within(LIMIT);
    end(work(args))
}

/// Ends the process when it takes too long: it hangs.
pub(crate) fn end_within(limit: Duration) {
    std::thread::spawn(move || {
        std::thread::sleep(limit);
        std::process::exit(i32::from(exit::HUNG));
    });
}

/// Says how the work ended, and gives the exit code for it.
pub(crate) fn end(worked: Result<(u8, String), Failure>) -> ExitCode {
    let (code, words) = worked.unwrap_or_else(|failure| (exit::HARNESS, format!("harness: {failure}")));
    if !words.is_empty() {
        // The exit code tells what matters, should nobody listen.
        let _ = writeln!(std::io::stderr(), "{words}");
    }
    ExitCode::from(code)
}

/// Opens the store, works on it, and closes it. Gives the exit code and what there is to say.
pub(crate) fn work(args: &Args) -> Result<(u8, String), Failure> {
    let acks = AckLog::open(&args.acks)?;
    let code = args.durability.code();
    acks.put(Record { kind: Kind::Begun, thread: code, counter: args.seed, basis: 0, revision: 0 })?;
    let options = super::options(args.durability, args.segment_bytes);
    let store = match EventStore::open_with(&args.directory, options.clone()) {
        Ok(store) => store,
        Err(OpenError::Io(failure)) if failure.is_no_space() && args.until_full.is_some() => {
            say("full")?;
            wait_for_line()?;
            EventStore::open_with(&args.directory, options)?
        }
        // No failure of a disk explains bytes that contradict each other.
        Err(error @ OpenError::Corrupt(_)) => return Ok((exit::VIOLATION, format!("not opened: {error}"))),
        Err(error) => return Ok((exit::NOT_OPENED, format!("not opened: {error}"))),
    };
    let progress = match look_back(&store, args) {
        Ok(progress) => progress,
        Err(error) => return Ok((exit::REFUSED, format!("not read: {error}"))),
    };
    if args.until_full.is_none() && args.appends.is_none() {
        stop_with_the_parent();
    }
    say("ready")?;
    let run = Run { args, store, acks, stop: AtomicBool::new(false), appended: AtomicU64::new(0) };
    let mut ends = run.all(&progress)?;
    if let Some(more) = args.until_full {
        ends = run.go_on_after_full(ends, more)?;
    }
    let ended = run.judge(ends);
    if ended.0 == exit::POISONED && args.linger {
        say("poisoned")?;
        std::thread::sleep(LIMIT);
    }
    if ended.0 == 0
        && let Err(error) = run.store.close()
    {
        return Ok((exit::REFUSED, format!("not closed: {error}")));
    }
    Ok(ended)
}

pub(crate) fn say(word: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{word}")?;
    Ok(out.flush()?)
}

pub(crate) fn wait_for_line() -> Result<(), Failure> {
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// Ends the process when its standard input ends, so that it never outlives whoever started it.
fn stop_with_the_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(i32::from(exit::HARNESS));
    });
}

/// What the log holds of each thread: the workload goes on from there.
fn look_back(store: &EventStore, args: &Args) -> Result<Vec<Progress>, ReadError> {
    let mut found: BTreeMap<u32, Progress> = BTreeMap::new();
    for event in &store.log() {
        let event = event?;
        let Some(identity) = Identity::of(&event) else { continue };
        let progress = found.entry(identity.thread).or_default();
        progress.next = identity.counter + 1;
        if event.category() == OWN {
            progress.own_last = Some(event.position().get());
        }
        if event.transaction_id().is_some() {
            progress.last_with_id = Some((identity.counter, event.transaction_revision()));
        }
    }
    Ok((0..args.threads).map(|thread| found.remove(&thread).unwrap_or_default()).collect())
}

impl Run<'_> {
    /// Runs all threads to their end.
    fn all(&self, progress: &[Progress]) -> Result<Vec<End>, Failure> {
        let readers = self.args.readers;
        std::thread::scope(|scope| {
            let appenders: Vec<_> =
                (0..).zip(progress).map(|(at, from)| scope.spawn(move || self.append(at, *from))).collect();
            let mut others: Vec<_> = (0..readers).map(|_| scope.spawn(|| self.read())).collect();
            if self.args.durability != Mode::Sync {
                others.push(scope.spawn(|| self.note_durable()));
            }
            let mut ends = Vec::new();
            for thread in appenders {
                ends.push(thread.join().map_err(|_| "an appender panicked")??);
            }
            self.stop.store(true, Ordering::Relaxed);
            for thread in others {
                ends.push(thread.join().map_err(|_| "a reader panicked")??);
            }
            Ok(ends)
        })
    }

    /// Appends a thread's transactions, one after the other.
    fn append(&self, thread: u32, from: Progress) -> Result<End, Failure> {
        if let Some(end) = self.repeat(thread, from) {
            return Ok(end);
        }
        let mut own_last = from.own_last;
        let last = self.args.appends.map_or(u64::MAX, |appends| from.next + appends);
        for counter in from.next..last {
            let plan = Plan::of(self.args.seed, thread, counter);
            self.acks.put(Record { kind: Kind::Submitted, thread, counter, basis: 0, revision: 0 })?;
            let mut tries = 0;
            let receipt = loop {
                let built = match plan.build(&self.store, own_last) {
                    Ok(built) => built,
                    Err(error) => return Ok(End::Refused(format!("not read: {error}"))),
                };
                match self.store.append(built) {
                    Ok(receipt) => break receipt,
                    Err(AppendError::Unmet(_)) if plan.guard == Guard::Contended => {}
                    // Nothing was written, and trying again is safe: so it is tried.
                    Err(error @ (AppendError::NoSpace(_) | AppendError::Io(_))) if tries < TRIES => {
                        if error.retry() != Retry::Safe {
                            return Ok(End::Violation(format!("not to be tried again: {error}")));
                        }
                        tries += 1;
                    }
                    Err(error) => return Ok(self.end_of(thread, counter, &error)),
                }
            };
            let (basis, revision) = (receipt.basis().get(), receipt.revision().get());
            self.acks.put(Record { kind: Kind::Acked, thread, counter, basis, revision })?;
            if receipt.is_repeat() {
                return Ok(End::Violation(format!(
                    "thread {thread} counter {counter}: a first append is called a repeat"
                )));
            }
            let own = plan.own_events();
            if own > 0 {
                own_last = Some(own_last.map_or(own - 1, |last| last + own));
            }
            self.appended.fetch_add(1, Ordering::Relaxed);
        }
        Ok(End::Done)
    }

    /// Appends the last transaction that has an id once more: nothing may be written, and the first receipt comes back.
    fn repeat(&self, thread: u32, from: Progress) -> Option<End> {
        let (counter, revision) = from.last_with_id?;
        let plan = Plan::of(self.args.seed, thread, counter);
        // Conditions are not looked at for an id that is there, so any position will do.
        let built = match plan.build(&self.store, None) {
            Ok(built) => built,
            Err(error) => return Some(End::Refused(format!("not read: {error}"))),
        };
        match self.store.append(built) {
            Ok(receipt) if receipt.is_repeat() && receipt.revision() == revision => None,
            Ok(receipt) => Some(End::Violation(format!(
                "thread {thread} counter {counter}: its id is at revision {revision}, but a repeat was given {}",
                receipt.revision()
            ))),
            Err(error) => Some(self.end_of(thread, counter, &error)),
        }
    }

    fn end_of(&self, thread: u32, counter: u64, error: &AppendError) -> End {
        match error {
            AppendError::Poisoned { .. } => End::Poisoned(error.to_string()),
            AppendError::NoSpace(_) if self.args.until_full.is_some() => End::Full,
            AppendError::NoSpace(_)
            | AppendError::Io(_)
            | AppendError::Unknown { .. }
            | AppendError::TimedOut { .. } => End::Refused(error.to_string()),
            _ => End::Violation(format!("thread {thread} counter {counter}: {error}")),
        }
    }

    /// Reads behind the appenders: no gap, nothing but what was written, and notes how far it saw.
    fn read(&self) -> Result<End, Failure> {
        let mut next = 0;
        while !self.stop.load(Ordering::Relaxed) {
            match self.read_from(next) {
                Ok(Ok(seen)) if seen > next => {
                    next = seen;
                    self.acks.put(Record::at(Kind::Seen, seen))?;
                }
                Ok(Ok(_)) => std::thread::sleep(Duration::from_micros(200)),
                Ok(Err(violation)) => return Ok(End::Violation(violation)),
                Err(error) => return Ok(End::Refused(format!("not read: {error}"))),
            }
        }
        Ok(End::Done)
    }

    /// Reads everything from an event on; gives the revision that it reached, or what is wrong.
    fn read_from(&self, from: u64) -> Result<Result<u64, String>, ReadError> {
        let mut next = from;
        let mut plan: Option<(Identity, Plan)> = None;
        let mut whole = true;
        for event in self.store.log().scan().from(SequenceNumber::new(from)) {
            let event = event?;
            if event.sequence_number().get() != next {
                return Ok(Err(format!("a reader expected event {next} and saw {}", event.sequence_number())));
            }
            next += 1;
            let Some(identity) = Identity::of(&event) else {
                return Ok(Err(format!("a reader saw event {} that nobody wrote", event.sequence_number())));
            };
            let known =
                plan.take().filter(|(known, _)| (known.thread, known.counter) == (identity.thread, identity.counter));
            let (_, known) = plan.insert(
                known.unwrap_or_else(|| (identity, Plan::of(self.args.seed, identity.thread, identity.counter))),
            );
            if let Err(wrong) = known.check(identity.index as usize, &event) {
                return Ok(Err(format!("a reader: {wrong}")));
            }
            whole = identity.index + 1 == identity.of;
        }
        Ok(if whole { Ok(next) } else { Err(format!("a reader saw half a transaction before revision {next}")) })
    }

    /// Notes what the store says is durable: by asking for it in `os`, by waiting for it in `interval`.
    fn note_durable(&self) -> Result<End, Failure> {
        let mut random = fastrand::Rng::with_seed(self.args.seed);
        while !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_micros(random.u64(500..8_000)));
            let durable = match self.args.durability {
                Mode::Interval => match self.store.revision() {
                    Ok(revision) => match self.store.wait_durable(revision, Duration::from_secs(10)) {
                        Ok(()) => revision,
                        Err(error @ ReadError::Poisoned { .. }) => return Ok(End::Poisoned(error.to_string())),
                        Err(error) => {
                            return Ok(End::Violation(format!("revision {revision} of an interval: {error}")));
                        }
                    },
                    Err(error) => return Ok(End::Refused(error.to_string())),
                },
                _ => match self.store.sync() {
                    Ok(revision) => revision,
                    Err(error @ AppendError::Poisoned { .. }) => return Ok(End::Poisoned(error.to_string())),
                    Err(error) => return Ok(End::Refused(error.to_string())),
                },
            };
            self.acks.put(Record::at(Kind::Durable, durable.get()))?;
        }
        Ok(End::Done)
    }

    /// After a full disk: waits until there is room, and appends so many more, which must go well.
    fn go_on_after_full(&self, ends: Vec<End>, more: u64) -> Result<Vec<End>, Failure> {
        if !ends.iter().all(|end| matches!(end, End::Full | End::Done)) {
            return Ok(ends);
        }
        say("full")?;
        wait_for_line()?;
        let progress = look_back(&self.store, self.args)?;
        let args = Args {
            appends: Some(more),
            until_full: None,
            directory: self.args.directory.clone(),
            acks: self.args.acks.clone(),
            ..*self.args
        };
        let run = Run {
            args: &args,
            store: self.store.clone(),
            acks: AckLog::open(&args.acks)?,
            stop: AtomicBool::new(false),
            appended: AtomicU64::new(0),
        };
        run.all(&progress)
    }

    /// What the ends of all threads come to; a poisoned store is looked at closely.
    fn judge(&self, ends: Vec<End>) -> (u8, String) {
        let mut worst = (0, String::new());
        for end in ends {
            let (code, words) = match end {
                End::Done => continue,
                End::Full => (exit::REFUSED, "still full".to_owned()),
                End::Refused(words) => (exit::REFUSED, words),
                End::Poisoned(words) => (exit::POISONED, words),
                End::Violation(words) => (exit::VIOLATION, words),
            };
            let rank =
                |code| [0, exit::REFUSED, exit::POISONED, exit::VIOLATION].iter().position(|known| *known == code);
            if rank(code) > rank(worst.0) {
                worst = (code, words);
            }
        }
        if worst.0 == exit::POISONED
            && let Err(violation) = self.look_at_poisoned()
        {
            return (exit::VIOLATION, violation);
        }
        worst
    }

    /// A poisoned store refuses appends, shows readers nothing that is not as durable as promised, and goes on being read.
    fn look_at_poisoned(&self) -> Result<(), String> {
        let again = self.store.stream(OWN, "poisoned").publish([stratalog::NewEvent::empty("late")]);
        match again {
            Err(AppendError::Poisoned { .. }) => {}
            other => return Err(format!("an append to a poisoned store: {other:?}")),
        }
        let revision = self.store.revision().map_err(|error| format!("after poison: {error}"))?;
        let durable = self.store.durable_revision();
        if self.args.durability == Mode::Sync && revision > durable {
            return Err(format!("after poison readers see revision {revision}, but only {durable} is durable"));
        }
        let seen = self.read_from(0).map_err(|error| format!("a read after poison: {error}"))??;
        if seen != revision.get() {
            return Err(format!("after poison the log is at revision {revision}, and {seen} can be read"));
        }
        self.acks.put(Record::at(Kind::Seen, seen)).map_err(|failure| format!("harness: {failure}"))
    }
}
