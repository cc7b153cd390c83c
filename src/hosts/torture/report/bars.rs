//! What the proof must reach, held against what was counted.

use super::tables::{cell, number, once};
use crate::record::Record;

/// Counts of what a piece that should go through all there is did not.
const NOT_ALL: &[&str] = &["left out", "missed", "without a catcher in this build", "skipped on this machine"];

/// How much is enough.
enum Goal {
    AtLeast(u64),
    /// All there is: some of it was counted, and nothing `left out`, missed or skipped.
    Complete,
    /// Each of the pieces was run, and none found anything.
    Each,
}

struct Bar {
    what: &'static str,
    goal: Goal,
    /// Which pieces count.
    pieces: &'static [&'static str],
    /// Which of their counts add up.
    counts: &'static [&'static str],
}

/// The targets whose input is what is read from disk, or from people.
pub(super) const DECODERS: &[&str] = &[
    "fuzz-frame",
    "fuzz-names",
    "fuzz-segment",
    "fuzz-header",
    "fuzz-lines",
    "fuzz-json",
    "fuzz-store",
    "fuzz-directory",
    "fuzz-index",
];

const BARS: &[Bar] = &[
    bar("Simulated crash states", Goal::AtLeast(10_000_000), &["simulate"], &["crash states"]),
    bar("Recovery table, case A", Goal::AtLeast(1_000), &["simulate"], &["recovery table, case A"]),
    bar("Recovery table, case B", Goal::AtLeast(1_000), &["simulate"], &["recovery table, case B"]),
    bar("Recovery table, case C", Goal::AtLeast(1_000), &["simulate"], &["recovery table, case C"]),
    bar("Recovery table, case D", Goal::AtLeast(1_000), &["simulate"], &["recovery table, case D"]),
    bar("Recovery table, case E", Goal::AtLeast(1_000), &["simulate"], &["recovery table, case E"]),
    bar("Recovery table, case F", Goal::AtLeast(1_000), &["simulate"], &["recovery table, case F"]),
    bar("Recovery table, case G", Goal::AtLeast(1_000), &["simulate"], &["recovery table, case G"]),
    bar("Exhaustive small cases", Goal::Complete, &["exhaust"], &["states"]),
    bar("Fault matrix on the simulated disk", Goal::Complete, &["faults"], &["cells"]),
    bar("Fault matrix on the real program", Goal::Complete, &["syscall-faults"], &["cells"]),
    bar("Damage: every byte, flipped and set", Goal::Complete, &["damage"], &["damaged stores"]),
    bar("Fuzz executions over the decoders", Goal::AtLeast(100_000_000), DECODERS, &["executions"]),
    bar("Every decoder fuzzed", Goal::Each, DECODERS, &["executions"]),
    bar("Fuzz executions of the stateful target", Goal::AtLeast(1_000_000), &["fuzz-ops"], &["executions"]),
    bar("Power cuts on real file systems", Goal::AtLeast(500), &["power-cuts-ext4", "power-cuts-xfs"], &["cuts"]),
    bar("Both of them cut", Goal::Each, &["power-cuts-ext4", "power-cuts-xfs"], &["cuts"]),
    bar("Write-back that fails", Goal::Each, &["thin-device"], &["devices"]),
    bar("Full disks", Goal::Each, &["full-disks"], &["levels"]),
    bar("SIGKILLs", Goal::AtLeast(5_000), &["kills"], &["kills"]),
    bar("Loom models", Goal::AtLeast(7), &["loom"], &["models"]),
    bar("Broken twins of those, which failed", Goal::AtLeast(7), &["loom"], &["twins caught"]),
    bar("Larger models in random orders", Goal::Each, &["shuttle"], &["models"]),
    bar("Sanitizers", Goal::Each, &["sanitize-address", "sanitize-thread"], &["tests"]),
    bar("Linearizability operations", Goal::AtLeast(1_000_000), &["linearize"], &["operations"]),
    bar("Planted bugs caught", Goal::AtLeast(15), &["planted"], &["caught"]),
    bar("All that are planted", Goal::Complete, &["planted"], &["caught"]),
];

const fn bar(what: &'static str, goal: Goal, pieces: &'static [&'static str], counts: &'static [&'static str]) -> Bar {
    Bar { what, goal, pieces, counts }
}

impl Bar {
    fn covers(&self, record: &Record) -> bool {
        self.pieces.contains(&record.piece.as_str())
    }

    fn row(&self, records: &[&Record]) -> String {
        let mine: Vec<&Record> = records.iter().copied().filter(|record| self.covers(record)).collect();
        let counted = once(&mine);
        let count =
            |record: &Record, names: &[&str]| -> u64 { names.iter().filter_map(|name| record.counts.get(*name)).sum() };
        let sum = |names: &[&str]| -> u64 { counted.iter().map(|record| count(record, names)).sum() };
        let was_run =
            |piece: &&str| counted.iter().any(|record| record.piece == *piece && count(record, self.counts) > 0);
        let reached = sum(self.counts);
        let violations: usize = mine.iter().map(|record| record.violations.len()).sum();
        let enough = match self.goal {
            Goal::AtLeast(least) => reached >= least,
            Goal::Complete => reached > 0 && sum(NOT_ALL) == 0,
            Goal::Each => self.pieces.iter().all(was_run),
        };
        let least = match self.goal {
            Goal::AtLeast(least) => number(least),
            Goal::Complete => "all".to_owned(),
            Goal::Each => "each".to_owned(),
        };
        let verdict = match violations {
            1 => "**1 violation**".to_owned(),
            2.. => format!("**{} violations**", number(violations as u64)),
            0 if enough => "reached".to_owned(),
            0 if reached > 0 => "**not reached**".to_owned(),
            0 => not_run(&mine),
        };
        let pieces = self.pieces.join("`, `");
        format!("| {} | `{pieces}` | {least} | {} | {verdict} |\n", self.what, number(reached))
    }
}

/// Why there is nothing to count.
fn not_run(records: &[&Record]) -> String {
    let reason = records.iter().find_map(|record| record.skipped.as_deref());
    match (reason, records.is_empty()) {
        (Some(reason), _) => format!("not run: {}", cell(reason)),
        (None, true) => "not run".to_owned(),
        (None, false) => "**run, and nothing counted**".to_owned(),
    }
}

/// The table of all bars.
pub(super) fn table(records: &[&Record]) -> String {
    let head = "| What | Piece | At least | Reached | |\n|---|---|---:|---:|---|\n".to_owned();
    head + &BARS.iter().map(|bar| bar.row(records)).collect::<String>()
}
