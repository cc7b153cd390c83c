//! `damage`: every byte of small stores, and whatever else happens to files.

use clap::Args;
use stratalog::testing::torture::Outcome;
use stratalog::testing::torture::damage::{self, Share};

#[derive(Debug, Args)]
pub(crate) struct DamageArgs {
    /// Try every case; without it, a share of them.
    #[arg(long)]
    full: bool,
    /// Which share is tried, and what pairs of damages are drawn; without it, another one in each run.
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(arguments: &DamageArgs) -> Outcome {
    let share = if arguments.full { Share::FULL } else { Share::SMALL };
    damage::run(share, arguments.seed.unwrap_or_else(|| fastrand::u64(..)))
}
