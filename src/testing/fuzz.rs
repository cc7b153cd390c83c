//! The bodies of the fuzz targets: each takes any bytes, and panics when a promise is broken.

pub(crate) mod choices;
mod directory;
pub(super) mod edits;
mod frames;
mod headers;
pub(crate) mod index;
mod segments;
mod stores;
mod values;

use choices::Choices;

/// A frame: from any bytes, from any fields and back, and with bytes changed after it was written.
///
/// # Panics
/// When reading panics, reads beyond the frame, or does not give back what was written.
pub fn frame(data: &[u8]) {
    let mut choices = Choices::new(data);
    match choices.byte() % 4 {
        0 | 1 => frames::arbitrary(choices.rest()),
        2 => drop(frames::round_trip(&mut choices)),
        _ => frames::damaged(&mut choices),
    }
}

/// The frames of one segment: scanning them, and searching the rest for durable marks.
///
/// # Panics
/// When scanning does not end, goes back, leaves the file, or lends what is no frame.
pub fn segment(data: &[u8]) {
    segments::scan_any(&mut Choices::new(data));
}

/// A whole store: damaged after it was written, or any frames at all, in several segments.
///
/// # Panics
/// When opening panics, opens what is not a prefix of whole transactions, differs the second time, or disagrees with verifying.
pub fn store(data: &[u8]) {
    let mut choices = Choices::new(data);
    match choices.byte() % 3 {
        0 => stores::open_any_image(&mut choices),
        _ => stores::write_damage_open(&mut choices),
    }
}

/// A segment's header: from any bytes, from any fields and back, and with a byte changed.
///
/// # Panics
/// When reading panics, does not give back what was written, or a changed byte goes unnoticed.
pub fn header(data: &[u8]) {
    let mut choices = Choices::new(data);
    match choices.byte() % 2 {
        0 => headers::arbitrary(choices.rest()),
        _ => headers::damaged(&mut choices),
    }
}

/// An index file: from any bytes, from any transactions and back, with a byte changed, and with checksums that were put right.
///
/// # Panics
/// When reading panics, an answer is not the right one, or one of a damaged file is neither right nor an error.
pub fn index(data: &[u8]) {
    let mut choices = Choices::new(data);
    match choices.byte() % 4 {
        0 => index::arbitrary(&mut choices),
        1 => drop(index::round_trip(&index::Content::choose(&mut choices))),
        2 => index::flipped(&mut choices),
        _ => index::forged(&mut choices),
    }
}

/// A directory of any files: odd names, odd lengths, files that were being made, files of others.
///
/// # Panics
/// As [`store`]; and when opening touches a file that is not the store's.
pub fn directory(data: &[u8]) {
    directory::open(&mut Choices::new(data));
}

/// JSON of new and stored events, identifiers, selectors, append conditions, CloudEvents, and times.
///
/// # Panics
/// When what was read does not read the same once it is written.
pub fn json(data: &[u8]) {
    values::json(data);
}

/// Names, ids, attributes and records as callers give them, under limits.
///
/// # Panics
/// When what is too long passes, or an error does not say what is too long.
pub fn names(data: &[u8]) {
    values::names(data);
}

/// A whole life of a store on a simulated disk: what is done, what fails, when the power ends, and what that leaves.
///
/// # Panics
/// When a promise is broken: something acknowledged is lost, something never submitted is there, or an error says what is not so.
#[expect(clippy::panic, reason = "a fuzz target panics where a promise is broken")]
pub fn ops(data: &[u8]) {
    if let Err(wrong) = super::torture::simulation::play(&mut Choices::new(data)) {
        panic!("{wrong}");
    }
}
