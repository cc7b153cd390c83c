//! Atomics, locks and threads whose schedule a checker chooses, for `cfg(loom)` and `cfg(shuttle)`.
//!
//! Every ordering stronger than `Relaxed` is noted with the line that asks for it, and can be taken away from that line alone: so
//! a model has a broken twin for each.

#[cfg(loom)]
use loom as checker;
#[cfg(shuttle)]
use shuttle as checker;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::Location;
use std::sync::{Arc, PoisonError};

#[cfg(all(test, loom))]
pub(crate) use parking::park;
#[cfg(loom)]
pub(crate) use parking::{Thread, current};
#[cfg(all(test, shuttle))]
pub(crate) use shuttle::thread::park;
#[cfg(shuttle)]
pub(crate) use shuttle::thread::{Thread, current};
pub(crate) use std::sync::atomic::Ordering;

/// Parking of threads, each with a token. That of loom 0.7 also wakes who waits for a lock, and then fails.
#[cfg(loom)]
mod parking {
    use loom::sync::{Condvar, Mutex};
    use std::sync::{Arc, PoisonError};

    #[derive(Debug)]
    struct Token {
        is_there: Mutex<bool>,
        given: Condvar,
    }

    loom::thread_local! {
        static TOKEN: Arc<Token> = Arc::new(Token { is_there: Mutex::new(false), given: Condvar::new() });
    }

    #[derive(Debug, Clone)]
    pub(crate) struct Thread {
        token: Arc<Token>,
    }

    pub(crate) fn current() -> Thread {
        Thread { token: TOKEN.with(Arc::clone) }
    }

    impl Thread {
        pub(crate) fn unpark(&self) {
            *self.token.is_there.lock().unwrap_or_else(PoisonError::into_inner) = true;
            self.token.given.notify_one();
        }
    }

    #[cfg(test)]
    pub(crate) fn park() {
        let token = TOKEN.with(Arc::clone);
        let mut is_there = token.is_there.lock().unwrap_or_else(PoisonError::into_inner);
        while !*is_there {
            is_there = token.given.wait(is_there).unwrap_or_else(PoisonError::into_inner);
        }
        *is_there = false;
    }
}

/// A line that asks for an ordering.
pub(crate) type Site = &'static Location<'static>;

thread_local! {
    /// A checker runs all threads of a model in one thread of the system.
    static WEAKENED: Cell<Option<Site>> = const { Cell::new(None) };
    static SITES: RefCell<BTreeSet<Site>> = const { RefCell::new(BTreeSet::new()) };
}

/// Takes its ordering away from a line, for the models that this thread runs from now on.
#[cfg(all(test, loom))]
pub(crate) fn weaken(site: Site) {
    WEAKENED.set(Some(site));
}

/// The lines that have asked for an ordering in models that this thread ran.
#[cfg(all(test, loom))]
pub(crate) fn sites() -> BTreeSet<Site> {
    SITES.with_borrow(Clone::clone)
}

/// The ordering that a line gets.
#[track_caller]
fn granted(asked: Ordering) -> Ordering {
    if asked == Ordering::Relaxed {
        return asked;
    }
    let site = Location::caller();
    SITES.with_borrow_mut(|sites| sites.insert(site));
    if WEAKENED.get() == Some(site) { Ordering::Relaxed } else { asked }
}

/// A fence, unless it is taken away.
#[track_caller]
pub(crate) fn fence(ordering: Ordering) {
    let granted = granted(ordering);
    if granted != Ordering::Relaxed {
        checker::sync::atomic::fence(granted);
    }
}

macro_rules! atomic {
    ($name:ident, $value:ty) => {
        #[derive(Debug, Default)]
        pub(crate) struct $name(checker::sync::atomic::$name);

        impl $name {
            #[track_caller]
            pub(crate) fn load(&self, ordering: Ordering) -> $value {
                self.0.load(granted(ordering))
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, ordering: Ordering) {
                self.0.store(value, granted(ordering));
            }
        }
    };
}

macro_rules! new {
    ($name:ident, $value:ty) => {
        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                Self(checker::sync::atomic::$name::new(value))
            }
        }
    };
}

atomic!(AtomicBool, bool);
atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);
atomic!(AtomicUsize, usize);
new!(AtomicU32, u32);
new!(AtomicU64, u64);
new!(AtomicUsize, usize);

impl AtomicBool {
    #[track_caller]
    pub(crate) fn swap(&self, value: bool, ordering: Ordering) -> bool {
        self.0.swap(value, granted(ordering))
    }
}

/// Models count with it; the store itself does not.
#[cfg(all(test, loom))]
impl AtomicU64 {
    #[track_caller]
    pub(crate) fn fetch_add(&self, value: u64, ordering: Ordering) -> u64 {
        self.0.fetch_add(value, granted(ordering))
    }
}

/// Raises a number to `value`, if it is less, in one step.
#[track_caller]
pub(crate) fn raise_to(number: &AtomicU64, value: u64, ordering: Ordering) {
    number.0.fetch_max(value, granted(ordering));
}

/// A mutex as `parking_lot` has it: a thread that panics does not spoil it.
#[derive(Debug)]
pub(crate) struct Mutex<T>(checker::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(checker::sync::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> checker::sync::MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A value that is set once. Who finds it set sees what came before, and who does not may be looking at an old state.
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    value: std::sync::OnceLock<T>,
    is_set: checker::sync::atomic::AtomicBool,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        Self { value: std::sync::OnceLock::new(), is_set: checker::sync::atomic::AtomicBool::new(false) }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if self.is_set.load(Ordering::Acquire) { self.value.get() } else { None }
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        self.value.set(value)?;
        self.is_set.swap(true, Ordering::AcqRel);
        Ok(())
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        let value = self.value.get_or_init(make);
        if !self.is_set.load(Ordering::Acquire) {
            self.is_set.swap(true, Ordering::AcqRel);
        }
        value
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A pointer that is replaced as a whole. Who loads it may get an old one, as long as nothing has told it of a newer.
#[derive(Debug)]
pub(crate) struct ArcSwap<T> {
    versions: std::sync::Mutex<Vec<Arc<T>>>,
    current: checker::sync::atomic::AtomicUsize,
}

impl<T> ArcSwap<T> {
    pub(crate) fn from_pointee(value: T) -> Self {
        Self {
            versions: std::sync::Mutex::new(vec![Arc::new(value)]),
            current: checker::sync::atomic::AtomicUsize::new(0),
        }
    }

    fn version(&self, number: usize) -> Arc<T> {
        let versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&versions[number])
    }

    pub(crate) fn load(&self) -> Box<Arc<T>> {
        Box::new(self.load_full())
    }

    pub(crate) fn load_full(&self) -> Arc<T> {
        let number = self.current.load(Ordering::Acquire);
        self.version(number)
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
        versions.push(value);
        let newest = versions.len() - 1;
        drop(versions);
        self.current.swap(newest, Ordering::AcqRel);
    }
}
