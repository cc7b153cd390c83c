//! The fault matrix: every duty of the disk fails with every error, at every call, once and for good.

use super::deeds::Deed;
use super::exhaustive::{Act, append};
use super::world::{Setting, World};
use crate::disk::{Duty, Fault, MemoryFiles, SimulatedDisk};
use crate::engine::Engine;
use crate::testing::torture::Outcome;
use crate::vocabulary::options::Durability;
use rustix::io::Errno;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many errors there are.
pub const ALL_ERRORS: usize = ERRORS.len();

/// What a call may fail with. A write that fails does so after any part of it was written, so short writes are among these.
const ERRORS: [(Errno, &str); 8] = [
    (Errno::IO, "EIO"),
    (Errno::NOSPC, "ENOSPC"),
    (Errno::DQUOT, "EDQUOT"),
    (Errno::INTR, "EINTR"),
    (Errno::ACCESS, "EACCES"),
    (Errno::MFILE, "EMFILE"),
    (Errno::NOMEM, "ENOMEM"),
    (Errno::ROFS, "EROFS"),
];
/// Calls of one duty that the scenario makes at most: one that makes more does not end.
const CALLS_MOST: u64 = 400;
/// What the cells are counted as.
const CELLS: &str = "cells";
/// Power cuts looked at after each run.
const IMAGES: usize = 4;

fn scenario() -> Vec<Act> {
    let then = Act::Do;
    vec![
        append(0, &[5]),
        append(1, &[40, 0, 7]),
        then(Deed::Group(vec![vec![10], vec![300, 20]])),
        then(Deed::Repeat),
        then(Deed::Refused(2)),
        append(2, &[7_000]),
        then(Deed::Prepare),
        append(2, &[5_000]),
        then(Deed::SyncByItself),
        then(Deed::Idle),
        append(1, &[90]),
        append(3, &[11_000]),
        then(Deed::Defer { stream: 4, group: vec![vec![10], vec![300]], flush: false }),
        then(Deed::Sync),
        then(Deed::Defer { stream: 4, group: vec![vec![20], vec![9_000]], flush: true }),
        Act::Close,
        append(1, &[1]),
        Act::Reopen,
        append(0, &[60]),
        then(Deed::Prepare),
        // More than the prepared segment holds: it is removed, and a bigger one made.
        append(3, &[11_000, 11_000]),
        append(3, &[11_000, 11_000]),
        then(Deed::Prepare),
        Act::Close,
    ]
}

/// Runs the matrix with as many of the errors as asked for.
#[must_use]
pub fn faults(errors: usize) -> Outcome {
    let begun = Instant::now();
    let mut sum = Outcome::new("faults");
    let mut cell = 0;
    for durability in [Durability::Sync, Durability::Os, Durability::Interval(Duration::from_secs(1))] {
        for duty in Duty::ALL {
            for (error, name) in ERRORS.into_iter().take(errors) {
                for for_good in [false, true] {
                    cell += 1;
                    let outcome = column(durability, Fault { duty, call: 0, for_good, error }, cell);
                    let called = outcome.counts.get("runs").copied().unwrap_or(0) > 0;
                    sum.count(CELLS, u64::from(called));
                    // Mapped writing has no place in `Sync`.
                    let is_called = duty != Duty::Store || durability != Durability::Sync;
                    if called != is_called {
                        sum.violations
                            .push(format!("{durability:?}: {} is never called, so it cannot fail", duty.doing()));
                    }
                    let of = || format!("{durability:?}, {} fails with {name}, for good: {for_good}", duty.doing());
                    let violations: Vec<String> =
                        outcome.violations.iter().map(|wrong| format!("{}: {wrong}", of())).collect();
                    sum.add(Outcome { violations, ..outcome });
                }
            }
        }
    }
    sum.took = begun.elapsed();
    sum
}

/// One cell: the first call fails, the second, and so on.
fn column(durability: Durability, fault: Fault, cell: u64) -> Outcome {
    let mut sum = Outcome::default();
    for call in 1..=CALLS_MOST {
        let setting = Setting { durability, segment_bytes: (16 << 10, 16 << 10), line: 512 };
        // No two runs draw the same.
        let mut world = World::with(setting, cell * CALLS_MOST + call);
        let done = run(&mut world, Fault { call, ..fault });
        sum.add(world.outcome);
        match done {
            Ok(true) => sum.count("runs", 1),
            Ok(false) => return sum,
            Err(wrong) => {
                sum.violations.push(format!("call {call}: {wrong}"));
                return sum;
            }
        }
    }
    sum.violations.push("the scenario does not end".into());
    sum
}

/// Runs the scenario with one fault. Whether it came to that.
fn run(world: &mut World, fault: Fault) -> Result<bool, String> {
    let disk = world.disk(MemoryFiles::new());
    disk.arm(fault);
    let mut engine = None;
    let mut poisoned = false;
    for act in scenario() {
        if let Act::Reopen = act {
            engine = None;
        }
        let open = match engine.take() {
            Some(open) => open,
            None => match open(world, &disk, fault)? {
                Some(open) => open,
                None => break,
            },
        };
        match &act {
            Act::Do(deed) => world.process(&open, &disk).perform(deed).map_err(|wrong| format!("{deed:?}: {wrong}"))?,
            Act::Close => world.close(&open, &disk)?,
            Act::Reopen => {}
        }
        poisoned |= open.poison().is_some();
        if world.random.u8(..4) == 0 {
            let image = disk.crash(world.setting.line).random(&mut world.random);
            world.survive_plainly(image).map_err(|wrong| format!("power cut after {act:?}: {wrong}"))?;
        }
        // Reading goes on whatever became of writing, up to where it was acknowledged at least.
        if !matches!(act, Act::Close) && fault.duty != Duty::Map {
            world.model.judge_visible(&open)?;
        }
        engine = (!matches!(act, Act::Close)).then_some(open);
    }
    drop(engine);
    if disk.failures() == 0 {
        return Ok(false);
    }
    world.outcome.count(if poisoned { "runs that poisoned the store" } else { "runs that did not" }, 1);
    afterwards(world, &disk, fault)?;
    Ok(true)
}

/// Opens the store; once more where that failed for once.
fn open(world: &mut World, disk: &Arc<SimulatedDisk>, fault: Fault) -> Result<Option<Arc<Engine>>, String> {
    let first = disk.failures();
    let opened = match world.setting.open(disk) {
        Err(error) => {
            world.excuse(disk, true, &error)?;
            if disk.failures() == first {
                return Err(format!("an opening failed without a reason: {error:?}"));
            }
            world.outcome.count("openings that failed", 1);
            world.setting.open(disk)
        }
        opened => opened,
    };
    match opened {
        Ok(engine) => {
            let kept = world.model.judge(&engine, world.model.acknowledged)?;
            world.model.settle(kept);
            Ok(Some(engine))
        }
        Err(_) if fault.for_good => Ok(None),
        Err(error) => Err(format!("a second opening failed: {error:?}")),
    }
}

/// What a power cut may leave, and what the next process finds, with the system's memory and without.
fn afterwards(world: &mut World, disk: &SimulatedDisk, fault: Fault) -> Result<(), String> {
    let crash = disk.crash(world.setting.line);
    for _ in 0..IMAGES {
        let image = crash.random(&mut world.random);
        world.survive_plainly(image)?;
    }
    let evict = world.random.bool();
    let forgotten = evict && fault.duty == Duty::Sync;
    let next = Arc::new(disk.kill(evict));
    let floor = if forgotten { world.model.durable } else { world.model.acknowledged };
    let engine = world.setting.open(&next).map_err(|error| format!("the next process cannot open: {error:?}"))?;
    let kept = world.model.judge(&engine, floor).map_err(|wrong| format!("the next process: {wrong}"))?;
    world.model.settle(kept);
    world.process(&engine, &next).perform(&Deed::Append { stream: 0, sizes: vec![3], id: false, conditional: true })
}
