//! The one place where the program meets stores on disk: opening, verifying and salvaging.

use crate::exit::Failure;
use std::path::Path;
pub(crate) use stratalog::{DroppedRange, Keep, SalvageReport as Salvaged, Verdict, VerifyReport as Verified, Why};
use stratalog::{Durability, EventStore, OpenMode, Options};

/// Opens a store that is there, for reading alone.
pub(crate) fn for_reading(path: &Path) -> Result<EventStore, Failure> {
    Ok(EventStore::open_with(path, Options::new().mode(OpenMode::ReadOnly))?)
}

/// Opens a store, or makes one.
pub(crate) fn for_writing(path: &Path, durability: Durability) -> Result<EventStore, Failure> {
    Ok(EventStore::open_with(path, Options::new().durability(durability))?)
}

/// Makes a store where there is none.
pub(crate) fn new(path: &Path, durability: Durability) -> Result<EventStore, Failure> {
    Ok(EventStore::open_with(path, Options::new().mode(OpenMode::CreateNew).durability(durability))?)
}

/// Makes everything durable and ends the store.
pub(crate) fn close(store: &EventStore) -> Result<(), Failure> {
    Ok(store.close()?)
}

/// Reads every byte of a store; `progress` hears of bytes done and bytes in all.
pub(crate) fn verify(path: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Verified, Failure> {
    Ok(stratalog::verify(path, &mut |at| progress(at.done_bytes, at.total_bytes))?)
}

/// Copies what a store proves into a new one; `progress` hears of bytes done and bytes in all.
pub(crate) fn salvage(
    from: &Path,
    to: &Path,
    keep: Keep,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Salvaged, Failure> {
    Ok(stratalog::salvage(from, to, keep, &mut |at| progress(at.done_bytes, at.total_bytes))?)
}
