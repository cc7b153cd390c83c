//! A share of the proofs on real kernels, small enough for every run, and the oracle behind them, which must notice losses.
#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]
#![expect(clippy::print_stdout, reason = "a skipped test says why")]
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn torture() -> Command {
    Command::new(env!("CARGO_BIN_EXE_stratalog-torture"))
}

/// Runs a piece and gives what it counted under a name; `None`, and the reason printed, where it could not be run here.
fn count(arguments: &[&str], what: &str) -> Option<u64> {
    let folder = tempfile::tempdir().unwrap();
    let out = tempfile::tempdir().unwrap();
    let mut command = torture();
    command.args(arguments).arg("--dir").arg(folder.path()).arg("--out").arg(out.path());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {}\n{said}{complained}", output.status);
    let record = fs::read_dir(out.path()).unwrap().next().unwrap().unwrap().path();
    let record: serde_json::Value = serde_json::from_slice(&fs::read(record).unwrap()).unwrap();
    assert_eq!(record["violations"].as_array().map(Vec::len), Some(0), "{said}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
    if let Some(reason) = record["skipped"].as_str() {
        println!("skipped: {reason}");
        return None;
    }
    assert!(record["counts"]["acknowledged transactions checked"].as_u64() > Some(0), "{said}");
    record["counts"][what].as_u64()
}

#[test]
fn killed_processes_lose_nothing_acknowledged() {
    assert_eq!(count(&["kills", "--cycles", "20", "--jobs", "1"], "kills"), Some(20));
}

#[test]
fn a_power_cut_on_ext4_loses_nothing_durable() {
    let cuts = count(&["power-cuts", "--cycles", "10"], "cuts");
    assert!(cuts.is_none_or(|cuts| cuts == 10), "{cuts:?}");
}

#[test]
fn a_power_cut_on_xfs_loses_nothing_durable() {
    let cuts = count(&["power-cuts", "--cycles", "6", "--file-system", "xfs"], "cuts");
    assert!(cuts.is_none_or(|cuts| cuts == 6), "{cuts:?}");
}

#[test]
fn a_failed_write_back_poisons_and_loses_nothing_durable() {
    let devices = count(&["thin-device", "--cycles", "3"], "devices");
    assert!(devices.is_none_or(|devices| devices == 3), "{devices:?}");
}

#[test]
fn full_disks_lose_nothing_and_go_on_when_there_is_room() {
    let levels = count(&["full-disks", "--levels", "4"], "levels");
    assert!(levels.is_none_or(|levels| levels == 4), "{levels:?}");
}

/// A slice of the matrix, another one each time; a failure names the seed.
#[test]
fn failing_system_calls_end_in_typed_errors() {
    let cells = count(&["syscall-faults", "--one-in", "40", "--jobs", "1"], "cells");
    println!("{cells:?} cells");
}

/// Runs a workload that ends by itself.
fn work(store: &Path, acks: &Path) {
    let mut command = torture();
    command.arg("workload").arg(store).arg("--acks").arg(acks).args(["--appends", "10", "--seed", "1"]);
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{status}");
}

fn check(store: &Path, acks: &Path) -> Output {
    torture().arg("check").arg(store).arg("--acks").arg(acks).args(["--after", "power"]).output().unwrap()
}

/// Fails unless the check fails, and says this.
fn noticed(store: &Path, acks: &Path, what: &str) {
    let output = check(store, acks);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("VIOLATION") && said.contains(what), "{said}");
}

#[test]
fn the_oracle_notices_what_is_missing_altered_or_too_much() {
    let folder = tempfile::tempdir().unwrap();
    let (store, acks) = (folder.path().join("store"), folder.path().join("acks"));
    work(&store, &acks);
    let (old_store, old_acks) = (folder.path().join("old store"), folder.path().join("old acks"));
    fs::create_dir(&old_store).unwrap();
    for entry in fs::read_dir(&store).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), old_store.join(entry.file_name())).unwrap();
    }
    fs::copy(&acks, &old_acks).unwrap();
    work(&store, &acks);

    assert!(check(&store, &acks).status.success(), "all is there");
    assert!(check(&old_store, &old_acks).status.success(), "all is there");
    noticed(&old_store, &acks, "was promised");
    noticed(&store, &old_acks, "was not submitted");

    // Another seed: then nothing is what should have been written. Whose transaction comes first is the threads' affair.
    let other = folder.path().join("other acks");
    let mut command = torture();
    command.arg("workload").arg(folder.path().join("other")).arg("--acks").arg(&other).args([
        "--appends",
        "10",
        "--seed",
        "2",
    ]);
    assert!(command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap().success());
    noticed(&store, &other, "thread");
}
