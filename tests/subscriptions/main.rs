//! Subscriptions as users have them: every event once and in order, whatever goes on beside them; waiting, and how that ends.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it must be")]

#[path = "../store/both.rs"]
mod both;
mod crowd;
mod idle;
mod places;
mod waiting;
mod watched;

use both::on_both;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use stratalog::{EventStore, NewEvent, ReadError, Selector, SequenceNumber, Subscription, transaction};

/// Longer than anything here may take.
const FOR_EVER: Duration = Duration::from_secs(60);

/// Less than after what time who sleeps would look by itself, and far more than waking takes.
const PROMPTLY: Duration = Duration::from_millis(500);

fn publish(store: &EventStore, category: &str, stream: &str, count: usize) {
    store.stream(category, stream).publish((0..count).map(|_| NewEvent::empty("n"))).unwrap();
}

/// The numbers of the events that are there now.
fn numbers(subscription: &mut Subscription) -> Vec<u64> {
    std::iter::from_fn(|| subscription.try_next().unwrap()).map(|event| event.sequence_number().get()).collect()
}
