//! Asking for durability: syncing on demand, and waiting for it.

use super::Engine;
use crate::vocabulary::error::{AppendError, ReadError};
use crate::vocabulary::number::Revision;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long who waits for more events sleeps at most before it looks again, should all else fail.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// How often who waits for durability looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

impl Engine {
    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// [`AppendError::Poisoned`] when it fails, and from then on.
    pub(crate) fn sync(&self) -> Result<Revision, AppendError> {
        self.admit_append()?;
        if self.is_sync() {
            // Everything acknowledged is durable already; what is staged belongs to appenders that still wait.
            let place = self.take_seat()?.place();
            self.wait_visible(place)?;
        }
        self.sync_visible().map(Revision::new)
    }

    /// Waits until readers see so many events, and says how many they see. Called off by `is_off`, which is asked again after
    /// every [`wake`](Self::wake).
    ///
    /// # Errors
    /// [`ReadError::NotReached`], [`ReadError::Poisoned`], [`ReadError::Closed`], [`ReadError::Cancelled`].
    pub(crate) fn wait_revision(
        &self,
        revision: Revision,
        timeout: Duration,
        is_off: &dyn Fn() -> bool,
    ) -> Result<Revision, ReadError> {
        let begun = Instant::now();
        loop {
            self.admit_read()?;
            if is_off() {
                return Err(ReadError::Cancelled);
            }
            // Poison is looked for first and believed last: what is visible is, whatever failed later.
            let poison = self.poison();
            let at = Revision::new(self.revision());
            if at >= revision {
                return Ok(at);
            }
            if let Some(cause) = poison {
                return Err(ReadError::Poisoned { wanted: revision, cause: Arc::clone(cause) });
            }
            let Some(rest) = timeout.checked_sub(begun.elapsed()).filter(|rest| !rest.is_zero()) else {
                return Err(ReadError::NotReached { at, wanted: revision });
            };
            let is_over = || self.closed.load(Ordering::Acquire) || self.poison().is_some() || is_off();
            self.watch.sleep(rest.min(LOOK_AROUND), || self.revision() >= revision.get() || is_over());
        }
    }

    /// Has all who wait for more events look again whether they are to.
    pub(crate) fn wake(&self) {
        self.watch.tell();
    }

    /// Waits until the log is durable up to `revision`.
    ///
    /// # Errors
    /// [`ReadError::NotReached`], [`ReadError::TimedOut`], [`ReadError::Poisoned`].
    pub(crate) fn wait_durable(&self, revision: Revision, timeout: Duration) -> Result<(), ReadError> {
        self.admit_read()?;
        let begun = Instant::now();
        loop {
            if self.durable_revision() >= revision {
                return Ok(());
            }
            let at = Revision::new(self.revision());
            if at < revision {
                return Err(ReadError::NotReached { at, wanted: revision });
            }
            if let Some(cause) = self.poison() {
                return Err(ReadError::Poisoned { wanted: revision, cause: Arc::clone(cause) });
            }
            let waited = begun.elapsed();
            if waited >= timeout {
                return Err(ReadError::TimedOut { wanted: revision, waited });
            }
            self.admit_read()?;
            std::thread::sleep(LOOK_AGAIN.min(timeout - waited));
        }
    }
}
