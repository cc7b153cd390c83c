//! A simulated store whose life a fuzzer decides: what is done, what fails, when the power ends, and what that leaves.

use super::deeds::Deed;
use super::model::PAYLOAD_MOST;
use super::world::{End, World};
use crate::disk::{Duty, Fault, MemoryFiles, SimulatedDisk};
use crate::engine::Engine;
use crate::testing::fuzz::choices::Choices;
use fastrand::Rng;
use rustix::io::Errno;
use std::sync::Arc;

/// Things done at most, whatever the fuzzer says: an input must end soon.
const MOST: usize = 20;

/// Plays what the fuzzer's bytes say.
///
/// # Errors
/// What is wrong, when a promise was broken.
pub(crate) fn play(choices: &mut Choices<'_>) -> Result<(), String> {
    let mut world = World::new(u64::from(choices.byte()));
    let mut disk = world.disk(MemoryFiles::new());
    let (mut engine, mut armed) = (None, false);
    for _ in 0..MOST {
        if choices.is_done() {
            break;
        }
        let kind = choices.byte() % 24;
        if kind >= 20 {
            // What a crash leaves is of the fuzzer's choice too.
            world.random = Rng::with_seed(u64::from(choices.u32()));
        }
        match kind {
            20 => {
                let duty = Duty::ALL[choices.below(Duty::ALL.len())];
                let error = [Errno::IO, Errno::NOSPC][choices.below(2)];
                disk.arm(Fault { duty, call: u64::from(choices.byte()) + 1, for_good: choices.flag(), error });
                armed = true;
            }
            21 => disk.end_power_at(u64::from(choices.byte()) + 1, choices.flag()),
            22 => (disk, engine, armed) = crash(&mut world, &disk, engine.take(), true)?,
            23 => (disk, engine, armed) = crash(&mut world, &disk, engine.take(), false)?,
            _ => act(&mut world, &disk, &mut engine, armed, kind, choices)?,
        }
        if disk.is_off() {
            (disk, engine, armed) = crash(&mut world, &disk, engine.take(), true)?;
        }
    }
    crash(&mut world, &disk, engine, true).map(drop)
}

type Life = (Arc<SimulatedDisk>, Option<Arc<Engine>>, bool);

/// The power or the process ends, and what is left is judged.
fn crash(
    world: &mut World,
    disk: &Arc<SimulatedDisk>,
    engine: Option<Arc<Engine>>,
    power: bool,
) -> Result<Life, String> {
    drop(engine);
    let end = End { disk: Arc::clone(disk) };
    let next = if power { world.lose_power(&end, 1)? } else { world.be_killed(&end)? };
    Ok((next, None, false))
}

/// Does one thing to the store, which is opened if it is not.
fn act(
    world: &mut World,
    disk: &Arc<SimulatedDisk>,
    engine: &mut Option<Arc<Engine>>,
    armed: bool,
    kind: u8,
    choices: &mut Choices<'_>,
) -> Result<(), String> {
    let open = match engine.take() {
        Some(open) => open,
        None => match world.setting.open(disk) {
            Ok(open) => {
                let kept = world.model.judge(&open, world.model.acknowledged)?;
                world.model.settle(kept);
                open
            }
            Err(error) => return world.excuse(disk, armed, &error),
        },
    };
    if kind == 19 {
        return world.close(&open, disk);
    }
    let deed = deed(kind, choices);
    world.process(&open, disk).perform(&deed).map_err(|wrong| format!("{deed:?}: {wrong}"))?;
    *engine = Some(open);
    Ok(())
}

fn deed(kind: u8, choices: &mut Choices<'_>) -> Deed {
    let sizes = |choices: &mut Choices<'_>| {
        let count = choices.byte() % 4;
        (0..count).map(|_| usize::from(choices.byte()).pow(2) % PAYLOAD_MOST).collect::<Vec<usize>>()
    };
    match kind {
        0..=8 => Deed::Append {
            stream: choices.below(6),
            sizes: sizes(choices),
            id: choices.flag(),
            conditional: choices.flag(),
        },
        9..=11 => Deed::Group((0..choices.byte() % 5).map(|_| sizes(choices)).collect()),
        12 => Deed::Repeat,
        13 => Deed::Refused(choices.below(6)),
        14 => Deed::Prepare,
        15 => Deed::SyncByItself,
        16 => Deed::Sync,
        17 => Deed::Defer {
            stream: choices.below(6),
            group: (0..choices.byte() % 5).map(|_| sizes(choices)).collect(),
            flush: choices.flag(),
        },
        _ => Deed::Idle,
    }
}
