//! The engine on a simulated disk: random lives and crashes, judged by an oracle that stands outside.

mod deeds;
mod exhaustive;
mod matrix;
mod model;
mod rot;
mod script;
mod world;

pub use exhaustive::exhaust;
pub use matrix::{ALL_ERRORS, faults};

use super::Outcome;
pub(crate) use script::play;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use world::World;

/// Lives of one simulated store, and what each crash may leave that is looked at.
const LIVES: usize = 6;
const IMAGES: usize = 16;
/// Violations after which nobody needs more of them.
const ENOUGH: usize = 20;

/// Runs simulations until so many crash states were judged. Run `n` takes all its choices from `seed + n`.
#[must_use]
pub fn simulate(seed: u64, states: u64, threads: usize) -> Outcome {
    let begun = Instant::now();
    let (next, judged) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        let mut sum = Outcome::new("simulate");
        while judged.load(Ordering::Relaxed) < states && sum.violations.len() < ENOUGH {
            let outcome = run(seed.wrapping_add(next.fetch_add(1, Ordering::Relaxed)));
            judged.fetch_add(outcome.counts.get("crash states").copied().unwrap_or(0), Ordering::Relaxed);
            sum.add(outcome);
        }
        sum
    };
    let mut sum = Outcome { seed: Some(seed), ..Outcome::new("simulate") };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            match thread.join() {
                Ok(outcome) => sum.add(outcome),
                Err(_) => sum.violations.push("a thread of the simulation panicked".into()),
            }
        }
    });
    sum.took = begun.elapsed();
    sum
}

/// One simulated store, from its making on.
fn run(seed: u64) -> Outcome {
    let mut world = World::new(seed);
    let done = catch_unwind(AssertUnwindSafe(|| world.run(LIVES, IMAGES)));
    let wrong = match done {
        Ok(Ok(())) => None,
        Ok(Err(wrong)) => Some(wrong),
        Err(_) => Some("it panicked".to_owned()),
    };
    let World { setting, mut outcome, .. } = world;
    outcome.count("simulated stores", 1);
    outcome.violations.extend(wrong.map(|wrong| format!("seed {seed} ({setting:?}): {wrong}")));
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_promised_is_lost_whatever_a_crash_leaves() {
        let outcome = simulate(1, 4_000, 2);
        assert_eq!(outcome.violations, [""; 0]);
        assert!(outcome.counts["crash states"] >= 4_000);
        for case in ["A", "B", "C", "D", "E", "G"] {
            assert!(
                outcome.counts.contains_key(&format!("recovery table, case {case}")),
                "{case}: {:?}",
                outcome.counts
            );
        }
    }

    #[test]
    fn every_small_case_ends_well() {
        let outcome = exhaust(4);
        assert_eq!(outcome.violations, [""; 0]);
        assert!(outcome.counts["states"] > 1_000, "{:?}", outcome.counts);
    }

    #[test]
    fn every_fault_is_survived_and_reported_for_what_it_is() {
        let outcome = faults(1);
        assert_eq!(outcome.violations, [""; 0]);
        assert!(outcome.counts["runs that poisoned the store"] > 100, "{:?}", outcome.counts);
    }

    #[test]
    fn a_flood_of_what_looks_like_frames_is_refused() {
        assert_eq!(World::new(5).flood(), Ok(()));
    }

    #[test]
    fn the_same_seed_runs_the_same_simulation() {
        let (first, second) = (run(77), run(77));
        assert_eq!(first.counts, second.counts);
        assert_eq!(first.violations, second.violations);
    }
}
