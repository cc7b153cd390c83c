//! `export`: all events of a store as JSON lines.

use crate::args::ExportArgs;
use crate::exit::{Code, Failure};
use crate::open;
use crate::output::{Output, progress, things};
use flate2::Compression;
use flate2::write::GzEncoder;
use indicatif::ProgressBar;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use stratalog::hosts::lines::{self, Form};
use stratalog::{Attributes, EventStore, Revision};

/// Lines are written out when so many bytes of them are there.
const CHUNK: usize = 64 << 10;

pub(crate) fn run(arguments: &ExportArgs, out: &mut Output) -> Result<(), Failure> {
    let store = open::for_reading(&arguments.store)?;
    let bar = progress("exporting", Some(store.revision()?.get()), false);
    let Some(path) = &arguments.output else {
        write(&store, &bar, &mut |chunk| out.bytes(chunk))?;
        bar.finish_and_clear();
        return Ok(());
    };
    let events = to_file(&store, path, &bar)?;
    bar.finish_and_clear();
    if out.json {
        return out.object(&serde_json::json!({ "events": events, "output": path.display().to_string() }));
    }
    out.line(format_args!("exported {} to {}", things(events, "event", "events"), path.display()))
}

fn to_file(store: &EventStore, path: &Path, bar: &ProgressBar) -> Result<u64, Failure> {
    let failed = |error| Failure::new(Code::Other, format_args!("cannot write {}: {error}", path.display()));
    let file = BufWriter::new(File::create(path).map_err(failed)?);
    if path.extension().is_some_and(|extension| extension == "gz") {
        let mut gzip = GzEncoder::new(file, Compression::default());
        let events = write(store, bar, &mut |chunk| gzip.write_all(chunk).map_err(failed))?;
        let mut file = gzip.finish().map_err(failed)?;
        file.flush().map_err(failed)?;
        file.get_ref().sync_all().map_err(failed)?;
        return Ok(events);
    }
    let mut file = file;
    let events = write(store, bar, &mut |chunk| file.write_all(chunk).map_err(failed))?;
    file.flush().map_err(failed)?;
    file.get_ref().sync_all().map_err(failed)?;
    Ok(events)
}

/// Hands all lines to `sink`, some at a time, and says how many there were.
fn write(
    store: &EventStore,
    bar: &ProgressBar,
    sink: &mut dyn FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let (mut lines, mut events) = (Vec::with_capacity(CHUNK * 2), 0);
    let none = Attributes::new();
    for transaction in store.transactions(Revision::EMPTY)? {
        let transaction = transaction?;
        for (index, event) in transaction.events().iter().enumerate() {
            let attributes = if index == 0 { transaction.attributes() } else { &none };
            let written = lines::write(&event.as_ref(), attributes, Form::Export, &mut lines);
            written.map_err(|error| {
                Failure::from(error).context(format_args!("the event of sequence number {}", event.sequence_number()))
            })?;
            lines.push(b'\n');
            events += 1;
        }
        if lines.len() >= CHUNK {
            sink(&lines)?;
            lines.clear();
            bar.set_position(events);
        }
    }
    sink(&lines)?;
    Ok(events)
}
