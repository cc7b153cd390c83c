//! Proofs by brute force: each piece runs the engine through failures in great number, and counts what it saw.
//!
//! `scripts/torture` runs them through the program `stratalog-torture`, and tests run a share of each.

pub mod damage;
pub mod linearizability;
pub mod simulation;

pub use crate::disk::{Shutdown, shut_down, write_back};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

/// What a piece did, for the report.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// The piece's name.
    pub piece: Cow<'static, str>,
    /// What its random choices came from: the same seed makes the same choices.
    pub seed: Option<u64>,
    /// What was counted, by a name that the report shows.
    pub counts: BTreeMap<String, u64>,
    /// How long it took.
    pub took: Duration,
    /// Promises that were broken, each with what is needed to see it again. None is the aim.
    pub violations: Vec<String>,
    /// Why nothing was run, where nothing could be.
    pub skipped: Option<String>,
}

impl Outcome {
    /// Nothing counted yet.
    pub fn new(piece: impl Into<Cow<'static, str>>) -> Self {
        Self { piece: piece.into(), ..Self::default() }
    }

    /// Counts `by` more of `what`.
    pub fn count(&mut self, what: impl Into<String>, by: u64) {
        *self.counts.entry(what.into()).or_default() += by;
    }

    /// Adds what another run of the same piece counted.
    pub fn add(&mut self, other: Self) {
        for (what, by) in other.counts {
            self.count(what, by);
        }
        self.violations.extend(other.violations);
    }
}
