//! What many sleep on and are woken from together, by one call to the system however many they are.

#[cfg(loom)]
use loom::sync::{Condvar, Mutex};
#[cfg(shuttle)]
use shuttle::sync::{Condvar, Mutex};
use std::sync::PoisonError;
#[cfg(not(any(loom, shuttle)))]
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// A bell. It counts how often it has rung: who is to sleep is told the count while it is sure that the bell has not rung for it
/// yet, and sleeps until there is another one.
#[derive(Debug)]
pub(crate) struct Bell {
    rings: Mutex<u64>,
    rung: Condvar,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self { rings: Mutex::new(0), rung: Condvar::new() }
    }

    /// How often it has rung.
    pub(crate) fn rings(&self) -> u64 {
        *self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until it has rung once more than `rings` says, or, where there are clocks, for so long at most. It may end sooner.
    pub(crate) fn sleep(&self, rings: u64, most: Duration) {
        let now = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        if *now == rings {
            // Checkers have no clock: there it sleeps until it is woken.
            drop(self.rung.wait_timeout(now, most));
        }
    }

    /// Wakes everyone who sleeps.
    pub(crate) fn ring(&self) {
        *self.rings.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.rung.notify_all();
    }
}
