//! The report says what was measured: losses first, ratios of the same round, reasons where there are no figures.

use super::figures::Figures;
use super::markdown::Page;
use super::table::{Standing, Table};
use super::{bars, markdown, report};
use crate::machine::Machine;
use crate::measure::{Latency, Measured, Outcome, Record, write_json};
use crate::options::{Long, Report, Sizes};
use crate::run::{Description, RECORDS, RUN};
use crate::workloads::Workload;

fn record(engine: &str, workload: Workload, round: usize, value: f64) -> Record {
    let measured = Measured { value, events: 1_000, seconds: 1.0, cpu_ns: Some(250.0), ..Measured::default() };
    let outcome = Outcome::Measured(Box::new(measured));
    Record { engine: engine.to_owned(), workload: workload.name().to_owned(), round, load: Some(0.5), outcome }
}

fn description() -> Description {
    let sizes = Sizes { events: 1_000_000, streams: 10_000, categories: 10, payload: 256, seconds: 5.0 };
    let long = Long { large_events: 10_000_000, huge_events: 100_000_000, huge_payload: 64 };
    Description { sizes, long, rounds: 3, cpu: None, machine: Machine::here(std::path::Path::new(".")) }
}

fn page(records: &[Record]) -> String {
    let tables: Vec<_> = Workload::ALL.into_iter().filter_map(|workload| Table::new(workload, records)).collect();
    let figures = Figures { tables: &tables, records, payload: 256 };
    let (description, bars) = (description(), bars::table(&figures, None));
    let page = Page { description: &description, huge: None, bars: &bars, plots: "plots" };
    markdown::page(&page, &tables, "## Tried\n")
}

#[test]
fn lost_rows_are_named_as_lost() {
    let mut records = Vec::new();
    for (round, value) in [(1, 90.0), (2, 100.0), (3, 95.0)] {
        records.push(record("limit", Workload::ScanLog, round, 200.0));
        records.push(record("stratalog", Workload::ScanLog, round, value));
        records.push(record("heed", Workload::ScanLog, round, value * 1.5));
        records.push(record("sqlite", Workload::ScanLog, round, value * 0.5));
        records.push(record("redb", Workload::ScanLog, round, if round == 1 { 80.0 } else { value + 1.0 }));
    }
    let page = page(&records);
    assert!(page.contains("**Scan of the whole log**: lost to heed, by 1.50 times.\n"), "{page}");
    assert!(page.contains("lost to redb, by 1.01 times, though not in every round.\n"), "{page}");
    assert!(page.contains("1.50 **lost**"), "{page}");
    assert!(!page.contains("lost to sqlite") && !page.contains("lost to limit"), "{page}");
    assert!(page.contains("0.47 [0.45–0.50]"), "{page}");
    assert!(page.ends_with("## Tried\n"));
}

#[test]
fn each_is_held_against_its_own_limit() {
    let of = [
        ("limit", 100.0),
        ("limit-unchecked", 200.0),
        ("stratalog", 50.0),
        ("stratalog-unchecked", 150.0),
        ("redb", 10.0),
    ];
    let records = of.map(|(engine, value)| record(engine, Workload::ReadStreams, 1, value));
    let table = Table::new(Workload::ReadStreams, &records).unwrap();
    let ratios = table.rows.iter().map(|row| (row.subject.name(), row.of_limit.unwrap().median));
    let expected =
        [("limit-unchecked", 1.0), ("stratalog-unchecked", 0.75), ("limit", 1.0), ("stratalog", 0.5), ("redb", 0.1)];
    assert_eq!(ratios.collect::<Vec<_>>(), expected);
}

#[test]
fn where_less_is_better_the_lesser_wins() {
    let records = [
        record("stratalog", Workload::Reopen, 1, 4.0),
        record("sqlite", Workload::Reopen, 1, 1.0),
        record("fjall", Workload::Reopen, 1, 900.0),
    ];
    let table = Table::new(Workload::Reopen, &records).unwrap();
    let names: Vec<_> = table.rows.iter().map(|row| row.subject.name()).collect();
    assert_eq!(names, ["sqlite", "stratalog", "fjall"]);
    let standings: Vec<_> = table.rows.iter().map(super::table::Row::standing).collect();
    assert_eq!(standings, [Standing::Ahead, Standing::Apart, Standing::Behind]);
    assert!(page(&records).contains("lost to sqlite, by 4.00 times."));
}

#[test]
fn without_losses_it_says_so() {
    let records = [record("stratalog", Workload::Bytes, 1, 400.0), record("umadb", Workload::Bytes, 1, 537.0)];
    assert!(page(&records).contains("## What Stratalog loses\n\nNo row of those below.\n"));
}

#[test]
fn what_was_not_measured_says_why() {
    let mut failed = record("tephra", Workload::Append1Os, 1, 0.0);
    failed.outcome = Outcome::NotComparable("it always syncs".to_owned());
    let mut ours = record("stratalog", Workload::Append1Os, 1, 0.0);
    ours.outcome = Outcome::Failed("the disk is full".to_owned());
    let page = page(&[failed, ours, record("redb", Workload::Append1Os, 1, 9.0)]);
    assert!(page.contains("- tephra: not comparable: it always syncs.\n"), "{page}");
    assert!(
        page.contains("- **Append, 1 event a call, 1 thread, Os**: stratalog failed: the disk is full.\n"),
        "{page}"
    );
    assert!(page.contains("- redb: a commit stays in the process"), "{page}");
}

#[test]
fn a_report_is_written_from_a_folder_of_records() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(RECORDS)).unwrap();
    write_json(&folder.path().join(RUN), &description()).unwrap();
    for (place, mut record) in
        [record("stratalog", Workload::Sync8, 1, 20_000.0), record("limit", Workload::Sync8, 1, 30_000.0)]
            .into_iter()
            .enumerate()
    {
        if let Outcome::Measured(measured) = &mut record.outcome {
            measured.latency = Some(Latency { p50: 280.0, p99: 900.0, p999: 1_500.0, p9999: 2_000.0, max: 4_000.0 });
            measured.events_a_sync = Some(7.9);
        }
        write_json(&folder.path().join(RECORDS).join(format!("{place}.json")), &record).unwrap();
    }
    let to = folder.path().join("deeper/PERFORMANCE.md");
    std::fs::create_dir(folder.path().join("deeper")).unwrap();
    let options =
        Report { folder: folder.path().to_owned(), to: Some(to.clone()), plots: None, notes: None, profiles: None };
    report(&options).unwrap();
    let page = std::fs::read_to_string(to).unwrap();
    assert!(page.contains("280 / 900 / 1500 / 2000 / 4000"), "{page}");
    assert!(page.contains("(../plots/append-1-sync-8.svg)"), "{page}");
    let plot = std::fs::read_to_string(folder.path().join("plots/append-1-sync-8.svg")).unwrap();
    assert!(plot.contains("30,000") && plot.contains("stratalog"), "{plot}");
}

/// The line of the table that a bar has.
fn bar(records: &[Record], name: &str) -> String {
    let page = page(records);
    page.lines().find(|line| line.starts_with(&format!("| `{name}` |"))).unwrap().to_owned()
}

#[test]
fn bars_are_met_missed_or_not_measured() {
    let of = |ratio: f64| {
        [1, 2, 3].map(|round| record("limit", Workload::Append1Os, round, 10e6)).into_iter().chain(
            [(1, ratio), (2, ratio * 1.1), (3, ratio * 0.8)]
                .map(|(round, ratio)| record("stratalog", Workload::Append1Os, round, ratio * 10e6)),
        )
    };
    assert!(
        bar(&of(0.5).collect::<Vec<_>>(), "append").contains("| ≥ 0.35 | 0.50 [0.40 – 0.55] | of the limit | met |")
    );
    assert!(bar(&of(0.36).collect::<Vec<_>>(), "append").ends_with("| met, though not all of the interval is |"));
    let missed: Vec<Record> = of(0.2).collect();
    assert!(bar(&missed, "append").ends_with("| **missed** |"));
    assert!(page(&missed).contains("No profile was taken of `append`.\n"), "{}", page(&missed));
    assert!(bar(&missed, "scan").ends_with("| not measured |"));
    // The description here is of three rounds, and five are needed.
    assert!(page(&missed).contains("**This run was smaller than"), "{}", page(&missed));
    assert!(!description().is_whole() && Description { rounds: 5, ..description() }.is_whole());
}

#[test]
fn a_missed_bar_shows_its_profile() {
    let records = [record("stratalog", Workload::Reopen, 1, 40.0)];
    let tables: Vec<_> = Workload::ALL.into_iter().filter_map(|workload| Table::new(workload, &records)).collect();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("reopen.md"), "All of it goes into reading segments.\n").unwrap();
    let text = bars::table(&Figures { tables: &tables, records: &records, payload: 256 }, Some(folder.path()));
    assert!(text.contains("(`reopen`)\n\nAll of it goes into reading segments.\n"), "{text}");
    assert!(!text.contains("No profile"), "{text}");
}

#[test]
fn the_worst_kill_counts_and_one_sync_is_free() {
    let killed = |workload, value, sync| {
        let mut record = record("stratalog", workload, 1, value);
        if let Outcome::Measured(measured) = &mut record.outcome {
            measured.sync_ms = Some(sync);
        }
        record
    };
    let records = [
        killed(Workload::Killed10, 12.0, 1.0),
        killed(Workload::Killed50, 21.0, 2.0),
        killed(Workload::Killed99, 20.0, 3.0),
    ];
    assert!(bar(&records, "killed").contains("| ≤ 20.00 | 19.00 | ms | met |"));
    assert!(bar(&records[..2], "killed").ends_with("| not measured |"));
}

#[test]
fn deferred_appends_are_held_against_the_lower_goal() {
    let records = |disk| {
        [
            record("stratalog", Workload::Append1Os, 1, 4e6),
            record("limit", Workload::Deferred, 1, disk),
            record("stratalog", Workload::Deferred, 1, 1.5e6),
        ]
    };
    assert!(bar(&records(9e6), "deferred").contains("| 0.75 |"));
    assert!(bar(&records(2e6), "deferred").contains("| 1.07 |"));
}
