//! The options of the command line.

use crate::subject::Subject;
use crate::workloads::{Scale, Workload};
use clap::{Args, Parser, Subcommand};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Measures Stratalog beside the engines that users would pick instead, and the machine's own limits.
#[derive(Debug, Parser)]
#[command(name = "stratalog-compare", version)]
pub struct Options {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measures all, and leaves records
    Run(Run),
    /// Writes a report from the records of a run
    Report(Report),
    /// Lists the engines and the workloads
    List,
    /// Measures one engine under one workload; what `run` starts for each
    #[command(hide = true)]
    One(One),
    /// Does what a measurement needs a process of its own for
    #[command(hide = true)]
    Child {
        /// A file that says what
        task: PathBuf,
    },
}

/// How much data there is.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Sizes {
    /// Events of the filled store, and at most so many to append
    #[arg(long, default_value_t = 1_000_000)]
    pub events: usize,
    /// Streams
    #[arg(long, default_value_t = 10_000)]
    pub streams: usize,
    /// Categories that the streams are spread over
    #[arg(long, default_value_t = 10)]
    pub categories: usize,
    /// Bytes of each payload
    #[arg(long, default_value_t = 256)]
    pub payload: usize,
    /// How long one measurement goes on
    #[arg(long, default_value_t = 2.0)]
    pub seconds: f64,
}

impl Sizes {
    /// Those of a workload of this scale.
    #[must_use]
    pub fn of(&self, scale: Scale, long: &Long) -> Self {
        let with = |events: usize, streams: usize| Self { events, streams: streams.max(1), ..self.clone() };
        match scale {
            Scale::Usual => self.clone(),
            Scale::Wide => with(self.events, self.events),
            Scale::Large => with(long.large_events, self.streams),
            Scale::LargeLong => with(long.large_events, long.large_events / 100),
            Scale::LargeShort => with(long.large_events, long.large_events / 5),
            Scale::Small => Self { payload: long.huge_payload, ..self.clone() },
            Scale::Huge => Self { payload: long.huge_payload, ..with(long.huge_events, long.huge_events / 100) },
        }
    }
}

/// How much data there is where it is more.
#[derive(Debug, Clone, Args, Serialize, Deserialize)]
pub struct Long {
    /// Events of a large store
    #[arg(long, default_value_t = 10_000_000)]
    pub large_events: usize,
    /// Events of a huge store, which `--huge` is about
    #[arg(long, default_value_t = 100_000_000)]
    pub huge_events: usize,
    /// Bytes of each payload there
    #[arg(long, default_value_t = 64)]
    pub huge_payload: usize,
}

/// A run.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// How much data there is.
    #[command(flatten)]
    pub sizes: Sizes,
    /// How much where it is more.
    #[command(flatten)]
    pub long: Long,
    /// Rounds; figures are medians over them
    #[arg(long, default_value_t = 5)]
    pub repeat: usize,
    /// Rounds of the pairs of Stratalog and the bare loop
    #[arg(long, default_value_t = 30)]
    pub pairs: usize,
    /// Leaves out what is about large stores
    #[arg(long)]
    pub no_large: bool,
    /// Measures huge stores, and nothing else
    #[arg(long)]
    pub huge: bool,
    /// This engine or limit alone; may be repeated
    #[arg(long, value_parser = subject)]
    pub only: Vec<Subject>,
    /// This workload alone; may be repeated
    #[arg(long, value_parser = workload)]
    pub only_workload: Vec<Workload>,
    /// Where the records go
    #[arg(long, default_value = "compare-results")]
    pub out: PathBuf,
    /// Where the stores are made, on the disk to be measured; a folder within OUT unless told
    #[arg(long)]
    pub at: Option<PathBuf>,
    /// Removes the records of an earlier run from OUT
    #[arg(long)]
    pub replace: bool,
    /// Runs everything on this processor alone, which steadies rows of one thread
    #[arg(long)]
    pub cpu: Option<usize>,
}

/// A report.
#[derive(Debug, Clone, Args)]
pub struct Report {
    /// Where the records are
    pub folder: PathBuf,
    /// Where the report goes; PERFORMANCE.md in FOLDER unless told
    #[arg(long)]
    pub to: Option<PathBuf>,
    /// Where the plots go; plots in FOLDER unless told
    #[arg(long)]
    pub plots: Option<PathBuf>,
    /// A file of Markdown that is put at the end
    #[arg(long)]
    pub notes: Option<PathBuf>,
    /// A folder with a file of Markdown for each bar that is missed: the profile that says why
    #[arg(long)]
    pub profiles: Option<PathBuf>,
}

/// One measurement.
#[derive(Debug, Clone, Args)]
pub struct One {
    /// How much data there is.
    #[command(flatten)]
    pub sizes: Sizes,
    /// The engine or limit
    #[arg(long, value_parser = subject)]
    pub engine: Subject,
    /// The workload; filling the store unless given
    #[arg(long, value_parser = workload)]
    pub workload: Option<Workload>,
    /// The store's directory
    #[arg(long)]
    pub directory: PathBuf,
    /// Where the outcome goes
    #[arg(long)]
    pub result: PathBuf,
    /// The round, for workloads that go on where the one before stopped
    #[arg(long, default_value_t = 1)]
    pub round: usize,
    /// The processor to run on
    #[arg(long)]
    pub cpu: Option<usize>,
}

fn subject(name: &str) -> Result<Subject, String> {
    let all = || Subject::all().map(Subject::name).collect::<Vec<_>>().join(", ");
    Subject::named(name).ok_or_else(|| format!("there are {}", all()))
}

fn workload(name: &str) -> Result<Workload, String> {
    let all = || Workload::ALL.map(Workload::name).join(", ");
    Workload::named(name).ok_or_else(|| format!("there are {}", all()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
        let all = ["x", "run", "--only", "sqlite", "--only", "limit", "--only-workload", "scan-log"];
        assert!(Options::try_parse_from(all).is_ok());
        assert!(Options::try_parse_from(["x", "run", "--only", "nobody"]).is_err());
    }
}
