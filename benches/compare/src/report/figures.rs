//! Figures across tables: ratios of one row to another, and of all that there is the best.

use super::statistics::{Spread, interval};
use super::table::{Row, Standing, Table};
use crate::engines::Kind;
use crate::measure::{Measured, Outcome, Record};
use crate::run::fill_name;
use crate::workloads::{Scale, Workload};

/// Bytes of each event's name.
const NAME: f64 = crate::data::EVENT_NAME.len() as f64;

/// All that was measured.
pub struct Figures<'a> {
    /// The tables.
    pub tables: &'a [Table],
    /// The records they were made of, fillings of stores included.
    pub records: &'a [Record],
    /// Bytes of each payload of the usual stores.
    pub payload: usize,
}

/// A figure of one measurement.
pub type Of = fn(&Measured) -> Option<f64>;

/// The figure that the workload is about.
pub fn value(measured: &Measured) -> Option<f64> {
    Some(measured.value)
}

/// How many events one sync made durable: as the engine's hand-off counted it, or else as the disk did.
pub fn events_a_sync(measured: &Measured) -> Option<f64> {
    measured.events_a_sync.or(measured.events_a_flush)
}

impl Figures<'_> {
    fn table(&self, workload: Workload) -> Option<&Table> {
        self.tables.iter().find(|table| table.workload == workload)
    }

    fn row(&self, workload: Workload, name: &str) -> Option<&Row> {
        self.table(workload)?.rows.iter().find(|row| row.subject.name() == name)
    }

    /// A figure of Stratalog's.
    pub fn ours(&self, workload: Workload, of: Of) -> Option<Spread> {
        let row = self.row(workload, Kind::Stratalog.name())?;
        interval(&row.rounds.values().filter_map(of).collect::<Vec<_>>())
    }

    /// What two measurements of the same round give together. Where just one of the workloads has many rounds, those count that
    /// both have.
    pub fn both(
        &self,
        one: (Workload, &str),
        other: (Workload, &str),
        of: impl Fn(&Measured, &Measured) -> Option<f64>,
    ) -> Option<Spread> {
        let (one, other) = (self.row(one.0, one.1)?, self.row(other.0, other.1)?);
        let together = |(round, measured): (&usize, &Measured)| of(measured, other.rounds.get(round)?);
        interval(&one.rounds.iter().filter_map(together).collect::<Vec<_>>())
    }

    /// One figure by another of the same round.
    pub fn ratio(&self, one: (Workload, &str), other: (Workload, &str), of: Of) -> Option<Spread> {
        self.both(one, other, |one, other| Some(of(one)? / of(other)?).filter(|ratio| ratio.is_finite()))
    }

    /// A row of Stratalog's by that of the limit of the same name.
    pub fn of_limit(&self, workload: Workload, name: &str) -> Option<Spread> {
        self.row(workload, name)?.of_limit
    }

    /// By how much Stratalog is ahead of the best of the others, or of the best event store. Where that has no figure, since it
    /// always syncs, its figure of `instead` counts.
    pub fn ahead(&self, workload: Workload, instead: Workload, of_all: bool) -> Option<Spread> {
        let counts = |row: &&Row| {
            row.subject.engine().is_some_and(|kind| !kind.is_stratalog() && (of_all || kind.is_event_store()))
        };
        // Rows stand in order, the best first.
        let best = self.table(instead)?.rows.iter().find(counts)?.subject.name();
        let ours = (workload, Kind::Stratalog.name());
        if workload.less_is_better() {
            self.ratio((instead, best), ours, value)
        } else {
            self.ratio(ours, (instead, best), value)
        }
    }

    /// How many of the others are ahead of Stratalog in every round, or beyond the interval.
    pub fn surely_ahead(&self, workload: Workload) -> Option<Spread> {
        self.row(workload, Kind::Stratalog.name())?;
        let ahead = self.table(workload)?.rows.iter().filter(|row| row.standing() == Standing::Ahead).count();
        interval(&[ahead as f64])
    }

    /// Bytes that an event takes beside its payload and its name.
    pub fn bytes_beside(&self, workload: Workload) -> Option<Spread> {
        let spread = self.ours(workload, |measured| measured.bytes_an_event)?;
        let own = self.payload as f64 + NAME;
        Some(Spread { median: spread.median - own, low: spread.low - own, high: spread.high - own })
    }

    /// The rate of deferred appends by the lower of two goals: half of the rate that is not synced, 0.7 of the disk's.
    pub fn deferred(&self) -> Option<Spread> {
        let ours = |workload| (workload, Kind::Stratalog.name());
        let of_os = self.ratio(ours(Workload::Deferred), ours(Workload::Append1Os), value)?;
        let of_disk = self.of_limit(Workload::Deferred, Kind::Stratalog.name())?;
        let (os, disk) = (times(of_os, 1.0 / 0.5), times(of_disk, 1.0 / 0.7));
        Some(if os.median > disk.median { os } else { disk })
    }

    /// The worst of several kills: how long opening took beyond one sync.
    pub fn killed(&self, workloads: [Workload; 3]) -> Option<Spread> {
        let beyond = |workload| self.ours(workload, |measured| Some(measured.value - measured.sync_ms?));
        let all: Option<Vec<Spread>> = workloads.into_iter().map(beyond).collect();
        all?.into_iter().max_by(|one, other| one.median.total_cmp(&other.median))
    }

    /// Seconds that filling a store took.
    pub fn filled(&self, scale: Scale) -> Option<Spread> {
        let is_it = |record: &&Record| record.workload == fill_name(scale) && record.engine == Kind::Stratalog.name();
        match &self.records.iter().find(is_it)?.outcome {
            Outcome::Measured(measured) => interval(&[measured.seconds]),
            _ => None,
        }
    }
}

fn times(spread: Spread, factor: f64) -> Spread {
    Spread { median: spread.median * factor, low: spread.low * factor, high: spread.high * factor }
}
