//! Tests: what is encoded decodes to the same, whatever fields there are.

use super::decode::{FrameCheck, FrameView, NameCache};
use super::encode::{self, Context};
use super::event_id::IdSeed;
use super::frame::{FrameHeader, Kind, verify_whole};
use super::place::Place;
use super::plain::PlainReader;
use super::plain_writer::{self, PlainEvent};
use super::samples::{OwnEvent, OwnTransaction, Random};
use crate::vocabulary::attributes::Attributes;
use crate::vocabulary::event::{EventId, EventRef, Given, IdRepr, Parts};
use crate::vocabulary::payload::PayloadKind;
use crate::vocabulary::time::Timestamp;

const SEED: [u8; 16] = *b"the store's id..";

fn check_event(event: &EventRef<'_>, sent: &OwnEvent, transaction: &OwnTransaction, index: usize) {
    let number = transaction.context.sequence + index as u64;
    let recorded_at = transaction.context.recorded_at;
    let made = || EventId(IdRepr::Uuid(IdSeed::of(&SEED).make(number, recorded_at)));
    assert_eq!(event.id(), sent.id.clone().unwrap_or_else(made));
    assert_eq!((event.category(), event.stream(), event.name()), (&*sent.category, &*sent.stream, &*sent.name));
    assert_eq!(event.payload(), sent.source().payload);
    assert_eq!((event.metadata(), event.attributes()), (sent.metadata.as_deref(), &sent.attributes));
    assert_eq!((event.position().get(), event.sequence_number().get()), (sent.position, number));
    assert_eq!((event.observed_at(), event.occurred_at()), (sent.observed_at, sent.occurred_at));
    assert_eq!(event.recorded_at(), recorded_at);
    let given = [event.has_given_id(), event.has_given_observed_at(), event.has_given_occurred_at()];
    assert_eq!(given, [sent.given.id, sent.given.observed_at, sent.given.occurred_at]);
    assert_eq!(event.transaction_id(), transaction.id.as_ref().map(|(id, _)| &**id));
    assert_eq!(event.transaction_basis().get(), transaction.context.sequence);
    assert_eq!(event.transaction_revision().get(), transaction.context.sequence + transaction.events.len() as u64);
}

fn check_header(header: &FrameHeader, sent: &OwnTransaction) {
    let context = &sent.context;
    assert_eq!((header.kind, header.count as usize), (Kind::Transaction, sent.events.len()));
    assert_eq!((header.sequence, header.recorded_at), (context.sequence, context.recorded_at));
    assert_eq!((header.epoch, header.link), (context.epoch, context.link));
    assert_eq!(header.mark_place(context.place.segment), context.mark);
    assert_eq!(header.has_table(), sent.events.len() > 1);
}

#[test]
fn transactions_of_any_shape_come_back_as_they_went_in() {
    let mut random = Random::new(1);
    for round in 0..2_000 {
        let count = if round % 3 == 0 { random.size(30) } else { random.size(4) };
        let sent = OwnTransaction::random(&mut random, count);
        let frame = sent.encode();
        let (salt, offset) = (sent.context.salt, sent.context.place.offset);
        let mut followed = frame.clone();
        followed.extend_from_slice(&random.bytes(20));
        let view = FrameView::open(&followed).unwrap();
        assert_eq!(view.bytes, frame, "round {round}");
        assert!(verify_whole(view.bytes, &view.header, salt, offset) && view.verify(salt, offset));
        check_header(&view.header, &sent);
        assert_eq!(view.sections.id_text(view.bytes).map(str::to_owned), sent.id.as_ref().map(|(id, _)| id.clone()));
        assert_eq!(view.sections.digest, sent.id.as_ref().map(|(_, digest)| *digest));
        assert_eq!(view.sections.attributes(view.bytes).as_ref(), Some(&sent.attributes));
        assert_eq!(view.sections.records(view.bytes).as_ref(), Some(&sent.records));
        let (seed, check) = (IdSeed::of(&SEED), Some(FrameCheck::new(salt, offset)));
        let mut names = NameCache::default();
        for (index, event) in sent.events.iter().enumerate() {
            let parts = view.event(u32::try_from(index).unwrap(), seed, check, &mut names).unwrap();
            check_event(&EventRef { data: view.bytes, parts }, event, &sent, index);
        }
        for verify in [None, Some(salt)] {
            let (mut reader, mut event) = (PlainReader::new(seed), EventRef { data: &[], parts: Parts::default() });
            reader.turn_to(verify);
            if reader.read_at(&frame, 0, offset, view.header.sequence, &mut event) {
                check_event(&event, &sent.events[0], &sent, 0);
            }
        }
        assert!(view.event(view.header.count, seed, check, &mut names).is_err(), "one beyond the last");
    }
}

/// One reader reads them all into one place, so that what it takes over from the frame before is seen to be the same.
#[test]
fn plain_frames_are_read_one_after_the_other_whatever_comes_between() {
    let mut random = Random::new(3);
    let seed = IdSeed::of(&SEED);
    let (mut reader, mut event) = (PlainReader::new(seed), EventRef { data: &[], parts: Parts::default() });
    let sent: Vec<OwnTransaction> = (0..5_000).map(|round| mostly_plain(&mut random, round)).collect();
    let frames: Vec<Vec<u8>> = sent.iter().map(OwnTransaction::encode).collect();
    let (mut read, mut not) = (0, 0);
    for (round, (frame, sent)) in frames.iter().zip(&sent).enumerate() {
        let (salt, offset, number) = (sent.context.salt, sent.context.place.offset, sent.context.sequence);
        reader.turn_to((round % 3 > 0).then_some(salt));
        if reader.read_at(frame, 0, offset, number, &mut event) {
            check_event(&event, &sent.events[0], sent, 0);
            read += 1;
        } else {
            not += 1;
            // As whoever reads on does, into the same place.
            let view = FrameView::open(frame).unwrap();
            view.read(0, seed, None, &mut NameCache::default(), &mut event.parts).unwrap();
            event.data = frame;
            check_event(&event, &sent.events[0], sent, 0);
        }
        let mut other = EventRef { data: &[], parts: Parts::default() };
        let mut fresh = PlainReader::new(seed);
        assert!(!fresh.read_at(frame, 0, offset, number + 1, &mut other), "another event");
        fresh.turn_to(Some(salt ^ 1));
        assert!(!fresh.read_at(frame, 0, offset, number, &mut other), "another segment's frame");
    }
    assert!(read > 2_000 && not > 500, "{read} were read, {not} not");
}

/// A transaction of one event, which mostly has no more than every event has; with names that are often as long as others.
fn mostly_plain(random: &mut Random, round: usize) -> OwnTransaction {
    let mut sent = OwnTransaction::random(random, 1);
    let event = &mut sent.events[0];
    if !round.is_multiple_of(4) {
        sent.context.recorded_at = Timestamp::from_unix(1_700_000_000, u32::try_from(round).unwrap()).unwrap();
        (sent.id, sent.attributes, sent.records) = (None, Default::default(), Vec::new());
        (event.id, event.content_type, event.schema, event.schema_version) = (None, None, None, None);
        (event.metadata, event.attributes) = (None, Default::default());
        event.observed_at = sent.context.recorded_at;
        (event.occurred_at, event.given.occurred_at) = (event.observed_at, false);
        (event.kind, event.payload, event.given) = (PayloadKind::Binary, b"payload".to_vec(), Default::default());
        let names = ["", "a", "b", "ab", "é", "a name of thirty-two letters, yes", "and one of the same length, too"];
        let mut name = || names[usize::try_from(random.below(7)).unwrap()].to_owned();
        (event.category, event.stream, event.name) = (name(), name(), name());
        event.position = [0, 127, 128, 70_000][usize::try_from(random.below(4)).unwrap()];
    }
    sent
}

#[test]
fn what_is_left_out_takes_no_bytes() {
    let mut random = Random::new(2);
    let mut sent = OwnTransaction::random(&mut random, 1);
    (sent.id, sent.attributes, sent.records) = (None, Default::default(), Vec::new());
    let event = &mut sent.events[0];
    (event.id, event.given, event.position) = (None, Default::default(), 0);
    (event.category, event.stream, event.name) = (String::new(), String::new(), String::new());
    (event.kind, event.payload) = (PayloadKind::None, Vec::new());
    (event.content_type, event.schema, event.schema_version, event.metadata) = (None, None, None, None);
    event.attributes = Default::default();
    (event.observed_at, event.occurred_at) = (sent.context.recorded_at, sent.context.recorded_at);
    let without_event = super::frame::HEADER_BYTES;
    // Flags, kind, position, the lengths of three names, the time observed.
    assert_eq!(sent.encode().len(), without_event + 2 + 1 + 1 + 3 + 1);
}

#[test]
fn frames_that_keep_the_books_come_back_as_they_went_in() {
    for (kind, body) in [(Kind::Opening, &[1_u8, 2, 3][..]), (Kind::Watermark, &[]), (Kind::Close, &[])] {
        let context = Context {
            place: Place { segment: 2, offset: 8_192 },
            salt: 3,
            sequence: u64::MAX,
            recorded_at: Timestamp::MAX,
            epoch: u32::MAX,
            mark: Place { segment: 2, offset: 8_192 },
            link: u32::MAX,
        };
        let mut frame = Vec::new();
        let crc = encode::bookkeeping(&mut frame, &context, kind, body).unwrap();
        let view = FrameView::open(&frame).unwrap();
        assert_eq!((view.header.kind, view.header.count, view.header.crc), (kind, 0, crc));
        assert_eq!((view.header.sequence, view.header.epoch, view.header.link), (u64::MAX, u32::MAX, u32::MAX));
        assert_eq!((view.body(), view.header.mark_place(2)), (body, context.mark));
        assert!(verify_whole(&frame, &view.header, 3, 8_192));
    }
}

#[test]
fn a_mark_from_long_ago_is_written_as_the_beginning_of_the_segment_before() {
    let context = Context {
        place: Place { segment: 7, offset: 4_096 },
        salt: 0,
        sequence: 0,
        recorded_at: Timestamp::MIN,
        epoch: 1,
        mark: Place { segment: 2, offset: 9_000 },
        link: 0,
    };
    let mut frame = Vec::new();
    encode::bookkeeping(&mut frame, &context, Kind::Watermark, &[]).unwrap();
    assert_eq!(FrameHeader::decode(&frame).unwrap().mark_place(7), Place::start_of(6));
}

#[test]
fn an_event_shares_the_names_of_one_at_most_eight_distinct_names_ago() {
    let mut random = Random::new(3);
    let mut sent = OwnTransaction::random(&mut random, 40);
    for (index, event) in sent.events.iter_mut().enumerate() {
        event.stream = format!("a stream with quite a long name, number {}", index % 20);
        event.name = format!("a name that is quite long too, number {}", index % 2);
    }
    let apart = sent.encode().len();
    for (index, event) in sent.events.iter_mut().enumerate() {
        event.stream = format!("a stream with quite a long name, number {:>2}", index / 20);
    }
    let runs = sent.encode().len();
    assert!(apart > runs + 30 * 40, "{apart} bytes with names far apart, {runs} with names in runs");
}

#[test]
fn a_plain_event_is_written_in_one_go_as_it_is_in_the_general_way() {
    let mut random = Random::new(11);
    let (mut written, mut left) = (0, 0);
    for round in 0..5_000_u64 {
        let mut sent = OwnTransaction { id: None, records: Vec::new(), ..OwnTransaction::random(&mut random, 1) };
        sent.attributes = Attributes::new();
        let event = OwnEvent::random(&mut random);
        let event = OwnEvent {
            id: None,
            name: "n".repeat(random.size(300)),
            content_type: None,
            schema: None,
            schema_version: None,
            metadata: None,
            attributes: Attributes::new(),
            occurred_at: event.observed_at,
            given: Given::default(),
            ..event
        };
        if round % 2 == 0 {
            sent.context.recorded_at = event.observed_at;
        }
        let (category, stream, name) = (&*event.category, &*event.stream, &*event.name);
        let (payload, position, observed_at) = (event.source().payload, event.position, event.observed_at);
        let plain = PlainEvent { category, stream, name, payload, position, observed_at };
        // What was there before shows nowhere.
        let mut one = random.bytes(600);
        let context = sent.context;
        let sum = plain_writer::put(&mut one, &context, &plain);
        sent.events = vec![event.clone()];
        let other = sent.encode();
        if let Some(sum) = sum {
            let header = FrameHeader::decode(&one).unwrap();
            assert_eq!((sum, &one), (header.crc, &other));
            written += 1;
        } else {
            left += 1;
        }
    }
    assert!(written > 2_500 && left > 100, "{written} were written in one go, {left} were not");
}
