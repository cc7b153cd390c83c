//! The program as a whole: a small run of some engines under all workloads, then its report.
#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]

use std::path::Path;
use std::process::Command;

fn program(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_stratalog-compare")).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), said)
}

fn run(out: &Path, what: &str) -> (bool, String) {
    let mut arguments = vec!["run", "--out", out.to_str().unwrap()];
    arguments.extend(
        "--events 600 --large-events 2000 --huge-events 3000 --pairs 3 --categories 4 --seconds 0.01 --repeat 2"
            .split(' '),
    );
    arguments.extend(what.split(' '));
    program(&arguments)
}

#[test]
fn a_run_leaves_records_and_a_report_and_no_stores() {
    let folder = tempfile::tempdir().unwrap();
    let what = "--streams 100 --only limit --only limit-unchecked --only stratalog --only tephra --only sqlite --only sierradb";
    let (success, said) = run(folder.path(), what);
    assert!(success, "{said}");
    assert!(!said.contains("FAILED"), "{said}");
    let there: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!there.iter().any(|name| name.to_string_lossy().contains("stores")), "{there:?}");
    let record = |name: &str| std::fs::read_to_string(folder.path().join("records").join(name)).unwrap();
    assert!(record("scan-log.sqlite.2.json").contains("\"measured\""));
    assert!(record("append-1-os.tephra.1.json").contains("\"not_comparable\""));

    let killed = record("reopen-large-killed-99.stratalog.1.json");
    assert!(killed.contains("\"measured\"") && killed.contains("sync_ms"), "{killed}");
    assert!(record("memory-short.sqlite.1.json").contains("\"left_out\""));

    // What is there is not lost by mistake.
    let (success, said) = run(folder.path(), what);
    assert!(!success && said.contains("--replace"), "{said}");

    // The run about huge stores stands beside it.
    let (success, said) = run(&folder.path().join("huge"), "--streams 100 --huge --only stratalog --only tephra");
    assert!(success && said.contains("huge-cold"), "{said}");

    let (success, said) = program(&["report", folder.path().to_str().unwrap()]);
    assert!(success, "{said}");
    let page = std::fs::read_to_string(folder.path().join("PERFORMANCE.md")).unwrap();
    for title in ["Append, 1 event a call, 64 threads, Sync", "Whole streams at random", "Bytes on disk for each event"]
    {
        assert!(page.contains(&format!("## {title}\n")), "{title}");
    }
    assert!(page.contains("3,000 events of 64 bytes, names of 20 bytes, 30 streams"), "{page}");
    for bar in ["sync-1", "killed-large", "memory-short", "huge", "huge-append", "huge-resident"] {
        let line = page.lines().find(|line| line.starts_with(&format!("| `{bar}` |"))).unwrap();
        assert!(!line.contains("not measured"), "{line}");
    }
    assert!(page.contains("- sierradb: not comparable: only one partition"), "{page}");
    assert!(folder.path().join("plots/append-1-sync-64.svg").exists());
}

#[test]
fn an_engine_that_fails_fails_the_run_and_is_in_its_records() {
    let folder = tempfile::tempdir().unwrap();
    // Fewer streams than threads: no thread would have one of its own.
    let (success, said) = run(folder.path(), "--streams 8 --only sqlite --only-workload append-1-sync-64");
    assert!(!success, "{said}");
    let record = std::fs::read_to_string(folder.path().join("records/append-1-sync-64.sqlite.1.json")).unwrap();
    assert!(record.contains("8 streams are too few for 64 threads"), "{record}");
}

#[test]
fn the_list_names_engines_workloads_and_reasons() {
    let (success, said) = program(&["list"]);
    assert!(success);
    assert!(said.contains("append-1-os: ") && said.contains("    heed-writemap: a power cut"), "{said}");
    assert!(said.contains("    umadb: not comparable: "), "{said}");
}
