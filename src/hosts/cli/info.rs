//! `info`, `streams` and `categories`: what a store holds.

use crate::args::{StoreArgs, StreamsArgs};
use crate::exit::Failure;
use crate::open;
use crate::output::{Output, Table, bytes, count, plain};
use serde_json::json;
use stratalog::Timestamp;

pub(crate) fn info(arguments: &StoreArgs, out: &mut Output) -> Result<(), Failure> {
    let store = open::for_reading(&arguments.store)?;
    let stats = store.stats()?;
    if out.json {
        return out.object(&json!({
            "store": arguments.store.display().to_string(),
            "events": stats.events,
            "transactions": stats.transactions,
            "streams": stats.streams,
            "categories": stats.categories,
            "revision": store.revision()?,
            "segments": stats.segments,
            "bytes": stats.log_bytes,
            "file_bytes": stats.file_bytes,
            "first_recorded_at": stats.first_recorded_at,
            "last_recorded_at": stats.last_recorded_at,
        }));
    }
    let time = |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    out.pairs(&[
        ("store", plain(&arguments.store.display().to_string())),
        ("events", count(stats.events)),
        ("transactions", count(stats.transactions)),
        ("streams", count(stats.streams)),
        ("categories", count(stats.categories)),
        ("segments", count(stats.segments)),
        ("log", bytes(stats.log_bytes)),
        ("files", bytes(stats.file_bytes)),
        ("first recorded", time(stats.first_recorded_at)),
        ("last recorded", time(stats.last_recorded_at)),
    ])
}

pub(crate) fn streams(arguments: &StreamsArgs, out: &mut Output) -> Result<(), Failure> {
    let store = open::for_reading(&arguments.store)?;
    let categories = match &arguments.category {
        Some(category) => vec![category.clone()],
        None => store.categories()?,
    };
    let mut list = List::new("STREAM", &["category", "stream"], "events");
    for category in categories {
        let handle = store.category(category.as_str());
        for stream in handle.streams()? {
            let last = handle.stream(stream.as_str()).latest()?;
            let events = last.map_or(0, |event| event.position().get() + 1);
            list.add(&[&category, &stream], events, out)?;
        }
    }
    list.finish(out)
}

pub(crate) fn categories(arguments: &StoreArgs, out: &mut Output) -> Result<(), Failure> {
    let store = open::for_reading(&arguments.store)?;
    let mut list = List::new("CATEGORY", &["category"], "streams");
    for category in store.categories()? {
        let streams = store.category(category.as_str()).streams()?.len() as u64;
        list.add(&[&category], streams, out)?;
    }
    list.finish(out)
}

/// Names with a number each: a table for people, an object a line for machines.
struct List {
    rows: Vec<[String; 2]>,
    fields: &'static [&'static str],
    number: &'static str,
}

impl List {
    fn new(head: &str, fields: &'static [&'static str], number: &'static str) -> Self {
        Self { rows: vec![[number.to_uppercase(), head.to_owned()]], fields, number }
    }

    fn add(&mut self, names: &[&str], number: u64, out: &mut Output) -> Result<(), Failure> {
        if out.json {
            let mut object = serde_json::Map::new();
            for (field, name) in self.fields.iter().zip(names) {
                object.insert((*field).to_owned(), (*name).into());
            }
            object.insert(self.number.to_owned(), number.into());
            return out.object(&object.into());
        }
        let names: Vec<String> = names.iter().map(|name| plain(name)).collect();
        self.rows.push([count(number), names.join(" / ")]);
        Ok(())
    }

    fn finish(self, out: &mut Output) -> Result<(), Failure> {
        if self.rows.len() == 1 {
            return Ok(());
        }
        let mut table = Table::new(&[true, false]);
        self.rows.iter().for_each(|row| table.fit(row));
        for (index, row) in self.rows.iter().enumerate() {
            let line = table.row(row);
            let line = if index == 0 { out.faint(&line) } else { line };
            out.line(line)?;
        }
        Ok(())
    }
}
