//! Tables of records.

use crate::record::Record;
use std::collections::{BTreeMap, BTreeSet};

/// Pieces that go through all there is: a second run counts the same again.
const WHOLE: [&str; 8] =
    ["damage", "exhaust", "faults", "loom", "planted", "sanitize-address", "sanitize-thread", "syscall-faults"];

/// The records that add up: of runs with the same seed the longest, of pieces that are whole in one run the newest.
pub(super) fn once<'a>(records: &[&'a Record]) -> Vec<&'a Record> {
    let mut kept: Vec<&Record> = Vec::new();
    for record in records {
        let whole = WHOLE.contains(&record.piece.as_str());
        let same = |other: &&mut &Record| {
            other.piece == record.piece && (whole || record.seed.is_some() && other.seed == record.seed)
        };
        match kept.iter_mut().find(same) {
            None => kept.push(record),
            // A run that was skipped replaces none that was not.
            Some(_) if record.skipped.is_some() => {}
            Some(other) if whole || record.seconds > other.seconds || other.skipped.is_some() => *other = record,
            Some(_) => {}
        }
    }
    kept
}

/// Each value that the records have, once, in the order of the records.
fn distinct<'a>(records: &[&'a Record], value: impl Fn(&'a Record) -> &'a str) -> String {
    let mut seen = Vec::new();
    for record in records {
        let value = value(record);
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    seen.join("; ")
}

/// What ran, where and when.
pub(super) fn run(records: &[&Record]) -> String {
    let dates: BTreeSet<&str> = records.iter().map(|record| record.provenance.date.as_str()).collect();
    let (Some(first), Some(last)) = (dates.first(), dates.last()) else {
        return "Nothing was run.\n".to_owned();
    };
    let seconds: f64 = records.iter().map(|record| record.seconds).sum();
    let rows = [
        ("Commit", distinct(records, |record| &record.provenance.commit)),
        ("Digest of the source", distinct(records, |record| &record.provenance.source)),
        ("First and last record", format!("{first}, {last}")),
        ("Time of all pieces together", format!("{:.0} minutes", seconds / 60.0)),
        ("Kernel", distinct(records, |record| &record.provenance.kernel)),
        ("Processor", distinct(records, |record| &record.provenance.processor)),
        ("File system of temporary files", distinct(records, |record| &record.provenance.file_system)),
        ("Compiler", distinct(records, |record| &record.provenance.rustc)),
    ];
    let rows = rows.iter().map(|(what, value)| format!("| {what} | {} |\n", cell(value)));
    format!("| | |\n|---|---|\n{}", rows.collect::<String>())
}

/// What each piece counted.
pub(super) fn pieces(records: &[&Record]) -> String {
    let mut by_piece: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in records {
        by_piece.entry(&record.piece).or_default().push(record);
    }
    let mut text =
        "| Piece | Runs | Seconds | Seeds | Counted | Violations |\n|---|---:|---:|---|---|---:|\n".to_owned();
    for (piece, all) in by_piece {
        let counted = once(&all);
        let ran: Vec<&Record> = counted.iter().copied().filter(|record| record.skipped.is_none()).collect();
        let seconds = ran.iter().fold(0.0, |sum, record| sum + record.seconds);
        let seeds: Vec<String> = ran.iter().filter_map(|record| record.seed).map(|seed| seed.to_string()).collect();
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for (what, count) in counted.iter().flat_map(|record| &record.counts) {
            *sums.entry(what).or_default() += count;
        }
        let mut told: Vec<String> =
            sums.iter().map(|(what, count)| format!("{}: {}", cell(what), number(*count))).collect();
        let reasons: BTreeSet<&str> = all.iter().filter_map(|record| record.skipped.as_deref()).collect();
        told.extend(reasons.iter().filter(|_| ran.is_empty()).map(|reason| format!("not run: {}", cell(reason))));
        let violations: usize = all.iter().map(|record| record.violations.len()).sum();
        text += &format!(
            "| `{piece}` | {} | {seconds:.0} | {} | {} | {violations} |\n",
            ran.len(),
            seeds.join(", "),
            told.join("; "),
        );
    }
    text
}

/// Every promise that was seen broken.
pub(super) fn violations(records: &[&Record]) -> String {
    let lines: Vec<String> = records
        .iter()
        .flat_map(|record| record.violations.iter().map(|what| format!("- `{}`: {}\n", record.piece, cell(what))))
        .collect();
    if lines.is_empty() { "No violation was seen.\n".to_owned() } else { lines.concat() }
}

/// Records of other sources, which do not count.
pub(super) fn apart(records: &[&Record]) -> String {
    if records.is_empty() {
        return "There are none.\n".to_owned();
    }
    let mut text =
        "| Source | Commit | Date | Piece | Seconds | Counted | Violations |\n|---|---|---|---|---:|---|---:|\n"
            .to_owned();
    for record in records {
        let told: Vec<String> =
            record.counts.iter().map(|(what, count)| format!("{}: {}", cell(what), number(*count))).collect();
        let (from, seconds) = (&record.provenance, record.seconds);
        text += &format!(
            "| {} | {} | {} | `{}` | {seconds:.0} | {} | {} |\n",
            from.source,
            from.commit,
            from.date,
            record.piece,
            told.join("; "),
            record.violations.len(),
        );
    }
    text
}

/// A number in groups of three.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Text that stays within its cell.
pub(super) fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
