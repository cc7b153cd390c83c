//! Work that needs a process of its own within a measurement: one that is killed, or one that holds nothing but the store.

use super::{killed, memory};
use crate::data::{Data, Tally};
use crate::engines::Kind;
use crate::error::{Error, Result};
use crate::measure::{read_json, write_json};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// The sizes of data, from which the child makes the same again.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Shape {
    events: usize,
    streams: usize,
    categories: usize,
    payload: usize,
}

impl Shape {
    /// That of this data.
    pub fn of(data: &Data) -> Self {
        Self {
            events: data.order.len(),
            streams: data.streams.len(),
            categories: data.categories.len(),
            payload: data.payload_bytes(),
        }
    }

    /// The same data again.
    pub fn data(self) -> Data {
        Data::new(self.events, self.streams, self.categories, self.payload)
    }
}

/// What a child is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    /// The engine's name.
    engine: String,
    /// The store's directory.
    directory: PathBuf,
    /// Where the child leaves what it has to say.
    answer: PathBuf,
    work: Work,
}

/// The kinds of work.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Work {
    /// Appends until the active segment is so full, says how many events that were, and dies.
    Die {
        /// The data of the store.
        shape: Shape,
        /// How full, in percent.
        percent: u32,
    },
    /// Opens the store, reads, and says how much memory that took.
    Read(Vec<Reading>),
}

/// Something to read, and what it must give.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reading {
    /// The category; the whole log where there is none.
    pub category: Option<String>,
    /// The stream; all of the category where there is none.
    pub stream: Option<String>,
    /// What it must give.
    pub expected: Tally,
}

/// Lets a child do it, and returns how it ended, and its answer.
pub fn send<A: serde::de::DeserializeOwned>(kind: Kind, directory: &Path, work: Work) -> Result<(ExitStatus, A)> {
    let (task, answer) = (directory.with_extension("task"), directory.with_extension("answer"));
    let _absent = std::fs::remove_file(&answer);
    let told = Task { engine: kind.name().to_owned(), directory: directory.to_owned(), answer: answer.clone(), work };
    write_json(&task, &told)?;
    let program = std::env::current_exe().map_err(Error::io(Path::new("this program")))?;
    let child = Command::new(&program).arg("child").arg(&task).stdin(Stdio::null()).stdout(Stdio::null()).status();
    let status = child.map_err(Error::io(&program))?;
    if !answer.exists() {
        return Err(Error::Broken(format!("a child of {} said nothing: {status}", kind.name())));
    }
    let said = read_json(&answer)?;
    for path in [&task, &answer] {
        std::fs::remove_file(path).map_err(Error::io(path))?;
    }
    Ok((status, said))
}

/// Does it, in the child.
///
/// # Errors
/// When the engine fails, or gives other events than were written.
pub fn work(task: &Path) -> Result<()> {
    let Task { engine, directory, answer, work } = read_json(task)?;
    let kind = Kind::named(&engine).ok_or_else(|| Error::Broken(format!("there is no engine {engine}")))?;
    match work {
        Work::Die { shape, percent } => killed::die(kind, &shape.data(), percent, &directory, &answer),
        Work::Read(readings) => memory::read(kind, &readings, &directory, &answer),
    }
}
