//! The report: RELIABILITY.md, made of a text and of the records of a folder.

mod bars;
mod tables;

use crate::provenance;
use crate::record::Record;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// The report without its figures: `{{name}}` on a line of its own is where a table goes.
const TEXT: &str = include_str!("RELIABILITY.in.md");

/// Writes RELIABILITY.md from the records in a folder.
#[derive(Debug, clap::Args)]
pub(crate) struct Report {
    /// The folder with the records.
    folder: PathBuf,
    /// Where to write the report; `-` is standard output.
    #[arg(long, default_value = "RELIABILITY.md")]
    to: PathBuf,
}

impl Report {
    pub(crate) fn run(&self) -> ExitCode {
        ended(self.write())
    }

    fn write(&self) -> io::Result<()> {
        let text = compose(&Record::all(&self.folder)?);
        if self.to.as_os_str() == "-" { io::stdout().write_all(text.as_bytes()) } else { fs::write(&self.to, text) }
    }
}

/// Prints the digest of the source.
pub(crate) fn source() -> ExitCode {
    ended(provenance::source().and_then(|digest| writeln!(io::stdout(), "{digest}")))
}

fn ended(outcome: io::Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing is left to tell it to when even this cannot be written; the exit code says it.
            let _ = writeln!(io::stderr(), "stratalog-torture: {failure}");
            ExitCode::from(3)
        }
    }
}

/// The records of one source, which add up, and all others.
struct Sitting<'a> {
    counted: Vec<&'a Record>,
    apart: Vec<&'a Record>,
}

impl<'a> Sitting<'a> {
    /// The source that ran last is the one that counts.
    fn of(records: &'a [Record]) -> Self {
        let newest = records.iter().max_by_key(|record| &record.provenance.date);
        let source = newest.map(|record| record.provenance.source.as_str()).unwrap_or_default();
        let (counted, apart) = records.iter().partition(|record| record.provenance.source == source);
        Self { counted, apart }
    }
}

fn compose(records: &[Record]) -> String {
    let sitting = Sitting::of(records);
    let mut text = String::new();
    for line in TEXT.lines() {
        match line.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) {
            Some("run") => text += &tables::run(&sitting.counted),
            Some("bars") => text += &bars::table(&sitting.counted),
            Some("pieces") => text += &tables::pieces(&sitting.counted),
            Some("violations") => text += &tables::violations(&sitting.counted),
            Some("apart") => text += &tables::apart(&sitting.apart),
            _ => {
                text += line;
                text += "\n";
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::Provenance;
    use std::path::Path;

    fn record(piece: &str, source: &str, day: u8, seed: Option<u64>, counts: &[(&str, u64)]) -> Record {
        Record {
            piece: piece.into(),
            seed,
            counts: counts.iter().map(|(what, count)| ((*what).to_owned(), *count)).collect(),
            seconds: 60.0,
            violations: Vec::new(),
            skipped: None,
            provenance: Provenance {
                commit: format!("commit-{source}"),
                source: source.into(),
                date: format!("2026-01-{day:02}T00:00:00Z"),
                kernel: "Linux 6.1".into(),
                processor: "2 x some".into(),
                file_system: "ext4".into(),
                rustc: "rustc 1.95".into(),
            },
        }
    }

    /// The line of a table that begins with this cell.
    fn row<'t>(text: &'t str, cell: &str) -> &'t str {
        text.lines().find(|line| line.starts_with(&format!("| {cell} |"))).unwrap_or_default()
    }

    #[test]
    fn runs_of_one_source_add_up_and_others_stand_apart() {
        let states = |count| [("crash states", count)];
        let records = [
            record("simulate", "old", 1, Some(1), &states(90_000_000)),
            record("simulate", "new", 2, Some(1), &states(6_000_000)),
            record("simulate", "new", 3, Some(2), &states(5_000_000)),
        ];
        let text = compose(&records);
        let bar = row(&text, "Simulated crash states");
        assert!(bar.contains("| 10,000,000 | 11,000,000 | reached |"), "{bar}");
        assert!(text.contains("90,000,000") && text.contains("commit-old"), "{text}");
        let alone = compose(&records[1..2]);
        assert!(row(&alone, "Simulated crash states").contains("| 6,000,000 | **not reached** |"));
        assert!(!text.contains("{{"), "each table has its place");
    }

    #[test]
    fn the_same_seed_twice_is_the_same_run() {
        let counts = [("crash states", 9_000_000)];
        let records = [record("simulate", "a", 1, Some(7), &counts), record("simulate", "a", 2, Some(7), &counts)];
        assert!(row(&compose(&records), "Simulated crash states").contains("| 9,000,000 | **not reached** |"));
    }

    #[test]
    fn what_is_complete_in_itself_does_not_add_up() {
        let counts = [("caught", 14), ("planted bugs", 14)];
        let records = [record("planted", "a", 1, None, &counts), record("planted", "a", 2, None, &counts)];
        assert!(row(&compose(&records), "Planted bugs caught").contains("| 14 | **not reached** |"));
    }

    #[test]
    fn what_was_not_run_says_why_and_a_violation_reaches_nothing() {
        let mut skipped = record("power-cuts-xfs", "a", 1, None, &[]);
        skipped.skipped = Some("may not mount".into());
        let mut broken = record("kills", "a", 1, None, &[("kills", 9_000)]);
        broken.violations.push("lost | event\n3".into());
        let text = compose(&[skipped, broken]);
        assert!(row(&text, "Power cuts on real file systems").contains("| 0 | not run: may not mount |"));
        assert!(row(&text, "SIGKILLs").contains("| **1 violation** |"));
        assert!(text.contains("lost \\| event 3"), "a violation is told in one line");
        assert!(row(&text, "Simulated crash states").contains("| 0 | not run |"));
    }

    #[test]
    fn a_sweep_that_left_something_out_is_not_complete() {
        let whole = record("damage", "a", 1, None, &[("damaged stores", 5_000)]);
        assert!(row(&compose(&[whole]), "Damage: every byte, flipped and set").contains("| reached |"));
        let part = record("damage", "a", 1, None, &[("damaged stores", 5_000), ("left out", 1)]);
        assert!(row(&compose(&[part]), "Damage: every byte, flipped and set").contains("| **not reached** |"));
    }

    #[test]
    fn the_report_is_what_the_records_say() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let records = Record::all(&root.join("data/reliability")).unwrap();
        let kept = fs::read_to_string(root.join("RELIABILITY.md")).unwrap();
        let made = compose(&records);
        assert!(
            kept == made,
            "RELIABILITY.md is not edited by hand: `stratalog-torture report data/reliability` writes it"
        );
    }
}
