//! Failures on demand, and the moment at which the power ends.

use super::State;
use crate::vocabulary::error::IoFailure;
use parking_lot::Mutex;
use rustix::io::Errno;
use std::path::Path;

/// A duty of the disk: what can be asked of it, and can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Duty {
    Lock,
    List,
    Create,
    Open,
    Rename,
    Remove,
    SyncDirectory,
    Read,
    Write,
    Store,
    Sync,
    Map,
}

impl Duty {
    /// All of them.
    pub(crate) const ALL: [Duty; 12] = [
        Duty::Lock,
        Duty::List,
        Duty::Create,
        Duty::Open,
        Duty::Rename,
        Duty::Remove,
        Duty::SyncDirectory,
        Duty::Read,
        Duty::Write,
        Duty::Store,
        Duty::Sync,
        Duty::Map,
    ];

    /// What an error says was being done.
    pub(crate) fn doing(self) -> &'static str {
        match self {
            Duty::Lock => "lock",
            Duty::List => "list",
            Duty::Create => "allocate",
            Duty::Open => "open",
            Duty::Rename => "rename",
            Duty::Remove => "remove",
            Duty::SyncDirectory => "sync directory",
            Duty::Read => "read",
            Duty::Write => "write",
            Duty::Store => "store",
            Duty::Sync => "sync",
            Duty::Map => "map",
        }
    }

    /// Whether it changes what a crash would leave.
    fn changes(self) -> bool {
        !matches!(self, Duty::Lock | Duty::List | Duty::Open | Duty::Read | Duty::Map)
    }
}

/// What is to fail, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) duty: Duty,
    /// Which call of this duty from now on fails first; 1 is the next.
    pub(crate) call: u64,
    /// Whether all later ones fail too.
    pub(crate) for_good: bool,
    pub(crate) error: Errno,
}

/// When things fail.
#[derive(Debug, Default)]
pub(super) struct Weather {
    fault: Option<Fault>,
    /// Calls since the fault was armed, of its duty.
    calls: u64,
    pub(super) failures: u64,
    /// Of the failures, those that closing a store in good order survives: of reading, and of files that are hints.
    pub(super) harmless: u64,
    /// What failed last on demand, and with what.
    pub(super) last: Option<(Duty, Errno)>,
    /// Of the failures, those after which nobody knows what a file that is in use holds, or whether it has its name.
    pub(super) grave: u64,
    /// Of the failures, those of a file's sync.
    pub(super) failed_syncs: u64,
    pub(super) syncs: u64,
    /// Changes asked for so far.
    pub(super) changes: u64,
    power_ends: Option<(u64, bool)>,
    pub(super) off: bool,
    /// Whether the power ended at a change of a hint.
    pub(super) off_at_hint: bool,
}

/// Whether a file of this name is one that a store can do without.
pub(super) fn is_hint(name: &str) -> bool {
    name.contains(".index") || name.starts_with("CLOSED")
}

impl Weather {
    pub(super) fn arm(&mut self, fault: Fault) {
        (self.fault, self.calls) = (Some(fault), 0);
    }

    pub(super) fn end_power_at(&mut self, at: u64, after: bool) {
        self.power_ends = Some((self.changes + at, after));
    }

    /// The error of this call, if it is to fail.
    fn failing(&mut self, duty: Duty, name: &str) -> Option<Errno> {
        let fault = self.fault.filter(|fault| fault.duty == duty)?;
        self.calls += 1;
        let fails = self.calls == fault.call || fault.for_good && self.calls > fault.call;
        if !fails {
            return None;
        }
        self.failures += 1;
        self.harmless += u64::from(is_hint(name) || matches!(duty, Duty::Read | Duty::Map | Duty::Open));
        self.failed_syncs += u64::from(duty == Duty::Sync && !is_hint(name));
        self.last = Some((duty, fault.error));
        Some(fault.error)
    }

    /// Counts a change. Whether the power ends with it: before it (`false`) or after it (`true`).
    fn ending(&mut self, duty: Duty, name: &str) -> Option<bool> {
        if !duty.changes() {
            return None;
        }
        self.changes += 1;
        let (_, after) = self.power_ends.filter(|(at, _)| *at == self.changes)?;
        (self.off, self.off_at_hint) = (true, is_hint(name));
        Some(after)
    }
}

/// Does what was asked, if there is power and nothing was to fail.
pub(super) fn act<T>(
    state: &Mutex<State>,
    duty: Duty,
    name: &str,
    effect: impl FnOnce(&mut State) -> Result<T, Errno>,
) -> Result<T, IoFailure> {
    act_or(state, duty, name, effect, |_| ())
}

/// As [`act`]. A call that is to fail has an effect too: `failed`.
pub(super) fn act_or<T>(
    state: &Mutex<State>,
    duty: Duty,
    name: &str,
    effect: impl FnOnce(&mut State) -> Result<T, Errno>,
    failed: impl FnOnce(&mut State),
) -> Result<T, IoFailure> {
    let error = |errno: Errno| IoFailure::new(duty.doing(), Path::new("simulated").join(name), errno.into());
    let mut state = state.lock();
    if state.weather.off {
        return Err(error(Errno::IO));
    }
    state.weather.syncs += u64::from(duty == Duty::Sync && !is_hint(name));
    if let Some(errno) = state.weather.failing(duty, name) {
        failed(&mut state);
        return Err(error(errno));
    }
    match state.weather.ending(duty, name) {
        None => effect(&mut state).map_err(error),
        Some(after) => {
            if after {
                effect(&mut state).map_err(error)?;
            }
            Err(error(Errno::IO))
        }
    }
}
