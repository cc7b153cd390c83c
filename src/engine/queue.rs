//! The queue of those who found the seat taken: whoever has it next does their work, and nobody is forgotten.
//!
//! Who puts something in looks afterwards whether the seat is free, and asks for a chore if it is not. The chore is begun before
//! it looks into the queue. So what is put in is found by who has the seat, or by the chore.

use super::due::Due;
use crate::vocabulary::sync::{AtomicUsize, Mutex, Ordering};
use std::collections::VecDeque;

/// Entries in the order in which they came. They are taken out by who has the seat alone.
#[derive(Debug)]
pub(super) struct Queue<T> {
    /// How many there are. Who has put one in, or has heard of that, sees it.
    waiting: AtomicUsize,
    entries: Mutex<Entries<T>>,
    /// The chore that does the work of those in the queue.
    pub(super) due: Due,
}

#[derive(Debug)]
struct Entries<T> {
    list: VecDeque<T>,
    shut: bool,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let entries = Entries { list: VecDeque::new(), shut: false };
        Self { waiting: AtomicUsize::new(0), entries: Mutex::new(entries), due: Due::default() }
    }
}

impl<T> Queue<T> {
    /// Whether there is something in the queue: one load. It orders nothing: what is in the queue is behind its lock.
    #[inline]
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Puts an entry behind the others. A queue that is shut gives it back.
    pub(super) fn push(&self, entry: T) -> Result<(), T> {
        self.put(entry, VecDeque::push_back)
    }

    /// Puts back what was taken out last. A queue that is shut gives it back.
    pub(super) fn put_back(&self, entry: T) -> Result<(), T> {
        self.put(entry, VecDeque::push_front)
    }

    fn put(&self, entry: T, put: impl FnOnce(&mut VecDeque<T>, T)) -> Result<(), T> {
        let mut entries = self.entries.lock();
        if entries.shut {
            return Err(entry);
        }
        put(&mut entries.list, entry);
        self.waiting.store(entries.list.len(), Ordering::Relaxed);
        Ok(())
    }

    /// Takes the oldest out.
    pub(super) fn pop(&self) -> Option<T> {
        let mut entries = self.entries.lock();
        let entry = entries.list.pop_front();
        self.waiting.store(entries.list.len(), Ordering::Relaxed);
        entry
    }

    /// Takes all out, and lets none in from now on.
    pub(super) fn shut(&self) -> VecDeque<T> {
        let mut entries = self.entries.lock();
        entries.shut = true;
        self.waiting.store(0, Ordering::Relaxed);
        std::mem::take(&mut entries.list)
    }
}

#[cfg(all(test, loom))]
mod loom_models {
    use super::*;
    use crate::vocabulary::sync::AtomicU64;
    use crate::vocabulary::sync::proof::{Flaw, Proof};
    use std::sync::Arc;

    /// A store: the seat holds what was judged, in order.
    struct Store {
        /// The seat may be tried, which the checker's mutex cannot: so a flag stands for it.
        taken: crate::vocabulary::sync::AtomicBool,
        judged: Mutex<Vec<u64>>,
        queue: Queue<u64>,
        /// Chores that were asked for and not begun.
        orders: AtomicU64,
        refused: AtomicU64,
        flaw: Flaw,
    }

    fn store(flaw: Flaw) -> Arc<Store> {
        Arc::new(Store {
            taken: crate::vocabulary::sync::AtomicBool::default(),
            judged: Mutex::new(Vec::new()),
            queue: Queue::default(),
            orders: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            flaw,
        })
    }

    impl Store {
        fn has(&self, flaw: &str) -> bool {
            self.flaw == Some(flaw)
        }

        /// `Engine::try_seat`, and what is done in the seat: first what is in the queue.
        fn with_seat(&self, own: Option<u64>) -> bool {
            if self.taken.swap(true, Ordering::AcqRel) {
                return false;
            }
            self.drain();
            self.judged.lock().extend(own);
            self.taken.store(false, Ordering::Release);
            true
        }

        fn drain(&self) {
            if self.queue.is_waiting() && !self.has("who has the seat leaves the queue alone") {
                self.take_all();
            }
        }

        /// `Engine::append_deferred`.
        fn defer(&self, number: u64) {
            if self.with_seat(Some(number)) {
                return;
            }
            if self.has("asked before it is in the queue") {
                self.ask();
            }
            if self.queue.push(number).is_err() {
                self.refused.fetch_add(1, Ordering::Relaxed);
                return;
            }
            if !self.with_seat(None) && !self.has("asked by nobody") && !self.has("asked before it is in the queue") {
                self.ask();
            }
        }

        fn ask(&self) {
            if self.queue.due.ask() {
                self.orders.fetch_add(1, Ordering::Relaxed);
            }
        }

        fn take_all(&self) {
            while let Some(number) = self.queue.pop() {
                self.judged.lock().push(number);
            }
        }

        /// `Chore::Drain`, if it was asked for, once nobody has the seat any more.
        fn chores_left(&self) {
            if self.orders.load(Ordering::Relaxed) > 0 {
                self.queue.due.begin();
                self.take_all();
            }
        }
    }

    /// One has the seat and leaves; another finds it taken, twice, and keeps its order.
    fn hand_off(flaw: Flaw) {
        let store = store(flaw);
        let holder = {
            let store = Arc::clone(&store);
            loom::thread::spawn(move || store.with_seat(Some(9)))
        };
        store.defer(1);
        store.defer(2);
        let held = holder.join().unwrap();
        store.chores_left();
        let judged = store.judged.lock();
        let own: Vec<u64> = judged.iter().copied().filter(|number| *number < 9).collect();
        assert_eq!(own, [1, 2], "each is judged once, and in order");
        assert_eq!(judged.len(), 2 + usize::from(held));
    }

    #[test]
    fn loom_deferred_hand_off() {
        Proof {
            name: "hand-off of deferred appends",
            model: hand_off,
            flaws: &["asked by nobody", "who has the seat leaves the queue alone"],
            files: &[],
            spared: &[],
        }
        .run();
    }

    /// The chore runs while two defer: what it does not find, it is asked for again.
    fn chore(flaw: Flaw) {
        let store = store(flaw);
        assert!(store.queue.due.ask());
        store.taken.store(true, Ordering::Release);
        let others: Vec<_> = [1, 2]
            .map(|number| {
                let store = Arc::clone(&store);
                loom::thread::spawn(move || store.defer(number))
            })
            .into();
        // The chore, at whose beginning someone has the seat, whom it does not meet: its own look is what counts here.
        if flaw == Some("begun after the look") {
            let found: Vec<u64> = std::iter::from_fn(|| store.queue.pop()).collect();
            store.queue.due.begin();
            store.judged.lock().extend(found);
        } else {
            store.queue.due.begin();
            store.take_all();
        }
        for other in others {
            other.join().unwrap();
        }
        store.chores_left();
        let mut judged = store.judged.lock().clone();
        judged.sort_unstable();
        assert_eq!(judged, [1, 2], "nobody is forgotten");
    }

    #[test]
    fn loom_deferred_chore() {
        Proof {
            name: "chore of deferred appends",
            model: chore,
            flaws: &["begun after the look", "asked before it is in the queue"],
            // What is in the queue is behind a lock, which orders all that the fences of the flag would.
            files: &[],
            spared: &[],
        }
        .run();
    }

    /// The store is closed, or poisoned, while two defer: each is judged, refused, or found in the queue.
    fn shut(flaw: Flaw) {
        let store = store(flaw);
        store.taken.store(true, Ordering::Release);
        let others: Vec<_> = [1, 2]
            .map(|number| {
                let store = Arc::clone(&store);
                loom::thread::spawn(move || store.defer(number))
            })
            .into();
        let found = if flaw == Some("emptied and not shut") {
            std::iter::from_fn(|| store.queue.pop()).count()
        } else {
            store.queue.shut().len()
        };
        for other in others {
            other.join().unwrap();
        }
        let refused = store.refused.load(Ordering::Relaxed);
        assert_eq!(found as u64 + refused, 2, "each is told");
    }

    #[test]
    fn loom_deferred_shut() {
        Proof {
            name: "shutting the queue of deferred appends",
            model: shut,
            flaws: &["emptied and not shut"],
            files: &[],
            spared: &[],
        }
        .run();
    }
}
