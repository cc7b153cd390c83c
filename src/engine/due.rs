//! A chore that is asked for once at a time, and never too few times.

use crate::vocabulary::sync::{AtomicBool, Ordering, fence};

/// Whether a chore is asked for and not begun.
///
/// Who has done something that calls for the chore asks afterwards; who does the chore begins before it looks. Then either the
/// chore sees what was done, or it is asked for again: the two fences see to that.
#[derive(Debug, Default)]
pub(super) struct Due(AtomicBool);

impl Due {
    /// Says whether the chore must be asked for: `true` for one of those who come before it is begun.
    pub(super) fn ask(&self) -> bool {
        fence(Ordering::SeqCst);
        !self.0.load(Ordering::Relaxed) && !self.0.swap(true, Ordering::AcqRel)
    }

    /// Notes that the chore is begun: who comes from now on asks again.
    pub(super) fn begin(&self) {
        self.0.store(false, Ordering::Release);
        fence(Ordering::SeqCst);
    }

    /// Whether the chore is asked for.
    #[cfg(test)]
    pub(super) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(all(test, loom))]
mod loom_models {
    use super::*;
    use crate::vocabulary::mark::Mark;
    use crate::vocabulary::sync::AtomicU64;
    use crate::vocabulary::sync::proof::{Flaw, Proof};
    use std::sync::Arc;

    const FILES: &[&str] = &["src/engine/due.rs"];

    /// What appenders and the thread of housekeeping share.
    struct Store {
        visible: Mark,
        due: Due,
        /// Orders in the thread's queue.
        orders: AtomicU64,
        durable: Mark,
        last_done: AtomicU64,
    }

    /// A store with one event, of which the chore has been asked for already.
    fn store() -> Arc<Store> {
        let due = Due::default();
        assert!(due.ask());
        let (orders, last_done) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Store { visible: Mark::new(1), due, orders, durable: Mark::new(0), last_done })
    }

    impl Store {
        /// The end of `Engine::put_frame`: what was appended is visible, then the chore is asked for.
        fn append(&self, visible: u64, flaw: Flaw) {
            if flaw == Some("asked before it is visible") {
                self.ask();
                self.visible.raise(visible);
            } else {
                self.visible.raise(visible);
                self.ask();
            }
        }

        fn ask(&self) {
            if self.due.ask() {
                self.orders.fetch_add(1, Ordering::Relaxed);
            }
        }

        /// `Chore::Sync` of `Engine::do_chore`.
        fn sync(&self, flaw: Flaw) {
            if flaw == Some("begun after the look") {
                let seen = self.visible.get();
                self.due.begin();
                self.durable.raise(seen);
            } else {
                self.due.begin();
                self.durable.raise(self.visible.get());
            }
        }

        /// `Chore::Watermark`, when the store is idle: looks, then begins, then looks whether anything came between.
        fn watermark(&self, flaw: Flaw) {
            self.last_done.store(self.visible.get(), Ordering::Relaxed);
            self.due.begin();
            if flaw != Some("no second look") && self.visible.get() != self.last_done.load(Ordering::Relaxed) {
                self.ask();
            }
        }
    }

    fn two_append(store: &Arc<Store>, flaw: Flaw) -> Vec<loom::thread::JoinHandle<()>> {
        let append = |visible| {
            let store = Arc::clone(store);
            loom::thread::spawn(move || store.append(visible, flaw))
        };
        vec![append(2), append(3)]
    }

    /// Two append while the sync chore runs: what it does not make durable is asked for again.
    fn sync_chore(flaw: Flaw) {
        let store = store();
        let appenders = two_append(&store, flaw);
        store.sync(flaw);
        for appender in appenders {
            appender.join().unwrap();
        }
        let orders = store.orders.load(Ordering::Relaxed);
        assert!(orders > 0 || store.durable.get() == 3, "appended, not synced, and no sync asked for");
        assert!(orders <= 1, "asked {orders} times at once");
    }

    #[test]
    fn loom_sync_chore() {
        Proof {
            name: "flag and fence of the sync chore",
            model: sync_chore,
            flaws: &["begun after the look", "asked before it is visible"],
            files: FILES,
            // The fences order all that the flag has to: its own orderings are for those who read it without.
            spared: &[
                "!self.0.load(Ordering::Relaxed) && !self.0.swap(true, Ordering::AcqRel)",
                "self.0.store(false, Ordering::Release);",
            ],
        }
        .run();
    }

    /// Two append while the watermark chore finds the store idle: it has seen them, or is asked for again.
    fn watermark_chore(flaw: Flaw) {
        let store = store();
        let appenders = two_append(&store, flaw);
        store.watermark(flaw);
        for appender in appenders {
            appender.join().unwrap();
        }
        let seen = store.last_done.load(Ordering::Relaxed);
        assert!(store.orders.load(Ordering::Relaxed) > 0 || seen == 3, "appended, and no watermark asked for");
    }

    #[test]
    fn loom_watermark_chore() {
        Proof {
            name: "flag and fence of the watermark chore",
            model: watermark_chore,
            flaws: &["no second look", "asked before it is visible"],
            files: FILES,
            spared: &[
                "!self.0.load(Ordering::Relaxed) && !self.0.swap(true, Ordering::AcqRel)",
                "self.0.store(false, Ordering::Release);",
            ],
        }
        .run();
    }
}
