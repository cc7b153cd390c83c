//! Histories of threads on one store, with crashes: is there an order of all operations that explains every answer?
//!
//! Threads append under conditions, repeat transactions and read, on an engine that runs on the simulated disk. Processes are
//! killed, lose their power and are closed while threads are in operations. Each window between two moments of rest is judged
//! twice: by a search that knows the model alone, and by holding all answers against the order that the log itself gives.

mod history;
mod life;
mod model;
mod order;
mod search;
#[cfg(test)]
mod tests;
mod threads;

use super::Outcome;
use life::Life;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Threads of one history.
const THREADS: usize = 8;
/// Violations after which nobody needs more of them.
const ENOUGH: usize = 20;

/// Runs histories until so many operations were done and judged, several histories at a time. History `n` takes all its choices
/// from `seed + n`; how its threads run is the system's choice.
#[must_use]
pub fn linearize(seed: u64, operations: u64, histories: usize) -> Outcome {
    let begun = Instant::now();
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let work = || {
        let mut sum = Outcome::new("linearize");
        loop {
            let left = operations.saturating_sub(done.load(Ordering::Relaxed));
            if left == 0 || sum.violations.len() >= ENOUGH {
                return sum;
            }
            let outcome = run(seed.wrapping_add(next.fetch_add(1, Ordering::Relaxed)), left);
            done.fetch_add(outcome.counts.get("operations").copied().unwrap_or(0), Ordering::Relaxed);
            sum.add(outcome);
        }
    };
    let mut sum = Outcome { seed: Some(seed), ..Outcome::new("linearize") };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..histories.max(1)).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            match thread.join() {
                Ok(outcome) => sum.add(outcome),
                Err(_) => sum.violations.push("a thread that runs histories panicked".into()),
            }
        }
    });
    sum.took = begun.elapsed();
    sum
}

/// One history, from the making of its store on.
fn run(seed: u64, operations: u64) -> Outcome {
    let mut life = Life::new(seed);
    let done = catch_unwind(AssertUnwindSafe(|| life.run(operations)));
    let wrong = match done {
        Ok(Ok(())) => None,
        Ok(Err(wrong)) => Some(wrong),
        Err(_) => Some("it panicked".to_owned()),
    };
    let Life { setting, mut outcome, .. } = life;
    outcome.count("histories", 1);
    outcome.violations.extend(wrong.map(|wrong| {
        format!("seed {seed} ({setting:?}; the same seed chooses the same, and its threads may run otherwise): {wrong}")
    }));
    outcome
}
