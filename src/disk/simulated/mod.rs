//! A simulated disk: it knows what was synced and what was not, what a crash may make of that, and fails on demand.
//!
//! It is stricter than any file system: a name is durable only after its directory was synced, whatever happened to the file, and
//! changes of names may be kept and lost independently. Everything random comes from one seed, so that a run can be had again.

mod content;
mod fate;
mod faults;
mod file;

use fate::Crash;
pub(crate) use fate::Image;
pub(crate) use faults::{Duty, Fault};

use super::{Disk, DiskFile, Lock, MemoryFiles, Writing};
use crate::vocabulary::error::IoFailure;
use crate::vocabulary::time::Timestamp;
use content::Content;
use fastrand::Rng;
use faults::Weather;
use file::SimulatedFile;
use parking_lot::Mutex;
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A directory on a simulated disk, as one process has it.
#[derive(Debug)]
pub(crate) struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

/// Files by name: a number into the list of files.
type Names = BTreeMap<String, usize>;

#[derive(Debug)]
struct State {
    /// All files that ever were; names come and go.
    files: Vec<Content>,
    names: Names,
    /// The names as of the last time that the directory was synced.
    durable_names: Names,
    /// What was done to the names since.
    pending: Vec<NameChange>,
    random: Rng,
    weather: Weather,
    locked: bool,
}

/// Something done to a name that a crash may undo.
#[derive(Debug, Clone)]
enum NameChange {
    Make(String, usize),
    Rename { from: String, to: String, file: usize },
    Remove(String),
}

impl NameChange {
    fn apply(&self, names: &mut Names) {
        match self {
            NameChange::Make(name, file) => drop(names.insert(name.clone(), *file)),
            NameChange::Rename { from, to, file } => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
            NameChange::Remove(name) => drop(names.remove(name)),
        }
    }
}

impl SimulatedDisk {
    /// A disk that holds these files, all durable. Everything random in it comes from `seed`.
    pub(crate) fn new(files: MemoryFiles, seed: u64) -> Self {
        let names: Names = files.keys().cloned().zip(0..).collect();
        Self::of(State {
            files: files.into_values().map(Content::durable).collect(),
            durable_names: names.clone(),
            names,
            pending: Vec::new(),
            random: Rng::with_seed(seed),
            weather: Weather::default(),
            locked: false,
        })
    }

    fn of(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// The process that had the disk is dead, and another has it now: what the system held for it is there, and not durable.
    /// With `evict` the system has also dropped what it holds no need to write, which shows what a failed sync has lost.
    pub(crate) fn kill(&self, evict: bool) -> Self {
        let mut state = self.state.lock();
        let random = Rng::with_seed(state.random.u64(..));
        let mut next = State {
            files: std::mem::take(&mut state.files),
            names: std::mem::take(&mut state.names),
            durable_names: std::mem::take(&mut state.durable_names),
            pending: std::mem::take(&mut state.pending),
            random,
            weather: Weather::default(),
            locked: false,
        };
        state.weather.off = true;
        if evict {
            next.files.iter_mut().for_each(Content::evict);
        }
        Self::of(next)
    }

    /// Lets something fail.
    pub(crate) fn arm(&self, fault: Fault) {
        self.state.lock().weather.arm(fault);
    }

    /// How often what was armed has failed.
    pub(crate) fn failures(&self) -> u64 {
        self.state.lock().weather.failures
    }

    /// How often something has failed without which a store cannot be closed in good order.
    pub(crate) fn failures_of_closing(&self) -> u64 {
        let state = self.state.lock();
        let off = u64::from(state.weather.off && !state.weather.off_at_hint);
        state.weather.failures - state.weather.harmless + off
    }

    /// What failed last on demand, and with what.
    pub(crate) fn last_failure(&self) -> Option<(Duty, Errno)> {
        self.state.lock().weather.last
    }

    /// How often something has failed after which a store must not go on: a write to a file under its own name, its sync, or
    /// making a new name durable.
    pub(crate) fn grave_failures(&self) -> u64 {
        self.state.lock().weather.grave
    }

    /// How often a file's sync has failed on demand.
    pub(crate) fn failed_syncs(&self) -> u64 {
        self.state.lock().weather.failed_syncs
    }

    /// How often files were to be synced so far.
    pub(crate) fn syncs(&self) -> u64 {
        self.state.lock().weather.syncs
    }

    /// Ends the power at the `at`th change from now on: before it is done, or after it is done and before anyone learns of that.
    pub(crate) fn end_power_at(&self, at: u64, after: bool) {
        self.state.lock().weather.end_power_at(at, after);
    }

    /// Whether there is no power any more: everything fails then.
    pub(crate) fn is_off(&self) -> bool {
        self.state.lock().weather.off
    }

    /// What a power cut now could do.
    pub(crate) fn crash(&self, line: usize) -> Crash {
        let state = self.state.lock();
        Crash::new(&state.files, &state.durable_names, &state.names, &state.pending, line)
    }
}

impl State {
    fn find(&self, name: &str) -> Result<usize, Errno> {
        self.names.get(name).copied().ok_or(Errno::NOENT)
    }

    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending.push(change);
    }

    /// Notes that a write or sync of a file has failed: grave, unless the file is still being made.
    fn note_failed_write(&mut self, file: usize) {
        let is_made = |name: &String| !name.ends_with(".tmp") && !faults::is_hint(name);
        self.weather.grave += u64::from(self.names.iter().any(|(name, known)| *known == file && is_made(name)));
    }

    /// A failed sync of the directory: each change may have become durable, and what has not may never.
    fn fail_directory_sync(&mut self) {
        let named =
            self.pending.iter().any(|change| matches!(change, NameChange::Rename { to, .. } if !faults::is_hint(to)));
        self.weather.grave += u64::from(named);
        let kept: Vec<NameChange> =
            std::mem::take(&mut self.pending).into_iter().filter(|_| self.random.bool()).collect();
        kept.iter().for_each(|change| change.apply(&mut self.durable_names));
    }
}

impl Disk for SimulatedDisk {
    fn path(&self) -> &Path {
        Path::new("simulated")
    }

    fn lock(&self) -> Result<Option<Box<dyn Lock>>, IoFailure> {
        let taken =
            faults::act(&self.state, Duty::Lock, "LOCK", |state| Ok(std::mem::replace(&mut state.locked, true)))?;
        Ok((!taken).then(|| Box::new(Held(Arc::clone(&self.state))) as Box<dyn Lock>))
    }

    fn list(&self) -> Result<Vec<String>, IoFailure> {
        faults::act(&self.state, Duty::List, "", |state| Ok(state.names.keys().cloned().collect()))
    }

    fn create(&self, name: &str, length: u64, _writing: Writing) -> Result<Arc<dyn DiskFile>, IoFailure> {
        let file = faults::act(&self.state, Duty::Create, name, |state| {
            if state.names.contains_key(name) {
                return Err(Errno::EXIST);
            }
            let file = state.files.len();
            state.files.push(Content::unborn(usize::try_from(length).map_err(|_| Errno::NOMEM)?));
            state.change(NameChange::Make(name.to_owned(), file));
            Ok(file)
        })?;
        Ok(Arc::new(SimulatedFile::new(&self.state, file, name, length)))
    }

    fn open(&self, name: &str, _write: bool) -> Result<Arc<dyn DiskFile>, IoFailure> {
        let (file, length) = faults::act(&self.state, Duty::Open, name, |state| {
            let file = state.find(name)?;
            Ok((file, state.files.get(file).map_or(0, Content::len)))
        })?;
        Ok(Arc::new(SimulatedFile::new(&self.state, file, name, length)))
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), IoFailure> {
        faults::act(&self.state, Duty::Rename, from, |state| {
            if state.names.contains_key(to) {
                return Err(Errno::EXIST);
            }
            let file = state.find(from)?;
            state.change(NameChange::Rename { from: from.to_owned(), to: to.to_owned(), file });
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> Result<(), IoFailure> {
        faults::act(&self.state, Duty::Remove, name, |state| {
            state.find(name)?;
            state.change(NameChange::Remove(name.to_owned()));
            Ok(())
        })
    }

    fn sync_directory(&self) -> Result<(), IoFailure> {
        let synced = |state: &mut State| {
            state.pending.clear();
            state.durable_names.clone_from(&state.names);
            Ok(())
        };
        faults::act_or(&self.state, Duty::SyncDirectory, "", synced, State::fail_directory_sync)
    }

    fn random(&self) -> [u8; 16] {
        self.state.lock().random.u128(..).to_le_bytes()
    }

    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }
}

/// The lock of one process. A process that is dead has let go already.
#[derive(Debug)]
struct Held(Arc<Mutex<State>>);

impl Lock for Held {
    fn still_holds(&self) -> bool {
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.lock().locked = false;
    }
}

#[cfg(test)]
mod tests;
