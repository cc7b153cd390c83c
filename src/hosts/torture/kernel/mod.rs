//! Real kernels: a workload in a process of its own that is killed, cut off or starved, and an oracle that judges what is left.

pub(crate) mod acks;
pub(crate) mod check;
pub(crate) mod child;
pub(crate) mod content;
pub(crate) mod full_disks;
pub(crate) mod kills;
pub(crate) mod look;
pub(crate) mod mounts;
pub(crate) mod power_cuts;
pub(crate) mod scenario;
pub(crate) mod syscall_faults;
pub(crate) mod thin_device;
pub(crate) mod workload;

use std::path::PathBuf;
use std::time::Duration;
use stratalog::testing::torture::Outcome;
use stratalog::{Durability, Options};

/// What goes wrong with the harness itself, and not with the store.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Small, so that the log rotates all the time.
pub(crate) const SEGMENT_BYTES: u64 = 64 << 10;
/// How long `interval` waits: short, so that a cycle of some milliseconds holds a few syncs.
const INTERVAL: Duration = Duration::from_millis(2);

/// How long an append may take: short, so that a workload that hangs is told from one that waits.
const DEADLINE: Duration = Duration::from_secs(4);

/// The durabilities that a store on disk can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Mode {
    Sync,
    Os,
    Interval,
}

impl Mode {
    pub(crate) const ALL: [Mode; 3] = [Mode::Sync, Mode::Os, Mode::Interval];

    pub(crate) fn code(self) -> u32 {
        match self {
            Mode::Sync => 0,
            Mode::Os => 1,
            Mode::Interval => 2,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Sync => "sync",
            Mode::Os => "os",
            Mode::Interval => "interval",
        }
    }

    fn durability(self) -> Durability {
        match self {
            Mode::Sync => Durability::Sync,
            Mode::Os => Durability::Os,
            Mode::Interval => Durability::Interval(INTERVAL),
        }
    }
}

/// How the workload and its judges open the store.
pub(crate) fn options(mode: Mode, segment_bytes: u64) -> Options {
    let options = Options::new().durability(mode.durability()).segment_bytes(segment_bytes, segment_bytes);
    options.append_deadline(DEADLINE)
}

/// What every piece takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Common {
    /// Where the random choices come from; random itself unless told.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// The folder for temporary files; the system's unless told.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) dir: Option<PathBuf>,
}

impl Common {
    pub(crate) fn seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| fastrand::u64(..))
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(std::env::temp_dir)
    }
}

/// Runs a piece. What fails in the harness itself counts as a violation: a piece that did not run must not look as if it had.
pub(crate) fn piece(
    name: &'static str,
    seed: Option<u64>,
    body: impl FnOnce(&mut Outcome) -> Result<(), Failure>,
) -> Outcome {
    let begun = std::time::Instant::now();
    let mut outcome = Outcome::new(name);
    outcome.seed = seed;
    if let Err(failure) = body(&mut outcome) {
        outcome.violations.push(format!("the harness failed: {failure}"));
    }
    outcome.took = begun.elapsed();
    outcome
}
