//! SIGKILL: the workload is killed in the middle of its work, over and over on the same store, and nothing acknowledged is lost.

use super::acks::{AckLog, Kind, Record};
use super::check::{After, Judge};
use super::child::{Load, SIGKILL, Workload};
use super::workload::exit;
use super::{Common, Failure, Mode};
use std::time::Duration;
use stratalog::testing::torture::Outcome;

/// Kills the workload at random moments.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many kills.
    #[arg(long, default_value_t = 5_000)]
    cycles: u64,
    /// How many stores are worked on at once; as many as there are processors unless told.
    #[arg(long)]
    jobs: Option<usize>,
    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let seed = args.common.seed();
    super::piece("kills", Some(seed), |outcome| {
        let folder = tempfile::Builder::new().prefix("stratalog-kills-").tempdir_in(args.common.directory())?;
        let jobs = args.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
        let shares: Vec<Result<Outcome, Failure>> = std::thread::scope(|scope| {
            let share = |job: usize| {
                let cycles = args.cycles / jobs as u64 + u64::from((job as u64) < args.cycles % jobs as u64);
                let folder = folder.path().join(job.to_string());
                scope.spawn(move || {
                    let mut share = Outcome::new("kills");
                    std::fs::create_dir_all(&folder)?;
                    work(&folder, cycles, seed.wrapping_add(job as u64), &mut share)?;
                    Ok(share)
                })
            };
            let running: Vec<_> = (0..jobs).map(share).collect();
            running.into_iter().map(|job| job.join().unwrap_or_else(|_| Err("a job panicked".into()))).collect()
        });
        for share in shares {
            outcome.add(share?);
        }
        if !outcome.violations.is_empty() {
            // What is left of the store is evidence.
            outcome.count("evidence kept", 1);
            let kept = folder.keep();
            outcome.violations.push(format!("the stores are kept in {}", kept.display()));
        }
        Ok(())
    })
}

fn work(folder: &std::path::Path, cycles: u64, seed: u64, outcome: &mut Outcome) -> Result<(), Failure> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut done = 0;
    let mut stores = 0;
    while done < cycles {
        stores += 1;
        let (store, acks) = (folder.join(format!("store-{stores}")), folder.join(format!("acks-{stores}")));
        let content_seed = random.u64(..);
        let on_this = random.u64(1..=16).min(cycles - done);
        for _ in 0..on_this {
            done += 1;
            let mode = Mode::ALL[random.usize(..Mode::ALL.len())];
            let load = Load { mode, threads: random.u32(1..=6), readers: random.u32(0..=2), seed: content_seed };
            if !kill_once(&store, &acks, load, &mut random, outcome)? {
                return Ok(());
            }
        }
        // It may have been killed before it made anything.
        if store.exists() {
            std::fs::remove_dir_all(&store)?;
        }
        std::fs::remove_file(&acks)?;
        outcome.count("stores", 1);
    }
    Ok(())
}

/// One kill. Says whether to go on: after a violation the store stays as it is.
fn kill_once(
    store: &std::path::Path,
    acks: &std::path::Path,
    load: Load,
    random: &mut fastrand::Rng,
    outcome: &mut Outcome,
) -> Result<bool, Failure> {
    // So that there is a log, however early the kill comes.
    AckLog::open(acks)?.put(Record {
        kind: Kind::Begun,
        thread: load.mode.code(),
        counter: load.seed,
        basis: 0,
        revision: 0,
    })?;
    let mut child = Workload::start::<&str>(store, acks, load, &[])?;
    if random.u8(0..6) == 0 {
        outcome.count("kills while starting or opening", 1);
        std::thread::sleep(Duration::from_micros(random.u64(0..8_000)));
    } else {
        outcome.count("kills while working", 1);
        child.hear()?;
        std::thread::sleep(Duration::from_micros(random.u64(1_000..40_000)));
    }
    let ended = child.kill()?;
    outcome.count("kills", 1);
    outcome.count(format!("kills, {}", load.mode.name()), 1);
    if ended.signal != Some(SIGKILL) {
        let what = if ended.code == Some(exit::HARNESS) { "the harness failed in" } else { "the workload ended in" };
        outcome.violations.push(format!("{what} {}: {ended:?}", store.display()));
        return Ok(false);
    }
    let judge = Judge::new(store, acks, After::Kill)?;
    let found = if random.bool() { judge.judge(outcome)? } else { judge.repair_and_judge(outcome)? };
    judge.begin_next(found)?;
    Ok(outcome.violations.is_empty())
}
