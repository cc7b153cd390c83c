//! Random transactions for the tests of the format: every field there or not, long or short, odd or plain.

use super::encode::{self, Context, TransactionSource};
use super::event::EventSource;
use super::place::Place;
use crate::vocabulary::attributes::{AttributeValue, Attributes};
use crate::vocabulary::event::{EventId, Given};
use crate::vocabulary::payload::{PayloadKind, PayloadRef};
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::{Digest, SystemRecord};

/// A generator of numbers that look random: the same for the same seed (splitmix64).
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    pub(super) fn size(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).unwrap()
    }

    pub(super) fn flag(&mut self) -> bool {
        self.next() & 1 == 1
    }

    pub(super) fn bytes(&mut self, most: usize) -> Vec<u8> {
        (0..self.size(most + 1)).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    fn text(&mut self) -> String {
        (0..self.size(9)).map(|_| ['a', 'Z', '0', '-', 'é', '€', '𝄞', '\0'][self.size(8)]).collect()
    }

    fn number(&mut self) -> u64 {
        self.next() >> self.below(64)
    }

    pub(super) fn time(&mut self) -> Timestamp {
        match self.below(6) {
            0 => Timestamp::MIN,
            1 => Timestamp::MAX,
            2 => Timestamp::UNIX_EPOCH,
            _ => {
                let seconds = i64::try_from(self.below(4_000_000_000)).unwrap() - 1_000_000_000;
                Timestamp::from_unix(seconds, u32::try_from(self.below(1_000_000_000)).unwrap()).unwrap()
            }
        }
    }

    fn value(&mut self) -> AttributeValue {
        match self.below(7) {
            0 => AttributeValue::Boolean(self.flag()),
            1 => AttributeValue::Integer(self.number().cast_signed()),
            2 => AttributeValue::String(self.text().into()),
            3 => AttributeValue::Bytes(self.bytes(9).into()),
            4 => AttributeValue::Uri(self.text().into()),
            5 => AttributeValue::UriReference(self.text().into()),
            _ => AttributeValue::Time(self.time()),
        }
    }

    fn attributes(&mut self) -> Attributes {
        let mut list = Attributes::new();
        for index in 0..self.below(4) {
            list.set(format!("{index}{}", self.text()), self.value());
        }
        list
    }
}

/// An event that owns its fields.
#[derive(Debug, Clone)]
pub(super) struct OwnEvent {
    pub(super) id: Option<EventId>,
    pub(super) category: String,
    pub(super) stream: String,
    pub(super) name: String,
    pub(super) kind: PayloadKind,
    pub(super) payload: Vec<u8>,
    pub(super) content_type: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) schema_version: Option<u32>,
    pub(super) metadata: Option<Vec<u8>>,
    pub(super) attributes: Attributes,
    pub(super) position: u64,
    pub(super) observed_at: Timestamp,
    pub(super) occurred_at: Timestamp,
    pub(super) given: Given,
}

impl OwnEvent {
    pub(super) fn random(random: &mut Random) -> Self {
        let id = match random.below(3) {
            0 => None,
            1 => Some(EventId::from(uuid::Uuid::from_u64_pair(random.next(), random.next()))),
            _ => Some(EventId::new(format!("id {}", random.text()))),
        };
        let kinds = [PayloadKind::Binary, PayloadKind::Text, PayloadKind::MessagePack, PayloadKind::Json];
        let kind = [PayloadKind::None].into_iter().chain(kinds).nth(random.size(5)).unwrap();
        let observed_at = random.time();
        let occurred_at = if random.flag() { observed_at } else { random.time() };
        Self {
            given: Given {
                id: id.is_some() && random.flag(),
                observed_at: random.flag(),
                occurred_at: occurred_at != observed_at || random.flag(),
            },
            id,
            category: ["a", "b", "", "accounts"][random.size(4)].into(),
            stream: if random.flag() { "s".into() } else { random.text() },
            name: if random.flag() { "n".into() } else { random.text() },
            kind,
            payload: if kind == PayloadKind::None { Vec::new() } else { random.bytes(40) },
            content_type: random.flag().then(|| random.text()),
            schema: random.flag().then(|| random.text()),
            schema_version: random.flag().then(|| u32::try_from(random.number() >> 32).unwrap()),
            metadata: random.flag().then(|| random.bytes(9)),
            attributes: random.attributes(),
            position: random.number(),
            observed_at,
            occurred_at,
        }
    }

    pub(super) fn source(&self) -> EventSource<'_> {
        EventSource {
            id: self.id.as_ref(),
            category: &self.category,
            stream: &self.stream,
            name: &self.name,
            payload: PayloadRef {
                kind: self.kind,
                bytes: &self.payload,
                content_type: self.content_type.as_deref(),
                schema: self.schema.as_deref(),
                schema_version: self.schema_version,
            },
            metadata: self.metadata.as_deref(),
            attributes: &self.attributes,
            position: self.position,
            observed_at: self.observed_at,
            occurred_at: self.occurred_at,
            given: self.given,
        }
    }
}

/// A transaction that owns its fields, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct OwnTransaction {
    pub(super) context: Context,
    pub(super) id: Option<(String, Digest)>,
    pub(super) attributes: Attributes,
    pub(super) records: Vec<SystemRecord>,
    pub(super) events: Vec<OwnEvent>,
}

impl OwnTransaction {
    /// A transaction of `count` events.
    pub(super) fn random(random: &mut Random, count: usize) -> Self {
        let place = Place { segment: 1 + random.below(9), offset: 4_096 + 8 * random.below(1 << 20) };
        let mark = Place { segment: place.segment - u64::from(random.flag()), offset: 4_096 };
        let context = Context {
            place,
            salt: random.next(),
            sequence: random.number() >> 1,
            recorded_at: random.time(),
            epoch: u32::try_from(random.number() >> 32).unwrap(),
            mark: mark.max(Place::start_of(1)),
            link: u32::try_from(random.next() >> 32).unwrap(),
        };
        let records = (0..random.below(3)).map(|_| SystemRecord {
            namespace: random.text().into(),
            key: random.text().into(),
            value: random.flag().then(|| random.bytes(9).into()),
        });
        Self {
            context,
            records: records.collect(),
            id: random.flag().then(|| {
                let digest = (u128::from(random.next()) << 64) | u128::from(random.next());
                (random.text(), Digest(digest))
            }),
            attributes: random.attributes(),
            events: (0..count).map(|_| OwnEvent::random(random)).collect(),
        }
    }

    /// The frame's bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut frame = vec![0xee; 7];
        let source = TransactionSource {
            id: self.id.as_ref().map(|(id, digest)| (&**id, *digest)),
            attributes: &self.attributes,
            records: &self.records,
        };
        let crc = encode::transaction(&mut frame, &self.context, source, self.events.iter().map(OwnEvent::source));
        assert_eq!(frame[..4], crc.unwrap().to_le_bytes());
        frame
    }
}
