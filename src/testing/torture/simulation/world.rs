//! One simulated store and its lives: it is opened, used, and crashes, again and again.

use super::deeds::{Deed, Process, says_what_failed};
use super::model::Model;
use crate::disk::{Duty, Fault, Image, MemoryFiles, SimulatedDisk};
use crate::engine::{Engine, open_without_chores};
use crate::log::Tail;
use crate::testing::torture::Outcome;
use crate::vocabulary::error::OpenError;
use crate::vocabulary::options::{Durability, Options};
use crate::vocabulary::time::{SteppingClock, Timestamp};
use fastrand::Rng;
use rustix::io::Errno;
use std::sync::Arc;
use std::time::Duration;

/// Crashes within recovery, one after the other, at most.
const NESTED_MOST: u32 = 3;

/// How often another image is drawn where one has lost no line.
const TRIES: usize = 4;

/// Of 256 simulated stores, so many are flooded with what looks like frames.
const FLOODS: u8 = 3;

/// How a simulation goes.
#[derive(Debug, Clone)]
pub(super) struct Setting {
    pub(super) durability: Durability,
    pub(super) segment_bytes: (u64, u64),
    /// Bytes that the disk writes whole, where it does not tear.
    pub(super) line: usize,
}

impl Setting {
    fn random(random: &mut Rng) -> Self {
        let durability = match random.u8(..4) {
            0 | 1 => Durability::Sync,
            2 => Durability::Os,
            _ => Durability::Interval(Duration::from_secs(1)),
        };
        let first = [16 << 10, 16 << 10, 16 << 10, 32 << 10][random.usize(..4)];
        let line = [512, 512, 4_096][random.usize(..3)];
        Self { durability, segment_bytes: (first, first * [1, 1, 2][random.usize(..3)]), line }
    }

    fn options(&self) -> Options {
        let clock = SteppingClock::new(Timestamp::UNIX_EPOCH, Duration::from_millis(3));
        let (first, max) = self.segment_bytes;
        Options::new().durability(self.durability).clock(clock).segment_bytes(first, max)
    }

    pub(super) fn open(&self, disk: &Arc<SimulatedDisk>) -> Result<Arc<Engine>, OpenError> {
        open_without_chores(Arc::clone(disk) as _, &self.options())
    }
}

/// A store, what it must hold, and what was seen so far.
pub(super) struct World {
    pub(super) random: Rng,
    pub(super) setting: Setting,
    pub(super) model: Model,
    pub(super) outcome: Outcome,
}

/// How a life ended.
pub(super) struct End {
    pub(super) disk: Arc<SimulatedDisk>,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let setting = Setting::random(&mut random);
        Self { random, setting, model: Model::new(), outcome: Outcome::default() }
    }

    pub(super) fn with(setting: Setting, seed: u64) -> Self {
        Self { random: Rng::with_seed(seed), setting, model: Model::new(), outcome: Outcome::default() }
    }

    pub(super) fn disk(&mut self, files: MemoryFiles) -> Arc<SimulatedDisk> {
        Arc::new(SimulatedDisk::new(files, self.random.u64(..)))
    }

    /// Runs a store through several lives.
    pub(super) fn run(&mut self, lives: usize, images: usize) -> Result<(), String> {
        let mut disk = self.disk(MemoryFiles::new());
        for _ in 0..lives {
            let end = self.live(&disk)?;
            disk = if self.random.u8(..4) == 0 { self.be_killed(&end)? } else { self.lose_power(&end, images)? };
        }
        let crash = disk.crash(self.setting.line);
        if crash.is_settled() {
            self.rot(crash.outcome(0).files)?;
        }
        if self.random.u8(..) < FLOODS {
            self.flood()?;
        }
        Ok(())
    }

    /// Opens the store and does this and that until it ends: by the power, or because that is enough.
    fn live(&mut self, disk: &Arc<SimulatedDisk>) -> Result<End, String> {
        let faults = self.random.u8(..5) == 0;
        if self.random.u8(..8) != 0 {
            disk.end_power_at(self.random.u64(1..40), self.random.bool());
        }
        if faults {
            self.arm(disk);
        }
        let engine = match self.setting.open(disk) {
            Ok(engine) => engine,
            Err(error) => {
                return self.excuse(disk, faults, &error).map(|()| End { disk: Arc::clone(disk) });
            }
        };
        self.model.judge(&engine, self.model.entries.len())?;
        let deeds = self.random.usize(1..24);
        for _ in 0..deeds {
            let deed = Deed::random(&mut self.random);
            self.process(&engine, disk).perform(&deed).map_err(|wrong| format!("{deed:?}: {wrong}"))?;
            self.outcome.count("operations", 1);
            if disk.is_off() {
                break;
            }
        }
        if self.random.u8(..3) == 0 && !disk.is_off() {
            self.close(&engine, disk)?;
        }
        Ok(End { disk: Arc::clone(disk) })
    }

    pub(super) fn process<'a>(&'a mut self, engine: &'a Arc<Engine>, disk: &'a SimulatedDisk) -> Process<'a> {
        Process { engine, disk, model: &mut self.model, durability: self.setting.durability, failures: disk.failures() }
    }

    /// Closes the store: everything is durable then. An error is right when the disk failed, and then it must be one.
    pub(super) fn close(&mut self, engine: &Arc<Engine>, disk: &SimulatedDisk) -> Result<(), String> {
        let process = self.process(engine, disk);
        match process.close() {
            Ok(true) => {
                self.model.acknowledge_all();
                Ok(())
            }
            Ok(false) => Ok(()),
            Err(wrong) => Err(format!("closing: {wrong}")),
        }
    }

    fn arm(&mut self, disk: &SimulatedDisk) {
        let duty = Duty::ALL[self.random.usize(..Duty::ALL.len())];
        let error = [Errno::IO, Errno::NOSPC, Errno::INTR][self.random.usize(..3)];
        disk.arm(Fault { duty, call: self.random.u64(1..12), for_good: self.random.bool(), error });
        self.outcome.count("lives with a failing disk", 1);
    }

    /// An opening that fails must have a reason.
    pub(super) fn excuse(&self, disk: &SimulatedDisk, faults: bool, error: &OpenError) -> Result<(), String> {
        match error {
            OpenError::Io(_) if disk.is_off() => Ok(()),
            OpenError::Io(failure) if faults && says_what_failed(disk, failure) => Ok(()),
            _ => Err(format!("opening failed: {error:?}")),
        }
    }

    /// The process dies, and another opens the store: everything acknowledged must be there.
    pub(super) fn be_killed(&mut self, end: &End) -> Result<Arc<SimulatedDisk>, String> {
        if end.disk.is_off() {
            return self.lose_power(end, 1);
        }
        let evict = self.random.bool();
        // The system may have forgotten what a failed sync did not write, also what was acknowledged by its grace alone.
        let floor = if evict && end.disk.failed_syncs() > 0 { self.model.durable } else { self.model.acknowledged };
        let disk = Arc::new(end.disk.kill(evict));
        let engine = self.setting.open(&disk).map_err(|error| format!("opening after a kill failed: {error:?}"))?;
        let kept = self.model.judge(&engine, floor).map_err(|wrong| format!("after a kill: {wrong}"))?;
        self.outcome.count("kills", 1);
        self.note(&engine);
        self.model.settle(kept);
        drop(engine);
        Ok(Arc::new(disk.kill(false)))
    }

    /// The power goes. Looks at many things that this may have left, and goes on with one of them.
    pub(super) fn lose_power(&mut self, end: &End, images: usize) -> Result<Arc<SimulatedDisk>, String> {
        let crash = end.disk.crash(self.setting.line);
        // Where all is durable there is but one thing that a crash can leave.
        let images = if crash.is_settled() { 1 } else { images };
        let chosen = self.random.usize(..images);
        let mut next = None;
        for index in 0..images {
            let mut image = crash.random(&mut self.random);
            for _ in 0..TRIES {
                if image.lost == 0 && images > 1 {
                    image = crash.random(&mut self.random);
                }
            }
            let survivor = self.survive(image, 0)?;
            if index == chosen {
                next = Some(survivor);
            }
        }
        let (disk, kept) = next.ok_or("no image was looked at")?;
        self.model.settle(kept);
        Ok(disk)
    }

    /// Opens what a power cut has left, perhaps with more power cuts while it is repaired. How much it holds.
    pub(super) fn survive(&mut self, image: Image, nested: u32) -> Result<(Arc<SimulatedDisk>, usize), String> {
        if image.lost > 0 {
            self.outcome.count("crash states", 1);
            self.outcome.count("crash states with a torn line", u64::from(image.torn > 0));
            if nested > 0 {
                self.outcome.count("crash states within recovery", 1);
            }
        } else if image.renamed {
            self.outcome.count("images that had lost names alone (not counted as states)", 1);
        } else {
            self.outcome.count("images that had lost nothing (not counted as states)", 1);
        }
        let disk = self.disk(image.files);
        if nested < NESTED_MOST && self.random.u8(..4) == 0 {
            disk.end_power_at(self.random.u64(1..8), self.random.bool());
        }
        let engine = match self.setting.open(&disk) {
            Ok(engine) => engine,
            Err(error) => {
                self.excuse(&disk, false, &error)?;
                let again = disk.crash(self.setting.line).random(&mut self.random);
                return self.survive(again, nested + 1);
            }
        };
        self.note(&engine);
        let kept = self.model.judge(&engine, self.model.durable)?;
        drop(engine);
        self.look_again(&disk, kept)
    }

    /// Opens what a power cut has left, and opens it again.
    pub(super) fn survive_plainly(&mut self, image: Image) -> Result<(), String> {
        self.outcome.count("states", 1);
        let disk = self.disk(image.files);
        let engine = self.setting.open(&disk).map_err(|error| format!("opening failed: {error:?}"))?;
        self.note(&engine);
        let kept = self.model.judge(&engine, self.model.durable)?;
        drop(engine);
        self.look_again(&disk, kept).map(drop)
    }

    /// What was served must be there for good: after another power cut at once, or for another process.
    fn look_again(&mut self, disk: &SimulatedDisk, kept: usize) -> Result<(Arc<SimulatedDisk>, usize), String> {
        let next = if self.random.bool() {
            let image = disk.crash(self.setting.line).random(&mut self.random);
            self.disk(image.files)
        } else {
            Arc::new(disk.kill(true))
        };
        let engine = self.setting.open(&next).map_err(|error| format!("the second opening failed: {error:?}"))?;
        let again = self.model.judge(&engine, kept).map_err(|wrong| format!("at the second opening: {wrong}"))?;
        if again != kept {
            return Err(format!("the first opening found {kept} transactions, the second {again}"));
        }
        drop(engine);
        Ok((Arc::new(next.kill(false)), kept))
    }

    fn note(&mut self, engine: &Engine) {
        let case = match engine.found() {
            Tail::Closed => "recovery table, case A",
            Tail::Open => "recovery table, case B",
            Tail::Torn { .. } => "recovery table, case C",
        };
        self.outcome.count(case, 1);
    }
}
