//! The one place where the program meets stores on disk: opening and verifying.
//!
//! STUB: stands in for `EventStore::open_with` and `stratalog::verify` until the engine lands. It keeps a store as one file of
//! exported lines, read on open and written on close.

use crate::exit::Failure;
use std::path::Path;
use stratalog::hosts::lines;
use stratalog::{Attributes, Durability, EventStore, OpenError, OpenMode, Options, Revision};

const FILE: &str = "stub.jsonl";

/// Opens a store that is there, for reading alone.
pub(crate) fn for_reading(path: &Path) -> Result<EventStore, Failure> {
    open(path, Options::new().mode(OpenMode::ReadOnly))
}

/// Opens a store, or makes one.
pub(crate) fn for_writing(path: &Path, durability: Durability) -> Result<EventStore, Failure> {
    open(path, Options::new().durability(durability))
}

/// Makes a store where there is none.
pub(crate) fn new(path: &Path, durability: Durability) -> Result<EventStore, Failure> {
    open(path, Options::new().mode(OpenMode::CreateNew).durability(durability))
}

/// Makes everything durable and ends the store.
pub(crate) fn close(store: &EventStore, path: &Path) -> Result<(), Failure> {
    let mut out = Vec::new();
    for transaction in store.transactions(Revision::EMPTY)? {
        let transaction = transaction?;
        for (index, event) in transaction.events().iter().enumerate() {
            let none = Attributes::new();
            let attributes = if index == 0 { transaction.attributes() } else { &none };
            lines::write(&event.as_ref(), attributes, lines::Form::Export, &mut out)?;
            out.push(b'\n');
        }
    }
    std::fs::write(path.join(FILE), out)?;
    Ok(store.close()?)
}

fn open(path: &Path, options: Options) -> Result<EventStore, Failure> {
    let file = path.join(FILE);
    match options.mode {
        OpenMode::ReadOnly | OpenMode::Existing if !file.exists() => {
            return Err(OpenError::NotFound { path: path.into() }.into());
        }
        OpenMode::CreateNew if file.exists() => return Err(OpenError::AlreadyExists { path: path.into() }.into()),
        _ => std::fs::create_dir_all(path)?,
    }
    let store = EventStore::in_memory();
    if let Ok(file) = std::fs::File::open(file) {
        let mut input = crate::input::Input::new(std::io::BufReader::new(file), "stub")?;
        crate::import::run_into(&store, &mut input, None, &mut |_| {})?;
    }
    Ok(store)
}

/// What a verification found.
pub(crate) struct Verified {
    pub(crate) events: u64,
    pub(crate) transactions: u64,
    pub(crate) segments: u64,
    pub(crate) bytes: u64,
    pub(crate) verdict: Verdict,
}

/// How a store's bytes are.
#[cfg_attr(test, derive(Debug))]
#[expect(dead_code, reason = "the stub finds every store clean")]
pub(crate) enum Verdict {
    Clean,
    Torn { segment: u64, offset: u64, what: String },
    Corrupt { segment: u64, offset: u64, what: String },
}

/// Reads every byte of a store; `progress` hears of bytes done and bytes in all.
pub(crate) fn verify(path: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Verified, Failure> {
    let stats = for_reading(path)?.stats()?;
    progress(1, 1);
    Ok(Verified {
        events: stats.events,
        transactions: stats.transactions,
        segments: stats.segments,
        bytes: stats.log_bytes,
        verdict: Verdict::Clean,
    })
}
