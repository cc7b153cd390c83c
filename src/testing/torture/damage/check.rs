//! Opening, verifying and salvaging damaged files, and holding what comes of it against what may.

use super::cases::Case;
use super::difference::Difference;
use super::image::{FILE_BYTES, Image, NAMESPACE, options, transactions_of};
use super::salvageable::{Salvageable, salvageable};
use crate::adapters::StorageAdapter;
use crate::adapters::log::LogAdapter;
use crate::disk::{MemoryDisk, MemoryFiles};
use crate::engine::{Keep, Verdict, open_on, salvage_on, verify_on};
use crate::log::{segment_name, segment_number};
use crate::testing::torture::Outcome;
use crate::vocabulary::error::{Corruption, Error, OpenError};
use crate::vocabulary::options::{Durability, OpenMode};
use crate::vocabulary::transaction::StoredTransaction;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What opening came to.
type Opened = Result<Vec<StoredTransaction>, OpenError>;

/// Damages a copy of the image's files and looks at it in every way. An error says which promise is broken.
pub(super) fn check(image: &Image, case: &Case, thorough: bool, outcome: &mut Outcome) -> Result<(), String> {
    let mut files = image.files.clone();
    case.apply(image, &mut files);
    let difference = Difference::of(image, &files);
    let for_writing = thorough.then(|| files.clone());
    let disk = Arc::new(MemoryDisk::new(files));
    let opened = open(&disk, OpenMode::ReadOnly)?;
    let residue = check_opened(image, case, &difference, &opened, outcome)?;
    let verdict = check_verified(image, &difference, &opened, residue, &disk, outcome)?;
    if let Some(files) = &for_writing {
        check_for_writing(files, &opened, verdict.as_ref())?;
        outcome.count("opened for writing, closed and opened again", 1);
        check_salvaged(image, files, outcome)?;
    }
    Ok(())
}

/// Opens a store and reads all of it; what opens and cannot be read is a broken promise.
fn open(disk: &Arc<MemoryDisk>, mode: OpenMode) -> Result<Opened, String> {
    match LogAdapter::open_on(Arc::clone(disk) as _, &options(mode)) {
        Ok(adapter) => {
            let transactions = transactions_of(&adapter).map_err(|error| format!("opened, then: {error}"))?;
            check_records(&adapter, &transactions)?;
            Ok(Ok(transactions))
        }
        Err(error) => Ok(Err(error)),
    }
}

/// System records are what the transactions that are there say.
fn check_records(adapter: &LogAdapter, transactions: &[StoredTransaction]) -> Result<(), String> {
    let mut expected: BTreeMap<Arc<str>, Bytes> = BTreeMap::new();
    for record in transactions.iter().flat_map(StoredTransaction::records) {
        expected.extend(record.value.clone().map(|value| (Arc::clone(&record.key), value)));
    }
    let found = adapter.records(NAMESPACE).map_err(|error| error.to_string())?;
    if found.into_iter().eq(expected) {
        Ok(())
    } else {
        Err("other system records than those of the transactions".into())
    }
}

/// Holds what opening showed against what it may show. Says whether it is a stated residue.
fn check_opened(
    image: &Image,
    case: &Case,
    difference: &Difference<'_>,
    opened: &Opened,
    outcome: &mut Outcome,
) -> Result<bool, String> {
    let all = image.transactions.len();
    let found = match opened {
        Ok(found) => found,
        Err(OpenError::Corrupt(Corruption { segment, offset, what })) => {
            outcome.count("outcome: refused as corrupt", 1);
            if !difference.any {
                return Err(format!("refused what is not damaged: segment {segment}, offset {offset}: {what}"));
            }
            if what.is_empty() || !difference.may_be_named(case, *segment, *offset) {
                return Err(format!("the damage is named at segment {segment}, offset {offset}: {what}"));
            }
            return Ok(false);
        }
        Err(OpenError::NotFound { .. } | OpenError::NotAStore { .. }) if !difference.is_store => {
            outcome.count("outcome: refused as no store", 1);
            return Ok(false);
        }
        Err(other) => return Err(format!("refused with another error: {other}")),
    };
    if found.len() > all || found[..] != image.transactions[..found.len()] {
        return Err("opens with what was never appended".into());
    }
    if found.len() == all {
        outcome.count("outcome: the same data", 1);
        if difference.costs_something() {
            return Err("opens with all transactions, though one that is damaged is among them".into());
        }
        return Ok(false);
    }
    match difference.residue() {
        Some(residue) if residue.left == found.len() => {
            outcome.count(format!("outcome: {}", residue.name), 1);
            Ok(true)
        }
        Some(residue) => Err(format!("{}: {} transactions, and not {}", residue.name, found.len(), residue.left)),
        None => Err(format!("opens with {} of {all} transactions", found.len())),
    }
}

/// Holds what verifying says against what opening did.
fn check_verified(
    image: &Image,
    difference: &Difference<'_>,
    opened: &Opened,
    residue: bool,
    disk: &MemoryDisk,
    outcome: &mut Outcome,
) -> Result<Option<Verdict>, String> {
    let report = match verify_on(disk, &mut |_| {}) {
        Ok(report) => report,
        Err(OpenError::NotFound { .. }) if !difference.is_store => return Ok(None),
        Err(error) => return Err(format!("cannot be verified: {error}")),
    };
    let word = match &report.verdict {
        Verdict::Clean => "clean",
        Verdict::Torn { .. } => "torn",
        Verdict::Corrupt { .. } => "corrupt",
    };
    outcome.count(format!("verified: {word}"), 1);
    match (&report.verdict, opened) {
        // A newest segment that is gone leaves no byte that could be wrong.
        // Nor does a last frame that held nothing, and of which no byte is left.
        (Verdict::Clean, Ok(_)) if difference.any && !residue && !difference.only_ends_earlier => {
            return Err(format!("verified as clean: {}", image.name));
        }
        (Verdict::Clean | Verdict::Torn { .. }, Err(error)) => {
            return Err(format!("verified as {word}, and yet: {error}"));
        }
        (Verdict::Corrupt { segment, offset, .. }, Err(OpenError::Corrupt(found)))
            if (*segment, *offset) != (found.segment, found.offset) =>
        {
            return Err(format!("verifying names segment {segment}, offset {offset}; opening: {found}"));
        }
        (Verdict::Clean | Verdict::Torn { .. }, Ok(found)) => {
            let events: usize = found.iter().map(|transaction| transaction.events().len()).sum();
            if report.events != events as u64 {
                return Err(format!("verifying counts {} events, and there are {events}", report.events));
            }
        }
        _ => {}
    }
    if !difference.any && report.verdict != Verdict::Clean {
        return Err(format!("verified as {word} without damage"));
    }
    Ok(Some(report.verdict))
}

/// Opening for writing comes to the same, changes nothing of what it refuses, and repairs what it opens.
fn check_for_writing(files: &MemoryFiles, opened: &Opened, verdict: Option<&Verdict>) -> Result<(), String> {
    let disk = Arc::new(MemoryDisk::new(files.clone()));
    let again = open(&disk, OpenMode::Existing)?;
    match (&again, opened) {
        (Err(again), Err(before)) if again.to_string() == before.to_string() => {
            let unchanged = disk.files() == *files;
            return if unchanged { Ok(()) } else { Err("opening for writing changed what it refused".into()) };
        }
        (Ok(again), Ok(before)) if again == before => {}
        _ => return Err(format!("opening for writing came to something else: {:?}", again.map(|found| found.len()))),
    }
    if disk.files().keys().any(|name| name.ends_with(".tmp")) {
        return Err("opening for writing left a temporary file".into());
    }
    if open(&disk, OpenMode::Existing)?.ok().as_ref() != opened.as_ref().ok() {
        return Err("a second opening came to something else".into());
    }
    let after = verify_on(&*disk, &mut |_| {}).map_err(|error| error.to_string())?.verdict;
    // A byte that nobody needs stays as it is, unless its segment is not in use and was removed; all else was repaired.
    let stays = match verdict {
        Some(Verdict::Corrupt { segment, .. }) => disk.files().contains_key(&segment_name(*segment)),
        _ => false,
    };
    if (after == Verdict::Clean) == stays { Err(format!("repaired, and then: {after:?}")) } else { Ok(()) }
}

/// Salvaging keeps every transaction whose frame was not hit, and nothing else. It says that this is all only where the log
/// just ends earlier: no byte of its last frames is left.
fn check_salvaged(image: &Image, files: &MemoryFiles, outcome: &mut Outcome) -> Result<(), String> {
    let old = MemoryDisk::new(files.clone());
    let new = Arc::new(MemoryDisk::default());
    let length = 2 * FILE_BYTES as u64;
    let report = salvage_on(&old, Keep::Provable, &mut |_| {}, &mut |options| {
        let small = options.clone().segment_bytes(length, length).durability(Durability::Os);
        Ok(open_on(Arc::clone(&new) as _, &small)?)
    });
    if old.files() != *files {
        return Err("salvaging changed the store".into());
    }
    let report = match report {
        Err(Error::Open(OpenError::NotFound { .. })) if !files.keys().any(|name| segment_number(name).is_some()) => {
            outcome.count("salvaged: there is no store", 1);
            return Ok(());
        }
        report => report.map_err(|error| format!("cannot be salvaged: {error}"))?,
    };
    let found = open(&new, OpenMode::ReadOnly)?.map_err(|error| format!("salvaged, then: {error}"))?;
    let verdict = verify_on(&*new, &mut |_| {}).map_err(|error| error.to_string())?.verdict;
    if verdict != Verdict::Clean {
        return Err(format!("salvaged into a store that is {verdict:?}"));
    }
    let Some(Salvageable { kept, ends_earlier }) = salvageable(image, files) else {
        outcome.count("salvaged: the other store, whose files are more", 1);
        return Ok(());
    };
    let expected: Vec<_> = kept.iter().filter_map(|index| image.transactions.get(*index)).collect();
    let same = found.len() == expected.len() && found.iter().zip(&expected).all(|(found, kept)| same(found, kept));
    if !same {
        return Err(format!("salvaged {} transactions, and {} were not hit", found.len(), expected.len()));
    }
    let all = expected.len() == image.transactions.len();
    if !all && report.is_complete() && (!ends_earlier || report.closed) {
        return Err("salvaged as complete, and it is not".into());
    }
    outcome.count(if all { "salvaged, with everything" } else { "salvaged, with exactly what was not hit" }, 1);
    Ok(())
}

/// Whether two transactions are the same but for their numbers.
fn same(a: &StoredTransaction, b: &StoredTransaction) -> bool {
    let outside = |one: &StoredTransaction| {
        (one.id.clone(), one.digest, one.attributes.clone(), one.recorded_at, one.records.clone())
    };
    let events = a.events().iter().zip(b.events());
    outside(a) == outside(b)
        && a.events().len() == b.events().len()
        && events.into_iter().all(|(a, b)| {
            (a.id(), a.name(), a.category(), a.stream(), a.payload(), a.metadata(), a.attributes())
                == (b.id(), b.name(), b.category(), b.stream(), b.payload(), b.metadata(), b.attributes())
                && (a.observed_at(), a.occurred_at()) == (b.observed_at(), b.occurred_at())
        })
}
