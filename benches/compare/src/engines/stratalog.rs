//! Stratalog, driven through its public interface.

mod deferred;

use crate::data::{Data, Stream, Tally};
use crate::engine::{Append, Call, Durability, Engine, Setting, Version};
use crate::error::{Error, Of, Result};
use std::sync::Arc;
use stratalog::{
    AppendError, Condition, EventCategory, EventStore, EventStream, NewEvent, Options, Payload, Position, Scan,
    position_is, stream_is_empty,
};

const NAME: &str = "stratalog";

/// The ways it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The stream is named anew at each call; reads check what they read. As by default.
    Default,
    /// A handle is held for each stream.
    Handles,
    /// Reads do not check what they read.
    Unchecked,
}

struct Stratalog {
    store: EventStore,
    /// One for each stream where handles are held; else empty.
    handles: Vec<EventStream>,
}

/// Opens a store.
pub fn open(setting: &Setting<'_>, way: Way) -> Result<Box<dyn Engine>> {
    let durability = match setting.durability {
        Durability::Os => stratalog::Durability::Os,
        Durability::Sync => stratalog::Durability::Sync,
    };
    let options = Options::new().durability(durability).verify_reads(way != Way::Unchecked);
    let store = EventStore::open_with(setting.directory, options).of(NAME)?;
    let handle = |stream: &Stream| store.stream(Arc::clone(&stream.category), Arc::clone(&stream.name));
    let handles = match way {
        Way::Handles => setting.data.streams.iter().map(handle).collect(),
        Way::Default | Way::Unchecked => Vec::new(),
    };
    Ok(Box::new(Stratalog { store, handles }))
}

impl Stratalog {
    fn stream(&self, stream: &Stream) -> EventStream {
        self.store.stream(Arc::clone(&stream.category), Arc::clone(&stream.name))
    }
}

impl Engine for Stratalog {
    fn append(&self, append: &Append<'_>) -> Result<Version> {
        let condition = match append.expected {
            None => Condition::any(),
            Some(Version { events: 0, .. }) => stream_is_empty(),
            Some(version) => position_is(Position::new(version.events - 1)),
        };
        let new = |event: &crate::engine::Event<'_>| {
            NewEvent::from_payload(Arc::clone(event.name), Payload::binary(event.payload.to_vec()))
        };
        let events = append.events.iter().map(new);
        let outcome = match self.handles.get(append.stream.number) {
            Some(handle) => handle.publish_if(events, condition),
            None => self.stream(append.stream).publish_if(events, condition),
        };
        match outcome {
            Ok(receipt) => Ok(Version {
                events: receipt.last_position().map_or(0, |position| position.get() + 1),
                last: receipt.last_sequence_number().map_or(0, |number| number.get() + 1),
            }),
            Err(AppendError::Unmet(_)) => Err(Error::Conflict),
            Err(error) => Err(error).of(NAME),
        }
    }

    fn read_stream(&self, stream: &Stream) -> Result<Tally> {
        tally(self.stream(stream).scan())
    }

    fn read_category(&self, category: &Arc<str>) -> Result<Tally> {
        let category: EventCategory = self.store.category(Arc::clone(category));
        tally(category.scan())
    }

    fn read_log(&self) -> Result<Tally> {
        tally(self.store.log().scan())
    }

    fn append_deferred(&self, data: &Data, calls: &mut dyn Iterator<Item = Call>) -> Result<()> {
        deferred::append(&self.store, data, calls)
    }

    fn lookups_a_miss(&self) -> Option<f64> {
        let stats = self.store.stats().ok().filter(|stats| stats.index_misses > 0)?;
        Some(stats.index_searches_in_vain as f64 / stats.index_misses as f64)
    }

    fn shares_syncs(&self) -> bool {
        true
    }

    fn close(self: Box<Self>) -> Result<()> {
        self.store.close().of(NAME)
    }
}

fn tally(scan: Scan) -> Result<Tally> {
    let mut tally = Tally::default();
    scan.visit(|event| tally.add(event.payload().bytes())).of(NAME)?;
    Ok(tally)
}
