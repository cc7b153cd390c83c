//! Small cases, all of them.
//!
//! The power ends before and after every change that a scenario makes to the disk, and for each such moment every subset of what
//! was not synced is opened; then again with the power ending within that recovery.

use super::deeds::Deed;
use super::world::{Setting, World};
use crate::disk::{Image, MemoryFiles, SimulatedDisk};
use crate::engine::Engine;
use crate::testing::torture::Outcome;
use crate::vocabulary::options::Durability;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use xxhash_rust::xxh3::xxh3_128;

/// Outcomes of one crash that are all tried: as many as twelve lines have.
const ALL: u64 = 1 << 12;
/// Where there are more, so many random ones are.
const SAMPLES: usize = 512;
/// Changes that a scenario may make at most: one that makes more does not end.
const CHANGES_MOST: u64 = 400;

/// What is done before the power may end, and what while it may.
struct Scenario {
    name: &'static str,
    before: Vec<Act>,
    during: Vec<Act>,
}

#[derive(Clone, Debug)]
pub(super) enum Act {
    Do(Deed),
    Close,
    /// The process dies, and another opens the store.
    Reopen,
}

pub(super) fn append(stream: usize, sizes: &[usize]) -> Act {
    Act::Do(Deed::Append { stream, sizes: sizes.to_vec(), id: stream == 1, conditional: stream == 1 })
}

fn scenarios() -> Vec<Scenario> {
    let group = || Act::Do(Deed::Group(vec![vec![10], vec![300, 20], vec![700]]));
    let nearly_full = || vec![append(0, &[11_000]), append(1, &[20]), Act::Do(Deed::Sync)];
    let with = |mut before: Vec<Act>, last: Act| {
        before.push(last);
        before
    };
    vec![
        Scenario { name: "open", before: vec![], during: vec![Act::Reopen] },
        Scenario { name: "append", before: vec![], during: vec![append(0, &[5]), append(1, &[40]), append(0, &[900])] },
        Scenario {
            name: "append much",
            before: vec![append(1, &[50])],
            during: vec![append(0, &[4_600]), Act::Do(Deed::Sync), append(1, &[1, 2_000, 1_500])],
        },
        Scenario { name: "append at once", before: vec![append(1, &[50])], during: vec![group(), group()] },
        Scenario {
            name: "defer",
            before: vec![append(1, &[50])],
            during: vec![
                Act::Do(Deed::Defer { stream: 0, group: vec![vec![10], vec![300, 20]], flush: true }),
                Act::Do(Deed::Defer { stream: 1, group: vec![vec![700], vec![30]], flush: false }),
                append(0, &[5]),
            ],
        },
        Scenario {
            name: "idle and sync",
            before: vec![append(1, &[50])],
            during: vec![
                Act::Do(Deed::Idle),
                append(0, &[3]),
                Act::Do(Deed::SyncByItself),
                Act::Do(Deed::Idle),
                Act::Do(Deed::Sync),
            ],
        },
        Scenario { name: "rotate", before: nearly_full(), during: vec![append(0, &[1_200]), append(1, &[10])] },
        Scenario {
            name: "rotate, prepared",
            before: with(nearly_full(), Act::Do(Deed::Prepare)),
            during: vec![append(0, &[1_200]), Act::Do(Deed::Idle), append(1, &[10])],
        },
        // A crash may leave two segments that are not part of the log.
        Scenario {
            name: "rotate and prepare",
            before: with(nearly_full(), Act::Do(Deed::Prepare)),
            during: vec![append(0, &[1_200]), Act::Do(Deed::Prepare), append(1, &[10])],
        },
        Scenario { name: "prepare", before: nearly_full(), during: vec![Act::Do(Deed::Prepare), append(1, &[10])] },
        Scenario { name: "seal", before: nearly_full(), during: vec![append(1, &[30]), Act::Close] },
        Scenario {
            name: "seal, prepared",
            before: with(nearly_full(), Act::Do(Deed::Prepare)),
            during: vec![Act::Close],
        },
        Scenario {
            name: "reopen",
            before: vec![append(1, &[30]), Act::Close],
            during: vec![Act::Reopen, append(1, &[40]), Act::Reopen, append(0, &[200])],
        },
    ]
}

/// Runs all scenarios in all durabilities. From so many images of each moment, spread over all of them, recovery is cut short in
/// its turn.
#[must_use]
pub fn exhaust(recovered: usize) -> Outcome {
    let begun = Instant::now();
    let mut sum = Outcome::new("exhaust");
    let cases: Vec<(Durability, Scenario)> =
        [Durability::Sync, Durability::Os, Durability::Interval(Duration::from_secs(1))]
            .into_iter()
            .flat_map(|durability| scenarios().into_iter().map(move |scenario| (durability, scenario)))
            .collect();
    let next = AtomicUsize::new(0);
    let work = || {
        let mut sum = Outcome::default();
        while let Some((durability, scenario)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
            for after in [false, true] {
                sum.add(sweep(*durability, scenario, after, recovered.max(1)));
            }
            sum.count("scenarios", 1);
        }
        sum
    };
    std::thread::scope(|scope| {
        for thread in [scope.spawn(work), scope.spawn(work)] {
            match thread.join() {
                Ok(outcome) => sum.add(outcome),
                Err(_) => sum.violations.push("a scenario panicked".into()),
            }
        }
    });
    sum.took = begun.elapsed();
    sum
}

/// Ends the power at every change of a scenario, one after the other.
fn sweep(durability: Durability, scenario: &Scenario, after: bool, recovered: usize) -> Outcome {
    let mut sum = Outcome::default();
    let mut seen = HashSet::new();
    for at in 1..=CHANGES_MOST {
        let setting = Setting { durability, segment_bytes: (16 << 10, 16 << 10), line: 512 };
        let mut world = World::with(setting, 1);
        let done = end_at(&mut world, scenario, (at, after), recovered, &mut seen);
        let place = || {
            format!(
                "{durability:?}, {}, power ends {} change {at}",
                scenario.name,
                if after { "after" } else { "before" }
            )
        };
        sum.add(world.outcome);
        match done {
            Ok(true) => sum.count("moments at which the power ended", 1),
            Ok(false) => return sum,
            Err(wrong) => {
                sum.violations.push(format!("{}: {wrong}", place()));
                return sum;
            }
        }
    }
    sum.violations.push(format!("{durability:?}, {}: it does not end", scenario.name));
    sum
}

/// Runs a scenario whose power ends at one change. Whether it came to that.
fn end_at(
    world: &mut World,
    scenario: &Scenario,
    (at, after): (u64, bool),
    recovered: usize,
    seen: &mut HashSet<u128>,
) -> Result<bool, String> {
    let disk = world.disk(MemoryFiles::new());
    let mut engine = None;
    play(world, &disk, &mut engine, &scenario.before)?;
    disk.end_power_at(at, after);
    play(world, &disk, &mut engine, &scenario.during)?;
    drop(engine);
    if !disk.is_off() {
        return Ok(false);
    }
    let images = images(world, &disk);
    let stride = images.len().div_ceil(recovered);
    for (index, image) in images.into_iter().enumerate() {
        if !seen.insert(digest(world, &image)) {
            world.outcome.count("images seen before (not counted as states)", 1);
            continue;
        }
        if index % stride == 0 {
            recover_at_every_change(world, &image, seen)?;
        }
        world.survive_plainly(image)?;
    }
    Ok(true)
}

/// Plays acts on a disk until the power ends. The model knows what is promised.
fn play(
    world: &mut World,
    disk: &Arc<SimulatedDisk>,
    engine: &mut Option<Arc<Engine>>,
    acts: &[Act],
) -> Result<(), String> {
    for act in acts {
        if let Act::Reopen = act {
            *engine = None;
        }
        let open = match engine.take() {
            Some(open) => open,
            None => match world.setting.open(disk) {
                Ok(open) => open,
                Err(error) => return world.excuse(disk, false, &error),
            },
        };
        match act {
            Act::Do(deed) => world.process(&open, disk).perform(deed)?,
            Act::Close => world.close(&open, disk)?,
            // What an opening has found is durable.
            Act::Reopen => world.model.acknowledge_all(),
        }
        if disk.is_off() {
            return Ok(());
        }
        *engine = (!matches!(act, Act::Close)).then_some(open);
    }
    Ok(())
}

/// Everything that the crash may leave, or a sample where that is too much.
fn images(world: &mut World, disk: &SimulatedDisk) -> Vec<Image> {
    let crash = disk.crash(world.setting.line);
    match crash.outcomes(ALL) {
        Some(outcomes) => (0..outcomes).map(|index| crash.outcome(index)).collect(),
        None => {
            // Then not all there is was looked at, and the report says so.
            world.outcome.count("left out", 1);
            world.outcome.count("moments with more than 4,096 outcomes (sampled)", 1);
            (0..SAMPLES).map(|_| crash.random(&mut world.random)).collect()
        }
    }
}

/// Opens an image with the power ending at every change that recovery makes, and all that this may leave.
fn recover_at_every_change(world: &mut World, image: &Image, seen: &mut HashSet<u128>) -> Result<(), String> {
    for (at, after) in (1..=CHANGES_MOST).flat_map(|at| [(at, false), (at, true)]) {
        let disk = world.disk(image.files.clone());
        disk.end_power_at(at, after);
        if let Err(error) = world.setting.open(&disk) {
            world.excuse(&disk, false, &error)?;
        }
        if !disk.is_off() {
            return Ok(());
        }
        world.outcome.count("moments at which the power ended within recovery", 1);
        for again in images(world, &disk) {
            if seen.insert(digest(world, &again)) {
                world.survive_plainly(again)?;
            }
        }
    }
    Err("recovery does not end".into())
}

/// What an image is, and what is asked of it: the same files are another case where more was promised.
fn digest(world: &World, image: &Image) -> u128 {
    let mut all: Vec<u8> =
        [world.model.durable, world.model.entries.len()].iter().flat_map(|count| count.to_le_bytes()).collect();
    for (name, bytes) in &image.files {
        all.extend_from_slice(name.as_bytes());
        all.extend_from_slice(&xxh3_128(bytes).to_le_bytes());
    }
    xxh3_128(&all)
}
