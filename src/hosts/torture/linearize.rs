//! `linearize`: threads on one store, with crashes, and whether an order explains all that they were told.

use clap::Args;
use stratalog::testing::torture::{Outcome, linearizability};

#[derive(Debug, Args)]
pub(crate) struct Linearize {
    /// Operations to do and judge, at least.
    #[arg(long, default_value_t = 100_000)]
    operations: u64,
    /// Where all random choices come from. History N takes its own from SEED + N.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Histories at a time, of eight threads each.
    #[arg(long, default_value_t = 2)]
    histories: usize,
}

impl Linearize {
    pub(crate) fn run(&self) -> Outcome {
        linearizability::linearize(self.seed, self.operations, self.histories)
    }
}
