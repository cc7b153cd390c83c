//! A thin device: the disk promises more room than it has, so that a write that was accepted fails when it is written back.

use super::check::{After, Judge};
use super::child::{Load, SIGKILL, Workload};
use super::mounts::{self, FileSystem, Mount};
use super::workload::exit;
use super::{Common, Failure, Mode};
use rustix::fs::FallocateFlags;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;
use stratalog::testing::torture::Outcome;
use stratalog::{EventStore, OpenError};

/// MiB of memory behind the device, and MiB that it promises.
const THERE: u64 = 24;
const PROMISED: u64 = 96;

/// Lets a device that promises more than it has run out of room under the workload.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How many devices.
    #[arg(long, default_value_t = 50)]
    cycles: u64,
    #[command(flatten)]
    common: Common,
}

pub(crate) fn run(args: &Args) -> Outcome {
    let seed = args.common.seed();
    super::piece("thin-device", Some(seed), |outcome| {
        if let Err(why) = mounts::enter().and_then(|()| FileSystem::Ext4.ready()) {
            outcome.skipped = Some(why);
            return Ok(());
        }
        let folder = tempfile::Builder::new().prefix("stratalog-thin-").tempdir_in(args.common.directory())?;
        let scratch = Mount::memory(folder.path(), 16)?;
        let mut random = fastrand::Rng::with_seed(seed);
        for cycle in 0..args.cycles {
            run_out(scratch.path(), &mut random, outcome)?;
            outcome.count("devices", 1);
            if !outcome.violations.is_empty() {
                outcome.violations.push(format!("that was device {cycle}"));
                break;
            }
        }
        scratch.end()
    })
}

/// One device, from its making to its end.
fn run_out(scratch: &Path, random: &mut fastrand::Rng, outcome: &mut Outcome) -> Result<(), Failure> {
    let backing = Mount::memory(&scratch.join("backing"), THERE)?;
    let image = backing.path().join("image");
    FileSystem::Ext4.make(&image, PROMISED, &["-b", "4096", "-J", "size=4"])?;
    let mount = scratch.join("mount");
    let mounted = Mount::image(&mount, &image)?;
    let (store, acks) = (mounted.path().join("store"), scratch.join("acks"));
    let mode = Mode::ALL[random.usize(..Mode::ALL.len())];
    let load = Load { mode, threads: random.u32(1..=4), readers: random.u32(0..=2), seed: random.u64(..) };
    let segment = super::SEGMENT_BYTES << random.u32(0..4);
    // Some are killed right behind the failed sync, before they could do anything about it.
    let linger = random.bool();
    let mut more = vec!["--segment-bytes".to_owned(), segment.to_string()];
    more.extend(linger.then(|| "--linger".to_owned()));
    let mut child = Workload::start(&store, &acks, load, &more)?;
    child.hear()?;
    std::thread::sleep(Duration::from_millis(random.u64(5..60)));
    let ballast = backing.path().join("ballast");
    let honest = OneBlockAtATime::on(&image)?;
    take_room_away(&mount, &image, backing.path(), &ballast)?;
    let lingers = linger && child.hear()? == "poisoned";
    let ended = if lingers { child.kill()? } else { child.wait()? };
    match (ended.code, ended.signal) {
        (None, Some(SIGKILL)) if lingers => outcome.count("workloads killed behind a failed write or sync", 1),
        (Some(exit::POISONED), None) => outcome.count("workloads that ended poisoned", 1),
        (Some(exit::REFUSED), None) => outcome.count("workloads that ended with another typed error", 1),
        _ => outcome.violations.push(format!("{} on a device without room: {ended:?}", mode.name())),
    }
    // There is room again, but what could not be written back is lost: the page cache may show it, and call it clean.
    std::fs::remove_file(&ballast)?;
    drop(honest);
    let judge = Judge::new(&store, &acks, After::Power)?;
    let mut found = None;
    if may_open(&store, mode, outcome)? {
        let there = judge.repair_and_judge(outcome)?;
        mounts::drop_caches()?;
        judge.compare(there, "after dropping the caches", outcome);
        outcome.count("stores compared with what is on the device", 1);
        found = Some(there);
    }
    mounted.end()?;
    let mounted = Mount::image(&mount, &image)?;
    match found {
        Some(there) => judge.compare(there, "after mounting again", outcome),
        None => drop(judge.repair_and_judge(outcome)?),
    }
    mounted.end()?;
    std::fs::remove_file(&acks)?;
    backing.end()
}

/// Lets a loop device write one block at a time, until dropped. Linux's loop driver calls a write done that its file took in part
/// alone (seen with 6.18): such a disk lies, and no store can help that. One block is taken whole or refused.
struct OneBlockAtATime {
    setting: PathBuf,
    before: String,
}

impl OneBlockAtATime {
    fn on(image: &Path) -> Result<Self, Failure> {
        let device = mounts::command(
            "losetup",
            &["-n".as_ref(), "-O".as_ref(), "NAME".as_ref(), "-j".as_ref(), image.as_os_str()],
        )?;
        let name =
            device.trim().rsplit('/').next().filter(|name| !name.is_empty()).ok_or("an image without a loop device")?;
        let setting = Path::new("/sys/block").join(name).join("queue/max_sectors_kb");
        let before = std::fs::read_to_string(&setting)?;
        std::fs::write(&setting, "4")?;
        Ok(Self { setting, before })
    }
}

impl Drop for OneBlockAtATime {
    fn drop(&mut self) {
        // Without it the device is slower, and no more.
        let _ = std::fs::write(&self.setting, &self.before);
    }
}

/// Gives back all room of the device that holds zeros, and fills what is left of the memory: whatever was not written with
/// something else before cannot be written any more. The file system is frozen meanwhile, so that nothing is taken from under it.
fn take_room_away(mount: &Path, image: &Path, backing: &Path, ballast: &Path) -> Result<(), Failure> {
    mounts::command("fsfreeze", &["--freeze".as_ref(), mount.as_os_str()])?;
    let taken = mounts::command("fallocate", &["--dig-holes".as_ref(), image.as_os_str()]).and_then(|_| {
        let stat = rustix::fs::statvfs(backing)?;
        let room = stat.f_bavail * stat.f_frsize;
        if room > 0 {
            rustix::fs::fallocate(File::create(ballast)?, FallocateFlags::empty(), 0, room)?;
        }
        Ok(())
    });
    mounts::command("fsfreeze", &["--unfreeze".as_ref(), mount.as_os_str()])?;
    taken
}

/// Whether the store can be opened before the device is mounted anew. A file system that has stopped writing is a reason not to.
fn may_open(store: &Path, mode: Mode, outcome: &mut Outcome) -> Result<bool, Failure> {
    match EventStore::open_with(store, super::options(mode, super::SEGMENT_BYTES)) {
        Ok(store) => {
            // Whatever is wrong with it shows in the judgement that follows.
            drop(store);
            Ok(true)
        }
        Err(OpenError::Io(_)) => {
            outcome.count("stores not to be opened before the device was mounted anew", 1);
            Ok(false)
        }
        Err(error) => {
            outcome.violations.push(format!("not opened: {error}"));
            Ok(false)
        }
    }
}
