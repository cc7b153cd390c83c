//! A number that only rises, and publishes what was written before it.

use super::sync::{AtomicU64, Ordering, raise_to};

/// How far something goes. Who sees a mark sees everything that was written before it was raised so far.
#[derive(Debug)]
pub(crate) struct Mark(AtomicU64);

impl Mark {
    pub(crate) fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Raises the mark; one that is higher already stays.
    pub(crate) fn raise(&self, value: u64) {
        raise_to(&self.0, value, Ordering::AcqRel);
    }

    /// The same for who alone may raise it: nobody else does until another hand-over between threads.
    #[inline]
    pub(crate) fn raise_alone(&self, value: u64) {
        if value > self.0.load(Ordering::Relaxed) {
            self.0.store(value, Ordering::Release);
        }
    }
}

#[cfg(all(test, loom))]
mod loom_models {
    use super::*;
    use crate::vocabulary::sync::AtomicU32;
    use crate::vocabulary::sync::proof::{Flaw, Proof};
    use std::sync::Arc;

    /// A mapped file of a few bytes, as `disk/region.rs` keeps one: bytes, and the mark below which they may be read. Bytes are
    /// atomics without ordering, so that a reader who is too early gets old ones.
    struct Region {
        bytes: [AtomicU32; 3],
        published: Mark,
    }

    /// One thread writes and publishes twice, two read what is published: `Region::write`, `publish` and `slice`.
    fn publish_and_read(flaw: Flaw) {
        let region = Arc::new(Region { bytes: Default::default(), published: Mark::new(0) });
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let region = Arc::clone(&region);
                loom::thread::spawn(move || {
                    let first = region.published.get();
                    let again = region.published.get();
                    assert!(first <= again, "the mark fell from {first} to {again}");
                    for (at, byte) in region.bytes.iter().take(usize::try_from(again).unwrap()).enumerate() {
                        assert_eq!(byte.load(Ordering::Relaxed), 7 + u32::try_from(at).unwrap(), "byte {at}");
                    }
                })
            })
            .collect();
        let mut value = 7;
        for (run, end) in [(0..2, 2), (2..3, 3)] {
            if flaw == Some("published before it is written") {
                region.published.raise(end);
            }
            for byte in &region.bytes[run] {
                byte.store(value, Ordering::Relaxed);
                value += 1;
            }
            if end == 2 {
                region.published.raise(end);
            } else {
                region.published.raise_alone(end);
            }
        }
        for reader in readers {
            reader.join().unwrap();
        }
    }

    #[test]
    fn loom_publish_and_read() {
        Proof {
            name: "publish and read",
            model: publish_and_read,
            flaws: &["published before it is written"],
            files: &["src/vocabulary/mark.rs"],
            spared: &[],
        }
        .run();
    }

    /// Two raise one mark, as a leader and whoever writes a frame without events may: it ends at the higher, and never falls.
    fn two_raise(flaw: Flaw) {
        let mark = Arc::new(Mark::new(0));
        let other = {
            let mark = Arc::clone(&mark);
            loom::thread::spawn(move || raise(&mark, 2, flaw))
        };
        raise(&mark, 1, flaw);
        other.join().unwrap();
        assert_eq!(mark.get(), 2);
    }

    fn raise(mark: &Mark, value: u64, flaw: Flaw) {
        if flaw == Some("looked at and stored in two steps") {
            if mark.get() < value {
                mark.0.store(value, Ordering::Release);
            }
        } else {
            mark.raise(value);
        }
    }

    #[test]
    fn loom_two_raise_a_mark() {
        let flaws = &["looked at and stored in two steps"];
        Proof { name: "two raise a mark", model: two_raise, flaws, files: &[], spared: &[] }.run();
    }
}
