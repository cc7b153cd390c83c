//! The rules of the house that a program can check, each a test whose message names the place and the remedy.

mod floors;
mod lexer;
mod size;
mod source;
mod words;

use size::Exemption;
use source::{Source, tree};

/// Files in `src` that may be longer than the limit, each up to a limit of its own.
const LONG_FILES: &[Exemption] = &[Exemption {
    what: "src/vocabulary/error.rs",
    most: 600,
    reason: "one enum an operation, each variant documented: a catalogue that is read in one piece",
}];

/// Functions that may be longer than the limit, each up to a limit of its own.
const LONG_FUNCTIONS: &[Exemption] = &[];

#[test]
fn arrows_point_down() {
    none(floors::arrows(&tree()));
}

#[test]
fn every_file_is_reached() {
    none(floors::orphans(&tree()));
}

#[test]
fn every_file_says_what_it_is_for() {
    each(words::first_line);
}

#[test]
fn files_are_short() {
    let lengths = size::file_lengths(&tree());
    for (path, lines) in lengths.iter().filter(|(_, lines)| *lines > size::FILE_AIM) {
        println!("{path}: {lines} lines, the aim is {}", size::FILE_AIM);
    }
    none(size::long_files(&lengths, LONG_FILES));
}

#[test]
fn functions_are_short() {
    none(size::long_functions(&size::function_lengths(&tree()), LONG_FUNCTIONS));
}

#[test]
fn lines_are_short() {
    each(size::wide_lines);
}

#[test]
fn unsafe_code_is_behind_its_door_and_argued() {
    each(words::unsafe_code);
}

#[test]
fn what_ships_does_not_panic_or_print() {
    let tree = tree();
    let reached = floors::reached(&tree);
    let for_tests = |source: &Source| reached.get(&source.path).is_some_and(|place| place.for_tests);
    none(tree.iter().flat_map(|source| words::banned_calls(source, for_tests(source))).collect());
}

#[test]
fn no_work_is_put_off() {
    each(words::put_off);
}

#[test]
fn every_ignored_test_is_run_by_a_script() {
    let tree = tree();
    let scripts: String =
        tree.iter().filter(|source| source.path.starts_with("scripts/")).map(|source| source.text.as_str()).collect();
    none(tree.iter().flat_map(|source| words::ignored_tests(source, &scripts)).collect());
}

#[test]
fn lints_are_expected_not_allowed() {
    each(words::allowed_lints);
}

#[test]
fn text_is_clean() {
    each(words::stray_text);
}

/// Runs a check on every file.
fn each(check: fn(&Source) -> Vec<String>) {
    none(tree().iter().flat_map(check).collect());
}

/// Fails when there are findings, and shows them all.
fn none(findings: Vec<String>) {
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}
