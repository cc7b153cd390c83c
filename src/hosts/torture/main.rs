//! The program `stratalog-torture`: runs one piece of the proof, and writes what it counted for the report.

mod damage;
mod record;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;
use stratalog::testing::torture::Outcome;

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
    /// Damages small stores in every way: each time the data is the same, or there is an error that says where.
    Damage(damage::DamageArgs),
    /// Runs nothing, and counts that.
    Nothing,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.piece {
        Piece::Damage(arguments) => damage::run(&arguments),
        Piece::Nothing => Outcome::new("nothing"),
    };
    record::settle(&outcome, cli.out.as_deref())
}
