//! What Stratalog is to reach, held against what was measured.

use super::figures::{Figures, events_a_sync, value};
use super::markdown::grouped;
use super::statistics::Spread;
use crate::workloads::Workload as W;
use std::path::Path;

/// How much is enough.
#[derive(Clone, Copy)]
enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// Nothing was set; it is to be told.
    Told,
}

/// One bar.
struct Bar {
    /// What it is called; its profile has this name.
    id: &'static str,
    what: &'static str,
    goal: Goal,
    unit: &'static str,
    figure: fn(&Figures<'_>) -> Option<Spread>,
}

const OURS: &str = "stratalog";
const HANDLES: &str = "stratalog-handles";
const UNCHECKED: &str = "stratalog-unchecked";
const LIMIT: &str = "limit";

const fn at_least(
    id: &'static str,
    what: &'static str,
    least: f64,
    unit: &'static str,
    figure: fn(&Figures<'_>) -> Option<Spread>,
) -> Bar {
    Bar { id, what, goal: Goal::AtLeast(least), unit, figure }
}

const fn at_most(
    id: &'static str,
    what: &'static str,
    most: f64,
    unit: &'static str,
    figure: fn(&Figures<'_>) -> Option<Spread>,
) -> Bar {
    Bar { id, what, goal: Goal::AtMost(most), unit, figure }
}

const fn told(
    id: &'static str,
    what: &'static str,
    unit: &'static str,
    figure: fn(&Figures<'_>) -> Option<Spread>,
) -> Bar {
    Bar { id, what, goal: Goal::Told, unit, figure }
}

const APPENDS: &[Bar] = &[
    at_least("append", "append, 1 event a call, Os", 0.35, "of the limit", |all| all.of_limit(W::Append1Os, OURS)),
    at_least("append-handles", "append, 1 event a call, Os, through a stream handle", 0.45, "of the limit", |all| {
        all.of_limit(W::Append1Os, HANDLES)
    }),
    at_least("append-sqlite", "append, 1 event a call, Os", 200.0, "× SQLite", |all| {
        all.ratio((W::Append1Os, OURS), (W::Append1Os, "sqlite"), value)
    }),
    at_least("append-lmdb", "append, 1 event a call, Os", 15.0, "× LMDB with WRITEMAP", |all| {
        all.ratio((W::Append1Os, OURS), (W::Append1Os, "heed-writemap"), value)
    }),
    at_least("append-peers", "append, 1 event a call, Os", 50.0, "× the best event store, which always syncs", |all| {
        all.ahead(W::Append1Os, W::Sync1, false)
    }),
    at_least("append-large", "append onto a large store, Os", 0.25, "of the limit", |all| {
        all.of_limit(W::AppendLarge, OURS)
    }),
    at_least("append-wide", "append onto as many streams as events, Os", 0.12, "of the limit", |all| {
        all.of_limit(W::AppendWide, OURS)
    }),
    at_least("sustained", "append without a pause until closed, Os", 1e6, "events/s", |all| {
        all.ours(W::Sustained, value)
    }),
    at_least("new-streams", "first events of new streams onto a large store", 0.3, "of the first row", |all| {
        all.ratio((W::NewStreams, OURS), (W::Append1Os, OURS), value)
    }),
    at_most("new-streams-lookups", "look-ups in sealed segments, a huge store", 0.01, "a new stream", |all| {
        all.ours(W::HugeNew, |measured| measured.lookups_a_miss)
    }),
    at_least("append-100", "append, 100 events a call, Os", 0.60, "of the limit", |all| {
        all.of_limit(W::Append100Os, OURS)
    }),
    at_most("paced", "slowest append at a steady pace: p99.99", 1_000.0, "µs", |all| all.ours(W::Paced, value)),
    at_most("paced-max", "slowest append at a steady pace, beyond the bare loop's", 5_000.0, "µs", |all| {
        all.both((W::Paced, OURS), (W::Paced, LIMIT), |ours, limit| Some(ours.latency?.max - limit.latency?.max))
    }),
];

const SYNCED: &[Bar] = &[
    at_least("sync-1", "append, 1 event a call, 1 thread, Sync, in pairs", 0.90, "of the bare loop", |all| {
        all.of_limit(W::SyncPairs, OURS)
    }),
    at_most("sync-1-peers", "append, 1 event a call, 1 thread, Sync", 0.0, "others surely ahead", |all| {
        all.surely_ahead(W::Sync1)
    }),
    at_most("sync-1-tail", "append, 1 thread, Sync, p99.9 across rotations", 2.0, "× the bare loop's", |all| {
        all.ratio((W::SyncPairs, OURS), (W::SyncPairs, LIMIT), |measured| Some(measured.latency?.p999))
    }),
    at_least("sync-8-batch", "append, 8 threads, Sync", 7.5, "events a sync", |all| all.ours(W::Sync8, events_a_sync)),
    at_least("sync-8", "append, 8 threads, Sync", 0.85, "of the bare loop", |all| all.of_limit(W::Sync8, OURS)),
    at_least("sync-8-all", "append, 8 threads, Sync", 1.0, "× the best of the others", |all| {
        all.ahead(W::Sync8, W::Sync8, true)
    }),
    at_least("sync-8-peers", "append, 8 threads, Sync", 2.0, "× the best event store", |all| {
        all.ahead(W::Sync8, W::Sync8, false)
    }),
    at_least("sync-64-batch", "append, 64 threads, Sync", 58.0, "events a sync", |all| {
        all.ours(W::Sync64, events_a_sync)
    }),
    at_least("sync-64", "append, 64 threads, Sync", 0.85, "of the bare loop", |all| all.of_limit(W::Sync64, OURS)),
    at_least("sync-64-all", "append, 64 threads, Sync", 1.0, "× the best of the others", |all| {
        all.ahead(W::Sync64, W::Sync64, true)
    }),
    at_least("sync-64-peers", "append, 64 threads, Sync", 2.0, "× the best event store", |all| {
        all.ahead(W::Sync64, W::Sync64, false)
    }),
    at_least("deferred", "deferred append, 1 thread, Sync", 1.0, "× (0.5 of Os or 0.7 of the disk)", |all| {
        all.deferred()
    }),
];

const READS: &[Bar] = &[
    at_least("scan", "scan of the whole log", 0.70, "of the raw scan", |all| all.of_limit(W::ScanLog, OURS)),
    at_least("scan-unchecked", "scan of the whole log, checks off", 0.70, "of the raw scan", |all| {
        all.of_limit(W::ScanLog, UNCHECKED)
    }),
    at_least("streams", "whole streams at random", 0.70, "of a plain loop", |all| all.of_limit(W::ReadStreams, OURS)),
    at_least("streams-unchecked", "whole streams at random, checks off", 0.90, "of a plain loop", |all| {
        all.of_limit(W::ReadStreams, UNCHECKED)
    }),
    at_least("streams-peers", "whole streams at random", 5.0, "× the best of the others", |all| {
        all.ahead(W::ReadStreams, W::ReadStreams, true)
    }),
    at_least("category", "scan of one category", 6.0, "× the best of the others", |all| {
        all.ahead(W::ReadCategory, W::ReadCategory, true)
    }),
];

const STORES: &[Bar] = &[
    at_most("reopen", "reopen after a clean close", 5.0, "ms", |all| all.ours(W::Reopen, value)),
    at_most("reopen-large", "reopen a large store after a clean close", 50.0, "ms", |all| {
        all.ours(W::ReopenLarge, value)
    }),
    at_least("reopen-peers", "reopen after a clean close", 1.0, "× the best event store", |all| {
        all.ahead(W::Reopen, W::Reopen, false)
    }),
    at_most("killed", "reopen after SIGKILL, the worst fill, beyond one sync", 20.0, "ms", |all| {
        all.killed([W::Killed10, W::Killed50, W::Killed99])
    }),
    at_most("killed-large", "reopen a large store after SIGKILL, likewise", 70.0, "ms", |all| {
        all.killed([W::KilledLarge10, W::KilledLarge50, W::KilledLarge99])
    }),
    at_most("memory-long", "memory of a large store after reads, 100 events a stream", 64.0, "MiB", |all| {
        all.ours(W::MemoryLong, value)
    }),
    at_most("memory-short", "memory of a large store after reads, 5 events a stream", 256.0, "MiB", |all| {
        all.ours(W::MemoryShort, value)
    }),
    at_most("bytes-1", "on disk beside payload and name, 1 event a transaction", 112.0, "bytes an event", |all| {
        all.bytes_beside(W::Bytes)
    }),
    at_most("bytes-100", "on disk beside payload and name, 100 a transaction", 64.0, "bytes an event", |all| {
        all.bytes_beside(W::Append100Os)
    }),
    at_least("bytes-peers", "on disk, the best event store", 1.0, "× Stratalog's", |all| {
        all.ahead(W::Bytes, W::Bytes, false)
    }),
];

const HUGE: &[Bar] = &[
    told("huge", "a huge store is filled", "s", |all| all.filled(crate::workloads::Scale::Huge)),
    told("huge-reopen", "a huge store is reopened", "ms", |all| all.ours(W::HugeReopen, value)),
    at_most("huge-append", "CPU an append onto a huge store", 1.4, "× a usual store's", |all| {
        all.ratio((W::HugeAppend, OURS), (W::SmallAppend, OURS), |measured| measured.cpu_ns)
    }),
    at_least("huge-resident", "reads of a huge store, what is in memory", 0.8, "of a usual store's", |all| {
        all.ratio((W::HugeResident, OURS), (W::SmallResident, OURS), value)
    }),
    told("huge-cold", "reads of a huge store, what is not in memory", "events a read of the disk", |all| {
        all.ours(W::HugeCold, |measured| measured.events_a_read)
    }),
];

impl Bar {
    fn row(&self, all: &Figures<'_>) -> String {
        let goal = match self.goal {
            Goal::Told => "–".to_owned(),
            Goal::AtLeast(least) => format!("≥ {}", number(least)),
            Goal::AtMost(most) => format!("≤ {}", number(most)),
        };
        let Some(spread) = (self.figure)(all) else {
            return format!("| `{}` | {} | {goal} | – | {} | not measured |\n", self.id, self.what, self.unit);
        };
        let Spread { median, low, high } = spread;
        let measured = if low == high {
            number(median)
        } else {
            format!("{} [{} – {}]", number(median), number(low), number(high))
        };
        let verdict = match (self.is_met(median), self.is_met(low) == self.is_met(high)) {
            _ if matches!(self.goal, Goal::Told) => "",
            (true, true) => "met",
            (true, false) => "met, though not all of the interval is",
            (false, false) => "**missed**, though not all of the interval is",
            (false, true) => "**missed**",
        };
        format!("| `{}` | {} | {goal} | {measured} | {} | {verdict} |\n", self.id, self.what, self.unit)
    }

    fn is_met(&self, figure: f64) -> bool {
        match self.goal {
            Goal::AtLeast(least) => figure >= least,
            Goal::AtMost(most) => figure <= most,
            Goal::Told => true,
        }
    }

    fn is_missed(&self, all: &Figures<'_>) -> bool {
        (self.figure)(all).is_some_and(|spread| !self.is_met(spread.median))
    }
}

/// The number, with more digits where it is small.
fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.1 { format!("{value:.4}") } else { grouped(value) }
}

fn bars() -> impl Iterator<Item = &'static Bar> {
    [APPENDS, SYNCED, READS, STORES, HUGE].into_iter().flatten()
}

/// The table of all bars, and for each that is missed the profile that says why, from a folder that has a file for each.
pub fn table(all: &Figures<'_>, profiles: Option<&Path>) -> String {
    let mut text = "| | | goal | measured | | |\n|---|---|---:|---:|---|---|\n".to_owned();
    bars().for_each(|bar| text += &bar.row(all));
    let missed: Vec<&Bar> = bars().filter(|bar| bar.is_missed(all)).collect();
    if missed.is_empty() {
        return text;
    }
    text += "\n### Why bars are missed\n\n";
    let mut without = Vec::new();
    for bar in missed {
        match profiles.and_then(|folder| std::fs::read_to_string(folder.join(bar.id).with_extension("md")).ok()) {
            Some(profile) => {
                text += &format!("**{}, {}** (`{}`)\n\n{}\n\n", bar.what, bar.unit, bar.id, profile.trim_end());
            }
            None => without.push(format!("`{}`", bar.id)),
        }
    }
    if !without.is_empty() {
        text += &format!("No profile was taken of {}.\n", without.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_bar_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = bars().map(|bar| bar.id).collect();
        assert_eq!(names.len(), bars().count());
    }
}
