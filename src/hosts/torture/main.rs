//! The program `stratalog-torture`: runs one piece of the proof, and writes what it counted for the report.

mod damage;
mod kernel;
mod linearize;
mod provenance;
mod record;
mod report;
mod simulated;

use clap::{Parser, Subcommand};
use kernel::{check, full_disks, kills, look, power_cuts, scenario, syscall_faults, thin_device, workload};
use std::path::PathBuf;
use std::process::ExitCode;

/// Runs one piece of the proof that the store keeps its promises. `scripts/torture` runs them all.
#[derive(Debug, Parser)]
#[command(name = "stratalog-torture", version)]
struct Cli {
    /// Also write what was counted to PIECE.json in this folder, for the report.
    #[arg(long, global = true, value_name = "FOLDER")]
    out: Option<PathBuf>,
    #[command(subcommand)]
    piece: Piece,
}

#[derive(Debug, Subcommand)]
enum Piece {
    Workload(workload::Args),
    Look(look::Args),
    Check(check::Args),
    Kills(kills::Args),
    PowerCuts(power_cuts::Args),
    ThinDevice(thin_device::Args),
    FullDisks(full_disks::Args),
    Scenario(scenario::Args),
    SyscallFaults(syscall_faults::Args),
    /// Random work on a simulated disk, with crashes, faults and crashes within recovery.
    Simulate(simulated::Simulate),
    /// Every duty of the simulated disk fails with every error, at every call.
    Faults(simulated::Faults),
    /// Small cases on the simulated disk, all of them: every moment, every subset of what was not synced.
    Exhaust(simulated::Exhaust),
    /// Records what a script counted.
    Record(record::Counted),
    /// Writes RELIABILITY.md from the records in a folder.
    Report(report::Report),
    /// Prints the digest of the source that records carry.
    Source,
    /// Damages small stores in every way: each time the data is the same, or there is an error that says where.
    Damage(damage::DamageArgs),
    /// Eight threads on one store, with crashes: an order must explain all that they were told.
    Linearize(linearize::Linearize),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.piece {
        Piece::Workload(args) => return workload::run(args),
        Piece::Look(args) => return look::run(args),
        Piece::Check(args) => check::run(args),
        Piece::Kills(args) => kills::run(args),
        Piece::PowerCuts(args) => power_cuts::run(args),
        Piece::ThinDevice(args) => thin_device::run(args),
        Piece::FullDisks(args) => full_disks::run(args),
        Piece::Scenario(args) => return scenario::run(args),
        Piece::SyscallFaults(args) => syscall_faults::run(args),
        Piece::Simulate(piece) => piece.run(),
        Piece::Faults(piece) => piece.run(),
        Piece::Exhaust(piece) => piece.run(),
        Piece::Record(counted) => counted.outcome(),
        Piece::Report(report) => return report.run(),
        Piece::Source => return report::source(),
        Piece::Damage(arguments) => damage::run(arguments),
        Piece::Linearize(piece) => piece.run(),
    };
    record::settle(&outcome, cli.out.as_deref())
}
