//! Tests: a stream is found in all parts of the log, also where an index's table takes another for it that has the same hash.

use super::Engine;
use super::fault_tests::{append, open};
use crate::format::index_file::SectionKind;
use crate::index::{hash_seed, stream_hash};
use crate::testing::fuzz::index::reseal;
use crate::vocabulary::condition::Condition;
use crate::vocabulary::error::ReadError;
use crate::vocabulary::identifier::Stream;
use crate::vocabulary::number::Position;
use crate::vocabulary::options::Durability;
use crate::vocabulary::query::ScanQuery;
use std::fs;
use std::path::Path;

/// Of each stream that is asked for, where its events stand.
fn numbers(engine: &Engine, narrow: impl Fn(&mut ScanQuery)) -> Result<Vec<u64>, ReadError> {
    let mut query = ScanQuery::new(Stream::new("c", "sought"));
    narrow(&mut query);
    let mut numbers = Vec::new();
    engine.scan(&query)?.visit(&mut |event| {
        assert_eq!(event.stream(), "sought");
        numbers.push(event.sequence_number().get());
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(numbers)
}

/// What is read of the stream in several ways.
fn all(engine: &Engine) -> Result<Vec<Vec<u64>>, ReadError> {
    let from = |position: u64| move |query: &mut ScanQuery| query.from_position = Some(Position::new(position));
    let newest = engine.latest(&Stream::new("c", "sought").into())?;
    Ok(vec![
        numbers(engine, |_| ())?,
        numbers(engine, |query| query.reverse = true)?,
        numbers(engine, |query| query.limit = Some(5))?,
        numbers(engine, |query| (query.reverse, query.limit) = (true, Some(60)))?,
        numbers(engine, from(0))?,
        numbers(engine, from(7))?,
        newest.iter().map(|event| event.sequence_number().get()).collect(),
    ])
}

/// Some segments without the stream, many with it, some without. Gives what is to be read of it.
fn filled(path: &Path) -> Vec<Vec<u64>> {
    let (engine, _) = open(path, Durability::Os).unwrap();
    let mut right = Vec::new();
    let mut number = 0;
    for round in 0..500 {
        append(&engine, &format!("other-{}", round % 8), &Condition::any()).unwrap();
        number += 1;
        if (60..440).contains(&round) && round % 4 == 0 {
            append(&engine, "sought", &Condition::any()).unwrap();
            right.push(number);
            number += 1;
        }
    }
    let back: Vec<u64> = right.iter().rev().copied().collect();
    let newest = back[..1].to_vec();
    let right = vec![
        right.clone(),
        back.clone(),
        right[..5].to_vec(),
        back[..60].to_vec(),
        right.clone(),
        right[7..].to_vec(),
        newest,
    ];
    assert_eq!(all(&engine).unwrap(), right);
    engine.close().unwrap();
    right
}

#[test]
fn a_stream_is_read_from_more_parts_than_are_looked_up_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let right = filled(directory.path());
    let segments = fs::read_dir(directory.path()).unwrap();
    let segments =
        segments.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "segment"));
    assert!(segments.count() > 20);
    let (engine, _) = open(directory.path(), Durability::Os).unwrap();
    assert_eq!(all(&engine).unwrap(), right);
}

fn low(wide: u64) -> u64 {
    wide & 0xffff_ffff
}

/// Changes the tables of streams, which are lists of numbers, of all index files. Says in how many there was something to change.
fn change(path: &Path, change: impl Fn(&mut [u64], u64, u64) -> bool) -> usize {
    let mut changed = 0;
    for entry in fs::read_dir(path).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "index") {
            continue;
        }
        let mut bytes = fs::read(&path).unwrap();
        let seed = hash_seed(bytes[24..40].try_into().unwrap());
        let rows = u32::from_le_bytes(bytes[160..164].try_into().unwrap()) as usize;
        let kind = |row: &&[u8]| usize::from(row[0]) == SectionKind::StreamTable.place() + 1;
        let Some(row) = bytes[192..192 + rows * 24].chunks(24).find(kind) else { continue };
        let at = |at: usize| usize::try_from(u64::from_le_bytes(row[at..at + 8].try_into().unwrap())).unwrap();
        let (start, length) = (at(8), at(16));
        let slots = bytes[start..start + length].chunks(8);
        let mut table: Vec<u64> = slots.map(|slot| u64::from_le_bytes(slot.try_into().unwrap())).collect();
        let of = |stream| stream_hash(seed, "c", stream);
        changed += usize::from(change(&mut table, of("sought"), low(of("other-3"))));
        let table: Vec<u8> = table.iter().flat_map(|slot| slot.to_le_bytes()).collect();
        bytes[start..start + length].copy_from_slice(&table);
        reseal(&mut bytes);
        fs::write(&path, bytes).unwrap();
    }
    changed
}

#[test]
fn events_of_a_stream_with_the_same_hash_are_not_taken_for_those_of_the_one_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let right = filled(directory.path());
    // The other stream has a second slot, where the one that is asked for is looked for.
    let changed = change(directory.path(), |table, sought, other| {
        let Some(slot) = table.iter().copied().find(|slot| slot >> 32 == other) else { return false };
        let slots = table.len();
        let home = usize::try_from(((sought >> 32) * slots as u64) >> 32).unwrap();
        let free = (0..slots).map(|step| (home + step) % slots).find(|at| table[*at] == 0).unwrap();
        table[free] = low(sought) << 32 | low(slot);
        table.contains(&0)
    });
    assert!(changed > 3, "{changed} files");
    let (engine, _) = open(directory.path(), Durability::Os).unwrap();
    assert_eq!(all(&engine).unwrap(), right);
}

#[test]
fn an_index_that_takes_another_stream_for_one_that_is_there_is_corrupt() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path());
    let changed = change(directory.path(), |table, sought, other| {
        let Some(number) = table.iter().find(|slot| **slot >> 32 == other).map(|slot| low(*slot)) else { return false };
        let own = table.iter_mut().find(|slot| **slot >> 32 == low(sought));
        own.map(|own| *own = low(sought) << 32 | number).is_some()
    });
    assert!(changed > 0);
    let (engine, _) = open(directory.path(), Durability::Os).unwrap();
    let found = numbers(&engine, |_| ());
    assert!(matches!(found, Err(ReadError::Corrupt(_))), "{found:?}");
}
