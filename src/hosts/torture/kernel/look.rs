//! A process that opens a store, and reads all of it only when it is told to: meanwhile its disk may go.

use super::workload::{end, end_within, exit, say, wait_for_line};
use super::{Failure, Mode};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use stratalog::{EventStore, OpenMode, ReadError, Revision};

/// How long it may take.
const LIMIT: Duration = Duration::from_secs(15);

/// Opens a store for reading, says `ready`, and reads in every way once it is told to.
#[derive(Debug, clap::Args)]
#[command(hide = true)]
pub(crate) struct Args {
    /// The store.
    directory: PathBuf,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    end_within(LIMIT);
    end(look(args))
}

fn look(args: &Args) -> Result<(u8, String), Failure> {
    let options = super::options(Mode::Os, super::SEGMENT_BYTES).mode(OpenMode::ReadOnly);
    let store = match EventStore::open_with(&args.directory, options) {
        Ok(store) => store,
        Err(error) => return Ok((exit::NOT_OPENED, format!("not opened: {error}"))),
    };
    say("ready")?;
    wait_for_line()?;
    let mut refused = None;
    for way in [scan, streams, transactions] {
        match way(&store) {
            Ok(()) => {}
            Err(ReadError::Io(failure)) => refused = Some(failure.to_string()),
            Err(error) => return Ok((exit::VIOLATION, format!("no failure of the disk: {error}"))),
        }
    }
    Ok(refused.map_or((0, String::new()), |why| (exit::REFUSED, why)))
}

fn scan(store: &EventStore) -> Result<(), ReadError> {
    store.log().scan().visit(|_| {})
}

fn streams(store: &EventStore) -> Result<(), ReadError> {
    for category in store.categories()? {
        for stream in store.category(category.as_str()).streams()? {
            store.stream(category.as_str(), stream.as_str()).scan().reverse().visit(|_| {})?;
        }
    }
    Ok(())
}

fn transactions(store: &EventStore) -> Result<(), ReadError> {
    for transaction in store.transactions(Revision::new(0))? {
        if let Some(id) = transaction?.id() {
            store.transaction(id)?;
        }
    }
    Ok(())
}
