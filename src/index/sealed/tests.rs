//! Tests: what a file answers is what the index in memory answers, and what is obvious, or an error that says so.

use super::{Covers, IndexBuilder, IndexBytes, IndexedEvent, SealedIndex, Unusable};
use crate::disk::{Disk, RealDisk, Region};
use crate::format::index_file::{BLOCK_BYTES, SectionKind};
use crate::index::hash_seed;
use crate::testing::fuzz::choices::Choices;
use crate::testing::fuzz::index::{Content, SALT, SEGMENT, STORE, ask, damaged, expected, open, reseal, round_trip};
use crate::vocabulary::time::Timestamp;
use std::ops::Range;
use std::sync::Arc;

/// Content of so many choices, the first of which is given.
fn content(shape: u8, seed: u64, length: usize) -> Content {
    let mut bytes = vec![shape; length + 1];
    fastrand::Rng::with_seed(seed).fill(&mut bytes[1..]);
    Content::choose(&mut Choices::new(&bytes))
}

#[test]
fn every_answer_is_the_one_of_the_index_in_memory_and_the_obvious_one() {
    round_trip(&content(0, 0, 0));
    let mut kinds = std::collections::HashSet::new();
    for shape in 0..16 {
        for seed in 0..25 {
            let bytes = round_trip(&content(shape, seed, usize::try_from(seed).unwrap() * 8));
            kinds.extend(sections(&bytes));
        }
        if shape % 3 == 0 {
            kinds.extend(sections(&round_trip(&Content::many(shape, 1))));
        }
    }
    assert_eq!(kinds.len(), SectionKind::ALL.len(), "every kind of section was there: {kinds:?}");
}

/// The kinds of a file's sections.
fn sections(bytes: &[u8]) -> Vec<u16> {
    let rows = u32::from_le_bytes(bytes[160..164].try_into().unwrap()) as usize;
    bytes[192..192 + rows * 24].chunks(24).map(|row| u16::from_le_bytes([row[0], row[1]])).collect()
}

#[test]
fn a_changed_byte_gives_the_same_answer_or_an_error() {
    for shape in [9, 15] {
        let content = content(shape, 3, 120);
        let bytes = content.write();
        let expected = expected(&content);
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            damaged(&content, &changed, &expected);
        }
        for length in 0..bytes.len() {
            assert!(open(&bytes[..length]).is_err(), "{length} bytes of {}", bytes.len());
        }
        assert!(open(&[&bytes[..], &[0]].concat()).is_err());
    }
}

#[test]
fn damage_to_a_block_is_found_when_the_block_is_used_and_not_before() {
    let content = Content::many(0xff, 1);
    let mut bytes = content.write();
    assert!(bytes.len() > 3 * BLOCK_BYTES / 2, "{} bytes", bytes.len());
    // The times stand last, before two checksums at least.
    let at = bytes.len() - 100;
    bytes[at] ^= 1;
    let index = open(&bytes).unwrap();
    let blocks = index.blocks();
    assert!(index.category("nowhere").unwrap().is_none());
    let offset = index.times(blocks - 1).unwrap_err().offset;
    assert!(offset <= at as u64 && at as u64 <= offset + BLOCK_BYTES as u64, "{offset}: {at}");
}

#[test]
fn a_file_of_another_store_segment_or_salt_is_refused() {
    let bytes = content(1, 1, 50).write();
    let refused = |store: &[u8; 16], segment, salt| {
        SealedIndex::open(IndexBytes::Heap(bytes.clone()), store, segment, salt).unwrap_err()
    };
    assert_eq!(refused(b"another store's.", SEGMENT, SALT), Unusable::Elsewhere);
    assert_eq!(refused(&STORE, SEGMENT + 1, SALT), Unusable::Elsewhere);
    assert_eq!(refused(&STORE, SEGMENT, SALT + 1), Unusable::Elsewhere);
    assert_eq!(open(b"something else").unwrap_err(), Unusable::NotAnIndex);
    let mut newer = bytes.clone();
    newer[8] = 9;
    reseal(&mut newer);
    // A header of a later format is not looked into, so that its checksums are put right by hand.
    let sum = crc32fast::hash(&newer[..188]);
    newer[188..192].copy_from_slice(&sum.to_le_bytes());
    assert_eq!(open(&newer).unwrap_err(), Unusable::Newer { format: 9, incompatible: 0 });
}

#[test]
fn a_block_of_another_segment_does_not_pass() {
    let content = content(0, 1, 60);
    let ours = content.write();
    let mut bytes = ours.clone();
    bytes[48..56].copy_from_slice(&(SALT + 1).to_le_bytes());
    let sum = crc32fast::hash(&bytes[..188]);
    bytes[188..192].copy_from_slice(&sum.to_le_bytes());
    let index = SealedIndex::open(IndexBytes::Heap(bytes), &STORE, SEGMENT, SALT + 1).unwrap();
    assert!(index.category("a").is_err() && index.times(0).is_err());
}

#[test]
fn a_mapped_file_is_lent_from_and_takes_little_memory() {
    let content = Content::many(0xff, 1);
    let bytes = content.write();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("an.index"), &bytes).unwrap();
    let file = RealDisk::new(directory.path()).unwrap().open("an.index", false).unwrap();
    let region = file.region().unwrap();
    let open = || SealedIndex::open(IndexBytes::Mapped(Arc::clone(&region)), &STORE, SEGMENT, SALT);
    assert!(open().is_err(), "nothing of it is published");
    region.publish(region.len());
    let index = open().unwrap();
    assert!(ask(&index, &content).into_iter().zip(expected(&content)).all(|(one, other)| one.1 == Ok(other.1)));
    assert!(index.bytes_in_memory() < 2_500 && index.file_bytes() == bytes.len() as u64, "{}", index.bytes_in_memory());
}

/// The bytes of a hole are as they were written: whoever gives an answer out of them has not asked whether they can be read.
#[test]
fn what_cannot_be_read_is_damaged() {
    let content = Content::many(0xff, 1);
    let bytes = content.write();
    let expected = expected(&content);
    let length = bytes.len() as u64;
    let opened = |hole: Range<u64>| {
        let region = Arc::new(Region::holed(&bytes, hole));
        SealedIndex::open(IndexBytes::Mapped(region), &STORE, SEGMENT, SALT)
    };
    for hole in [0..1, 200..201, length - 1..length] {
        assert!(opened(hole).map(drop).unwrap_err().to_string().contains("it cannot be read"));
    }
    let mut answered = 0;
    for start in (4_096..length - 512).step_by(4_096) {
        let hole = start..start + 512;
        let index = opened(hole.clone()).unwrap();
        let answers = ask(&index, &content);
        let refused = answers.iter().filter(|(_, answer)| answer.is_err()).count();
        assert!(refused > 0, "nothing is in {hole:?} of {length}");
        for ((what, answer), right) in answers.iter().zip(&expected) {
            match answer {
                Ok(answer) => assert_eq!(answer, &right.1, "{what}"),
                Err(damaged) => assert!(damaged.to_string().contains("it cannot be read"), "{what}: {damaged}"),
            }
        }
        answered += answers.len() - refused;
    }
    assert!(answered > 0 && bytes.len() > BLOCK_BYTES, "{answered} answers out of {length} bytes");
}

#[test]
fn a_builder_that_takes_in_others_gives_the_same_file() {
    for (shape, seed) in [(0, 1), (1, 2), (3, 3), (0xff, 4)] {
        for content in [content(shape, seed, 400), Content::many(shape, seed)] {
            let whole = content.write();
            for frames in [1, 2, 7, 100, 100_000] {
                assert!(content.write_by_parts(frames) == whole, "{frames} frames of shape {shape}");
            }
        }
    }
}

/// Names that differ late, early, and by nothing but zeros at their ends.
#[test]
fn names_stand_in_the_order_of_their_bytes() {
    let mut names: Vec<Vec<u8>> = (0..300_u16).map(|number| format!("shared-{}", number % 100).into_bytes()).collect();
    names.extend((0..40).map(|zeros| [&b"shared-"[..], &vec![0; zeros]].concat()));
    names.extend((0..40).map(|length| [&b"shared-12345678"[..], &vec![b'x'; length]].concat()));
    fastrand::Rng::with_seed(4).shuffle(&mut names);
    for others in [&[][..], &[b"other".to_vec(), Vec::new()]] {
        names.extend_from_slice(others);
        let mut builder = IndexBuilder::new(hash_seed(&STORE), 0);
        for (frame, name) in (0..).zip(&names) {
            let mut adding = builder.begin(4_096 + frame * 64, Timestamp::UNIX_EPOCH).unwrap();
            let event = IndexedEvent {
                category: name,
                stream: name,
                name,
                position: 0,
                occurred_at: Timestamp::UNIX_EPOCH,
                id: None,
            };
            adding.event(&event).unwrap();
            adding.finish(None, &[]);
        }
        let mut covers = content(0, 0, 0).covers();
        covers.end = 4_096 + names.len() as u64 * 64;
        // What is not in order is refused.
        assert_eq!(sized(builder, covers).1, names.len() as u64);
    }
}

#[test]
fn a_builder_takes_in_nothing_but_what_follows() {
    let mut builder = IndexBuilder::new(hash_seed(&STORE), 5);
    let event = |position| IndexedEvent {
        category: b"c",
        stream: b"s",
        name: b"n",
        position,
        occurred_at: Timestamp::UNIX_EPOCH,
        id: None,
    };
    let add = |builder: &mut IndexBuilder| {
        let mut adding = builder.begin(4_096, Timestamp::UNIX_EPOCH).unwrap();
        adding.event(&event(0)).unwrap();
        adding.finish(None, &[]);
    };
    let mut next = IndexBuilder::following(&builder);
    add(&mut next);
    add(&mut builder);
    assert!(builder.absorb(&next).is_err(), "events came in between");
    assert!(builder.absorb(&IndexBuilder::new(hash_seed(&STORE), 6)).is_err(), "it does not know of these");
    assert_eq!(builder.count(), 1);
    let mut next = IndexBuilder::following(&builder);
    add(&mut next);
    builder.absorb(&next).unwrap();
    assert_eq!((builder.count(), builder.transactions()), (2, 2));
}

#[test]
fn threads_may_share_an_index() {
    fn shared<T: Send + Sync>(_: &T) {}
    let content = Content::many(1, 2);
    let (index, expected) = (open(&content.write()).unwrap(), expected(&content));
    shared(&index);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for (answer, right) in ask(&index, &content).into_iter().zip(&expected) {
                    assert_eq!(answer.1.as_ref(), Ok(&right.1), "{}", right.0);
                }
            });
        }
    });
}

#[test]
fn files_are_small() {
    let size = |frames: u32, events: u32, streams: u32| {
        let mut builder = IndexBuilder::new(hash_seed(&STORE), 0);
        let mut covers = content(0, 0, 0).covers();
        let mut random = fastrand::Rng::with_seed(1);
        for frame in 0..frames {
            let (stream, name) = (format!("stream-{}", random.u32(0..streams)), format!("name-{}", random.u32(0..8)));
            let event = |position| IndexedEvent {
                category: b"category",
                stream: stream.as_bytes(),
                name: name.as_bytes(),
                position,
                occurred_at: Timestamp::UNIX_EPOCH,
                id: None,
            };
            let offset = 4_096 + u64::from(frame) * 64;
            let mut adding = builder.begin(offset, Timestamp::UNIX_EPOCH).unwrap();
            (0..u64::from(events)).for_each(|position| adding.event(&event(position)).unwrap());
            adding.finish(None, &[]);
        }
        covers.end = 4_096 + u64::from(frames) * 64;
        sized(builder, covers)
    };
    let (bytes, count) = size(20_000, 1, 1_000);
    assert!(bytes < 10 * count, "{bytes} bytes for {count} events");
    let (bytes, count) = size(1_000, 100, 1_000);
    assert!(bytes < count, "{bytes} bytes for {count} events");
}

/// The file's length and how many events it covers.
fn sized(builder: IndexBuilder, mut covers: Covers) -> (u64, u64) {
    (covers.count, covers.transactions) = (builder.count(), builder.transactions());
    covers.first_recorded_at = Some(Timestamp::UNIX_EPOCH);
    (covers.base, covers.chain.sequence) = (0, u64::from(covers.count));
    let index = open(&builder.finish(&covers).unwrap()).unwrap();
    (index.file_bytes(), u64::from(index.covers().count))
}
