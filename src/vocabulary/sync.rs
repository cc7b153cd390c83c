//! Atomics, locks and threads for code whose concurrency is proved: the real ones, or those of a checker under its `cfg`.
//!
//! What uses these alone can be run by `loom` in every order that the memory model allows, and by `shuttle` in random ones.
//! Without either `cfg` these are other names for what the standard library, `parking_lot` and `arc-swap` have.

#[cfg(not(any(loom, shuttle)))]
mod real {
    pub(crate) use arc_swap::ArcSwap;
    pub(crate) use parking_lot::Mutex;
    pub(crate) use std::sync::OnceLock;
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, fence};
    pub(crate) use std::thread::{Thread, current};

    /// Raises a number to `value`, if it is less, in one step.
    ///
    /// By comparing and exchanging, which is what `fetch_max` comes to on most processors: the thread sanitizer does not see that
    /// one, and takes what it orders for a race.
    pub(crate) fn raise_to(number: &AtomicU64, value: u64, ordering: super::Ordering) {
        let _ = number.fetch_update(ordering, super::Ordering::Relaxed, |known| Some(known.max(value)));
    }
}

mod bell;
#[cfg(any(loom, shuttle))]
mod checked;
#[cfg(all(test, loom))]
pub(crate) mod proof;

pub(crate) use bell::Bell;
#[cfg(all(test, loom))]
pub(crate) use checked::park;
#[cfg(any(loom, shuttle))]
pub(crate) use checked::{
    ArcSwap, AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Mutex, OnceLock, Thread, current, fence, raise_to,
};
#[cfg(not(any(loom, shuttle)))]
pub(crate) use real::{
    ArcSwap, AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Mutex, OnceLock, Thread, current, fence, raise_to,
};
pub(crate) use std::sync::atomic::Ordering;
