//! What RELIABILITY.md shows of broken stores is what a shell prints that runs the same commands.
#![cfg(feature = "cli")]
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

use std::env;
use std::path::Path;
use std::process::Command;

const REPORT: &str = include_str!("../RELIABILITY.md");
const SECTION: &str = "\n## How to break a store";

/// Commands, each with the lines that the text shows behind it.
fn shown() -> Vec<(&'static str, Vec<String>)> {
    let (_, section) = REPORT.split_once(SECTION).unwrap();
    let mut shown: Vec<(&str, Vec<String>)> = Vec::new();
    let mut inside = false;
    for line in section.lines() {
        match (inside, line, line.strip_prefix("$ ")) {
            (false, ..) => inside = line == "```console",
            (true, "```", _) => inside = false,
            (true, _, Some(command)) => shown.push((command, Vec::new())),
            (true, ..) => shown.last_mut().unwrap().1.push(settled(line)),
        }
    }
    shown
}

/// The line without what differs from run to run: numbers of three digits or more, and fractions. The sizes of the stores stay.
fn settled(line: &str) -> String {
    let word = |word: &str| {
        let number = word.trim_end_matches([',', ':', ';']);
        let is_number = number.starts_with(|first: char| first.is_ascii_digit());
        let varies = is_number && number.len() > 2 && !number.starts_with("8,00");
        if varies { word.replace(number, "#") } else { word.to_owned() }
    };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn broken_stores_say_what_the_report_shows() {
    let shown = shown();
    assert!(shown.len() > 20, "{} commands", shown.len());
    let mark = "@@ next @@";
    let script: String = shown.iter().map(|(command, _)| format!("{command}\necho '{mark}'\n")).collect();
    let programs = Path::new(env!("CARGO_BIN_EXE_stratalog")).parent().unwrap().to_owned();
    let paths = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([programs].into_iter().chain(env::split_paths(&paths))).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-c", &format!("exec 2>&1\n{script}")]).env("PATH", path).current_dir(directory.path());
    let output = String::from_utf8(bash.output().unwrap().stdout).unwrap();
    let printed: Vec<&str> = output.split(&format!("{mark}\n")).collect();
    assert_eq!(printed.len(), shown.len() + 1, "{output}");
    for ((command, expected), printed) in shown.iter().zip(printed) {
        let printed: Vec<String> = printed.lines().map(settled).collect();
        assert_eq!(&printed, expected, "$ {command}");
    }
}
