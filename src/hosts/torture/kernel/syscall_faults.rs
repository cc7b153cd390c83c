//! The fault matrix on the real binary: strace makes the k-th call of each kind fail with each error, once and for good.

use super::acks::{AckLog, Kind, Record};
use super::check::{After, Judge};
use super::workload::exit;
use super::{Common, Failure, Mode, mounts};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use stratalog::testing::torture::Outcome;

/// Kinds of calls: all by which a disk is asked for something. One that this system does not know is left out.
const CALLS: [&str; 13] = [
    "openat",
    "fallocate",
    "pwrite64",
    "fdatasync",
    "fsync",
    "renameat2",
    "unlink,unlinkat",
    "mmap",
    "statx,fstat",
    "flock",
    "pread64",
    "getdents64",
    "ftruncate",
];
/// What the calls fail with. The last is no error: a write that wrote nothing.
const ERRORS: [&str; 9] = ["EIO", "ENOSPC", "EDQUOT", "EINTR", "EACCES", "EMFILE", "ENOMEM", "EROFS", NOTHING_WRITTEN];
const NOTHING_WRITTEN: &str = "retval=0";
/// Interrupted calls are tried again for ever, as they should be; the system never interrupts for ever.
const INTERRUPTIONS: u64 = 5;
/// More calls of a kind than the scenario makes.
const CALLS_AT_MOST: u64 = 500;
/// How long one run may take; the scenario ends itself before.
const PATIENCE: Duration = Duration::from_secs(20);

/// Makes system calls of a short life of a store fail, one after the other.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Takes one in so many combinations of call, error and durability, by the seed; all of them unless told.
    #[arg(long, default_value_t = 1)]
    one_in: u64,
    /// How many run at once; as many as there are processors unless told.
    #[arg(long)]
    jobs: Option<usize>,
    #[command(flatten)]
    common: Common,
}

/// A row of the matrix: the calls of one kind fail with one error, the first, the second and so on.
#[derive(Debug, Clone, Copy)]
struct Row {
    mode: Mode,
    calls: &'static str,
    error: &'static str,
    for_good: bool,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let seed = args.common.seed();
    super::piece("syscall-faults", Some(seed), |outcome| {
        if let Err(why) = ready() {
            outcome.skipped = Some(why);
            return Ok(());
        }
        let folder = tempfile::Builder::new().prefix("stratalog-faults-").tempdir_in(args.common.directory())?;
        // As the kernel names it: paths are compared by their letters.
        let root = folder.path().canonicalize()?;
        let rows = rows(args.one_in, seed);
        let jobs = args.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
        let next = AtomicUsize::new(0);
        let shares: Vec<Result<Outcome, Failure>> = std::thread::scope(|scope| {
            let running: Vec<_> = (0..jobs)
                .map(|job| {
                    let (root, rows, next) = (root.join(job.to_string()), &rows, &next);
                    scope.spawn(move || work(&root, rows, next))
                })
                .collect();
            running.into_iter().map(|job| job.join().unwrap_or_else(|_| Err("a job panicked".into()))).collect()
        });
        for share in shares {
            outcome.add(share?);
        }
        outcome.count("rows of the whole matrix", rows_in_all() as u64);
        outcome.count("left out", (rows_in_all() - rows.len()) as u64);
        Ok(())
    })
}

/// Whether strace is there and may trace. Says why not.
fn ready() -> Result<(), String> {
    mounts::install("strace", "strace")?;
    let traced = mounts::command("strace", &["-f", "-o", "/dev/null", "-e", "inject=getpid:error=EIO:when=1", "true"]);
    traced.map(drop).map_err(|error| format!("strace may not trace here ({error}): allow ptrace"))
}

fn all_rows() -> impl Iterator<Item = Row> {
    let modes = [Mode::Sync, Mode::Os].into_iter();
    let kinds = modes.flat_map(|mode| CALLS.into_iter().map(move |calls| (mode, calls)));
    let errors = kinds.flat_map(|(mode, calls)| ERRORS.into_iter().map(move |error| (mode, calls, error)));
    let rows = errors.flat_map(|(mode, calls, error)| {
        [false, true].into_iter().map(move |for_good| Row { mode, calls, error, for_good })
    });
    rows.filter(|row| row.error != NOTHING_WRITTEN || row.calls == "pwrite64")
}

fn rows_in_all() -> usize {
    all_rows().count()
}

fn rows(one_in: u64, seed: u64) -> Vec<Row> {
    let mut random = fastrand::Rng::with_seed(seed);
    all_rows().filter(|_| random.u64(0..one_in.max(1)) == 0).collect()
}

fn work(root: &Path, rows: &[Row], next: &AtomicUsize) -> Result<Outcome, Failure> {
    let mut outcome = Outcome::new("syscall-faults");
    while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
        outcome.count("rows", 1);
        let mut call = 1;
        while call <= CALLS_AT_MOST && outcome.violations.len() < 20 {
            if !cell(root, *row, call, &mut outcome)? {
                break;
            }
            call += 1;
        }
        if call > CALLS_AT_MOST {
            outcome.violations.push(format!("{row:?}: still failing at call {call}"));
        }
    }
    Ok(outcome)
}

/// One run of the scenario, with a fault at the `call`-th call of each thread. Says whether there was such a call.
fn cell(root: &Path, row: Row, call: u64, outcome: &mut Outcome) -> Result<bool, Failure> {
    if root.exists() {
        std::fs::remove_dir_all(root)?;
    }
    std::fs::create_dir_all(root)?;
    let (store, acks, trace) = (root.join("store"), root.join("acks"), root.join("trace"));
    let (status, words) = scenario(&store, &acks, &trace, row, call)?;
    let trace = std::fs::read_to_string(&trace)?;
    let mut injected = trace.lines().filter(|line| line.contains("INJECTED")).peekable();
    let fired = injected.peek().is_some();
    let swallowed = injected.find(|line| must_be_told(line, row.error));
    let place = format!(
        "{} {} call {call}{}, {}",
        row.calls,
        row.error,
        if row.for_good { " and on" } else { "" },
        row.mode.name()
    );
    let ended = match (status.code().and_then(|code| u8::try_from(code).ok()), fired) {
        (Some(0), _) if swallowed.is_some() => {
            let call = swallowed.unwrap_or_default();
            outcome.violations.push(format!("{place}: it ended well, as if this had not failed: {call}"));
            return Ok(fired);
        }
        (Some(0), _) => "cells that ended well",
        (Some(exit::POISONED), true) => "cells that ended poisoned",
        (Some(exit::NOT_OPENED), true) => "cells that ended with a typed error of opening",
        (Some(exit::REFUSED), true) => "cells that ended with another typed error",
        (Some(exit::HUNG), _) => {
            outcome.violations.push(format!("{place}: it hung"));
            return Ok(fired);
        }
        _ => {
            outcome.violations.push(format!("{place}: {status}: {words}"));
            return Ok(fired);
        }
    };
    let begun = Record { kind: Kind::Begun, thread: row.mode.code(), counter: 0, basis: 0, revision: 0 };
    if !acks.exists() {
        AckLog::open(&acks)?.put(begun)?;
    }
    let mut judged = Outcome::new("syscall-faults");
    Judge::new(&store, &acks, After::Kill)?.repair_and_judge(&mut judged)?;
    judged.violations.iter_mut().for_each(|violation| *violation = format!("{place} ({ended}: {words}): {violation}"));
    outcome.add(judged);
    if fired {
        outcome.count("cells", 1);
        outcome.count(format!("cells, {}", row.calls), 1);
        outcome.count(ended, 1);
    }
    Ok(fired)
}

/// Whether nothing may end well behind this failure, which strace has traced: a write to a segment that is in use, its sync, and
/// the sync of a directory. (A segment that is being made can be made again. Interrupted writes are tried again, and so are
/// interrupted syncs of directories; one of a file is not.)
fn must_be_told(line: &str, error: &str) -> bool {
    let is_in_use = line.contains(".segment>");
    (line.contains("fdatasync(") && is_in_use)
        || (error != "EINTR" && (line.contains("pwrite64(") && is_in_use || line.contains(" fsync(")))
}

/// Runs the scenario under strace.
fn scenario(store: &Path, acks: &Path, trace: &Path, row: Row, call: u64) -> Result<(ExitStatus, String), Failure> {
    let when = match (row.for_good, row.error) {
        (false, _) => call.to_string(),
        (true, "EINTR") => format!("{call}..{}", call + INTERRUPTIONS - 1),
        (true, _) => format!("{call}+"),
    };
    let error = if row.error == NOTHING_WRITTEN { row.error.to_owned() } else { format!("error={}", row.error) };
    let mut command = Command::new("strace");
    command.args(["-f", "-q", "-y", "--seccomp-bpf", "-o"]).arg(trace);
    // Only calls about the store's own files: else the loader's and the standard library's would fail, which is not our subject.
    command.arg("-P").arg(store).arg("-P").arg(store.join("LOCK"));
    if let Some(parent) = store.parent() {
        command.arg("-P").arg(parent);
    }
    for number in 1..=8 {
        for suffix in ["segment", "segment.tmp"] {
            command.arg("-P").arg(store.join(format!("{number:010}.{suffix}")));
        }
    }
    command.args(["-e", &format!("trace={}", row.calls), "-e", &format!("inject={}:{error}:when={when}", row.calls)]);
    command.arg(std::env::current_exe()?).arg("scenario").arg(store).arg("--acks").arg(acks);
    command.args(["--durability", row.mode.name()]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            child.kill()?;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let mut words = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        std::io::Read::read_to_string(&mut stderr, &mut words)?;
    }
    Ok((status, words.trim().to_owned()))
}
