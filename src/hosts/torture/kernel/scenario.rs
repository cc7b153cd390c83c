//! A short life of a store, the same each time: made, appended to over a rotation, closed, opened again, appended to, closed.

use super::workload;
use super::{Failure, Mode};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// The smallest segment: six transactions of this content then take more than one.
const SEGMENT_BYTES: u64 = 16 << 10;
/// Content of which six transactions are between one and three segments long.
const SEED: u64 = 11;
/// How long it may take; on an idle machine it takes some milliseconds.
const LIMIT: Duration = Duration::from_secs(10);

/// A short life of a store, for `syscall-faults`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store's folder, not there yet.
    directory: PathBuf,
    /// Where to log what was submitted and acknowledged.
    #[arg(long, value_name = "FILE")]
    acks: PathBuf,
    #[arg(long, value_enum, default_value_t = Mode::Sync)]
    durability: Mode,
}

pub(crate) fn run(args: &Args) -> ExitCode {
    workload::end_within(LIMIT);
    workload::end(live(args))
}

fn live(args: &Args) -> Result<(u8, String), Failure> {
    for appends in [6, 2] {
        let (directory, acks) = (args.directory.clone(), args.acks.clone());
        let part = workload::Args::alone(directory, acks, args.durability, SEED, SEGMENT_BYTES, appends);
        let ended = workload::work(&part)?;
        if ended.0 != 0 {
            return Ok(ended);
        }
    }
    Ok((0, String::new()))
}
