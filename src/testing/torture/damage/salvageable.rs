//! What salvaging must keep of damaged files, whatever their names.

use super::image::{FRAMES_FROM, FrameAt, Image};
use crate::disk::MemoryFiles;
use crate::format::place::{Place, aligned};
use crate::format::segment_header::HEADER_FIELDS;
use crate::log::{segment_name, segment_number};

/// What is left of an image for salvaging.
#[derive(Debug)]
pub(super) struct Salvageable {
    /// The transactions that must be kept, by their place in the image's list.
    pub(super) kept: Vec<usize>,
    /// Whether no byte is left of the first frame that is hit, and of all behind it: then the log just ends earlier.
    pub(super) ends_earlier: bool,
}

/// What must be kept of an image's transactions; `None` where most files are another store's, and that one is salvaged.
pub(super) fn salvageable(image: &Image, files: &MemoryFiles) -> Option<Salvageable> {
    let segments = segments(image, files)?;
    let file = |number: u64| segments.get(usize::try_from(number - 1).ok()?).copied().flatten();
    let original = |number| image.files.get(&segment_name(number));
    let is_lost = |frame: &FrameAt| {
        let (found, written) = (file(frame.place.segment), original(frame.place.segment));
        let bytes = |file: Option<&Vec<u8>>| file.and_then(|file| file.get(frame.bytes.clone())).map(<[u8]>::to_vec);
        found.is_none() || bytes(found) != bytes(written)
    };
    let lost: Vec<bool> = image.frames.iter().map(is_lost).collect();
    let frames = || image.frames.iter().zip(lost.iter().copied());
    let marks = frames().filter(|(_, lost)| !lost).map(|(frame, _)| frame.mark);
    let proven = marks.max().unwrap_or(Place { segment: 0, offset: 0 });
    let (mut kept, mut here, mut broken) = (Vec::new(), Place::start_of(1), false);
    for (frame, lost) in frames() {
        if lost {
            broken = true;
            continue;
        }
        // What an unfinished write leaves is cut as opening cuts it; all else is kept.
        if broken && here >= proven {
            break;
        }
        broken = false;
        let length = (frame.bytes.end - frame.bytes.start) as u64;
        here = Place { offset: frame.place.offset + aligned(length), ..frame.place };
        kept.extend(frame.holds.then_some(frame.before));
    }
    let first = frames().find(|(_, lost)| *lost).map(|(frame, _)| frame);
    let ends_earlier = first.is_some_and(|first| {
        (first.place.segment..=segments.len() as u64).all(|number| {
            let end = if number == first.place.segment { first.bytes.start } else { FRAMES_FROM };
            let behind = |file: &Vec<u8>| file.get(end..).is_some_and(|behind| behind.iter().all(|byte| *byte == 0));
            file(number).is_none_or(behind)
        })
    });
    Some(Salvageable { kept, ends_earlier })
}

/// The file that each segment of the image is read from: one with its header, if there is a choice the one with its name, else
/// the one whose name comes first. `None` where the files are no store, or most are another store's; of as many, the first
/// counts.
fn segments<'f>(image: &Image, files: &'f MemoryFiles) -> Option<Vec<Option<&'f Vec<u8>>>> {
    let header = |file: &Vec<u8>| file.get(..HEADER_FIELDS).map(<[u8]>::to_vec);
    let mut named: Vec<(u64, &Vec<u8>)> =
        files.iter().filter_map(|(name, file)| Some((segment_number(name)?, file))).collect();
    named.sort_unstable_by_key(|(number, _)| *number);
    let headers_of = |files: &MemoryFiles| files.values().filter_map(header).collect::<Vec<_>>();
    let (ours, others) = (headers_of(&image.files), headers_of(&image.foreign));
    let is_one_of = |headers: &[Vec<u8>], file| header(file).is_some_and(|found| headers.contains(&found));
    let count = |headers| named.iter().filter(|(_, file)| is_one_of(headers, file)).count();
    let first = named.iter().find(|(_, file)| is_one_of(&ours, file) || is_one_of(&others, file));
    let ours_is_first = first.is_none_or(|(_, file)| is_one_of(&ours, file));
    let (of_ours, of_others) = (count(&ours), count(&others));
    if named.is_empty() || of_ours < of_others || (of_ours == of_others && !ours_is_first) {
        return None;
    }
    let read_from = |(number, wanted): (u64, &Vec<u8>)| {
        let of_it = || named.iter().filter(|(_, file)| header(file).as_ref() == Some(wanted));
        of_it().find(|(name, _)| *name == number).or_else(|| of_it().next()).map(|(_, file)| *file)
    };
    Some((1..).zip(&ours).map(read_from).collect())
}
