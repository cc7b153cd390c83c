//! Tests: whatever is wrong with a frame is found, and nothing panics.

use super::bytes::{Fields, put_varint};
use super::checksum::{crc, event_seed, frame_seed};
use super::decode::{EventFault, FrameCheck, FrameView, NameCache};
use super::event_id::IdSeed;
use super::frame::{FrameHeader, TABLE_ENTRY_BYTES, seal, verify_whole};
use super::samples::{OwnTransaction, Random};
use super::segment_header::SegmentHeader;
use crate::vocabulary::event::EventRef;

/// A transaction of `count` events with everything in it, and its frame.
fn sample(seed: u64, count: usize) -> (OwnTransaction, Vec<u8>) {
    let mut random = Random::new(seed);
    loop {
        let sent = OwnTransaction::random(&mut random, count);
        if sent.id.is_some() && !sent.attributes.is_empty() && !sent.records.is_empty() {
            let frame = sent.encode();
            return (sent, frame);
        }
    }
}

/// Whether recovery would take these bytes for a frame at the sample's place.
fn passes(bytes: &[u8], sent: &OwnTransaction) -> bool {
    FrameView::open(bytes)
        .is_some_and(|view| verify_whole(view.bytes, &view.header, sent.context.salt, sent.context.place.offset))
}

/// Seals a frame again that was changed on purpose: the events' checksums, where there is a table, then the frame's.
fn reseal(frame: &mut [u8], sent: &OwnTransaction) {
    let header = FrameHeader::decode(frame).unwrap();
    let (salt, offset) = (sent.context.salt, sent.context.place.offset);
    if header.has_table() {
        let table = header.covered as usize - header.count as usize * TABLE_ENTRY_BYTES;
        for index in 0..header.count {
            let Some(slot) = header.event(frame, 0, index) else { continue };
            let sum = crc(event_seed(frame_seed(salt, offset), index), &frame[slot.start..slot.end]);
            let at = table + index as usize * TABLE_ENTRY_BYTES;
            frame[at..at + 4].copy_from_slice(&sum.to_le_bytes());
        }
    }
    seal(frame, header.covered as usize, salt, offset);
}

/// Reads everything there is in a frame. The answers do not matter, that there are any does.
fn read_all(bytes: &[u8]) -> usize {
    let Some(view) = FrameView::open(bytes) else { return 0 };
    let check = Some(FrameCheck::new(1, 4_096));
    let (seed, mut names) = (IdSeed::of(&[1; 16]), NameCache::default());
    let mut found = usize::from(verify_whole(view.bytes, &view.header, 1, 4_096));
    found += view.sections.attributes(view.bytes).map_or(0, |list| list.len());
    found += view.sections.records(view.bytes).map_or(0, |list| list.len());
    found += view.sections.id_text(view.bytes).map_or(0, str::len) + view.body().len();
    for index in (0..view.header.count.min(1_000)).chain([u32::MAX]) {
        for check in [None, check] {
            found += usize::from(view.event(index, seed, check, &mut names).is_ok());
        }
    }
    found
}

#[test]
fn every_flipped_bit_is_found() {
    for count in [0, 1, 2, 5] {
        let (sent, frame) = sample(10 + count as u64, count);
        assert!(passes(&frame, &sent));
        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(!passes(&damaged, &sent), "bit {bit} of a frame of {count} events");
        }
    }
}

#[test]
fn every_flipped_bit_of_an_event_is_found_by_whoever_reads_it_alone() {
    let (sent, frame) = sample(20, 4);
    let check = Some(FrameCheck::new(sent.context.salt, sent.context.place.offset));
    let header = FrameHeader::decode(&frame).unwrap();
    for bit in header.covered as usize * 8..frame.len() * 8 {
        let mut damaged = frame.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let view = FrameView::open(&damaged).unwrap();
        assert!(
            view.verify(sent.context.salt, sent.context.place.offset),
            "the frame's own checksum does not cover it"
        );
        let owner = (0..4).find(|index| {
            let slot = header.event(&frame, 0, *index).unwrap();
            (slot.start..slot.end).contains(&(bit / 8))
        });
        let found = view.event(owner.unwrap(), IdSeed::of(&[0; 16]), check, &mut NameCache::default());
        assert_eq!(found.err(), Some(EventFault::Checksum), "bit {bit}");
    }
}

#[test]
fn every_truncation_is_refused() {
    for count in [0, 1, 3] {
        let (sent, frame) = sample(30 + count as u64, count);
        for length in 0..frame.len() {
            assert!(FrameView::open(&frame[..length]).is_none(), "{length} of {} bytes", frame.len());
            let mut zeros = frame[..length].to_vec();
            zeros.resize(frame.len(), 0);
            assert!(zeros == frame || !passes(&zeros, &sent), "{length} bytes and zeros");
        }
    }
}

#[test]
fn a_frame_passes_at_its_own_place_alone() {
    for count in [0, 1, 3] {
        let (sent, frame) = sample(40 + count as u64, count);
        let header = FrameHeader::decode(&frame).unwrap();
        let (salt, offset) = (sent.context.salt, sent.context.place.offset);
        assert!(verify_whole(&frame, &header, salt, offset));
        for step in 1..10_000 {
            assert!(!verify_whole(&frame, &header, salt, offset + 8 * step), "{step} words further");
            assert!(!verify_whole(&frame, &header, salt ^ step, offset), "another salt");
        }
    }
}

#[test]
fn an_event_does_not_pass_as_its_neighbour() {
    let (mut sent, _) = sample(50, 3);
    sent.events[1] = sent.events[2].clone();
    // Names are written out in both only if neither is shared.
    for (index, event) in sent.events.iter_mut().enumerate() {
        (event.stream, event.name) = (format!("s{index}"), format!("n{index}"));
    }
    let frame = sent.encode();
    let header = FrameHeader::decode(&frame).unwrap();
    let (one, two) = (header.event(&frame, 0, 1).unwrap(), header.event(&frame, 0, 2).unwrap());
    assert_eq!(one.end - one.start, two.end - two.start);
    let mut swapped = frame.clone();
    swapped.copy_within(two.start..two.end, one.start);
    let view = FrameView::open(&swapped).unwrap();
    let check = Some(FrameCheck::new(sent.context.salt, sent.context.place.offset));
    let read = |index| view.event(index, IdSeed::of(&[0; 16]), check, &mut NameCache::default()).err();
    assert_eq!((read(0), read(1), read(2)), (None, Some(EventFault::Checksum), None));
}

/// A frame of three events, the third of which shares its name with the one so many events before it. Sealed.
fn with_back_reference(back: u64) -> (OwnTransaction, Vec<u8>) {
    let (mut sent, _) = sample(60, 3);
    for (event, name) in sent.events.iter_mut().zip(["first", "second", "second"]) {
        (event.id, event.given.id, event.position) = (None, false, 0);
        (event.category, event.stream) = ("category".into(), "stream".into());
        event.name = name.into();
    }
    let mut frame = sent.encode();
    let slot = FrameHeader::decode(&frame).unwrap().event(&frame, 0, 2).unwrap();
    // Flags, kind, position, how far back the stream stands, how far back the name does.
    let (stream_at, name_at) = (slot.start + 4, slot.start + 5);
    assert_eq!((frame[stream_at], frame[name_at]), (2, 1));
    let mut number = Vec::new();
    put_varint(&mut number, back);
    assert_eq!(number.len(), 1);
    frame[name_at] = number[0];
    reseal(&mut frame, &sent);
    assert!(passes(&frame, &sent), "the checksums fit: only the reference is wrong");
    (sent, frame)
}

#[test]
fn a_reference_leads_back_to_an_event_that_carries_the_name_itself() {
    let third = |back: u64| {
        let (_, frame) = with_back_reference(back);
        let view = FrameView::open(&frame).unwrap();
        let parts = view.event(2, IdSeed::of(&[0; 16]), None, &mut NameCache::default())?;
        Ok(EventRef { data: view.bytes, parts }.name().to_owned())
    };
    assert_eq!(third(1), Ok("second".to_owned()));
    assert_eq!(third(2), Ok("first".to_owned()));
    assert_eq!(third(0), Err(EventFault::Malformed), "itself");
    assert_eq!(third(3), Err(EventFault::Malformed), "before the first");
    assert_eq!(third(127), Err(EventFault::Malformed), "far before the first");
    // The second event shares its stream with the first: a reference to it would be a chain. References forward have no spelling.
    let (sent, mut frame) = with_back_reference(1);
    let slot = FrameHeader::decode(&frame).unwrap().event(&frame, 0, 2).unwrap();
    frame[slot.start + 4] = 1;
    reseal(&mut frame, &sent);
    let view = FrameView::open(&frame).unwrap();
    let chained = view.event(2, IdSeed::of(&[0; 16]), None, &mut NameCache::default());
    assert_eq!(chained.err(), Some(EventFault::Malformed));
}

#[test]
fn unknown_kinds_flags_and_lengths_are_refused() {
    let (_, frame) = sample(70, 2);
    let with = |at: usize, byte: u8| {
        let mut changed = frame.clone();
        changed[at] = byte;
        FrameHeader::decode(&changed).is_some()
    };
    assert!(with(8, frame[8]));
    let kinds: Vec<u8> = (0..=255).filter(|kind| with(8, *kind)).collect();
    assert_eq!(kinds, [1], "a frame with events is a transaction");
    let bare = |kind: u8| {
        let mut changed = sample(71, 0).1;
        changed[8] = kind;
        FrameHeader::decode(&changed).is_some()
    };
    let kinds: Vec<u8> = (0..=255).filter(|kind| bare(*kind)).collect();
    assert_eq!(kinds, [1, 2, 3, 4]);
    for bit in 5..8 {
        assert!(!with(9, frame[9] | 1 << bit), "flag {bit}");
    }
    for units in (0..=255).filter(|units| *units != 7) {
        assert!(!with(10, units), "a header of {units} words");
    }
    for byte in 1..=255 {
        assert!(!with(11, byte) && !with(52, byte), "a reserved byte is {byte}");
    }
}

#[test]
fn an_event_with_unknown_flags_or_kind_is_refused() {
    let (sent, frame) = sample(80, 1);
    let at = FrameView::open(&frame).unwrap().sections.end;
    let read = |frame: &[u8]| {
        let view = FrameView::open(frame).unwrap();
        view.event(0, IdSeed::of(&[0; 16]), None, &mut NameCache::default()).err()
    };
    assert_eq!(read(&frame), None, "{sent:?}");
    let mut extended = frame.clone();
    extended[at + 1] |= 0x80;
    assert_eq!(read(&extended), Some(EventFault::Malformed));
    for kind in 5..=255 {
        let mut unknown = frame.clone();
        unknown[at + 2] = kind;
        assert_eq!(read(&unknown), Some(EventFault::Malformed), "kind {kind}");
    }
}

#[test]
fn no_bytes_make_a_decoder_panic() {
    let mut random = Random::new(90);
    let samples: Vec<Vec<u8>> = (0..20).map(|seed| sample(91 + seed, random.size(5)).1).collect();
    let mut found = 0;
    for round in 0..100_000 {
        let mut bytes = if round % 4 == 0 { random.bytes(200) } else { samples[random.size(samples.len())].clone() };
        for _ in 0..random.below(6) {
            let at = random.size(bytes.len().max(1));
            if let Some(byte) = bytes.get_mut(at) {
                *byte = if random.flag() { 0xff } else { random.next().to_le_bytes()[0] };
            }
        }
        found += read_all(&bytes);
        let _ = SegmentHeader::decode(&bytes);
        let _ = Fields::new(&bytes, random.size(300)).varint();
    }
    assert!(found > 0);
}

#[test]
fn a_frame_whose_last_number_would_overflow_is_refused() {
    let (_, mut frame) = sample(95, 3);
    frame[16..24].copy_from_slice(&(u64::MAX - 3).to_le_bytes());
    assert!(FrameHeader::decode(&frame).is_some());
    frame[16..24].copy_from_slice(&(u64::MAX - 2).to_le_bytes());
    assert!(FrameHeader::decode(&frame).is_none());
}

#[test]
fn a_covered_length_beyond_its_bounds_is_refused() {
    let (_, frame) = sample(96, 3);
    let length = u32::try_from(frame.len()).unwrap();
    let least = u32::try_from(super::frame::TABLE_HEADER_BYTES + 3 * TABLE_ENTRY_BYTES).unwrap();
    let with = |covered: u32| {
        let mut changed = frame.clone();
        changed[48..52].copy_from_slice(&covered.to_le_bytes());
        FrameHeader::decode(&changed).is_some()
    };
    assert!(with(least) && with(length));
    assert!(![0, least - 1, length + 1, u32::MAX].into_iter().any(with));
}

#[test]
fn bytes_that_belong_to_no_event_are_refused() {
    let (sent, frame) = sample(97, 3);
    let header = FrameHeader::decode(&frame).unwrap();
    let table = header.covered as usize - 3 * TABLE_ENTRY_BYTES;
    let passes_with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut changed = frame.clone();
        change(&mut changed);
        let length = u32::try_from(changed.len()).unwrap();
        changed[4..8].copy_from_slice(&length.to_le_bytes());
        reseal(&mut changed, &sent);
        passes(&changed, &sent)
    };
    assert!(passes_with(&|_| {}));
    assert!(!passes_with(&|frame| frame.push(0)), "behind the last event");
    // The second event's end one earlier: the third one then begins there, and the checksums are made to fit.
    assert!(passes_with(&|frame| frame[table + 12] -= 1), "another border is another frame, not a damaged one");
    assert!(!passes_with(&|frame| frame[table + 20] -= 1), "before the frame's end");
    assert!(!passes_with(&|frame| frame[table + 15] = 1), "an event that ends behind the frame");
    assert!(!passes_with(&|frame| frame[table + 4..table + 8].fill(0)), "an event that ends before it begins");
}
