//! Where the program writes: results to stdout, errors to stderr, for people or for machines.

use crate::exit::Failure;
use indicatif::{ProgressBar, ProgressStyle};
use std::fmt::Write as _;
use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use stratalog::Durability;

/// Results on their way out. Buffered: ends with [`Output::finish`].
pub(crate) struct Output {
    pub(crate) json: bool,
    styled: bool,
    stdout: BufWriter<StdoutLock<'static>>,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            json,
            styled: io::stdout().is_terminal() && !no_color,
            stdout: BufWriter::with_capacity(64 << 10, io::stdout().lock()),
        }
    }

    /// One line of text.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) -> Result<(), Failure> {
        Ok(writeln!(self.stdout, "{text}")?)
    }

    /// One JSON value on a line.
    pub(crate) fn object(&mut self, value: &serde_json::Value) -> Result<(), Failure> {
        self.line(value)
    }

    /// Bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.stdout.write_all(bytes)?)
    }

    /// Text that stands out, in a terminal.
    pub(crate) fn strong(&self, text: &str) -> String {
        if self.styled { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Text that stands back, in a terminal.
    pub(crate) fn faint(&self, text: &str) -> String {
        if self.styled { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// Lines of names and values, the values in one column.
    pub(crate) fn pairs(&mut self, pairs: &[(&str, String)]) -> Result<(), Failure> {
        let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        for (name, value) in pairs {
            let name = self.faint(&format!("{name:<width$}"));
            self.line(format_args!("{name}  {value}"))?;
        }
        Ok(())
    }

    /// Shows what was written so far.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.stdout.flush()?)
    }

    /// Shows everything; errors of the last bytes count too.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.flush()
    }
}

/// Writes a JSON value that is no result to stderr, behind the results so far.
pub(crate) fn aside(value: &serde_json::Value, out: &mut Output) -> Result<(), Failure> {
    out.flush()?;
    Ok(writeln!(io::stderr(), "{value}")?)
}

/// Writes a failure to stderr: one line, or one JSON object.
pub(crate) fn report(failure: &Failure, json: bool) {
    let text = if json { failure.to_json().to_string() } else { format!("stratalog: {}", plain(&failure.message)) };
    // There is nowhere left to say that stderr is gone.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Rows in columns as wide as they need to be. Numbers stand to the right.
pub(crate) struct Table {
    widths: Vec<usize>,
    right: &'static [bool],
}

impl Table {
    /// A table with these columns: true for those that stand to the right.
    pub(crate) fn new(right: &'static [bool]) -> Self {
        Self { widths: vec![0; right.len()], right }
    }

    /// Makes room for a row.
    pub(crate) fn fit(&mut self, row: &[String]) {
        for (width, cell) in self.widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }

    /// A row as text.
    pub(crate) fn row(&self, row: &[String]) -> String {
        let mut line = String::new();
        for ((cell, &width), &right) in row.iter().zip(&self.widths).zip(self.right) {
            // Writing to a string cannot fail.
            let _ = if right { write!(line, "{cell:>width$}  ") } else { write!(line, "{cell:<width$}  ") };
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// Text without what a terminal would obey: control characters are shown escaped.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// A number with its thousands apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A number of things, with the thing's name in singular or plural.
pub(crate) fn things(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A number of bytes in the unit that suits it.
pub(crate) fn bytes(number: u64) -> String {
    indicatif::BinaryBytes(number).to_string()
}

/// What a durability is called.
pub(crate) fn durability(durability: Durability) -> &'static str {
    match durability {
        Durability::Sync => "sync",
        Durability::Interval(_) => "interval",
        Durability::Os => "os",
        Durability::Memory => "memory",
        _ => "other",
    }
}

/// A bar on stderr for long work. Invisible where stderr is no terminal. Without a total it only turns.
pub(crate) fn progress(doing: &'static str, total: Option<u64>, in_bytes: bool) -> ProgressBar {
    let template = match (total, in_bytes) {
        (Some(_), true) => "{msg} {wide_bar} {bytes}/{total_bytes} {eta}",
        (Some(_), false) => "{msg} {wide_bar} {human_pos}/{human_len} {eta}",
        (None, true) => "{msg} {spinner} {bytes} {elapsed}",
        (None, false) => "{msg} {spinner} {human_pos} {elapsed}",
    };
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_message(doing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (number, shown) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (137_899, "137,899"), (1 << 30, "1,073,741,824")]
        {
            assert_eq!(count(number), shown);
        }
        assert_eq!((things(1, "event", "events"), things(2, "event", "events")), ("1 event".into(), "2 events".into()));
    }

    #[test]
    fn a_terminal_gets_nothing_to_obey() {
        assert_eq!(plain("a\u{1b}[2Jb\u{7}\nc\u{9b}ö"), "a\\u{1b}[2Jb\\u{7}\\nc\\u{9b}ö");
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new(&[true, false]);
        let rows = [["7".to_owned(), "é".to_owned()], ["12".to_owned(), "long".to_owned()]];
        rows.iter().for_each(|row| table.fit(row));
        assert_eq!((table.row(&rows[0]), table.row(&rows[1])), (" 7  é".to_owned(), "12  long".to_owned()));
    }
}
