//! `demo`: a walk through Stratalog on real events, with real figures.

use crate::args::DemoArgs;
use crate::exit::{Code, Failure};
use crate::import::{self, Imported};
use crate::input::Input;
use crate::open::{self, Verdict};
use crate::output::{Output, Table, bytes, count, things};
use crate::{read, verify};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use stratalog::{AppendError, Durability, EventStore, NewEvent, position_is};

/// 3,604 real events: see data/README.md.
const SAMPLE: &[u8] = include_bytes!("../../../data/sample.jsonl.gz");

/// A file with some tens of events.
const STREAM: (&str, &str) = ("root", "apply.c");

/// The payload of the sample's events. The counts are null for binary files.
#[derive(Deserialize)]
struct Change {
    added: Option<u64>,
    deleted: Option<u64>,
}

pub(crate) fn run(arguments: &DemoArgs, out: &mut Output) -> Result<(), Failure> {
    let path = arguments.dir.clone().unwrap_or_else(fresh_directory);
    let mut timings = Vec::new();

    title(out, "1. Import: 1,622 commits of a C project, each one atomic append")?;
    let (store, time) = timed(|| open::new(&path, Durability::Os))?;
    timings.push(("open a new store", time, None));
    let (imported, time) = timed(|| import_sample(&store))?;
    timings.push(("import", time, Some(imported.events)));
    let ((), sync) = timed(|| Ok(store.sync().map(drop)?))?;
    timings.push(("make it durable", sync, None));
    out.line(format_args!(
        "{} in {}, {} ms. A commit touches files of several categories: all of it went in, or none.",
        things(imported.events, "event", "events"),
        things(imported.transactions, "transaction", "transactions"),
        milliseconds(time)
    ))?;
    let (again, time) = timed(|| import_sample(&store))?;
    timings.push(("import again", time, None));
    out.line(format_args!(
        "The same file again: {} added, {} known by their ids. A retry is harmless.",
        things(again.events, "event", "events"),
        things(again.repeated, "transaction", "transactions"),
    ))?;

    title(out, "2. Categories")?;
    categories(&store, out)?;

    title(out, "3. A stream: the history of one file")?;
    let stream = store.stream(STREAM.0, STREAM.1);
    let (events, time) = timed(|| Ok(stream.read()?))?;
    timings.push(("read a stream", time, Some(events.len() as u64)));
    out.line(format_args!(
        "{} / {} has {}; its first five:",
        STREAM.0,
        STREAM.1,
        things(events.len() as u64, "event", "events")
    ))?;
    read::table(events.get(..5).unwrap_or(&events), out)?;
    out.line("and its last three, newest first:")?;
    read::table(&stream.scan().reverse().limit(3).read()?, out)?;

    title(out, "4. Two writers, one stream: the slower one loses, and knows it")?;
    conflict(&store, out)?;

    title(out, "5. A projection: events folded into state")?;
    let time = projection(&store, out)?;
    timings.push(("fold all events", time, Some(store.revision()?.get())));

    title(out, "6. Verify: every byte read, every checksum checked")?;
    open::close(&store)?;
    drop((store, stream, events));
    let (verified, time) = timed(|| open::verify(&path, &mut |_, _| {}))?;
    timings.push(("verify", time, Some(verified.events)));
    if !matches!(verified.verdict, Verdict::Clean) {
        return Err(Failure::new(Code::Other, "the demo's store is not clean: please report this"));
    }
    out.line(format_args!("{}: {}.", out.strong("clean"), verify::read(&verified)))?;

    title(out, "What it took")?;
    show_timings(&timings, out)?;
    closing(&path, out)
}

fn title(out: &mut Output, text: &str) -> Result<(), Failure> {
    let text = out.strong(text);
    out.line(format_args!("\n{text}"))?;
    // What comes next may take its time.
    out.flush()
}

fn fresh_directory() -> PathBuf {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.subsec_nanos());
    std::env::temp_dir().join(format!("stratalog-demo-{}-{nanos:09}", std::process::id()))
}

fn timed<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<(T, Duration), Failure> {
    let started = Instant::now();
    let result = work()?;
    Ok((result, started.elapsed()))
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1}", time.as_secs_f64() * 1_000.0)
}

fn import_sample(store: &EventStore) -> Result<Imported, Failure> {
    let mut input = Input::new(Cursor::new(SAMPLE), "the sample")?;
    import::run_into(store, &mut input, None, &mut |_| {})
}

fn categories(store: &EventStore, out: &mut Output) -> Result<(), Failure> {
    let mut rows = vec![["EVENTS", "STREAMS", "CATEGORY"].map(str::to_owned)];
    for name in store.categories()? {
        let category = store.category(name.as_str());
        let mut events = 0;
        category.scan().visit(|_| events += 1)?;
        rows.push([count(events), count(category.streams()?.len() as u64), name]);
    }
    show(&[true, true, false], &rows, out)
}

fn show<const N: usize>(right: &'static [bool], rows: &[[String; N]], out: &mut Output) -> Result<(), Failure> {
    let mut table = Table::new(right);
    rows.iter().for_each(|row| table.fit(row));
    for (index, row) in rows.iter().enumerate() {
        let line = table.row(row);
        let line = if index == 0 { out.faint(&line) } else { line };
        out.line(line)?;
    }
    Ok(())
}

/// Two writers read the same stream and both append on the condition that nobody was faster.
fn conflict(store: &EventStore, out: &mut Output) -> Result<(), Failure> {
    let stream = store.stream(STREAM.0, STREAM.1);
    let last = stream.latest()?.map(|event| event.position());
    let position = last.map_or_else(|| "none".to_owned(), |position| position.to_string());
    let note = |who: &str| NewEvent::json("file-reviewed", &serde_json::json!({ "by": who }));
    out.line(format_args!("Ada and Ben both read the stream; its last position is {position}."))?;
    let receipt = stream.publish_if([note("Ada")?], position_is(last))?;
    out.line(format_args!(
        "Ada   publish_if(…, position_is({position}))  Ok, position {}",
        shown(receipt.last_position())
    ))?;
    match stream.publish_if([note("Ben")?], position_is(last)) {
        Err(AppendError::Unmet(unmet)) => {
            out.line(format_args!("Ben   publish_if(…, position_is({position}))  Error:"))?;
            out.line(format_args!("      {unmet}"))?;
        }
        other => return Err(Failure::new(Code::Other, format_args!("a conflict was expected, not {other:?}"))),
    }
    let last = stream.latest()?.map(|event| event.position());
    let receipt = stream.publish_if([note("Ben")?], position_is(last))?;
    out.line(format_args!(
        "Ben   reads again, decides again, and gets position {}. No event was lost, none overwritten.",
        shown(receipt.last_position())
    ))
}

fn shown(number: Option<impl std::fmt::Display>) -> String {
    number.map_or_else(|| "none".to_owned(), |number| number.to_string())
}

/// What the fold keeps of a month.
#[derive(Default)]
struct Month {
    commits: BTreeSet<u64>,
    added: u64,
    deleted: u64,
}

/// Lines added and deleted a month: a fold over the whole log.
fn projection(store: &EventStore, out: &mut Output) -> Result<Duration, Failure> {
    let started = Instant::now();
    let mut months: BTreeMap<String, Month> = BTreeMap::new();
    for event in &store.log() {
        let event = event?;
        if !event.name().starts_with("file-") || event.name() == "file-reviewed" {
            continue;
        }
        let change: Change = event.decode()?;
        let month = event.observed_at().to_string().chars().take(7).collect();
        let state = months.entry(month).or_default();
        state.commits.insert(event.transaction_basis().get());
        state.added += change.added.unwrap_or(0);
        state.deleted += change.deleted.unwrap_or(0);
    }
    let time = started.elapsed();
    let mut rows = vec![["MONTH", "COMMITS", "LINES ADDED", "LINES DELETED"].map(str::to_owned)];
    for (name, month) in &months {
        rows.push([name.clone(), count(month.commits.len() as u64), count(month.added), count(month.deleted)]);
    }
    show(&[false, true, true, true], &rows, out)?;
    Ok(time)
}

fn show_timings(timings: &[(&str, Duration, Option<u64>)], out: &mut Output) -> Result<(), Failure> {
    let mut rows = vec![["STEP", "MILLISECONDS", "EVENTS A SECOND"].map(str::to_owned)];
    for (step, time, events) in timings {
        let rate = events.map_or_else(String::new, |events| rate(events, *time));
        rows.push([(*step).to_owned(), milliseconds(*time), rate]);
    }
    show(&[false, true, true], &rows, out)?;
    if cfg!(debug_assertions) {
        out.line("This is a debug build: with --release it is many times faster.")?;
    }
    Ok(())
}

fn rate(events: u64, time: Duration) -> String {
    let nanos = time.as_nanos().max(1);
    u64::try_from(u128::from(events) * 1_000_000_000 / nanos).map_or_else(|_| "-".to_owned(), count)
}

fn closing(path: &std::path::Path, out: &mut Output) -> Result<(), Failure> {
    let on_disk = std::fs::read_dir(path)?
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum::<u64>();
    let path = path.display();
    let program = std::env::args().next().unwrap_or_else(|| "stratalog".to_owned());
    title(out, "Where to go from here")?;
    out.line(format_args!(
        "The store stays at {path} ({}); it is a directory: delete it when you are done.",
        bytes(on_disk)
    ))?;
    out.line("")?;
    out.line(format_args!("  {program} read {path} --category Documentation --reverse --limit 10"))?;
    out.line(format_args!("  {program} append {path} notes today noted '{{\"text\": \"hello\"}}'"))?;
    out.line(format_args!("  {program} info {path} --json"))?;
    out.line("")?;
    out.line("In Rust it is EventStore::open(path): README.md has the first program, examples/ the next ones.")
}
