//! Damage: every byte of small stores changed, files cut, swapped, removed and misplaced.
//!
//! Each time the data must be the same, or there must be an error that says where; else it is one of the residues that FORMAT.md
//! states, each held against a predicate of its own. A new kind of damage is a `Case` in `damage/cases.rs`.

mod cases;
mod check;
mod difference;
mod image;
mod salvageable;

use super::Outcome;
use cases::Case;
use image::Image;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// Violations that are shown; more would say no more.
const SHOWN: usize = 100;
/// How far the process may grow while damaged files of some 16 KiB are read: no length in them may be believed unproven.
const GROWTH: u64 = 1 << 30;

/// How much is tried.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    /// One in so many of the listed cases; the seed says which.
    pub one_in: u64,
    /// Pairs of damages drawn for each image.
    pub pairs: u64,
    /// One in so many is also opened for writing, and salvaged. All that is done to whole files is.
    pub thorough_one_in: u64,
}

impl Share {
    /// Every case.
    pub const FULL: Share = Share { one_in: 1, pairs: 100_000, thorough_one_in: 19 };
    /// A share that takes seconds.
    pub const SMALL: Share = Share { one_in: 50, pairs: 2_000, thorough_one_in: 7 };
    /// What fits a test of a program that is not optimised.
    pub const TEST: Share = Share { one_in: 3_001, pairs: 20, thorough_one_in: 7 };
}

/// Damages stores that were closed, and that ended unclean with and without a watermark behind the last append. On all
/// processors.
#[must_use]
pub fn run(share: Share, seed: u64) -> Outcome {
    let begun = Instant::now();
    let mut outcome = Outcome::new("damage");
    outcome.seed = Some(seed);
    let grown = address_space();
    match image::images() {
        Ok(images) => {
            for image in &images {
                outcome.add(sweep(image, share, seed));
            }
        }
        Err(why) => outcome.violations.push(why),
    }
    if let (Some(before), Some(after)) = (grown, address_space()) {
        let growth = after.saturating_sub(before);
        outcome.count("MiB of address space that the process grew by", growth >> 20);
        if growth > GROWTH {
            outcome.violations.push(format!("the process grew by {growth} bytes"));
        }
    }
    let hidden = outcome.violations.len().saturating_sub(SHOWN);
    outcome.violations.truncate(SHOWN);
    if hidden > 0 {
        outcome.violations.push(format!("and {hidden} more"));
    }
    outcome.took = begun.elapsed();
    outcome
}

/// The most address space that the process had so far, where the system tells.
fn address_space() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
}

fn sweep(image: &Image, share: Share, seed: u64) -> Outcome {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let others = cases::others(image);
    let mut random = fastrand::Rng::with_seed(seed);
    let pairs: Vec<Case> = (0..share.pairs).map(|_| cases::pair(&others, &mut random)).collect();
    let (others, pairs) = (&others, &pairs);
    let mut outcome = Outcome::new("damage");
    let listed = (cases::bytes(image).count() + others.len()) as u64;
    let tried = (0..listed).filter(|at| at % share.one_in == seed % share.one_in).count() as u64;
    outcome.count("left out", listed - tried);
    std::thread::scope(|scope| {
        let part = |thread| {
            let listed = cases::bytes(image).chain(others.iter().cloned());
            let wanted = (0_u64..).zip(listed).filter(move |(at, _)| at % share.one_in == seed % share.one_in);
            let all = wanted.chain((0..).zip(pairs.iter().cloned()));
            all.skip(thread).step_by(threads)
        };
        let run = |thread| move || try_all(image, part(thread), share.thorough_one_in);
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(run(thread))).collect();
        for thread in running {
            match thread.join() {
                Ok(found) => outcome.add(found),
                Err(_) => outcome.violations.push(format!("{}: a thread of the sweep panicked", image.name)),
            }
        }
    });
    outcome
}

fn try_all(image: &Image, cases: impl Iterator<Item = (u64, Case)>, thorough_one_in: u64) -> Outcome {
    let mut outcome = Outcome::new("damage");
    for (done, (_, case)) in (0_u64..).zip(cases) {
        let thorough = done % thorough_one_in == 0 || case.is_of_whole_files();
        let checked = catch_unwind(AssertUnwindSafe(|| check::check(image, &case, thorough, &mut outcome)));
        outcome.count("damaged stores", 1);
        outcome.count(format!("case: {}", case.kind()), 1);
        outcome.count(format!("store: {}", image.name), 1);
        let broken = checked.unwrap_or_else(|_| Err("a panic".into()));
        if let Err(what) = broken {
            outcome.violations.push(format!("{}, {case:?}: {what}", image.name));
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_the_same_in_every_run() {
        let (first, second) = (image::images().unwrap(), image::images().unwrap());
        for (first, second) in first.iter().zip(&second) {
            assert!(first.files == second.files, "{}", first.name);
            assert_eq!(first.transactions.len(), 61);
        }
    }

    /// Rare ones, where the log just ends earlier, or all of it is gone.
    #[test]
    fn where_nothing_is_left_to_be_seen_nothing_is_claimed() {
        let zeroed = |at, length| Case::Over { segment: 3, at, bytes: cases::Bytes::Zeros, length };
        let pair = |first, second| Case::Pair(Box::new(first), Box::new(second));
        for case in [
            Case::Remove { segments: 7 },
            zeroed(8_888, 496),
            zeroed(2_688, 16 << 10),
            pair(zeroed(1_088, 16 << 10), Case::Line { unit: 512, from: (1, 14), to: (3, 4) }),
            pair(Case::Byte { segment: 1, at: 4_012, to: 89 }, zeroed(3_008, 16 << 10)),
        ] {
            for image in image::images().unwrap() {
                let checked = check::check(&image, &case, true, &mut Outcome::default());
                assert_eq!(checked, Ok(()), "{}, {case:?}", image.name);
            }
        }
    }

    #[test]
    fn files_under_wrong_names_are_salvaged_as_what_their_headers_say() {
        let pair = |first, second| Case::Pair(Box::new(first), Box::new(second));
        for case in [
            pair(Case::Swap(1, 3), Case::Byte { segment: 2, at: 14_433, to: 2 }),
            pair(Case::Move { from: 3, to: 9 }, Case::Byte { segment: 1, at: 30, to: 7 }),
            pair(Case::Copy { from: 2, to: 3 }, Case::Foreign { segments: 1 }),
            Case::Foreign { segments: 6 },
        ] {
            for image in image::images().unwrap() {
                let mut outcome = Outcome::default();
                assert_eq!(check::check(&image, &case, true, &mut outcome), Ok(()), "{}, {case:?}", image.name);
                let salvaged = |name: &&String| name.starts_with("salvaged");
                assert_eq!(outcome.counts.keys().filter(salvaged).count(), 1, "{case:?}: {:#?}", outcome.counts);
            }
        }
    }

    #[test]
    fn a_share_of_the_sweep_breaks_no_promise() {
        let seed = fastrand::u64(..);
        let outcome = run(Share::TEST, seed);
        assert!(outcome.violations.is_empty(), "seed {seed}: {:#?}", outcome.violations);
        for reached in ["outcome: the same data", "outcome: refused as corrupt", "verified: torn", "verified: corrupt"]
        {
            assert!(outcome.counts.get(reached).is_some_and(|count| *count > 0), "{reached}: {:#?}", outcome.counts);
        }
    }
}
