//! Power cuts: the file system is shut down under the workload, so that what was not synced never reaches the image.

use super::acks::{AckLog, Kind, Record};
use super::check::{After, Judge};
use super::child::{Ended, Load, SIGKILL, Workload};
use super::mounts::{self, FileSystem, Mount};
use super::workload::exit;
use super::{Common, Failure, Mode};
use std::path::{Path, PathBuf};
use std::time::Duration;
use stratalog::testing::torture::{Outcome, Shutdown, shut_down, write_back};

/// SIGBUS, by its number on Linux.
const SIGBUS: i32 = 7;
/// Bytes of the image, in MiB: an xfs smaller than 300 MiB is refused by its newer tools unless asked for.
const IMAGE: u64 = 128;
/// What cuts are counted as.
const CUTS: &str = "cuts";
/// Cycles on one store, so that recoveries pile up.
const ON_ONE_STORE: u64 = 5;

/// Cuts the power of a file system under the workload.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many cuts.
    #[arg(long, default_value_t = 250)]
    cycles: u64,
    #[arg(long, value_enum, default_value_t = FileSystem::Ext4)]
    file_system: FileSystem,
    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let seed = args.common.seed();
    let name = match args.file_system {
        FileSystem::Ext4 => "power-cuts-ext4",
        FileSystem::Xfs => "power-cuts-xfs",
    };
    super::piece(name, Some(seed), |outcome| {
        if let Err(why) = mounts::enter().and_then(|()| args.file_system.ready()) {
            outcome.skipped = Some(why);
            return Ok(());
        }
        let folder = tempfile::Builder::new().prefix("stratalog-power-").tempdir_in(args.common.directory())?;
        let scratch = Mount::memory(folder.path(), IMAGE * 2)?;
        let mut bench = Bench::new(args.file_system, scratch.path(), seed)?;
        for cycle in 0.. {
            if outcome.counts.get(CUTS).is_some_and(|cuts| *cuts >= args.cycles) {
                break;
            }
            bench.cycle(cycle, outcome)?;
            if !outcome.violations.is_empty() {
                outcome.violations.push(format!("that was cut {cycle}"));
                break;
            }
        }
        drop(bench);
        scratch.end()
    })
}

/// An image, and the store in it.
struct Bench {
    image: PathBuf,
    mount: PathBuf,
    acks: PathBuf,
    random: fastrand::Rng,
    content_seed: u64,
    store: PathBuf,
}

impl Bench {
    fn new(kind: FileSystem, scratch: &Path, seed: u64) -> Result<Self, Failure> {
        let image = scratch.join("image");
        let options: &[&str] = match kind {
            FileSystem::Ext4 => &["-b", "4096"],
            FileSystem::Xfs => &["--unsupported"],
        };
        if let Err(failure) = kind.make(&image, IMAGE, options) {
            // Older tools make small file systems without being asked twice, and do not know the option.
            if kind == FileSystem::Ext4 {
                return Err(failure);
            }
            kind.make(&image, IMAGE, &[])?;
        }
        let mount = scratch.join("mount");
        let store = mount.join("none yet");
        Ok(Self {
            image,
            mount,
            acks: scratch.join("acks"),
            random: fastrand::Rng::with_seed(seed),
            content_seed: 0,
            store,
        })
    }

    fn cycle(&mut self, cycle: u64, outcome: &mut Outcome) -> Result<(), Failure> {
        self.perhaps_cut_under_a_look(outcome)?;
        let mounted = Mount::image(&self.mount, &self.image)?;
        if cycle.is_multiple_of(ON_ONE_STORE) {
            if self.store.exists() {
                std::fs::remove_dir_all(&self.store)?;
                std::fs::remove_file(&self.acks)?;
            }
            self.store = self.mount.join(format!("store-{cycle}"));
            self.content_seed = self.random.u64(..);
            outcome.count("stores", 1);
        }
        let random = &mut self.random;
        let mode = Mode::ALL[random.usize(..Mode::ALL.len())];
        let load = Load { mode, threads: random.u32(1..=6), readers: random.u32(0..=2), seed: self.content_seed };
        // So that there is a log, however early the cut comes.
        let begun = Record { kind: Kind::Begun, thread: mode.code(), counter: load.seed, basis: 0, revision: 0 };
        AckLog::open(&self.acks)?.put(begun)?;
        let segment = super::SEGMENT_BYTES << [0, 0, 1, 3][random.usize(..4)];
        let more = ["--segment-bytes".to_owned(), segment.to_string()];
        let mut child = Workload::start(&self.store, &self.acks, load, &more)?;
        if random.u8(0..8) == 0 {
            outcome.count("cuts while starting or opening", 1);
            std::thread::sleep(Duration::from_micros(random.u64(0..8_000)));
        } else {
            outcome.count("cuts while working", 1);
            let said = child.hear()?;
            if said != "ready" {
                outcome
                    .violations
                    .push(format!("the workload was to be ready, and said {said:?}: {:?}", child.kill()?));
                return mounted.end();
            }
            std::thread::sleep(Duration::from_micros(random.u64(1_000..40_000)));
        }
        let how = match random.u8(0..8) {
            0 => Shutdown::Flush,
            1 => Shutdown::FlushLog,
            _ => Shutdown::Nothing,
        };
        stray_write_back(&self.store, random)?;
        shut_down(mounted.path(), how)?;
        let left_alone = random.u8(0..3) == 0;
        let ended = if left_alone { child.wait()? } else { child.kill()? };
        if how == Shutdown::Flush {
            outcome.count("shutdowns that wrote everything first (not counted as cuts)", 1);
        } else {
            outcome.count(CUTS, 1);
            outcome.count(format!("cuts, {}", mode.name()), 1);
            outcome.count(format!("cuts, {how:?}"), 1);
        }
        note_end(&ended, left_alone, outcome);
        mounted.end()?;

        let mounted = Mount::image(&self.mount, &self.image)?;
        let judge = Judge::new(&self.store, &self.acks, After::Power)?;
        let found = judge.repair_and_judge(outcome)?;
        judge.begin_next(found)?;
        if !left_alone {
            return mounted.end();
        }
        // What the repair found must be on the disk now, and not in the page cache alone: a sync that failed may have left clean
        // pages over stale blocks. A second cut takes the page cache away.
        shut_down(mounted.path(), Shutdown::Nothing)?;
        mounted.end()?;
        let mounted = Mount::image(&self.mount, &self.image)?;
        judge.compare(found, "after a cut right behind the repair", outcome);
        outcome.count("cuts right behind a repair", 1);
        mounted.end()
    }
}

impl Bench {
    /// Cuts the power under a process that has the store open and has read nothing yet. The page cache is empty, so what the file
    /// system no longer reads (xfs nothing, ext4 all) must be a typed error, and not a signal.
    fn perhaps_cut_under_a_look(&mut self, outcome: &mut Outcome) -> Result<(), Failure> {
        if self.random.u8(0..4) > 0 {
            return Ok(());
        }
        let mounted = Mount::image(&self.mount, &self.image)?;
        // The last cut may have come before the store was made.
        if !self.store.join("0000000001.segment").exists() {
            return mounted.end();
        }
        let mut child = Workload::look(&self.store)?;
        let said = child.hear()?;
        if said != "ready" {
            outcome.violations.push(format!("a look was to be ready, and said {said:?}: {:?}", child.kill()?));
            return mounted.end();
        }
        shut_down(mounted.path(), Shutdown::Nothing)?;
        child.tell()?;
        let ended = child.wait()?;
        outcome.count("cuts under a look", 1);
        match (ended.code, ended.signal) {
            (Some(0), None) => outcome.count("looks that could read all", 1),
            (Some(exit::REFUSED), None) => outcome.count("looks that ended with a typed error", 1),
            _ => outcome.violations.push(format!("a look at a store whose disk is gone ended with {ended:?}")),
        }
        mounted.end()
    }
}

/// Lets the kernel write back some pages and not others, as it may at any time: else a cut finds all or nothing written.
fn stray_write_back(store: &Path, random: &mut fastrand::Rng) -> Result<(), Failure> {
    const PAGE: i64 = 4_096;
    // The store may not be there yet, and its files come and go.
    let Ok(entries) = std::fs::read_dir(store) else { return Ok(()) };
    let mut segments: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "segment"));
    segments.sort();
    for path in segments.iter().rev().take(3) {
        let Ok(file) = std::fs::File::open(path) else { continue };
        for page in 0..i64::try_from(file.metadata()?.len())? / PAGE {
            if random.bool() {
                write_back(&file, page * PAGE, PAGE)?;
            }
        }
    }
    Ok(())
}

/// What a workload may end in whose disk is gone: killed by us, or by itself with a typed error.
fn note_end(ended: &Ended, left_alone: bool, outcome: &mut Outcome) {
    match (ended.code, ended.signal) {
        (None, Some(SIGKILL)) if !left_alone => outcome.count("workloads killed", 1),
        (Some(exit::POISONED), None) => outcome.count("workloads that ended poisoned", 1),
        (Some(exit::NOT_OPENED | exit::REFUSED), None) => {
            outcome.count("workloads that ended with another typed error", 1)
        }
        (None, Some(SIGBUS)) => {
            outcome.violations.push(format!("SIGBUS after the file system was shut down: {ended:?}"))
        }
        _ => outcome.violations.push(format!("after the file system was shut down the workload ended with {ended:?}")),
    }
}
