//! What an engine must do to be compared: one trait, and the words it uses.

use crate::data::{Data, Stream, Tally};
use crate::error::{Error, Result};
use std::path::Path;
use std::sync::Arc;

/// What an acknowledged append is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It survives the process: it is in the operating system's page cache.
    Os,
    /// It survives a power cut: it is on disk.
    Sync,
}

/// How a store is opened.
pub struct Setting<'a> {
    /// Its directory, which exists.
    pub directory: &'a Path,
    /// What an acknowledged append is worth.
    pub durability: Durability,
    /// How many threads will append at once, for engines that can make use of knowing it.
    pub threads: usize,
    /// The streams that there will be, for engines that can hold on to what they know of one.
    pub data: &'a Data,
}

/// How far a stream is, as an append expects it to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Version {
    /// How many events it holds.
    pub events: u64,
    /// Where its last event stands in the log; 0 where it has none. Stores whose conditions are about the log need it.
    pub last: u64,
}

/// One event to append.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    /// Its name.
    pub name: &'a Arc<str>,
    /// Its payload.
    pub payload: &'a [u8],
}

/// Events of one stream, to be appended all or none.
#[derive(Clone, Copy)]
pub struct Append<'a> {
    /// The stream.
    pub stream: &'a Stream,
    /// How far the stream must be; `None` where that is not asked. Only filling a store, which is not timed, does not ask.
    pub expected: Option<Version>,
    /// The events.
    pub events: &'a [Event<'a>],
}

/// One event for one stream, as an append that is deferred has it.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// The number of the stream.
    pub stream: usize,
    /// How many events the stream holds by then.
    pub expected: u64,
    /// The number of the event.
    pub event: u64,
}

/// An engine that was opened. It keeps a log in order, the version of each stream, and an index over streams and over categories;
/// an append changes them in one atomic step.
pub trait Engine: Send + Sync {
    /// Appends in one atomic step, and returns when it is as durable as the store was opened for, with the stream's new version.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the stream is at another version.
    fn append(&self, append: &Append<'_>) -> Result<Version>;

    /// Appends many, each its own step that is refused alone, made durable together.
    ///
    /// # Errors
    /// One for each that failed; one for all when the engine fails.
    fn append_many(&self, appends: &[Append<'_>]) -> Result<Vec<Result<Version>>> {
        Ok(appends.iter().map(|append| self.append(append)).collect())
    }

    /// Reads one stream, in order.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_stream(&self, stream: &Stream) -> Result<Tally>;

    /// Reads one category, in log order.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_category(&self, category: &Arc<str>) -> Result<Tally>;

    /// Reads everything, in order.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read_log(&self) -> Result<Tally>;

    /// Whether appends of several threads share syncs by the engine's own doing. Those of the others are gathered for them, as a
    /// competent user would.
    fn shares_syncs(&self) -> bool {
        false
    }

    /// Appends one event after the other without waiting for the disk, and returns when all of them are on disk. Those that the
    /// engine has no room for wait until it has.
    ///
    /// # Errors
    /// [`Error::NotComparable`] where an append cannot be deferred; that of any append.
    fn append_deferred(&self, _data: &Data, _calls: &mut dyn Iterator<Item = Call>) -> Result<()> {
        Err(Error::NotComparable("it cannot defer an append"))
    }

    /// Look-ups in sealed segments for each name that was new, since the store was opened; `None` where it does not count them.
    fn lookups_a_miss(&self) -> Option<f64> {
        None
    }

    /// Makes everything durable and ends the store.
    ///
    /// # Errors
    /// When it could not be made durable.
    fn close(self: Box<Self>) -> Result<()>;
}
