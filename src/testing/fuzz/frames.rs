//! The fuzz target of frames: any bytes, and frames written from any fields.

#![expect(clippy::expect_used, reason = "a fuzz target panics where a promise is broken")]

use super::choices::Choices;
use super::edits;
use crate::format::decode::{FrameCheck, FrameView, NameCache};
use crate::format::encode::{self, Context, TransactionSource};
use crate::format::event::EventSource;
use crate::format::event_id::IdSeed;
use crate::format::frame::verify_whole;
use crate::format::place::Place;
use crate::format::plain::PlainReader;
use crate::vocabulary::attributes::{AttributeValue, Attributes};
use crate::vocabulary::event::{EventId, EventRef, Given, IdRepr, Parts};
use crate::vocabulary::payload::{Payload, PayloadKind};
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::{Digest, SystemRecord};

const SALT: u64 = 0x5eed_0fa5_a170_0001;
const OFFSET: u64 = 4_096;
const SEED: [u8; 16] = *b"the store's id..";

/// Reads any bytes as a frame, as they are and with the checksums that they should have.
pub(super) fn arbitrary(data: &[u8]) {
    inspect(data);
    let mut sealed = data.to_vec();
    edits::reseal(&mut sealed, SALT, OFFSET);
    inspect(&sealed);
}

/// Reads what may be a frame, in every way there is.
pub(super) fn inspect(bytes: &[u8]) {
    let Some(view) = FrameView::open(bytes) else { return };
    let whole = verify_whole(view.bytes, &view.header, SALT, OFFSET);
    assert!(!whole || view.verify(SALT, OFFSET), "a whole frame's own checksum fits");
    assert!(view.bytes.len() <= bytes.len());
    // What a reader sets aside for a frame is bounded by the frame.
    assert!(view.header.count as usize <= 1 + view.bytes.len() / 8, "{} events", view.header.count);
    // A name twice is found when the attributes are read, not before.
    assert!(view.sections.attributes(view.bytes).is_none_or(|list| list.len() <= view.bytes.len()));
    assert!(view.sections.records(view.bytes).is_some_and(|list| list.len() <= view.bytes.len()));
    assert_eq!(view.sections.id_text(view.bytes).is_some(), view.sections.digest.is_some());
    let _ = view.body();
    for check in [None, Some(FrameCheck::new(SALT, OFFSET))] {
        let mut names = NameCache::default();
        for index in 0..view.header.count {
            if let Ok(parts) = view.event(index, IdSeed::of(&SEED), check, &mut names) {
                look_at(&EventRef { data: view.bytes, parts });
            }
        }
        assert!(view.event(view.header.count, IdSeed::of(&SEED), check, &mut names).is_err());
    }
    inspect_plain(bytes, &view);
}

/// Reads what may be the frame that most are the quick way, which says nothing that the general one does not.
fn inspect_plain(bytes: &[u8], view: &FrameView<'_>) {
    let seed = IdSeed::of(&SEED);
    for verify in [None, Some(SALT)] {
        let (mut reader, mut event) = (PlainReader::new(seed), EventRef { data: &[], parts: Parts::default() });
        reader.turn_to(verify);
        // The second time it goes by what it has learned.
        if !reader.read_at(bytes, 0, OFFSET, view.header.sequence, &mut event) {
            continue;
        }
        assert!(reader.read_at(bytes, 0, OFFSET, view.header.sequence, &mut event), "it was read before");
        look_at(&event);
        assert!(verify.is_none() || view.verify(SALT, OFFSET));
        let check = Some(FrameCheck::new(SALT, OFFSET));
        match view.event(0, seed, check, &mut NameCache::default()) {
            Ok(parts) => {
                let general = EventRef { data: view.bytes, parts };
                assert_eq!(event, general);
                assert_eq!(event.parts.given, general.parts.given);
                assert_eq!(event.transaction_revision(), general.transaction_revision());
            }
            // Whoever does not verify is told nothing of names that are no text.
            Err(_) => assert!(verify.is_none()),
        }
    }
}

/// Asks an event for everything it has.
pub(super) fn look_at(event: &EventRef<'_>) {
    let Parts { category, stream, name, payload, .. } = event.parts.clone();
    for span in [category, stream, name, payload] {
        assert!(span.start <= span.end && span.end as usize <= event.data.len(), "{span:?}");
    }
    let stored = event.to_stored();
    assert_eq!((stored.name(), stored.stream_id()), (event.name(), event.stream_id()));
    let _ = (event.id().to_string(), event.payload().to_json(), event.payload().data().is_ok());
    let _ = (event.metadata(), event.attributes().len(), event.transaction_id(), event.recorded_at());
}

/// A transaction of any fields.
#[derive(Debug)]
pub(super) struct Fields {
    id: Option<(String, Digest)>,
    attributes: Attributes,
    records: Vec<SystemRecord>,
    events: Vec<EventFields>,
}

#[derive(Debug)]
struct EventFields {
    id: Option<EventId>,
    category: String,
    stream: String,
    name: String,
    payload: Payload,
    metadata: Option<Vec<u8>>,
    attributes: Attributes,
    position: u64,
    observed_at: Timestamp,
    occurred_at: Timestamp,
    given: Given,
}

impl Fields {
    pub(super) fn choose(choices: &mut Choices<'_>) -> Self {
        let id = choices.flag().then(|| (choices.text(70), Digest(u128::from(choices.u64()))));
        let attributes = attributes(choices);
        let records = (0..choices.byte() % 3)
            .map(|_| SystemRecord {
                namespace: choices.text(20).into(),
                key: choices.text(20).into(),
                value: choices.flag().then(|| choices.run(40).to_vec().into()),
            })
            .collect();
        let events = (0..choices.byte() % 12).map(|_| EventFields::choose(choices)).collect();
        Self { id, attributes, records, events }
    }

    /// The frame's bytes, and its checksum.
    pub(super) fn write(&self, out: &mut Vec<u8>, context: &Context) -> u32 {
        let source = TransactionSource {
            id: self.id.as_ref().map(|(id, digest)| (id.as_str(), *digest)),
            attributes: &self.attributes,
            records: &self.records,
        };
        encode::transaction(out, context, source, self.events.iter().map(EventFields::source)).expect("it is short")
    }
}

impl EventFields {
    fn choose(choices: &mut Choices<'_>) -> Self {
        let how = choices.u16();
        let has = |bit: u16| how & (1 << bit) != 0;
        // Few names, so that events share them, and now and then any.
        let name = |choices: &mut Choices<'_>| match choices.byte() % 8 {
            0 => choices.text(60),
            few => ["", "a", "stream", "category/with/parts", "é", "name", "other"][usize::from(few - 1)].to_owned(),
        };
        let kinds = [PayloadKind::None, PayloadKind::Binary, PayloadKind::Text, PayloadKind::MessagePack];
        let kind = kinds.get(usize::from(choices.byte() % 5)).copied().unwrap_or(PayloadKind::Json);
        let bytes = choices.run(100).to_vec().into();
        let mut payload = Payload { kind, bytes, ..Payload::default() };
        if has(0) {
            payload = payload.with_content_type(choices.text(30));
        }
        if has(1) {
            payload = payload.with_schema(choices.text(30));
        }
        if has(2) {
            payload = payload.with_schema_version(choices.u32());
        }
        let id = match (has(3), has(4)) {
            (false, _) => None,
            (true, true) => Some(EventId::new(choices.text(40))),
            (true, false) => Some(EventId(IdRepr::Uuid(u128::from(choices.u64()).to_le_bytes()))),
        };
        let observed_at = choices.time();
        Self {
            id,
            category: name(choices),
            stream: name(choices),
            name: name(choices),
            payload,
            metadata: has(5).then(|| choices.run(40).to_vec()),
            attributes: if has(6) { attributes(choices) } else { Attributes::new() },
            position: if has(7) { choices.u64() } else { u64::from(choices.byte()) },
            observed_at,
            occurred_at: if has(8) { choices.time() } else { observed_at },
            given: Given { id: has(9), observed_at: has(10), occurred_at: has(11) },
        }
    }

    fn source(&self) -> EventSource<'_> {
        EventSource {
            id: self.id.as_ref(),
            category: &self.category,
            stream: &self.stream,
            name: &self.name,
            payload: self.payload.as_ref(),
            metadata: self.metadata.as_deref(),
            attributes: &self.attributes,
            position: self.position,
            observed_at: self.observed_at,
            occurred_at: self.occurred_at,
            given: self.given,
        }
    }

    fn assert_same(&self, event: &EventRef<'_>) {
        assert_eq!((event.category(), event.stream(), event.name()), (&*self.category, &*self.stream, &*self.name));
        assert_eq!(event.payload(), self.payload.as_ref());
        assert_eq!(event.metadata(), self.metadata.as_deref());
        assert_eq!(event.attributes(), &self.attributes);
        assert_eq!(event.parts.position, self.position);
        assert_eq!((event.observed_at(), event.occurred_at()), (self.observed_at, self.occurred_at));
        assert_eq!(event.parts.given, self.given);
        assert!(self.id.as_ref().is_none_or(|id| *id == event.id()));
    }
}

fn attributes(choices: &mut Choices<'_>) -> Attributes {
    let mut list = Attributes::new();
    for _ in 0..choices.byte() % 4 {
        let value = match choices.byte() % 7 {
            0 => AttributeValue::Boolean(choices.flag()),
            1 => AttributeValue::Integer(choices.u64().cast_signed()),
            2 => AttributeValue::String(choices.text(20).into()),
            3 => AttributeValue::Bytes(choices.run(20).to_vec().into()),
            4 => AttributeValue::Uri(choices.text(20).into()),
            5 => AttributeValue::UriReference(choices.text(20).into()),
            _ => AttributeValue::Time(choices.time()),
        };
        list.set(choices.text(10), value);
    }
    list
}

fn context(choices: &mut Choices<'_>) -> Context {
    let place = Place { segment: 2, offset: OFFSET };
    Context {
        place,
        salt: SALT,
        sequence: choices.u64() >> 1,
        recorded_at: choices.time(),
        epoch: choices.u32(),
        mark: Place { segment: 1 + u64::from(choices.byte() % 2), offset: OFFSET.min(u64::from(choices.u16()) * 8) },
        link: choices.u32(),
    }
}

/// Writes a frame of any fields, and reads the same fields back.
pub(super) fn round_trip(choices: &mut Choices<'_>) -> Vec<u8> {
    let context = context(choices);
    let fields = Fields::choose(choices);
    let mut bytes = Vec::new();
    let crc = fields.write(&mut bytes, &context);
    let view = FrameView::open(&bytes).expect("what was written is a frame");
    assert!(verify_whole(view.bytes, &view.header, SALT, OFFSET));
    assert!(!verify_whole(view.bytes, &view.header, SALT, OFFSET + 8), "and stands in its place alone");
    assert_eq!((view.header.crc, view.header.sequence, view.header.epoch), (crc, context.sequence, context.epoch));
    assert_eq!((view.header.recorded_at, view.header.link), (context.recorded_at, context.link));
    assert!(view.header.mark_place(context.place.segment) <= context.place);
    assert_eq!(view.sections.id_text(&bytes), fields.id.as_ref().map(|(id, _)| id.as_str()));
    assert_eq!(view.sections.digest, fields.id.as_ref().map(|(_, digest)| *digest));
    assert_eq!(view.sections.attributes(&bytes).as_ref(), Some(&fields.attributes));
    assert_eq!(view.sections.records(&bytes).as_ref(), Some(&fields.records));
    assert_eq!(view.header.count as usize, fields.events.len());
    let mut names = NameCache::default();
    for (index, expected) in (0..).zip(&fields.events) {
        let check = Some(FrameCheck::new(SALT, OFFSET));
        let parts = view.event(index, IdSeed::of(&SEED), check, &mut names).expect("each event is as written");
        expected.assert_same(&EventRef { data: &bytes, parts });
    }
    bytes
}

/// Changes bytes of a frame after it was written. One changed byte is always found; with the checksums made to fit, the frame
/// reads as something or as an error.
pub(super) fn damaged(choices: &mut Choices<'_>) {
    let resealed = choices.flag();
    let flips = 1 + choices.byte() % 6;
    let positions: Vec<u8> = choices.bytes(usize::from(flips) * 3).to_vec();
    let mut bytes = round_trip(choices);
    let mut choices = Choices::new(&positions);
    for _ in 0..flips {
        edits::flip(&mut bytes, &mut choices);
    }
    if resealed {
        edits::reseal(&mut bytes, SALT, OFFSET);
    } else if flips == 1 {
        let found = FrameView::open(&bytes).is_none_or(|view| !verify_whole(&bytes, &view.header, SALT, OFFSET));
        assert!(found, "a changed byte was not noticed");
    }
    inspect(&bytes);
}
