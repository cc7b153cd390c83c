//! The oracle: judges a store against the ack log of the workload that was cut short.

use super::acks::{AckLog, Kind, Record};
use super::content::{Identity, Plan};
use super::{Failure, Mode};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use stratalog::testing::torture::Outcome;
use stratalog::{
    EventStore, OpenError, OpenMode, ReadError, Revision, StoredEvent, StoredTransaction, Verdict, verify,
};
use xxhash_rust::xxh3::Xxh3;

/// What cut the workload short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum After {
    /// The process ended; the page cache stayed.
    Kill,
    /// The page cache is gone.
    Power,
}

/// Judges a store against the ack log of the workload that was cut short.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store's folder.
    directory: PathBuf,
    /// The workload's ack log.
    #[arg(long, value_name = "FILE")]
    acks: PathBuf,
    /// What cut the workload short.
    #[arg(long, value_enum)]
    after: After,
}

pub(crate) fn run(args: &Args) -> Outcome {
    super::piece("check", None, |outcome| {
        let judged = Judge::new(&args.directory, &args.acks, args.after)?.repair_and_judge(outcome)?;
        outcome.count("revision", judged.revision);
        Ok(())
    })
}

/// What a store held, and how many transactions are missing that were submitted and never answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Found {
    pub(crate) revision: u64,
    pub(crate) digest: u64,
    pub(crate) missing: u64,
}

impl Found {
    fn nothing(missing: u64) -> Self {
        Self { revision: 0, digest: Xxh3::new().digest(), missing }
    }
}

/// What the ack log says must be there, and may be.
#[derive(Debug)]
struct Claims {
    seed: u64,
    mode: Mode,
    base: Found,
    /// The log must hold everything up to here.
    floor: u64,
    submitted: BTreeSet<(u32, u64)>,
    /// By the revision before the transaction.
    acked: BTreeMap<u64, Record>,
}

impl Claims {
    fn read(records: &[Record], after: After) -> Result<Self, Failure> {
        let begun = records.iter().find(|record| record.kind == Kind::Begun).ok_or("the ack log has no beginning")?;
        let mode =
            *Mode::ALL.iter().find(|mode| mode.code() == begun.thread).ok_or("unknown durability in the ack log")?;
        let mut claims = Self {
            seed: begun.counter,
            mode,
            base: Found::nothing(0),
            floor: 0,
            submitted: BTreeSet::new(),
            acked: BTreeMap::new(),
        };
        // What the page cache held is gone after a power cut, but for what was synced.
        let told_is_kept = after == After::Kill || mode == Mode::Sync;
        for record in records {
            let counts = match record.kind {
                Kind::Begun => false,
                Kind::Base => {
                    claims.base = Found { revision: record.revision, digest: record.counter, missing: 0 };
                    true
                }
                Kind::Submitted => {
                    claims.submitted.insert((record.thread, record.counter));
                    false
                }
                Kind::Acked => {
                    claims.acked.insert(record.basis, *record);
                    told_is_kept
                }
                Kind::Durable => true,
                Kind::Seen => told_is_kept,
            };
            if counts {
                claims.floor = claims.floor.max(record.revision);
            }
        }
        Ok(claims)
    }

    /// The transactions that were submitted and not acknowledged.
    fn unanswered(&self) -> impl Iterator<Item = &(u32, u64)> {
        let acked: BTreeSet<(u32, u64)> = self.acked.values().map(|record| (record.thread, record.counter)).collect();
        self.submitted.iter().filter(move |whose| !acked.contains(whose))
    }
}

/// Judges one store.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    directory: &'a Path,
    acks: &'a Path,
    claims: Claims,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(directory: &'a Path, acks: &'a Path, after: After) -> Result<Self, Failure> {
        let claims = Claims::read(&super::acks::read(acks)?, after)?;
        Ok(Self { directory, acks, claims })
    }

    /// Judges without repairing: whoever opens the store next has to.
    pub(crate) fn judge(&self, outcome: &mut Outcome) -> Result<Found, Failure> {
        self.look_before(outcome);
        let found = self.open_and_walk(OpenMode::ReadOnly, "read-only", outcome);
        self.settle(found, outcome)
    }

    /// Judges before and after the repair, and after opening once more: all must agree, and `verify` must find nothing.
    pub(crate) fn repair_and_judge(&self, outcome: &mut Outcome) -> Result<Found, Failure> {
        self.look_before(outcome);
        let before = self.open_and_walk(OpenMode::ReadOnly, "read-only", outcome);
        let repaired = self.open_and_walk(OpenMode::CreateIfMissing, "repaired", outcome);
        match verify(self.directory, &mut |_| {}) {
            Ok(report) if report.verdict == Verdict::Clean => {}
            Ok(report) => self.broken(outcome, format!("verify after the repair: {:?}", report.verdict)),
            Err(error) => self.broken(outcome, format!("verify after the repair: {error}")),
        }
        let again = self.open_and_walk(OpenMode::ReadOnly, "reopened", outcome);
        if let (Some(repaired), Some(again)) = (repaired, again)
            && (again != repaired || before.is_some_and(|before| before != repaired))
        {
            self.broken(outcome, format!("before the repair {before:?}, after it {repaired:?}, reopened {again:?}"));
        }
        for entry in std::fs::read_dir(self.directory)? {
            let name = entry?.file_name();
            if name.to_string_lossy().ends_with(".tmp") {
                self.broken(outcome, format!("a temporary file is left: {}", name.display()));
            }
        }
        self.settle(repaired, outcome)
    }

    /// Opens the store and compares with what it held before.
    pub(crate) fn compare(&self, expected: Found, when: &str, outcome: &mut Outcome) {
        if let Some(found) = self.open_and_walk(OpenMode::ReadOnly, when, outcome)
            && found != expected
        {
            self.broken(outcome, format!("{when}: {found:?}, and {expected:?} before"));
        }
    }

    /// Begins a new ack log for the next workload on the same store, which must find all of this.
    pub(crate) fn begin_next(&self, found: Found) -> Result<(), Failure> {
        std::fs::remove_file(self.acks)?;
        let base = Record { counter: found.digest, ..Record::at(Kind::Base, found.revision) };
        AckLog::open(self.acks)?.put(base)
    }

    fn broken(&self, outcome: &mut Outcome, what: String) {
        outcome.violations.push(format!("{} ({}): {what}", self.directory.display(), self.claims.mode.name()));
    }

    fn look_before(&self, outcome: &mut Outcome) {
        match verify(self.directory, &mut |_| {}) {
            Ok(report) => match report.verdict {
                Verdict::Clean => outcome.count("stores found clean", 1),
                Verdict::Torn { .. } => outcome.count("torn tails found", 1),
                corrupt @ Verdict::Corrupt { .. } => self.broken(outcome, format!("verify: {corrupt:?}")),
            },
            Err(OpenError::NotFound { .. }) if self.claims.floor == 0 => outcome.count("stores not yet made", 1),
            Err(error) => self.broken(outcome, format!("verify: {error}")),
        }
    }

    /// Opens the store in a mode and walks through all of it. `None` where it cannot be opened, noted unless that is right.
    fn open_and_walk(&self, mode: OpenMode, when: &str, outcome: &mut Outcome) -> Option<Found> {
        let options = super::options(self.claims.mode, super::SEGMENT_BYTES).mode(mode);
        let store = match EventStore::open_with(self.directory, options) {
            Ok(store) => store,
            Err(OpenError::NotFound { .. }) if mode == OpenMode::ReadOnly && self.claims.floor == 0 => return None,
            Err(error) => {
                self.broken(outcome, format!("{when}: {error}"));
                return None;
            }
        };
        let walked = match self.walk(&store) {
            Ok(Ok(found)) => Some(found),
            Ok(Err(wrong)) => {
                self.broken(outcome, format!("{when}: {wrong}"));
                None
            }
            Err(error) => {
                self.broken(outcome, format!("{when}: {error}"));
                None
            }
        };
        if let Err(error) = store.close() {
            self.broken(outcome, format!("{when}: close: {error}"));
        }
        walked
    }

    /// Walks through all transactions: whole, in order, none that nobody submitted, and each that was acknowledged in its place.
    fn walk(&self, store: &EventStore) -> Result<Result<Found, String>, ReadError> {
        let mut walk = Walk {
            claims: &self.claims,
            revision: 0,
            next: BTreeMap::new(),
            positions: HashMap::new(),
            hash: Xxh3::new(),
        };
        if self.claims.base.revision == 0 && self.claims.base.digest != walk.hash.digest() {
            return Ok(Err("the base of an empty log has a digest".into()));
        }
        for transaction in store.transactions(Revision::EMPTY)? {
            if let Err(wrong) = walk.transaction(&transaction?) {
                return Ok(Err(wrong));
            }
        }
        let scanned = store.log().scan().reverse().limit(1).read()?.first().map_or(0, |event| event.revision().get());
        if (scanned, store.revision()?.get()) != (walk.revision, walk.revision) {
            return Ok(Err(format!(
                "{} events walked, {scanned} by the scan, revision {:?}",
                walk.revision,
                store.revision()
            )));
        }
        let is_missing = |whose: &&(u32, u64)| walk.next.get(&whose.0).is_none_or(|next| whose.1 >= *next);
        let missing = self.claims.unanswered().filter(is_missing).count() as u64;
        Ok(Ok(Found { revision: walk.revision, digest: walk.hash.digest(), missing }))
    }

    /// Compares what was found with what was told, and counts.
    fn settle(&self, found: Option<Found>, outcome: &mut Outcome) -> Result<Found, Failure> {
        let claims = &self.claims;
        let found = found.unwrap_or_else(|| Found::nothing(claims.unanswered().count() as u64));
        if found.revision < claims.floor {
            let told = claims.acked.range(found.revision..).count();
            let what = format!(
                "revision {} is back, {} was promised, {told} acknowledged transactions are gone",
                found.revision, claims.floor
            );
            self.broken(outcome, what);
        }
        let kept = claims.acked.values().filter(|record| record.revision <= found.revision).count() as u64;
        let lost = claims.acked.len() as u64 - kept;
        outcome.count("acknowledged transactions checked", kept);
        outcome.count(
            "acknowledged transactions lost, as their durability allows",
            if claims.floor > found.revision { 0 } else { lost },
        );
        outcome.count("transactions without an answer", claims.unanswered().count() as u64);
        outcome.count("transactions without an answer that are gone", found.missing);
        outcome.count("cycles judged", 1);
        outcome.count("cycles that lost something not yet durable", u64::from(lost > 0 || found.missing > 0));
        Ok(found)
    }
}

/// A walk through the log.
struct Walk<'a> {
    claims: &'a Claims,
    revision: u64,
    /// The next counter of each thread.
    next: BTreeMap<u32, u64>,
    /// The next position of each stream.
    positions: HashMap<(String, String), u64>,
    hash: Xxh3,
}

impl Walk<'_> {
    fn transaction(&mut self, transaction: &StoredTransaction) -> Result<(), String> {
        let (basis, revision) = (transaction.basis().get(), transaction.revision().get());
        if basis != self.revision {
            return Err(format!("a transaction begins at revision {basis}, the one before ended at {}", self.revision));
        }
        let Some(first) = transaction.events().first() else {
            // Settings alone: the store's own.
            return Ok(());
        };
        let whose = Identity::of(first).ok_or_else(|| format!("nobody wrote the transaction at revision {basis}"))?;
        let Identity { thread, counter, .. } = whose;
        Plan::of(self.claims.seed, thread, counter).check_all(transaction.events())?;
        let next = self.next.entry(thread).or_default();
        if counter != *next {
            return Err(format!("thread {thread} has counter {counter} at revision {basis}, {next} comes next"));
        }
        *next += 1;
        if basis >= self.claims.base.revision && !self.claims.submitted.contains(&(thread, counter)) {
            return Err(format!("thread {thread} counter {counter} is there, and was not submitted"));
        }
        if let Some(acked) = self.claims.acked.get(&basis)
            && (acked.thread, acked.counter, acked.revision) != (thread, counter, revision)
        {
            return Err(format!("at revision {basis} is thread {thread} counter {counter}, not {acked:?}"));
        }
        for event in transaction.events() {
            self.event(event)?;
        }
        self.revision = revision;
        let base = self.claims.base;
        if revision == base.revision && self.hash.digest() != base.digest {
            return Err(format!(
                "what was there up to revision {revision} before the workload is not what is there now"
            ));
        }
        if revision > base.revision && basis < base.revision {
            return Err(format!("a transaction spans revision {}, where another one ended before", base.revision));
        }
        Ok(())
    }

    fn event(&mut self, event: &StoredEvent) -> Result<(), String> {
        let stream = (event.category().to_owned(), event.stream().to_owned());
        let next = self.positions.entry(stream).or_default();
        if event.position().get() != *next {
            let name = (event.category(), event.stream());
            return Err(format!("stream {name:?} has position {}, {next} comes next", event.position()));
        }
        *next += 1;
        let times = (event.recorded_at(), event.observed_at(), event.occurred_at());
        let head = format!("{} {} {} {:?} {times:?}", event.category(), event.stream(), event.name(), event.id());
        self.hash.update(head.as_bytes());
        self.hash.update(event.metadata().unwrap_or_default());
        self.hash.update(event.payload().bytes());
        Ok(())
    }
}
