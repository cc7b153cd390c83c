//! What a piece counted: shown to people, and recorded for the report.

use serde_json::json;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use stratalog::testing::torture::Outcome;

/// Shows and records an outcome. Fails when a promise was broken, or the record cannot be written.
pub(crate) fn settle(outcome: &Outcome, folder: Option<&Path>) -> ExitCode {
    let shown = show(outcome);
    let recorded = folder.map_or(Ok(()), |folder| record(outcome, folder));
    if let Err(failure) = shown.and(recorded) {
        // Nothing is left to tell it to when even this cannot be written; the exit code says it.
        let _ = writeln!(std::io::stderr(), "stratalog-torture: {failure}");
        return ExitCode::from(3);
    }
    if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(outcome: &Outcome) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let seed = outcome.seed.map_or(String::new(), |seed| format!(", seed {seed}"));
    writeln!(out, "{}: {:.1} s{seed}", outcome.piece, outcome.took.as_secs_f64())?;
    if let Some(reason) = &outcome.skipped {
        writeln!(out, "  skipped: {reason}")?;
    }
    for (what, count) in &outcome.counts {
        writeln!(out, "  {count:>14} {what}")?;
    }
    for violation in &outcome.violations {
        writeln!(out, "  VIOLATION: {violation}")?;
    }
    writeln!(out, "  {} violations", outcome.violations.len())
}

fn record(outcome: &Outcome, folder: &Path) -> std::io::Result<()> {
    let object = json!({
        "piece": outcome.piece,
        "seed": outcome.seed,
        "counts": outcome.counts,
        "seconds": outcome.took.as_secs_f64(),
        "violations": outcome.violations,
        "skipped": outcome.skipped,
    });
    std::fs::create_dir_all(folder)?;
    std::fs::write(folder.join(format!("{}.json", outcome.piece)), format!("{object:#}\n"))
}
