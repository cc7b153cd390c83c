//! Measures Stratalog beside the engines that users would pick instead, and the machine's own limits.

mod data;
mod engine;
mod engines;
mod error;
mod fresh;
mod gather;
mod limits;
mod machine;
mod measure;
mod options;
mod report;
mod run;
mod sparse;
mod subject;
mod workloads;

use clap::Parser;
use data::Data;
use engines::Part;
use error::{Error, Result};
use measure::{Outcome, write_json};
use options::{Command, One, Options};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;
use subject::Subject;
use workloads::{Extent, Workload};

fn main() -> ExitCode {
    let done = match Options::parse().command {
        Command::Run(options) => run::run(&options),
        Command::Report(options) => report::report(&options).map(|()| 0),
        Command::List => list().map(|()| 0),
        Command::One(options) => one(&options).map(|()| 0),
        Command::Child { task } => workloads::work(&task).map(|()| 0),
    };
    let told = match done {
        Ok(0) => return ExitCode::SUCCESS,
        Ok(failed) => writeln!(std::io::stderr(), "{failed} measurements failed"),
        Err(error) => writeln!(std::io::stderr(), "stratalog-compare: {error}"),
    };
    // Where nobody listens there is nobody to tell; the exit code says it too.
    drop(told);
    ExitCode::FAILURE
}

/// Measures one engine under one workload, or fills its store, and leaves the outcome.
fn one(options: &One) -> Result<()> {
    if let Some(cpu) = options.cpu {
        let mut set = rustix::thread::CpuSet::new();
        set.set(cpu);
        rustix::thread::sched_setaffinity(None, &set)
            .map_err(|error| Error::Broken(format!("cannot run on processor {cpu}: {error}")))?;
    }
    let sizes = &options.sizes;
    let data = Data::new(sizes.events, sizes.streams, sizes.categories, sizes.payload);
    let extent = Extent { events: sizes.events, time: Duration::from_secs_f64(sizes.seconds), round: options.round };
    if options.workload.is_some_and(Workload::fills_memory) {
        fresh::use_once(&options.directory, sizes.events, sizes.payload)?;
    }
    let measured = match (options.workload, options.engine) {
        (Some(workload), subject) => subject.measure(workload, &data, extent, &options.directory),
        (None, Subject::Engine(kind)) => workloads::loaded(kind, &data, &options.directory),
        (None, Subject::Limit(_)) => Err(Error::NotComparable("a limit has no store")),
    };
    let outcome = match measured {
        Ok(measured) => Outcome::Measured(Box::new(measured)),
        Err(Error::NotComparable(why)) => Outcome::NotComparable(why.to_owned()),
        Err(error) => Outcome::Failed(error.to_string()),
    };
    write_json(&options.result, &outcome)
}

fn list() -> Result<()> {
    let mut text = String::new();
    for workload in Workload::ALL {
        text += &format!("{}: {}\n", workload.name(), workload.title());
        for subject in Subject::all() {
            text += &match subject.part_in(workload) {
                Part::Same => continue,
                Part::Measured(None) => format!("    {}\n", subject.name()),
                Part::Measured(Some(note)) => format!("    {}: {note}\n", subject.name()),
                Part::NotComparable(why) => format!("    {}: not comparable: {why}\n", subject.name()),
                Part::LeftOut(why) => format!("    {}: left out: {why}\n", subject.name()),
            };
        }
    }
    std::io::stdout().write_all(text.as_bytes()).map_err(Error::io(std::path::Path::new("standard output")))
}
