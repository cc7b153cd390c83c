//! Telling a call from inside a condition from any other: such a call would wait for a lock that its own thread holds.

use std::cell::Cell;

thread_local! {
    static JUDGING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside a custom condition now.
pub(crate) fn is_judging() -> bool {
    JUDGING.get()
}

/// Marks this thread as inside a condition while `judge` runs.
pub(crate) fn judging<T>(judge: impl FnOnce() -> T) -> T {
    /// Clears the mark on every way out.
    struct Clear;
    impl Drop for Clear {
        fn drop(&mut self) {
            JUDGING.set(false);
        }
    }
    JUDGING.set(true);
    let _clear = Clear;
    judge()
}
