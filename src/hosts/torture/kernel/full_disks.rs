//! Full disks: appends until there is no room, makes room, goes on, and finds all of it again.

use super::check::{After, Judge};
use super::child::{Load, Workload};
use super::mounts::{self, FileSystem, Mount};
use super::{Common, Failure, Mode};
use rustix::fs::FallocateFlags;
use std::ffi::OsString;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};
use stratalog::testing::torture::Outcome;

/// Appends of each thread once there is room again, and the room that is left for them.
const MORE: u64 = 20;
const ROOM: u64 = 3 << 20;
/// How much is filled at most: more takes longer and shows nothing new.
const FILLED_AT_MOST: u64 = 6 << 20;
/// What a file system may keep for itself after files came and went.
const KEPT: u64 = 64 << 10;
/// How long a segment that did not fit may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// Fills small disks up to different levels.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many levels of free space, half of them on ext4 and half in memory.
    #[arg(long, default_value_t = 200)]
    levels: u64,
    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let seed = args.common.seed();
    super::piece("full-disks", Some(seed), |outcome| {
        if let Err(why) = mounts::enter().and_then(|()| FileSystem::Ext4.ready()) {
            outcome.skipped = Some(why);
            return Ok(());
        }
        let folder = tempfile::Builder::new().prefix("stratalog-full-").tempdir_in(args.common.directory())?;
        let scratch = Mount::memory(folder.path(), 128)?;
        let image = scratch.path().join("image");
        FileSystem::Ext4.make(&image, 64, &[])?;
        let ext4 = Mount::image(&scratch.path().join("ext4"), &image)?;
        let mut random = fastrand::Rng::with_seed(seed);
        for level in 0..args.levels {
            let acks = scratch.path().join("acks");
            if level.is_multiple_of(2) {
                outcome.count("levels, ext4", 1);
                fill(ext4.path(), &acks, &mut random, outcome)?;
            } else {
                outcome.count("levels, tmpfs", 1);
                let memory = Mount::memory(&scratch.path().join("tmpfs"), random.u64(4..=16))?;
                fill(memory.path(), &acks, &mut random, outcome)?;
                memory.end()?;
            }
            outcome.count("levels", 1);
            if !outcome.violations.is_empty() {
                outcome.violations.push(format!("that was level {level}"));
                break;
            }
        }
        ext4.end()?;
        scratch.end()
    })
}

/// Fills a disk from one level of free space on.
fn fill(disk: &Path, acks: &Path, random: &mut fastrand::Rng, outcome: &mut Outcome) -> Result<(), Failure> {
    let before = free(disk)?;
    let level = random.u64(0..=before.saturating_sub(ROOM).min(FILLED_AT_MOST));
    let ballast_path = disk.join("ballast");
    let ballast = File::create(&ballast_path)?;
    rustix::fs::fallocate(&ballast, FallocateFlags::empty(), 0, before.saturating_sub(level).max(1))?;
    let store = disk.join("store");
    let mode = Mode::ALL[random.usize(..Mode::ALL.len())];
    let load = Load { mode, threads: random.u32(1..=2), readers: random.u32(0..=1), seed: random.u64(..) };
    let segment = [super::SEGMENT_BYTES, 4 * super::SEGMENT_BYTES][random.usize(..2)];
    let more = ["--until-full".to_owned(), MORE.to_string(), "--segment-bytes".to_owned(), segment.to_string()];
    let mut child = Workload::start(&store, acks, load, &more)?;
    let mut was_ready = false;
    let mut room_left = 2;
    loop {
        match child.hear()?.as_str() {
            "ready" => was_ready = true,
            "full" if room_left > 0 => {
                outcome.count(if was_ready { "disks filled" } else { "disks too full for a store" }, 1);
                leave_no_temporary(&store, outcome)?;
                room_left -= 1;
                // In two steps: a store that could not even begin fills up what it gets, and needs room once more.
                let kept =
                    if room_left > 0 && !was_ready { ballast.metadata()?.len().saturating_sub(ROOM / 2) } else { 0 };
                ballast.set_len(kept)?;
                child.tell()?;
            }
            _ => break,
        }
    }
    let ended = child.wait()?;
    if ended.code != Some(0) || !was_ready {
        let what = format!("with {level} of {before} bytes free, {}, the workload ended with {ended:?}", mode.name());
        outcome.violations.push(what);
        return Ok(());
    }
    drop(ballast);
    std::fs::remove_file(&ballast_path)?;
    Judge::new(&store, acks, After::Kill)?.repair_and_judge(outcome)?;
    std::fs::remove_dir_all(&store)?;
    std::fs::remove_file(acks)?;
    let after = free(disk)?;
    if after + KEPT < before {
        outcome.violations.push(format!("{before} bytes were free before the store, and {after} after it was removed"));
    }
    Ok(())
}

fn free(disk: &Path) -> Result<u64, Failure> {
    rustix::fs::syncfs(File::open(disk)?)?;
    let stat = rustix::fs::statvfs(disk)?;
    Ok(stat.f_bavail * stat.f_frsize)
}

/// A segment that did not fit is gone again; housekeeping may be about to find that out, too.
fn leave_no_temporary(store: &Path, outcome: &mut Outcome) -> Result<(), Failure> {
    let begun = Instant::now();
    loop {
        let names: Vec<OsString> =
            store.read_dir()?.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<_, _>>()?;
        let Some(left) = names.iter().find(|name| name.to_string_lossy().ends_with(".tmp")) else { return Ok(()) };
        if begun.elapsed() > GONE_WITHIN {
            outcome.violations.push(format!("a temporary file is left on the full disk: {}", left.display()));
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
