//! `read`: events of the log, a category or a stream.

use crate::args::ReadArgs;
use crate::exit::Failure;
use crate::open;
use crate::output::{Output, Table, plain};
use std::ops::ControlFlow;
use stratalog::hosts::lines::{self, Form};
use stratalog::{Attributes, EventRef, EventStore, PayloadKind, ReadError, Scan, SequenceNumber, StoredEvent};

/// Rows that make one table: columns are as wide as these need, so that reading does not wait for the end.
const ROWS: usize = 512;
/// Characters of a payload, or of anything else that may be long, that a row shows.
const PREVIEW: usize = 72;

pub(crate) fn run(arguments: ReadArgs, out: &mut Output) -> Result<(), Failure> {
    let store = open::for_reading(&arguments.store)?;
    let scan = scan(&store, arguments);
    if out.json { as_json(|visitor| scan.visit(visitor), out) } else { as_table(scan.into_iter(), out) }
}

fn scan(store: &EventStore, arguments: ReadArgs) -> Scan {
    let mut scan = match (arguments.category, arguments.stream) {
        (Some(category), Some(stream)) => store.stream(category, stream).scan(),
        (Some(category), None) => store.category(category).scan(),
        (None, _) => store.log().scan(),
    };
    if let Some(number) = arguments.after {
        scan = scan.after(SequenceNumber::new(number));
    }
    if let Some(number) = arguments.until {
        scan = scan.until(SequenceNumber::new(number));
    }
    if arguments.reverse {
        scan = scan.reverse();
    }
    match arguments.limit {
        Some(limit) => scan.limit(limit),
        None => scan,
    }
}

/// Writes events as JSON, one a line: those that `lend` lends to a visitor.
pub(crate) fn as_json(
    lend: impl FnOnce(&mut dyn FnMut(&EventRef<'_>) -> ControlFlow<()>) -> Result<(), ReadError>,
    out: &mut Output,
) -> Result<(), Failure> {
    let mut line = Vec::new();
    let mut outcome = Ok(());
    lend(&mut |event| {
        line.clear();
        outcome = lines::write(event, &Attributes::new(), Form::Read, &mut line).map_err(Failure::from);
        if outcome.is_ok() {
            line.push(b'\n');
            outcome = out.bytes(&line);
        }
        if outcome.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    outcome
}

/// Writes events as a table with a head; nothing where there are none.
pub(crate) fn as_table(
    events: impl Iterator<Item = Result<StoredEvent, ReadError>>,
    out: &mut Output,
) -> Result<(), Failure> {
    as_rows(HEAD, COLUMNS, events, |event| row(&event.as_ref()), out)
}

/// Writes what comes as rows of a table with a head; nothing where nothing comes.
pub(crate) fn as_rows<T, const N: usize>(
    head: [&str; N],
    columns: &'static [bool],
    items: impl Iterator<Item = Result<T, ReadError>>,
    row: impl Fn(&T) -> [String; N],
    out: &mut Output,
) -> Result<(), Failure> {
    let mut table = Table::new(columns);
    let mut rows = Vec::new();
    let mut items = items.peekable();
    if items.peek().is_some() {
        let head = head.map(str::to_owned);
        table.fit(&head);
        rows.push(head);
    }
    let mut is_head = true;
    while items.peek().is_some() {
        let mut failed = None;
        for item in items.by_ref().take(ROWS) {
            match item {
                Ok(item) => rows.push(row(&item)),
                Err(error) => failed = Some(error),
            }
        }
        show(&mut table, &mut rows, std::mem::take(&mut is_head), out)?;
        if let Some(error) = failed {
            return Err(error.into());
        }
    }
    Ok(())
}

/// The columns of a table of events: which of them stand to the right.
pub(crate) const COLUMNS: &[bool] = &[true, false, false, true, false, false];
const HEAD: [&str; 6] = ["SEQUENCE", "OCCURRED AT", "STREAM", "POSITION", "NAME", "PAYLOAD"];

/// An event as a row of a table.
pub(crate) fn row(event: &EventRef<'_>) -> [String; 6] {
    [
        event.sequence_number().to_string(),
        event.occurred_at().to_string(),
        format!("{} / {}", plain(event.category()), plain(event.stream())),
        event.position().to_string(),
        plain(event.name()),
        preview(event),
    ]
}

/// Shows some events as a table with a head.
pub(crate) fn table(events: &[StoredEvent], out: &mut Output) -> Result<(), Failure> {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(events.iter().map(|event| row(&event.as_ref())));
    show(&mut Table::new(COLUMNS), &mut rows, true, out)
}

/// Writes rows, the first of which may be the table's head.
fn show<const N: usize>(
    table: &mut Table,
    rows: &mut Vec<[String; N]>,
    is_head: bool,
    out: &mut Output,
) -> Result<(), Failure> {
    rows.iter().for_each(|row| table.fit(row));
    for (index, row) in rows.drain(..).enumerate() {
        let line = table.row(&row);
        let line = if is_head && index == 0 { out.faint(&line) } else { line };
        out.line(line)?;
    }
    Ok(())
}

/// The start of a payload, as text.
fn preview(event: &EventRef<'_>) -> String {
    let payload = event.payload();
    let start = payload.bytes().get(..PREVIEW * 4).unwrap_or(payload.bytes());
    let text = match payload.kind() {
        PayloadKind::None => return String::new(),
        PayloadKind::MessagePack => match payload.to_json() {
            Ok(json) => json.to_string(),
            Err(_) => return format!("({} bytes of MessagePack)", payload.bytes().len()),
        },
        PayloadKind::Binary => return format!("({} bytes)", payload.bytes().len()),
        _ => String::from_utf8_lossy(start).into_owned(),
    };
    cut(&text)
}

/// The start of a text, as a row of a table shows it.
pub(crate) fn cut(text: &str) -> String {
    let shown = plain(text);
    match shown.char_indices().nth(PREVIEW) {
        Some((end, _)) => format!("{}…", shown.get(..end).unwrap_or_default()),
        None => shown,
    }
}
