//! A run: rounds of all workloads on all engines, each in a process of its own, records left in a folder.

use crate::engines::{Kind, Part};
use crate::error::{Error, Result};
use crate::machine::{Machine, load};
use crate::measure::{Outcome, Record, read_json, write_json};
use crate::options::{Long, Run, Sizes};
use crate::sparse;
use crate::subject::Subject;
use crate::workloads::{Scale, Start, Workload};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Where the description of a run is, within its folder.
pub const RUN: &str = "run.json";
/// Where its records are.
pub const RECORDS: &str = "records";
/// Where stores are made, and removed at the end: a name that nothing else has.
const STORES: &str = "stratalog-compare-stores";

/// The description of a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    /// How much data there was.
    pub sizes: Sizes,
    /// How much where it was more.
    pub long: Long,
    /// How many rounds.
    pub rounds: usize,
    /// The processor that everything ran on, where it was just one.
    pub cpu: Option<usize>,
    /// Where it ran.
    pub machine: Machine,
}

/// What the record of filling a store says for its workload.
pub fn fill_name(scale: Scale) -> String {
    format!("fill-{}", scale.name())
}

/// One measurement, or the filling of a store.
#[derive(Debug, Clone, Copy)]
struct Cell {
    subject: Subject,
    workload: Option<Workload>,
    scale: Scale,
    round: usize,
}

impl Description {
    /// Whether it was about as much data as the bars are, in as many rounds.
    pub fn is_whole(&self) -> bool {
        let Sizes { events, streams, categories, payload, .. } = self.sizes;
        let Long { large_events, huge_events, huge_payload } = self.long;
        let usual = (events, streams, categories, payload) == (1_000_000, 10_000, 10, 256);
        usual && (large_events, huge_events, huge_payload) == (10_000_000, 100_000_000, 64) && self.rounds >= 5
    }
}

struct Runner<'a> {
    options: &'a Run,
    /// Where stores are made.
    at: PathBuf,
    /// This program.
    program: PathBuf,
}

/// Runs all that the options ask for. Returns how many measurements failed.
///
/// # Errors
/// When records or stores cannot be written. An engine that fails does not end the run.
pub fn run(options: &Run) -> Result<usize> {
    let records = options.out.join(RECORDS);
    if records.exists() {
        if !options.replace {
            return Err(Error::Broken(format!("{} holds records; --replace removes them", options.out.display())));
        }
        std::fs::remove_dir_all(&records).map_err(Error::io(&records))?;
    }
    let at = options.at.clone().unwrap_or_else(|| options.out.clone()).join(STORES);
    if at.exists() {
        // Left by a run that was interrupted.
        std::fs::remove_dir_all(&at).map_err(Error::io(&at))?;
    }
    for folder in [&records, &options.out.join("logs"), &at] {
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    }
    let description = Description {
        sizes: options.sizes.clone(),
        long: options.long.clone(),
        rounds: options.repeat,
        cpu: options.cpu,
        machine: Machine::here(&at),
    };
    write_json(&options.out.join(RUN), &description)?;
    let program = std::env::current_exe().map_err(Error::io(Path::new("this program")))?;
    let runner = Runner { options, at, program };
    let mut failed = 0;
    for scale in Scale::ALL {
        failed += runner.scale(scale)?;
    }
    std::fs::remove_dir_all(&runner.at).map_err(Error::io(&runner.at))?;
    Ok(failed)
}

impl Runner<'_> {
    fn subjects(&self) -> Vec<Subject> {
        let only = &self.options.only;
        Subject::all().filter(|subject| only.is_empty() || only.contains(subject)).collect()
    }

    fn workloads(&self, scale: Scale) -> Vec<Workload> {
        let Run { only_workload: only, huge, no_large, .. } = self.options;
        let is_meant = scale.is_huge() == *huge && !(*no_large && scale.is_large());
        let is_here = |workload: &Workload| if only.is_empty() { is_meant } else { only.contains(workload) };
        Workload::ALL.into_iter().filter(|workload| workload.scale() == scale).filter(is_here).collect()
    }

    /// Where the filled store of an engine is. The ways of using Stratalog share one.
    fn filled(&self, scale: Scale, kind: Kind) -> PathBuf {
        let kind = if kind.is_stratalog() { Kind::Stratalog } else { kind };
        self.at.join(format!("filled-{}-{}", scale.name(), kind.name()))
    }

    /// All that is about so much data: its stores are filled before, and removed after.
    fn scale(&self, scale: Scale) -> Result<usize> {
        let workloads = self.workloads(scale);
        if workloads.is_empty() {
            return Ok(0);
        }
        let mut failed = self.fill(scale, &workloads)?;
        // What changes the filled store comes when nothing else needs it.
        let (changing, others): (Vec<_>, Vec<_>) =
            workloads.into_iter().partition(|workload| workload.start() == Start::Changing);
        for workloads in [others, changing] {
            failed += self.rounds(&workloads)?;
        }
        for kind in Kind::ALL {
            let directory = self.filled(scale, kind);
            if directory.exists() {
                std::fs::remove_dir_all(&directory).map_err(Error::io(&directory))?;
            }
        }
        Ok(failed)
    }

    /// Fills a store for each engine that will be read from.
    fn fill(&self, scale: Scale, workloads: &[Workload]) -> Result<usize> {
        let mut failed = 0;
        for kind in self.subjects().into_iter().filter_map(Subject::engine) {
            let is_read =
                |workload: &Workload| workload.needs_filled() && matches!(kind.part_in(*workload), Part::Measured(_));
            let directory = self.filled(scale, kind);
            if directory.exists() || !workloads.iter().any(is_read) {
                continue;
            }
            let filler = if kind.is_stratalog() { Kind::Stratalog } else { kind };
            let busy = load();
            let cell = Cell { subject: Subject::Engine(filler), workload: None, scale, round: 1 };
            let outcome = self.one(cell, &directory)?;
            failed += self.record(cell.subject, &fill_name(scale), 1, busy, outcome)?;
        }
        Ok(failed)
    }

    fn rounds(&self, workloads: &[Workload]) -> Result<usize> {
        let rounds = |workload: Workload| match workload {
            Workload::SyncPairs => self.options.pairs,
            _ => self.options.repeat,
        };
        let most = workloads.iter().map(|workload| rounds(*workload)).max().unwrap_or(0);
        let mut failed = 0;
        for round in 1..=most {
            for workload in workloads.iter().filter(|workload| round <= rounds(**workload)) {
                let mut subjects = self.subjects();
                // No one is always first, or always behind the same neighbour.
                let shift = (round - 1) % subjects.len().max(1);
                subjects.rotate_left(shift);
                for subject in subjects {
                    failed += self.cell(subject, *workload, round)?;
                }
            }
        }
        Ok(failed)
    }

    fn cell(&self, subject: Subject, workload: Workload, round: usize) -> Result<usize> {
        let said = |outcome| self.record(subject, workload.name(), round, None, outcome);
        match subject.part_in(workload) {
            Part::Same => return Ok(0),
            // What does not change is said and measured once.
            _ if round > 1 && workload.is_fixed() => return Ok(0),
            Part::NotComparable(_) | Part::LeftOut(_) if round > 1 => return Ok(0),
            Part::NotComparable(why) => return said(Outcome::NotComparable(why.to_owned())),
            Part::LeftOut(why) => return said(Outcome::LeftOut(why.to_owned())),
            Part::Measured(_) => {}
        }
        let (scale, fresh) = (workload.scale(), self.at.join("fresh"));
        let filled = subject.engine().filter(|_| workload.needs_filled()).map(|kind| self.filled(scale, kind));
        let directory = match filled {
            Some(filled) if workload.start() == Start::Copy => {
                sparse::copy(&filled, &fresh)?;
                fresh.clone()
            }
            Some(filled) => filled,
            None => fresh.clone(),
        };
        let busy = load();
        // Only where rounds share a store does the one before matter.
        let shared = if workload.start() == Start::Changing { round } else { 1 };
        let cell = Cell { subject, workload: Some(workload), scale, round: shared };
        let outcome = self.one(cell, &directory)?;
        if directory == fresh {
            std::fs::remove_dir_all(&fresh).map_err(Error::io(&fresh))?;
        }
        self.record(subject, workload.name(), round, busy, outcome)
    }

    /// Measures in a process of its own, so that what one engine leaves in memory does not burden the next.
    fn one(&self, cell: Cell, directory: &Path) -> Result<Outcome> {
        let Cell { subject, workload, scale, round } = cell;
        std::fs::create_dir_all(directory).map_err(Error::io(directory))?;
        let result = self.at.join("outcome.json");
        let _absent = std::fs::remove_file(&result);
        let log = self.options.out.join("logs").join(format!("{}.log", subject.name()));
        let log = File::options().create(true).append(true).open(&log).map_err(Error::io(&log))?;
        let sizes = self.options.sizes.of(scale, &self.options.long);
        let mut command = Command::new(&self.program);
        command.arg("one").args(["--engine", subject.name()]);
        command.args(workload.iter().flat_map(|workload| ["--workload", workload.name()]));
        command.arg("--directory").arg(directory).arg("--result").arg(&result);
        for (option, value) in [
            ("--events", sizes.events.to_string()),
            ("--streams", sizes.streams.to_string()),
            ("--categories", sizes.categories.to_string()),
            ("--payload", sizes.payload.to_string()),
            ("--seconds", sizes.seconds.to_string()),
            ("--round", round.to_string()),
        ] {
            command.arg(option).arg(value);
        }
        command.args(self.options.cpu.iter().flat_map(|cpu| ["--cpu".to_owned(), cpu.to_string()]));
        // What the one before left to be written must not burden this one.
        let stores = File::open(&self.at).map_err(Error::io(&self.at))?;
        rustix::fs::syncfs(&stores).map_err(|error| Error::io(&self.at)(error.into()))?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn();
        let mut child = child.map_err(Error::io(&self.program))?;
        let patience = Duration::from_secs_f64(300.0 + 20.0 * sizes.seconds + sizes.events as f64 / 500.0);
        match wait(&mut child, patience).map_err(Error::io(&self.program))? {
            None => Ok(Outcome::Failed(format!("took longer than {} s", patience.as_secs()))),
            Some(_) if result.exists() => read_json(&result),
            Some(status) => Ok(Outcome::Failed(format!("ended without an outcome: {status}"))),
        }
    }

    fn record(
        &self,
        subject: Subject,
        workload: &str,
        round: usize,
        load: Option<f64>,
        outcome: Outcome,
    ) -> Result<usize> {
        let (engine, workload) = (subject.name().to_owned(), workload.to_owned());
        let record = Record { engine, workload, round, load, outcome };
        let workload = &record.workload;
        let name = format!("{workload}.{}.{round}.json", subject.name());
        write_json(&self.options.out.join(RECORDS).join(name), &record)?;
        let (line, failed) = match &record.outcome {
            Outcome::Measured(one) => (format!("{:>14.1}  in {:.2} s", one.value, one.seconds), 0),
            Outcome::NotComparable(why) => (format!("not comparable: {why}"), 0),
            Outcome::LeftOut(why) => (format!("left out: {why}"), 0),
            Outcome::Failed(why) => (format!("FAILED: {why}"), 1),
        };
        // Where nobody listens there is nobody to tell.
        let _told = writeln!(std::io::stdout(), "{round:>2}  {workload:<22} {:<20} {line}", subject.name());
        Ok(failed)
    }
}

/// Waits for a process that was started here, and ends it when it takes too long.
fn wait(child: &mut Child, patience: Duration) -> std::io::Result<Option<ExitStatus>> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
