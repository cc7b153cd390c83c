//! The fuzz targets as ordinary tests: each body over its committed corpus and over mutations of it.
#![cfg(all(feature = "testing", feature = "cli"))]
#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]

use std::fs;
use std::path::Path;
use stratalog::hosts::lines::fuzz::lines;
use stratalog::testing::fuzz;

/// The committed inputs of a target, in order of their names.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let inputs: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(inputs.len() >= 20, "{target} has {} inputs", inputs.len());
    inputs
}

/// Runs a body over its corpus, and over so many mutations of it: the same ones each time.
fn run(target: &str, mutations: usize, body: fn(&[u8])) {
    let inputs = corpus(target);
    for input in &inputs {
        body(input);
    }
    let mut random = fastrand::Rng::with_seed(0x5eed);
    for _ in 0..mutations {
        let other = random.choice(&inputs).unwrap();
        let mut input = random.choice(&inputs).unwrap().clone();
        for _ in 0..random.usize(1..6) {
            mutate(&mut input, other, &mut random);
        }
        body(&input);
    }
}

/// Changes, adds or removes a few bytes, or goes on as another input does.
fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut fastrand::Rng) {
    let at = random.usize(0..=input.len());
    match random.u8(0..6) {
        0 | 1 if at < input.len() => input[at] = random.u8(..),
        2 if at < input.len() => input[at] ^= 1 << random.u8(0..8),
        3 => input.truncate(at),
        4 => input.splice(at..at, other.iter().copied().take(random.usize(0..32))).for_each(drop),
        _ => input.splice(at.., other.iter().copied().skip(at)).for_each(drop),
    }
}

#[test]
fn frames() {
    run("frame", 20_000, fuzz::frame);
}

#[test]
fn operations() {
    run("ops", 300, fuzz::ops);
}

#[test]
fn segments() {
    run("segment", 5_000, fuzz::segment);
}

#[test]
fn stores() {
    run("store", 2_000, fuzz::store);
}

#[test]
fn import_lines() {
    run("lines", 10_000, lines);
}

#[test]
fn headers() {
    run("header", 100_000, fuzz::header);
}

#[test]
fn index_files() {
    run("index", 1_000, fuzz::index);
}

#[test]
fn directories() {
    run("directory", 500, fuzz::directory);
}

#[test]
fn json_of_values() {
    run("json", 50_000, fuzz::json);
}

#[test]
fn names() {
    run("names", 50_000, fuzz::names);
}
