//! Calling a subscription off from another thread.

use crate::adapters::StorageAdapter;
use crate::vocabulary::sync::{AtomicBool, Ordering};
use std::fmt;
use std::sync::{Arc, Weak};

/// Calls a [`Subscription`](super::Subscription) off, from any thread. Cheap to clone; clones call off the same one.
///
/// It keeps no store open.
#[derive(Clone)]
pub struct Cancellation {
    shared: Arc<Shared>,
}

struct Shared {
    is_off: AtomicBool,
    /// Where the subscription may be asleep.
    adapter: Weak<dyn StorageAdapter>,
}

impl Cancellation {
    pub(super) fn new(adapter: &Arc<dyn StorageAdapter>) -> Self {
        Self { shared: Arc::new(Shared { is_off: AtomicBool::default(), adapter: Arc::downgrade(adapter) }) }
    }

    /// Calls the subscription off, for good, and wakes it if it waits. Waits for nothing itself.
    ///
    /// The subscription gives no more events, those included that it has read already; its
    /// [`checkpoint`](super::Subscription::checkpoint) says where another one goes on. Who is awake learns of it at the next
    /// event, and at the latest after some milliseconds; on an adapter that cannot be woken who sleeps does after 20 ms.
    pub fn cancel(&self) {
        self.shared.is_off.store(true, Ordering::Release);
        if let Some(adapter) = self.shared.adapter.upgrade() {
            adapter.wake();
        }
    }

    /// Whether it was called off.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.shared.is_off.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancellation").field("is_cancelled", &self.is_cancelled()).finish()
    }
}
