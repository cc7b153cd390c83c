//! The fuzz target of directories: segments of odd names and lengths, files that were being made, and files that are not ours.

use super::choices::Choices;
use super::edits::Link;
use super::segments;
use super::stores::{Forged, open_and_verify};
use crate::disk::MemoryFiles;
use crate::log::{is_temporary, segment_name, segment_number};

/// Names that are a segment's, nearly one, and nothing of the kind.
const NAMES: [&str; 14] = [
    "0000000001.segment.tmp",
    "0000000002.segment.tmp",
    "0000000009.segment",
    "0000000000.segment",
    "00000000001.segment",
    "1.segment",
    "-000000001.segment",
    "18446744073709551615.segment",
    "18446744073709551616.segment",
    "0000000002.segment.bak",
    "LOCK",
    "thesis.tmp",
    ".segment",
    "",
];

/// Opens a directory of any files. What is not the store's is as it was.
pub(super) fn open(choices: &mut Choices<'_>) {
    let mut files = MemoryFiles::new();
    let (mut previous_end, mut link) = (0, Link::START);
    for number in 1..=u64::from(choices.byte() % 4) {
        let made = segments::make(choices, number, previous_end, &mut link);
        previous_end = made.end;
        files.insert(segment_name(number), made.bytes);
    }
    for _ in 0..choices.byte() % 6 {
        let known: Vec<String> = files.keys().cloned().collect();
        let name = match choices.byte() % 20 {
            few @ 0..14 => NAMES[usize::from(few)].to_owned(),
            14..17 => segment_name(u64::from(choices.byte() % 5)),
            _ => choices.text(30),
        };
        let content = match (choices.byte() % 5, known.get(choices.below(known.len()))) {
            (0, _) => Vec::new(),
            (1, _) => choices.run(255).to_vec(),
            (2, Some(other)) => files[other].clone(),
            // A segment that was cut, or has grown.
            (3, Some(other)) => resized(&files[other], choices.u16().into()),
            (_, Some(other)) => resized(&files[other], files[other].len() + usize::from(choices.byte())),
            (_, None) => vec![choices.byte(); usize::from(choices.u16())],
        };
        files.insert(name, content);
    }
    let Some(found) = open_and_verify(&files, Forged::Names) else { return };
    let strange = |name: &&String| segment_number(name).is_none() && !is_temporary(name);
    for name in files.keys().filter(strange) {
        assert_eq!(found.files.get(name), files.get(name), "{name} is not the store's to touch");
    }
}

fn resized(content: &[u8], length: usize) -> Vec<u8> {
    let mut content = content.to_vec();
    content.resize(length, 0);
    content
}
