//! Transactions of any events, and the index file that they give.

use super::super::choices::Choices;
use super::{SALT, SEGMENT, STORE};
use crate::format::place::Place;
use crate::index::hash_seed;
use crate::index::sealed::{Covers, IndexBuilder, IndexedEvent};
use crate::segment::Chain;
use crate::vocabulary::event::{EventId, IdRepr};
use crate::vocabulary::time::Timestamp;
use crate::vocabulary::transaction::SystemRecord;
use std::collections::HashMap;

/// Where the first frame stands.
const FROM: u64 = 4_096;

/// Frames that follow each other.
#[derive(Debug)]
pub(crate) struct Content {
    pub(super) base: u64,
    pub(super) transactions: Vec<Transaction>,
}

/// A frame: a transaction with or without events.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) offset: u64,
    pub(super) id: Option<String>,
    pub(super) recorded_at: Timestamp,
    pub(super) records: Vec<SystemRecord>,
    pub(super) events: Vec<Event>,
}

#[derive(Debug)]
pub(super) struct Event {
    pub(super) category: String,
    pub(super) stream: String,
    pub(super) name: String,
    pub(super) position: u64,
    pub(super) occurred_at: Timestamp,
    pub(super) id: Option<EventId>,
}

/// What names are like, and how many events come together.
struct Shape {
    many_names: bool,
    most_events: usize,
    runs: bool,
    given_ids: bool,
}

impl Shape {
    fn of(how: u8) -> Self {
        Self {
            many_names: how & 1 != 0,
            most_events: if how & 2 != 0 { 300 } else { 3 },
            runs: how & 4 != 0,
            given_ids: how & 8 != 0,
        }
    }
}

impl Content {
    /// Few transactions.
    pub(crate) fn choose(choices: &mut Choices<'_>) -> Self {
        let shape = Shape::of(choices.byte());
        Self::of(choices, &shape, 6)
    }

    /// Many transactions, all of which follow from a seed.
    #[cfg(test)]
    pub(crate) fn many(shape: u8, seed: u64) -> Self {
        let mut bytes = vec![0; 16_000];
        fastrand::Rng::with_seed(seed).fill(&mut bytes);
        Self::of(&mut Choices::new(&bytes), &Shape::of(shape), 300)
    }

    fn of(choices: &mut Choices<'_>, shape: &Shape, most: usize) -> Self {
        let base = if choices.flag() { choices.u64() >> 8 } else { 0 };
        let mut positions: HashMap<(String, String), u64> = HashMap::new();
        let mut now = Timestamp::UNIX_EPOCH;
        let mut offset = FROM;
        let mut transactions = Vec::new();
        while transactions.len() < most && !choices.is_done() {
            now = later(now, choices);
            let id = choices.byte().is_multiple_of(3).then(|| choices.text(9));
            let records = (0..(choices.byte() % 8).saturating_sub(5)).map(|_| record(choices)).collect();
            let count = if choices.byte().is_multiple_of(4) { choices.below(shape.most_events + 1) } else { 1 };
            let mut events: Vec<Event> = Vec::new();
            for _ in 0..count {
                let event = match events.last() {
                    Some(last) if shape.runs => Event { id: None, ..last.again() },
                    _ => Event::choose(choices, shape),
                };
                events.push(event);
            }
            for event in &mut events {
                let first = || if event.position % 2 == 0 { 0 } else { event.position };
                let next = positions.entry((event.category.clone(), event.stream.clone())).or_insert_with(first);
                event.position = *next;
                *next += 1;
            }
            transactions.push(Transaction { offset, id, recorded_at: now, records, events });
            offset += 48 + 8 * u64::from(choices.byte());
        }
        Self { base, transactions }
    }

    pub(super) fn end(&self) -> u64 {
        self.transactions.last().map_or(FROM, |last| last.offset + 48)
    }

    /// All events with their frames, in the order of their ordinals.
    pub(super) fn events(&self) -> impl Iterator<Item = (&Transaction, &Event)> {
        self.transactions.iter().flat_map(|frame| frame.events.iter().map(move |event| (frame, event)))
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.events().count()).unwrap_or_default()
    }

    pub(crate) fn covers(&self) -> Covers {
        let with_events = || self.transactions.iter().filter(|frame| !frame.events.is_empty());
        Covers {
            store_id: STORE,
            segment: SEGMENT,
            salt: SALT,
            from: FROM,
            end: self.end(),
            last: FROM,
            base: self.base,
            count: self.count(),
            transactions: u32::try_from(with_events().count()).unwrap_or_default(),
            chain: Chain {
                sequence: self.base + u64::from(self.count()),
                link: 7,
                epoch: 2,
                recorded_at: self.transactions.last().map_or(Timestamp::MIN, |last| last.recorded_at),
                mark: Place { segment: SEGMENT, offset: FROM },
                closed: self.base % 2 == 1,
            },
            first_recorded_at: with_events().next().map(|frame| frame.recorded_at),
        }
    }

    /// The index file.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut builder = IndexBuilder::new(hash_seed(&STORE), self.base);
        self.transactions.iter().for_each(|frame| frame.add_to(&mut builder));
        assert!(builder.bytes() > 0);
        builder.finish(&self.covers()).expect("it is little")
    }

    /// The same, by way of builders of so many frames each that one takes in.
    #[cfg(test)]
    pub(crate) fn write_by_parts(&self, frames: usize) -> Vec<u8> {
        let mut builder = IndexBuilder::new(hash_seed(&STORE), self.base);
        for part in self.transactions.chunks(frames) {
            let mut next = IndexBuilder::following(&builder);
            part.iter().for_each(|frame| frame.add_to(&mut next));
            builder.absorb(&next).expect("it is little");
        }
        builder.finish(&self.covers()).expect("it is little")
    }
}

impl Transaction {
    fn add_to(&self, builder: &mut IndexBuilder) {
        let mut adding = builder.begin(self.offset, self.recorded_at).expect("it is little");
        for event in &self.events {
            let event = IndexedEvent {
                category: event.category.as_bytes(),
                stream: event.stream.as_bytes(),
                name: event.name.as_bytes(),
                position: event.position,
                occurred_at: event.occurred_at,
                id: event.id.as_ref(),
            };
            adding.event(&event).expect("it is little");
        }
        adding.finish(self.id.as_deref(), &self.records);
    }
}

impl Event {
    fn choose(choices: &mut Choices<'_>, shape: &Shape) -> Self {
        let name = |choices: &mut Choices<'_>| match choices.byte() {
            how if shape.many_names && how % 4 != 0 => format!("stream-{:03}", choices.below(300)),
            how @ ..16 if how % 2 == 0 => choices.text(12),
            how => {
                ["", "a", "ab", "abc", "b", "é", "\u{10ffff}", "category/with/parts"][usize::from(how % 8)].to_owned()
            }
        };
        let id = match choices.byte() % 4 {
            0 if shape.given_ids => Some(EventId::new(choices.text(5))),
            1 if shape.given_ids => Some(EventId(IdRepr::Uuid(u128::from(choices.u16()).to_le_bytes()))),
            _ => None,
        };
        Self {
            category: name(choices),
            stream: name(choices),
            name: name(choices),
            position: u64::from(choices.u16()),
            occurred_at: choices.time(),
            id,
        }
    }

    fn again(&self) -> Self {
        Self {
            category: self.category.clone(),
            stream: self.stream.clone(),
            name: self.name.clone(),
            position: self.position,
            occurred_at: self.occurred_at,
            id: self.id.clone(),
        }
    }
}

fn later(now: Timestamp, choices: &mut Choices<'_>) -> Timestamp {
    let seconds = now.unix_seconds() + i64::from(choices.byte() % 4);
    Timestamp::from_unix(seconds, 0).unwrap_or(now)
}

fn record(choices: &mut Choices<'_>) -> SystemRecord {
    SystemRecord {
        namespace: ["", "app", "stratalog"][usize::from(choices.byte() % 3)].into(),
        key: choices.text(2).into(),
        value: choices.flag().then(|| choices.run(20).to_vec().into()),
    }
}
