//! What a piece counted: shown to people, and recorded for the report.

use crate::provenance::Provenance;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use stratalog::testing::torture::Outcome;

/// What one run of a piece counted, and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) piece: String,
    pub(crate) seed: Option<u64>,
    pub(crate) counts: BTreeMap<String, u64>,
    pub(crate) seconds: f64,
    pub(crate) violations: Vec<String>,
    /// Why nothing was run, where nothing could be.
    pub(crate) skipped: Option<String>,
    #[serde(flatten)]
    pub(crate) provenance: Provenance,
}

impl Record {
    fn of(outcome: &Outcome) -> Self {
        Self {
            piece: outcome.piece.to_string(),
            seed: outcome.seed,
            counts: outcome.counts.clone(),
            // To the tenth: no more is known, and records are read by people too.
            seconds: (outcome.took.as_secs_f64() * 10.0).round() / 10.0,
            violations: outcome.violations.clone(),
            skipped: outcome.skipped.clone(),
            provenance: Provenance::now(),
        }
    }

    /// All records in a folder, in order of piece and date.
    ///
    /// # Errors
    /// Where a file cannot be read, or is no record.
    pub(crate) fn all(folder: &Path) -> io::Result<Vec<Self>> {
        let mut records: Vec<Self> = Vec::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                let no_record = |error| io::Error::new(ErrorKind::InvalidData, format!("{}: {error}", path.display()));
                records.push(serde_json::from_slice(&fs::read(&path)?).map_err(no_record)?);
            }
        }
        let order = |record: &Self| (record.piece.clone(), record.provenance.date.clone(), record.seed);
        records.sort_by_key(order);
        Ok(records)
    }
}

/// What a script counted, which has no way of its own to write a record.
#[derive(Debug, clap::Args)]
pub(crate) struct Counted {
    /// The piece's name.
    piece: String,
    /// What its random choices came from.
    #[arg(long)]
    seed: Option<u64>,
    /// How long it took.
    #[arg(long, default_value_t = 0.0)]
    seconds: f64,
    /// What was counted.
    #[arg(long = "count", value_name = "WHAT=N", value_parser = count)]
    counts: Vec<(String, u64)>,
    /// A promise that was broken.
    #[arg(long = "violation", value_name = "WHAT")]
    violations: Vec<String>,
    /// Why nothing was run.
    #[arg(long, value_name = "REASON")]
    skipped: Option<String>,
}

fn count(text: &str) -> Result<(String, u64), String> {
    let (what, number) = text.rsplit_once('=').ok_or("write WHAT=N")?;
    Ok((what.to_owned(), number.parse().map_err(|error| format!("{number}: {error}"))?))
}

impl Counted {
    /// As if a piece of this program had counted it.
    pub(crate) fn outcome(&self) -> Outcome {
        let mut outcome = Outcome::new(self.piece.clone());
        outcome.seed = self.seed;
        outcome.took = Duration::try_from_secs_f64(self.seconds).unwrap_or_default();
        for (what, by) in &self.counts {
            outcome.count(what.clone(), *by);
        }
        (outcome.violations, outcome.skipped) = (self.violations.clone(), self.skipped.clone());
        outcome
    }
}

/// Shows and records an outcome. Fails when a promise was broken, or the record cannot be written.
pub(crate) fn settle(outcome: &Outcome, folder: Option<&Path>) -> ExitCode {
    let shown = show(outcome);
    let recorded = folder.map_or(Ok(()), |folder| write(&Record::of(outcome), folder));
    if let Err(failure) = shown.and(recorded) {
        // Nothing is left to tell it to when even this cannot be written; the exit code says it.
        let _ = writeln!(io::stderr(), "stratalog-torture: {failure}");
        return ExitCode::from(3);
    }
    if outcome.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(outcome: &Outcome) -> io::Result<()> {
    let mut out = io::stdout().lock();
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

/// Writes a record beside those of earlier runs: PIECE.json, PIECE.2.json and so on.
fn write(record: &Record, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let text = serde_json::to_string_pretty(record)?;
    for number in 1_u32.. {
        let name = match number {
            1 => format!("{}.json", record.piece),
            _ => format!("{}.{number}.json", record.piece),
        };
        match OpenOptions::new().write(true).create_new(true).open(folder.join(name)) {
            Ok(mut file) => return writeln!(file, "{text}"),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("a folder holds no more records of this piece"))
}
