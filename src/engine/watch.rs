//! Waiting until the log has grown: whoever makes events visible wakes those who sleep, for a fence and a load where nobody does.

use crate::vocabulary::sync::{AtomicBool, Bell, Ordering, fence};
use std::time::Duration;

/// Where those sleep who wait for more events.
#[derive(Debug)]
pub(super) struct Watch {
    /// Whether anyone may sleep who was not woken since. Whoever wakes takes it back, so that it wakes once.
    sleeping: AtomicBool,
    bell: Bell,
}

impl Default for Watch {
    fn default() -> Self {
        Self { sleeping: AtomicBool::default(), bell: Bell::new() }
    }
}

impl Watch {
    /// Wakes those who sleep. Called after what they wait for became visible.
    #[inline]
    pub(super) fn tell(&self) {
        // Who is about to sleep says so, and then looks once more; who publishes does, and then looks for sleepers. With a fence
        // between the two on both sides, one of them sees the other.
        fence(Ordering::SeqCst);
        if self.sleeping.load(Ordering::Relaxed) {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        if self.sleeping.swap(false, Ordering::Relaxed) {
            self.bell.ring();
        }
    }

    /// Sleeps until `is_there`, or somebody wakes it, or for so long. May end sooner.
    pub(super) fn sleep(&self, most: Duration, is_there: impl FnOnce() -> bool) {
        // Before it is announced: a ring that follows the announcement is heard in any case.
        let rings = self.bell.rings();
        self.sleeping.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if !is_there() {
            self.bell.sleep(rings, most);
        }
    }
}

#[cfg(all(test, loom))]
mod loom_models {
    use super::*;
    use crate::vocabulary::mark::Mark;
    use crate::vocabulary::sync::proof::{Flaw, Proof};
    use std::sync::Arc;

    /// Two sleep until the mark is at 2, and one raises it twice: nobody sleeps for ever.
    fn grow_and_sleep(flaw: Flaw) {
        let shared = Arc::new((Mark::new(0), Watch::default()));
        let sleepers: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                loom::thread::spawn(move || {
                    let (mark, watch) = &*shared;
                    while mark.get() < 2 {
                        if flaw == Some("not looked at once more") {
                            watch.sleep(Duration::MAX, || false);
                        } else {
                            watch.sleep(Duration::MAX, || mark.get() >= 2);
                        }
                    }
                })
            })
            .collect();
        let (mark, watch) = &*shared;
        for value in [1, 2] {
            if flaw == Some("told before it is there") {
                watch.tell();
            }
            mark.raise_alone(value);
            if flaw != Some("told before it is there") {
                watch.tell();
            }
        }
        for sleeper in sleepers {
            sleeper.join().unwrap();
        }
    }

    /// One sleeps until it is called off, which says nothing of the log: it does not sleep for ever.
    fn call_off(flaw: Flaw) {
        let shared = Arc::new((AtomicBool::default(), Watch::default()));
        let sleeper = {
            let shared = Arc::clone(&shared);
            loom::thread::spawn(move || {
                let (off, watch) = &*shared;
                while !off.load(Ordering::Acquire) {
                    if flaw == Some("not asked once more") {
                        watch.sleep(Duration::MAX, || false);
                    } else {
                        watch.sleep(Duration::MAX, || off.load(Ordering::Acquire));
                    }
                }
            })
        };
        let (off, watch) = &*shared;
        if flaw == Some("told before it is off") {
            watch.tell();
        }
        off.store(true, Ordering::Release);
        if flaw != Some("told before it is off") {
            watch.tell();
        }
        sleeper.join().unwrap();
    }

    #[test]
    fn loom_call_off() {
        let flaws = &["not asked once more", "told before it is off"];
        Proof { name: "call off", model: call_off, flaws, files: &[], spared: &[] }.run();
    }

    #[test]
    fn loom_grow_and_sleep() {
        Proof {
            name: "grow and sleep",
            model: grow_and_sleep,
            flaws: &["not looked at once more", "told before it is there"],
            files: &["src/engine/watch.rs"],
            spared: &[],
        }
        .run();
    }
}
