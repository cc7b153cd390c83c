//! The command line program `stratalog`.

mod append;
mod args;
mod demo;
mod exit;
mod export;
mod import;
mod info;
mod input;
mod log;
mod open;
mod output;
mod query;
mod read;
mod salvage;
mod verify;

use args::{Cli, Command};
use clap::Parser;
use exit::{Code, Failure};
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let json = cli.json;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if failure.code != Code::OutputClosed {
                output::report(&failure, json);
            }
            ExitCode::from(failure.code.number())
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    let mut out = Output::new(cli.json);
    let outcome = match cli.command {
        Command::Import(arguments) => import::run(&arguments, &mut out),
        Command::Export(arguments) => export::run(&arguments, &mut out),
        Command::Append(arguments) => append::run(arguments, &mut out),
        Command::Read(arguments) => read::run(arguments, &mut out),
        Command::Query(arguments) => query::run(&arguments, &mut out),
        Command::Log(arguments) => log::run(&arguments, &mut out),
        Command::Streams(arguments) => info::streams(&arguments, &mut out),
        Command::Categories(arguments) => info::categories(&arguments, &mut out),
        Command::Info(arguments) => info::info(&arguments, &mut out),
        Command::Verify(arguments) => verify::run(&arguments, &mut out),
        Command::Salvage(arguments) => salvage::run(&arguments, &mut out),
        Command::Demo(arguments) => demo::run(&arguments, &mut out),
    };
    // What was found before an error is shown all the same; the first error counts.
    let shown = out.finish();
    outcome.and(shown)
}

/// Help and version are not failures; wrong usage is, also for machines.
fn usage(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|argument| argument == "--json");
    if json && error.use_stderr() {
        let text = error.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        output::report(&Failure::new(Code::Usage, message), true);
    } else {
        // Whether it could be printed changes nothing any more.
        let _ = error.print();
    }
    ExitCode::from(if error.use_stderr() { Code::Usage.number() } else { 0 })
}
