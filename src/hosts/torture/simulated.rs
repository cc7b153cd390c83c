//! Pieces that run on the simulated disk.

use clap::Args;
use stratalog::testing::torture::{Outcome, simulation};

/// `simulate`
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// Crash states to judge, at least.
    #[arg(long, default_value_t = 1_000_000)]
    states: u64,
    /// Where all random choices come from. Run N of a simulation takes its own from SEED + N.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// `faults`
#[derive(Debug, Args)]
pub(crate) struct Faults {}

impl Faults {
    pub(crate) fn run(&self) -> Outcome {
        simulation::faults(simulation::ALL_ERRORS)
    }
}

/// `exhaust`
#[derive(Debug, Args)]
pub(crate) struct Exhaust {
    /// From so many of the states that each moment may leave, recovery is cut short in its turn.
    #[arg(long, default_value_t = 1_024)]
    recovered: usize,
}

impl Exhaust {
    pub(crate) fn run(&self) -> Outcome {
        simulation::exhaust(self.recovered)
    }
}

impl Simulate {
    pub(crate) fn run(&self) -> Outcome {
        simulation::simulate(self.seed, self.states, self.threads)
    }
}
