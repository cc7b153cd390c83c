//! The records of one workload, a row for each engine, held against Stratalog and against the limit.

use super::statistics::{Spread, interval, spread};
use crate::engines::{Kind, Part};
use crate::limits::Limit;
use crate::measure::{Latency, Measured, Outcome, Record};
use crate::subject::Subject;
use crate::workloads::Workload;
use std::collections::BTreeMap;

/// One workload.
pub struct Table {
    /// Which.
    pub workload: Workload,
    /// Those that were measured, the best first.
    pub rows: Vec<Row>,
    /// Those that cannot be compared, and why.
    pub not_comparable: Vec<(String, String)>,
    /// Those that were left out, and why.
    pub left_out: Vec<(String, String)>,
    /// Those that failed, and how.
    pub failed: Vec<(String, String)>,
}

/// One engine or limit.
pub struct Row {
    /// Who.
    pub subject: Subject,
    /// What came of each round.
    pub rounds: BTreeMap<usize, Measured>,
    /// The figure.
    pub value: Spread,
    /// The figure by that of its limit in the same round; more is better.
    pub of_limit: Option<Spread>,
    /// How busy the machine was.
    pub load: Option<f64>,
    /// The figure by Stratalog's of the same round; more than one is ahead of it.
    pub of_stratalog: Option<Spread>,
}

/// How a row stands to Stratalog's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is Stratalog's own, or a limit's, or there is nothing to hold it against.
    Apart,
    /// Stratalog is ahead.
    Behind,
    /// It is ahead of Stratalog in every round: Stratalog has lost.
    Ahead,
    /// It is ahead in the median, and not in every round: lost too, if not by much.
    JustAhead,
}

impl Table {
    /// The table of a workload; `None` where there is no record of it.
    pub fn new(workload: Workload, records: &[Record]) -> Option<Self> {
        let mut table =
            Self { workload, rows: Vec::new(), not_comparable: Vec::new(), left_out: Vec::new(), failed: Vec::new() };
        let mut measured: BTreeMap<&str, BTreeMap<usize, Measured>> = BTreeMap::new();
        let mut loads: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let here = records.iter().filter(|record| record.workload == workload.name());
        for record in here {
            let name = record.engine.as_str();
            match &record.outcome {
                Outcome::Measured(one) => {
                    loads.entry(name).or_default().extend(record.load);
                    measured.entry(name).or_default().insert(record.round, (**one).clone());
                }
                Outcome::NotComparable(why) => table.not_comparable.push((name.to_owned(), why.clone())),
                Outcome::LeftOut(why) => table.left_out.push((name.to_owned(), why.clone())),
                Outcome::Failed(why) => table.failed.push((name.to_owned(), why.clone())),
            }
        }
        table.failed.dedup();
        let [limit, unchecked] = Limit::ALL.map(|limit| measured.get(limit.name()).cloned());
        let stratalog = measured.get(Kind::Stratalog.name()).cloned();
        for (name, rounds) in measured {
            let load = loads.get(name).and_then(|loads| spread(loads)).map(|spread| spread.median);
            let values: Vec<f64> = rounds.values().map(|one| one.value).collect();
            if let (Some(subject), Some(value)) = (Subject::named(name), spread(&values)) {
                let is_unchecked =
                    matches!(subject, Subject::Limit(Limit::Unchecked) | Subject::Engine(Kind::StratalogUnchecked));
                let limit = if is_unchecked { &unchecked } else { &limit };
                let of_limit = against(workload, &rounds, limit.as_ref());
                let of_stratalog = against(workload, &rounds, stratalog.as_ref());
                table.rows.push(Row { subject, rounds, value, load, of_limit, of_stratalog });
            }
        }
        table.rows.sort_by(|one, other| other.value.median.total_cmp(&one.value.median));
        if workload.less_is_better() {
            table.rows.reverse();
        }
        let empty = table.rows.is_empty()
            && table.not_comparable.is_empty()
            && table.left_out.is_empty()
            && table.failed.is_empty();
        (!empty).then_some(table)
    }

    /// The rows that Stratalog loses.
    pub fn lost(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| matches!(row.standing(), Standing::Ahead | Standing::JustAhead))
    }
}

/// Each round's figure by the other's of the same round, turned so that more is better.
fn against(
    workload: Workload,
    rounds: &BTreeMap<usize, Measured>,
    other: Option<&BTreeMap<usize, Measured>>,
) -> Option<Spread> {
    let ratio = |(round, one): (&usize, &Measured)| {
        let other = other?.get(round)?;
        let ratio = if workload.less_is_better() { other.value / one.value } else { one.value / other.value };
        ratio.is_finite().then_some(ratio)
    };
    interval(&rounds.iter().filter_map(ratio).collect::<Vec<_>>())
}

impl Row {
    /// How the row stands to Stratalog's.
    pub fn standing(&self) -> Standing {
        match (self.subject, self.of_stratalog) {
            (Subject::Engine(kind), Some(ratio)) if !kind.is_stratalog() => {
                if ratio.median <= 1.0 {
                    Standing::Behind
                } else if ratio.low > 1.0 {
                    Standing::Ahead
                } else {
                    Standing::JustAhead
                }
            }
            _ => Standing::Apart,
        }
    }

    /// What must be said beside the figures.
    pub fn note(&self, workload: Workload) -> Option<&'static str> {
        match self.subject.part_in(workload) {
            Part::Measured(note) => note,
            Part::Same | Part::NotComparable(_) | Part::LeftOut(_) => None,
        }
    }

    /// The median of another figure, where rounds have it.
    pub fn median(&self, of: impl Fn(&Measured) -> Option<f64>) -> Option<f64> {
        spread(&self.rounds.values().filter_map(of).collect::<Vec<_>>()).map(|spread| spread.median)
    }

    /// Latencies: medians over rounds, and the slowest of all.
    pub fn latency(&self, which: fn(&Measured) -> Option<Latency>) -> Option<Latency> {
        let part = |of: fn(&Latency) -> f64| self.median(move |one| which(one).as_ref().map(of));
        let slowest = self.rounds.values().filter_map(|one| which(one).map(|latency| latency.max));
        Some(Latency {
            p50: part(|latency| latency.p50)?,
            p99: part(|latency| latency.p99)?,
            p999: part(|latency| latency.p999)?,
            p9999: part(|latency| latency.p9999)?,
            max: slowest.fold(0.0, f64::max),
        })
    }
}
