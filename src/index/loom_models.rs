//! The indexes under the model checker: one thread adds while another looks up, in every order that the memory model allows.
//!
//! This is the code that ships, with chunks, tables and runs so small that a few names make them grow.

use super::dictionary::{Dictionary, Entry};
use super::hot::{Addition, HotIndex};
use super::ids::IdTable;
use super::postings::{Pool, Postings, RunPlace};
use crate::vocabulary::mark::Mark;
use crate::vocabulary::sync::proof::{Flaw, Proof};
use std::sync::Arc;

const EARLY: &str = "counted before it is added";

/// Numbers are pushed, through the list's head and two runs, while another thread reads as many as it finds.
fn postings(_: Flaw) {
    let shared = Arc::new((Postings::default(), Pool::default()));
    let reader = {
        let shared = Arc::clone(&shared);
        loom::thread::spawn(move || {
            let (list, pool) = &*shared;
            let count = list.len();
            let mut place = RunPlace::default();
            for index in 0..count {
                assert_eq!(list.get(pool, index, &mut place), Some(10 + index), "number {index} of {count}");
            }
            assert_eq!(list.count_below(pool, 10), 0);
        })
    };
    let (list, pool) = &*shared;
    for number in 0..3 {
        list.push(pool, 10 + number).unwrap();
    }
    reader.join().unwrap();
}

#[test]
fn loom_postings() {
    Proof {
        name: "postings: push against get",
        model: postings,
        flaws: &[],
        files: &["src/index/postings.rs"],
        // Who reads a run has acquired a count that was released after the run's address.
        spared: &[
            "None => self.first_run.store(run + 1, Ordering::Release),",
            "None => (0, self.first_run.load(Ordering::Acquire).checked_sub(1)?),",
            "Some(last) => pool.words.get(last).ok_or(PoolFull)?.store(run + 1, Ordering::Release),",
            "address = pool.words.get(address)?.load(Ordering::Acquire).checked_sub(1)?;",
        ],
    }
    .run();
}

/// A second name makes the table grow, a third does not, while another thread looks for the first and the third: what is found is
/// whole, and what was there before is found.
fn dictionary(_: Flaw) {
    let dictionary = Arc::new(Dictionary::with_room(0));
    dictionary.add(5, b"a", 1, 7).unwrap();
    let reader = {
        let dictionary = Arc::clone(&dictionary);
        loom::thread::spawn(move || {
            let first = |number: u32| dictionary.entry(number).map(Entry::first);
            if let Some(number) = dictionary.find(7, b"c", 3) {
                assert_eq!((number, first(number)), (2, Some(9)), "an entry that is found is whole");
            }
            let found = dictionary.find(5, b"a", 1).map(|number| (number, first(number)));
            assert_eq!(found, Some((0, Some(7))), "a name that was there before is found");
        })
    };
    dictionary.add(6, b"b", 2, 8).unwrap();
    dictionary.add(7, b"c", 3, 9).unwrap();
    reader.join().unwrap();
}

#[test]
fn loom_dictionary() {
    Proof {
        name: "dictionary: add against find",
        model: dictionary,
        flaws: &[],
        files: &["src/index/dictionary.rs"],
        // The count is for who walks the entries: `dictionary: add against walk`.
        spared: &["self.count.store(number + 1, Ordering::Release);"],
    }
    .run();
}

/// A name is added while another thread walks all entries that there are.
fn walk(_: Flaw) {
    let dictionary = Arc::new(Dictionary::with_room(0));
    let reader = {
        let dictionary = Arc::clone(&dictionary);
        loom::thread::spawn(move || {
            for number in 0..dictionary.len() {
                let label = dictionary.label(number).expect("a name that is counted is there");
                assert_eq!((label.key(), label.owner()), (&b"ab"[number as usize..][..1], 5 + number));
            }
        })
    };
    dictionary.add(5, b"a", 1, 7).unwrap();
    dictionary.add(6, b"b", 2, 8).unwrap();
    reader.join().unwrap();
}

#[test]
fn loom_dictionary_walk() {
    Proof {
        name: "dictionary: add against walk",
        model: walk,
        flaws: &[],
        files: &["src/index/dictionary.rs"],
        // A walk does not use the tables.
        spared: &["slot.store(number + 1, Ordering::Release);", "self.current.store(current, Ordering::Release);"],
    }
    .run();
}

/// Ids are added, through the growth of the table, while another thread looks for those below the watermark.
fn ids(flaw: Flaw) {
    let shared = Arc::new((IdTable::default(), Mark::new(0)));
    let ids = [1 << 40 | 1, 2 << 40 | 1, 3 << 40];
    let reader = {
        let shared = Arc::clone(&shared);
        loom::thread::spawn(move || {
            let visible = shared.1.get();
            for (id, address) in ids.iter().zip(64..).take(usize::try_from(visible).unwrap()) {
                assert!(shared.0.candidates(*id).any(|found| found == address), "{id} of {visible} is found");
            }
        })
    };
    for (id, address) in ids.iter().zip(64..) {
        if flaw == Some(EARLY) {
            shared.1.raise(u64::from(address) - 63);
        }
        shared.0.add(*id, address).unwrap();
        shared.1.raise(u64::from(address) - 63);
    }
    reader.join().unwrap();
}

#[test]
fn loom_ids() {
    Proof {
        name: "ids: add against look-up",
        model: ids,
        flaws: &[EARLY],
        files: &["src/index/ids.rs"],
        // An entry is one number that is whole by itself, and the watermark says that it is there.
        spared: &[
            "slot.store(packed, Ordering::Release);",
            "let packed = table.get(home(hash, slots).wrapping_add(step) & (slots - 1))?.load(Ordering::Acquire);",
            "self.count.store(number + 1, Ordering::Release);",
        ],
    }
    .run();
}

/// The whole index of a segment: an event comes while a reader looks a stream up below its watermark.
fn segment_index(flaw: Flaw) {
    // An index takes more than the stack that threads of a model have.
    let roomy = loom::thread::Builder::new().stack_size(1 << 17);
    roomy.spawn(move || add_and_look_up(flaw)).unwrap().join().unwrap();
}

fn add_and_look_up(flaw: Flaw) {
    let shared = Arc::new((HotIndex::new(100, 7, 0), Mark::new(101)));
    let add = |number: u64, shared: &(HotIndex, Mark)| {
        let addition = Addition::new("c", "s", "n", 5 + number);
        shared.0.add(4_096 + 64 * number, None, [addition].into_iter()).unwrap();
    };
    add(0, &shared);
    let reader = {
        let shared = Arc::clone(&shared);
        loom::thread::spawn(move || {
            let (index, mark) = &*shared;
            let revision = mark.get();
            let stream = index.stream("c", "s").expect("a stream with a visible event is found");
            let count = index.count_below(stream, revision);
            assert_eq!(u64::from(count), revision - 100, "all that is visible, and nothing else, is counted");
            let mut place = RunPlace::default();
            for at in 0..count {
                let number = 100 + u64::from(at);
                assert_eq!(index.event_at(stream, at, &mut place), Some(number));
                assert_eq!(index.frame_of(number), Some(4_096 + 64 * u64::from(at)));
            }
        })
    };
    if flaw == Some(EARLY) {
        shared.1.raise(102);
    }
    add(1, &shared);
    shared.1.raise(102);
    reader.join().unwrap();
}

#[test]
fn loom_segment_index() {
    Proof {
        name: "segment index: add against look-up",
        model: segment_index,
        flaws: &[EARLY],
        files: &["src/vocabulary/mark.rs"],
        spared: &[],
    }
    .run();
}
