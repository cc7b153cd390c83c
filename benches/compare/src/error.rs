//! What can go wrong in a comparison.

use crate::data::Tally;
use std::path::{Path, PathBuf};

/// What can go wrong in a comparison.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The stream is not as the append expects it: the refusal that an expected version is for.
    #[error("the stream is not at the expected version")]
    Conflict,
    /// The engine cannot do this in a way that could be held against the others.
    #[error("not comparable: {0}")]
    NotComparable(&'static str),
    /// An engine failed.
    #[error("{engine}: {source}")]
    Engine {
        /// Which one.
        engine: &'static str,
        /// What it says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An engine broke a rule of the comparison.
    #[error("{0}")]
    Broken(String),
    /// A read gave other events than were written.
    #[error("{what}: read {found:?}, written were {expected:?}")]
    Mismatch {
        /// What was read.
        what: String,
        /// What it gave.
        found: Tally,
        /// What it should have given.
        expected: Tally,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A record is not what it must be.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// A plot could not be drawn.
    #[error("a plot could not be drawn: {0}")]
    Plot(String),
}

/// What is done, or why not.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the system about this path.
    pub fn io(path: &Path) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

/// Names the engine in the errors of its library.
pub trait Of<T> {
    /// The same result, its error as this engine's.
    ///
    /// # Errors
    /// The same as before.
    fn of(self, engine: &'static str) -> Result<T>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> Of<T> for std::result::Result<T, E> {
    fn of(self, engine: &'static str) -> Result<T> {
        self.map_err(|source| Error::Engine { engine, source: source.into() })
    }
}
