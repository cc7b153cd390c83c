//! What the tests of the log adapter share: small stores, what they hold, and their files' bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use stratalog::{Durability, EventStore, NewEvent, OpenError, Options, StoredEvent, Verdict, transaction};
use tempfile::TempDir;

/// The smallest segments there are.
pub const SMALL: u64 = 16 << 10;
/// The same, as a length in memory.
pub const SMALL_LENGTH: usize = 16 << 10;

/// A directory for a store, which does not exist yet, in one that goes when dropped.
pub fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    (dir, path)
}

/// Options with the smallest segments and the quickest durability.
pub fn small() -> Options {
    Options::new().segment_bytes(SMALL, SMALL).durability(Durability::Os)
}

pub fn open(path: &Path, options: Options) -> EventStore {
    EventStore::open_with(path, options).unwrap()
}

pub fn event(name: &str, number: u64) -> NewEvent {
    NewEvent::new(name, &number).unwrap()
}

/// Everything that tells one event from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub number: u64,
    pub category: String,
    pub stream: String,
    pub position: u64,
    pub name: String,
    pub id: String,
    /// Length and checksum: bytes would drown a failed test's message.
    pub payload: (usize, u32),
    pub recorded_at: String,
    pub transaction: Option<String>,
}

pub fn row(event: &StoredEvent) -> Row {
    Row {
        number: event.sequence_number().get(),
        category: event.category().to_owned(),
        stream: event.stream().to_owned(),
        position: event.position().get(),
        name: event.name().to_owned(),
        id: event.id().to_string(),
        payload: (event.payload_bytes().len(), crc32fast::hash(&event.payload_bytes())),
        recorded_at: event.recorded_at().to_string(),
        transaction: event.transaction_id().map(str::to_owned),
    }
}

/// All events, by a scan of the log. Checks that the lists, the categories and the streams tell the same.
pub fn rows(store: &EventStore) -> Vec<Row> {
    let rows: Vec<Row> = store.log().scan().read().unwrap().iter().map(row).collect();
    assert_eq!(store.revision().unwrap().get(), rows.len() as u64);
    let mut by_stream: BTreeMap<(String, String), Vec<Row>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row.number, index as u64);
        let stream = by_stream.entry((row.category.clone(), row.stream.clone())).or_default();
        assert_eq!(row.position, stream.len() as u64, "positions are gapless");
        stream.push(row.clone());
    }
    let mut listed = Vec::new();
    for category in store.categories().unwrap() {
        for stream in store.category(category.as_str()).streams().unwrap() {
            listed.push((category.clone(), stream));
        }
    }
    assert_eq!(listed, by_stream.keys().cloned().collect::<Vec<_>>());
    // All of them would take too long in a store of thousands.
    for ((category, stream), expected) in by_stream.iter().take(16) {
        let found = store.stream(category.as_str(), stream.as_str()).read().unwrap();
        assert_eq!(&found.iter().map(row).collect::<Vec<_>>(), expected);
    }
    rows
}

/// Compares two lists of events, and shows the first difference alone.
pub fn same(found: &[Row], expected: &[Row]) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.len(), expected.len(), "the lists are of one length");
}

/// The store's files with their bytes, but for those that may go at any time: the lock's, whose content names the last process,
/// index files, and the one that says that the store was closed.
pub fn files(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(path).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if is_side_file(&name) {
            continue;
        }
        match fs::read(entry.path()) {
            Ok(bytes) => drop(files.insert(name, bytes)),
            // The housekeeping of an open store has renamed it meanwhile.
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
        }
    }
    files
}

pub fn is_side_file(name: &str) -> bool {
    name == "LOCK" || name == "CLOSED" || name.contains(".index")
}

/// Puts files into a directory, in place of what was there.
pub fn put_files(path: &Path, files: &BTreeMap<String, Vec<u8>>) {
    let _ = fs::remove_dir_all(path);
    fs::create_dir_all(path).unwrap();
    for (name, bytes) in files {
        fs::write(path.join(name), bytes).unwrap();
    }
}

/// Lengths of payloads, so that transactions differ.
const LENGTHS: [usize; 9] = [200, 260, 320, 380, 440, 500, 560, 620, 680];

/// Transactions of one to four events, over some streams.
pub fn fill(store: &EventStore, count: u64) {
    for number in 0..count {
        let events = (0..number % 4).map(|part| event("part", part));
        let big = NewEvent::new("big", &"x".repeat(LENGTHS[usize::try_from(number % 9).unwrap()])).unwrap();
        let whole = transaction().stream("c", format!("s-{}", number % 5), [big]);
        let whole = if number % 3 == 0 { whole.id(format!("t-{number}")) } else { whole };
        store.append(whole.stream("d", "all", events)).unwrap();
    }
}

/// Numbers that look random, the same in every run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    pub fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// Where frames begin in a segment's file.
pub const FRAMES_FROM: usize = 4_096;

/// Where the frames of a segment begin, and where the last one ends, by the lengths that they say they have.
pub fn frames(bytes: &[u8]) -> Vec<usize> {
    let mut places = vec![FRAMES_FROM];
    let mut at = FRAMES_FROM;
    while at + 48 <= bytes.len() {
        let length = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().unwrap()) as usize;
        if length == 0 {
            break;
        }
        at += length.next_multiple_of(8);
        places.push(at);
    }
    places
}

pub fn segment(number: u64) -> String {
    format!("{number:010}.segment")
}

pub fn verdict(path: &Path) -> Verdict {
    stratalog::verify(path, &mut |_| ()).unwrap().verdict
}

/// The error of an opening that must fail.
pub fn refused(path: &Path, options: Options) -> OpenError {
    match EventStore::open_with(path, options) {
        Ok(_) => panic!("{} opens", path.display()),
        Err(error) => error,
    }
}

/// Runs the test `name` of this very test program in another process, with the path of a store.
pub fn second_process(name: &str, store: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]).env("STRATALOG_TEST_STORE", store);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// The store that a second process is to work on; `None` in an ordinary run of the tests.
pub fn second_process_store() -> Option<PathBuf> {
    std::env::var_os("STRATALOG_TEST_STORE").map(PathBuf::from)
}
