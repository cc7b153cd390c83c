//! The adapters that a test of what users hold runs on: memory, and the log on disk.

use stratalog::{Durability, EventStore, Options};

/// Runs a check on a new store of each adapter. A failure's output ends with the name of the adapter it is about.
#[expect(clippy::print_stdout, reason = "the harness shows it for a test that fails")]
pub fn on_both(check: impl Fn(EventStore)) {
    println!("on memory");
    check(EventStore::in_memory());
    println!("on the log");
    let directory = tempfile::tempdir().unwrap();
    check(EventStore::open_with(directory.path(), Options::new().durability(Durability::Os)).unwrap());
}
