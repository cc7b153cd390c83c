//! `read`: events of the log, a category or a stream.

use crate::args::ReadArgs;
use crate::exit::Failure;
use crate::open;
use crate::output::{Output, Table, plain};
use std::ops::ControlFlow;
use stratalog::hosts::lines::{self, Form};
use stratalog::{Attributes, EventRef, EventStore, PayloadKind, Scan, SequenceNumber, StoredEvent};

/// Rows that make one table: columns are as wide as these need, so that reading does not wait for the end.
const ROWS: usize = 512;
/// Characters of a payload that a row shows.
const PREVIEW: usize = 72;

pub(crate) fn run(arguments: ReadArgs, out: &mut Output) -> Result<(), Failure> {
    let store = open::for_reading(&arguments.store)?;
    let scan = scan(&store, arguments);
    if out.json { as_json(scan, out) } else { as_table(scan, out) }
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

fn as_json(scan: Scan, out: &mut Output) -> Result<(), Failure> {
    let mut line = Vec::new();
    let mut outcome = Ok(());
    scan.visit(|event| {
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

fn as_table(scan: Scan, out: &mut Output) -> Result<(), Failure> {
    let mut table = Table::new(COLUMNS);
    let mut rows = Vec::new();
    let mut events = scan.into_iter().peekable();
    if events.peek().is_some() {
        let head = HEAD.map(str::to_owned);
        table.fit(&head);
        rows.push(head);
    }
    while events.peek().is_some() {
        let mut failed = None;
        for event in events.by_ref().take(ROWS) {
            match event {
                Ok(event) => rows.push(row(&event.as_ref())),
                Err(error) => failed = Some(error),
            }
        }
        show(&mut table, &mut rows, out)?;
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
    show(&mut Table::new(COLUMNS), &mut rows, out)
}

fn show(table: &mut Table, rows: &mut Vec<[String; 6]>, out: &mut Output) -> Result<(), Failure> {
    rows.iter().for_each(|row| table.fit(row));
    for row in rows.drain(..) {
        let line = table.row(&row);
        let line = if row[0] == HEAD[0] { out.faint(&line) } else { line };
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
    let shown = plain(&text);
    match shown.char_indices().nth(PREVIEW) {
        Some((end, _)) => format!("{}…", shown.get(..end).unwrap_or_default()),
        None => shown,
    }
}
