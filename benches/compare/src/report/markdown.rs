//! The page.

use super::models::model;
use super::statistics::Spread;
use super::table::{Row, Standing, Table};
use super::{has_plot, plot_name};
use crate::engines::Kind;
use crate::limits::Limit;
use crate::measure::Latency;
use crate::options::Sizes;
use crate::run::Description;
use crate::subject::Subject;
use crate::workloads::Scale;
use std::fmt::Write;

const INTRODUCTION: &str = "\
What Stratalog does beside the engines that one would pick instead, and beside what the machine itself can do. All of it was
measured in one run of `scripts/compare`, interleaved, each engine under each workload in a process of its own; figures are
medians over the rounds. Every append carries an expected version. Every read was held against a count and a checksum over all
payload bytes.
";

const BARS: &str = "\
What the project set out to reach on a machine of this kind, computed from the records of the tables below. A bar is met or missed
by the median; in brackets stands the interval, as for all ratios.
";

const HOW: &str = "\
- Ratios are of figures of the same round, then the median is taken; in brackets stand the least and the most, or, from six rounds
  on, the interval that holds the median in 95 of 100 cases. **Of Stratalog, more than 1 is better than it**, also where less of
  the figure is better. `stratalog-unchecked` is held against `limit-unchecked`, all others against `limit`.
- `Sync`: an append returns when it is on disk. `Os`: when it survives the process. Rows that promise less say so.
- With 8 and 64 threads, engines without group commit of their own are given one: the hand-off that the limit uses too, one commit
  a batch. Each thread appends to streams of its own.
- The store that is read was filled with single events, each to another stream than the one before, up to 1,000 of them committed
  together or in flight together; Stratalog's were each a transaction of its own. It is read warm.
- Bytes on disk are those of allocated blocks of all files after the store was closed, up to the last byte of each file that is
  not zero. What was set aside beyond it is listed apart as *kept ready*.
- Memory is what opening and using the store added to the process that is anonymous; what is mapped from files is not in it.
- What was dirty in the page cache was written out before each measurement. Before appends that are not synced, as much of the
  page cache as they fill was filled and given back: a virtual machine's first use of memory waits for its host, whoever writes.
- A large or a huge store is filled with Stratalog alone: the tables say who is left out. Memory there is that of a process that
  holds nothing but the store: all of it, once 1,000 streams, one category and the whole log were read.
- A process that is killed is one that appends until its active segment is so full, and then sends itself SIGKILL. What it wrote
  is not written out before the store is opened again; *one sync* is that of one page just before. Engines without segments have
  appended 10,000 events by then.
- At a steady pace there are 200,000 calls a second. The figure is how long a call took; *behind its time* is how long after it
  was due it was done, which is worse when calls wait behind a slow one.
- New streams are appended with `stream_is_empty()`.
- Streams that are not in memory: the page cache was told to forget the files before they were opened. What opening itself reads
  is in memory then, as *KiB read an event* shows.
- *events a read* and *events a flush* count reads and flushes of the whole disk, which other programs share.
- *load* is the mean of how many processes wanted to run over the minute before each measurement.
";

/// What there is to say beside the tables.
pub struct Page<'a> {
    /// The run.
    pub description: &'a Description,
    /// The run about huge stores, where there was one.
    pub huge: Option<&'a Description>,
    /// The table of bars.
    pub bars: &'a str,
    /// Where the plots are.
    pub plots: &'a str,
}

/// The page.
pub fn page(about: &Page<'_>, tables: &[Table], notes: &str) -> String {
    let mut page = format!("# Performance\n\n{INTRODUCTION}\n");
    // Writing to a string does not fail.
    let _done = lost(&mut page, tables)
        .and_then(|()| bars(&mut page, about))
        .and_then(|()| where_it_ran(&mut page, about))
        .and_then(|()| tables.iter().try_for_each(|table| workload(&mut page, table, about)))
        .and_then(|()| how(&mut page, tables));
    if !notes.is_empty() {
        page += "\n";
        page += notes;
    }
    page
}

fn bars(page: &mut String, about: &Page<'_>) -> std::fmt::Result {
    writeln!(page, "## The bars\n\n{BARS}")?;
    let parts = [Some(about.description), about.huge];
    if !parts.into_iter().flatten().all(Description::is_whole) {
        writeln!(page, "**This run was smaller than what the bars are about: met or missed, it says little.**\n")?;
    }
    writeln!(page, "{}", about.bars)
}

/// The rows that Stratalog loses come first.
fn lost(page: &mut String, tables: &[Table]) -> std::fmt::Result {
    writeln!(page, "## What Stratalog loses\n")?;
    let mut any = false;
    for table in tables {
        for row in table.lost() {
            any = true;
            let ratio = row.of_stratalog.map_or(0.0, |ratio| ratio.median);
            let sure = if row.standing() == Standing::JustAhead { ", though not in every round" } else { "" };
            let note = row.note(table.workload).map(|note| format!(" ({note})")).unwrap_or_default();
            writeln!(
                page,
                "- **{}**: lost to {}{note}, by {ratio:.2} times{sure}.",
                table.workload.title(),
                row.subject.name()
            )?;
        }
        for (engine, why) in table.failed.iter().filter(|(engine, _)| engine.starts_with(Kind::Stratalog.name())) {
            any = true;
            writeln!(page, "- **{}**: {engine} failed: {why}.", table.workload.title())?;
        }
    }
    if !any {
        writeln!(page, "No row of those below.")?;
    }
    writeln!(page)
}

fn where_it_ran(page: &mut String, about: &Page<'_>) -> std::fmt::Result {
    let Description { sizes, rounds, cpu, machine, .. } = about.description;
    writeln!(page, "## Where and what\n\n| | |\n|---|---|")?;
    writeln!(page, "| processors | {} × {} |", machine.processors, machine.processor)?;
    if let Some(cpu) = cpu {
        writeln!(page, "| used of them | number {cpu} alone |")?;
    }
    writeln!(page, "| memory | {} MiB |", machine.memory_mib)?;
    writeln!(page, "| kernel | {} |", machine.kernel)?;
    writeln!(page, "| file system | {} |", machine.file_system)?;
    writeln!(page, "| compiler | {}, release profile |", machine.compiler)?;
    let versions: Vec<String> = machine.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    writeln!(page, "| versions | {} |", versions.join(", "))?;
    writeln!(page, "| data, unless a table says otherwise | {} |", data(sizes))?;
    writeln!(page, "| rounds | {rounds}, {} s a measurement |", sizes.seconds)?;
    if let Some(Description { rounds, machine: there, .. }) = about.huge {
        let elsewhere = if (&there.processor, there.memory_mib) == (&machine.processor, machine.memory_mib) {
            String::new()
        } else {
            format!(", on {} × {}, {} MiB", there.processors, there.processor, there.memory_mib)
        };
        writeln!(page, "| huge stores | a run of its own, {rounds} rounds{elsewhere} |")?;
    }
    writeln!(page)
}

/// How much data, in words.
fn data(sizes: &Sizes) -> String {
    format!(
        "{} events of {} bytes, names of 20 bytes, {} streams in {} categories",
        whole(sizes.events),
        sizes.payload,
        whole(sizes.streams),
        sizes.categories
    )
}

fn workload(page: &mut String, table: &Table, about: &Page<'_>) -> std::fmt::Result {
    let workload = table.workload;
    writeln!(page, "## {}\n", workload.title())?;
    if !table.rows.is_empty() {
        let better = if workload.less_is_better() { "; less is better" } else { "" };
        write!(page, "In {}{better}.", workload.unit().name())?;
        if workload.scale() != Scale::Usual {
            let described =
                if workload.scale().is_huge() { about.huge.unwrap_or(about.description) } else { about.description };
            let sizes = described.sizes.of(workload.scale(), &described.long);
            write!(page, " {}.", data(&sizes))?;
        }
        for limit in Limit::ALL {
            if let Some(what) = limit.of(workload) {
                let unchecked = if limit == Limit::Unchecked { ", checksums left alone" } else { "" };
                write!(page, "\n*{}*: {what}{unchecked}.", limit.name())?;
            }
        }
        writeln!(page, "\n")?;
        if has_plot(table) {
            writeln!(page, "![{}]({}/{})\n", workload.title(), about.plots, plot_name(workload))?;
        }
        rows(page, table)?;
    }
    let note = |row: &Row| Some((row.subject.name().to_owned(), row.note(workload)?.to_owned()));
    reasons(page, "", &table.rows.iter().filter_map(note).collect::<Vec<_>>())?;
    reasons(page, "not comparable: ", &table.not_comparable)?;
    reasons(page, "left out: ", &table.left_out)?;
    reasons(page, "failed: ", &table.failed)?;
    writeln!(page)
}

/// What there is to say of engines, those together of which the same is said.
fn reasons(page: &mut String, head: &str, said: &[(String, String)]) -> std::fmt::Result {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (engine, why) in said {
        match reasons.iter_mut().find(|(reason, _)| reason == why) {
            Some((_, engines)) => engines.push(engine),
            None => reasons.push((why, vec![engine])),
        }
    }
    for (why, engines) in reasons {
        writeln!(page, "- {}: {head}{why}.", engines.join(", "))?;
    }
    Ok(())
}

fn rows(page: &mut String, table: &Table) -> std::fmt::Result {
    let columns: Vec<&Column> =
        COLUMNS.iter().filter(|column| table.rows.iter().any(|row| (column.cell)(row).is_some())).collect();
    let heads: String = columns.iter().map(|column| format!(" {} |", column.head)).collect();
    writeln!(page, "| | median | least – most |{heads}")?;
    writeln!(page, "|---|---:|---:|{}", "---:|".repeat(columns.len()))?;
    for row in &table.rows {
        let name = row.subject.name();
        let name = if matches!(row.subject, Subject::Engine(kind) if kind.is_stratalog()) {
            format!("**{name}**")
        } else {
            name.to_owned()
        };
        let Spread { median, low, high } = row.value;
        let cell = |column: &&Column| format!(" {} |", (column.cell)(row).unwrap_or_else(|| "–".to_owned()));
        let cells: String = columns.iter().map(cell).collect();
        writeln!(page, "| {name} | {} | {} – {} |{cells}", grouped(median), grouped(low), grouped(high))?;
    }
    writeln!(page)
}

/// A column that stands where at least one row has it.
struct Column {
    head: &'static str,
    cell: fn(&Row) -> Option<String>,
}

const COLUMNS: [Column; 19] = [
    Column { head: "of the limit", cell: |row| row.of_limit.map(ratio) },
    Column {
        head: "of Stratalog",
        cell: |row| {
            let of = ratio(row.of_stratalog?);
            Some(match row.standing() {
                Standing::Ahead | Standing::JustAhead => format!("{of} **lost**"),
                Standing::Apart | Standing::Behind => of,
            })
        },
    },
    Column { head: "CPU ns an event", cell: |row| row.median(|one| one.cpu_ns).map(grouped) },
    Column { head: "p50 / p99 / p99.9 / p99.99 / max µs", cell: |row| row.latency(|one| one.latency).map(latency) },
    Column { head: "behind its time, likewise", cell: |row| row.latency(|one| one.late).map(latency) },
    Column { head: "events/s reached", cell: |row| row.median(|one| one.reached).map(grouped) },
    Column { head: "events a sync", cell: |row| row.median(|one| one.events_a_sync).map(|one| format!("{one:.1}")) },
    Column { head: "events a flush", cell: |row| row.median(|one| one.events_a_flush).map(|one| format!("{one:.1}")) },
    Column { head: "events a read", cell: |row| row.median(|one| one.events_a_read).map(grouped) },
    Column { head: "KiB read an event", cell: |row| row.median(|one| one.kib_an_event).map(grouped) },
    Column { head: "bytes an event", cell: |row| row.median(|one| one.bytes_an_event).map(grouped) },
    Column { head: "MiB kept ready", cell: |row| row.median(|one| one.ready_mib).map(grouped) },
    Column { head: "MiB of memory", cell: |row| row.median(|one| one.memory_mib).map(grouped) },
    Column { head: "MiB anonymous", cell: |row| row.median(|one| one.resident_mib.map(|both| both.0)).map(grouped) },
    Column {
        head: "MiB own and dirty",
        cell: |row| row.median(|one| one.resident_mib.map(|both| both.1)).map(grouped),
    },
    Column { head: "first stream read, ms", cell: |row| row.median(|one| one.first_read_ms).map(grouped) },
    Column { head: "one sync, ms", cell: |row| row.median(|one| one.sync_ms).map(grouped) },
    Column { head: "look-ups a new stream", cell: |row| row.median(|one| one.lookups_a_miss).map(grouped) },
    Column { head: "load", cell: |row| row.load.map(grouped) },
];

fn latency(all: Latency) -> String {
    let Latency { p50, p99, p999, p9999, max } = all;
    let one = |value: f64| if value < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") };
    [p50, p99, p999, p9999, max].map(one).join(" / ")
}

fn how(page: &mut String, tables: &[Table]) -> std::fmt::Result {
    writeln!(page, "## How it was measured\n\n{HOW}\nEach engine was driven as a competent user would:\n")?;
    for kind in Kind::ALL {
        let is_here = |table: &Table| {
            table.rows.iter().any(|row| row.subject == Subject::Engine(kind))
                || table.not_comparable.iter().any(|(engine, _)| engine == kind.name())
        };
        if tables.iter().any(is_here) {
            let store = if kind.is_event_store() { "" } else { " (a store that events were modelled on)" };
            writeln!(page, "- **{}**{store}: {}", kind.name(), model(kind))?;
        }
    }
    Ok(())
}

fn ratio(spread: Spread) -> String {
    let Spread { median, low, high } = spread;
    let digits = if median < 0.1 { 4 } else { 2 };
    if low == high {
        format!("{median:.digits$}")
    } else {
        format!("{median:.digits$} [{low:.digits$}–{high:.digits$}]")
    }
}

/// A whole number, thousands apart.
fn whole(count: usize) -> String {
    if count < 100 { count.to_string() } else { grouped(count as f64) }
}

/// A number with as many digits as say something, and thousands apart.
pub fn grouped(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
