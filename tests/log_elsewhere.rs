//! A store opened by a relative path, in a process that goes to another directory. Alone here, since a process has just one.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test ends where something is not as it must be")]

#[expect(dead_code, reason = "other tests need the rest")]
mod log_common;

use log_common::*;
use std::env::set_current_dir;

#[test]
fn a_store_stays_where_it_was_opened() {
    let (dir, _) = place();
    let elsewhere = dir.path().join("elsewhere");
    std::fs::create_dir_all(elsewhere.join("store")).unwrap();
    set_current_dir(dir.path()).unwrap();
    let store = open("store".as_ref(), small());
    set_current_dir(&elsewhere).unwrap();
    for number in 0..500 {
        store.stream("c", "s").publish([event("n", number)]).unwrap();
    }
    store.close().unwrap();
    assert_eq!(std::fs::read_dir("store").unwrap().count(), 0, "nothing came to the directory of the same name");
    assert_eq!(rows(&open(&dir.path().join("store"), small())).len(), 500);
}
