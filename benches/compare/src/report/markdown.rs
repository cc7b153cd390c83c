//! The page.

use super::models::model;
use super::plot_name;
use super::statistics::Spread;
use super::table::{Row, Standing, Table};
use crate::engines::Kind;
use crate::limits::Limit;
use crate::run::Description;
use crate::subject::Subject;
use std::fmt::Write;

const INTRODUCTION: &str = "\
What Stratalog does beside the engines that one would pick instead, and beside what the machine itself can do. All of it was
measured in one run of `scripts/compare`, interleaved, each engine under each workload in a process of its own; figures are
medians over the rounds. Every append carries an expected version. Every read was held against a count and a checksum over all
payload bytes.
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
- What was dirty in the page cache was written out before each measurement.
- *events a flush* counts flushes of the whole disk, which other programs share.
";

/// The page.
pub fn page(description: &Description, tables: &[Table], plots: &str, notes: &str) -> String {
    let mut page = format!("# Performance\n\n{INTRODUCTION}\n");
    // Writing to a string does not fail.
    let _done = lost(&mut page, tables)
        .and_then(|()| where_it_ran(&mut page, description))
        .and_then(|()| tables.iter().try_for_each(|table| workload(&mut page, table, plots)))
        .and_then(|()| how(&mut page, tables));
    if !notes.is_empty() {
        page += "\n";
        page += notes;
    }
    page
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

fn where_it_ran(page: &mut String, description: &Description) -> std::fmt::Result {
    let Description { sizes, rounds, cpu, machine } = description;
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
    writeln!(
        page,
        "| data | {} events of {} bytes, names of 20 bytes, {} streams in {} categories |",
        grouped(sizes.events as f64),
        sizes.payload,
        grouped(sizes.streams as f64),
        sizes.categories
    )?;
    writeln!(page, "| rounds | {rounds}, {} s a measurement |\n", sizes.seconds)
}

fn workload(page: &mut String, table: &Table, plots: &str) -> std::fmt::Result {
    let workload = table.workload;
    let better = if workload.less_is_better() { "; less is better" } else { "" };
    writeln!(page, "## {}\n", workload.title())?;
    writeln!(page, "In {}{better}.", workload.unit())?;
    for limit in Limit::ALL {
        if let Some(what) = limit.of(workload) {
            writeln!(
                page,
                "*{}*: {what}{}.",
                limit.name(),
                if limit == Limit::Unchecked { ", checksums left alone" } else { "" }
            )?;
        }
    }
    writeln!(page, "\n![{}]({plots}/{})\n", workload.title(), plot_name(workload))?;
    let columns: Vec<&Column> =
        COLUMNS.iter().filter(|column| table.rows.iter().any(|row| (column.cell)(row).is_some())).collect();
    let heads: Vec<&str> = columns.iter().map(|column| column.head).collect();
    writeln!(page, "| | median | least – most | {} |", heads.join(" | "))?;
    writeln!(page, "|---|---:|---:|{}", "---:|".repeat(columns.len().max(1)))?;
    for row in &table.rows {
        let name = row.subject.name();
        let name = if matches!(row.subject, Subject::Engine(kind) if kind.is_stratalog()) {
            format!("**{name}**")
        } else {
            name.to_owned()
        };
        let Spread { median, low, high } = row.value;
        let cells: Vec<String> =
            columns.iter().map(|column| (column.cell)(row).unwrap_or_else(|| "–".to_owned())).collect();
        writeln!(
            page,
            "| {name} | {} | {} – {} | {} |",
            grouped(median),
            grouped(low),
            grouped(high),
            cells.join(" | ")
        )?;
    }
    writeln!(page)?;
    for row in &table.rows {
        if let Some(note) = row.note(workload) {
            writeln!(page, "- {}: {note}.", row.subject.name())?;
        }
    }
    for (engine, why) in &table.not_comparable {
        writeln!(page, "- {engine}: not comparable: {why}.")?;
    }
    for (engine, why) in &table.failed {
        writeln!(page, "- {engine}: failed: {why}.")?;
    }
    writeln!(page)
}

/// A column that stands where at least one row has it.
struct Column {
    head: &'static str,
    cell: fn(&Row) -> Option<String>,
}

const COLUMNS: [Column; 10] = [
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
    Column {
        head: "p50 / p99 / p99.9 / max µs",
        cell: |row| {
            let all = row.latency()?;
            Some(format!("{:.0} / {:.0} / {:.0} / {:.0}", all.p50, all.p99, all.p999, all.max))
        },
    },
    Column { head: "events a sync", cell: |row| row.median(|one| one.events_a_sync).map(|one| format!("{one:.1}")) },
    Column { head: "events a flush", cell: |row| row.median(|one| one.events_a_flush).map(|one| format!("{one:.1}")) },
    Column { head: "bytes an event", cell: |row| row.median(|one| one.bytes_an_event).map(grouped) },
    Column { head: "MiB kept ready", cell: |row| row.median(|one| one.ready_mib).map(grouped) },
    Column { head: "MiB of memory", cell: |row| row.median(|one| one.memory_mib).map(grouped) },
    Column { head: "first stream read, ms", cell: |row| row.median(|one| one.first_read_ms).map(grouped) },
];

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
