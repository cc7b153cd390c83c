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
        simulation::faults()
    }
}

/// `exhaust`
#[derive(Debug, Args)]
pub(crate) struct Exhaust {}

impl Exhaust {
    pub(crate) fn run(&self) -> Outcome {
        simulation::exhaust()
    }
}

impl Simulate {
    pub(crate) fn run(&self) -> Outcome {
        simulation::simulate(self.seed, self.states, self.threads)
    }
}
